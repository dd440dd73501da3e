/* Names of files, here or on another machine: they are partly a stranger's word. Shared by the adapters that read and
 * write files. */
#ifndef FERRULE_ADAPTERS_NAMES_H
#define FERRULE_ADAPTERS_NAMES_H

#include "base/expression.h"
#include "base/message.h"
#include "base/option.h"

#define NAME_SHOWN 240 /* a name as it stands in a text for people */

/* Names come from strangers: control characters and what is not UTF-8 become \xNN, and a long name loses its end. */
void name_show(char out[NAME_SHOWN], struct span name);

/* The n-th name to try: n 1 is the name itself, then "orders.2.edi". A suffix goes to the very end. Always fits
 * NAME_MAX. */
void name_numbered(char out[256], const char *name, unsigned n, const char *suffix);

/* Renders the template into the message's attribute "path". REJECT file.name: what stands in the message would choose
 * another folder, hide the file or trick whoever lists it. */
int name_address(struct template *, const struct expression_input *, struct message *, struct error *);
size_t name_fixed_length(const struct template *); /* of the directory in front of whatever a value has a hand in */
int name_refuse_path(struct span path, const char *why, struct error *);

/* Is it a file to be taken: of the pattern, none of the temporary names that others use (or of `ignore`, if it has
 * any), no marker, none of our own? */
bool name_is_wanted(const char *name, const char *pattern, const struct text_list *ignore, const char *marker);

/* The hidden names of an effect. */
enum hidden { HIDDEN_TMP, HIDDEN_MARK, HIDDEN_LINK, HIDDEN_PART };
#define HIDDEN_NAME 112
void hidden_name(char out[HIDDEN_NAME], const struct id *key, enum hidden);
bool hidden_key(const char *name, struct id *key); /* Is the name of that form? */

#endif
