/* Targets, their credentials and their options. See http_peer.h. */
#include "config.h"
#include "broker-adapters/http/http_peer.h"

#include <stdlib.h>

#include "base/mem.h"

struct http_peer *http_peer_find(struct http_peer *target, const char *name)
{
	while (target && strcmp(target->name, name))
		target = target->next;
	return target;
}

static void target_clear(struct http_peer *target)
{
	free(target->ca);
	free(target->proxy);
	free(target->idempotency);
	free(target->auth_header);
	secret_free(target->auth);
	target->ca = target->proxy = target->idempotency = target->auth_header = NULL;
	target->auth = NULL;
}

/* "Bearer KEY", "Basic base64(USER:KEY)" or the bare key, as a secret of its own. */
static struct secret *auth_value(const struct http_auth *auth, struct span key)
{
	struct buf pair, value;
	struct secret *made;

	buf_init(&pair, 16 * 1024);
	buf_init(&value, 32 * 1024);
	buf_room(&pair, key.len + 1024);
	buf_room(&value, 2 * key.len + 2048);
	if (auth->bearer) {
		buf_text(&value, "Bearer ");
		buf_span(&value, key);
	} else if (auth->basic.password) {
		buf_printf(&pair, "%s:", auth->basic.user);
		buf_span(&pair, key);
		buf_text(&value, "Basic ");
		base64_encode(&value, buf_view(&pair));
	} else {
		buf_span(&value, key);
	}
	made = secret_from(buf_view(&value));
	explicit_bzero(pair.data, pair.capacity);
	explicit_bzero(value.data, value.capacity);
	buf_free(&pair);
	buf_free(&value);
	return made;
}

int http_peer_check(const struct endpoint *endpoint, struct error *error)
{
	const struct http_target *settings = endpoint->settings;
	const struct http_auth *auth = &settings->auth;

	if (!!auth->bearer + !!auth->basic.password + !!auth->key.value > 1)
		return error_set(error, ERROR_FATAL, "http.auth",
				 "endpoint %s: auth takes one of bearer, basic and key", endpoint->name);
	if (auth->key.value && !http_header_name(span_of(auth->key.header)))
		return error_set(error, ERROR_FATAL, "http.auth",
				 "endpoint %s: auth: key: %s is not a header that can be set", endpoint->name,
				 auth->key.header);
	return http_success_check(&settings->success, error) ? -1 : http_url_check(settings, error);
}

static int auth_open(struct http_peer *target, const struct endpoint *endpoint, struct error *error)
{
	const struct http_auth *auth = &((const struct http_target *)endpoint->settings)->auth;
	const char *name = auth->bearer ? auth->bearer : auth->basic.password ? auth->basic.password : auth->key.value;
	struct secret *secret;

	if (http_peer_check(endpoint, error))
		return -1;
	if (!name)
		return 0;
	secret = secret_new(endpoint->secrets, name, error);
	if (!secret)
		return error_wrap(error, "endpoint %s", endpoint->name);
	if (secret_reveal(secret).len && http_header_value(secret_reveal(secret)))
		target->auth = auth_value(auth, secret_reveal(secret));
	else
		error_set(error, ERROR_FATAL, "secret.form",
			  "secret %s: a key is one line of at most 2000 visible characters", name);
	secret_free(secret);
	target->auth_header = mem_strdup(auth->key.value ? auth->key.header : "Authorization");
	return target->auth ? 0 : -1;
}

int http_peer_announce(struct http_peer **list, const struct endpoint *endpoint, struct error *error)
{
	const struct http_target *settings = endpoint->settings;
	struct http_peer *target = http_peer_find(*list, endpoint->name);

	if (http_success_check(&settings->success, error))
		return error_wrap(error, "endpoint %s", endpoint->name);
	if (!http_header_name(span_of(settings->idempotency)))
		return error_set(error, ERROR_FATAL, "http.key",
				 "endpoint %s: idempotency: not a header that can be set", endpoint->name);
	if (!target) {
		target = mem_alloc(sizeof *target);
		target->name = mem_strdup(endpoint->name);
		target->next = *list;
		*list = target;
	}
	target_clear(target);
	target->idempotency = mem_strdup(settings->idempotency);
	target->proxy = mem_strdup(settings->proxy);
	if (settings->ca)
		target->ca = settings->ca[0] == '/' ? mem_strdup(settings->ca)
						    : mem_printf("%s/%s", endpoint->root, settings->ca);
	target->timeout_ms = settings->timeout_ms;
	target->connect_ms = settings->connect_ms;
	target->max = settings->max;
	target->parallel = (unsigned)settings->parallel;
	target->keyed = endpoint->effect.kind == EFFECT_KEY;
	return auth_open(target, endpoint, error);
}

void http_peer_free(struct http_peer *target)
{
	target_clear(target);
	free(target->name);
	free(target);
}

void http_peer_redact(const struct http_peer *target, struct buf *answer)
{
	struct span secret = target->auth ? secret_reveal(target->auth) : SPAN_NONE;
	const char *space = secret.len ? memchr(secret.data, ' ', secret.len) : NULL;
	char *at;

	if (space) /* "Bearer …", "Basic …" */
		secret = span_make(space + 1, secret.len - (size_t)(space + 1 - secret.data));
	if (secret.len < 4 || !answer->len)
		return;
	while ((at = memmem(answer->data, answer->len, secret.data, secret.len)))
		memset(at, '*', secret.len);
}

static const struct option basic_options[] = {
	{.name = "user",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct http_basic, user),
	 .help = "Name of the user",
	 .flags = OPTION_REQUIRED},
	{.name = "password",
	 .type = OPTION_SECRET,
	 .offset = offsetof(struct http_basic, password),
	 .help = "Secret that holds the password",
	 .flags = OPTION_REQUIRED},
	OPTION_END,
};

static const struct option key_options[] = {
	{.name = "header",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct http_key, header),
	 .fallback = "X-Api-Key",
	 .help = "Header that carries the key"},
	{.name = "value",
	 .type = OPTION_SECRET,
	 .offset = offsetof(struct http_key, value),
	 .help = "Secret that holds the key",
	 .flags = OPTION_REQUIRED},
	OPTION_END,
};

static const struct option auth_options[] = {
	{.name = "bearer",
	 .type = OPTION_SECRET,
	 .offset = offsetof(struct http_auth, bearer),
	 .help = "Secret sent as Authorization: Bearer"},
	{.name = "basic",
	 .type = OPTION_TABLE,
	 .offset = offsetof(struct http_auth, basic),
	 .help = "User and password",
	 .table = basic_options},
	{.name = "key",
	 .type = OPTION_TABLE,
	 .offset = offsetof(struct http_auth, key),
	 .help = "A header with a key",
	 .table = key_options},
	OPTION_END,
};

const struct option http_target_options[] = {
	{.name = "url",
	 .type = OPTION_TEMPLATE,
	 .offset = offsetof(struct http_target, url),
	 .help = "Where to; each $(…) is percent-encoded",
	 .flags = OPTION_REQUIRED | OPTION_MAIN},
	{.name = "path",
	 .type = OPTION_TEMPLATE,
	 .offset = offsetof(struct http_target, path),
	 .help = "Appended to url; for the operations of a system"},
	{.name = "method",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct http_target, method),
	 .fallback = "POST",
	 .range = "POST|PUT|PATCH|DELETE",
	 .help = "Method of the request"},
	{.name = "headers",
	 .type = OPTION_TEMPLATES,
	 .offset = offsetof(struct http_target, headers),
	 .help = "Further header fields"},
	{.name = "auth",
	 .type = OPTION_TABLE,
	 .offset = offsetof(struct http_target, auth),
	 .help = "How we prove who we are: one of bearer, basic, key",
	 .table = auth_options},
	{.name = "idempotency",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct http_target, idempotency),
	 .fallback = "Idempotency-Key",
	 .help = "Header that carries the effect's key"},
	{.name = "timeout",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct http_target, timeout_ms),
	 .fallback = "30s",
	 .help = "For a whole request and its answer"},
	{.name = "connect-timeout",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct http_target, connect_ms),
	 .fallback = "10s",
	 .help = "Until a connection stands"},
	{.name = "parallel",
	 .type = OPTION_INT,
	 .offset = offsetof(struct http_target, parallel),
	 .fallback = "4",
	 .range = "1..64",
	 .help = "Requests at once to this endpoint"},
	{.name = "ca",
	 .type = OPTION_TEXT,
	 .flags = OPTION_CERTIFICATE,
	 .offset = offsetof(struct http_target, ca),
	 .help = "PEM file of the authorities to trust; default is the system's"},
	{.name = "proxy",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct http_target, proxy),
	 .help = "Proxy to go through; the environment's is ignored"},
	{.name = "success",
	 .type = OPTION_TEXTS,
	 .offset = offsetof(struct http_target, success),
	 .help = "Statuses that mean it is done, such as 2xx or 204; default 2xx"},
	{.name = "max",
	 .type = OPTION_SIZE,
	 .offset = offsetof(struct http_target, max),
	 .fallback = "1MiB",
	 .help = "How much of an answer is read"},
	OPTION_END,
};
