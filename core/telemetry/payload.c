#include "telemetry/payload.h"

#include "telemetry/scanner.h" /* the limits of a record */

#include <math.h>
#include <string.h>

static uint64_t unpadded_size(const struct payload_head *h)
{
    return sizeof *h + (uint64_t)h->records * sizeof(struct payload_record) +
           (uint64_t)h->groups * sizeof(struct payload_group) +
           (uint64_t)h->scores * sizeof(struct payload_score) +
           ((uint64_t)h->errors + h->names) * sizeof(uint32_t) + h->text;
}

uint64_t payload_size(const struct payload_head *head)
{
    return (unpadded_size(head) + 7) & ~UINT64_C(7);
}

void payload_view(struct payload *p, const void *data)
{
    const char *at = data;
    memcpy(&p->head, at, sizeof p->head);
    at += sizeof p->head;
    p->records = (const void *)at;
    at += p->head.records * sizeof *p->records;
    p->groups = (const void *)at;
    at += p->head.groups * sizeof *p->groups;
    p->scores = (const void *)at;
    at += p->head.scores * sizeof *p->scores;
    p->ends = (const void *)at;
    p->text = at + ((size_t)p->head.errors + p->head.names) * sizeof *p->ends;
}

const char *payload_word(const struct payload *p, uint32_t i, size_t *len)
{
    uint32_t start = i ? p->ends[i - 1] : 0;
    *len = p->ends[i] - start;
    return p->text + start;
}

static bool groups_good(const struct payload *p)
{
    uint64_t records = 0;
    for (uint32_t i = 0; i < p->head.groups; i++) {
        if (p->groups[i].uid == 0 || p->groups[i].records == 0 ||
            p->groups[i].records > p->head.records - records)
            return false;
        records += p->groups[i].records;
    }
    return records == p->head.records;
}

static bool records_good(const struct payload *p)
{
    for (uint32_t i = 0; i < p->head.records; i++) {
        const struct payload_record *r = &p->records[i];
        uint64_t error = r->bits & RECORD_ERROR_MASK;
        if (!(r->latency_ms >= 0 && r->latency_ms <= LATENCY_MAX_MS) || error > p->head.errors ||
            (error && !(r->bits & RECORD_FAILURE)))
            return false;
    }
    return true;
}

static bool scores_good(const struct payload *p)
{
    for (uint32_t i = 0; i < p->head.scores; i++) {
        const struct payload_score *s = &p->scores[i];
        if (s->record >= p->head.records || s->name >= p->head.names || !isfinite(s->value) ||
            (i && s->record < s[-1].record))
            return false;
    }
    return true;
}

static bool words_good(const struct payload *p)
{
    uint32_t words = p->head.errors + p->head.names, before = 0;
    for (uint32_t i = 0; i < words; i++) {
        if (p->ends[i] < before || p->ends[i] > p->head.text)
            return false;
        before = p->ends[i];
    }
    return before == p->head.text;
}

bool payload_open(struct payload *p, const void *data, size_t len, struct err *e)
{
    struct payload_head head;
    if (len < sizeof head)
        return fail(e, &ERR_CORRUPT, "a block of records is too short");
    memcpy(&head, data, sizeof head);
    if ((uint64_t)head.errors + head.names > UINT32_MAX || payload_size(&head) != len)
        return fail(e, &ERR_CORRUPT, "a block of records has a wrong length");
    payload_view(p, data);
    if (!groups_good(p) || !records_good(p) || !scores_good(p) || !words_good(p))
        return fail(e, &ERR_CORRUPT, "a block of records contradicts itself");
    return true;
}
