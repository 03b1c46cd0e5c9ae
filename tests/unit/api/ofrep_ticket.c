#include "api/ofrep_ticket.h"

#include "support/temp_dir.h"
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

#define HOUR 3600000
#define NOW  INT64_C(1795856798000)

static const struct ofrep_ticket SOMEBODY = {
    .token_uid = UINT64_MAX, .token_revision = 3, .actor_id = "odds/page", .ns = "odds"};

static struct decision_keys *keys_of(const char *text)
{
    char dir[TEMP_DIR_SIZE], path[300];
    struct err e = {0};
    temp_dir_make(dir);
    snprintf(path, sizeof path, "%s/decision.keys", dir);
    FILE *f = text ? fopen(path, "w") : NULL;
    if (f)
        assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
    struct decision_keys *k = decision_keys_open(path, !text, &e);
    temp_dir_remove(dir);
    assert_non_null(k);
    return k;
}

static void says_who_and_where(void **state)
{
    (void)state;
    struct decision_keys *k = keys_of(NULL);
    struct ofrep_ticket t;
    char text[OFREP_TICKET_SIZE], again[OFREP_TICKET_SIZE];
    assert_true(ofrep_ticket_make(k, &SOMEBODY, NOW, text));
    assert_true(ofrep_ticket_read(k, text, NOW, &t));
    assert_int_equal(t.token_uid, SOMEBODY.token_uid);
    assert_int_equal(t.token_revision, 3);
    assert_string_equal(t.actor_id, "odds/page");
    assert_string_equal(t.ns, "odds");
    /* the same within the hour, another in the next */
    assert_true(ofrep_ticket_make(k, &SOMEBODY, NOW - NOW % HOUR, again));
    assert_string_equal(text, again);
    assert_true(ofrep_ticket_make(k, &SOMEBODY, NOW + HOUR, again));
    assert_string_not_equal(text, again);
    decision_keys_close(k);
}

static void good_for_one_to_two_hours(void **state)
{
    (void)state;
    struct decision_keys *k = keys_of(NULL);
    struct ofrep_ticket t;
    char text[OFREP_TICKET_SIZE];
    assert_true(ofrep_ticket_make(k, &SOMEBODY, NOW, text));
    assert_true(ofrep_ticket_read(k, text, NOW + HOUR, &t));
    assert_true(ofrep_ticket_read(k, text, NOW - NOW % HOUR + 2 * HOUR - 1, &t));
    assert_false(ofrep_ticket_read(k, text, NOW - NOW % HOUR + 2 * HOUR, &t));
    decision_keys_close(k);
}

/* No byte can be changed, none left out; a rotated key is good as long as it is known. */
static void signed_with_a_key(void **state)
{
    (void)state;
    static const char A[] = "1:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";
    static const char B[] = "2:ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";
    char both[200], text[OFREP_TICKET_SIZE];
    struct ofrep_ticket t;
    snprintf(both, sizeof both, "%s%s", B, A);
    struct decision_keys *a = keys_of(A), *b = keys_of(B), *rotated = keys_of(both);
    assert_true(ofrep_ticket_make(a, &SOMEBODY, NOW, text));
    assert_true(ofrep_ticket_read(rotated, text, NOW, &t));
    assert_false(ofrep_ticket_read(b, text, NOW, &t));
    for (size_t i = 0; text[i]; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_false(ofrep_ticket_read(a, text, NOW, &t));
        text[i] = '\0';
        assert_false(ofrep_ticket_read(a, text, NOW, &t));
        text[i] = was;
    }
    assert_true(ofrep_ticket_read(a, text, NOW, &t));
    decision_keys_close(a);
    decision_keys_close(b);
    decision_keys_close(rotated);
}

static void the_longest(void **state)
{
    (void)state;
    struct decision_keys *k = keys_of(NULL);
    struct ofrep_ticket t = {.token_uid = UINT64_MAX, .token_revision = INT64_MAX}, back;
    char text[OFREP_TICKET_SIZE];
    memset(t.actor_id, 'x', OFREP_TICKET_ID);
    memset(t.ns, 'y', OFREP_TICKET_NS);
    assert_true(ofrep_ticket_make(k, &t, NOW, text));
    assert_true(ofrep_ticket_read(k, text, NOW, &back));
    assert_string_equal(back.actor_id, t.actor_id);
    assert_string_equal(back.ns, t.ns);
    decision_keys_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_who_and_where),
        cmocka_unit_test(good_for_one_to_two_hours),
        cmocka_unit_test(signed_with_a_key),
        cmocka_unit_test(the_longest),
    };
    return cmocka_run_group_tests_name("ofrep_ticket", tests, NULL, NULL);
}
