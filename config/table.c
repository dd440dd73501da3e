/* Tables that stand in files of the site: tables/NAME.csv, .json, .yaml. See site.h.
 *
 * CSV as RFC 4180 has it, its first row the names of the columns; the separator is the first of , ; tab in that row.
 * JSON and YAML: a list of rows, or a map of keys to rows or values, whose columns are `key` and `value`. Values of CSV
 * and YAML are texts, those of JSON what they are. */
#include "config.h"
#include "config/load.h"

#include <stdlib.h>

#include "base/transformer.h"
#include "base/utf8.h"

#define TABLES_MAX 500
#define TABLE_BYTES_MAX (4u << 20)
#define TABLE_ROWS_MAX 100000
#define COLUMNS_MAX 200
#define FIELD_MAX (64u * 1024)

struct reading {
	struct arena *arena;
	struct findings *findings;
	struct lookup_table *table;
	size_t lines_capacity;
};

#define table_fault(r, line, code, ...)                                                                                \
	finding_add((r)->findings, (struct place){(r)->table->file, (line), 1}, SEVERITY_ERROR, (code), __VA_ARGS__)

static bool add_row(struct reading *r, json_t *row, int line)
{
	struct lookup_table *table = r->table;
	size_t n = json_array_size(table->rows);

	if (n == TABLE_ROWS_MAX) {
		table_fault(r, line, "table.size", "more than %d rows: put this table into the store", TABLE_ROWS_MAX);
		json_decref(row);
		return false;
	}
	table->lines = mem_grow(table->lines, &r->lines_capacity, n + 1, sizeof *table->lines);
	table->lines[n] = line;
	json_array_append_new(table->rows, row);
	return true;
}

static void add_column(struct reading *r, const char *name)
{
	struct lookup_table *table = r->table;

	if (!table->columns)
		table->columns = arena_alloc(r->arena, COLUMNS_MAX * sizeof *table->columns);
	for (size_t i = 0; i < table->columns_count; i++)
		if (!strcmp(table->columns[i], name))
			return;
	if (table->columns_count < COLUMNS_MAX)
		table->columns[table->columns_count++] = arena_strdup(r->arena, name);
}

/* ---- CSV ------------------------------------------------------------------------------------------------- */
struct csv {
	struct reading *r;
	struct span text;
	size_t at;
	int line;
	char separator;
	struct buf field;
};

/* The next field into csv->field; *last: the row ends behind it. False, with a finding, where it is none. */
static bool csv_field(struct csv *csv, bool *last)
{
	struct span t = csv->text;
	bool quoted = csv->at < t.len && t.data[csv->at] == '"';
	int line = csv->line;

	buf_reset(&csv->field);
	if (quoted)
		csv->at++;
	for (; csv->at < t.len; csv->at++) {
		char c = t.data[csv->at];

		csv->line += c == '\n';
		if (quoted && c == '"' && csv->at + 1 < t.len && t.data[csv->at + 1] == '"')
			csv->at++;
		else if (quoted && c == '"')
			break;
		else if (!quoted && (c == csv->separator || c == '\n' || c == '\r')) {
			csv->line -= c == '\n';
			break;
		}
		buf_char(&csv->field, c);
	}
	if (csv->field.full) {
		table_fault(csv->r, line, "table.size", "a field of more than %u KiB", FIELD_MAX >> 10);
		return false;
	}
	if (quoted && csv->at++ == t.len) {
		table_fault(csv->r, line, "table.quote", "a field that begins with \" here does not end");
		return false;
	}
	if (csv->at < t.len && t.data[csv->at] == csv->separator) {
		csv->at++;
		*last = false;
		return true;
	}
	*last = true;
	if (csv->at < t.len && t.data[csv->at] == '\r')
		csv->at++;
	if (csv->at == t.len)
		return true;
	if (t.data[csv->at] != '\n') {
		table_fault(csv->r, csv->line, "table.quote", "there is something behind the end of a field");
		return false;
	}
	csv->at++;
	csv->line++;
	return true;
}

static char separator_of(struct span text)
{
	bool quoted = false;

	for (size_t i = 0; i < text.len && (quoted || text.data[i] != '\n'); i++) {
		quoted ^= text.data[i] == '"';
		if (!quoted && (text.data[i] == ',' || text.data[i] == ';' || text.data[i] == '\t'))
			return text.data[i];
	}
	return ',';
}

static bool csv_header(struct csv *csv)
{
	bool last = false;

	while (!last) {
		size_t before = csv->r->table->columns_count;

		if (!csv_field(csv, &last))
			return false;
		if (csv->field.len)
			add_column(csv->r, csv->field.data);
		if (csv->r->table->columns_count == before) {
			table_fault(csv->r, 1, "table.columns",
				    "the first row has the names of the columns, each once, at most %d", COLUMNS_MAX);
			return false;
		}
	}
	return true;
}

static bool csv_row(struct csv *csv)
{
	const struct lookup_table *table = csv->r->table;
	json_t *row = json_object();
	int line = csv->line;
	bool last = false;
	size_t n = 0;

	for (; !last; n++) {
		if (!csv_field(csv, &last)) {
			json_decref(row);
			return false;
		}
		if (n < table->columns_count)
			json_object_set_new(row, table->columns[n],
					    json_stringn(csv->field.len ? csv->field.data : "", csv->field.len));
	}
	if (n == 1 && !csv->field.len && table->columns_count > 1) { /* an empty line */
		json_decref(row);
		return true;
	}
	if (n != table->columns_count)
		table_fault(csv->r, line, "table.row", "%zu fields, and there are %zu columns", n,
			    table->columns_count);
	return add_row(csv->r, row, line);
}

static void read_csv(struct reading *r, struct span text)
{
	struct csv csv = {.r = r, .text = text, .line = 1, .separator = separator_of(text)};

	buf_init(&csv.field, FIELD_MAX);
	if (csv_header(&csv))
		while (csv.at < text.len && csv_row(&csv))
			;
	buf_free(&csv.field);
}

/* ---- JSON and YAML --------------------------------------------------------------------------------------- */
static void add_tree_row(struct reading *r, const char *key, json_t *value, int line)
{
	json_t *row = json_is_object(value) ? json_copy(value) : json_object(), *unused;
	const char *name;

	if (!json_is_object(value) && (!key || json_is_array(value)))
		table_fault(r, line, "table.row", "a row is a map of columns%s", key ? ", or one value" : "");
	else if (!json_is_object(value))
		json_object_set(row, "value", value);
	if (key) {
		json_object_set_new(row, "key", json_string(key));
		add_column(r, "key");
	}
	json_object_foreach(row, name, unused)
		add_column(r, name);
	add_row(r, row, line);
}

static void read_tree(struct reading *r, json_t *tree, const struct node *node)
{
	const char *key;
	json_t *value;
	size_t i = 0;

	if (json_is_array(tree)) {
		json_array_foreach(tree, i, value)
			add_tree_row(r, NULL, value, node ? node->items[i]->place.line : 1);
	} else if (json_is_object(tree)) {
		json_object_foreach(tree, key, value)
			add_tree_row(r, key, value, node ? node->pairs[i++].key.place.line : 1);
	} else {
		table_fault(r, 1, "table.form", "a table is a list of rows, or a map of keys to rows or values");
	}
}

static void read_json(struct reading *r, struct span text)
{
	json_error_t error;
	json_t *tree = json_loadb(text.data ? text.data : "", text.len, JSON_REJECT_DUPLICATES, &error);

	if (tree)
		read_tree(r, tree, NULL);
	else
		table_fault(r, error.line > 0 ? error.line : 1, "table.json", "%s", error.text);
	json_decref(tree);
}

static json_t *tree_of_node(const struct node *node)
{
	json_t *tree;

	if (node->type == NODE_SCALAR)
		return !node->text.len && !node->quoted ? json_null() : json_stringn(node->text.data, node->text.len);
	tree = node->type == NODE_MAP ? json_object() : json_array();
	for (size_t i = 0; i < node->count; i++)
		if (node->type == NODE_MAP)
			json_object_set_new(tree, node->pairs[i].key.text.data, tree_of_node(node->pairs[i].value));
		else
			json_array_append_new(tree, tree_of_node(node->items[i]));
	return tree;
}

static void read_yaml(struct reading *r, const struct yaml_variables *variables, struct span text)
{
	struct yaml_documents documents;
	json_t *tree;

	if (yaml_read(r->arena, r->findings, r->table->file, text, variables, &documents))
		return;
	if (documents.count != 1) {
		table_fault(r, 1, "table.form", "a table is one list of rows, or one map");
		return;
	}
	tree = tree_of_node(documents.items[0]);
	read_tree(r, tree, documents.items[0]);
	json_decref(tree);
}

/* ---- reading --------------------------------------------------------------------------------------------- */
static void read_text(struct reading *r, const struct yaml_variables *variables, struct span text)
{
	const char *name = r->table->file;

	if (text.len >= 3 && !memcmp(text.data, "\xef\xbb\xbf", 3))
		text = span_make(text.data + 3, text.len - 3);
	if (text.len > TABLE_BYTES_MAX)
		table_fault(r, 1, "table.size", "larger than %u MiB: put this table into the store",
			    TABLE_BYTES_MAX >> 20);
	else if (!utf8_is_clean(text))
		table_fault(r, 1, "table.encoding", "a table's file must be UTF-8 text");
	else if (span_ends(span_of(name), ".csv"))
		read_csv(r, text);
	else if (span_ends(span_of(name), ".json"))
		read_json(r, text);
	else
		read_yaml(r, variables, text);
}

int lookup_table_read(struct arena *arena, struct findings *findings, const char *path, struct span text,
		      struct lookup_table *into)
{
	struct reading r = {arena, findings, into, 0};
	size_t errors = findings->errors;

	*into = (struct lookup_table){.file = path, .rows = json_array()};
	read_text(&r, NULL, text);
	return findings->errors == errors ? 0 : -1;
}

static void read_table(const struct load *load, struct site_table *table, struct findings *findings)
{
	struct reading r = {load->arena, findings, &table->table, 0};
	size_t errors = findings->errors;

	table->read = true;
	read_text(&r, &load->variables, table->file->text);
	if (findings->errors == errors && !json_array_size(table->table.rows))
		finding_add(findings, (struct place){table->table.file, 1, 1}, SEVERITY_WARNING, "table.empty",
			    "this table has no rows");
	table->whole = findings->errors == errors;
}

void load_tables(struct load *load)
{
	load->tables = mem_alloc((TABLES_MAX + 1) * sizeof *load->tables);
	for (size_t i = 0; i < load->bundle->count && load->tables_count < TABLES_MAX; i++) {
		const struct bundle_file *file = &load->bundle->files[i];
		struct site_table *table = &load->tables[load->tables_count];

		if (strncmp(file->path, "tables/", 7) != 0)
			continue;
		*table = (struct site_table){
			.name = file->path + 7, .file = file, .table = {.file = file->path, .rows = json_array()}};
		load->tables_count++;
	}
}

void tables_free(struct load *load)
{
	for (size_t i = 0; i < load->tables_count; i++) {
		json_decref(load->tables[i].table.rows);
		free(load->tables[i].table.lines);
	}
	free(load->tables);
}

static struct site_table *find(const struct load *load, const char *name)
{
	for (size_t i = 0; i < load->tables_count; i++)
		if (!strcmp(load->tables[i].name, name))
			return &load->tables[i];
	return NULL;
}

bool table_use(struct load *load, const char *name)
{
	struct site_table *table = find(load, name);

	return table && (table->used = true);
}

const struct lookup_table *site_table(const struct site *site, const char *name, struct error *error)
{
	struct site_table *table = find(site->load, name);
	struct findings findings;

	if (!table) {
		error_set(error, ERROR_REJECT, "table.unknown", "there is no tables/%.64s", name);
		return NULL;
	}
	if (!table->read) {
		findings_init(&findings);
		read_table(site->load, table, &findings);
		if (!table->whole)
			error_set(error, ERROR_REJECT, "table.unreadable", "%s:%d: %s", table->table.file,
				  findings.list[0].place.line, findings.list[0].text);
		findings_free(&findings);
	} else if (!table->whole) {
		error_set(error, ERROR_REJECT, "table.unreadable", "tables/%.64s cannot be read", name);
	}
	return table->whole ? &table->table : NULL;
}

/* Before the steps that ask them, so that its own mistakes are told once, here. */
void tables_check(const struct load *load, bool whole, struct findings *findings)
{
	for (size_t i = 0; i < load->tables_count; i++) {
		struct site_table *table = &load->tables[i];

		if (!table->read)
			read_table(load, table, findings);
		if (whole && !table->used)
			finding_add(findings, (struct place){table->table.file, 1, 1}, SEVERITY_WARNING, "table.unused",
				    "no flow uses this table");
	}
}
