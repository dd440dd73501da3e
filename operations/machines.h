/* The machines of a site of several, and what is wrong on each of them: what only a machine's processes know, told to
 * the others in the store's table ASK_MACHINES (ask.h):
 *   INSTANCE            {machine, since, gone? (since when its session is not there any more)}
 *   INSTANCE/PROBLEM    the problem, as `status` has it
 * An instance is one life of a queue process, in hexadecimal, and has a lock of the store's session: as long as that is
 * held its machine is there, whatever the clocks say. No clock and no I/O. */
#ifndef FERRULE_OPERATIONS_MACHINES_H
#define FERRULE_OPERATIONS_MACHINES_H

#include <jansson.h>
#include <stdint.h>

#define MACHINES_LEFT_MS INT64_C(30000)	     /* gone for so long, a machine is a problem and its own are not told */
#define MACHINES_KEPT_MS INT64_C(259200000)  /* gone for so long, it is forgotten: three days */
#define MACHINES_TROUBLES_MAX 1000	     /* of one machine */
#define MACHINES_ROWS_MAX 20000
#define MACHINES_NAME_MAX 1000 /* of a problem: keys of tables are limited */

/* Whose row it is: the length of the instance within its key. */
size_t machines_instance(const char *key);

/* rows: the table, by key; alive: the instances that are, as keys; own: ours; name: of our machine. */

/* What is to be done with the rows of others: {put: {KEY: row}, remove: [KEY]}. What was here before us is removed,
 * what is gone noted, and forgotten in the end. A new reference. */
json_t *machines_tidy(const json_t *rows, const json_t *alive, const char *own, const char *name, int64_t now_ms);

/* The others' problems, and that of each machine that is gone, into the list. One that is there already, by its name,
 * is the same trouble on another machine: `machines` has both, `since` is the earlier. */
void machines_tell(const json_t *rows, const json_t *alive, const char *own, const char *name, int64_t now_ms,
		   json_t *problems);

/* Those of the rows that tell of a machine, without ours: [{machine, since, gone?}]. A new reference. */
json_t *machines_others(const json_t *rows, const json_t *alive, const char *own);

#endif
