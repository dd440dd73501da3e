/* What the tests of the HTTP adapter share: settings written as JSON, endpoints, and sockets that speak it by hand. */
#ifndef FERRULE_TESTS_LAB_HTTP_LAB_H
#define FERRULE_TESTS_LAB_HTTP_LAB_H

#include "broker-adapters/http/http.h"

/* Fills a module's struct from its option table, as a site's YAML would; ends the test on any finding. In the arena. */
void *lab_settings(struct arena *, const struct option *table, size_t size, const char *json);
struct endpoint *lab_endpoint(struct arena *, const char *name, const char *directory, const void *settings);

int lab_connect(unsigned port); /* to 127.0.0.1; ends the test when it cannot */
void lab_send(int fd, const char *text);
/* What arrives until the peer closes, or until `wait_ms` pass in silence; the caller frees. *closed: the peer ended it.
 */
char *lab_receive(int fd, int wait_ms, bool *closed);

#endif
