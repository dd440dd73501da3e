/* Single requests to an FTP server. See ftp.h.
 *
 * Its answers are numbers that mean little (550 is: not there, not allowed, there already) and words that mean more, in
 * no language in particular. What neither tells is found out by listing the folder. */
#include "config.h"
#include "broker-adapters/ftp/ftp_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "broker-adapters/ftp/ftp_list.h"

#define LISTING_MAX (64u * 1024 * 1024) /* bytes of one listing */
#define LINE_MAX_BYTES 8192u
#define UNCLEAR 1000 /* no status of the contract: 550, and its words do not help */

/* ---- what an answer means -------------------------------------------------------------------------------------- */

static bool says(const struct ftp *ftp, const char *const *words)
{
	for (; *words; words++)
		if (strcasestr(ftp->said, *words))
			return true;
	return false;
}

static int refused(const struct ftp *ftp)
{
	static const char *const missing[] = {
		"no such",       "not found", "not exist",     "cannot find",   "can't find",
		"couldn't find", "not there", "does not name", "doesn't exist", NULL};
	static const char *const denied[] = {"denied",    "not permitted", "not allowed", "forbidden",
					     "read-only", "privilege",     "permission",  NULL};
	static const char *const full[] = {"no space", "disk full", "quota", "exceeded", NULL};
	static const char *const exists[] = {"exist", "already", NULL};

	return says(ftp, missing)  ? REMOTE_MISSING
	       : says(ftp, denied) ? REMOTE_DENIED
	       : says(ftp, full)   ? REMOTE_NO_SPACE
	       : says(ftp, exists) ? REMOTE_EXISTS
				   : UNCLEAR;
}

int ftp_status(const struct ftp *ftp, unsigned code)
{
	if (code >= 200 && code < 400)
		return REMOTE_OK;
	switch (code) {
	case 452:
		return REMOTE_NO_SPACE;
	case 552:
		return REMOTE_QUOTA;
	case 521:
		return REMOTE_EXISTS;
	case 530:
	case 532:
		return REMOTE_DENIED;
	case 500:
	case 501:
	case 502:
	case 504:
		return REMOTE_UNSUPPORTED;
	case 450:
	case 550:
	case 553:
		return refused(ftp);
	default:
		return REMOTE_FAILURE;
	}
}

int ftp_fail(struct ftp *ftp, int status, const char *doing, const char *path, struct error *error)
{
	const char *code = "ftp.failure", *advice = "it does not say more";

	if (status < 0)
		return error_wrap(error, "%s %s", doing, path);
	if (status == REMOTE_MISSING) {
		code = "ftp.missing";
		advice = "make the folder there, or correct the path";
	} else if (status == REMOTE_DENIED) {
		code = "ftp.permission";
		advice = "ask the partner for the right to do so";
	} else if (status == REMOTE_NO_SPACE || status == REMOTE_QUOTA) {
		code = "ftp.full";
		advice = "the partner must make room; it goes on by itself";
	} else if (status == REMOTE_EXISTS) {
		code = "ftp.exists";
		advice = "something of that name is there";
	}
	error_set(error, ERROR_RETRY, code, "%s %s: the server says \"%u %s\"; %s", doing, path, ftp->code, ftp->said,
		  advice);
	if (error)
		error->scope = SCOPE_ENDPOINT;
	return -1;
}

/* ---- commands -------------------------------------------------------------------------------------------------- */

/* A line break would begin another command, and 0xff one of Telnet. */
bool ftp_path_fits(const char *path)
{
	size_t n = 0;

	for (; path[n]; n++)
		if ((unsigned char)path[n] < ' ' || path[n] == 0x7f || (unsigned char)path[n] == 0xff)
			return false;
	return n && n < REMOTE_PATH_MAX;
}

static int cannot_say(struct ftp *ftp)
{
	ftp->code = 0;
	snprintf(ftp->said, sizeof ftp->said, "(not asked: FTP cannot send such a name)");
	return REMOTE_DENIED;
}

static int ask(struct ftp *ftp, const char *verb, const char *path, struct error *error)
{
	char *command;
	int result;

	if (!ftp_path_fits(path))
		return cannot_say(ftp);
	command = mem_printf("%s %s", verb, path);
	result = ftp_command(ftp, (const char *const[]){command}, 1, error);
	free(command);
	return result ? -1 : ftp_status(ftp, ftp->code);
}

/* ---- listing --------------------------------------------------------------------------------------------------- */

struct listing {
	struct ftp *ftp;
	remote_each_fn *each;
	void *arg;
	char line[LINE_MAX_BYTES];
	size_t len, bytes, names;
	int64_t now;
	bool facts, enough, huge, all; /* all: . was among them */
};

static void take_line(struct listing *listing)
{
	struct span line = span_make(listing->line, listing->len), name;
	struct remote_attrs attrs;
	char text[256];

	while (line.len && line.data[line.len - 1] == '\r')
		line.len--;
	listing->all |= line.len > 2 && line.data[line.len - 1] == '.' && line.data[line.len - 2] == ' ';
	if (!(listing->facts ? ftp_read_facts(line, &attrs, &name) : ftp_read_list(line, listing->now, &attrs, &name)))
		return;
	memcpy(text, name.data, name.len);
	text[name.len] = '\0';
	listing->names++;
	listing->enough = !listing->each(listing->arg, text, &attrs);
}

static size_t on_listing(char *data, size_t size, size_t n, void *arg)
{
	struct listing *listing = arg;

	listing->ftp->heard_ms = clock_tick_ms();
	listing->bytes += size * n;
	for (size_t i = 0; i < size * n && !listing->enough && !listing->huge; i++) {
		if (data[i] == '\n') {
			take_line(listing);
			listing->len = 0;
		} else if (listing->len < sizeof listing->line) {
			listing->line[listing->len++] = data[i];
		} else {
			listing->huge = true;
		}
	}
	listing->huge |= listing->bytes > LISTING_MAX;
	return listing->huge ? 0 : size * n; /* the rest of what is enough is read and left */
}

/* An empty folder, in the words of those for whom that is a failure. */
static bool has_no_files(const struct ftp *ftp)
{
	static const char *const empty[] = {"no files", "no data sets", "no members", "is empty", NULL};

	return (ftp->code == 450 || ftp->code == 550) && says(ftp, empty);
}

static int list_with(struct listing *listing, const char *verb, const char *path, struct error *error)
{
	static const char *const watched[] = {"MLSD ", "LIST "};
	struct ftp *ftp = listing->ftp;
	char *folder = mem_printf("%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/");
	CURL *easy = ftp_begin(ftp, folder, watched, 2);
	CURLcode result = CURLE_OK;
	bool ended;

	free(folder);
	ftp->ascii = true;
	if (verb)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, verb);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_listing);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, listing);
	listing->now = clock_now_ms() / 1000;
	ftp_run(ftp, NULL, NULL, &ended, &result);
	ftp_end(ftp);
	if (listing->huge) {
		ftp->lost = true;
		error_set(error, ERROR_RETRY, "ftp.listing",
			  "%s: the listing of %s has no end, or lines of more than %u bytes", ftp->settings->host, path,
			  LINE_MAX_BYTES);
		if (error)
			error->scope = SCOPE_ENDPOINT;
		return -1;
	}
	if (ftp_lost_by(ftp, result, error))
		return -1;
	if (listing->len && !listing->enough)
		take_line(listing); /* without an end of its own */
	if (!listing->bytes && has_no_files(ftp))
		return REMOTE_OK;
	return result == CURLE_PARTIAL_FILE ? REMOTE_FAILURE : ftp_status(ftp, ftp->code);
}

/* Servers of Unix leave out hidden names unless asked for all of them, and others take `-a` for a name: who has
 * understood it shows the folder itself. */
static int list_for_people(struct listing *listing, const char *path, struct error *error)
{
	struct ftp *ftp = listing->ftp;
	remote_each_fn *each = listing->each;
	int status;

	if (!ftp->no_all) {
		status = list_with(listing, "LIST -a", path, error);
		if (status < 0 || listing->all)
			return status;
		ftp->no_all = true;
		if (listing->names) /* they are what there is */
			return status;
	}
	*listing = (struct listing){.ftp = ftp, .each = each, .arg = listing->arg};
	return list_with(listing, NULL, path, error);
}

int ftp_list(struct ftp *ftp, const char *path, remote_each_fn *each, void *arg, struct error *error)
{
	struct listing *listing;
	int status;

	if (!ftp_path_fits(path))
		return cannot_say(ftp);
	listing = mem_alloc(sizeof *listing);
	*listing = (struct listing){.ftp = ftp, .each = each, .arg = arg, .facts = ftp->has_facts};
	status = ftp->has_facts ? list_with(listing, "MLSD", path, error) : list_for_people(listing, path, error);
	free(listing);
	return status == UNCLEAR ? REMOTE_FAILURE : status;
}

/* ---- looking --------------------------------------------------------------------------------------------------- */

bool ftp_times_have_zone(const struct ftp *ftp)
{
	return ftp->has_facts;
}

struct seek {
	const char *name;
	struct remote_attrs *attrs;
	bool found;
};

static bool seek_name(void *arg, const char *name, const struct remote_attrs *attrs)
{
	struct seek *seek = arg;

	seek->found = !strcmp(name, seek->name);
	if (seek->found)
		*seek->attrs = *attrs;
	return !seek->found;
}

/* What its folder shows of it: certain, and long where the folder is. */
static int find_in_folder(struct ftp *ftp, const char *path, struct remote_attrs *attrs, struct error *error)
{
	const char *slash = strrchr(path, '/');
	char *folder = !slash          ? mem_strdup(".")
		       : slash == path ? mem_strdup("/")
				       : mem_span_dup(span_make(path, (size_t)(slash - path)));
	struct seek seek = {slash ? slash + 1 : path, attrs, false};
	int status = ftp_list(ftp, folder, seek_name, &seek, error);

	free(folder);
	return status ? status : seek.found ? REMOTE_OK : REMOTE_MISSING;
}

/* What can be renamed is there, and RNFR alone changes nothing. Only a clear no means that it is not: a file that is in
 * use, or a server in trouble, says something else. */
static int ask_hidden(struct ftp *ftp, const char *path, struct remote_attrs *attrs, struct error *error)
{
	static const char *const binary[] = {"TYPE I"};
	static const char *const busy[] = {" use", "busy", "lock", "try again", NULL};
	int status = ask(ftp, "RNFR", path, error);

	if (status == UNCLEAR)
		return ftp->code == 450 || says(ftp, busy) ? REMOTE_FAILURE : REMOTE_MISSING;
	if (status)
		return status;
	if (ftp_command(ftp, binary, 1, error))
		return -1;
	ftp->ascii = false;
	status = ask(ftp, "SIZE", path, error);
	attrs->has_size = status == REMOTE_OK;
	attrs->size = attrs->has_size ? strtoull(ftp->said, NULL, 10) : 0;
	return status < 0 ? -1 : REMOTE_OK;
}

static int ask_facts(struct ftp *ftp, const char *path, struct remote_attrs *attrs, struct error *error)
{
	int status = ask(ftp, "MLST", path, error);
	struct span lines = buf_view(&ftp->lines);

	if (status == UNCLEAR) { /* some say more to another question */
		status = ask(ftp, "RNFR", path, error);
		if (status && status != UNCLEAR)
			return status;
		status = find_in_folder(ftp, path, attrs, error);
		return status == REMOTE_MISSING ? ask_hidden(ftp, path, attrs, error) : status;
	}
	if (status)
		return status;
	while (lines.len) {
		const char *end = memchr(lines.data, '\n', lines.len);
		size_t n = end ? (size_t)(end - lines.data) : lines.len;

		if (ftp_read_own_facts(span_make(lines.data, n), attrs))
			return REMOTE_OK;
		lines = span_make(lines.data + n + (end != NULL), lines.len - n - (end != NULL));
	}
	return find_in_folder(ftp, path, attrs, error);
}

int ftp_lstat(struct ftp *ftp, const char *path, struct remote_attrs *attrs, struct error *error)
{
	const char *slash = strrchr(path, '/');
	int status;

	*attrs = (struct remote_attrs){0};
	if (!ftp_path_fits(path))
		return cannot_say(ftp);
	if (ftp->has_facts)
		return ask_facts(ftp, path, attrs, error);
	if (!strcmp(path, ".") || !strcmp(path, "/")) { /* is anybody there? */
		attrs->mode = S_IFDIR;
		return ftp_command(ftp, (const char *const[]){"NOOP"}, 1, error);
	}
	status = find_in_folder(ftp, path, attrs, error); /* where some leave out hidden names */
	return status == REMOTE_MISSING && (slash ? slash[1] : path[0]) == '.' ? ask_hidden(ftp, path, attrs, error)
									       : status;
}

/* ---- changing -------------------------------------------------------------------------------------------------- */

static int clear(struct ftp *ftp, int status)
{
	return status == UNCLEAR ? REMOTE_FAILURE : status;
}

int ftp_rename(struct ftp *ftp, const char *from, const char *to, struct error *error)
{
	char *first, *second;
	int result;

	if (!ftp_path_fits(from) || !ftp_path_fits(to))
		return cannot_say(ftp);
	first = mem_printf("RNFR %s", from);
	second = mem_printf("RNTO %s", to);
	result = ftp_command(ftp, (const char *const[]){first, second}, 2, error);
	free(first);
	free(second);
	if (result)
		return -1;
	if (ftp->codes[0] >= 400) { /* the answer to the second is about the first */
		ftp->code = ftp->codes[0];
		snprintf(ftp->said, sizeof ftp->said, "the file that is to be renamed cannot be");
		return ftp->codes[0] == 550 ? REMOTE_MISSING : REMOTE_FAILURE;
	}
	return clear(ftp, ftp_status(ftp, ftp->code));
}

/* Most servers replace what is there, at once. Where one does not, the old file goes first. */
int ftp_replace(struct ftp *ftp, const char *from, const char *to, struct error *error)
{
	int status = ftp_rename(ftp, from, to, error);
	struct remote_attrs there;

	if (status <= 0 || ftp->codes[0] >= 400)
		return status;
	if (ftp_lstat(ftp, to, &there, error) != REMOTE_OK)
		return ftp->lost ? -1 : status;
	status = ask(ftp, "DELE", to, error);
	return status ? clear(ftp, status) : ftp_rename(ftp, from, to, error);
}

int ftp_remove(struct ftp *ftp, const char *path, struct error *error)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t n = strlen(name);
	bool mark = !strncmp(name, ".ferrule-", 9) && n > 5 && !strcmp(name + n - 5, ".mark");
	int status = mark ? ask(ftp, "RMD", path, error) : REMOTE_FAILURE;
	struct remote_attrs attrs;

	if (status <= 0)
		return status;
	status = ask(ftp, "DELE", path, error); /* a mark may be a file: make_mark */
	if (status == UNCLEAR && ftp_lstat(ftp, path, &attrs, error) == REMOTE_MISSING)
		status = REMOTE_MISSING;
	return ftp->lost ? -1 : clear(ftp, status);
}

int ftp_mkdir(struct ftp *ftp, const char *path, struct error *error)
{
	int status = ask(ftp, "MKD", path, error);
	struct remote_attrs attrs;

	if (status == UNCLEAR && ftp_lstat(ftp, path, &attrs, error) == REMOTE_OK)
		status = REMOTE_EXISTS;
	return ftp->lost ? -1 : clear(ftp, status);
}
