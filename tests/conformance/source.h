/* What every source must do, whatever it speaks. An adapter brings a fixture and calls source_suite from its main. */
#ifndef FERRULE_TESTS_SOURCE_H
#define FERRULE_TESTS_SOURCE_H

#include "base/adapter.h"

struct source_fixture {
	const char *name;
	const struct source_ops *ops;
	void *(*set_up)(void);
	void (*tear_down)(void *);
	const struct endpoint *(*endpoint)(void *); /* takes what was put at once, the oldest first */
	void (*put)(void *, const char *name, struct span content);
	void (*take_away)(void *, const char *name);  /* as if somebody else had removed it */
	bool (*waits)(void *, const char *name);      /* does it lie where the source looks? */
	unsigned (*kept)(
		void *); /* what settling kept elsewhere: archived, moved; accepted, duplicate and refused alike */
	const char *const *faults;    /* points between fetching and the end of settling; ended by NULL */
	size_t awkward_count;         /* names that the protocol allows and nobody likes */
	const char *const *awkward;
};

int source_suite(const struct source_fixture *); /* for the end of main */

#endif
