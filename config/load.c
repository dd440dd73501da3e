/* Small things that all readers of a site need: filling settings, merging maps, names. See load.h. */
#include "config.h"
#include "config/load.h"

#include <ctype.h>
#include <stdlib.h>

#define NAME_LENGTH_MAX 64
#define TOPIC_LENGTH_MAX 128

/* ---- choices --------------------------------------------------------------------------------------------- */
size_t choices_of_transformers(const struct registry *registry, struct choice *into)
{
	size_t n = 0;

	for (const struct transformer_ops *const *t = registry->transformers; t && *t && n < CHOICES_MAX; t++)
		into[n++] = (struct choice){(*t)->name, (*t)->options, (*t)->settings_size, *t};
	return n;
}

const struct choice *choice_find(const struct choice *list, size_t n, struct span name)
{
	for (size_t i = 0; i < n; i++) {
		if (span_is(name, list[i].name))
			return &list[i];
	}
	return NULL;
}

const char *choice_names(struct arena *arena, const struct choice *list, size_t n)
{
	const char *text = n > 0 ? list[0].name : "nothing";

	for (size_t i = 1; i < n; i++)
		text = arena_printf(arena, "%s%s%s", text, i + 1 < n ? ", " : " or ", list[i].name);
	return text;
}

const char *choice_nearest(const struct choice *list, size_t n, struct span word)
{
	const char *names[CHOICES_MAX];

	for (size_t i = 0; i < n; i++)
		names[i] = list[i].name;
	return nearest_name(word, names, n);
}

/* ---- filling --------------------------------------------------------------------------------------------- */
const struct option *option_named(const struct option *table, const char *name)
{
	for (; table && table->name; table++) {
		if (strcmp(table->name, name) == 0)
			return table;
	}
	return NULL;
}

const struct option *option_main_of(const struct option *table)
{
	for (; table && table->name; table++) {
		if (table->flags & OPTION_MAIN)
			return table;
	}
	return NULL;
}

const void *load_fill(struct load *load, const struct node *node, const struct option *table, const char *const *also,
		      size_t size)
{
	static const struct option none[] = {OPTION_END};
	void *settings = arena_alloc(load->arena, size > 0 ? size : 1);
	struct filled *filled = arena_alloc(load->arena, sizeof *filled);
	size_t before = load->findings->errors;

	if (!table)
		table = none;
	if (option_fill(&load->options, node, table, also, settings) || load->findings->errors > before)
		return NULL;
	*filled = (struct filled){table, settings, node, load->filled};
	load->filled = filled;
	return settings;
}

/* ---- nodes ----------------------------------------------------------------------------------------------- */
const struct node *node_empty(struct load *load, struct place place)
{
	struct node *node = arena_alloc(load->arena, sizeof *node);

	node->type = NODE_MAP;
	node->place = place;
	return node;
}

bool node_null(const struct node *node)
{
	return !node || (node->type == NODE_SCALAR && node->text.len == 0 && !node->quoted);
}

static struct pair *pair_find(const struct node *map, struct span key)
{
	for (size_t i = 0; i < map->count; i++) {
		if (span_equal(map->pairs[i].key.text, key))
			return &map->pairs[i];
	}
	return NULL;
}

const struct node *node_merge(struct load *load, const struct node *base, const struct node *over)
{
	struct node *node;

	if (!base || !over || base->type != NODE_MAP || over->type != NODE_MAP)
		return over ? over : base;
	node = arena_alloc(load->arena, sizeof *node);
	*node = *over;
	node->count = 0;
	node->pairs = arena_alloc(load->arena, (base->count + over->count + 1) * sizeof *node->pairs);
	for (size_t i = 0; i < base->count; i++) {
		const struct pair *other = pair_find(over, base->pairs[i].key.text);

		node->pairs[node->count] = other ? *other : base->pairs[i];
		if (other)
			node->pairs[node->count].value = (struct node *)node_merge(load, base->pairs[i].value,
										   other->value);
		node->count++;
	}
	for (size_t i = 0; i < over->count; i++) {
		if (!pair_find(base, over->pairs[i].key.text))
			node->pairs[node->count++] = over->pairs[i];
	}
	return node;
}

const struct node *node_without(struct load *load, const struct node *map, const char *const *keys)
{
	struct node *node = arena_alloc(load->arena, sizeof *node);

	*node = *map;
	node->count = 0;
	node->pairs = arena_alloc(load->arena, (map->count + 1) * sizeof *node->pairs);
	for (size_t i = 0; i < map->count; i++) {
		size_t k = 0;

		while (keys[k] && !span_is(map->pairs[i].key.text, keys[k]))
			k++;
		if (!keys[k])
			node->pairs[node->count++] = map->pairs[i];
	}
	return node;
}

bool path_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && path[n] == '/';
}

void load_owner(struct load *load, const char *owner, const struct node *map)
{
	const struct node *place = node_find(map, "owner");

	if (owner && place && owner[strspn(owner, " \t\n")] == 0)
		load_error(load, place->place, "owner.empty", "`owner` names nobody: who answers for this? A team");
}

/* ---- names ----------------------------------------------------------------------------------------------- */
bool load_name(struct load *load, const char *what, const char *name, struct place place)
{
	size_t n = strlen(name);
	bool fine = n > 0 && n <= NAME_LENGTH_MAX && isalnum((unsigned char)name[0]);

	for (size_t i = 0; fine && i < n; i++)
		fine = islower((unsigned char)name[i]) || isdigit((unsigned char)name[i]) || strchr("-._", name[i]);
	if (!fine)
		load_error(
			load, place, "name.form",
			"a %s's name has lower-case letters, digits, `-`, `.` and `_`, at most %d: `%.*s` will not do",
			what, NAME_LENGTH_MAX, n > NAME_LENGTH_MAX ? NAME_LENGTH_MAX : (int)n, name);
	return fine;
}

static const char *const name_kinds[] = {"flow", "source", "sink", "system"};

/* A flow, its source and its sink may share a name: holding one by it means the flow. All others differ. */
static bool may_share(const struct known_name *a, const struct known_name *b)
{
	return a->flow && b->flow && strcmp(a->flow, b->flow) == 0 && a->what != b->what;
}

void load_take_name(struct load *load, const struct known_name *name)
{
	for (size_t i = 0; i < load->names_count; i++) {
		const struct known_name *other = &load->names[i];

		if (strcmp(other->name, name->name) != 0 || may_share(other, name))
			continue;
		load_error(load, name->place, "name.taken", "the name `%s` is taken by the %s in %s, line %d%s",
			   name->name, name_kinds[other->what], other->place.file, other->place.line,
			   name->what == NAME_FLOW || name->what == NAME_SYSTEM
				   ? ""
				   : "; give this one another with `name:`");
		return;
	}
	load->names = mem_grow(load->names, &load->names_capacity, load->names_count + 1, sizeof *load->names);
	load->names[load->names_count++] = *name;
}

/* word(.word|-word)*.v<n> */
static bool topic_formed(const char *topic)
{
	size_t n = strlen(topic), i = n;
	bool start = true;

	if (n > TOPIC_LENGTH_MAX)
		return false;
	while (i > 0 && isdigit((unsigned char)topic[i - 1]))
		i--;
	if (i == n || i < 3 || topic[i - 1] != 'v' || topic[i - 2] != '.' || topic[i] == '0')
		return false;
	for (i = 0; i < n; i++) {
		bool mark = topic[i] == '.' || topic[i] == '-';

		if ((mark && start) ||
		    (!mark && !islower((unsigned char)topic[i]) && !isdigit((unsigned char)topic[i])))
			return false;
		start = mark;
	}
	return true;
}

bool load_topic_form(struct load *load, const char *topic, struct place place)
{
	if (topic_formed(topic))
		return true;
	load_error(load, place, "topic.form",
		   "a topic is words with dots and its version last, such as order.received.v1: `%.128s` is not",
		   topic);
	return false;
}

bool load_topic(struct load *load, const char *flow, const char *topic, struct place place, bool publishes)
{
	if (!load_topic_form(load, topic, place))
		return false;
	load->topics = mem_grow(load->topics, &load->topics_capacity, load->topics_count + 1, sizeof *load->topics);
	load->topics[load->topics_count++] = (struct topic_use){topic, flow, place, publishes};
	return true;
}
