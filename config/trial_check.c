/* The tests of a site as `check` looks at them: mistakes in them are findings like all others, and none of them keeps a
 * site from running. See trial.h. */
#include "config.h"
#include "config/trial_private.h"

#include <string.h>

void trials_check_open(struct trials_checked *checked, const char *directory)
{
	*checked = (struct trials_checked){0};
	trials_open(&checked->trials, directory, &checked->error);
}

/* `ferrule test` takes the environment `test` where there is one: names that another one gives say nothing then. */
static bool is_their_environment(const struct bundle *bundle)
{
	return !*bundle->environment || strcmp(bundle->environment, "test") == 0 ||
	       !bundle_find(bundle, "environments/test.yaml");
}

void trials_check(struct trials_checked *checked, const struct site *site, bool whole, struct findings *findings)
{
	bool named = whole && is_their_environment(site->bundle);

	if (checked->error.class != ERROR_NONE)
		finding_add(findings, (struct place){.file = "tests"}, SEVERITY_ERROR, checked->error.code, "%s",
			    checked->error.text);
	trials_parse(&checked->trials, site->directory, named ? site : NULL, false, findings);
}

void trials_check_note(const struct trials_checked *checked, struct buf *out)
{
	struct id id;
	char hex[ID_TEXT];

	if (checked->error.class != ERROR_NONE)
		buf_printf(out, "%s\n", checked->error.text);
	for (size_t i = 0; i < checked->trials.files_count; i++) {
		id = id_of(&checked->trials.files[i].text, 1);
		id_hex(&id, hex);
		buf_printf(out, "%s %s\n", checked->trials.files[i].path, hex);
	}
}

bool trials_check_same(const char *directory, const json_t *asked)
{
	const char *file;
	json_t *state;

	json_object_foreach((json_t *)asked, file, state) {
		if (trial_file_state(directory, file) != json_integer_value(state))
			return false;
	}
	return json_is_object(asked);
}

void trials_check_close(struct trials_checked *checked)
{
	trials_free(&checked->trials);
}
