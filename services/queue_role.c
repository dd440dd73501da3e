/* The queue process. See queue_role.h. It goes last: workers that drain still commit through it. */
#include "config.h"
#include "services/queue_role.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "services/queue/engine.h"
#include "services/worker.h"

#define DRAIN_MS 1000
#define ROUND_MS 200

struct process {
	struct loop *loop;
	bool ending;
	int64_t until;
};

static void on_end(void *arg, unsigned events)
{
	struct process *process = arg;

	process->ending = true;
}

static int reveal(const struct site *site, const char *name, struct secret **secret, struct error *error)
{
	*secret = NULL;
	if (!name)
		return 0;
	*secret = secret_new(site->secrets_path, name, error);
	return *secret ? 0 : -1;
}

static struct engine *open_engine(const struct site *site, const struct topology *topology, struct loop *loop,
				  struct error *error)
{
	struct secret *broker = NULL, *store = NULL;
	char database[4200], ballast[4200], audit[4200];
	struct audit_key key;
	struct engine *engine = NULL;
	struct engine_config config = {
		.broker = site->broker,
		.broker_settings = site->broker_settings,
		.store = site->store,
		.store_settings = site->store_settings,
		.db_path = database,
		.run_path = site->run_path,
		.site = site->name,
		.revision = site->revision,
		.topology = topology,
		.disk_reserve = site->disk_reserve,
		.keep_receipts_ms = site->retain_receipts_ms,
		.keep_originals_ms = site->retain_originals_ms,
		.ballast_path = ballast,
		.audit_key = &key,
	};

	snprintf(database, sizeof database, "%s/site.db", site->data_path);
	snprintf(ballast, sizeof ballast, "%s/ballast", site->data_path);
	snprintf(audit, sizeof audit, "%s/audit.key", site->data_path);
	if (audit_key_load(&key, audit, error) || reveal(site, site->broker_secret, &broker, error) ||
	    reveal(site, site->store_secret, &store, error))
		goto done;
	config.broker_password = broker ? secret_reveal(broker) : SPAN_NONE;
	config.store_password = store ? secret_reveal(store) : SPAN_NONE;
	engine = engine_open(&config, loop, error);
done:
	secret_free(broker);
	secret_free(store);
	explicit_bzero(&key, sizeof key);
	return engine;
}

static int end_with(struct board_slot *slot, const struct error *error)
{
	log_error("queue", SPAN_NONE, "ends code=%s error=\"%s\"", error->code, error->text);
	snprintf(slot->cause, sizeof slot->cause, "%.*s", (int)sizeof slot->cause - 1, error->text);
	slot->hopeless = error->class == ERROR_FATAL;
	return EXIT_AGAIN;
}

int queue_role_run(const struct site *site, const struct topology *topology, struct board_slot *slot, int life)
{
	struct process process = {.loop = loop_new()};
	struct error error = {0};
	struct engine *engine;
	struct watch *signals, *alive;
	int status = 0;

	log_role("queue");
	prctl(PR_SET_NAME, "queue");
	signals = loop_watch(process.loop, loop_signals(), LOOP_READ, on_end, &process);
	alive = loop_watch(process.loop, life, LOOP_READ, on_end, &process);
	engine = open_engine(site, topology, process.loop, &error);
	if (!engine)
		return end_with(slot, &error);
	while (!engine_failed(engine) &&
	       (!process.until || (clock_tick_ms() < process.until && !engine_quiet(engine)))) {
		atomic_store(&slot->ready, engine_ready(engine));
		loop_once(process.loop, process.until ? 20 : ROUND_MS);
		if (!process.ending || process.until)
			continue;
		loop_unwatch(signals);
		loop_unwatch(alive);
		engine_drain(engine);
		process.until = clock_tick_ms() + DRAIN_MS;
	}
	if (engine_failed(engine))
		status = end_with(slot, engine_failed(engine));
	engine_close(engine);
	loop_free(process.loop);
	return status;
}
