/* What of a site ends some day. See expiries.h. */
#include "config.h"
#include "services/expiries.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/reader.h"
#include "base/utf8.h"
#include "transformers/files/pgp.h"

#define FILE_MAX (256u * 1024)
#define BUNDLE_MIN 17 /* certificates: so many in a file are the authorities of a whole system */

struct gather {
	const struct site *site;
	expiries_fn *each;
	void *arg;
	const char *path; /* of certificates, and where they are named */
	struct place place;
};

static void found_one(void *arg, const char *path, struct place place)
{
	*(bool *)arg = true;
}

bool expiries_any(const struct site *site)
{
	bool any = site->expiry.secrets_count > 0 || !access(site->keys_path, F_OK);

	site_certificates(site, found_one, &any);
	return any;
}

/* ---- whose they are ---- */
static bool says(const struct node *node, const char *fingerprint)
{
	char *text, own[PGP_FINGERPRINT];
	bool is = false;

	if (!node)
		return false;
	if (node->type == NODE_SCALAR && node->text.len >= 40) {
		text = mem_span_dup(node->text);
		is = pgp_fingerprint(text, own) && !strcmp(own, fingerprint);
		free(text);
	}
	for (size_t i = 0; !is && node->type != NODE_SCALAR && i < node->count; i++)
		is = says(node->type == NODE_MAP ? node->pairs[i].value : node->items[i], fingerprint);
	return is;
}

static const struct flow *flow_of_key(const struct site *site, const char *fingerprint)
{
	for (size_t i = 0; i < site->flows_count; i++)
		for (size_t k = 0; k < site->flows[i].steps_count; k++)
			if (says(site->flows[i].steps[k].node, fingerprint))
				return &site->flows[i];
	return NULL;
}

static const struct flow *flow_of_file(const struct site *site, const char *file)
{
	for (size_t i = 0; file && i < site->flows_count; i++)
		if (site->flows[i].place.file && !strcmp(site->flows[i].place.file, file))
			return &site->flows[i];
	return NULL;
}

static const struct system *system_of_file(const struct site *site, const char *file)
{
	for (size_t i = 0; file && i < site->systems_count; i++)
		if (site->systems[i].place.file && !strcmp(site->systems[i].place.file, file))
			return &site->systems[i];
	return NULL;
}

static void belong(const struct site *site, struct expiring *one, const struct flow *flow, const struct system *system)
{
	const char *owner = flow     ? flow->owner
			    : system ? system->owner
				     : NULL,
		   *runbook = flow     ? flow->runbook
			      : system ? system->runbook
				       : NULL;

	owner = owner && *owner ? owner : site->expiry.owner;
	runbook = runbook && *runbook ? runbook : site->expiry.runbook;
	one->owner = owner ? owner : "";
	one->runbook = runbook ? runbook : "";
}

/* ---- keys ---- */
static void on_key(void *arg, const struct pgp_key *key, const char *what)
{
	struct gather *gather = arg;
	const struct flow *flow = flow_of_key(gather->site, key->fingerprint);
	char *used = flow ? mem_printf("flow %s", flow->name) : mem_strdup("");
	struct expiring one = {.kind = "openpgp", .id = key->fingerprint, .used = used, .expires_ms = key->expires_ms};
	struct buf name;

	buf_init(&name, 4 * sizeof key->user);
	utf8_clean(&name, span_of(key->user));
	buf_char(&name, '\0');
	one.name = name.len > 1 ? name.data : key->fingerprint;
	belong(gather->site, &one, flow, NULL);
	if (!key->revoked && !key->disabled && one.expires_ms)
		gather->each(gather->arg, &one);
	buf_free(&name);
	free(used);
}

bool expiries_keys(const struct site *site, expiries_fn *each, void *arg, struct error *error)
{
	struct gather gather = {.site = site, .each = each, .arg = arg};
	struct pgp *pgp;
	bool good;

	if (access(site->keys_path, F_OK))
		return true;
	pgp = pgp_new(site->keys_path, error);
	good = pgp && !pgp_each_public(pgp, on_key, &gather, error);
	pgp_free(pgp);
	return good;
}

/* ---- certificates ---- */
static void on_certificate(void *arg, const struct certificate *certificate)
{
	struct gather *gather = arg;
	const struct site *site = gather->site;
	const char *file = gather->place.file ? gather->place.file : "site.yaml";
	char *used = mem_printf("%s:%d", file, gather->place.line),
	     *name = mem_printf("%s (%s)", certificate->subject, gather->path);
	struct expiring one = {.kind = "certificate",
			       .id = certificate->fingerprint,
			       .name = utf8_is_clean(span_of(name)) ? name : certificate->fingerprint,
			       .used = used,
			       .expires_ms = certificate->expires_ms};

	belong(site, &one, flow_of_file(site, file), system_of_file(site, file));
	if (one.expires_ms)
		gather->each(gather->arg, &one);
	free(used);
	free(name);
}

static void count_one(void *arg, const struct certificate *certificate)
{
}

/* A FIFO or a device is no file of certificates, and would be waited for. */
static int read_file(const char *path, struct buf *text, struct error *error)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct reader *reader = NULL;
	struct stat st;
	int result;

	if (fd < 0)
		return error_errno(error, ERROR_RETRY, "expiry.certificate", "%s", path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > (off_t)FILE_MAX)
		error_set(error, ERROR_RETRY, "expiry.certificate",
			  "%s is no file, or too large for one of certificates", path);
	else
		reader = reader_new_fd(fd, 0, (uint64_t)st.st_size);
	if (!reader)
		close(fd);
	result = reader ? reader_all(reader, text, error) : -1;
	reader_unref(reader);
	return result;
}

static void on_file(void *arg, const char *path, struct place place)
{
	struct gather *gather = arg;
	struct error error = {0};
	struct buf text;
	int n = 0;

	buf_init(&text, FILE_MAX);
	gather->path = path;
	gather->place = place;
	if (!read_file(path, &text, &error))
		n = certificate_each(buf_view(&text), BUNDLE_MIN, count_one, NULL);
	if (!n)
		log_warn("expiry", SPAN_NONE, "no certificate to be read path=%s error=\"%s\"", path,
			 error.class ? error.text : "there is none in it");
	else if (n < BUNDLE_MIN)
		certificate_each(buf_view(&text), BUNDLE_MIN, on_certificate, gather);
	buf_free(&text);
}

void expiries_stated(const struct site *site, expiries_fn *each, void *arg)
{
	struct gather gather = {.site = site, .each = each, .arg = arg};

	site_certificates(site, on_file, &gather);
	for (size_t i = 0; i < site->expiry.secrets_count; i++) {
		const struct expiry_secret *secret = &site->expiry.secrets[i];
		struct expiring one = {.kind = "password",
				       .id = secret->name,
				       .name = secret->name,
				       .used = "site.yaml",
				       .expires_ms = secret->expires_ms};

		belong(site, &one, NULL, NULL);
		each(arg, &one);
	}
}
