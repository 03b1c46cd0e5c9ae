/* journal: the text of an entry, and the chain of hashes. Room: registry. Threads: pure, [any].
 *
 * An entry's text is the JSON object the API shows, without its last member `hash`. hash =
 * lower-case hex SHA-256 of exactly that text, which contains `prev_hash`; so anybody can check an
 * export with any SHA-256 tool. There is one chain per namespace; the first entry's prev_hash is 64
 * zeros. */
#ifndef PADDOCK_REGISTRY_JOURNAL_H
#define PADDOCK_REGISTRY_JOURNAL_H

#include "base/bytes.h"
#include "base/hash.h"
#include "registry/command.h"

#include <stdint.h>

/* One entry as the store keeps it: the text and the columns it is found by. */
struct journal_entry {
    uint64_t seq; /* one sequence for the whole store, no gaps */
    int64_t at;   /* ms */
    const char *ns;
    const char *action, *entity, *entity_id;
    const char *name; /* the registered model it belongs to, for timelines; NULL: none */
    const char *actor_id;
    const char *request_id; /* or NULL */
    const char *to_status;  /* the status it ends in, if it changed one; else NULL */
    const char *text;       /* JSON without `hash` */
    size_t text_len;
    char hash[SHA256_HEX_SIZE];
};

/* Where in its chain an entry stands. */
struct journal_place {
    uint64_t seq;
    int64_t ms; /* since 1970 */
    const char *prev_hash;
};

/* Fill an entry from a change: renders the text (into `a`) and hashes it after the one before. `v`
 * is what the change is to be made to, and tells to which name it belongs. */
void journal_entry_make(const struct command *c, const struct view *v, const struct change *ch,
                        struct journal_place at, struct arena *a, struct journal_entry *out);
/* What an entry belongs to, for grants: its registered model, else the entity itself. */
const char *journal_entry_subject(const struct journal_entry *entry);
/* Append the entry as the API shows it: the text with `"hash":"..."` as last member. */
void journal_entry_json(const struct journal_entry *entry, struct bytes *out);
/* Check one entry against the hash before it; false says what does not fit. */
bool journal_entry_verify(const struct journal_entry *entry, const char *prev_hash, struct err *e)
    MUST_CHECK;

#define JOURNAL_FIRST_HASH "0000000000000000000000000000000000000000000000000000000000000000"

#endif
