/* jq_walk.c's own, shared with jq_call.c and jq_field.c. */
#ifndef FERRULE_CONFIG_JQ_WALK_PRIVATE_H
#define FERRULE_CONFIG_JQ_WALK_PRIVATE_H

#include "config/jq_tokens.h"
#include "config/jq_walk.h"

#define DEPTH_MAX 200
#define TERMS_MAX 100000
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
	unsigned terms; /* looked at so far: what is nested in `any` is looked at twice */
	const char *absent_code, *absent_why;
	struct binding variables[NAMES_MAX];
	size_t variables_count;
	struct span functions[NAMES_MAX]; /* that the program defines */
	size_t functions_count;
	struct told told[TOLD_MAX];
	size_t told_count;
};

const struct jq_token *jq_peek(const struct walk *);
const struct jq_token *jq_take(struct walk *);
bool jq_is(const struct walk *, const char *text);
bool jq_next_is(struct walk *, const char *text); /* and takes it */
void jq_expect(struct walk *, const char *text);
bool jq_is_any(const struct walk *, const char *const *words);
/* The shape of what the tokens give, up to where a pipe ends. */
struct shape jq_pipe(struct walk *, const struct shape *input);
/* Behind a function's name. */
struct shape jq_call(struct walk *, struct span name, const struct shape *input);
/* NULL ends the list. */
bool jq_in_list(struct span word, const char *const *words);
/* The value of a field; tells when no message can have it. */
struct shape jq_field(struct walk *, const struct shape *of, struct span name, size_t offset);
/* Tells when $envelope has no such field. */
void jq_envelope(struct walk *, const struct jq_token *);

#endif
