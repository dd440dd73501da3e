/* Whose key is it? Pinned by fingerprint, or in a file of known hosts as OpenSSH keeps it. See sftp_link.h. */
#include "config.h"
#include "broker-adapters/sftp/sftp_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/known_hosts.h"

#define KNOWN_HOSTS_MAX (4u << 20)

/* SHA256:… as ssh-keygen -l shows it: base64 without its padding. */
static void fingerprint_of(struct span key, char out[64])
{
	uint8_t digest[SHA256_SIZE];
	struct buf text;

	buf_init(&text, 64);
	sha256(key, digest);
	base64_encode(&text, span_make(digest, sizeof digest));
	while (text.len && text.data[text.len - 1] == '=')
		text.len--;
	snprintf(out, 64, "SHA256:%.*s", (int)text.len, text.data);
	buf_free(&text);
}

static void add_known(struct peer_key *key, const char *fingerprint)
{
	size_t used = strlen(key->known);

	if (!strstr(key->known, fingerprint) && used + 2 + strlen(fingerprint) < sizeof key->known)
		snprintf(key->known + used, sizeof key->known - used, "%s%s", used ? ", " : "", fingerprint);
}

static void read_shown(struct sftp_link *link, struct peer_key *key, struct span *bytes)
{
	size_t len = 0;
	int type = 0;
	const char *data = libssh2_session_hostkey(link->session, &len, &type);
	const char *name = libssh2_session_methods(link->session, LIBSSH2_METHOD_HOSTKEY);
	struct buf text;

	*key = (struct peer_key){.known = ""};
	*bytes = span_make(data, data ? len : 0);
	snprintf(key->type, sizeof key->type, "%s", name ? name : "unknown");
	fingerprint_of(*bytes, key->fingerprint);
	if (link->server.port == 22)
		snprintf(key->host, sizeof key->host, "%s", link->server.host);
	else
		snprintf(key->host, sizeof key->host, "[%s]:%d", link->server.host, (int)link->server.port);
	buf_init(&text, sizeof key->line);
	base64_encode(&text, *bytes);
	snprintf(key->line, sizeof key->line, "%s %s %s", key->host, key->type, text.data ? text.data : "");
	buf_free(&text);
}

static bool is_pinned(const struct text_list *pinned, struct peer_key *key)
{
	bool found = false;

	for (size_t i = 0; i < pinned->count; i++) {
		const char *text = strstr(pinned->items[i], "SHA256:");
		char one[64];
		size_t len;

		snprintf(one, sizeof one, "%s", text ? text : pinned->items[i]);
		len = strlen(one);
		while (len && (one[len - 1] == '=' || one[len - 1] == ' '))
			one[--len] = '\0';
		add_known(key, one);
		found |= !strcmp(one, key->fingerprint);
	}
	return found;
}

static void add_known_key(void *arg, struct span bytes)
{
	char fingerprint[64];

	fingerprint_of(bytes, fingerprint);
	add_known(arg, fingerprint);
}

/* A file that is not there knows nobody. */
static int read_file(const char *path, struct buf *text, struct error *error)
{
	FILE *file = fopen(path, "re");
	size_t n = 1;
	char *room;
	int result = 0;

	if (!file && errno == ENOENT)
		return 0;
	errno = file ? 0 : errno;
	while (file && n && (room = buf_room(text, 65536))) {
		n = fread(room, 1, 65536, file);
		buf_added(text, n);
	}
	if (!file || ferror(file) || n) {
		error_set(error, ERROR_RETRY, "sftp.known-hosts", "cannot read the file of known hosts %s: %s", path,
			  errno ? strerror(errno) : "it has more than 4 MiB");
		error->scope = SCOPE_ENDPOINT;
		result = -1;
	}
	if (file)
		fclose(file);
	return result;
}

static int refuse(struct sftp_link *link, const struct peer_key *key, struct error *error);

static int refuse_revoked(const struct peer_key *key, const char *path, struct error *error)
{
	error_set(
		error, ERROR_RETRY, "sftp.host-key",
		"%s shows a key that is revoked (@revoked in %s): %s %s. Nothing was sent to it. Ask the partner for "
		"the key that is right",
		key->host, path, key->type, key->fingerprint);
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return 1;
}

/* 0 known, 1 not; what the file has for this host goes into key->known. */
static int look_into_file(struct sftp_link *link, const char *path, struct span bytes, struct peer_key *key,
			  struct error *error)
{
	bool authority = false;
	enum known_host found;
	struct buf text;

	buf_init(&text, KNOWN_HOSTS_MAX + 65536);
	if (read_file(path, &text, error)) {
		buf_free(&text);
		return -1;
	}
	found = known_hosts_find(buf_view(&text), link->server.host, (int)link->server.port, bytes, add_known_key, key,
				 &authority);
	buf_free(&text);
	if (found == KNOWN_HOST_SAME)
		return 0;
	if (found == KNOWN_HOST_REVOKED)
		return refuse_revoked(key, path, error);
	refuse(link, key, error);
	if (authority)
		error_add(error,
			  "; certificates of hosts are not looked at, so its line @cert-authority there says nothing");
	return 1;
}

static int refuse(struct sftp_link *link, const struct peer_key *key, struct error *error)
{
	const char *system =
		link->settings->system && link->settings->system[0] ? link->settings->system : link->endpoint->name;

	if (key->known[0])
		error_set(error, ERROR_RETRY, "sftp.host-key",
			  "%s shows another key than the one that is pinned: it shows %s %s, pinned is %s. Nothing was "
			  "sent "
			  "to it. Ask the partner; if the key was changed there: ferrule transfer trust %s",
			  key->host, key->type, key->fingerprint, key->known, system);
	else
		error_set(
			error, ERROR_RETRY, "sftp.host-key",
			"%s is not known: it shows %s %s, and no key is pinned for it. Nothing was sent to it. Compare "
			"with what the partner says, then: ferrule transfer trust %s",
			key->host, key->type, key->fingerprint, system);
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return 1;
}

int sftp_key_check(struct sftp_link *link, struct peer_key *key, struct error *error)
{
	const char *file = link->settings->known_hosts;
	struct span bytes;
	char *path;
	int state;

	read_shown(link, key, &bytes);
	if (!bytes.len)
		return sftp_link_fail(link, "sftp.connect", "no key from", error);
	key->configured = link->server.host_keys->count > 0;
	if (key->configured) {
		key->trusted = is_pinned(link->server.host_keys, key);
		return key->trusted ? 0 : refuse(link, key, error);
	}
	path = file[0] == '/' ? mem_strdup(file) : mem_printf("%s/%s", link->endpoint->root, file);
	snprintf(key->file, sizeof key->file, "%s", path);
	state = look_into_file(link, path, bytes, key, error);
	free(path);
	key->trusted = state == 0;
	return state;
}
