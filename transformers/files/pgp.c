/* OpenPGP through GnuPG: the work itself, over documents of any size. See pgp.h. */
#include "config.h"
#include "transformers/files/pgp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/mem.h"
#include "transformers/files/document.h"
#include "transformers/files/pgp_private.h"

/* ---- bytes through gpgme's pipes ----------------------------------------------------------------------------------
 */
struct flow_of_bytes {
	struct pgp_work *work;
	uint64_t at;
	struct sha256 *digest; /* of what was read */
	struct error error;    /* ours, which gpgme knows only as a failure */
	bool failed;
};

static ssize_t fail(struct flow_of_bytes *flow)
{
	flow->failed = true;
	errno = EIO;
	return -1;
}

static ssize_t read_in(void *arg, void *into, size_t len)
{
	struct flow_of_bytes *flow = arg;
	struct pgp_work *work = flow->work;
	ssize_t n = reader_read(work->in, flow->at, into, len, &flow->error);

	if (n < 0 || (work->tick && work->tick(work->arg, &flow->error)))
		return fail(flow);
	sha256_add(flow->digest, into, (size_t)n);
	flow->at += (uint64_t)n;
	return n;
}

static ssize_t write_out(void *arg, const void *bytes, size_t len)
{
	struct flow_of_bytes *flow = arg;
	struct pgp_work *work = flow->work;
	uint64_t size = spill_size(work->out) + len;

	if (work->size && size > work->size) {
		error_set(&flow->error, ERROR_REJECT, "openpgp.too-large",
			  "more than %llu bytes come out, the limit that the step sets",
			  (unsigned long long)work->size);
		return fail(flow);
	}
	if (document_is_bomb(reader_size(work->in), size, work->ratio)) {
		error_set(&flow->error, ERROR_REJECT, "openpgp.bomb",
			  "it swells more than %lld times: raise `ratio` if that is right", (long long)work->ratio);
		return fail(flow);
	}
	if (spill_add(work->out, bytes, len, &flow->error) || (work->tick && work->tick(work->arg, &flow->error)))
		return fail(flow);
	return (ssize_t)len;
}

#define IO_BUFFER "65536" /* of gpgme, between ours and the pipes of GnuPG; its own is 512 bytes */

struct pipes {
	struct flow_of_bytes flow;
	struct gpgme_data_cbs in_calls, out_calls;
	gpgme_data_t in, out, detached;
};

static int pipes_begin(struct pipes *pipes, struct pgp_work *work, struct error *error)
{
	*pipes = (struct pipes){.flow = {.work = work, .digest = sha256_new()},
				.in_calls = {.read = read_in},
				.out_calls = {.write = write_out}};
	if (!gpgme_data_new_from_cbs(&pipes->in, &pipes->in_calls, &pipes->flow) &&
	    !gpgme_data_new_from_cbs(&pipes->out, &pipes->out_calls, &pipes->flow) &&
	    !gpgme_data_set_flag(pipes->in, "io-buffer-size", IO_BUFFER) &&
	    !gpgme_data_set_flag(pipes->out, "io-buffer-size", IO_BUFFER))
		return 0;
	return error_set(error, ERROR_RETRY, "openpgp.engine", "there is no memory for GnuPG's pipes");
}

static void pipes_end(struct pipes *pipes)
{
	gpgme_data_release(pipes->in);
	gpgme_data_release(pipes->out);
	gpgme_data_release(pipes->detached);
	sha256_end(pipes->flow.digest, pipes->flow.work->digest);
	sha256_free(pipes->flow.digest);
}

static int outcome(struct pgp *pgp, const struct pipes *pipes, gpgme_error_t failed, const char *what,
		   struct error *error)
{
	if (pipes->flow.failed) {
		*error = pipes->flow.error;
		return -1;
	}
	return failed ? pgp_fault(pgp, failed, what, error) : 0;
}

/* As outcome, where somebody signs whose key was good a moment ago. */
static int signed_outcome(struct pgp *pgp, const struct pipes *pipes, gpgme_error_t failed, const char *what,
			  const char *fingerprint, struct error *error)
{
	gpgme_err_code_t code = gpgme_err_code(failed);

	if (fingerprint && !pipes->flow.failed && (code == GPG_ERR_UNUSABLE_SECKEY || code == GPG_ERR_NO_SECKEY) &&
	    pgp_has_secret(pgp, fingerprint))
		return pgp_no_agent(fingerprint, error);
	return outcome(pgp, pipes, failed, what, error);
}

/* ---- encrypting and signing ---------------------------------------------------------------------------------------
 */
static int add_signer(struct pgp *pgp, const char *fingerprint, struct error *error)
{
	gpgme_key_t key;
	gpgme_error_t failed;

	gpgme_signers_clear(pgp->context);
	if (!fingerprint)
		return 0;
	key = pgp_key_for(pgp, fingerprint, PGP_CAN_SIGN, error);
	if (!key)
		return -1;
	failed = gpgme_signers_add(pgp->context, key);
	gpgme_key_unref(key);
	return failed ? pgp_fault(pgp, failed, "signing", error) : 0;
}

static int find_recipients(struct pgp *pgp, const struct pgp_how *how, gpgme_key_t *keys, struct error *error)
{
	for (size_t i = 0; i < how->to_count; i++) {
		keys[i] = pgp_key_for(pgp, how->to[i], PGP_CAN_ENCRYPT, error);
		if (!keys[i])
			return -1;
	}
	return 0;
}

static int encrypt(struct pgp *pgp, struct pgp_work *work, const struct pgp_how *how, gpgme_key_t *keys,
		   struct error *error)
{
	gpgme_encrypt_flags_t flags =
		GPGME_ENCRYPT_ALWAYS_TRUST | (how->compress ? 0 : (unsigned)GPGME_ENCRYPT_NO_COMPRESS);
	gpgme_error_t failed = 0;
	struct pipes pipes;
	int result = pipes_begin(&pipes, work, error);

	gpgme_set_armor(pgp->context, how->armor);
	if (!result) {
		failed = how->sign ? gpgme_op_encrypt_sign(pgp->context, keys, flags, pipes.in, pipes.out)
				   : gpgme_op_encrypt(pgp->context, keys, flags, pipes.in, pipes.out);
		result = signed_outcome(pgp, &pipes, failed, "encrypting", how->sign, error);
	}
	pipes_end(&pipes);
	return result;
}

int pgp_encrypt(struct pgp *pgp, struct pgp_work *work, const struct pgp_how *how, struct error *error)
{
	gpgme_key_t *keys = mem_alloc((how->to_count + 1) * sizeof *keys);
	int result = find_recipients(pgp, how, keys, error) || add_signer(pgp, how->sign, error) ||
				     encrypt(pgp, work, how, keys, error)
			     ? -1
			     : 0;

	for (size_t i = 0; i < how->to_count; i++)
		if (keys[i])
			gpgme_key_unref(keys[i]);
	free(keys);
	return result;
}

int pgp_sign(struct pgp *pgp, struct pgp_work *work, const char *fingerprint, enum pgp_form form, bool armor,
	     struct error *error)
{
	static const gpgme_sig_mode_t modes[] = {GPGME_SIG_MODE_NORMAL, GPGME_SIG_MODE_DETACH, GPGME_SIG_MODE_CLEAR};
	struct pipes pipes;
	int result;

	if (add_signer(pgp, fingerprint, error))
		return -1;
	gpgme_set_armor(pgp->context, armor);
	result = pipes_begin(&pipes, work, error);
	if (!result)
		result = signed_outcome(pgp, &pipes, gpgme_op_sign(pgp->context, pipes.in, pipes.out, modes[form]),
					"signing", fingerprint, error);
	pipes_end(&pipes);
	return result;
}

/* ---- decrypting and verifying -------------------------------------------------------------------------------------
 */
static enum pgp_verdict verdict_of(gpgme_signature_t signature)
{
	switch (gpgme_err_code(signature->status)) {
	case GPG_ERR_NO_ERROR:
		/* a signature may be right, and its key not to be used any more */
		return signature->summary & GPGME_SIGSUM_KEY_REVOKED   ? PGP_KEY_REVOKED
		       : signature->summary & GPGME_SIGSUM_KEY_EXPIRED ? PGP_KEY_EXPIRED
		       : signature->summary & GPGME_SIGSUM_SIG_EXPIRED ? PGP_EXPIRED
								       : PGP_GOOD;
	case GPG_ERR_BAD_SIGNATURE:
		return PGP_BAD;
	case GPG_ERR_NO_PUBKEY:
		return PGP_UNKNOWN;
	case GPG_ERR_KEY_EXPIRED:
		return PGP_KEY_EXPIRED;
	case GPG_ERR_CERT_REVOKED:
		return PGP_KEY_REVOKED;
	case GPG_ERR_SIG_EXPIRED:
		return PGP_EXPIRED;
	default:
		return PGP_UNCLEAR;
	}
}

/* A signature names the subkey that made it; the site names keys by their primary one. */
static void take_signatures(struct pgp *pgp, struct pgp_work *work)
{
	gpgme_verify_result_t result = gpgme_op_verify_result(pgp->context);
	struct pgp_signature *kept = work->signatures;
	struct pgp_key key;
	size_t n = 0;

	for (gpgme_signature_t s = result ? result->signatures : NULL; s && n < PGP_SIGNATURES_MAX; s = s->next) {
		kept[n].verdict = verdict_of(s);
		kept[n].made_ms = (int64_t)s->timestamp * 1000;
		snprintf(kept[n].fingerprint, sizeof kept[n].fingerprint, "%s", s->fpr ? s->fpr : "");
		n++;
	}
	work->signatures_count = n;
	for (size_t i = 0; i < n; i++)
		if (!pgp_find(pgp, kept[i].fingerprint, false, &key, NULL))
			memcpy(kept[i].fingerprint, key.fingerprint, sizeof kept[i].fingerprint);
}

/* What GnuPG says of a message without a proof that it is whole. */
static bool is_unprotected(struct pgp *pgp)
{
	gpgme_decrypt_result_t result = gpgme_op_decrypt_result(pgp->context);

	return result &&
	       (result->legacy_cipher_nomdc || (result->symkey_algo && strstr(result->symkey_algo, ".PGPCFB")));
}

static bool is_for_others(struct pgp *pgp)
{
	gpgme_decrypt_result_t result = gpgme_op_decrypt_result(pgp->context);
	bool others = result && result->recipients;

	for (gpgme_recipient_t r = result ? result->recipients : NULL; r; r = r->next)
		others &= gpgme_err_code(r->status) == GPG_ERR_NO_SECKEY;
	return others;
}

#define NAMED_MAX 16

/* … though one of these is ours. The answers to the first question go with the next, so they are copied. */
static bool has_ours(struct pgp *pgp, char name[40])
{
	gpgme_decrypt_result_t result = gpgme_op_decrypt_result(pgp->context);
	char names[NAMED_MAX][40];
	size_t n = 0;

	for (gpgme_recipient_t r = result ? result->recipients : NULL; r && n < NAMED_MAX; r = r->next)
		if (r->keyid)
			snprintf(names[n++], sizeof names[0], "%s", r->keyid);
	while (n--)
		if (pgp_has_secret(pgp, names[n])) {
			memcpy(name, names[n], sizeof names[n]);
			return true;
		}
	return false;
}

static int decrypted(struct pgp *pgp, const struct pipes *pipes, gpgme_error_t failed, struct error *error)
{
	gpgme_err_code_t code = gpgme_err_code(failed);
	char name[40];

	if (failed && !pipes->flow.failed && is_unprotected(pgp))
		return error_set(error, ERROR_REJECT, "openpgp.unprotected",
				 "it carries no proof that it was not changed (MDC); its sender's program is older "
				 "than 2003, or somebody took the proof away");
	if (code == GPG_ERR_DECRYPT_FAILED && is_for_others(pgp))
		failed = gpgme_error(GPG_ERR_NO_SECKEY);
	if (gpgme_err_code(failed) == GPG_ERR_NO_SECKEY && !pipes->flow.failed && has_ours(pgp, name))
		return pgp_no_agent(name, error);
	return outcome(pgp, pipes, failed, "decrypting", error);
}

int pgp_decrypt(struct pgp *pgp, struct pgp_work *work, struct error *error)
{
	struct pipes pipes;
	int result = pipes_begin(&pipes, work, error);
	gpgme_error_t failed;

	pgp->agent_used = true;
	if (!result) {
		failed = gpgme_op_decrypt_verify(pgp->context, pipes.in, pipes.out);
		result = decrypted(pgp, &pipes, failed, error);
	}
	pipes_end(&pipes);
	if (!result)
		take_signatures(pgp, work);
	return result;
}

int pgp_verify(struct pgp *pgp, struct pgp_work *work, struct span detached, struct error *error)
{
	struct pipes pipes;
	int result = pipes_begin(&pipes, work, error);
	gpgme_error_t failed = 0;

	if (!result && detached.len)
		failed = gpgme_data_new_from_mem(&pipes.detached, detached.data, detached.len, 0);
	if (!result) {
		if (!failed)
			failed = detached.len ? gpgme_op_verify(pgp->context, pipes.detached, pipes.in, NULL)
					      : gpgme_op_verify(pgp->context, pipes.in, NULL, pipes.out);
		result = outcome(pgp, &pipes, failed, "verifying", error);
	}
	pipes_end(&pipes);
	if (!result)
		take_signatures(pgp, work);
	return result;
}
