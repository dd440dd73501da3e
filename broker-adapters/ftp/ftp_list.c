/* Lines of listings. See ftp_list.h. */
#include "config.h"
#include "broker-adapters/ftp/ftp_list.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#define NAME_LIMIT 255u

bool ftp_name_fits(struct span name)
{
	if (!name.len || name.len > NAME_LIMIT || span_is(name, ".") || span_is(name, ".."))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];

		if (c == '/' || c < ' ' || c == 0x7f)
			return false;
	}
	return true;
}

/* ---- numbers and times ----------------------------------------------------------------------------------------- */

/* All of it, at most 18 digits. */
static bool number(struct span text, uint64_t *value)
{
	*value = 0;
	if (!text.len || text.len > 18)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!isdigit((unsigned char)text.data[i]))
			return false;
		*value = *value * 10 + (uint64_t)(text.data[i] - '0');
	}
	return true;
}

static bool part(struct span text, size_t at, size_t len, uint64_t *value)
{
	return at + len <= text.len && number(span_make(text.data + at, len), value);
}

/* Seconds since 1970 of a date that exists; false: there is none. */
static bool moment(uint64_t year, uint64_t month, uint64_t day, uint64_t hour, uint64_t minute, uint64_t second,
		   int64_t *time)
{
	struct tm tm = {.tm_year = (int)year - 1900,
			.tm_mon = (int)month - 1,
			.tm_mday = (int)day,
			.tm_hour = (int)hour,
			.tm_min = (int)minute,
			.tm_sec = (int)second};

	if (year < 1970 || year > 9999 || !month || month > 12 || !day || day > 31 || hour > 23 || minute > 59 ||
	    second > 60)
		return false;
	*time = (int64_t)timegm(&tm);
	return true;
}

/* ---- facts ----------------------------------------------------------------------------------------------------- */

static bool same(struct span a, const char *b)
{
	return a.len == strlen(b) && !strncasecmp(a.data, b, a.len);
}

/* YYYYMMDDHHMMSS, with or without a fraction; always UTC (RFC 3659, 2.3). */
static void take_modify(struct span value, struct remote_attrs *attrs)
{
	uint64_t year, month, day, hour, minute, second;

	attrs->has_mtime = part(value, 0, 4, &year) && part(value, 4, 2, &month) && part(value, 6, 2, &day) &&
			   part(value, 8, 2, &hour) && part(value, 10, 2, &minute) && part(value, 12, 2, &second) &&
			   moment(year, month, day, hour, minute, second, &attrs->mtime);
}

static bool take_type(struct span value, struct remote_attrs *attrs)
{
	attrs->has_mode = true;
	if (same(value, "file"))
		attrs->mode = S_IFREG;
	else if (same(value, "dir"))
		attrs->mode = S_IFDIR;
	else if (same(value, "cdir") || same(value, "pdir"))
		return attrs->mode = S_IFDIR, false;
	else if (value.len >= 13 && !strncasecmp(value.data, "OS.unix=slink", 13))
		attrs->mode = S_IFLNK;
	else if (value.len >= 15 && !strncasecmp(value.data, "OS.unix=symlink", 15))
		attrs->mode = S_IFLNK;
	else
		attrs->mode = S_IFIFO; /* whatever it is, it is no file */
	return true;
}

/* Facts end with the first space that follows a semicolon or begins the line. */
static bool take_facts(struct span line, struct remote_attrs *attrs, struct span *rest)
{
	bool wanted = true;
	size_t at = 0;

	*attrs = (struct remote_attrs){0};
	while (at < line.len && line.data[at] != ' ') {
		const char *begin = line.data + at, *end = memchr(begin, ';', line.len - at), *is;
		struct span name, value;

		is = end ? memchr(begin, '=', (size_t)(end - begin)) : NULL;
		if (!is)
			return false;
		name = span_make(begin, (size_t)(is - begin));
		value = span_make(is + 1, (size_t)(end - is - 1));
		if (same(name, "type"))
			wanted = take_type(value, attrs);
		else if (same(name, "size"))
			attrs->has_size = number(value, &attrs->size);
		else if (same(name, "modify"))
			take_modify(value, attrs);
		at += (size_t)(end - begin) + 1;
	}
	if (at == 0 || at >= line.len)
		return false;
	*rest = span_make(line.data + at + 1, line.len - at - 1);
	return wanted && attrs->has_mode;
}

bool ftp_read_facts(struct span line, struct remote_attrs *attrs, struct span *name)
{
	return take_facts(line, attrs, name) && ftp_name_fits(*name);
}

bool ftp_read_own_facts(struct span line, struct remote_attrs *attrs)
{
	struct span name;

	return line.len && line.data[0] == ' ' &&
	       (take_facts(span_make(line.data + 1, line.len - 1), attrs, &name) || attrs->mode == S_IFDIR);
}

/* ---- LIST ------------------------------------------------------------------------------------------------------ */

#define WORDS 12
struct words {
	struct span word[WORDS];
	size_t count;
};

static void cut(struct span line, struct words *words)
{
	size_t at = 0;

	words->count = 0;
	while (words->count < WORDS) {
		size_t start;

		while (at < line.len && line.data[at] == ' ')
			at++;
		start = at;
		while (at < line.len && line.data[at] != ' ')
			at++;
		if (at == start)
			break;
		words->word[words->count++] = span_make(line.data + start, at - start);
	}
}

/* One space behind a word the name begins, with all its own. */
static struct span behind(struct span line, struct span word)
{
	size_t at = (size_t)(word.data - line.data) + word.len + 1;

	return at < line.len ? span_make(line.data + at, line.len - at) : SPAN_NONE;
}

static uint64_t month_of(struct span word)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (uint64_t i = 0; i < 12; i++)
		if (word.len == 3 && !strncasecmp(word.data, names + 3 * i, 3))
			return i + 1;
	return 0;
}

static bool clock_of(struct span word, uint64_t *hour, uint64_t *minute)
{
	return word.len == 5 && word.data[2] == ':' && part(word, 0, 2, hour) && part(word, 3, 2, minute);
}

/* The year that is left out is the one that makes it the last such day, but for a day of grace for their clock. */
static bool of_this_year(uint64_t month, uint64_t day, uint64_t hour, uint64_t minute, int64_t now, int64_t *time)
{
	time_t seconds = (time_t)now;
	struct tm tm;
	uint64_t year;

	if (!gmtime_r(&seconds, &tm))
		return false;
	year = (uint64_t)tm.tm_year + 1900;
	if (!moment(year, month, day, hour, minute, 0, time))
		return false;
	return *time <= now + 86400 || moment(year - 1, month, day, hour, minute, 0, time);
}

static bool take_unix_type(char c, struct remote_attrs *attrs)
{
	static const struct {
		char c;
		uint32_t mode;
	} types[] = {{'-', S_IFREG}, {'d', S_IFDIR}, {'l', S_IFLNK}, {'p', S_IFIFO},
		     {'s', S_IFIFO}, {'b', S_IFIFO}, {'c', S_IFIFO}};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i].c == c) {
			attrs->mode = types[i].mode;
			return attrs->has_mode = true;
		}
	return false;
}

/* -rw-r--r--  1 owner group  size Nov 23 17:58 name, or Nov 23  2025, or 2026-11-23 17:58; the date is looked for,
 * since owners and groups are there or not, and may be of two words. */
static bool read_unix(struct span line, int64_t now, struct remote_attrs *attrs, struct span *name)
{
	struct words words;
	uint64_t month, day, year, hour, minute;

	if (line.len < 20 || !take_unix_type(line.data[0], attrs))
		return false;
	cut(line, &words);
	if (words.count < 5 || words.word[0].len < 10)
		return false;
	for (size_t i = 2; i + 2 < words.count; i++) {
		struct span word = words.word[i];

		attrs->has_size = number(words.word[i - 1], &attrs->size);
		if (!attrs->has_size)
			continue;
		month = month_of(word);
		if (month && i + 3 < words.count && number(words.word[i + 1], &day)) {
			struct span last = words.word[i + 2];

			attrs->has_mtime =
				clock_of(last, &hour, &minute)
					? of_this_year(month, day, hour, minute, now, &attrs->mtime)
					: number(last, &year) && moment(year, month, day, 0, 0, 0, &attrs->mtime);
			*name = behind(line, last);
		} else if (word.len == 10 && word.data[4] == '-' && word.data[7] == '-' && part(word, 0, 4, &year) &&
			   part(word, 5, 2, &month) && part(word, 8, 2, &day) &&
			   clock_of(words.word[i + 1], &hour, &minute)) {
			attrs->has_mtime = moment(year, month, day, hour, minute, 0, &attrs->mtime);
			*name = behind(line, words.word[i + 1]);
		} else {
			continue;
		}
		if (attrs->has_mtime)
			return true;
	}
	return false;
}

/* 11-23-26  05:58PM       <DIR>          name, or 11-23-2026  17:58  size name. */
static bool read_dos(struct span line, struct remote_attrs *attrs, struct span *name)
{
	struct words words;
	struct span date, clock;
	uint64_t month, day, year, hour, minute;

	cut(line, &words);
	if (words.count < 4)
		return false;
	date = words.word[0];
	clock = words.word[1];
	if ((date.len != 8 && date.len != 10) || date.data[2] != '-' || date.data[5] != '-' ||
	    !part(date, 0, 2, &month) || !part(date, 3, 2, &day) || !part(date, 6, date.len - 6, &year))
		return false;
	year += date.len == 10 ? 0 : year < 70 ? 2000 : 1900;
	if (!clock_of(span_make(clock.data, clock.len < 5 ? clock.len : 5), &hour, &minute))
		return false;
	if (clock.len == 7 && (clock.data[5] == 'P' || clock.data[5] == 'p'))
		hour = hour % 12 + 12;
	else if (clock.len == 7)
		hour %= 12;
	if (!moment(year, month, day, hour, minute, 0, &attrs->mtime))
		return false;
	attrs->has_mtime = attrs->has_mode = true;
	attrs->has_size = number(words.word[2], &attrs->size);
	attrs->mode = attrs->has_size ? S_IFREG : span_is(words.word[2], "<DIR>") ? S_IFDIR : S_IFLNK;
	*name = attrs->has_size ? behind(line, words.word[2])
				: span_make(words.word[3].data,
					    line.len - (size_t)(words.word[3].data - line.data)); /* aligned */
	return true;
}

bool ftp_read_list(struct span line, int64_t now, struct remote_attrs *attrs, struct span *name)
{
	*attrs = (struct remote_attrs){0};
	if (!read_unix(line, now, attrs, name)) {
		*attrs = (struct remote_attrs){0};
		if (!read_dos(line, attrs, name))
			return false;
	}
	for (size_t i = 0; attrs->mode == S_IFLNK && i + 4 <= name->len; i++)
		if (!memcmp(name->data + i, " -> ", 4))
			name->len = i;
	return ftp_name_fits(*name);
}
