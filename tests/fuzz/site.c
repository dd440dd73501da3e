/* Fuzz target: a file of a site. It stands for site.yaml when it begins with `name:`, for a snippet with `snippet:`,
 * for a table with `sku`, else for one of flows/. What loads must have a topology, what does not must say why. */
#include "config.h"
#include "config/site.h"

#include <assert.h>

#include "services/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char site_yaml[] = "name: fuzz\nlisten: {http: 0}\n";
static const char flow_yaml[] = "flow: a\nowner: o\nfrom: {file: 'in/*'}\npublish: order.received.v1\n";
static const char uses_yaml[] =
	"flow: a\nowner: o\nfrom: {file: 'in/*'}\nsteps:\n  - decode: json\n  - use: {snippet: s, with: "
	"{limit: 1}}\npublish: order.received.v1\n";
static const char snippet_yaml[] = "snippet: s\nparameters: {limit: 2}\nsteps: [{map: {jq: '.n > ${limit}'}}]\n";
static const char table_csv[] = "sku,price\nA,1\n";
static const char system_yaml[] =
	"system: support\nowner: o\nurl: http://127.0.0.1\noperations: {create: {path: /x}}\n";
static const char mapping[] = ".";
static const char contract[] = "{\"type\": \"object\"}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_make(data, size);
	bool is_site = span_starts(input, "name:"), is_snippet = span_starts(input, "snippet:"),
	     is_table = span_starts(input, "sku"), is_flow = !is_site && !is_snippet && !is_table;
	struct bundle_file files[] = {
		{"canonical/order/v1.schema.json", span_of(contract), false},
		{"flows/f.yaml", is_flow ? input : span_of(is_snippet ? uses_yaml : flow_yaml), false},
		{"mappings/order.jq", span_of(mapping), false},
		{"site.yaml", is_site ? input : span_of(site_yaml), false},
		{"snippets/s.yaml", is_snippet ? input : span_of(snippet_yaml), false},
		{"systems/support.yaml", span_of(system_yaml), false},
		{"tables/t.csv", is_table ? input : span_of(table_csv), false},
	};
	struct bundle bundle = {NULL, files, sizeof files / sizeof *files, "", {{0}}, json_object()};
	struct topology *topology = NULL;
	struct findings findings;
	struct site *site;

	findings_init(&findings);
	site = site_load_new(&bundle, registry_get(), "/nonexistent", &findings);
	assert(!site == (findings.errors > 0));
	if (site)
		site_table(site, "t.csv", NULL);
	if (site)
		topology = site_topology_new(site);
	assert(!site || topology->count > site->flows_count);
	topology_free(topology);
	site_free(site);
	findings_free(&findings);
	json_decref(bundle.variables);
	return 0;
}
