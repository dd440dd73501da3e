/* The grammars that a decoder goes by, and which one a transaction falls under. See edi_grammar.h. */
#include "config.h"
#include "transformers/edi/edi_grammar.h"
#include "transformers/format.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static void read_all(struct edi_grammars *set, struct edi_library *library, const struct text_list *names,
		     struct place place)
{
	for (size_t i = 0; i < names->count; i++) {
		struct edi_grammar *grammar;

		if (set->count == EDI_GRAMMARS_MAX) {
			finding_add(library->findings, place, SEVERITY_ERROR, "grammar.limit",
				    "a step names more than %d grammars", EDI_GRAMMARS_MAX);
			return;
		}
		grammar = edi_grammar_read(library, names->items[i], place);
		if (grammar && strcmp(grammar->format, set->format) != 0)
			finding_add(library->findings, place, SEVERITY_ERROR, "grammar.what",
				    "edi/%s is a grammar of %s, and this step decodes %s", names->items[i],
				    grammar->format, set->format);
		else if (grammar)
			set->items[set->count++] = grammar;
	}
}

static struct edi_grammars *begin(const char *format, const struct transformer_context *context)
{
	struct edi_grammars *set = mem_alloc(sizeof *set);

	set->arena = arena_new();
	set->format = format;
	if (context)
		set->context = *context;
	return set;
}

int edi_grammars_check(const struct text_list *names, const char *format, const struct transformer_context *context,
		       struct place place, struct findings *findings)
{
	struct edi_grammars *set = begin(format, context);
	struct edi_library library = {.arena = set->arena, .findings = findings, .context = context};
	size_t errors = findings->errors;

	read_all(set, &library, names, place);
	edi_grammars_free(set);
	return findings->errors > errors ? -1 : 0;
}

void edi_file_check(const struct transformer_context *context, const char *folder, const char *name,
		    struct findings *findings)
{
	struct arena *arena = arena_new();
	struct edi_library library = {.arena = arena, .findings = findings, .context = context};

	if (!strcmp(folder, "edi"))
		edi_file_read(&library, name);
	arena_free(arena);
}

static int first_of(const struct findings *findings, const char *format, struct error *error)
{
	const struct finding *first = findings->list;
	char code[40];

	if (!findings->count)
		return 0;
	snprintf(code, sizeof code, "%s.grammar", format);
	return error_set(error, ERROR_REJECT, code, "%s:%d:%d: %s", first->place.file, first->place.line,
			 first->place.column, first->text);
}

struct edi_grammars *edi_grammars_new(const struct text_list *names, const char *format,
				      const struct transformer_context *context, struct error *error)
{
	struct edi_grammars *set = begin(format, context);
	struct findings findings;
	struct edi_library library = {.arena = set->arena, .findings = &findings, .context = &set->context};
	int failed;

	findings_init(&findings);
	read_all(set, &library, names, (struct place){"grammars", 0, 0});
	failed = first_of(&findings, format, error);
	findings_free(&findings);
	if (!failed)
		return set;
	edi_grammars_free(set);
	return NULL;
}

void edi_grammars_free(struct edi_grammars *set)
{
	if (!set)
		return;
	arena_free(set->arena);
	free(set);
}

static const struct edi_grammar *find(const struct edi_grammars *set, struct span version, struct span type)
{
	for (size_t i = set->count; i-- > 0;)
		if (span_is(version, set->items[i]->version) && span_is(type, set->items[i]->type))
			return set->items[i];
	return NULL;
}

const struct edi_grammar *edi_grammars_named(const struct edi_grammars *set, struct span version, struct span type,
					     struct span file)
{
	for (size_t i = 0; i < set->count; i++)
		if (span_is(version, set->items[i]->version) && span_is(type, set->items[i]->type) &&
		    span_is(file, set->items[i]->file))
			return set->items[i];
	return NULL;
}

/* "x12-004010-850.yaml", "edifact-d96a-orders.yaml"; false: it cannot be the name of one. */
static bool name_of(const struct edi_grammars *set, struct span version, struct span type, char *name, size_t size)
{
	size_t n = (size_t)snprintf(name, size, "%s-", set->format);

	if (version.len + type.len + n + 8 > size)
		return false;
	for (size_t i = 0; i < version.len; i++)
		if (isalnum((unsigned char)version.data[i]))
			name[n++] = (char)tolower((unsigned char)version.data[i]);
		else if (version.data[i] != ' ')
			return false;
	name[n++] = '-';
	for (size_t i = 0; i < type.len; i++) {
		if (!isalnum((unsigned char)type.data[i]))
			return false;
		name[n++] = (char)tolower((unsigned char)type.data[i]);
	}
	memcpy(name + n, ".yaml", 6);
	return true;
}

static const struct edi_grammar *look_for(struct edi_grammars *set, const char *name, struct error *error)
{
	struct findings findings;
	struct edi_library library = {.arena = set->arena, .findings = &findings, .context = &set->context};
	struct edi_grammar *grammar = NULL;

	for (size_t i = 0; i < set->missing_count; i++)
		if (!strcmp(set->missing[i].file, name))
			return NULL;
	if (set->count < EDI_GRAMMARS_MAX && set->context.file && set->context.file(set->context.site, "edi", name)) {
		findings_init(&findings);
		grammar = edi_grammar_read(&library, name, (struct place){name, 1, 1});
		first_of(&findings, set->format, error);
		findings_free(&findings);
	}
	if (grammar)
		set->items[set->count++] = grammar;
	else if (set->missing_count < sizeof set->missing / sizeof *set->missing)
		snprintf(set->missing[set->missing_count++].file, sizeof set->missing[0].file, "%s", name);
	return grammar;
}

const struct edi_grammar *edi_grammars_find(struct edi_grammars *set, struct span version, struct span type,
					    bool by_hand, struct error *error)
{
	const struct edi_grammar *grammar = find(set, version, type);
	char name[64];

	if (grammar || !by_hand || !name_of(set, version, type, name, sizeof name))
		return grammar;
	return look_for(set, name, error);
}
