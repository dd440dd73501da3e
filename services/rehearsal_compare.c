/* What a test wants beside what happened. See rehearsal.h. */
#include "config.h"
#include "services/rehearsal_private.h"

#include <stdlib.h>

#include "base/difference.h"
#include "base/tree.h"
#include "base/utf8.h"

#define SHOWN_MAX (8u << 20)
#define KNOWN_MAX (256u << 20)
#define WHOLE_MAX 3     /* so many that nobody expected are shown whole, … */
#define PAIRS_MAX 50    /* so many that came otherwise are compared line by line */
#define BRIEF_MAX 20    /* … and so many by their first line */
#define VALUE_SHOWN 300 /* of one fact */

json_t *json_text_new(struct span text)
{
	struct buf clean;
	json_t *string;

	buf_init(&clean, SIZE_MAX / 2);
	utf8_clean(&clean, text);
	string = json_stringn(clean.len ? clean.data : "", clean.len);
	buf_free(&clean);
	return string;
}

/* ---- data ----------------------------------------------------------------------------------------------------------
 */
static bool objects_agree(const json_t *a, const json_t *b, bool (*agree)(const json_t *, const json_t *))
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)a, key, value) {
		const json_t *other = json_object_get(b, key);

		if (!other || !agree(value, other))
			return false;
	}
	return true;
}

static bool arrays_agree(const json_t *a, const json_t *b, bool (*agree)(const json_t *, const json_t *))
{
	if (json_array_size(a) != json_array_size(b))
		return false;
	for (size_t i = 0; i < json_array_size(a); i++)
		if (!agree(json_array_get(a, i), json_array_get(b, i)))
			return false;
	return true;
}

bool json_agree(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b))
		return json_is_integer(a) && json_is_integer(b)
			       ? json_integer_value(a) == json_integer_value(b)
			       : !(json_number_value(a) < json_number_value(b)) &&
					 !(json_number_value(a) > json_number_value(b));
	if (json_is_object(a) && json_is_object(b))
		return json_object_size(a) == json_object_size(b) && objects_agree(a, b, json_agree);
	if (json_is_array(a) && json_is_array(b))
		return arrays_agree(a, b, json_agree);
	return json_equal(a, b);
}

bool json_within(const json_t *part, const json_t *whole)
{
	if (json_is_object(part) && json_is_object(whole))
		return objects_agree(part, whole, json_within);
	if (json_is_array(part) && json_is_array(whole))
		return arrays_agree(part, whole, json_within);
	return json_agree(part, whole);
}

json_t *json_projection_new(const json_t *part, json_t *whole)
{
	json_t *shown, *value;
	const char *key;

	if (json_is_object(part) && json_is_object(whole)) {
		shown = json_object();
		json_object_foreach((json_t *)(uintptr_t)part, key, value) {
			json_t *other = json_object_get(whole, key);

			if (other)
				json_object_set_new(shown, key, json_projection_new(value, other));
		}
		return shown;
	}
	if (json_is_array(part) && json_is_array(whole)) {
		shown = json_array();
		for (size_t i = 0; i < json_array_size(whole); i++)
			json_array_append_new(shown,
					      json_projection_new(json_array_get(part, i), json_array_get(whole, i)));
		return shown;
	}
	return json_incref(whole);
}

/* ---- does it fit? --------------------------------------------------------------------------------------------------
 */
static bool contains_only(const char *fact)
{
	return !strcmp(fact, "reason") || !strcmp(fact, "position") || !strcmp(fact, "content") || !strcmp(fact, "why");
}

static bool fact_fits(const char *name, const char *wanted, const char *got)
{
	size_t n = strlen(wanted);

	if (!got)
		return false;
	if (contains_only(name))
		return strstr(got, wanted) != NULL;
	if (!strcmp(name, "step") && !strchr(wanted, ':') && !strncmp(got, wanted, n) && got[n] == ':')
		return true;
	return !strcmp(wanted, got);
}

static bool facts_fit(const json_t *wanted, const json_t *got)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)wanted, name, value) {
		if (!fact_fits(name, json_string_value(value), json_string_value(json_object_get(got, name))))
			return false;
	}
	return true;
}

/* Names of headers are the same in any case. */
static const char *header_of(const json_t *headers, const char *name)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)headers, key, value) {
		if (!strcasecmp(key, name))
			return json_string_value(value);
	}
	return NULL;
}

static const char *key_of(const json_t *keys, const char *name)
{
	return json_string_value(json_object_get(keys, name));
}

static bool texts_fit(const json_t *wanted, const json_t *got, const char *(*of)(const json_t *, const char *))
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)wanted, name, value) {
		const char *other = of(got, name);

		if (!other || strcmp(other, json_string_value(value)) != 0)
			return false;
	}
	return true;
}

/* The envelope, as far as a test can see it: its facts, and the keys. */
int rehearsal_condition(const struct happened *happened, struct expression *expression, bool *is, struct error *error)
{
	json_t *envelope = json_copy(happened->facts);
	struct expression_input input = {.body = happened->tree ? happened->tree : json_null(), .envelope = envelope};
	int result;

	if (happened->keys)
		json_object_set(envelope, "keys", happened->keys);
	if (happened->headers)
		json_object_set(envelope, "headers", happened->headers);
	result = expression_true(expression, &input, is, error);
	json_decref(envelope);
	return result;
}

static bool bytes_fit(const struct stage *stage, const struct trial_content *content, struct span body)
{
	struct error error = {0};
	struct buf text;
	bool fits;

	if (!content->file && !content->text.data)
		return true;
	buf_init(&text, TRIAL_TEXT_MAX);
	fits = !trial_bytes(stage, content, &text, &error) && span_equal(buf_view(&text), body);
	buf_free(&text);
	return fits;
}

static bool fits(const struct stage *stage, const struct trial_wanted *wanted, const struct happened *happened)
{
	struct error error = {0};
	bool is = true;

	if (wanted->kind != happened->kind || !facts_fit(wanted->facts, happened->facts) ||
	    !texts_fit(wanted->keys, happened->keys, key_of) ||
	    !texts_fit(wanted->headers, happened->headers, header_of) ||
	    (wanted->body.json && !(happened->tree && json_agree(wanted->body.json, happened->tree))) ||
	    (wanted->has && !(happened->tree && json_within(wanted->has, happened->tree))) ||
	    !bytes_fit(stage, &wanted->body, happened->body))
		return false;
	for (size_t i = 0; is && i < wanted->where.count; i++)
		if (rehearsal_condition(happened, wanted->where.items[i], &is, &error))
			is = false;
	return is;
}

/* ---- the matching (augmenting paths) -------------------------------------------------------------------------------
 */
struct matching {
	const struct stage *stage;
	const struct trial *trial;
	const struct rehearsal *rehearsal;
	struct comparison *comparison;
	char *known;    /* wanted × happened: 0 not looked yet, 1 fits, 2 does not; NULL: it would be too large */
	bool *visited;  /* of what is wanted, in this search */
	size_t *cursor; /* of what is wanted: before it nothing is free that fits */
};

static bool fit_known(struct matching *m, size_t w, size_t h)
{
	char *known = m->known ? &m->known[w * m->rehearsal->count + h] : NULL, unknown = 0;

	known = known ? known : &unknown;
	if (!*known)
		*known = fits(m->stage, &m->trial->wanted[w], &m->rehearsal->list[h]) ? 1 : 2;
	return *known == 1;
}

static bool augment(struct matching *m, size_t w)
{
	size_t *owner = m->comparison->owner;

	m->visited[w] = true;
	for (size_t h = m->cursor[w]; h < m->rehearsal->count; h = ++m->cursor[w])
		if (!owner[h] && fit_known(m, w, h)) {
			owner[h] = w + 1;
			return true;
		}
	for (size_t h = 0; h < m->rehearsal->count; h++) {
		if (!owner[h] || m->visited[owner[h] - 1] || !fit_known(m, w, h) || !augment(m, owner[h] - 1))
			continue;
		owner[h] = w + 1;
		return true;
	}
	return false;
}

/* Is it nobody's business? What a section leaves out is not looked at, but nothing may die unforeseen. */
static bool unexpected(const struct rehearsal *rehearsal, const struct trial *trial,
		       const struct comparison *comparison, size_t h)
{
	const struct happened *happened = &rehearsal->list[h];

	if (comparison->owner[h] || (happened->other && comparison->owner[happened->other - 1]))
		return false;
	return trial->said[happened->kind] || happened->kind == TRIAL_DEAD;
}

void rehearsal_compare(const struct rehearsal *rehearsal, const struct stage *stage, const struct trial *trial,
		       struct comparison *comparison)
{
	struct matching m = {stage, trial, rehearsal, comparison, NULL, NULL, NULL};

	*comparison = (struct comparison){.agrees = true};
	comparison->owner = mem_alloc((rehearsal->count + 1) * sizeof *comparison->owner);
	comparison->missing = mem_alloc((trial->wanted_count + 1) * sizeof *comparison->missing);
	if (trial->wanted_count < KNOWN_MAX / (rehearsal->count + 1))
		m.known = mem_alloc(trial->wanted_count * rehearsal->count + 1);
	m.visited = mem_alloc((trial->wanted_count + 1) * sizeof *m.visited);
	m.cursor = mem_alloc((trial->wanted_count + 1) * sizeof *m.cursor);
	for (size_t w = 0; w < trial->wanted_count; w++) {
		int64_t left = trial->wanted[w].count;

		do
			memset(m.visited, 0, trial->wanted_count * sizeof *m.visited);
		while (left > 0 && augment(&m, w) && left-- > 0);
		comparison->missing[w] = left;
		comparison->agrees = comparison->agrees && !left;
	}
	for (size_t h = 0; h < rehearsal->count; h++)
		if (unexpected(rehearsal, trial, comparison, h))
			comparison->agrees = false;
	free(m.known);
	free(m.visited);
	free(m.cursor);
}

void comparison_free(struct comparison *comparison)
{
	free(comparison->owner);
	free(comparison->missing);
	*comparison = (struct comparison){0};
}

/* ---- telling -------------------------------------------------------------------------------------------------------
 */
static void put_fact(struct buf *out, const char *name, const char *text)
{
	struct buf line;

	buf_init(&line, SHOWN_MAX);
	buf_printf(&line, "%s: %s\n", name, text ? text : "(none)");
	difference_visible(out, buf_view(&line));
	buf_free(&line);
}

static void put_tree(struct buf *out, const json_t *tree)
{
	tree_write(out, tree, TREE_PRETTY | TREE_SORTED);
	buf_char(out, '\n');
}

/* Both sides of one pair, line by line, as far as the test looks. */
static void put_facts(const struct trial_wanted *wanted, const struct happened *happened, struct buf *a, struct buf *b)
{
	const char *name;
	json_t *value;

	json_object_foreach(wanted->facts, name, value) {
		const char *text = json_string_value(value),
			   *got = json_string_value(json_object_get(happened->facts, name));

		put_fact(a, name, fact_fits(name, text, got) ? got : text);
		put_fact(b, name, got);
	}
	json_object_foreach(wanted->keys, name, value) {
		buf_text(a, "key ");
		put_fact(a, name, json_string_value(value));
		buf_text(b, "key ");
		put_fact(b, name, key_of(happened->keys, name));
	}
	json_object_foreach(wanted->headers, name, value) {
		buf_text(a, "header ");
		put_fact(a, name, json_string_value(value));
		buf_text(b, "header ");
		put_fact(b, name, header_of(happened->headers, name));
	}
}

static void put_conditions(const struct trial_wanted *wanted, const struct happened *happened, struct buf *a,
			   struct buf *b)
{
	for (size_t i = 0; i < wanted->where.count; i++) {
		struct span source = expression_source(wanted->where.items[i]);
		struct error error = {0};
		bool is = false;
		int failed = rehearsal_condition(happened, wanted->where.items[i], &is, &error);

		buf_printf(a, "where %.*s: true\n", SPAN_ARGS(source));
		buf_printf(b, "where %.*s: %s\n", SPAN_ARGS(source), failed ? error.text : is ? "true" : "false");
	}
}

static void put_body(const struct stage *stage, const struct trial_wanted *wanted, const struct happened *happened,
		     struct buf *a, struct buf *b)
{
	const json_t *data = wanted->body.json ? wanted->body.json : wanted->has;
	struct error error = {0};
	struct buf text;
	json_t *shown;

	if (data) {
		put_tree(a, data);
		shown = wanted->body.json || !happened->tree ? json_incref(happened->tree)
							     : json_projection_new(wanted->has, happened->tree);
		if (shown)
			put_tree(b, shown);
		else
			difference_visible(b, happened->body);
		json_decref(shown);
	}
	if (!wanted->body.file && !wanted->body.text.data)
		return;
	buf_init(&text, TRIAL_TEXT_MAX);
	if (trial_bytes(stage, &wanted->body, &text, &error))
		buf_printf(a, "(%s)\n", error.text);
	else
		difference_visible(a, buf_view(&text));
	difference_visible(b, happened->body);
	buf_free(&text);
}

static void tell_pair(const struct stage *stage, const struct trial_wanted *wanted, const struct happened *happened,
		      struct buf *out)
{
	struct buf a, b;

	buf_init(&a, SHOWN_MAX);
	buf_init(&b, SHOWN_MAX);
	put_facts(wanted, happened, &a, &b);
	put_conditions(wanted, happened, &a, &b);
	put_body(stage, wanted, happened, &a, &b);
	buf_text(out, "--- expected\n+++ what came\n");
	difference_lines(out, buf_view(&a), buf_view(&b));
	buf_free(&a);
	buf_free(&b);
}

/* One line of it. */
static void put_short(struct buf *out, const char *indent, const char *name, const char *text)
{
	size_t n = strcspn(text, "\n");
	bool cut = text[n] && text[n + 1];

	struct buf line;

	buf_init(&line, 4096);
	buf_printf(&line, "%s%s: %.*s%s\n", indent, name, (int)(n < VALUE_SHOWN ? n : VALUE_SHOWN), text,
		   cut || n > VALUE_SHOWN ? " …" : "");
	difference_visible(out, buf_view(&line));
	buf_free(&line);
}

/* What tells it from others, in a line. */
static void tell_brief(const struct happened *happened, struct buf *out)
{
	static const char *const names[] = {"topic", "to", "step", "path", "code"};
	const char *name;
	json_t *value;

	buf_char(out, ' ');
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if ((value = json_object_get(happened->facts, names[i])))
			buf_printf(out, " %s", json_string_value(value));
	json_object_foreach(happened->keys, name, value) {
		buf_printf(out, " %s=%s", name, json_string_value(value));
	}
	buf_char(out, '\n');
}

/* The whole of something that nobody expected, or that did not come. */
static void tell_happened(const struct happened *happened, struct buf *out)
{
	const char *name;
	json_t *value;
	struct buf text;

	buf_init(&text, SHOWN_MAX);
	json_object_foreach(happened->facts, name, value) {
		put_short(out, "  ", name, json_string_value(value));
	}
	json_object_foreach(happened->keys, name, value) {
		put_short(out, "  key ", name, json_string_value(value));
	}
	if (happened->tree)
		put_tree(&text, happened->tree);
	else
		difference_visible(&text, happened->body);
	for (size_t i = 0; i < text.len; i++) {
		if (i == 0 || text.data[i - 1] == '\n')
			buf_text(out, "  | ");
		buf_char(out, text.data[i]);
	}
	buf_free(&text);
}

static void tell_wanted(const struct trial_wanted *wanted, int64_t missing, struct buf *out)
{
	const char *name;
	json_t *value;

	buf_printf(out, "%s:%d: %s, but did not come", wanted->place.file, wanted->place.line,
		   trial_section_names[wanted->kind]);
	if (wanted->count > 1)
		buf_printf(out, " (%lld of %lld)", (long long)missing, (long long)wanted->count);
	buf_char(out, '\n');
	json_object_foreach(wanted->facts, name, value) {
		buf_text(out, "  ");
		put_fact(out, name, json_string_value(value));
	}
}

/* How much of the facts agrees: what should be compared is what is most alike. */
static int likeness(const struct trial_wanted *wanted, const struct happened *happened)
{
	const char *name;
	json_t *value;
	int alike = 0;

	json_object_foreach(wanted->facts, name, value) {
		if (fact_fits(name, json_string_value(value),
			      json_string_value(json_object_get(happened->facts, name))))
			alike += 2;
	}
	json_object_foreach(wanted->keys, name, value) {
		const char *got = key_of(happened->keys, name);

		alike += got && !strcmp(got, json_string_value(value)) ? 3 : 0;
	}
	return alike;
}

static size_t most_alike(const struct rehearsal *rehearsal, const struct comparison *comparison, const bool *told,
			 const struct trial_wanted *wanted)
{
	size_t best = rehearsal->count;
	int most = -1;

	for (size_t h = 0; h < rehearsal->count; h++) {
		const struct happened *happened = &rehearsal->list[h];

		if (comparison->owner[h] || told[h] || happened->kind != wanted->kind)
			continue;
		if (likeness(wanted, happened) > most) {
			most = likeness(wanted, happened);
			best = h;
		}
	}
	return best;
}

void rehearsal_tell(const struct rehearsal *rehearsal, const struct stage *stage, const struct trial *trial,
		    const struct comparison *comparison, struct buf *out)
{
	bool *told = mem_alloc((rehearsal->count + 1) * sizeof *told);
	size_t unforeseen = 0, pairs = 0;

	for (size_t w = 0; w < trial->wanted_count; w++) {
		const struct trial_wanted *wanted = &trial->wanted[w];
		int64_t left = comparison->missing[w];
		size_t h;

		for (; left && pairs < PAIRS_MAX &&
		       (h = most_alike(rehearsal, comparison, told, wanted)) < rehearsal->count;
		     left--, pairs++) {
			told[h] = true;
			buf_printf(out, "%s:%d: %s, but otherwise\n", wanted->place.file, wanted->place.line,
				   trial_section_names[wanted->kind]);
			tell_pair(stage, wanted, &rehearsal->list[h], out);
		}
		if (left)
			tell_wanted(wanted, left, out);
	}
	for (size_t h = 0; h < rehearsal->count; h++) {
		const struct happened *happened = &rehearsal->list[h];
		struct place place = trial->said[happened->kind] ? trial->said_at[happened->kind] : trial->place;

		if (told[h] || !unexpected(rehearsal, trial, comparison, h))
			continue;
		if (unforeseen++ >= WHOLE_MAX + BRIEF_MAX)
			continue;
		buf_printf(out, "%s:%d: %s, which nobody expected\n", place.file, place.line,
			   trial_section_names[happened->kind]);
		if (unforeseen > WHOLE_MAX)
			tell_brief(happened, out);
		else
			tell_happened(happened, out);
	}
	if (unforeseen > WHOLE_MAX + BRIEF_MAX)
		buf_printf(out, "… and %zu more that nobody expected\n", unforeseen - WHOLE_MAX - BRIEF_MAX);
	free(told);
}
