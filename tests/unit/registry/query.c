/* Lists against a naive model: sort everything, then cut the page out. */
#include "world.h"

#include "dice.h"
#include "registry/cursor.h"
#include "registry/version.h"

#include <time.h>

static const char *const NAMES[] = {"alpha", "beta", "gamma props", "alphabet", "Zeta"};
static const char *const SPORTS[] = {"nba", "nfl", NULL};
static const char *const NAMESPACES[] = {"default", "odds"};

static void add(struct world *w, uint64_t *r, int i, bool aliases)
{
    char body[800], id[24];
    const char *sport = SPORTS[dice(r, 3)];
    w->ns = NAMESPACES[dice(r, 2)];
    w->now_ms += dice(r, 3); /* many are of the same millisecond */
    snprintf(id, sizeof id, "m%u-%d", dice(r, 50), i);
    snprintf(body, sizeof body,
             "{\"name\":\"%s\",\"version\":\"%u.%u.%d\",\"model_id\":\"%s\",\"type\":\"%s\","
             "\"sport\":%s%s%s,"
             "\"deployment_target\":\"t%u\",\"description\":\"some \\\"Text\\\" "
             "%s\\n\",\"source_digest\":\"sha256:%u\","
             "\"training_run_id\":\"run-%u\",\"labels\":{\"team\":\"t\\\"%u\",\"tier\":\"gold\"}}",
             NAMES[dice(r, 5)], dice(r, 3), dice(r, 12), i, id,
             dice(r, 2) ? "classifier" : "ranker", sport ? "\"" : "", sport ? sport : "null",
             sport ? "\"" : "", dice(r, 3), dice(r, 4) ? "plain" : "NEEDLE x", dice(r, 4),
             dice(r, 4), dice(r, 3));
    world_ok(w, 201, NULL, model_register, NULL, NULL, body);
    if (dice(r, 3) == 0)
        world_ok(w, 200, NULL, model_transition, id, NULL,
                 dice(r, 2) ? "{\"status\":\"canary\"}" : "{\"status\":\"retired\"}");
    if (aliases && dice(r, 10) == 0) {
        char at[40];
        snprintf(at, sizeof at, "{\"model_id\":\"%s\"}", id);
        world_ok(w, 200, NULL, alias_put, world_model(w, id)->name, "best", at);
    }
}

static struct world *populate(uint64_t *r, int n)
{
    struct world *w = world_new();
    w->unchecked = true;
    for (int i = 0; i < n; i++)
        add(w, r, i, true);
    return w;
}

/* --- the naive model --- */

struct all {
    const struct model *list[4000];
    size_t n;
};

static bool gather(const struct entity *e, void *ctx)
{
    struct all *all = ctx;
    all->list[all->n++] = model_of(e);
    return true;
}

static const char *field(const struct model *m, const char *key)
{
    static char text[600];
    json_t *json = json_read(m->entity.json, m->entity.json_len, NULL);
    const char *value = json_string_value(json_object_get(json, key));
    snprintf(text, sizeof text, "%s", value ? value : "");
    json_decref(json);
    return text;
}

static bool holds(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

static bool naive_label(const struct model *m, const struct label_filter *l)
{
    json_t *json = json_read(m->entity.json, m->entity.json_len, NULL);
    const char *value = json_string_value(json_object_get(json_object_get(json, "labels"), l->key));
    bool same = value && strcmp(value, l->value) == 0;
    json_decref(json);
    return same;
}

static bool same(const char *want, const char *is)
{
    return !want || (is && strcmp(want, is) == 0);
}

static bool naive_match(const struct model *m, const struct model_query *q)
{
    char alias[80];
    snprintf(alias, sizeof alias, "\"aliases\":[\"%s\"]", q->alias ? q->alias : "");
    return same(strcmp(q->ns, "*") == 0 ? NULL : q->ns, m->entity.ns) &&
           (!q->statuses || q->statuses >> m->status & 1) && same(q->type, m->type) &&
           same(q->sport, m->sport) && same(q->deployment_target, m->deployment_target) &&
           same(q->name, m->name) && same(q->source_digest, m->source_digest) &&
           same(q->training_run_id, m->training_run_id) &&
           (!q->created_from || m->created_at >= q->created_from) &&
           (!q->created_to || m->created_at < q->created_to) &&
           (!q->alias || strstr(m->entity.json, alias)) &&
           (!q->n_labels || naive_label(m, q->labels)) &&
           (!q->q || holds(m->entity.id, q->q) || holds(m->name, q->q) ||
            holds(field(m, "description"), q->q));
}

static enum model_sort sort_by;
static bool sort_down;

static int naive_order(const struct model *a, const struct model *b)
{
    int order = 0;
    switch (sort_by) {
    case SORT_NAME: order = strcmp(a->name, b->name); break;
    case SORT_VERSION: order = version_compare(a->version, b->version); break;
    case SORT_CREATED_AT:
        order = (a->created_at > b->created_at) - (a->created_at < b->created_at);
        break;
    case SORT_UPDATED_AT:
        order = (a->updated_at > b->updated_at) - (a->updated_at < b->updated_at);
        break;
    case SORT_STATUS: order = (int)a->status - (int)b->status; break;
    case SORT_MODEL_ID: break;
    }
    if (!order)
        order = strcmp(a->entity.id, b->entity.id);
    if (!order)
        order = strcmp(a->entity.ns, b->entity.ns);
    return sort_down ? -order : order;
}

static int by_order(const void *a, const void *b)
{
    return naive_order(*(const struct model *const *)a, *(const struct model *const *)b);
}

static size_t naive(struct world *w, const struct model_query *q, struct all *out)
{
    struct all all = {.n = 0};
    view_each(world_view(w), ENTITY_MODEL, gather, &all);
    out->n = 0;
    for (size_t i = 0; i < all.n; i++)
        if (naive_match(all.list[i], q))
            out->list[out->n++] = all.list[i];
    sort_by = q->sort;
    sort_down = q->descending;
    qsort(out->list, out->n, sizeof *out->list, by_order);
    return out->n;
}

static void random_query(uint64_t *r, struct model_query *q, struct label_filter *label)
{
    static const char *const needles[] = {"needle", "ALPHA", "m1",   "\"text\"",
                                          "\n",     "zzz",   "props"};
    *label =
        dice(r, 2) ? (struct label_filter){"team", "t\"1"} : (struct label_filter){"tier", "gold"};
    *q = (struct model_query){.ns = dice(r, 4) ? NAMESPACES[dice(r, 2)] : "*",
                              .sort = (enum model_sort)dice(r, 6),
                              .descending = dice(r, 2),
                              .limit = 1 + dice(r, 60)};
    if (dice(r, 3) == 0)
        q->statuses = 1 + dice(r, 31);
    if (dice(r, 4) == 0)
        q->type = "classifier";
    if (dice(r, 4) == 0)
        q->sport = "nba";
    if (dice(r, 5) == 0)
        q->deployment_target = "t1";
    if (dice(r, 4) == 0)
        q->name = NAMES[dice(r, 5)];
    if (dice(r, 6) == 0)
        q->alias = "best";
    if (dice(r, 6) == 0)
        q->source_digest = "sha256:2";
    if (dice(r, 6) == 0)
        q->training_run_id = "run-2";
    if (dice(r, 4) == 0)
        q->labels = label, q->n_labels = 1;
    if (dice(r, 5) == 0)
        q->created_from = 1700000000100;
    if (dice(r, 5) == 0)
        q->created_to = 1700000000200;
    if (dice(r, 4) == 0)
        q->q = needles[dice(r, 7)];
}

/* Page through a query; every page must be what the naive model cuts out. */
static void page_through(struct world *w, struct model_query q)
{
    static struct all expect;
    struct arena *a = arena_new(1 << 24);
    struct model_page page;
    struct err e = {0};
    size_t at = 0, n = naive(w, &q, &expect);
    do {
        assert_true(query_models(world_view(w), &q, a, &page, &e));
        assert_int_equal(page.total, n);
        assert_int_equal(page.n, n - at < q.limit ? n - at : q.limit);
        for (size_t i = 0; i < page.n; i++)
            assert_ptr_equal(page.items[i], expect.list[at + i]);
        at += page.n;
        q.after = page.next;
        assert_int_equal(page.next != NULL, at < n);
    } while (page.next);
    arena_free(a);
}

static void pages_are_the_naive_ones(void **state)
{
    uint64_t r = 5;
    struct world *w = populate(&r, 400);
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct label_filter label;
        struct model_query q;
        random_query(&r, &q, &label);
        page_through(w, q);
    }
    world_free(w);
}

/* While pages are read, models come and go: what was there all the time is given exactly once. */
static void cursors_hold_under_changes(void **state)
{
    uint64_t r = 6;
    (void)state;
    for (int sort = SORT_MODEL_ID; sort <= SORT_STATUS; sort++) {
        struct world *w = populate(&r, 200);
        struct arena *a = arena_new(1 << 24);
        struct model_query q = {
            .ns = "*", .sort = (enum model_sort)sort, .descending = sort & 1, .limit = 7};
        static struct all before;
        unsigned char seen[4000] = {0};
        uint64_t first_new = w->next_uid;
        struct model_page page;
        struct err e = {0};
        int added = 1000;
        memset(&before, 0, sizeof before);
        view_each(world_view(w), ENTITY_MODEL, gather, &before);
        unsigned char gone[4000] = {0};
        do {
            assert_true(query_models(world_view(w), &q, a, &page, &e));
            for (size_t i = 0; i < page.n; i++) {
                assert_int_equal(seen[page.items[i]->entity.uid], 0);
                seen[page.items[i]->entity.uid] = 1;
            }
            q.after = page.next;
            add(w, &r, added++,
                false); /* an alias that moves touches an older model: its updated_at would move */
            static struct all now;
            now.n = 0;
            view_each(world_view(w), ENTITY_MODEL, gather, &now);
            const struct model *m = now.list[dice(&r, (unsigned)now.n)];
            if (m->status == STATUS_DEVELOPMENT || m->status == STATUS_RETIRED) {
                char id[60];
                snprintf(id, sizeof id, "%s", m->entity.id);
                gone[m->entity.uid] = 1;
                w->ns = m->entity.ns;
                world_ok(w, 204, NULL, model_delete, id, NULL, NULL);
            }
        } while (page.next);
        for (uint64_t uid = 1; uid < first_new; uid++) {
            bool model = false;
            static struct all now;
            now.n = 0;
            view_each(world_view(w), ENTITY_MODEL, gather, &now);
            for (size_t i = 0; i < now.n; i++)
                model |= now.list[i]->entity.uid == uid;
            if (model && !gone[uid])
                assert_int_equal(seen[uid], 1);
        }
        arena_free(a);
        world_free(w);
    }
}

static void bad_cursors(void **state)
{
    static const char *const bad[] = {"",           "x",       "AAAA",          "****",
                                      "YSthAGIAYw", "YSsAAAA", "YSthAGIAYwBkAA"};
    uint64_t r = 8;
    struct world *w = populate(&r, 30);
    struct arena *a = arena_new(1 << 20);
    struct model_page page;
    struct err e = {0};
    struct model_query q = {.ns = "*", .sort = SORT_VERSION, .limit = 2};
    (void)state;
    assert_true(query_models(world_view(w), &q, a, &page, &e));
    const char *good = page.next;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        q.after = bad[i];
        assert_false(query_models(world_view(w), &q, a, &page, &e));
        assert_ptr_equal(e.kind, &ERR_INVALID);
    }
    q.after = good;
    q.sort = SORT_NAME;
    assert_false(query_models(world_view(w), &q, a, &page, &e));
    q.sort = SORT_VERSION;
    q.descending = true;
    assert_false(query_models(world_view(w), &q, a, &page, &e));
    q.descending = false;
    assert_true(query_models(world_view(w), &q, a, &page, &e));
    for (size_t len = strlen(good); len-- > 0;) { /* cut anywhere: refused, never misread */
        q.after = arena_copy(a, good, len);
        if (query_models(world_view(w), &q, a, &page, &e))
            fail_msg("%s", q.after);
    }
    arena_free(a);
    world_free(w);
}

static void sorts(void **state)
{
    (void)state;
    assert_int_equal(model_sort_parse("model_id"), SORT_MODEL_ID);
    assert_int_equal(model_sort_parse("status"), SORT_STATUS);
    assert_int_equal(model_sort_parse("updated_at"), SORT_UPDATED_AT);
    assert_int_equal(model_sort_parse("-name"), -1);
    assert_int_equal(model_sort_parse(""), -1);
}

/* Labels whose text looks like another label's place are told apart. */
static void tricky_labels(void **state)
{
    struct world *w = world_new();
    struct arena *a = arena_new(1 << 20);
    struct model_page page;
    static const struct {
        struct label_filter label;
        uint64_t total;
    } cases[] = {{{"a", "b\",\"c\":\"d"}, 1},
                 {{"c", "d"}, 0},
                 {{",", ":"}, 0},
                 {{"x", ","}, 1},
                 {{":", "v"}, 1},
                 {{"e", "\xc3\xa9"}, 1},
                 {{"missing", "v"}, 0},
                 {{"x", ""}, 0}};
    (void)state;
    world_ok(
        w, 201, NULL, model_register, NULL, NULL,
        "{\"name\":\"n\",\"type\":\"other\",\"description\":\"\\\"labels\\\":{\\\"c\\\":\\\"d\\\"}"
        "\","
        "\"labels\":{\"a\":\"b\\\",\\\"c\\\":\\\"d\",\"x\":\",\",\":\":\"v\",\"e\":\"\\u00e9\"}}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_query q = {
            .ns = "default", .labels = &cases[i].label, .n_labels = 1, .limit = 10};
        assert_true(query_models(world_view(w), &q, a, &page, NULL));
        if (page.total != cases[i].total)
            fail_msg("%s=%s", cases[i].label.key, cases[i].label.value);
    }
    arena_free(a);
    world_free(w);
}

/* --- registered models --- */

static void names_in_pages(void **state)
{
    struct world *w = world_new();
    struct arena *a = arena_new(1 << 20);
    struct registered_model_page page;
    struct label_filter label = {"k", "v\"3"};
    char body[200];
    (void)state;
    for (int i = 0; i < 60; i++) {
        w->ns = i % 2 ? "odds" : "default";
        snprintf(body, sizeof body,
                 "{\"name\":\"n%02d\",\"description\":\"%s\",\"labels\":{\"k\":\"v\\\"%d\"}}", i,
                 i % 3 ? "plain" : "A \\\"Needle\\\"", i % 5);
        world_ok(w, 201, NULL, registered_model_create, NULL, NULL, body);
    }
    for (int down = 0; down < 2; down++) {
        struct registered_model_query q = {.ns = "odds", .limit = 7, .descending = down};
        int next = down ? 59 : 1, n = 0;
        do {
            assert_true(query_registered_models(world_view(w), &q, a, &page, NULL));
            assert_int_equal(page.total, 30);
            for (size_t i = 0; i < page.n; i++, next += down ? -2 : 2, n++) {
                snprintf(body, sizeof body, "n%02d", next);
                assert_string_equal(page.items[i]->entity.id, body);
            }
            q.after = page.next;
        } while (page.next);
        assert_int_equal(n, 30);
    }
    struct registered_model_query q = {.ns = "*", .limit = 100, .q = "\"NEEDLE"};
    assert_true(query_registered_models(world_view(w), &q, a, &page, NULL));
    assert_int_equal(page.total, 20);
    q = (struct registered_model_query){.ns = "*", .limit = 100, .labels = &label, .n_labels = 1};
    assert_true(query_registered_models(world_view(w), &q, a, &page, NULL));
    assert_int_equal(page.total, 12);
    assert_int_equal(page.n, 12);
    assert_null(page.next);
    q = (struct registered_model_query){.ns = "none", .limit = 100};
    assert_true(query_registered_models(world_view(w), &q, a, &page, NULL));
    assert_int_equal(page.total, 0);
    q.after = "nonsense";
    struct err e = {0};
    assert_false(query_registered_models(world_view(w), &q, a, &page, &e));
    assert_ptr_equal(e.kind, &ERR_INVALID);
    arena_free(a);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_the_naive_ones),
        cmocka_unit_test(cursors_hold_under_changes),
        cmocka_unit_test(bad_cursors),
        cmocka_unit_test(sorts),
        cmocka_unit_test(tricky_labels),
        cmocka_unit_test(names_in_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
