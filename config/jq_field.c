/* Tokens as the walk takes them, fields that a program asks for, and what is told of them. See jq_walk.h. */
#include "config.h"
#include "config/jq_walk_private.h"

#include <stdlib.h>

/* ---- tokens ---------------------------------------------------------------------------------------------- */
const struct jq_token *jq_peek(const struct walk *w)
{
	return &w->tokens.list[w->at];
}

const struct jq_token *jq_take(struct walk *w)
{
	const struct jq_token *token = jq_peek(w);

	if (token->kind != JQ_END)
		w->at++;
	return token;
}

bool jq_is(const struct walk *w, const char *text)
{
	const struct jq_token *token = jq_peek(w);

	return (token->kind == JQ_MARK || token->kind == JQ_WORD) && span_is(token->text, text);
}

bool jq_next_is(struct walk *w, const char *text)
{
	if (!jq_is(w, text))
		return false;
	w->at++;
	return true;
}

void jq_expect(struct walk *w, const char *text)
{
	if (!jq_next_is(w, text))
		w->lost = true;
}

bool jq_is_any(const struct walk *w, const char *const *words)
{
	while (*words && !jq_is(w, *words))
		words++;
	return *words != NULL;
}

bool jq_in_list(struct span word, const char *const *words)
{
	while (*words && !span_is(word, *words))
		words++;
	return *words != NULL;
}

/* ---- telling --------------------------------------------------------------------------------------------- */
static void tell(struct walk *w, size_t offset, enum severity severity, const char *code, const char *text)
{
	for (size_t i = 0; i < w->told_count; i++) {
		if (w->told[i].offset == offset)
			return;
	}
	if (w->told_count < TOLD_MAX)
		w->told[w->told_count++] = (struct told){offset, severity, code, text};
}

static void tell_field(struct walk *w, const struct shape *of, const struct shape *field, enum field verdict,
		       const char *key, size_t offset)
{
	const char *contracts = shape_contracts(w->arena, of), *near = shape_nearest(of, key), *text;

	if (near && strcmp(near, key) == 0)
		near = NULL;
	if (of->object) {
		text = arena_printf(w->arena, "`%s` is no field of what the mapping before it makes" NEAR, field->path,
				    NEAR_ARGS(near));
		tell(w, offset, SEVERITY_WARNING, "path.made", text);
	} else if (verdict == FIELD_SCALAR) {
		text = arena_printf(w->arena, "`%s` of %s has no fields: it is no object", *of->path ? of->path : ".",
				    contracts);
		tell(w, offset, SEVERITY_ERROR, "path.unknown", text);
	} else if (verdict == FIELD_CLOSED) {
		text = arena_printf(w->arena, "`%s` is no field of %s" NEAR, field->path, contracts, NEAR_ARGS(near));
		tell(w, offset, SEVERITY_ERROR, "path.unknown", text);
	} else if (verdict == FIELD_OPEN && shape_describes(of)) {
		text = arena_printf(w->arena, "`%s` is not described by %s" NEAR, field->path, contracts,
				    NEAR_ARGS(near));
		tell(w, offset, SEVERITY_WARNING, "path.open", text);
	}
}

/* ---- $envelope ------------------------------------------------------------------------------------------- */
static const char *const envelope[] = {
	"id",        "source",      "type",        "subject",    "datacontenttype", "correlationid", "flow",
	"name",      "time",        "attempt",     "keys",       "headers",         "path",          "position",
	"group",     "generation",  "group_index", "group_size", "facts",           "interchange",   "transaction",
	"collected", "causationid", "sequence",    NULL};

void jq_envelope(struct walk *w, const struct jq_token *token)
{
	char *key = arena_span(w->arena, token->text).data ? mem_span_dup(token->text) : NULL;
	const char *near;

	if (!jq_in_list(token->text, envelope)) {
		near = nearest_name(token->text, envelope, sizeof envelope / sizeof *envelope - 1);
		tell(w, token->offset, SEVERITY_WARNING, "envelope.unknown",
		     arena_printf(w->arena, "$envelope has no `%s`" NEAR, key, NEAR_ARGS(near)));
	}
	free(key);
}

struct shape jq_field(struct walk *w, const struct shape *of, struct span name, size_t offset)
{
	const char *key = arena_span(w->arena, name).data;
	struct shape into;
	enum field verdict;

	if (of->absent) {
		tell(w, offset, SEVERITY_ERROR, w->absent_code, w->absent_why);
		return shape_unknown();
	}
	if (memchr(name.data, '\\', name.len))
		return shape_unknown();
	verdict = shape_field(w->arena, of, key, &into);
	if (verdict != FIELD_KNOWN && verdict != FIELD_UNKNOWN)
		tell_field(w, of, &into, verdict, key, offset);
	return into;
}
