/* batch_impl: what batch.c and batch_form.c share. Room: telemetry, private. */
#ifndef PADDOCK_TELEMETRY_BATCH_IMPL_H
#define PADDOCK_TELEMETRY_BATCH_IMPL_H

#include "telemetry/batch.h"
#include "telemetry/payload.h"
#include "telemetry/scanner.h"
#include "telemetry/words.h"

struct batch {
    struct batch_config config;
    struct scanner scanner;
    struct record record;
    struct bytes carry; /* the line that was cut, or the body so far */
    bool hopeless, too_long;
    size_t lines; /* seen, or items */
    size_t faults_before;
    size_t rejected;

    /* Records in order of arrival, and the group of each (only when they name their model). */
    struct payload_record *records;
    uint32_t *group_of;
    size_t n, cap, group_of_cap;
    struct payload_score *scores;
    size_t n_scores, scores_cap;
    struct words errors, names;

    /* Records whose decision concerns somebody: which, and where their scores begin. */
    struct decided_record {
        struct batch_decision decision;
        size_t record, score, scores;
    } * decided;
    size_t n_decided, decided_cap;

    /* Model ids seen, the group of each; models seen: word i of `uids` is group i. */
    struct words ids, uids;
    uint32_t *id_groups;
    size_t id_groups_cap;
    uint32_t last_id;
    struct payload_group *groups;
    size_t groups_cap;

    char *payload;
    size_t payload_len, payload_cap;
    uint32_t checksum;
    bool made; /* payload and checksum */
};

/* The size of the compact form; a small one is made at once, others by batch_payload(). */
void batch_form(struct batch *b);

#endif
