/* A connected socket on the way to an SFTP server. Private to sftp*.c. */
#ifndef FERRULE_ADAPTERS_SFTP_DIAL_H
#define FERRULE_ADAPTERS_SFTP_DIAL_H

#include <stdint.h>

#include "base/error.h"

/* One that does not block, through the proxy ("socks5://host:port") if it is not NULL; until `deadline` of the
 * monotonic clock, but for looking up the name. -1: RETRY of the endpoint (sftp.connect, sftp.proxy). */
int sftp_dial(const char *proxy, const char *host, int64_t port, int64_t deadline, struct error *);
int sftp_proxy_parse(const char *proxy, char host[256], char port[8]); /* -1: it is not of that form */

#endif
