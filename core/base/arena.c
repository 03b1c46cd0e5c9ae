#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALIGN       alignof(max_align_t)
#define FIRST_BLOCK 4096  /* the arena and its first block share one allocation of about this */
#define LAST_BLOCK  65536 /* blocks double up to this */

struct block {
    struct block *next;
    size_t cap, used;
    alignas(max_align_t) char data[];
};

struct arena {
    size_t max;          /* of all blocks together */
    size_t held;         /* capacity of all blocks */
    size_t given;        /* handed out */
    size_t next_size;    /* of the block to come */
    struct block *now;   /* where small pieces are taken from; older blocks follow */
    struct block *large; /* blocks made for one piece each */
    struct block *first; /* kept by reset; lies behind this struct */
};

static size_t round_up(size_t n)
{
    return (n + ALIGN - 1) & ~(ALIGN - 1);
}

struct arena *arena_new(size_t max_bytes)
{
    size_t head = round_up(sizeof(struct arena)), cap = FIRST_BLOCK - head - sizeof(struct block);
    if (cap > max_bytes)
        cap = max_bytes;
    struct arena *a = mem_alloc(head + sizeof(struct block) + cap);
    struct block *first = (struct block *)((char *)a + head);
    *first = (struct block){.cap = cap};
    *a = (struct arena){
        .max = max_bytes, .held = cap, .next_size = 2 * FIRST_BLOCK, .now = first, .first = first};
    return a;
}

static void free_blocks(struct block *b, const struct block *keep)
{
    while (b) {
        struct block *next = b->next;
        if (b != keep)
            free(b);
        b = next;
    }
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    free_blocks(a->now, a->first);
    free_blocks(a->large, NULL);
    free(a);
}

void arena_reset(struct arena *a)
{
    free_blocks(a->now, a->first);
    free_blocks(a->large, NULL);
    a->first->used = 0;
    a->first->next = NULL;
    a->now = a->first;
    a->large = NULL;
    a->held = a->first->cap;
    a->given = 0;
    a->next_size = 2 * FIRST_BLOCK;
}

size_t arena_used(const struct arena *a)
{
    return a->given;
}

size_t arena_left(const struct arena *a)
{
    return a->max - a->held;
}

/* A block of at least `size`, `wanted` if the maximum allows it. */
static struct block *add_block(struct arena *a, size_t size, size_t wanted, struct block **list)
{
    size_t left = a->max - a->held;
    if (size > left)
        return NULL;
    size_t cap = wanted > left ? left : wanted;
    if (cap < size)
        cap = size;
    struct block *b = malloc(sizeof *b + cap);
    if (!b)
        return NULL;
    *b = (struct block){.next = *list, .cap = cap};
    *list = b;
    a->held += cap;
    return b;
}

static struct block *block_for(struct arena *a, size_t size)
{
    if (a->now->cap - a->now->used >= size)
        return a->now;
    /* A piece that would fill half a block gets its own, so that the current one stays in use. */
    if (size > a->next_size / 2)
        return add_block(a, size, size, &a->large);
    struct block *b = add_block(a, size, a->next_size, &a->now);
    if (b && a->next_size < LAST_BLOCK)
        a->next_size *= 2;
    return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > a->max)
        return NULL;
    size_t whole = round_up(size ? size : 1);
    struct block *b = block_for(a, whole);
    if (!b)
        return NULL;
    void *p = b->data + b->used;
    b->used += whole;
    a->given += whole;
    return p;
}

static void *must(void *p)
{
    if (!p) {
        static const char text[] = "paddock: an arena reached its maximum, ending\n";
        ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);
        (void)n;
        abort();
    }
    return p;
}

void *arena_zero(struct arena *a, size_t size)
{
    return memset(must(arena_alloc(a, size)), 0, size);
}

char *arena_text(struct arena *a, const char *text)
{
    return text ? arena_copy(a, text, strlen(text)) : NULL;
}

char *arena_copy(struct arena *a, const void *data, size_t len)
{
    char *p = must(len < SIZE_MAX ? arena_alloc(a, len + 1) : NULL);
    if (len)
        memcpy(p, data, len);
    p[len] = '\0';
    return p;
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    size_t len = n < 0 ? 0 : (size_t)n;
    char *p;
    if (len < sizeof small) {
        p = arena_copy(a, small, len);
    } else {
        p = must(arena_alloc(a, len + 1));
        vsnprintf(p, len + 1, fmt, again);
    }
    va_end(again);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *p = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return p;
}
