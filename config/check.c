/* What only check looks at. See site.h. */
#include "config.h"
#include "config/load.h"

void site_check(struct site *site, const struct registry *registry, struct findings *findings)
{
}
