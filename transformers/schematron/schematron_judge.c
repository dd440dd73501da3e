/* Judging a document by rules. In each pattern a node is judged by the first rule whose context it is. */
#include "config.h"
#include <stdlib.h>

#include "transformers/schematron/schematron_private.h"

struct schematron_run {
	const struct schematron *rules;
	const struct xpath_tree *tree;
	struct xpath_run *xpath;
	uint32_t *claimed; /* of each node: the last pattern in which it was a rule's, from 1 */
	schematron_fn *each;
	void *arg;
	struct error *error;
};

struct fired {
	uint32_t node;
	const struct schematron_rule *rule;
};

static int by_node(const void *a, const void *b)
{
	uint32_t x = ((const struct fired *)a)->node, y = ((const struct fired *)b)->node;

	return x < y ? -1 : x > y;
}

static bool is_work(const struct error *error)
{
	return !strcmp(error->code, "xpath.work");
}

static int stop(struct schematron_run *run, const struct error *why)
{
	return error_set(run->error, ERROR_REJECT, "schematron.work", "%s", why->text);
}

static int tell(struct schematron_run *run, const struct schematron_assertion *assertion, uint32_t node,
		const struct error *failed)
{
	struct schematron_finding finding = {
		.id = assertion->id,
		.flag = failed ? SPAN_NONE : assertion->flag,
		.role = failed ? SPAN_NONE : assertion->role,
		.failed = failed,
		.line = run->tree->nodes[node].line,
		.run = run,
		.assertion = assertion,
		.node = node,
	};

	if (failed && is_work(failed))
		return stop(run, failed);
	run->each(run->arg, &finding);
	return 0;
}

/* As the standard has it, a rule is not for a node that its context has no value for. It is told, since rules that are
 * left out may be what one waits for. */
static void tell_skipped(struct schematron_run *run, const struct schematron_assertion *first, const struct error *why)
{
	struct schematron_finding finding = {
		.id = first->id,
		.flag = SPAN_LITERAL("warning"),
		.failed = why,
		.run = run,
		.assertion = first,
		.skipped = true,
	};

	run->each(run->arg, &finding);
}

static int judge_node(struct schematron_run *run, const struct schematron_rule *rule, uint32_t node)
{
	struct error error;

	xpath_run_reset(run->xpath);
	for (size_t i = 0; i < rule->lets.count; i++) {
		const struct schematron_let *let = rule->lets.items[i];

		/* Without its variables none of the rule can be judged: told of the first. */
		if (xpath_run_slot(run->xpath, let->slot, let->value, node, &error))
			return rule->assertions.count ? tell(run, rule->assertions.items[0], node, &error) : 0;
	}
	for (size_t i = 0; i < rule->assertions.count; i++) {
		const struct schematron_assertion *assertion = rule->assertions.items[i];
		bool truth = false;
		int failed = xpath_run_test(run->xpath, assertion->test, node, &truth, &error);

		if ((failed || truth == assertion->report) && tell(run, assertion, node, failed ? &error : NULL))
			return -1;
	}
	return 0;
}

/* The nodes of a rule that no earlier one of the pattern has taken. */
static int fire(struct schematron_run *run, const struct schematron_rule *rule, uint32_t pattern, struct fired **fired,
		size_t *count, size_t *capacity)
{
	uint32_t *nodes;
	size_t n;
	struct error error, skipped;

	if (xpath_run_nodes(run->xpath, rule->context, &nodes, &n, &skipped, &error)) {
		free(nodes);
		if (is_work(&error))
			return stop(run, &error);
		return rule->assertions.count ? tell(run, rule->assertions.items[0], 0, &error) : 0;
	}
	if (skipped.class != ERROR_NONE && rule->assertions.count)
		tell_skipped(run, rule->assertions.items[0], &skipped);
	for (size_t i = 0; i < n; i++) {
		if (run->claimed[nodes[i]] == pattern)
			continue;
		run->claimed[nodes[i]] = pattern;
		*fired = mem_grow(*fired, capacity, *count + 1, sizeof **fired);
		(*fired)[(*count)++] = (struct fired){nodes[i], rule};
	}
	free(nodes);
	return 0;
}

static int judge_pattern(struct schematron_run *run, const struct schematron_pattern *pattern, uint32_t number)
{
	struct fired *fired = NULL;
	size_t count = 0, capacity = 0;
	int failed = 0;

	for (size_t i = 0; i < pattern->rules.count && !failed; i++) {
		xpath_run_reset(run->xpath);
		failed = fire(run, pattern->rules.items[i], number, &fired, &count, &capacity);
	}
	if (!failed && count)
		qsort(fired, count, sizeof *fired, by_node);
	for (size_t i = 0; i < count && !failed; i++)
		failed = judge_node(run, fired[i].rule, fired[i].node);
	free(fired);
	return failed;
}

int schematron_judge(const struct schematron *rules, struct xpath_tree *tree, int64_t now_ms, schematron_fn *each,
		     void *arg, struct error *error)
{
	struct schematron_run run = {.rules = rules, .tree = tree, .each = each, .arg = arg, .error = error};
	int failed = 0;

	xpath_join(rules->program, tree);
	run.xpath = xpath_run_new(rules->program, tree, now_ms);
	run.claimed = mem_alloc(tree->count * sizeof *run.claimed);
	for (size_t i = 0; i < rules->patterns.count && !failed; i++)
		failed = judge_pattern(&run, rules->patterns.items[i], (uint32_t)i + 1);
	xpath_run_free(run.xpath);
	xpath_tree_part(tree);
	free(run.claimed);
	return failed;
}

/* White space in a row is one blank. */
static void put_text(struct span text, struct buf *into, size_t start)
{
	for (size_t i = 0; i < text.len; i++)
		if (!strchr(" \t\r\n", text.data[i]))
			buf_char(into, text.data[i]);
		else if (into->len > start && into->data[into->len - 1] != ' ')
			buf_char(into, ' ');
}

void schematron_text(struct schematron_finding *finding, struct buf *into)
{
	const struct schematron_assertion *assertion = finding->assertion;
	size_t start = into->len;

	if (finding->failed) {
		buf_printf(into, "%s: %s",
			   finding->skipped ? "its rule has a context without a value, and is left out"
					    : "cannot be judged",
			   finding->failed->text);
		return;
	}
	for (size_t i = 0; i < assertion->parts.count; i++) {
		const struct schematron_part *part = assertion->parts.items[i];
		struct span text = part->text;
		struct error error;

		if (part->value && xpath_run_text(finding->run->xpath, part->value, finding->node, &text, &error))
			text = SPAN_LITERAL("(?)");
		put_text(text, into, start);
	}
	if (into->len > start && into->data[into->len - 1] == ' ')
		into->data[--into->len] = '\0';
}

void schematron_place(struct schematron_finding *finding, struct buf *into)
{
	struct buf place;

	buf_init(&place, 2000);
	xpath_tree_place(finding->run->tree, finding->node, &place);
	buf_span(into, buf_view(&place));
	buf_free(&place);
}

void schematron_free(struct schematron *rules)
{
	if (!rules)
		return;
	for (size_t i = 0; i < rules->lists.count; i++)
		free(((struct schematron_list *)rules->lists.items[i])->items);
	for (size_t i = 0; i < rules->trees.count; i++)
		xpath_tree_free(rules->trees.items[i]);
	free(rules->trees.items);
	free(rules->lists.items);
	free(rules->patterns.items);
	xpath_program_free(rules->program);
	arena_free(rules->arena);
	free(rules);
}
