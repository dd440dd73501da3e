/* Log lines. See log.h. */
#include "config.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define MODULES_MAX 16
#define WINDOW_MS 10000
#define LINES_PER_WINDOW 10
#define LINE_MAX 2000
#define CORRELATION_MAX 80

struct levels {
	enum log_level level;
	size_t count;
	struct {
		char name[24];
		enum log_level level;
	} modules[MODULES_MAX];
};

/* What is logged where is process-wide by nature: each role is a process of its own. */
static struct {
	char role[32];
	int fd;
	struct levels levels;
} state = {.role = "ferrule", .fd = STDERR_FILENO, .levels = {.level = LOG_INFO}};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_role(const char *role)
{
	snprintf(state.role, sizeof state.role, "%s", role);
}

void log_file(int fd)
{
	state.fd = fd;
}

static int level_parse(struct span text, enum log_level *level)
{
	for (int i = 0; i < 4; i++)
		if (span_is(text, level_names[i])) {
			*level = (enum log_level)i;
			return 0;
		}
	return -1;
}

static int level_one(struct levels *levels, struct span word)
{
	const char *equals = word.len ? memchr(word.data, '=', word.len) : NULL;
	enum log_level level;
	size_t name;

	if (!equals)
		return level_parse(word, &levels->level);
	name = (size_t)(equals - word.data);
	if (level_parse(span_make(equals + 1, word.len - name - 1), &level) || levels->count == MODULES_MAX ||
	    name >= sizeof levels->modules[0].name)
		return -1;
	snprintf(levels->modules[levels->count].name, sizeof levels->modules[0].name, "%.*s", (int)name, word.data);
	levels->modules[levels->count++].level = level;
	return 0;
}

/* What cannot be read changes nothing. */
int log_levels(const char *text)
{
	struct levels levels = {.level = state.levels.level};

	for (;;) {
		size_t n = strcspn(text, ",");

		if (level_one(&levels, span_make(text, n)))
			return -1;
		if (!text[n])
			break;
		text += n + 1;
	}
	state.levels = levels;
	return 0;
}

bool log_enabled(enum log_level level, const char *module)
{
	const struct levels *levels = &state.levels;

	for (size_t i = 0; i < levels->count; i++)
		if (!strcmp(levels->modules[i].name, module))
			return level <= levels->modules[i].level;
	return level <= levels->level;
}

/* True when this line is to be written; `missed` tells how many of its kind were left out before it. */
static bool within_rate(struct log_site *site, unsigned *missed)
{
	long window = (long)(clock_tick_ms() / WINDOW_MS);

	*missed = 0;
	if (site->window != window) {
		*missed = site->suppressed;
		*site = (struct log_site){.window = window};
	}
	if (++site->count <= LINES_PER_WINDOW)
		return true;
	site->suppressed++;
	return false;
}

void log_write(struct log_site *site, enum log_level level, const char *module, struct span correlation,
	       const char *format, ...)
{
	char line[LINE_MAX + 1], time[CLOCK_TEXT];
	unsigned missed;
	size_t used;
	va_list args;
	ssize_t written;

	if (!within_rate(site, &missed))
		return;
	clock_format(clock_now_ms(), time);
	if (!correlation.len)
		correlation = SPAN_LITERAL("-");
	if (correlation.len > CORRELATION_MAX)
		correlation.len = CORRELATION_MAX;
	used = (size_t)snprintf(line, LINE_MAX, "%s level=%s role=%s module=%s correlation=%.*s ", time,
				level_names[level], state.role, module, SPAN_ARGS(correlation));
	if (missed)
		used += (size_t)snprintf(line + used, LINE_MAX - used, "suppressed=%u ", missed);
	va_start(args, format);
	vsnprintf(line + used, LINE_MAX - used, format, args);
	va_end(args);
	used += strlen(line + used);
	for (size_t i = 0; i < used; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = ' ';
	line[used++] = '\n';
	written = write(state.fd, line, used); /* one write a line: lines of several processes do not mix */
	(void)written;
}
