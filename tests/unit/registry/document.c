#include "world.h"

#include "registry/dataset.h"
#include "registry/document.h"
#include "registry/query_documents.h"

/* Documents as the commands and lists of all kinds see them, by the example of datasets, and the
 * secrets of a kind that only exists here. */

static const char *const DIRS[] = {"/srv/data/", NULL};

static int setup(void **state)
{
    struct world *w = *state = world_new();
    w->rules.dataset_dirs = DIRS;
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

static bool create(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&DATASET_TYPE;
    return document_create(c, h, out, e);
}

static bool patch(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&DATASET_TYPE;
    return document_patch(c, h, out, e);
}

static void make(struct world *w, const char *id)
{
    char body[400];
    snprintf(body, sizeof body,
             "{\"dataset_id\":\"%s\",\"uri\":\"file:///srv/data/%s\",\"format\":\"%s\"}", id, id,
             *id == 'n' ? "npy" : "csv");
    w->now_ms++;
    world_ok(w, 201, "dataset.created", create, NULL, NULL, body);
}

static const struct dataset *get(struct world *w, const char *id)
{
    const struct document *d = view_document(world_view(w), &DATASET_TYPE, w->ns, id);
    return d ? d->fields : NULL;
}

static void fields_lie_in_the_document(void **state)
{
    struct world *w = *state;
    make(w, "a");
    const struct dataset *d = get(w, "a");
    assert_string_equal(d->uri, "file:///srv/data/a");
    assert_string_equal(d->format, "csv");
    assert_null(d->sha256);
    assert_int_equal(d->rows, INT64_MIN);
    assert_int_equal(d->head.created_at, w->now_ms);
    w->now_ms += 5;
    world_ok(w, 200, "dataset.updated", patch, "a", NULL, "{\"rows\":7}");
    assert_int_equal(get(w, "a")->rows, 7);
    assert_int_equal(get(w, "a")->head.created_at, w->now_ms - 5);
    assert_int_equal(get(w, "a")->head.updated_at, w->now_ms);
    world_ok(w, 200, "", patch, "a", NULL, "{\"rows\":7}");
    assert_int_equal(get(w, "a")->head.revision, 2);
}

static void a_damaged_text_is_refused(void **state)
{
    struct world *w = *state;
    static const char *const damaged[] = {
        "",
        "{",
        "[]",
        "{\"dataset_id\":\"b\",\"revision\":1}",
        "{\"dataset_id\":\"a\"}",
        "{\"dataset_id\":\"a\",\"revision\":1}\n{",
    };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        struct err e;
        assert_null(
            entity_parse(ENTITY_DATASET,
                         &(struct entity_source){"default", "a", 1, damaged[i], strlen(damaged[i])},
                         state_names(w->state), &e));
        assert_ptr_equal(e.kind, &ERR_CORRUPT);
    }
}

/* --- lists --- */

static const char *page(struct world *w, struct document_query q, const char **next)
{
    static char text[400], kept[400]; /* the arena of `next` goes with the next command */
    struct document_page page;
    struct err e;
    q.type = &DATASET_TYPE;
    q.after = next ? *next : NULL;
    assert_true(query_documents(world_view(w), &q, w->arena, &page, &e));
    *text = '\0';
    for (size_t i = 0; i < page.n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", page.items[i]->entity.id);
    snprintf(text + strlen(text), sizeof text - strlen(text), "of %d", (int)page.total);
    if (next)
        *next = page.next ? (snprintf(kept, sizeof kept, "%s", page.next), kept) : NULL;
    return text;
}

static void pages_follow_each_other(void **state)
{
    struct world *w = *state;
    static const char *const ids[] = {"c", "a", "n1", "b", "n0"};
    for (size_t i = 0; i < 5; i++)
        make(w, ids[i]);
    const char *next = NULL;
    struct document_query q = {.ns = "default", .limit = 2};
    assert_string_equal(page(w, q, &next), "a b of 5");
    assert_string_equal(page(w, q, &next), "c n0 of 5");
    assert_string_equal(page(w, q, &next), "n1 of 5");
    assert_null(next);
    q.sort = DOCUMENTS_BY_CREATED;
    q.descending = true;
    assert_string_equal(page(w, q, &next), "n0 b of 5");
    make(w, "new"); /* newer than where the page ended: not seen any more, and nothing else moves */
    assert_string_equal(page(w, q, &next), "n1 a of 6");
    assert_string_equal(page(w, q, &next), "c of 6");
    assert_null(next);
}

static void filters(void **state)
{
    struct world *w = *state;
    static const char *const ids[] = {"a", "n1", "b"};
    for (size_t i = 0; i < 3; i++)
        make(w, ids[i]);
    world_ok(w, 200, "dataset.updated", patch, "b", NULL, "{\"rows\":7}");
    const struct field *format = NULL, *rows = NULL;
    for (const struct field *f = DATASET_FIELDS; f->name; f++) {
        format = strcmp(f->name, "format") == 0 ? f : format;
        rows = strcmp(f->name, "rows") == 0 ? f : rows;
    }
    struct document_filter one = {format, "npy"}, two = {format, "jsonl,csv"}, seven = {rows, "7"};
    struct document_query q = {.ns = "default", .limit = 10, .n_filters = 1};
    q.filters = &one;
    assert_string_equal(page(w, q, NULL), "n1 of 1");
    q.filters = &two;
    assert_string_equal(page(w, q, NULL), "a b of 2");
    q.filters = &seven;
    assert_string_equal(page(w, q, NULL), "b of 1");
    q.ns = "odds";
    assert_string_equal(page(w, q, NULL), "of 0");
}

/* --- secrets --- */

struct vault {
    struct document_head head;
    const char *secret, *hash;
};

static const struct field VAULT_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("dataset_id", identifier_fault, "id"),
    {.name = "secret",
     .type = FIELD_STRING,
     .flags = FIELD_SECRET | FIELD_NULLABLE,
     .offset = offsetof(struct vault, secret)},
    {.name = "hash",
     .type = FIELD_STRING,
     .flags = FIELD_HIDDEN | FIELD_NULLABLE,
     .offset = offsetof(struct vault, hash)},
    DOCUMENT_STAMPS,
    {0},
};

static size_t derive(const void *fields, void *out)
{
    const struct vault *v = fields;
    if (out)
        *(size_t *)out = v->secret ? strlen(v->secret) : 0;
    return sizeof(size_t);
}

static const struct document_type VAULT_TYPE = {
    .kind = ENTITY_DATASET,
    .noun = "vault",
    .id_name = "dataset_id",
    .fields = VAULT_FIELDS,
    .size = sizeof(struct vault),
    .derive = derive,
};

static void secrets_are_stored_and_not_shown(void **state)
{
    struct world *w = *state;
    static const char value[] =
        "{\"namespace\":\"default\",\"dataset_id\":\"v\",\"revision\":1}\n"
        "{\"namespace\":\"default\",\"dataset_id\":\"v\",\"secret\":\"open sesame\",\"hash\":\"h\","
        "\"revision\":1}";
    struct err e;
    struct entity *made = document_parse(
        &VAULT_TYPE, &(struct entity_source){"default", "v", 1, value, sizeof value - 1},
        state_names(w->state), &e);
    assert_non_null(made);
    const struct vault *v = document_of(made)->fields;
    assert_string_equal(v->secret, "open sesame");
    assert_string_equal(v->hash, "h");
    assert_null(strstr(made->json, "sesame"));
    assert_int_equal(strlen(made->json), made->json_len);
    assert_non_null(strstr(made->hidden, "sesame"));
    assert_int_equal(*(const size_t *)document_of(made)->derived, 11);
    entity_free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fields_lie_in_the_document, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_text_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_follow_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(filters, setup, teardown),
        cmocka_unit_test_setup_teardown(secrets_are_stored_and_not_shown, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
