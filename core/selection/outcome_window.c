#include "selection/outcome_window.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 1024

/* 0 is a free place. */
static uint64_t key_of(uint64_t hash)
{
    return hash ? hash : 1;
}

/* Where the key is, or would be. */
static size_t place_of(const struct outcome_set *s, uint64_t key)
{
    size_t at = (size_t)key & (s->room - 1);
    while (s->places[at] && s->places[at] != key)
        at = (at + 1) & (s->room - 1);
    return at;
}

static bool has(const struct outcome_set *s, uint64_t key)
{
    return s->room && s->places[place_of(s, key)] == key;
}

static void grow(struct outcome_set *s)
{
    struct outcome_set bigger = {.room = s->room ? 2 * s->room : FIRST_ROOM, .count = s->count};
    bigger.places = mem_zero(bigger.room, sizeof *bigger.places);
    for (size_t i = 0; i < s->room; i++)
        if (s->places[i])
            bigger.places[place_of(&bigger, s->places[i])] = s->places[i];
    free(s->places);
    *s = bigger;
}

static void put(struct outcome_set *s, uint64_t key)
{
    if (2 * (s->count + 1) > s->room)
        grow(s);
    s->places[place_of(s, key)] = key;
    s->count++;
}

/* Without leaving a hole in a run of places. */
static bool take(struct outcome_set *s, uint64_t key)
{
    if (!has(s, key))
        return false;
    size_t hole = place_of(s, key), at = hole;
    s->places[hole] = 0;
    s->count--;
    for (;;) {
        at = (at + 1) & (s->room - 1);
        uint64_t other = s->places[at];
        if (!other)
            return true;
        size_t home = (size_t)other & (s->room - 1);
        if (((at - home) & (s->room - 1)) < ((at - hole) & (s->room - 1)))
            continue;
        s->places[hole] = other;
        s->places[at] = 0;
        hole = at;
    }
}

void outcome_window_init(struct outcome_window *w, int64_t window_ms, size_t max, int64_t now_ms)
{
    *w = (struct outcome_window){.window_ms = window_ms, .max = max, .since_ms = now_ms};
}

void outcome_window_release(struct outcome_window *w)
{
    free(w->now.places);
    free(w->before.places);
}

/* `early`: what goes may still be within its window. */
static void turn(struct outcome_window *w, int64_t now_ms, bool early)
{
    if (early && w->before.count)
        w->floor_ms = w->since_ms;
    free(w->before.places);
    w->before = w->now;
    w->now = (struct outcome_set){0};
    w->since_ms = now_ms;
}

bool outcome_window_late(struct outcome_window *w, int64_t decided_ms, int64_t now_ms)
{
    return decided_ms < now_ms - w->window_ms || decided_ms < w->floor_ms;
}

bool outcome_window_add(struct outcome_window *w, uint64_t hash, int64_t now_ms)
{
    uint64_t key = key_of(hash);
    if (now_ms - w->since_ms >= w->window_ms)
        turn(w, now_ms, false);
    if (has(&w->now, key) || has(&w->before, key))
        return false;
    if (w->now.count >= w->max)
        turn(w, now_ms, true);
    put(&w->now, key);
    return true;
}

void outcome_window_remove(struct outcome_window *w, uint64_t hash)
{
    uint64_t key = key_of(hash);
    if (!take(&w->now, key))
        take(&w->before, key);
}
