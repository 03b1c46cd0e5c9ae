/* The state's head and its views.
 *
 * A view is a handful of pointers to directories and the journal's sequence. The head is a view
 * that only the engine's thread sees; applying an entity copies the chunk it falls into (once
 * between two publishes) and the directory above it. Publishing copies those pointers. Everything a
 * reader can reach from a view is immutable from then on, and lives until the caller's retire()
 * says that nobody can hold the view any more. */
#include "registry/state.h"

#include "base/ids.h"
#include "base/mem.h"
#include "registry/view.h"

#include <stdlib.h>
#include <string.h>

struct state {
    struct view head;
    struct view *published;
    struct generation generation;
    struct intern *names;
    void (*retire)(void *ctx, void *object, void (*destroy)(void *));
    void *ctx;
};

/* Begin the next generation. A load leaves long lists behind, which later ones do not need. */
static void next_generation(struct generation *g)
{
    struct pointers *lists[] = {&g->made, &g->replaced};
    for (int i = 0; i < 2; i++) {
        lists[i]->n = 0;
        if (lists[i]->cap > 65536) {
            free(lists[i]->list);
            *lists[i] = (struct pointers){0};
        }
    }
    g->number++;
}

struct state *state_new(void (*retire)(void *ctx, void *object, void (*destroy)(void *)), void *ctx)
{
    struct state *s = mem_zero(1, sizeof *s);
    s->retire = retire;
    s->ctx = ctx;
    s->names = intern_new();
    for (int i = 0; i < INDEX_COUNT; i++)
        s->head.index[i] = directory_new(&s->generation, i == INDEX_MODELS);
    s->published = mem_alloc(sizeof *s->published);
    *s->published = s->head;
    next_generation(&s->generation); /* the empty directories are published */
    return s;
}

static void free_view(struct view *v)
{
    for (int i = 0; i < INDEX_COUNT; i++) {
        struct directory *d = v->index[i];
        for (size_t c = 0; c < d->n; c++) {
            for (size_t k = 0; i < ENTITY_KIND_COUNT && k < d->chunks[c]->n; k++)
                entity_free((void *)(uintptr_t)d->chunks[c]->items[k]);
            free(d->chunks[c]);
        }
        free(d);
    }
    free(v);
}

void state_free(struct state *s)
{
    if (!s)
        return;
    state_revert(s);
    free_view(s->published);
    free(s->generation.made.list);
    free(s->generation.replaced.list);
    intern_free(s->names);
    free(s);
}

/* The indexes that an entity of this kind may be in, as bits. */
static unsigned indexes_of(enum entity_kind kind)
{
    unsigned bits = 1u << kind | 1u << INDEX_UIDS;
    if (kind == ENTITY_MODEL)
        bits |= 1u << INDEX_VERSIONS | 1u << INDEX_NUMBERS | 1u << INDEX_SERVING;
    if (kind == ENTITY_EXPERIMENT)
        bits |= 1u << INDEX_RUNNING;
    return kind == ENTITY_TOKEN ? bits | 1u << INDEX_TOKEN_KEYS : bits;
}

static void index_apply(struct state *s, enum view_index i, const struct entity *before,
                        const struct entity *after)
{
    struct directory **d = &s->head.index[i];
    before = before && view_indexed(i, before) ? before : NULL;
    after = after && view_indexed(i, after) ? after : NULL;
    if (before) {
        struct index_key key = view_key(i, before);
        if (after && view_order(i)(&key, after) == 0)
            before = NULL; /* same place: replaced below */
        else
            index_remove(d, &s->generation, view_order(i), &key);
    }
    if (after) {
        struct index_key key = view_key(i, after);
        index_put(d, &s->generation, view_order(i), &key, after);
    }
}

void state_apply(struct state *s, const struct entity *before, struct entity *after)
{
    enum entity_kind kind = after ? after->kind : before->kind;
    const struct entity *named = after ? after : before;
    /* What the head holds under the key, which `before` says the caller knows of. */
    const struct entity *held = view_get(&s->head, kind, named->ns, named->id);
    for (int i = 0; i < INDEX_COUNT; i++)
        if (indexes_of(kind) >> i & 1)
            index_apply(s, (enum view_index)i, held, after);
    if (after)
        pointers_add(&s->generation.made, after);
    if (held)
        pointers_add(&s->generation.replaced, (void *)(uintptr_t)held);
}

const struct view *state_publish(struct state *s, uint64_t seq)
{
    struct view *old = s->published, *v = mem_alloc(sizeof *v);
    s->head.seq = seq;
    s->head.number = number_new();
    *v = s->head;
    s->published = v;
    for (size_t i = 0; i < s->generation.replaced.n; i++)
        s->retire(s->ctx, s->generation.replaced.list[i], free);
    s->retire(s->ctx, old, free);
    next_generation(&s->generation);
    return v;
}

void state_revert(struct state *s)
{
    s->head = *s->published;
    for (size_t i = 0; i < s->generation.made.n; i++)
        free(s->generation.made.list[i]); /* no view has ever reached it */
    next_generation(&s->generation);
}

const struct view *state_head(const struct state *s)
{
    return &s->head;
}

struct intern *state_names(struct state *s)
{
    return s->names;
}
