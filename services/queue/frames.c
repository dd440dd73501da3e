/* What sessions say, frame by frame. Nothing is trusted: what cannot be read, or speaks of what the session does not
 * hold, ends it. */
#include "config.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "services/queue/inner.h"

static void welcome(struct session *session)
{
	struct buf *out = &session->channel.out;
	size_t at = wire_begin(out, FRAME_WELCOME);

	buf_u32(out, WIRE_VERSION);
	buf_u64(out, session->number);
	buf_u8(out, session->engine->told);
	session_say(session, at);
}

static void say_answer(struct session *session, uint32_t number, struct span json, const struct error *error)
{
	struct buf *out = &session->channel.out;

	do {
		struct span piece = json;
		size_t at = wire_begin(out, FRAME_ANSWER);

		if (piece.len > WIRE_PIECE)
			piece.len = WIRE_PIECE;
		json.data += piece.len;
		json.len -= piece.len;
		buf_u32(out, number);
		buf_u8(out, json.len == 0);
		wire_put_error(out, error);
		buf_span(out, piece);
		session_say(session, at);
	} while (json.len && !session->closing);
}

/* ---- frames that arrive; false: this is no frame of ours */
static bool on_hello(struct session *session, struct span in)
{
	struct span role;
	uint32_t version;
	uint64_t pid;

	if (session->greeted || !take_u32(&in, &version) || version != WIRE_VERSION || !take_field(&in, &role) ||
	    role.len >= sizeof session->role || !take_u64(&in, &pid))
		return false;
	memcpy(session->role, role.data, role.len);
	session->pid = (pid_t)pid;
	session->supervisor = !strcmp(session->role, "supervisor");
	session->greeted = true;
	welcome(session);
	return true;
}

static bool on_credit(struct session *session, struct span in)
{
	struct span name;
	uint32_t messages;
	uint64_t bytes;
	struct lane *lane;

	if (!take_field(&in, &name) || !take_u32(&in, &messages) || !take_u64(&in, &bytes))
		return false;
	lane = lane_find(session->engine, name);
	if (lane)
		credit_set(session, lane, messages > 100000 ? 100000 : messages, bytes);
	else
		log_warn("queue", SPAN_NONE, "session=%llu role=%s wants from a queue that does not exist: %.*s",
			 (unsigned long long)session->number, session->role, (int)(name.len < 200 ? name.len : 200),
			 name.data);
	return true;
}

static struct item *held_item(struct session *session, struct span *in)
{
	struct item *item;
	uint64_t number;

	if (!take_u64(in, &number))
		return NULL;
	item = item_find(session->engine, number);
	return item && item->holder == session && !item->work ? item : NULL;
}

static bool on_release(struct session *session, struct span in)
{
	struct item *item = held_item(session, &in);

	if (!item)
		return false;
	item_return(item, true);
	return true;
}

static struct work *unit_of(struct session *session, struct span in)
{
	struct work *work;
	uint32_t number;

	if (!take_u32(&in, &number))
		return NULL;
	work = work_find(session, number);
	if (work || session->open_works >= SESSION_UNITS_MAX)
		return work;
	return work_new(session->engine, session, number, WORK_UNIT);
}

static bool on_publish(struct session *session, struct span in)
{
	struct span rest = in, target, id, envelope, body;
	struct work *work;
	uint32_t unit;
	uint8_t flags;

	if (!take_u32(&rest, &unit) || !take_u8(&rest, &flags) || !take_field(&rest, &target) ||
	    !take_bytes(&rest, 32, &id) || !take_field(&rest, &envelope) || !take_field(&rest, &body) || rest.len ||
	    !target.len || target.len > 255 || memchr(target.data, '\0', target.len) ||
	    envelope.len > MESSAGE_ENVELOPE_MAX)
		return false;
	work = unit_of(session, in);
	if (!work)
		return false;
	if (body.len > MESSAGE_INLINE_MAX) {
		error_set(&work->error, ERROR_REJECT, "body.too-large",
			  "an inline body of %zu bytes; larger ones go to the vault", body.len);
		return true;
	}
	work_published(session->engine, work, in);
	return true;
}

static bool on_settle(struct session *session, struct span in)
{
	struct work *work = unit_of(session, in);
	struct item *item;
	uint32_t unit;

	if (!work || !take_u32(&in, &unit))
		return false;
	item = held_item(session, &in);
	return item && work_takes(work, item);
}

static bool on_park(struct session *session, struct span in)
{
	struct work *work = unit_of(session, in);
	struct span envelope;
	struct error why;
	struct item *item;
	struct buf payload;
	uint32_t unit;
	uint64_t due;

	if (!work || !take_u32(&in, &unit))
		return false;
	item = held_item(session, &in);
	if (!item || !take_u64(&in, &due) || !wire_take_error(&in, &why) || !take_field(&in, &envelope) ||
	    envelope.len > MESSAGE_ENVELOPE_MAX || !work_takes(work, item))
		return false;
	if (item->voided) /* the broker gives the message again by itself */
		return true;
	if (!why.class) /* what was in flight goes in front of what joined behind it: a park has a reason */
		error_set(&why, ERROR_RETRY, "parked", "parked");
	buf_init(&payload, WIRE_FRAME_MAX);
	buf_field(&payload, span_of(item->lane->name));
	buf_field(&payload, id_span(&item->id));
	buf_field(&payload, envelope);
	buf_field(&payload, item_body(item));
	buf_u64(&payload, due);
	buf_u64(&payload, item->key);
	wire_put_error(&payload, &why);
	work_add(work, &work->writes, OWN_PARK_PUT, buf_view(&payload));
	buf_free(&payload);
	return true;
}

static bool on_write(struct session *session, uint8_t type, struct span in)
{
	struct work *work = unit_of(session, in);

	if (!work)
		return false;
	if (type == FRAME_DEAD || type == FRAME_HELD) {
		work_add(work, &work->early, type, in);
		work_early(session->engine, work);
	} else {
		if (type == FRAME_CHANGE)
			sources_fence_early(work, session->engine, in);
		work_add(work, &work->writes, type, in);
	}
	return true;
}

static bool on_commit(struct session *session, struct span in)
{
	struct work *work = unit_of(session, in);

	if (!work)
		return false;
	work_unlink(work);
	work_commit(session->engine, work);
	return true;
}

static bool on_abandon(struct session *session, struct span in)
{
	struct work *work = unit_of(session, in);

	if (!work)
		return false;
	work_unlink(work);
	work_abandon(session->engine, work);
	return true;
}

static bool on_intend(struct session *session, struct span in)
{
	struct work *work;
	uint32_t number;
	struct span rest = in;

	if (!take_u32(&rest, &number))
		return false;
	work = work_new(session->engine, session, number, WORK_INTENT);
	work_add(work, &work->writes, FRAME_INTEND, in);
	work_commit(session->engine, work);
	return true;
}

static bool on_seen_ask(struct session *session, struct span in)
{
	struct buf *out = &session->channel.out;
	struct id *sources, *messages;
	enum seen *seen;
	struct error error = {0};
	uint32_t number;
	size_t n, at;

	if (!take_u32(&in, &number) || in.len % 32 || in.len / 32 > WIRE_SOURCES_MAX)
		return false;
	n = in.len / 32;
	sources = mem_alloc((n + 1) * sizeof *sources);
	messages = mem_alloc((n + 1) * sizeof *messages);
	seen = mem_alloc((n + 1) * sizeof *seen);
	for (size_t i = 0; i < n; i++)
		wire_take_id(&in, &sources[i]);
	if (!session->engine->db_open)
		error_set(&error, ERROR_RETRY, "db.gone", "the store cannot be reached");
	else if (store_seen_find(session->engine->store, sources, n, clock_now_ms(), seen, messages, &error))
		engine_store_failed(session->engine, &error);
	at = wire_begin(out, FRAME_SEEN_ANSWER);
	buf_u32(out, number);
	wire_put_error(out, &error);
	for (size_t i = 0; i < n && !error.class; i++) {
		buf_u8(out, (uint8_t)seen[i]);
		buf_span(out, id_span(&messages[i]));
	}
	session_say(session, at);
	free(sources);
	free(messages);
	free(seen);
	return true;
}

static bool on_state(struct session *session, struct span in)
{
	struct span name, text;
	json_error_t json;
	json_t *state;

	if (!take_field(&in, &name) || !name.len || name.len > 255 || !take_field(&in, &text) || text.len > 16384)
		return false;
	state = json_loadb(text.data, text.len, 0, &json);
	if (!state)
		return false;
	if (!session->states)
		session->states = json_object();
	if (json_object_size(session->states) < 10000)
		json_object_setn_new(session->states, name.data, name.len, state);
	else
		json_decref(state);
	return true;
}

static void ask(struct session *session, uint32_t number, const char *name, json_t *request)
{
	struct engine *engine = session->engine;
	struct error error = {0};
	json_t *answer = NULL;
	char *text = NULL;

	engine->ask.now = clock_now_ms();
	if (!engine->db_open)
		error_set(&error, ERROR_RETRY, "db.gone", "the store cannot be reached");
	else if ((strcmp(name, "hold-source") ? ask_question(&engine->ask, name, request, &answer, &error)
					      : sources_hold(session, request, &answer, &error)) == 0)
		text = json_dumps(answer, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(answer);
	if (text && strlen(text) > WIRE_ANSWER_MAX)
		error_set(&error, ERROR_REJECT, "ask.answer", "the answer is too long: ask for less with `limit`");
	say_answer(session, number, error.class ? SPAN_NONE : span_of(text ? text : "null"), &error);
	free(text);
}

static bool on_ask(struct session *session, struct span in)
{
	struct span name, text;
	json_error_t json;
	json_t *request;
	uint32_t number;
	char *word;

	if (!take_u32(&in, &number) || !take_field(&in, &name) || name.len > 100 || !take_field(&in, &text))
		return false;
	request = json_loadb(text.data ? text.data : "", text.len, JSON_DECODE_ANY, &json);
	if (!request)
		return false;
	word = mem_span_dup(name);
	ask(session, number, word, request);
	free(word);
	json_decref(request);
	return true;
}

static bool on_supervisor(struct session *session, uint8_t type, struct span in)
{
	struct engine *engine = session->engine;
	struct topology *topology;
	struct span text, bytes;
	struct error error;
	struct id id;
	char *revision;

	if (!session->supervisor)
		return false;
	if (type == FRAME_DRAIN) {
		engine_drain(engine);
		return true;
	}
	if (type == FRAME_SUSPECT) {
		if (!wire_take_id(&in, &id) || !take_field(&in, &text))
			return false;
		suspect_add(engine, &id, text);
		return true;
	}
	if (!take_field(&in, &text) || !take_field(&in, &bytes))
		return false;
	topology = topology_decode_new(bytes, &error);
	revision = mem_span_dup(text);
	if (!topology || engine_topology(engine, topology, revision, &error))
		log_error("queue", SPAN_NONE, "the new queues were not taken code=%s error=\"%s\"", error.code,
			  error.text);
	topology_free(topology);
	free(revision);
	return true;
}

bool session_frame(struct session *session, uint8_t type, struct span in)
{
	if (!session->greeted && type != FRAME_HELLO)
		return false;
	switch (type) {
	case FRAME_HELLO:
		return on_hello(session, in);
	case FRAME_CREDIT:
		return on_credit(session, in);
	case FRAME_RELEASE:
		return on_release(session, in);
	case FRAME_PUBLISH:
		return on_publish(session, in);
	case FRAME_SETTLE:
		return on_settle(session, in);
	case FRAME_PARK:
		return on_park(session, in);
	case FRAME_DEAD:
	case FRAME_SEEN:
	case FRAME_EFFECT:
	case FRAME_CHANGE:
	case FRAME_HELD:
	case FRAME_GAP:
		return on_write(session, type, in);
	case FRAME_COMMIT:
		return on_commit(session, in);
	case FRAME_ABANDON:
		return on_abandon(session, in);
	case FRAME_INTEND:
		return on_intend(session, in);
	case FRAME_SEEN_ASK:
		return on_seen_ask(session, in);
	case FRAME_STATE:
		return on_state(session, in);
	case FRAME_ASK:
		return on_ask(session, in);
	case FRAME_BYE:
		session->polite = true;
		return true;
	case FRAME_SUSPECT:
	case FRAME_TOPOLOGY:
	case FRAME_DRAIN:
		return on_supervisor(session, type, in);
	default:
		return false;
	}
}
