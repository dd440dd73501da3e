/* The FTP source and sink: those of any folder on another machine (remote/remote.h), over a connection of FTP. */
#include "config.h"
#include "broker-adapters/ftp/ftp.h"

#include "broker-adapters/names.h"

#define AT(kind, field) .type = kind, .offset = offsetof(struct REMOTE_OF, connection.field)
#define FTP_OPTIONS                                                                                                    \
	{.name = "system",                                                                                             \
	 AT(OPTION_TEXT, system),                                                                                      \
	 .help = "The system whose file says under `ftp` how to reach it; what stands here wins"},                     \
		{.name = "host",                                                                                       \
		 AT(OPTION_TEXT, host),                                                                                \
		 .help = "The server's name, as in its certificate, or its address"},                                  \
		{.name = "port",                                                                                       \
		 AT(OPTION_INT, port),                                                                                 \
		 .range = "1..65535",                                                                                  \
		 .help = "Its port; 21 by default, or 990 for tls: implicit"},                                         \
		{.name = "tls",                                                                                        \
		 AT(OPTION_ENUM, tls),                                                                                 \
		 .fallback = "explicit",                                                                               \
		 .range = "explicit|implicit|unencrypted",                                                             \
		 .help = "TLS asked for by AUTH TLS, or from the first byte; with `unencrypted` everybody on the way " \
			 "reads and changes password and files"},                                                      \
		{.name = "ca", .flags = OPTION_CERTIFICATE,                                                            \
		 AT(OPTION_TEXT, ca),                                                                                  \
		 .help = "PEM file of the authorities that may have signed the server's certificate, relative to the " \
			 "site; the system's by default"},                                                             \
		{.name = "certificate", .flags = OPTION_CERTIFICATE,                                                   \
		 AT(OPTION_TEXT, certificate),                                                                         \
		 .help = "PEM file with our own certificate, where the server asks for one"},                          \
		{.name = "key", AT(OPTION_SECRET, key), .help = "The private key of our certificate, PEM"},            \
		{.name = "passphrase", AT(OPTION_SECRET, passphrase), .help = "What opens the private key"},           \
		{.name = "user", AT(OPTION_TEXT, user), .help = "The account there"},                                  \
		{.name = "password", AT(OPTION_SECRET, password), .help = "The account's password"},                   \
		{.name = "mode",                                                                                       \
		 AT(OPTION_ENUM, mode),                                                                                \
		 .fallback = "passive",                                                                                \
		 .range = "passive|active",                                                                            \
		 .help = "Who opens the connections for data: we do, or (seldom, and without TLS only) the server "    \
			 "does"},                                                                                      \
		{.name = "timeout",                                                                                    \
		 AT(OPTION_DURATION, timeout_ms),                                                                      \
		 .fallback = "30s",                                                                                    \
		 .range = "1s..1h",                                                                                    \
		 .help = "How long connecting may take, and how long the server may be silent"}

static int unsaid(const struct ftp_settings *settings, const char *key, struct error *error)
{
	return error_set(error, ERROR_FATAL, "ftp.settings",
			 "ftp needs `%s`: say it under `ftp` in systems/%s.yaml, and `system: %s` here", key,
			 settings->system ? settings->system : "NAME", settings->system ? settings->system : "NAME");
}

int ftp_check_settings(const struct ftp_settings *settings, const struct endpoint *endpoint, struct error *error)
{
	if (!settings->host)
		return unsaid(settings, "host", error);
	if (!settings->user)
		return unsaid(settings, "user", error);
	if (!settings->password && strcmp(settings->user, "anonymous"))
		return unsaid(settings, "password", error);
	for (const char *at = settings->user; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return error_set(error, ERROR_FATAL, "ftp.settings", "ftp: user has a control character in it");
	if (strpbrk(settings->host, "/@ ?#%"))
		return error_set(
			error, ERROR_FATAL, "ftp.settings",
			"ftp: host: '%s' is no name or address; the folder goes into the path, the account into "
			"`user`",
			settings->host);
	if (!settings->certificate != !settings->key)
		return error_set(
			error, ERROR_FATAL, "ftp.settings",
			"ftp: a certificate of our own needs both, `certificate: FILE` and `key: {secret: NAME}`");
	if (settings->mode == FTP_ACTIVE && settings->tls != FTP_UNENCRYPTED)
		return error_set(error, ERROR_FATAL, "ftp.settings",
				 "ftp: mode: active and TLS do not go together (libcurl waits for ever when a server "
				 "that connects to us wants TLS); leave out `mode`, so that we open the connections "
				 "for data: the partner's firewall must let its passive ports in");
	if (settings->tls == FTP_UNENCRYPTED && (settings->ca || settings->certificate))
		return error_set(
			error, ERROR_FATAL, "ftp.settings",
			"ftp: tls: unencrypted knows no certificates; leave out `ca` and `certificate`, or write "
			"tls: explicit");
	return 0;
}

/* ---- the source ------------------------------------------------------------------------------------------------ */

#define REMOTE_OF ftp_source_settings
static const struct option source_options[] = {
	REMOTE_SOURCE_PATH,
	FTP_OPTIONS,
	REMOTE_SOURCE_OPTIONS,
	OPTION_END,
};

static int ftp_source_check(const struct endpoint *endpoint, struct error *error)
{
	return remote_source_check(&ftp_remote_ops, endpoint, error)
		       ? -1
		       : ftp_check_settings(endpoint->settings, endpoint, error);
}

static void *ftp_source_open(const struct endpoint *endpoint, struct error *error)
{
	return ftp_source_check(endpoint, error) ? NULL : remote_source_open(&ftp_remote_ops, endpoint, error);
}

static int64_t ftp_source_interval_ms(const void *settings)
{
	return ((const struct ftp_source_settings *)settings)->files.interval_ms;
}

static bool ftp_source_archives(const void *settings)
{
	return ((const struct ftp_source_settings *)settings)->files.after == REMOTE_ARCHIVE;
}

const struct source_ops ftp_source_ops = {
	.name = "ftp",
	.help = "Takes files that lie on an FTP server, by FTPS unless it is told otherwise",
	.options = source_options,
	.settings_size = sizeof(struct ftp_source_settings),
	.open = ftp_source_open,
	.close = remote_source_close,
	.poll = remote_source_poll,
	.fetch = remote_source_fetch,
	.settle = remote_source_settle,
	.forget = remote_source_forget,
	.interval_ms = ftp_source_interval_ms,
	.pending = remote_source_pending,
	.halves = remote_source_halves,
	.check = ftp_source_check,
	.archives = ftp_source_archives,
	.intend = remote_source_intend,
	.expire = remote_source_expire,
	.paced = true,
};

/* ---- the sink -------------------------------------------------------------------------------------------------- */

#undef REMOTE_OF
#define REMOTE_OF ftp_sink_settings
static const struct option sink_options[] = {
	REMOTE_SINK_PATH,
	FTP_OPTIONS,
	REMOTE_SINK_OPTIONS,
	OPTION_END,
};

static int ftp_sink_address(const struct endpoint *endpoint, const struct expression_input *input,
			    struct message *message, struct error *error)
{
	struct span path;

	if (remote_sink_address(&ftp_remote_ops, endpoint, input, message, error))
		return -1;
	path = message_attr_find(message, "path");
	return memchr(path.data, 0xff, path.len)
		       ? name_refuse_path(path, "has a byte in it (ff) that FTP cannot send", error)
		       : 0;
}

static void *ftp_sink_open(struct error *error)
{
	return remote_sink_open(&ftp_remote_ops);
}

static int ftp_sink_check(const struct endpoint *endpoint, struct error *error)
{
	return remote_sink_check(&ftp_remote_ops, endpoint, error)
		       ? -1
		       : ftp_check_settings(endpoint->settings, endpoint, error);
}

static int ftp_sink_endpoint(void *arg, const struct endpoint *endpoint, struct error *error)
{
	return ftp_sink_check(endpoint, error);
}

static int ftp_sink_judge(const struct attempt *attempt, const struct sink_answer *answer, struct error *verdict,
			  struct error *error)
{
	return remote_sink_judge(&ftp_remote_ops, attempt, answer, verdict, error);
}

const struct sink_ops ftp_sink_ops = {
	.name = "ftp",
	.help = "Puts each message as a file onto an FTP server, by FTPS unless it is told otherwise",
	.options = sink_options,
	.settings_size = sizeof(struct ftp_sink_settings),
	.traits = SINK_WITNESS,
	.natural = EFFECT_RENAME,
	.shared = false,
	.address = ftp_sink_address,
	.open = ftp_sink_open,
	.close = remote_sink_close,
	.endpoint = ftp_sink_endpoint,
	.prepare = remote_sink_prepare,
	.start = remote_sink_start,
	.reap = remote_sink_reap,
	.resolve = remote_sink_resolve,
	.parallel = remote_sink_parallel,
	.abandon = remote_sink_abandon,
	.sweep = remote_sink_sweep,
	.judge = ftp_sink_judge,
	.check = ftp_sink_check,
	.paced = true,
	.files = true,
};
