#include "registry/row.h"

#include "base/hash.h"
#include "registry/scan.h"

#include <string.h>

uint64_t label_bits(struct slice key, struct slice value)
{
    uint64_t hash = hash64(value.at, value.len, hash64(key.at, key.len, 0));
    return UINT64_C(1) << (hash & 63) | UINT64_C(1) << (hash >> 6 & 63);
}

uint32_t text_mark(const char *text)
{
    return text ? (uint32_t)hash64(text, strlen(text), 0) | 1 : 0;
}

static uint64_t all_labels(const struct model *m)
{
    struct scan s = scan_open(model_labels(m), '{');
    struct slice key, value;
    uint64_t bits = 0;
    while (scan_member(&s, &key, &value))
        bits |= label_bits(key, value);
    return bits;
}

void rows_set(struct model_rows *rows, size_t at, const struct model *m)
{
    rows->created_at[at] = m->created_at;
    rows->updated_at[at] = m->updated_at;
    rows->version_key[at] = m->version_key;
    rows->labels[at] = all_labels(m);
    rows->type[at] = intern_id(m->type);
    rows->sport[at] = intern_id(m->sport);
    rows->deployment_target[at] = intern_id(m->deployment_target);
    rows->name[at] = intern_id(m->name);
    rows->source_digest[at] = text_mark(m->source_digest);
    rows->training_run_id[at] = text_mark(m->training_run_id);
    rows->status[at] = (uint8_t)m->status;
    rows->aliased[at] = m->aliases_at != 0;
}

void rows_move(struct model_rows *to, size_t to_at, const struct model_rows *from, size_t from_at,
               size_t n)
{
#define MOVE(column) memmove(to->column + to_at, from->column + from_at, n * sizeof *to->column)
    MOVE(created_at);
    MOVE(updated_at);
    MOVE(version_key);
    MOVE(labels);
    MOVE(type);
    MOVE(sport);
    MOVE(deployment_target);
    MOVE(name);
    MOVE(source_digest);
    MOVE(training_run_id);
    MOVE(status);
    MOVE(aliased);
#undef MOVE
}
