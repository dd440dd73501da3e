/* X12 and EDIFACT to JSON and back, each beside a plain loop over the same bytes: a C loop that takes a segment apart
 * at its separators and writes the plain form, with no check of anything. Rates are of the bytes of the document.
 *
 *     edi FILE (x12|edifact) ROUNDS [GRAMMAR]
 *
 * The nested form with all that a grammar checks is measured as well; without its name it is found while it runs. */
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/option.h"
#include "config/site.h"
#include "config/yaml.h"
#include "tests/bench/bench.h"
#include "transformers/chain.h"
#include "transformers/transformers.h"

#define LIMIT_S 120

/* Processor time, so that whatever else the machine does counts little. */
static double cpu_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the yardstick */
struct plain {
	const char *p, *end;
	char *o;
	char element, component, release, terminator;
	const char *head; /* what each line begins with */
	size_t head_len;
};

static void put_segment(struct plain *x)
{
	char *start;

	*x->o++ = '[';
	*x->o++ = '"';
	start = x->o - 1;
	for (bool composite = false;; x->p++) {
		char c = *x->p;

		if (c == x->terminator)
			break;
		if (c == x->element) {
			*x->o++ = '"';
			if (composite)
				*x->o++ = ']';
			*x->o++ = ',';
			start = x->o;
			*x->o++ = '"';
			composite = false;
		} else if (c == x->component) {
			if (!composite) {
				memmove(start + 1, start, (size_t)(x->o - start));
				*start = '[';
				x->o++;
				composite = true;
			}
			memcpy(x->o, "\",\"", 3);
			x->o += 3;
		} else {
			if (x->release && c == x->release)
				c = *++x->p;
			if (c == '"' || c == '\\')
				*x->o++ = '\\';
			*x->o++ = c;
		}
		if (x->p[1] == x->terminator) {
			*x->o++ = '"';
			if (composite)
				*x->o++ = ']';
		}
	}
	x->p++;
	*x->o++ = ']';
	*x->o++ = ',';
}

static bool named(const struct plain *x, const char *name)
{
	size_t n = strlen(name);

	return !memcmp(x->p, name, n) && x->p[n] == x->element;
}

static bool is_envelope(const struct plain *x)
{
	if (x->p[0] == 'U')
		return named(x, "UNB") || named(x, "UNZ") || !memcmp(x->p, "UNA", 3);
	return (x->p[0] == 'I' && (named(x, "ISA") || named(x, "IEA"))) ||
	       (x->p[0] == 'G' && (named(x, "GS") || named(x, "GE")));
}

static const char *next_segment(const struct plain *x)
{
	return (const char *)memchr(x->p, x->terminator, (size_t)(x->end - x->p)) + 1;
}

/* Lines from the first opening segment to the last closing one; the size of what was written. */
static size_t run_plain(struct plain *x, char *into, const char *open, const char *close)
{
	x->o = into;
	while (x->p < x->end) {
		while (x->p < x->end && (*x->p == '\n' || *x->p == '\r'))
			x->p++;
		if (x->p >= x->end)
			break;
		if (named(x, open)) {
			memcpy(x->o, x->head, x->head_len);
			x->o += x->head_len;
			x->p = next_segment(x);
		} else if (named(x, close)) {
			memcpy(x->o - 1, "]}\n", 3);
			x->o += 2;
			x->p = next_segment(x);
		} else if (is_envelope(x)) {
			x->p = next_segment(x);
		} else {
			put_segment(x);
		}
	}
	return (size_t)(x->o - into);
}

/* ---- ours */
struct sink {
	uint64_t bytes;
	struct buf *into; /* or NULL */
};

static int take(void *arg, struct span bytes, struct error *error)
{
	struct sink *sink = arg;

	sink->bytes += bytes.len;
	return sink->into ? buf_span(sink->into, bytes) : 0;
}

static struct reader *open_file(const char *path, uint64_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status))
		bench_die(path, NULL);
	*size = (uint64_t)status.st_size;
	return reader_new_fd(fd, 0, *size);
}

/* Grammars as they ship. */
static const struct span *shipped(void *arena, const char *folder, const char *name)
{
	struct span *text = arena_alloc(arena, sizeof *text);
	char path[PATH_MAX];
	struct reader *file;
	struct buf bytes;
	uint64_t size;

	config_shipped(path, sizeof path, folder);
	if ((size_t)snprintf(path + strlen(path), sizeof path - strlen(path), "/%s", name) >= sizeof path ||
	    access(path, R_OK))
		return NULL;
	buf_init(&bytes, SIZE_MAX / 4);
	file = open_file(path, &size);
	if (reader_all(file, &bytes, NULL))
		bench_die(path, NULL);
	reader_unref(file);
	*text = arena_span(arena, buf_view(&bytes));
	buf_free(&bytes);
	return text;
}

/* settings: the format, or {format: …} in YAML. */
static double run_step(const struct transformer_ops *ops, const char *settings, struct reader *body, struct sink *sink)
{
	struct arena *arena = arena_new();
	struct transformer_context surroundings = {.site = arena, .file = shipped};
	struct yaml_documents documents = {0};
	struct findings findings;
	struct option_context context = {.arena = arena, .findings = &findings};
	struct chain_step step = {.ops = ops, .settings = arena_alloc(arena, ops->settings_size), .label = ops->name};
	struct chain_hand hand = {.write = take, .arg = sink};
	struct chain_report report;
	struct error error;
	struct chain *chain;
	double start;

	findings_init(&findings);
	if (yaml_read(arena, &findings, "settings", span_of(settings), NULL, &documents) ||
	    option_fill(&context, documents.items[0], ops->options, NULL, (void *)(uintptr_t)step.settings))
		bench_die("no such format", NULL);
	chain = chain_new("bench", &step, 1, &surroundings, NULL, &error);
	if (!chain)
		bench_die(settings, &error);
	start = cpu_now();
	if (chain_run_by_hand(chain, body, SPAN_NONE, SPAN_NONE, &hand, &report, &error))
		bench_die(settings, &error);
	start = cpu_now() - start;
	if (report.dead)
		bench_die("the document is not sound", NULL);
	chain_free(chain);
	findings_free(&findings);
	arena_free(arena);
	return start;
}

/* Of this program alone: the high-water mark that getrusage tells may be its parent's. */
static long peak_kb(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[200];
	long kb = 0;

	while (file && fgets(line, sizeof line, file))
		if (!strncmp(line, "VmHWM:", 6))
			kb = strtol(line + 6, NULL, 10);
	if (file)
		fclose(file);
	return kb;
}

static double plain_once(bool x12, struct span text, const struct buf *head, char *room, size_t *written)
{
	struct plain plain = {.p = text.data,
			      .end = text.data + text.len,
			      .head = head->data,
			      .head_len = head->len,
			      .element = x12 ? '*' : '+',
			      .component = x12 ? '>' : ':',
			      .release = x12 ? '\0' : '?',
			      .terminator = x12 ? '~' : '\''};
	double start = cpu_now();

	*written = run_plain(&plain, room, x12 ? "ST" : "UNH", x12 ? "SE" : "UNT");
	return cpu_now() - start;
}

/* The text is kept in memory for the plain loop and for encoding; so peak memory is taken before. */
int main(int argc, char **argv)
{
	double plain_s[BENCH_ROUNDS_MAX], decode_s[BENCH_ROUNDS_MAX], encode_s[BENCH_ROUNDS_MAX],
		nested_s[BENCH_ROUNDS_MAX], decode_ratio[BENCH_ROUNDS_MAX], encode_ratio[BENCH_ROUNDS_MAX],
		nested_ratio[BENCH_ROUNDS_MAX];
	size_t rounds = argc > 3 ? (size_t)atoi(argv[3]) : 0, written = 0;
	struct buf text, json, head;
	struct sink sink = {0};
	struct reader *file, *lines;
	char *room, nested[160];
	uint64_t size;
	long before, after;

	if (argc < 4 || !rounds || rounds > BENCH_ROUNDS_MAX)
		bench_die("usage: edi FILE FORMAT ROUNDS [GRAMMAR]", NULL);
	snprintf(nested, sizeof nested,
		 "{format: %s, form: nested, check: [structure, codes, balance], grammars: [%s]}", argv[2],
		 argc > 4 ? argv[4] : "");
	bench_limit(LIMIT_S);
	before = peak_kb();
	file = open_file(argv[1], &size);
	run_step(&decode_transformer, argv[2], file, &sink);
	after = peak_kb();
	buf_init(&text, SIZE_MAX / 4);
	buf_init(&json, SIZE_MAX / 4);
	buf_init(&head, 4096);
	if (reader_all(file, &text, NULL))
		bench_die(argv[1], NULL);
	sink.into = &json;
	run_step(&decode_transformer, argv[2], file, &sink);
	/* The line's beginning, as the decoder writes it, is given to the plain loop. */
	buf_append(&head, json.data, (size_t)(strstr(json.data, "\"segments\":[") + 12 - json.data));
	room = mem_alloc(json.len * 2);
	memset(room, 1, json.len * 2);
	lines = reader_new_copy(buf_view(&json));
	for (size_t i = 0; i < rounds; i++) {
		struct sink count = {0};

		plain_s[i] = plain_once(!strcmp(argv[2], "x12"), buf_view(&text), &head, room, &written);
		decode_s[i] = run_step(&decode_transformer, argv[2], file, &count);
		count.bytes = 0;
		nested_s[i] = run_step(&decode_transformer, nested, file, &count);
		nested_ratio[i] = plain_s[i] / nested_s[i];
		count.bytes = 0;
		encode_s[i] = run_step(&encode_transformer, argv[2], lines, &count);
		if (count.bytes != size)
			bench_die("encoding gives another size", NULL);
		decode_ratio[i] = plain_s[i] / decode_s[i];
		encode_ratio[i] = plain_s[i] / encode_s[i];
	}
	printf("{\"bytes\":%llu,\"json\":%zu,\"plain_json\":%zu,\"plain\":%.1f,\"decode\":%.1f,\"decode_ratio\":%.3f,"
	       "\"nested\":%.1f,\"nested_ratio\":%.3f,\"encode\":%.1f,\"encode_ratio\":%.3f,\"memory_kb\":%ld}\n",
	       (unsigned long long)size, json.len, written, (double)size / 1e6 / bench_median(plain_s, rounds),
	       (double)size / 1e6 / bench_median(decode_s, rounds), bench_median(decode_ratio, rounds),
	       (double)size / 1e6 / bench_median(nested_s, rounds), bench_median(nested_ratio, rounds),
	       (double)size / 1e6 / bench_median(encode_s, rounds), bench_median(encode_ratio, rounds), after - before);
	reader_unref(file);
	reader_unref(lines);
	free(room);
	buf_free(&text);
	buf_free(&json);
	buf_free(&head);
	return 0;
}
