/* Fuzz target: any text as a value with ${VAR} in it. What is replaced asks only for names that are listed, ends, and
 * without `${` stays as it is; the length of a variable is what it takes. */
#include "config.h"
#include "config/yaml.h"

#include <assert.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAMES_MAX 200

struct names {
	struct span list[NAMES_MAX];
	size_t count;
	bool all;
};

static void note(void *arg, struct span name, struct span fallback)
{
	struct names *names = arg;

	assert(yaml_variable_name(name));
	if (names->count < NAMES_MAX)
		names->list[names->count++] = name;
	else
		names->all = false;
}

static bool find(void *arg, struct span name, struct span *value)
{
	const struct names *names = arg;
	bool listed = !names->all;

	for (size_t i = 0; i < names->count; i++)
		listed = listed || span_equal(names->list[i], name);
	assert(listed);
	*value = SPAN_LITERAL("v${a}");
	return name.data[0] == 'v';
}

static void fault(void *arg, size_t at, struct span name)
{
	++*(size_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct names names = {.all = true};
	struct yaml_variables variables = {.find = find, .arg = &names};
	struct span text = span_make(data, size);
	size_t faults = 0, length, bytes;
	struct buf out;

	if (size > 65536)
		return 0;
	buf_init(&out, YAML_SIZE_MAX);
	yaml_variables_each(text, note, &names);
	yaml_variables_replace(text, &variables, &out, fault, &faults);
	assert(faults || out.full || size || !out.len);
	if (!memmem(text.data, text.len, "${", 2))
		assert(span_equal(buf_view(&out), text) && !faults);
	for (size_t i = 0; i + 2 < size; i++)
		if (span_starts(span_make(text.data + i, size - i), "${") && names.all && i < 64 &&
		    yaml_variable_length(span_make(text.data + i, size - i),
					 &(struct yaml_variables){.find = find, .arg = &(struct names){.all = false}},
					 &length, &bytes))
			assert(length <= size - i && bytes <= YAML_SIZE_MAX);
	buf_free(&out);
	return 0;
}
