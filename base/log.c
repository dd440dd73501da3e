/* Log lines. See log.h. */
#include "config.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
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

/* Shared by processes: the number is odd while somebody writes. */
struct shared_levels {
	_Atomic unsigned number;
	struct levels levels;
};

/* What is logged where is process-wide by nature: each role is a process of its own. */
static struct {
	char role[32];
	int fd;
	struct levels levels;
	struct shared_levels *shared;
	unsigned taken; /* the shared number that `levels` has */
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

/* ---- for all processes */
void log_share(void)
{
	void *page = mmap(NULL, sizeof *state.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return; /* each process keeps its own */
	state.shared = page;
	state.shared->levels = state.levels;
}

/* What is half written is taken with the next line. */
static void take_shared(void)
{
	unsigned number = atomic_load(&state.shared->number);
	struct levels levels;

	if (number == state.taken || number % 2)
		return;
	levels = state.shared->levels;
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load(&state.shared->number) != number)
		return;
	state.levels = levels;
	state.taken = number;
}

static void put_shared(void)
{
	atomic_fetch_add(&state.shared->number, 1);
	state.shared->levels = state.levels;
	state.taken = atomic_fetch_add(&state.shared->number, 1) + 1;
}

void log_levels_text(char text[LOG_LEVELS_TEXT])
{
	int used;

	if (state.shared)
		take_shared();
	used = snprintf(text, LOG_LEVELS_TEXT, "%s", level_names[state.levels.level]);
	for (size_t i = 0; i < state.levels.count; i++)
		used += snprintf(text + used, (size_t)(LOG_LEVELS_TEXT - used), ",%s=%s", state.levels.modules[i].name,
				 level_names[state.levels.modules[i].level]);
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
	if (state.shared)
		put_shared();
	return 0;
}

bool log_enabled(enum log_level level, const char *module)
{
	const struct levels *levels = &state.levels;

	if (state.shared)
		take_shared();
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
