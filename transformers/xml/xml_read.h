/* A document that is being read: what xml_read.c, which knows libxml2, and xml_build.c share. */
#ifndef FERRULE_TRANSFORMERS_XML_READ_H
#define FERRULE_TRANSFORMERS_XML_READ_H

#include <libxml/parser.h>

#include "transformers/window.h"
#include "transformers/xml/xml.h"

#define XML_NAME_SLOTS 4096

struct xml_declared { /* a namespace, of an element outside of items that is still open */
	const char *prefix, *uri;
	size_t depth;
};

struct xml_reading {
	const struct xml_format *format;
	const struct xml_events *events;
	struct window window;
	xmlParserCtxt *context;
	uint64_t at;    /* what the parser has been given of the document */
	uint64_t seen;  /* … when something came of it */
	uint64_t first; /* where the document starts, behind white space that is not allowed there */
	size_t max;
	bool stopped, failed, in_item, spoilt;
	struct error fault; /* of the document */
	struct error spoil; /* of the item in hand */
	struct error error; /* of what is behind */
	/* the open elements */
	struct xml_path_place places[XML_DEPTH_MAX + 8];
	bool preserve[XML_DEPTH_MAX + 8];
	size_t depth, item_depth;
	struct xml_declared *declared;
	size_t declared_count, declared_capacity;
	/* the item in hand */
	struct arena *arena;
	struct xml_item item;
	struct xml_part *prolog_last, *open;
	struct buf text;
	size_t held, nodes;
	/* names, as long as the document */
	struct arena *names_arena;
	struct xml_name *names[XML_NAME_SLOTS];
	size_t names_count;
	char *root, *root_space;
};

/* The document cannot be used any further. */
void xml_give_up(struct xml_reading *, const char *code, const char *text);
/* The item in hand cannot be used; where it is not the whole document, what follows is read. */
void xml_spoil(struct xml_reading *, const char *code, const char *text);

/* True: there is nothing to build, or no room for so many bytes more. */
bool xml_is_idle(struct xml_reading *, size_t bytes);
/* A new part behind those of the open element, or of the document. */
struct xml_part *xml_append(struct xml_reading *, enum xml_kind);
/* The text in front of what comes now becomes a part. */
void xml_end_text(struct xml_reading *);
/* The element that begins, and is open then. Arrays as startElementNs of libxml2 has them. */
void xml_build(struct xml_reading *, const char *prefix, const char *local, const unsigned char **namespaces,
	       int namespaces_count, const unsigned char **attributes, int attributes_count);

#endif
