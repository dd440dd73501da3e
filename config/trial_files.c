/* The tests of a site: finding the files, reading their documents, and what the site says of the names in them. See
 * trial.h. */
#include "config.h"
#include "config/trial_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/reader.h"
#include "config/yaml.h"

#define DEPTH_MAX 4
#define NAMES_MAX 512

/* ---- names that the site knows
 * --------------------------------------------------------------------------------------- */
int trial_file_state(const char *directory, const char *file)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", directory, file);
	return access(path, R_OK) ? errno : 0;
}

void trial_check_file(struct trial_reading *r, const char *file, struct place place)
{
	int state = trial_file_state(r->directory, file);

	json_object_set_new(r->trials->asked, file, json_integer(state));
	if (state == ENOENT || state == ENOTDIR)
		trial_error(r, place, "trial.file", "there is no file %s (paths start at the site)", file);
	else if (state)
		trial_error(r, place, "trial.file", "%s cannot be read: %s", file, strerror(state));
}

static void unknown(struct trial_reading *r, struct place place, const char *what, const char *name,
		    const char *const *names, size_t n)
{
	const char *near = nearest_name(span_of(name), names, n);

	if (!r->site)
		return;
	trial_error(r, place, "trial.unknown", "the site has no %s `%s`" NEAR, what, name, NEAR_ARGS(near));
}

bool trial_check_flow(struct trial_reading *r, const char *name, struct place place)
{
	const char *names[NAMES_MAX];
	size_t n = 0;

	if (!r->site || site_flow(r->site, span_of(name)))
		return true;
	for (size_t i = 0; i < r->site->flows_count && n < NAMES_MAX; i++)
		names[n++] = r->site->flows[i].name;
	unknown(r, place, "flow", name, names, n);
	return false;
}

static void check_endpoint(struct trial_reading *r, struct place place, const char *name)
{
	const char *names[NAMES_MAX];
	size_t n = 0;

	for (size_t i = 0; r->site && i < r->site->flows_count; i++) {
		const struct flow *flow = &r->site->flows[i];

		if (!flow->sink)
			continue;
		if (!strcmp(flow->sink->name, name))
			return;
		if (n < NAMES_MAX)
			names[n++] = flow->sink->name;
	}
	unknown(r, place, "endpoint that it delivers to,", name, names, n);
}

static void check_topic(struct trial_reading *r, struct place place, const char *name)
{
	const char *names[NAMES_MAX];
	size_t n = 0;

	for (size_t i = 0; r->site && i < r->site->flows_count; i++)
		for (size_t k = 0; k < r->site->flows[i].publishes_count; k++) {
			if (!strcmp(r->site->flows[i].publishes[k], name))
				return;
			if (n < NAMES_MAX)
				names[n++] = r->site->flows[i].publishes[k];
		}
	unknown(r, place, "flow that publishes to", name, names, n);
}

static const struct flow *flow_of(const struct trial_reading *r, const struct trial *trial)
{
	return r->site && trial->flow ? site_flow(r->site, span_of(trial->flow)) : NULL;
}

static void check_source(struct trial_reading *r, const struct flow *flow, const struct trial_input *input)
{
	const char *names[NAMES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < flow->sources_count && n < NAMES_MAX; i++) {
		if (!strcmp(flow->sources[i].endpoint.name, input->source))
			return;
		names[n++] = flow->sources[i].endpoint.name;
	}
	unknown(r, input->place, "source of this flow", input->source, names, n);
}

void trial_check_input(struct trial_reading *r, const struct trial *trial, const struct trial_input *input)
{
	const struct flow *flow = flow_of(r, trial);

	if (!flow)
		return;
	if (input->source)
		check_source(r, flow, input);
	for (size_t i = 0; input->topic && i <= flow->subscribes_count; i++) {
		if (i == flow->subscribes_count)
			unknown(r, input->place, "topic that this flow subscribes to,", input->topic, flow->subscribes,
				flow->subscribes_count);
		else if (!strcmp(flow->subscribes[i], input->topic))
			break;
	}
	if (input->contract && !site_contract(r->site, input->contract))
		unknown(r, input->place, "contract", input->contract, NULL, 0);
}

void trial_check_answer(struct trial_reading *r, const struct trial *trial, const struct trial_answer *answer)
{
	(void)trial;
	check_endpoint(r, answer->place, answer->endpoint);
}

/* What can never happen, because the flow that would do it does not run, is a slip of the test. */
void trial_check_wanted(struct trial_reading *r, const struct trial *trial, const struct trial_wanted *wanted)
{
	const char *to = json_string_value(json_object_get(wanted->facts, "to")),
		   *topic = json_string_value(json_object_get(wanted->facts, "topic")),
		   *from = json_string_value(json_object_get(wanted->facts, "flow"));
	const struct flow *flow = flow_of(r, trial);

	if (to)
		check_endpoint(r, wanted->place, to);
	if (topic)
		check_topic(r, wanted->place, topic);
	if (from)
		trial_check_flow(r, from, wanted->place);
	if (flow && wanted->kind == TRIAL_DELIVERED && !flow->sink && !trial->follow_all && !trial->follow.count)
		trial_error(r, wanted->place, "trial.follow",
			    "%s publishes and delivers nothing itself; `follow: yes` lets the flows that subscribe "
			    "run, too",
			    flow->name);
}

static void note_variable(void *arg, struct span name, struct span fallback)
{
	char *key = mem_span_dup(name);

	(void)fallback;
	json_object_set_new(arg, key, json_true());
	free(key);
}

void trial_check_with(struct trial_reading *r, const struct node *with)
{
	const char *names[NAMES_MAX], *name;
	json_t *asked = json_object(), *value;
	size_t n = 0;

	for (size_t i = 0; r->site && i < r->site->bundle->count; i++)
		yaml_variables_each(r->site->bundle->files[i].text, note_variable, asked);
	json_object_foreach(asked, name, value) {
		if (n < NAMES_MAX)
			names[n++] = name;
	}
	for (size_t i = 0; with && with->type == NODE_MAP && i < with->count; i++) {
		char *key = mem_span_dup(with->pairs[i].key.text);

		if (!json_object_get(asked, key))
			unknown(r, with->pairs[i].key.place, "file that asks for the variable", key, names, n);
		free(key);
	}
	json_decref(asked);
}

/* ---- documents
 * ------------------------------------------------------------------------------------------------------- */
/* What stands beside `cases`, with what the case says over it. */
static const struct node *with_defaults(struct trials *trials, const struct node *whole, const struct node *one)
{
	struct node *node = arena_alloc(trials->arena, sizeof *node);

	*node = *one;
	node->pairs = arena_alloc(trials->arena, (whole->count + one->count + 1) * sizeof *node->pairs);
	memcpy(node->pairs, one->pairs, one->count * sizeof *node->pairs);
	for (size_t i = 0; i < whole->count; i++) {
		char *key = mem_span_dup(whole->pairs[i].key.text);

		if (strcmp(key, "cases") != 0 && !node_find(one, key))
			node->pairs[node->count++] = whole->pairs[i];
		free(key);
	}
	return node;
}

static void read_document(struct trial_reading *r, const struct node *node)
{
	const struct node *cases = node_find(node, "cases");

	if (node->type != NODE_MAP) {
		trial_error(r, node->place, "trial.form", "a test begins with `test: what it shows`");
		return;
	}
	if (!cases) {
		trial_read_one(r, node);
		return;
	}
	if (cases->type != NODE_LIST || !cases->count)
		trial_error(r, cases->place, "trial.form", "`cases` is a list of tests");
	for (size_t i = 0; cases->type == NODE_LIST && i < cases->count; i++) {
		if (cases->items[i]->type == NODE_MAP)
			trial_read_one(r, with_defaults(r->trials, node, cases->items[i]));
		else
			trial_error(r, cases->items[i]->place, "trial.form",
				    "a case begins with `test: what it shows`");
	}
}

/* ---- files ------------------------------------------------------------------------------------------------------- */
static int open_file(struct trials *trials, const char *directory, const char *relative, struct error *error)
{
	char path[PATH_MAX];
	struct reader *reader;
	struct stat status;
	struct buf text;
	int fd, result;

	if (trials->files_count == TRIAL_FILES_MAX)
		return error_set(error, ERROR_FATAL, "trial.unreadable", "tests/ has more than %d files",
				 TRIAL_FILES_MAX);
	snprintf(path, sizeof path, "%s/%s", directory, relative);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode)) {
		error_errno(error, ERROR_FATAL, "trial.unreadable", "%s cannot be read", relative);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	reader = reader_new_fd(fd, 0, (uint64_t)status.st_size);
	buf_init(&text, YAML_SIZE_MAX + 1);
	result = reader_all(reader, &text, error);
	reader_unref(reader);
	if (!result) {
		trials->files = mem_grow(trials->files, &trials->files_capacity, trials->files_count + 1,
					 sizeof *trials->files);
		trials->files[trials->files_count++] = (struct trial_file){arena_strdup(trials->arena, relative),
									   arena_span(trials->arena, buf_view(&text))};
	}
	buf_free(&text);
	return result ? error_wrap(error, "%s", relative) : 0;
}

static int open_folder(struct trials *trials, const char *directory, const char *relative, int depth,
		       struct error *error)
{
	char path[PATH_MAX];
	struct dirent **entries;
	int n, result = 0;

	snprintf(path, sizeof path, "%s/%s", directory, relative);
	n = scandir(path, &entries, NULL, alphasort);
	if (n < 0)
		return errno == ENOENT
			       ? 0
			       : error_errno(error, ERROR_FATAL, "trial.unreadable", "%s cannot be read", relative);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		char *below = mem_printf("%s/%s", relative, name), *whole = mem_printf("%s/%s", path, name);
		struct stat status;

		if (!result && *name != '.' && !stat(whole, &status)) {
			if (S_ISDIR(status.st_mode) && strcmp(name, "files") != 0 && depth < DEPTH_MAX)
				result = open_folder(trials, directory, below, depth + 1, error);
			else if (S_ISREG(status.st_mode) && yaml_is_file(name))
				result = open_file(trials, directory, below, error);
		}
		free(below);
		free(whole);
		free(entries[i]);
	}
	free(entries);
	return result;
}

int trials_open(struct trials *trials, const char *directory, struct error *error)
{
	*trials = (struct trials){.arena = arena_new(), .values = json_array(), .asked = json_object()};
	return open_folder(trials, directory, "tests", 1, error);
}

/* What was told of a byte in a value, jq that does not compile, gets its line and column. */
static void resolve_places(const struct trial_file *file, struct findings *findings, size_t from)
{
	for (size_t i = from; i < findings->count; i++) {
		struct finding *f = &findings->list[i];

		if (!f->within || strcmp(f->start.file, file->path) != 0)
			continue;
		yaml_place_within(file->text, f->start, f->offset, NULL, &f->place);
		f->within = false;
	}
}

void trials_parse(struct trials *trials, const char *directory, const struct site *site, bool may_be_empty,
		  struct findings *findings)
{
	struct trial_reading r = {trials, directory, site, findings, may_be_empty};

	for (size_t i = 0; i < trials->files_count; i++) {
		const struct trial_file *file = &trials->files[i];
		struct yaml_documents documents = {0};
		size_t before = findings->count;

		yaml_read(trials->arena, findings, file->path, file->text, NULL, &documents);
		for (size_t k = 0; k < documents.count; k++)
			read_document(&r, documents.items[k]);
		resolve_places(file, findings, before);
	}
}

int trials_read(struct trials *trials, const char *directory, const struct site *site, bool may_be_empty,
		struct findings *findings, struct error *error)
{
	if (trials_open(trials, directory, error))
		return -1;
	trials_parse(trials, directory, site, may_be_empty, findings);
	return 0;
}

void trials_free(struct trials *trials)
{
	for (size_t i = 0; i < trials->count; i++)
		for (size_t k = 0; k < trials->list[i].wanted_count; k++)
			for (size_t e = 0; e < trials->list[i].wanted[k].where.count; e++)
				expression_drop(trials->list[i].wanted[k].where.items[e]);
	free(trials->list);
	free(trials->files);
	json_decref(trials->values);
	json_decref(trials->asked);
	if (trials->arena)
		arena_free(trials->arena);
	*trials = (struct trials){0};
}
