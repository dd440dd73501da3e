/* A process that plays the gateway for the listener, and a client for it. */
#ifndef FERRULE_TESTS_LAB_HTTP_GATEWAY_H
#define FERRULE_TESTS_LAB_HTTP_GATEWAY_H

#include <sys/types.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "tests/lab/http_lab.h"

/* Runs until SIGTERM (ends at once) or SIGUSR1 (finishes what it has). What it does with an arrival is in the webhook's
 * path; each is a line in DIRECTORY/log. Writes the port to `tell`, 0 when it cannot listen. */
_Noreturn void lab_gateway(const char *directory, const char *listen, int tell);

struct fixture {
	char *directory, *log;
	pid_t gateway;
	unsigned port;
	CURL *easy;
	struct buf body, headers;
	const char *scheme;
};

struct call {
	const char *method, *path, *headers[6];
	struct span body;
	bool chunked;
	long timeout_ms;
};

/* The status; the answer is in f->body and f->headers. 0: none came. */
long call(struct fixture *f, const struct call *call);

#define KEY "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" /* of the webhook /signed */
/* For cmocka: a directory with secrets, and with `setup` a gateway. */
int setup_plain(void **state);
int setup(void **state);
int teardown(void **state);
void start(struct fixture *f, const char *listen);
/* Ends the gateway with that signal; it must end well (the sanitizers speak there). */
void end(struct fixture *f, int number);

#endif
