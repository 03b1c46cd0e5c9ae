/* world: a registry without an engine, for the tests of this room. Each command is decided against
 * the head, its journal entries are made and verified, its changes applied and published; then the
 * whole state is held against the rules that must always be true. */
#ifndef PADDOCK_TESTS_REGISTRY_WORLD_H
#define PADDOCK_TESTS_REGISTRY_WORLD_H

#include "support/unit.h"

#include "base/json.h"
#include "registry/command.h"
#include "registry/errors.h"
#include "registry/health.h"
#include "registry/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNUSED_OK __attribute__((unused))

static const char *const WORLD_TYPES[] = {"classifier", "regressor", "ranker", "other", NULL};
static const char *const WORLD_PROTECTED[] = {"champion", NULL};

struct world {
    struct state *state;
    struct rules rules;
    const struct gate_source *gate;
    int64_t now_ms;
    uint64_t next_uid, seq;
    char prev_hash[SHA256_HEX_SIZE];
    const char *ns;
    bool keep_on_publish; /* leave what is retired to the test (it holds old views) */
    bool unchecked;       /* spare the check of the whole state (large worlds) */
    /* of the last command */
    struct arena *arena;
    struct command c;
    struct changes changes;
    char actions[2048];            /* "model.registered,registered_model.registered" */
    const char *evidence, *reason; /* of its first change */
    json_t *body, *answer;
    /* options of the next command, reset by it */
    int64_t if_match;
    const char *header_reason;
};

UNUSED_OK static void world_retire(void *ctx, void *object, void (*destroy)(void *))
{
    struct world *w = ctx;
    if (!w->keep_on_publish)
        destroy(object);
}

UNUSED_OK static struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);
    w->state = state_new(world_retire, w);
    w->rules = (struct rules){.types = WORLD_TYPES,
                              .protected_aliases = WORLD_PROTECTED,
                              .gate_max_age_seconds = INT64_MIN,
                              .gate_max_severity = "medium",
                              .nightly_hour_utc = 2};
    w->now_ms = 1700000000000;
    w->next_uid = 1;
    w->ns = "default";
    w->if_match = -1;
    snprintf(w->prev_hash, sizeof w->prev_hash, "%s", JOURNAL_FIRST_HASH);
    return w;
}

UNUSED_OK static void world_free(struct world *w)
{
    json_decref(w->body);
    json_decref(w->answer);
    arena_free(w->arena);
    state_free(w->state);
    free(w);
}

UNUSED_OK static const struct view *world_view(struct world *w)
{
    return state_head(w->state);
}

/* --- what must always be true --- */

struct world_tally {
    struct world *w;
    const struct registered_model *r;
    int64_t versions;
    const struct model *stable, *previous;
    size_t aliases;
};

static bool world_tally_model(const struct model *m, void *ctx)
{
    struct world_tally *t = ctx;
    const struct view *v = world_view(t->w);
    assert_string_equal(m->name, t->r->entity.id);
    assert_ptr_equal(view_model(v, m->entity.ns, m->entity.id), m);
    assert_ptr_equal(view_version(v, m->entity.ns, m->name, m->version), m);
    t->versions++;
    if (m->status == STATUS_STABLE && (!t->stable || m->promoted_at > t->stable->promoted_at))
        t->stable = m;
    if (m->status == STATUS_DEPRECATED && !m->held && m->promoted_at &&
        (!t->previous || m->promoted_at > t->previous->promoted_at))
        t->previous = m;
    if (m->aliases_at == 0)
        return true;
    json_t *text = json_read(m->entity.json, m->entity.json_len, NULL), *alias;
    size_t i;
    json_array_foreach(json_object_get(text, "aliases"), i, alias) {
        size_t k = 0;
        while (k < t->r->n_aliases && strcmp(t->r->aliases[k].alias, json_string_value(alias)) != 0)
            k++;
        assert_true(k < t->r->n_aliases);
        assert_string_equal(t->r->aliases[k].model_id, m->entity.id);
        t->aliases++;
    }
    json_decref(text);
    return true;
}

static void world_same_id(const char *id, const struct model *m)
{
    assert_int_equal(id != NULL, m != NULL);
    if (m)
        assert_string_equal(id, m->entity.id);
}

static bool world_check_name(const struct entity *e, void *ctx)
{
    struct world_tally t = {.w = ctx, .r = registered_model_of(e)};
    view_versions(world_view(ctx), e->ns, e->id, world_tally_model, &t);
    assert_int_equal(t.versions, t.r->versions);
    assert_int_equal(t.aliases, t.r->n_aliases);
    world_same_id(t.r->stable_model_id, t.stable);
    world_same_id(t.r->previous_stable_model_id, t.previous);
    return true;
}

struct world_sought {
    const struct entity *e;
    bool found;
};

static bool world_is_sought(const struct entity *e, void *ctx)
{
    struct world_sought *s = ctx;
    assert_true(model_of(e)->status == STATUS_STABLE || model_of(e)->status == STATUS_CANARY);
    s->found |= e == s->e;
    return true;
}

static bool world_check_model(const struct entity *e, void *ctx)
{
    enum model_status status = model_of(e)->status;
    struct world_sought s = {.e = e};
    assert_non_null(view_registered_model(world_view(ctx), e->ns, model_of(e)->name));
    view_each_serving(world_view(ctx), e->ns, world_is_sought, &s);
    assert_int_equal(s.found, status == STATUS_STABLE || status == STATUS_CANARY);
    return true;
}

UNUSED_OK static void world_check(struct world *w)
{
    view_each(world_view(w), ENTITY_REGISTERED_MODEL, world_check_name, w);
    view_each(world_view(w), ENTITY_MODEL, world_check_model, w);
}

/* --- commands --- */

static bool world_action_known(const char *action)
{
    for (const char *const *a = JOURNAL_ACTIONS; *a; a++)
        if (strcmp(*a, action) == 0)
            return true;
    return false;
}

static void world_journal(struct world *w, const struct change *ch)
{
    struct journal_entry entry;
    struct err e = {0};
    size_t len = strlen(w->actions);
    assert_true(world_action_known(ch->action));
    journal_entry_make(&w->c, state_head(w->state), ch,
                       (struct journal_place){++w->seq, w->now_ms, w->prev_hash}, w->arena, &entry);
    assert_true(journal_entry_verify(&entry, w->prev_hash, &e));
    memcpy(w->prev_hash, entry.hash, sizeof w->prev_hash);
    snprintf(w->actions + len, sizeof w->actions - len, "%s%s", len ? "," : "", ch->action);
}

/* The stored text parses into the same entity again. */
static void world_check_text(struct world *w, const struct entity *e)
{
    struct err err = {0};
    struct entity *again =
        entity_parse(e->kind, &(struct entity_source){e->ns, e->id, e->uid, e->json, e->json_len},
                     state_names(w->state), &err);
    json_t *text = json_read(e->json, e->json_len, &err);
    assert_non_null(again);
    assert_string_equal(again->json, e->json);
    assert_int_equal(again->revision, e->revision);
    assert_int_equal(json_integer_value(json_object_get(text, "revision")), e->revision);
    json_decref(text);
    entity_free(again);
}

static void world_check_change(struct world *w, const struct change *ch)
{
    if (ch->after)
        world_check_text(w, ch->after);
    assert_true(ch->before || ch->after);
    if (ch->before && ch->after) {
        assert_int_equal(ch->after->revision, ch->before->revision + 1);
        assert_int_equal(ch->after->uid, ch->before->uid);
        assert_string_equal(ch->after->id, ch->before->id);
    }
}

/* Decide and, if it is granted, apply and publish. `body` is JSON text or NULL. */
UNUSED_OK static bool world_run(struct world *w,
                                bool (*decide)(struct command *, struct head *, struct changes *,
                                               struct err *),
                                const char *id, const char *id2, const char *body)
{
    struct err e = {0};
    struct arena *before = w->arena; /* `id` may lie in the last answer's memory */
    json_t *old_body = w->body, *old_answer = w->answer;
    void *args = w->c.args;
    w->arena = arena_new((size_t)64 << 20);
    w->body = body ? json_read(body, strlen(body), &e) : NULL;
    assert_true(!body || w->body);
    w->answer = NULL;
    w->changes = (struct changes){0};
    w->c = (struct command){.arena = w->arena,
                            .ns = w->ns,
                            .actor = {"token", "tester", NULL},
                            .request_id = "r-1",
                            .reason = w->header_reason,
                            .if_match = w->if_match,
                            .id = id,
                            .id2 = id2,
                            .body = w->body,
                            .args = args,
                            .decide = decide};
    struct head head = {.view = state_head(w->state),
                        .names = state_names(w->state),
                        .rules = &w->rules,
                        .gate = w->gate,
                        .now_ms = w->now_ms,
                        .next_uid = w->next_uid};
    w->actions[0] = '\0';
    w->c.ok = decide(&w->c, &head, &w->changes, &w->c.err);
    w->if_match = -1;
    w->header_reason = NULL;
    if (!w->c.ok) {
        assert_int_equal(w->changes.n, 0);
        assert_non_null(w->c.err.kind);
        assert_true(w->c.err.detail[0]);
    }
    for (size_t i = 0; i < w->changes.n; i++) {
        world_check_change(w, &w->changes.list[i]);
        world_journal(w, &w->changes.list[i]);
        state_apply(w->state, w->changes.list[i].before, w->changes.list[i].after);
    }
    w->evidence = w->changes.n ? w->changes.list[0].evidence : NULL;
    w->reason = w->c.reason;
    if (w->c.ok) {
        w->next_uid = head.next_uid;
        if (w->changes.n)
            state_publish(w->state, w->seq);
        if (w->c.answer.body) {
            assert_int_equal(strlen(w->c.answer.body), w->c.answer.body_len);
            w->answer = json_read(w->c.answer.body, w->c.answer.body_len, &e);
            assert_non_null(w->answer);
        }
    }
    if (!w->unchecked)
        world_check(w);
    arena_free(before);
    json_decref(old_body);
    json_decref(old_answer);
    return w->c.ok;
}

/* Run what must be granted, with this status and these actions (NULL: whatever). */
#define world_ok(w, status_, actions_, ...)                                       \
    do {                                                                          \
        if (!world_run(w, __VA_ARGS__))                                           \
            fail_msg("refused: %s %s", (w)->c.err.kind->code, (w)->c.err.detail); \
        assert_int_equal((w)->c.answer.status, status_);                          \
        if (actions_)                                                             \
            assert_string_equal((w)->actions, (const char *)(actions_));          \
    } while (0)

/* Run what must be refused with this kind. */
#define world_no(w, kind_, ...)                                                    \
    do {                                                                           \
        if (world_run(w, __VA_ARGS__))                                             \
            fail_msg("granted, where %s is due", (kind_)->code);                   \
        if ((w)->c.err.kind != (kind_))                                            \
            fail_msg("%s instead of %s: %s", (w)->c.err.kind->code, (kind_)->code, \
                     (w)->c.err.detail);                                           \
    } while (0)

/* --- short forms --- */

UNUSED_OK static void world_register(struct world *w, const char *name, const char *version)
{
    char body[600];
    snprintf(body, sizeof body, "{\"name\":\"%s\",\"version\":\"%s\",\"type\":\"classifier\"}",
             name, version);
    w->now_ms += 10;
    world_ok(w, 201, NULL, model_register, NULL, NULL, body);
}

UNUSED_OK static void world_move(struct world *w, const char *id, const char *status)
{
    char body[100];
    snprintf(body, sizeof body, "{\"status\":\"%s\"}", status);
    w->now_ms += 10;
    world_ok(w, 200, NULL, model_transition, id, NULL, body);
}

UNUSED_OK static const struct model *world_model(struct world *w, const char *id)
{
    const struct model *m = view_model(world_view(w), w->ns, id);
    if (!m)
        fail_msg("no model %s", id);
    return m;
}

UNUSED_OK static const struct registered_model *world_name(struct world *w, const char *name)
{
    const struct registered_model *r = view_registered_model(world_view(w), w->ns, name);
    if (!r)
        fail_msg("no registered model %s", name);
    return r;
}

UNUSED_OK static const char *world_status(struct world *w, const char *id)
{
    return status_name(world_model(w, id)->status);
}

/* A member of the last answer: text, or "null", or "?" if it is absent. */
UNUSED_OK static const char *answer_member(struct world *w, const char *key)
{
    static char text[65536];
    struct bytes b = BYTES_INIT(sizeof text);
    const json_t *value = json_object_get(w->answer, key);
    if (json_is_string(value))
        return json_string_value(value);
    if (!value)
        return "?";
    json_put_value(&b, value);
    snprintf(text, sizeof text, "%s", b.data);
    bytes_release(&b);
    return text;
}

UNUSED_OK static bool problem_says(struct world *w, const char *part)
{
    return (w->c.err.members && strstr(w->c.err.members, part)) || strstr(w->c.err.detail, part);
}

#endif
