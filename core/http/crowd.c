#include "http/crowd.h"

#include "base/hash.h"
#include "base/ids.h"
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

#define ROW 16384 /* counters; a power of two */

struct crowd {
    uint64_t seed;
    atomic_uint rows[2][ROW];
};

struct crowd *crowd_new(void)
{
    struct crowd *c = mem_zero(1, sizeof *c);
    random_bytes(&c->seed, sizeof c->seed);
    return c;
}

void crowd_free(struct crowd *c)
{
    free(c);
}

static void find(struct crowd *c, uint64_t address, atomic_uint *cells[2])
{
    uint64_t h = hash64(&address, sizeof address, c->seed);
    cells[0] = &c->rows[0][h & (ROW - 1)];
    cells[1] = &c->rows[1][h >> 32 & (ROW - 1)];
}

bool crowd_enter(struct crowd *c, uint64_t address, unsigned max)
{
    atomic_uint *cells[2];
    find(c, address, cells);
    unsigned a = atomic_fetch_add(cells[0], 1), b = atomic_fetch_add(cells[1], 1);
    if (a < max || b < max)
        return true;
    crowd_leave(c, address);
    return false;
}

void crowd_leave(struct crowd *c, uint64_t address)
{
    atomic_uint *cells[2];
    find(c, address, cells);
    atomic_fetch_sub(cells[0], 1);
    atomic_fetch_sub(cells[1], 1);
}
