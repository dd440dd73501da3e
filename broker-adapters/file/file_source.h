/* The file source's own: what file_source.c (finding and reading) and file_settle.c (putting away) both know. */
#ifndef FERRULE_ADAPTERS_FILE_SOURCE_H
#define FERRULE_ADAPTERS_FILE_SOURCE_H

#include "base/adapter.h"
#include "broker-adapters/entries.h"
#include "broker-adapters/file/file.h"
#include "broker-adapters/pairs.h"

enum after { AFTER_ARCHIVE, AFTER_MOVE, AFTER_DELETE };
enum file_order { ORDER_TIME, ORDER_NAME };

struct file_source_settings {
	const char *file;         /* folder and pattern */
	int after, order;
	const char *to, *rejected; /* NULL: archive/ and rejected/ in the folder */
	int64_t age_ms, interval_ms;
	struct text_list ignore;
	const char *marker;       /* suffix, or NULL */
	struct taking taking;
};

/* A document in the role's hands. */
struct held {
	struct document document;
	struct held *next, **at;
	struct stamp stamp, marker;
	bool has_marker;
	struct stamp sidecar;
	enum pair_kind sidecar_kind; /* under which of its names it lies there; PAIR_NONE: there is none */
	const char *as;              /* the name to be put away under; NULL: its own */
	int64_t intended_ms;         /* the archive has it under this day, as was written down; 0: under today */
	struct attr attrs[3];
	char size_text[24], time_text[40];
	char shown[NAME_SHOWN], name_text[TAKING_NAME];
	char name[];
};

struct file_source {
	const struct file_source_settings *settings;
	const char *flow, *root;
	char *folder;      /* as opened */
	const char *pattern;
	int directory;     /* the folder, since the last listing; -1 before it */
	struct entries ready, noted; /* to be handed out; seen, but in progress or already reported */
	int64_t listed_at;
	bool waiting;
	struct halves halves;
	struct entries leftovers; /* hidden sidecars whose document is put away */
	struct held *held;
};

/* Where to and under which name. */
struct place_to {
	char *path; /* of the directory, for texts */
	int directory;
	const char *suffix;
};

int file_source_settle(void *, struct document *, enum settlement, struct error *);
/* Opens it; held NULL: of one that is held no longer. */
int file_source_place(const struct file_source *, const struct held *, bool refused, struct place_to *,
		      struct error *);
/* Under the first free name, which is given back. */
int file_source_put_away(const struct file_source *, const struct held *, const struct place_to *, char placed[256],
			 struct error *);
int file_source_remove(const struct file_source *, const struct held *, struct error *);
struct held *held_new(const char *name); /* in no list */
void file_source_archived(struct archived *, const struct place_to *, const char *placed, const struct stamp *);
void file_source_intend(void *, const struct document *, enum settlement, struct archived into[2]);
int file_source_expire(void *, const struct archived *, bool *removed, struct error *);

/* file_sidecar.c: of a document, found while the folder is listed. Is it there and whole? */
bool file_sidecar_ready(struct file_source *, const struct entry *);
/* Any other name of the folder: whether it is a sidecar, which is then dealt with. */
bool file_sidecar_listed(struct file_source *, const char *name);
void file_sidecar_find(const struct file_source *, struct held *);
int file_sidecar_check(const struct file_source *, const struct held *, struct vault *, struct error *);
/* In front of putting its document away, and behind that: `to` NULL: it is deleted. */
int file_sidecar_aside(const struct file_source *, struct held *, bool refused, struct error *);
int file_sidecar_follow(const struct file_source *, struct held *, const struct place_to *, const char *placed,
			struct error *);
int file_sidecar_leftovers(struct file_source *, struct error *);

/* Is it a directory that settle puts files into? */
bool file_source_own_directory(const struct file_source *, const char *name);

#endif
