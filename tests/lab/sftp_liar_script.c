/* When the lying SFTP server lies. See sftp_liar.h. */
#include "config.h"
#include "tests/lab/sftp_liar.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIES_MAX 40

static struct lie lies[LIES_MAX];
static unsigned count;
static const char *directory;

static const char *below(const char *name)
{
	static char path[600];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

void script_read(const char *dir)
{
	char line[600], on[160];
	FILE *file;

	directory = dir;
	file = fopen(below("script"), "r");
	while (file && count < LIES_MAX && fgets(line, sizeof line, file)) {
		struct lie *lie = &lies[count];
		char *colon;

		*lie = (struct lie){.line = count};
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%159s %u %u %23s %299[^\n]", on, &lie->nth, &lie->times, lie->what, lie->argument) <
		    1)
			continue;
		colon = strchr(on, ':');
		if (colon)
			*colon = '\0';
		snprintf(lie->on, sizeof lie->on, "%.39s", on);
		snprintf(lie->end, sizeof lie->end, "%.119s", colon ? colon + 1 : "");
		count++;
	}
	if (file)
		fclose(file);
}

void script_note(const char *name, const char *text)
{
	int fd = open(below(name), O_WRONLY | O_CREAT | O_APPEND, 0666);
	char line[600];
	int n = snprintf(line, sizeof line, "%.590s\n", text);

	if (fd < 0 || write(fd, line, (size_t)n) != n)
		abort();
	close(fd);
}

/* Connections follow one another, so that the file is count enough. */
static unsigned fired(unsigned line)
{
	FILE *file = fopen(below("fired"), "r");
	unsigned n = 0, one;
	char rest[600];

	while (file && fgets(rest, sizeof rest, file))
		n += sscanf(rest, "%u", &one) == 1 && one == line;
	if (file)
		fclose(file);
	return n;
}

static bool strikes(struct lie *lie)
{
	char text[200];

	if (lie->times && fired(lie->line) >= lie->times)
		return false;
	snprintf(text, sizeof text, "%u %s %s", lie->line, lie->on, lie->what);
	script_note("fired", text);
	return true;
}

const struct lie *script_find(const char *on, const char *path)
{
	struct lie *found = NULL;

	for (unsigned i = 0; i < count; i++) {
		size_t end = strlen(lies[i].end), len = strlen(path);

		if (strcmp(lies[i].on, on) || end > len || strcmp(path + len - end, lies[i].end))
			continue;
		lies[i].seen++;
		if (!found && (!lies[i].nth || lies[i].nth == lies[i].seen) && strikes(&lies[i]))
			found = &lies[i];
	}
	return found;
}

long script_limit(const char *on)
{
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(lies[i].on, on) && strikes(&lies[i]))
			return (long)lies[i].nth;
	return -1;
}

bool script_says(const char *on)
{
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(lies[i].on, on))
			return true;
	return false;
}

void script_watch(void)
{
	struct stat st;

	for (unsigned i = 0; i < count; i++)
		if (!strcmp(lies[i].on, "watch") && !stat(lies[i].end, &st) && st.st_size != (off_t)lies[i].nth)
			script_note("half", lies[i].end);
}
