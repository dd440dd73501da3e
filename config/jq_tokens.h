/* A jq program as tokens, for jq_walk.c. */
#ifndef FERRULE_CONFIG_JQ_TOKENS_H
#define FERRULE_CONFIG_JQ_TOKENS_H

#include "base/mem.h"

enum jq_kind {
	JQ_END,
	JQ_WORD,     /* a name or a keyword */
	JQ_FIELD,    /* .name; text without the dot */
	JQ_VARIABLE, /* $name; text without the dollar */
	JQ_FORMAT,   /* @name */
	JQ_NUMBER,
	JQ_STRING, /* "…" without interpolation; text: what is in it, as it is written */
	JQ_OPEN,   /* the start of a string with interpolations; then the tokens of each, each ended by JQ_NEXT … */
	JQ_NEXT,
	JQ_CLOSE, /* … and its end */
	JQ_MARK,
};

struct jq_token {
	enum jq_kind kind;
	struct span text;
	size_t offset;
};

struct jq_tokens {
	struct jq_token *list; /* ends with JQ_END */
	size_t count, capacity;
	bool lost; /* nested too deeply, or not closed */
};

void jq_tokens_read(struct jq_tokens *, struct span program);
void jq_tokens_free(struct jq_tokens *);

#endif
