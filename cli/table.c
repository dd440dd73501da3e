/* A table for people. See site.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/site.h"

#define COLUMNS_MAX 12
#define CELL_MAX 90 /* what is longer is cut, except in the last column */

struct table {
	size_t columns, cells, capacity;
	bool right[COLUMNS_MAX];
	char **cell;
};

/* Characters, not bytes: keys and names come in every language. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

struct table *table_new(const char *const *titles)
{
	struct table *table = mem_alloc(sizeof *table);

	while (table->columns < COLUMNS_MAX && titles[table->columns]) {
		table->right[table->columns] = titles[table->columns][0] == '>';
		table->columns++;
	}
	for (size_t i = 0; i < table->columns; i++)
		table_add(table, titles[i] + table->right[i]);
	return table;
}

void table_add(struct table *table, const char *text)
{
	bool last = table->cells % table->columns == table->columns - 1;
	char *copy = mem_strdup(text);

	if (!last && strlen(copy) > CELL_MAX) {
		size_t end = CELL_MAX;

		while (end && ((unsigned char)copy[end] & 0xc0) == 0x80)
			end--;
		copy[end] = '\0';
	}
	site_tidy_text(copy);
	table->cell = mem_grow(table->cell, &table->capacity, table->cells + 1, sizeof *table->cell);
	table->cell[table->cells++] = copy;
}

void table_number(struct table *table, int64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)number);
	table_add(table, text);
}

static bool rest_is_empty(const struct table *table, size_t i)
{
	for (i++; i % table->columns; i++)
		if (*table->cell[i])
			return false;
	return true;
}

static void print_cell(const struct table *table, size_t i, size_t width)
{
	size_t column = i % table->columns, own = width_of(table->cell[i]);
	bool last = column == table->columns - 1;
	int pad = own < width ? (int)(width - own) : 0;

	printf("%*s%s", table->right[column] ? pad : 0, "", table->cell[i]);
	/* no white space at the end of a line */
	if (!last && !rest_is_empty(table, i))
		printf("%*s", (table->right[column] ? 0 : pad) + 2, "");
	if (last)
		putchar('\n');
}

void table_print_take(struct table *table, const char *indent)
{
	size_t widths[COLUMNS_MAX] = {0};

	for (size_t i = 0; i < table->cells; i++) {
		size_t own = width_of(table->cell[i]);

		if (own > widths[i % table->columns])
			widths[i % table->columns] = own;
	}
	for (size_t i = 0; i < table->cells; i++) {
		if (i % table->columns == 0)
			fputs(indent, stdout);
		print_cell(table, i, widths[i % table->columns]);
		free(table->cell[i]);
	}
	free(table->cell);
	free(table);
}
