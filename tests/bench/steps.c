/* The yardstick of the main job: the same flows of the same site over the same files, in one process and nothing else:
 * no queue, no store, no sync, nothing delivered. What a flow publishes goes straight into the flows that subscribe to
 * it.
 *
 *     steps SITE FLOW FILE… */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "config/site.h"
#include "services/registry.h"
#include "tests/bench/bench.h"
#include "transformers/chain.h"

#define LIMIT_S 60

struct ready { /* a flow, ready to run */
	const struct flow *flow;
	struct chain *chain;
};

struct steps {
	struct site *site;
	struct ready *flows;
	size_t published, ends, dead;
};

struct run {
	struct steps *steps;
	const struct ready *ready;
};

static struct chain *chain_of(struct site *site, const struct flow *flow)
{
	struct error error;
	struct chain *chain = chain_of_flow_new(site, flow, 0, &error);

	if (!chain)
		bench_die(flow->name, &error);
	return chain;
}

static void run_flow(struct steps *, const struct ready *, const struct message *);

static int on_publish(void *arg, const struct chain_output *output, struct error *error)
{
	struct run *run = arg;
	const struct flow *flow = run->ready->flow;
	const char *topic = output->topic ? output->topic : flow->publish;
	struct message *message;

	if (!topic) {
		run->steps->ends++;
		return 0;
	}
	run->steps->published++;
	message = message_new();
	message->id = output->id;
	message_set(message, &message->type, span_of(topic));
	message_set(message, &message->datacontenttype, output->media_type);
	message_set(message, &message->dataschema, output->item->contract);
	message_body_take(message, reader_ref(output->body));
	message->body_digest = output->body_digest;
	for (size_t i = 0; i < run->steps->site->flows_count; i++)
		for (size_t t = 0; t < run->steps->flows[i].flow->subscribes_count; t++)
			if (!strcmp(run->steps->flows[i].flow->subscribes[t], topic))
				run_flow(run->steps, &run->steps->flows[i], message);
	message_free(message);
	return 0;
}

static int on_dead(void *arg, const struct item *item, const char *step, const struct error *why, struct span content,
		   struct error *error)
{
	struct run *run = arg;

	fprintf(stderr, "dead: %s %s: %s\n", step, why->code, why->text);
	run->steps->dead++;
	return 0;
}

static int on_drop(void *arg, const struct item *item, const char *step, const char *why, struct error *error)
{
	return 0;
}

static void run_flow(struct steps *steps, const struct ready *ready, const struct message *message)
{
	struct run run = {steps, ready};
	struct chain_events events = {.arg = &run, .publish = on_publish, .dead = on_dead, .drop = on_drop};
	struct error error;

	if (chain_run(ready->chain, message, &events, &error))
		bench_die(ready->flow->name, &error);
}

static void run_file(struct steps *steps, const struct ready *ready, const char *path)
{
	struct message *message = message_new();
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct reader *body;
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat))
		bench_die(path, NULL);
	body = reader_new_fd(fd, 0, (uint64_t)stat.st_size);
	message->id = id_digest(span_of(path));
	message_set(message, &message->datacontenttype, SPAN_LITERAL("application/octet-stream"));
	message_body_take(message, body);
	message_body_sign(message, NULL);
	run_flow(steps, ready, message);
	message_free(message);
}

int main(int argc, char **argv)
{
	struct findings findings;
	struct steps steps = {0};
	struct bundle *bundle;
	struct ready *first = NULL;
	struct error error;
	double start;

	if (argc < 4)
		bench_die("usage: steps SITE FLOW FILE...", NULL);
	bench_limit(LIMIT_S);
	bundle = bundle_read_new(argv[1], "", &error);
	if (!bundle)
		bench_die(argv[1], &error);
	findings_init(&findings);
	steps.site = site_load_new(bundle, registry_get(), argv[1], &findings);
	if (!steps.site)
		bench_die("the site does not load: ferrule check", NULL);
	steps.flows = mem_alloc(steps.site->flows_count * sizeof *steps.flows);
	for (size_t i = 0; i < steps.site->flows_count; i++) {
		steps.flows[i] = (struct ready){&steps.site->flows[i], chain_of(steps.site, &steps.site->flows[i])};
		if (!strcmp(steps.site->flows[i].name, argv[2]))
			first = &steps.flows[i];
	}
	if (!first)
		bench_die("no such flow", NULL);
	run_file(&steps, first, argv[3]); /* compiles the expressions */
	steps.published = steps.ends = steps.dead = 0;
	start = bench_now();
	for (int i = 3; i < argc; i++)
		run_file(&steps, first, argv[i]);
	printf("{\"orders\":%zu,\"deliveries\":%zu,\"dead\":%zu,\"seconds\":%.4f}\n", steps.published, steps.ends,
	       steps.dead, bench_now() - start);
	for (size_t i = 0; i < steps.site->flows_count; i++)
		chain_free(steps.flows[i].chain);
	free(steps.flows);
	site_free(steps.site);
	findings_free(&findings);
	bundle_free(bundle);
	return 0;
}
