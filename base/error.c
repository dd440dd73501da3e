/* The one error type. See error.h. */
#include "config.h"
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void set(struct error *error, enum error_class class, const char *code, const char *format, va_list args)
{
	error->class = class;
	error->scope = SCOPE_MESSAGE;
	error->retry_after_ms = 0;
	snprintf(error->code, sizeof error->code, "%s", code);
	vsnprintf(error->text, sizeof error->text, format, args);
}

int error_set(struct error *error, enum error_class class, const char *code, const char *format, ...)
{
	va_list args;

	if (!error)
		return -1;
	va_start(args, format);
	set(error, class, code, format, args);
	va_end(args);
	return -1;
}

int error_errno(struct error *error, enum error_class class, const char *code, const char *format, ...)
{
	int saved = errno;
	va_list args;
	size_t used;

	if (!error)
		return -1;
	va_start(args, format);
	set(error, class, code, format, args);
	va_end(args);
	used = strlen(error->text);
	snprintf(error->text + used, sizeof error->text - used, ": %s", strerror(saved));
	errno = saved;
	return -1;
}

int error_wrap(struct error *error, const char *format, ...)
{
	char phrase[sizeof error->text], whole[sizeof error->text * 2 + 2];
	va_list args;

	if (!error)
		return -1;
	va_start(args, format);
	vsnprintf(phrase, sizeof phrase, format, args);
	va_end(args);
	snprintf(whole, sizeof whole, "%s: %s", phrase, error->text);
	whole[sizeof error->text - 1] = '\0';
	memcpy(error->text, whole, sizeof error->text);
	return -1;
}

void error_clear(struct error *error)
{
	if (error)
		memset(error, 0, sizeof *error);
}

static const char *const names[] = {"none", "retry", "doubt", "reject", "fatal"};

const char *error_class_name(enum error_class class)
{
	return names[class];
}

int error_class_parse(const char *name, enum error_class *class)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(names[i], name)) {
			*class = (enum error_class)i;
			return 0;
		}
	return -1;
}
