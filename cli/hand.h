/* What the verbs that run one step by hand share. */
#ifndef FERRULE_CLI_HAND_H
#define FERRULE_CLI_HAND_H

#include "base/reader.h"
#include "cli/verb.h"
#include "transformers/chain.h"

#define HAND_TEXT_MAX (16u << 20)

struct hand {
	const struct arguments *arguments;
	struct arena *arena;
	struct findings findings;
	struct span mapping; /* the text of the mapping at hand */
};

void hand_begin(struct hand *, const struct arguments *);
int hand_end(struct hand *, int code); /* frees; the code, or 1 when standard output cannot be written */
/* A file, or standard input (NULL, "-"). NULL: REJECT `input.open`. */
struct reader *hand_open(const char *name, struct error *);
int hand_text(const char *path, struct buf *, struct error *);
/* "json" or "json-lines", as the first line tells. */
const char *hand_json_form(struct reader *);
/* A step with its main value. -1: findings were added, and REJECT `hand.settings`. */
int hand_fill_step(struct hand *, struct chain_step *into, const char *step, const char *main_value,
		   const struct transformer_context *, struct error *);

#endif
