#include "telemetry/batch_impl.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Records that are put into their compact form where they end, which is a step of an event loop;
 * 50,000 would take half a millisecond in which it serves nobody, so more wait for the writer. */
#define MADE_AT_ONCE 4096

/* Where each record goes so that those of a model stand together: a counting sort. */
static uint32_t *grouped_places(const struct batch *b)
{
    uint32_t *next = mem_alloc(((size_t)b->uids.n + 1) * sizeof *next);
    uint32_t *places = mem_alloc((b->n + 1) * sizeof *places);
    uint32_t at = 0;
    for (uint32_t g = 0; g < b->uids.n; g++) {
        next[g] = at;
        at += (uint32_t)b->groups[g].records;
    }
    for (size_t i = 0; i < b->n; i++)
        places[i] = next[b->group_of[i]]++;
    free(next);
    return places;
}

/* Scores in the order of the places of their records. */
static void put_grouped_scores(const struct batch *b, const uint32_t *places,
                               struct payload_score *out)
{
    uint32_t *next = mem_zero(b->n + 1, sizeof *next);
    for (size_t i = 0; i < b->n_scores; i++)
        next[places[b->scores[i].record] + 1]++;
    for (size_t i = 1; i < b->n; i++)
        next[i] += next[i - 1];
    for (size_t i = 0; i < b->n_scores; i++) {
        const struct payload_score *s = &b->scores[i];
        uint32_t place = places[s->record];
        out[next[place]++] = (struct payload_score){s->value, place, s->name};
    }
    free(next);
}

static void put_records(const struct batch *b, struct payload_record *records,
                        struct payload_score *scores)
{
    if (b->uids.n <= 1) {
        if (b->n)
            memcpy(records, b->records, b->n * sizeof *records);
        if (b->n_scores)
            memcpy(scores, b->scores, b->n_scores * sizeof *scores);
        return;
    }
    uint32_t *places = grouped_places(b);
    for (size_t i = 0; i < b->n; i++)
        records[places[i]] = b->records[i];
    if (b->n_scores)
        put_grouped_scores(b, places, scores);
    free(places);
}

/* Only groups that have records: a model may have been named by refused ones only. */
static void put_groups(const struct batch *b, struct payload_group *out)
{
    if (b->config.uid) {
        if (b->n)
            *out = (struct payload_group){b->config.uid, b->n};
        return;
    }
    for (uint32_t g = 0; g < b->uids.n; g++)
        if (b->groups[g].records)
            *out++ = b->groups[g];
}

static char *put_words(const struct words *w, char *ends, uint32_t before)
{
    for (uint32_t i = 0; i < w->n; i++, ends += sizeof(uint32_t)) {
        uint32_t end = w->ends[i] + before;
        memcpy(ends, &end, sizeof end);
    }
    return ends;
}

static struct payload_head head_of(const struct batch *b)
{
    uint32_t groups = b->n > 0;
    if (!b->config.uid) {
        groups = 0;
        for (uint32_t g = 0; g < b->uids.n; g++)
            groups += b->groups[g].records > 0;
    }
    uint32_t error_text = b->errors.n ? b->errors.ends[b->errors.n - 1] : 0;
    uint32_t name_text = b->names.n ? b->names.ends[b->names.n - 1] : 0;
    return (struct payload_head){(uint32_t)b->n,  groups,     (uint32_t)b->n_scores,
                                 b->errors.n,     b->names.n, error_text + name_text,
                                 b->config.now_ms};
}

static void make_payload(struct batch *b, const struct payload_head *head)
{
    const size_t len = b->payload_len;
    if (len > b->payload_cap) {
        free(b->payload);
        b->payload_cap = len + len / 4;
        b->payload = mem_alloc(b->payload_cap);
    }
    memset(b->payload + len - 8, 0, 8); /* the padding */
    memcpy(b->payload, head, sizeof *head);
    struct payload p;
    payload_view(&p, b->payload);
    put_records(b, (void *)(uintptr_t)p.records, (void *)(uintptr_t)p.scores);
    put_groups(b, (void *)(uintptr_t)p.groups);
    uint32_t error_text = b->errors.n ? b->errors.ends[b->errors.n - 1] : 0;
    char *text = put_words(&b->errors, (void *)(uintptr_t)p.ends, 0);
    text = put_words(&b->names, text, error_text);
    if (error_text)
        memcpy(text, b->errors.text, error_text);
    if (head->text > error_text)
        memcpy(text + error_text, b->names.text, head->text - error_text);
    b->checksum = checksum32(b->payload, len);
    b->made = true;
}

void batch_form(struct batch *b)
{
    const struct payload_head head = head_of(b);
    b->payload_len = payload_size(&head);
    b->made = false;
    if (b->n <= MADE_AT_ONCE)
        make_payload(b, &head);
}

size_t batch_payload_len(const struct batch *b)
{
    return b->payload_len;
}

const void *batch_payload(struct batch *b, uint32_t *checksum)
{
    if (!b->made) {
        const struct payload_head head = head_of(b);
        make_payload(b, &head);
    }
    *checksum = b->checksum;
    return b->payload;
}
