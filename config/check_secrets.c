/* Secrets that are written down as values, where git, a revision in the vault and everybody who may read the site would
 * have them: found by the names of keys, and by forms that only secrets have; their text is never shown. And whether
 * those that are only named can be had on this machine. See load.h. */
#include "config.h"
#include "config/load.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/secret.h"

#define SAY "write {secret: NAME} where the option takes it, and put the value into secrets/NAME"

/* Names of keys without - and _, as they end. */
static const char *const names[] = {"authorization", "password",  "passwd",     "passphrase", "secret",     "token",
				    "apikey",        "accesskey", "privatekey", "credential", "credentials"};

static bool name_of_secret(struct span key)
{
	char plain[80];
	size_t n = 0;

	for (size_t i = 0; i < key.len && n + 1 < sizeof plain; i++) {
		if (isalnum((unsigned char)key.data[i]))
			plain[n++] = (char)tolower((unsigned char)key.data[i]);
	}
	plain[n] = 0;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t m = strlen(names[i]);

		if (n >= m && strcmp(plain + n - m, names[i]) == 0)
			return true;
	}
	return false;
}

static bool has(struct span text, const char *part)
{
	return text.len >= strlen(part) && memmem(text.data, text.len, part, strlen(part));
}

/* https://user:password@host */
static bool has_password(struct span text)
{
	const char *at = text.len > 3 ? memmem(text.data, text.len, "://", 3) : NULL, *end = text.data + text.len;
	bool colon = false;

	for (at = at ? at + 3 : end; at < end && !strchr("/?#$ \n", *at); at++) {
		if (*at == '@')
			return colon;
		colon = colon || (*at == ':' && at + 1 < end && at[1] != '@');
	}
	return false;
}

/* Whatever its key is called. */
static bool looks_secret(struct span text)
{
	return has(text, "whsec_") || (has(text, "-----BEGIN ") && has(text, "PRIVATE KEY")) || has_password(text);
}

static void tell(struct findings *findings, struct place place, struct span key)
{
	finding_add(findings, place, SEVERITY_ERROR, "secret.value",
		    "the value of `%.*s` is a secret, written down for everybody who may read the site; " SAY,
		    (int)(key.len < 60 ? key.len : 60), key.data);
}

/* `{secret: NAME}` is what it should be. */
static bool is_reference(const struct node *node)
{
	return node->type == NODE_MAP && node->count == 1 && span_is(node->pairs[0].key.text, "secret");
}

static void look_at(struct findings *findings, const struct node *node, struct span key)
{
	if (is_reference(node))
		return;
	if (node->type == NODE_SCALAR) {
		if (looks_secret(node->text) ||
		    (key.len > 0 && name_of_secret(key) && node->text.len > 0 && !has(node->text, "$(")))
			tell(findings, node->place, key);
		return;
	}
	for (size_t i = 0; i < node->count; i++)
		look_at(findings, node->type == NODE_MAP ? node->pairs[i].value : node->items[i],
			node->type == NODE_MAP ? node->pairs[i].key.text : key);
}

void check_secret_values(struct load *load, const struct node *node)
{
	look_at(load->findings, node, SPAN_NONE);
}

void check_secret_value(struct load *load, const struct pair *pair)
{
	if (pair->value->type == NODE_SCALAR && pair->value->text.len > 0 &&
	    (name_of_secret(pair->key.text) || looks_secret(pair->value->text)))
		tell(load->findings, pair->value->place, pair->key.text);
}

/* ---- on this machine ------------------------------------------------------------------------------------- */
struct asking {
	const struct site *site;
	struct findings *findings;
	bool any, directory; /* directory: it can be looked into */
};

/* The directory of secrets as one would type it in the site's. */
static const char *shown(const struct site *site)
{
	size_t n = strlen(site->directory);

	return strncmp(site->secrets_path, site->directory, n) == 0 && site->secrets_path[n] == '/'
		       ? site->secrets_path + n + 1
		       : site->secrets_path;
}

static void ask(void *arg, const struct found *found)
{
	struct asking *asking = arg;
	struct error error = {0};
	int state;

	if (!found->secret)
		return;
	asking->any = true;
	if (!asking->directory)
		return; /* told once, of the directory */
	state = secret_state(asking->site->secrets_path, found->secret, &error);
	if (state < 0)
		finding_add(asking->findings, found->place, SEVERITY_ERROR, "secret.unreadable", "%s", error.text);
	else if (state > 0)
		/* A warning: on the machine that checks a change, the secrets of production have no place. */
		finding_add(asking->findings, found->place, SEVERITY_WARNING, "secret.missing",
			    "there is no secret `%s` here: neither %s/%s nor an environment variable", found->secret,
			    shown(asking->site), found->secret);
}

void site_check_secrets(const struct site *site, struct findings *findings)
{
	struct error error = {0};
	struct asking asking = {site, findings, false, secret_directory_state(site->secrets_path, &error) >= 0};
	struct place place = {"site.yaml", 1, 1};

	filled_each(site->load, ask, &asking);
	if (asking.directory)
		return;
	if (strcmp(error.code, "secret.mode") == 0)
		finding_add(findings, place, SEVERITY_ERROR, "secret.mode",
			    "others can look into %s: chmod 700 %s", shown(site), shown(site));
	else if (asking.any)
		finding_add(findings, place, SEVERITY_ERROR, "secret.unreadable", "%s", error.text);
}
