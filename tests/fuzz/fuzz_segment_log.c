/* The reader of the segment log: whatever stands in the files, it ends, hands over only whole
 * blocks in ascending order, and the log can be written and read again after it. Payloads are then
 * looked into as at a start.
 *
 * Input: a byte of options, then the second file's beginning as a length of 2 bytes, then the bytes
 * of one or two segment files. With the option set, heads and bodies get their checksums put right,
 * which no fuzzer would hit upon. */
#include "base/hash.h"
#include "support/temp_dir.h"
#include "telemetry/payload.h"
#include "telemetry/segment_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_CHECKSUMS = 1, OPTION_TWO_FILES = 2, OPTION_ACCEPT = 4, OPTION_NEEDED = 8 };

#define CHECK(ok)                                                    \
    do {                                                             \
        if (!(ok)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #ok); \
            abort();                                                 \
        }                                                            \
    } while (0)

static char dir[TEMP_DIR_SIZE], log_dir[TEMP_DIR_SIZE + 8];

static void remove_dir(void)
{
    temp_dir_remove(dir);
}

/* Make heads and blocks that would be good but for their checksums good. */
static void put_checksums(uint8_t *data, size_t len)
{
    uint32_t checksum;
    if (len < SEGMENT_HEAD_SIZE)
        return;
    checksum = checksum32(data, SEGMENT_HEAD_SIZE - 4);
    memcpy(data + SEGMENT_HEAD_SIZE - 4, &checksum, 4);
    for (size_t at = SEGMENT_HEAD_SIZE; at + BLOCK_HEAD_SIZE <= len;) {
        uint32_t payload_len, key_len;
        uint8_t *block = data + at, *body = block + BLOCK_HEAD_SIZE;
        size_t left = len - at - BLOCK_HEAD_SIZE;
        memcpy(&payload_len, block + 4, 4);
        memcpy(&key_len, block + 28, 4);
        if (payload_len > left || key_len > left - payload_len)
            return;
        checksum = checksum32(body, payload_len);
        memcpy(block + 24, &checksum, 4);
        checksum = checksum32(body + payload_len, key_len);
        memcpy(block + 32, &checksum, 4);
        checksum = checksum32(block, BLOCK_HEAD_SIZE - 4);
        memcpy(block + BLOCK_HEAD_SIZE - 4, &checksum, 4);
        at += BLOCK_HEAD_SIZE + (((size_t)payload_len + key_len + 7) & ~(size_t)7);
    }
}

static void write_segment(uint64_t first, const uint8_t *data, size_t len)
{
    char path[SEGMENT_PATH_SIZE];
    snprintf(path, sizeof path, "%s/%020llu.seg", log_dir, (unsigned long long)first);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    close(fd);
}

struct seen {
    uint64_t n, last, sum; /* sum: of what was looked at, so that it is */
};

static bool take(void *ctx, const struct block_read *b, struct err *e)
{
    struct seen *s = ctx;
    struct payload p;
    CHECK(b->position > s->last);
    CHECK(((uintptr_t)b->payload & 7) == 0);
    s->last = b->position;
    s->n++;
    uint64_t sum = 0;
    for (size_t i = 0; i < b->key.key_len; i++)
        sum += (uint8_t)b->key.key[i];
    for (size_t i = 0; b->key.key && i < b->key.value_len; i++)
        sum += ((const uint8_t *)b->key.value)[i];
    if (payload_open(&p, b->payload, b->payload_len, e)) {
        size_t len;
        for (uint32_t i = 0; i < p.head.errors + p.head.names; i++)
            sum += payload_word(&p, i, &len) != NULL;
        for (uint32_t i = 0; i < p.head.scores; i++)
            sum += p.scores[i].name;
    }
    s->sum += sum;
    return true;
}

static bool read_log(struct segment_log *log, uint64_t needed_after, struct seen *seen)
{
    struct log_reader reader = {take, seen, needed_after};
    struct err e = {0};
    *seen = (struct seen){0};
    bool ok = segment_log_read(log, &reader, &e);
    CHECK(ok || e.kind == &ERR_CORRUPT);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    if (!dir[0]) {
        temp_dir_make_fast(dir);
        snprintf(log_dir, sizeof log_dir, "%s/log", dir);
        atexit(remove_dir);
    }
    unsigned options = data[0];
    size_t cut = ((size_t)data[1] | (size_t)data[2] << 8) & ~(size_t)7, len = size - 3;
    uint8_t *copy = malloc(len + 1);
    memcpy(copy, data + 3, len);
    struct err e = {0};
    struct segment_log_config config = {log_dir, &FILES_SYSTEM, 4096, options & OPTION_ACCEPT};
    uint64_t needed = options & OPTION_NEEDED ? 3 : 0;
    struct segment_log *log = segment_log_open(&config, &e); /* makes the directory */
    CHECK(log);
    segment_log_close(log);
    if (!(options & OPTION_TWO_FILES) || cut > len)
        cut = len;
    if (options & OPTION_CHECKSUMS) {
        put_checksums(copy, cut);
        put_checksums(copy + cut, len - cut);
    }
    write_segment(1, copy, cut);
    if (cut < len)
        write_segment(4, copy + cut, len - cut);
    free(copy);

    struct seen first, second;
    log = segment_log_open(&config, &e);
    CHECK(log);
    if (read_log(log, needed, &first)) {
        static const uint64_t content[4] = {1, 2, 3, 4};
        struct block_write b = {
            .payload = content, .payload_len = 32, .payload_checksum = checksum32(content, 32)};
        size_t written;
        segment_log_continue_after(log, needed > first.last ? needed : first.last);
        CHECK(segment_log_append(log, &b, 1, &written, &e));
        CHECK(b.position > first.last);
        segment_log_close(log);
        log = segment_log_open(&config, &e);
        CHECK(log && read_log(log, needed, &second));
        CHECK(second.n == first.n + 1 && second.last == b.position);
    }
    segment_log_release(log, UINT64_MAX);
    segment_log_close(log);
    char command[TEMP_DIR_SIZE + 16];
    snprintf(command, sizeof command, "%s", log_dir);
    temp_dir_remove(command);
    return 0;
}
