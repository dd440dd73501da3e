/* What a check said, kept for the next one. See site.h.
 *
 * Reading a site takes milliseconds, compiling its expressions takes seconds: so the site is always read, and only what
 * site_check and the tests would say is taken from DATA/check/. The key is made of everything that is looked at: the
 * revision, this program, the tests, and which secrets and runbooks are there; which files the tests ask for is kept
 * beside it. One file for each environment, replaced by renaming; whatever is wrong with it, the check is made anew and
 * says the same. */
#include "config.h"
#include "config/load.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "config/trial.h"

#define FILE_MAX (16u * 1024 * 1024)

/* ---- the key --------------------------------------------------------------------------------------------- */
struct facts {
	const struct site *site;
	struct buf text;
};

static void add_secret(void *arg, const struct found *found)
{
	struct facts *facts = arg;
	struct error error = {0};
	int state;

	if (!found->secret)
		return;
	state = secret_state(facts->site->secrets_path, found->secret, &error);
	buf_printf(&facts->text, "secret %s %d %s\n", found->secret, state, error.text);
}

static void add_path(struct facts *facts, const char *path)
{
	struct stat status;
	char *full;

	if (!path || strstr(path, "://"))
		return;
	full = path[0] == '/' ? mem_strdup(path) : mem_printf("%s/%s", facts->site->directory, path);
	if (stat(full, &status) < 0)
		buf_printf(&facts->text, "%s absent\n", full);
	else
		buf_printf(&facts->text, "%s %o\n", full, (unsigned)status.st_mode);
	free(full);
}

/* Which keys there are, and which expire soon, is another day's question each day. */
static void add_keyring(struct facts *facts)
{
	char *path = mem_printf("%s/pubring.kbx", facts->site->keys_path);
	struct stat status;

	add_path(facts, facts->site->keys_path);
	if (!stat(path, &status))
		buf_printf(&facts->text, "keys %lld %lld %ld on day %lld\n", (long long)status.st_size,
			   (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
			   (long long)(clock_now_ms() / 86400000));
	free(path);
}

/* A program that was built again is another one, whatever its version says. */
static void add_program(struct facts *facts)
{
	struct stat status;

	if (stat("/proc/self/exe", &status) == 0)
		buf_printf(&facts->text, PACKAGE_VERSION " %lld %lld %ld\n", (long long)status.st_size,
			   (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

/* What was found while the site was read belongs to it as well: check says less of a site that could not be read. */
static void key_of(const struct site *site, const struct trials_checked *trials, const struct findings *findings,
		   char hex[ID_TEXT])
{
	struct facts facts = {.site = site};
	struct span parts[2];
	struct id id;

	buf_init(&facts.text, FILE_MAX);
	add_program(&facts);
	buf_printf(&facts.text, "%zu %s\n", findings->errors, site->directory);
	filled_each(site->load, add_secret, &facts);
	add_path(&facts, site->secrets_path);
	add_keyring(&facts);
	if (site->listen && site->listen_settings && site->listen->listen_file)
		add_path(&facts, site->listen->listen_file(site->listen_settings));
	for (size_t i = 0; i < site->flows_count; i++) {
		add_path(&facts, site->flows[i].runbook);
		for (size_t k = 0; k < site->flows[i].expect_count; k++)
			add_path(&facts, site->flows[i].expect[k].runbook);
	}
	for (size_t i = 0; i < site->systems_count; i++)
		add_path(&facts, site->systems[i].runbook);
	trials_check_note(trials, &facts.text);
	parts[0] = span_of(site->revision);
	parts[1] = buf_view(&facts.text);
	id = id_of(parts, 2);
	id_hex(&id, hex);
	buf_free(&facts.text);
}

/* ---- the file -------------------------------------------------------------------------------------------- */
static bool ours(const char *directory)
{
	struct stat status;

	return stat(directory, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
	       !(status.st_mode & 022);
}

/* DATA/check, made where it is missing, but only in a site of one's own, and never among what ships. A data directory
 * that is made for this only says so to git. */
static bool make_directory(const struct site *site, char *path, size_t size)
{
	char shipped[PATH_MAX], ignore[PATH_MAX + 32];
	FILE *file;

	config_shipped(shipped, sizeof shipped, "");
	if (strncmp(site->directory, shipped, strlen(shipped)) == 0 || !ours(site->directory))
		return false;
	if ((size_t)snprintf(path, size, "%s/check", site->data_path) >= size)
		return false;
	if (mkdir(site->data_path, 0755) == 0) {
		snprintf(ignore, sizeof ignore, "%s/.gitignore", site->data_path);
		file = fopen(ignore, "we");
		if (file) {
			fputs("*\n", file);
			fclose(file);
		}
	}
	return ours(site->data_path) && (mkdir(path, 0700) == 0 || (errno == EEXIST && ours(path)));
}

static void name_file(const struct site *site, const char *directory, char *path, size_t size)
{
	const char *environment = site->bundle->environment;

	snprintf(path, size, "%s/%s%.64s.json", directory, *environment ? "env-" : "site", environment);
}

static bool restore_one(const json_t *item, struct findings *findings)
{
	const char *file, *severity, *code, *text;
	int line, column;

	if (json_unpack((json_t *)item, "{s:s, s:i, s:i, s:s, s:s, s:s}", "file", &file, "line", &line, "column",
			&column, "severity", &severity, "code", &code, "message", &text))
		return false;
	finding_add(findings, (struct place){file, line, column},
		    strcmp(severity, "error") == 0 ? SEVERITY_ERROR : SEVERITY_WARNING, code, "%s", text);
	return true;
}

/* True when the file is what this key's check said; the findings are replaced by its. */
static bool restore(const char *path, const char *key, const char *directory, struct findings *findings)
{
	json_t *all = json_load_file(path, 0, NULL), *list = json_object_get(all, "findings"), *item;
	const char *stored = json_string_value(json_object_get(all, "key"));
	bool good = stored && strcmp(stored, key) == 0 && json_is_array(list) &&
		    trials_check_same(directory, json_object_get(all, "asked"));
	struct findings restored;
	size_t i;

	if (good) {
		findings_init(&restored);
		json_array_foreach(list, i, item)
			good = good && restore_one(item, &restored);
		if (good) {
			findings_free(findings);
			*findings = restored;
		} else {
			findings_free(&restored);
		}
	}
	json_decref(all);
	return good;
}

static void keep(const char *path, const char *key, json_t *asked, const struct findings *findings)
{
	json_t *all = json_pack("{s:s, s:O, s:o}", "key", key, "asked", asked, "findings", report_json_new(findings));
	char *other = mem_printf("%s.%ld", path, (long)getpid());

	if (all && json_dump_file(all, other, JSON_COMPACT) == 0) {
		if (rename(other, path) < 0)
			unlink(other);
	} else {
		unlink(other);
	}
	free(other);
	json_decref(all);
}

int site_inspect_cached(const struct bundle *bundle, const struct registry *registry, const char *directory, bool fresh,
			struct findings *findings)
{
	struct site *site = load_all(bundle, registry, directory, findings);
	char folder[PATH_MAX], path[PATH_MAX + 80], key[ID_TEXT];
	struct trials_checked trials;
	bool writable, known = false;

	trials_check_open(&trials, directory);
	writable = findings->dropped == 0 && make_directory(site, folder, sizeof folder);
	if (writable) {
		key_of(site, &trials, findings, key);
		name_file(site, folder, path, sizeof path);
		known = !fresh && restore(path, key, site->directory, findings);
	}
	if (!known) {
		inspect_rest(site, registry, &trials, findings);
		if (writable && findings->dropped == 0)
			keep(path, key, trials.trials.asked, findings);
	}
	trials_check_close(&trials);
	site_free(site);
	return findings->errors > 0 ? -1 : 0;
}
