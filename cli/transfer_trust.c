/* ferrule transfer trust: shows the key of a system's server, and pins it once somebody has compared it. */
#include "config.h"
#include "cli/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/known_hosts.h"
#include "base/mem.h"
#include "config/site.h"
#include "services/registry.h"

#define FILE_LIMIT (4u << 20)

typedef int look_fn(const struct endpoint *, struct peer_key *, struct error *);

static const struct endpoint *endpoint_of(const struct site *site, const char *system, look_fn **look)
{
	for (size_t i = 0; i < site->flows_count; i++) {
		const struct flow *flow = &site->flows[i];

		for (size_t j = 0; j < flow->sources_count; j++) {
			const struct source *source = &flow->sources[j];

			*look = source->poll ? source->poll->look : NULL;
			if (*look &&
			    (!strcmp(source->endpoint.system, system) || !strcmp(source->endpoint.name, system)))
				return &source->endpoint;
		}
		*look = flow->sink ? flow->sink_ops->look : NULL;
		if (*look && (!strcmp(flow->sink->system, system) || !strcmp(flow->sink->name, system)))
			return flow->sink;
	}
	return NULL;
}

/* The file without what it says of this host, and the new line. */
static int merge(const struct peer_key *key, const char *path, struct buf *into)
{
	FILE *file = fopen(path, "re");
	struct buf text;
	char *room = NULL;
	size_t n = file ? 1 : 0;
	int result;

	buf_init(&text, FILE_LIMIT);
	while (n && (room = buf_room(&text, 8192))) {
		n = fread(room, 1, 8192, file);
		buf_added(&text, n);
	}
	if (file)
		fclose(file);
	if (n) /* cut off, it must not be written */
		errno = EFBIG;
	result = n || known_hosts_without(buf_view(&text), key->host, into) || buf_text(into, key->line) ||
				 buf_char(into, '\n') || into->full
			 ? -1
			 : 0;
	buf_free(&text);
	return result;
}

static int replace(const struct peer_key *key, const char *path, int folder)
{
	char *other = mem_printf("%s.%d", path, (int)getpid());
	struct buf text;
	FILE *file = NULL;
	int result = -1;

	buf_init(&text, FILE_LIMIT);
	if (merge(key, path, &text))
		goto done;
	file = fopen(other, "we");
	if (!file || fwrite(text.data, 1, text.len, file) != text.len || fflush(file) || fsync(fileno(file)))
		goto done;
	result = rename(other, path) || fsync(folder) ? -1 : 0;
done:
	if (file)
		fclose(file);
	if (result)
		unlink(other);
	buf_free(&text);
	free(other);
	return result;
}

/* Whole or not at all: workers read it at any time. A link stays one, and of two at once the second waits. */
static int record(const struct peer_key *key)
{
	char *path = realpath(key->file, NULL), *name;
	int folder, result;

	if (!path && errno != ENOENT)
		return -1;
	path = path ? path : mem_strdup(key->file);
	name = mem_strdup(path);
	folder = open(dirname(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	result = folder < 0 || flock(folder, LOCK_EX) ? -1 : replace(key, path, folder);
	if (folder >= 0)
		close(folder);
	free(name);
	free(path);
	return result;
}

/* What no record tells of is not pinned. */
static int pin(const struct arguments *arguments, const char *system, const struct peer_key *key)
{
	int code = site_note(arguments, "trust",
			     json_pack("{s:s s:s s:s s:s s:s}", "system", system, "host", key->host, "type", key->type,
				       "fingerprint", key->fingerprint, "before", key->known));

	if (!code && record(key))
		code = verb_refused(arguments, EXIT_FINDINGS, "trust.file", "cannot write %s: %s", key->file,
				    strerror(errno));
	return code;
}

static void tell(const struct arguments *arguments, const char *system, const struct peer_key *key, bool recorded)
{
	json_t *report;

	if (arguments->json) {
		report = json_pack("{s:s s:s s:s s:s s:s s:b s:b s:b}", "system", system, "host", key->host, "type",
				   key->type, "fingerprint", key->fingerprint, "known", key->known, "trusted",
				   key->trusted, "recorded", recorded, "jump", key->on_the_way);
		verb_print_json(report);
		json_decref(report);
		return;
	}
	printf("%s%s shows:  %s %s\n", key->on_the_way ? "The jump host " : "", key->host, key->type, key->fingerprint);
	printf("pinned:  %s\n", key->known[0] ? key->known : key->trusted ? key->fingerprint : "nothing");
	if (recorded)
		printf("It is pinned now, in %s.%s%s\n", key->file,
		       key->on_the_way ? " The server behind it is the next: ferrule transfer trust " : "",
		       key->on_the_way ? system : "");
	else if (key->trusted)
		printf("It is the pinned one; nothing is to be done.\n");
	else if (key->configured)
		printf("The site pins fingerprints by `host-key:`%s. If %s confirms the new one, write it there.\n",
		       key->on_the_way ? " below `jump`" : "",
		       key->on_the_way ? "whoever runs that server" : "the partner");
	else
		printf("Compare with what %s tells you by another way than this line, then:\n"
		       "  ferrule transfer trust %s --fingerprint %s\n",
		       key->on_the_way ? "whoever runs it" : "the partner", system, key->fingerprint);
}

static int trust(const struct arguments *arguments, const char *system, const struct site *site)
{
	const char *wanted = argument(arguments, "fingerprint");
	struct peer_key *key = mem_alloc(sizeof *key);
	look_fn *look = NULL;
	const struct endpoint *endpoint = endpoint_of(site, system, &look);
	struct error error = {0};
	bool recorded = false;
	int code = EXIT_DONE;

	if (!endpoint) {
		code = verb_refused(arguments, EXIT_FINDINGS, "trust.system",
				    "no flow reaches a system `%s` by a key that could be pinned", system);
	} else if (look(endpoint, key, &error)) {
		code = verb_failed(arguments, &error);
	} else if (wanted && strcmp(wanted, key->fingerprint)) {
		code = verb_refused(arguments, EXIT_FINDINGS, "trust.other", "%s shows %s, not %s; nothing was pinned",
				    key->host, key->fingerprint, wanted);
	} else {
		recorded = wanted && !key->trusted && !key->configured;
		code = recorded ? pin(arguments, system, key) : key->trusted ? EXIT_DONE : EXIT_FINDINGS;
		if (!code || !recorded)
			tell(arguments, system, key, recorded);
	}
	free(key);
	return code;
}

int transfer_trust(const struct arguments *arguments)
{
	const char *directory = argument_given(arguments, "site") ? argument(arguments, "site") : ".",
		   *environment = argument_given(arguments, "env") ? argument(arguments, "env") : "";
	struct error error = {0};
	struct findings findings;
	struct bundle *bundle;
	struct site *site;
	char *absolute;
	int code;

	if (arguments->count != 2)
		return verb_usage(arguments, "which system's key?");
	bundle = bundle_read_new(directory, environment, &error);
	if (!bundle)
		return verb_failed(arguments, &error);
	absolute = realpath(directory, NULL);
	findings_init(&findings);
	site = site_load_new(bundle, registry_get(), absolute ? absolute : directory, &findings);
	code = site ? trust(arguments, arguments->words[1], site)
		    : verb_refused(arguments, EXIT_FINDINGS, "trust.site",
				   "the site has mistakes; ferrule check tells them");
	site_free(site);
	findings_free(&findings);
	bundle_free(bundle);
	free(absolute);
	return code;
}
