/* Folders on another machine, whatever the protocol: what an adapter brings (struct remote_ops), and what it gets for
 * it, a source and a sink of files that keep their promises on any such server.
 *
 * Here, for SFTP and FTP alike: which files are taken and when (remote_source.c), putting them away (remote_settle.c),
 * content and mark (remote_prepare.c), the rename and what became of it (remote_sink.c), options, receipts, and
 * whatever else is said of a file and not of a line. In an adapter's own folder: connecting, keys and certificates,
 * requests and answers, contents as they travel, and what an answer means. */
#ifndef FERRULE_ADAPTERS_REMOTE_H
#define FERRULE_ADAPTERS_REMOTE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/adapter.h"
#include "base/reader.h"
#include "broker-adapters/taking.h"

/* What a server says to a request; the numbers are those of SFTP. */
enum remote_status {
	REMOTE_OK = 0,
	REMOTE_MISSING = 2,
	REMOTE_DENIED = 3,
	REMOTE_FAILURE = 4,
	REMOTE_UNSUPPORTED = 8,
	REMOTE_EXISTS = 11,
	REMOTE_NO_SPACE = 14,
	REMOTE_QUOTA = 15,
};

/* Of a file, by whatever question; the same file gets the same time from each. */
struct remote_attrs {
	uint64_t size;
	int64_t mtime; /* seconds */
	uint32_t mode; /* with its type, as in stat(2) */
	bool has_size, has_mode, has_mtime;
};

/* Every name but . and .., those that a file cannot have left out. Returns false to end it. */
typedef bool remote_each_fn(void *arg, const char *name, const struct remote_attrs *);

/* Writes the body from `offset` on into the file, which is there already, or (fresh) must not be; has it synced where
 * the server can, and asks for its size. */
struct remote_upload {
	const char *path;
	struct reader *body; /* NULL: an empty one */
	uint64_t offset;
	bool fresh;
	const char *mark;   /* something empty of that name to be made behind it, or NULL; */
	int mark_status;    /* … and how that went */
	bool opened;        /* a failure came later than that */
	bool marked_before; /* fresh: the mark was there when the file was made */
	uint64_t size;      /* what the server says that it has in the end */
};

#define REMOTE_PATH_MAX 4096
#define REMOTE_HOLD_MS 600000 /* a connection that was not needed for so long is given back */

struct remote_download;

/* Smaller contents are sent and read many at a time, where the adapter can. */
#define REMOTE_AT_ONCE 64
#define REMOTE_SMALL (256u * 1024)
typedef void remote_one_fn(void *arg);

/* A connection that is logged in. An adapter's own begins with it. */
struct remote {
	const struct remote_ops *ops;
};

/* Unless it says something else each returns REMOTE_OK, the server's status (> 0), or -1 when the connection is lost:
 * RETRY of the endpoint. Each blocks, and ends when the other side has been silent for `timeout`. */
struct remote_ops {
	const char *name;    /* the adapter's */
	const char *spoken;  /* with its article, for people: "an SFTP server" */
	const char *damaged; /* the code for what arrived and is not what was sent */
	const char *full, *permission, *missing, *connect, *timeout; /* codes, in answers of tests */
	size_t source_files, sink_files;                             /* where in its settings the parts below are */
	const char *(*host)(const struct endpoint *);

	/* NULL: RETRY of the endpoint, or FATAL of a secret. */
	struct remote *(*open)(const struct endpoint *, struct error *);
	void (*close)(struct remote *);
	bool (*is_lost)(const struct remote *);    /* nothing more comes of it: close it and open another */
	int64_t (*idle_ms)(const struct remote *); /* since its last answer */
	/* Between requests, about each second: keeps the line open and notices when it is gone, without waiting. NULL:
	 * it does neither. */
	void (*breathe)(struct remote *);
	bool (*times_have_zone)(const struct remote *); /* else they are only good for comparing */
	/* A rename over an existing file, at once. */
	bool (*can_replace)(const struct remote *);
	/* What a status means: RETRY of the endpoint with a stable code. Returns -1. A lost connection's error is left
	 * as it is. */
	int (*fail)(struct remote *, int status, const char *doing, const char *path, struct error *);

	int (*lstat)(struct remote *, const char *path, struct remote_attrs *, struct error *);
	int (*lstat_two)(struct remote *, const char *a, int *status_a, struct remote_attrs *, const char *b,
			 int *status_b, struct remote_attrs *, struct error *); /* 0 or -1 */
	/* Where `to` exists it may fail or not: it was looked for before. */
	int (*rename)(struct remote *, const char *from, const char *to, struct error *);
	int (*replace)(struct remote *, const char *from, const char *to, struct error *);
	/* One or the other, and in the same round what lstat says of `from` then: some say that they renamed, and did
	 * not. NULL: it is asked afterwards. */
	int (*rename_look)(struct remote *, bool replace, const char *from, const char *to, int *left, struct error *);
	int (*remove)(struct remote *, const char *path, struct error *);       /* a file, or a mark */
	int (*remove_later)(struct remote *, const char *path, struct error *); /* whether it worked is not asked */
	int (*mkdir)(struct remote *, const char *path, struct error *);
	int (*list)(struct remote *, const char *path, remote_each_fn *, void *arg, struct error *);

	/* Opens the file to be read from `offset` to its end, at most `size` bytes from its start. NULL: *status, or
	 * -1. */
	struct remote_download *(*download_new)(struct remote *, const char *path, uint64_t offset, uint64_t size,
						int *status, struct error *);
	/* The next bytes; 0 at the end, -1 an error (class RETRY: lost, or the server's own). */
	ssize_t (*download_read)(struct remote_download *, void *into, size_t len, struct error *);
	void (*download_free)(struct remote_download *); /* NULL is legal */
	int (*upload)(struct remote *, struct remote_upload *, struct error *);

	/* Calls `one` for each of args, begun in their order, up to REMOTE_AT_ONCE side by side in this one thread, and
	 * returns when all have returned: while one waits for its answer another goes on, so that a round trip is paid
	 * once for all. They may use everything above but open and close. When the connection breaks, all of them are
	 * told so. NULL, and the two below with it: this adapter cannot. */
	void (*many)(struct remote *, remote_one_fn *one, void *const *args, size_t n);
	bool (*in_many)(const struct remote *); /* one of them runs now */
	/* Within `one`: from now to its end, or its next claim, no other of them has claimed this path; waits for it.
	 * Names that differ in case only may be one file there. */
	void (*claim)(struct remote *, const char *path);
};

/* ---- the source: settings of files, beside those of the connection ------------------------------------------------
 */

enum remote_after { REMOTE_ARCHIVE, REMOTE_MOVE, REMOTE_DELETE };
enum remote_order { REMOTE_BY_TIME, REMOTE_BY_NAME };

struct remote_source_settings {
	const char *path; /* folder and pattern */
	int after, order;
	const char *to, *rejected;
	int64_t age_ms, interval_ms;
	struct text_list ignore;
	const char *marker;
	struct taking taking;
};

/* Rows of an option table for `struct REMOTE_OF` with the field `files`; the first, and the others. */
#define REMOTE_OPTION(kind, field) .type = kind, .offset = offsetof(struct REMOTE_OF, files.field)
#define REMOTE_SOURCE_PATH                                                                                             \
	{.name = "path",                                                                                               \
	 REMOTE_OPTION(OPTION_TEXT, path),                                                                             \
	 .help = "Folder and pattern of the files to take, relative to where the account begins",                      \
	 .flags = OPTION_MAIN | OPTION_REQUIRED}
#define REMOTE_SOURCE_OPTIONS                                                                                          \
	{.name = "after",                                                                                              \
	 REMOTE_OPTION(OPTION_ENUM, after),                                                                            \
	 .fallback = "archive",                                                                                        \
	 .range = "archive|move|delete",                                                                               \
	 .help = "What becomes of a file there once its document is safe"},                                            \
		{.name = "to",                                                                                         \
		 REMOTE_OPTION(OPTION_TEXT, to),                                                                       \
		 .help = "Directory there for archived or moved files, by default archive/ in the folder; archived "   \
			 "ones are kept by day"},                                                                      \
		{.name = "rejected",                                                                                   \
		 REMOTE_OPTION(OPTION_TEXT, rejected),                                                                 \
		 .help = "Directory there for files that were refused, by default rejected/ in the folder"},           \
		{.name = "age",                                                                                        \
		 REMOTE_OPTION(OPTION_DURATION, age_ms),                                                               \
		 .fallback = "2s",                                                                                     \
		 .help = "How long size and time of a file must have stood still before it is taken"},                 \
		{.name = "ignore",                                                                                     \
		 REMOTE_OPTION(OPTION_TEXTS, ignore),                                                                  \
		 .help = "Patterns of temporary names that are left alone, instead of *.tmp *.part *.partial "         \
			 "*.filepart *.crdownload .* ~* *~"},                                                          \
		{.name = "marker",                                                                                     \
		 REMOTE_OPTION(OPTION_TEXT, marker),                                                                   \
		 .help = "Suffix of a second file, such as .done, without which a file is not taken; it goes with "    \
			 "the file"},                                                                                  \
		{.name = "order",                                                                                      \
		 REMOTE_OPTION(OPTION_ENUM, order),                                                                    \
		 .fallback = "time",                                                                                   \
		 .range = "time|name",                                                                                 \
		 .help = "Which file comes first: the oldest, or the first by name"},                                  \
		TAKING_OPTIONS(REMOTE_OF, files.taking), \
		{.name = "interval",                                                                                   \
		 REMOTE_OPTION(OPTION_DURATION, interval_ms),                                                          \
		 .fallback = "1m",                                                                                     \
		 .help = "Time between two looks"}

/* For the ops of a source; `open` is given the table of the adapter. FATAL of the settings. */
void *remote_source_open(const struct remote_ops *, const struct endpoint *, struct error *);
void remote_source_close(void *);
void remote_source_rest(void *);
int remote_source_poll(void *, struct document **into, size_t max, size_t *found, struct error *);
int remote_source_fetch(void *, struct document *, struct vault *, struct error *);
int remote_source_settle(void *, struct document *, enum settlement, struct error *);
int remote_source_settle_all(void *, struct document *const *, const enum settlement *, size_t n, struct error *);
void remote_source_forget(void *, struct document *);
bool remote_source_pending(void *);
void remote_source_intend(void *, const struct document *, enum settlement, struct archived into[2]);
int remote_source_expire(void *, const struct archived *, bool *removed, struct error *);
size_t remote_source_halves(void *, source_half_fn *, void *arg);
int remote_source_check(const struct remote_ops *, const struct endpoint *, struct error *); /* of files alone */

/* ---- the sink -----------------------------------------------------------------------------------------------------
 */

enum remote_exists { REMOTE_REFUSE, REMOTE_OVER, REMOTE_NUMBER };
enum remote_verify { REMOTE_VERIFY_SIZE, REMOTE_VERIFY_CONTENT };

struct remote_sink_settings {
	struct template *path;
	int exists, verify;
	bool create;
};

#define REMOTE_SINK_PATH                                                                                               \
	{.name = "path",                                                                                               \
	 REMOTE_OPTION(OPTION_TEMPLATE, path),                                                                         \
	 .help = "The file to write, relative to where the account begins",                                            \
	 .flags = OPTION_MAIN | OPTION_REQUIRED}
#define REMOTE_SINK_OPTIONS                                                                                            \
	{.name = "exists",                                                                                             \
	 REMOTE_OPTION(OPTION_ENUM, exists),                                                                           \
	 .fallback = "refuse",                                                                                         \
	 .range = "refuse|replace|number",                                                                             \
	 .help = "What to do when a file of that name is there: refuse the message, replace the file, or take the "    \
		 "next "                                                                                               \
		 "free number"},                                                                                       \
		{.name = "verify",                                                                                     \
		 REMOTE_OPTION(OPTION_ENUM, verify),                                                                   \
		 .fallback = "size",                                                                                   \
		 .range = "size|content",                                                                              \
		 .help = "What must be right before the file gets its name: its size there, or each byte, read back"}, \
		{.name = "create",                                                                                     \
		 REMOTE_OPTION(OPTION_BOOL, create),                                                                   \
		 .fallback = "false",                                                                                  \
		 .help = "Make the directory there when it is missing"}

/* For the ops of a sink. */
void *remote_sink_open(const struct remote_ops *);
void remote_sink_close(void *);
void remote_sink_rest(void *);
int remote_sink_address(const struct remote_ops *, const struct endpoint *, const struct expression_input *,
			struct message *, struct error *);
void remote_sink_ahead(void *, struct attempt *const *, size_t n);
int remote_sink_prepare(void *, struct attempt *, struct error *);
int remote_sink_start(void *, struct attempt *, struct error *);
int remote_sink_reap(void *, struct attempt **into, size_t max, size_t *count, int wake, int wait_ms, struct error *);
int remote_sink_resolve(void *, struct attempt *, enum resolved *, struct error *);
unsigned remote_sink_parallel(const struct endpoint *);
void remote_sink_abandon(void *, struct attempt *);
int remote_sink_sweep(void *, const struct endpoint *, int64_t older_than_ms, bool (*needed)(void *, const struct id *),
		      void *, unsigned *removed, struct error *);
int remote_sink_judge(const struct remote_ops *, const struct attempt *, const struct sink_answer *,
		      struct error *verdict, struct error *);
int remote_sink_check(const struct remote_ops *, const struct endpoint *, struct error *); /* of files alone */

#endif
