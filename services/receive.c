/* Receiving. See receive.h.
 *
 * The message id of a first message is SHA-256 over (flow, endpoint, identity): the same document taken in again after
 * a crash becomes the same message. Files carry their name and modification time in it, so that the same file dropped
 * anew after the duplicates' window is a new message, and a file that a crash left unsettled is no duplicate of itself.
 */
#include "config.h"
#include "services/receive.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/expression.h"
#include "base/log.h"
#include "base/utf8.h"
#include "services/expecting.h"

#define KEEP_FOR_EVER INT64_MAX

static json_t *envelope_of(const struct document *document)
{
	json_t *envelope = json_object(), *headers = json_object();
	char text[CLOCK_TEXT], digest[ID_TEXT];

	for (size_t i = 0; i < document->attrs_count; i++) {
		char *name = mem_span_dup(document->attrs[i].name);

		json_object_set_new(headers, name,
				    json_stringn(document->attrs[i].value.data, document->attrs[i].value.len));
		free(name);
	}
	clock_format(document->time_ms, text);
	id_hex(&document->stored.digest, digest);
	json_object_set_new(envelope, "name", json_stringn(document->name.data, document->name.len));
	json_object_set_new(envelope, "id", json_stringn(document->identity_text.data, document->identity_text.len));
	json_object_set_new(envelope, "time", json_string(text));
	json_object_set_new(envelope, "digest", json_string(digest));
	json_object_set_new(envelope, "size", json_integer((json_int_t)document->stored.size));
	json_object_set_new(envelope, "type", json_stringn(document->media_type.data, document->media_type.len));
	json_object_set_new(envelope, "headers", headers);
	return envelope;
}

static int identity_by_envelope(const struct flow *flow, const struct document *document, struct id *identity,
				struct error *error)
{
	json_t *envelope = envelope_of(document);
	struct expression_input input = {.body = envelope, .envelope = envelope};
	struct buf all, one;
	int result = -1;

	buf_init(&all, 65536);
	buf_init(&one, 16384);
	for (size_t i = 0; i < flow->duplicates_by.count; i++) {
		buf_reset(&one);
		if (expression_text(flow->duplicates_by.items[i], &input, &one, error))
			goto done;
		buf_field(&all, buf_view(&one));
	}
	*identity = id_digest(buf_view(&all));
	result = 0;
done:
	buf_free(&one);
	buf_free(&all);
	json_decref(envelope);
	return result;
}

/* What makes the document itself, as the flow declares it; an event id beats its content. */
static int identify(const struct flow *flow, const struct source *source, const struct document *document,
		    struct id *identity, bool *declared, struct error *error)
{
	struct span parts[4];
	char time[CLOCK_TEXT];

	*declared = flow->duplicates == DUPLICATES_ENVELOPE;
	if (*declared)
		return identity_by_envelope(flow, document, identity, error);
	clock_format(document->time_ms, time);
	if (flow->duplicates == DUPLICATES_NONE) {
		parts[0] = document->name;
		parts[1] = span_of(time);
		parts[2] = id_span(&document->stored.digest);
		*identity = id_of(parts, 3);
		return 0;
	}
	if (source && source->server && document->identity_text.len) {
		*declared = true;
		parts[0] = document->identity_text;
		*identity = id_of(parts, 1);
		return 0;
	}
	*identity = document->stored.digest;
	return 0;
}

static struct message *make_message(const struct site *site, const struct flow *flow, const struct endpoint *endpoint,
				    const struct document *document, const struct id *identity, bool timed)
{
	struct message *message = message_new();
	struct span parts[4] = {span_of("source"), span_of(flow->name), span_of(endpoint->name), id_span(identity)};
	struct span timed_parts[6] = {parts[0], parts[1], parts[2], parts[3], SPAN_NONE, document->name};
	char text[ID_TEXT], time[CLOCK_TEXT], from[200];

	clock_format(document->time_ms, time);
	timed_parts[4] = span_of(time);
	message->id = timed ? id_of(timed_parts, 6) : id_of(parts, 4);
	id_hex(&message->id, text);
	message_set(message, &message->correlationid, span_of(text));
	message_set(message, &message->source,
		    span_make(from, (size_t)snprintf(from, sizeof from, "/%.80s/%.80s", site->name, endpoint->name)));
	message_set(message, &message->type, SPAN_LITERAL("ferrule.document.v1"));
	message_set(message, &message->subject, document->name);
	message_set(message, &message->datacontenttype, document->media_type);
	message_set(message, &message->flow, span_of(flow->name));
	message_set(message, &message->revision, span_of(site->revision));
	message_set(message, &message->body_ref, span_of(document->stored.ref));
	message_set(message, &message->origin.name, document->name);
	message_set(message, &message->origin.ref, span_of(document->stored.ref));
	message->time_ms = document->time_ms;
	message->accepted_ms = clock_now_ms();
	message->expires_ms = site->queue_lifetime_ms ? message->accepted_ms + site->queue_lifetime_ms : 0;
	message->body_size = message->origin.length = document->stored.size;
	message->body_digest = message->origin.digest = document->stored.digest;
	for (size_t i = 0; i < document->attrs_count; i++)
		message_attr(message, document->attrs[i].name, document->attrs[i].value, NULL);
	return message;
}

static const struct source *source_of(const struct flow *flow, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < flow->sources_count; i++)
		if (&flow->sources[i].endpoint == endpoint)
			return &flow->sources[i];
	return NULL;
}

/* Where the flow asks for order, its documents have a key, too: an expression over the envelope, or a constant. */
static int set_order(const struct flow *flow, const struct document *document, struct message *message,
		     struct error *error)
{
	json_t *envelope = envelope_of(document);
	struct expression_input input = {.body = envelope, .envelope = envelope};
	struct buf text;
	struct span part;
	struct id id;
	int result;

	buf_init(&text, 4096);
	result = expression_text(flow->order_by, &input, &text, error);
	part = buf_view(&text);
	id = id_of(&part, 1);
	if (!result)
		message_order(message, span_of(flow->name), id_hash(&id) | 1);
	buf_free(&text);
	json_decref(envelope);
	return result;
}

int receive_prepare(struct reception *reception, const struct site *site, const struct flow *flow,
		    const struct endpoint *endpoint, struct document *document, struct error *error)
{
	const struct source *source = source_of(flow, endpoint);
	struct span parts[2] = {span_of(endpoint->name), SPAN_NONE}, exact[2];
	struct id identity;

	*reception = (struct reception){.document = document, .kept = site->broker && !site->broker->shares_db};
	if (site->limits.document_max && document->stored.size > site->limits.document_max)
		return error_set(error, ERROR_REJECT, "document.too-large",
				 "%llu bytes, the site takes at most %llu (limits: document)",
				 (unsigned long long)document->stored.size,
				 (unsigned long long)site->limits.document_max);
	if (identify(flow, source, document, &identity, &reception->declared, error))
		return -1;
	parts[1] = id_span(&identity);
	reception->source = id_of(parts, 2);
	document->identity = reception->source;
	exact[0] = id_span(&reception->source);
	exact[1] = id_span(&document->stored.digest);
	reception->exact = id_of(exact, 2);
	reception->timed = source && source->poll && flow->duplicates == DUPLICATES_CONTENT;
	reception->message = make_message(site, flow, endpoint, document, &identity, reception->timed);
	if (flow->order == ORDER_NONE || !set_order(flow, document, reception->message, error))
		return 0;
	receive_free(reception);
	return -1;
}

void receive_renew(struct reception *reception, int64_t now_ms)
{
	struct message *message = reception->message;
	char text[ID_TEXT];
	struct span parts[2] = {id_span(&reception->source), span_make(&now_ms, sizeof now_ms)};

	reception->source = id_of(parts, 2);
	reception->declared = false;
	parts[0] = id_span(&message->id);
	message->id = id_of(parts, 2);
	id_hex(&message->id, text);
	message_set(message, &message->correlationid, span_of(text));
}

/* Among the documents at hand the first of an identity is new, the others repeat or contradict it. */
static void compare(struct reception *receptions, size_t i)
{
	for (size_t j = 0; j < i && receptions[i].seen == SEEN_NEW; j++)
		if (id_equal(&receptions[i].source, &receptions[j].source)) {
			receptions[i].seen = SEEN_BEFORE;
			receptions[i].first = receptions[j].message->id;
			receptions[i].conflict =
				receptions[i].declared && !id_equal(&receptions[i].exact, &receptions[j].exact);
		}
}

int receive_recognise(struct queue *queue, struct reception *receptions, size_t n, struct error *error)
{
	struct id *sources = mem_alloc(2 * n * sizeof *sources), *firsts = mem_alloc(2 * n * sizeof *firsts);
	enum seen *seen = mem_alloc(2 * n * sizeof *seen);
	int result;

	for (size_t i = 0; i < n; i++) {
		sources[i] = receptions[i].source;
		sources[n + i] = receptions[i].exact;
	}
	result = queue_seen(queue, sources, 2 * n, seen, firsts, error);
	for (size_t i = 0; !result && i < n; i++) {
		receptions[i].seen = seen[i];
		receptions[i].first = firsts[i];
		receptions[i].conflict = receptions[i].declared && seen[i] != SEEN_NEW && seen[n + i] == SEEN_NEW;
		receptions[i].again =
			receptions[i].timed && seen[i] != SEEN_NEW && id_equal(&firsts[i], &receptions[i].message->id);
		compare(receptions, i);
	}
	free(seen);
	free(firsts);
	free(sources);
	return result;
}

void receive_conflict(const struct reception *reception, struct error *error)
{
	char first[ID_TEXT];

	id_hex(&reception->first, first);
	error_set(error, ERROR_REJECT, "identity.conflict",
		  "the same identity came before with other content, as message %.12s: give the new one an identity of "
		  "its own",
		  first);
}

/* The same declared identity with other content is a mistake of the sender: never a duplicate, never silently both. Its
 * own message id takes the content in, so that each contradiction has its own dead letter. */
static int add_conflict(struct unit *unit, const struct flow *flow, struct reception *reception)
{
	struct message *message = reception->message;
	struct record record = {.message = message, .stage = "dead", .place = flow->name};
	struct error why;
	struct dead dead = {.message = message, .queue = flow->queue, .step = "receive", .why = &why};
	char text[ID_TEXT];

	receive_conflict(reception, &why);
	message->id = reception->exact;
	id_hex(&message->id, text);
	message_set(message, &message->correlationid, span_of(text));
	unit_dead(unit, &dead);
	return unit_record(unit, &record);
}

/* A duplicate leaves a record of its own, a child of the message that the document became first. */
static int add_duplicate(struct unit *unit, const struct flow *flow, struct reception *reception)
{
	struct message *message = reception->message;
	char time[CLOCK_TEXT];
	struct span parts[4] = {span_of("duplicate"), id_span(&reception->first), message->origin.name, SPAN_NONE};
	struct record record = {.message = message, .stage = "duplicate", .place = flow->name};
	char text[ID_TEXT];

	clock_format(message->time_ms, time);
	parts[3] = span_of(time);
	message->causation = reception->first;
	message->id = id_of(parts, 4);
	id_hex(&reception->first, text);
	message_set(message, &message->correlationid, span_of(text));
	record.detail = reception->seen == SEEN_DIED ? SPAN_LITERAL("{\"first\":\"dead\"}") : SPAN_NONE;
	if (reception->seen == SEEN_DIED)
		log_warn("receive", message->correlationid,
			 "duplicate of a dead letter name=\"%.*s\" flow=%s next=\"ferrule dead list\"",
			 SPAN_ARGS(message->origin.name), flow->name);
	else
		log_info("receive", message->correlationid, "duplicate name=\"%.*s\" flow=%s",
			 SPAN_ARGS(message->origin.name), flow->name);
	return unit_record(unit, &record);
}

/* The audit trail's record of it, in the same unit. */
static void add_audit(struct unit *unit, const struct flow *flow, const struct reception *reception)
{
	const struct message *message = reception->message;
	char id[ID_TEXT], digest[ID_TEXT], once[ID_TEXT + 16];
	struct buf name;

	if (!flow->audit)
		return;
	id_hex(&message->id, id);
	id_hex(&message->origin.digest, digest);
	snprintf(once, sizeof once, "received %s", id);
	buf_init(&name, 64 * 1024);
	utf8_clean(&name, message->origin.name);
	unit_change(unit, "audit.note",
		    json_pack("{s:s s:s s:{s:s s:s% s:s s:I s:s}}", "what", "received", "once", once, "facts", "flow",
			      flow->name, "document", name.data ? name.data : "", name.len, "sha256", digest, "size",
			      (json_int_t)message->origin.length, "message", id));
	buf_free(&name);
}

static char *base64_of(struct span bytes)
{
	struct buf text;

	buf_init(&text, 2 * (MESSAGE_INLINE_MAX + MESSAGE_ENVELOPE_MAX));
	base64_encode(&text, bytes);
	return buf_take(&text);
}

void receive_keep(struct unit *unit, const char *queue, const struct message *message)
{
	struct buf envelope, body;
	char *envelope_text, *body_text;

	buf_init(&envelope, MESSAGE_ENVELOPE_MAX);
	buf_init(&body, MESSAGE_INLINE_MAX);
	if (message_encode(message, &envelope, NULL) ||
	    (!message->body_ref.len && message->body && reader_all(message->body, &body, NULL)))
		goto done; /* publishing it fails as well */
	envelope_text = base64_of(buf_view(&envelope));
	body_text = base64_of(buf_view(&body));
	unit_change(unit, "intake.put",
		    json_pack("{s:s s:s s:s}", "queue", queue, "envelope", envelope_text, "body", body_text));
	free(envelope_text);
	free(body_text);
done:
	buf_free(&envelope);
	buf_free(&body);
}

int receive_add(struct unit *unit, const struct flow *flow, struct reception *reception, struct error *error)
{
	struct record record = {.message = reception->message, .stage = "received", .place = flow->name};
	int64_t keep = flow->duplicates_within_ms ? clock_now_ms() + flow->duplicates_within_ms : KEEP_FOR_EVER;
	int result;

	if (reception->conflict)
		return add_conflict(unit, flow, reception);
	if (reception->again)
		return 0;
	if (reception->seen != SEEN_NEW)
		return add_duplicate(unit, flow, reception);
	result = unit_publish(unit, NULL, flow->queue, false, reception->message, error);
	if (result)
		return result;
	if (reception->kept)
		receive_keep(unit, flow->queue, reception->message);
	expecting_document(unit, flow, reception->message);
	unit_seen(unit, &reception->source, &reception->message->id, keep);
	if (reception->declared)
		unit_seen(unit, &reception->exact, &reception->message->id, keep);
	add_audit(unit, flow, reception);
	return unit_record(unit, &record);
}

void receive_free(struct reception *reception)
{
	message_free(reception->message);
	reception->message = NULL;
}
