/* The one error type. See error.h. */
#include "config.h"
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the UTF-8 character that begins here: 0 when none does, -1 when the text ends inside it. */
static int character(const unsigned char *at)
{
	int more = *at < 0x80 ? 0 : *at < 0xc2 ? -1 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : *at < 0xf5 ? 3 : -1;
	unsigned char low = *at == 0xe0 ? 0xa0 : *at == 0xf0 ? 0x90 : 0x80;
	unsigned char high = *at == 0xed ? 0x9f : *at == 0xf4 ? 0x8f : 0xbf;

	if (more < 0)
		return 0;
	for (int i = 1; i <= more; i++, low = 0x80, high = 0xbf) {
		if (!at[i])
			return -1;
		if (at[i] < low || at[i] > high)
			return 0;
	}
	return more + 1;
}

/* Errors quote peers, and end in logs, terminals and JSON: one line of valid UTF-8, whatever came in and wherever it
 * was cut. */
static void clean(char *text)
{
	size_t len;

	for (unsigned char *at = (unsigned char *)text; *at;) {
		int n = character(at);

		if (n < 0)
			*at = '\0';
		else if (n == 0)
			*at++ = '?';
		else {
			if (*at < ' ' || *at == 0x7f)
				*at = ' ';
			at += n;
		}
	}
	for (len = strlen(text); len && text[len - 1] == ' '; len--)
		text[len - 1] = '\0';
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
