/* The sample site, config/sample/order-to-cash: it is checked without an error, and its own input goes through its own
 * flows to what its README promises. Only the steps run here, no queue and no network. */
#include "config.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/id.h"
#include "base/tree.h"
#include "config/site.h"
#include "services/registry.h"
#include "tests/support/support.h"
#include "transformers/chain.h"

#define OUTPUTS_MAX 500

static struct bundle *bundle;
static struct site *site;
static struct chain *chains[16]; /* of the flow at the same place */
static struct findings findings;
static char *directory;

static int read_site(void **state)
{
	char path[4096];
	struct error error;

	config_shipped(path, sizeof path, "sample/order-to-cash");
	directory = strdup(path);
	findings_init(&findings);
	bundle = bundle_read_new(directory, "", &error);
	if (!bundle)
		fail_msg("%s", error.text);
	site = site_load_new(bundle, registry_get(), directory, &findings);
	assert_non_null(site);
	return 0;
}

static int free_site(void **state)
{
	for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
		chain_free(chains[i]);
	site_free(site);
	bundle_free(bundle);
	findings_free(&findings);
	free(directory);
	return 0;
}

/* ---- running the steps of a flow ---------------------------------------------------------------------------- */
struct outputs {
	struct text {
		char *bytes;
		char *key;
	} list[OUTPUTS_MAX];
	size_t count, dead, dropped;
	char why[700];
};

static int on_publish(void *arg, const struct chain_output *output, struct error *error)
{
	struct outputs *outputs = arg;
	struct buf all;

	assert_true(outputs->count < OUTPUTS_MAX);
	buf_init(&all, 1 << 20);
	assert_int_equal(reader_all(output->body, &all, error), 0);
	buf_text(&all, "");
	outputs->list[outputs->count].key = mem_span_dup(output->item->keys_count > 0 ? output->item->keys[0].value
										      : SPAN_NONE);
	outputs->list[outputs->count++].bytes = buf_take(&all);
	return 0;
}

static int on_dead(void *arg, const struct item *item, const char *step, const struct error *why, struct span content,
		   struct error *error)
{
	struct outputs *outputs = arg;

	outputs->dead++;
	snprintf(outputs->why, sizeof outputs->why, "%s: %s: %s", step, why->code, why->text);
	return 0;
}

static int on_drop(void *arg, const struct item *item, const char *step, const char *why, struct error *error)
{
	((struct outputs *)arg)->dropped++;
	return 0;
}

/* Compiling takes far longer than running: each flow's steps are opened once. */
static struct chain *chain_of(const struct flow *flow)
{
	struct error error;
	size_t at = (size_t)(flow - site->flows);

	if (!chains[at])
		chains[at] = chain_of_flow_new(site, flow, 0, &error);
	if (!chains[at])
		fail_msg("%s: %s", flow->name, error.text);
	return chains[at];
}

static void run(const char *flow_name, const char *bytes, size_t len, const char *type, struct outputs *into)
{
	const struct flow *flow = site_flow(site, span_of(flow_name));
	struct chain_events events = {.arg = into, .publish = on_publish, .dead = on_dead, .drop = on_drop};
	struct message *message = message_new();
	struct error error;

	assert_non_null(flow);
	message->id = id_digest(span_make(bytes, len));
	message_set(message, &message->datacontenttype, span_of(type));
	message_body_take(message, reader_new_copy(span_make(bytes, len)));
	if (chain_run(chain_of(flow), message, &events, &error))
		fail_msg("%s: %s", flow_name, error.text);
	message_free(message);
}

/* Every file of the folder through the flow. */
static void run_files(const char *flow, const char *folder, const char *type, struct outputs *into)
{
	char *path = support_path(directory, folder);
	DIR *files = opendir(path);
	struct dirent *entry;

	assert_non_null(files);
	while ((entry = readdir(files)) != NULL) {
		char *file, *text;
		size_t len;

		if (!strchr(entry->d_name + 1, '.') || entry->d_name[0] == '.')
			continue;
		file = support_path(path, entry->d_name);
		text = support_read(file, &len);
		run(flow, text, len, type, into);
		free(text);
		free(file);
	}
	closedir(files);
	free(path);
}

static void free_outputs(struct outputs *outputs)
{
	for (size_t i = 0; i < outputs->count; i++) {
		free(outputs->list[i].bytes);
		free(outputs->list[i].key);
	}
	free(outputs);
}

static const char *output_of(const struct outputs *outputs, const char *key)
{
	for (size_t i = 0; i < outputs->count; i++) {
		if (strcmp(outputs->list[i].key, key) == 0)
			return outputs->list[i].bytes;
	}
	fail_msg("there is no output of %s", key);
	return NULL;
}

static struct outputs *orders_new(void)
{
	struct outputs *orders = mem_alloc(sizeof *orders);

	run_files("acme-orders", "input/acme", "", orders);
	run_files("crm-orders", "input/crm", "application/json", orders);
	return orders;
}

/* ---- tests -------------------------------------------------------------------------------------------------- */
static void the_sample_is_checked_without_an_error(void **state)
{
	struct findings said;

	findings_init(&said);
	site_inspect(bundle, registry_get(), directory, &said);
	assert_int_equal(said.errors, 0);
	for (size_t i = 0; i < said.count; i++)
		assert_string_equal(said.list[i].code, "secret.missing"); /* they have no place in the tree */
	findings_free(&said);
}

static void it_is_the_same_for_every_environment_it_has(void **state)
{
	static const char *const names[] = {"dev", "prod"};
	struct findings said;
	struct bundle *other;
	struct error error;

	for (size_t i = 0; i < 2; i++) {
		findings_init(&said);
		other = bundle_read_new(directory, names[i], &error);
		assert_non_null(other);
		assert_int_equal(site_inspect(other, registry_get(), directory, &said), 0);
		bundle_free(other);
		findings_free(&said);
	}
}

static void its_input_gives_the_orders_that_its_readme_promises(void **state)
{
	struct outputs *orders = orders_new();

	assert_int_equal(orders->count, 56);
	assert_int_equal(orders->dead, 1);
	assert_int_equal(orders->dropped, 0);
	assert_non_null(strstr(orders->why, "decode")); /* the order that lost a segment */
	output_of(orders, "PO-4711");
	output_of(orders, "PO-4758"); /* its neighbours */
	output_of(orders, "PO-4760");
	output_of(orders, "LF-88120");
	output_of(orders, "OPP-20447"); /* sold without a purchase order */
	free_outputs(orders);
}

static void an_order_has_what_its_850_says(void **state)
{
	struct outputs *orders = orders_new();
	struct error error;
	json_t *order = tree_parse_new(span_of(output_of(orders, "PO-4711")), &error);
	json_t *line = json_array_get(json_object_get(order, "orderItem"), 0);
	json_t *total = json_object_get(order, "total");

	assert_string_equal(json_string_value(json_object_get(total, "amount")), "3142.00");
	assert_string_equal(json_string_value(json_object_get(order, "requestedDeliveryDate")), "2026-03-16");
	assert_int_equal(json_array_size(json_object_get(order, "orderItem")), 3);
	assert_string_equal(json_string_value(json_object_get(json_object_get(line, "service"), "level")), "gold");
	json_decref(order);
	free_outputs(orders);
}

static void each_order_becomes_one_file_for_erp_and_finance_and_an_entitlement_a_service(void **state)
{
	struct outputs *orders = orders_new();
	struct outputs *erp = mem_alloc(sizeof *erp), *finance = mem_alloc(sizeof *finance),
		       *support = mem_alloc(sizeof *support);

	for (size_t i = 0; i < orders->count; i++) {
		const char *order = orders->list[i].bytes;

		run("orders-to-erp", order, strlen(order), "application/json", erp);
		run("orders-to-finance", order, strlen(order), "application/json", finance);
		run("orders-to-support", order, strlen(order), "application/json", support);
	}
	assert_int_equal(erp->dead + finance->dead + support->dead, 0);
	assert_int_equal(erp->count, 56);
	assert_int_equal(finance->count, 56);
	assert_int_equal(support->count, 38);
	assert_int_equal(support->dropped, 56 - 26);
	for (size_t i = 0; i < erp->count; i++)
		assert_non_null(strstr(erp->list[i].bytes, "<SalesOrder>"));
	for (size_t i = 0; i < finance->count; i++)
		assert_memory_equal(finance->list[i].bytes, "order,source,date,customer,", 27);
	assert_non_null(strstr(output_of(support, "PO-4711/1"), "\"endDate\":\"2027-03-15\""));
	free_outputs(orders);
	free_outputs(erp);
	free_outputs(finance);
	free_outputs(support);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sample_is_checked_without_an_error),
		cmocka_unit_test(it_is_the_same_for_every_environment_it_has),
		cmocka_unit_test(its_input_gives_the_orders_that_its_readme_promises),
		cmocka_unit_test(an_order_has_what_its_850_says),
		cmocka_unit_test(each_order_becomes_one_file_for_erp_and_finance_and_an_entitlement_a_service),
	};

	return cmocka_run_group_tests(tests, read_site, free_site);
}
