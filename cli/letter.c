/* Stored messages. See letter.h. */
#include "config.h"
#include "cli/letter.h"

#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "base/vault.h"
#include "base/wire.h"
#include "cli/site.h"

#define ENVELOPE_MAX (64u << 10)
#define BODY_SHOWN 2000

static int decode(const json_t *letter, const char *key, struct buf *into, struct error *error)
{
	if (base64_decode(into, span_of(json_text(letter, key))))
		return error_set(error, ERROR_REJECT, "letter.unreadable",
				 "the stored %s of this message cannot be read", key);
	return 0;
}

struct message *letter_message_new(const json_t *letter, struct error *error)
{
	struct message *message = NULL;
	struct buf envelope, body;

	buf_init(&envelope, ENVELOPE_MAX);
	buf_init(&body, 16u << 20);
	if (decode(letter, "envelope", &envelope, error) || decode(letter, "body", &body, error))
		goto done;
	message = message_decode_new(buf_view(&envelope), error);
	if (message && !message->body_ref.len)
		message_body_take(message, reader_new_copy(buf_view(&body)));
done:
	buf_free(&envelope);
	buf_free(&body);
	return message;
}

/* What a terminal can show: text, and no control characters. */
static bool printable(struct span bytes)
{
	if (!utf8_is_clean(bytes))
		return false;
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char c = (unsigned char)bytes.data[i];

		if ((c < 32 && c != '\n' && c != '\r' && c != '\t') || c == 127)
			return false;
	}
	return true;
}

void letter_print(const char *title, struct span bytes)
{
	size_t shown = bytes.len < BODY_SHOWN ? bytes.len : BODY_SHOWN;

	if (!bytes.len)
		return;
	printf("\n%s (%zu bytes):\n", title, bytes.len);
	if (!printable(bytes)) {
		puts("  (not text)");
		return;
	}
	while (shown < bytes.len && ((unsigned char)bytes.data[shown] & 0xc0) == 0x80)
		shown++;
	printf("%.*s%s\n", (int)shown, bytes.data, shown < bytes.len ? " …" : "");
}

int letter_body(struct session *session, const json_t *letter, struct buf *into, struct error *error)
{
	struct message *message = letter_message_new(letter, error);
	struct vault *vault = NULL;
	int result = -1;

	if (!message)
		return -1;
	if (!message->body) {
		vault = vault_open(session_site(session)->vault_path, error);
		message->body = vault ? vault_get_new(vault, message->body_ref, error) : NULL;
	}
	if (message->body)
		result = reader_all(message->body, into, error);
	message_free(message);
	vault_close(vault);
	return result;
}

void letter_refresh(struct session *session, struct message *message, bool again)
{
	const struct site *site = session_site(session);

	message_set(message, &message->revision, span_of(site->revision));
	message->flags |= MESSAGE_REPLAY;
	if (again) /* later than any before, however often it is done */
		message->generation = effect_generation(clock_now_ms());
	message->attempt = 0;
	message->first_failed_ms = 0;
	message->expires_ms = site->queue_lifetime_ms ? clock_now_ms() + site->queue_lifetime_ms : 0;
}

static int publish(struct session *session, struct unit *unit, const char *queue, const struct message *message,
		   struct error *error)
{
	size_t prefix = strlen(WIRE_TOPIC_PREFIX);
	bool topic = !strncmp(queue, WIRE_TOPIC_PREFIX, prefix);
	int64_t began = clock_tick_ms();
	int result;

	while ((result = unit_publish(unit, topic ? queue + prefix : NULL, topic ? NULL : queue, false, message,
				      error)) == 1)
		if (site_wait(session, began, error))
			return -1;
	return result;
}

/* The change with its record. `published`: the message goes out in the same unit; else the store parks it by the change
 * itself. */
static int again_with(struct session *session, const struct message *message, const char *queue, bool published,
		      const char *change, json_t *request, struct error *error)
{
	struct record record = {
		.message = message, .stage = "replayed", .place = queue, .attempt = (uint32_t)(clock_now_ms() / 1000)};
	struct unit *unit = unit_new(session_queue(session));

	if (published && publish(session, unit, queue, message, error)) {
		unit_free(unit);
		json_decref(request);
		return -1;
	}
	if (change)
		unit_change(unit, change, request);
	unit_record(unit, &record);
	return site_commit(session, unit, error);
}

int letter_publish(struct session *session, const struct message *message, const char *queue, struct error *error)
{
	char id[ID_TEXT];

	id_hex(&message->id, id);
	return again_with(session, message, queue, true, "audit.note",
			  json_pack("{s:s s:s s:{s:s s:s}}", "what", "replay", "by", site_person(), "facts", "message",
				    id, "queue", queue),
			  error);
}

/* Parked in the transaction that closes the letter: in front of what waits behind it, and with nothing in between that
 * could lose it. */
static int replay_parked(struct session *session, struct message *message, const json_t *letter, struct error *error)
{
	struct buf envelope, text;
	json_t *request;
	int result = -1;

	buf_init(&envelope, ENVELOPE_MAX);
	buf_init(&text, 2 * ENVELOPE_MAX);
	if ((message->body && message_body_sign(message, error)) || message_encode(message, &envelope, error))
		goto done;
	base64_encode(&text, buf_view(&envelope));
	request = json_pack("{s:I s:s s:s}", "number", (json_int_t)json_number(letter, "number"), "envelope", text.data,
			    "by", site_person());
	result = again_with(session, message, json_text(letter, "queue"), false, "dead.replay", request, error);
done:
	buf_free(&envelope);
	buf_free(&text);
	return result;
}

/* What never reached a queue goes to its topic again. It may die once more before the letter is marked: then `deaths`
 * keep it open. */
static int replay_published(struct session *session, const struct message *message, const json_t *letter,
			    struct error *error)
{
	json_t *request = json_pack("{s:I s:I s:s}", "number", (json_int_t)json_number(letter, "number"), "deaths",
				    (json_int_t)json_number(letter, "deaths"), "by", site_person());

	return again_with(session, message, json_text(letter, "queue"), true, "dead.replayed", request, error);
}

int letter_replay(struct session *session, const json_t *letter, bool again, struct error *error)
{
	struct message *message = letter_message_new(letter, error);
	int result;

	if (!message)
		return -1;
	letter_refresh(session, message, again);
	if (*json_text(letter, "path"))
		message_set(message, &message->part, span_of(json_text(letter, "path")));
	if (span_starts(span_of(json_text(letter, "queue")), WIRE_TOPIC_PREFIX))
		result = replay_published(session, message, letter, error);
	else
		result = replay_parked(session, message, letter, error);
	message_free(message);
	return result;
}

int letter_resend(struct session *session, const json_t *doubt, const char *note, struct error *error)
{
	struct message *message = letter_message_new(doubt, error);
	char queue[256];
	int result;

	if (!message)
		return -1;
	snprintf(queue, sizeof queue, "out.%s", json_text(doubt, "endpoint"));
	result = again_with(
		session, message, queue, false, "doubt.resend",
		json_pack("{s:s s:s s:s}", "key", json_text(doubt, "key"), "note", note, "by", site_person()), error);
	message_free(message);
	return result;
}
