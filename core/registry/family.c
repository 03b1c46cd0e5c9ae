#include "registry/family.h"

#include "base/bytes.h"
#include "base/json.h"
#include "base/map.h"
#include "registry/field_diff.h"

#include <string.h>

bool family_open(struct family *f, const struct decision *d, const char *name, struct err *e)
{
    struct command *c = d->c;
    const struct head *h = d->h;
    *f = (struct family){.d = *d};
    f->before = view_registered_model(h->view, c->ns, name);
    f->aliases = arena_zero(c->arena, (ALIASES_MAX + 1) * sizeof *f->aliases);
    if (!f->before) {
        registered_model_fields_init(&f->fields, c->ns, h->rules);
        f->fields.name = name;
        f->fields.created_at = h->now_ms;
        return true;
    }
    f->n_aliases = f->before->n_aliases;
    if (f->n_aliases > ALIASES_MAX)
        return fail(e, &ERR_CORRUPT, "'%.200s' has more aliases than there can be", name);
    if (f->n_aliases)
        memcpy(f->aliases, f->before->aliases, f->n_aliases * sizeof *f->aliases);
    return registered_model_fields_read(f->before, c->arena, &f->fields, e);
}

/* --- aliases --- */

size_t family_alias(const struct family *f, const char *alias, bool *found)
{
    size_t at = 0;
    int order = 1;
    while (at < f->n_aliases && (order = strcmp(f->aliases[at].alias, alias)) < 0)
        at++;
    *found = at < f->n_aliases && order == 0;
    return at;
}

void family_alias_set(struct family *f, const char *alias, const char *model_id)
{
    bool found;
    size_t at = family_alias(f, alias, &found);
    if (!found) {
        memmove(f->aliases + at + 1, f->aliases + at, (f->n_aliases - at) * sizeof *f->aliases);
        f->n_aliases++;
    }
    f->aliases[at] = (struct alias){alias, model_id};
}

void family_alias_remove(struct family *f, size_t at)
{
    f->n_aliases--;
    memmove(f->aliases + at, f->aliases + at + 1, (f->n_aliases - at) * sizeof *f->aliases);
}

const char *family_aliases_of(const struct family *f, const char *model_id)
{
    struct bytes b = BYTES_INIT(ENTITY_TEXT_MAX);
    bytes_char(&b, '[');
    for (size_t i = 0; i < f->n_aliases; i++) {
        if (strcmp(f->aliases[i].model_id, model_id) != 0)
            continue;
        if (b.len > 1)
            bytes_char(&b, ',');
        json_put_string(&b, f->aliases[i].alias);
    }
    bytes_char(&b, ']');
    const char *text = arena_copy(f->d.c->arena, b.data, b.len);
    bytes_release(&b);
    return text;
}

static const char *aliases_json(const struct family *f)
{
    struct bytes b = BYTES_INIT(ENTITY_TEXT_MAX);
    bytes_char(&b, '{');
    for (size_t i = 0; i < f->n_aliases; i++)
        json_kv_string(&b, f->aliases[i].alias, f->aliases[i].model_id);
    bytes_char(&b, '}');
    const char *text = arena_copy(f->d.c->arena, b.data, b.len);
    bytes_release(&b);
    return text;
}

/* --- who is @stable, who @previous --- */

struct election {
    struct map *changed; /* model before -> its struct change */
    const struct model *stable, *previous;
};

/* What a model may be elected for: neither (0), @stable, @previous. */
static int candidacy(const struct model *m)
{
    if (m->status == STATUS_STABLE)
        return 1;
    return m->status == STATUS_DEPRECATED && !m->held && m->promoted_at ? 2 : 0;
}

static bool vote(const struct model *m, void *ctx)
{
    struct election *el = ctx;
    const struct change *change = el->changed ? map_get(el->changed, &m, sizeof m) : NULL;
    if (change && !change->after)
        return true; /* deleted */
    if (change)
        m = model_of(change->after);
    int office = candidacy(m);
    if (office == 1 && (!el->stable || m->promoted_at > el->stable->promoted_at))
        el->stable = m;
    if (office == 2 && (!el->previous || m->promoted_at > el->previous->promoted_at))
        el->previous = m;
    return true;
}

/* Does any change put so far bear on the outcome? The common commands spare the walk over all
 * versions: registering, editing, moving to canary. */
static bool election_due(const struct changes *ch)
{
    for (size_t i = 0; i < ch->n; i++) {
        const struct entity *b = ch->list[i].before, *a = ch->list[i].after;
        if (!b || b->kind != ENTITY_MODEL)
            continue;
        const struct model *was = model_of(b), *is = a ? model_of(a) : NULL;
        if (candidacy(was) != (is ? candidacy(is) : 0) ||
            (is && was->promoted_at != is->promoted_at))
            return true;
    }
    return false;
}

static void elect(struct family *f)
{
    struct election el = {.changed = map_new()};
    for (size_t i = 0; i < f->d.out->n; i++) {
        struct change *change = &f->d.out->list[i];
        if (change->before && change->before->kind == ENTITY_MODEL) {
            const struct model *key = model_of(change->before);
            map_set(el.changed, &key, sizeof key, change);
        }
    }
    view_versions(f->d.h->view, f->d.c->ns, f->fields.name, vote, &el);
    map_free(el.changed);
    f->fields.stable_model_id = el.stable ? arena_text(f->d.c->arena, el.stable->entity.id) : NULL;
    f->fields.previous_stable_model_id =
        el.previous ? arena_text(f->d.c->arena, el.previous->entity.id) : NULL;
}

static bool unchanged(const struct family *f, bool *same, struct err *e)
{
    struct registered_model_fields was;
    if (!registered_model_fields_read(f->before, f->d.c->arena, &was, e))
        return false;
    *same = fields_diff(REGISTERED_MODEL_FIELDS, &was, &f->fields) == 0;
    return true;
}

bool family_close(struct family *f, const char *action, const char *evidence,
                  const struct entity **now, struct err *e)
{
    bool same = false;
    const struct entity *before = f->before ? &f->before->entity : NULL;
    if (election_due(f->d.out))
        elect(f);
    f->fields.aliases = aliases_json(f);
    if (f->before && !unchanged(f, &same, e))
        return false;
    if (now)
        *now = before;
    if (same)
        return true;
    uint64_t uid = before ? before->uid : f->d.h->next_uid++;
    f->fields.revision = before ? before->revision + 1 : 1;
    f->fields.updated_at = f->d.h->now_ms;
    struct entity *after = registered_model_fields_write(&f->fields, uid, f->d.h->names, e);
    if (!after)
        return false;
    changes_put(f->d.out, f->d.c->arena, action, before, after, evidence);
    if (now)
        *now = after;
    return true;
}

static bool latest_promotion(const struct model *m, void *ctx)
{
    int64_t *latest = ctx;
    if (m->promoted_at > *latest)
        *latest = m->promoted_at;
    return true;
}

int64_t family_promotion_time(const struct family *f)
{
    int64_t latest = 0;
    view_versions(f->d.h->view, f->d.c->ns, f->fields.name, latest_promotion, &latest);
    return f->d.h->now_ms > latest ? f->d.h->now_ms : latest + 1;
}

/* --- bulk --- */

struct gathering {
    const struct model **list;
    size_t n, room, bytes;
};

static bool gather(const struct model *m, void *ctx)
{
    struct gathering *g = ctx;
    g->bytes += m->entity.json_len;
    if (g->n < g->room)
        g->list[g->n] = m;
    return ++g->n <= g->room && g->bytes <= CHANGES_TEXT_MAX;
}

bool family_versions(const struct decision *d, const char *name, const struct model ***list,
                     size_t *n, struct err *e)
{
    const struct command *c = d->c;
    /* Each version may bring its health with it; the rest is for the registered model itself. */
    struct gathering g = {.room = (CHANGES_MAX - 8) / 2};
    g.list = arena_zero(c->arena, g.room * sizeof *g.list);
    view_versions(d->h->view, c->ns, name, gather, &g);
    if (g.n > g.room || g.bytes > CHANGES_TEXT_MAX)
        return fail(e, &TOO_MANY_CHANGES,
                    "'%.200s' has too many versions to change at once (at most %zu, and %zu MiB of "
                    "JSON)",
                    name, g.room, CHANGES_TEXT_MAX >> 20);
    *list = g.list;
    *n = g.n;
    return true;
}
