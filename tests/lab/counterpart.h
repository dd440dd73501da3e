/* The other side, for tests and the demo: a target that records what it is made to do, a reader that takes files
 * away, a sender of signed webhooks. */
#ifndef FERRULE_TESTS_LAB_COUNTERPART_H
#define FERRULE_TESTS_LAB_COUNTERPART_H

#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "base/span.h"

int serve_main(int argc, char **argv);
int take_main(int argc, char **argv);
int post_main(int argc, char **argv);

/* ---- a log of JSON lines that survives being killed */
/* Opens for appending; a line that was cut off by a kill is removed. `each` sees every whole line. -1 with a message.
 */
int lines_open(const char *path, void (*each)(void *, json_t *line), void *arg);
int lines_add(int fd, json_t *line); /* takes the reference; written in one piece and synced */

/* Arguments: --name value pairs and words. */
const char *argument_next(int *index, int argc,
			  char **argv); /* the value of the option at *index; ends the program without one */
long argument_number(int *index, int argc, char **argv);
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

extern volatile sig_atomic_t ending; /* SIGTERM or SIGINT came */

#endif
