/* What ends some day, as status has it. See ask.h and expiring.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "operations/ask_private.h"
#include "operations/expiring.h"

#define SOON_MS INT64_C(86400000) /* from then on it is a problem, and no longer a note */

struct expiring_call {
	json_t *all, *problems;
	int64_t now;
};

static void put_problem(const struct expiring_call *call, const json_t *one, const char *kind, const char *id)
{
	const char *name = json_string_value(json_object_get(one, "name")),
		   *used = json_string_value(json_object_get(one, "used"));
	int64_t expires = json_integer_value(json_object_get(one, "expires_ms"));
	json_t *problem;

	if (expires - call->now > SOON_MS || (expires <= call->now && !(used && *used)))
		return;
	problem = json_pack("{s:o s:o s:I s:[] s:s s:s s:s}", "problem",
			    json_sprintf("expiring %s %s", kind, id), "what",
			    json_sprintf("the %s %s %s%s%s", strcmp(kind, "openpgp") ? kind : "OpenPGP key", name,
					 expires > call->now ? "expires within a day" : "has expired",
					 used && *used ? "; used by " : "", used ? used : ""),
			    "since", (json_int_t)(expires <= call->now ? expires : expires - SOON_MS), "keys", "next",
			    "ferrule key list", "kind", kind, "id", id);
	json_object_set(problem, "owner", json_object_get(one, "owner"));
	json_object_set(problem, "runbook", json_object_get(one, "runbook"));
	json_array_append_new(call->problems, problem);
}

static int put_one(void *arg, const struct value *row, size_t columns)
{
	struct expiring_call *call = arg;
	json_t *one = json_loadb(row[1].bytes.data, row[1].bytes.len, 0, NULL);
	const char *kind = json_string_value(json_object_get(one, "kind"));
	char *key = mem_span_dup(row[0].bytes), *id = strchr(key, ':');

	if (kind && id && json_string_value(json_object_get(one, "name"))) {
		json_object_set_new(one, "id", json_string(id + 1));
		json_array_append(call->all, one);
		put_problem(call, one, kind, id + 1);
	}
	json_decref(one);
	free(key);
	return 0;
}

int ask_expiring(struct ask_context *context, json_t *answer, struct error *error)
{
	struct value table = STORE_TEXT(ASK_EXPIRING);
	struct expiring_call call = {json_array(), json_object_get(answer, "problems"), context->now};

	json_object_set_new(answer, "expiring", call.all);
	return db_run(store_db(context->store),
		      "SELECT key, value FROM entries WHERE name = $1 ORDER BY key LIMIT 1000", &table, 1, put_one,
		      &call, error);
}
