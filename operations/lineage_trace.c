/* Finding a message by what people know of it, and telling its life: up to where it came from, down to all that came of
 * it. */
#include "config.h"
#include "operations/lineage.h"

#include <stdlib.h>

#include "operations/ask_private.h"
#include "operations/lineage_private.h"

#define MATCHES_MAX 50 /* messages of one key */

/* One message of the answer. */
struct trace_node {
	struct id id, parent;
	bool match;
	json_t *json;             /* moves into its parent's children, or into the tree */
	int64_t first_ms, number; /* of its first row */
};

struct trace {
	struct db *db;
	size_t most, count, capacity;
	struct trace_node *nodes;
	bool truncated, ambiguous;
	json_t *by;
	size_t matches;
	struct id found[MATCHES_MAX];
};

static struct trace_node *trace_find(struct trace *trace, const struct id *id)
{
	for (size_t i = 0; i < trace->count; i++)
		if (id_equal(&trace->nodes[i].id, id))
			return &trace->nodes[i];
	return NULL;
}

static void trace_add(struct trace *trace, const struct id *id)
{
	if (trace_find(trace, id))
		return;
	if (trace->count == trace->most) {
		trace->truncated = true;
		return;
	}
	trace->nodes = mem_grow(trace->nodes, &trace->capacity, trace->count + 1, sizeof *trace->nodes);
	trace->nodes[trace->count++] = (struct trace_node){.id = *id};
}

/* ---- finding */

static void match_add(struct trace *trace, struct span message, struct span by)
{
	struct id id;
	size_t i;

	if (id_from_span(&id, message))
		return;
	for (i = 0; i < trace->matches; i++)
		if (id_equal(&trace->found[i], &id))
			return;
	if (trace->matches == MATCHES_MAX) {
		trace->truncated = true;
		return;
	}
	trace->found[trace->matches++] = id;
	for (i = 0; i < json_array_size(trace->by); i++)
		if (span_is(by, json_string_value(json_array_get(trace->by, i))))
			return;
	json_array_append_new(trace->by, ask_string(by));
}

static int take_named(void *arg, const struct value *row, size_t columns)
{
	match_add(arg, row[0].bytes, row[1].bytes);
	return 0;
}

struct prefixed {
	struct id ids[2];
	size_t n;
};

static int take_prefixed(void *arg, const struct value *row, size_t columns)
{
	struct prefixed *p = arg;

	if (!id_from_span(&p->ids[p->n], row[0].bytes))
		p->n++;
	return p->n == 2;
}

/* A correlation id is the id of the first message, so it is found here too. */
static int find_by_id(struct trace *trace, struct span key, struct error *error)
{
	struct prefixed p = {.n = 0};
	struct id low, high;
	struct value values[2];

	if (ask_range_parse(key, &low, &high))
		return 0;
	values[0] = STORE_ID(&low);
	values[1] = STORE_ID(&high);
	if (db_run(trace->db, "SELECT DISTINCT message FROM lineage WHERE message BETWEEN $1 AND $2 LIMIT 2", values, 2,
		   take_prefixed, &p, error))
		return -1;
	if (p.n == 1)
		match_add(trace, id_span(&p.ids[0]), SPAN_LITERAL("message id"));
	trace->ambiguous = p.n == 2;
	return 0;
}

static int find(struct trace *trace, struct span key, struct error *error)
{
	struct value values[] = {VALUE_OF_TEXT(key), VALUE_OF_INT(MATCHES_MAX + 1)};

	return db_run(trace->db,
		      "SELECT message, kind FROM lineage_names WHERE value = $1 ORDER BY kind, message LIMIT $2",
		      values, 2, take_named, trace, error) ||
	       find_by_id(trace, key, error);
}

/* ---- walking */

struct step {
	struct trace *trace;
	struct id parent;
	bool found;
};

static int take_parent(void *arg, const struct value *row, size_t columns)
{
	struct step *step = arg;

	step->found = !id_from_span(&step->parent, row[0].bytes);
	return 1;
}

static const char parent_sql[] = "SELECT causation FROM lineage WHERE message = $1 AND causation IS NOT NULL LIMIT 1";

/* Ancestors come first, so that a limit cuts below and never the way to the root. */
static int walk_up(struct trace *trace, struct id id, struct error *error)
{
	while (trace->count < trace->most) {
		struct step step = {.trace = trace};
		struct value value = STORE_ID(&id);

		trace_add(trace, &id);
		if (db_run(trace->db, parent_sql, &value, 1, take_parent, &step, error))
			return -1;
		if (!step.found || trace_find(trace, &step.parent))
			return 0;
		id = step.parent;
	}
	return 0;
}

struct children {
	struct id *ids;
	size_t count, capacity;
};

static int take_child(void *arg, const struct value *row, size_t columns)
{
	struct children *children = arg;

	children->ids = mem_grow(children->ids, &children->capacity, children->count + 1, sizeof *children->ids);
	if (!id_from_span(&children->ids[children->count], row[0].bytes))
		children->count++;
	return 0;
}

/* What it was made part of: a collection has one parent, its first member, and many members. */
static int take_result(void *arg, const struct value *row, size_t columns)
{
	struct children *children = arg;
	json_t *detail = json_loadb(row[0].bytes.data ? row[0].bytes.data : "", row[0].bytes.len, 0, NULL);
	const char *result = json_string_value(json_object_get(detail, "result"));

	children->ids = mem_grow(children->ids, &children->capacity, children->count + 1, sizeof *children->ids);
	if (result && !id_parse(&children->ids[children->count], span_of(result)))
		children->count++;
	json_decref(detail);
	return 0;
}

/* Breadth first from the matches: what is nearest is told when not all fits. */
static int walk_down(struct trace *trace, struct error *error)
{
	struct id *queue = mem_alloc((trace->most + MATCHES_MAX) * sizeof *queue);
	size_t at = 0, end = 0;
	int status = 0;

	for (size_t i = 0; i < trace->matches; i++)
		queue[end++] = trace->found[i];
	while (at < end && !status) {
		struct value values[] = {STORE_ID(&queue[at]), VALUE_OF_INT((int64_t)(trace->most - trace->count + 1))};
		struct children children = {0};

		at++;
		status = db_run(trace->db,
				"SELECT message FROM lineage WHERE causation = $1 GROUP BY message ORDER BY "
				"MIN(at_ms), MIN(number) LIMIT $2",
				values, 2, take_child, &children, error) ||
			 db_run(trace->db,
				"SELECT detail FROM lineage WHERE message = $1 AND stage = 'collected' ORDER BY number",
				values, 1, take_result, &children, error)
				 ? -1
				 : 0;
		for (size_t i = 0; i < children.count && !status; i++) {
			size_t before = trace->count;

			trace_add(trace, &children.ids[i]);
			if (trace->count > before)
				queue[end++] = children.ids[i];
		}
		free(children.ids);
	}
	free(queue);
	return status;
}

/* ---- telling */

static void node_describe(struct trace_node *node, const struct value *row)
{
	json_t *origin = json_object();

	node->json = json_object();
	node->first_ms = row[4].number;
	node->number = row[18].number;
	if (row[6].type == VALUE_BLOB && id_from_span(&node->parent, row[6].bytes))
		node->parent = (struct id){{0}};
	ask_put_hex(node->json, "id", row[0]);
	ask_put_hex(node->json, "causation", row[6]);
	ask_put_text(node->json, "correlation", row[7]);
	ask_put_text(node->json, "type", row[8]);
	ask_put_text(node->json, "flow", row[9]);
	ask_put_text(node->json, "revision", row[10]);
	ask_put_int(node->json, "generation", row[17]);
	ask_put_text(node->json, "position", row[11]);
	json_object_set_new(node->json, "match", json_boolean(node->match));
	ask_put_text(origin, "name", row[12]);
	ask_put_hex(origin, "digest", row[13]);
	ask_put_text(origin, "ref", row[14]);
	ask_put_int(origin, "offset", row[15]);
	ask_put_int(origin, "length", row[16]);
	json_object_set_new(node->json, "origin", origin);
	json_object_set_new(node->json, "keys", json_array());
	ask_put_int(node->json, "first_ms", row[4]);
	json_object_set_new(node->json, "stages", json_array());
	json_object_set_new(node->json, "children", json_array());
}

static int take_stage(void *arg, const struct value *row, size_t columns)
{
	struct trace_node *node = arg;
	json_t *stage = json_object();

	if (!node->json)
		node_describe(node, row);
	ask_put_text(stage, "stage", row[1]);
	ask_put_text(stage, "place", row[2]);
	ask_put_int(stage, "attempt", row[3]);
	ask_put_int(stage, "generation", row[17]);
	ask_put_int(stage, "at_ms", row[4]);
	ask_put_json(stage, "detail", row[5]);
	json_array_append_new(json_object_get(node->json, "stages"), stage);
	return 0;
}

static int take_key(void *arg, const struct value *row, size_t columns)
{
	json_array_append_new(arg, ask_key(row[0].bytes, row[1].bytes));
	return 0;
}

static int node_load(struct trace *trace, struct trace_node *node, struct error *error)
{
	struct value value = STORE_ID(&node->id);

	if (db_run(trace->db,
		   "SELECT message, stage, place, attempt, at_ms, detail, causation, correlation, type, flow, "
		   "revision, position, origin_name,"
		   " origin_digest, origin_ref, origin_offset, origin_length, generation, number FROM lineage WHERE "
		   "message = "
		   "$1 ORDER BY at_ms, number",
		   &value, 1, take_stage, node, error))
		return -1;
	return node->json ? db_run(trace->db,
				   "SELECT kind, value FROM lineage_names WHERE message = $1 AND kind NOT IN "
				   "('document', 'digest') ORDER BY kind, value",
				   &value, 1, take_key, json_object_get(node->json, "keys"), error)
			  : 0;
}

static int by_time(const void *a, const void *b)
{
	const struct trace_node *one = a, *two = b;

	if (one->first_ms != two->first_ms)
		return one->first_ms < two->first_ms ? -1 : 1;
	return one->number < two->number ? -1 : one->number > two->number;
}

/* A parent that is not recorded any more, or was cut off, leaves its children at the top. */
static json_t *tree_build(struct trace *trace)
{
	json_t *tree = json_array();

	qsort(trace->nodes, trace->count, sizeof *trace->nodes, by_time);
	for (size_t i = 0; i < trace->count; i++) {
		struct trace_node *node = &trace->nodes[i], *parent = NULL;

		if (!node->json)
			continue;
		if (!id_is_none(&node->parent) && !id_equal(&node->parent, &node->id))
			parent = trace_find(trace, &node->parent);
		json_array_append(parent && parent->json ? json_object_get(parent->json, "children") : tree,
				  node->json);
	}
	return tree;
}

static int take_number(void *arg, const struct value *row, size_t columns)
{
	*(struct value *)arg = VALUE_OF_NULL;
	if (row[0].type == VALUE_INT)
		*(struct value *)arg = VALUE_OF_INT(row[0].number);
	return 1;
}

static int tell_nothing(struct trace *trace, json_t *answer, struct error *error)
{
	struct value since = VALUE_OF_NULL;

	if (db_run(trace->db, "SELECT MIN(at_ms) FROM lineage", NULL, 0, take_number, &since, error))
		return -1;
	json_object_set_new(answer, "found", json_false());
	json_object_set_new(answer, "looked",
			    json_pack("[s, s, s, s]", "business keys", "names of documents and events",
				      "digests of documents", "message and correlation ids"));
	if (trace->ambiguous)
		json_object_set_new(answer, "ambiguous", json_true());
	ask_put_int(answer, "since_ms", since);
	return 0;
}

static int tell(struct trace *trace, json_t *answer, struct error *error)
{
	for (size_t i = 0; i < trace->matches; i++)
		if (walk_up(trace, trace->found[i], error))
			return -1;
	if (walk_down(trace, error))
		return -1;
	for (size_t i = 0; i < trace->matches; i++) {
		struct trace_node *node = trace_find(trace, &trace->found[i]);

		if (node)
			node->match = true;
	}
	for (size_t i = 0; i < trace->count; i++)
		if (node_load(trace, &trace->nodes[i], error))
			return -1;
	json_object_set_new(answer, "found", json_true());
	json_object_set(answer, "by", trace->by);
	json_object_set_new(answer, "messages", json_integer((json_int_t)trace->count));
	json_object_set_new(answer, "truncated", json_boolean(trace->truncated));
	json_object_set_new(answer, "tree", tree_build(trace));
	return 0;
}

int lineage_trace(struct lineage *lineage, struct span key, unsigned most, json_t **answer, struct error *error)
{
	struct trace trace = {.db = &lineage->db, .most = most ? most : LINEAGE_TRACE_MESSAGES, .by = json_array()};
	int status = -1;

	*answer = json_object();
	json_object_set_new(*answer, "key", ask_string(key));
	if (!find(&trace, key, error))
		status = trace.matches ? tell(&trace, *answer, error) : tell_nothing(&trace, *answer, error);
	if (status) {
		json_decref(*answer);
		*answer = NULL;
	}
	for (size_t i = 0; i < trace.count; i++)
		json_decref(trace.nodes[i].json);
	json_decref(trace.by);
	free(trace.nodes);
	return status ? -1 : 0;
}

struct lineage *lineage_reader_take(struct db db, struct error *error)
{
	struct lineage *lineage = mem_alloc(sizeof *lineage);
	struct value since;

	lineage->db = db;
	if (!db_run(&db, "SELECT MIN(at_ms) FROM lineage", NULL, 0, take_number, &since, NULL))
		return lineage;
	lineage_close(lineage);
	error_set(error, ERROR_FATAL, "db.missing", "nothing was ever recorded here: has the site run? (ferrule run)");
	return NULL;
}
