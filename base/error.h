/* One error type for the whole program.
 *
 * A function that can fail takes `struct error *` last and returns 0, or -1 with the error filled in. The class
 * decides what happens to the work in hand; each layer may put one phrase in front; only the top of a unit of
 * work logs it, once. */
#ifndef FERRULE_BASE_ERROR_H
#define FERRULE_BASE_ERROR_H

#include <stdint.h>

enum error_class {
	ERROR_NONE,
	ERROR_RETRY,  /* certainly no effect: try again later */
	ERROR_DOUBT,  /* the effect may have happened: find out, never just try again */
	ERROR_REJECT, /* this message cannot go on: dead letter */
	ERROR_FATAL,  /* this process ends and is started again */
};

enum error_scope {
	SCOPE_MESSAGE,  /* the message in hand */
	SCOPE_ENDPOINT, /* every message for this endpoint fares alike: pause it */
	SCOPE_SITE,     /* every endpoint fares alike */
};

struct error {
	enum error_class class;
	enum error_scope scope;
	int64_t retry_after_ms; /* what the other side asked for; 0 when it did not say */
	char code[40];          /* stable and short, `file.exists`; dead letters are grouped by it */
	char position[80];      /* where in the document, for people; empty when it is not known */
	char text[600];         /* for people: what, where, what to do; never a secret; one line of valid UTF-8 */
};

/* All return -1, so that `return error_set(…)` reads well. `error` may be NULL. */
int error_set(struct error *error, enum error_class class, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* As error_set, with ": " and strerror(errno) appended. */
int error_errno(struct error *error, enum error_class class, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Puts one phrase and ": " in front of the text; class and code stay. */
int error_wrap(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts a phrase behind the text. */
int error_add(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Says where in the document it is, for the dead letter: "line 3, column 7 (byte 41)". */
int error_place(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
void error_clear(struct error *error);

const char *error_class_name(enum error_class class); /* "retry", "doubt", "reject", "fatal", "none" */
int error_class_parse(const char *name, enum error_class *class); /* -1 when unknown */

#endif
