/* The syslog sink: each message is one line for a syslog receiver (RFC 5424), over TLS (RFC 5425), TCP with counted
 * octets (RFC 6587, 3.4.1), UDP (RFC 5426), or the socket of this machine's own daemon.
 *
 * Syslog has no answers. How much is known then:
 *   tls, tcp  delivered when the other machine's TCP has acknowledged the last byte. A connection that breaks before
 *             the whole line was handed over: certainly not; between that and the acknowledgement: doubt
 *   udp       delivered when it was handed to the network: at most once, and nobody ever hears of a loss
 *   local     delivered when it lies in the daemon's socket
 * syslog_settings.c: settings, and what is rendered of a message; syslog_line.c: the line; syslog_link.c: the
 * connection, the fence around libcurl; syslog_sink.c: what the role calls. */
#ifndef FERRULE_BROKER_ADAPTERS_SYSLOG_H
#define FERRULE_BROKER_ADAPTERS_SYSLOG_H

#include "base/adapter.h"

#define SYSLOG_SIZE_MAX 8192u /* travels in the envelope */
#define SYSLOG_DATA_MAX 16u   /* of our own parameters */
#define SYSLOG_VALUE_MAX 256u
#define SYSLOG_CUT "... [cut]"

enum syslog_transport { SYSLOG_TLS, SYSLOG_TCP, SYSLOG_UDP, SYSLOG_LOCAL };
enum syslog_format { SYSLOG_AUTO, SYSLOG_RFC5424, SYSLOG_BSD };
enum syslog_longer { SYSLOG_CUTS, SYSLOG_REJECTS };

struct syslog_settings {
	struct template *text, *severity;
	struct template_map data;
	const char *system, *host, *socket, *ca, *certificate, *key, *app_name, *hostname, *data_id;
	int64_t port; /* 0: the usual one of `transport` */
	int transport, format, longer, facility;
	bool bom;
	int64_t connect_ms, timeout_ms;
	uint64_t max;
};

extern const struct option syslog_options[];
extern const struct sink_ops syslog_sink_ops;

/* sink_ops.check: FATAL `syslog.settings`. */
int syslog_check(const struct endpoint *, struct error *);
/* sink_ops.address: sets text, severity and data.NAME. REJECT `syslog.severity`, `syslog.size`, `syslog.text`. */
int syslog_address(const struct endpoint *, const struct expression_input *, struct message *, struct error *);
/* 0 to 7; -1: it is neither a word nor a number of a severity. */
int syslog_severity(struct span);

/* ---- the line */
/* The same attempt gives the same line, whoever sends it and however often: its time is the message's. Never longer
 * than the settings' max-size: the text is cut, with a mark. Nothing in it is a control character, whatever the data
 * have. False: the text did not fit. */
bool syslog_line(const struct attempt *, const char *hostname, struct buf *);

/* ---- the connection */
struct syslog_link;
struct syslog_link *syslog_link_new(const struct endpoint *, struct error *); /* NULL: FATAL; connects to nothing yet */
void syslog_link_free(struct syslog_link *);                                  /* NULL is legal */
/* Hands one line over, connecting first where that is needed; blocks up to the settings' times. -1, RETRY: it was not
 * handed over as a whole, nothing was delivered; *lost: what was handed over before and not confirmed is lost with the
 * connection, or not: nobody knows. */
int syslog_link_send(struct syslog_link *, struct span line, bool *lost, struct error *);
/* What was handed over is there, as far as anybody can know it. Blocks. -1: DOUBT. */
int syslog_link_confirm(struct syslog_link *, struct error *);

#endif
