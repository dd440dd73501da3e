/* The files of a site as one thing with a digest: what a revision is. See site.h. */
#include "config.h"
#include "config/site.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/yaml.h"

#define MAGIC "ferrule bundle 1"
#define FOLDER_DEPTH_MAX 8

/* What is read, and nothing else: a site's directory also holds data, documents and tests. */
static const char *const folders[] = {"calendars", "canonical", "edi",      "environments", "flows",
				      "layouts",   "mappings",  "partners", "processes",    "schemas",
				      "snippets",  "systems",   "tables",   "transfers"};
static const char *const endings[] = {".yaml", ".yml", ".jq",  ".json", ".xsl", ".xslt",
				      ".xml",  ".csv", ".xsd", ".sch",  ".cpy", ".txt"};

/* What ships and comes into a site's bundle by its name, when something in it says that. */
static const char *const named_folders[] = {"calendars", "edi", "layouts", "mappings", "snippets"};

struct reading {
	struct bundle *bundle;
	size_t capacity, bytes;
	char top[PATH_MAX]; /* the site's directory, resolved */
	const char *base;   /* of what is read now: the site's directory or that of the shipped contracts */
	const char *prefix; /* what its paths begin with in the bundle: "", "canonical/" … */
	bool shipped;
};

/* ---- reading --------------------------------------------------------------------------------------------- */
static bool wanted(const char *name)
{
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		if (span_ends(span_of(name), endings[i]))
			return true;
	}
	return false;
}

static bool inside(const char *path, const char *top)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && (path[n] == '/' || path[n] == 0);
}

static int refuse_outside(const struct reading *r, const char *path, struct error *error)
{
	char real[PATH_MAX];

	if (r->shipped)
		return 0; /* ours, wherever the package put it */
	if (!realpath(path, real))
		return error_errno(error, ERROR_FATAL, "site.unreadable", "%s", path);
	if (!inside(real, r->top))
		return error_set(error, ERROR_FATAL, "site.unreadable",
				 "%s leads to %s, outside of the site; copy it into the site", path, real);
	return 0;
}

static int read_text(struct reading *r, const char *path, struct span *into, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), result = -1;
	struct stat status;
	struct buf text;
	char *room;
	ssize_t n;

	buf_init(&text, BUNDLE_BYTES_MAX + 1);
	if (fd < 0 || fstat(fd, &status) < 0) {
		error_errno(error, ERROR_FATAL, "site.unreadable", "%s", path);
		goto done;
	}
	if (!S_ISREG(status.st_mode)) {
		error_set(error, ERROR_FATAL, "site.unreadable", "%s is not a plain file", path);
		goto done;
	}
	while ((room = buf_room(&text, 16384)) != NULL && (n = read(fd, room, 16384)) > 0)
		buf_added(&text, (size_t)n);
	if (room && n < 0) {
		error_errno(error, ERROR_FATAL, "site.unreadable", "%s", path);
		goto done;
	}
	r->bytes += text.len;
	if (!room || r->bytes > BUNDLE_BYTES_MAX) {
		error_set(error, ERROR_FATAL, "site.too-large",
			  "the site's configuration is larger than %u MiB (at %s)", BUNDLE_BYTES_MAX >> 20, path);
		goto done;
	}
	*into = arena_span(r->bundle->arena, buf_view(&text));
	result = 0;
done:
	if (fd >= 0)
		close(fd);
	buf_free(&text);
	return result;
}

static int add_file(struct reading *r, const char *relative, struct error *error)
{
	struct bundle *bundle = r->bundle;
	char path[PATH_MAX];
	char *name = arena_printf(bundle->arena, "%s%s", r->prefix, relative);
	struct span text;

	if (r->shipped && bundle_find(bundle, name))
		return 0; /* the site has its own */
	if (bundle->count == BUNDLE_FILES_MAX)
		return error_set(error, ERROR_FATAL, "site.too-large", "the site has more than %d configuration files",
				 BUNDLE_FILES_MAX);
	if ((size_t)snprintf(path, sizeof path, "%s/%s", r->base, relative) >= sizeof path)
		return error_set(error, ERROR_FATAL, "site.unreadable", "%s/%s: the path is too long", r->base,
				 relative);
	if (refuse_outside(r, path, error) || read_text(r, path, &text, error))
		return -1;
	bundle->files = mem_grow(bundle->files, &r->capacity, bundle->count + 1, sizeof *bundle->files);
	bundle->files[bundle->count++] = (struct bundle_file){name, text, r->shipped};
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a directory in the order of their bytes; NULL with *count 0: it cannot be read, and errno says why. */
static char **names_new(const char *path, size_t *count)
{
	DIR *directory = opendir(path);
	size_t capacity = 0;
	char **names = NULL;
	struct dirent *entry;

	*count = 0;
	if (!directory)
		return NULL;
	names = mem_grow(names, &capacity, 1, sizeof *names);
	while (*count <= BUNDLE_FILES_MAX && (entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue; /* editors' and version control's */
		names = mem_grow(names, &capacity, *count + 1, sizeof *names);
		names[(*count)++] = mem_strdup(entry->d_name);
	}
	closedir(directory);
	if (*count)
		qsort(names, *count, sizeof *names, by_name);
	return names;
}

static int add_folder(struct reading *r, const char *relative, int depth, struct error *error)
{
	char path[PATH_MAX], below[PATH_MAX];
	size_t count = 0;
	char **names = NULL;
	int result = -1;
	struct stat status;

	if ((size_t)snprintf(path, sizeof path, "%s/%s", r->base, relative) >= sizeof path)
		return error_set(error, ERROR_FATAL, "site.unreadable", "%s: the path is too long", relative);
	if (stat(path, &status) < 0 && errno == ENOENT)
		return 0;
	if (depth > FOLDER_DEPTH_MAX)
		return error_set(error, ERROR_FATAL, "site.unreadable", "%s: folders are nested too deeply", path);
	if (refuse_outside(r, path, error))
		return -1;
	names = names_new(path, &count);
	if (!names)
		return error_errno(error, ERROR_FATAL, "site.unreadable", "the folder %s", path);
	for (size_t i = 0; i < count; i++) {
		int n = *relative && strcmp(relative, ".") != 0
				? snprintf(below, sizeof below, "%s/%s", relative, names[i])
				: snprintf(below, sizeof below, "%s", names[i]);

		if ((size_t)n >= sizeof below ||
		    (size_t)snprintf(path, sizeof path, "%s/%s", r->base, below) >= sizeof path ||
		    stat(path, &status) < 0) {
			error_errno(error, ERROR_FATAL, "site.unreadable", "%s", path);
			goto done;
		}
		if (S_ISDIR(status.st_mode) ? add_folder(r, below, depth + 1, error)
					    : wanted(names[i]) && add_file(r, below, error))
			goto done;
	}
	result = 0;
done:
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return result;
}

void config_shipped(char *path, size_t size, const char *what)
{
	const char *data = getenv("FERRULE_DATA");
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	self[n > 0 ? n : 0] = 0;
	if (data && *data)
		snprintf(path, size, "%s/%s", data, what);
	else if (inside(self, BUILDDIR))
		snprintf(path, size, "%s/config/%s", SRCDIR, what);
	else
		snprintf(path, size, "%s/%s", PKGDATADIR, what);
}

static int compare_files(const void *a, const void *b)
{
	return strcmp(((const struct bundle_file *)a)->path, ((const struct bundle_file *)b)->path);
}

/* Linear while the bundle is read, when it is not in order yet; sites are small. */
const struct span *bundle_find(const struct bundle *bundle, const char *path)
{
	for (size_t i = 0; i < bundle->count; i++) {
		if (strcmp(bundle->files[i].path, path) == 0)
			return &bundle->files[i].text;
	}
	return NULL;
}

/* The site's YAML, or a file that came by its name, says this name; snippets and calendars are said without ending. */
static bool is_named(const struct bundle *bundle, const char *folder, const char *name)
{
	bool ends = strcmp(folder, "snippets") != 0 && strcmp(folder, "calendars") != 0;
	size_t n = ends ? strlen(name) : strcspn(name, ".");

	for (size_t i = 0; i < bundle->count; i++) {
		const struct bundle_file *file = &bundle->files[i];

		if (yaml_is_file(file->path) && memmem(file->text.data, file->text.len, name, n))
			return true;
	}
	return false;
}

/* Does a line of this text give a calendar this name? */
static bool names_calendar(struct span text, const char *name, size_t n)
{
	static const char key[] = "calendar:";
	const char *at = text.data, *end = at + text.len, *line;

	for (line = at; line < end; line = at + 1) {
		at = memchr(line, '\n', (size_t)(end - line));
		at = at ? at : end;
		if ((size_t)(at - line) < sizeof key + n || memcmp(line, key, sizeof key - 1) != 0)
			continue;
		for (line += sizeof key - 1; line < at && strchr(" \t'\"", *line);)
			line++;
		if ((size_t)(at - line) >= n && !memcmp(line, name, n) &&
		    (line + n == at || strchr(" \t\r'\"#", line[n])))
			return true;
	}
	return false;
}

/* The site has a calendar of this name in a file of another: a calendar is found by its name alone. */
static bool has_calendar(const struct bundle *bundle, const char *name)
{
	for (size_t i = 0; i < bundle->count; i++)
		if (span_starts(span_of(bundle->files[i].path), "calendars/") &&
		    names_calendar(bundle->files[i].text, name, strcspn(name, ".")))
			return true;
	return false;
}

/* Those files of a folder that ships which are named: again as long as one of them names others. */
static int add_named(struct reading *r, const char *folder, struct error *error)
{
	char shipped[PATH_MAX], prefix[32];
	size_t count, before;
	char **names;
	bool calendars;
	int failed = 0;

	config_shipped(shipped, sizeof shipped, folder);
	snprintf(prefix, sizeof prefix, "%s/", folder);
	r->base = shipped;
	r->prefix = prefix;
	r->shipped = true;
	names = names_new(shipped, &count);
	calendars = !strcmp(folder, "calendars");
	do {
		before = r->bundle->count;
		for (size_t i = 0; i < count && !failed; i++) {
			char path[NAME_MAX + 32];

			snprintf(path, sizeof path, "%s%s", prefix, names[i]);
			if (wanted(names[i]) && !bundle_find(r->bundle, path) &&
			    is_named(r->bundle, folder, names[i]) && !(calendars && has_calendar(r->bundle, names[i])))
				failed = add_file(r, names[i], error);
		}
	} while (!failed && r->bundle->count > before);
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return failed ? error_wrap(error, "what ships with Ferrule") : 0;
}

static int read_files(struct reading *r, const char *directory, struct error *error)
{
	char shipped[PATH_MAX];

	r->base = directory;
	r->prefix = "";
	if (add_file(r, "site.yaml", error))
		return -1;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		if (add_folder(r, folders[i], 1, error))
			return -1;
	}
	config_shipped(shipped, sizeof shipped, "canonical");
	r->base = shipped;
	r->prefix = "canonical/";
	r->shipped = true;
	if (add_folder(r, ".", 1, error))
		return error_wrap(error, "the contracts that ship with Ferrule");
	for (size_t i = 0; i < sizeof named_folders / sizeof *named_folders; i++)
		if (add_named(r, named_folders[i], error))
			return -1;
	qsort(r->bundle->files, r->bundle->count, sizeof *r->bundle->files, compare_files);
	return 0;
}

/* ---- variables ----------------------------------------------------------------------------------------- */
struct variables {
	json_t *found;
	const struct node *values; /* of the environment's file; NULL: none */
};

static void look_up(void *arg, struct span name, struct span fallback)
{
	struct variables *v = arg;
	char *key = mem_span_dup(name);
	const struct node *value = v->values ? node_find(v->values, key) : NULL;
	const char *process = getenv(key);

	(void)fallback;
	if (value && value->type == NODE_SCALAR)
		json_object_set_new(v->found, key, json_stringn(value->text.data, value->text.len));
	else if (process && json_object_size(v->found) < BUNDLE_FILES_MAX)
		json_object_set_new(v->found, key,
				    json_string(process)); /* not UTF-8: NULL, so it counts as undefined */
	free(key);
}

static int find_environment(const struct bundle *bundle, const struct span **text, char path[PATH_MAX],
			    struct error *error)
{
	const char *names[256], *near;
	size_t count = 0;

	for (size_t i = 0; i < bundle->count && count < sizeof names / sizeof *names; i++) {
		const char *file = bundle->files[i].path;

		if (strncmp(file, "environments/", 13) == 0 && span_ends(span_of(file), ".yaml"))
			names[count++] = arena_printf(bundle->arena, "%.*s", (int)strlen(file) - 18, file + 13);
	}
	snprintf(path, PATH_MAX, "environments/%s.yaml", bundle->environment);
	*text = bundle_find(bundle, path);
	if (*text)
		return 0;
	near = nearest_name(span_of(bundle->environment), names, count);
	return error_set(error, ERROR_FATAL, "site.environment", "there is no %s" NEAR, path,
			 NEAR_OR_ARGS(near, "--env ", "", "", ""));
}

/* Every ${NAME} of the site's YAML that has a value now. Those in comments count as well: nothing is lost by it. */
static int find_variables(struct bundle *bundle, struct error *error)
{
	struct variables v = {bundle->variables, NULL};
	struct findings unused; /* site_load_new says it again, to somebody */
	struct yaml_documents documents;
	const struct span *text;
	char path[PATH_MAX];

	if (*bundle->environment) {
		if (find_environment(bundle, &text, path, error))
			return -1;
		findings_init(&unused);
		yaml_read(bundle->arena, &unused, arena_strdup(bundle->arena, path), *text, NULL, &documents);
		v.values = documents.count > 0 ? documents.items[0] : NULL;
		findings_free(&unused);
	}
	for (size_t i = 0; i < bundle->count; i++) {
		const struct bundle_file *file = &bundle->files[i];

		if (yaml_is_file(file->path) && strncmp(file->path, "environments/", 13) != 0)
			yaml_variables_each(file->text, look_up, &v);
	}
	return 0;
}

/* ---- identity and bytes ---------------------------------------------------------------------------------- */
static char *variables_text(const struct bundle *bundle)
{
	return json_dumps(bundle->variables, JSON_COMPACT | JSON_SORT_KEYS);
}

static void set_revision(struct bundle *bundle)
{
	size_t count = 2 * bundle->count + 2;
	struct span *parts = mem_alloc(count * sizeof *parts);
	char *variables = variables_text(bundle);

	parts[0] = span_of(bundle->environment);
	parts[1] = span_of(variables);
	for (size_t i = 0; i < bundle->count; i++) {
		parts[2 * i + 2] = span_of(bundle->files[i].path);
		parts[2 * i + 3] = bundle->files[i].text;
	}
	bundle->revision = id_of(parts, count);
	free(variables);
	free(parts);
}

static struct bundle *bundle_new(void)
{
	struct bundle *bundle = mem_alloc(sizeof *bundle);

	bundle->arena = arena_new();
	bundle->variables = json_object();
	bundle->environment = "";
	return bundle;
}

struct bundle *bundle_read_new(const char *directory, const char *environment, struct error *error)
{
	struct reading *r = mem_alloc(sizeof *r);
	struct bundle *bundle = bundle_new();
	char path[PATH_MAX];

	r->bundle = bundle;
	if (environment)
		bundle->environment = arena_strdup(bundle->arena, environment);
	snprintf(path, sizeof path, "%s/site.yaml", directory);
	if (!realpath(directory, r->top) || access(path, F_OK) < 0) {
		error_set(error, ERROR_FATAL, "site.missing",
			  "there is no site.yaml in %s; `ferrule init DIR` writes a site to start from", directory);
		goto failed;
	}
	if (read_files(r, directory, error) || find_variables(bundle, error))
		goto failed;
	set_revision(bundle);
	free(r);
	return bundle;
failed:
	free(r);
	bundle_free(bundle);
	return NULL;
}

void bundle_free(struct bundle *bundle)
{
	if (!bundle)
		return;
	json_decref(bundle->variables);
	free(bundle->files);
	arena_free(bundle->arena);
	free(bundle);
}

void bundle_encode(const struct bundle *bundle, struct buf *out)
{
	char *variables = variables_text(bundle);

	buf_field(out, span_of(MAGIC));
	buf_field(out, span_of(bundle->environment));
	buf_field(out, span_of(variables));
	buf_u32(out, (uint32_t)bundle->count);
	for (size_t i = 0; i < bundle->count; i++) {
		buf_field(out, span_of(bundle->files[i].path));
		buf_field(out, bundle->files[i].text);
	}
	free(variables);
}

static bool decode_file(struct bundle *bundle, struct span *in, size_t i)
{
	struct span path, text;

	if (!take_field(in, &path) || !take_field(in, &text) || path.len == 0 || path.len >= PATH_MAX ||
	    memchr(path.data, 0, path.len))
		return false;
	bundle->files[i] =
		(struct bundle_file){arena_span(bundle->arena, path).data, arena_span(bundle->arena, text), false};
	bundle->count = i + 1;
	return i == 0 || strcmp(bundle->files[i - 1].path, bundle->files[i].path) < 0;
}

struct bundle *bundle_decode_new(struct span in, struct error *error)
{
	struct bundle *bundle = bundle_new();
	struct span magic, environment, variables;
	uint32_t count;

	if (in.len > 2 * BUNDLE_BYTES_MAX || !take_field(&in, &magic) || !span_is(magic, MAGIC) ||
	    !take_field(&in, &environment) || !take_field(&in, &variables) || !take_u32(&in, &count) ||
	    count > BUNDLE_FILES_MAX)
		goto damaged;
	bundle->environment = arena_span(bundle->arena, environment).data;
	json_decref(bundle->variables);
	bundle->variables = json_loadb(variables.data, variables.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(bundle->variables))
		goto damaged;
	bundle->files = mem_alloc((count + 1) * sizeof *bundle->files);
	for (uint32_t i = 0; i < count; i++) {
		if (!decode_file(bundle, &in, i))
			goto damaged;
	}
	if (in.len > 0)
		goto damaged;
	set_revision(bundle);
	return bundle;
damaged:
	bundle_free(bundle);
	error_set(error, ERROR_REJECT, "bundle.damaged", "these bytes are not a configuration revision");
	return NULL;
}
