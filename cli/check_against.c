/* Contracts against an earlier revision: whoever reads or writes by a contract's name must not be surprised. A change
 * that breaks needs a new version, a file of its own. See check_against.h.
 *
 * What the site had then is asked of git; contracts that ship are those of this program, then as now. Each is compared
 * in the mode that it promised then (x-ferrule-compatibility). */
#include "config.h"
#include "cli/check_against.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/git.h"
#include "config/compatibility.h"
#include "config/site.h"
#include "config/yaml.h"

#define HISTORY_MAX (16u * 1024 * 1024)

struct against {
	const char *directory, *revision;
	struct arena *arena;
	struct bundle *bundle; /* of today */
	json_t *now, *then;    /* "order/v1" → schema */
	struct findings *findings;
};

/* ---- then: git -----------------------------------------------------------------------------------------------------
 */
/* "canonical/order/v1.schema.json" → "order/v1"; NULL: it is none. */
static char *name_of(struct arena *arena, const char *path)
{
	size_t n = strlen(path), end = strlen(".schema.json");

	if (strncmp(path, "canonical/", 10) != 0 || n < 10 + end || strcmp(path + n - end, ".schema.json") != 0)
		return NULL;
	return arena_printf(arena, "%.*s", (int)(n - 10 - end), path + 10);
}

/* A contract that was no JSON then cannot have been used. */
static void keep(json_t *into, const char *name, struct span text)
{
	json_t *schema = json_loadb(text.data, text.len, 0, NULL);

	if (schema)
		json_object_set_new(into, name, schema);
}

static int know_revision(const struct against *a, struct error *error)
{
	char *commit = mem_printf("%s^{commit}", a->revision);
	const char *inside[] = {"rev-parse", "--show-prefix", NULL},
		   *known[] = {"rev-parse", "--verify", "--quiet", commit, NULL};
	struct buf unused;
	int code = -1;

	buf_init(&unused, HISTORY_MAX);
	if (a->revision[0] == '-' || !a->revision[0])
		error_set(error, ERROR_REJECT, "git.revision", "`%s` is no revision", a->revision);
	else if (git_run(a->directory, inside, SPAN_NONE, &unused, error))
		error_wrap(error, "%s is in no git repository", a->directory);
	else if (git_run(a->directory, known, SPAN_NONE, &unused, error))
		error_set(error, ERROR_REJECT, "git.revision",
			  "git knows no revision `%s` here; see: git -C %s log --oneline", a->revision, a->directory);
	else
		code = 0;
	buf_free(&unused);
	free(commit);
	return code;
}

/* ---- who used it then
 * ------------------------------------------------------------------------------------------------ */
struct use {
	const char *contract, *file;
	int line;
	struct use *next;
};

static void find_uses(struct against *a, const struct node *node, struct use **uses)
{
	for (size_t i = 0; i < node->count && node->type == NODE_LIST; i++)
		find_uses(a, node->items[i], uses);
	for (size_t i = 0; i < node->count && node->type == NODE_MAP; i++) {
		const struct node *value = node->pairs[i].value;

		if (value->type != NODE_SCALAR) {
			find_uses(a, value, uses);
		} else if (span_is(node->pairs[i].key.text, "validate") ||
			   span_is(node->pairs[i].key.text, "contract")) {
			struct use *use = arena_alloc(a->arena, sizeof *use);

			*use = (struct use){arena_span(a->arena, value->text).data, value->place.file,
					    value->place.line, *uses};
			*uses = use;
		}
	}
}

static void read_uses(struct against *a, const char *path, struct span text, struct use **uses)
{
	struct yaml_documents documents = {0};
	struct findings unused;

	findings_init(&unused);
	yaml_read(a->arena, &unused, path, text, NULL, &documents);
	for (size_t i = 0; i < documents.count; i++)
		find_uses(a, documents.items[i], uses);
	findings_free(&unused);
}

/* A line of ls-tree, "100644 blob 8baef1b4\tcanonical/order/v1.schema.json": the object to ask for, and its path; NULL:
 * nothing that is looked at. */
static const char *wanted(struct against *a, const char *line, struct buf *ask)
{
	const char *blob = strstr(line, " blob "), *tab = strchr(line, '\t');

	if (!blob || !tab || blob > tab || (!name_of(a->arena, tab + 1) && !yaml_is_file(tab + 1)))
		return NULL;
	blob += strlen(" blob ");
	buf_append(ask, blob, (size_t)(tab - blob));
	buf_char(ask, '\n');
	return arena_strdup(a->arena, tab + 1);
}

/* What cat-file --batch says of one: "8baef1b4 blob 120\n", so many bytes, a line's end. */
static bool take_object(struct span *said, struct span *text)
{
	const char *end = said->len ? memchr(said->data, '\n', said->len) : NULL;
	unsigned long long size;
	char head[128];

	snprintf(head, sizeof head, "%.*s", end ? (int)(end - said->data < 127 ? end - said->data : 127) : 0,
		 end ? said->data : "");
	if (sscanf(head, "%*[0-9a-f] blob %llu", &size) != 1 || size >= said->len - (size_t)(end + 1 - said->data))
		return false;
	*text = span_make(end + 1, (size_t)size);
	*said = span_make(end + size + 2, said->len - (size_t)(end + size + 2 - said->data));
	return true;
}

static int read_objects(struct against *a, const char *const *paths, size_t count, struct span ask, struct use **uses,
			struct error *error)
{
	static const char *const words[] = {"cat-file", "--batch", NULL};
	struct span said, text;
	struct buf out;
	int code;

	buf_init(&out, HISTORY_MAX);
	code = git_run(a->directory, words, ask, &out, error);
	said = buf_view(&out);
	for (size_t i = 0; !code && i < count; i++) {
		const char *name = name_of(a->arena, paths[i]);

		if (!take_object(&said, &text))
			code = error_set(error, ERROR_REJECT, "git.failed", "git does not say what %s was at %s",
					 paths[i], a->revision);
		else if (name)
			keep(a->then, name, text);
		else
			read_uses(a, paths[i], arena_span(a->arena, text), uses);
	}
	buf_free(&out);
	return code;
}

/* Two questions, however many files there are. */
static int read_revision(struct against *a, struct use **uses, struct error *error)
{
	const char *words[] = {"ls-tree", "-r", "-z", a->revision, "--", "canonical", "flows", "snippets", NULL};
	const char **paths = NULL, *path;
	size_t count = 0, capacity = 0;
	struct buf list, ask;
	int code;

	buf_init(&list, HISTORY_MAX);
	buf_init(&ask, HISTORY_MAX);
	code = git_run(a->directory, words, SPAN_NONE, &list, error);
	for (size_t at = 0; !code && at < list.len; at += strlen(list.data + at) + 1) {
		path = wanted(a, list.data + at, &ask);
		if (!path)
			continue;
		paths = mem_grow(paths, &capacity, count + 1, sizeof *paths);
		paths[count++] = path;
	}
	if (!code && count)
		code = read_objects(a, paths, count, buf_view(&ask), uses, error);
	free(paths);
	buf_free(&list);
	buf_free(&ask);
	return code;
}

/* ---- now
 * ------------------------------------------------------------------------------------------------------------- */
static void read_now(struct against *a)
{
	for (size_t i = 0; i < a->bundle->count; i++) {
		const struct bundle_file *file = &a->bundle->files[i];
		const char *name = name_of(a->arena, file->path);

		if (!name)
			continue;
		keep(a->now, name, file->text);
		if (file->shipped && !json_object_get(a->then, name))
			keep(a->then, name, file->text);
	}
}

/* A shipped contract that the site had replaced then, or replaces now, was another before: that of this program. */
static void add_shipped(struct against *a)
{
	char folder[4096];
	const char *name;
	json_t *schema, *shipped;

	config_shipped(folder, sizeof folder, "canonical");
	json_object_foreach(a->now, name, schema) {
		if (json_object_get(a->then, name))
			continue;
		shipped = json_load_file(arena_printf(a->arena, "%s/%s.schema.json", folder, name), 0, NULL);
		if (shipped)
			json_object_set_new(a->then, name, shipped);
	}
}

static const json_t *find_now(void *arg, const char *reference)
{
	const struct against *a = arg;
	const json_t *schema = json_object_get(a->now, reference);
	const char *name;
	json_t *other;

	if (schema)
		return schema;
	json_object_foreach(a->now, name, other) {
		const char *id = json_string_value(json_object_get(other, "$id"));

		if (id && strcmp(id, reference) == 0)
			return other;
	}
	return NULL;
}

/* ---- comparing
 * --------------------------------------------------------------------------------------------------------- */
/* Where the pointer leads in today's file, as far as it leads. */
static struct place place_of(struct against *a, const char *path, const char *pointer)
{
	const struct span *text = bundle_find(a->bundle, path);
	struct yaml_documents documents = {0};
	struct place place = {path, 1, 1};
	const struct node *node = NULL;
	struct findings unused;

	findings_init(&unused);
	if (text)
		yaml_read(a->arena, &unused, path, *text, NULL, &documents);
	findings_free(&unused);
	if (documents.count)
		node = documents.items[0];
	while (node && *pointer == '/') {
		size_t n = strcspn(pointer + 1, "/");
		char *key = arena_printf(a->arena, "%.*s", (int)n, pointer + 1);

		place = node->place;
		if (node->type == NODE_LIST)
			node = strtoul(key, NULL, 10) < node->count ? node->items[strtoul(key, NULL, 10)] : NULL;
		else
			node = node_find(node, key);
		pointer += n + 1;
	}
	return node ? node->place : place;
}

static void tell(struct against *a, const char *name, const struct difference *difference)
{
	const char *path = arena_printf(a->arena, "canonical/%s.schema.json", name);
	bool breaking = difference->weight == DIFFERENCE_BREAKING;

	finding_add(a->findings, place_of(a, path, difference->pointer), breaking ? SEVERITY_ERROR : SEVERITY_WARNING,
		    breaking ? "contract.breaking" : "contract.suspect", "%s: %s at %s#%s since %s: %s%s", name,
		    difference->code, difference->in_old ? "the old " : "", difference->pointer, a->revision,
		    difference->text, breaking ? "; make it a new version, or take the change back" : "");
}

static int compare(struct against *a, const char *name, const json_t *then, const json_t *now, struct error *error)
{
	const char *mode = json_string_value(json_object_get(then, "x-ferrule-compatibility")),
		   *open = json_string_value(json_object_get(then, "x-ferrule-open"));
	struct compatibility_options how = {.mode = COMPATIBILITY_BACKWARD, .find = find_now, .arg = a};
	const json_t *versions[] = {then, now};
	struct compatibility result;
	int code;

	if (json_equal(then, now))
		return 0;
	if (mode)
		compatibility_mode_parse(mode, &how.mode, &how.transitive);
	how.lenient = open && strcmp(open, "lenient") == 0;
	if (how.mode == COMPATIBILITY_NONE)
		return 0;
	code = compatibility_compare(versions, 2, &how, &result, error);
	if (code)
		error_wrap(error, "%s", name);
	for (size_t i = 0; i < result.count && !code; i++)
		if (result.list[i].weight != DIFFERENCE_FINE)
			tell(a, name, &result.list[i]);
	compatibility_free(&result);
	return code;
}

static void tell_removed(struct against *a, const char *name, const struct use *uses)
{
	struct place place = {arena_printf(a->arena, "canonical/%s.schema.json", name), 1, 1};

	while (uses && strcmp(uses->contract, name) != 0)
		uses = uses->next;
	if (uses)
		finding_add(a->findings, place, SEVERITY_ERROR, "contract.removed",
			    "%s was removed since %s, and %s:%d used it then: messages under way may still need it; "
			    "keep it until nothing does",
			    name, a->revision, uses->file, uses->line);
	else
		finding_add(a->findings, place, SEVERITY_WARNING, "contract.removed",
			    "%s was removed since %s; no flow used it then, others may", name, a->revision);
}

static int compare_all(struct against *a, const struct use *uses, struct error *error)
{
	const char *name;
	json_t *then;

	json_object_foreach(a->then, name, then) {
		const json_t *now = json_object_get(a->now, name);

		if (!now)
			tell_removed(a, name, uses);
		else if (compare(a, name, then, now, error))
			return -1;
	}
	return 0;
}

int check_against(const char *directory, const char *revision, struct findings *findings, struct error *error)
{
	struct against a = {.directory = directory,
			    .revision = revision,
			    .arena = arena_new(),
			    .now = json_object(),
			    .then = json_object(),
			    .findings = findings};
	struct use *uses = NULL;
	int code = know_revision(&a, error);

	if (!code)
		code = read_revision(&a, &uses, error);
	if (!code) {
		a.bundle = bundle_read_new(directory, "", error);
		code = a.bundle ? 0 : -1;
	}
	if (!code) {
		read_now(&a);
		add_shipped(&a);
		code = compare_all(&a, uses, error);
	}
	findings_sort(findings);
	bundle_free(a.bundle);
	json_decref(a.now);
	json_decref(a.then);
	arena_free(a.arena);
	return code;
}
