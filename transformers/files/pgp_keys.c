/* The keyring: opening it, finding, listing and importing keys, and the end of its agent. See pgp.h. */
#include "config.h"
#include "transformers/files/pgp_private.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define END_MS 2000 /* an agent that is told to end may take so long */
#define END_STEP_MS 5
#define HOME_MAX 85 /* of a path: an agent's socket lies in it, and a socket's path has at most 107 bytes */

extern char **environ;

/* ---- opening ------------------------------------------------------------------------------------------------------
 */
const char *pgp_keyring_fault(const char *home)
{
	struct stat status;

	if (stat(home, &status))
		return errno == ENOENT ? "is not there: `ferrule key import` makes it" : "cannot be read";
	if (!S_ISDIR(status.st_mode))
		return "is no directory";
	if (status.st_uid != geteuid())
		return "belongs to another user than the one who runs this";
	if (status.st_mode & 077)
		return "can be read by others: chmod 700";
	if (strlen(home) > HOME_MAX)
		return "has too long a path for its agent's socket: name a shorter one with `keys` in site.yaml";
	return NULL;
}

static int check_home(const char *home, struct error *error)
{
	const char *fault = pgp_keyring_fault(home);

	return fault ? error_set(error, ERROR_RETRY, "openpgp.keyring", "the keyring %s %s", home, fault) : 0;
}

/* The passphrase goes through a pipe of gpgme's, never over a command line. Asked a second time for the same, the first
 * was wrong. */
static gpgme_error_t give_passphrase(void *arg, const char *hint, const char *info, int again, int fd)
{
	struct pgp *pgp = arg;

	pgp->asked |= !pgp->passphrase;
	if (!pgp->passphrase || again)
		return gpgme_error(GPG_ERR_CANCELED);
	if (file_write_all(fd, secret_reveal(pgp->passphrase)) || file_write_all(fd, SPAN_LITERAL("\n")))
		return gpgme_error_from_errno(errno);
	return 0;
}

/* Another path for the same directory is another socket for GnuPG: one form of it is used by all. */
static char *whole_path(const char *home)
{
	char *path = realpath(home, NULL);

	return path ? path : mem_strdup(home);
}

/* Somebody answers there: what a killed agent leaves behind does not count. */
static bool has_agent(const char *home)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool there;

	snprintf(address.sun_path, sizeof address.sun_path, "%s/S.gpg-agent", home);
	there = fd >= 0 && !connect(fd, (const struct sockaddr *)&address, sizeof address);
	if (fd >= 0)
		close(fd);
	return there;
}

/* An agent that was told to end takes a moment, in which the next one to come would take it for another's. */
static void await_end(const char *home)
{
	const struct timespec step = {.tv_nsec = END_STEP_MS * 1000000l};
	char *path = mem_printf("%s/S.gpg-agent", home);

	for (int waited = 0; waited < END_MS && !access(path, F_OK); waited += END_STEP_MS)
		nanosleep(&step, NULL);
	free(path);
}

struct pgp *pgp_new(const char *home, struct error *error)
{
	struct pgp *pgp = mem_alloc(sizeof *pgp);
	gpgme_error_t failed;

	*pgp = (struct pgp){.home = whole_path(home)};
	gpgme_check_version(NULL);
	if (check_home(pgp->home, error))
		goto failed;
	failed = gpgme_new(&pgp->context);
	if (!failed)
		failed = gpgme_ctx_set_engine_info(pgp->context, GPGME_PROTOCOL_OpenPGP, NULL, pgp->home);
	if (!failed)
		failed = gpgme_set_pinentry_mode(pgp->context, GPGME_PINENTRY_MODE_LOOPBACK);
	if (failed) {
		error_set(error, ERROR_RETRY, "openpgp.engine", "GnuPG cannot be used: %s", gpgme_strerror(failed));
		goto failed;
	}
	pgp->agent_there = has_agent(pgp->home);
	gpgme_set_offline(pgp->context, 1);
	gpgme_set_passphrase_cb(pgp->context, give_passphrase, pgp);
	return pgp;
failed:
	pgp_free(pgp);
	return NULL;
}

void pgp_passphrase(struct pgp *pgp, struct secret *passphrase)
{
	secret_free(pgp->passphrase);
	pgp->passphrase = passphrase;
}

void pgp_end_agent(const char *home)
{
	char *path = whole_path(home);
	char *const words[] = {"gpgconf", "--homedir", path, "--kill", "gpg-agent", NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status;

	posix_spawn_file_actions_init(&actions);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	if (!access(path, X_OK) && !posix_spawnp(&pid, "gpgconf", &actions, NULL, words, environ)) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			continue;
		await_end(path);
	}
	posix_spawn_file_actions_destroy(&actions);
	free(path);
}

void pgp_free(struct pgp *pgp)
{
	if (!pgp)
		return;
	if (pgp->context)
		gpgme_release(pgp->context);
	if (pgp->agent_used && !pgp->agent_there)
		pgp_end_agent(pgp->home);
	secret_free(pgp->passphrase);
	free(pgp->home);
	free(pgp);
}

int pgp_fault(const struct pgp *pgp, gpgme_error_t failed, const char *what, struct error *error)
{
	static const struct {
		gpgme_err_code_t theirs;
		const char *code, *text;
	} rejects[] = {
		{GPG_ERR_NO_DATA, "openpgp.form", "this is no OpenPGP message, or it is cut off"},
		{GPG_ERR_UNKNOWN_PACKET, "openpgp.form", "this is no OpenPGP message that GnuPG knows"},
		{GPG_ERR_INV_PACKET, "openpgp.damaged", "the OpenPGP message is damaged"},
		{GPG_ERR_INV_ARMOR, "openpgp.damaged", "its armor is damaged"},
		{GPG_ERR_BAD_DATA, "openpgp.damaged", "the OpenPGP message is damaged"},
		{GPG_ERR_CHECKSUM, "openpgp.damaged", "the OpenPGP message is damaged"},
		{GPG_ERR_DECRYPT_FAILED, "openpgp.damaged",
		 "it cannot be decrypted: its bytes are damaged, or were changed on their way"},
		{GPG_ERR_NO_SECKEY, "openpgp.other-recipient", "it is encrypted for others: none of its keys is ours"},
		{GPG_ERR_UNUSABLE_SECKEY, "openpgp.key-unfit", "the secret key cannot be used"},
		{GPG_ERR_UNUSABLE_PUBKEY, "openpgp.key-unfit", "a recipient's key cannot be used"},
		{GPG_ERR_BAD_PASSPHRASE, "openpgp.passphrase", "the passphrase is wrong"},
		{GPG_ERR_CIPHER_ALGO, "openpgp.algorithm", "it is encrypted in a way that GnuPG does not take"},
		{GPG_ERR_UNSUPPORTED_ALGORITHM, "openpgp.algorithm", "it is made in a way that GnuPG does not know"},
	};
	gpgme_err_code_t code = gpgme_err_code(failed);

	if (code == GPG_ERR_CANCELED || code == GPG_ERR_NO_PASSPHRASE || code == GPG_ERR_FULLY_CANCELED)
		return error_set(error, ERROR_REJECT, "openpgp.passphrase", "%s: %s", what,
				 pgp->asked ? "the secret key has a passphrase, and the step names none: `passphrase: "
					      "{secret: NAME}`"
					    : "the passphrase is wrong");
	for (size_t i = 0; i < sizeof rejects / sizeof *rejects; i++)
		if (rejects[i].theirs == code)
			return error_set(error, ERROR_REJECT, rejects[i].code, "%s: %s", what, rejects[i].text);
	return error_set(error, ERROR_RETRY, "openpgp.engine", "%s: GnuPG says: %s (%s)", what, gpgme_strerror(failed),
			 gpgme_strsource(failed));
}

/* ---- keys ---------------------------------------------------------------------------------------------------------
 */
bool pgp_fingerprint(const char *text, char out[PGP_FINGERPRINT])
{
	size_t n = 0;

	for (; *text; text++) {
		if (*text == ' ')
			continue;
		if (!isxdigit((unsigned char)*text) || n == PGP_FINGERPRINT - 1)
			return false;
		out[n++] = (char)toupper((unsigned char)*text);
	}
	out[n] = '\0';
	return n == 40 || n == 64;
}

static int64_t sooner(int64_t a, long seconds)
{
	int64_t b = (int64_t)seconds * 1000;

	return !b ? a : !a || b < a ? b : a;
}

/* Abilities are those of subkeys that can be used now; when they end, the key is of no use for that. */
void pgp_key_tell(gpgme_key_t key, struct pgp_key *told)
{
	int64_t encrypts = 0, signs = 0;

	*told = (struct pgp_key){.secret = key->secret,
				 .expired = key->expired,
				 .revoked = key->revoked,
				 .disabled = key->disabled || key->invalid};
	snprintf(told->fingerprint, sizeof told->fingerprint, "%s",
		 key->fpr       ? key->fpr
		 : key->subkeys ? key->subkeys->fpr
				: "");
	snprintf(told->user, sizeof told->user, "%s", key->uids && key->uids->uid ? key->uids->uid : "");
	for (gpgme_subkey_t sub = key->subkeys; sub; sub = sub->next) {
		bool usable = !sub->revoked && !sub->expired && !sub->disabled && !sub->invalid;

		if (sub == key->subkeys)
			told->expires_ms = sooner(told->expires_ms, sub->expires);
		if (usable && sub->can_encrypt) {
			encrypts = !told->encrypts || (encrypts && sub->expires && sub->expires * 1000 > encrypts)
					   ? sub->expires * 1000
				   : sub->expires ? encrypts
						  : 0;
			told->encrypts = true;
		}
		if (usable && sub->can_sign) {
			signs = !told->signs || (signs && sub->expires && sub->expires * 1000 > signs)
					? sub->expires * 1000
				: sub->expires ? signs
					       : 0;
			told->signs = true;
		}
	}
	told->expires_ms = sooner(told->expires_ms, encrypts / 1000);
	told->expires_ms = sooner(told->expires_ms, signs / 1000);
}

static bool has_file(const struct pgp *pgp, gpgme_key_t key)
{
	bool there = false;

	for (gpgme_subkey_t sub = key->subkeys; sub && !there; sub = sub->next) {
		char *path = sub->keygrip ? mem_printf("%s/private-keys-v1.d/%s.key", pgp->home, sub->keygrip) : NULL;

		there = path && !access(path, F_OK);
		free(path);
	}
	return there;
}

bool pgp_has_secret(struct pgp *pgp, const char *name)
{
	gpgme_keylist_mode_t before = gpgme_get_keylist_mode(pgp->context);
	gpgme_key_t key = NULL;
	bool there = false;

	gpgme_set_keylist_mode(pgp->context, before | GPGME_KEYLIST_MODE_WITH_KEYGRIP);
	if (!gpgme_get_key(pgp->context, name, &key, 0)) {
		there = has_file(pgp, key);
		gpgme_key_unref(key);
	}
	gpgme_set_keylist_mode(pgp->context, before);
	return there;
}

int pgp_no_agent(const char *name, struct error *error)
{
	return error_set(
		error, ERROR_RETRY, "openpgp.engine",
		"GnuPG's agent knows no secret key %s, but the keyring has it: the agent ended just now, or cannot "
		"start",
		name);
}

static gpgme_key_t get(struct pgp *pgp, const char *fingerprint, bool secret, struct error *error)
{
	gpgme_key_t key = NULL;
	gpgme_error_t failed;

	pgp->agent_used |= secret;
	failed = gpgme_get_key(pgp->context, fingerprint, &key, secret);
	if (!failed)
		return key;
	if (gpgme_err_code(failed) == GPG_ERR_EOF && secret && pgp_has_secret(pgp, fingerprint))
		pgp_no_agent(fingerprint, error);
	else if (gpgme_err_code(failed) == GPG_ERR_EOF)
		error_set(error, ERROR_REJECT, "openpgp.key-unknown",
			  "the keyring has no %skey %s: `ferrule key "
			  "import`",
			  secret ? "secret " : "", fingerprint);
	else
		pgp_fault(pgp, failed, "looking for a key", error);
	return NULL;
}

int pgp_find(struct pgp *pgp, const char *fingerprint, bool secret, struct pgp_key *told, struct error *error)
{
	gpgme_key_t key = get(pgp, fingerprint, secret, error);

	if (!key)
		return -1;
	pgp_key_tell(key, told);
	gpgme_key_unref(key);
	return 0;
}

gpgme_key_t pgp_key_for(struct pgp *pgp, const char *fingerprint, enum pgp_ability ability, struct error *error)
{
	gpgme_key_t key = get(pgp, fingerprint, ability == PGP_CAN_SIGN, error);
	struct pgp_key told;
	const char *code = NULL, *why = "";

	if (!key)
		return NULL;
	pgp_key_tell(key, &told);
	if (told.revoked)
		code = "openpgp.key-revoked", why = "was revoked";
	else if (told.expired)
		code = "openpgp.key-expired", why = "has expired";
	else if (told.disabled)
		code = "openpgp.key-unfit", why = "is disabled or not valid";
	else if (ability == PGP_CAN_ENCRYPT && !told.encrypts)
		code = "openpgp.key-unfit", why = "has no part that can be encrypted to today";
	else if (ability == PGP_CAN_SIGN && !told.signs)
		code = "openpgp.key-unfit", why = "has no part that can sign today";
	if (!code)
		return key;
	error_set(error, ERROR_REJECT, code, "the key %s (%s) %s", fingerprint, told.user, why);
	gpgme_key_unref(key);
	return NULL;
}

static int each_of(struct pgp *pgp, bool secret, pgp_each_fn *each, void *arg, struct error *error)
{
	gpgme_error_t failed = gpgme_op_keylist_start(pgp->context, NULL, secret);
	gpgme_key_t key;

	while (!failed && !(failed = gpgme_op_keylist_next(pgp->context, &key))) {
		struct pgp_key told;

		pgp_key_tell(key, &told);
		told.secret = secret;
		each(arg, &told, secret ? "secret" : "public");
		gpgme_key_unref(key);
	}
	gpgme_op_keylist_end(pgp->context);
	return gpgme_err_code(failed) == GPG_ERR_EOF ? 0 : pgp_fault(pgp, failed, "listing the keys", error);
}

int pgp_each(struct pgp *pgp, pgp_each_fn *each, void *arg, struct error *error)
{
	pgp->agent_used = true;
	return each_of(pgp, false, each, arg, error) || each_of(pgp, true, each, arg, error) ? -1 : 0;
}

int pgp_each_public(struct pgp *pgp, pgp_each_fn *each, void *arg, struct error *error)
{
	return each_of(pgp, false, each, arg, error);
}

/* ---- importing ----------------------------------------------------------------------------------------------------
 */
/* No passphrase stays in the agent: a step has those that it names, and no others. */
static int make_home(const char *home, struct error *error)
{
	static const char text[] = "default-cache-ttl 0\nmax-cache-ttl 0\n";
	char *path;
	int fd;

	if (mkdir(home, 0700))
		return errno == EEXIST ? 0 : error_errno(error, ERROR_RETRY, "openpgp.keyring", "making %s", home);
	path = mem_printf("%s/gpg-agent.conf", home);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	free(path);
	if (fd < 0 || file_write_all(fd, span_make(text, sizeof text - 1)))
		error_errno(error, ERROR_RETRY, "openpgp.keyring", "writing into %s", home);
	else
		path = NULL;
	if (fd >= 0)
		close(fd);
	return path ? -1 : 0;
}

static int tell_imported(struct pgp *pgp, gpgme_import_result_t result, pgp_each_fn *each, void *arg,
			 struct error *error)
{
	struct pgp_key told;
	unsigned taken = 0;

	for (gpgme_import_status_t key = result->imports; key; key = key->next) {
		bool secret = key->status & GPGME_IMPORT_SECRET, fresh = key->status & GPGME_IMPORT_NEW;

		if (key->result || pgp_find(pgp, key->fpr, secret, &told, error))
			continue;
		taken++;
		told.secret = secret;
		each(arg, &told, fresh ? "new" : key->status & ~(unsigned)GPGME_IMPORT_SECRET ? "changed" : "known");
	}
	return taken ? 0
		     : error_set(error, ERROR_REJECT, "openpgp.import",
				 "there is no OpenPGP key in it that could be taken");
}

int pgp_import(const char *home, struct span bytes, pgp_each_fn *each, void *arg, struct error *error)
{
	struct pgp *pgp = make_home(home, error) ? NULL : pgp_new(home, error);
	gpgme_data_t data = NULL;
	gpgme_error_t failed;
	int result = -1;

	if (!pgp)
		return -1;
	pgp->agent_used = true;
	failed = gpgme_data_new_from_mem(&data, bytes.data, bytes.len, 0);
	if (!failed)
		failed = gpgme_op_import(pgp->context, data);
	if (failed && gpgme_err_code(failed) != GPG_ERR_NO_DATA)
		pgp_fault(pgp, failed, "importing", error);
	else
		result = tell_imported(pgp, gpgme_op_import_result(pgp->context), each, arg, error);
	gpgme_data_release(data);
	pgp_free(pgp);
	return result;
}
