/* ssh-agent's protocol (draft-miller-ssh-agent, sections 3.5 and 3.6), as far as logging in needs it: which keys there
 * are, and a signature by one of them. Of our own, since libssh2 1.10 asks agents for RSA with SHA-1 alone, and waits
 * for them without an end. Private to sftp*.c. */
#ifndef FERRULE_ADAPTERS_SFTP_AGENT_H
#define FERRULE_ADAPTERS_SFTP_AGENT_H

#include "base/buf.h"
#include "base/error.h"

struct sftp_agent;

/* Connected to the socket (a path; NULL or empty: there is none), its keys listed: those of kinds that can log in
 * here, in its order, the first 100 at most. Each answer may take `timeout_ms`, and a quarter of a MiB.
 * NULL: RETRY of the endpoint (sftp.agent); an agent without a key is that as well. */
struct sftp_agent *sftp_agent_open(const char *path, int64_t timeout_ms, struct error *);
/* The same over a connection that is there, which does not block and is closed with the agent or on failure; `path` is
 * for messages only. */
struct sftp_agent *sftp_agent_over(int fd, const char *path, int64_t timeout_ms, struct error *);
void sftp_agent_close(struct sftp_agent *);
bool sftp_agent_is_lost(
	const struct sftp_agent *); /* it broke off, was silent or talked rubbish: it is not asked again */
size_t sftp_agent_count(const struct sftp_agent *);
/* A public key as SSH has it on the wire (RFC 4253, section 6.6); borrowed. */
struct span sftp_agent_key(const struct sftp_agent *, size_t i);
bool sftp_agent_is_rsa(const struct sftp_agent *, size_t i);

/* The signature's bytes, without the name of its algorithm, which must be `algorithm` (rsa-sha2-256 is asked for by its
 * flag; others are the key's own). Blocks for at most the time-out. -1: RETRY of the endpoint (sftp.agent). */
int sftp_agent_sign(struct sftp_agent *, size_t i, struct span data, const char *algorithm, struct buf *signature,
		    struct error *);

#endif
