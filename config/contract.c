/* Contracts: canonical/<entity>/v<n>.schema.json, the site's own before those that ship. See site.h. */
#include "config.h"
#include "config/load.h"

#include <stdio.h>

static struct place place_at(const char *file, int line, int column)
{
	return (struct place){file, line, column};
}

/* "canonical/order/v1.schema.json" → "order/v1"; NULL when it is named otherwise. */
static const char *contract_name(struct arena *arena, const char *path)
{
	char entity[65], version[11];
	int end = 0;

	if (sscanf(path, "canonical/%64[a-z0-9-]/v%10[0-9].schema.json%n", entity, version, &end) != 2 || end == 0 ||
	    path[end])
		return NULL;
	return arena_printf(arena, "%s/v%s", entity, version);
}

static void read_keys(struct load *load, struct contract *contract)
{
	json_t *keys = json_object_get(contract->schema, "x-ferrule-keys"), *key;
	size_t i;

	if (!keys)
		return;
	if (!json_is_array(keys) || json_array_size(keys) > MESSAGE_KEYS_MAX) {
		load_error(load, contract->place, "contract.keys",
			   "x-ferrule-keys must be a list of at most %d jq paths, such as [\".number\"]",
			   MESSAGE_KEYS_MAX);
		return;
	}
	contract->keys = arena_alloc(load->arena, (json_array_size(keys) + 1) * sizeof *contract->keys);
	json_array_foreach(keys, i, key)
	{
		if (json_is_string(key))
			contract->keys[contract->keys_count++] = json_string_value(key);
		else
			load_error(load, contract->place, "contract.keys",
				   "x-ferrule-keys must be a list of jq paths as texts");
	}
}

static void load_contract(struct load *load, const struct bundle_file *file)
{
	const char *name = contract_name(load->arena, file->path);
	struct site *site = load->site;
	struct contract contract = {.place = place_at(file->path, 1, 1)};
	json_error_t why;

	if (!name) {
		load_error(load, contract.place, "contract.name",
			   "a contract's file is named canonical/<entity>/v<n>.schema.json, such as "
			   "canonical/order/v1.schema.json");
		return;
	}
	contract.name = name;
	contract.schema = json_loadb(file->text.data, file->text.len, JSON_REJECT_DUPLICATES, &why);
	if (!contract.schema) {
		load_error(load, place_at(file->path, why.line > 0 ? why.line : 1, why.column > 0 ? why.column : 1),
			   "contract.json", "not JSON: %s", why.text);
		return;
	}
	if (!json_is_object(contract.schema)) {
		load_error(load, contract.place, "contract.json", "a contract is a JSON object");
		json_decref(contract.schema);
		return;
	}
	read_keys(load, &contract);
	site->contracts = mem_grow(site->contracts, &load->contracts_capacity, site->contracts_count + 1,
				   sizeof *site->contracts);
	site->contracts[site->contracts_count++] = contract;
}

void load_contracts(struct load *load)
{
	for (size_t i = 0; i < load->bundle->count; i++) {
		const struct bundle_file *file = &load->bundle->files[i];

		if (strncmp(file->path, "canonical/", 10) == 0)
			load_contract(load, file);
	}
}
