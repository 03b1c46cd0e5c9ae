/* token_memo: the tokens that were shown to a loop lately, so that each is read and hashed once and
 * not for each request. Room: api. Threads: [loop], its own.
 *
 * It remembers what token_secret_read() made of a text, nothing else: whether the token is known,
 * alive and granted anything is asked of the view each time, so a revocation holds at once. Only
 * tokens that opened are kept (guesses push nobody out), compared in constant time, and wiped
 * before the memory is freed. */
#ifndef PADDOCK_API_TOKEN_MEMO_H
#define PADDOCK_API_TOKEN_MEMO_H

#include "registry/token_secret.h"

#define TOKEN_MEMO_PLACES 64 /* 9 KB a loop; two tokens in one place take turns */

struct token_memo {
    struct token_secret places[TOKEN_MEMO_PLACES];
};

/* What was kept for this text, or NULL. Valid until the next token_memo_keep(). */
const struct token_secret *token_memo_find(const struct token_memo *m, const char *text,
                                           size_t len);
void token_memo_keep(struct token_memo *m, const struct token_secret *s);
void token_memo_wipe(struct token_memo *m);

#endif
