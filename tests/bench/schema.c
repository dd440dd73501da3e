/* Holding a document against its contract, beside a walk over the document that only looks at every value. usage:
 * schema CANONICAL CONTRACT DOCUMENT ROUNDS SECONDS; prints a JSON line. CANONICAL is the folder of contracts. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/bench.h"
#include "transformers/schema/schema.h"

struct canonical {
	const char *folder;
	json_t *loaded;
};

static const json_t *contract(void *arg, const char *name)
{
	struct canonical *canonical = arg;
	json_t *known = json_object_get(canonical->loaded, name);
	char path[1000];

	if (known)
		return known;
	snprintf(path, sizeof path, "%s/%s.schema.json", canonical->folder, name);
	known = json_load_file(path, 0, NULL);
	if (known)
		json_object_set_new(canonical->loaded, name, known);
	return known;
}

static size_t walk(json_t *value)
{
	size_t n = 1, i;
	const char *key;
	json_t *below;

	json_array_foreach(value, i, below)
		n += walk(below);
	json_object_foreach(value, key, below)
		n += walk(below);
	return n;
}

/* How many a second. */
static double walks(json_t *document, double seconds, size_t *values)
{
	double began = bench_now(), now;
	size_t n = 0;

	do {
		for (int i = 0; i < 100; i++, n++)
			*values = walk(document);
		now = bench_now();
	} while (now - began < seconds);
	return (double)n / (now - began);
}

static double checks(const struct schema *schema, const json_t *document, double seconds)
{
	double began = bench_now(), now;
	struct error error;
	size_t n = 0;

	do {
		for (int i = 0; i < 100; i++, n++)
			if (schema_check(schema, document, &error))
				bench_die("the document", &error);
		now = bench_now();
	} while (now - began < seconds);
	return (double)n / (now - began);
}

int main(int argc, char **argv)
{
	struct canonical canonical = {argc > 1 ? argv[1] : "", json_object()};
	struct schema_options how = {.formats = true, .document = contract, .arg = &canonical};
	double rates[BENCH_ROUNDS_MAX], walked[BENCH_ROUNDS_MAX], ratios[BENCH_ROUNDS_MAX], began, compiled;
	struct error error = {0};
	struct schema *schema;
	json_t *document;
	size_t values = 0, rounds;

	if (argc != 6)
		return 2;
	bench_limit(60);
	how.name = argv[2];
	document = json_load_file(argv[3], 0, NULL);
	rounds = strtoul(argv[4], NULL, 10) % (BENCH_ROUNDS_MAX + 1);
	began = bench_now();
	schema = contract(&canonical, argv[2]) ? schema_new(contract(&canonical, argv[2]), &how, &error) : NULL;
	compiled = bench_now() - began;
	if (!schema || !document)
		bench_die("the contract or the document", &error);
	for (size_t i = 0; i < rounds; i++) {
		rates[i] = checks(schema, document, atof(argv[5]));
		walked[i] = walks(document, atof(argv[5]) / 2, &values);
		ratios[i] = walked[i] / rates[i];
	}
	printf("{\"bench\": \"schema\", \"values\": %zu, \"compile_us\": %.0f, \"checked_per_s\": %.0f, "
	       "\"walked_per_s\": %.0f, \"walks_a_check\": %.1f}\n",
	       values, compiled * 1e6, bench_median(rates, rounds), bench_median(walked, rounds),
	       bench_median(ratios, rounds));
	schema_free(schema);
	json_decref(document);
	json_decref(canonical.loaded);
	return 0;
}
