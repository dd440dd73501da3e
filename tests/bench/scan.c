/* A format to JSON beside a yardstick over the same bytes: memchr, which looks for line ends and does nothing else; for
 * XML the reader of libxml2, which goes from node to node. Rates are of the bytes of the document, and processor time.
 *
 *     scan FILE ROUNDS FORMAT [KEY=VALUE …]        a layout is named by its path */
#include "config.h"

#include <fcntl.h>
#include <libxml/xmlreader.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/option.h"
#include "tests/bench/bench.h"
#include "transformers/chain.h"
#include "transformers/transformers.h"

#define LIMIT_S 120
#define KEYS_MAX 10

static double cpu_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int count(void *arg, struct span bytes, struct error *error)
{
	*(uint64_t *)arg += bytes.len;
	return 0;
}

static const struct span *file_of(void *site, const char *folder, const char *name)
{
	static struct span text;
	static struct buf bytes;
	FILE *file = text.data ? NULL : fopen(name, "re");
	char piece[4096];
	size_t n;

	buf_init(&bytes, 1 << 20);
	while (file && (n = fread(piece, 1, sizeof piece, file)) > 0)
		buf_append(&bytes, piece, n);
	if (file)
		fclose(file);
	if (bytes.len)
		text = buf_view(&bytes);
	return text.data ? &text : NULL;
}

/* {format: FORMAT, KEY: VALUE, …} */
static void fill_node(struct node *node, struct pair *pairs, struct node *values, char **words, size_t n)
{
	*node = (struct node){.type = NODE_MAP, .pairs = pairs, .count = n};
	for (size_t i = 0; i < n; i++) {
		char *equals = strchr(words[i], '=');
		struct span key = i && equals ? span_make(words[i], (size_t)(equals - words[i])) : span_of("format");

		values[i] = (struct node){.type = NODE_SCALAR, .text = span_of(i && equals ? equals + 1 : words[i])};
		pairs[i] = (struct pair){{.type = NODE_SCALAR, .text = key}, &values[i]};
	}
}

static double run_step(char **words, size_t n, struct reader *body, uint64_t *written)
{
	struct node node, values[KEYS_MAX];
	struct pair pairs[KEYS_MAX];
	struct arena *arena = arena_new();
	struct findings findings;
	struct option_context context = {.arena = arena, .findings = &findings};
	struct transformer_context surroundings = {.file = file_of};
	struct chain_step step = {.ops = &decode_transformer,
				  .settings = arena_alloc(arena, decode_transformer.settings_size),
				  .label = "decode"};
	struct chain_hand hand = {.write = count, .arg = written};
	struct chain_report report;
	struct error error;
	struct chain *chain;
	double start;

	fill_node(&node, pairs, values, words, n);
	findings_init(&findings);
	if (option_fill(&context, &node, decode_transformer.options, NULL, (void *)(uintptr_t)step.settings))
		bench_die(findings.list[0].text, NULL);
	chain = chain_new("bench", &step, 1, &surroundings, NULL, &error);
	if (!chain)
		bench_die(words[0], &error);
	start = cpu_now();
	if (chain_run_by_hand(chain, body, SPAN_NONE, SPAN_NONE, &hand, &report, &error))
		bench_die(words[0], &error);
	start = cpu_now() - start;
	if (report.dead)
		bench_die("the document is not sound", NULL);
	chain_free(chain);
	findings_free(&findings);
	arena_free(arena);
	return start;
}

static double read_once(struct span text, size_t *nodes)
{
	double start = cpu_now();
	xmlTextReader *reader = xmlReaderForMemory(text.data, (int)text.len, NULL, NULL, XML_PARSE_NONET);

	for (*nodes = 0; xmlTextReaderRead(reader) == 1;)
		++*nodes;
	xmlFreeTextReader(reader);
	return cpu_now() - start;
}

static double scan_once(struct span text, size_t *lines)
{
	double start = cpu_now();
	const char *p = text.data, *end = text.data + text.len;

	for (*lines = 0; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
		++*lines;
	return cpu_now() - start;
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

int main(int argc, char **argv)
{
	double scan_s[BENCH_ROUNDS_MAX], decode_s[BENCH_ROUNDS_MAX], ratio[BENCH_ROUNDS_MAX];
	size_t rounds = argc > 3 ? (size_t)atoi(argv[2]) : 0, lines = 0;
	uint64_t json = 0;
	struct stat status;
	struct reader *file;
	struct span text;
	long before, after;
	int fd;

	if (argc < 4 || argc - 3 > KEYS_MAX || !rounds || rounds > BENCH_ROUNDS_MAX)
		bench_die("usage: scan FILE ROUNDS FORMAT [KEY=VALUE …]", NULL);
	bench_limit(LIMIT_S);
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status))
		bench_die(argv[1], NULL);
	file = reader_new_fd(fd, 0, (uint64_t)status.st_size);
	before = peak_kb();
	run_step(argv + 3, (size_t)argc - 3, file, &json);
	after = peak_kb();
	if (reader_view(file, &text, NULL))
		bench_die(argv[1], NULL);
	(strcmp(argv[3], "xml") ? scan_once : read_once)(text, &lines);
	for (size_t i = 0; i < rounds; i++) {
		uint64_t again = 0;

		scan_s[i] = (strcmp(argv[3], "xml") ? scan_once : read_once)(text, &lines);
		decode_s[i] = run_step(argv + 3, (size_t)argc - 3, file, &again);
		ratio[i] = scan_s[i] / decode_s[i];
	}
	printf("{\"bytes\":%zu,\"lines\":%zu,\"json\":%llu,\"memchr\":%.1f,\"decode\":%.1f,\"ratio\":%.3f,\"memory_"
	       "kb\":%ld}"
	       "\n",
	       text.len, lines, (unsigned long long)json, (double)text.len / 1e6 / bench_median(scan_s, rounds),
	       (double)text.len / 1e6 / bench_median(decode_s, rounds), bench_median(ratio, rounds), after - before);
	reader_unref(file);
	return 0;
}
