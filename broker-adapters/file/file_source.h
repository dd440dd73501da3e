/* The file source's own: what file_source.c (finding and reading) and file_settle.c (putting away) both know. */
#ifndef FERRULE_ADAPTERS_FILE_SOURCE_H
#define FERRULE_ADAPTERS_FILE_SOURCE_H

#include "base/adapter.h"
#include "broker-adapters/entries.h"
#include "broker-adapters/file/file.h"
#include "broker-adapters/taking.h"

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
	struct attr attrs[3];
	char size_text[24], time_text[40];
	char shown[NAME_SHOWN];
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
	struct held *held;
};

int file_source_settle(void *, struct document *, enum settlement, struct error *);
/* Is it a directory that settle puts files into? */
bool file_source_own_directory(const struct file_source *, const char *name);

#endif
