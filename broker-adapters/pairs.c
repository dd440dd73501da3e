/* Documents and their sidecars. See pairs.h. */
#include "config.h"
#include "broker-adapters/pairs.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/progress.h"
#include "base/sidecar.h"

static const char *const hidden[] = {
	[PAIR_NONE] = "", [PAIR_SIDECAR] = "", [PAIR_TAKEN] = ".ferrule-taken-", [PAIR_REFUSED] = ".ferrule-refused-"};

enum pair_kind pair_kind(const char *suffix, const char *name, char of[PAIR_NAME])
{
	size_t n = strlen(name), m = suffix ? strlen(suffix) : 0;
	enum pair_kind kind = PAIR_SIDECAR;

	if (!m || n <= m || n - m >= PAIR_NAME || strcmp(name + n - m, suffix) != 0)
		return PAIR_NONE;
	for (int other = PAIR_TAKEN; other <= PAIR_REFUSED; other++)
		if (!strncmp(name, hidden[other], strlen(hidden[other])) && n - m > strlen(hidden[other]))
			kind = (enum pair_kind)other;
	name += strlen(hidden[kind]);
	n -= strlen(hidden[kind]);
	memcpy(of, name, n - m);
	of[n - m] = '\0';
	return kind;
}

bool pair_name(char out[PAIR_NAME], enum pair_kind kind, const char *name, const char *suffix)
{
	return (size_t)snprintf(out, PAIR_NAME, "%s%s%s", hidden[kind], name, suffix) < PAIR_NAME;
}

void pair_placed(char out[PAIR_NAME], const char *placed, const char *suffix)
{
	snprintf(out, PAIR_NAME, "%.*s%s", (int)(PAIR_NAME - 1 - strlen(suffix)), placed, suffix);
}

/* A suffix that names a digest is a promise: a weaker one is none. */
static int is_promised(const char *suffix, const struct sidecar *sidecar, struct error *error)
{
	static const struct {
		const char *suffix;
		enum digest_kind kind;
	} promises[] = {{".sha256", DIGEST_SHA256}, {".sha512", DIGEST_SHA512}, {".sha1", DIGEST_SHA1},
			{".md5", DIGEST_MD5}};

	for (size_t i = 0; i < sizeof promises / sizeof *promises; i++)
		if (!strcasecmp(suffix, promises[i].suffix) &&
		    (!sidecar->has_digest || sidecar->kind != promises[i].kind))
			return error_set(error, ERROR_REJECT, "sidecar.form", "the sidecar holds no digest of the kind "
										"that its suffix %s names", suffix);
	return 0;
}

static int tick(void *size, struct error *error)
{
	progress_tell(*(uint64_t *)size, *(uint64_t *)size);
	return 0;
}

int pair_check(const char *suffix, struct span text, struct span name, struct vault *vault,
	       const struct vault_entry *stored, struct error *error)
{
	struct sidecar sidecar;
	uint64_t size = stored->size;
	struct reader *reader;
	int result;

	if (sidecar_read(&sidecar, text, name, error) || is_promised(suffix, &sidecar, error))
		return -1;
	reader = vault_get_new(vault, span_of(stored->ref), error);
	if (!reader)
		return -1;
	result = sidecar_check(&sidecar, reader, tick, &size, error);
	reader_unref(reader);
	return result;
}

/* ---- halves ---------------------------------------------------------------------------------------------------- */

void halves_add(struct halves *halves, const char *name, const char *suffix, bool sidecar, int64_t since_ms)
{
	struct half *half = &halves->list[halves->kept < HALVES_MAX ? halves->kept : 0];
	char whole[PAIR_NAME + 16];

	halves->count++;
	for (size_t i = 1; halves->kept == HALVES_MAX && i < HALVES_MAX; i++)
		if (halves->list[i].since_ms > half->since_ms)
			half = &halves->list[i];
	if (halves->kept == HALVES_MAX && half->since_ms <= since_ms)
		return;
	halves->kept += halves->kept < HALVES_MAX;
	snprintf(whole, sizeof whole, "%s%s", name, suffix);
	name_show(half->name, span_of(sidecar ? whole : name));
	name_show(half->lacks, span_of(sidecar ? name : whole));
	half->since_ms = since_ms;
}

void halves_tell(const struct halves *halves, int64_t patience_ms, source_half_fn *each, void *arg)
{
	for (size_t i = 0; i < halves->kept; i++)
		each(arg, halves->list[i].name, halves->list[i].lacks, halves->list[i].since_ms,
		     halves->list[i].since_ms + patience_ms);
}
