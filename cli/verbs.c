/* The verbs that exist, in the order of the help: the one file that names them. */
#include "config.h"
#include "cli/verb.h"

extern const struct verb verb_audit;
extern const struct verb verb_backup;
extern const struct verb verb_check;
extern const struct verb verb_collect;
extern const struct verb verb_config;
extern const struct verb verb_contract;
extern const struct verb verb_completion;
extern const struct verb verb_dead;
extern const struct verb verb_decode;
extern const struct verb verb_doubt;
extern const struct verb verb_edi;
extern const struct verb verb_encode;
extern const struct verb verb_key;
extern const struct verb verb_step;
extern const struct verb verb_expect;
extern const struct verb verb_hold;
extern const struct verb verb_table;
extern const struct verb verb_init;
extern const struct verb verb_log;
extern const struct verb verb_map;
extern const struct verb verb_replay;
extern const struct verb verb_restore;
extern const struct verb verb_resume;
extern const struct verb verb_run;
extern const struct verb verb_schema;
extern const struct verb verb_send;
extern const struct verb verb_status;
extern const struct verb verb_test;
extern const struct verb verb_trace;
extern const struct verb verb_transfer;
extern const struct verb verb_validate;
extern const struct verb verb_version;

const struct verb *const verbs[] = {
	&verb_init,
	&verb_check,
	&verb_test,
	&verb_config,
	&verb_contract,
	&verb_schema,
	&verb_run,
	&verb_send,
	&verb_log,
	&verb_hold,
	&verb_resume,
	&verb_transfer,
	&verb_status,
	&verb_trace,
	&verb_dead,
	&verb_doubt,
	&verb_expect,
	&verb_collect,
	&verb_replay,
	&verb_audit,
	&verb_backup,
	&verb_restore,
	&verb_table,
	&verb_decode,
	&verb_encode,
	&verb_step,
	&verb_key,
	&verb_map,
	&verb_validate,
	&verb_edi,
	&verb_completion,
	&verb_version,
	NULL,
};
