/* The worker's side of the queue process: connecting and deliveries. See queue.h; units are in queue_unit.c, questions
 * in queue_ask.c. */
#include "config.h"
#include "base/queue.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/queue_private.h"

#define READ_AT_ONCE (1u << 20)

/* Real time, also in tests that stop the clock: this waits for another process. */
int64_t queue_real_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int queue_is_gone(struct queue *queue, struct error *error)
{
	queue->gone = true;
	return error_set(error, ERROR_FATAL, "queue.gone",
			 "the queue process has ended: what was in hand is delivered again");
}

int queue_failed(struct queue *queue, struct error *error)
{
	return queue->gone ? queue_is_gone(queue, error) : 0;
}

bool queue_end(struct queue *queue, size_t at)
{
	return wire_end(&queue->channel.out, at);
}

static void hello(struct queue *queue, const char *role)
{
	struct buf *out = &queue->channel.out;
	size_t at = wire_begin(out, FRAME_HELLO);

	buf_u32(out, WIRE_VERSION);
	buf_field(out, span_of(role));
	buf_u64(out, (uint64_t)getpid());
	queue_end(queue, at);
}

static int connect_within(const char *path, int wait_ms, struct error *error)
{
	int64_t until = queue_real_ms() + wait_ms;

	for (;;) {
		int fd = wire_connect(path, error);

		if (fd >= 0 || (errno != ENOENT && errno != ECONNREFUSED && errno != EAGAIN) ||
		    queue_real_ms() >= until)
			return fd;
		poll(NULL, 0, 5);
	}
}

static int wait_welcome(struct queue *queue, int wait_ms, struct error *error)
{
	int64_t until = queue_real_ms() + (wait_ms > 10000 ? wait_ms : 10000);

	while (!queue->welcome) {
		int64_t left = until - queue_real_ms();

		if (left <= 0)
			return error_set(error, ERROR_RETRY, "queue.silent", "the queue process does not answer");
		if (queue_wait(queue, (int)left, error))
			return -1;
	}
	return 0;
}

struct queue *queue_open(const char *path, const char *role, int wait_ms, struct error *error)
{
	int fd = connect_within(path, wait_ms, error);
	struct queue *queue;

	if (fd < 0)
		return NULL;
	queue = mem_alloc(sizeof *queue);
	channel_init(&queue->channel, fd, QUEUE_OUT_MAX);
	buf_init(&queue->scratch, MESSAGE_ENVELOPE_MAX + 4096);
	queue->last = &queue->first;
	hello(queue, role);
	if (wait_welcome(queue, wait_ms, error) == 0)
		return queue;
	queue_close(queue);
	return NULL;
}

void request_free(struct request *request)
{
	buf_free(&request->bytes);
	free(request);
}

void queue_close(struct queue *queue)
{
	if (!queue)
		return;
	if (!queue->gone) {
		queue_end(queue, wire_begin(&queue->channel.out, FRAME_BYE));
		channel_write(&queue->channel);
	}
	while (queue->first) {
		struct arrival *arrival = queue->first;

		queue->first = arrival->next;
		delivery_free(&arrival->delivery);
	}
	while (queue->requests) {
		struct request *request = queue->requests;

		queue->requests = request->next;
		request_free(request);
	}
	while (queue->units) {
		struct unit *unit = queue->units;

		queue->units = unit->next;
		buf_free(&unit->records);
		free(unit);
	}
	while (queue->names) {
		struct name *name = queue->names;

		queue->names = name->next;
		free(name);
	}
	buf_free(&queue->scratch);
	channel_close(&queue->channel);
	free(queue);
}

int queue_fd(struct queue *queue)
{
	return queue->channel.fd;
}

bool queue_unsent(struct queue *queue)
{
	return channel_unsent(&queue->channel) > 0;
}

bool queue_accepting(struct queue *queue)
{
	return queue->accepting;
}

/* ---- frames that arrive */
static const char *intern(struct queue *queue, struct span text)
{
	struct name *name;

	for (name = queue->names; name; name = name->next)
		if (span_is(text, name->text))
			return name->text;
	name = mem_alloc(sizeof *name + text.len + 1);
	memcpy(name->text, text.data, text.len);
	name->next = queue->names;
	queue->names = name;
	return name->text;
}

static bool on_deliver(struct queue *queue, struct span in)
{
	struct span name, envelope, body;
	struct arrival *arrival;
	struct message *message;
	uint64_t tag;
	uint8_t flags;

	if (!take_u64(&in, &tag) || !take_u8(&in, &flags) || !take_field(&in, &name) || !take_field(&in, &envelope) ||
	    !take_field(&in, &body))
		return false;
	message = message_decode_new(envelope, NULL);
	if (!message) /* the queue process looked at it before: only a bug comes here */
		return false;
	if (!message->body_ref.len)
		message->body = reader_new_copy(body);
	arrival = mem_alloc(sizeof *arrival);
	arrival->delivery = (struct delivery){.message = message,
					      .queue = intern(queue, name),
					      .tag = tag,
					      .redelivered = flags & WIRE_REDELIVERED,
					      .suspect = flags & WIRE_SUSPECT};
	*queue->last = arrival;
	queue->last = &arrival->next;
	return true;
}

struct request **request_find(struct queue *queue, uint32_t number, enum frame answer)
{
	struct request **at = &queue->requests;

	while (*at && ((*at)->number != number || (*at)->answer != answer))
		at = &(*at)->next;
	return at;
}

static bool on_intended(struct queue *queue, struct span in)
{
	struct intention intention = {0};
	struct request **at, *request;
	uint8_t answer, same;
	uint32_t number;
	uint64_t first;
	struct error error;

	if (!take_u32(&in, &number) || !take_u8(&in, &answer) || answer > INTENT_DOUBT || !take_u8(&in, &same) ||
	    !take_u64(&in, &first) || !take_u32(&in, &intention.attempts) || !wire_take_error(&in, &error))
		return false;
	intention.answer = (enum intent)answer;
	intention.same_request = same;
	intention.first_ms = (int64_t)first;
	at = request_find(queue, number, FRAME_INTENDED);
	request = *at;
	if (!request)
		return true;
	*at = request->next;
	request->intended(request->arg, error.class ? NULL : &intention, error.class ? &error : NULL);
	request_free(request);
	return true;
}

static bool on_answer(struct queue *queue, enum frame type, struct span in)
{
	struct request *request;
	struct error error;
	uint32_t number;
	uint8_t last = 1;

	if (!take_u32(&in, &number) || (type == FRAME_ANSWER && !take_u8(&in, &last)) || !wire_take_error(&in, &error))
		return false;
	request = *request_find(queue, number, type);
	if (!request)
		return true; /* nobody waited so long */
	buf_span(&request->bytes, in);
	request->error = error;
	request->done = last;
	return true;
}

static bool on_done(struct queue *queue, struct span in)
{
	struct error error;
	uint32_t number;

	if (!take_u32(&in, &number) || !wire_take_error(&in, &error))
		return false;
	unit_answered(queue, number, error.class ? &error : NULL);
	return true;
}

static bool on_welcome(struct queue *queue, struct span in)
{
	uint8_t accepting;
	uint32_t version;

	queue->welcome = take_u32(&in, &version) && version == WIRE_VERSION && take_u64(&in, &queue->session) &&
			 take_u8(&in, &accepting);
	if (queue->welcome)
		queue->accepting = accepting;
	return queue->welcome;
}

static bool on_want(struct queue *queue, struct span in)
{
	struct span worker;
	char *name;

	if (!take_field(&in, &worker))
		return false;
	name = mem_span_dup(worker);
	if (queue->want)
		queue->want(queue->want_arg, name);
	free(name);
	return true;
}

static bool on_frame(struct queue *queue, uint8_t type, struct span in)
{
	switch (type) {
	case FRAME_WELCOME:
		return on_welcome(queue, in);
	case FRAME_DELIVER:
		return on_deliver(queue, in);
	case FRAME_DONE:
		return on_done(queue, in);
	case FRAME_INTENDED:
		return on_intended(queue, in);
	case FRAME_ANSWER:
	case FRAME_SEEN_ANSWER:
		return on_answer(queue, type, in);
	case FRAME_ACCEPTING:
		queue->accepting = in.len && in.data[0];
		return true;
	case FRAME_WANT:
		return on_want(queue, in);
	default:
		return true;
	}
}

static int frames(struct queue *queue, struct error *error)
{
	struct span payload;
	uint8_t type;
	int more;

	while ((more = channel_next(&queue->channel, &type, &payload)) == 1)
		if (!on_frame(queue, type, payload))
			return queue_is_gone(queue, error);
	return more < 0 ? queue_is_gone(queue, error) : 0;
}

void queue_flush(struct queue *queue)
{
	if (!queue->gone)
		(void)!channel_write(&queue->channel); /* that it is gone the next call finds, too */
}

int queue_pump(struct queue *queue, struct error *error)
{
	size_t total = 0;

	if (queue_failed(queue, error))
		return -1;
	if (channel_write(&queue->channel))
		return queue_is_gone(queue, error);
	while (total < READ_AT_ONCE) {
		ssize_t n = channel_read(&queue->channel, READ_AT_ONCE);

		if (n < 0)
			return queue_is_gone(queue, error);
		if (n == 0)
			break;
		total += (size_t)n;
		if (frames(queue, error))
			return -1;
	}
	/* completions may have written more */
	return channel_write(&queue->channel) ? queue_is_gone(queue, error) : 0;
}

int queue_wait(struct queue *queue, int wait_ms, struct error *error)
{
	struct pollfd poller = {.fd = queue->channel.fd, .events = POLLIN};

	if (queue_failed(queue, error))
		return -1;
	if (channel_write(&queue->channel))
		return queue_is_gone(queue, error);
	if (queue_unsent(queue))
		poller.events |= POLLOUT;
	if (poll(&poller, 1, wait_ms) < 0 && errno != EINTR)
		return error_errno(error, ERROR_FATAL, "queue.poll", "waiting for the queue process");
	return queue_pump(queue, error);
}

/* ---- deliveries */
int queue_credit(struct queue *queue, const char *from, unsigned messages, size_t bytes)
{
	struct buf *out = &queue->channel.out;
	size_t at = wire_begin(out, FRAME_CREDIT);

	buf_field(out, span_of(from));
	buf_u32(out, messages);
	buf_u64(out, bytes);
	return queue_end(queue, at) ? 0 : -1;
}

size_t queue_take(struct queue *queue, struct delivery **into, size_t max)
{
	size_t n = 0;

	while (n < max && queue->first) {
		struct arrival *arrival = queue->first;

		queue->first = arrival->next;
		arrival->next = NULL;
		into[n++] = &arrival->delivery;
	}
	if (!queue->first)
		queue->last = &queue->first;
	return n;
}

void queue_release(struct queue *queue, struct delivery *delivery)
{
	struct buf *out = &queue->channel.out;
	size_t at = wire_begin(out, FRAME_RELEASE);

	buf_u64(out, delivery->tag);
	queue_end(queue, at);
	delivery_free(delivery);
}

void delivery_free(struct delivery *delivery)
{
	if (!delivery)
		return;
	message_free(delivery->message);
	free(delivery); /* the first member of its arrival */
}

int queue_envelope(struct queue *queue, const struct message *message, struct error *error)
{
	buf_reset(&queue->scratch);
	return message_encode(message, &queue->scratch, error);
}
