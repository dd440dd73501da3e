/* Logging in: a key of ours, those of an agent, a password. See sftp_link.h. */
#include "config.h"
#include "broker-adapters/sftp/sftp_link.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/secret.h"

/* libssh2 reads to the end of a line, and secrets lose theirs. Wiped by the caller. */
static char *with_newline(struct span bytes)
{
	char *text = mem_alloc(bytes.len + 2);

	memcpy(text, bytes.data, bytes.len);
	text[bytes.len] = '\n';
	return text;
}

/* The server refused it, or it never got that far: the key could not be read, or not be signed with. */
static bool is_refused(struct sftp_link *link)
{
	char *text = NULL;
	int number = libssh2_session_last_error(link->session, &text, NULL, 0);

	return (number == LIBSSH2_ERROR_AUTHENTICATION_FAILED || number == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED) &&
	       !(text && strstr(text, "Callback"));
}

static int auth_failed(struct sftp_link *link, const char *what, struct error *error)
{
	const char *user = link->server.user;

	if (!is_refused(link)) {
		error_set(error, ERROR_RETRY, "sftp.key",
			  "the private key for %s@%s cannot be used: it is no key of a known form, or the passphrase "
			  "does not open it",
			  user, link->server.host);
	} else {
		error_set(error, ERROR_RETRY, "sftp.auth",
			  "%s does not let %s in with this %s; ask the partner whether %s is set up for that account",
			  link->server.host, user, what, what);
	}
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return 1;
}

/* ---- RSA ------------------------------------------------------------------------------------------------------- */

static void put_field(struct buf *blob, struct span bytes, bool number)
{
	bool sign = number && bytes.len && (bytes.data[0] & 0x80);
	uint32_t len = (uint32_t)bytes.len + sign;
	const unsigned char head[5] = {len >> 24, len >> 16 & 255, len >> 8 & 255, len & 255, 0};

	buf_append(blob, head, 4 + (size_t)sign);
	buf_span(blob, bytes);
}

/* libssh2 frees it by free(3). */
static int sign_for(LIBSSH2_SESSION *session, unsigned char **signature, size_t *len, const unsigned char *data,
		    size_t data_len, void **abstract)
{
	struct buf made;
	int failed;

	buf_init(&made, 4096);
	failed = rsa_sign(*abstract, span_make(data, data_len), &made);
	*signature = failed ? NULL : malloc(made.len + 1);
	if (*signature)
		memcpy(*signature, made.data, made.len);
	*len = made.len;
	buf_free(&made);
	return *signature ? 0 : -1;
}

/* With SHA-256 (RFC 8332): libssh2 1.10 itself signs with SHA-1 alone, which servers do not take any more (OpenSSH
 * since 8.8). It takes the name of the algorithm from the public key, so the key is given to it under that name;
 * servers that do not understand that refuse it, and are asked as libssh2 would. As libssh2's functions. */
static int with_rsa(struct sftp_link *link, struct rsa *rsa, struct error *error)
{
	const char *user = link->server.user;
	struct buf blob, exponent, modulus;
	int64_t silent_since = 0;
	void *arg = rsa;
	int rc;

	buf_init(&blob, 16384);
	buf_init(&exponent, 4096);
	buf_init(&modulus, 4096);
	rsa_public(rsa, &exponent, &modulus);
	put_field(&blob, SPAN_LITERAL("rsa-sha2-256"), false);
	put_field(&blob, buf_view(&exponent), true);
	put_field(&blob, buf_view(&modulus), true);
	while ((rc = libssh2_userauth_publickey(link->session, user, (const unsigned char *)blob.data, blob.len,
						sign_for, &arg)) == LIBSSH2_ERROR_EAGAIN)
		if (sftp_link_wait(link, &silent_since, "logging in at", error))
			break;
	buf_free(&blob);
	buf_free(&exponent);
	buf_free(&modulus);
	return rc;
}

/* ---- keys ------------------------------------------------------------------------------------------------------ */

/* Each: 0 we are in, 1 refused (error says how), -1. */
static int with_key(struct sftp_link *link, struct error *error)
{
	const char *directory = link->endpoint->secrets, *user = link->server.user;
	struct secret *key = secret_new(directory, link->server.key, error), *passphrase = NULL;
	int64_t silent_since = 0;
	int result = -1, rc;
	size_t len = 0;
	char *text = NULL;
	struct rsa *rsa = NULL;
	bool is_rsa = false;

	if (!key)
		return -1;
	if (link->server.passphrase) {
		passphrase = secret_new(directory, link->server.passphrase, error);
		if (!passphrase)
			goto done;
	}
	text = with_newline(secret_reveal(key));
	len = secret_reveal(key).len + 1;
	rsa = rsa_new(span_make(text, len), passphrase ? secret_reveal(passphrase) : SPAN_NONE, &is_rsa);
	rc = rsa ? with_rsa(link, rsa, error) : 1;
	if (rc == 0 || rc == LIBSSH2_ERROR_EAGAIN) {
		result = rc == 0 ? 0 : -1;
		goto done;
	}
	while ((rc = libssh2_userauth_publickey_frommemory(link->session, user, strlen(user), NULL, 0, text, len,
							   passphrase ? secret_reveal(passphrase).data : NULL)) ==
	       LIBSSH2_ERROR_EAGAIN)
		if (sftp_link_wait(link, &silent_since, "logging in at", error))
			goto done;
	result = rc == 0 ? 0 : auth_failed(link, "key", error);
	if (result > 0 && is_rsa && !rsa)
		error_add(error,
			  "; an RSA key with a passphrase is used with SHA-1 only, which servers of today refuse, "
			  "unless it is in PEM form: `ssh-keygen -p -m PEM -f KEYFILE`, or take an ed25519 key");
done:
	rsa_free(rsa);
	if (text)
		explicit_bzero(text, len);
	free(text);
	secret_free(passphrase);
	secret_free(key);
	return result;
}

/* Servers that ask for a password in a dialogue of their own (keyboard-interactive, RFC 4256). */
static void answer_prompts(const char *name, int name_len, const char *instruction, int instruction_len, int prompts,
			   const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompt, LIBSSH2_USERAUTH_KBDINT_RESPONSE *response,
			   void **abstract)
{
	const struct sftp_link *link = *abstract;

	for (int i = 0; i < prompts; i++) {
		response[i].text = mem_span_dup(link->answer);
		response[i].length = (unsigned)link->answer.len;
	}
}

static int with_password(struct sftp_link *link, const char *methods, struct error *error)
{
	struct secret *password = secret_new(link->endpoint->secrets, link->server.password, error);
	const char *user = link->server.user;
	int64_t silent_since = 0;
	struct span value;
	int result = -1, rc;
	bool plain = !methods || strstr(methods, "password");

	if (!password)
		return -1;
	value = secret_reveal(password);
	link->answer = value;
	while ((rc = plain ? libssh2_userauth_password_ex(link->session, user, (unsigned)strlen(user), value.data,
							  (unsigned)value.len, NULL)
			   : libssh2_userauth_keyboard_interactive_ex(link->session, user, (unsigned)strlen(user),
								      answer_prompts)) == LIBSSH2_ERROR_EAGAIN)
		if (sftp_link_wait(link, &silent_since, "logging in at", error))
			goto done;
	result = rc == 0 ? 0 : auth_failed(link, "password", error);
done:
	link->answer = SPAN_NONE;
	secret_free(password);
	return result;
}

static bool is_rsa_blob(const struct libssh2_agent_publickey *key)
{
	return key->blob_len > 11 && !memcmp(key->blob + 4, "ssh-rsa", 7);
}

static int with_agent(struct sftp_link *link, struct error *error)
{
	struct libssh2_agent_publickey *key = NULL, *before = NULL;
	LIBSSH2_AGENT *agent = libssh2_agent_init(link->session);
	int result = 1, rc;

	if (!agent || libssh2_agent_connect(agent) || libssh2_agent_list_identities(agent)) {
		error_set(error, ERROR_RETRY, "sftp.agent",
			  "there is no ssh-agent to ask (SSH_AUTH_SOCK), or it has no keys; start one with the site");
		error->scope = SCOPE_ENDPOINT;
		goto done;
	}
	while (result == 1 && libssh2_agent_get_identity(agent, &key, before) == 0) {
		int64_t silent_since = 0;

		while ((rc = libssh2_agent_userauth(agent, link->server.user, key)) == LIBSSH2_ERROR_EAGAIN)
			if (sftp_link_wait(link, &silent_since, "logging in at", error)) {
				result = -1;
				goto done;
			}
		result = rc == 0 ? 0 : auth_failed(link, "key of the agent", error);
		if (result && is_rsa_blob(key))
			error_add(error, "; for an RSA key of an agent it is asked with SHA-1 only, which servers of "
					 "today refuse: take an ed25519 key, or name the key's file (`key`)");
		before = key;
	}
	if (result == 1 && !before) {
		error_set(error, ERROR_RETRY, "sftp.agent", "the ssh-agent has no keys; ssh-add one");
		error->scope = SCOPE_ENDPOINT;
	}
done:
	if (agent) {
		libssh2_agent_disconnect(agent);
		libssh2_agent_free(agent);
	}
	return result;
}

/* What the server would take; "" when it does not say. */
static int ask_methods(struct sftp_link *link, char methods[200], struct error *error)
{
	const char *user = link->server.user;
	int64_t silent_since = 0;
	char *list;

	while (!(list = libssh2_userauth_list(link->session, user, (unsigned)strlen(user)))) {
		if (libssh2_userauth_authenticated(link->session))
			return 0;
		if (libssh2_session_last_errno(link->session) != LIBSSH2_ERROR_EAGAIN)
			return sftp_link_fail(link, "sftp.auth", "no login at", error);
		if (sftp_link_wait(link, &silent_since, "logging in at", error))
			return -1;
	}
	snprintf(methods, 200, "%s", list);
	return 0;
}

int sftp_login(struct sftp_link *link, struct error *error)
{
	char methods[200] = "";
	int state = 1;

	if (ask_methods(link, methods, error))
		return -1;
	if (libssh2_userauth_authenticated(link->session))
		return 0;
	if (state == 1 && link->server.key)
		state = with_key(link, error);
	if (state == 1 && link->server.agent)
		state = with_agent(link, error);
	if (state == 1 && link->server.password)
		state = with_password(link, methods, error);
	return state ? -1 : 0;
}
