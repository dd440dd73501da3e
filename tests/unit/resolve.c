/* Names of hosts within a time: against a name server that takes questions and never answers, in a network and with a
 * resolv.conf of its own (needs root). */
#include "config.h"
#include "base/resolve.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/support/support.h"

#define NO_NETWORK 77

static void numbers_and_known_names_are_found(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "::1", "localhost"};
	struct addrinfo *found;
	const char *why;

	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(resolve(hosts[i], "514", SOCK_DGRAM, 5000, NULL, NULL, &found, &why), 0);
		assert_non_null(found);
		assert_int_equal(found->ai_socktype, SOCK_DGRAM);
		freeaddrinfo(found);
	}
	assert_int_equal(resolve("no such name", "514", SOCK_STREAM, 20000, NULL, NULL, &found, &why), -1);
	assert_non_null(why);
	assert_null(found);
}

/* A name server that nobody hears, and 127.0.0.1 to reach it. */
static int silent_server(void)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	char path[] = "/tmp/ferrule-resolve.XXXXXX";
	int file, server;

	if (unshare(CLONE_NEWNS | CLONE_NEWNET) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -1;
	server = socket(AF_INET, SOCK_DGRAM, 0);
	file = mkstemp(path);
	if (file < 0 || server < 0 || write(file, "nameserver 127.0.0.1\n", 21) != 21 ||
	    ioctl(server, SIOCSIFFLAGS, &loopback) || bind(server, (struct sockaddr *)&at, sizeof at) ||
	    mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL)) {
		unlink(path);
		return -1;
	}
	unlink(path);
	return server;
}

static bool count(void *arg)
{
	return ++*(int *)arg < 100;
}

static bool stop(void *arg)
{
	return false;
}

static int ask_silent_server(void)
{
	int64_t begun;
	struct addrinfo *found;
	const char *why;
	int server = silent_server(), ticks = 0;
	char question[512];

	if (server < 0)
		return NO_NETWORK;
	begun = clock_tick_ms();
	if (!resolve("partner.example.net", "22", SOCK_STREAM, 1500, count, &ticks, &found, &why) ||
	    strcmp(why, "the name is not resolved in time") != 0)
		return 1;
	if (clock_tick_ms() - begun > 4000 || clock_tick_ms() - begun < 1400 || ticks < 2)
		return 2;
	if (recv(server, question, sizeof question, MSG_DONTWAIT) < 12) /* it was really asked */
		return 3;
	begun = clock_tick_ms();
	if (!resolve("partner.example.net", "22", SOCK_STREAM, 60000, stop, NULL, &found, &why) ||
	    clock_tick_ms() - begun > 4000)
		return 4;
	return 0;
}

static void a_name_server_that_is_silent_costs_no_more_than_the_time_limit(void **state)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(ask_silent_server());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_NETWORK)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_and_known_names_are_found),
		cmocka_unit_test(a_name_server_that_is_silent_costs_no_more_than_the_time_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
