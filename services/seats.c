/* Which processes a site needs, and how one ended. See seats.h. */
#include "config.h"
#include "services/seats.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "services/expiries.h"
#include "services/sent.h"
#include "services/steward.h"

struct seat *seat_find(struct seats *seats, const char *name)
{
	for (struct seat *seat = seats->first; seat; seat = seat->next)
		if (!strcmp(seat->name, name))
			return seat;
	return NULL;
}

static bool role_asked_for(const struct seats *seats, const char *name)
{
	if (!seats->only)
		return true;
	for (const char *const *role = seats->only; *role; role++)
		if (!strncmp(name, *role, strlen(*role)))
			return true;
	return !strcmp(name, "queue");
}

/* A seat of that name, made when there is none. Seats are kept over reloads: a name has one process at a time. */
static struct seat *seat_add(struct seats *seats, const struct role *role, char *name, const char *endpoint,
			     enum demand demand)
{
	struct seat *seat = seat_find(seats, name);
	struct seat **at = &seats->first;

	if (seat) {
		free(name);
		seat->retired = false;
		return seat;
	}
	if (!role_asked_for(seats, name) || seats->next_slot == BOARD_SLOTS) {
		if (seats->next_slot == BOARD_SLOTS)
			log_error("supervisor", SPAN_NONE, "no room for role=%s: at most %d processes", name,
				  BOARD_SLOTS);
		free(name);
		return NULL;
	}
	seat = mem_alloc(sizeof *seat);
	*seat = (struct seat){.role = role,
			      .name = name,
			      .endpoint = mem_strdup(endpoint),
			      .demand = demand,
			      .slot = seats->next_slot++};
	while (*at)
		at = &(*at)->next;
	*at = seat;
	return seat;
}

static unsigned transforms(const struct site *site)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (site->transform_processes)
		return site->transform_processes;
	return cores < 1 ? 1 : cores > 32 ? 32 : (unsigned)cores;
}

static void seats_of_flow(struct seats *seats, const struct flow *flow)
{
	for (size_t i = 0; i < flow->sources_count; i++)
		if (flow->sources[i].poll)
			seat_add(seats, &role_poll, mem_printf("poll:%s", flow->sources[i].endpoint.name),
				 flow->sources[i].endpoint.name, DEMAND_ALWAYS);
	if (flow->sink && !flow->sink_ops->shared)
		seat_add(seats, &role_deliver, mem_printf("sink:%s", flow->sink->name), flow->sink->name,
			 DEMAND_WANTED);
	else if (flow->sink)
		seat_add(seats, &role_deliver, mem_strdup("deliver"), NULL, DEMAND_ALWAYS);
}

void seats_plan(struct seats *seats, const struct generation *generation)
{
	const struct site *site = generation->site;
	const struct topology *topology = generation->topology;
	struct seat *steward;

	for (struct seat *seat = seats->first; seat; seat = seat->next)
		seat->retired = true;
	seat_add(seats, NULL, mem_strdup("queue"), NULL, DEMAND_ALWAYS);
	seat_add(seats, &role_record, mem_strdup("record"), NULL, DEMAND_ALWAYS);
	steward = seat_add(seats, &role_steward, mem_strdup("steward"), NULL, DEMAND_WANTED);
	if (steward && (steward_has_days(site) || expiries_any(site) || sent_any(site) ||
			steward_reminds(site)))
		steward->wanted = true;
	for (unsigned i = 1; i <= transforms(site); i++)
		seat_add(seats, &role_transform, mem_printf("transform.%u", i), NULL, DEMAND_ALWAYS);
	for (size_t i = 0; i < site->flows_count; i++)
		seats_of_flow(seats, &site->flows[i]);
	for (size_t i = 0; i < topology->count; i++) /* endpoints that are gone, as long as something waits for them */
		if (!strncmp(topology->queues[i].worker, "sink:", 5))
			seat_add(seats, &role_deliver, mem_strdup(topology->queues[i].worker),
				 topology->queues[i].endpoint, DEMAND_WANTED);
	if (site->listen)
		seat_add(seats, &role_gateway, mem_strdup("gateway"), NULL, DEMAND_ALWAYS);
}

void seats_free(struct seats *seats)
{
	for (struct seat *seat = seats->first, *next; seat; seat = next) {
		next = seat->next;
		free(seat->name);
		free(seat->endpoint);
		free(seat);
	}
	seats->first = NULL;
}

enum ending seat_ending(const struct seat *seat, int status, char *cause, size_t size)
{
	int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	cause[0] = '\0';
	if (seat->killed) {
		snprintf(cause, size, "%s", seat->killed);
		return seat->stopping ? ENDING_OUTSIDE : ENDING_CRASH;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return ENDING_CLEAN;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_QUEUE) {
		snprintf(cause, size, "the queue process went away");
		return ENDING_QUEUE;
	}
	if (WIFEXITED(status)) {
		snprintf(cause, size, "exit status %d", WEXITSTATUS(status));
		return WEXITSTATUS(status) == EXIT_AGAIN ? ENDING_AGAIN : ENDING_CRASH;
	}
	snprintf(cause, size, "signal %d (%s)", number, strsignal(number));
	if (number == SIGKILL || number == SIGTERM || number == SIGINT || number == SIGHUP)
		return ENDING_OUTSIDE;
	return ENDING_CRASH;
}
