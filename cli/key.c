/* ferrule key: the site's OpenPGP keyring. What is beyond importing and listing is GnuPG's own: gpg --homedir keys. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/hand.h"
#include "cli/site.h"
#include "services/expiries.h"
#include "services/registry.h"
#include "transformers/files/pgp.h"

#define SOON_MS (INT64_C(30) * 86400000)
#define IMPORT_MAX (16u << 20)

static const struct verb_option options[] = {
	SITE_OPTIONS,
	{.name = NULL},
};

/* The site need not run. NULL: error. Both are to be freed. */
static struct site *site_of(const struct arguments *arguments, struct bundle **kept, struct error *error)
{
	const char *given = argument(arguments, "site");
	char *directory = realpath(given ? given : ".", NULL);
	struct bundle *bundle =
		directory ? bundle_read_new(directory, argument(arguments, "env"), error) : NULL;
	struct findings findings;
	struct site *site;

	*kept = bundle;
	findings_init(&findings);
	site = bundle ? site_load_new(bundle, registry_get(), directory, &findings) : NULL;
	if (!site && bundle)
		error_set(error, ERROR_REJECT, "site.invalid", "the configuration has mistakes: ferrule check %s",
			  given ? given : ".");
	else if (!site && !directory)
		error_errno(error, ERROR_FATAL, "site.missing", "%s", given ? given : ".");
	findings_free(&findings);
	free(directory);
	return site;
}

static const char *state_of(const struct pgp_key *key, int64_t now)
{
	if (key->revoked)
		return "revoked";
	if (key->expired)
		return "expired";
	if (key->disabled)
		return "disabled";
	return key->expires_ms && key->expires_ms - now < SOON_MS ? "expires soon" : "good";
}

static const char *use_of(const struct pgp_key *key)
{
	return key->encrypts && key->signs ? "encrypt, sign" : key->encrypts ? "encrypt" : key->signs ? "sign" : "none";
}

static void put_days(json_t *one, int64_t expires_ms)
{
	if (one && expires_ms)
		json_object_set_new(one, "days", json_integer(expiring_days(expires_ms, clock_now_ms())));
}

static void add_other(void *arg, const struct expiring *other)
{
	char expires[CLOCK_TEXT];
	int64_t now = clock_now_ms();
	json_t *one;

	clock_format(other->expires_ms, expires);
	one = json_pack("{s:s s:s s:s s:s s:s s:s s:s}", "fingerprint", other->id, "kind", other->kind, "user",
			other->name, "use", other->used, "state",
			other->expires_ms <= now	     ? "expired"
			: other->expires_ms - now < SOON_MS ? "expires soon"
							     : "good",
			"expires", expires, "what", "");
	put_days(one, other->expires_ms);
	json_array_append_new(arg, one ? one : json_object());
}

static void add(void *arg, const struct pgp_key *key, const char *what)
{
	char expires[CLOCK_TEXT] = "";
	json_t *one;

	if (key->expires_ms)
		clock_format(key->expires_ms, expires);
	one = json_pack("{s:s s:s s:s s:s s:s s:s s:s}", "fingerprint", key->fingerprint, "kind",
			key->secret ? "secret" : "public", "user", key->user, "use", use_of(key), "state",
			state_of(key, clock_now_ms()), "expires", expires, "what", what);
	put_days(one, key->expires_ms);
	json_array_append_new(arg, one ? one : json_object());
}

static void print(const json_t *keys, bool imported)
{
	static const char *const titles[] = {"fingerprint", "kind", "user", "for", "expires", "left", "state", NULL};
	struct table *table = table_new(titles);
	const json_t *key;
	size_t i;

	json_array_foreach(keys, i, key) {
		char expires[11], left[32] = "";
		const json_t *days = json_object_get(key, "days");

		snprintf(expires, sizeof expires, "%.10s", json_text(key, "expires"));
		table_add(table, json_text(key, "fingerprint"));
		table_add(table, json_text(key, "kind"));
		table_add(table, json_text(key, "user"));
		table_add(table, json_text(key, "use"));
		table_add(table, *expires ? expires : "never");
		if (days && json_integer_value(days) < 0)
			snprintf(left, sizeof left, "ended");
		else if (days)
			snprintf(left, sizeof left, "%lld days", (long long)json_integer_value(days));
		table_add(table, left);
		table_add(table, json_text(key, imported ? "what" : "state"));
	}
	table_print_take(table, "");
}

/* Without a keyring there may still be certificates. */
static int list(const struct site *site, json_t *keys, struct error *error)
{
	bool others = access(site->keys_path, F_OK) && expiries_any(site);
	struct pgp *pgp = others ? NULL : pgp_new(site->keys_path, error);
	int result = others || (pgp && !pgp_each(pgp, add, keys, error)) ? 0 : -1;

	pgp_free(pgp);
	if (!result)
		expiries_stated(site, add_other, keys);
	return result;
}

static int import(const char *keyring, const char *file, json_t *keys, struct error *error)
{
	struct buf text;
	int result;

	buf_init(&text, IMPORT_MAX);
	result = hand_text(file, &text, error) || pgp_import(keyring, buf_view(&text), add, keys, error) ? -1 : 0;
	buf_free(&text);
	return result;
}

/* The ring has them by now: typed again after a failure they are `known`, and in the trail. */
static int note(const struct arguments *arguments, const json_t *keys)
{
	json_t *told = json_array();
	const json_t *key;
	size_t i;

	json_array_foreach(keys, i, key)
		json_array_append_new(told, json_pack("{s:s s:s s:s s:s}", "fingerprint", json_text(key, "fingerprint"),
						      "kind", json_text(key, "kind"), "user", json_text(key, "user"),
						      "what", json_text(key, "what")));
	return site_note(arguments, "key-import", json_pack("{s:o}", "keys", told));
}

static int key(const struct arguments *arguments)
{
	const char *what = argument_word(arguments, 0, "list");
	bool imports = !strcmp(what, "import");
	struct error error = {0};
	struct bundle *bundle = NULL;
	struct site *site;
	json_t *keys;
	int failed, code = EXIT_DONE;

	if (!imports && strcmp(what, "list"))
		return verb_usage(arguments, "it is `key list`, or `key import FILE`");
	if (imports != (arguments->count == 2))
		return verb_usage(arguments, imports ? "which file? `key import FILE`; - is standard input"
						     : "`key list` takes no more words");
	site = site_of(arguments, &bundle, &error);
	keys = json_array();
	failed = !site || (imports ? import(site->keys_path, arguments->words[1], keys, &error)
				   : list(site, keys, &error));
	if (!failed && arguments->json)
		verb_print_json(keys);
	else if (!failed)
		print(keys, imports);
	if (!failed && imports)
		code = note(arguments, keys);
	json_decref(keys);
	site_free(site);
	bundle_free(bundle);
	return failed ? verb_failed(arguments, &error) : code;
}

const struct verb verb_key = {
	.name = "key",
	.words = "list | import FILE",
	.words_max = 2,
	.summary = "The site's OpenPGP keys: take new ones, and see which there are and when they expire",
	.text = "list tells all keys of the site's own keyring (`keys` in site.yaml), the certificates that its\n"
		"settings name and the secrets whose end site.yaml states (`expiry`), and how many days each has\n"
		"left. import takes those of an export, armored or not, and makes the keyring when it is missing.\n"
		"A key is used where a step names its fingerprint, and only there: compare it with its owner\n"
		"first, over another way than it came by.\n"
		"\n"
		"  ferrule key import acme.asc\n"
		"  ferrule key list\n\n"
		"A key pair of the site's own is made by GnuPG itself:\n\n"
		"  gpg --homedir keys --quick-generate-key 'Example EDI <edi@example.com>' default default 2y\n",
	.json = "[{fingerprint, kind, user, use, state, expires, days?, what}]; kind: public or secret (OpenPGP),\n"
		"  certificate or password (a secret whose end is stated); what, of an import: new, changed or known",
	.options = options,
	.run = key,
};
