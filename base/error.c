/* The one error type. See error.h. */
#include "config.h"
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* A text that was cut may end inside a character. */
static bool is_cut_end(struct span rest)
{
	for (size_t i = 0; i < rest.len; i++)
		if ((unsigned char)rest.data[i] < 0x80)
			return false;
	return rest.len < 4;
}

/* Errors quote peers, and end in logs, terminals and JSON: one line of valid UTF-8, whatever came in and wherever it
 * was cut. */
static void clean(char *text)
{
	size_t len = strlen(text);

	for (size_t at = 0, n; at < len; at += n ? n : 1) {
		n = utf8_character(span_make(text + at, len - at));
		if (n == 0 && is_cut_end(span_make(text + at, len - at)))
			len = at;
		else if (n == 0)
			text[at] = '?';
		else if ((unsigned char)text[at] < ' ' || text[at] == 0x7f)
			text[at] = ' ';
	}
	while (len && text[len - 1] == ' ')
		len--;
	text[len] = '\0';
}

/* The arguments may be texts of the same error. */
static void set(struct error *error, enum error_class class, const char *code, const char *format, va_list args)
{
	struct error made = {.class = class, .scope = SCOPE_MESSAGE};

	snprintf(made.code, sizeof made.code, "%s", code);
	vsnprintf(made.text, sizeof made.text, format, args);
	clean(made.text);
	*error = made;
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

int error_place(struct error *error, const char *format, ...)
{
	va_list args;

	if (!error)
		return -1;
	va_start(args, format);
	vsnprintf(error->position, sizeof error->position, format, args);
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
	clean(error->text);
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
	clean(error->text);
	return -1;
}

int error_add(struct error *error, const char *format, ...)
{
	va_list args;
	size_t used;

	if (!error)
		return -1;
	used = strlen(error->text);
	va_start(args, format);
	vsnprintf(error->text + used, sizeof error->text - used, format, args);
	va_end(args);
	clean(error->text);
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
