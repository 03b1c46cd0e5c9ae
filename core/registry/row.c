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

struct model_row model_row_of(const struct model *m)
{
    return (struct model_row){
        .created_at = m->created_at,
        .updated_at = m->updated_at,
        .version_key = m->version_key,
        .labels = all_labels(m),
        .type = intern_id(m->type),
        .sport = intern_id(m->sport),
        .deployment_target = intern_id(m->deployment_target),
        .name = intern_id(m->name),
        .source_digest = text_mark(m->source_digest),
        .training_run_id = text_mark(m->training_run_id),
        .status = (uint8_t)m->status,
        .aliased = m->aliases_at != 0,
    };
}
