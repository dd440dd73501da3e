/* The source's own: what remote_source.c (finding and reading) and remote_settle.c (putting away) both know. */
#ifndef FERRULE_ADAPTERS_REMOTE_SOURCE_H
#define FERRULE_ADAPTERS_REMOTE_SOURCE_H

#include "base/adapter.h"
#include "broker-adapters/entries.h"
#include "broker-adapters/pairs.h"
#include "broker-adapters/remote/remote_calls.h"

/* A document in the role's hands. */
struct remote_held {
	struct document document;
	struct remote_held *next, **at;
	struct stamp stamp, marker;
	bool has_marker;
	char *content; /* read ahead, all of it and unchanged since; NULL: not yet */
	struct stamp sidecar;
	enum pair_kind sidecar_kind; /* under which of its names it lies there; PAIR_NONE: there is none */
	int64_t intended_ms;         /* the archive has it under this day, as was written down; 0: under today */
	struct attr attrs[3];
	char size_text[24], time_text[40];
	char shown[NAME_SHOWN], name_text[TAKING_NAME];
	char name[];
};

struct remote_source {
	const struct remote_ops *ops;
	const struct endpoint *endpoint;
	const struct remote_source_settings *settings;
	const char *pattern;
	char *folder;
	struct remote *remote; /* NULL: not connected */
	bool down;             /* since the last poll: connecting again is for the next */
	struct error why;
	struct entries ready, noted, markers;
	struct entries sidecars; /* by name, hidden ones too; `reported`: its document is there */
	struct halves halves;
	int64_t listed_at, used_at;
	bool waiting;
	struct remote_held *held, **last; /* in the order in which they were handed out */
};

/* Connected, or -1. What was idle for long is tried first. */
int remote_source_connect(struct remote_source *, struct error *);
void remote_source_disconnect(struct remote_source *);
char *remote_source_path(const struct remote_source *, const char *name, const char *suffix); /* the caller frees */
struct stamp remote_stamp(const struct remote_attrs *);
bool remote_source_is_still(const struct remote_source *, const struct entry *);
/* remote_ahead.c: this document and those handed out behind it, as far as they are small, into their `content`. What
 * cannot be had so is for fetch to tell of. */
void remote_source_read_ahead(struct remote_source *, struct remote_held *);

/* remote_settle.c: where to; held NULL: of one that is held no longer. The caller frees. */
char *remote_source_folder(const struct remote_source *, const struct remote_held *, bool refused);
/* What the file at `path` is moved to: the first free name like `as`, which is given back. */
int remote_source_put_away(struct remote_source *, const char *path, const struct stamp *, const char *as,
			   const char *folder, const char *suffix, char placed[256], struct error *);
void remote_source_archived(struct archived *, const char *folder, const char *placed, const struct stamp *);

/* remote_sidecar.c: of a document, as the last listing has it; NULL: there is none. */
struct entry *remote_sidecar_find(const struct remote_source *, const char *name, enum pair_kind *);
/* While a folder is listed: all names are there, those of the last listing are given up; of each document, is its
 * sidecar there and whole; which were asked for by none. */
void remote_sidecar_listed(struct remote_source *, struct entries *before);
bool remote_sidecar_ready(struct remote_source *, const struct entry *document);
void remote_sidecar_alone(struct remote_source *);
int remote_sidecar_leftovers(struct remote_source *, struct error *);
int remote_sidecar_check(struct remote_source *, const struct remote_held *, struct vault *, struct error *);
/* In front of putting its document away, and behind that; folder NULL: it is deleted. */
int remote_sidecar_aside(struct remote_source *, struct remote_held *, bool refused, struct error *);
int remote_sidecar_follow(struct remote_source *, struct remote_held *, const char *folder, const char *placed,
			  struct error *);

#endif
