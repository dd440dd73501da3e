/* An SFTP server (version 3) of our own that does wrong where it is told to: sshd starts it as `Subsystem sftp`, with
 * the account's home as its folder.
 *
 *   sftp_liar DIR      DIR/script says what to do wrong, a line each (sftp_liar.h); DIR/fired gets a line for each lie,
 *                      DIR/asked one for each request, DIR/half one when a watched file was there in part
 *
 *   cut, cut-after       end without an answer; the latter when it was done
 *   hang, hang-after     say nothing any more, likewise
 *   status N, done N     this status without doing it; having done it
 *   ok                   success without doing it
 *   run CMD, then CMD    a command of the shell before it is done; after
 *   slow MS              wait before the answer
 *   id, twice, garbage, huge, empty   a wrong answer
 *   size N, older N      attributes say N bytes more; N seconds less
 *   bare                 attributes say nothing
 *   short N, more N      reads give at most N bytes; N bytes more than asked
 *   names KIND           awkward, long, twice, endless, many
 *   bytes-in N, bytes-out N TIMES   the connection ends after that many bytes
 *   no-fsync 0 0, no-replace, no-limits    extensions that it does not have
 *   watch:NAME SIZE 0    see above */
#include "config.h"
#include "tests/lab/sftp_liar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HANDLES 64
#define MANY 50000

static const struct lie *lie; /* for the request in hand */
static uint32_t id;

static struct {
	int fd;
	char **names;
	size_t count, at;
	char path[PATH_MAX];
	bool used;
} handles[HANDLES];

static bool lies(const char *what)
{
	return lie && !strcmp(lie->what, what);
}

static long number(void)
{
	return lie ? atol(lie->argument) : 0;
}

/* ---- answers --------------------------------------------------------------------------------------------------- */

static void begin(uint8_t type)
{
	out_len = 4;
	out[out_len++] = type;
	put_u32(lies("id") ? id + 1000000 : id);
}

static void answer_status(uint32_t status)
{
	static const char *const words[] = {"Success", "End of file", "No such file", "Permission denied", "Failure"};

	begin(101);
	put_u32(status);
	put_text(status < 5 ? words[status] : "told to say so");
	put_text("en");
}

static void answer_errno(void)
{
	answer_status(errno == ENOENT ? 2 : errno == EACCES || errno == EPERM ? 3 : 4);
}

static void answer(int result)
{
	if (result < 0)
		answer_errno();
	else
		answer_status(0);
}

static void put_attrs(const struct stat *st)
{
	uint64_t size = (uint64_t)st->st_size;
	uint32_t mtime = (uint32_t)st->st_mtime;

	if (lies("bare")) {
		put_u32(0);
		return;
	}
	size += lies("size") ? (uint64_t)number() : 0;
	mtime -= lies("older") ? (uint32_t)number() : 0;
	put_u32(1 | 4 | 8);
	put_u64(size);
	put_u32(st->st_mode);
	put_u32(mtime);
	put_u32(mtime);
}

static void answer_attrs(int result, const struct stat *st)
{
	if (result) {
		answer_errno();
		return;
	}
	begin(105);
	put_attrs(st);
}

/* ---- handles --------------------------------------------------------------------------------------------------- */

static int handle_new(int fd, const char *path)
{
	for (int i = 0; i < HANDLES; i++)
		if (!handles[i].used) {
			handles[i].used = true;
			handles[i].fd = fd;
			snprintf(handles[i].path, PATH_MAX, "%s", path);
			begin(102);
			put_bytes(&i, sizeof i);
			return i;
		}
	answer_status(4);
	return -1;
}

static int handle_taken(void)
{
	size_t len;
	const unsigned char *at = take_bytes(&len);
	int i = -1;

	if (len == sizeof i)
		memcpy(&i, at, len);
	return i >= 0 && i < HANDLES && handles[i].used ? i : -1;
}

static void handle_close(int i)
{
	if (i < 0) {
		answer_status(4);
		return;
	}
	if (handles[i].fd >= 0)
		close(handles[i].fd);
	for (size_t n = 0; n < handles[i].count; n++)
		free(handles[i].names[n]);
	free(handles[i].names);
	memset(&handles[i], 0, sizeof handles[i]);
	answer_status(0);
}

/* ---- listing --------------------------------------------------------------------------------------------------- */

static void open_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *found;
	int i;

	if (!folder) {
		answer_errno();
		return;
	}
	i = handle_new(-1, path);
	while (i >= 0 && (found = readdir(folder))) {
		handles[i].names = realloc(handles[i].names, (handles[i].count + 1) * sizeof(char *));
		handles[i].names[handles[i].count++] = strdup(found->d_name);
	}
	closedir(folder);
}

static void put_name(const char *name, size_t len, const struct stat *st)
{
	put_bytes(name, len);
	put_text("-rw-r--r--");
	put_attrs(st);
}

static uint32_t awkward_names(const struct stat *st)
{
	static const struct {
		const char *name;
		size_t len;
	} names[] = {{"..", 2},
		     {"../../etc/passwd", 16},
		     {"a/b", 3},
		     {"", 0},
		     {"nul\0tail", 8},
		     {"new\nline.edi", 12},
		     {"/", 1},
		     {"Gr\xf6\xdf"
		      "e.edi",
		      9},
		     {"outbox/x.edi", 12},
		     {".", 1},
		     {"-rf", 3}};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		put_name(names[i].name, names[i].len, st);
	return sizeof names / sizeof *names;
}

/* Names that are not there at all. */
static uint32_t made_up(int i, const struct stat *st)
{
	static char name[100 * 1024];
	static unsigned made;
	bool endless = !strcmp(lie->argument, "endless");
	uint32_t n = 0;

	if (!strcmp(lie->argument, "awkward"))
		return made++ ? 0 : awkward_names(st);
	if (!strcmp(lie->argument, "long")) {
		memset(name, 'n', sizeof name);
		put_name(name, sizeof name, st);
		return made++ ? 0 : 1;
	}
	if (!strcmp(lie->argument, "twice")) {
		for (size_t k = 0; k < handles[i].count; k++)
			if (handles[i].names[k][0] != '.' && !made) {
				put_name(handles[i].names[k], strlen(handles[i].names[k]), st);
				put_name(handles[i].names[k], strlen(handles[i].names[k]), st);
				n += 2;
			}
		made++;
		return n;
	}
	while (n < 100 && (endless || made < MANY)) {
		snprintf(name, sizeof name, "made-up-%09u-%0200d.edi", made++, 0);
		put_name(name, strlen(name), st);
		n++;
	}
	return n;
}

static void read_folder(int i)
{
	struct stat st = {.st_mode = S_IFREG | 0644, .st_size = 7, .st_mtime = 1000000000};
	size_t counted;
	uint32_t n = 0;

	if (i < 0) {
		answer_status(4);
		return;
	}
	begin(104);
	counted = out_len;
	put_u32(0);
	if (lies("names"))
		n = made_up(i, &st);
	for (; !lies("names") && n < 50 && handles[i].at < handles[i].count; handles[i].at++) {
		char path[PATH_MAX + 300];

		snprintf(path, sizeof path, "%s/%s", handles[i].path, handles[i].names[handles[i].at]);
		if (lstat(path, &st))
			continue;
		put_name(handles[i].names[handles[i].at], strlen(handles[i].names[handles[i].at]), &st);
		n++;
	}
	if (!n) {
		answer_status(1);
		return;
	}
	out[counted + 2] = (unsigned char)(n >> 8);
	out[counted + 3] = (unsigned char)n;
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

static void open_it(const char *path)
{
	uint32_t asked = take_u32();
	int flags = (asked & 2 ? asked & 1 ? O_RDWR : O_WRONLY : O_RDONLY) | (asked & 8 ? O_CREAT : 0) |
		    (asked & 16 ? O_TRUNC : 0) | (asked & 32 ? O_EXCL : 0) | (asked & 4 ? O_APPEND : 0),
	    fd = open(path, flags | O_NOFOLLOW, 0644);

	if (fd < 0)
		answer_errno();
	else
		handle_new(fd, path);
}

static void read_it(int i)
{
	uint64_t offset = take_u64();
	size_t len = take_u32();
	ssize_t n;

	if (i < 0) {
		answer_status(4);
		return;
	}
	if (len > 256 * 1024)
		len = 256 * 1024;
	if (lies("short") && (long)len > number())
		len = (size_t)number();
	begin(103);
	n = pread(handles[i].fd, out + out_len + 4, len, (off_t)offset);
	if (n <= 0 && !lies("more")) {
		if (n)
			answer_errno();
		else
			answer_status(1);
		return;
	}
	n = n < 0 ? 0 : n;
	if (lies("more")) {
		memset(out + out_len + 4 + n, 'M', (size_t)number());
		n = (ssize_t)len + number();
	}
	put_u32((uint32_t)n);
	out_len += (size_t)n;
}

static void write_it(int i)
{
	uint64_t offset = take_u64();
	size_t len;
	const unsigned char *at = take_bytes(&len);

	answer(i < 0 || pwrite(handles[i].fd, at, len, (off_t)offset) != (ssize_t)len ? -1 : 0);
}

/* The draft's rename does not replace. */
static int rename_it(const char *from, const char *to)
{
	struct stat st;

	if (!lstat(to, &st)) {
		errno = EEXIST;
		return -1;
	}
	return rename(from, to);
}

/* ---- requests -------------------------------------------------------------------------------------------------- */

static const char *name_of(uint8_t type)
{
	static const char *const names[] = {NULL,    NULL,    NULL,       "open",     "close",   "read",    "write",
					    "lstat", "fstat", "setstat",  "fsetstat", "opendir", "readdir", "remove",
					    "mkdir", "rmdir", "realpath", "stat",     "rename"};

	return type < sizeof names / sizeof *names && names[type] ? names[type] : "unknown";
}

static void do_extended(const char *name)
{
	int i;
	char *from, *to;

	if (!strcmp(name, "posix-rename")) {
		from = take_path();
		to = take_path();
		answer(rename(from, to));
	} else if (!strcmp(name, "fsync")) {
		i = handle_taken();
		answer(i < 0 ? -1 : fsync(handles[i].fd));
	} else if (!strcmp(name, "limits")) {
		begin(201);
		put_u64(PACKET / 2);
		put_u64(255 * 1024);
		put_u64(255 * 1024);
		put_u64(HANDLES);
	} else {
		answer_status(8);
	}
}

static void do_request(uint8_t type, const char *name)
{
	struct stat st;
	char *from, *to;
	int i;

	switch (type) {
	case 3:
		open_it(take_path());
		break;
	case 4:
		handle_close(handle_taken());
		break;
	case 5:
		read_it(handle_taken());
		break;
	case 6:
		write_it(handle_taken());
		break;
	case 7:
		answer_attrs(lstat(take_path(), &st), &st);
		break;
	case 17:
		answer_attrs(stat(take_path(), &st), &st);
		break;
	case 8:
		i = handle_taken();
		answer_attrs(i < 0 ? -1 : fstat(handles[i].fd, &st), &st);
		break;
	case 9:
	case 10:
		answer_status(0);
		break;
	case 11:
		open_folder(take_path());
		break;
	case 12:
		read_folder(handle_taken());
		break;
	case 13:
		answer(unlink(take_path()));
		break;
	case 14:
		answer(mkdir(take_path(), 0755));
		break;
	case 15:
		answer(rmdir(take_path()));
		break;
	case 18:
		from = take_path();
		to = take_path();
		answer(rename_it(from, to));
		break;
	case 200:
		do_extended(name);
		break;
	default:
		answer_status(8);
	}
}

/* Of a request: its name and what it is about, without taking it. */
static const char *look_at(uint8_t type, char path[PATH_MAX])
{
	static char extended[64];
	size_t at = in_at, len;
	const char *name = name_of(type);
	const unsigned char *bytes;
	int i;

	if (type == 200) {
		bytes = take_bytes(&len);
		snprintf(extended, sizeof extended, "%.*s", (int)(len < 63 ? len : 63), (const char *)bytes);
		extended[strcspn(extended, "@")] = '\0';
		name = extended;
		at = in_at;
	}
	path[0] = '\0';
	if (type == 4 || type == 5 || type == 6 || type == 8 || type == 10 || type == 12 || !strcmp(name, "fsync")) {
		i = handle_taken();
		snprintf(path, PATH_MAX, "%s", i >= 0 ? handles[i].path : "");
	} else if (strcmp(name, "limits")) {
		snprintf(path, PATH_MAX, "%s", take_path());
	}
	in_at = at;
	return name;
}

static void silence(void)
{
	while (read(0, in, sizeof in) > 0)
		continue;
	exit(0);
}

static void send_answer(void)
{
	size_t len = out_len - 4;

	if (lies("huge"))
		len = 0x7fffffff;
	if (lies("empty"))
		len = 0;
	if (lies("garbage"))
		memset(out + 4, 0xa5, out_len - 4);
	for (int i = 0; i < 4; i++)
		out[i] = (unsigned char)(len >> (24 - 8 * i));
	send_bytes(out, out_len);
	if (lies("twice"))
		send_bytes(out, out_len);
}

static void run_command(void)
{
	if (system(lie->argument))
		script_note("half", "a command failed");
}

static void serve(uint8_t type)
{
	static char path[PATH_MAX];
	char asked[600];
	const char *name;

	id = take_u32();
	name = look_at(type, path);
	snprintf(asked, sizeof asked, "%s %.500s", name, path);
	script_note("asked", asked);
	lie = script_find(name, path);
	if (lies("cut"))
		exit(0);
	if (lies("hang"))
		silence();
	if (lies("run"))
		run_command();
	if (lies("slow"))
		usleep((useconds_t)number() * 1000);
	if (lies("status") || lies("ok"))
		answer_status((uint32_t)number());
	else
		do_request(type, name);
	script_watch();
	if (lies("then"))
		run_command();
	if (lies("done"))
		answer_status((uint32_t)number());
	if (lies("cut-after"))
		exit(0);
	if (lies("hang-after"))
		silence();
	send_answer();
}

static void say_version(void)
{
	out_len = 4;
	out[out_len++] = 2;
	put_u32(3);
	if (!script_says("no-fsync")) {
		put_text("fsync@openssh.com");
		put_text("1");
	}
	if (!script_says("no-replace")) {
		put_text("posix-rename@openssh.com");
		put_text("1");
	}
	if (!script_says("no-limits")) {
		put_text("limits@openssh.com");
		put_text("1");
	}
	lie = script_find("version", "");
	if (lies("cut"))
		exit(0);
	if (lies("hang"))
		silence();
	send_answer();
}

int main(int argc, char **argv)
{
	unsigned char head[5];

	if (argc != 2)
		return 2;
	script_read(argv[1]);
	bytes_left_in = script_limit("bytes-in");
	bytes_left_out = script_limit("bytes-out");
	while (get_bytes(head, sizeof head)) {
		size_t len = ((size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3]) - 1;

		if (len > sizeof in || !get_bytes(in, len))
			return 0;
		in_len = len;
		in_at = 0;
		if (head[4] == 1)
			say_version();
		else
			serve(head[4]);
	}
	return 0;
}
