/* See edi_hand.h. */
#include "config.h"
#include "tests/support/edi_hand.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/yaml.h"
#include "transformers/chain.h"

static const struct edi_hand_file *own;
static size_t own_count;

const char *edi_hand_source(void)
{
	return getenv("FERRULE_SRCDIR") ? getenv("FERRULE_SRCDIR") : SRCDIR;
}

static struct {
	char name[64];
	char *text;
	struct span span;
} shipped[80];
static size_t shipped_count;

static const struct span *file_of(void *site, const char *folder, const char *name)
{
	static struct span found;
	char *path;
	size_t n;

	(void)site;
	(void)folder;
	for (size_t i = 0; i < own_count; i++)
		if (!strcmp(own[i].name, name)) {
			found = span_of(own[i].text);
			return &found;
		}
	for (size_t i = 0; i < shipped_count; i++)
		if (!strcmp(shipped[i].name, name))
			return &shipped[i].span;
	path = mem_printf("%s/config/edi/%s", edi_hand_source(), name);
	shipped[shipped_count].text = support_read(path, &n);
	free(path);
	if (!shipped[shipped_count].text)
		return NULL;
	snprintf(shipped[shipped_count].name, sizeof shipped[0].name, "%s", name);
	shipped[shipped_count].span = span_make(shipped[shipped_count].text, n);
	return &shipped[shipped_count++].span;
}

void edi_hand_files(const struct edi_hand_file *files, size_t count)
{
	own = files;
	own_count = count;
}

const struct span *edi_hand_file(const char *name)
{
	return file_of(NULL, "edi", name);
}

int edi_hand_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < shipped_count; i++)
		free(shipped[i].text);
	shipped_count = 0;
	return 0;
}

static int write_out(void *arg, struct span bytes, struct error *error)
{
	(void)error;
	return buf_span(arg, bytes);
}

char edi_hand_told[700];

static void tell(void *arg, const char *step, struct span position, const struct error *why, const char *dropped,
		 const json_t *list)
{
	(void)arg;
	(void)step;
	(void)position;
	(void)dropped;
	(void)list;
	if (why && !*edi_hand_told)
		snprintf(edi_hand_told, sizeof edi_hand_told, "%s: %s", why->code, why->text);
}

uint64_t edi_hand_run(const struct transformer_ops *ops, const char *settings, struct span in, struct buf *out)
{
	struct arena *arena = arena_new();
	struct yaml_documents documents = {0};
	struct findings findings;
	struct option_context context = {.arena = arena, .findings = &findings};
	struct transformer_context surroundings = {.file = file_of};
	struct chain_step step = {.ops = ops, .settings = arena_alloc(arena, ops->settings_size), .label = "step"};
	struct chain_hand hand = {.write = write_out, .tell = tell, .arg = out};
	struct chain_report report;
	struct reader *body = reader_new_copy(in);
	struct error error = {0};
	struct chain *chain;

	*edi_hand_told = '\0';
	findings_init(&findings);
	if (yaml_read(arena, &findings, "settings", span_of(settings), NULL, &documents) ||
	    option_fill(&context, documents.items[0], ops->options, NULL, (void *)(uintptr_t)step.settings) ||
	    ops->check(step.settings, &surroundings, (struct place){"settings", 1, 1}, &findings))
		fail_msg("%s: %s", settings, findings.list[0].text);
	chain = chain_new("test", &step, 1, &surroundings, NULL, &error);
	if (!chain)
		fail_msg("%s", error.text);
	if (chain_run_by_hand(chain, body, SPAN_NONE, SPAN_NONE, &hand, &report, &error))
		fail_msg("%s", error.text);
	chain_free(chain);
	reader_unref(body);
	findings_free(&findings);
	arena_free(arena);
	return report.dead + report.dropped;
}
