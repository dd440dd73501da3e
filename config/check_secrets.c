/* Secrets that are written down as values, where git, a revision in the vault and everybody who may read the site would
 * have them: found by the names of keys, and by forms that only secrets have; their text is never shown. And whether
 * those that are only named can be had on this machine. See load.h. */
#include "config.h"
#include "config/load.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "base/secret.h"

#define SAY "write {secret: NAME} where the option takes it, and put the value into secrets/NAME"

/* Names of keys, headers and parts of a query without - and _, as they end. */
static const char *const names[] = {"authorization", "password",   "passwd",     "passphrase",
				    "secret",        "token",      "apikey",     "accesskey",
				    "privatekey",    "credential", "credentials", "subscriptionkey"};

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

bool variable_sounds_secret(const char *name)
{
	static const char *const words[] = {"PASSWORD", "PASSWD", "SECRET", "TOKEN", "CREDENTIAL", "APIKEY", "API_KEY"};
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcasestr(name, words[i]))
			return true;
	}
	return n > 4 && !strcasecmp(name + n - 4, "_KEY");
}

/* ---- finding them in a value ----------------------------------------------------------------------------- */
struct credential {
	struct span name, value; /* name: of the key, or of the part of a query */
};

static bool has(struct span text, const char *part)
{
	return text.len >= strlen(part) && memmem(text.data, text.len, part, strlen(part));
}

/* https://user:password@host; the password may be a variable. */
static bool find_password(struct span text, struct credential *into)
{
	const char *at = text.len > 3 ? memmem(text.data, text.len, "://", 3) : NULL, *end = text.data + text.len;
	const char *colon = NULL;

	for (at = at ? at + 3 : end; at < end && !strchr("/?# \n", *at); at++) {
		if (*at == '$' && (at + 1 == end || at[1] != '{'))
			return false;
		if (*at == '$' && memchr(at, '}', (size_t)(end - at)))
			at = memchr(at, '}', (size_t)(end - at));
		if (*at == '@' && colon && colon + 1 < at) {
			into->value = span_make(colon + 1, (size_t)(at - colon - 1));
			return true;
		}
		if (*at == ':' && !colon)
			colon = at;
	}
	return false;
}

/* …?api_key=value&…; what is made for each message is none. */
static bool find_in_query(struct span text, struct credential *into)
{
	const char *end = text.data + text.len, *at = text.len ? memchr(text.data, '?', text.len) : NULL;

	for (; at && at < end; at++) {
		const char *equals = at + 1, *stop;

		if (*at != '?' && *at != '&')
			continue;
		while (equals < end && (isalnum((unsigned char)*equals) || strchr("_-.", *equals)))
			equals++;
		if (equals == end || *equals != '=')
			continue;
		for (stop = equals + 1; stop < end && !strchr("&# \n\"'", *stop);)
			stop++;
		into->name = span_make(at + 1, (size_t)(equals - at - 1));
		into->value = span_make(equals + 1, (size_t)(stop - equals - 1));
		if (into->value.len && !span_starts(into->value, "$(") && name_of_secret(into->name))
			return true;
	}
	return false;
}

static bool find(struct span key, struct span text, struct credential *into)
{
	*into = (struct credential){key, text};
	if (find_password(text, into))
		return true;
	if (find_in_query(text, into))
		return true;
	*into = (struct credential){key, text};
	return has(text, "whsec_") || (has(text, "-----BEGIN ") && has(text, "PRIVATE KEY")) ||
	       (key.len > 0 && name_of_secret(key) && text.len > 0 && !has(text, "$("));
}

/* ---- telling --------------------------------------------------------------------------------------------- */
static void tell_value(struct findings *findings, struct place place, struct span key)
{
	finding_add(findings, place, SEVERITY_ERROR, "secret.value",
		    "the value of `%.*s` is a secret, written down for everybody who may read the site; " SAY,
		    (int)(key.len < 60 ? key.len : 60), key.data);
}

/* Stricter than how it sounds: TOKEN_URL and MAX_TOKENS are no secrets. */
static bool is_named_as_secret(const char *variable)
{
	size_t n = strlen(variable);

	return name_of_secret(span_of(variable)) || (n > 4 && !strcasecmp(variable + n - 4, "_KEY"));
}

/* Those of a text that a secret comes from. */
struct variables {
	struct load *load;
	const char *first;
	bool all, written; /* all: whatever they are called; written: there is a default, which is a value */
};

static void note_variable(void *arg, struct span name, struct span fallback)
{
	struct variables *v = arg;
	const char *text = arena_span(v->load->arena, name).data;

	if (!v->all && !is_named_as_secret(text))
		return;
	v->first = v->first ? v->first : text;
	v->written = v->written || fallback.len > 0;
	json_object_set_new(v->load->secret_variables, text, json_true());
}

static void look_at_scalar(struct load *load, const struct node *node, struct span key)
{
	struct span written = node->written.len ? node->written : node->text;
	struct variables v = {.load = load};
	struct credential c;

	v.all = find(key, written, &c);
	if (v.all) {
		yaml_variables_each(c.value, note_variable, &v);
		if (!v.first || v.written) {
			tell_value(load->findings, node->place, c.name);
			return;
		}
	} else if (node->written.len) {
		v.all = find(key, node->text, &c);
		yaml_variables_each(written, note_variable, &v);
	}
	if (v.first)
		load_warning(load, node->place, "secret.variable",
			     "a secret in `%.*s` comes from ${%s}, whose value is kept with each revision of the "
			     "site; " SAY,
			     (int)(c.name.len < 60 ? c.name.len : 60), c.name.data, v.first);
}

/* `{secret: NAME}` is what it should be. */
static bool is_reference(const struct node *node)
{
	return node->type == NODE_MAP && node->count == 1 && span_is(node->pairs[0].key.text, "secret");
}

static void look_at(struct load *load, const struct node *node, struct span key)
{
	if (is_reference(node))
		return;
	if (node->type == NODE_SCALAR) {
		look_at_scalar(load, node, key);
		return;
	}
	for (size_t i = 0; i < node->count; i++)
		look_at(load, node->type == NODE_MAP ? node->pairs[i].value : node->items[i],
			node->type == NODE_MAP ? node->pairs[i].key.text : key);
}

void check_secret_values(struct load *load, const struct node *node)
{
	look_at(load, node, SPAN_NONE);
}

void check_secret_value(struct load *load, const struct pair *pair)
{
	struct credential c;

	if (pair->value->type == NODE_SCALAR && pair->value->text.len > 0 &&
	    find(pair->key.text, pair->value->text, &c))
		tell_value(load->findings, pair->value->place, pair->key.text);
}

/* ---- hiding ---------------------------------------------------------------------------------------------- */
/* A value that is more than the secret, an address, keeps the rest. */
static json_t *hidden_new(const char *name, struct span value)
{
	struct credential c;

	if (find_password(value, &c) || find_in_query(value, &c))
		return json_sprintf("%.*shidden%.*s", (int)(c.value.data - value.data), value.data,
				    (int)(value.data + value.len - c.value.data - c.value.len),
				    c.value.data + c.value.len);
	return json_sprintf("hidden-%s", name);
}

json_t *site_hidden_variables_new(const struct site *site)
{
	json_t *hidden = NULL, *value;
	const char *name;

	json_object_foreach(site->bundle->variables, name, value) {
		if (!json_object_get(site->load->secret_variables, name) && !name_of_secret(span_of(name)))
			continue; /* a key of another kind, SORT_KEY, may be a part of jq */
		if (!hidden)
			hidden = json_copy(site->bundle->variables);
		json_object_set_new(hidden, name, hidden_new(name, span_of(json_string_value(value))));
	}
	return hidden;
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
