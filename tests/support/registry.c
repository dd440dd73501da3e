/* See registry.h. */
#include "config.h"
#include "tests/support/registry.h"

#include <stddef.h>

#define AT(type, field) .offset = offsetof(struct type, field)

static const struct option file_source_options[] = {
	{.name = "file",
	 .type = OPTION_TEXT,
	 AT(support_file, file),
	 .flags = OPTION_MAIN | OPTION_REQUIRED,
	 .help = "folder and pattern"},
	{.name = "after",
	 .type = OPTION_ENUM,
	 AT(support_file, after),
	 .range = "archive|move|delete",
	 .fallback = "archive"},
	{.name = "age", .type = OPTION_DURATION, AT(support_file, age_ms), .range = "0s..1d", .fallback = "2s"},
	OPTION_END,
};
static const struct option file_sink_options[] = {
	{.name = "file",
	 .type = OPTION_TEMPLATE,
	 AT(support_drop, path),
	 .flags = OPTION_MAIN | OPTION_REQUIRED,
	 .help = "where to"},
	{.name = "exists",
	 .type = OPTION_ENUM,
	 AT(support_drop, exists),
	 .range = "refuse|replace|number",
	 .fallback = "refuse"},
	OPTION_END,
};
#define REMOTE                                                                                                         \
	{.name = "host", .type = OPTION_TEXT, AT(support_remote, host)},                                               \
	{.name = "port", .type = OPTION_INT, AT(support_remote, port), .range = "1..65535", .fallback = "22"}, {       \
		.name = "system", .type = OPTION_TEXT, AT(support_remote, system)                                      \
	}
static const struct option remote_source_options[] = {
	{.name = "path", .type = OPTION_TEXT, AT(support_remote, path), .flags = OPTION_MAIN | OPTION_REQUIRED},
	REMOTE,
	{.name = "age", .type = OPTION_DURATION, AT(support_remote, age_ms), .fallback = "2s"},
	OPTION_END,
};
static const struct option remote_sink_options[] = {
	{.name = "path", .type = OPTION_TEMPLATE, AT(support_remote, file), .flags = OPTION_MAIN | OPTION_REQUIRED},
	REMOTE,
	{.name = "exists",
	 .type = OPTION_ENUM,
	 AT(support_remote, exists),
	 .range = "refuse|replace|number",
	 .fallback = "refuse"},
	OPTION_END,
};
static const struct option http_sink_options[] = {
	{.name = "url",
	 .type = OPTION_TEMPLATE,
	 AT(support_target, url),
	 .flags = OPTION_MAIN | OPTION_REQUIRED,
	 .help = "where to"},
	{.name = "path", .type = OPTION_TEMPLATE, AT(support_target, path), .help = "after the url"},
	{.name = "method",
	 .type = OPTION_ENUM,
	 AT(support_target, method),
	 .range = "POST|PUT|PATCH|DELETE",
	 .fallback = "POST"},
	{.name = "headers", .type = OPTION_TEMPLATES, AT(support_target, headers)},
	{.name = "bearer", .type = OPTION_SECRET, AT(support_target, token)},
	{.name = "timeout", .type = OPTION_DURATION, AT(support_target, timeout_ms), .fallback = "20s"},
	OPTION_END,
};
static const struct option webhook_options[] = {
	{.name = "webhook", .type = OPTION_TEXT, AT(support_webhook, path), .flags = OPTION_MAIN | OPTION_REQUIRED},
	{.name = "secret", .type = OPTION_SECRET, AT(support_webhook, secret)},
	OPTION_END,
};
static const struct option listen_options[] = {
	{.name = "address", .type = OPTION_TEXT, AT(support_listen, address), .fallback = "127.0.0.1"},
	{.name = "port",
	 .type = OPTION_INT,
	 AT(support_listen, port),
	 .range = "0..65535",
	 .fallback = "8080",
	 .flags = OPTION_MAIN},
	OPTION_END,
};
static const struct option host_options[] = {
	{.name = "host", .type = OPTION_TEXT, AT(support_word, word), .fallback = "localhost", .flags = OPTION_MAIN},
	OPTION_END,
};
static const struct option format_options[] = {
	{.name = "format", .type = OPTION_TEXT, AT(support_word, word), .flags = OPTION_MAIN | OPTION_REQUIRED},
	OPTION_END,
};
static const struct option map_options[] = {
	{.name = "mapping", .type = OPTION_MAPPING, AT(support_map, mapping), .flags = OPTION_MAIN | OPTION_REQUIRED},
	OPTION_END,
};
static const struct option when_options[] = {
	{.name = "when", .type = OPTION_EXPRESSION, AT(support_map, mapping), .flags = OPTION_MAIN | OPTION_REQUIRED},
	OPTION_END,
};
static const struct option validate_options[] = {
	{.name = "contract",
	 .type = OPTION_TEXT,
	 AT(support_validate, contract),
	 .flags = OPTION_MAIN | OPTION_REQUIRED},
	{.name = "keys", .type = OPTION_EXPRESSIONS, AT(support_validate, keys)},
	OPTION_END,
};
struct by {
	const struct node *by;
};
static const struct option node_options[] = {
	{.name = "by", .type = OPTION_NODE, AT(by, by), .flags = OPTION_MAIN | OPTION_REQUIRED},
	OPTION_END,
};

static const struct source_ops file_source = {
	.name = "file", .options = file_source_options, .settings_size = sizeof(struct support_file)};
static const struct server_ops http_server = {.name = "http",
					      .options = webhook_options,
					      .settings_size = sizeof(struct support_webhook),
					      .listen_options = listen_options,
					      .listen_settings_size = sizeof(struct support_listen)};
static const struct sink_ops file_sink = {.name = "file",
					  .options = file_sink_options,
					  .settings_size = sizeof(struct support_drop),
					  .traits = SINK_WITNESS,
					  .natural = EFFECT_RENAME};
static const struct source_ops remote_source = {
	.name = "sftp", .options = remote_source_options, .settings_size = sizeof(struct support_remote)};
static const struct sink_ops remote_sink = {.name = "sftp",
					    .options = remote_sink_options,
					    .settings_size = sizeof(struct support_remote),
					    .traits = SINK_WITNESS,
					    .natural = EFFECT_RENAME};
static const struct sink_ops http_sink = {.name = "http",
					  .options = http_sink_options,
					  .settings_size = sizeof(struct support_target),
					  .traits = SINK_KEY,
					  .natural = EFFECT_KEY,
					  .shared = true};
static const struct broker_ops spool = {.name = "spool", .shares_db = true};
static const struct broker_ops amqp = {
	.name = "amqp", .options = host_options, .settings_size = sizeof(struct support_word)};
static const struct db_ops sqlite = {.name = "sqlite"};
static const struct db_ops postgresql = {
	.name = "postgresql", .options = host_options, .settings_size = sizeof(struct support_word)};
static const struct transformer_ops transformers[] = {
	{.name = "decode",
	 .options = format_options,
	 .settings_size = sizeof(struct support_word),
	 .takes = FORM_BYTES,
	 .gives = FORM_TREE},
	{.name = "split",
	 .options = node_options,
	 .settings_size = sizeof(struct by),
	 .takes = FORM_TREE,
	 .gives = FORM_TREE},
	{.name = "map",
	 .options = map_options,
	 .settings_size = sizeof(struct support_map),
	 .takes = FORM_TREE,
	 .gives = FORM_TREE},
	{.name = "validate",
	 .options = validate_options,
	 .settings_size = sizeof(struct support_validate),
	 .takes = FORM_TREE,
	 .gives = FORM_TREE},
	{.name = "route",
	 .options = node_options,
	 .settings_size = sizeof(struct by),
	 .takes = FORM_TREE,
	 .gives = FORM_TREE},
	{.name = "filter",
	 .options = when_options,
	 .settings_size = sizeof(struct support_map),
	 .takes = FORM_TREE,
	 .gives = FORM_TREE},
	{.name = "encode",
	 .options = format_options,
	 .settings_size = sizeof(struct support_word),
	 .takes = FORM_TREE,
	 .gives = FORM_BYTES},
};

const struct registry *support_registry(void)
{
	static const struct source_ops *const sources[] = {&file_source, &remote_source, NULL};
	static const struct server_ops *const servers[] = {&http_server, NULL};
	static const struct sink_ops *const sinks[] = {&file_sink, &http_sink, &remote_sink, NULL};
	static const struct broker_ops *const brokers[] = {&spool, &amqp, NULL};
	static const struct db_ops *const stores[] = {&sqlite, &postgresql, NULL};
	static const struct transformer_ops *const steps[] = {
		&transformers[0], &transformers[1], &transformers[2], &transformers[3],
		&transformers[4], &transformers[5], &transformers[6], NULL};
	static const struct registry registry = {brokers, stores, sources, servers, sinks, steps, NULL, NULL, NULL};

	return &registry;
}
