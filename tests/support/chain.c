/* Chains from JSON. See chain.h. */
#include "config.h"
#include "tests/support/chain.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/tree.h"
#include "tests/support/support.h"

static const struct transformer_ops *const all[] = {
	&collect_transformer, &decode_transformer, &dedupe_transformer,     &encode_transformer,
	&enrich_transformer,  &filter_transformer, &map_transformer,        &remember_transformer,
	&route_transformer,   &split_transformer,  &resequence_transformer, &validate_transformer,
	&xsd_transformer,     &xslt_transformer,   &schematron_transformer, &gunzip_transformer,
	&gzip_transformer,    &unzip_transformer,  &zip_transformer};

static const char *text_at(struct made_chain *made, const struct node *node, const char *key)
{
	const struct node *value = node_find(node, key);

	return value ? arena_span(made->arena, value->text).data : "";
}

static struct node *node_of(struct arena *arena, json_t *json)
{
	struct node *node = arena_alloc(arena, sizeof *node);
	char *text;

	node->place = (struct place){"config.json", 1, 1};
	if (json_is_array(json)) {
		node->type = NODE_LIST;
		node->count = json_array_size(json);
		node->items = arena_alloc(arena, node->count * sizeof *node->items);
		for (size_t i = 0; i < node->count; i++)
			node->items[i] = node_of(arena, json_array_get(json, i));
	} else if (json_is_object(json)) {
		size_t i = 0;
		const char *key;
		json_t *value;

		node->type = NODE_MAP;
		node->count = json_object_size(json);
		node->pairs = arena_alloc(arena, node->count * sizeof *node->pairs);
		json_object_foreach(json, key, value) {
			node->pairs[i].key = (struct node){
				.type = NODE_SCALAR, .place = node->place, .text = span_of(arena_strdup(arena, key))};
			node->pairs[i++].value = node_of(arena, value);
		}
	} else {
		text = json_is_string(json) ? NULL : json_dumps(json, JSON_ENCODE_ANY);
		node->text = arena_span(arena, span_of(text ? text : json_string_value(json)));
		node->quoted = json_is_string(json);
		free(text);
	}
	return node;
}

static const struct span *mapping_of(void *site, const char *name, const char **file)
{
	struct made_chain *made = site;
	char *path = mem_printf("%s/%s", made->directory, name);
	struct span *text = arena_alloc(made->arena, sizeof *text);
	size_t n;
	char *content = support_read(path, &n);

	free(path);
	if (!content)
		return NULL;
	*text = arena_span(made->arena, span_make(content, n));
	free(content);
	*file = arena_strdup(made->arena, name);
	return text;
}

static const json_t *contract_of(void *site, const char *name)
{
	struct made_chain *made = site;

	return json_object_get(json_object_get(made->config, "contracts"), name);
}

static const struct lookup_table *table_of(void *site, const char *name, struct error *error)
{
	struct made_chain *made = site;
	struct lookup_table *table = arena_alloc(made->arena, sizeof *table);
	const char *column;
	json_t *unused;

	table->file = arena_printf(made->arena, "tables/%s", name);
	table->rows = json_object_get(json_object_get(made->config, "tables"), name);
	table->lines = arena_alloc(made->arena, (json_array_size(table->rows) + 1) * sizeof *table->lines);
	table->columns = arena_alloc(made->arena, 20 * sizeof *table->columns);
	json_object_foreach(json_array_get(table->rows, 0), column, unused)
		table->columns[table->columns_count++] = column;
	return table;
}

/* A file of the test's folder, or the one above, which several share, or one that ships. */
static const struct span *file_of(void *site, const char *folder, const char *name)
{
	const struct made_chain *made = site;
	struct made_chain shipped = {.arena = made->arena};
	const char *unused;
	const struct span *text = mapping_of(site, name, &unused);

	if (!text)
		text = mapping_of(site, arena_printf(made->arena, "../%s", name), &unused);
	if (text)
		return text;
	shipped.directory = arena_printf(made->arena, "%s/config/%s",
					 getenv("FERRULE_SRCDIR") ? getenv("FERRULE_SRCDIR") : SRCDIR, folder);
	return mapping_of(&shipped, name, &unused);
}

static const struct transformer_ops *find(const char *name)
{
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	fail_msg("there is no transformer %s", name);
	return NULL;
}

/* ---- steps */
struct making {
	struct made_chain *made;
	struct option_context context;
	struct transformer_context surroundings;
	struct chain_branch *branches;
	size_t count;
	const char *label;
};

static size_t make_steps(struct making *, const struct node *list, struct chain_step **into);

static void make_branch(void *arg, const struct node *node, bool shared)
{
	struct making *m = arg;
	struct making inner = *m;
	struct chain_branch *branch = &m->branches[m->count++];
	struct chain_step *steps;

	branch->topic = text_at(m->made, node, "publish");
	branch->label = shared ? arena_printf(m->made->arena, "%s>%s", m->label, branch->topic) : m->label;
	branch->steps_count = make_steps(&inner, node_find(node, "steps"), &steps);
	branch->steps = steps;
}

static void make_step(struct making *m, const struct node *node, struct chain_step *step)
{
	const struct pair *pair = &node->pairs[0];
	const struct node *reject = node_find(node, "on-reject");
	struct findings *findings = m->context.findings;
	void *settings;

	step->ops = find(arena_span(m->made->arena, pair->key.text).data);
	step->settings = settings = arena_alloc(m->made->arena, step->ops->settings_size);
	step->label = m->label = step->ops->name;
	option_fill(&m->context, pair->value, step->ops->options, NULL, settings);
	if (!findings->errors && step->ops->check)
		step->ops->check(settings, &m->surroundings, pair->value->place, findings);
	if (findings->errors)
		fail_msg("step %s: %s", step->label, findings->list[0].text);
	m->branches = arena_alloc(m->made->arena, 20 * sizeof *m->branches);
	m->count = 0;
	if (step->ops->branches)
		step->ops->branches(settings, make_branch, m);
	step->branches = m->branches;
	step->branches_count = m->count;
	if (reject) {
		make_branch(m, reject, false);
		step->on_reject = &m->branches[m->count - 1];
		m->branches[m->count - 1].label = "on-reject";
	}
}

static size_t make_steps(struct making *m, const struct node *list, struct chain_step **into)
{
	size_t n = list ? list->count : 0;

	*into = arena_alloc(m->made->arena, (n + 1) * sizeof **into);
	for (size_t i = 0; i < n; i++)
		make_step(m, list->items[i], &(*into)[i]);
	return n;
}

struct made_chain *made_chain_new(const char *config, const char *directory, const char *flow,
				  const struct chain_limits *limits)
{
	struct made_chain *made = mem_alloc(sizeof *made);
	struct making m = {.made = made,
			   .context = {.mapping = mapping_of, .site = made},
			   .surroundings = {.site = made, .contract = contract_of, .table = table_of, .file = file_of}};
	struct chain_step *steps;
	struct findings findings;
	struct error error;
	size_t n;

	findings_init(&findings);
	m.context.findings = &findings;
	made->directory = directory;
	made->arena = m.context.arena = arena_new();
	made->config = tree_parse_new(span_of(config), &error);
	if (!made->config)
		fail_msg("%s", error.text);
	n = make_steps(&m, node_of(made->arena, json_object_get(made->config, "steps")), &steps);
	made->chain = chain_new(flow, steps, n, &m.surroundings, limits, &error);
	if (!made->chain)
		fail_msg("%s", error.text);
	findings_free(&findings);
	return made;
}

void made_chain_free(struct made_chain *made)
{
	chain_free(made->chain);
	json_decref(made->config);
	arena_free(made->arena);
	free(made);
}

/* ---- what came out, as lines */
static void put_span(json_t *line, const char *name, struct span value)
{
	if (value.len)
		json_object_set_new(line, name, json_stringn(value.data, value.len));
}

static int put_line(struct came *came, json_t *line)
{
	tree_write(&came->lines, line, 0);
	buf_char(&came->lines, '\n');
	json_decref(line);
	return 0;
}

/* What a durable step says of what waits in it. */
static void put_hold(json_t *line, const struct chain_output *output)
{
	static const char *const policies[] = {"reject", "pass", "hold"};
	const struct hold *hold = output->hold;
	json_t *held = json_pack("{s:s s:s}", "step", output->step, "policy", policies[hold->policy]);

	put_span(held, "key", hold->label);
	if (hold->count)
		json_object_set_new(held, "count", json_integer((json_int_t)hold->count));
	if (hold->bytes)
		json_object_set_new(held, "bytes", json_integer((json_int_t)hold->bytes));
	if (hold->within_ms)
		json_object_set_new(held, "within", json_integer(hold->within_ms));
	if (hold->at_minute >= 0)
		json_object_set_new(held, "at", json_integer(hold->at_minute));
	if (hold->group)
		json_object_set_new(held, "place",
				    json_sprintf("%u of %u", (unsigned)hold->place, (unsigned)hold->group_size));
	if (hold->kind == HOLD_SEQUENCE)
		json_object_set_new(held, "number", json_integer(hold->number));
	if (hold->everywhere)
		json_object_set_new(held, "everywhere", json_true());
	json_object_set_new(line, "held", held);
}

static int on_group(void *arg, struct span group, uint32_t size, struct error *error)
{
	struct came *came = arg;
	json_t *line = json_object();

	if (!came->with_groups)
		return json_decref(line), 0;
	put_span(line, "group", group);
	json_object_set_new(line, "size", json_integer(size));
	return put_line(came, line);
}

/* Bytes that are no UTF-8 are shown each as a character, behind a word that says so. */
static json_t *text_of(struct span bytes)
{
	json_t *text = json_stringn(bytes.data ? bytes.data : "", bytes.len);
	struct buf wide;

	if (text)
		return text;
	buf_init(&wide, 1 << 20);
	buf_text(&wide, "bytes: ");
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char c = (unsigned char)bytes.data[i];

		if (c >= 0x80)
			buf_char(&wide, (char)(0xc0 | c >> 6));
		buf_char(&wide, (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c));
	}
	text = json_stringn(wide.data, wide.len);
	buf_free(&wide);
	return text;
}

static int on_publish(void *arg, const struct chain_output *output, struct error *error)
{
	struct came *came = arg;
	json_t *line = json_object(), *keys = json_object();
	struct buf body, compact;
	char hex[ID_TEXT];

	buf_init(&body, 1 << 20);
	assert_int_equal(reader_all(output->body, &body, error), 0);
	if (output->topic)
		json_object_set_new(line, "topic", json_string(output->topic));
	if (output->hold)
		put_hold(line, output);
	put_span(line, "path", output->item->path);
	put_span(line, "position", output->item->position);
	put_span(line, "contract", output->item->contract);
	put_span(line, "type", output->media_type);
	for (size_t i = 0; i < output->item->keys_count; i++) {
		char *name = mem_span_dup(output->item->keys[i].name);

		put_span(keys, name, output->item->keys[i].value);
		free(name);
	}
	if (output->item->keys_count)
		json_object_set(line, "keys", keys);
	json_decref(keys);
	if (came->with_ids) {
		id_hex(&output->id, hex);
		hex[12] = '\0';
		json_object_set_new(line, "id", json_string(hex));
	}
	buf_init(&compact, 1 << 20);
	if (output->item->tree)
		tree_write(&compact, output->item->tree, 0);
	if (output->item->tree && span_equal(buf_view(&compact), buf_view(&body)))
		json_object_set(line, "out", output->item->tree);
	else if (!output->item->tree && span_is(output->media_type, "application/json"))
		json_object_set_new(line, "out", tree_parse_new(buf_view(&body), NULL));
	else
		json_object_set_new(line, "text", text_of(buf_view(&body)));
	buf_free(&body);
	buf_free(&compact);
	came->published++;
	return put_line(came, line);
}

static int on_dead(void *arg, const struct item *item, const char *step, const struct error *why, struct span content,
		   struct error *error)
{
	struct came *came = arg;
	json_t *line = json_object();

	json_object_set_new(line, "dead", json_string(why->code));
	json_object_set_new(line, "step", json_string(step));
	put_span(line, "path", item->path);
	put_span(line, "position", item->position);
	json_object_set_new(line, "why", json_string(why->text));
	came->dead++;
	came->content_len = content.len;
	return put_line(came, line);
}

static int on_drop(void *arg, const struct item *item, const char *step, const char *why, struct error *error)
{
	struct came *came = arg;
	json_t *line = json_object();

	json_object_set_new(line, "drop", json_string(why));
	json_object_set_new(line, "step", json_string(step));
	put_span(line, "path", item->path);
	came->dropped++;
	return put_line(came, line);
}

/* ---- the store: a map of tables in the config */
static int on_lookup(void *arg, const char *table, json_t *keys, json_t **values, struct error *error)
{
	struct came *came = arg;

	came->asked++;
	*values = stores_lookup_new(came->stores, table, keys);
	return 0;
}

static int on_remember(void *arg, const struct item *item, const char *table, struct span key, json_t *value,
		       bool replace, struct error *error)
{
	struct came *came = arg;
	char *name = mem_span_dup(key);

	put_line(came,
		 json_pack("{s:s s:s s:O s:b}", "remember", table, "key", name, "value", value, "replace", replace));
	free(name);
	return 0;
}

int made_chain_run(struct made_chain *made, struct span body, struct span part, struct came *came, struct error *error)
{
	struct chain_events events = {.arg = came,
				      .publish = on_publish,
				      .dead = on_dead,
				      .drop = on_drop,
				      .lookup = on_lookup,
				      .remember = on_remember,
				      .group = on_group};
	struct message *message = message_new();
	const char *type = json_string_value(json_object_get(made->config, "media_type"));
	int result;

	buf_reset(&came->lines);
	came->stores = json_object_get(made->config, "stores");
	came->asked = 0;
	came->with_groups = json_is_true(json_object_get(made->config, "groups"));
	came->published = came->dead = came->dropped = 0;
	came->lines.max = 64 << 20;
	memset(&message->id, 7, sizeof message->id);
	message->time_ms = message->accepted_ms = 1769860800000;
	message_set(message, &message->part, part);
	message_set(message, &message->datacontenttype, span_of(type));
	message_set(message, &message->origin.name, SPAN_LITERAL("in"));
	message_body_take(message, reader_new_copy(body));
	result = chain_run(made->chain, message, &events, error);
	message_free(message);
	return result;
}
