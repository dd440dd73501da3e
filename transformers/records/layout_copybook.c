/* COBOL copybooks: data descriptions (ISO/IEC 1989, data division) as the records of a layout. Read are levels 01 to 49
 * and 77, PICTURE, USAGE (DISPLAY, BINARY, PACKED-DECIMAL and the COMPs without floating point), OCCURS, DEPENDING ON,
 * REDEFINES, SIGN and JUSTIFIED; VALUE, levels 66, 78 and 88, keys and indexes say nothing about bytes. See
 * layout.h. */
#include "config.h"
#include "transformers/records/layout.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define WORD_MAX 128
#define LEVELS 50
#define RECORDS_MAX 200

enum usage { USAGE_NONE, USAGE_DISPLAY, USAGE_PACKED, USAGE_BINARY, USAGE_NATIVE };

struct scan {
	const char *p, *end;
	int line, column; /* of p */
	bool fixed;       /* columns 1 to 6 and from 73 on are no text */
	char word[WORD_MAX];
	bool last;          /* a full stop follows it */
	struct place place; /* of the word */
};

struct level {
	int number;
	struct field *field;
	enum usage usage;
	enum field_sign sign; /* of SIGN; SIGN_AUTO: not said */
	bool separate;
};

struct book {
	struct layout *layout;
	struct findings *findings;
	struct scan scan;
	bool as_is, failed;
	struct level levels[LEVELS];
	int depth;
	size_t fields;
};

struct picture {
	bool numeric, is_signed, edited;
	size_t digits, decimals, length;
};

static void fault(struct book *book, const char *what)
{
	if (!book->failed)
		finding_add(book->findings, book->scan.place, SEVERITY_ERROR, "layout.copybook", "%s (at `%s`)", what,
			    book->scan.word);
	book->failed = true;
}

/* ---- words */
/* All lines have numbers or blanks in front, as on punched cards. */
static bool is_fixed(struct span text)
{
	const char *p = text.data, *end = text.data + text.len;

	while (p < end) {
		const char *line = p, *stop = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((stop ? stop : end) - line);

		for (size_t i = 0; i < len && i < 6; i++)
			if (!isdigit((unsigned char)line[i]) && !isspace((unsigned char)line[i]))
				return false;
		if (len > 6 && !strchr(" *-/dD\r", line[6]))
			return false;
		p = stop ? stop + 1 : end;
	}
	return true;
}

static void next_line(struct scan *scan)
{
	const char *stop = memchr(scan->p, '\n', (size_t)(scan->end - scan->p));

	scan->p = stop ? stop + 1 : scan->end;
	scan->line++;
	scan->column = 1;
}

static bool at_comment(const struct scan *scan)
{
	if (scan->fixed && scan->column == 7 && strchr("*/dD", *scan->p))
		return true;
	return (scan->column == 1 && *scan->p == '*') ||
	       (scan->end - scan->p > 1 && scan->p[0] == '*' && scan->p[1] == '>');
}

static void skip_space(struct scan *scan)
{
	while (scan->p < scan->end) {
		if (*scan->p == '\n' || at_comment(scan) || (scan->fixed && scan->column > 72)) {
			next_line(scan);
		} else if (isspace((unsigned char)*scan->p) || (scan->fixed && scan->column <= 6) ||
			   ((*scan->p == ',' || *scan->p == ';') && scan->p + 1 < scan->end &&
			    isspace((unsigned char)scan->p[1]))) {
			scan->p++;
			scan->column++;
		} else {
			return;
		}
	}
}

static bool is_end(const struct scan *scan)
{
	return scan->p >= scan->end || isspace((unsigned char)*scan->p) || (scan->fixed && scan->column > 72);
}

/* False: there is none any more. A word that is a full stop only is empty. */
static bool next_word(struct scan *scan)
{
	size_t n = 0;
	char quote = '\0';

	skip_space(scan);
	scan->place.line = scan->line;
	scan->place.column = scan->column;
	scan->last = false;
	if (scan->p >= scan->end)
		return false;
	while (scan->p < scan->end && *scan->p != '\n' && (quote || !is_end(scan))) {
		if (quote ? *scan->p == quote : *scan->p == '"' || *scan->p == '\'')
			quote = quote ? '\0' : *scan->p;
		if (n < WORD_MAX - 1)
			scan->word[n++] = *scan->p;
		scan->p++;
		scan->column++;
	}
	if (n > 1 && !quote && strchr(",;", scan->word[n - 1])) /* they may stand behind any word */
		n--;
	if (n && scan->word[n - 1] == '.') {
		scan->last = true;
		n--;
	}
	scan->word[n] = '\0';
	return true;
}

static bool is_word(const struct book *book, const char *word)
{
	return !strcasecmp(book->scan.word, word);
}

/* The next word of the sentence; false: the sentence ended before. */
static bool go_on(struct book *book)
{
	if (book->scan.last)
		return false;
	return next_word(&book->scan) && (*book->scan.word || !book->scan.last);
}

/* ---- clauses */
static const char *name_here(struct book *book)
{
	char *name = (char *)(uintptr_t)arena_span(book->layout->arena, span_of(book->scan.word)).data;

	for (char *c = name; *c && !book->as_is; c++)
		*c = *c == '-' ? '_' : (char)tolower((unsigned char)*c);
	return name;
}

/* One symbol of a picture and how often it stands there. */
static const char *picture_part(const char *p, char *symbol, size_t *times)
{
	*symbol = (char)toupper((unsigned char)*p++);
	*times = 1;
	while (toupper((unsigned char)*p) == *symbol) {
		p++;
		++*times;
	}
	if (*p == '(') {
		size_t n = 0;

		for (p++; isdigit((unsigned char)*p) && n < LAYOUT_RECORD_MAX; p++)
			n = n * 10 + (size_t)(*p - '0');
		if (*p != ')' || !n)
			return NULL;
		*times += n - 1;
		p++;
	}
	return p;
}

static int read_picture(struct book *book, struct picture *picture)
{
	bool behind = false;

	*picture = (struct picture){.numeric = true};
	for (const char *p = book->scan.word; *p;) {
		size_t times;
		char symbol;

		p = picture_part(p, &symbol, &times);
		if (!p)
			return -1;
		if (symbol == '9') {
			picture->digits += times;
			picture->decimals += behind ? times : 0;
			picture->length += times;
		} else if (symbol == 'S') {
			picture->is_signed = true;
		} else if (symbol == 'V') {
			behind = true;
		} else if (symbol == 'X' || symbol == 'A') {
			picture->numeric = false;
			picture->length += times;
		} else if (strchr("Z*,.+-/B0$CRD", symbol)) {
			picture->edited = true;
			picture->length += times;
		} else {
			return -1;
		}
	}
	if (picture->edited)
		picture->numeric = false;
	return picture->length && picture->length <= LAYOUT_RECORD_MAX ? 0 : -1;
}

static bool read_usage(struct book *book, struct level *level)
{
	static const struct {
		const char *word;
		enum usage usage;
	} words[] = {{"DISPLAY", USAGE_DISPLAY},
		     {"COMP-3", USAGE_PACKED},
		     {"COMPUTATIONAL-3", USAGE_PACKED},
		     {"PACKED-DECIMAL", USAGE_PACKED},
		     {"COMP", USAGE_BINARY},
		     {"COMPUTATIONAL", USAGE_BINARY},
		     {"COMP-4", USAGE_BINARY},
		     {"COMPUTATIONAL-4", USAGE_BINARY},
		     {"COMP-5", USAGE_NATIVE},
		     {"COMPUTATIONAL-5", USAGE_NATIVE},
		     {"BINARY", USAGE_BINARY}};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (is_word(book, words[i].word)) {
			level->usage = words[i].usage;
			return true;
		}
	return false;
}

static int64_t number_here(const struct book *book)
{
	int64_t n = 0;

	for (const char *p = book->scan.word; *p; p++) {
		if (!isdigit((unsigned char)*p) || n > 1000000)
			return -1;
		n = n * 10 + (*p - '0');
	}
	return *book->scan.word ? n : -1;
}

/* USAGE IS …: a word that is not known must not be taken for one that says nothing. */
static void read_usage_clause(struct book *book, struct level *level)
{
	bool more = go_on(book);

	if (more && is_word(book, "IS"))
		more = go_on(book);
	if (!more || !read_usage(book, level))
		fault(book, "this USAGE is none of DISPLAY, BINARY, PACKED-DECIMAL, COMP, COMP-3, COMP-4 and COMP-5");
}

static void read_occurs(struct book *book, struct field *field)
{
	int64_t n = go_on(book) ? number_here(book) : -1;

	if (n < 0) {
		fault(book, "OCCURS is followed by a number");
		return;
	}
	field->array = true;
	field->times_min = field->times_max = (size_t)n;
}

/* What has a number before or behind it, and may stand anywhere behind OCCURS. */
static bool read_occurs_more(struct book *book, struct field *field)
{
	if (is_word(book, "TO") && field->array) {
		int64_t n = go_on(book) ? number_here(book) : -1;

		if (n < (int64_t)field->times_min)
			fault(book, "OCCURS n TO m: m is a number that is not less");
		else
			field->times_max = (size_t)n;
	} else if (is_word(book, "DEPENDING")) {
		if (go_on(book) && is_word(book, "ON"))
			go_on(book);
		field->depends = name_here(book);
		if (field->times_min == field->times_max)
			field->times_min = 0;
	} else {
		return is_word(book, "TIMES");
	}
	return true;
}

static bool read_sign(struct book *book, struct level *level)
{
	if (is_word(book, "LEADING") || is_word(book, "TRAILING"))
		level->sign = is_word(book, "LEADING") ? SIGN_LEADING : SIGN_TRAILING;
	else if (is_word(book, "SEPARATE"))
		level->separate = true;
	else
		return is_word(book, "SIGN") || is_word(book, "CHARACTER");
	return true;
}

/* Words that say nothing about bytes; those of a clause with names are passed over until the next that is known. */
static bool is_idle(const struct book *book)
{
	static const char *const words[] = {
		"IS",         "ARE",        "WHEN",        "ZERO",   "ZEROS",    "ZEROES",  "BLANK",
		"VALUE",      "VALUES",     "KEY",         "GLOBAL", "BY",       "INDEXED", "ASCENDING",
		"DESCENDING", "RIGHT",      "SPACE",       "SPACES", "EXTERNAL", "ALL",     "LOW-VALUE",
		"LOW-VALUES", "HIGH-VALUE", "HIGH-VALUES", "FILLER", "THRU",     "THROUGH"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (is_word(book, words[i]))
			return true;
	return *book->scan.word == '"' || *book->scan.word == '\'';
}

/* Names behind INDEXED BY and KEY, and numbers behind VALUE. */
static bool is_of_idle(const struct book *book, const char *before)
{
	static const char *const words[] = {"BY",        "KEY",        "IS",     "VALUE", "INDEXED",
					    "ASCENDING", "DESCENDING", "VALUES", "ARE",   "ALL"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcasecmp(before, words[i]))
			return true;
	return false;
}

static void read_clauses(struct book *book, struct level *level, struct picture *picture, bool *has_picture)
{
	char before[WORD_MAX] = "";
	struct field *field = level->field;

	while (!book->failed && go_on(book)) {
		if (is_word(book, "PIC") || is_word(book, "PICTURE")) {
			if (go_on(book) && is_word(book, "IS"))
				go_on(book);
			*has_picture = true;
			if (read_picture(book, picture))
				fault(book, "this picture is not one of X, A, 9, S, V, or edited digits");
		} else if (is_word(book, "REDEFINES")) {
			go_on(book);
			field->redefines = name_here(book);
		} else if (is_word(book, "OCCURS")) {
			read_occurs(book, field);
		} else if (is_word(book, "USAGE")) {
			read_usage_clause(book, level);
		} else if (is_word(book, "JUST") || is_word(book, "JUSTIFIED")) {
			field->right = true;
		} else if (is_word(book, "SYNC") || is_word(book, "SYNCHRONIZED")) {
			fault(book, "SYNCHRONIZED adds bytes that are not known here: give them as FILLER");
		} else if (!read_usage(book, level) && !read_occurs_more(book, field) && !read_sign(book, level) &&
			   !is_idle(book) && !is_of_idle(book, before)) {
			fault(book, "this is not understood in the description of a field");
		}
		snprintf(before, sizeof before, "%s", book->scan.word);
	}
}

/* ---- fields */
static void fill_number(struct book *book, const struct level *level, const struct picture *picture)
{
	struct field *field = level->field;

	if (level->usage >= USAGE_PACKED && level->usage != USAGE_NATIVE)
		field->digits = picture->digits;
	field->decimals = (int)picture->decimals;
	field->sign = picture->is_signed ? SIGN_YES : SIGN_NONE;
	if (level->usage == USAGE_PACKED) {
		field->type = FIELD_PACKED;
		field->length = picture->digits / 2 + 1;
	} else if (level->usage >= USAGE_BINARY) {
		if (picture->digits > 18)
			fault(book, "a binary number has at most 18 digits");
		field->type = FIELD_BINARY;
		field->length = picture->digits <= 4 ? 2 : picture->digits <= 9 ? 4 : 8;
	} else if (!picture->is_signed) {
		field->type = FIELD_NUMBER;
		field->length = picture->digits;
	} else {
		field->type = level->separate ? FIELD_NUMBER : FIELD_ZONED;
		field->sign = level->sign == SIGN_LEADING ? SIGN_LEADING : level->separate ? SIGN_TRAILING : SIGN_YES;
		field->length = picture->digits + level->separate;
	}
}

static void fill_field(struct book *book, struct level *level, const struct picture *picture, bool has_picture)
{
	struct field *field = level->field;

	if (!has_picture) {
		field->type = FIELD_GROUP;
		return;
	}
	if (picture->numeric) {
		fill_number(book, level, picture);
	} else {
		field->length = picture->length;
		if (level->usage >= USAGE_PACKED)
			fault(book, "a text is no COMP");
	}
	if (!field->name && !field->redefines)
		field->type = FIELD_GAP;
}

static struct field *new_record(struct book *book, const char *name)
{
	struct layout_record *record = &book->layout->records[book->layout->records_count++];

	record->name = name;
	record->place = book->scan.place;
	record->fields = layout_field(book->layout, NULL, book->scan.place);
	record->fields->type = FIELD_GROUP;
	return record->fields;
}

/* The group that a level belongs to; a record of its own for 01 and 77. */
static struct field *parent_of(struct book *book, int number, const char *name)
{
	if (number == 1 || number == 77 || !book->layout->records_count) {
		bool top = number == 1 || number == 77;

		if (book->layout->records_count == RECORDS_MAX) {
			fault(book, "a copybook has at most 200 records");
			return NULL;
		}
		book->levels[0] = (struct level){.number = top ? number : 0,
						 .field = new_record(book, top && name ? name : "record")};
		book->depth = 1;
		return book->levels[0].field;
	}
	while (book->depth > 1 && book->levels[book->depth - 1].number >= number)
		book->depth--;
	if (book->depth >= LEVELS || book->depth >= LAYOUT_DEPTH_MAX) {
		fault(book, "groups are nested too deeply");
		return NULL;
	}
	return book->levels[book->depth - 1].field;
}

static void read_field(struct book *book, int number)
{
	bool top = number == 1 || number == 77, has_picture = false;
	const char *name = NULL;
	struct level level = {.number = number};
	struct picture picture = {0};
	struct field *parent;

	if (!book->scan.last && go_on(book) && !is_word(book, "FILLER"))
		name = name_here(book);
	parent = parent_of(book, number, name);
	if (!parent || ++book->fields > 20000) {
		fault(book, "a copybook has at most 20000 fields");
		return;
	}
	level.usage = book->levels[book->depth - 1].usage;
	level.sign = book->levels[book->depth - 1].sign;
	level.separate = book->levels[book->depth - 1].separate;
	level.field = top ? layout_field(book->layout, NULL, book->scan.place)
			  : layout_field(book->layout, parent, book->scan.place);
	level.field->name = name;
	read_clauses(book, &level, &picture, &has_picture);
	if (book->failed)
		return;
	fill_field(book, &level, &picture, has_picture);
	if (!top) {
		if (level.field->type == FIELD_GROUP)
			book->levels[book->depth++] = level;
		return;
	}
	level.field->redefines = NULL; /* records lie over one another anyway */
	if (has_picture)
		*layout_field(book->layout, parent, level.field->place) = *level.field;
	book->levels[0].usage = level.usage;
	book->levels[0].sign = level.sign;
	book->levels[0].separate = level.separate;
}

void layout_read_copybook(struct layout *layout, const char *file, struct span text, bool as_is,
			  struct findings *findings)
{
	struct book book = {.layout = layout,
			    .findings = findings,
			    .as_is = as_is,
			    .scan = {.p = text.data,
				     .end = text.data + text.len,
				     .line = 1,
				     .column = 1,
				     .fixed = is_fixed(text),
				     .place = {file, 1, 1}}};

	layout->records = arena_alloc(layout->arena, RECORDS_MAX * sizeof *layout->records);
	while (!book.failed && next_word(&book.scan)) {
		int64_t number = number_here(&book);

		if (!*book.scan.word && book.scan.last)
			continue;
		if (number == 66 || number == 78 || number == 88) { /* other names, constants, names of values */
			while (go_on(&book))
				;
		} else if ((number >= 1 && number <= 49) || number == 77) {
			read_field(&book, (int)number);
		} else {
			fault(&book, "a description begins with a level, 01 to 49 or 77");
		}
	}
	if (!book.failed && !layout->records_count)
		fault(&book, "there is no field in the copybook");
}
