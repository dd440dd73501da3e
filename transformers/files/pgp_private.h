/* What the files around gpgme share; nobody else includes it. */
#ifndef FERRULE_TRANSFORMERS_PGP_PRIVATE_H
#define FERRULE_TRANSFORMERS_PGP_PRIVATE_H

#include <gpgme.h>

#include "transformers/files/pgp.h"

struct pgp {
	gpgme_ctx_t context;
	char *home;
	struct secret *passphrase;
	bool asked;      /* for a passphrase, and there was none */
	bool agent_used;  /* one may run … */
	bool agent_there; /* … and did before, for another, who ends it */
};

/* What gpgme said, as ours: `what` says what was done. */
int pgp_fault(const struct pgp *, gpgme_error_t, const char *what, struct error *);
/* A new reference to a key that can be used: in the keyring, not expired, revoked or disabled, and of that ability. */
enum pgp_ability { PGP_ANY, PGP_CAN_ENCRYPT, PGP_CAN_SIGN };
gpgme_key_t pgp_key_for(struct pgp *, const char *fingerprint, enum pgp_ability, struct error *);
/* Has the keyring the secret part of a key, whatever the agent says? One that ends at this moment knows none: several
 * processes share it. */
bool pgp_has_secret(struct pgp *, const char *name);
int pgp_no_agent(const char *name, struct error *); /* RETRY openpgp.engine */
void pgp_key_tell(gpgme_key_t, struct pgp_key *);

#endif
