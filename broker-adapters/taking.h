/* Which files a source takes that has files, here or on another machine: what all of them ask of a file beside its
 * name. Shared by the adapters that read files. */
#ifndef FERRULE_ADAPTERS_TAKING_H
#define FERRULE_ADAPTERS_TAKING_H

#include <limits.h>

#include "base/error.h"
#include "base/option.h"

enum taking_empty { EMPTY_TAKE, EMPTY_REFUSE };

struct taking {
	uint64_t max_size, min_size;
	int empty;
	const char *sidecar;    /* a suffix, or NULL */
	int64_t sidecar_within; /* ms */
	const char *names;      /* the character set of names that are no UTF-8, or NULL */
};

/* Rows of the option table of `struct SOURCE`, which has a struct taking as `part`. */
#define TAKING(source, kind, field) .type = kind, .offset = offsetof(struct source, field)
#define TAKING_OPTIONS(source, part) \
	{.name = "max-size", \
	 TAKING(source, OPTION_SIZE, part.max_size), \
	 .fallback = "10GiB", \
	 .help = "A larger file is refused"}, \
		{.name = "min-size", \
		 TAKING(source, OPTION_SIZE, part.min_size), \
		 .fallback = "0", \
		 .help = "A smaller file is refused; whether an empty one is, `empty` says"}, \
		{.name = "empty", \
		 TAKING(source, OPTION_ENUM, part.empty), \
		 .fallback = "take", \
		 .range = "take|refuse", \
		 .help = "What becomes of files without a byte: partners send some on days without data"}, \
		{.name = "sidecar", \
		 TAKING(source, OPTION_TEXT, part.sidecar), \
		 .help = "Suffix of a second file, such as .sha256, .md5 or .ctl, that says a digest or totals: " \
			 "without it a file is not taken, what is not as it says is refused, and it goes with the " \
			 "file"}, \
		{.name = "sidecar-within", \
		 TAKING(source, OPTION_DURATION, part.sidecar_within), \
		 .fallback = "15m", \
		 .help = "How long a file and its sidecar may lack each other before status calls it a problem"}, \
	{ \
		.name = "names", TAKING(source, OPTION_TEXT, part.names), \
		.help = "Character set of names that are no UTF-8, such as windows-1252; without it their bytes " \
			"become \\xNN, which no target takes" \
	}

/* FATAL file.size, file.sidecar, file.charset: no file could be taken, or there is no such character set. */
int taking_check(const struct taking *, struct error *);
/* REJECT document.too-large, document.too-small, document.empty. */
int taking_size(const struct taking *, const char *folder, const char *shown, uint64_t size, struct error *);

#define TAKING_NAME (4 * NAME_MAX + 1)
/* The name of a file as a text: `raw` itself where that is UTF-8, else in `out` as `names` has it, else with \xNN and
 * without its end where it is long. */
struct span taking_name(const struct taking *, const char *raw, char out[TAKING_NAME]);

/* May a file that was to be `name` in an archive lie there as `placed`, since its name was taken: orders.2.edi? The
 * number stands where name_numbered has it, in front of the suffix of a sidecar. */
bool taking_is_numbered(const struct taking *, const char *name, const char *placed);

/* Is it a path that an archive by day below `folder` gives: FOLDER/2026-03-02/NAME? Where NAME begins; 0: it is not. */
size_t taking_archived(const char *folder, const char *path);

#endif
