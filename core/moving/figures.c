#include "moving/figures.h"

#include "telemetry/series.h"

#include <inttypes.h>
#include <string.h>

#define ROOT      "telemetry"
#define ROOT_LEN  (sizeof ROOT - 1)
#define PLACES_UP 4096

static bool mark_of(struct store *s, const char *space, size_t place, uint64_t *out, bool *found,
                    struct err *e)
{
    char name[DELTA_MARK_SIZE];
    int64_t value = 0;
    delta_mark_name(space, place, name);
    bool ok = s->ops->mark(s, name, &value, found, e);
    *out = ok && *found ? (uint64_t)value : 0;
    return ok;
}

/* How much a place has of all streams; `*any` false: it is none. */
static bool look(struct figures *f, struct store *s, const char *space, uint64_t *sum, bool *any,
                 struct err *e)
{
    *sum = 0;
    *any = false;
    for (size_t place = 0; place < PLACES_UP; place++) {
        uint64_t value;
        bool found;
        if (!mark_of(s, space, place, &value, &found, e))
            return false;
        if (!found)
            break;
        *any = true;
        *sum += value;
        if (place == f->own)
            f->position = value;
    }
    return true;
}

bool figures_choose(struct figures *f, struct store *s, struct err *e)
{
    uint64_t sum, most;
    bool any;
    *f = (struct figures){.shared = store_shared(s), .own = store_place(s)};
    if (!f->shared)
        return true;
    store_space(s, f->space);
    if (!look(f, s, f->space, &most, &any, e))
        return false;
    uint64_t position = f->position;
    for (size_t place = 0, none = 0; place < PLACES_UP && none < 16; place++) {
        char space[STORE_SPACE_SIZE];
        place_space(place, space);
        f->position = 0;
        if (!look(f, s, space, &sum, &any, e))
            return false;
        none = any ? 0 : none + 1; /* places of nodes that never got to a roll-up */
        if (sum > most) {
            most = sum;
            position = f->position;
            memcpy(f->space, space, sizeof space);
        }
    }
    f->position = position;
    return true;
}

/* What follows the space in a name of telemetry's; NULL: it is of something else. */
static const char *after_space(const char *name, char space[STORE_SPACE_SIZE])
{
    if (strncmp(name, ROOT, ROOT_LEN) != 0)
        return NULL;
    const char *at = name + ROOT_LEN, *slash = strchr(at, '/');
    if (!slash || (slash != at && *at != '.') || slash - at >= STORE_SPACE_SIZE)
        return NULL;
    memcpy(space, at, (size_t)(slash - at));
    space[slash - at] = '\0';
    return slash;
}

bool figures_record(const struct figures *f, struct arena *a, struct series_record *r)
{
    char space[STORE_SPACE_SIZE];
    const char *rest = f->shared ? after_space(r->key, space) : NULL;
    if (!rest)
        return true;
    if (strcmp(space, f->space) != 0)
        return false;
    r->key = arena_printf(a, ROOT "%s", rest);
    if (strncmp(rest, "/model/", sizeof "/model/" - 1) != 0)
        return true;
    size_t len;
    const void *row = model_row_recast(a, r->data, r->len, &f->own, &len);
    if (row) { /* else it is damaged, and whoever reads it says so */
        r->data = row;
        r->len = len;
    }
    return true;
}

bool figures_mark(const struct figures *f, struct arena *a, struct series_mark *m)
{
    char space[STORE_SPACE_SIZE], own[STORE_SPACE_SIZE];
    const char *rest = f->shared ? after_space(m->name, space) : NULL;
    place_space(f->own, own);
    if (!rest)
        return true;
    if (strcmp(space, own) != 0 || strcmp(rest, "/rolled_up_to") != 0)
        return false;
    *m = (struct series_mark){arena_printf(a, ROOT "%s", rest),
                              f->position ? (int64_t)f->position : m->value};
    return true;
}
