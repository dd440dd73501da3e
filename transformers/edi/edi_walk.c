/* Where in its grammar a segment stands: the first fitting place going forward, in the innermost open loop, then in
 * those around it (X12.6, 3.9; ISO 9735-1, 8). Nothing of what was passed is looked at again. See edi_judge.h. */
#include "config.h"
#include "transformers/edi/edi_judge_private.h"

#include <stdio.h>

#include "transformers/edi/edi_chunk.h"

struct spot {
	int depth; /* -1: none */
	uint32_t at;
	bool again;  /* more often than it may */
	bool unsure; /* something stood in front of it that may not come, or not any more */
};

/* ---- the nested form, between segments */
static inline void put(struct edi_judge *j, char c)
{
	if (j->o)
		*j->o++ = c;
}

static const struct edi_label *label_of(const struct edi_judge *j, const struct edi_node *node)
{
	return j->keys == EDI_KEYS_POSITIONS ? &node->by_position : &node->by_name;
}

static inline bool is_list(const struct edi_node *node)
{
	return node->max != 1;
}

static void close_child(struct edi_judge *j, const struct edi_frame *frame)
{
	if (frame->count && is_list(frame->loop->children[frame->at]))
		put(j, ']');
}

/* In front of the value of the child that is in hand now; `first` that ever stood in the frame: no comma. */
static void open_child(struct edi_judge *j, const struct edi_node *child, bool again, bool first)
{
	if (!j->o)
		return;
	if (!first || again)
		*j->o++ = ',';
	if (again)
		return;
	j->o = edi_label_put(j->o, label_of(j, child));
	if (is_list(child))
		*j->o++ = '[';
}

/* ---- what is missing */
static void blame_path(struct edi_finding *finding, const struct edi_node *loop)
{
	const struct edi_node *way[EDI_DEPTH_MAX + 2];
	size_t n = 0, len = 0;

	if (loop && loop->parent)
		memcpy(finding->loop_tag, loop->children[0]->form->tag, sizeof finding->loop_tag);
	for (; loop && loop->parent; loop = loop->parent)
		way[n++] = loop;
	finding->loop[0] = '\0';
	while (n-- > 0 && len < sizeof finding->loop)
		len += (size_t)snprintf(finding->loop + len, sizeof finding->loop - len, "%s%s", len ? "/" : "",
					way[n]->name);
}

static void miss(struct edi_judge *j, const struct edi_node *loop, const struct edi_node *child)
{
	struct edi_finding *finding;

	if (child->loop) {
		const char *tag = child->children[0]->form->tag;

		finding = edi_blame(j, EDI_KIND_LOOP_MISSING, child->guide,
				    "the loop %s, which begins with %s, is missing", child->name, tag);
		if (finding)
			memcpy(finding->tag, tag, sizeof finding->tag);
	} else {
		finding = edi_blame(j, EDI_KIND_SEGMENT_MISSING, child->guide, "the segment %s is missing",
				    child->form->tag);
		if (finding)
			memcpy(finding->tag, child->form->tag, sizeof finding->tag);
	}
	if (!finding)
		return;
	blame_path(finding, loop);
	/* Acknowledgements name the loop that a segment is in, and this one begins one. */
	if (child->loop)
		memcpy(finding->loop_tag, child->children[0]->form->tag, sizeof finding->loop_tag);
}

/* The children from the one in hand up to `to` will not come any more. */
static void pass(struct edi_judge *j, const struct edi_frame *frame, uint32_t to)
{
	const struct edi_node *loop = frame->loop;

	if (!(j->check & EDI_CHECK_STRUCTURE))
		return;
	if (to > loop->needed_until)
		to = loop->needed_until;
	for (uint32_t i = frame->at + (frame->count > 0); i < to; i++)
		if (loop->uses[i] == EDI_MANDATORY)
			miss(j, loop, loop->children[i]);
}

static void leave_loops(struct edi_judge *j, unsigned depth)
{
	while (j->depth > depth) {
		const struct edi_frame *frame = &j->frames[j->depth];

		pass(j, frame, frame->loop->count);
		close_child(j, frame);
		put(j, '}');
		j->depth--;
	}
}

/* ---- finding the place */
/* The first of the keys from `at` on that is this one; there are others behind the last. */
static inline uint32_t next(const uint32_t *keys, uint32_t at, uint32_t key)
{
#ifdef __SSE2__
	const __m128i wide = _mm_set1_epi32((int)key);

	for (;; at += 4) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(keys + at));
		unsigned bits = (unsigned)_mm_movemask_epi8(
			_mm_or_si128(_mm_cmpeq_epi32(v, wide), _mm_cmpeq_epi32(v, _mm_setzero_si128())));

		if (bits)
			return at + (unsigned)__builtin_ctz(bits) / 4;
	}
#else
	while (keys[at] && keys[at] != key)
		at++;
	return at;
#endif
}

static struct spot find(const struct edi_judge *j, uint32_t key)
{
	struct spot again = {.depth = -1}, never = {.depth = -1};
	bool unsure = false;

	for (int depth = (int)j->depth; depth >= 0; depth--) {
		const struct edi_frame *frame = &j->frames[depth];
		const struct edi_node *loop = frame->loop;
		const uint32_t *keys = loop->keys;

		for (uint32_t at = next(keys, frame->at, key); at < loop->count; at = next(keys, at + 1, key)) {
			const struct edi_node *child = loop->children[at];

			if (at == frame->at && child->max && frame->count >= child->max) {
				if (again.depth < 0 && (at || !depth))
					again = (struct spot){depth, at, true, true};
			} else if (child->use == EDI_NEVER) {
				if (never.depth < 0)
					never = (struct spot){depth, at, false, true};
			} else {
				return (struct spot){depth, at, false, unsure};
			}
			unsure = true;
		}
	}
	return again.depth >= 0 ? again : never;
}

static bool is_somewhere(const struct edi_node *loop, uint32_t key)
{
	for (uint32_t i = 0; i < loop->count; i++)
		if (loop->keys[i] == key || (loop->children[i]->loop && is_somewhere(loop->children[i], key)))
			return true;
	return false;
}

static const struct edi_node *lost(struct edi_judge *j, uint32_t key)
{
	const struct edi_frame *frame = &j->frames[j->depth];
	struct edi_finding *finding;

	if (!(j->check & EDI_CHECK_STRUCTURE))
		return NULL;
	if (!edi_form_find(j->grammar->dictionary, key))
		finding = edi_blame(j, EDI_KIND_SEGMENT_UNKNOWN, false, "%s %s has no segment %s", j->grammar->format,
				    j->grammar->version, j->tag);
	else if (is_somewhere(&j->grammar->root, key))
		finding = edi_blame(j, EDI_KIND_SEGMENT_ORDER, false, "the segment %s has its place somewhere else",
				    j->tag);
	else
		finding = edi_blame(j, EDI_KIND_SEGMENT_UNDEFINED, false, "%s has no segment %s here or elsewhere",
				    j->grammar->type, j->tag);
	if (finding)
		blame_path(finding, frame->loop);
	return NULL;
}

static void judge_place(struct edi_judge *j, const struct edi_node *child, const struct spot *spot)
{
	struct edi_finding *finding;

	if (!(j->check & EDI_CHECK_STRUCTURE))
		return;
	if (spot->again && child->loop)
		finding = edi_blame(j, EDI_KIND_LOOP_REPEATS, child->guide,
				    "the loop %s comes more often than the %u times that it may", child->name,
				    child->max);
	else if (spot->again)
		finding =
			edi_blame(j, EDI_KIND_SEGMENT_REPEATS, child->guide,
				  "the segment %s comes more often than the %u times that it may", j->tag, child->max);
	else if (child->use == EDI_NEVER)
		finding = edi_blame(j, EDI_KIND_SEGMENT_UNUSED, child->guide, "%s is never used here", child->name);
	else
		return;
	if (!finding)
		return;
	blame_path(finding, child->parent);
	if (child->loop)
		memcpy(finding->loop_tag, child->children[0]->form->tag, sizeof finding->loop_tag);
}

static const struct edi_node *enter(struct edi_judge *j, const struct edi_node *loop)
{
	const struct edi_node *first = loop->children[0];

	j->opened = loop;
	j->depth++;
	j->frames[j->depth] = (struct edi_frame){.loop = loop, .count = 1, .any = true};
	put(j, '{');
	open_child(j, first, false, true);
	return first;
}

const struct edi_node *edi_walk_to(struct edi_judge *j, uint32_t key)
{
	struct spot spot = find(j, key);
	const struct edi_node *child;
	struct edi_frame *frame;
	bool again;

	j->opened = NULL;
	if (spot.depth < 0)
		return lost(j, key);
	frame = &j->frames[spot.depth];
	child = frame->loop->children[spot.at];
	/* An object has no room for a second one. */
	if (spot.again && child->max == 1 && !(j->check & EDI_CHECK_STRUCTURE))
		return NULL;
	leave_loops(j, (unsigned)spot.depth);
	judge_place(j, child, &spot);
	again = spot.at == frame->at && frame->count;
	j->steps.recorder.depth = (uint32_t)spot.depth;
	j->steps.recorder.at = spot.at;
	j->steps.recorder.again = again;
	j->steps.recorder.spoilt |= spot.unsure;
	if (!again) {
		bool first = !frame->any;

		pass(j, frame, spot.at);
		close_child(j, frame);
		frame->at = spot.at;
		frame->count = 0;
		open_child(j, child, false, first);
	} else {
		open_child(j, child, true, false);
	}
	frame->count++;
	frame->any = true;
	return j->place = child->loop ? enter(j, child) : child;
}

void edi_walk_begin(struct edi_judge *j)
{
	j->depth = 0;
	j->place = &j->grammar->root;
	j->frames[0] = (struct edi_frame){.loop = &j->grammar->root};
}

void edi_walk_end(struct edi_judge *j)
{
	leave_loops(j, 0);
	pass(j, &j->frames[0], j->frames[0].loop->count);
	close_child(j, &j->frames[0]);
}

void edi_walk_path(const struct edi_node *node, struct edi_finding *finding)
{
	blame_path(finding, node->loop ? node : node->parent);
}
