/* What is put into one store comes out of the other, byte for byte; a text that was cut short at
 * any line, or has a byte changed, is refused with its line. A copy can be opened. */
#include "moving/moving.h"

#include "moving/import_put.h"
#include "support/temp_dir.h"
#include "support/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct store *open_store(const char *dir)
{
    struct err e = {0};
    struct store *s = store_sqlite_open(dir, &CLOCK_SYSTEM, &e);
    if (!s)
        fail_msg("%s", e.detail);
    return s;
}

static void fill(struct store *s)
{
    static const char TEXT[] = "{\"text\":\"\xc3\xbc \\\" \\\\ \"}";
    struct putting *p = malloc(sizeof *p);
    struct err e = {0};
    putting_init(p, s);
    for (uint64_t i = 1; i <= 1100; i++) { /* more than two transactions */
        char id[32];
        snprintf(id, sizeof id, "m:%d", (int)i);
        const struct journal_entry entry = {.seq = i,
                                            .at = (int64_t)i * 1000,
                                            .ns = "default",
                                            .action = "model.created",
                                            .entity = "model",
                                            .entity_id = id,
                                            .name = i % 2 ? "m" : NULL,
                                            .actor_id = "me",
                                            .text = TEXT,
                                            .text_len = sizeof TEXT - 1,
                                            .hash = JOURNAL_FIRST_HASH};
        assert_true(put_entry(p, &entry, &e));
        const struct store_row row = {"model", "default", id, i, 1, TEXT, sizeof TEXT - 1};
        assert_true(put_row(p, &row, &e));
        const struct series_record record = {i % 2 ? "a/1" : "a/2", (int64_t)i, id, "\0\xff\n", 3};
        assert_true(put_record(p, &record, &e));
    }
    const struct store_key key = {"key", "\0value", 6, INT64_MAX / 2};
    const struct store_key counter = {"counter", "", 0, INT64_MAX / 2};
    const struct store_rest first = {
        .kind = REST_JOB, .name = "q", .id = "z", .data = "1", .len = 1};
    const struct store_rest second = {
        .kind = REST_JOB, .name = "q", .id = "a", .data = "", .len = 0};
    assert_true(put_key(p, &key, 0, &e) && put_key(p, &counter, -7, &e));
    assert_true(put_job(p, &first, &e) && put_job(p, &second, &e));
    assert_true(put_mark(p, &(const struct series_mark){"mark", INT64_MIN}, &e));
    assert_true(put_end(p, 4711, &e));
    putting_release(p);
    free(p);
}

/* All but the first line, which has the time in it, and the sums, which follow from it. */
static char *export_text(struct store *s, const char *dir, size_t *len)
{
    struct moved moved;
    struct err e = {0};
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    assert_non_null(f);
    if (!store_export(s, dir, f, &moved, &e))
        fail_msg("%s", e.detail);
    fclose(f);
    return text;
}

static bool import_text(const char *text, size_t len, struct err *e)
{
    char dir[TEMP_DIR_SIZE];
    struct moved moved;
    temp_dir_make_fast(dir);
    struct store *s = open_store(dir);
    FILE *f = fmemopen((void *)text, len ? len : 1, "r");
    assert_non_null(f);
    bool ok = store_import(s, dir, f, &moved, e);
    fclose(f);
    s->ops->close(s);
    temp_dir_remove(dir);
    return ok;
}

static size_t without_sums(char *text, size_t len)
{
    size_t to = 0;
    char *line = memchr(text, '\n', len);
    for (char *next; (next = memchr(line + 1, '\n', len - (size_t)(line + 1 - text)));
         line = next) {
        size_t n = (size_t)(next - line) - 26;
        memmove(text + to, line, n);
        to += n;
    }
    return to;
}

static void comes_out_as_it_went_in(void **state)
{
    (void)state;
    char from[TEMP_DIR_SIZE], to[TEMP_DIR_SIZE];
    size_t len, again_len;
    struct err e = {0};
    struct moved moved;
    temp_dir_make_fast(from);
    temp_dir_make_fast(to);
    struct store *a = open_store(from), *b = open_store(to);
    fill(a);
    char *text = export_text(a, from, &len);
    FILE *f = fmemopen(text, len, "r");
    assert_non_null(f);
    if (!store_import(b, to, f, &moved, &e))
        fail_msg("%s", e.detail);
    fclose(f);
    assert_int_equal(moved.entries, 1100);
    assert_int_equal(moved.records, 1100);
    assert_int_equal(moved.jobs, 2);
    assert_int_equal(moved.keys, 2);
    char *again = export_text(b, to, &again_len);
    len = without_sums(text, len);
    assert_int_equal(without_sums(again, again_len), len);
    assert_memory_equal(text, again, len);
    free(text);
    free(again);
    a->ops->close(a);
    b->ops->close(b);
    temp_dir_remove(from);
    temp_dir_remove(to);
}

static void what_is_not_whole_is_refused(void **state)
{
    (void)state;
    char dir[TEMP_DIR_SIZE];
    size_t len;
    temp_dir_make_fast(dir);
    struct store *s = open_store(dir);
    char *text = export_text(s, dir, &len);
    struct err e = {0};
    assert_true(import_text(text, len, &e));
    for (size_t cut = 0; cut < len; cut += 7) {
        e = (struct err){0};
        assert_false(import_text(text, cut, &e));
        assert_non_null(strstr(e.detail, "line "));
    }
    for (size_t at = 0; at < len; at += 11) {
        e = (struct err){0};
        text[at] ^= 4;
        assert_false(import_text(text, len, &e));
        assert_non_null(strstr(e.detail, "line "));
        text[at] ^= 4;
    }
    free(text);
    s->ops->close(s);
    temp_dir_remove(dir);
}

static void a_copy_has_what_there_was(void **state)
{
    (void)state;
    char dir[TEMP_DIR_SIZE], to[TEMP_DIR_SIZE];
    size_t len, copy_len;
    struct err e = {0};
    temp_dir_make_fast(dir);
    temp_dir_make_fast(to);
    struct store *s = open_store(dir);
    fill(s);
    if (!store_backup(dir, to, &e))
        fail_msg("%s", e.detail);
    assert_false(store_backup(dir, to, &e)); /* not empty any more */
    struct store *copy = open_store(to);
    char *text = export_text(s, dir, &len), *copied = export_text(copy, to, &copy_len);
    len = without_sums(text, len);
    assert_int_equal(without_sums(copied, copy_len), len);
    assert_memory_equal(text, copied, len);
    free(text);
    free(copied);
    s->ops->close(s);
    copy->ops->close(copy);
    temp_dir_remove(dir);
    temp_dir_remove(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_out_as_it_went_in),
        cmocka_unit_test(what_is_not_whole_is_refused),
        cmocka_unit_test(a_copy_has_what_there_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
