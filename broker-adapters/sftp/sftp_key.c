/* Whose key is it? Pinned by fingerprint, or in a file of known hosts as OpenSSH keeps it. See sftp_link.h. */
#include "config.h"
#include "broker-adapters/sftp/sftp_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/crypto.h"

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

	if (!strstr(key->known, fingerprint))
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

/* Base64 of the key in the file → its fingerprint. */
static void add_known_entry(struct peer_key *key, const struct libssh2_knownhost *entry)
{
	char fingerprint[64];
	struct buf bytes;

	buf_init(&bytes, 16384);
	if (entry && entry->key && !base64_decode(&bytes, span_of(entry->key))) {
		fingerprint_of(buf_view(&bytes), fingerprint);
		add_known(key, fingerprint);
	}
	buf_free(&bytes);
}

/* 0 known, 1 not; what the file has for this host goes into key->known. */
static int look_into_file(struct sftp_link *link, const char *path, struct span bytes, struct peer_key *key,
			  struct error *error)
{
	LIBSSH2_KNOWNHOSTS *hosts;
	struct libssh2_knownhost *entry = NULL;
	int found = LIBSSH2_KNOWNHOST_CHECK_NOTFOUND;

	if (access(path, F_OK) && errno == ENOENT)
		return 1;
	hosts = libssh2_knownhost_init(link->session);
	if (!hosts || libssh2_knownhost_readfile(hosts, path, LIBSSH2_KNOWNHOST_FILE_OPENSSH) < 0) {
		if (hosts)
			libssh2_knownhost_free(hosts);
		error_set(error, ERROR_RETRY, "sftp.known-hosts", "cannot read the file of known hosts %s", path);
		error->scope = SCOPE_ENDPOINT;
		return -1;
	}
	found = libssh2_knownhost_checkp(hosts, link->server.host, (int)link->server.port, bytes.data, bytes.len,
					 LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW, &entry);
	if (found == LIBSSH2_KNOWNHOST_CHECK_MISMATCH)
		add_known_entry(key, entry);
	libssh2_knownhost_free(hosts);
	return found != LIBSSH2_KNOWNHOST_CHECK_MATCH;
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
	return state == 1 ? refuse(link, key, error) : state;
}
