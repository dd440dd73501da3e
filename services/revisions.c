/* Configurations by revision. See revisions.h. */
#include "config.h"
#include "services/revisions.h"

#include <stdlib.h>

#include "base/mem.h"
#include "services/registry.h"

#define ASK_WAIT_MS 10000
#define BUNDLE_MAX (32u << 20)

struct older {
	struct older *next;
	struct bundle *bundle;
	struct site *site;
};

struct revisions {
	const struct site *current;
	struct queue *queue;
	struct vault *vault;
	struct older *older;
};

struct revisions *revisions_new(const struct site *current, struct queue *queue, struct vault *vault)
{
	struct revisions *revisions = mem_alloc(sizeof *revisions);

	*revisions = (struct revisions){.current = current, .queue = queue, .vault = vault};
	return revisions;
}

void revisions_free(struct revisions *revisions)
{
	if (!revisions)
		return;
	for (struct older *older = revisions->older, *next; older; older = next) {
		next = older->next;
		site_free(older->site);
		bundle_free(older->bundle);
		free(older);
	}
	free(revisions);
}

/* The bundle that the vault keeps for this revision. */
static struct bundle *bundle_of(struct revisions *revisions, struct span revision, struct error *error)
{
	json_t *request = json_pack("{s:s%}", "revision", revision.data, revision.len), *answer = NULL;
	struct reader *reader = NULL;
	struct bundle *bundle = NULL;
	struct buf text;

	buf_init(&text, BUNDLE_MAX);
	if (queue_ask(revisions->queue, "revision", request, &answer, ASK_WAIT_MS, error))
		goto done;
	reader = vault_get_new(revisions->vault, span_of(json_string_value(json_object_get(answer, "ref"))), error);
	if (!reader || reader_all(reader, &text, error))
		goto done;
	bundle = bundle_decode_new(buf_view(&text), error);
done:
	reader_unref(reader);
	buf_free(&text);
	json_decref(answer);
	json_decref(request);
	return bundle;
}

static const struct site *load(struct revisions *revisions, struct span revision, struct error *error)
{
	struct older *older = mem_alloc(sizeof *older);
	struct findings findings;

	findings_init(&findings);
	older->bundle = bundle_of(revisions, revision, error);
	if (older->bundle)
		older->site = site_load_new(older->bundle, registry_get(), revisions->current->directory, &findings);
	if (!older->site) {
		if (older->bundle)
			error_set(error, ERROR_REJECT, "revision.unreadable",
				  "revision %.12s was accepted by another version of ferrule and does not load in this "
				  "one: %s",
				  revision.data, findings.count ? findings.list[0].text : "no reason was given");
		bundle_free(older->bundle);
		free(older);
		findings_free(&findings);
		return NULL;
	}
	findings_free(&findings);
	older->next = revisions->older;
	revisions->older = older;
	return older->site;
}

const struct site *revisions_get(struct revisions *revisions, struct span revision, struct error *error)
{
	if (!revision.len || span_is(revision, revisions->current->revision))
		return revisions->current;
	for (struct older *older = revisions->older; older; older = older->next)
		if (span_is(revision, older->site->revision))
			return older->site;
	return load(revisions, revision, error);
}
