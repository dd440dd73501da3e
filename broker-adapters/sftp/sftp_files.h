/* SFTP as folders on another machine: what the source and the sink of this adapter share of it. */
#ifndef FERRULE_ADAPTERS_SFTP_FILES_H
#define FERRULE_ADAPTERS_SFTP_FILES_H

#include "broker-adapters/sftp/sftp.h"

struct sftp_source_settings {
	struct sftp_settings connection; /* first, in both */
	struct remote_source_settings files;
};

struct sftp_sink_settings {
	struct sftp_settings connection;
	struct remote_sink_settings files;
};

extern const struct remote_ops sftp_remote_ops;

#endif
