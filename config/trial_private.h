/* What the files that read tests share. See trial.h. */
#ifndef FERRULE_CONFIG_TRIAL_PRIVATE_H
#define FERRULE_CONFIG_TRIAL_PRIVATE_H

#include "config/trial.h"

#define TRIAL_OUTCOMES "delivered|retry|doubt|dead"

struct trial_reading {
	struct trials *trials;
	const char *directory;
	const struct site *site; /* NULL: names are not looked up */
	struct findings *findings;
	bool may_be_empty;
};

#define trial_error(r, place, code, ...) finding_add((r)->findings, (place), SEVERITY_ERROR, (code), __VA_ARGS__)

struct input_settings {
	const char *file, *text, *name, *type, *source, *topic, *id, *contract, *part, *time;
	const struct node *json, *headers, *keys;
};
struct answer_settings {
	int64_t status, retry_after_ms;
	const char *fails, *body;
};
struct wanted_settings {
	const char *topic, *contract, *to, *path, *url, *method, *key, *code, *reason, *step, *position, *content, *why,
		*part, *flow, *text, *file;
	const struct node *body, *has, *keys, *headers;
	struct expression_list where;
	int outcome;
	int64_t count;
};

void trial_read_one(struct trial_reading *, const struct node *);

/* What the site says of it: each adds findings, with the nearest name. */
int trial_file_state(const char *directory, const char *file); /* 0: it can be read; else why not, as in errno */
void trial_check_file(struct trial_reading *, const char *file, struct place);
bool trial_check_flow(struct trial_reading *, const char *name, struct place);
void trial_check_input(struct trial_reading *, const struct trial *, const struct trial_input *);
void trial_check_answer(struct trial_reading *, const struct trial *, const struct trial_answer *);
void trial_check_wanted(struct trial_reading *, const struct trial *, const struct trial_wanted *);
void trial_check_with(struct trial_reading *, const struct node *);

#endif
