/* See http_lab.h. */
#include "config.h"
#include "tests/support/support.h"
#include "tests/lab/http_lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buf.h"

static struct node *node_of(struct arena *arena, json_t *value)
{
	struct node *node = arena_alloc(arena, sizeof *node);
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_object(value)) {
		node->type = NODE_MAP;
		node->pairs = arena_alloc(arena, (json_object_size(value) + 1) * sizeof *node->pairs);
		json_object_foreach(value, key, item)
		{
			node->pairs[node->count].key.text = span_of(arena_strdup(arena, key));
			node->pairs[node->count++].value = node_of(arena, item);
		}
	} else if (json_is_array(value)) {
		node->type = NODE_LIST;
		node->items = arena_alloc(arena, (json_array_size(value) + 1) * sizeof *node->items);
		json_array_foreach(value, i, item) node->items[node->count++] = node_of(arena, item);
	} else {
		char *text =
			json_is_string(value) ? strdup(json_string_value(value)) : json_dumps(value, JSON_ENCODE_ANY);

		node->text = span_of(arena_strdup(arena, text));
		node->quoted = json_is_string(value);
		free(text);
	}
	return node;
}

void *lab_settings(struct arena *arena, const struct option *table, size_t size, const char *json)
{
	json_t *value = json_loads(json, 0, NULL);
	void *settings = arena_alloc(arena, size);
	struct findings findings;
	struct option_context context = {.arena = arena, .findings = &findings};

	if (!value)
		fail_msg("these settings are not JSON: %s", json);
	findings_init(&findings);
	option_fill(&context, node_of(arena, value), table, NULL, settings);
	if (findings.count)
		fail_msg("%s: %s", json, findings.list[0].text);
	findings_free(&findings);
	json_decref(value);
	return settings;
}

struct endpoint *lab_endpoint(struct arena *arena, const char *name, const char *directory, const void *settings)
{
	struct endpoint *endpoint = arena_alloc(arena, sizeof *endpoint);

	endpoint->name = name;
	endpoint->adapter = "http";
	endpoint->flow = "a-flow";
	endpoint->system = "";
	endpoint->root = directory;
	endpoint->secrets = arena_printf(arena, "%s/secrets", directory);
	endpoint->settings = settings;
	endpoint->retry = (struct retry_spec){5LL * 86400 * 1000, 1000, 15 * 60 * 1000};
	return endpoint;
}

int lab_connect(unsigned port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
		fail_msg("cannot connect to port %u: %s", port, strerror(errno));
	return fd;
}

void lab_send(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* the peer has had enough: what it says is what counts */
		text += n;
		len -= (size_t)n;
	}
}

char *lab_receive(int fd, int wait_ms, bool *closed)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	struct buf text;
	char piece[4096];

	buf_init(&text, 4 * 1024 * 1024);
	buf_append(&text, "", 0);
	*closed = false;
	while (poll(&wait, 1, wait_ms) > 0) {
		ssize_t n = recv(fd, piece, sizeof piece, 0);

		if (n <= 0) {
			*closed = true;
			break;
		}
		buf_append(&text, piece, (size_t)n);
	}
	return text.data ? buf_take(&text) : strdup("");
}
