/* The SFTP source's own: what sftp_source.c (finding and reading) and sftp_settle.c (putting away) both know. */
#ifndef FERRULE_ADAPTERS_SFTP_SOURCE_H
#define FERRULE_ADAPTERS_SFTP_SOURCE_H

#include "base/adapter.h"
#include "broker-adapters/entries.h"
#include "broker-adapters/names.h"
#include "broker-adapters/sftp/sftp.h"

enum sftp_after { SFTP_ARCHIVE, SFTP_MOVE, SFTP_DELETE };
enum sftp_order { SFTP_BY_TIME, SFTP_BY_NAME };

struct sftp_source_settings {
	struct sftp_settings connection;
	const char *path; /* folder and pattern */
	int after, order;
	const char *to, *rejected;
	int64_t age_ms, interval_ms;
	struct text_list ignore;
	const char *marker;
	uint64_t max_size;
};

/* A document in the role's hands. */
struct sftp_held {
	struct document document;
	struct sftp_held *next, **at;
	struct stamp stamp, marker;
	bool has_marker;
	struct attr attrs[3];
	char size_text[24], time_text[40];
	char shown[NAME_SHOWN];
	char name[];
};

struct sftp_source {
	const struct endpoint *endpoint;
	const struct sftp_source_settings *settings;
	const char *pattern;
	char *folder;
	struct sftp *sftp; /* NULL: not connected */
	bool down;         /* since the last poll: connecting again is for the next */
	struct error why;
	struct entries ready, noted, markers;
	int64_t listed_at;
	bool waiting;
	struct sftp_held *held;
};

/* Connected, or -1. What was idle for long is tried first. */
int sftp_source_connect(struct sftp_source *, struct error *);
char *sftp_source_path(const struct sftp_source *, const char *name, const char *suffix); /* the caller frees */
struct stamp sftp_stamp(const struct sftp_attrs *);
int sftp_source_settle(void *, struct document *, enum settlement, struct error *);

#endif
