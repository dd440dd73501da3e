/* The one list of what exists. See registry.h. */
#include "config.h"
#include "services/registry.h"

#include "mft/calendar.h"
#include "mft/schedule.h"
#include "transformers/schema/schema.h"
#include "transformers/transformers.h"

extern const struct broker_ops spool_ops, amqp_ops;
extern const struct db_ops sqlite_ops, postgresql_ops;
extern const struct source_ops file_source_ops, ftp_source_ops, sftp_source_ops;
extern const struct server_ops http_server_ops;
extern const struct sink_ops file_sink_ops, ftp_sink_ops, http_sink_ops, mail_sink_ops, sftp_sink_ops,
	syslog_sink_ops;

static const struct broker_ops *const brokers[] = {&spool_ops, &amqp_ops, NULL};
static const struct db_ops *const stores[] = {&sqlite_ops, &postgresql_ops, NULL};
static const struct source_ops *const sources[] = {&file_source_ops, &sftp_source_ops, &ftp_source_ops, NULL};
static const struct server_ops *const servers[] = {&http_server_ops, NULL};
static const struct sink_ops *const sinks[] = {&file_sink_ops, &http_sink_ops, &mail_sink_ops, &sftp_sink_ops,
					      &ftp_sink_ops, &syslog_sink_ops, NULL};
static const struct transformer_ops *const transformers[] = {
	&decode_transformer, &split_transformer,  &map_transformer,    &validate_transformer,
	&route_transformer,  &filter_transformer, &encode_transformer,
	&enrich_transformer, &remember_transformer, &use_transformer,
	&xsd_transformer, &schematron_transformer, &xslt_transformer,
	&collect_transformer, &resequence_transformer, &dedupe_transformer,
	&gunzip_transformer, &gzip_transformer, &unzip_transformer, &zip_transformer,
	&decrypt_transformer, &encrypt_transformer, &sign_transformer, &verify_transformer, &scan_transformer,
	&checksum_transformer, NULL};

static const struct registry registry = {brokers, stores, sources, servers, sinks, transformers, schema_each_fault,
					  calendar_check, schedule_check};

const struct registry *registry_get(void)
{
	return &registry;
}
