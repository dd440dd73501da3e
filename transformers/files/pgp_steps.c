/* encrypt, decrypt, sign and verify: OpenPGP in flows. Nothing goes on before GnuPG has judged all of the document.
 * Keys are pinned by fingerprint in the step. See pgp.h. */
#include "config.h"
#include "transformers/transformers.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "transformers/files/document.h"
#include "transformers/files/pgp.h"

#define SOON_MS (INT64_C(30) * 86400000)
#define SIGNATURE_MAX (64u * 1024)

struct pgp_settings {
	struct text_list to, signed_by;
	const char *sign, *by, *passphrase;
	struct expression *signature;
	bool armor, compress;
	int form;
	uint64_t size;
	int64_t ratio;
};

/* ---- a step, ready ------------------------------------------------------------------------------------------------
 */
struct pgp_step {
	const struct pgp_settings *settings;
	const char *keys, *secrets; /* borrowed */
	const char **to, **signed_by;
	char sign[PGP_FINGERPRINT];
	struct pgp *pgp; /* opened with the first document */
};

static const char **fingerprints(const struct text_list *list, struct error *error)
{
	const char **all = mem_alloc((list->count + 1) * sizeof *all);
	char digits[PGP_FINGERPRINT];

	for (size_t i = 0; i < list->count; i++) {
		if (pgp_fingerprint(list->items[i], digits))
			all[i] = mem_strdup(digits);
		else
			error_set(error, ERROR_REJECT, "openpgp.fingerprint", "`%.80s` is no fingerprint",
				  list->items[i]);
	}
	return all;
}

static void close_step(void *self)
{
	struct pgp_step *step = self;

	for (size_t i = 0; i < step->settings->to.count; i++)
		free((void *)(uintptr_t)step->to[i]);
	for (size_t i = 0; i < step->settings->signed_by.count; i++)
		free((void *)(uintptr_t)step->signed_by[i]);
	free(step->to);
	free(step->signed_by);
	if (step->settings->signature)
		expression_drop(step->settings->signature);
	pgp_free(step->pgp);
	free(step);
}

static void *open_step(const void *settings, const struct transformer_context *context, struct error *error)
{
	const struct pgp_settings *s = settings;
	const char *sign = s->sign ? s->sign : s->by;
	struct pgp_step *step = mem_alloc(sizeof *step);
	struct error fault = {0};

	*step = (struct pgp_step){.settings = s, .to = fingerprints(&s->to, &fault)};
	step->signed_by = fingerprints(&s->signed_by, &fault);
	if (context) {
		step->keys = context->keys;
		step->secrets = context->secrets;
	}
	if (sign && !pgp_fingerprint(sign, step->sign))
		error_set(&fault, ERROR_REJECT, "openpgp.fingerprint", "`%.80s` is no fingerprint", sign);
	if (fault.class == ERROR_NONE)
		return step;
	*error = fault;
	close_step(step);
	return NULL;
}

/* A keyring or a secret that is not there now may be there later: the document waits. */
static int ready(struct pgp_step *step, struct error *error)
{
	struct secret *passphrase = NULL;

	if (step->pgp)
		return 0;
	if (!step->keys)
		return error_set(error, ERROR_REJECT, "openpgp.keyring", "there is no keyring where there is no site");
	if (step->settings->passphrase) {
		passphrase = secret_new(step->secrets, step->settings->passphrase, error);
		if (!passphrase) {
			error->class = ERROR_RETRY;
			return -1;
		}
	}
	step->pgp = pgp_new(step->keys, error);
	if (!step->pgp) {
		secret_free(passphrase);
		return -1;
	}
	pgp_passphrase(step->pgp, passphrase);
	return 0;
}

static int tick(void *out, struct error *error)
{
	return out_tick(out, error);
}

static struct pgp_work work_of(const struct pgp_step *step, struct item *item, struct out *out)
{
	return (struct pgp_work){.in = item->bytes,
				 .out = out_spill(out),
				 .tick = tick,
				 .arg = out,
				 .size = step->settings->size,
				 .ratio = step->settings->ratio};
}

/* What a redone encryption has in common with the first: what it was made from, and for whom. */
static void stand_for(struct item *made, const struct item *from, const struct pgp_step *step,
		      const struct pgp_work *work, const char *what)
{
	size_t n = 0, most = 4 + step->settings->to.count;
	struct span *parts = mem_alloc(most * sizeof *parts);

	parts[n++] = span_of(what);
	parts[n++] = id_is_none(&from->stands) ? span_make(work->digest, sizeof work->digest) : id_span(&from->stands);
	parts[n++] = span_of(step->sign);
	for (size_t i = 0; i < step->settings->to.count; i++)
		parts[n++] = span_of(step->to[i]);
	made->stands = id_of(parts, n);
	free(parts);
}

/* NAME.ending, or NAME without one of those endings. */
static void name_with(struct out *out, struct item *made, struct span name, const char *ending)
{
	if (name.len)
		out_name(out, made, span_of(arena_printf(out_arena(out), "%.*s%s", SPAN_ARGS(name), ending)));
}

static struct span name_without(struct span name)
{
	static const char *const endings[] = {".pgp", ".gpg", ".asc", ".sig", ".PGP", ".GPG", ".ASC"};

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (span_ends(name, endings[i]))
			return span_make(name.data, name.len - 4);
	return name;
}

/* ---- encrypt ------------------------------------------------------------------------------------------------------
 */
static int run_encrypt(void *self, struct item *item, struct out *out, struct error *error)
{
	struct pgp_step *step = self;
	const struct pgp_settings *s = step->settings;
	struct pgp_how how = {step->to, s->to.count, *step->sign ? step->sign : NULL, s->armor, s->compress};
	struct span name = arena_span(out_arena(out), document_name(out, item));
	struct pgp_work work = work_of(step, item, out);
	struct item *made;

	work.ratio = 0;
	if (ready(step, error) || pgp_encrypt(step->pgp, &work, &how, error)) {
		spill_free(work.out);
		return -1;
	}
	made = document_made(out, item, work.out, SPAN_LITERAL("application/pgp-encrypted"), error);
	if (!made)
		return -1;
	FAULT("openpgp.encrypted");
	stand_for(made, item, step, &work, "encrypt");
	name_with(out, made, name, s->armor ? ".asc" : ".pgp");
	return out_emit(out, made, error);
}

/* ---- who signed ---------------------------------------------------------------------------------------------------
 */
static bool is_pinned(const struct pgp_step *step, const char *fingerprint)
{
	for (size_t i = 0; i < step->settings->signed_by.count; i++)
		if (!strcmp(step->signed_by[i], fingerprint))
			return true;
	return false;
}

static const struct {
	const char *code, *text;
} verdicts[] = {
	[PGP_BAD] = {"openpgp.signature-bad", "the signature is not of this document: it was changed on its way"},
	[PGP_UNKNOWN] = {"openpgp.signer-unknown", "the key that signed it is not in the keyring"},
	[PGP_KEY_EXPIRED] = {"openpgp.signer-expired", "the key that signed it has expired"},
	[PGP_KEY_REVOKED] = {"openpgp.signer-revoked", "the key that signed it was revoked"},
	[PGP_EXPIRED] = {"openpgp.signature-expired", "the signature has expired"},
	[PGP_UNCLEAR] = {"openpgp.signature-unclear", "the signature could not be judged"},
};

static int refuse(const struct pgp_signature *signature, struct error *error)
{
	return error_set(error, ERROR_REJECT, verdicts[signature->verdict].code, "%s (%s)",
			 verdicts[signature->verdict].text, signature->fingerprint);
}

/* One good signature of somebody who is named is enough, but a bad one never passes. */
static int judge(const struct pgp_step *step, const struct pgp_work *work, bool must, struct error *error)
{
	const struct pgp_signature *last = NULL;

	for (size_t i = 0; i < work->signatures_count; i++)
		if (work->signatures[i].verdict == PGP_BAD)
			return refuse(&work->signatures[i], error);
	if (!must)
		return 0;
	for (size_t i = 0; i < work->signatures_count; i++) {
		last = &work->signatures[i];
		if (last->verdict == PGP_GOOD && is_pinned(step, last->fingerprint))
			return 0;
	}
	if (!last)
		return error_set(error, ERROR_REJECT, "openpgp.unsigned", "it is not signed, and the step demands it");
	if (last->verdict != PGP_GOOD)
		return refuse(last, error);
	return error_set(error, ERROR_REJECT, "openpgp.signer-other",
			 "it is signed by %s, who is not among those that the step names", last->fingerprint);
}

/* $envelope.openpgp: {signers: [FINGERPRINT]}, those whose signatures are good. */
static void tell_signers(struct item *made, const struct pgp_work *work)
{
	json_t *facts = made->facts ? json_copy(made->facts) : json_object(), *signers = json_array();

	for (size_t i = 0; i < work->signatures_count; i++)
		if (work->signatures[i].verdict == PGP_GOOD)
			json_array_append_new(signers, json_string(work->signatures[i].fingerprint));
	json_object_set_new(facts, "openpgp", json_pack("{s:o}", "signers", signers));
	json_decref(made->facts);
	made->facts = facts;
}

/* ---- decrypt ------------------------------------------------------------------------------------------------------
 */
/* What came out is again itself: the same each time. */
static int emit_plain(struct item *item, struct out *out, struct pgp_work *work, struct span name, struct error *error)
{
	struct item *made = document_made(out, item, work->out, document_media_type(name_without(name)), error);

	if (!made)
		return -1;
	json_decref(made->tree);
	made->tree = NULL;
	made->stands = (struct id){{0}};
	tell_signers(made, work);
	if (name.len)
		out_name(out, made, name_without(name));
	return out_emit(out, made, error);
}

static int run_decrypt(void *self, struct item *item, struct out *out, struct error *error)
{
	struct pgp_step *step = self;
	struct span name = arena_span(out_arena(out), document_name(out, item));
	struct pgp_work work = work_of(step, item, out);

	if (ready(step, error) || pgp_decrypt(step->pgp, &work, error) ||
	    judge(step, &work, step->settings->signed_by.count > 0, error)) {
		spill_free(work.out);
		return -1;
	}
	return emit_plain(item, out, &work, name, error);
}

/* ---- sign ---------------------------------------------------------------------------------------------------------
 */
/* The document as it is, then its signature as a document of its own. */
static int emit_both(struct pgp_step *step, struct item *item, struct out *out, struct item *signature,
		     struct error *error)
{
	struct item *document = out_twin(out, item);

	document->form = FORM_BYTES;
	out_level(out, document, "1");
	out_level(out, signature, "2");
	if (out_emit(out, document, error)) {
		out_drop(out, signature, "stopped", NULL);
		return -1;
	}
	return out_emit(out, signature, error);
}

static int run_sign(void *self, struct item *item, struct out *out, struct error *error)
{
	struct pgp_step *step = self;
	bool clear = step->settings->form == PGP_CLEAR, detached = step->settings->form == PGP_DETACHED;
	bool armor = step->settings->armor || clear;
	struct span name = arena_span(out_arena(out), document_name(out, item));
	struct pgp_work work = work_of(step, item, out);
	struct item *made;

	work.ratio = 0;
	if (ready(step, error) ||
	    pgp_sign(step->pgp, &work, step->sign, (enum pgp_form)step->settings->form, armor, error)) {
		spill_free(work.out);
		return -1;
	}
	made = document_made(out, item, work.out,
			     detached ? SPAN_LITERAL("application/pgp-signature")
				      : SPAN_LITERAL("application/pgp-encrypted"),
			     error);
	if (!made)
		return -1;
	stand_for(made, item, step, &work, "sign");
	name_with(out, made, name, armor ? ".asc" : detached ? ".sig" : ".pgp");
	return detached ? emit_both(step, item, out, made, error) : out_emit(out, made, error);
}

/* ---- verify -------------------------------------------------------------------------------------------------------
 */
static int detached_signature(struct pgp_step *step, struct item *item, struct out *out, struct buf *into,
			      struct error *error)
{
	struct expression_input input = out_input(out, item);

	if (!step->settings->signature)
		return 0;
	if (!input.body)
		input.body = json_null();
	if (expression_text(step->settings->signature, &input, into, error))
		return -1;
	return into->len ? 0
			 : error_set(error, ERROR_REJECT, "openpgp.unsigned", "`signature` gives none for "
									      "this document");
}

static int run_verify(void *self, struct item *item, struct out *out, struct error *error)
{
	struct pgp_step *step = self;
	struct span name = arena_span(out_arena(out), document_name(out, item));
	struct pgp_work work = work_of(step, item, out);
	struct buf signature;
	struct item *same;
	int failed;

	buf_init(&signature, SIGNATURE_MAX);
	failed = ready(step, error) || detached_signature(step, item, out, &signature, error) ||
		 pgp_verify(step->pgp, &work, buf_view(&signature), error) || judge(step, &work, true, error);
	buf_free(&signature);
	if (failed || step->settings->signature)
		spill_free(work.out);
	if (failed)
		return -1;
	if (!step->settings->signature)
		return emit_plain(item, out, &work, name, error);
	same = out_twin(out, item);
	same->stands = item->stands;
	tell_signers(same, &work);
	return out_emit(out, same, error);
}

/* ---- checking offline ---------------------------------------------------------------------------------------------
 */
enum need { NEED_NOTHING, NEED_ENCRYPT, NEED_SIGN };

struct checking {
	struct pgp *pgp;
	struct place place;
	struct findings *findings;
};

static void warn(struct checking *c, const char *text, const char *which, const char *more)
{
	finding_add(c->findings, c->place, SEVERITY_WARNING, "openpgp.key", "the key %s %s%s", which, text, more);
}

/* Only public keys are looked for: for secret ones GnuPG would start an agent. Warnings, as of secrets: on the machine
 * that checks a change, the keys of production have no place. */
static void check_key(struct checking *c, const char *text, enum need need)
{
	char digits[PGP_FINGERPRINT], until[CLOCK_TEXT];
	struct pgp_key key;
	struct error error = {0};

	if (!pgp_fingerprint(text, digits)) {
		finding_add(c->findings, c->place, SEVERITY_ERROR, "openpgp.fingerprint",
			    "`%.80s` is no fingerprint: 40 hexadecimal digits, as `ferrule key list` shows them", text);
		return;
	}
	if (!c->pgp)
		return;
	if (pgp_find(c->pgp, digits, false, &key, &error))
		finding_add(c->findings, c->place, SEVERITY_WARNING, "openpgp.key", "%s", error.text);
	else if (key.revoked)
		warn(c, "was revoked", digits, "");
	else if (key.expired || key.disabled)
		warn(c, key.expired ? "has expired" : "is disabled", digits, "");
	else if ((need == NEED_ENCRYPT && !key.encrypts) || (need == NEED_SIGN && !key.signs))
		warn(c, need == NEED_ENCRYPT ? "cannot be encrypted to" : "cannot sign", digits, "");
	else if (key.expires_ms && key.expires_ms - clock_now_ms() < SOON_MS) {
		clock_format(key.expires_ms, until);
		warn(c, "expires ", digits, until);
	}
}

static int check(const void *settings, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct pgp_settings *s = settings;
	struct checking c = {NULL, place, findings};
	size_t errors = findings->errors;
	struct error error = {0};
	const char *fault;

	fault = context && context->keys ? pgp_keyring_fault(context->keys) : NULL;
	if (fault)
		finding_add(findings, place, SEVERITY_WARNING, "openpgp.keyring", "the site's OpenPGP keyring %s",
			    fault);
	else if (context && context->keys && !(c.pgp = pgp_new(context->keys, &error)))
		finding_add(findings, place, SEVERITY_WARNING, "openpgp.keyring", "%s", error.text);
	for (size_t i = 0; i < s->to.count; i++)
		check_key(&c, s->to.items[i], NEED_ENCRYPT);
	for (size_t i = 0; i < s->signed_by.count; i++)
		check_key(&c, s->signed_by.items[i], NEED_NOTHING);
	if (s->sign)
		check_key(&c, s->sign, NEED_SIGN);
	if (s->by)
		check_key(&c, s->by, NEED_SIGN);
	if (s->signature)
		expression_check(s->signature, findings);
	pgp_free(c.pgp);
	return findings->errors == errors ? 0 : -1;
}

/* ---- tables -------------------------------------------------------------------------------------------------------
 */
#define AT(member) .offset = offsetof(struct pgp_settings, member)
#define PASSPHRASE                                                                                                     \
	{.name = "passphrase", .type = OPTION_SECRET, AT(passphrase), .help = "of our secret key, where it has one"}
#define SIZES                                                                                                          \
	{.name = "size",                                                                                               \
	 .type = OPTION_SIZE,                                                                                          \
	 AT(size),                                                                                                     \
	 .help = "what comes out has at most so many bytes; without it the site's `limits: {document}`"},              \
	{                                                                                                              \
		.name = "ratio", .type = OPTION_INT, AT(ratio), .fallback = "200", .range = "0..1000000",              \
		.help = "past 16 MiB, what comes out is at most so many times as large as what went in; 0: however "   \
			"large"                                                                                        \
	}

static const struct option encrypt_options[] = {
	{.name = "to",
	 .type = OPTION_TEXTS,
	 AT(to),
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "fingerprints of those who shall be able to read it"},
	{.name = "sign", .type = OPTION_TEXT, AT(sign), .help = "fingerprint of the key of ours that signs it, too"},
	PASSPHRASE,
	{.name = "armor",
	 .type = OPTION_BOOL,
	 AT(armor),
	 .fallback = "false",
	 .help = "as text (.asc) in place of bytes (.pgp)"},
	{.name = "compress",
	 .type = OPTION_BOOL,
	 AT(compress),
	 .fallback = "true",
	 .help = "pack it before it is encrypted"},
	OPTION_END,
};
static const struct option decrypt_options[] = {
	{.name = "signed-by",
	 .type = OPTION_TEXTS,
	 AT(signed_by),
	 .help = "fingerprints: it must be signed by one of them; without it a signature is only refused when it is "
		 "bad"},
	PASSPHRASE,
	SIZES,
	OPTION_END,
};
static const struct option sign_options[] = {
	{.name = "by",
	 .type = OPTION_TEXT,
	 AT(by),
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "fingerprint of the key of ours that signs"},
	{.name = "form",
	 .type = OPTION_ENUM,
	 AT(form),
	 .range = "inline|detached|clear",
	 .fallback = "inline",
	 .help = "document and signature in one; the signature as a second document (.sig); or as text around text"},
	{.name = "armor",
	 .type = OPTION_BOOL,
	 AT(armor),
	 .fallback = "false",
	 .help = "as text (.asc) in place of bytes"},
	PASSPHRASE,
	OPTION_END,
};
static const struct option verify_options[] = {
	{.name = "signed-by",
	 .type = OPTION_TEXTS,
	 AT(signed_by),
	 .flags = OPTION_REQUIRED | OPTION_MAIN,
	 .help = "fingerprints: it must be signed by one of them"},
	{.name = "signature",
	 .type = OPTION_EXPRESSION,
	 AT(signature),
	 .help = "jq that gives the armored signature where it is not in the document"},
	SIZES,
	OPTION_END,
};

const struct transformer_ops encrypt_transformer = {
	.name = "encrypt",
	.help = "Encrypts the document with OpenPGP",
	.options = encrypt_options,
	.settings_size = sizeof(struct pgp_settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.check = check,
	.open = open_step,
	.close = close_step,
	.run = run_encrypt,
};
const struct transformer_ops decrypt_transformer = {
	.name = "decrypt",
	.help = "Decrypts an OpenPGP message, and may demand who signed it",
	.options = decrypt_options,
	.settings_size = sizeof(struct pgp_settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.check = check,
	.open = open_step,
	.close = close_step,
	.run = run_decrypt,
};
const struct transformer_ops sign_transformer = {
	.name = "sign",
	.help = "Signs the document with OpenPGP",
	.options = sign_options,
	.settings_size = sizeof(struct pgp_settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.check = check,
	.open = open_step,
	.close = close_step,
	.run = run_sign,
};
const struct transformer_ops verify_transformer = {
	.name = "verify",
	.help = "Lets through what is signed with OpenPGP by those it names, without the signature",
	.options = verify_options,
	.settings_size = sizeof(struct pgp_settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.check = check,
	.open = open_step,
	.close = close_step,
	.run = run_verify,
};
