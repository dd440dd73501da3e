/* What the verbs that run one step by hand share. */
#ifndef FERRULE_CLI_HAND_H
#define FERRULE_CLI_HAND_H

#include <stdio.h>

#include "base/reader.h"
#include "cli/verb.h"
#include "transformers/chain.h"

#define HAND_TEXT_MAX (16u << 20)

struct hand {
	const struct arguments *arguments;
	struct arena *arena;
	struct findings findings;
	struct span mapping; /* the text of the mapping at hand */
	struct hand_text *texts; /* files that steps named */
	const char *into;        /* a directory for what comes out, a file each; NULL: standard output */
	FILE *file;              /* the one in hand */
};

void hand_begin(struct hand *, const struct arguments *);
int hand_end(struct hand *, int code); /* frees; the code, or 1 when standard output cannot be written */
/* A file, or standard input (NULL, "-"). NULL: REJECT `input.open`. */
struct reader *hand_open(const char *name, struct error *);
int hand_text(const char *path, struct buf *, struct error *);
/* "json" or "json-lines", as the first line tells. */
const char *hand_json_form(struct reader *);
/* --set KEY=VALUE: further keys of a step by hand. */
#define HAND_SET_OPTION                                                                                                \
	{                                                                                                              \
		"set", "KEY=VALUE", "a further key of the format, as in a flow; may be given several times", NULL      \
	}
/* Where a file lies that is named as a flow names it: at that path, in FOLDER here, or among those that ship; the name
 * itself where it is nowhere. */
const char *hand_path(struct arena *, const char *folder, const char *name);
/* The text of that file; kept until hand_end. NULL: not there. For transformer_context.file. */
const struct span *hand_file(struct hand *, const char *folder, const char *name);
/* A step with its main value, and with what `--set` says where `set`. -1: findings were added, and REJECT
 * `hand.settings`. */
int hand_fill_step(struct hand *, struct chain_step *into, const char *step, const char *main_value, bool set,
		   const struct transformer_context *, struct error *);
/* The same for one that no flow knows. */
int hand_fill(struct hand *, struct chain_step *into, const struct transformer_ops *, const char *main_value, bool set,
	      const struct transformer_context *, struct error *);
int hand_close_file(struct hand *, struct error *);
/* A file, or standard input, through that one step, with what `--set` says; the exit code. */
int hand_run(struct hand *, const struct transformer_ops *, const char *main_value, const char *file);

#endif
