/* A folder, a vault and a file source for unit tests. Everything ends the test on failure. */
#ifndef FERRULE_TESTS_FILE_WORLD_H
#define FERRULE_TESTS_FILE_WORLD_H

#include <stdio.h>
#include <unistd.h>

#include "base/adapter.h"
#include "base/clock.h"
#include "tests/support/support.h"

extern const struct source_ops file_source_ops;

struct file_world {
	char *root, *drop, *vault_path; /* drop/ is in root */
	struct arena *arena;
	struct vault *vault;
	void *source;
};
extern struct file_world w;

int set_up(void **state);
int tear_down(void **state);
/* Up to two settings beside the pattern, NULL for none. */
void source_with(const char *pattern, const char *k1, const char *v1, const char *k2, const char *v2);
void put(const char *name, const char *text);
bool there(const char *path);
bool holds(const char *path, const char *text);
size_t look(struct document **into, size_t max);
struct document *one(void);
void none(void);
void fetch(struct document *document);
void forget(struct document *document);
void settle(struct document *document, enum settlement how);
void take(enum settlement how);
void today(char day[CLOCK_TEXT]);
const char *archived(const char *name);

#define CHILD_EXPECT(condition)                                                                                        \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			print_error("line %d: %s\n", __LINE__, #condition);                                            \
			_exit(1);                                                                                      \
		}                                                                                                      \
	} while (0)

#endif
