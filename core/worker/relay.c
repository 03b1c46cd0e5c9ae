#include "worker/relay.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define QUEUE_CHOKE (1u << 20) /* nothing more is read until the host has caught up */
#define QUEUE_FULL  32768u     /* the host need not be woken for less */

void relay_init(struct relay *r, struct relay_room *room, int in, int out, const char *in_nonce,
                const char *out_nonce)
{
    *r = (struct relay){
        .in = in,
        .out = out,
        .chunk = room->chunk,
        .line = {.data = room->line, .cap = sizeof room->line, .max = sizeof room->line - 1},
        .queue = {.data = room->queue, .cap = sizeof room->queue, .max = sizeof room->queue - 1}};
    snprintf(r->in_nonce, sizeof r->in_nonce, "%s", in_nonce);
    snprintf(r->out_nonce, sizeof r->out_nonce, "%s", out_nonce);
}

bool relay_reads(const struct relay *r)
{
    return r->in >= 0 && r->queue.len - r->sent < QUEUE_CHOKE;
}

bool relay_is_full(const struct relay *r)
{
    return r->queue.len - r->sent >= QUEUE_FULL;
}

bool relay_idle(const struct relay *r)
{
    return r->sent == r->queue.len;
}

static bool is_kind(const char *line, size_t len, const char *kind)
{
    size_t n = strlen(kind);
    return len > KIND_AT + n && memcmp(line + KIND_AT, kind, n) == 0 && line[KIND_AT + n] == '"';
}

static bool is_ours(const struct relay *r, const char *line, size_t len)
{
    return len > KIND_AT && memcmp(line, NONCE_HEAD, NONCE_AT) == 0 &&
           memcmp(line + NONCE_AT, r->in_nonce, NONCE_LEN) == 0 &&
           memcmp(line + NONCE_AT + NONCE_LEN, "\",\"", 3) == 0 && !is_kind(line, len, "stage") &&
           !r->ended;
}

static void pass_line(struct relay *r, char *line, size_t len)
{
    if (len == 0)
        return;
    if (!is_ours(r, line, len)) {
        r->foreign += len + 1;
        return;
    }
    r->running = r->running || is_kind(line, len, "run");
    r->ended = is_kind(line, len, "end");
    memcpy(line + NONCE_AT, r->out_nonce, NONCE_LEN);
    bytes_add(&r->queue, line, len);
    bytes_char(&r->queue, '\n');
    r->swollen = r->swollen || relay_is_full(r);
}

static void take(struct relay *r, const char *data, size_t len)
{
    while (len) {
        const char *newline = memchr(data, '\n', len);
        size_t part = newline ? (size_t)(newline - data) : len;
        if (r->skipping || !bytes_add(&r->line, data, part)) {
            r->foreign += part + (r->skipping ? 0 : r->line.len);
            r->skipping = true;
            bytes_clear(&r->line);
        }
        if (!newline)
            return;
        if (!r->skipping && r->line.data)
            pass_line(r, r->line.data, r->line.len);
        r->skipping = false;
        bytes_clear(&r->line);
        data += part + 1;
        len -= part + 1;
    }
}

bool relay_read(struct relay *r)
{
    while (relay_reads(r)) {
        ssize_t n = read(r->in, r->chunk, RELAY_CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        if (n == 0)
            return false;
        take(r, r->chunk, (size_t)n);
    }
    return true;
}

void relay_finish(struct relay *r)
{
    r->foreign += r->line.len;
    bytes_clear(&r->line);
}

bool relay_write(struct relay *r)
{
    while (!relay_idle(r)) {
        ssize_t n = write(r->out, r->queue.data + r->sent, r->queue.len - r->sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0)
            return false;
        r->sent += (size_t)n;
    }
    bytes_clear(&r->queue);
    r->sent = 0;
    return true;
}

void relay_own(struct relay *r, const char *kind, const struct bytes *members)
{
    bytes_printf(&r->queue, NONCE_HEAD "%s\",\"%s\":{", r->out_nonce, kind);
    bytes_add(&r->queue, members->data, members->len);
    bytes_text(&r->queue, "}}\n");
}
