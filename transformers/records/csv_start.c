/* What a CSV document is, judged by its first lines: the separator, and the columns by the header. See csv.h. */
#include "config.h"
#include "transformers/records/csv.h"

#include "base/tree.h"

#define LINES_LOOKED_AT 30

/* ---- the separator */
size_t csv_told_separator(struct span text, bool last, char *separator)
{
	size_t at = span_starts(text, "\"sep=") ? 5 : span_starts(text, "sep=") ? 4 : 0, end;

	if (!at || text.len <= at || text.data[at] == '\\' ||
	    (text.data[at] != '\t' && (text.data[at] < ' ' || text.data[at] > '~')))
		return 0;
	*separator = text.data[at++];
	if (text.data[0] == '"' && at < text.len && text.data[at] == '"')
		at++;
	return csv_line_end(span_make(text.data + at, text.len - at), &end) == 0 && (end || last) ? at + end : 0;
}

struct counts {
	char separator;
	unsigned first, same; /* of the first line; lines that have as many */
};

/* How often each stands in the line at the front, outside quotes; what is behind the line. */
static struct span count_line(struct span text, char quote, const struct counts *counts, unsigned *found)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < text.len && (quoted || !strchr("\r\n", text.data[i]) || !text.data[i]); i++) {
		if (quote && text.data[i] == quote)
			quoted = !quoted;
		for (int k = 0; k < 4 && !quoted; k++)
			found[k] += text.data[i] == counts[k].separator;
	}
	while (i < text.len && (text.data[i] == '\r' || text.data[i] == '\n'))
		i++;
	return span_make(text.data + i, text.len - i);
}

char csv_guess_separator(struct span text, bool last, char quote)
{
	struct counts counts[] = {{',', 0, 0}, {';', 0, 0}, {'\t', 0, 0}, {'|', 0, 0}};
	const struct counts *best = &counts[0];

	for (unsigned line = 0; line < LINES_LOOKED_AT && text.len; line++) {
		unsigned found[4] = {0};
		struct span rest = count_line(text, quote, counts, found);

		if (!rest.len && !last && line)
			break; /* it may be cut off */
		for (int k = 0; k < 4; k++) {
			if (!line)
				counts[k].first = found[k];
			counts[k].same += found[k] && found[k] == counts[k].first;
		}
		text = rest;
	}
	for (int k = 1; k < 4; k++)
		if (counts[k].same > best->same || (counts[k].same == best->same && counts[k].first > best->first))
			best = &counts[k];
	return best->separator;
}

/* ---- the columns */
void csv_columns_free(struct csv_columns *columns)
{
	arena_free(columns->arena);
	*columns = (struct csv_columns){0};
}

struct naming {
	struct arena *arena;
	json_t *all;  /* every name that there is */
	json_t *next; /* names that were given: the number that the next of them gets */
};

/* NAME_2 for the second of a name; column_3 for a third that has none. */
static const char *free_name(struct naming *naming, const char *name, size_t at)
{
	json_int_t n = *name ? json_integer_value(json_object_get(naming->next, name)) : (json_int_t)at + 1;
	const char *made = arena_strdup(naming->arena, name);

	if (!*name || n)
		do
			made = arena_printf(naming->arena, "%s_%lld", *name ? name : "column", (long long)n++);
		while (json_object_get(naming->all, made));
	json_object_set_new_nocheck(naming->next, name, json_integer(n ? n : 2));
	json_object_set_new_nocheck(naming->all, made, json_true());
	return made;
}

static struct span prefix_of(struct arena *arena, const char *name, bool first)
{
	json_t *text = json_string_nocheck(name);
	struct buf prefix;
	struct span copy;

	buf_init(&prefix, SIZE_MAX / 4);
	buf_text(&prefix, first ? "{" : "\",");
	tree_write(&prefix, text, 0);
	buf_text(&prefix, ":\"");
	copy = arena_span(arena, buf_view(&prefix));
	buf_free(&prefix);
	json_decref(text);
	return copy;
}

void csv_columns_make(struct csv_columns *columns, const json_t *names)
{
	struct naming naming = {arena_new(), json_object(), json_object()};
	const json_t *name;
	size_t i;

	columns->arena = naming.arena;
	columns->count = json_array_size(names);
	columns->names = arena_alloc(columns->arena, (columns->count + 1) * sizeof *columns->names);
	columns->prefixes = arena_alloc(columns->arena, (columns->count + 1) * sizeof *columns->prefixes);
	json_array_foreach(names, i, name)
		json_object_set_new_nocheck(naming.all, json_string_value(name), json_true());
	for (i = 0; i < columns->count; i++) {
		const char *free = free_name(&naming, json_string_value(json_array_get(names, i)), i);

		columns->names[i] = span_of(free);
		columns->prefixes[i] = prefix_of(columns->arena, free, i == 0);
	}
	json_decref(naming.all);
	json_decref(naming.next);
}
