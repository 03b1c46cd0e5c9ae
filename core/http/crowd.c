#include "http/crowd.h"

#include "base/hash.h"
#include "base/ids.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

#define ROW 16384 /* counters; a power of two */

struct crowd {
    uint64_t seed;
    pthread_mutex_t lock;
    unsigned rows[2][ROW];
};

struct crowd *crowd_new(void)
{
    struct crowd *c = mem_zero(1, sizeof *c);
    random_bytes(&c->seed, sizeof c->seed);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void crowd_free(struct crowd *c)
{
    if (c)
        pthread_mutex_destroy(&c->lock);
    free(c);
}

static void find(struct crowd *c, uint64_t address, unsigned *cells[2])
{
    uint64_t h = hash64(&address, sizeof address, c->seed);
    cells[0] = &c->rows[0][h & (ROW - 1)];
    cells[1] = &c->rows[1][h >> 32 & (ROW - 1)];
}

bool crowd_enter(struct crowd *c, uint64_t address, unsigned max)
{
    unsigned *cells[2];
    find(c, address, cells);
    pthread_mutex_lock(&c->lock);
    bool room = *cells[0] < max || *cells[1] < max;
    *cells[0] += room;
    *cells[1] += room;
    pthread_mutex_unlock(&c->lock);
    return room;
}

void crowd_leave(struct crowd *c, uint64_t address)
{
    unsigned *cells[2];
    find(c, address, cells);
    pthread_mutex_lock(&c->lock);
    --*cells[0];
    --*cells[1];
    pthread_mutex_unlock(&c->lock);
}
