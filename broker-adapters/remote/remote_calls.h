/* The requests of struct remote_ops, as the files of this folder write them. */
#ifndef FERRULE_ADAPTERS_REMOTE_CALLS_H
#define FERRULE_ADAPTERS_REMOTE_CALLS_H

#include "broker-adapters/remote/remote.h"

static inline void remote_close(struct remote *remote)
{
	if (remote)
		remote->ops->close(remote);
}

static inline bool remote_is_lost(const struct remote *remote)
{
	return remote->ops->is_lost(remote);
}

static inline int64_t remote_idle_ms(const struct remote *remote)
{
	return remote->ops->idle_ms(remote);
}

/* False: it is of no use any more, close it. */
static inline bool remote_breathes(struct remote *remote)
{
	if (remote->ops->breathe && !remote_is_lost(remote))
		remote->ops->breathe(remote);
	return !remote_is_lost(remote);
}

static inline bool remote_can_replace(const struct remote *remote)
{
	return remote->ops->can_replace(remote);
}

static inline int remote_fail(struct remote *remote, int status, const char *doing, const char *path,
			      struct error *error)
{
	return remote->ops->fail(remote, status, doing, path, error);
}

static inline int remote_lstat(struct remote *remote, const char *path, struct remote_attrs *attrs, struct error *error)
{
	return remote->ops->lstat(remote, path, attrs, error);
}

static inline int remote_lstat_two(struct remote *remote, const char *a, int *status_a, struct remote_attrs *attrs_a,
				   const char *b, int *status_b, struct remote_attrs *attrs_b, struct error *error)
{
	return remote->ops->lstat_two(remote, a, status_a, attrs_a, b, status_b, attrs_b, error);
}

static inline int remote_rename(struct remote *remote, const char *from, const char *to, struct error *error)
{
	return remote->ops->rename(remote, from, to, error);
}

static inline int remote_replace(struct remote *remote, const char *from, const char *to, struct error *error)
{
	return remote->ops->replace(remote, from, to, error);
}

/* As rename_look, whatever the adapter has. */
static inline int remote_rename_look(struct remote *remote, bool replace, const char *from, const char *to, int *left,
				     struct error *error)
{
	struct remote_attrs attrs;
	int status;

	if (remote->ops->rename_look)
		return remote->ops->rename_look(remote, replace, from, to, left, error);
	status = replace ? remote_replace(remote, from, to, error) : remote_rename(remote, from, to, error);
	if (status == REMOTE_OK)
		*left = remote_lstat(remote, from, &attrs, error);
	return status == REMOTE_OK && *left < 0 ? -1 : status;
}

static inline int remote_remove(struct remote *remote, const char *path, struct error *error)
{
	return remote->ops->remove(remote, path, error);
}

static inline int remote_remove_later(struct remote *remote, const char *path, struct error *error)
{
	return remote->ops->remove_later(remote, path, error);
}

static inline int remote_mkdir(struct remote *remote, const char *path, struct error *error)
{
	return remote->ops->mkdir(remote, path, error);
}

static inline int remote_list(struct remote *remote, const char *path, remote_each_fn *each, void *arg,
			      struct error *error)
{
	return remote->ops->list(remote, path, each, arg, error);
}

static inline int remote_upload(struct remote *remote, struct remote_upload *upload, struct error *error)
{
	return remote->ops->upload(remote, upload, error);
}

static inline bool remote_in_many(const struct remote *remote)
{
	return remote->ops->many && remote->ops->in_many(remote);
}

static inline void remote_claim(struct remote *remote, const char *path)
{
	if (remote_in_many(remote))
		remote->ops->claim(remote, path);
}

/* Within many the connection is not for one of them to be made anew. 0 it is good, -1 it is lost. */
static inline int remote_check(struct remote *remote, struct error *error)
{
	struct remote_attrs attrs;

	return remote_is_lost(remote) && remote_lstat(remote, ".", &attrs, error) < 0 ? -1 : 0;
}

#endif
