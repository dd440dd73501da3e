/* ferrule transfer account add: an account for a partner in OpenSSH's own SFTP server. It sees nothing but its folders,
 * can do nothing but SFTP, and what it drops belongs to the group of the user that Ferrule runs as. */
#include "config.h"
#include "cli/transfer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

#define NAME_MAX_LENGTH 31
#define KEY_MAX 16384
#define SCRIPT_MAX (64u << 10)

static bool is_name(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return n > 0 && n <= NAME_MAX_LENGTH && !text[n] && islower((unsigned char)text[0]);
}

static bool is_root(const char *path)
{
	return path[0] == '/' && path[1] && strlen(path) < 200 &&
	       !path[strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./")] &&
	       !strstr(path, "..");
}

/* One line of a public key; a private one is not for this. */
static bool is_public_key(const char *key)
{
	static const char *const types[] = {"ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-nistp", "sk-ssh-ed25519",
					    "sk-ecdsa"};

	if (strpbrk(key, "\n'") || strlen(key) < 60)
		return false;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (!strncmp(key, types[i], strlen(types[i])))
			return true;
	return false;
}

/* 0: *key is the file's line, or NULL when no key was given. The caller frees it. */
static int read_key(const struct arguments *arguments, char **key)
{
	const char *path = argument(arguments, "key");
	char text[KEY_MAX];
	FILE *file;
	size_t n;

	*key = NULL;
	if (!path)
		return 0;
	file = fopen(path, "re");
	if (!file)
		return verb_refused(arguments, EXIT_FINDINGS, "account.key", "cannot read %s", path);
	n = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	while (n > 0 && isspace((unsigned char)text[n - 1]))
		n--;
	text[n] = 0;
	if (!is_public_key(text))
		return verb_refused(arguments, EXIT_FINDINGS, "account.key",
				    "%s is no public key of OpenSSH: one line that begins with ssh-ed25519 or the like "
				    "(ssh-keygen -y prints it of a private one)",
				    path);
	*key = mem_strdup(text);
	return 0;
}

struct account {
	const char *partner, *root, *user, *key;
};

static void write_folders(struct buf *out, const struct account *account)
{
	const char *partner = account->partner, *root = account->root, *user = account->user;

	buf_printf(out,
		   "# 1. a user who can do nothing but SFTP; %s may take what it drops. Nobody else becomes one\n",
		   user);
	buf_printf(out,
		   "if id -u %s >/dev/null 2>&1; then\n"
		   "\t[ \"$(id -gn %s):$(getent passwd %s | cut -d: -f6,7)\" = '%s:/:/usr/sbin/nologin' ] || {\n"
		   "\t\techo '%s is a user of this machine already, and no partner: take another name' >&2\n"
		   "\t\texit 1\n"
		   "\t}\n"
		   "else\n"
		   "\tuseradd --system --no-create-home --home-dir / --shell /usr/sbin/nologin --gid %s %s\n"
		   "fi\n",
		   partner, partner, partner, user, partner, user, partner);
	buf_printf(out, "# 2. its folders: all above them belongs to root, or sshd lets nobody in\n");
	buf_printf(out, "install -d -o root -g root -m 755 %s %s/%s\n", root, root, partner);
	buf_printf(out, "install -d -o %s -g %s -m 2770 %s/%s/in %s/%s/out\n", partner, user, root, partner, root,
		   partner);
}

static void write_key(struct buf *out, const struct account *account)
{
	const char *file = "/etc/ssh/ferrule-keys";

	buf_printf(out, "# 3. its public key, where the partner cannot change it\n");
	buf_printf(out, "install -d -o root -g root -m 755 %s\n", file);
	if (account->key)
		buf_printf(out, "printf '%%s\\n' '%s' >%s/%s\n", account->key, file, account->partner);
	else
		buf_printf(out, "# put its public key into %s/%s\n", file, account->partner);
	if (account->key)
		buf_printf(out, "chmod 644 %s/%s\n", file, account->partner);
}

static void write_server(struct buf *out, const struct account *account)
{
	const char *partner = account->partner, *file = "/etc/ssh/sshd_config.d";

	buf_printf(out, "# 4. what sshd lets it do; where a file has a mistake it does not start, so none is added\n"
			"mkdir -p /run/sshd\nPATH=$PATH:/usr/sbin:/sbin\nsshd -t\n");
	buf_printf(out, "cat >%s/ferrule-%s.conf <<'END'\n", file, partner);
	buf_printf(out,
		   "Match User %s\n"
		   "\tChrootDirectory %s/%s\n"
		   "\tForceCommand internal-sftp -d /in -u 0007\n"
		   "\tAuthorizedKeysFile /etc/ssh/ferrule-keys/%s\n"
		   "\tAuthenticationMethods publickey\n"
		   "\tAllowTcpForwarding no\n"
		   "\tAllowAgentForwarding no\n"
		   "\tAllowStreamLocalForwarding no\n"
		   "\tX11Forwarding no\n"
		   "\tPermitTunnel no\n"
		   "\tPermitTTY no\n"
		   "END\n",
		   partner, account->root, partner, partner);
	buf_printf(out,
		   "# 5. looked at before it counts; then the server that runs reads it\n"
		   "sshd -t || { rm %s/ferrule-%s.conf; exit 1; }\n",
		   file, partner);
	buf_printf(out, "if [ -d /run/systemd/system ]; then\n"
			"\tsystemctl reload ssh 2>/dev/null || systemctl reload sshd\n"
			"elif [ -s /run/sshd.pid ]; then\n"
			"\tkill -HUP \"$(cat /run/sshd.pid)\"\n"
			"fi\n");
}

static void write_script(struct buf *out, const struct account *account)
{
	buf_printf(out, "set -e\n");
	write_folders(out, account);
	write_key(out, account);
	write_server(out, account);
}

/* The script by the shell, as it was printed. */
static int apply(const struct arguments *arguments, const struct buf *script)
{
	FILE *shell;
	int status;

	if (geteuid() != 0)
		return verb_refused(arguments, EXIT_FINDINGS, "account.root",
				    "--apply makes users and changes sshd: it has to be root who types it");
	shell = popen("/bin/sh", "we");
	if (!shell || fwrite(script->data, 1, script->len, shell) != script->len) {
		if (shell)
			pclose(shell);
		return verb_refused(arguments, EXIT_FINDINGS, "account.failed", "cannot start /bin/sh");
	}
	status = pclose(shell);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return verb_refused(
			arguments, EXIT_FINDINGS, "account.failed",
			"what was printed above ended with a mistake; mend it and type the command again: each "
			"of its steps may be done twice");
	return EXIT_DONE;
}

static void print_transfer(const struct account *account)
{
	printf("\n# transfers/%s-in.yaml, to take what it drops:\n"
	       "#   transfer: %s-in\n#   owner: TEAM\n#   from: {file: '%s/%s/in/*', after: delete}\n",
	       account->partner, account->partner, account->root, account->partner);
}

static int add(const struct arguments *arguments, const struct account *account)
{
	bool applies = argument_given(arguments, "apply");
	struct buf script;
	json_t *report;
	int code = EXIT_DONE;

	buf_init(&script, SCRIPT_MAX);
	write_script(&script, account);
	if (applies && !account->key)
		code = verb_usage(arguments, "--apply needs --key FILE: an account without a key lets nobody in");
	else if (applies)
		code = apply(arguments, &script);
	if (!code && arguments->json) {
		report = json_pack("{s:s s:s s:b}", "partner", account->partner, "script", script.data, "applied",
				   applies);
		verb_print_json(report);
		json_decref(report);
	} else if (!code) {
		fputs(script.data, stdout);
		print_transfer(account);
	}
	buf_free(&script);
	return code;
}

int transfer_account(const struct arguments *arguments)
{
	struct account account = {.root = "/srv/sftp", .user = "ferrule"};
	char *key;
	int code;

	if (arguments->count < 3 || strcmp(arguments->words[1], "add") != 0)
		return verb_usage(arguments, "account add PARTNER: who is the account for?");
	account.partner = arguments->words[2];
	if (argument(arguments, "root"))
		account.root = argument(arguments, "root");
	if (argument(arguments, "user"))
		account.user = argument(arguments, "user");
	if (!is_name(account.partner) || !is_name(account.user))
		return verb_usage(arguments,
				  "a user has lower-case letters, digits, - and _, at most %d: `%s` will not do",
				  NAME_MAX_LENGTH, is_name(account.partner) ? account.user : account.partner);
	if (!strcmp(account.partner, account.user))
		return verb_usage(arguments,
				  "%s is the user that Ferrule runs as (--user); the partner's account is another",
				  account.user);
	if (!is_root(account.root))
		return verb_usage(arguments, "--root %s is no plain absolute path", account.root);
	code = read_key(arguments, &key);
	if (code)
		return code;
	account.key = key;
	code = add(arguments, &account);
	free(key);
	return code;
}
