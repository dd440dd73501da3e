/* The SFTP source and sink: those of any folder on another machine (remote/remote.h), over a connection of SFTP. */
#include "config.h"
#include "broker-adapters/sftp/sftp_files.h"

/* ---- the source ------------------------------------------------------------------------------------------------ */

#define SFTP_OF sftp_source_settings
#define REMOTE_OF sftp_source_settings
static const struct option source_options[] = {
	REMOTE_SOURCE_PATH,
	SFTP_OPTIONS,
	REMOTE_SOURCE_OPTIONS,
	OPTION_END,
};

static int sftp_source_check(const struct endpoint *endpoint, struct error *error)
{
	return remote_source_check(&sftp_remote_ops, endpoint, error)
		       ? -1
		       : sftp_check_settings(endpoint->settings, endpoint, error);
}

static void *sftp_source_open(const struct endpoint *endpoint, struct error *error)
{
	return sftp_source_check(endpoint, error) ? NULL : remote_source_open(&sftp_remote_ops, endpoint, error);
}

static int64_t sftp_source_interval_ms(const void *settings)
{
	return ((const struct sftp_source_settings *)settings)->files.interval_ms;
}

static int sftp_source_look(const struct endpoint *endpoint, struct peer_key *key, struct error *error)
{
	return sftp_source_check(endpoint, error) ? -1 : sftp_look(endpoint->settings, endpoint, key, error);
}

static bool sftp_source_archives(const void *settings)
{
	return ((const struct sftp_source_settings *)settings)->files.after == REMOTE_ARCHIVE;
}

const struct source_ops sftp_source_ops = {
	.name = "sftp",
	.help = "Takes files that lie on an SFTP server",
	.options = source_options,
	.settings_size = sizeof(struct sftp_source_settings),
	.open = sftp_source_open,
	.close = remote_source_close,
	.rest = remote_source_rest,
	.poll = remote_source_poll,
	.fetch = remote_source_fetch,
	.settle = remote_source_settle,
	.settle_all = remote_source_settle_all,
	.forget = remote_source_forget,
	.interval_ms = sftp_source_interval_ms,
	.pending = remote_source_pending,
	.check = sftp_source_check,
	.archives = sftp_source_archives,
	.intend = remote_source_intend,
	.expire = remote_source_expire,
	.halves = remote_source_halves,
	.look = sftp_source_look,
	.paced = true,
};

/* ---- the sink -------------------------------------------------------------------------------------------------- */

#undef SFTP_OF
#undef REMOTE_OF
#define SFTP_OF sftp_sink_settings
#define REMOTE_OF sftp_sink_settings
static const struct option sink_options[] = {
	REMOTE_SINK_PATH,
	SFTP_OPTIONS,
	REMOTE_SINK_OPTIONS,
	OPTION_END,
};

static int sftp_sink_address(const struct endpoint *endpoint, const struct expression_input *input,
			     struct message *message, struct error *error)
{
	return remote_sink_address(&sftp_remote_ops, endpoint, input, message, error);
}

static void *sftp_sink_open(struct error *error)
{
	return remote_sink_open(&sftp_remote_ops);
}

static int sftp_sink_check(const struct endpoint *endpoint, struct error *error)
{
	return remote_sink_check(&sftp_remote_ops, endpoint, error)
		       ? -1
		       : sftp_check_settings(endpoint->settings, endpoint, error);
}

static int sftp_sink_endpoint(void *arg, const struct endpoint *endpoint, struct error *error)
{
	return sftp_sink_check(endpoint, error);
}

static int sftp_sink_judge(const struct attempt *attempt, const struct sink_answer *answer, struct error *verdict,
			   struct error *error)
{
	return remote_sink_judge(&sftp_remote_ops, attempt, answer, verdict, error);
}

static int sftp_sink_look(const struct endpoint *endpoint, struct peer_key *key, struct error *error)
{
	return sftp_sink_check(endpoint, error) ? -1 : sftp_look(endpoint->settings, endpoint, key, error);
}

const struct sink_ops sftp_sink_ops = {
	.name = "sftp",
	.help = "Puts each message as a file onto an SFTP server, complete or not at all",
	.options = sink_options,
	.settings_size = sizeof(struct sftp_sink_settings),
	.traits = SINK_WITNESS,
	.natural = EFFECT_RENAME,
	.shared = false,
	.address = sftp_sink_address,
	.open = sftp_sink_open,
	.close = remote_sink_close,
	.rest = remote_sink_rest,
	.endpoint = sftp_sink_endpoint,
	.ahead = remote_sink_ahead,
	.prepare = remote_sink_prepare,
	.start = remote_sink_start,
	.reap = remote_sink_reap,
	.resolve = remote_sink_resolve,
	.parallel = remote_sink_parallel,
	.abandon = remote_sink_abandon,
	.sweep = remote_sink_sweep,
	.judge = sftp_sink_judge,
	.check = sftp_sink_check,
	.look = sftp_sink_look,
	.paced = true,
	.files = true,
};
