/* encode: idoc. What decode gives, or what a mapping made of that kind, as a flat file or XML. See idoc.h. */
#include "config.h"
#include "transformers/encode.h"

#include <stdio.h>

#include "transformers/idoc/idoc.h"

static const struct option options[] = {
	IDOC_LAYOUTS_OPTION,
	{.name = "form",
	 .type = OPTION_ENUM,
	 .offset = offsetof(struct idoc_settings, form),
	 .range = "flat|xml",
	 .fallback = "flat",
	 .help = "a record a line, or XML"},
	OPTION_END,
};

struct writer {
	const struct idoc *idoc;
	struct buf *out;
	json_t *control;
	bool xml, latin, crlf, trimmed, fixed;
	size_t number, depth; /* of segments */
	struct error *error;
};

static int write_children(struct writer *, json_t *object, size_t parent, size_t level);

static int refuse(const struct writer *writer, const char *code, const char *type, const char *what)
{
	return error_set(writer->error, ERROR_REJECT, code, "segment %zu, %s: %s", writer->number, type, what);
}

/* ---- texts */
static struct span text_of(const json_t *value, char spare[40])
{
	if (json_is_string(value))
		return span_make(json_string_value(value), json_string_length(value));
	if (json_is_integer(value))
		snprintf(spare, 40, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		snprintf(spare, 40, "%.15g", json_real_value(value));
	else
		spare[0] = '\0';
	return span_of(spare);
}

static size_t characters(struct span text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += ((unsigned char)text.data[i] & 0xc0) != 0x80;
	return n;
}

/* A character of ISO 8859-1 at the front, as its byte; -1: it is none. */
static int latin_of(struct span text, size_t *taken)
{
	unsigned char c = (unsigned char)text.data[0];

	*taken = 1;
	if (c < 0x80)
		return c;
	*taken = 2;
	return (c == 0xc2 || c == 0xc3) && text.len > 1 ? (c & 3) << 6 | ((unsigned char)text.data[1] & 0x3f) : -1;
}

static int put_text(struct writer *writer, struct span text)
{
	for (size_t i = 0, taken; writer->latin && i < text.len; i += taken) {
		int c = latin_of(span_make(text.data + i, text.len - i), &taken);

		if (c < 0)
			return -1;
		buf_char(writer->out, (char)c);
	}
	if (!writer->latin)
		buf_span(writer->out, text);
	return 0;
}

static void put_blanks(struct writer *writer, size_t n)
{
	while (n-- > 0)
		buf_char(writer->out, ' ');
}

static int put_field(struct writer *writer, const struct idoc_field *field, struct span text, const char *type)
{
	size_t n = characters(text);
	char what[120];

	if (n > field->length) {
		snprintf(what, sizeof what, "%s has %zu characters, and room for %zu", field->name, n, field->length);
		return refuse(writer, "idoc.length", type, what);
	}
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < 0x20) {
			snprintf(what, sizeof what, "%s has a control character", field->name);
			return refuse(writer, "idoc.character", type, what);
		}
	if (put_text(writer, text)) {
		snprintf(what, sizeof what, "%s has a character that ISO 8859-1 does not have", field->name);
		return refuse(writer, "idoc.character", type, what);
	}
	put_blanks(writer, field->length - n);
	return 0;
}

static void end_record(struct writer *writer, size_t start, size_t width, size_t written)
{
	if (!writer->trimmed)
		put_blanks(writer, width - written);
	while (writer->trimmed && writer->out->len > start && writer->out->data[writer->out->len - 1] == ' ')
		writer->out->len--;
	if (!writer->fixed)
		buf_text(writer->out, writer->crlf ? "\r\n" : "\n");
}

/* ---- XML */
static int put_element(struct writer *writer, const char *name, struct span text, const char *type)
{
	if (!text.len)
		return 0;
	buf_printf(writer->out, "<%s>", name);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
			return refuse(writer, "idoc.character", type, "a field has a control character");
		if (c == '&')
			buf_text(writer->out, "&amp;");
		else if (c == '<')
			buf_text(writer->out, "&lt;");
		else if (c == '>')
			buf_text(writer->out, "&gt;");
		else if (c == '\r')
			buf_text(writer->out, "&#13;");
		else
			buf_char(writer->out, (char)c);
	}
	buf_printf(writer->out, "</%s>", name);
	return 0;
}

static int put_all_fields(struct writer *writer, json_t *object, const char *type)
{
	const char *key;
	json_t *value;
	char spare[40];

	json_object_foreach(object, key, value)
		if (key[0] != '#' && !json_is_array(value) && put_element(writer, key, text_of(value, spare), type))
			return -1;
	return 0;
}

/* ---- segments */
/* Of segments and fields: letters, digits and _, as they also are in XML. */
static bool is_name(const char *name)
{
	size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");

	return *name && !name[n] && (*name < '0' || *name > '9');
}

static int check_fields(struct writer *writer, json_t *object, const struct idoc_segment *known, const char *type)
{
	const char *key;
	json_t *value;
	char what[160];

	json_object_foreach(object, key, value) {
		bool found = key[0] == '#' || json_is_array(value) ||
			     (!known && (writer->xml ? is_name(key) : !strcmp(key, "SDATA")));

		for (size_t i = 0; known && i < known->fields_count && !found; i++)
			found = !strcmp(known->fields[i].name, key);
		if (!found) {
			snprintf(what, sizeof what, "the layout has no field %.80s", key);
			return refuse(writer, "idoc.field", type, what);
		}
		if (json_is_object(value)) {
			snprintf(what, sizeof what, "%.80s is a text, or an array of segments", key);
			return refuse(writer, "idoc.shape", type, what);
		}
	}
	return 0;
}

static int put_head(struct writer *writer, json_t *object, const char *name, size_t parent, size_t level)
{
	json_t *record = json_object_get(object, "#record");
	char numbers[3][24], spare[40], spares[40];
	struct span head[6] = {span_of(name), text_of(json_object_get(writer->control, "MANDT"), spare),
			       text_of(json_object_get(writer->control, "DOCNUM"), spares)};

	snprintf(numbers[0], sizeof numbers[0], "%06zu", writer->number);
	snprintf(numbers[1], sizeof numbers[1], "%06zu", parent);
	snprintf(numbers[2], sizeof numbers[2], "%02zu", level);
	for (size_t i = 0; i < 3; i++)
		head[3 + i] = span_of(numbers[i]);
	for (size_t i = 0; i < 6; i++) {
		json_t *kept = i ? json_array_get(record, i - 1) : NULL;
		struct span text =
			json_is_string(kept) ? span_make(json_string_value(kept), json_string_length(kept)) : head[i];

		if (put_field(writer, &idoc_head[i], text, name))
			return -1;
	}
	return 0;
}

static int put_fields(struct writer *writer, json_t *object, const struct idoc_segment *known, const char *type,
		      size_t *written)
{
	static const struct idoc_field sdata = {"SDATA", IDOC_DATA};
	const struct idoc_field *fields = known ? known->fields : &sdata;
	size_t count = known ? known->fields_count : 1;
	char spare[40];

	if (writer->xml && !known)
		return put_all_fields(writer, object, type);
	for (size_t i = 0; i < count; i++) {
		struct span text = text_of(json_object_get(object, fields[i].name), spare);

		if (writer->xml ? put_element(writer, fields[i].name, text, type)
				: put_field(writer, &fields[i], text, type))
			return -1;
		*written += fields[i].length;
	}
	return 0;
}

static int write_segment(struct writer *writer, const char *key, json_t *object, size_t parent, size_t level)
{
	const struct idoc_segment *known = idoc_segment_find(&writer->idoc->layout, span_of(key));
	const char *name = json_string_value(json_object_get(object, "#name"));
	size_t number = ++writer->number, written = IDOC_HEAD, start = writer->out->len;

	if (!json_is_object(object))
		return refuse(writer, "idoc.shape", key, "a segment is an object");
	if (level > IDOC_DEPTH_MAX || number > IDOC_SEGMENTS_MAX)
		return refuse(writer, "idoc.too-large", key, "more than 200,000 segments, or 20 levels");
	if (!known && !writer->xml && !json_object_get(object, "SDATA"))
		return refuse(writer, "idoc.segment", key, "no layout has it");
	if (known && strcmp(known->type, key) != 0)
		return refuse(writer, "idoc.segment", key, "segments are named by their type, as in E1EDK01");
	if (!is_name(key))
		return refuse(writer, "idoc.segment", key, "this is no name of a segment");
	if (check_fields(writer, object, known, key))
		return -1;
	if (writer->xml) {
		buf_printf(writer->out, "<%s SEGMENT=\"1\">", key);
		if (put_fields(writer, object, known, key, &written) ||
		    write_children(writer, object, number, level + 1))
			return -1;
		buf_printf(writer->out, "</%s>", key);
		return 0;
	}
	if (put_head(writer, object,
		     name    ? name
		     : known ? known->definition
			     : key,
		     parent, level) ||
	    put_fields(writer, object, known, key, &written))
		return -1;
	end_record(writer, start, IDOC_HEAD + IDOC_DATA, written);
	return write_children(writer, object, number, level + 1);
}

/* By #order, where that fits what is there, else one kind behind the other. */
static bool is_order(json_t *order, json_t *object)
{
	size_t members = 0;
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
		if (key[0] != '#' && json_is_array(value))
			members += json_array_size(value);
	return json_is_array(order) && members == json_array_size(order);
}

static int write_ordered(struct writer *writer, json_t *object, json_t *order, size_t parent, size_t level)
{
	json_t *next = json_object(), *name;
	int failed = 0;
	size_t i;

	json_array_foreach(order, i, name) {
		const char *key = json_string_value(name);
		size_t at = key ? (size_t)json_integer_value(json_object_get(next, key)) : 0;
		json_t *segment = key ? json_array_get(json_object_get(object, key), at) : NULL;

		failed = segment ? write_segment(writer, key, segment, parent, level)
				 : refuse(writer, "idoc.shape", key ? key : "#order",
					  "#order does not say of each segment once where it stands");
		if (failed)
			break;
		json_object_set_new(next, key, json_integer((json_int_t)at + 1));
	}
	json_decref(next);
	return failed;
}

static int write_children(struct writer *writer, json_t *object, size_t parent, size_t level)
{
	json_t *order = json_object_get(object, "#order"), *value;
	const char *key;

	if (order && is_order(order, object))
		return write_ordered(writer, object, order, parent, level);
	json_object_foreach(object, key, value)
		for (size_t i = 0; key[0] != '#' && i < json_array_size(value); i++)
			if (write_segment(writer, key, json_array_get(value, i), parent, level))
				return -1;
	return 0;
}

/* ---- the whole */
static int write_control(struct writer *writer)
{
	bool made = !json_object_get(writer->control, "TABNAM"); /* by a mapping: what was decoded has it */
	size_t start = writer->out->len;
	const char *key;
	json_t *value;

	json_object_foreach(writer->control, key, value) {
		const struct idoc_field *field = idoc_control;

		while (field->name && strcmp(field->name, key) != 0)
			field++;
		if (!field->name)
			return refuse(writer, "idoc.field", key, "the control record EDI_DC40 has no such field");
	}
	if (writer->xml)
		buf_text(writer->out, "<EDI_DC40 SEGMENT=\"1\">");
	for (const struct idoc_field *field = idoc_control; field->name; field++) {
		char spare[40];
		struct span text = text_of(json_object_get(writer->control, field->name), spare);

		if (!text.len && !strcmp(field->name, "TABNAM"))
			text = SPAN_LITERAL("EDI_DC40");
		if (!text.len && !strcmp(field->name, "IDOCTYP") && writer->idoc->layout.idoc && made)
			text = span_of(writer->idoc->layout.idoc);
		if (writer->xml ? put_element(writer, field->name, text, "EDI_DC40")
				: put_field(writer, field, text, "EDI_DC40"))
			return -1;
	}
	if (writer->xml)
		buf_text(writer->out, "</EDI_DC40>");
	else
		end_record(writer, start, IDOC_CONTROL, IDOC_CONTROL);
	return 0;
}

/* What is no array of segments would vanish. */
static int write_data(struct writer *writer, json_t *data)
{
	size_t segments = 0;
	const char *key;
	json_t *value;

	json_object_foreach(data, key, value) {
		if (key[0] != '#' && !json_is_array(value))
			return error_set(writer->error, ERROR_REJECT, "idoc.shape",
					 "data.%.40s: segments are arrays of objects, {\"E1EDK01\": [{…}]}", key);
		segments += key[0] != '#' ? json_array_size(value) : 0;
	}
	if (!segments)
		return error_set(writer->error, ERROR_REJECT, "idoc.empty", "there is no segment in `data`");
	return write_children(writer, data, 0, 1);
}

static int write_xml(struct writer *writer, json_t *data)
{
	const char *type = json_string_value(json_object_get(writer->control, "IDOCTYP")),
		   *root = type                        ? type
			   : writer->idoc->layout.idoc ? writer->idoc->layout.idoc
						       : "IDOC_DOCUMENT";

	if (!is_name(root))
		return refuse(writer, "idoc.shape", "IDOCTYP", "it cannot be the name of an element");
	buf_printf(writer->out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s><IDOC BEGIN=\"1\">", root);
	if (write_control(writer) || write_data(writer, data))
		return -1;
	buf_printf(writer->out, "</IDOC></%s>\n", root);
	return 0;
}

static bool says(json_t *file, const char *key, const char *value)
{
	const char *text = json_string_value(json_object_get(file, key));

	return text && !strcmp(text, value);
}

static int write_one(const struct idoc *idoc, json_t *tree, struct buf *out, struct error *error)
{
	json_t *file = json_object_get(tree, "file"), *data = json_object_get(tree, "data");
	struct writer writer = {.idoc = idoc,
				.out = out,
				.control = json_object_get(tree, "control"),
				.xml = idoc->settings->form == IDOC_XML,
				.trimmed = says(file, "records", "trimmed"),
				.fixed = says(file, "records", "fixed"),
				.crlf = says(file, "line-end", "crlf"),
				.error = error};

	writer.latin = !writer.xml && says(file, "charset", "ISO-8859-1");
	if (!json_is_object(writer.control) || !json_is_object(data))
		return error_set(error, ERROR_REJECT, "idoc.shape",
				 "an IDoc is {control: {…}, data: {SEGMENT: [{…}]}}");
	if (writer.xml)
		return write_xml(&writer, data);
	return write_control(&writer) || write_data(&writer, data) ? -1 : 0;
}

/* One, or an array of them, one behind the other in a flat file. */
static int write_idoc(const struct encode *encode, const struct expression_input *input, struct buf *out,
		      struct error *error)
{
	const struct idoc *idoc = encode->self;

	if (!json_is_array(input->body))
		return write_one(idoc, input->body, out, error);
	if (idoc->settings->form == IDOC_XML)
		return error_set(error, ERROR_REJECT, "idoc.shape", "a document in XML has one IDoc: split the array");
	for (size_t i = 0; i < json_array_size(input->body); i++)
		if (write_one(idoc, json_array_get(input->body, i), out, error))
			return -1;
	return 0;
}

const struct encode_format encode_idoc = {
	.name = "idoc",
	.media_type = "application/octet-stream",
	.write = write_idoc,
	.more = {options, sizeof(struct idoc_settings)},
	.check = idoc_check,
	.open = idoc_open,
	.close = idoc_close,
};
