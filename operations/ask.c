/* Questions and changes by name: the table, and what they share. See ask.h. */
#include "config.h"
#include "operations/ask.h"

#include "base/log.h"
#include "base/utf8.h"
#include "operations/ask_private.h"

static const struct {
	const char *name;
	ask_fn *ask;
} questions[] = {
	{"status", ask_status},
	{"idle", ask_idle},
	{"dead.list", ask_dead_list},
	{"dead.get", ask_dead_get},
	{"doubt.list", ask_doubt_list},
	{"doubt.get", ask_doubt_get},
	{"holds", ask_holds},
	{"parks", ask_parks},
	{"effect.find", ask_effect_find},
	{"revision", ask_revision},
	{"pins", ask_pins},
	{"tables", ask_tables},
	{"table.list", ask_table_list},
	{"table.find", ask_table_find},
	{"log", ask_log},
	{"held.due", ask_held_due},
	{"held.page", ask_held_page},
	{"collect.list", ask_collect_list},
	{"collect.get", ask_collect_get},
	{"audit.list", ask_audit_list},
	{"expect.due", ask_expect_due},
	{"expect.list", ask_expect_list},
};

static const struct {
	const char *name;
	ask_change_fn *change;
	bool audited; /* a person's: it leaves a record */
} changes[] = {
	{"dead.replayed", ask_dead_replayed, true},
	{"dead.replay", ask_dead_replay, true},
	{"dead.discarded", ask_dead_discarded, true},
	{"dead.edited", ask_dead_edited, true},
	{"doubt.confirmed", ask_doubt_confirmed, true},
	{"doubt.resend", ask_doubt_resend, true},
	{"hold.set", ask_hold_set, true},
	{"hold.release", ask_hold_release, true},
	{"revision.put", ask_revision_put, false},
	{"table.put", ask_table_put, true},
	{"table.remove", ask_table_remove, true},
	{"transfer.run", ask_transfer_run, true},
	{"transfer.skip", ask_transfer_skip, true},
	{"intake.put", ask_intake_put, false},
	{"held.close", ask_held_close, false},
	{"held.closed", ask_held_closed, false},
	{"held.clean", ask_held_clean, false},
	{"held.released", ask_held_released, false},
	{"held.skip", ask_held_skip, false},
	{"collect.close", ask_collect_close, true},
	{"audit.note", ask_audit_note, false},
	{"audit.checkpoint", ask_audit_checkpoint, false},
	{"expect.open", ask_expect_open, false},
	{"expect.arrived", ask_expect_arrived, false},
	{"expect.judge", ask_expect_judge, false},
	{"expect.close", ask_expect_close, true},
	{"event.told", ask_event_told, false},
	{"event.tell", ask_event_tell, false},
};

int ask_question(struct ask_context *context, const char *name, json_t *request, json_t **answer, struct error *error)
{
	*answer = NULL;
	for (size_t i = 0; i < STORE_COUNT(questions); i++) {
		if (strcmp(questions[i].name, name))
			continue;
		*answer = json_object();
		if (!questions[i].ask(context, request, *answer, error))
			return 0;
		json_decref(*answer);
		*answer = NULL;
		return error_wrap(error, "%s", name);
	}
	return error_set(error, ERROR_REJECT, "ask.unknown", "`%.40s` is no question that this version knows", name);
}

int ask_change(struct ask_context *context, const char *name, json_t *request, struct error *error)
{
	for (size_t i = 0; i < STORE_COUNT(changes); i++) {
		if (strcmp(changes[i].name, name))
			continue;
		/* What a flow learns (table.put of a message) has no person. */
		if (changes[i].change(context, request, error) ||
		    (changes[i].audited && json_object_get(request, "by") &&
		     ask_audited(context, name, request, error)))
			return error_wrap(error, "%s", name);
		return 0;
	}
	return error_set(error, ERROR_REJECT, "ask.unknown", "`%.40s` is no change that this version knows", name);
}

/* Nothing of it is kept: whoever starts the site says what it logs. */
int ask_log(struct ask_context *context, json_t *request, json_t *answer, struct error *error)
{
	char levels[LOG_LEVELS_TEXT];
	const char *wanted;

	if (ask_text(request, "levels", "", &wanted, error))
		return -1;
	if (*wanted && log_levels(wanted))
		return error_set(error, ERROR_REJECT, "ask.request",
				 "`levels` is error, warn, info or debug, then levels by module: warn,deliver=debug");
	log_levels_text(levels);
	json_object_set_new(answer, "levels", json_string(levels));
	return 0;
}

/* ---- requests */

static int wrong(struct error *error, const char *name, const char *what)
{
	return error_set(error, ERROR_REJECT, "ask.request", "`%s` %s", name, what);
}

int ask_text(json_t *request, const char *name, const char *fallback, const char **text, struct error *error)
{
	json_t *field = json_object_get(request, name);

	*text = fallback;
	if (!field || json_is_null(field))
		return fallback ? 0 : wrong(error, name, "is missing");
	*text = json_string_value(field);
	if (!*text)
		return wrong(error, name, "must be text");
	return fallback || **text ? 0 : wrong(error, name, "is empty");
}

int ask_int(json_t *request, const char *name, int64_t fallback, int64_t low, int64_t high, int64_t *number,
	    struct error *error)
{
	json_t *field = json_object_get(request, name);

	*number = fallback;
	if (!field || json_is_null(field))
		return 0;
	if (!json_is_integer(field))
		return wrong(error, name, "must be a whole number");
	*number = json_integer_value(field);
	if (*number < low || *number > high)
		return error_set(error, ERROR_REJECT, "ask.request", "`%s` must be from %lld to %lld", name,
				 (long long)low, (long long)high);
	return 0;
}

int ask_int_required(json_t *request, const char *name, int64_t low, int64_t high, int64_t *number, struct error *error)
{
	if (!json_object_get(request, name))
		return wrong(error, name, "is missing");
	return ask_int(request, name, 0, low, high, number, error);
}

/* More than there may be is no mistake: the answer says that there is more. */
int ask_limit(json_t *request, int64_t *limit, struct error *error)
{
	if (ask_int(request, "limit", ASK_LIMIT, 1, INT64_MAX, limit, error))
		return -1;
	if (*limit > ASK_LIMIT_MAX)
		*limit = ASK_LIMIT_MAX;
	return 0;
}

int ask_bytes(json_t *request, const char *name, struct buf *into, struct error *error)
{
	const char *text;

	if (ask_text(request, name, "", &text, error))
		return -1;
	if (!json_object_get(request, name))
		return wrong(error, name, "is missing");
	if (base64_decode(into, span_of(text)))
		return wrong(error, name, into->full ? "is too large" : "must be base64");
	return 0;
}

int ask_range_parse(struct span hex, struct id *low, struct id *high)
{
	char digits[2 * SHA256_SIZE];

	if (hex.len < ASK_PREFIX || hex.len > sizeof digits || strspn(hex.data, "0123456789abcdefABCDEF") < hex.len)
		return -1;
	memcpy(digits, hex.data, hex.len);
	memset(digits + hex.len, '0', sizeof digits - hex.len);
	if (id_parse(low, span_make(digits, sizeof digits)))
		return -1;
	memset(digits + hex.len, 'f', sizeof digits - hex.len);
	return id_parse(high, span_make(digits, sizeof digits));
}

int ask_id_range(json_t *request, const char *name, struct id *low, struct id *high, struct error *error)
{
	const char *text;

	if (ask_text(request, name, NULL, &text, error))
		return -1;
	return ask_range_parse(span_of(text), low, high)
		       ? wrong(error, name, "must be the id, or at least its first eight digits")
		       : 0;
}

/* ---- answers */

json_t *ask_string(struct span text)
{
	struct buf clean;
	json_t *string;

	if (utf8_is_clean(text))
		return json_stringn_nocheck(text.len ? text.data : "", text.len);
	buf_init(&clean, SIZE_MAX / 2);
	utf8_clean(&clean, text);
	string = json_stringn_nocheck(clean.data, clean.len);
	buf_free(&clean);
	return string;
}

void ask_put_text(json_t *object, const char *name, struct value value)
{
	json_object_set_new(object, name, value.type == VALUE_NULL ? json_null() : ask_string(value.bytes));
}

void ask_put_int(json_t *object, const char *name, struct value value)
{
	json_object_set_new(object, name, value.type == VALUE_NULL ? json_null() : json_integer(value.number));
}

void ask_put_hex(json_t *object, const char *name, struct value value)
{
	struct id id;
	char hex[ID_TEXT];

	if (value.type == VALUE_NULL || id_from_span(&id, value.bytes)) {
		json_object_set_new(object, name, json_null());
		return;
	}
	id_hex(&id, hex);
	json_object_set_new(object, name, json_string(hex));
}

void ask_put_base64(json_t *object, const char *name, struct value value)
{
	struct buf text;

	buf_init(&text, SIZE_MAX / 2);
	base64_encode(&text, value.bytes);
	json_object_set_new(object, name,
			    value.type == VALUE_NULL ? json_null() : json_stringn(text.len ? text.data : "", text.len));
	buf_free(&text);
}

void ask_put_json(json_t *object, const char *name, struct value value)
{
	json_t *parsed = value.type == VALUE_NULL
				 ? json_null()
				 : json_loadb(value.bytes.data, value.bytes.len, JSON_DECODE_ANY, NULL);

	json_object_set_new(object, name, parsed ? parsed : ask_string(value.bytes));
}

json_t *ask_key(struct span name, struct span value)
{
	return json_pack("{s:o s:o}", "name", ask_string(name), "value", ask_string(value));
}

json_t *ask_keys(struct span envelope)
{
	struct message *message = envelope.len ? message_decode_new(envelope, NULL) : NULL;
	json_t *keys = json_array();

	for (size_t i = 0; message && i < message->keys_count; i++)
		json_array_append_new(keys, ask_key(message->keys[i].name, message->keys[i].value));
	message_free(message);
	return keys;
}
