/* jq_walk.c's own, shared with jq_field.c. */
#ifndef FERRULE_CONFIG_JQ_WALK_PRIVATE_H
#define FERRULE_CONFIG_JQ_WALK_PRIVATE_H

#include "config/jq_tokens.h"
#include "config/jq_walk.h"

#define DEPTH_MAX 200
#define NAMES_MAX 64
#define TOLD_MAX 64

struct binding {
	struct span name;
	struct shape shape;
};

struct told {
	size_t offset;
	enum severity severity;
	const char *code, *text;
};

struct walk {
	struct arena *arena;
	struct jq_tokens tokens;
	size_t at;
	bool lost;
	int depth;
	const char *absent_code, *absent_why;
	struct binding variables[NAMES_MAX];
	size_t variables_count;
	struct span functions[NAMES_MAX]; /* that the program defines */
	size_t functions_count;
	struct told told[TOLD_MAX];
	size_t told_count;
};

/* NULL ends the list. */
bool jq_in_list(struct span word, const char *const *words);
/* The value of a field; tells when no message can have it. */
struct shape jq_field(struct walk *, const struct shape *of, struct span name, size_t offset);
/* Tells when $envelope has no such field. */
void jq_envelope(struct walk *, const struct jq_token *);

#endif
