/* A jq program read along the shape of its input: which fields it asks for that no message can have, and what is known
 * of its results. It follows what is plain (paths, pipes, select, map, conditions, variables, object shorthands) and is
 * silent about the rest: what it says is certain. */
#ifndef FERRULE_CONFIG_JQ_WALK_H
#define FERRULE_CONFIG_JQ_WALK_H

#include "base/finding.h"
#include "config/shape.h"

struct jq_place { /* of the program: byte `offset` of the value that stands at `start` */
	struct place start;
	size_t offset;
};

/* The shape of each result. The program compiles, or nothing is said. An input that is absent: no body is there, and
 * asking for one of its fields is told with this code and reason. findings may be NULL. */
struct shape jq_walk(struct arena *, struct span program, struct jq_place, const struct shape *input,
		     const char *absent_code, const char *absent_why, struct findings *);

#endif
