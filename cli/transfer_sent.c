/* ferrule transfer sent: the copies that are kept of what was delivered. */
#include "config.h"
#include "cli/transfer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "services/sent.h"

#define LIMIT 1000
#define USUAL_MS (7ll * 86400000)

static const struct endpoint *sink_named(const struct arguments *arguments, struct session *session, int *code)
{
	const struct site *site = session_site(session);
	const char **names = mem_alloc((site->flows_count + 1) * sizeof *names);
	const struct endpoint *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < site->flows_count; i++) {
		if (!site->flows[i].sink || !site->flows[i].sink->archive)
			continue;
		names[n++] = site->flows[i].name;
		if (!strcmp(site->flows[i].name, arguments->words[1]))
			found = site->flows[i].sink;
	}
	*code = found ? EXIT_DONE
		      : verb_unknown(arguments, "transfer with an archive of what it sent", arguments->words[1], names,
				     n, "say `to: {…, archive: sent/NAME}` where it delivers");
	free(names);
	return found;
}

/* The store's entries as --json has them. */
static json_t *copies_of(const json_t *entries, const char *endpoint)
{
	size_t i, n = strlen(endpoint);
	json_t *all = json_array(), *copy;
	const json_t *entry;

	json_array_foreach(entries, i, entry) {
		const char *key = json_text(entry, "key");

		if (strncmp(key, endpoint, n) || key[n] != '/')
			break;
		copy = json_copy(json_object_get(entry, "value"));
		json_object_del(copy, "time");
		json_object_set_new(copy, "at_ms", json_integer(strtoll(key + n + 1, NULL, 10)));
		json_array_append_new(all, copy);
	}
	return all;
}

static void print(const json_t *all)
{
	static const char *const titles[] = {"sent", ">bytes", "sha256", "copy", NULL};
	struct table *table = table_new(titles);
	const json_t *copy;
	size_t i;

	json_array_foreach(all, i, copy) {
		table_add(table, show_time(SHOWN_HERE, json_number(copy, "at_ms")));
		table_number(table, json_number(copy, "size"));
		table_add(table, json_text(copy, "sha256"));
		table_add(table, json_text(copy, "path"));
	}
	table_print_take(table, "");
}

int transfer_sent(const struct arguments *arguments, struct session *session)
{
	const struct endpoint *sink;
	json_t *answer, *all, *report;
	char *after;
	int64_t from;
	int code;

	if (site_time(arguments, "from", clock_now_ms() - USUAL_MS, &from))
		return EXIT_USAGE;
	sink = sink_named(arguments, session, &code);
	if (!sink)
		return code;
	after = mem_printf("%s/%013lld", sink->name, (long long)(from < 0 ? 0 : from));
	answer = site_ask(arguments, session, "table.list",
			  json_pack("{s:s s:s s:i}", "table", SENT_TABLE, "after", after, "limit", LIMIT), &code);
	free(after);
	if (!answer)
		return code;
	all = copies_of(json_object_get(answer, "entries"), sink->name);
	if (arguments->json) {
		report = json_pack("{s:O s:b}", "copies", all, "more", json_array_size(all) == LIMIT);
		verb_print_json(report);
		json_decref(report);
	} else if (!json_array_size(all)) {
		printf("No copy since %s is kept of what %s delivered; --from TIME looks further back.\n",
		       show_time(SHOWN_HERE, from), sink->name);
	} else {
		print(all);
		if (json_array_size(all) == LIMIT)
			printf("There are more: --from with the time of the last.\n");
	}
	json_decref(all);
	json_decref(answer);
	return EXIT_DONE;
}
