/* decision_keys: the secrets that sign decision ids. Room: selection. Threads: [any] but where
 * said.
 *
 * A file of lines `ID:HEX`, ID from 1 to 255 and HEX of 32 bytes: the first line signs, all verify.
 * To rotate, put a new line first and let the server read it again; take old ones out when no
 * outcome can come for them any more. Nodes that share a store have the same:
 * decision_keys_share(). Blank lines and those that begin with # mean nothing. */
#ifndef PADDOCK_SELECTION_DECISION_KEYS_H
#define PADDOCK_SELECTION_DECISION_KEYS_H

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECISION_SECRET   32
#define DECISION_MAC      16 /* bytes of a signature */
#define DECISION_KEYS_MAX 16

struct decision_key {
    uint8_t id;
    uint8_t secret[DECISION_SECRET];
};
struct decision_keys;

/* Read `path`; with `make`, one that does not exist is made with a fresh key, for its owner only.
 * NULL: ERR_CONFIG with file and line. */
struct decision_keys *decision_keys_open(const char *path, bool make, struct err *e) MUST_CHECK;
/* Where several nodes share a store: whoever comes first puts its file there (made if need be), and
 * the others make theirs of it, so that each knows what another has signed. */
bool decision_keys_share(struct store *s, const char *path, struct err *e) MUST_CHECK;
/* [main] Read the file again; what was in force stays if it is wrong. Keys that were looked at stay
 * where they are. */
bool decision_keys_reload(struct decision_keys *k, struct err *e) MUST_CHECK;
void decision_keys_close(struct decision_keys *k); /* NULL is allowed */
const struct decision_key *decision_keys_signing(const struct decision_keys *k);
const struct decision_key *decision_keys_find(const struct decision_keys *k, uint8_t id);

/* Sign: HMAC-SHA256, cut. No two of our uses of a key may be taken for one another. */
void decision_key_sign(const struct decision_key *key, const void *data, size_t len,
                       uint8_t out[DECISION_MAC]);
/* Is that its signature? It takes as long for a wrong one. */
bool decision_key_signed(const struct decision_key *key, const void *data, size_t len,
                         const uint8_t mac[DECISION_MAC]);

#endif
