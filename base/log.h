/* Log lines: key=value on standard error, the correlation id always, levels per module changeable while running,
 * repeated lines rate-limited per call site (10 in 10 s, then a count). Never pass a secret. */
#ifndef FERRULE_BASE_LOG_H
#define FERRULE_BASE_LOG_H

#include "base/error.h"
#include "base/span.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_role(const char *role); /* the first field of every line of this process; copied, at most 31 characters */
/* "info", or "warn,deliver=debug": a level for all, then levels by module. -1 when it cannot be read. */
int log_levels(const char *text);
/* The levels as log_levels reads them. */
#define LOG_LEVELS_TEXT 640
void log_levels_text(char text[LOG_LEVELS_TEXT]);
/* From now on the levels are those of every process forked from here: log_levels in one of them counts in all. Before
 * the first fork. */
void log_share(void);
void log_file(int fd); /* where lines go from now on; standard error at first */

struct log_site { /* one per call site */
	long window;
	unsigned count, suppressed;
};

void log_write(struct log_site *, enum log_level, const char *module, struct span correlation, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
bool log_enabled(enum log_level, const char *module);

/* log_info("deliver", correlation, "delivered endpoint=%s", name). Text with spaces is quoted by the writer of the
 * format: error="%s". */
#define LOG_AT(level, module, correlation, ...)                                                                        \
	do {                                                                                                           \
		static struct log_site log_site_here;                                                                  \
		if (log_enabled(level, module))                                                                        \
			log_write(&log_site_here, level, module, correlation, __VA_ARGS__);                            \
	} while (0)
#define log_error(module, correlation, ...) LOG_AT(LOG_ERROR, module, correlation, __VA_ARGS__)
#define log_warn(module, correlation, ...) LOG_AT(LOG_WARN, module, correlation, __VA_ARGS__)
#define log_info(module, correlation, ...) LOG_AT(LOG_INFO, module, correlation, __VA_ARGS__)
#define log_debug(module, correlation, ...) LOG_AT(LOG_DEBUG, module, correlation, __VA_ARGS__)

#endif
