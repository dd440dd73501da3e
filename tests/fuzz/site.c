/* Fuzz target: a file of a site. It stands for site.yaml when it begins with `name:`, else for one of flows/. What
 * loads must have a topology, what does not must say why. */
#include "config.h"
#include "config/site.h"

#include <assert.h>

#include "services/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char site_yaml[] = "name: fuzz\nlisten: {http: 0}\n";
static const char flow_yaml[] = "flow: a\nowner: o\nfrom: {file: 'in/*'}\npublish: order.received.v1\n";
static const char system_yaml[] =
	"system: support\nowner: o\nurl: http://127.0.0.1\noperations: {create: {path: /x}}\n";
static const char mapping[] = ".";
static const char contract[] = "{\"type\": \"object\"}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_make(data, size);
	bool is_site = span_starts(input, "name:");
	struct bundle_file files[] = {
		{"canonical/order/v1.schema.json", span_of(contract), false},
		{"flows/f.yaml", is_site ? span_of(flow_yaml) : input, false},
		{"mappings/order.jq", span_of(mapping), false},
		{"site.yaml", is_site ? input : span_of(site_yaml), false},
		{"systems/support.yaml", span_of(system_yaml), false},
	};
	struct bundle bundle = {NULL, files, sizeof files / sizeof *files, "", {{0}}, json_object()};
	struct topology *topology = NULL;
	struct findings findings;
	struct site *site;

	findings_init(&findings);
	site = site_load_new(&bundle, registry_get(), "/nonexistent", &findings);
	assert(!site == (findings.errors > 0));
	if (site)
		topology = site_topology_new(site);
	assert(!site || topology->count > site->flows_count);
	topology_free(topology);
	site_free(site);
	findings_free(&findings);
	json_decref(bundle.variables);
	return 0;
}
