/* What the source and the sink of SFTP share of their settings. See sftp.h. */
#include "config.h"
#include "broker-adapters/sftp/sftp.h"

#include "broker-adapters/sftp/sftp_dial.h"

#define OF(kind, field) .type = kind, .offset = offsetof(struct sftp_settings, jump.field) - JUMP
#define JUMP offsetof(struct sftp_settings, jump)

const struct option sftp_jump_options[] = {
	{.name = "host", OF(OPTION_TEXT, host), .help = "Its name or address", .flags = OPTION_REQUIRED},
	{.name = "port", OF(OPTION_INT, port), .fallback = "22", .range = "1..65535", .help = "Its port"},
	{.name = "user", OF(OPTION_TEXT, user), .help = "The account there; the server's by default"},
	{.name = "key", OF(OPTION_SECRET, key), .help = "Our private key for it"},
	{.name = "passphrase", OF(OPTION_SECRET, passphrase), .help = "What opens that key"},
	{.name = "password", OF(OPTION_SECRET, password), .help = "The account's password, where there is no key"},
	{.name = "host-key", OF(OPTION_TEXTS, host_keys), .help = "Fingerprints of its key; else known-hosts is asked"},
	OPTION_END,
};

static int missing(const struct sftp_settings *settings, const char *key, struct error *error)
{
	return error_set(error, ERROR_FATAL, "sftp.settings",
			 "sftp needs `%s`: say it under `sftp` in systems/%s.yaml, and `system: %s` here", key,
			 settings->system ? settings->system : "NAME", settings->system ? settings->system : "NAME");
}

static int check_keys(const struct text_list *keys, struct error *error)
{
	for (size_t i = 0; i < keys->count; i++)
		if (!strstr(keys->items[i], "SHA256:"))
			return error_set(error, ERROR_FATAL, "sftp.fingerprint",
					 "host-key: '%s' is no fingerprint of the form SHA256:…; `ssh-keygen -lf FILE` "
					 "shows it of a public key",
					 keys->items[i]);
	return 0;
}

static int check_jump(const struct sftp_settings *settings, struct error *error)
{
	if (!settings->jump.host)
		return 0;
	if (!settings->jump.key && !settings->jump.password && !settings->agent)
		return error_set(
			error, ERROR_FATAL, "sftp.settings",
			"jump: how do we log in at %s? Say `key` or `password` under `jump` (those of %s are not "
			"shown to it), or `agent: yes`",
			settings->jump.host, settings->host);
	return check_keys(&settings->jump.host_keys, error);
}

int sftp_check_settings(const struct sftp_settings *settings, const struct endpoint *endpoint, struct error *error)
{
	char host[256], port[8];

	if (!settings->host)
		return missing(settings, "host", error);
	if (!settings->user)
		return missing(settings, "user", error);
	if (!settings->key && !settings->password && !settings->agent)
		return missing(settings, "key", error);
	if (settings->proxy && sftp_proxy_parse(settings->proxy, host, port))
		return error_set(error, ERROR_FATAL, "sftp.proxy", "proxy: '%s' is not of the form socks5://host:port",
				 settings->proxy);
	return check_keys(&settings->host_keys, error) || check_jump(settings, error) ? -1 : 0;
}
