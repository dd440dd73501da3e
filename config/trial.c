/* The tests of a site: from YAML to what has to happen. See trial.h. Files are found and read in trial_files.c. */
#include "config.h"
#include "config/trial_private.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/expression.h"

/* ---- option tables ------------------------------------------------------------------------------------------------
 */
struct trial_settings {
	const char *name, *flow, *now;
	const struct node *input, *follow, *with, *stores, *answers, *cases, *sections[TRIAL_KINDS];
};
#define AT(holder, field) .offset = offsetof(struct holder, field)
#define TEXT(holder, key, field, ...)                                                                                  \
	{                                                                                                              \
		.name = key, .type = OPTION_TEXT, AT(holder, field), __VA_ARGS__                                       \
	}
#define NODE(holder, key, field, ...)                                                                                  \
	{                                                                                                              \
		.name = key, .type = OPTION_NODE, AT(holder, field), __VA_ARGS__                                       \
	}

const struct option trial_input_options[] = {
	TEXT(input_settings, "file", file, .flags = OPTION_MAIN, .help = "A file of the site with the input"),
	TEXT(input_settings, "text", text, .help = "The input itself"),
	NODE(input_settings, "json", json, .help = "The input itself, as data: it is handed over as compact JSON"),
	TEXT(input_settings, "name", name, .help = "What the source calls it; the file's name where there is one"),
	TEXT(input_settings, "type", type, .help = "Its media type"),
	TEXT(input_settings, "source", source, .help = "The endpoint it comes from; the flow's first"),
	TEXT(input_settings, "topic", topic, .help = "The topic it was published to; the flow's first"),
	TEXT(input_settings, "id", id, .help = "The event's id, for a webhook"),
	TEXT(input_settings, "contract", contract, .help = "The contract it is valid against: order/v1"),
	TEXT(input_settings, "part", part,
	     .help = "Only what comes of this part of it, as a split or decoder counts: 1/1/3"),
	TEXT(input_settings, "time", time, .help = "When it happened (RFC 3339); the test's `now`"),
	NODE(input_settings, "headers", headers, .flags = OPTION_NAMED, .range = "<text>",
	     .help = "Headers that came with it"),
	NODE(input_settings, "keys", keys, .flags = OPTION_NAMED, .range = "<text>",
	     .help = "Business keys that it has already"),
	OPTION_END,
};

const struct option trial_answer_options[] = {
	{.name = "status",
	 .type = OPTION_INT,
	 AT(answer_settings, status),
	 .range = "100..599",
	 .flags = OPTION_MAIN,
	 .help = "The status that a target over HTTP answers"},
	TEXT(answer_settings, "fails", fails,
	     .help = "How the delivery fails: connect, timeout or broken over HTTP; "
		     "exists, full, denied or missing for a file"),
	TEXT(answer_settings, "body", body, .help = "What the answer says"),
	{.name = "retry-after",
	 .type = OPTION_DURATION,
	 AT(answer_settings, retry_after_ms),
	 .help = "How long the target asks to wait"},
	OPTION_END,
};

/* What every body can be compared with. */
#define BODY                                                                                                           \
	NODE(wanted_settings, "body", body, .help = "Its body as data: equal"),                                        \
		NODE(wanted_settings, "has", has,                                                                      \
		     .help = "Its body as data: at least this; lists are compared whole"),                             \
		{.name = "where",                                                                                      \
		 .type = OPTION_EXPRESSIONS,                                                                           \
		 AT(wanted_settings, where),                                                                           \
		 .help = "jq over its body that must be true, or a list"},                                             \
		TEXT(wanted_settings, "text", text, .help = "Its body, byte by byte"),                                 \
		TEXT(wanted_settings, "file", file, .help = "Its body, byte by byte, as in a file of the site"),       \
		NODE(wanted_settings, "keys", keys, .flags = OPTION_NAMED, .range = "<text>",                          \
		     .help = "Business keys that it has: NAME: value")
#define COUNT                                                                                                          \
	{.name = "count",                                                                                              \
	 .type = OPTION_INT,                                                                                           \
	 AT(wanted_settings, count),                                                                                   \
	 .fallback = "1",                                                                                              \
	 .range = "1..1000000",                                                                                        \
	 .help = "How many of it"},                                                                                    \
		TEXT(wanted_settings, "flow", flow, .help = "The flow that it comes from")

static const struct option published_options[] = {
	TEXT(wanted_settings, "topic", topic, .flags = OPTION_MAIN, .help = "The topic"),
	TEXT(wanted_settings, "contract", contract, .help = "The contract that it was validated against"),
	TEXT(wanted_settings, "part", part,
	     .help = "The part of the input that it is, as a split or decoder counts: 1/1/3"),
	BODY,
	COUNT,
	OPTION_END,
};
static const struct option delivered_options[] = {
	TEXT(wanted_settings, "to", to, .flags = OPTION_MAIN, .help = "The endpoint"),
	TEXT(wanted_settings, "path", path, .help = "The file's path, or the url's from the host on"),
	TEXT(wanted_settings, "url", url, .help = "The whole url"),
	TEXT(wanted_settings, "method", method, .help = "The method of the request"),
	TEXT(wanted_settings, "key", key, .help = "The idempotency key that the flow declares"),
	NODE(wanted_settings, "headers", headers, .flags = OPTION_NAMED, .range = "<text>",
	     .help = "Headers that are sent: NAME: value"),
	{.name = "outcome",
	 .type = OPTION_ENUM,
	 AT(wanted_settings, outcome),
	 .fallback = "delivered",
	 .range = TRIAL_OUTCOMES,
	 .help = "What becomes of it, given the answer"},
	TEXT(wanted_settings, "code", code, .help = "The code of what went wrong"),
	TEXT(wanted_settings, "reason", reason, .help = "What went wrong: contains"),
	BODY,
	COUNT,
	OPTION_END,
};
static const struct option dead_options[] = {
	TEXT(wanted_settings, "code", code, .flags = OPTION_MAIN, .help = "The code of the reason"),
	TEXT(wanted_settings, "step", step, .help = "The step that refused it"),
	TEXT(wanted_settings, "reason", reason, .help = "The reason: contains"),
	TEXT(wanted_settings, "position", position, .help = "Where in the document: contains"),
	TEXT(wanted_settings, "content", content, .help = "What the step had in hand: contains"),
	COUNT,
	OPTION_END,
};
static const struct option dropped_options[] = {
	TEXT(wanted_settings, "step", step, .flags = OPTION_MAIN, .help = "The step that let it fall"),
	TEXT(wanted_settings, "why", why, .help = "Why: contains"),
	COUNT,
	OPTION_END,
};

const struct option trial_options[] = {
	TEXT(trial_settings, "test", name, .flags = OPTION_REQUIRED, .help = "What it shows, in a few words"),
	TEXT(trial_settings, "flow", flow, .flags = OPTION_REQUIRED, .help = "The flow that takes the input"),
	NODE(trial_settings, "input", input, .flags = OPTION_REQUIRED | OPTION_LIST, .table = trial_input_options,
	     .help = "What it takes: a file of the site, or {text: …}, or {json: …}; or a list"),
	TEXT(trial_settings, "now", now, .help = "The time at which it happens (RFC 3339); 2026-01-01T00:00:00Z"),
	NODE(trial_settings, "follow", follow, .range = "yes|no|<texts>",
	     .help = "yes: the flows that subscribe take what is published, too; or a list of those that do"),
	NODE(trial_settings, "with", with, .flags = OPTION_NAMED, .range = "<text>", .help = "Values for ${NAME}"),
	NODE(trial_settings, "stores", stores, .flags = OPTION_NAMED, .range = "<data>",
	     .help = "What tables of the store know before: {TABLE: {KEY: value}}"),
	NODE(trial_settings, "answers", answers, .flags = OPTION_NAMED, .table = trial_answer_options,
	     .help = "What endpoints answer, by name; without a word they take everything"),
	NODE(trial_settings, "published", sections[TRIAL_PUBLISHED], .flags = OPTION_LIST, .range = "none|<count>",
	     .table = published_options, .help = "What must be published: a list, or how many"),
	NODE(trial_settings, "delivered", sections[TRIAL_DELIVERED], .flags = OPTION_LIST, .range = "none|<count>",
	     .table = delivered_options, .help = "What must be delivered: a list, or how many"),
	NODE(trial_settings, "dead", sections[TRIAL_DEAD], .flags = OPTION_LIST, .range = "none|<count>",
	     .table = dead_options, .help = "What must be refused; nothing, when it is left out"),
	NODE(trial_settings, "dropped", sections[TRIAL_DROPPED], .flags = OPTION_LIST, .range = "none|<count>",
	     .table = dropped_options, .help = "What must be filtered out: a list, or how many"),
	NODE(trial_settings, "cases", cases, .range = "<cases>",
	     .help = "Several tests that share what stands beside it"),
	OPTION_END,
};

const struct option *const trial_section_options[TRIAL_KINDS] = {published_options, delivered_options, dead_options,
								 dropped_options};
const char *const trial_section_names[TRIAL_KINDS] = {"published", "delivered", "dead", "dropped"};
static const char *const outcomes[] = {"delivered", "retry", "doubt", "dead"};

/* ---- values -------------------------------------------------------------------------------------------------------
 */
static json_t *keep(struct trial_reading *r, json_t *value)
{
	if (value)
		json_array_append_new(r->trials->values, value);
	return value;
}

static bool is_number(struct span text)
{
	char *end, *copy;
	bool number;

	if (!text.len || text.len > 40 || strspn(text.data, "-0123456789") == 0 ||
	    (text.data[0] == '0' && text.len > 1 && text.data[1] >= '0' && text.data[1] <= '9'))
		return false;
	copy = mem_span_dup(text);
	strtod(copy, &end);
	number = !*end && strspn(copy, "-+.eE0123456789") == text.len;
	free(copy);
	return number;
}

static json_t *scalar_new(const struct node *node)
{
	char *copy;
	json_t *value;

	if (node->quoted)
		return json_stringn(node->text.len ? node->text.data : "", node->text.len);
	if (!node->text.len || span_is(node->text, "null") || span_is(node->text, "~"))
		return json_null();
	if (span_is(node->text, "true") || span_is(node->text, "false"))
		return json_boolean(node->text.data[0] == 't');
	if (!is_number(node->text))
		return json_stringn(node->text.data, node->text.len);
	copy = mem_span_dup(node->text);
	if (strpbrk(copy, ".eE") || node->text.len > 18)
		value = isfinite(strtod(copy, NULL)) ? json_real(strtod(copy, NULL)) : json_string(copy);
	else
		value = json_integer(strtoll(copy, NULL, 10));
	free(copy);
	return value;
}

json_t *trial_json_new(const struct node *node)
{
	json_t *value;

	if (node->type == NODE_SCALAR)
		return scalar_new(node);
	value = node->type == NODE_MAP ? json_object() : json_array();
	for (size_t i = 0; i < node->count; i++) {
		char *key = node->type == NODE_MAP ? mem_span_dup(node->pairs[i].key.text) : NULL;

		if (key)
			json_object_set_new(value, key, trial_json_new(node->pairs[i].value));
		else
			json_array_append_new(value, trial_json_new(node->items[i]));
		free(key);
	}
	return value;
}

/* A map of names to texts, as it was typed. */
static json_t *texts_of(struct trial_reading *r, const struct node *node, const char *what)
{
	json_t *texts = keep(r, json_object());

	if (!node || (node->type == NODE_SCALAR && !node->text.len))
		return NULL;
	if (node->type != NODE_MAP) {
		trial_error(r, node->place, "trial.form", "`%s` is a map of names to values", what);
		return NULL;
	}
	for (size_t i = 0; i < node->count; i++) {
		const struct node *value = node->pairs[i].value;
		char *key = mem_span_dup(node->pairs[i].key.text);

		if (value->type != NODE_SCALAR ||
		    json_object_set_new(texts, key,
					json_stringn(value->text.len ? value->text.data : "", value->text.len)))
			trial_error(r, value->place, "trial.form", "`%s.%s` must be a text", what, key);
		free(key);
	}
	return texts;
}

static int fill(struct trial_reading *r, const struct node *node, const struct option *table, void *into)
{
	struct option_context context = {.arena = r->trials->arena, .findings = r->findings};

	return option_fill(&context, node, table, NULL, into);
}

static int64_t time_of(struct trial_reading *r, const struct node *map, const char *option, const char *text,
		       int64_t fallback)
{
	const struct node *node = node_find(map, option);
	int64_t ms;

	if (!text)
		return fallback;
	if (!clock_parse(span_of(text), &ms) && ms > 0)
		return ms;
	trial_error(r, node ? node->place : map->place, "trial.time",
		    "`%s: %s` is no time; write it as 2026-01-31T12:00:00Z", option, text);
	return fallback;
}

static struct place place_of(const struct node *map, const char *key)
{
	const struct node *value = map->type == NODE_MAP ? node_find(map, key) : NULL;

	return value ? value->place : map->place;
}

/* At most one of the three. A file with what is expected may be still to be written. */
static struct trial_content content_of(struct trial_reading *r, const struct node *node, bool input, const char *file,
				       const char *text, const struct node *json)
{
	struct trial_content content = {.file = file};

	if (text)
		content.text = span_make(text, strlen(text));
	if (json)
		content.json = keep(r, trial_json_new(json));
	if (!!file + !!text + !!json > 1)
		trial_error(r, node->place, "trial.content", "one of the file, the text and the data, not several");
	if (file && (*file == '/' || !strncmp(file, "../", 3) || strstr(file, "/../")))
		trial_error(r, place_of(node, "file"), "trial.file",
			    "`%s` is outside of the site: tests go where the site goes", file);
	else if (file && (!r->may_be_empty || input))
		trial_check_file(r, file, place_of(node, "file"));
	return content;
}

/* ---- input, answers -----------------------------------------------------------------------------------------------
 */
static void read_input(struct trial_reading *r, struct trial *trial, const struct node *node, struct trial_input *input)
{
	struct input_settings s = {0};

	if (fill(r, node, trial_input_options, &s))
		return;
	input->place = node->place;
	input->content = content_of(r, node, true, s.file, s.text, s.json);
	if (!s.file && !s.text && !s.json)
		trial_error(r, node->place, "trial.content", "the input needs one of: file, text, json");
	input->name = s.name;
	input->type = s.type;
	input->source = s.source;
	input->topic = s.topic;
	input->id = s.id;
	input->contract = s.contract;
	input->part = s.part;
	input->time_ms = time_of(r, node, "time", s.time, trial->now_ms);
	input->headers = texts_of(r, s.headers, "headers");
	input->keys = texts_of(r, s.keys, "keys");
	trial_check_input(r, trial, input);
}

static void read_inputs(struct trial_reading *r, struct trial *trial, const struct node *node)
{
	bool list = node->type == NODE_LIST;

	trial->inputs_count = list ? node->count : 1;
	trial->inputs = arena_alloc(r->trials->arena, (trial->inputs_count + 1) * sizeof *trial->inputs);
	for (size_t i = 0; i < trial->inputs_count; i++)
		read_input(r, trial, list ? node->items[i] : node, &trial->inputs[i]);
	if (!trial->inputs_count)
		trial_error(r, node->place, "trial.content", "the list of inputs is empty");
}

static void read_answer(struct trial_reading *r, struct trial *trial, const struct node *key, const struct node *node)
{
	struct trial_answer *answer = &trial->answers[trial->answers_count];
	struct answer_settings s = {0};

	if (fill(r, node, trial_answer_options, &s))
		return;
	if (!s.status && !s.fails)
		trial_error(r, node->place, "trial.answer", "an answer needs a status, or how it fails");
	*answer = (struct trial_answer){.place = node->place,
					.endpoint = arena_span(r->trials->arena, key->text).data,
					.answer = {s.status, s.fails, s.body, s.retry_after_ms}};
	trial_check_answer(r, trial, answer);
	trial->answers_count++;
}

static void read_answers(struct trial_reading *r, struct trial *trial, const struct node *node)
{
	size_t total = 0;

	if (!node)
		return;
	if (node->type != NODE_MAP) {
		trial_error(r, node->place, "trial.form", "`answers` is a map of endpoints to what they answer");
		return;
	}
	for (size_t i = 0; i < node->count; i++)
		total += node->pairs[i].value->type == NODE_LIST ? node->pairs[i].value->count : 1;
	trial->answers = arena_alloc(r->trials->arena, (total + 1) * sizeof *trial->answers);
	for (size_t i = 0; i < node->count; i++) {
		const struct node *value = node->pairs[i].value;

		if (value->type != NODE_LIST)
			read_answer(r, trial, &node->pairs[i].key, value);
		for (size_t k = 0; value->type == NODE_LIST && k < value->count; k++)
			read_answer(r, trial, &node->pairs[i].key, value->items[k]);
	}
}

/* ---- what must happen ---------------------------------------------------------------------------------------------
 */
static json_t *facts_of(struct trial_reading *r, enum trial_kind kind, const struct wanted_settings *s)
{
	json_t *facts = keep(r, json_object());

	for (const struct option *o = trial_section_options[kind]; o->name; o++) {
		const char *text = *(const char *const *)((const char *)s + o->offset);

		if (o->type == OPTION_TEXT && text && strcmp(o->name, "text") != 0 && strcmp(o->name, "file") != 0)
			json_object_set_new(facts, o->name, json_string(text));
	}
	if (kind == TRIAL_DELIVERED)
		json_object_set_new(facts, "outcome", json_string(outcomes[s->outcome]));
	return facts;
}

static void read_wanted(struct trial_reading *r, struct trial *trial, enum trial_kind kind, const struct node *node)
{
	struct trial_wanted *wanted = &trial->wanted[trial->wanted_count];
	struct wanted_settings s = {0};

	if (fill(r, node, trial_section_options[kind], &s))
		return;
	*wanted = (struct trial_wanted){.place = node->place, .kind = kind, .count = s.count};
	wanted->facts = facts_of(r, kind, &s);
	wanted->keys = texts_of(r, s.keys, "keys");
	wanted->headers = texts_of(r, s.headers, "headers");
	wanted->body = content_of(r, node, false, s.file, s.text, s.body);
	wanted->has = s.has ? keep(r, trial_json_new(s.has)) : NULL;
	wanted->where = s.where;
	for (size_t i = 0; i < s.where.count; i++)
		expression_check(s.where.items[i], r->findings);
	trial_check_wanted(r, trial, wanted);
	trial->wanted_count++;
}

/* `published: 3` stands for any three; `none` and [] for nothing. */
static void read_number(struct trial_reading *r, struct trial *trial, enum trial_kind kind, const struct node *node)
{
	struct trial_wanted *wanted = &trial->wanted[trial->wanted_count];
	char *text = mem_span_dup(node->text), *end;
	long long count = strtoll(text, &end, 10);

	if (!strcmp(text, "none") || (*text && !*end && count == 0)) {
		free(text);
		return;
	}
	if (!*text || *end || count < 0 || count > 1000000)
		trial_error(r, node->place, "trial.form", "`%s: %s`: a list is expected here, or how many, or none",
			    trial_section_names[kind], text);
	*wanted = (struct trial_wanted){.place = node->place, .kind = kind, .count = count};
	wanted->facts = keep(r, json_object());
	trial_check_wanted(r, trial, wanted);
	trial->wanted_count++;
	free(text);
}

static const struct pair *pair_of(const struct node *map, const char *name)
{
	for (size_t i = 0; i < map->count; i++)
		if (span_is(map->pairs[i].key.text, name))
			return &map->pairs[i];
	return NULL;
}

static void read_section(struct trial_reading *r, struct trial *trial, enum trial_kind kind, const struct node *node)
{
	const struct pair *pair = pair_of(trial->node, trial_section_names[kind]);

	if (!pair || !node)
		return;
	trial->said[kind] = node;
	trial->said_at[kind] = pair->key.place;
	if (node->type == NODE_SCALAR)
		read_number(r, trial, kind, node);
	else if (node->type == NODE_MAP)
		read_wanted(r, trial, kind, node);
	else
		for (size_t i = 0; i < node->count; i++)
			read_wanted(r, trial, kind, node->items[i]);
}

static void read_stores(struct trial_reading *r, struct trial *trial, const struct node *node)
{
	const char *table;
	json_t *rows;

	if (!node)
		return;
	trial->stores = keep(r, trial_json_new(node));
	if (trial->stores && !json_is_object(trial->stores))
		trial_error(r, node->place, "trial.form", "`stores` is a map of tables to {KEY: value}");
	json_object_foreach(trial->stores, table, rows) {
		if (!json_is_object(rows))
			trial_error(r, node->place, "trial.form", "`stores.%s` is a map of keys to values", table);
	}
}

static void read_follow(struct trial_reading *r, struct trial *trial, const struct node *node)
{
	size_t n = !node ? 0 : node->type == NODE_LIST ? node->count : 1;
	const char **names = arena_alloc(r->trials->arena, (n + 1) * sizeof *names);
	const char *text;

	for (size_t i = 0; i < n; i++) {
		const struct node *item = node->type == NODE_LIST ? node->items[i] : node;

		if (item->type != NODE_SCALAR) {
			trial_error(r, item->place, "trial.form", "`follow` is yes, no, or a list of flows");
			continue;
		}
		text = arena_span(r->trials->arena, item->text).data;
		if (node == item && (!strcmp(text, "yes") || !strcmp(text, "true") || !strcmp(text, "on")))
			trial->follow_all = true;
		else if (node == item && (!*text || !strcmp(text, "no") || !strcmp(text, "false")))
			continue;
		else if (trial_check_flow(r, text, item->place))
			names[trial->follow.count++] = text;
	}
	trial->follow.items = names;
}

/* ---- a test --------------------------------------------------------------------------------------------------------
 */
static size_t most_wanted(const struct trial_settings *s)
{
	size_t n = 0;

	for (int kind = 0; kind < TRIAL_KINDS; kind++)
		n += !s->sections[kind] ? 0 : s->sections[kind]->type == NODE_LIST ? s->sections[kind]->count : 1;
	return n;
}

static void read_parts(struct trial_reading *r, struct trial *trial, const struct trial_settings *s)
{
	trial->now_ms = time_of(r, trial->node, "now", s->now, TRIAL_NOW_MS);
	if (s->flow)
		trial_check_flow(r, s->flow, node_find(trial->node, "flow")->place);
	read_follow(r, trial, s->follow);
	trial->with = texts_of(r, s->with, "with");
	trial_check_with(r, s->with);
	read_stores(r, trial, s->stores);
	if (s->input)
		read_inputs(r, trial, s->input);
	read_answers(r, trial, s->answers);
	trial->wanted = arena_alloc(r->trials->arena, (most_wanted(s) + 1) * sizeof *trial->wanted);
	for (int kind = 0; kind < TRIAL_KINDS; kind++)
		read_section(r, trial, kind, s->sections[kind]);
	if (!r->may_be_empty && !trial->said[0] && !trial->said[1] && !trial->said[2] && !trial->said[3])
		trial_error(r, trial->place, "trial.empty",
			    "it says nothing of what must come out: published, delivered, dead or dropped; "
			    "`ferrule test --update` writes what does");
}

void trial_read_one(struct trial_reading *r, const struct node *node)
{
	struct trials *trials = r->trials;
	size_t before = r->findings->errors;
	struct trial_settings s = {0};
	const struct node *cases = node_find(node, "cases");
	struct trial *trial;

	if (cases) {
		trial_error(r, cases->place, "trial.form", "a case has no cases");
		return;
	}
	trials->list = mem_grow(trials->list, &trials->capacity, trials->count + 1, sizeof *trials->list);
	trial = &trials->list[trials->count];
	*trial = (struct trial){.place = node->place, .node = node, .name = "?"};
	fill(r, node, trial_options, &s);
	trial->name = s.name ? s.name : "?";
	trial->flow = s.flow;
	read_parts(r, trial, &s);
	for (size_t i = 0; s.name && i < trials->count; i++)
		if (!strcmp(trials->list[i].name, s.name) && trials->list[i].place.file == node->place.file)
			trial_error(r, node->place, "trial.twice",
				    "a test of this name stands in line %d already: `%s`", trials->list[i].place.line,
				    s.name);
	trial->sound = r->findings->errors == before;
	trials->count++;
}
