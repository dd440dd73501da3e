/* ferrule backup, ferrule restore: a site on one machine as one consistent whole (services/backup.h). */
#include "config.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/site.h"
#include "config/site.h"
#include "services/backup.h"
#include "services/registry.h"

static const struct verb_option backup_options[] = {
	{"previous", "DIR", "an earlier backup: what it has as well is shared with it by hard links", NULL},
	{"verify", NULL, "make none: read the backup TO and compare its digests", NULL},
	SITE_OPTIONS,
	{.name = NULL},
};

static const struct verb_option restore_options[] = {
	{"mark", NULL, "put nothing back: note that the databases were put back by other means", NULL},
	SITE_OPTIONS,
	{.name = NULL},
};

/* ---- progress, for people at a terminal */
struct progress {
	bool shown;
	int64_t last;
};

static void show_progress(void *arg, uint64_t files, uint64_t bytes)
{
	struct progress *progress = arg;

	if (!isatty(STDERR_FILENO) || clock_tick_ms() - progress->last < 200)
		return;
	progress->last = clock_tick_ms();
	progress->shown = true;
	fprintf(stderr, "\r%" PRIu64 " files, %" PRIu64 " MiB ", files, bytes >> 20);
}

static void end_progress(const struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
}

static int tell(const struct arguments *arguments, const char *result, const char *path,
		const struct backup_summary *summary)
{
	json_t *answer;

	if (!arguments->json) {
		printf("%s: %s of %s, made %s: %" PRIu64 " files, %.1f MiB", path, result, summary->site,
		       show_time(SHOWN_HERE, summary->made_ms), summary->files, (double)summary->bytes / (1 << 20));
		if (summary->linked)
			printf(", %" PRIu64 " of them shared with the one before", summary->linked);
		puts("");
		return EXIT_DONE;
	}
	answer = json_pack("{s:s s:s s:s s:s s:I s:I s:I s:I}", "result", result, "backup", path, "site", summary->site,
			   "revision", summary->revision, "made_ms", (json_int_t)summary->made_ms, "files",
			   (json_int_t)summary->files, "bytes", (json_int_t)summary->bytes, "linked",
			   (json_int_t)summary->linked);
	verb_print_json(answer);
	json_decref(answer);
	return EXIT_DONE;
}

static int verify(const struct arguments *arguments)
{
	struct backup_summary summary;
	struct progress progress = {0};
	struct error error = {0};
	int result = backup_verify(arguments->words[0], show_progress, &progress, &summary, &error);

	end_progress(&progress);
	return result ? verb_failed(arguments, &error)
		      : tell(arguments, "a whole backup", arguments->words[0], &summary);
}

static int backup(const struct arguments *arguments)
{
	struct backup_summary summary;
	struct progress progress = {0};
	struct error error = {0};
	struct session *session;
	int code, result;

	if (argument_given(arguments, "verify"))
		return verify(arguments);
	session = site_reach(arguments, NULL, NULL, &code);
	if (!session)
		return code;
	code = site_change(arguments, session, "audit.note",
			   json_pack("{s:s s:s s:{s:s}}", "what", "backup", "by", site_person(), "facts", "to",
				     arguments->words[0]));
	if (!code) {
		result = backup_make(session_site(session), arguments->words[0], argument(arguments, "previous"),
				     show_progress, &progress, &summary, &error);
		end_progress(&progress);
		code = result ? verb_failed(arguments, &error)
			      : tell(arguments, "backup", arguments->words[0], &summary);
	}
	session_close(session);
	return code;
}

/* Without its data a site cannot be reached, only read. NULL: it was said. */
static struct site *site_of(const struct arguments *arguments, struct bundle **bundle, int *code)
{
	const char *directory = argument_given(arguments, "site") ? argument(arguments, "site") : ".";
	struct error error = {0};
	struct findings findings;
	struct site *site;

	*bundle =
		bundle_read_new(directory, argument_given(arguments, "env") ? argument(arguments, "env") : "", &error);
	if (!*bundle) {
		*code = verb_failed(arguments, &error);
		return NULL;
	}
	findings_init(&findings);
	site = site_load_new(*bundle, registry_get(), directory, &findings);
	if (!site) {
		error_set(&error, ERROR_REJECT, "site.invalid", "the configuration is not valid: ferrule check");
		*code = verb_failed_with(arguments, &error, &findings, EXIT_FINDINGS);
	}
	findings_free(&findings);
	return site;
}

static int put_back(const struct arguments *arguments, const struct site *site)
{
	struct backup_summary summary;
	struct progress progress = {0};
	struct error error = {0};
	int code;

	if (backup_restore(site, arguments->words[0], site_person(), show_progress, &progress, &summary, &error)) {
		end_progress(&progress);
		return verb_failed(arguments, &error);
	}
	end_progress(&progress);
	code = tell(arguments, "restored the backup", arguments->words[0], &summary);
	if (!arguments->json)
		printf("What was under way is looked for at its target before it is sent; what cannot be known waits "
		       "in ferrule doubt list%s.\nStart the site: ferrule run\n",
		       show_site(SHOWN_HERE, arguments));
	return code;
}

static int mark(const struct arguments *arguments, const struct site *site)
{
	struct error error = {0};

	if (backup_mark(site, site_person(), &error))
		return verb_failed(arguments, &error);
	if (!arguments->json)
		puts("Noted: what was accepted before now is looked for at its target before it is sent.");
	return EXIT_DONE;
}

static int restore(const struct arguments *arguments)
{
	bool only_mark = argument_given(arguments, "mark");
	struct bundle *bundle;
	struct site *site;
	int code = EXIT_DONE;

	if (only_mark == (arguments->count > 0))
		return verb_usage(arguments, only_mark
						     ? "--mark puts nothing back, and needs no backup"
						     : "which backup? ferrule restore FROM, or ferrule restore --mark");
	site = site_of(arguments, &bundle, &code);
	if (site)
		code = only_mark ? mark(arguments, site) : put_back(arguments, site);
	site_free(site);
	bundle_free(bundle);
	return code;
}

const struct verb verb_backup = {
	.name = "backup",
	.words = "TO",
	.words_min = 1,
	.words_max = 1,
	.summary = "Copy a site's data as one consistent whole, while it runs",
	.text = "  ferrule backup ../monday\n"
		"  ferrule backup ../tuesday --previous ../monday\n"
		"  ferrule backup --verify ../tuesday\n"
		"\nTO is a new directory: messages under way, receipts, dead letters, originals, traces and the\n"
		"audit trail. Configuration and secrets are not in it. Its SHA256SUMS is read by\n"
		"`sha256sum -c`, too.\n",
	.json = "{result, backup, site, revision, made_ms, files, bytes, linked}",
	.options = backup_options,
	.run = backup,
};

const struct verb verb_restore = {
	.name = "restore",
	.words = "[FROM]",
	.words_max = 1,
	.summary = "Put a site's data back from a backup",
	.text = "  ferrule restore ../tuesday\n"
		"  ferrule restore --mark\n"
		"\nThe site must not run, and have no data: move what is left of them away. What was delivered\n"
		"after the backup was made is unknown to it: everything that was under way is first looked for at\n"
		"its target (a file with these bytes, the idempotency key), and is a doubt where that cannot tell.\n"
		"--mark says the same of a PostgreSQL that was put back with its own tools.\n"
		"\nA site on RabbitMQ and PostgreSQL is restored into an empty schema; what was in its queues comes\n"
		"once more.\n",
	.json = "{result, backup, site, revision, made_ms, files, bytes, linked}",
	.options = restore_options,
	.run = restore,
};
