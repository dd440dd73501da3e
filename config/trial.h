/* Tests of a site as their YAML says: tests/NAME.yaml, one test a document, or several under `cases:`, which then share
 * what stands beside it. `ferrule test` runs them (services/rehearsal.h). The bundle leaves tests/ out on purpose: a
 * test changes nothing that runs, so it is no part of a revision. */
#ifndef FERRULE_CONFIG_TRIAL_H
#define FERRULE_CONFIG_TRIAL_H

#include "config/site.h"

#define TRIAL_FILES_MAX 2000
#define TRIAL_TEXT_MAX (16u * 1024 * 1024)  /* of an input, or of something expected */
#define TRIAL_NOW_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z, where a test says nothing */

/* Bytes that a test gives: in a file, as text, or as JSON. Exactly one of the three, or none. */
struct trial_content {
	const char *file; /* relative to the site */
	struct span text; /* data NULL: not given */
	json_t *json;     /* borrowed from the trials */
};

struct trial_input {
	struct place place;
	struct trial_content content;
	const char *name, *type, *source, *topic, *id, *contract, *part;
	int64_t time_ms;        /* 0: the test's */
	json_t *headers, *keys; /* objects of texts, or NULL */
};

/* What an endpoint answers, in the order of the deliveries; the last answer stays. */
struct trial_answer {
	struct place place;
	const char *endpoint;
	struct sink_answer answer;
};

enum trial_kind { TRIAL_PUBLISHED, TRIAL_DELIVERED, TRIAL_DEAD, TRIAL_DROPPED, TRIAL_KINDS };

/* One thing that must happen, `count` times. */
struct trial_wanted {
	struct place place;
	enum trial_kind kind;
	int64_t count;
	json_t *facts; /* name → text: what must be so, as the option tables call it */
	json_t *keys;  /* each must be there with this value; NULL: not looked at */
	json_t *headers;
	struct trial_content body; /* equal */
	json_t *has;               /* contained; NULL: not looked at */
	struct expression_list where;
};

struct trial {
	const char *name, *flow;
	struct place place; /* of the document or the case */
	const struct node *node;
	int64_t now_ms;
	bool follow_all;
	struct text_list follow;
	json_t *with;   /* ${NAME} → value, or NULL */
	json_t *stores; /* table of the store → {key: value}, as it is before; or NULL */
	struct trial_input *inputs;
	size_t inputs_count;
	struct trial_answer *answers;
	size_t answers_count;
	struct trial_wanted *wanted;
	size_t wanted_count;
	const struct node *said[TRIAL_KINDS]; /* the section; NULL: not there */
	struct place said_at[TRIAL_KINDS];    /* where its key stands */
	bool sound;                           /* no finding is about it */
};

struct trials {
	struct arena *arena;
	json_t *values; /* keeps what the tests borrow */
	json_t *asked;  /* file of the site that a test names → 0, or why it cannot be read, as in errno */
	struct trial *list;
	size_t count, capacity;
	struct trial_file {
		const char *path; /* "tests/orders.yaml" */
		struct span text;
	} * files;
	size_t files_count, files_capacity;
};

/* Reads DIRECTORY/tests: *.yaml and *.yml, also in folders below it but those named `files`. `site` is what names of
 * flows, endpoints and topics are looked up in. Mistakes are findings with their place, codes `option.…`, `trial.…`;
 * a test with a mistake is in the list all the same, not `sound`. may_be_empty: a test that expects nothing is sound.
 * -1: the folder cannot be read (FATAL `trial.unreadable`); no folder is no error. */
int trials_read(struct trials *, const char *directory, const struct site *, bool may_be_empty, struct findings *,
		struct error *);
/* Its two halves: the texts of the files, and their meaning. site NULL: names are not looked up. */
int trials_open(struct trials *, const char *directory, struct error *);
void trials_parse(struct trials *, const char *directory, const struct site *, bool may_be_empty, struct findings *);
void trials_free(struct trials *); /* also of trials that could not be opened */

/* ---- the tests as `check` looks at them ---------------------------------------------------------------------- */
struct trials_checked {
	struct trials trials;
	struct error error; /* tests/ cannot be read: that is a finding */
};
void trials_check_open(struct trials_checked *, const char *directory);
/* whole: the site has all that it should, so that a name that it does not have is a mistake. */
void trials_check(struct trials_checked *, const struct site *, bool whole, struct findings *);
/* What a finding about them depends on: appends their texts' digests; and, with what trials.asked was when they were
 * checked, whether the files that they name are as they were. */
void trials_check_note(const struct trials_checked *, struct buf *);
bool trials_check_same(const char *directory, const json_t *asked);
void trials_check_close(struct trials_checked *);

/* The option tables, for the editors' schema: of a test, and of the items of its sections. `published: 3` and a list of
 * items are read by hand. */
extern const struct option trial_options[], trial_input_options[], trial_answer_options[];
extern const struct option *const trial_section_options[TRIAL_KINDS];
extern const char *const trial_section_names[TRIAL_KINDS]; /* "published" … */

/* A node as JSON: plain scalars that read as JSON's null, true, false or number are that, everything else is text. A
 * new reference. */
json_t *trial_json_new(const struct node *);

#endif
