/* The tables. A migration is for ever: what shipped is never edited, the next one is added at the end. */
#include "config.h"
#include "operations/store_private.h"

/* Partial indexes keep the rows that need a person or a worker cheap to find among millions of receipts. Bodies and
 * envelopes stand last, so that reading the columns before them does not touch overflow pages. */
static const char first[] =
	"CREATE TABLE seen (source {blob} PRIMARY KEY, message {blob} NOT NULL, keep_until {int} NOT NULL);"
	"CREATE INDEX seen_keep ON seen (keep_until);"

	"CREATE TABLE effects (key {blob} PRIMARY KEY, message {blob} NOT NULL, endpoint {text} NOT NULL, state {int} "
	"NOT NULL,"
	" session {blob}, request {blob}, generation {int} NOT NULL, attempts {int} NOT NULL, first_ms {int} NOT NULL,"
	" last_ms {int} NOT NULL, done_ms {int}, receipt {text}, reason {text}, revision {text}, origin_ref {text}, "
	"body_ref {text},"
	" envelope {blob}, body {blob});"
	"CREATE INDEX effects_message ON effects (message);"
	"CREATE INDEX effects_last ON effects (last_ms);"
	"CREATE INDEX effects_doubt ON effects (first_ms) WHERE state = 2;"
	"CREATE INDEX effects_pin ON effects (state) WHERE state IN (0, 2);"

	"CREATE TABLE parks (number {serial}, queue {text} NOT NULL, due {int} NOT NULL, order_key {int} NOT NULL, "
	"place {int} NOT NULL, head {int} NOT NULL,"
	" message {blob} NOT NULL, at_ms {int} NOT NULL, class {int} NOT NULL, scope {int} NOT NULL, code {text}, "
	"reason {text},"
	" revision {text}, origin_ref {text}, body_ref {text}, envelope {blob} NOT NULL, body {blob});"
	"CREATE INDEX parks_due ON parks (due, number) WHERE head = 1;"
	"CREATE INDEX parks_key ON parks (queue, order_key, place) WHERE order_key <> 0;"

	"CREATE TABLE dead (number {serial}, id {blob} NOT NULL, path {text} NOT NULL, step {text} NOT NULL, queue "
	"{text} NOT NULL,"
	" flow {text} NOT NULL, state {int} NOT NULL, deaths {int} NOT NULL, class {int} NOT NULL, code {text} NOT "
	"NULL,"
	" reason {text} NOT NULL, position {text} NOT NULL, order_key {int} NOT NULL, first_ms {int} NOT NULL, at_ms "
	"{int} NOT NULL,"
	" closed_ms {int}, correlation {text}, generation {int} NOT NULL, edited {int} NOT NULL, revision {text}, "
	"origin_name {text},"
	" origin_ref {text}, body_ref {text}, content {blob}, envelope {blob} NOT NULL, body {blob}, UNIQUE (id, path, "
	"step));"
	"CREATE INDEX dead_open ON dead (flow, step, code) WHERE state = 0;"
	"CREATE INDEX dead_order ON dead (queue, order_key) WHERE state = 0 AND order_key <> 0;"
	"CREATE INDEX dead_closed ON dead (closed_ms) WHERE state <> 0;"
	"CREATE TABLE dead_keys (number {int} NOT NULL, name {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY "
	"(number, name, value));"
	"CREATE INDEX dead_keys_value ON dead_keys (value);"
	"CREATE TABLE dead_history (number {int} NOT NULL, at_ms {int} NOT NULL, what {text} NOT NULL, who {text} NOT "
	"NULL, why {text} NOT NULL);"
	"CREATE INDEX dead_history_number ON dead_history (number);"

	"CREATE TABLE doubt_history (key {blob} NOT NULL, at_ms {int} NOT NULL, what {text} NOT NULL, who {text} NOT "
	"NULL, why {text} NOT NULL);"
	"CREATE INDEX doubt_history_key ON doubt_history (key);"

	"CREATE TABLE holds (name {text} PRIMARY KEY, until_ms {int} NOT NULL, since_ms {int} NOT NULL, reason {text} "
	"NOT NULL,"
	" who {text} NOT NULL);"

	"CREATE TABLE revisions (revision {text} PRIMARY KEY, ref {text} NOT NULL, at_ms {int} NOT NULL);";

static const char second[] =
	"CREATE TABLE entries (name {text} NOT NULL, key {text} NOT NULL, value {text} NOT NULL, at_ms {int} NOT NULL,"
	" message {blob}, who {text} NOT NULL, PRIMARY KEY (name, key));";

/* Durable steps (operations/held.h). `place` orders the members of a collection; one that is gone stays as a row
 * without its message, so that the same again is known. */
static const char held[] =
	"CREATE TABLE collections (number {serial}, queue {text} NOT NULL, key {blob} NOT NULL,"
	" generation {int} NOT NULL, state {int} NOT NULL, kind {int} NOT NULL, policy {int} NOT NULL,"
	" flow {text} NOT NULL, step {text} NOT NULL, label {text} NOT NULL, due {int} NOT NULL,"
	" members {int} NOT NULL, bytes {int} NOT NULL, filled {int} NOT NULL, dead {int} NOT NULL,"
	" dropped {int} NOT NULL, size {int} NOT NULL, count_max {int} NOT NULL, bytes_max {int} NOT NULL,"
	" within_ms {int} NOT NULL, next {int} NOT NULL, first_ms {int},"
	" last_ms {int} NOT NULL, closed_ms {int}, reason {text}, revision {text},"
	" UNIQUE (queue, key, generation));"
	"CREATE UNIQUE INDEX collections_open ON collections (queue, key) WHERE state = 0;"
	"CREATE INDEX collections_due ON collections (due) WHERE state = 0;"
	"CREATE INDEX collections_closing ON collections (state) WHERE state IN (1, 2);"
	"CREATE INDEX collections_closed ON collections (closed_ms) WHERE state = 3;"
	"CREATE TABLE held (number {serial}, collection {int} NOT NULL, queue {text} NOT NULL, member {blob} NOT NULL,"
	" generation {int} NOT NULL, state {int} NOT NULL, place {int} NOT NULL, digest {blob} NOT NULL,"
	" at_ms {int} NOT NULL, revision {text}, origin_ref {text}, body_ref {text}, envelope {blob}, body {blob},"
	" UNIQUE (queue, member, generation));"
	"CREATE INDEX held_place ON held (collection, place, number);"
	"CREATE INDEX held_gone ON held (at_ms) WHERE state <> 0;"
	"CREATE INDEX held_waiting ON held (collection, place, number) WHERE state = 0;";

/* What waits is found among any number of collections that have closed, and of sequences of which nothing waits: those
 * have no first_ms any more. `members` is in no index, so that PostgreSQL need not touch them all for each member. */
static const char waiting[] = "UPDATE collections SET first_ms = NULL WHERE state = 0 AND members = 0;"
			      "CREATE INDEX collections_waiting ON collections (first_ms) WHERE state <> 3;";

/* When something that had waited under it last went on: until then it was held, from then on it is in a queue. */
static const char used[] = "ALTER TABLE revisions ADD COLUMN used_ms {int};";

/* The audit trail (operations/audit.h). audit_head has one row, which whoever writes a record locks first. */
static const char audit[] =
	"CREATE TABLE audit (number {int} PRIMARY KEY, at_ms {int} NOT NULL, what {text} NOT NULL, who {text} NOT NULL,"
	" once {text} UNIQUE, line {text} NOT NULL);"
	"CREATE TABLE audit_head (one {int} PRIMARY KEY, number {int} NOT NULL, at_ms {int} NOT NULL, hash {blob},"
	" signed {int} NOT NULL, signed_ms {int} NOT NULL, key {blob});"
	"INSERT INTO audit_head (one, number, at_ms, signed, signed_ms) VALUES (1, 0, 0, 0, 0);";

/* Expectations (operations/expectation.h), what came that may meet them, and events on their way. */
static const char expectations[] =
	"CREATE TABLE expectations (number {serial}, name {text} NOT NULL, flow {text} NOT NULL, key {blob} NOT NULL,"
	" member {blob} NOT NULL, label {text} NOT NULL, state {int} NOT NULL, needed {int} NOT NULL,"
	" count {int} NOT NULL, start_ms {int} NOT NULL, end_ms {int} NOT NULL, due {int} NOT NULL,"
	" opened_ms {int} NOT NULL, met_ms {int}, closed_ms {int}, message {text} NOT NULL, about {text}, why {text},"
	" UNIQUE (name, key, member));"
	"CREATE INDEX expectations_due ON expectations (due) WHERE state = 0;"
	"CREATE INDEX expectations_missed ON expectations (due) WHERE state = 1;"
	"CREATE INDEX expectations_waiting ON expectations (name, state) WHERE state < 2;"
	"CREATE INDEX expectations_closed ON expectations (closed_ms) WHERE state > 1;"
	"CREATE TABLE arrivals (name {text} NOT NULL, key {blob} NOT NULL, member {blob} NOT NULL,"
	" at_ms {int} NOT NULL, PRIMARY KEY (name, key, member));"
	"CREATE INDEX arrivals_time ON arrivals (name, key, at_ms);"
	"CREATE INDEX arrivals_old ON arrivals (at_ms);"
	"CREATE TABLE expectation_counts (name {text} PRIMARY KEY, flow {text} NOT NULL, met {int} NOT NULL,"
	" late {int} NOT NULL, missed {int} NOT NULL, lag_ms {int} NOT NULL, last_ms {int} NOT NULL);"
	"CREATE TABLE events (number {serial}, id {blob} NOT NULL UNIQUE, topic {text} NOT NULL,"
	" subject {text} NOT NULL, key {text} NOT NULL, body {text} NOT NULL, at_ms {int} NOT NULL);";

/* When this store was put back from a backup: what happened after the backup is not in it. */
static const char restores[] = "CREATE TABLE restores (at_ms {int} PRIMARY KEY);";

/* What came into the queues of a broker that has a database of its own (store_intake.c). */
static const char intake[] = "CREATE TABLE intake (number {serial}, message {blob} NOT NULL, generation {int} NOT NULL,"
			     " queue {text} NOT NULL, at_ms {int} NOT NULL,"
			     " until_ms {int} NOT NULL, revision {text}, envelope {blob} NOT NULL, body {blob},"
			     " UNIQUE (message, generation, queue));"
			     "CREATE INDEX intake_until ON intake (until_ms);"
			     "CREATE INDEX intake_at ON intake (at_ms);"
			     "CREATE INDEX intake_revision ON intake (revision);";

const char *const store_migrations[STORE_SCHEMA] = {first, second,       held,     waiting, used,
						    audit, expectations, restores, intake};
