/* Sessions: the workers' connections. Nothing in a frame is trusted: what cannot be read, or speaks of what the session
 * does not hold, ends that session and no other. */
#include "config.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "services/queue/inner.h"

/* ---- names: what intents are held by */
void session_name(const struct session *session, char out[16])
{
	memcpy(out, session->engine->instance, 8);
	for (size_t i = 0; i < 8; i++)
		out[8 + i] = (char)(session->number >> (8 * i));
}

bool session_alive(void *arg, struct span name)
{
	struct engine *engine = arg;
	struct span rest = name, instance;
	uint64_t number;
	bool held;
	int64_t key = 0;

	if (!take_bytes(&rest, 8, &instance) || !take_u64(&rest, &number) || rest.len)
		return false;
	if (!memcmp(instance.data, engine->instance, 8)) {
		for (struct session *s = engine->sessions; s; s = s->next)
			if (s->number == number)
				return !s->closing;
		return false;
	}
	memcpy(&key, instance.data, 8);
	if (engine->db.ops->lock(engine->db.self, key, &held, NULL))
		return true; /* cannot be known: treat it as alive, it is asked again */
	if (held)
		engine->db.ops->unlock(engine->db.self, key);
	return !held;
}

/* ---- sending */
void session_say(struct session *session, size_t at)
{
	if (wire_end(&session->channel.out, at))
		return;
	log_warn("queue", SPAN_NONE, "session=%llu role=%s does not read: it ends", (unsigned long long)session->number,
		 session->role);
	session->closing = true;
	engine_poke(session->engine);
}

void sessions_accepting(struct engine *engine)
{
	if (engine->told == engine_accepting(engine))
		return;
	engine->told = !engine->told;
	for (struct session *s = engine->sessions; s; s = s->next) {
		size_t at = wire_begin(&s->channel.out, FRAME_ACCEPTING);

		buf_u8(&s->channel.out, engine->told);
		session_say(s, at);
	}
	engine_poke(engine);
}

void sessions_want(struct engine *engine, const char *worker)
{
	for (struct session *s = engine->sessions; s; s = s->next)
		if (s->supervisor) {
			size_t at = wire_begin(&s->channel.out, FRAME_WANT);

			buf_field(&s->channel.out, span_of(worker));
			session_say(s, at);
		}
}

void sessions_steward(struct engine *engine)
{
	bool here = false;

	for (struct session *s = engine->sessions; s; s = s->next)
		if (!strcmp(s->role, "steward") && !s->closing) {
			size_t at = wire_begin(&s->channel.out, FRAME_WANT);

			here = true;
			buf_field(&s->channel.out, SPAN_LITERAL("steward"));
			session_say(s, at);
		}
	if (!here)
		sessions_want(engine, "steward");
}

/* ---- the connection */
static void frames(struct session *session)
{
	struct span payload;
	uint8_t type;
	int more;

	while (!session->closing && (more = channel_next(&session->channel, &type, &payload)) != 0)
		if (more < 0 || !session_frame(session, type, payload)) {
			log_warn("queue", SPAN_NONE,
				 "session=%llu role=%s pid=%d sent a frame that makes no sense (type %u): it ends",
				 (unsigned long long)session->number, session->role, (int)session->pid,
				 more < 0 ? 0u : type);
			session->closing = true;
		}
}

static bool full(const struct session *session)
{
	return session->stalled_bytes > SESSION_STALLED_MAX;
}

static void watch_for(struct session *session)
{
	session->paused = full(session);
	loop_events(session->watch,
		    (session->paused ? 0 : LOOP_READ) | (channel_unsent(&session->channel) ? LOOP_WRITE : 0));
}

static void on_session(void *arg, unsigned events)
{
	struct session *session = arg;
	size_t total = 0;
	ssize_t n = 1;

	while (!session->closing && !full(session) && total < SESSION_READ_AT_ONCE) {
		n = channel_read(&session->channel, SESSION_READ_AT_ONCE);
		if (n <= 0)
			break;
		total += (size_t)n;
		frames(session);
	}
	if (n < 0 || (events & LOOP_HANGUP && full(session)) || (!session->closing && channel_write(&session->channel)))
		session->closing = true;
	if (session->closing)
		session_end(session);
	else
		watch_for(session);
	/* what was read asks for a round itself */
}

static void leave_works(struct engine *engine, struct session *session)
{
	while (session->works) {
		struct work *work = session->works;

		session->works = work->next;
		work->next = NULL;
		work_abandon(engine, work);
	}
	for (struct work *work = engine->works; work; work = work->all_next)
		if (work->session == session)
			work->session = NULL; /* it is being committed: nobody hears of it */
}

static void leave_items(struct session *session)
{
	bool supervised = false;

	for (struct session *s = session->engine->sessions; s; s = s->next)
		supervised = supervised || s->supervisor;
	while (session->items) {
		struct item *item = session->items;

		if (item->work)
			item_unhand(item);
		else
			item_return(item, session->polite || !supervised);
	}
}

void session_end(struct session *session)
{
	struct engine *engine = session->engine;
	struct session **at = &engine->sessions;

	session->closing = true;
	engine->steward_left = engine->steward_left || !strcmp(session->role, "steward");
	sources_leave(engine, session);
	leave_works(engine, session);
	leave_items(session);
	credits_free(session);
	while (*at != session)
		at = &(*at)->next;
	*at = session->next;
	engine->sessions_count--;
	loop_unwatch(session->watch);
	channel_close(&session->channel);
	json_decref(session->states);
	log_debug("queue", SPAN_NONE, "session=%llu role=%s ended", (unsigned long long)session->number, session->role);
	free(session);
	engine_poke(engine);
}

/* Writes what waits; ends the sessions that are to end. */
void sessions_write(struct engine *engine)
{
	for (struct session *session = engine->sessions, *next; session; session = next) {
		next = session->next;
		if (!session->closing && channel_unsent(&session->channel) && channel_write(&session->channel))
			session->closing = true;
		if (session->closing)
			session_end(session);
		else
			watch_for(session);
	}
}

static bool ours(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

static void on_connect(void *arg, unsigned events)
{
	struct engine *engine = arg;
	int fd = accept4(engine->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct session *session;

	if (fd < 0)
		return;
	if (!ours(fd) || engine->sessions_count >= SESSIONS_MAX) {
		log_warn("queue", SPAN_NONE, "a connection was refused: %s",
			 ours(fd) ? "too many sessions" : "of another user");
		close(fd);
		return;
	}
	session = mem_alloc(sizeof *session);
	session->engine = engine;
	session->number = ++engine->last_session;
	session->since_ms = clock_now_ms();
	channel_init(&session->channel, fd, SESSION_OUT_MAX);
	session->watch = loop_watch(engine->loop, fd, LOOP_READ, on_session, session);
	session->next = engine->sessions;
	engine->sessions = session;
	engine->sessions_count++;
}

int sessions_listen(struct engine *engine, struct error *error)
{
	engine->listener = wire_listen(engine->socket_path, error);
	if (engine->listener < 0)
		return -1;
	engine->listen_watch = loop_watch(engine->loop, engine->listener, LOOP_READ, on_connect, engine);
	return 0;
}

void sessions_close(struct engine *engine)
{
	while (engine->sessions)
		session_end(engine->sessions);
	loop_unwatch(engine->listen_watch);
	if (engine->listener >= 0) {
		close(engine->listener);
		unlink(engine->socket_path);
	}
	engine->listener = -1;
}
