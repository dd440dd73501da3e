/* What of a site ends some day: keys of its OpenPGP keyring, certificates that its settings name, secrets whose end is
 * stated in site.yaml; with whom it belongs to. Reads files, and lets GnuPG list the keyring: blocks for moments. */
#ifndef FERRULE_SERVICES_EXPIRIES_H
#define FERRULE_SERVICES_EXPIRIES_H

#include "config/site.h"
#include "operations/expiring.h"

typedef void expiries_fn(void *arg, const struct expiring *); /* borrowed for the call */
bool expiries_any(const struct site *); /* may there be any? */
/* False: the keyring cannot be read now. One that is not there has no keys. Keys without an end, and those that are
 * revoked, are left out. */
bool expiries_keys(const struct site *, expiries_fn *, void *arg, struct error *);
/* Certificates and secrets. A file that cannot be read is logged and left out; one of more than 16 certificates is a
 * system's list of authorities, and not watched. */
void expiries_stated(const struct site *, expiries_fn *, void *arg);

#endif
