/* What config/site_yaml.c and config/expiry.c share. */
#ifndef FERRULE_CONFIG_EXPIRY_H
#define FERRULE_CONFIG_EXPIRY_H

#include "config/load.h"

struct expiry_settings {
	struct text_list warn, certificates;
	const char *owner, *runbook;
	const struct node *secrets;
};

extern const struct option expiry_options[];
void load_expiry(struct load *, const struct expiry_settings *, const struct node *); /* the node may be NULL */

#endif
