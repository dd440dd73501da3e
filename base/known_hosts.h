/* Files of servers' keys in the form of OpenSSH (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): names in lists, with * ? and !,
 * `[host]:port`, hashed names, markers. A line that is none of that form is passed over, as ssh does. */
#ifndef FERRULE_BASE_KNOWN_HOSTS_H
#define FERRULE_BASE_KNOWN_HOSTS_H

#include "base/buf.h"

enum known_host {
	KNOWN_HOST_NONE,  /* no key of it is there */
	KNOWN_HOST_OTHER, /* others than this one are */
	KNOWN_HOST_SAME,
	KNOWN_HOST_REVOKED, /* a line @revoked names this key for it, whatever other lines say */
};

/* What the text says of this key (as it is on the wire) for a host; a port other than 22 is looked for as [host]:port
 * first, and without it if nothing was found. `other` (may be NULL) gets each other key of it. *authority: a line
 * @cert-authority names the host, which says nothing of a key without a certificate. */
enum known_host known_hosts_find(struct span text, const char *host, int port, struct span key,
				 void (*other)(void *arg, struct span key), void *arg, bool *authority);

/* The lines but what they say of this very name ("host" or "[host]:port", in any case), hashed or in a list; lines with
 * a marker or a pattern stay as they are. Never longer than the text and a newline. -1: the buffer is full. */
int known_hosts_without(struct span text, const char *name, struct buf *into);

#endif
