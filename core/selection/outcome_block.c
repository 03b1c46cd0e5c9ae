#include "selection/outcome_block.h"

#include <assert.h>
#include <string.h>

#define MAGIC UINT32_C(0x316f6b70) /* "pko1" */

struct block_top {
    uint32_t magic, count;
    int64_t received_ms;
};
struct block_row {
    char decision_id[DECISION_ID_SIZE - 1];
    uint64_t model_uid;
    int64_t at_ms;
    double value;
    uint32_t shadow;
    char name[OUTCOME_NAME_MAX + 4];
};
static_assert(sizeof(struct block_row) == OUTCOME_BLOCK_ROW, "the size of a row is told");

/* ---- writing ---- */

void outcome_block_begin(struct bytes *b, size_t n, int64_t received_ms)
{
    const struct block_top top = {.magic = MAGIC, .received_ms = received_ms};
    *b = BYTES_INIT(sizeof top + n * sizeof(struct block_row));
    bytes_add(b, &top, sizeof top);
}

void outcome_block_add(struct bytes *b, const struct outcome *o)
{
    struct block_row row;
    memset(&row, 0, sizeof row);
    memcpy(row.decision_id, o->decision_id, sizeof row.decision_id);
    row.model_uid = o->model_uid;
    row.at_ms = o->at_ms;
    row.value = o->value;
    row.shadow = o->shadow;
    memcpy(row.name, o->name, strlen(o->name));
    bytes_add(b, &row, sizeof row);
}

void outcome_block_end(struct bytes *b, uint64_t added)
{
    struct block_top *top = (struct block_top *)(void *)b->data;
    top->count = (uint32_t)added;
}

/* ---- reading ---- */

bool outcome_row_read(const void *bytes, struct outcome *o)
{
    struct block_row row;
    memcpy(&row, bytes, sizeof row);
    memset(o, 0, sizeof *o);
    memcpy(o->decision_id, row.decision_id, sizeof row.decision_id);
    o->model_uid = row.model_uid;
    o->at_ms = row.at_ms;
    o->value = row.value;
    o->shadow = row.shadow != 0;
    memcpy(o->name, row.name, OUTCOME_NAME_MAX);
    return decision_id_facts(o->decision_id, sizeof row.decision_id, &o->decision);
}

const char *outcome_block_rows(const char *payload, size_t len, size_t *n, int64_t *received_ms)
{
    struct block_top top;
    if (len < sizeof top)
        return NULL;
    memcpy(&top, payload, sizeof top);
    *n = top.count;
    *received_ms = top.received_ms;
    return top.magic == MAGIC && len == sizeof top + top.count * sizeof(struct block_row)
               ? payload + sizeof top
               : NULL;
}

bool outcome_block_read(const struct block_read *b, int64_t *received_ms,
                        void (*fn)(void *ctx, uint64_t position, int64_t received_ms,
                                   const struct outcome *o),
                        void *ctx, struct err *e)
{
    size_t n;
    const char *rows = outcome_block_rows(b->payload, b->payload_len, &n, received_ms);
    if (!rows)
        return fail(e, &ERR_CORRUPT, "a block of outcomes has a form that is not known");
    for (size_t i = 0; i < n; i++) {
        struct outcome out;
        if (!outcome_row_read(rows + i * OUTCOME_BLOCK_ROW, &out))
            return fail(e, &ERR_CORRUPT, "a block of outcomes names no decision");
        fn(ctx, b->position, *received_ms, &out);
    }
    return true;
}
