/* The file sink's own: what its parts know of each other. file_sink.c says how an interrupted delivery is decided. */
#ifndef FERRULE_ADAPTERS_FILE_SINK_H
#define FERRULE_ADAPTERS_FILE_SINK_H

#include "base/adapter.h"
#include "broker-adapters/file/file.h"

enum exists { EXISTS_REFUSE, EXISTS_REPLACE, EXISTS_NUMBER };
enum stage {
	STAGE_NONE,
	STAGE_READY /* .tmp and .mark are there */,
	STAGE_WENT /* .mark alone: an earlier try renamed it */
};

struct file_sink_settings {
	struct template *file;
	int exists, mode; /* an index of file_modes */
	bool create;
};

extern const mode_t file_modes[];

struct pending {
	struct attempt *attempt;
	struct pending *next;
	int directory;
	char *folder;       /* for texts, and to open it */
	char *name;         /* the final name as the template gave it */
	char placed[256];   /* the one that it got */
	struct stat temporary;
	enum stage stage;
	bool made;          /* by this attempt: .mark was not there before */
	bool replaced;
};

/* file_name.c: the path of a message, and the hidden names of an effect */
int file_sink_address(const struct endpoint *, const struct expression_input *, struct message *, struct error *);
bool hidden_is_there(int directory, const struct id *key, enum hidden, struct stat *);
int hidden_unlink(int directory, const struct id *key, enum hidden); /* fine when it is not there */
int file_sink_sweep(void *, const struct endpoint *, int64_t older_than_ms, bool (*needed)(void *, const struct id *),
		    void *, unsigned *removed, struct error *);

/* file_prepare.c: the content and its mark, durable and out of sight */
struct pending *pending_new(struct attempt *, bool create, struct error *); /* opens the folder */
void pending_free(struct pending *);
int pending_sync(struct pending *, struct error *); /* the folder */
int pending_make_ready(struct pending *, bool marked, struct error *);
int file_sink_prepare(void *, struct attempt *, struct error *);

#endif
