/* The source's own: what remote_source.c (finding and reading) and remote_settle.c (putting away) both know. */
#ifndef FERRULE_ADAPTERS_REMOTE_SOURCE_H
#define FERRULE_ADAPTERS_REMOTE_SOURCE_H

#include "base/adapter.h"
#include "broker-adapters/entries.h"
#include "broker-adapters/names.h"
#include "broker-adapters/remote/remote_calls.h"

/* A document in the role's hands. */
struct remote_held {
	struct document document;
	struct remote_held *next, **at;
	struct stamp stamp, marker;
	bool has_marker;
	char *content; /* read ahead, all of it and unchanged since; NULL: not yet */
	struct attr attrs[3];
	char size_text[24], time_text[40];
	char shown[NAME_SHOWN];
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
	int64_t listed_at;
	bool waiting;
	struct remote_held *held, **last; /* in the order in which they were handed out */
};

/* Connected, or -1. What was idle for long is tried first. */
int remote_source_connect(struct remote_source *, struct error *);
char *remote_source_path(const struct remote_source *, const char *name, const char *suffix); /* the caller frees */
struct stamp remote_stamp(const struct remote_attrs *);
/* remote_ahead.c: this document and those handed out behind it, as far as they are small, into their `content`. What
 * cannot be had so is for fetch to tell of. */
void remote_source_read_ahead(struct remote_source *, struct remote_held *);

#endif
