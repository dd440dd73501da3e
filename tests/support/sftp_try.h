/* An SFTP source and sink driven as the roles drive them, against a server that does wrong: what came of it at last. */
#ifndef FERRULE_TESTS_SFTP_TRY_H
#define FERRULE_TESTS_SFTP_TRY_H

#include "base/adapter.h"
#include "base/mem.h"

extern const struct source_ops sftp_source_ops;
extern const struct sink_ops sftp_sink_ops;

#define TAKEN_MAX 200

/* What a source brought, look after look, by the same source. */
struct visitor {
	const struct endpoint *endpoint;
	struct vault *vault;
	struct {
		char name[300];
		struct id digest;
		unsigned accepted, settled;
	} taken[TAKEN_MAX];
	unsigned count, failed, duplicates;
	struct error first; /* that was not of a document */
	void *source;
};

void visitor_begin(struct visitor *, const struct endpoint *, struct vault *);
/* One poll and what it brings: documents that were settled, or -1. */
int visitor_look(struct visitor *);
/* Until `files` were settled, at most so many looks; how many were. */
unsigned visitor_until(struct visitor *, unsigned files, unsigned looks);
void visitor_end(struct visitor *);

/* The smallest thing that needs all of a connection, a look into the folder: 0 or -1. */
int source_ask(const struct endpoint *, struct error *);
/* It fails, the endpoint pauses, and its words have these among them if they are not NULL. */
void source_fails(const struct endpoint *, const char *code, const char *words);
void source_works(const struct endpoint *);

struct delivery {
	struct message *message;
	struct attempt attempt;
	bool intended;      /* the store knows an intent of before */
	unsigned tries;
	struct error first; /* why it did not go at once */
};

void delivery_begin(struct delivery *, const struct endpoint *, const char *name, struct span body);
/* Once: 0 delivered, 1 not (it is tried again), -1 it is unclear what happened, -2 nobody can know, -3 refused. */
int delivery_try(struct delivery *);
/* Until it is delivered or at its end otherwise, at most so many tries. */
int delivery_until(struct delivery *, unsigned tries);
void delivery_end(struct delivery *);
/* What is left of hidden files goes; how many. */
unsigned delivery_sweep(const struct endpoint *);

#endif
