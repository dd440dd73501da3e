/* What the replies of a mail server mean (RFC 5321), without a network. See mail.h.
 *
 * Until the last byte of the mail was handed over the server has nothing and must deliver nothing: whatever breaks, it
 * is tried again. From there to its reply nobody can know, and a mail cannot be asked about. */
#include "config.h"
#include "broker-adapters/mail/mail.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/utf8.h"

#define QUOTE_MAX 400u

/* A stranger's text for a line of ours. */
static void quote(char *out, size_t size, struct span text)
{
	size_t used = 0;

	for (size_t i = 0; i < text.len && used + 5 < size;) {
		size_t n = utf8_character(span_make(text.data + i, text.len - i));

		if (n > 1) {
			memcpy(out + used, text.data + i, n);
			used += n;
		} else {
			unsigned char c = (unsigned char)text.data[i];

			out[used++] = c < 0x20 || c == 0x7f ? ' ' : c < 0x80 ? (char)c : '?';
		}
		i += n ? n : 1;
	}
	while (used && out[used - 1] == ' ')
		used--;
	out[used] = '\0';
}

static void judge_silence(const struct mail_answer *answer, struct error *error)
{
	const char *code = answer->code ? answer->code : "mail.broken",
		   *why = answer->why ? answer->why : "the connection was lost";

	if (answer->sent) {
		error_set(error, ERROR_DOUBT, code,
			  "nobody knows whether the server took the mail: %s after all of it was sent", why);
		return;
	}
	error_set(error, ERROR_RETRY, code, "nothing was delivered: %s", why);
	error->scope = SCOPE_ENDPOINT;
}

/* Refusals that say something of us or of the server, and would meet every mail alike. */
static bool is_about_server(const struct mail_answer *answer)
{
	switch (answer->reply) {
	case 421:
	case 454:
	case 530:
	case 534:
	case 535:
	case 538:
		return true;
	default:
		return answer->stage == MAIL_OPENING;
	}
}

void mail_judge(const struct mail_answer *answer, struct error *error)
{
	static const char *const stages[] = {"", " the sender", " a recipient", " the mail"};
	char code[32], text[QUOTE_MAX + 8], whom[300];

	error_clear(error);
	if (answer->sent && answer->reply >= 200 && answer->reply < 300)
		return;
	if (answer->reply < 400 || answer->reply > 599) {
		judge_silence(answer, error);
		return;
	}
	snprintf(code, sizeof code, "mail.reply-%u", answer->reply);
	quote(text, sizeof text, answer->text);
	quote(whom, sizeof whom, answer->stage == MAIL_RECIPIENT ? answer->recipient : SPAN_NONE);
	if (is_about_server(answer)) {
		error_set(error, ERROR_RETRY, code, "the mail server will not take mails from us: it replied %u%s%s",
			  answer->reply, *text ? ": " : "", text);
		error->scope = SCOPE_ENDPOINT;
		return;
	}
	error_set(error, answer->reply < 500 ? ERROR_RETRY : ERROR_REJECT, code,
		  "the mail server refused%s%s%s: it replied %u%s%s; nobody got the mail", stages[answer->stage],
		  *whom ? " " : "", whom, answer->reply, *text ? ": " : "", text);
	error->scope = SCOPE_MESSAGE;
}

static void keep_id(void *arg, struct span name, struct span value)
{
	if (span_is(name, "Message-ID"))
		json_object_set_new(arg, "message-id", json_stringn(value.data, value.len));
}

void mail_receipt(const struct attempt *attempt, const struct mail_answer *answer, struct buf *out)
{
	struct span to = message_attr_find(attempt->message, "to");
	json_t *receipt = json_pack("{s:i}", "reply", (int)answer->reply);
	char seen[QUOTE_MAX + 8];
	char *text;

	quote(seen, sizeof seen, to);
	json_object_set_new(receipt, "to", json_string(seen));
	quote(seen, sizeof seen, answer->text); /* has the server's own number of it, often */
	json_object_set_new(receipt, "text", json_string(seen));
	mail_headers(attempt, keep_id, receipt, NULL);
	text = json_dumps(receipt, JSON_COMPACT);
	buf_reset(out);
	buf_text(out, text ? text : "{}");
	free(text);
	json_decref(receipt);
}

/* ---- doubt, and how many at once ---- */
/* Where the flow says that a second copy is recognised by its Message-ID, it is sent again. */
enum resolved mail_presume(const struct attempt *attempt)
{
	const struct effect_spec *effect = &attempt->endpoint->effect;
	const struct mail_settings *settings = attempt->endpoint->settings;
	int64_t age = clock_now_ms() - attempt->first_ms;

	if (effect->kind == EFFECT_KEY &&
	    (effect->remembers_ms == 0 || age + settings->timeout_ms < effect->remembers_ms))
		return RESOLVED_NOT;
	return RESOLVED_UNKNOWN;
}

int mail_resolve(void *sink, struct attempt *attempt, enum resolved *resolved, struct error *error)
{
	*resolved = mail_presume(attempt);
	return 0;
}

unsigned mail_parallel(const struct endpoint *endpoint)
{
	return (unsigned)((const struct mail_settings *)endpoint->settings)->parallel;
}

/* ---- offline ----------------------------------------------------------------------------------------------------- */
int mail_preview(const struct attempt *attempt, void (*each)(void *arg, struct span name, struct span value), void *arg,
		 struct error *error)
{
	struct span text = message_attr_find(attempt->message, "text"),
		    name = message_attr_find(attempt->message, "attachment");

	if (mail_headers(attempt, each, arg, error))
		return -1;
	if (name.len)
		each(arg, span_of("Attachment"), name);
	if (text.len)
		each(arg, span_of("Text"), text);
	return 0;
}

int mail_judge_test(const struct attempt *attempt, const struct sink_answer *given, struct error *verdict,
		    struct error *error)
{
	static const struct {
		const char *name, *code, *why;
		bool sent;
	} failures[] = {
		{"connect", "mail.connect", "the connection is refused", false},
		{"timeout", "mail.timeout", "the time was over", true},
		{"broken", "mail.broken", "the connection was lost", true},
	};
	struct mail_answer answer = {.stage = MAIL_DATA, .sent = true, .reply = (unsigned)given->status};

	answer.text = given->body ? span_of(given->body) : SPAN_NONE;
	for (size_t i = 0; given->fails && i < sizeof failures / sizeof *failures; i++) {
		if (strcmp(failures[i].name, given->fails))
			continue;
		answer.reply = 0;
		answer.sent = failures[i].sent;
		answer.code = failures[i].code;
		answer.why = failures[i].why;
	}
	if (given->fails ? !answer.code : answer.reply < 200 || answer.reply > 599)
		return error_set(error, ERROR_REJECT, "test.answer",
				 "a mail server has no such answer: `status` is 250 or what it refuses with, and "
				 "`fails` is one of connect, timeout, broken");
	mail_judge(&answer, verdict);
	return 0;
}
