/* The comparison's frame: modes and versions, what was already compared, and what is said. See compatibility.h. */
#include "config.h"
#include "config/compatibility_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STEPS_MAX 100000u
#define DEPTH_MAX 600u
#define ROUNDS_MAX 200
#define MEMO_SLOTS 4096u

/* ---- what was compared --------------------------------------------------------------------------------------------
 */
/* A pair of conjunctions. Schemas may contain themselves, so a pair that is being compared counts as compatible; when
 * some pair turns out not to be, everything that was answered yes is asked again, until nothing changes. */
struct memo_entry {
	uint64_t key[2];
	struct memo_entry *next;
	unsigned round;
	bool no; /* for good */
	bool busy, answered, said_fine, said_breaking;
};

struct memo {
	struct arena *arena;
	struct memo_entry *slots[MEMO_SLOTS];
	unsigned round;
};

static void mix(uint64_t key[2], uint64_t word)
{
	key[0] = (key[0] ^ word) * 0x9e3779b97f4a7c15u;
	key[0] ^= key[0] >> 29;
	key[1] = (key[1] + word) * 0xc2b2ae3d27d4eb4fu;
	key[1] ^= key[1] >> 31;
}

static void mix_conj(uint64_t key[2], const struct conj *conj)
{
	for (size_t i = 0; i < conj->count; i++) {
		mix(key, (uint64_t)(uintptr_t)conj->parts[i].schema);
		mix(key, conj->parts[i].skip + 17);
	}
	mix(key, conj->nothing + 3u + 8u * conj->chosen);
}

static struct memo_entry *memo_entry(struct memo *memo, const struct conj *w, const struct conj *r)
{
	uint64_t key[2] = {1, 2};
	struct memo_entry *entry, **slot;

	mix_conj(key, w);
	mix(key, 5);
	mix_conj(key, r);
	slot = &memo->slots[key[0] % MEMO_SLOTS];
	for (entry = *slot; entry; entry = entry->next)
		if (entry->key[0] == key[0] && entry->key[1] == key[1])
			break;
	if (!entry) {
		entry = arena_alloc(memo->arena, sizeof *entry);
		memcpy(entry->key, key, sizeof key);
		entry->next = *slot;
		*slot = entry;
	}
	if (entry->round != memo->round) {
		entry->round = memo->round;
		entry->busy = entry->answered = entry->said_fine = entry->said_breaking = false;
	}
	return entry;
}

/* ---- what is said -------------------------------------------------------------------------------------------------
 */
static void pointer_text(const struct path *path, struct arena *arena, const char **out)
{
	char escaped[512];
	size_t n = 0;

	if (!path)
		return;
	pointer_text(path->up, arena, out);
	if (!path->name) {
		*out = arena_printf(arena, "%s/%zu", *out, path->index);
		return;
	}
	for (const char *at = path->name; *at && n + 3 < sizeof escaped; at++) {
		if (*at == '~' || *at == '/') {
			escaped[n++] = '~';
			escaped[n++] = *at == '~' ? '0' : '1';
		} else {
			escaped[n++] = *at;
		}
	}
	escaped[n] = '\0';
	*out = arena_printf(arena, "%s/%s", *out, escaped);
}

static void field_text(const struct path *path, struct arena *arena, const char **out)
{
	if (!path)
		return;
	field_text(path->up, arena, out);
	if (!path->name)
		*out = arena_printf(arena, "%s[%zu]", *out, path->index);
	else
		*out = arena_printf(arena, "%s%s%s", *out, **out && strcmp(path->name, "[]") != 0 ? "." : "",
				    path->name);
}

/* Seen from old to new, whoever reads. */
static const char *turned(const char *change)
{
	static const char *const pairs[][2] = {
		{"added", "removed"}, {"raised", "lowered"}, {"narrowed", "extended"}, {"closed", "opened"}};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		if (strcmp(change, pairs[i][0]) == 0)
			return pairs[i][1];
		if (strcmp(change, pairs[i][1]) == 0)
			return pairs[i][0];
	}
	return change;
}

static struct difference *said_already(struct compatibility *result, const struct difference *new)
{
	for (size_t i = 0; i < result->count; i++) {
		struct difference *old = &result->list[i];

		if (old->version == new->version && old->in_old == new->in_old &&strcmp(old->code, new->code) == 0 &&
		    strcmp(old->pointer, new->pointer) == 0)
			return old;
	}
	return NULL;
}

static void keep(struct compare *c, const struct difference *new)
{
	struct compatibility *result = c->result;
	struct difference *old = said_already(result, new);

	if (old) {
		if (new->weight > old->weight)
			*old = *new;
		return;
	}
	if (result->count == COMPATIBILITY_DIFFERENCES_MAX) {
		result->more = true;
		for (size_t i = 0; i < result->count; i++)
			if (result->list[i].weight < new->weight) { /* what breaks is not lost */
				result->list[i] = *new;
				return;
			}
		return;
	}
	result->list = mem_grow(result->list, &result->capacity, result->count + 1, sizeof *result->list);
	result->list[result->count++] = *new;
}

bool compare_say(struct compare *c, enum difference_weight weight, const char *family, const char *change,
		 const struct part *part, const char *keyword, const char *name, const char *format, ...)
{
	struct arena *arena = c->result->arena;
	struct difference difference = {.pointer = "", .field = "", .weight = weight, .version = c->version};
	const struct path *path = part ? part->path : NULL;
	char text[600];
	va_list list;

	if (c->trial || (weight == DIFFERENCE_FINE ? c->no_fine : c->no_breaking))
		return weight != DIFFERENCE_BREAKING;
	if (keyword)
		path = path_name(c, path, keyword);
	if (name)
		path = path_name(c, path, name);
	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	difference.text = arena_strdup(arena, text);
	difference.code = arena_printf(arena, "%s.%s", family, c->forward ? turned(change) : change);
	pointer_text(path, arena, &difference.pointer);
	if (part && part->document->name)
		difference.pointer = arena_printf(arena, "%s#%s", part->document->name, difference.pointer);
	difference.in_old = (part ? part->document->writer : false) != c->forward;
	field_text(c->field, arena, &difference.field);
	keep(c, &difference);
	return weight != DIFFERENCE_BREAKING;
}

bool compare_fail(struct compare *c)
{
	if (!c->failed)
		error_set(c->error, ERROR_REJECT, "contract.complex",
			  "the schemas are too large or too deep to compare; split them, or compare their parts");
	c->failed = true;
	return false;
}

/* ---- one pair -----------------------------------------------------------------------------------------------------
 */
static bool compare_base(struct compare *, const struct conj *w, const struct conj *r);

/* Each branch of what the writer chooses from has to be read. */
static bool compare_branches(struct compare *c, const struct conj *w, const struct choice_of *choice,
			     const struct conj *r)
{
	const struct part *part = &w->parts[choice->part];
	struct conj without = conj_copy(c, w), branch;
	bool ok = true;

	conj_decide(&without, choice);
	without.mixed = without.count > 0;
	if (compare_trial(c, &without, r)) /* what is common to all branches is enough */
		return compare_subset(c, &without, r);
	c->no_breaking++; /* what is said in every case is compared once, what breaks is told case by case */
	if (!conj_bare(r))
		compare_base(c, &without, r);
	c->no_breaking--;
	for (size_t i = 0; i < json_array_size(choice->list); i++) {
		branch = conj_copy(c, &without);
		conj_add_index(c, &branch, part, choice->keyword, i);
		ok &= compare_subset(c, &branch, r);
	}
	return ok;
}

/* How two unions go together, apart from what their branches say. */
static bool compare_criteria(struct compare *c, const struct conj *w, const struct choice_of *wrote,
			     const struct conj *r)
{
	const struct part *part = &w->parts[wrote->part];
	size_t had = json_array_size(wrote->list), has;
	struct choice_of reads;

	if (!conj_union(r, 0, &reads))
		return true;
	has = json_array_size(reads.list);
	part = &r->parts[reads.part];
	if (strcmp(wrote->keyword, "anyOf") == 0 && strcmp(reads.keyword, "oneOf") == 0 && !conj_with(w, "oneOf"))
		return compare_say(c, DIFFERENCE_BREAKING, "union", "changed", part, reads.keyword, NULL,
				   "the %s version allows a value that fits several of the choices, the %s one wants "
				   "exactly one",
				   c->writer, c->reader);
	if (strcmp(wrote->keyword, reads.keyword) != 0)
		compare_say(c, DIFFERENCE_FINE, "union", "changed", part, reads.keyword, NULL,
			    "%s became %s, which takes no less", wrote->keyword, reads.keyword);
	if (has > had)
		compare_say(c, DIFFERENCE_FINE, "union", "extended", part, reads.keyword, NULL,
			    "the %s version has %zu choices, the %s one %zu", c->reader, has, c->writer, had);
	return true;
}

static bool compare_types(struct compare *c, const struct conj *w, const struct conj *r)
{
	const struct part *part = conj_with(r, "type");
	unsigned lost = w->types & ~r->types;
	bool in_reader = part != NULL;

	if (!part)
		part = conj_with(w, "type");
	if (!lost) {
		if (part && r->types & ~w->types && (in_reader || r->types == TYPE_ALL))
			compare_say(c, DIFFERENCE_FINE, "type", in_reader ? "extended" : "removed", part, "type", NULL,
				    "the %s version also takes %s", c->reader, types_text(c, r->types & ~w->types));
		return true;
	}
	if (!in_reader && r->types != 0)
		return true; /* an enum says it better */
	if (!(w->types & r->types))
		return compare_say(c, DIFFERENCE_BREAKING, "type", "changed", part, "type", NULL,
				   "the %s version wrote %s, the %s one takes %s", c->writer, types_text(c, w->types),
				   c->reader, r->types ? types_text(c, r->types) : "nothing");
	if (w->types == TYPE_ALL)
		return compare_say(c, DIFFERENCE_BREAKING, "type", "added", part, "type", NULL,
				   "the %s version wrote any type, the %s one takes only %s", c->writer, c->reader,
				   types_text(c, r->types));
	return compare_say(c, DIFFERENCE_BREAKING, "type", "narrowed", part, "type", NULL,
			   "the %s version also wrote %s, the %s one takes only %s", c->writer, types_text(c, lost),
			   c->reader, types_text(c, r->types));
}

/* All but unions. */
static bool compare_base(struct compare *c, const struct conj *w, const struct conj *r)
{
	bool ok;

	compare_annotations(c, w, r);
	ok = compare_types(c, w, r);
	if (!ok && !(w->types & r->types))
		return false;
	ok &= compare_values(c, w, r);
	ok &= compare_objects(c, w, r);
	ok &= compare_arrays(c, w, r);
	return compare_logic(c, w, r) && ok;
}

/* The writer says word by word what the reader says, and perhaps more. */
static bool says_as_much(const struct conj *r)
{
	size_t i = 0;

	while (i < r->count && r->parts[i].skip & SKIP_IMPLIED)
		i++;
	return !r->nothing && r->count > 0 && i == r->count;
}

static bool compare_pair(struct compare *, const struct conj *w, const struct conj *r);

static bool compare_implied(struct compare *c, const struct conj *w, const struct conj *reader)
{
	struct conj r = conj_implied(c, w, reader);

	if (!says_as_much(&r))
		return compare_pair(c, w, &r);
	c->no_breaking++; /* what the writer says beyond it may be told */
	compare_pair(c, w, &r);
	c->no_breaking--;
	return true;
}

static bool compare_pair(struct compare *c, const struct conj *w, const struct conj *r)
{
	struct choice_of choice;
	bool ok = true, chooses;

	if (r->nothing)
		return compare_say(c, DIFFERENCE_BREAKING, "value", "closed", r->count ? &r->parts[0] : NULL, NULL,
				   NULL, "the %s version allows no value here, the %s one wrote some", c->reader,
				   c->writer);
	if (conj_union(w, 0, &choice)) {
		ok &= compare_branches(c, w, &choice, r);
		ok &= compare_criteria(c, w, &choice, r);
		return ok;
	}
	chooses = conj_union(r, 0, &choice);
	if (chooses && conj_bare(r))
		return compare_unions(c, w, r);
	c->no_fine += w->mixed;
	ok = compare_base(c, w, r);
	c->no_fine -= w->mixed;
	return compare_unions(c, w, r) && ok;
}

/* Nothing that it would say was left unsaid. */
static bool settled(const struct compare *c, const struct memo_entry *entry)
{
	if (!entry->answered && !entry->no)
		return false;
	return c->trial || ((c->no_fine || entry->said_fine) && (c->no_breaking || !entry->no || entry->said_breaking));
}

bool compare_subset(struct compare *c, const struct conj *w, const struct conj *r)
{
	struct memo_entry *entry;
	bool ok;

	if (w->nothing || !w->types || c->failed)
		return true;
	entry = memo_entry(c->memo, w, r);
	if (entry->busy) {
		c->assumed = true;
		return !entry->no;
	}
	if (settled(c, entry))
		return !entry->no;
	if (++c->steps > STEPS_MAX || c->depth >= DEPTH_MAX)
		return compare_fail(c);
	entry->busy = true;
	entry->said_fine |= !c->trial && !c->no_fine;
	entry->said_breaking |= !c->trial && !c->no_breaking;
	c->depth++;
	ok = compare_implied(c, w, r);
	c->depth--;
	entry->busy = false;
	entry->answered = true;
	if (!ok && !entry->no)
		entry->no = c->corrected = true;
	return !entry->no;
}

bool compare_trial(struct compare *c, const struct conj *w, const struct conj *r)
{
	bool ok;

	c->trial++;
	ok = compare_subset(c, w, r);
	c->trial--;
	return ok;
}

/* ---- two versions -------------------------------------------------------------------------------------------------
 */
static bool said_why(const struct compatibility *result)
{
	for (size_t i = 0; i < result->count; i++)
		if (result->list[i].weight != DIFFERENCE_FINE)
			return true;
	return false;
}

static bool same_part(const json_t *one, const json_t *other, const char *keyword)
{
	const json_t *a = json_object_get(one, keyword), *b = json_object_get(other, keyword);

	return a == b || (a && b && json_equal(a, b));
}

static void one_round(struct compare *c, const json_t *writer, const json_t *reader)
{
	struct schema_document *documents[2];
	struct conj w, r;

	arena_reset(c->arena);
	c->documents = NULL;
	for (int i = 0; i < 2; i++)
		documents[i] = schema_document_new(c, i ? reader : writer, NULL, i == 0);
	c->memo->round++;
	c->assumed = c->corrected = false;
	c->steps = c->depth = c->trial = c->no_fine = c->no_breaking = 0;
	c->field = NULL;
	c->same_definitions = same_part(writer, reader, "$defs") && same_part(writer, reader, "definitions");
	conj_init(&w);
	conj_init(&r);
	conj_add(c, &w, writer, NULL, documents[0]);
	conj_add(c, &r, reader, NULL, documents[1]);
	if (!compare_subset(c, &w, &r) && !c->failed && !said_why(c->result))
		compare_say(c, DIFFERENCE_BREAKING, "value", "changed", r.count ? &r.parts[0] : NULL, NULL, NULL,
			    "the %s version does not take all that the %s one wrote", c->reader, c->writer);
}

static int compare_two(const json_t *old, const json_t *new, size_t version, bool forward,
		       const struct compatibility_options *options, struct compatibility *result, struct error *error)
{
	struct memo *memo = mem_alloc(sizeof *memo);
	struct compare c = {.options = options,
			    .result = result,
			    .error = error,
			    .arena = arena_new(),
			    .memo = memo,
			    .made = json_object(),
			    .writer = forward ? "new" : "old",
			    .reader = forward ? "old" : "new",
			    .forward = forward,
			    .version = version};
	size_t before = result->count;
	bool same = json_equal(old, new); /* what they refer to is read as it is today for both */

	memo->arena = arena_new();
	for (int round = 0; round < ROUNDS_MAX && !c.failed && !same; round++) {
		result->count = before; /* what was said rested on what was not so */
		one_round(&c, forward ? new : old, forward ? old : new);
		if (!c.assumed || !c.corrected)
			break;
	}
	patterns_free(&c);
	json_decref(c.made);
	arena_free(c.arena);
	arena_free(memo->arena);
	free(memo);
	return c.failed ? -1 : 0;
}

/* The heaviest first; else as they were found. */
static void sort(struct compatibility *result)
{
	struct difference *sorted = mem_alloc((result->count + 1) * sizeof *sorted);
	size_t n = 0;

	for (int weight = DIFFERENCE_BREAKING; weight >= DIFFERENCE_FINE; weight--)
		for (size_t i = 0; i < result->count; i++)
			if ((int)result->list[i].weight == weight)
				sorted[n++] = result->list[i];
	free(result->list);
	result->list = sorted;
	result->capacity = n + 1;
}

static void count(struct compatibility *result)
{
	for (size_t i = 0; i < result->count; i++) {
		result->breaking += result->list[i].weight == DIFFERENCE_BREAKING;
		result->suspect += result->list[i].weight == DIFFERENCE_SUSPECT;
	}
}

int compatibility_compare(const json_t *const *versions, size_t versions_count,
			  const struct compatibility_options *options, struct compatibility *result,
			  struct error *error)
{
	const json_t *new = versions[versions_count - 1];
	int code = 0;

	*result = (struct compatibility){.arena = arena_new()};
	for (size_t i = options->transitive ? 0 : versions_count - 2; i + 1 < versions_count && !code; i++) {
		if (options->mode != COMPATIBILITY_FORWARD)
			code = compare_two(versions[i], new, i, false, options, result, error);
		if (!code && options->mode & COMPATIBILITY_FORWARD)
			code = compare_two(versions[i], new, i, true, options, result, error);
	}
	if (options->mode == COMPATIBILITY_NONE) /* everything is allowed; what changed is told all the same */
		for (size_t i = 0; i < result->count; i++)
			result->list[i].weight = DIFFERENCE_FINE;
	sort(result);
	count(result);
	return code;
}

void compatibility_free(struct compatibility *result)
{
	arena_free(result->arena);
	free(result->list);
	*result = (struct compatibility){0};
}

int compatibility_mode_parse(const char *word, enum compatibility_mode *mode, bool *transitive)
{
	static const struct {
		const char *name;
		enum compatibility_mode mode;
	} names[] = {{"none", COMPATIBILITY_NONE},
		     {"backward", COMPATIBILITY_BACKWARD},
		     {"forward", COMPATIBILITY_FORWARD},
		     {"full", COMPATIBILITY_FULL}};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t n = strlen(names[i].name);

		if (strncasecmp(word, names[i].name, n) != 0)
			continue;
		if (word[n] && (i == 0 || strlen(word + n) != 11 || (word[n] != '-' && word[n] != '_') ||
				strcasecmp(word + n + 1, "transitive") != 0))
			continue;
		*mode = names[i].mode;
		*transitive = word[n] != '\0';
		return 0;
	}
	return -1;
}
