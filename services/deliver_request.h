/* What one delivery asks of its target: the bytes at hand, their digest, the idempotency key. */
#ifndef FERRULE_SERVICES_DELIVER_REQUEST_H
#define FERRULE_SERVICES_DELIVER_REQUEST_H

#include "base/adapter.h"

/* A body that is not inline is opened in the vault. */
int request_body(struct message *, struct vault *, struct error *);
/* A digest of the bytes and the headers. */
int request_digest(struct message *, struct id *, struct error *);
/* Sets attempt->idempotency_key where the endpoint's effect is {key: …}: the one that came along as a header when the
 * flow declares one, else the effect key. Kept in `into`. */
void request_idempotency(struct attempt *, struct buf *into);

#endif
