/* What every sink must do, whatever it speaks. An adapter brings a fixture and calls sink_suite from its main. */
#ifndef FERRULE_TESTS_SINK_H
#define FERRULE_TESTS_SINK_H

#include "base/adapter.h"

struct sink_fixture {
	const char *name;
	const struct sink_ops *ops;
	void *(*set_up)(void);
	void (*tear_down)(void *);
	const struct endpoint *(*endpoint)(void *);
	/* Gives the message the attributes with which it goes to the thing called name ("order-1"). */
	void (*address)(void *, struct message *, const char *name);
	/* How often it took effect there; with `take`, a reader then takes it away, and it is still counted next time.
	 */
	unsigned (*effects)(void *, const char *name, bool take);
	char *(*content)(void *, const char *name, size_t *len); /* of one not taken away; the caller frees */
	unsigned (*leftovers)(void *);    /* of ours at the target, besides effects */
	void (*unreachable)(void *, bool); /* the target is gone, and back */
	/* points between prepare and abandon, ended by NULL (not for sinks without traits) */
	const char *const *faults;
	const char *always;               /* fault settings for every process, or "" */
	const char *const *doubtful;      /* of the faults, those after which it may honestly not know; ended by NULL */
	/* each process takes long to connect: fewer pairs of crashes and fewer rounds, unless FERRULE_LONG is set */
	bool slow;
};

int sink_suite(const struct sink_fixture *); /* for the end of main */

#endif
