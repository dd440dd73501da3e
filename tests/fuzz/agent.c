/* Fuzz target: any bytes as what an ssh-agent answers: to the question for its keys, then to each wish for a signature.
 * All of it is there beforehand, and then the connection ends, so that nothing waits. */
#include "config.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker-adapters/sftp/sftp_agent.h"
#include "broker-adapters/sftp/sftp_wire.h"

#define TIMEOUT_MS 1000
#define SIGNATURES_MAX 20
#define SIGNATURE_MAX 4096 /* what logging in takes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was asked is one whole message of that type. */
static void take_request(int peer, uint8_t type)
{
	static char bytes[65536];
	ssize_t n = recv(peer, bytes, sizeof bytes, MSG_DONTWAIT);
	struct span request = span_make(bytes, n > 0 ? (size_t)n : 0), message;

	if (!sftp_take_text(&request, &message) || request.len || !message.len || (uint8_t)message.data[0] != type)
		abort();
}

static void sign(struct sftp_agent *agent, size_t i, int peer)
{
	struct span key = sftp_agent_key(agent, i), kind;
	struct error error = {0};
	char algorithm[31] = "";
	struct buf made;
	bool is_rsa = sftp_agent_is_rsa(agent, i);

	if (!sftp_take_text(&key, &kind) || is_rsa != span_is(kind, "ssh-rsa") || kind.len > 30)
		abort();
	memcpy(algorithm, kind.data, kind.len);
	buf_init(&made, SIGNATURE_MAX);
	if (sftp_agent_sign(agent, i, SPAN_LITERAL("what is signed"), is_rsa ? "rsa-sha2-256" : algorithm, &made,
			    &error)) {
		if (made.len || error.class != ERROR_RETRY)
			abort();
	} else if (sftp_agent_is_lost(agent)) {
		abort();
	}
	buf_free(&made);
	take_request(peer, 13);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error = {0};
	struct sftp_agent *agent;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends))
		abort();
	if (size && send(ends[1], data, size, MSG_DONTWAIT) < 0)
		abort();
	shutdown(ends[1], SHUT_WR);
	agent = sftp_agent_over(ends[0], "a test", TIMEOUT_MS, &error);
	take_request(ends[1], 11);
	if (agent && (!sftp_agent_count(agent) || sftp_agent_is_lost(agent)))
		abort();
	if (!agent && error.class != ERROR_RETRY)
		abort();
	for (size_t i = 0; agent && i < SIGNATURES_MAX && !sftp_agent_is_lost(agent); i++)
		sign(agent, i % sftp_agent_count(agent), ends[1]);
	sftp_agent_close(agent);
	close(ends[1]);
	return 0;
}
