/* Many walks side by side over one connection. See sftp_many.h. */
#include "config.h"
#include "broker-adapters/sftp/sftp_many.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/log.h"

#define STACK (256u * 1024) /* of which only what is used takes memory */
#define GUARD 4096u
#define FILES_A_LANE 8u /* so many are worth the time that it takes to open one more channel */
#define OWNERS 4096u   /* more than requests can be on their way: a power of two */

enum walk_state { WALK_NONE, WALK_READY, WALK_WAITS };

struct walk {
	ucontext_t context;
	char *stack;
	enum walk_state state;
	void *arg;
	struct sftp_lane *lane;
	char *claim; /* the path that is this one's alone, or NULL */
};

struct sftp_many {
	ucontext_t driver;
	struct walk walks[REMOTE_AT_ONCE];
	size_t begun;
	struct walk *current; /* NULL: the driver itself runs */
	remote_one_fn *one;
	struct sftp_reply reply; /* for the walk that is let go on */
	struct error why;        /* how the connection broke */
	struct {
		uint32_t id;
		struct walk *walk;
	} owners[OWNERS];
};

/* ---- a walk ---------------------------------------------------------------------------------------------------- */

/* makecontext hands on nothing but int. */
static void walk_along(unsigned high, unsigned low)
{
	struct sftp_many *many = (struct sftp_many *)((uintptr_t)high << 32 | low);
	struct walk *walk = many->current;

	many->one(walk->arg);
	free(walk->claim);
	walk->claim = NULL;
	walk->state = WALK_NONE;
}

static void go_on(struct sftp *sftp, struct walk *walk)
{
	struct sftp_many *many = sftp->many;

	sftp->lane = walk->lane;
	walk->state = WALK_READY;
	many->current = walk;
	swapcontext(&many->driver, &walk->context);
	many->current = NULL;
}

static void give_way(struct sftp_many *many)
{
	swapcontext(&many->current->context, &many->driver);
}

static bool begin(struct sftp *sftp, struct walk *walk, void *arg)
{
	struct sftp_many *many = sftp->many;
	uint64_t self = (uintptr_t)many;

	if (!walk->stack) {
		walk->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
		if (walk->stack == MAP_FAILED || mprotect(walk->stack, GUARD, PROT_NONE)) {
			walk->stack = walk->stack == MAP_FAILED ? NULL : walk->stack;
			return false;
		}
	}
	getcontext(&walk->context);
	walk->context.uc_stack.ss_sp = walk->stack;
	walk->context.uc_stack.ss_size = STACK;
	walk->context.uc_link = &many->driver;
	makecontext(&walk->context, (void (*)(void))walk_along, 2, (unsigned)(self >> 32), (unsigned)self);
	walk->arg = arg;
	walk->lane = sftp->lanes[many->begun++ % sftp->lanes_count];
	go_on(sftp, walk);
	return true;
}

/* ---- within a walk --------------------------------------------------------------------------------------------- */

bool sftp_in_many(const struct sftp *sftp)
{
	return sftp->many && sftp->many->current;
}

void sftp_many_owns(struct sftp *sftp, uint32_t id)
{
	struct sftp_many *many = sftp->many;

	many->owners[id % OWNERS].id = id;
	many->owners[id % OWNERS].walk = many->current;
}

int sftp_many_next(struct sftp *sftp, struct sftp_reply *reply, struct error *error)
{
	struct sftp_many *many = sftp->many;

	if (!sftp->lost) {
		many->current->state = WALK_WAITS;
		give_way(many);
	}
	if (sftp->lost) {
		if (error)
			*error = many->why;
		return -1;
	}
	*reply = many->reply;
	return 0;
}

static bool is_claimed(const struct sftp_many *many, const char *path)
{
	for (size_t i = 0; i < REMOTE_AT_ONCE; i++)
		if (many->walks[i].claim && !strcasecmp(many->walks[i].claim, path))
			return true;
	return false;
}

void sftp_claim(struct sftp *sftp, const char *path)
{
	struct sftp_many *many = sftp->many;

	if (!sftp_in_many(sftp))
		return;
	free(many->current->claim);
	many->current->claim = NULL;
	while (is_claimed(many, path))
		give_way(many);
	many->current->claim = mem_strdup(path);
}

/* ---- the driver ------------------------------------------------------------------------------------------------ */

/* Those whose turn it is, whoever waits for a claim among them. */
static void go_on_ready(struct sftp *sftp)
{
	struct sftp_many *many = sftp->many;

	for (size_t i = 0; i < REMOTE_AT_ONCE; i++)
		if (many->walks[i].state == WALK_READY)
			go_on(sftp, &many->walks[i]);
}

/* Nothing more will be answered: each comes to its end by that. */
static void break_off(struct sftp *sftp)
{
	struct sftp_many *many = sftp->many;
	bool some = true;

	if (many->why.class == ERROR_NONE)
		sftp_check(sftp, &many->why);
	while (some) {
		some = false;
		for (size_t i = 0; i < REMOTE_AT_ONCE; i++)
			if (many->walks[i].state != WALK_NONE) {
				some = true;
				go_on(sftp, &many->walks[i]);
			}
	}
}

static void take_answer(struct sftp *sftp)
{
	struct sftp_many *many = sftp->many;
	struct walk *owner;

	if (sftp_take_any(sftp, &many->reply, &many->why))
		return;
	owner = many->owners[many->reply.id % OWNERS].walk;
	if (many->owners[many->reply.id % OWNERS].id != many->reply.id || !owner || owner->state != WALK_WAITS)
		sftp_garbled(sftp, "an answer to nothing that was asked", &many->why);
	else
		go_on(sftp, owner);
}

static size_t begin_more(struct sftp *sftp, void *const *args, size_t n)
{
	struct sftp_many *many = sftp->many;
	size_t begun = 0;

	for (size_t i = 0; i < REMOTE_AT_ONCE && begun < n; i++)
		if (many->walks[i].state == WALK_NONE) {
			if (!begin(sftp, &many->walks[i], args[begun]))
				break;
			begun++;
		}
	return begun;
}

static bool any_waits(const struct sftp_many *many)
{
	for (size_t i = 0; i < REMOTE_AT_ONCE; i++)
		if (many->walks[i].state == WALK_WAITS)
			return true;
	return false;
}

/* A server does one thing after another on each channel, and syncing takes it long. One that gives no more of them is
 * not asked again. */
static void open_lanes(struct sftp *sftp, size_t files)
{
	struct sftp_link *link;
	struct error why;

	while (sftp->lanes_count < sftp->lanes_wanted && sftp->lanes_count < files / FILES_A_LANE && !sftp->lost) {
		link = sftp_link_branch(sftp->lanes[0]->link, &why);
		if (link && !sftp_lane_add(sftp, link, &why))
			continue;
		if (link)
			sftp_lane_drop(sftp);
		sftp->lost = false; /* that may be true of the others, too: they will tell */
		sftp->lanes_wanted = sftp->lanes_count;
		log_info("sftp", SPAN_NONE, "no more than %u channels: %s", sftp->lanes_count, why.text);
	}
	sftp->lane = sftp->lanes[0];
}

void sftp_many(struct sftp *sftp, remote_one_fn *one, void *const *args, size_t n)
{
	struct sftp_many *many;
	size_t begun = 0;

	assert(!sftp_in_many(sftp));
	if (!sftp->many)
		sftp->many = mem_alloc(sizeof *sftp->many);
	many = sftp->many;
	many->one = one;
	sftp->gathers = true;
	error_clear(&many->why);
	open_lanes(sftp, n);
	for (;;) {
		if (!sftp->lost)
			begun += begin_more(sftp, args + begun, n - begun);
		go_on_ready(sftp);
		if (sftp->lost)
			break_off(sftp);
		if (!any_waits(many))
			break;
		take_answer(sftp);
	}
	sftp->gathers = false;
	sftp->lane = sftp->lanes[0];
	for (; begun < n; begun++) /* it is lost, or there was no memory for a stack: as if there were no others */
		one(args[begun]);
}

void sftp_many_free(struct sftp_many *many)
{
	for (size_t i = 0; many && i < REMOTE_AT_ONCE; i++)
		if (many->walks[i].stack)
			munmap(many->walks[i].stack, STACK);
	free(many);
}
