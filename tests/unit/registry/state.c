/* The state against a naive model: a plain array of what should be there. */
#include "world.h"

#include "registry/view.h"

#include "dice.h"

#include <pthread.h>
#include <stdatomic.h>

#define KEYS 700

struct naive {
    const struct entity *at[KEYS], *published[KEYS];
};

struct bench {
    struct state *state;
    struct naive naive;
    uint64_t next_uid;
    size_t retired;
};

static void retire(void *ctx, void *object, void (*destroy)(void *))
{
    struct bench *b = ctx;
    b->retired++;
    destroy(object);
}

static void key_of(unsigned k, char ns[8], char id[40], char name[16])
{
    snprintf(ns, 8, "ns%u", k % 3);
    snprintf(name, 16, "name-%u", k % 17);
    snprintf(id, 40, "model-%u", k);
}

/* A model under key k; its version may differ each time, its name too when `renamed`. */
static struct entity *make(struct bench *b, unsigned k, unsigned salt, uint64_t uid)
{
    char ns[8], id[40], name[16], json[900];
    struct err e = {0};
    key_of(k, ns, id, name);
    int len = snprintf(
        json, sizeof json,
        "{\"namespace\":\"%s\",\"model_id\":\"%s\",\"name\":\"%s%s\",\"version\":\"%u.%u\","
        "\"type\":\"t\","
        "\"sport\":null,\"status\":\"canary\",\"deployment_target\":null,\"endpoint\":null,"
        "\"description\":\"\",\"labels\":{},\"source\":null,\"source_digest\":null,"
        "\"training_run_id\":null,\"training_metrics\":{},\"signature\":null,\"runtime\":null,"
        "\"aliases\":[],\"baseline_model_id\":null,\"hold\":null,\"created_by\":{},"
        "\"created_at\":\"2023-11-14T22:13:20.000Z\",\"updated_at\":\"2023-11-14T22:13:20.000Z\","
        "\"status_changed_at\":\"2023-11-14T22:13:20.000Z\",\"promoted_at\":null,"
        "\"promotion\":null,\"revision\":%u}",
        ns, id, name, salt % 5 == 0 ? "-renamed" : "", k, salt % 4, salt % 1000 + 1);
    struct entity *made = model_parse(ns, id, uid, json, (size_t)len, state_names(b->state), &e);
    assert_non_null(made);
    return made;
}

static int by_key(const void *a, const void *b)
{
    const struct entity *x = *(const struct entity *const *)a,
                        *y = *(const struct entity *const *)b;
    int ns = strcmp(x->ns, y->ns);
    return ns ? ns : strcmp(x->id, y->id);
}

struct walk {
    const struct entity *list[KEYS + 1];
    size_t n;
};

static bool collect(const struct entity *e, void *ctx)
{
    struct walk *walk = ctx;
    assert_true(walk->n < KEYS);
    walk->list[walk->n++] = e;
    return true;
}

static bool collect_model(const struct model *m, void *ctx)
{
    return collect(&m->entity, ctx);
}

static size_t present(const struct entity *const *at, const struct entity **out)
{
    size_t n = 0;
    for (unsigned k = 0; k < KEYS; k++)
        if (at[k])
            out[n++] = at[k];
    qsort(out, n, sizeof *out, by_key);
    return n;
}

static void check_family(const struct view *v, const struct entity *e,
                         const struct entity *const *at)
{
    const struct model *m = model_of(e);
    struct walk forth = {.n = 0}, back = {.n = 0};
    size_t siblings = 0;
    view_versions(v, e->ns, m->name, collect_model, &forth);
    view_versions_back(v, e->ns, m->name, collect_model, &back);
    for (unsigned k = 0; k < KEYS; k++)
        siblings +=
            at[k] && strcmp(at[k]->ns, e->ns) == 0 && strcmp(model_of(at[k])->name, m->name) == 0;
    assert_int_equal(forth.n, siblings);
    assert_int_equal(back.n, siblings);
    for (size_t i = 0; i < siblings; i++) {
        assert_ptr_equal(back.list[siblings - 1 - i], forth.list[i]);
        assert_true(i == 0 || forth.list[i - 1]->uid < forth.list[i]->uid);
    }
    assert_ptr_equal(view_version(v, e->ns, m->name, m->version), m);
}

static void check(const struct view *v, const struct entity *const *at, bool families)
{
    const struct entity *expect[KEYS];
    struct walk walk = {.n = 0};
    size_t n = present(at, expect);
    view_each(v, ENTITY_MODEL, collect, &walk);
    assert_int_equal(walk.n, n);
    assert_int_equal(view_count(v, ENTITY_MODEL), n);
    assert_memory_equal(walk.list, expect, n * sizeof *expect);
    for (unsigned k = 0; k < KEYS; k++) {
        char ns[8], id[40], name[16];
        key_of(k, ns, id, name);
        assert_ptr_equal(view_get(v, ENTITY_MODEL, ns, id), at[k]);
        if (at[k])
            assert_ptr_equal(view_by_uid(v, ENTITY_MODEL, at[k]->uid), at[k]);
    }
    assert_int_equal(v->index[INDEX_UIDS]->total, n); /* and none that is gone */
    for (size_t i = 0; families && i < n; i += 29)
        check_family(v, expect[i], at);
}

static void change(struct bench *b, uint64_t *r, unsigned span)
{
    unsigned k = dice(r, span);
    const struct entity *before = b->naive.at[k];
    struct entity *after = NULL;
    if (!before || dice(r, 3))
        after = make(b, k, dice(r, 100000), before ? before->uid : b->next_uid++);
    state_apply(b->state, before, after);
    b->naive.at[k] = after;
}

static void against_the_naive_model(void **state)
{
    (void)state;
    struct bench b = {.next_uid = 1};
    uint64_t r = 42;
    b.state = state_new(retire, &b);
    uint64_t seq = 0;
    for (int round = 0; round < 400; round++) {
        unsigned changes = 1 + dice(&r, 40);
        unsigned span =
            round % 100 < 60 ? KEYS : 1 + KEYS / 50; /* now and then nearly empty it again */
        for (unsigned i = 0; i < changes; i++)
            change(&b, &r, span);
        check(state_head(b.state), b.naive.at, round % 20 == 0);
        if (dice(&r, 3) == 0) {
            state_revert(b.state);
            memcpy(b.naive.at, b.naive.published, sizeof b.naive.at);
            assert_int_equal(view_seq(state_head(b.state)), seq);
        } else {
            const struct view *v = state_publish(b.state, ++seq);
            memcpy(b.naive.published, b.naive.at, sizeof b.naive.at);
            assert_int_equal(view_seq(v), seq);
            check(v, b.naive.published, false);
        }
        check(state_head(b.state), b.naive.at, false);
    }
    for (unsigned k = 0; k < KEYS; k++) /* empty it, and fill it in order */
        if (b.naive.at[k]) {
            state_apply(b.state, b.naive.at[k], NULL);
            b.naive.at[k] = NULL;
        }
    state_publish(b.state, ++seq);
    check(state_head(b.state), b.naive.at, false);
    for (unsigned k = 0; k < KEYS; k++)
        state_apply(b.state, NULL,
                    (struct entity *)(uintptr_t)(b.naive.at[k] = make(&b, k, 1, b.next_uid++)));
    check(state_head(b.state), b.naive.at, true);
    assert_true(b.retired > 0);
    state_free(b.state); /* with changes that were never published */
}

/* --- readers beside the writer ---
 *
 * A reader holds a view while the writer goes on; what it sees does not change. Views are kept
 * until the end, as an epoch would keep them, so that a sanitizer sees every write to what a view
 * reaches. */

struct kept {
    void **list;
    size_t n, cap;
};

static void keep(void *ctx, void *object, void (*destroy)(void *))
{
    struct kept *kept = ctx;
    (void)destroy;
    if (kept->n == kept->cap) {
        kept->cap = kept->cap ? 2 * kept->cap : 1024;
        kept->list = realloc(kept->list, kept->cap * sizeof *kept->list);
    }
    kept->list[kept->n++] = object;
}

struct shared {
    _Atomic(const struct view *) view;
    atomic_bool stop;
    atomic_ulong looks;
};

static bool sum(const struct entity *e, void *ctx)
{
    *(uint64_t *)ctx +=
        e->uid * 31 + (uint64_t)e->revision + strlen(e->json) + strlen(model_of(e)->name);
    return true;
}

static void *read_on(void *arg)
{
    struct shared *s = arg;
    while (!atomic_load(&s->stop)) {
        const struct view *v = atomic_load(&s->view);
        uint64_t first = 0, again = 0;
        view_each(v, ENTITY_MODEL, sum, &first);
        view_each(v, ENTITY_MODEL, sum, &again);
        if (first != again)
            abort();
        atomic_fetch_add(&s->looks, 1);
    }
    return NULL;
}

static void views_do_not_change(void **state)
{
    (void)state;
    struct kept kept = {0};
    struct bench b = {.next_uid = 1};
    struct shared s = {.view = NULL};
    uint64_t r = 7;
    pthread_t threads[2];
    b.state = state_new(keep, &kept);
    for (int i = 0; i < 300; i++)
        change(&b, &r, KEYS);
    atomic_store(&s.view, state_publish(b.state, 1));
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &s), 0);
    for (uint64_t round = 2; round < 150 || atomic_load(&s.looks) < 20; round++) {
        for (int i = 0; i < 20; i++)
            change(&b, &r, KEYS);
        if (round % 7 == 0) {
            state_revert(b.state);
            memcpy(b.naive.at, b.naive.published, sizeof b.naive.at);
        } else {
            memcpy(b.naive.published, b.naive.at, sizeof b.naive.at);
            atomic_store(&s.view, state_publish(b.state, round));
        }
    }
    atomic_store(&s.stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    state_free(b.state);
    for (size_t i = 0; i < kept.n; i++)
        free(kept.list[i]);
    free(kept.list);
}

static void shared_texts(void **state)
{
    (void)state;
    struct intern *t = intern_new();
    char copy[] = "nba";
    const char *nba = intern(t, copy);
    copy[0] = 'x';
    assert_string_equal(nba, "nba");
    assert_ptr_equal(intern(t, "nba"), nba);
    assert_ptr_not_equal(intern(t, "nb"), nba);
    assert_string_equal(intern(t, ""), "");
    assert_null(intern(t, NULL));
    intern_free(t);
}

static void kinds(void **state)
{
    (void)state;
    assert_int_equal(entity_kind_of("model"), ENTITY_MODEL);
    assert_int_equal(entity_kind_of("registered_model"), ENTITY_REGISTERED_MODEL);
    assert_int_equal(entity_kind_of("health"), ENTITY_HEALTH);
    assert_int_equal(entity_kind_of("nonsense"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_the_naive_model),
        cmocka_unit_test(views_do_not_change),
        cmocka_unit_test(shared_texts),
        cmocka_unit_test(kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
