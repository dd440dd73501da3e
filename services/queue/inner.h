/* What the files of the queue engine share; nobody else includes it. */
#ifndef FERRULE_SERVICES_QUEUE_INNER_H
#define FERRULE_SERVICES_QUEUE_INNER_H

#include <jansson.h>

#include "base/wire.h"
#include "operations/ask.h"
#include "operations/held.h"
#include "services/machine.h"
#include "services/queue/engine.h"

#define BUDGET 2000u
#define WINDOW_FIRST 8u
#define WINDOW_MOST 256u
#define WINDOW_ORDERED 64u
#define HELD_BYTES_MAX (48u << 20) /* deliveries kept in memory: no more are fetched past this */
#define SESSIONS_MAX 256u
#define SESSION_UNITS_MAX 4096u        /* open at a time */
#define SESSION_OUT_MAX (80u << 20)    /* one answer of WIRE_ANSWER_MAX fits */
#define SESSION_FEED_MAX (512u * 1024) /* a session that does not read gets nothing more past this */
#define SESSION_READ_AT_ONCE (256u * 1024)
#define SESSION_STALLED_MAX (1u << 20) /* publishes the broker does not take yet */
#define SESSION_WORK_MAX (96u << 20)   /* units that are open or being committed */
#define UNIT_EARLY (8u << 20)
#define GROUP_UNITS 256u
#define GROUP_BYTES (4u << 20)
#define PARKS_AT_ONCE 64u
#define PARK_ITEMS_MAX 256u
#define SUSPECT_WAIT_MS 300 /* what a dead worker held waits for the supervisor's word */
#define SUSPECT_DEATHS 3u
#define UNSERVED_MS (10 * 60 * 1000) /* deliveries that nobody takes go back to the broker after this */
#define WANT_EVERY_MS 1000
#define BUCKETS 4096u
#define KEY_BUCKETS 256u

struct session;
struct work;
struct lane;

/* A delivery that was fetched, or a park of an ordered queue that is due. */
struct item {
	struct item *next, *previous; /* in its lane's waiting list or its session's list */
	struct item *bucket;
	struct lane *lane;
	struct session *holder; /* NULL: waiting, or its session has gone while its unit is being committed */
	struct credit *credit;
	struct work *work; /* the unit that settles it */
	uint64_t number;   /* rises in order of delivery; the tag on the wire */
	uint64_t tag;      /* the broker's */
	int64_t park;      /* row it came from; 0: from the broker */
	int64_t not_before;
	uint64_t key; /* order key; 0: none */
	struct id id;
	bool unreadable; /* nobody can be given it: it becomes a dead letter */
	bool redelivered, suspect, alone, died, voided; /* died: with the worker that held it; voided: the broker forgot
							   the tag, the message comes again */
	uint32_t envelope_len, body_len;
	char bytes[];
};

struct slot { /* an order key that is in use */
	struct slot *next;
	uint64_t key;
	struct item *busy;
	int64_t parks, parks_read; /* _read: while the store is asked anew */
	bool held, held_read;      /* an open dead letter stands in the way */
	uint64_t passed_over;      /* the scan that left an earlier message of this key waiting */
};

struct credit {
	struct credit *next;      /* of the session */
	struct credit *lane_next; /* of the lane, a list; the one served last goes to its end */
	struct session *session;
	struct lane *lane;
	unsigned messages, held;
	uint64_t bytes, held_bytes;
};

struct lane { /* a queue as the engine sees it; lives as long as the engine */
	struct engine *engine;
	const struct topology_queue *spec; /* NULL: no longer declared */
	char *name;
	struct item *first, *last; /* waiting, by number */
	size_t waiting, out;       /* out: with sessions */
	uint64_t waiting_bytes;
	unsigned window; /* what the broker may have unsettled with us; 0: not fetched */
	unsigned wanted; /* what it was told last */
	bool untold;     /* … of another topology: tell it anew */
	struct credit *credits;
	unsigned consumers;  /* credits with messages > 0 */
	struct slot **slots; /* ordered lanes only */
	uint64_t scan;       /* one more with each look through `first` */
	bool owned;          /* ordered: we have the lock */
	bool stood;          /* a hold of an operator */
	bool ran_dry;        /* all was handed out and more was wanted */
	int64_t served_ms, want_ms, used_ms, rest_ms;
};

/* What a unit did to order keys, told to the slots when it is committed. */
struct key_change {
	struct lane *lane;
	uint64_t key;
	int parks;
	bool held;
};

struct sent { /* a publish on its way through a broker that does not share the database */
	struct work *work;
	bool returned;
	uint32_t len;
	char frame[]; /* payload of FRAME_PUBLISH */
};

enum work_kind { WORK_UNIT, WORK_INTENT, WORK_OWN };

struct work {
	struct work *next; /* among its session's open ones, or in the ready list */
	struct work *stalled_next;
	struct work *all_next, *all_previous;
	struct session *session; /* NULL: the engine's own, or its session has gone */
	uint32_t number;
	enum work_kind kind;
	bool committed; /* in the store; nobody was told yet */
	bool committing, stalled, has_published;
	bool of_steward; /* committed only while this machine has the steward */
	struct buf early;     /* publishes and dead letters: may become durable before the unit */
	struct buf writes;    /* everything else for the store */
	struct buf unsent;    /* publishes that the broker did not take yet */
	struct buf records;   /* lineage of dead letters that the engine makes itself: published after the commit */
	size_t records_early; /* … what of it is of an early part */
	size_t unanswered;
	struct item **items; /* what it settles */
	size_t items_count, items_room;
	struct key_change *changes;
	size_t changes_count, changes_room;
	int64_t park_due; /* of the earliest park it made */
	bool holds_changed, parks_changed;
	bool held_due; /* the steward has something to do */
	struct lane *joined; /* parks one message behind others of its key */
	uint64_t joined_key;
	struct error error;
	struct intention intention;
	void (*done)(struct engine *, struct work *, const struct error *); /* WORK_OWN */
};

struct session {
	struct session *next;
	struct engine *engine;
	struct channel channel;
	struct watch *watch;
	uint64_t number;
	char role[64];
	pid_t pid;
	bool greeted, supervisor, polite, closing, paused, reserved;
	int64_t since_ms;
	struct item *items; /* held */
	size_t held;
	struct item *alone;
	struct credit *credits;
	struct work *works; /* open units */
	size_t open_works;
	size_t work_bytes;
	size_t stalled_bytes;
	json_t *states; /* endpoint → what it said of it */
};

struct suspect {
	struct suspect *next;
	struct id id;
	unsigned deaths;
	int64_t since_ms;
	bool alone; /* handed out alone since its last death */
	char cause[200];
};

struct engine {
	struct engine_config config;
	char *db_path, *run_path, *socket_path, *site, *revision, *ballast_path, *broker_password, *store_password;
	struct loop *loop;
	struct db db;
	bool db_open;
	struct store *store;
	void *broker;
	struct topology *topology; /* declared: the configuration's, and queues it no longer names that are not empty */
	struct lane **lanes;       /* as in the topology */
	struct lane **all_lanes;
	size_t all_count, all_room;
	struct session *sessions;
	unsigned sessions_count;
	uint64_t last_session, last_number;
	unsigned char instance[8];
	int64_t instance_lock;
	int listener;
	struct watch *listen_watch;
	struct item *buckets[BUCKETS];
	uint64_t held_bytes;
	size_t items_count;
	struct work *ready, **ready_last;
	struct work *stalled;
	struct work *works; /* all that exist */
	struct suspect *suspects;
	size_t next_lane;
	struct timer *round, *park_timer, *second, *wake;
	int64_t wake_ms;
	int64_t park_due;
	bool parks_running;
	bool accepting; /* there is room on the disk */
	bool told;      /* what sessions were told: room, and a broker that takes messages */
	bool disk_low, draining, closing;
	bool stewards; /* this machine has the steward */
	int64_t tenures;             /* that were given so far */
	struct source_held *sources; /* that are asked from here, of those that one machine asks */
	bool steward_left; /* one has ended since the last look: it may have missed something */
	bool connected, consuming, blocked, in_transaction;
	char broker_text[200];
	int64_t full_ms, next_open_ms, reload_parks_ms;
	int64_t started_ms, reserve_since_ms, broker_since_ms, holds_due;
	int64_t expire_at; /* monotonic */
	json_t *told_paused; /* endpoint → what was told of it: paused, or a source that fails */
	struct machines *machines;
	char machine[MACHINE_NAME]; /* ours, among several; "" when there can be no other */
	int64_t told_disk;   /* since when the disk is low, when that was told; 0: it is not */
	struct error failed;
	struct work *current; /* whose publish is being answered, in a shared transaction */
	struct ask_context ask;
	struct audit_key audit_key; /* ask.audit_key, where there is one */
	struct {
		uint64_t delivered, redelivered, published, returned, settled, units, failed_units, commits, parked,
			dead, intents;
	} counters;
};

/* engine.c */
void engine_poke(struct engine *); /* a round soon: commit, flush, hand out */
void engine_wake_at(struct engine *, int64_t tick_ms);
void engine_store_failed(struct engine *, const struct error *);
bool engine_is_ours(const struct engine *, struct span session, uint64_t *number);

/* lane.c, item.c, dispatch.c */
void lanes_free(struct engine *);
void items_forget(struct engine *); /* all that are in hand, when the engine ends */
int lanes_declare(struct engine *, const struct topology *, struct error *);
struct lane *lane_find(struct engine *, struct span name);
void lane_delivered(void *arg, const struct topology_queue *, uint64_t tag, bool redelivered, struct span envelope,
		    struct span body);
void lanes_lost(struct engine *);
void lanes_own(struct engine *); /* takes the locks of ordered queues that are not ours yet */
void lanes_windows(struct engine *); /* tells the broker how much to fetch */
void lanes_dispatch(struct engine *);
void lanes_each_second(struct engine *);
int lanes_holds(struct engine *, struct error *); /* reads the operators' holds again */
struct item *item_find(struct engine *, uint64_t number);
void item_return(struct item *, bool polite); /* to the front of its lane */
void item_done(struct item *);                /* settled: forget it */
void item_unhand(struct item *); /* its session has gone; its key stays taken while a unit of it is being committed */
struct item *item_new(struct lane *, uint64_t tag, bool redelivered, struct span envelope, struct span body,
		      struct error *);
void item_wait(struct item *); /* into its lane's list by number */
void item_take(struct item *); /* out of it, into the engine's own hand */
void item_bury(struct item *); /* an unreadable one in the engine's hand */
uint64_t item_size(const struct item *);
void item_free(struct item *);
void item_unwait(struct item *); /* out of its lane's list */
struct span item_envelope(const struct item *);
struct span item_body(const struct item *);
void credit_set(struct session *, struct lane *, unsigned messages, uint64_t bytes);
void credits_free(struct session *);

/* order.c: order keys, parks, suspects */
struct slot *slot_find(struct lane *, uint64_t key, bool make);
void slots_free(struct lane *);
void order_apply(struct engine *, const struct key_change *, size_t n);
int order_load(struct engine *, struct error *);
void order_join(struct engine *, struct item *, bool held); /* parks an item behind others of its key */
void parks_due(void *engine);
void parks_arm(struct engine *);
/* Tells of a letter in that work, where the queue's flow wants to hear of its refusals. */
void refusal_say(struct engine *, struct work *, const struct topology_queue *, const struct dead *);
void suspect_add(struct engine *, const struct id *, struct span cause);
struct suspect *suspect_find(struct engine *, const struct id *);
void suspect_forget(struct engine *, const struct id *);
void suspect_bury(struct engine *, struct suspect *, struct item *); /* its third death alone */

/* work.c */
enum own_frame {                      /* frames that only the engine writes into works */
		 OWN_PARK_GONE = 200, /* u64 row, field queue, u64 key */
		 OWN_PARK_PUT,        /* fields queue, id, envelope, body; u64 due, u64 key, error */
		 OWN_UNROUTABLE,      /* payload of a FRAME_PUBLISH */
		 OWN_DAMAGED,         /* field queue, field bytes, error: a message whose envelope cannot be read */
};
struct work *work_new(struct engine *, struct session *, uint32_t number, enum work_kind);
struct work *work_find(struct session *, uint32_t number);
void work_free(struct engine *, struct work *);
void work_unlink(struct work *); /* from its session's open ones */
bool work_takes(struct work *, struct item *);
void work_add(struct work *, struct buf *, uint8_t type, struct span payload);
void work_published(struct engine *, struct work *, struct span payload); /* a FRAME_PUBLISH of it arrived */
void work_early(struct engine *, struct work *);
void work_commit(struct engine *, struct work *); /* everything is in it */
void work_abandon(struct engine *, struct work *);
void works_unstall(struct engine *);
void work_answered(void *arg, uint64_t token, enum published, const struct error *);
int publish_payload(struct engine *, uint64_t token, struct span payload, struct error *);

/* apply.c */
int work_apply(struct engine *, struct work *, struct error *);
int put_dead(struct engine *, struct work *, const struct dead *, struct span envelope, struct span body,
	     struct error *);
void note(struct work *, const struct message *, const char *stage, const char *place, struct span detail);
void records_publish(struct engine *, struct work *); /* after its commit */
int frames_apply(struct engine *, struct work *, struct span frames, struct error *);

/* held.c: durable steps */
int apply_held(struct engine *, struct work *, struct span, struct error *);
int apply_gap(struct engine *, struct work *, struct span, struct error *);
/* A dead letter that nobody but the engine makes: the collections to which the part might have come hear of it. */
int held_tell_dead(struct engine *, struct work *, const struct dead *, struct error *);
bool held_may_ask(struct engine *); /* of several machines one has the steward */
void held_look(struct engine *);    /* gives the steward up when ours has gone */

/* commit.c */
void commit_ready(struct engine *);

/* sessions.c, frames.c */
bool session_frame(struct session *, uint8_t type, struct span); /* false: it makes no sense */
int sessions_listen(struct engine *, struct error *);
void sessions_close(struct engine *);
void sessions_write(struct engine *);
void session_end(struct session *);
void session_say(struct session *, size_t at);
void sessions_accepting(struct engine *); /* tells them, when it has changed */
bool engine_accepting(const struct engine *);
bool session_alive(void *engine, struct span session);
void session_name(const struct session *, char out[16]);
void sessions_want(struct engine *, const char *worker);
void sessions_steward(struct engine *); /* something that waits in a durable step is due, or will be */

/* live.c */
int live_answer(void *engine, const char *question, json_t *answer, struct error *);
json_t *live_problems_new(struct engine *); /* what only the processes of this machine know */

/* machines.c: what is wrong here, for the other machines of the site, and what is wrong there */
void machines_name(struct engine *);
void machines_look(struct engine *);
int machines_answer(struct engine *, json_t *answer, struct error *); /* into a `status` */
void machines_lost(struct engine *);				      /* the connection to the store */
void machines_end(struct engine *);				      /* this machine leaves, as it should */

/* sources.c */
int sources_hold(struct session *, const json_t *request, json_t **answer, struct error *);
/* Within the transaction: RETRY `source.lost` when another machine may have had the source since. */
int sources_fence(struct engine *, const json_t *request, struct error *);
void sources_fence_early(struct work *, struct engine *, struct span payload); /* of a FRAME_CHANGE, into its error */
void sources_leave(struct engine *, const struct session *); /* NULL: the connection to the store is lost */

/* disk.c */
void disk_look(struct engine *);
void disk_full(struct engine *);

/* events.c: events of Ferrule's own. The first two before what they tell of is stored. */
int event_dead(struct engine *, struct work *, const struct dead *, struct error *);
int event_doubt(struct engine *, struct work *, const struct id *key, const struct message *, const char *endpoint,
		struct error *);
void events_look(struct engine *);

/* expire.c */
void expire_look(struct engine *);

#endif
