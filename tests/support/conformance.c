#include "support/conformance.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const struct backend *backend;

int fixture_open(void **state)
{
    struct fixture *f = mem_zero(1, sizeof *f);
    struct err e = {0};
    f->backend = backend;
    manual_clock_init(&f->clock, NOW);
    f->arena = arena_new(64 << 20);
    temp_dir_make_fast(f->dir);
    f->store = backend->open(f->dir, &f->clock.clock, &e);
    if (!f->store)
        print_error("cannot open %s: %s\n", backend->name, e.detail);
    *state = f;
    return f->store ? 0 : -1;
}

int fixture_close(void **state)
{
    struct fixture *f = *state;
    if (f->store)
        f->store->ops->close(f->store);
    arena_free(f->arena);
    temp_dir_remove(f->dir);
    free(f);
    return 0;
}

void reopen(struct fixture *f)
{
    struct err e = {0};
    if (!f->backend->lasts)
        return;
    f->store->ops->close(f->store);
    f->store = backend->open(f->dir, &f->clock.clock, &e);
    if (!f->store)
        fail_msg("cannot open again: %s", e.detail);
}

struct journal_entry entry_number(uint64_t seq, const char *ns, const char *id)
{
    struct journal_entry entry = {
        .seq = seq,
        .at = NOW + (int64_t)seq,
        .ns = ns,
        .action = "model.updated",
        .entity = "model",
        .entity_id = id,
        .actor_id = "ann",
        .text = "{\"some\":\"text\"}",
        .text_len = 15,
    };
    snprintf(entry.hash, sizeof entry.hash, "%064llx", (unsigned long long)seq);
    return entry;
}

void write_model(struct fixture *f, const char *ns, const char *id, int64_t revision)
{
    struct store_row row = {"model", ns, id, 7, revision, "{}", 2};
    struct journal_entry entry = entry_number(f->seq + 1, ns, id);
    struct store_group group = {.rows = &row, .n_rows = 1, .entries = &entry, .n_entries = 1};
    struct store_commit commit = {.groups = &group, .n_groups = 1, .head_seq = f->seq};
    assert_true(wait_commit(f->store, &commit));
    f->seq++;
}

struct wanted {
    const char *kind, *ns, *id;
    int64_t revision;
};

static bool look(void *ctx, const struct store_row *r, struct err *e)
{
    (void)e;
    struct wanted *w = ctx;
    if (strcmp(r->kind, w->kind) == 0 && strcmp(r->ns, w->ns) == 0 && strcmp(r->id, w->id) == 0)
        w->revision = r->revision;
    return true;
}

int64_t stored_revision(struct fixture *f, const char *kind, const char *ns, const char *id)
{
    struct wanted w = {kind, ns, id, 0};
    struct store_head head;
    struct err e;
    assert_true(f->store->ops->load(f->store, look, &w, &head, &e));
    return w.revision;
}

int conformance_run(const struct backend *b)
{
    const struct part *const PARTS[] = {&CONFORM_COMMIT, &CONFORM_JOURNAL, &CONFORM_SERIES,
                                        &CONFORM_KEYS,   &CONFORM_QUEUE,   &CONFORM_THREADS};
    int failed = 0;
    backend = b;
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++)
        failed += _cmocka_run_group_tests(b->name, PARTS[i]->tests, PARTS[i]->n, NULL, NULL);
    return failed;
}
