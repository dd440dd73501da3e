/* counterpart post: an application that posts its events as signed webhooks, and again while it is told to wait. */
#include "config.h"
#include <signal.h>

#include "tests/lab/counterpart.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "broker-adapters/http/http.h"

struct poster {
	const char *url, *id;
	struct http_keys keys;
	char *bearer;
	CURL *easy;
	long for_s;
	unsigned number, failed;
};

static size_t collect(char *data, size_t size, size_t n, void *arg)
{
	buf_append(arg, data, size * n);
	return size * n;
}

static char *file_read(const char *path, size_t *len)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "rb") : stdin;
	char *text = NULL;
	size_t room = 0, n;

	if (!file)
		die("cannot read %s: %s", path, strerror(errno));
	*len = 0;
	do {
		text = mem_grow(text, &room, *len + 65536, 1);
		n = fread(text + *len, 1, 65535, file);
		*len += n;
	} while (n);
	text[*len] = '\0';
	if (file != stdin)
		fclose(file);
	return text;
}

static struct curl_slist *add(struct curl_slist *list, char *line)
{
	list = curl_slist_append(list, line);
	free(line);
	return list;
}

static struct curl_slist *headers(struct poster *poster, const char *id, struct span body)
{
	struct curl_slist *list = add(NULL, mem_strdup("Content-Type: application/json"));
	char stamp[24];

	snprintf(stamp, sizeof stamp, "%lld", (long long)(clock_now_ms() / 1000));
	list = add(list, mem_printf("webhook-id: %s", id));
	list = add(list, mem_printf("webhook-timestamp: %s", stamp));
	list = add(list, mem_strdup("Expect:"));
	if (poster->bearer)
		list = add(list, mem_printf("Authorization: Bearer %s", poster->bearer));
	for (size_t i = 0; i < poster->keys.count && i < 1; i++) {
		struct http_proof proof = {.id = span_of(id), .timestamp = span_of(stamp), .body = body};
		struct buf line;

		buf_init(&line, 1024);
		buf_text(&line, "webhook-signature: ");
		http_webhook_sign(poster->keys.keys[i], &proof, &line);
		list = add(list, buf_take(&line));
	}
	return list;
}

/* One try: the status, 0 without an answer. */
static long try(struct poster *poster, const char *id, struct span body, struct buf *answer, curl_off_t *wait_s)
{
	struct curl_slist *list = headers(poster, id, body);
	long status = 0;

	curl_easy_reset(poster->easy);
	curl_easy_setopt(poster->easy, CURLOPT_URL, poster->url);
	curl_easy_setopt(poster->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(poster->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(poster->easy, CURLOPT_TIMEOUT, 60L);
	curl_easy_setopt(poster->easy, CURLOPT_POSTFIELDS, body.data);
	curl_easy_setopt(poster->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	curl_easy_setopt(poster->easy, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(poster->easy, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(poster->easy, CURLOPT_WRITEDATA, answer);
	if (curl_easy_perform(poster->easy) == CURLE_OK)
		curl_easy_getinfo(poster->easy, CURLINFO_RESPONSE_CODE, &status);
	*wait_s = 0;
	curl_easy_getinfo(poster->easy, CURLINFO_RETRY_AFTER, wait_s);
	curl_slist_free_all(list);
	return status;
}

static void post_one(struct poster *poster, struct span body)
{
	int64_t until = clock_tick_ms() + poster->for_s * 1000;
	struct id digest = id_digest(body);
	char hex[ID_TEXT], *id;
	struct buf answer;
	json_t *said;
	long status;

	id_hex(&digest, hex);
	id = !poster->id      ? mem_printf("evt_%.24s", hex)
	     : poster->number ? mem_printf("%s-%u", poster->id, poster->number + 1)
			      : mem_strdup(poster->id);
	poster->number++;
	buf_init(&answer, 64 * 1024);
	for (;;) {
		curl_off_t wait_s;
		struct timespec pause = {0, 200000000};

		buf_reset(&answer);
		status = try(poster, id, body, &answer, &wait_s);
		if ((status && status != 503) || ending || clock_tick_ms() >= until)
			break;
		if (wait_s)
			pause = (struct timespec){wait_s > 5 ? 5 : (time_t)wait_s, 0};
		nanosleep(&pause, NULL);
	}
	said = json_loadb(answer.data ? answer.data : "", answer.len, 0, NULL);
	if (status >= 200 && status < 300)
		printf("%ld %s %s%s\n", status, id,
		       json_string_value(json_object_get(said, "id")) ? json_string_value(json_object_get(said, "id"))
								      : "-",
		       json_is_true(json_object_get(said, "duplicate")) ? " duplicate" : "");
	else
		printf("%ld %s %s\n", status, id,
		       json_string_value(json_object_get(said, "detail"))
			       ? json_string_value(json_object_get(said, "detail"))
			       : "no answer that can be read");
	fflush(stdout);
	poster->failed += status < 200 || status >= 300;
	json_decref(said);
	buf_free(&answer);
	free(id);
}

/* One document, or a document on each line. */
static void post_text(struct poster *poster, char *text, size_t len)
{
	json_t *whole = json_loadb(text, len, JSON_DECODE_ANY, NULL);
	char *line = text, *end;

	if (whole) {
		json_decref(whole);
		while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
			len--;
		post_one(poster, span_make(text, len));
		return;
	}
	for (; line < text + len && !ending; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + len - line));
		if (!end)
			end = text + len;
		if (end > line)
			post_one(poster, span_make(line, (size_t)(end - line)));
	}
}

int post_main(int argc, char **argv)
{
	struct poster poster = {.for_s = 60};
	const char *files[256];
	struct error error;
	size_t n = 0, len;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--id") == 0) {
			poster.id = argument_next(&i, argc, argv);
		} else if (strcmp(argv[i], "--for") == 0) {
			poster.for_s = argument_number(&i, argc, argv);
		} else if (strcmp(argv[i], "--secret-file") == 0) {
			char *text = file_read(argument_next(&i, argc, argv), &len);

			if (http_keys_add(&poster.keys, span_make(text, len), true, &error))
				die("%s", error.text);
			free(text);
		} else if (strcmp(argv[i], "--bearer-file") == 0) {
			poster.bearer = file_read(argument_next(&i, argc, argv), &len);
			poster.bearer[strcspn(poster.bearer, "\r\n")] = '\0';
		} else if (argv[i][0] == '-' && argv[i][1]) {
			die("post: what is %s?", argv[i]);
		} else if (!poster.url) {
			poster.url = argv[i];
		} else if (n < sizeof files / sizeof *files) {
			files[n++] = argv[i];
		}
	}
	if (!poster.url || !n)
		die("post needs a URL and a file");
	curl_global_init(CURL_GLOBAL_DEFAULT);
	poster.easy = curl_easy_init();
	for (size_t i = 0; i < n && !ending; i++) {
		char *text = file_read(files[i], &len);

		post_text(&poster, text, len);
		free(text);
	}
	curl_easy_cleanup(poster.easy);
	http_keys_free(&poster.keys);
	free(poster.bearer);
	return poster.failed ? 1 : 0;
}
