#include "base/log.h"

#include "support/unit.h"

#include "base/json.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64], path[80], moved[80];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/paddock-log-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(moved, sizeof moved, "%s/log.1", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_close();
    unlink(path);
    unlink(moved);
    return rmdir(folder);
}

static char *slurp(const char *file)
{
    static char text[4 << 20];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    assert_true(n >= 0);
    text[n] = '\0';
    return text;
}

/* Take the next line, which must be a JSON object with this level and event. */
static json_t *next_line(char **text, const char *level, const char *event)
{
    char *end = strchr(*text, '\n');
    assert_non_null(end);
    struct err e;
    json_t *line = json_read(*text, (size_t)(end - *text), &e);
    if (!line)
        fail_msg("%s: %s", e.detail, *text);
    assert_string_equal(json_string_value(json_object_get(line, "level")), level);
    assert_string_equal(json_string_value(json_object_get(line, "event")), event);
    assert_int_equal(strlen(json_string_value(json_object_get(line, "time"))), 24);
    *text = end + 1;
    return line;
}

static void writes_json_lines(void **state)
{
    (void)state;
    struct err e;
    assert_true(log_open(path, LOG_INFO, &e));
    assert_false(log_wants(LOG_DEBUG));
    assert_true(log_wants(LOG_INFO));
    log_event(LOG_DEBUG, "unwanted", NULL);
    log_event(LOG_INFO, "plain", NULL);
    log_event(LOG_WARN, "with_members", "\"a\":%d,\"b\":\"%s\"", 7, "x");
    log_text(LOG_ERROR, "with_text", "a \"quoted\"\nline");
    char *text = slurp(path);
    json_decref(next_line(&text, "info", "plain"));
    json_t *line = next_line(&text, "warn", "with_members");
    assert_int_equal(json_integer_value(json_object_get(line, "a")), 7);
    json_decref(line);
    line = next_line(&text, "error", "with_text");
    assert_string_equal(json_string_value(json_object_get(line, "detail")), "a \"quoted\"\nline");
    json_decref(line);
    assert_string_equal(text, "");
}

static void a_line_too_long_says_so(void **state)
{
    (void)state;
    assert_true(log_open(path, LOG_INFO, NULL));
    char *huge = calloc(1, 100001);
    memset(huge, 'x', 100000);
    log_text(LOG_WARN, "huge", huge);
    free(huge);
    char *text = slurp(path);
    json_t *line = next_line(&text, "warn", "huge");
    assert_true(json_is_true(json_object_get(line, "cut")));
    json_decref(line);
    assert_string_equal(text, "");
}

static void reopens_after_a_rotation(void **state)
{
    (void)state;
    struct err e;
    assert_true(log_open(path, LOG_INFO, &e));
    log_event(LOG_INFO, "before", NULL);
    assert_int_equal(rename(path, moved), 0);
    log_event(LOG_INFO, "between", NULL);
    assert_true(log_reopen(&e));
    log_event(LOG_INFO, "after", NULL);
    char *text = slurp(moved);
    json_decref(next_line(&text, "info", "before"));
    json_decref(next_line(&text, "info", "between"));
    assert_string_equal(text, "");
    text = slurp(path);
    json_decref(next_line(&text, "info", "after"));
    assert_string_equal(text, "");
}

static void buffers_write_when_flushed(void **state)
{
    (void)state;
    assert_true(log_open(path, LOG_INFO, NULL));
    struct log_buffer b;
    log_buffer_init(&b);
    assert_true(bytes_text(&b.bytes, "{\"n\":1}\n"));
    assert_string_equal(slurp(path), "");
    log_buffer_flush(&b);
    assert_string_equal(slurp(path), "{\"n\":1}\n");
    log_buffer_flush(&b);
    assert_true(bytes_text(&b.bytes, "{\"n\":2}\n"));
    log_buffer_release(&b);
    assert_string_equal(slurp(path), "{\"n\":1}\n{\"n\":2}\n");
}

static void a_full_disk_drops_and_counts(void **state)
{
    (void)state;
    unsigned long before = log_dropped();
    assert_true(log_open("/dev/full", LOG_INFO, NULL));
    log_event(LOG_INFO, "lost", NULL);
    struct log_buffer b;
    log_buffer_init(&b);
    assert_true(bytes_text(&b.bytes, "{}\n{}\n"));
    log_buffer_flush(&b);
    log_buffer_release(&b);
    assert_int_equal(log_dropped() - before, 3);
}

static void open_fails_clearly(void **state)
{
    (void)state;
    struct err e;
    char missing[100];
    snprintf(missing, sizeof missing, "%s/no/log", folder);
    assert_false(log_open(missing, LOG_INFO, &e));
    assert_ptr_equal(e.kind, &ERR_CONFIG);
    assert_non_null(strstr(e.detail, "No such file or directory"));
}

static void *write_many(void *arg)
{
    for (int i = 0; i < 500; i++)
        log_event(LOG_INFO, "many", "\"thread\":%d,\"i\":%d", *(int *)arg, i);
    return NULL;
}

/* Lines of several threads stay whole, also while the file is reopened. */
static void lines_stay_whole(void **state)
{
    (void)state;
    assert_true(log_open(path, LOG_INFO, NULL));
    pthread_t threads[4];
    int names[4];
    for (int i = 0; i < 4; i++) {
        names[i] = i;
        pthread_create(&threads[i], NULL, write_many, &names[i]);
    }
    for (int i = 0; i < 20; i++)
        assert_true(log_reopen(NULL));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    char *text = slurp(path);
    int lines = 0;
    for (; *text; lines++)
        json_decref(next_line(&text, "info", "many"));
    assert_int_equal(lines, 2000);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(writes_json_lines),
        WITH_FOLDER(a_line_too_long_says_so),
        WITH_FOLDER(reopens_after_a_rotation),
        WITH_FOLDER(buffers_write_when_flushed),
        WITH_FOLDER(a_full_disk_drops_and_counts),
        WITH_FOLDER(open_fails_clearly),
        WITH_FOLDER(lines_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
