/* ferrule version: of the program and of what it is made of. */
#include "config.h"

#include "cli/verb.h"
#include "services/registry.h"

static int version(const struct arguments *arguments)
{
	printf("ferrule %s\n", PACKAGE_VERSION);
	return EXIT_DONE;
}

const struct verb verb_version = {
	.name = "version",
	.words = "",
	.summary = "Show the version of ferrule and of everything it is linked with",
	.run = version,
};
