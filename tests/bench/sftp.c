/* A file by SFTP, ours beside OpenSSH's `sftp` with the same cipher, in turns: seconds and the ratio of rates.
 *
 *     sftp HOST PORT USER SECRETS KNOWN_HOSTS REMOTE MEGABYTES ROUNDS      the key is SECRETS/key */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "broker-adapters/sftp/sftp.h"
#include "tests/bench/bench.h"

#define LIMIT_S 300

static struct sftp_settings settings = {.key = "key", .timeout_ms = 30000, .keepalive_ms = 15000};
static struct endpoint endpoint = {.name = "bench", .root = "/", .system = ""};
static const char *port;

static double get(const char *remote, const char *local, uint64_t size)
{
	char *chunk = mem_alloc(1 << 20);
	double begun = bench_now();
	struct error error = {0};
	struct sftp *sftp = sftp_open(&settings, &endpoint, &error);
	int fd = open(local, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), status;
	struct sftp_download *download = sftp ? sftp_download_new(sftp, remote, 0, size, &status, &error) : NULL;
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

static double theirs(const char *command)
{
	char *line = mem_printf("echo '%s' | sftp -q -b - -c aes256-ctr -o MACs=hmac-sha2-256 -i %s/key -P %s -o "
				"UserKnownHostsFile=%s -o StrictHostKeyChecking=yes %s@%s > /dev/null",
				command, endpoint.secrets, port, settings.known_hosts, settings.user, settings.host);
	double begun = bench_now();

	if (system(line))
		bench_die("sftp", NULL);
	free(line);
	return bench_now() - begun;
}

static void say(const char *what, double *ours, double *others, size_t rounds, uint64_t size)
{
	double us = bench_median(ours, rounds), them = bench_median(others, rounds);

	printf("{\"bench\": \"sftp-%s\", \"mb_s\": %.0f, \"openssh_mb_s\": %.0f, \"ratio\": %.2f}\n", what,
	       (double)size / us / 1e6, (double)size / them / 1e6, them / us);
}

int main(int argc, char **argv)
{
	double got[BENCH_ROUNDS_MAX], theirs_got[BENCH_ROUNDS_MAX], sent[BENCH_ROUNDS_MAX],
		theirs_sent[BENCH_ROUNDS_MAX];
	char *folder = bench_directory(), *local = mem_printf("%s/file", folder), *line, *bytes = mem_alloc(1 << 20);
	size_t rounds = argc == 9 ? strtoul(argv[8], NULL, 10) : 0;
	uint64_t size = argc == 9 ? strtoull(argv[7], NULL, 10) << 20 : 0;
	FILE *file;

	if (!rounds || rounds > BENCH_ROUNDS_MAX || !size)
		bench_die("usage: sftp HOST PORT USER SECRETS KNOWN_HOSTS REMOTE MEGABYTES ROUNDS", NULL);
	bench_limit(LIMIT_S);
	settings.host = argv[1];
	settings.port = strtol(port = argv[2], NULL, 10);
	settings.user = argv[3];
	endpoint.secrets = argv[4];
	settings.known_hosts = argv[5];
	file = fopen(local, "we");
	for (uint64_t at = 0; file && at < size; at += 1 << 20)
		fwrite(bytes, 1, 1 << 20, file);
	if (!file || fclose(file))
		bench_die("file", NULL);
	for (size_t i = 0; i < rounds; i++) {
		sent[i] = put(local, argv[6], size);
		line = mem_printf("put -f %s %s.theirs", local, argv[6]);
		theirs_sent[i] = theirs(line);
		free(line);
		got[i] = get(argv[6], local, size);
		line = mem_printf("get %s %s", argv[6], local);
		theirs_got[i] = theirs(line);
		free(line);
	}
	say("get", got, theirs_got, rounds, size);
	say("put", sent, theirs_sent, rounds, size);
	free(bytes);
	free(local);
	bench_remove(folder);
	return 0;
}
