/* `archive` and `retain` of a sink of files: where copies of what it delivers are kept. See load.h. */
#include "config.h"
#include "config/load.h"

static void refuse(struct load *load, const struct node *node, const char *text)
{
	const struct node *said = node_find(node, "archive");

	said = said ? said : node_find(node, "retain");
	load_error(load, said ? said->place : node->place, "endpoint.archive", "%s", text);
}

void load_archive(struct load *load, const struct node *node, const struct sink_ops *ops, const char *archive,
		  int64_t retain_ms, struct endpoint *into)
{
	size_t n = archive ? strlen(archive) : 0;

	if (!archive && !retain_ms)
		return;
	while (n > 1 && archive[n - 1] == '/')
		n--;
	if (!ops)
		refuse(load, node,
		       "`archive` and `retain` keep copies of what a sink delivers; a source's own archive is `after: "
		       "archive`, and a transfer's `retain` says how long");
	else if (!ops->files)
		refuse(load, node, "`archive` keeps copies of files: it goes with `to: {file: …}`, sftp or ftp");
	else if (!archive)
		refuse(load, node, "`retain` says how long copies are kept: it goes with `archive`");
	else if (!n)
		refuse(load, node, "`archive` names a folder on this machine, such as sent/acme");
	else
		into->archive = arena_span(load->arena, span_make(archive, n)).data;
	into->retain_ms = retain_ms;
}
