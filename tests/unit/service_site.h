/* A small site on disk, for tests of services. Included once in each program. */
#ifndef FERRULE_TESTS_SERVICE_SITE_H
#define FERRULE_TESTS_SERVICE_SITE_H

#include <stdio.h>
#include <stdlib.h>

#include "services/generation.h"
#include "tests/support/support.h"

static inline void put(const char *directory, const char *name, const char *text)
{
	char *path = support_path(directory, name);

	support_write(path, span_of(text));
	free(path);
}

#define SITE_FLOW_IN \
	"flow: intake\nowner: tests\nfrom: {file: 'in/*.json', after: archive}\n" \
	"steps: [{decode: json}]\npublish: thing.v1\n"
#define SITE_FLOW_OUT(name) \
	"flow: " name "\nowner: tests\nsubscribe: thing.v1\nsteps: [{encode: json}]\n" \
	"to: {file: '" name "/$(.n).json', exists: refuse, create: yes}\neffect: rename\n"
#define SITE_FLOW_HTTP(name) \
	"flow: " name "\nowner: tests\nsubscribe: thing.v1\nsteps: [{encode: json}]\n" \
	"to: {webhook: 'http://127.0.0.1:9/" name "'}\neffect: none\n"

static inline char *small_site(void)
{
	char *directory = support_tmpdir();

	put(directory, "site.yaml",
	    "name: small\nprocesses: {transform: 2}\nlimits: {document: 1000, disk-reserve: 1KiB}\n");
	put(directory, "flows/intake.yaml", SITE_FLOW_IN);
	put(directory, "flows/first.yaml", SITE_FLOW_OUT("first"));
	put(directory, "flows/second.yaml", SITE_FLOW_OUT("second"));
	return directory;
}

static inline struct generation *generation_made(const char *directory, struct generation *before)
{
	struct findings findings;
	struct error error = {0};
	struct generation *generation;

	findings_init(&findings);
	generation = generation_new(directory, "", before, &findings, &error);
	for (size_t i = 0; !generation && i < findings.count; i++)
		print_message("%s:%u: %s\n", findings.list[i].place.file, (unsigned)findings.list[i].place.line,
			      findings.list[i].text);
	findings_free(&findings);
	if (!generation)
		fail_msg("%s", error.text);
	return generation;
}

#endif
