/* What a test gives, as the flow would have taken it: a document that a source found, or a message of a topic. See
 * rehearsal.h. */
#include "config.h"
#include "services/rehearsal_private.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/tree.h"
#include "services/receive.h"

struct making {
	const struct stage *stage;
	struct arena *arena;
	const struct flow *flow;
	const struct trial_input *input;
	struct span bytes;
};

int trial_bytes(const struct stage *stage, const struct trial_content *content, struct buf *into, struct error *error)
{
	char path[PATH_MAX];
	struct reader *reader;
	struct stat status;
	int fd, result;

	if (content->json)
		return tree_write(into, content->json, 0);
	if (!content->file)
		return buf_span(into, content->text);
	snprintf(path, sizeof path, "%s/%s", stage->site->directory, content->file);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode)) {
		if (fd >= 0)
			close(fd);
		return error_set(error, ERROR_REJECT, "trial.file", "there is no file %s (paths start at the site)",
				 content->file);
	}
	reader = reader_new_fd(fd, 0, (uint64_t)status.st_size);
	result = reader_all(reader, into, error);
	reader_unref(reader);
	return result;
}

static struct span name_of(const struct trial_input *input)
{
	const char *file = input->content.file, *slash = file ? strrchr(file, '/') : NULL;

	if (input->name)
		return span_of(input->name);
	return file ? span_of(slash ? slash + 1 : file) : SPAN_LITERAL("input");
}

static size_t attrs_of(struct arena *arena, const json_t *texts, struct attr *attrs, size_t most)
{
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach((json_t *)(uintptr_t)texts, name, value) {
		char *lower = arena_strdup(arena, name);

		for (char *c = lower; *c; c++)
			*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
		if (n < most)
			attrs[n++] = (struct attr){span_of(lower), span_of(json_string_value(value))};
	}
	return n;
}

/* A document, as a source would have found it. */
static struct message *receive(const struct making *making, const struct source *source, struct error *error)
{
	struct attr attrs[32];
	struct document document = {.name = name_of(making->input), .time_ms = making->input->time_ms, .attrs = attrs};
	struct reception reception;

	document.attrs_count = attrs_of(making->arena, making->input->headers, attrs, 32);
	document.media_type = span_of(making->input->type ? making->input->type
				      : source->server    ? "application/json"
							  : NULL);
	document.identity_text = making->input->id ? span_of(making->input->id)
				 : source->server  ? SPAN_NONE
						   : document.name;
	document.stored.digest = id_digest(making->bytes);
	document.stored.size = making->bytes.len;
	if (receive_prepare(&reception, making->stage->site, making->flow, &source->endpoint, &document, error))
		return NULL;
	message_body_take(reception.message, reader_new_copy(making->bytes));
	reception.message->body_digest = document.stored.digest;
	return reception.message;
}

/* A message, as the flow would get it from a topic. */
static struct message *arrive(const struct making *making, struct error *error)
{
	struct message *message = message_new();
	struct id digest = id_digest(making->bytes);
	struct span parts[3] = {SPAN_LITERAL("test"), name_of(making->input), id_span(&digest)};
	const char *name;
	char hex[ID_TEXT];
	json_t *value;

	message->id = id_of(parts, 3);
	id_hex(&message->id, hex);
	message_set(message, &message->correlationid, span_of(hex));
	message_set(message, &message->source, SPAN_LITERAL("/test"));
	message_set(message, &message->type,
		    span_of(making->input->topic             ? making->input->topic
			    : making->flow->subscribes_count ? making->flow->subscribes[0]
							     : "ferrule.document.v1"));
	message_set(message, &message->subject, name_of(making->input));
	message_set(message, &message->datacontenttype,
		    span_of(making->input->type ? making->input->type : "application/json"));
	message_set(message, &message->dataschema, span_of(making->input->contract));
	message_set(message, &message->flow, span_of(making->flow->name));
	message_set(message, &message->revision, span_of(making->stage->site->revision));
	message_set(message, &message->origin.name, name_of(making->input));
	message->time_ms = making->input->time_ms;
	message->accepted_ms = clock_now_ms();
	message->origin.length = making->bytes.len;
	message->origin.digest = digest;
	json_object_foreach((json_t *)(uintptr_t)making->input->keys, name, value) {
		if (message_key(message, span_of(name), span_of(json_string_value(value)), error)) {
			message_free(message);
			return NULL;
		}
	}
	message_body_take(message, reader_new_copy(making->bytes));
	message->body_digest = digest;
	return message;
}

static const struct source *source_of(const struct flow *flow, const struct trial_input *input)
{
	for (size_t i = 0; i < flow->sources_count; i++)
		if (!input->source || !strcmp(input->source, flow->sources[i].endpoint.name))
			return &flow->sources[i];
	return NULL;
}

struct message *input_message_new(const struct stage *stage, struct arena *arena, const struct flow *flow,
				  const struct trial_input *input, struct span bytes, struct error *error)
{
	const struct making making = {stage, arena, flow, input, bytes};
	const struct source *source = source_of(flow, input);
	struct message *message = source && !input->topic ? receive(&making, source, error) : arrive(&making, error);

	if (message && input->part)
		message_set(message, &message->part, span_of(input->part));
	return message;
}
