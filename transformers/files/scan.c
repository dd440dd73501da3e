/* scan: lets a document through that clamd finds nothing in, by its INSTREAM command (clamd(8)) over a socket, or a
 * scanner that speaks ICAP (scan_icap.c). What was not scanned never passes: where nobody answers the document waits.
 * A scanner without signatures, or a service that is none, says "clean" of everything: `prove` shows it the EICAR test
 * string from time to time, which it must find. */
#include "config.h"
#include "transformers/files/scan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "transformers/transformers.h"

#define AGE_EVERY_MS INT64_C(3600000)

#define CLAMD "/run/clamav/clamd.ctl"

struct scan_settings {
	const char *clamd, *icap;
	int64_t timeout_ms, prove_ms, signatures_ms;
	uint64_t max;
};

struct scan {
	const struct scan_settings *settings;
	int64_t proved_at; /* monotonic; 0: it was not yet */
	int64_t aged_at;   /* … when it was last asked how old its signatures are */
	char tag[40];      /* ICAP: the last ISTag */
};

static const struct option options[] = {
	{.name = "clamd",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct scan_settings, clamd),
	 .flags = OPTION_MAIN,
	 .help = "where clamd listens: the path of its socket, by default " CLAMD
		 ", or HOST:PORT, over which documents go as they are"},
	{.name = "icap",
	 .type = OPTION_TEXT,
	 .offset = offsetof(struct scan_settings, icap),
	 .help = "in place of clamd a scanner that speaks ICAP: icap://HOST:PORT/SERVICE; documents go as they are"},
	{.name = "max-size",
	 .type = OPTION_SIZE,
	 .offset = offsetof(struct scan_settings, max),
	 .fallback = "0",
	 .help = "a larger document is refused: many scanners let pass unscanned what is too large for them"},
	{.name = "timeout",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct scan_settings, timeout_ms),
	 .fallback = "5m",
	 .help = "how long it may take to take some bytes, or to answer"},
	{.name = "prove",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct scan_settings, prove_ms),
	 .fallback = "0s",
	 .help = "how often the scanner must find the EICAR test string, before the first document and then so long "
		 "after; documents wait while it does not. 0s: never"},
	{.name = "signatures",
	 .type = OPTION_DURATION,
	 .offset = offsetof(struct scan_settings, signatures_ms),
	 .fallback = "7d",
	 .help = "how old clamd's signatures may be: older ones are a warning in the log each hour (with icap the log "
		 "has the server's ISTag instead). 0s: it is not asked"},
	OPTION_END,
};

/* ---- the protocol -------------------------------------------------------------------------------------------------
 */
static int send_chunk(struct scanning *s, struct span chunk, struct error *error)
{
	uint32_t length = htonl((uint32_t)chunk.len);
	int result = scan_send(s, span_make(&length, sizeof length), error);

	return result ? result : scan_send(s, chunk, error);
}

static int send_document(struct scanning *s, struct item *item, struct error *error)
{
	struct document_feed feed;
	struct span chunk;
	int result = scan_send(s, span_make("zINSTREAM", sizeof "zINSTREAM"), error), more = 0;

	document_feed_begin(&feed, item, s->out);
	while (!result && (more = document_feed_next(&feed, &chunk, error)) > 0)
		result = send_chunk(s, chunk, error);
	document_feed_end(&feed);
	if (more < 0)
		return -1;
	return result ? result : send_chunk(s, SPAN_NONE, error);
}

int scan_clamd_answer(struct scanning *s, char answer[SCAN_ANSWER_MAX], struct error *error)
{
	size_t used = 0;

	scan_time(s);
	for (;;) {
		ssize_t n = recv(s->fd, answer + used, SCAN_ANSWER_MAX - 1 - used, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (scan_wait(s, POLLIN, error))
				return -1;
			continue;
		}
		used += n > 0 ? (size_t)n : 0;
		answer[used] = '\0';
		if (n <= 0 || strlen(answer) < used || used == SCAN_ANSWER_MAX - 1)
			break;
	}
	answer[strcspn(answer, "\n")] = '\0';
	return *answer ? 0 : scan_away(s, "closed the connection without an answer", error);
}

/* "stream: OK", "stream: NAME FOUND", "… ERROR": what is none of the first two is no leave to pass. */
static int judge(const struct scanning *s, char *answer, struct error *error)
{
	struct span text = span_of(answer), name = text;

	if (span_is(text, "stream: OK"))
		return 0;
	if (span_ends(text, " FOUND")) {
		if (span_starts(name, "stream: "))
			name = span_make(name.data + 8, name.len - 8);
		return error_set(error, ERROR_REJECT, "scan.infected", "clamd found %.*s in it", (int)(name.len - 6),
				 name.data);
	}
	if (strstr(answer, "size limit exceeded"))
		return error_set(error, ERROR_REJECT, "scan.too-large",
				 "clamd takes no document of this size (its StreamMaxLength): it was not scanned, and "
				 "does not pass");
	return error_set(error, ERROR_RETRY, "scan.unavailable", "clamd at %s says: %s: the document waits", s->where,
			 answer);
}

int scan_clamd_connect(struct scanning *s, struct error *error)
{
	const char *colon = strrchr(s->where, ':');
	char *host = colon ? mem_span_dup(span_make(s->where, (size_t)(colon - s->where))) : NULL;
	int failed = *s->where == '/' || !colon ? scan_connect_path(s, s->where, error)
						: scan_connect_host(s, host, colon + 1, error);

	free(host);
	return failed;
}

static int ask_clamd(struct scanning *s, struct item *item, struct error *error)
{
	char answer[SCAN_ANSWER_MAX] = "";

	return scan_clamd_connect(s, error) || send_document(s, item, error) < 0 ||
			       scan_clamd_answer(s, answer, error) || judge(s, answer, error)
		       ? -1
		       : 0;
}

static int check(const void *opaque, const struct transformer_context *context, struct place place,
		 struct findings *findings)
{
	const struct scan_settings *settings = opaque;
	const char *fault = settings->icap ? scan_icap_fault(settings->icap) : NULL;

	if (settings->icap && settings->clamd)
		fault = "a step asks one scanner: clamd or icap";
	if (!fault)
		return 0;
	finding_add(findings, place, SEVERITY_ERROR, "scan.address", "%s", fault);
	return -1;
}

/* Behind a scan and not before it: what does not answer at all was noticed by then. Which signatures judged is in the
 * log and not in the message, or the same document scanned again would be another one. */
static void look_at_signatures(struct scan *scan, const struct scanning *s)
{
	int64_t now = clock_tick_ms();

	if (!scan->settings->signatures_ms)
		return;
	if (*s->tag && strcmp(s->tag, scan->tag) != 0) {
		log_info("scan", SPAN_NONE, "scanner=%s istag=%s", s->where, s->tag);
		memcpy(scan->tag, s->tag, sizeof scan->tag);
	}
	if (scan->settings->icap || (scan->aged_at && now - scan->aged_at < AGE_EVERY_MS))
		return;
	scan->aged_at = now ? now : 1;
	scan_tell_age(s, scan->settings->signatures_ms);
}

/* REJECT: something was found, or it was too large. */
static int ask(struct scan *scan, struct item *item, struct out *out, struct error *error)
{
	const struct scan_settings *settings = scan->settings;
	struct scanning s = {.what = settings->icap ? "the ICAP server" : "clamd",
			     .where = settings->icap    ? settings->icap
				      : settings->clamd ? settings->clamd
							: CLAMD,
			     .timeout_ms = settings->timeout_ms,
			     .out = out,
			     .fd = -1};
	int failed;

	scan_time(&s);
	failed = (settings->icap ? scan_icap : ask_clamd)(&s, item, error);
	if (s.fd >= 0)
		close(s.fd);
	if (!failed || (error && !strcmp(error->code, "scan.infected")))
		look_at_signatures(scan, &s);
	return failed ? -1 : 0;
}

/* The string that every scanner takes for a virus, in two parts, or this program would be taken for one. */
static int prove(struct scan *scan, const struct item *item, struct out *out, struct error *error)
{
	static const char first[] = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$";
	static const char rest[] = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*";
	char *text = mem_printf("%s%s", first, rest);
	struct item test = *item;
	int failed;

	test.bytes = reader_new_copy(span_of(text));
	failed = ask(scan, &test, out, error);
	reader_unref(test.bytes);
	free(text);
	if (failed && !strcmp(error->code, "scan.infected")) {
		*error = (struct error){0};
		return 0;
	}
	return failed && error->class == ERROR_RETRY
		       ? -1
		       : error_set(error, ERROR_RETRY, "scan.unproved",
				   "%s does not find the EICAR test string: it scans nothing, or has no signatures; "
				   "the document waits",
				   scan->settings->icap ? scan->settings->icap : "clamd");
}

static void *open_scan(const void *settings, const struct transformer_context *context, struct error *error)
{
	struct scan *scan = mem_alloc(sizeof *scan);

	scan->settings = settings;
	return scan;
}

static int run(void *self, struct item *item, struct out *out, struct error *error)
{
	struct scan *scan = self;
	const struct scan_settings *settings = scan->settings;
	int64_t now = clock_tick_ms();

	if (settings->max && reader_size(item->bytes) > settings->max)
		return error_set(error, ERROR_REJECT, "scan.too-large",
				 "it has more than %llu bytes (max-size): it was not scanned, and does not pass",
				 (unsigned long long)settings->max);
	if (settings->prove_ms && (!scan->proved_at || now - scan->proved_at >= settings->prove_ms)) {
		if (prove(scan, item, out, error))
			return -1;
		scan->proved_at = now ? now : 1;
	}
	return ask(scan, item, out, error) ? -1 : out_emit(out, item, error);
}

const struct transformer_ops scan_transformer = {
	.name = "scan",
	.help = "Lets a document through in which a virus scanner (clamd, or one that speaks ICAP) finds nothing",
	.options = options,
	.settings_size = sizeof(struct scan_settings),
	.takes = FORM_BYTES,
	.gives = FORM_BYTES,
	.check = check,
	.open = open_scan,
	.close = free,
	.run = run,
};
