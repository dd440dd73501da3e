/* Files by SFTP, ours beside OpenSSH's `sftp` with the same cipher, in turns: rates and their ratio.
 *
 *     sftp HOST PORT USER SECRETS KNOWN_HOSTS NAME large FOLDER MEGABYTES ROUNDS     one file, there and back
 *     sftp … NAME small FOLDER COUNT ROUNDS [THEIRS]
 *                                                files of 4 KB, through the source and the sink as the site uses them;
 *                                                so many of them by OpenSSH
 *     sftp … NAME memory FOLDER MEGABYTES...     the most memory of a process that fetches and delivers such a file
 *
 * NAME says what the line is called; the key is SECRETS/key. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "broker-adapters/sftp/sftp_files.h"
#include "tests/bench/bench.h"

#define LIMIT_S 900
#define SMALL 4096
#define BATCH 64

extern const struct source_ops sftp_source_ops;
extern const struct sink_ops sftp_sink_ops;

static struct sftp_settings settings = {.key = "key", .timeout_ms = 60000, .keepalive_ms = 15000, .channels = 8};
static const char *port, *called, *secrets;

static struct endpoint endpoint_of(const void *own)
{
	return (struct endpoint){.name = "bench", .root = "/", .system = "", .secrets = secrets, .settings = own};
}

/* ---- OpenSSH's client ------------------------------------------------------------------------------------------ */

static double theirs(const char *command)
{
	char *line = mem_printf("echo '%s' | sftp -q -b - -c aes256-ctr -o MACs=hmac-sha2-256 -i %s/key -P %s -o "
				"UserKnownHostsFile=%s -o StrictHostKeyChecking=yes %s@%s > "
				"/dev/null",
				command, secrets, port, settings.known_hosts, settings.user, settings.host);
	double begun = bench_now();

	if (system(line))
		bench_die("sftp", NULL);
	free(line);
	return bench_now() - begun;
}

static double theirs_do(const char *format, const char *a, const char *b)
{
	char *line = mem_printf("%s %s %s", format, a, b);
	double took = theirs(line);

	free(line);
	return took;
}

static void say(const char *what, double *ours, double *others, size_t rounds, double units, const char *unit)
{
	double us = bench_median(ours, rounds), them = bench_median(others, rounds);

	printf("{\"bench\": \"%s_%s\", \"%s\": %.3g, \"openssh_%s\": %.3g, \"ratio\": %.2f}\n", called, what, unit,
	       units / us, unit, units / them, them / us);
}

/* ---- one large file -------------------------------------------------------------------------------------------- */

static double get(const char *remote, const char *local, uint64_t size)
{
	struct sftp_source_settings own = {.connection = settings};
	struct endpoint endpoint = endpoint_of(&own);
	char *chunk = mem_alloc(1 << 20);
	double begun = bench_now();
	struct error error = {0};
	struct sftp *sftp = sftp_open(&settings, &endpoint, &error);
	int fd = open(local, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), status;
	struct sftp_download *download = sftp ? sftp_download_new(sftp, remote, 0, size + 1, &status, &error) : NULL;
	ssize_t n;

	if (!download)
		bench_die("get", &error);
	while ((n = sftp_download_read(download, chunk, 1 << 20, &error)) > 0)
		if (write(fd, chunk, (size_t)n) != n)
			bench_die("write", NULL);
	if (n < 0)
		bench_die("get", &error);
	sftp_download_free(download);
	sftp_close(sftp);
	close(fd);
	free(chunk);
	return bench_now() - begun;
}

static double put(const char *local, const char *remote, uint64_t size)
{
	struct sftp_sink_settings own = {.connection = settings};
	struct endpoint endpoint = endpoint_of(&own);
	double begun = bench_now();
	struct error error = {0};
	struct sftp *sftp = sftp_open(&settings, &endpoint, &error);
	struct remote_upload upload = {.path = remote, .fresh = true};

	if (!sftp)
		bench_die("put", &error);
	upload.body = reader_new_fd(open(local, O_RDONLY | O_CLOEXEC), 0, size);
	sftp_remove(sftp, remote, NULL);
	if (sftp_upload(sftp, &upload, &error) || upload.size != size)
		bench_die("put", &error);
	reader_unref(upload.body);
	sftp_close(sftp);
	return bench_now() - begun;
}

static void make_file(const char *path, uint64_t size)
{
	char *bytes = mem_alloc(1 << 20);
	FILE *file = fopen(path, "we");

	for (uint64_t at = 0; file && at < size; at += 1 << 20)
		fwrite(bytes, 1, size - at < 1 << 20 ? (size_t)(size - at) : 1 << 20, file);
	if (!file || fclose(file))
		bench_die("file", NULL);
	free(bytes);
}

static void large(const char *directory, const char *folder, uint64_t size, size_t rounds)
{
	double got[BENCH_ROUNDS_MAX], theirs_got[BENCH_ROUNDS_MAX], sent[BENCH_ROUNDS_MAX],
		theirs_sent[BENCH_ROUNDS_MAX];
	char *local = mem_printf("%s/file", directory), *remote = mem_printf("%s/bench", folder),
	     *other = mem_printf("%s/theirs", folder);

	make_file(local, size);
	for (size_t i = 0; i < rounds; i++) {
		sync(); /* nobody's time is spent on writing to the disk what another left in memory */
		sent[i] = put(local, remote, size);
		sync();
		theirs_sent[i] = theirs_do("put -f", local, other);
		sync();
		got[i] = get(remote, local, size);
		sync();
		theirs_got[i] = theirs_do("get", remote, local);
	}
	say("get", got, theirs_got, rounds, (double)size / 1e6, "mb_s");
	say("put", sent, theirs_sent, rounds, (double)size / 1e6, "mb_s");
	free(local);
	free(remote);
	free(other);
}

/* ---- many small files ------------------------------------------------------------------------------------------ */

/* As the poll role does it: found, fetched into the vault, synced, put away. How many. */
static size_t take_batch(void *source, struct vault *vault)
{
	struct document *documents[BATCH];
	enum settlement how[BATCH] = {SETTLE_ACCEPTED};
	struct error error = {0};
	size_t found;

	if (sftp_source_ops.poll(source, documents, BATCH, &found, &error))
		bench_die("poll", &error);
	for (size_t i = 0; i < found; i++)
		if (sftp_source_ops.fetch(source, documents[i], vault, &error))
			bench_die("fetch", &error);
	if (found && (vault_sync(vault, &error) || sftp_source_ops.settle_all(source, documents, how, found, &error)))
		bench_die("settle", &error);
	for (size_t i = 0; i < found; i++)
		sftp_source_ops.forget(source, documents[i]);
	return found;
}

static double take_all(const char *directory, const char *folder, size_t count)
{
	char *path = mem_printf("%s/*", folder), *archive = mem_printf("%s.archive", folder),
	     *place = mem_printf("%s/vault", directory);
	struct sftp_source_settings own = {.connection = settings,
					   .files = {.path = path,
						     .after = REMOTE_MOVE,
						     .to = archive,
						     .order = REMOTE_BY_NAME,
						     .taking.max_size = 10ull << 30}};
	struct endpoint endpoint = endpoint_of(&own);
	struct error error = {0};
	struct vault *vault = vault_open(place, &error);
	double begun = bench_now();
	void *source = vault ? sftp_source_ops.open(&endpoint, &error) : NULL;
	size_t taken = 0, n;

	if (!source)
		bench_die("source", &error);
	while (taken < count && (n = take_batch(source, vault)))
		taken += n;
	sftp_source_ops.close(source);
	vault_close(vault);
	if (taken != count)
		bench_die("not all files were there", NULL);
	free(path);
	free(archive);
	free(place);
	return bench_now() - begun;
}

static void begin_attempt(struct attempt *attempt, const struct endpoint *endpoint, const char *folder,
			  const char *local, size_t number, uint64_t size)
{
	char *path = mem_printf("%s/f%06zu", folder, number);
	struct message *message = message_new();
	struct error error = {0};

	message->id = id_digest(span_of(path));
	message_body_take(message, reader_new_fd(open(local, O_RDONLY | O_CLOEXEC), 0, size));
	if (message_attr(message, SPAN_LITERAL("path"), span_of(path), &error))
		bench_die("attempt", &error);
	*attempt = (struct attempt){.endpoint = endpoint, .message = message, .key = message->id};
	buf_init(&attempt->receipt, 16384);
	free(path);
}

/* As the deliver role does it, but for the store: made ready, renamed, the witness removed. */
static void deliver_batch(void *sink, struct attempt *attempts, size_t n)
{
	struct attempt *all[BATCH], *done[BATCH];
	struct error error = {0};
	size_t reaped = 0, count;

	for (size_t i = 0; i < n; i++)
		all[i] = &attempts[i];
	sftp_sink_ops.ahead(sink, all, n);
	for (size_t i = 0; i < n; i++)
		if (sftp_sink_ops.prepare(sink, all[i], &error) || sftp_sink_ops.start(sink, all[i], &error))
			bench_die("deliver", &error);
	for (; reaped < n; reaped += count) {
		if (sftp_sink_ops.reap(sink, done, BATCH, &count, -1, 0, &error) || !count)
			bench_die("reap", &error);
		for (size_t i = 0; i < count; i++)
			if (done[i]->error.class != ERROR_NONE)
				bench_die("deliver", &done[i]->error);
	}
	for (size_t i = 0; i < n; i++) {
		attempts[i].settled = true;
		sftp_sink_ops.abandon(sink, &attempts[i]);
		buf_free(&attempts[i].receipt);
		message_free((struct message *)attempts[i].message);
	}
}

static double deliver_all(const char *local, const char *folder, size_t count, uint64_t size)
{
	struct sftp_sink_settings own = {.connection = settings, .files = {.create = true}};
	struct endpoint endpoint = endpoint_of(&own);
	struct attempt attempts[BATCH];
	struct error error = {0};
	double begun = bench_now();
	void *sink = sftp_sink_ops.open(&error);

	for (size_t at = 0; at < count;) {
		size_t n = 0;

		for (; n < BATCH && at < count; n++)
			begin_attempt(&attempts[n], &endpoint, folder, local, at++, size);
		deliver_batch(sink, attempts, n);
	}
	sftp_sink_ops.close(sink);
	return bench_now() - begun;
}

/* Theirs does less: it syncs nothing (put_synced: it does), and what it fetched stays where it was. Its files go one by
 * one, so that over a long line a part of them tells its rate. */
static void small(const char *directory, const char *folder, size_t count, size_t rounds, size_t theirs_count)
{
	double got[BENCH_ROUNDS_MAX], theirs_got[BENCH_ROUNDS_MAX], sent[BENCH_ROUNDS_MAX],
		theirs_sent[BENCH_ROUNDS_MAX], theirs_synced[BENCH_ROUNDS_MAX];
	char *files = mem_printf("%s/files", directory), *path = mem_printf("%s/f000000", files);
	bool syncs = theirs_count == count;

	mkdir(files, 0700);
	for (size_t i = 0; i < theirs_count; i++) {
		char *one = mem_printf("%s/f%06zu", files, i);

		make_file(one, SMALL);
		free(one);
	}
	for (size_t i = 0; i < rounds; i++) {
		char *ours = mem_printf("%s/ours-%s-%zu", folder, called, i),
		     *other = mem_printf("%s/theirs-%s-%zu", folder, called, i),
		     *synced = mem_printf("%s/synced-%s-%zu", folder, called, i),
		     *back = mem_printf("%s/back-%zu", directory, i);

		sent[i] = deliver_all(path, ours, count, SMALL);
		theirs_sent[i] = theirs_do("put -r", files, other);
		theirs_synced[i] = syncs ? theirs_do("put -r -f", files, synced) : 1;
		theirs_got[i] = theirs_do("get -r", other, back);
		got[i] = take_all(directory, ours, count);
		free(ours);
		free(other);
		free(synced);
		free(back);
	}
	for (size_t i = 0; i < rounds; i++) { /* as if it had been as many */
		theirs_got[i] *= (double)count / (double)theirs_count;
		theirs_sent[i] *= (double)count / (double)theirs_count;
	}
	say("get", got, theirs_got, rounds, (double)count, "files_s");
	say("put", sent, theirs_sent, rounds, (double)count, "files_s");
	if (syncs)
		say("put_synced", sent, theirs_synced, rounds, (double)count, "files_s");
	free(files);
	free(path);
}

/* ---- memory ---------------------------------------------------------------------------------------------------- */

/* In MiB, of a process that does this alone. */
static double peak_of(const char *directory, const char *local, const char *folder, uint64_t size, bool fetches)
{
	struct rusage used;
	pid_t pid = bench_fork();
	int status;

	if (pid == 0) {
		if (fetches)
			take_all(directory, folder, 1);
		else
			deliver_all(local, folder, 1, size);
		_exit(0);
	}
	if (wait4(pid, &status, 0, &used) < 0 || status)
		bench_die("memory", NULL);
	return (double)used.ru_maxrss / 1024;
}

/* A file with a hole: it takes no room where it comes from. */
static void memory(const char *directory, const char *folder, char **sizes, int count)
{
	char *local = mem_printf("%s/hole", directory);

	printf("{\"bench\": \"%s\"", called);
	for (int i = 0; i < count; i++) {
		uint64_t mib = strtoull(sizes[i], NULL, 10);
		char *here = mem_printf("%s/%s-%s", folder, called, sizes[i]),
		     *place = mem_printf("%s/%s", directory, sizes[i]);
		int fd = open(local, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		if (fd < 0 || ftruncate(fd, (off_t)(mib << 20)) || mkdir(place, 0700))
			bench_die("hole", NULL);
		close(fd);
		printf(", \"put_%s_mib\": %.1f", sizes[i], peak_of(place, local, here, mib << 20, false));
		printf(", \"get_%s_mib\": %.1f", sizes[i], peak_of(place, local, here, mib << 20, true));
		bench_remove(place);
		free(here);
	}
	printf("}\n");
	free(local);
}

int main(int argc, char **argv)
{
	char *directory;

	if (argc < 10)
		bench_die("usage: sftp HOST PORT USER SECRETS KNOWN_HOSTS NAME large|small|memory FOLDER …", NULL);
	bench_limit(LIMIT_S);
	settings.host = argv[1];
	settings.port = strtol(port = argv[2], NULL, 10);
	settings.user = argv[3];
	secrets = argv[4];
	settings.known_hosts = argv[5];
	called = argv[6];
	directory = bench_directory();
	if (!strcmp(argv[7], "memory"))
		memory(directory, argv[8], argv + 9, argc - 9);
	else if (argc < 11 || strtoul(argv[10], NULL, 10) - 1 >= BENCH_ROUNDS_MAX)
		bench_die("how many rounds?", NULL);
	else if (!strcmp(argv[7], "large"))
		large(directory, argv[8], strtoull(argv[9], NULL, 10) << 20, strtoul(argv[10], NULL, 10));
	else
		small(directory, argv[8], strtoul(argv[9], NULL, 10), strtoul(argv[10], NULL, 10),
		      strtoul(argv[argc > 11 ? 11 : 9], NULL, 10));
	bench_remove(directory);
	return 0;
}
