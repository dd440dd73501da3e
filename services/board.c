/* The board. See board.h. */
#include "config.h"
#include "services/board.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"

struct board {
	struct board_slot *slots;
};

struct board *board_new(struct error *error)
{
	struct board *board = mem_alloc(sizeof *board);

	board->slots = mmap(NULL, BOARD_SLOTS * sizeof *board->slots, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board->slots != MAP_FAILED)
		return board;
	free(board);
	error_errno(error, ERROR_FATAL, "board.memory", "mapping shared memory for the workers");
	return NULL;
}

void board_free(struct board *board)
{
	if (!board)
		return;
	munmap(board->slots, BOARD_SLOTS * sizeof *board->slots);
	free(board);
}

struct board_slot *board_slot(struct board *board, unsigned number)
{
	assert(number < BOARD_SLOTS);
	return &board->slots[number];
}

void board_hold(struct board_slot *slot, const struct id *id)
{
	slot->id = *id;
	slot->step[0] = '\0';
	atomic_store(&slot->holding, 1);
	board_tick(slot);
}

void board_let_go(struct board_slot *slot)
{
	atomic_store(&slot->holding, 0);
	board_tick(slot);
}

void board_step(struct board_slot *slot, const char *step)
{
	snprintf(slot->step, sizeof slot->step, "%s", step);
	board_tick(slot);
}
