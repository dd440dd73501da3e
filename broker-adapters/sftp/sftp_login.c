/* Logging in: a key of ours, those of an agent, a password. See sftp_link.h. */
#include "config.h"
#include "broker-adapters/sftp/sftp_link.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/secret.h"
#include "broker-adapters/sftp/sftp_agent.h"
#include "broker-adapters/sftp/sftp_wire.h"

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

/* It calls that a refusal as well. */
static bool has_ended(struct sftp_link *link)
{
	char *text = NULL;

	libssh2_session_last_error(link->session, &text, NULL, 0);
	return text && strstr(text, "Waiting for");
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

/* ---- signatures of our own --------------------------------------------------------------------------------------- */

/* What signs for libssh2: an RSA key of ours, or an agent. */
struct signer {
	const struct rsa *rsa;
	struct sftp_agent *agent;
	size_t key; /* of the agent's */
	const char *algorithm;
	bool failed; /* the agent did: */
	struct error *error;
};

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
	struct signer *signer = *abstract;
	struct span bytes = span_make(data, data_len);
	struct buf made;
	int failed;

	buf_init(&made, 4096);
	if (signer->rsa)
		failed = rsa_sign(signer->rsa, bytes, &made);
	else
		failed = sftp_agent_sign(signer->agent, signer->key, bytes, signer->algorithm, &made, signer->error);
	signer->failed = failed;
	*signature = failed ? NULL : malloc(made.len + 1);
	if (*signature)
		memcpy(*signature, made.data, made.len);
	*len = made.len;
	buf_free(&made);
	return *signature ? 0 : -1;
}

/* As libssh2's functions; LIBSSH2_ERROR_EAGAIN: it took too long, see the error. */
static int with_signer(struct sftp_link *link, struct span blob, struct signer *signer)
{
	int64_t silent_since = 0;
	void *arg = signer;
	int rc;

	while ((rc = libssh2_userauth_publickey(link->session, link->server.user, (const unsigned char *)blob.data,
						blob.len, sign_for, &arg)) == LIBSSH2_ERROR_EAGAIN)
		if (sftp_link_wait(link, &silent_since, "logging in at", signer->error))
			break;
	return rc;
}

/* With SHA-256 (RFC 8332): libssh2 1.10 itself signs with SHA-1 alone, which servers do not take any more (OpenSSH
 * since 8.8). It takes the name of the algorithm from the public key, so the key is given to it under that name;
 * servers that do not understand that refuse it, and are asked as libssh2 would. */
static int with_rsa(struct sftp_link *link, const struct rsa *rsa, struct error *error)
{
	struct signer signer = {.rsa = rsa, .error = error};
	struct buf blob, exponent, modulus;
	int rc;

	buf_init(&blob, 16384);
	buf_init(&exponent, 4096);
	buf_init(&modulus, 4096);
	rsa_public(rsa, &exponent, &modulus);
	put_field(&blob, SPAN_LITERAL("rsa-sha2-256"), false);
	put_field(&blob, buf_view(&exponent), true);
	put_field(&blob, buf_view(&modulus), true);
	rc = with_signer(link, buf_view(&blob), &signer);
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

/* ---- an agent ---------------------------------------------------------------------------------------------------- */

/* One of its keys; an RSA key with SHA-256, or as the servers of before ask for it. 0 we are in, 1 the server refuses
 * it, 2 the agent fails (error says how), -1 it takes too long (likewise), -2 the line breaks. */
static int with_agent_key(struct sftp_link *link, struct sftp_agent *agent, size_t i, bool sha1, struct error *error)
{
	struct span key = sftp_agent_key(agent, i), rest = key, kind = SPAN_NONE;
	struct signer signer = {.agent = agent, .key = i, .error = error};
	char algorithm[40];
	struct buf blob;
	int rc;

	sftp_take_text(&rest, &kind);
	if (sftp_agent_is_rsa(agent, i) && !sha1)
		kind = SPAN_LITERAL("rsa-sha2-256");
	snprintf(algorithm, sizeof algorithm, "%.*s", SPAN_ARGS(kind));
	signer.algorithm = algorithm;
	buf_init(&blob, 20000);
	put_field(&blob, kind, false);
	buf_span(&blob, rest);
	rc = with_signer(link, buf_view(&blob), &signer);
	buf_free(&blob);
	if (rc == 0 || rc == LIBSSH2_ERROR_EAGAIN)
		return rc == 0 ? 0 : -1;
	if (signer.failed)
		return 2;
	return is_refused(link) && !has_ended(link) ? 1 : -2;
}

static int none_fits(struct sftp_link *link, size_t keys, struct error *error)
{
	error_set(error, ERROR_RETRY, "sftp.auth",
		  "%s lets %s in with none of the %zu keys of the ssh-agent (`ssh-add -l` shows them); ask the partner "
		  "whether one of them is set up for that account",
		  link->server.host, link->server.user, keys);
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return 1;
}

static int cut_off(struct sftp_link *link, size_t tried, struct error *error)
{
	error_set(
		error, ERROR_RETRY, "sftp.auth",
		"%s ended the connection after %zu keys of the ssh-agent had been shown to it; servers let only a few "
		"be tried: take those of others out (ssh-add -d), or name the key's file (`key`)",
		link->server.host, tried);
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return -1;
}

/* Each key once; then the RSA keys as servers want them that know of SHA-1 only. */
static int with_agent(struct sftp_link *link, struct error *error)
{
	struct sftp_agent *agent = sftp_agent_open(getenv("SSH_AUTH_SOCK"), link->settings->timeout_ms / 2, error);
	size_t keys = agent ? sftp_agent_count(agent) : 0, tried = 0;
	bool agent_failed = false;
	int state = 1;

	for (size_t i = 0; i < 2 * keys && state > 0 && !sftp_agent_is_lost(agent); i++) {
		if (i >= keys && !sftp_agent_is_rsa(agent, i % keys))
			continue;
		state = with_agent_key(link, agent, i % keys, i >= keys, agent_failed ? NULL : error);
		agent_failed |= state == 2;
		tried++;
	}
	if (state == -2 && !agent_failed)
		cut_off(link, tried, error);
	else if (agent && state > 0 && !agent_failed)
		none_fits(link, keys, error);
	sftp_agent_close(agent);
	return state > 0 ? 1 : state ? -1 : 0;
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
