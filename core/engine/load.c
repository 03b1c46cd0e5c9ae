#include "engine/inner.h"

#include <inttypes.h>
#include <string.h>

static void retire(void *epoch, void *object, void (*destroy)(void *))
{
    epoch_retire(epoch, object, destroy);
}

struct entity *load_entity(struct state *state, const struct store_row *r, struct err *e)
{
    int kind = entity_kind_of(r->kind);
    if (kind < 0) {
        fail(e, &ERR_CORRUPT, "the store holds a '%.64s', which this version does not know",
             r->kind);
        return NULL;
    }
    struct entity *entity =
        entity_parse((enum entity_kind)kind,
                     &(struct entity_source){r->ns, r->id, r->uid, r->value, r->value_len},
                     state_names(state), e);
    if (!entity || entity->revision == r->revision)
        return entity;
    entity_free(entity);
    fail(e, &ERR_CORRUPT, "the %s '%.200s' is stored as revision %" PRId64 " but says otherwise",
         r->kind, r->id, r->revision);
    return NULL;
}

static bool load_row(void *ctx, const struct store_row *r, struct err *e)
{
    struct state *state = ctx;
    struct entity *entity = load_entity(state, r, e);
    if (entity)
        state_apply(state, NULL, entity);
    return entity != NULL;
}

struct state *load_state(struct engine *en, struct store_head *head, struct err *e)
{
    struct state *state = state_new(retire, en->epoch);
    if (en->store->ops->load(en->store, load_row, state, head, e))
        return state;
    state_free(state);
    return NULL;
}

static void free_state(void *state)
{
    state_free(state);
}

void engine_loaded(struct engine *en, const struct store_head *head)
{
    en->seq = head->seq;
    en->next_uid = head->next_uid;
    en->data_epoch = head->epoch;
    memcpy(en->hash, head->hash, sizeof en->hash);
}

static void tell_anew(struct engine *en)
{
    for (size_t i = 0; i < en->n_listeners; i++)
        if (en->listeners[i].anew)
            en->listeners[i].anew(en->listeners[i].self, en->seq, atomic_load(&en->view));
}

bool engine_reload(struct engine *en, struct err *e)
{
    struct store_head head;
    struct state *state = load_state(en, &head, e);
    if (!state)
        return false;
    struct state *old = en->state;
    bool lost = head.epoch != en->data_epoch;
    en->state = state;
    engine_loaded(en, &head);
    chains_clear(&en->chains);
    atomic_store(&en->view, state_publish(state, head.seq));
    epoch_retire(en->epoch, old, free_state);
    epoch_advance(en->epoch);
    atomic_store(&en->last_seq, head.seq);
    if (lost || !en->shared)
        en->told = head.seq;
    if (lost)
        tell_anew(en);
    return true;
}
