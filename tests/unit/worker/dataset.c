/* Datasets: what is read, and what is refused with which words. */
#include <paddock/plugin.h> /* before cmocka, which has macros of common names */

#include "support/unit.h"
#include "base/hash.h"
#include "worker/dataset.h"
#include "worker/tensor.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Load `len` bytes as a file of the format. */
static bool load(const char *format, const char *label, const void *data, size_t len,
                 struct dataset *out, struct err *e)
{
    int fd = memfd_create("data", MFD_CLOEXEC);
    assert_true(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    struct dataset_source source = {
        .name = "d", .path = "data", .format = format, .label = label, .fd = fd};
    bool ok = dataset_load(&source, out, e);
    close(fd);
    return ok;
}

static void good(const char *format, const char *label, const char *text, struct dataset *out)
{
    struct err e;
    if (!load(format, label, text, strlen(text), out, &e))
        fail_msg("%s: %s", text, e.detail);
}

static void bad(const char *format, const char *label, const char *text, const char *part)
{
    struct err e;
    struct dataset d;
    assert_false(load(format, label, text, strlen(text), &d, &e));
    if (!strstr(e.detail, part))
        fail_msg("%s: %s (wanted %s)", text, e.detail, part);
    arena_free(d.arena);
}

static double cell(const struct dataset *d, const char *name, size_t row)
{
    const paddock_tensor *column = paddock_column(&d->pub, name);
    assert_non_null(column);
    return tensor_element(column, row);
}

static void texts_equal(const struct dataset *d, const char *name, size_t row, const char *text)
{
    const paddock_tensor *column = paddock_column(&d->pub, name);
    assert_non_null(column);
    assert_int_equal(column->datatype, PADDOCK_BYTES);
    const paddock_bytes *b = &((const paddock_bytes *)column->data)[row];
    assert_int_equal(b->len, strlen(text));
    assert_memory_equal(b->data, text, b->len);
}

static void csv_is_read(void **state)
{
    (void)state;
    struct dataset d;
    good("csv", "y",
         "\xef\xbb\xbf"
         "a,\"b \"\"c\"\"\",flag,text,y\r\n"
         "1,2.5e3,true,\"x,\ny\",0\r\n"
         ",-4,False,,1\r\n"
         "nan,5,TRUE,7,1",
         &d);
    assert_int_equal(d.pub.rows, 3);
    assert_int_equal(d.pub.n_columns, 4);
    assert_string_equal(d.pub.label->name, "y");
    assert_true(cell(&d, "y", 2) == 1);
    assert_true(cell(&d, "b \"c\"", 0) == 2500);
    assert_true(isnan(cell(&d, "a", 1)) && isnan(cell(&d, "a", 2)));
    assert_int_equal(paddock_column(&d.pub, "flag")->datatype, PADDOCK_BOOL);
    assert_true(cell(&d, "flag", 0) == 1 && cell(&d, "flag", 1) == 0);
    texts_equal(&d, "text", 0, "x,\ny");
    texts_equal(&d, "text", 1, "");
    texts_equal(&d, "text", 2, "7");
    arena_free(d.arena);
    good("csv", NULL, "a\n", &d); /* no rows */
    assert_int_equal(d.pub.rows, 0);
    arena_free(d.arena);
}

static void csv_faults_name_the_line(void **state)
{
    (void)state;
    bad("csv", NULL, "a,b\n1,2\n3\n", "line 3 has not the 2 cells of the header");
    bad("csv", NULL, "a,b\n1,2,3\n", "line 2 has not the 2 cells");
    bad("csv", NULL, "a,b\n1,\"2\n", "a quote is not closed");
    bad("csv", NULL, "a,b\n1,\"2\"x\n", "line 2: text after a closing quote");
    bad("csv", NULL, "a,,b\n", "one without a name");
    bad("csv", NULL, "", "one without a name");
    bad("csv", "z", "a,b\n1,2\n", "there is no column 'z'");
    bad("parquet", NULL, "", "is not csv, jsonl or npy");
}

static void jsonl_is_read(void **state)
{
    (void)state;
    struct dataset d;
    good("jsonl", "y",
         "{\"x\":[1,2,3],\"n\":4,\"t\":\"\xc3\xa4\",\"b\":true,\"y\":1}\n\n"
         "{\"b\":false,\"x\":[4,null,6],\"t\":null,\"y\":0}\n",
         &d);
    assert_int_equal(d.pub.rows, 2);
    assert_int_equal(d.pub.n_columns, 4);
    const paddock_tensor *x = paddock_column(&d.pub, "x");
    assert_true(x->rank == 2 && x->shape[0] == 2 && x->shape[1] == 3 && x->count == 6);
    assert_true(cell(&d, "x", 5) == 6 && isnan(cell(&d, "x", 4)));
    assert_true(cell(&d, "n", 0) == 4 && isnan(cell(&d, "n", 1)));
    assert_true(cell(&d, "b", 0) == 1 && cell(&d, "b", 1) == 0);
    texts_equal(&d, "t", 0, "\xc3\xa4");
    texts_equal(&d, "t", 1, "");
    assert_true(cell(&d, "y", 0) == 1);
    arena_free(d.arena);
}

static void jsonl_faults_name_the_line(void **state)
{
    (void)state;
    bad("jsonl", NULL, "", "it has no row");
    bad("jsonl", NULL, " \n\n", "it has no row");
    bad("jsonl", NULL, "{\"a\":1}\n[1]\n", "line 2: no JSON object");
    bad("jsonl", NULL, "{\"a\":1}\n{\"a\":\n", "line 2: line 1");
    bad("jsonl", NULL, "{\"a\":1}\n{\"a\":\"x\"}\n",
        "line 2: 'a' is of another type than in line 1");
    bad("jsonl", NULL, "{\"a\":1}\n{\"a\":1,\"b\":2}\n", "line 2 has a member that line 1 has not");
    bad("jsonl", NULL, "{\"a\":[1,2]}\n{\"a\":[1]}\n", "line 2: 'a' must have 2 numbers");
    bad("jsonl", NULL, "{\"a\":{}}\n", "line 1: 'a' is an object or an empty array");
}

/* A .npy file of version 1 with this header and these bytes. */
static bool load_npy(const char *header, const void *data, size_t len, const char *label,
                     struct dataset *out, struct err *e)
{
    char file[1024] = "\x93NUMPY\x01";
    size_t head = strlen(header);
    file[7] = 0;
    file[8] = (char)head;
    file[9] = 0;
    memcpy(file + 10, header, head);
    memcpy(file + 10 + head, data, len);
    return load("npy", label, file, 10 + head + len, out, e);
}

static void npy_is_read(void **state)
{
    (void)state;
    struct dataset d;
    struct err e;
    const float values[] = {1, 2, 0, 3, 4, 1};
    const char *header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }    \n";
    assert_true(load_npy(header, values, sizeof values, NULL, &d, &e));
    assert_true(d.pub.rows == 2 && d.pub.n_columns == 1 && !d.pub.label);
    assert_true(cell(&d, "data", 4) == 4 && d.pub.columns[0].datatype == PADDOCK_FP32);
    arena_free(d.arena);
    assert_true(load_npy(header, values, sizeof values, "2", &d, &e));
    assert_true(d.pub.columns[0].shape[1] == 2 && d.pub.columns[0].count == 4);
    assert_true(cell(&d, "data", 2) == 3 && cell(&d, "label", 1) == 1 && cell(&d, "label", 0) == 0);
    arena_free(d.arena);
    assert_true(load_npy(header, values, sizeof values, "0", &d, &e));
    assert_true(cell(&d, "data", 0) == 2 && cell(&d, "label", 1) == 3);
    arena_free(d.arena);
}

static void npy_faults_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *header, *part;
    } CASES[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (9, 3), }\n", "shorter than its shape"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }\n", "little-endian"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }\n", "little-endian"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", "not in C order"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n", "shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3), }\n", "shape"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4), }\n",
         "shape"},
    };
    const float values[6] = {0};
    struct dataset d;
    struct err e;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        assert_false(load_npy(CASES[i].header, values, sizeof values, NULL, &d, &e));
        if (!strstr(e.detail, CASES[i].part))
            fail_msg("%s: %s", CASES[i].header, e.detail);
        arena_free(d.arena);
    }
    bad("npy", NULL, "no such file", "no .npy file");
}

static void the_digest_is_compared(void **state)
{
    (void)state;
    char digest[SHA256_HEX_SIZE];
    sha256_hex("a\n1\n", 4, digest);
    int fd = memfd_create("data", MFD_CLOEXEC);
    assert_true(write(fd, "a\n1\n", 4) == 4);
    struct dataset_source source = {.name = "d", .path = "x.csv", .sha256 = digest, .fd = fd};
    struct dataset d;
    struct err e;
    assert_true(dataset_load(&source, &d, &e));
    assert_string_equal(d.pub.sha256, digest);
    arena_free(d.arena);
    source.sha256 = "0000";
    assert_false(dataset_load(&source, &d, &e));
    assert_non_null(strstr(e.detail, "has changed"));
    arena_free(d.arena);
    close(fd);
}

static void halves_go_there_and_back(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 65536; bits++) {
        double value = half_to_double((uint16_t)bits);
        if (isnan(value))
            assert_true(isnan(half_to_double(double_to_half(value))));
        else
            assert_int_equal(double_to_half(value), bits);
    }
    assert_int_equal(double_to_half(65519), 0x7bff);
    assert_int_equal(double_to_half(65520), 0x7c00);
    assert_int_equal(double_to_half(1 + 0x1p-11), 0x3c00); /* a tie goes to even */
    assert_int_equal(double_to_half(1 + 3 * 0x1p-11), 0x3c02);
    assert_int_equal(double_to_half(0x1p-25), 0);
    assert_int_equal(double_to_half(0x1.8p-25), 1);
}

static void stores_clamp(void **state)
{
    (void)state;
    union {
        uint64_t u64;
        int64_t i64;
        int8_t i8;
        uint8_t u8;
    } v;
    tensor_store(&v, PADDOCK_UINT64, 0, 1e30);
    assert_true(v.u64 == 18446744073709549568u);
    tensor_store(&v, PADDOCK_INT64, 0, -1e30);
    assert_true(v.i64 == INT64_MIN);
    tensor_store(&v, PADDOCK_INT8, 0, 300);
    assert_int_equal(v.i8, 127);
    tensor_store(&v, PADDOCK_UINT8, 0, NAN);
    assert_int_equal(v.u8, 0);
    tensor_store(&v, PADDOCK_BOOL, 0, 0.5);
    assert_int_equal(v.u8, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_is_read),
        cmocka_unit_test(csv_faults_name_the_line),
        cmocka_unit_test(jsonl_is_read),
        cmocka_unit_test(jsonl_faults_name_the_line),
        cmocka_unit_test(npy_is_read),
        cmocka_unit_test(npy_faults_are_told),
        cmocka_unit_test(the_digest_is_compared),
        cmocka_unit_test(halves_go_there_and_back),
        cmocka_unit_test(stores_clamp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
