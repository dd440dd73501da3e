/* Sites with mistakes of every kind, made of sound ones: lines taken away, doubled and swapped, values, types and
 * indentation changed, files removed. `check` must neither crash nor hang nor leak, say the same of the same site
 * twice, and never accept what `run` then refuses.
 *
 *     mutate [SEED] [ROUNDS] [EVERY]
 *
 * A round is a process of its own: what it does there is seen by how it ends. An accepted site has everything opened
 * that its roles would open; of those that are accepted every EVERYth is run with `ferrule run` (0: none). A seed and a
 * round make the same site again: mutate SEED/ROUND shows it. Short in `make check`, long with `make fuzz-sites`. */
#include "config.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/site.h"
#include "services/registry.h"
#include "tests/support/support.h"
#include "transformers/chain.h"

#define FILES_MAX 64
#define TEXT_MAX (256u * 1024)
#define SECONDS_MAX 60
enum verdict { REFUSED = 10, ACCEPTED = 11, NOT_OPENED = 12, UNLIKE = 13, RUN_REFUSES = 14 };

struct file {
	char *path;
	struct buf text;
};

struct mutant {
	struct file files[FILES_MAX];
	size_t count;
	uint64_t random;
};

static uint64_t next(struct mutant *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random;
}

static size_t below(struct mutant *m, size_t n)
{
	return n > 0 ? (size_t)(next(m) % n) : 0;
}

/* ---- sites ------------------------------------------------------------------------------------------------- */
static void read_tree(struct mutant *m, const char *directory, const char *prefix)
{
	struct dirent **entries;
	int n = scandir(directory, &entries, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		char *full = support_path(directory, entries[i]->d_name), relative[512];
		struct stat status;
		size_t len;

		snprintf(relative, sizeof relative, "%s%s", prefix, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && stat(full, &status) == 0 && S_ISDIR(status.st_mode)) {
			snprintf(relative, sizeof relative, "%s%s/", prefix, entries[i]->d_name);
			if (strcmp(relative, "tests/") != 0 && strcmp(relative, "input/") != 0)
				read_tree(m, full, relative);
		} else if (entries[i]->d_name[0] != '.' && m->count < FILES_MAX) {
			char *text = support_read(full, &len);

			m->files[m->count].path = mem_strdup(relative);
			buf_init(&m->files[m->count].text, TEXT_MAX);
			buf_append(&m->files[m->count++].text, text, len);
			free(text);
		}
		free(full);
		free(entries[i]);
	}
	free(n >= 0 ? entries : NULL);
}

static void write_tree(const struct mutant *m, const char *directory)
{
	for (size_t i = 0; i < m->count; i++) {
		char *full = support_path(directory, m->files[i].path);

		support_write(full, buf_view(&m->files[i].text));
		free(full);
	}
}

static void forget(struct mutant *m)
{
	for (size_t i = 0; i < m->count; i++) {
		free(m->files[i].path);
		buf_free(&m->files[i].text);
	}
	m->count = 0;
}

/* ---- mutations --------------------------------------------------------------------------------------------- */
static void set_text(struct file *file, struct span a, struct span b, struct span c)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	buf_span(&text, a);
	buf_span(&text, b);
	buf_span(&text, c);
	buf_free(&file->text);
	file->text = text;
}

/* A line of the file, with its newline. */
static struct span some_line(struct mutant *m, const struct file *file)
{
	struct span text = buf_view(&file->text);
	size_t at = below(m, text.len), start = at, end = at;

	while (start > 0 && text.data[start - 1] != '\n')
		start--;
	while (end < text.len && text.data[end] != '\n')
		end++;
	return span_make(text.data + start, end + (end < text.len) - start);
}

static struct span before(const struct file *file, struct span part)
{
	return span_make(file->text.data, (size_t)(part.data - file->text.data));
}

static struct span after(const struct file *file, struct span part)
{
	const char *end = part.data + part.len;

	return span_make(end, file->text.len - (size_t)(end - file->text.data));
}

/* The value of a line: what stands behind `: ` or `- `, without the newline. */
static struct span value_of(struct span line)
{
	const char *at = memmem(line.data, line.len, ": ", 2);
	size_t n;

	if (!at)
		at = memmem(line.data, line.len, "- ", 2);
	at = at ? at + 2 : line.data;
	n = line.len - (size_t)(at - line.data);
	return span_make(at, n - (n > 0 && at[n - 1] == '\n'));
}

static struct span some_value(struct mutant *m)
{
	static const char *const values[] = {"",
					     "~",
					     "null",
					     "0",
					     "-1",
					     "99999999999999999999",
					     "1.5",
					     "yes",
					     "off",
					     "[]",
					     "{}",
					     "[a, b]",
					     "{a: b}",
					     "'",
					     "\"",
					     "''",
					     "${X}",
					     "${X:}",
					     "${",
					     "$(",
					     "$(.a",
					     "'$(.a)'",
					     "'$(.a | )'",
					     "order.received.v1",
					     "*a",
					     "&a x",
					     "!!int 3",
					     "|",
					     ">",
					     "\t",
					     "3650d",
					     "1ms",
					     "16EiB",
					     ".",
					     "..",
					     "'.[] | .a'",
					     "x.y",
					     "all",
					     "none",
					     "\"\\0\"",
					     "\"\\uD800\"",
					     "é\xff",
					     "/",
					     "'%s%n'",
					     "map",
					     "{secret: x}",
					     "'def f: f; f'",
					     "'.a as [$b] | $c'",
					     "{jq: .}", "{webhook: x, verify: none}", "{file: in, age: 0s}",
					     "spool",
					     "{amqp: {host: h}}",
					     "{file: a}",
					     "- a",
					     "# gone"};

	return span_of(values[below(m, sizeof values / sizeof *values)]);
}

static void change_line(struct mutant *m, struct file *file)
{
	struct span line = some_line(m, file), other, value = value_of(line), head, tail;
	char text[512];
	size_t n;

	switch (below(m, 12)) {
	case 0: /* away with it */
		set_text(file, before(file, line), SPAN_NONE, after(file, line));
		break;
	case 1: /* twice */
		snprintf(text, sizeof text, "%.*s", (int)(line.len < 500 ? line.len : 500), line.data);
		set_text(file, before(file, line), span_of(text),
			 span_make(line.data, file->text.len - (size_t)(line.data - file->text.data)));
		break;
	case 2: /* behind the next one */
		tail = after(file, line);
		n = 0;
		while (n < tail.len && tail.data[n] != '\n')
			n++;
		n += n < tail.len;
		snprintf(text, sizeof text, "%.*s%.*s", (int)(n < 250 ? n : 250), tail.data,
			 (int)(line.len < 250 ? line.len : 250), line.data);
		head = before(file, line);
		set_text(file, head, span_of(text), span_make(tail.data + n, tail.len - n));
		break;
	case 3: /* deeper, or less deep */
		if (below(m, 2) && line.len > 2 && line.data[0] == ' ')
			set_text(file, before(file, line), SPAN_NONE,
				 span_make(line.data + 1 + below(m, 2),
					   file->text.len - (size_t)(line.data - file->text.data) - 2));
		else
			set_text(file, before(file, line), span_of(below(m, 2) ? "  " : " "),
				 span_make(line.data, file->text.len - (size_t)(line.data - file->text.data)));
		break;
	case 4: /* one from elsewhere */
		other = some_line(m, &m->files[below(m, m->count)]);
		snprintf(text, sizeof text, "%.*s", (int)(other.len < 500 ? other.len : 500), other.data);
		set_text(file, before(file, line), span_of(text), after(file, line));
		break;
	case 5: /* the value of another */
		other = value_of(some_line(m, &m->files[below(m, m->count)]));
		snprintf(text, sizeof text, "%.*s", (int)(other.len < 500 ? other.len : 500), other.data);
		set_text(file, before(file, value), span_of(text), after(file, value));
		break;
	default:
		set_text(file, before(file, value), some_value(m), after(file, value));
	}
}

static void change_byte(struct mutant *m, struct file *file)
{
	static const char marks[] = " \n\t:-{}[]'\"$(),.|#&*!%@0aZ\\";
	struct span text = buf_view(&file->text);
	size_t at = below(m, text.len);
	char mark[2] = {marks[below(m, sizeof marks - 1)], 0};

	set_text(file, span_make(text.data, at), below(m, 3) ? span_of(mark) : SPAN_NONE,
		 span_make(text.data + at + (below(m, 2) && at < text.len), text.len - at - (at < text.len)));
}

static void mutate(struct mutant *m)
{
	size_t i = below(m, m->count);
	struct file *file = &m->files[i];
	size_t what = below(m, 24), n;

	if (file->text.len == 0)
		return;
	if (what == 0 && m->count > 2) {
		free(file->path);
		buf_free(&file->text);
		*file = m->files[--m->count];
	} else if (what == 1) {
		n = below(m, file->text.len);
		set_text(file, span_make(file->text.data, n), SPAN_NONE, SPAN_NONE);
	} else if (what == 2) {
		struct buf text = file->text;

		file->text = m->files[0].text;
		m->files[0].text = text;
	} else if (what < 7) {
		change_byte(m, file);
	} else {
		change_line(m, file);
	}
}

/* ---- what check says, and what is opened ------------------------------------------------------------------- */
static char *said(const char *directory, struct findings *findings)
{
	struct bundle *bundle;
	struct error error = {0};
	struct buf out;

	buf_init(&out, 4 << 20);
	buf_text(&out, "");
	findings_init(findings);
	bundle = bundle_read_new(directory, "", &error);
	if (bundle) {
		site_inspect(bundle, registry_get(), directory, findings);
		report_text(findings, "", &out);
	} else {
		findings->errors++;
		buf_printf(&out, "%s %s\n", error.code, error.text);
	}
	bundle_free(bundle);
	return buf_take(&out);
}

/* Only what lies in the site: a mutated path could name anything of this machine. */
static bool harmless(const struct mutant *m)
{
	static const char *const far[] = {"../", " /", "'/", "\"/", "{/", "[/", ":/", "~/", "/.", ": ..", "'..", "./"};

	for (size_t i = 0; i < m->count; i++) {
		struct span text = buf_view(&m->files[i].text);
		const char *dot = strrchr(m->files[i].path, '.');

		if (!dot || strcmp(dot, ".yaml") != 0)
			continue;
		for (size_t k = 0; k < sizeof far / sizeof *far; k++) {
			const char *at = text.data, *end = text.data + text.len;

			while (at && (at = memmem(at, (size_t)(end - at), far[k], strlen(far[k])))) {
				bool url = k == 6 && end - at > 2 && at[2] == '/'; /* :// */
				bool known =
					end - at > 8 && (!memcmp(at + 1, "/orders", 7) || !memcmp(at, "'/things", 8) ||
							 !memcmp(at + 1, "/crm/", 5) || !memcmp(at + 1, "/entitl", 7));

				if (!url && !known)
					return false;
				at++;
			}
		}
	}
	return true;
}

/* A secret that is not on this machine is a warning of check's: it has no place where changes are checked. */
static bool opened(const char *what, const char *name, bool fine, const struct error *error)
{
	if (!fine && strcmp(error->code, "secret.missing") == 0)
		return true;
	if (!fine)
		printf("# %s %s does not open: %s: %s\n", what, name, error->code, error->text);
	return fine;
}

static bool open_server(const struct site *site)
{
	const struct endpoint *endpoints[64];
	struct server_events events = {.root = site->directory, .secrets = site->secrets_path};
	struct error error = {0};
	bool fine = true;
	size_t n = 0;
	void *self;

	for (size_t i = 0; i < site->flows_count; i++)
		for (size_t k = 0; k < site->flows[i].sources_count && n < 64; k++)
			if (site->flows[i].sources[k].server)
				endpoints[n++] = &site->flows[i].sources[k].endpoint;
	if (!site->listen || n == 0)
		return true;
	self = site->listen->open(site->listen_settings, endpoints, n, &events, &error);
	if (!self && strcmp(error.code, "listen.busy") != 0)
		fine = opened("the listener", site->listen->name, false, &error);
	if (self)
		site->listen->close(self);
	return fine;
}

static bool open_flow(const struct site *site, const struct flow *flow)
{
	struct error error = {0};
	bool fine = true;
	void *self;

	for (size_t i = 0; fine && i < flow->segments_count; i++) {
		struct chain *chain = chain_of_flow_new(site, flow, i, &error);

		fine = opened("the chain of", flow->name, chain != NULL, &error);
		chain_free(chain);
	}
	for (size_t i = 0; fine && i < flow->sources_count; i++) {
		if (!flow->sources[i].poll)
			continue;
		self = flow->sources[i].poll->open(&flow->sources[i].endpoint, &error);
		if (!self && error.class != ERROR_RETRY)
			fine = opened("the source", flow->sources[i].endpoint.name, false, &error);
		if (self)
			flow->sources[i].poll->close(self);
	}
	if (!fine || !flow->sink)
		return fine;
	self = flow->sink_ops->open(&error);
	if (!self)
		return opened("the sink of", flow->name, false, &error);
	if (flow->sink_ops->endpoint(self, flow->sink, &error) && error.class != ERROR_RETRY)
		fine = opened("the sink", flow->sink->name, false, &error);
	flow->sink_ops->close(self);
	return fine;
}

static bool open_all(const char *directory)
{
	struct error error = {0};
	struct bundle *bundle = bundle_read_new(directory, "", &error);
	struct findings findings;
	struct site *site;
	bool fine;

	findings_init(&findings);
	site = bundle ? site_load_new(bundle, registry_get(), directory, &findings) : NULL;
	fine = opened("the site", directory, site != NULL, &error);
	if (site) {
		topology_free(site_topology_new(site));
		fine = open_server(site);
		for (size_t i = 0; fine && i < site->flows_count; i++)
			fine = open_flow(site, &site->flows[i]);
	}
	site_free(site);
	bundle_free(bundle);
	findings_free(&findings);
	return fine;
}

/* `ferrule run` ends with 0 when it became idle or its time was over. */
static bool runs(const char *directory)
{
	char *program = support_path(getenv("FERRULE_BUILDDIR") ? getenv("FERRULE_BUILDDIR") : BUILDDIR, "ferrule");
	char *log = support_path(directory, "run.log"), *text;
	pid_t pid = fork();
	int status = 0, fd;

	if (pid == 0) {
		fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(fd, 1);
		dup2(fd, 2);
		execl(program, "ferrule", "run", directory, "--until-idle", "--for", "3s", (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	text = support_read(log, NULL);
	if (status != 0 || (text && strstr(text, "level=error")))
		printf("# run ends with %d:\n%s", WEXITSTATUS(status), text ? text : "");
	else
		status = 0;
	if (text && strstr(text, "level=error"))
		status = 1;
	free(text);
	free(log);
	free(program);
	return status == 0;
}

static int look(const struct mutant *m, const char *directory, bool run, bool twice)
{
	struct findings first, second;
	char *one = said(directory, &first), *two = NULL;
	bool accepted = first.errors == 0, alike = true;

	findings_free(&first);
	if (twice) {
		two = said(directory, &second);
		alike = strcmp(one, two) == 0;
		findings_free(&second);
	}
	free(one);
	free(two);
	if (!alike)
		return UNLIKE;
	if (!accepted)
		return REFUSED;
	if (harmless(m)) {
		if (!open_all(directory))
			return NOT_OPENED;
		if (run && !runs(directory))
			return RUN_REFUSES;
	}
	return ACCEPTED;
}

/* ---- rounds ------------------------------------------------------------------------------------------------ */
static const char *const bases[] = {"tests/fuzz/sites/rich", "tests/broken/base", "config/sample/order-to-cash"};

static void make(struct mutant *m, uint64_t seed, uint64_t round)
{
	const char *top = getenv("FERRULE_SRCDIR");
	char *base;
	size_t times;

	m->random = (seed + 1) * 0x9e3779b97f4a7c15u ^ (round + 1) * 0xbf58476d1ce4e5b9u;
	for (int i = 0; i < 8; i++)
		next(m);
	base = support_path(top ? top : SRCDIR, bases[below(m, 8) % 3]);
	read_tree(m, base, "");
	free(base);
	times = 1 + below(m, 3);
	while (times-- > 0)
		mutate(m);
}

/* Of the process that looked at it: how it ended. */
static int round_of(uint64_t seed, uint64_t round, bool run, bool show)
{
	struct mutant *m = mem_alloc(sizeof *m);
	char *directory = support_tmpdir(), *secrets = support_path(directory, "secrets");
	int status = 0;
	pid_t pid;

	make(m, seed, round);
	write_tree(m, directory);
	mkdir(secrets, 0700);
	for (int i = 0; i < 2; i++) {
		char *secret = support_path(secrets, i ? "support-token" : "crm-webhook");

		support_write(secret, SPAN_LITERAL("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
		chmod(secret, 0600);
		free(secret);
	}
	if (show)
		printf("# it is in %s\n", directory);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		alarm(SECONDS_MAX);
		status = look(m, directory, run, round % 8 == 0);
		forget(m);
		free(m);
		free(secrets);
		free(directory);
		fflush(stdout);
		exit(status);
	}
	waitpid(pid, &status, 0);
	if (!show)
		support_rmtree(directory);
	forget(m);
	free(m);
	free(secrets);
	free(directory);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	const char *slash = argc > 1 ? strchr(argv[1], '/') : NULL;
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1,
		 rounds = argc > 2 ? strtoull(argv[2], NULL, 10) : 60;
	unsigned every = argc > 3 ? (unsigned)atoi(argv[3]) : 20, accepted = 0, refused = 0, failed = 0;

	setenv("LISTEN_PORT", "0", 1);
	if (slash) {
		printf("# ends with %d\n", round_of(seed, strtoull(slash + 1, NULL, 10), true, true));
		return 0;
	}
	for (uint64_t round = 0; round < rounds; round++) {
		int end = round_of(seed, round, every > 0 && accepted % every == every - 1, false);

		accepted += end == ACCEPTED;
		refused += end == REFUSED;
		if (end == ACCEPTED || end == REFUSED)
			continue;
		failed++;
		printf("# %llu/%llu %s (%d)\n", (unsigned long long)seed, (unsigned long long)round,
		       end == NOT_OPENED    ? "was accepted, and does not open"
		       : end == RUN_REFUSES ? "was accepted, and run refuses it"
		       : end == UNLIKE      ? "is told of differently the second time"
					    : "ended the process that looked at it",
		       end);
		fflush(stdout);
	}
	printf("1..1\n%s 1 - %llu mutated sites: %u accepted and opened, %u refused, %u wrong\n",
	       failed ? "not ok" : "ok", (unsigned long long)rounds, accepted, refused, failed);
	return failed > 0;
}
