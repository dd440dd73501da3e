/* ferrule version: of the program and of what it is made of. */
#include "config.h"

#include "cli/verb.h"

static const struct verb_option options[] = {
	{"json", NULL, "as JSON", NULL},
	{.name = NULL},
};

static const struct {
	const char *name, *version;
} libraries[] = {
	{"jansson", VERSION_JANSSON},
	{"gpgme", VERSION_GPGME},
	{"libarchive", VERSION_ARCHIVE},
	{"libcrypto", VERSION_CRYPTO},
	{"libcurl", VERSION_CURL},
	{"libjq", "1 (its header names no version)"},
	{"libmicrohttpd", VERSION_MICROHTTPD},
	{"libpcre2", VERSION_PCRE2},
	{"libpq", VERSION_PQ},
	{"librabbitmq", VERSION_RABBITMQ},
	{"libssh2", VERSION_SSH2},
	{"libxml2", VERSION_XML},
	{"libxslt", VERSION_XSLT},
	{"libyaml", VERSION_YAML},
	{"sqlite", VERSION_SQLITE},
	{"zlib", VERSION_ZLIB},
};

static int version(const struct arguments *arguments)
{
	json_t *all = json_pack("{s:s}", "ferrule", PACKAGE_VERSION), *built = json_object();

	for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
		json_object_set_new(built, libraries[i].name, json_string(libraries[i].version));
	json_object_set_new(all, "libraries", built);
	if (arguments->json) {
		verb_print_json(all);
	} else {
		printf("ferrule %s\n", PACKAGE_VERSION);
		for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
			printf("  %-14s %s\n", libraries[i].name, libraries[i].version);
	}
	json_decref(all);
	return EXIT_DONE;
}

const struct verb verb_version = {
	.name = "version",
	.words = "",
	.summary = "Show which version this is, and of what it was built",
	.json = "{ferrule, libraries: {NAME: VERSION}}",
	.options = options,
	.run = version,
};
