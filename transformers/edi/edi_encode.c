/* A line of JSON to the bytes it stands for. See edi_encode.h. */
#include "config.h"
#include "transformers/edi/edi_nested.h"

/* What a line says, where its members lie in its text; empty: not there. */
struct line {
	struct span before, charset, interchange, group, transaction, segments, ends, layout, escapes;
	struct span grammar, document, unplaced; /* of the nested form */
	struct span package, object, object_base64;
	bool written; /* its segments are out */
	uint64_t segments_count;
	char control[EDI_CONTROL_MAX];
	size_t run; /* where its own bytes begin */
	struct edi_place place;
};

void edi_encoder_begin(struct edi_encoder *encoder, const struct edi_dialect *dialect, enum edi_strictness strictness,
		       int64_t time_ms, struct buf *out)
{
	memset(encoder, 0, sizeof *encoder);
	encoder->dialect = dialect;
	encoder->strictness = strictness;
	encoder->time_ms = time_ms;
	encoder->out = out;
	encoder->sink.out = out;
	encoder->sink.dialect = dialect;
	encoder->sink.strictness = strictness;
	buf_init(&encoder->interchange.text, SIZE_MAX / 4);
	buf_init(&encoder->interchange.previous, SIZE_MAX / 4);
	buf_init(&encoder->group.text, SIZE_MAX / 4);
	buf_init(&encoder->group.previous, SIZE_MAX / 4);
	buf_init(&encoder->spare, SIZE_MAX / 4);
	buf_init(&encoder->escaped, SIZE_MAX / 4);
	encoder->escaping.sets = iso2022_new();
	iso2022_begin(&encoder->escaping.state);
	encoder->plain_from = out->len;
}

void edi_encoder_end(struct edi_encoder *encoder)
{
	buf_free(&encoder->interchange.text);
	buf_free(&encoder->interchange.previous);
	buf_free(&encoder->group.text);
	buf_free(&encoder->group.previous);
	buf_free(&encoder->spare);
	buf_free(&encoder->escaped);
	iso2022_free(encoder->escaping.sets);
}

static int broken(const struct edi_encoder *encoder, struct error *error, const char *what)
{
	return edi_fault(error, encoder->dialect, "json", "%s", what);
}

/* ---- trailers */
static void close_group(struct edi_encoder *encoder, const json_t *as_was)
{
	if (!encoder->group.state.open)
		return;
	encoder->group.state.open = false;
	edi_close_segment(encoder, EDI_GROUP, encoder->group.state.count, encoder->group.state.control, as_was);
}

static void close_interchange(struct edi_encoder *encoder, const json_t *as_was)
{
	const struct edi_dialect *dialect = encoder->dialect;
	struct edi_state *open = &encoder->interchange.state;
	uint64_t count = dialect->groups_needed || (dialect->count_groups && open->count) ? open->count : open->all;

	close_group(encoder, NULL);
	if (!open->open)
		return;
	open->open = false;
	edi_close_segment(encoder, EDI_INTERCHANGE, count, open->control, as_was);
}

void edi_encode_close(struct edi_encoder *encoder)
{
	struct error unused;

	encoder->plain_from = encoder->out->len;
	close_interchange(encoder, NULL);
	edi_escape(encoder, SPAN_NONE, &unused); /* its characters are those of the header */
}

/* ---- headers */
static json_t *object_of(struct edi_encoder *encoder, struct span text, const char *what, struct error *error)
{
	json_error_t why;
	json_t *object = text.len ? json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why)
				  : json_object();

	if (json_is_object(object))
		return object;
	json_decref(object);
	edi_fault(error, encoder->dialect, "json", "`%s` must be an object", what);
	return NULL;
}

static bool is_same(const struct edi_open *open, struct span text)
{
	return open->state.open && span_equal(buf_view(&open->text), text);
}

static void set_open(struct edi_open *open, struct span text)
{
	struct buf other = open->previous;

	open->previous = open->text;
	open->text = other;
	buf_reset(&open->text);
	buf_span(&open->text, text);
	open->state.open = true;
	open->state.count = open->state.all = 0;
	open->state.serial++;
}

static struct span text_of(const json_t *text)
{
	return json_is_string(text) ? span_make(json_string_value(text), json_string_length(text)) : SPAN_NONE;
}

static bool is_filler(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!edi_is_filler(text.data[i]))
			return false;
	return true;
}

static bool is_interactive(const json_t *facts)
{
	return json_is_true(json_object_get(facts, "interactive"));
}

static int open_interchange(struct edi_encoder *encoder, struct line *line, struct error *error)
{
	struct edi_open *open = &encoder->interchange;
	json_t *facts;
	int failed;

	if (is_same(open, line->interchange))
		return edi_set_charset(encoder, line->charset, error);
	close_interchange(encoder, NULL);
	if (edi_escape(encoder, SPAN_NONE, error))
		return -1;
	line->run = encoder->out->len;
	facts = object_of(encoder, line->interchange, "interchange", error);
	if (!facts)
		return -1;
	edi_put_before(encoder, line->before, facts);
	line->run = encoder->out->len;
	if (encoder->dialect->una)
		encoder->dialect = encoder->sink.dialect = is_interactive(facts) ? &edi_interactive : &edi_edifact;
	set_open(open, line->interchange);
	failed = edi_open_interchange(encoder, facts, line->charset, error) ||
		 edi_open_segment(encoder, EDI_INTERCHANGE, facts, open->state.control, error);
	json_decref(facts);
	return failed ? -1 : 0;
}

static int open_group(struct edi_encoder *encoder, struct line *line, struct error *error)
{
	struct edi_open *open = &encoder->group;
	json_t *facts;
	int failed;

	if (is_same(open, line->group))
		return 0;
	if (open->state.open) {
		close_group(encoder, NULL);
		if (edi_escape(encoder, SPAN_NONE, error))
			return -1;
		line->run = encoder->out->len;
	}
	if (!line->group.len) {
		if (encoder->dialect->groups_needed && line->transaction.len)
			return edi_fault(error, encoder->dialect, "structure",
					 "the line has no `group`, and no %s stands outside one",
					 encoder->dialect->transaction);
		return 0;
	}
	facts = object_of(encoder, line->group, "group", error);
	set_open(open, line->group);
	encoder->interchange.state.count++;
	failed = !facts || edi_open_segment(encoder, EDI_GROUP, facts, open->state.control, error);
	json_decref(facts);
	return failed ? -1 : 0;
}

static int open_transaction(struct edi_encoder *encoder, struct line *line, struct error *error)
{
	json_t *facts;
	int failed;

	if (!line->transaction.len)
		return 0;
	encoder->interchange.state.all++;
	encoder->group.state.count++;
	facts = object_of(encoder, line->transaction, "transaction", error);
	failed = !facts || edi_open_segment(encoder, EDI_TRANSACTION, facts, line->control, error);
	json_decref(facts);
	return failed;
}

static int put_headers(struct edi_encoder *encoder, struct line *line, struct error *error)
{
	line->run = encoder->out->len;
	if (!line->interchange.len)
		return broken(encoder, error, "the line has no `interchange`");
	if (open_interchange(encoder, line, error))
		return error_wrap(error, "interchange");
	if (open_group(encoder, line, error))
		return error_wrap(error, "group");
	return open_transaction(encoder, line, error) ? error_wrap(error, "transaction") : 0;
}

static const char *put_segments(struct edi_encoder *encoder, struct line *line, const char *p, const char *end,
				struct error *error)
{
	p = edi_put_segments(&encoder->sink, p, end, &line->place, error);
	if (!p) {
		error_wrap(error, "segment %llu, element %u", (unsigned long long)line->place.segment,
			   line->place.element);
		return NULL;
	}
	line->segments_count = line->place.segment;
	line->written = true;
	return p;
}

static int put_nested(struct edi_encoder *encoder, struct line *line, struct error *error)
{
	struct edi_nested_line nested = {line->group, line->transaction, line->grammar, line->document, line->unplaced};

	if (line->segments.len)
		return edi_fault(error, encoder->dialect, "document", "the line has `segments` and a `document`");
	if (edi_put_nested(encoder, &nested, &line->place, error))
		return -1;
	line->segments_count = line->place.segment;
	return 0;
}

static int put_package(struct edi_encoder *encoder, const struct line *line, struct error *error)
{
	struct edi_package_line package = {line->package, line->object, line->object_base64, line->ends};

	encoder->interchange.state.all++;
	encoder->group.state.count++;
	return edi_put_package(encoder, &package, error);
}

/* ---- the layout (edi_layout.h) */
static int rank_of(const struct edi_syntax *syntax, char c)
{
	return c == syntax->terminator   ? 4
	       : c == syntax->element    ? 3
	       : c == syntax->repetition ? 2
	       : c == syntax->component  ? 1
					 : 0;
}

/* Empty elements, or components, in front of what ends them. */
static bool is_emptiness(const struct edi_syntax *syntax, struct span text, struct span run, size_t at)
{
	int rank = at < run.len ? rank_of(syntax, run.data[at]) : 0;

	if (!text.len || (at && syntax->release && run.data[at - 1] == syntax->release))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!rank_of(syntax, text.data[i]) || rank_of(syntax, text.data[i]) >= rank)
			return false;
	return true;
}

static bool means_nothing(const struct edi_syntax *syntax, struct span text, struct span run, size_t at)
{
	return (syntax->release && text.len == 1 && text.data[0] == syntax->release) || is_filler(text) ||
	       is_emptiness(syntax, text, run, at);
}

/* What is dropped are line ends behind a terminator, or the last terminator itself. */
static bool may_drop(const struct edi_syntax *syntax, struct span run, size_t at, size_t n)
{
	for (size_t i = at; i < at + n; i++)
		if (run.data[i] != '\r' && run.data[i] != '\n' &&
		    !(run.data[i] == syntax->terminator && i + 1 + syntax->suffix_len == run.len))
			return false;
	return true;
}

/* object: where that of a package is in the run. */
static bool apply_note(struct edi_encoder *encoder, struct span run, size_t object, const json_t *note, size_t *from)
{
	json_int_t at = json_integer_value(json_array_get(note, 0)), drop = json_integer_value(json_array_get(note, 2));
	const json_t *what = json_array_get(note, 1);
	struct span text = text_of(what);

	if (!json_is_string(what) || at < (json_int_t)*from || at > (json_int_t)run.len || drop < 0 ||
	    drop > (json_int_t)run.len - at || !means_nothing(&encoder->sink.syntax, text, run, (size_t)at) ||
	    !may_drop(&encoder->sink.syntax, run, (size_t)at, (size_t)drop))
		return false;
	if (encoder->escaping.object_len && (size_t)at <= object)
		encoder->escaping.object_at += text.len - (size_t)drop;
	buf_append(&encoder->spare, run.data + *from, (size_t)at - *from);
	buf_span(&encoder->spare, text);
	*from = (size_t)(at + drop);
	return true;
}

/* Only where the line is as long as it was: else it was changed, and the notes would hit something else. */
static void lay_out(struct edi_encoder *encoder, const struct line *line)
{
	struct span run = span_make(encoder->out->data + line->run, encoder->out->len - line->run);
	json_t *layout = json_loadb(line->layout.data, line->layout.len, JSON_ALLOW_NUL, NULL);
	size_t from = 0, n = json_array_size(layout), object = encoder->escaping.object_at;
	bool sound = json_integer_value(json_array_get(layout, 0)) == (json_int_t)run.len;

	buf_reset(&encoder->spare);
	for (size_t i = 1; i < n && sound; i++)
		sound = apply_note(encoder, run, object, json_array_get(layout, i), &from);
	if (!sound)
		encoder->escaping.object_at = object;
	if (sound) {
		buf_append(&encoder->spare, run.data + from, run.len - from);
		encoder->out->len = line->run;
		buf_span(encoder->out, buf_view(&encoder->spare));
	}
	json_decref(layout);
}

/* ---- the end of a line */
static void put_after(struct edi_encoder *encoder, const json_t *ends)
{
	const json_t *after = json_object_get(ends, "after");

	if (!json_is_string(after) || !is_filler(text_of(after)))
		return;
	encoder->out->len -= encoder->sink.syntax.suffix_len;
	buf_span(encoder->out, text_of(after));
}

static int put_trailers(struct edi_encoder *encoder, struct line *line, struct error *error)
{
	json_t *ends = line->ends.len ? object_of(encoder, line->ends, "ends", error) : NULL;

	if (!ends && line->ends.len)
		return -1;
	if (line->transaction.len)
		edi_close_segment(encoder, EDI_TRANSACTION, line->segments_count + 2, line->control,
				  json_object_get(ends, "transaction"));
	if (json_object_get(ends, "group"))
		close_group(encoder, json_object_get(ends, "group"));
	if (json_object_get(ends, "interchange"))
		close_interchange(encoder, json_object_get(ends, "interchange"));
	if (line->layout.len)
		lay_out(encoder, line);
	if (json_object_get(ends, "interchange"))
		put_after(encoder, ends);
	json_decref(ends);
	return 0;
}

/* ---- reading it */
static struct span *member_of(struct line *line, struct span name)
{
	if (span_is(name, "interchange"))
		return &line->interchange;
	if (span_is(name, "transaction"))
		return &line->transaction;
	if (span_is(name, "group"))
		return &line->group;
	if (span_is(name, "segments"))
		return &line->segments;
	if (span_is(name, "ends"))
		return &line->ends;
	if (span_is(name, "layout"))
		return &line->layout;
	if (span_is(name, "charset"))
		return &line->charset;
	if (span_is(name, "escapes"))
		return &line->escapes;
	if (span_is(name, "document"))
		return &line->document;
	if (span_is(name, "unplaced"))
		return &line->unplaced;
	if (span_is(name, "grammar"))
		return &line->grammar;
	if (span_is(name, "package"))
		return &line->package;
	if (span_is(name, "object"))
		return &line->object;
	if (span_is(name, "object_base64"))
		return &line->object_base64;
	return span_is(name, "before") ? &line->before : NULL;
}

static bool is_null(struct span value)
{
	return span_is(value, "null");
}

static int check_format(const struct edi_encoder *encoder, struct span value, struct error *error)
{
	size_t n = strlen(encoder->dialect->name);

	if (value.len == n + 2 && !memcmp(value.data + 1, encoder->dialect->name, n))
		return 0;
	return edi_fault(error, encoder->dialect, "format", "the line's format is %.*s, not \"%s\"",
			 SPAN_ARGS(edi_shown(value)), encoder->dialect->name);
}

/* The object that is open stands here again: what follows it. */
static const char *known(const struct edi_open *open, struct span key, const char *name, const char *p, const char *end)
{
	size_t n = open->text.len;

	if (!open->state.open || !span_is(key, name) || (size_t)(end - p) <= n || memcmp(p, open->text.data, n))
		return NULL;
	return p[n] == ',' || p[n] == '}' ? p + n : NULL;
}

static const char *read_member(struct edi_encoder *encoder, struct line *line, const char *p, const char *end,
			       bool wait, struct error *error)
{
	const char *name = p + 1, *after = p < end && *p == '"' ? edi_json_skip(p, end) : NULL;
	struct span value, key, *member;

	if (after) {
		key = span_make(name, (size_t)(after - 1 - name));
		p = edi_json_space(after, end);
	}
	if (!after || p >= end || *p != ':') {
		broken(encoder, error, "the line is no JSON object");
		return NULL;
	}
	p = edi_json_space(p + 1, end);
	/* The usual order: all that comes first is known, so that the segments can be written as they are read. */
	if (!wait && line->transaction.len && line->interchange.len && span_is(key, "segments"))
		return put_headers(encoder, line, error) ? NULL : put_segments(encoder, line, p, end, error);
	after = known(&encoder->interchange, key, "interchange", p, end);
	if (!after)
		after = known(&encoder->group, key, "group", p, end);
	if (!after)
		after = edi_json_skip(p, end);
	if (!after || after == p) {
		broken(encoder, error, "the line is no JSON: a value is broken");
		return NULL;
	}
	value = span_make(p, (size_t)(after - p));
	while (value.len && strchr(" \t\r\n", value.data[value.len - 1]))
		value.len--;
	if (span_is(key, "format") && check_format(encoder, value, error))
		return NULL;
	member = member_of(line, key);
	if (member && !is_null(value))
		*member = value;
	return after;
}

/* 1: a member that should have come before the segments came behind them. */
static int read_line(struct edi_encoder *encoder, struct line *line, struct span text, bool wait, struct error *error)
{
	const char *p = text.data, *end = p + text.len;

	p = edi_json_space(p, end);
	if (p >= end || *p != '{')
		return broken(encoder, error, "a line must be a JSON object");
	p = edi_json_space(p + 1, end);
	while (p < end && *p != '}') {
		struct line was = *line;

		p = read_member(encoder, line, p, end, wait, error);
		if (!p)
			return -1;
		if (was.written &&
		    (was.charset.len != line->charset.len || was.group.len != line->group.len ||
		     was.interchange.data != line->interchange.data || was.before.len != line->before.len ||
		     was.transaction.data != line->transaction.data))
			return 1;
		p = edi_json_space(p, end);
		if (p < end && *p == ',')
			p = edi_json_space(p + 1, end);
		else if (p >= end || *p != '}')
			return broken(encoder, error, "the line is no JSON object");
	}
	if (p >= end || edi_json_space(p + 1, end) != end)
		return broken(encoder, error, "the line is no JSON object, or goes on behind it");
	if (line->package.len && (line->transaction.len || line->segments.len || line->document.len || line->written))
		return broken(encoder, error, "the line has a `package` and a `transaction`, or its segments");
	if (line->written && line->document.len)
		return edi_fault(error, encoder->dialect, "document", "the line has `segments` and a `document`");
	if (line->written)
		return 0;
	if (put_headers(encoder, line, error))
		return -1;
	if (line->document.len)
		return put_nested(encoder, line, error);
	if (line->package.len)
		return put_package(encoder, line, error);
	if (line->segments.len &&
	    !put_segments(encoder, line, line->segments.data, line->segments.data + line->segments.len, error))
		return -1;
	return 0;
}

/* What a line that fails must not have changed. */
struct kept {
	size_t out;
	struct edi_state interchange, group;
	struct edi_sink sink;
	const struct edi_dialect *dialect;
	bool packages;
	struct edi_escaping escaping;
	size_t plain_from;
	char level[8], charset[40];
};

static struct kept keep(const struct edi_encoder *encoder)
{
	struct kept kept = {.out = encoder->out->len,
			    .interchange = encoder->interchange.state,
			    .group = encoder->group.state,
			    .sink = encoder->sink,
			    .dialect = encoder->dialect,
			    .packages = encoder->packages,
			    .escaping = encoder->escaping,
			    .plain_from = encoder->plain_from};

	memcpy(kept.level, encoder->level, sizeof kept.level);
	memcpy(kept.charset, encoder->charset, sizeof kept.charset);
	return kept;
}

static void restore_open(struct edi_open *open, const struct edi_state *state)
{
	if (open->state.serial != state->serial) {
		struct buf text = open->text;

		open->text = open->previous;
		open->previous = text;
	}
	open->state = *state;
}

static void restore(struct edi_encoder *encoder, const struct kept *kept)
{
	encoder->out->len = kept->out;
	encoder->out->full = false;
	encoder->sink = kept->sink;
	encoder->dialect = kept->dialect;
	encoder->packages = kept->packages;
	encoder->escaping = kept->escaping;
	encoder->plain_from = kept->plain_from;
	memcpy(encoder->level, kept->level, sizeof kept->level);
	memcpy(encoder->charset, kept->charset, sizeof kept->charset);
	restore_open(&encoder->interchange, &kept->interchange);
	restore_open(&encoder->group, &kept->group);
}

int edi_encode_line(struct edi_encoder *encoder, struct span text, struct error *error)
{
	struct kept kept;
	struct line line = {0};
	int result;

	encoder->plain_from = encoder->out->len; /* who takes what was written leaves an empty buffer */
	kept = keep(encoder);
	result = read_line(encoder, &line, text, false, error);
	if (result == 1) {
		restore(encoder, &kept);
		line = (struct line){0};
		result = read_line(encoder, &line, text, true, error);
	}
	if (!result)
		result = put_trailers(encoder, &line, error) || edi_escape(encoder, line.escapes, error) ? -1 : 0;
	if (!result && encoder->out->full)
		result =
			edi_fault(error, encoder->dialect, "limit", "the document passes %zu bytes", encoder->out->max);
	if (result)
		restore(encoder, &kept);
	return result;
}
