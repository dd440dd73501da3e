/* The suites of sources of files, with documents that come in pairs: WITH_SIDECARS puts a sidecar beside each. */
#ifndef FERRULE_TESTS_PAIRS_H
#define FERRULE_TESTS_PAIRS_H

#include <dirent.h>
#include <stdlib.h>

#include "base/id.h"
#include "tests/support/support.h"

#ifdef WITH_SIDECARS
#define PAIRS_SETTINGS "sidecar", ".sha256", NULL
#define PAIRS_NAME " with sidecars"
#define PAIRS_FAULTS(adapter) adapter ".sidecar-aside", adapter ".sidecar-gone",
#else
#define PAIRS_SETTINGS NULL
#define PAIRS_NAME ""
#define PAIRS_FAULTS(adapter)
#endif

/* To the document at this path. */
static inline void pairs_put(const char *path, struct span content)
{
#ifdef WITH_SIDECARS
	char *sidecar = mem_printf("%s.sha256", path), hex[ID_TEXT];
	struct id digest = id_digest(content);

	id_hex(&digest, hex);
	support_write(sidecar, span_of(hex));
	free(sidecar);
#endif
}

/* How many documents there are; each has its sidecar. */
static inline unsigned pairs_kept(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *found;
	unsigned documents = 0, sidecars = 0;

	while (folder && (found = readdir(folder))) {
		size_t n = strlen(found->d_name);

		if (!strcmp(found->d_name, ".") || !strcmp(found->d_name, ".."))
			continue;
		if (n > 7 && !strcmp(found->d_name + n - 7, ".sha256"))
			sidecars++;
		else
			documents++;
	}
	if (folder)
		closedir(folder);
#ifdef WITH_SIDECARS
	assert_int_equal(sidecars, documents);
#else
	assert_int_equal(sidecars, 0);
#endif
	return documents;
}

#endif
