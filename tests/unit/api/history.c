/* The history of a name is read whole or refused: long texts end neither in a lack of memory nor in
 * the end of the process. */
#include "api/history.h"

#include "support/store_wait.h"
#include "support/unit.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define REASON 4000 /* bytes: 1,024 characters may have 4,096 */

/* Hold and release a model so many times. */
static void write_holds(struct store *s, size_t n)
{
    struct journal_entry *entries = mem_zero(n, sizeof *entries);
    struct bytes text = BYTES_INIT(SIZE_MAX);
    char *reason = mem_alloc(REASON);
    memset(reason, 'r', REASON);
    bytes_printf(&text,
                 "{\"actor\":{\"kind\":\"anonymous\"},\"after\":{\"hold\":{}},"
                 "\"reason\":\"%.*s\"}",
                 REASON, reason);
    for (size_t i = 0; i < n; i++)
        entries[i] = (struct journal_entry){.seq = i + 1,
                                            .at = (int64_t)i + 1,
                                            .ns = "default",
                                            .action = "model.held",
                                            .entity = "model",
                                            .entity_id = "a:1",
                                            .name = "a",
                                            .actor_id = "x",
                                            .text = text.data,
                                            .text_len = text.len};
    struct store_group group = {.entries = entries, .n_entries = n};
    struct store_commit commit = {.groups = &group, .n_groups = 1, .next_uid = 1};
    assert_true(wait_commit(s, &commit));
    bytes_release(&text);
    free(reason);
    free(entries);
}

static void read_with(size_t arena_max, bool fits)
{
    struct api api = {.store = store_memory_open(&CLOCK_SYSTEM)};
    struct work w = {.api = &api, .ns = "default", .arena = arena_new(arena_max)};
    struct history h;
    write_holds(api.store, 1000);
    assert_int_equal(history_read(&w, "a", 0, &h), fits);
    if (fits)
        assert_int_equal(h.n, 1000);
    else
        assert_ptr_equal(w.err.kind, &ERR_BUSY);
    history_release(&h);
    arena_free(w.arena);
    api.store->ops->close(api.store);
}

static void test_fits(void **state)
{
    (void)state;
    read_with((size_t)32 << 20, true);
}

static void test_too_long(void **state)
{
    (void)state;
    read_with((size_t)18 << 20, false);
    read_with((size_t)2 << 20, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
