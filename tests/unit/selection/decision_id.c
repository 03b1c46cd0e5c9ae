#include "selection/decision_id.h"

#include "support/temp_dir.h"
#include "support/unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[TEMP_DIR_SIZE], path[300];

static int setup(void **state)
{
    (void)state;
    temp_dir_make(dir);
    snprintf(path, sizeof path, "%s/decision.keys", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

static void write_file(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static struct decision_keys *open_keys(bool make)
{
    struct err e = {0};
    struct decision_keys *k = decision_keys_open(path, make, &e);
    if (!k)
        fail_msg("%s", e.detail);
    return k;
}

static const struct decision_facts FACTS = {.flags = DECISION_DRAWN,
                                            .reason = 3,
                                            .shadows = 5,
                                            .at_ms = 1795000000123,
                                            .propensity = 0.333333333,
                                            .route_uid = UINT64_MAX - 1,
                                            .served_uid = 42,
                                            .intended_uid = 1ull << 40,
                                            .arm = 0xdeadbeef,
                                            .unit = 7,
                                            .nonce = 0x0123456789abcdef};

static void facts_travel(void **state)
{
    (void)state;
    struct decision_keys *k = open_keys(true);
    struct decision_facts f;
    char id[DECISION_ID_SIZE];
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    decision_id_make(k, &FACTS, id);
    assert_int_equal(strlen(id), DECISION_ID_SIZE - 1);
    assert_int_equal(decision_id_read(k, id, strlen(id), &f), DECISION_GOOD);
    assert_int_equal(f.flags, FACTS.flags);
    assert_int_equal(f.reason, FACTS.reason);
    assert_int_equal(f.shadows, FACTS.shadows);
    assert_true(f.at_ms == FACTS.at_ms && fabs(f.propensity - FACTS.propensity) < 1e-9);
    assert_true(f.route_uid == FACTS.route_uid && f.served_uid == FACTS.served_uid);
    assert_true(f.intended_uid == FACTS.intended_uid && f.nonce == FACTS.nonce);
    assert_true(f.arm == FACTS.arm && f.unit == FACTS.unit);
    struct decision_facts unknown = FACTS;
    unknown.propensity = NAN;
    decision_id_make(k, &unknown, id);
    assert_int_equal(decision_id_read(k, id, strlen(id), &f), DECISION_GOOD);
    assert_true(isnan(f.propensity));
    decision_keys_close(k);
}

/* Whichever character is changed, it is not ours any more. */
static void altered_ones_are_found_out(void **state)
{
    (void)state;
    struct decision_keys *k = open_keys(true);
    struct decision_facts f;
    char id[DECISION_ID_SIZE];
    size_t forged = 0;
    decision_id_make(k, &FACTS, id);
    for (size_t i = 0; i < strlen(id); i++) {
        char was = id[i];
        id[i] = was == 'A' ? 'B' : 'A';
        enum decision_verdict v = decision_id_read(k, id, strlen(id), &f);
        assert_int_not_equal(v, DECISION_GOOD);
        forged += v == DECISION_FORGED;
        id[i] = was;
    }
    assert_true(forged > 90); /* the rest have another version or key */
    assert_int_equal(decision_id_read(k, id, strlen(id) - 1, &f), DECISION_UNKNOWN);
    assert_int_equal(decision_id_read(k, "", 0, &f), DECISION_UNKNOWN);
    decision_keys_close(k);
}

#define HEX_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEX_B "ff112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static void keys_rotate(void **state)
{
    (void)state;
    struct decision_facts f;
    char old[DECISION_ID_SIZE], fresh[DECISION_ID_SIZE];
    write_file("# the first\n7:" HEX_A "\n");
    struct decision_keys *k = open_keys(false);
    decision_id_make(k, &FACTS, old);
    decision_keys_close(k);
    write_file("8:" HEX_B "\r\n\n7:" HEX_A);
    k = open_keys(false);
    assert_int_equal(decision_id_read(k, old, strlen(old), &f), DECISION_GOOD);
    decision_id_make(k, &FACTS, fresh);
    assert_string_not_equal(old, fresh);
    decision_keys_close(k);
    write_file("8:" HEX_B "\n");
    k = open_keys(true); /* it is there: not made anew */
    assert_int_equal(decision_id_read(k, old, strlen(old), &f), DECISION_UNKNOWN);
    assert_int_equal(decision_id_read(k, fresh, strlen(fresh), &f), DECISION_GOOD);
    decision_keys_close(k);
    decision_keys_close(NULL);
}

/* While the server runs; a bad file changes nothing. */
static void keys_are_read_again(void **state)
{
    (void)state;
    struct err e = {0};
    struct decision_facts f;
    char old[DECISION_ID_SIZE], fresh[DECISION_ID_SIZE];
    write_file("7:" HEX_A "\n");
    struct decision_keys *k = open_keys(false);
    const struct decision_key *looked_at = decision_keys_find(k, 7);
    decision_id_make(k, &FACTS, old);
    assert_true(decision_keys_reload(k, &e));
    assert_ptr_equal(decision_keys_find(k, 7), looked_at); /* the same keys: nothing changed */
    write_file("8:" HEX_B "\n7:" HEX_A "\n");
    assert_true(decision_keys_reload(k, &e));
    assert_int_equal(decision_keys_signing(k)->id, 8);
    assert_int_equal(looked_at->id, 7); /* still there */
    decision_id_make(k, &FACTS, fresh);
    assert_int_equal(decision_id_read(k, old, strlen(old), &f), DECISION_GOOD);
    assert_int_equal(decision_id_read(k, fresh, strlen(fresh), &f), DECISION_GOOD);
    write_file("8:not a key\n");
    assert_false(decision_keys_reload(k, &e));
    assert_int_equal(decision_id_read(k, old, strlen(old), &f), DECISION_GOOD);
    write_file("8:" HEX_B "\n");
    assert_true(decision_keys_reload(k, &e));
    assert_int_equal(decision_id_read(k, old, strlen(old), &f), DECISION_UNKNOWN);
    decision_keys_close(k);
}

static void bad_files_are_named(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",         "# nothing\n",           "0:" HEX_A, "256:" HEX_A, "1:" HEX_A "0", "1:0011",
        "x:" HEX_A, "1:" HEX_A "\n1:" HEX_B, "1 " HEX_A,
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct err e = {0};
        write_file(BAD[i]);
        assert_null(decision_keys_open(path, true, &e));
        assert_ptr_equal(e.kind, &ERR_CONFIG);
        assert_non_null(strstr(e.detail, "decision.keys"));
    }
    struct err e = {0};
    assert_int_equal(unlink(path), 0);
    assert_null(decision_keys_open(path, false, &e));
    assert_ptr_equal(e.kind, &ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(facts_travel, setup, teardown),
        cmocka_unit_test_setup_teardown(altered_ones_are_found_out, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_rotate, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_are_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_files_are_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
