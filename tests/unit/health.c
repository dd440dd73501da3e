/* Metrics of files on their way. */
#include "config.h"

#include <jansson.h>

#include "operations/health.h"
#include "tests/support/support.h"

static void a_file_on_its_way_is_measured_by_endpoint_and_direction(void **state)
{
	json_t *answer = json_pack("{s:[{s:s s:s s:s s:i s:i s:i}]}", "moving", "endpoint", "bank", "direction", "in",
				   "name", "a\"b", "done", 1000, "total", 4000, "rate", 500);
	const char *type;
	struct buf body;
	int status;

	buf_init(&body, 65536);
	health_metrics(answer, &status, &type, &body);
	buf_char(&body, '\0');
	assert_int_equal(status, 200);
	assert_non_null(strstr(body.data, "\nferrule_moving_bytes{endpoint=\"bank\",direction=\"in\"} 1000\n"));
	assert_non_null(strstr(body.data, "\nferrule_moving_size_bytes{endpoint=\"bank\",direction=\"in\"} 4000\n"));
	assert_non_null(
		strstr(body.data, "\nferrule_moving_bytes_per_second{endpoint=\"bank\",direction=\"in\"} 500\n"));
	buf_free(&body);
	json_decref(answer);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_on_its_way_is_measured_by_endpoint_and_direction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
