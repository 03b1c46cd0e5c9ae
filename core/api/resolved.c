#include "api/resolved.h"

#include "base/hash.h"
#include "base/ids.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define PLACES        4096 /* a power of two */
#define REFERENCE_MAX 80   /* longer ones are looked up each time */
#define ID_MAX        1024 /* longer than any: 193 characters of up to 4 bytes */

struct place {
    uint64_t view; /* number of the one it holds for; none has 0 */
    uint64_t uid;
    uint64_t ns_hash;
    uint64_t token_uid; /* of the one who asked */
    uint32_t len;
    char reference[REFERENCE_MAX];
};

struct resolved {
    struct place places[PLACES];
    char ns[128 + 1];       /* the namespace hashed last */
    uint64_t ns_hash, seed; /* hashes must not be made to meet: namespaces are a border */
};

struct resolved *resolved_new(void)
{
    struct resolved *r = mem_zero(1, sizeof *r);
    random_bytes(&r->seed, sizeof r->seed);
    return r;
}

void resolved_free(struct resolved *r)
{
    free(r);
}

static uint64_t look_up(const struct view *v, const struct access *a, const char *reference,
                        size_t len)
{
    char id[ID_MAX];
    if (len >= sizeof id || memchr(reference, '\0', len))
        return 0;
    memcpy(id, reference, len);
    id[len] = '\0';
    const struct model *m = view_resolve(v, a->ns, id, NULL);
    return m && grants_allow(a->grants, a->ns, m->name, a->actions) ? m->entity.uid : 0;
}

/* Consecutive references share their namespace. It is compared by its text: an identifier has at
 * most 128 characters, so the copy is whole. */
static uint64_t hash_of_ns(struct resolved *r, const char *ns)
{
    size_t len = strlen(ns);
    if (len < sizeof r->ns && strcmp(r->ns, ns) != 0) {
        memcpy(r->ns, ns, len + 1);
        r->ns_hash = hash64(ns, len, r->seed);
    }
    return r->ns_hash;
}

uint64_t resolved_uid(struct resolved *r, const struct view *v, const struct access *a,
                      const char *reference, size_t len)
{
    if (len > REFERENCE_MAX || strlen(a->ns) >= sizeof r->ns)
        return look_up(v, a, reference, len);
    uint64_t ns_hash = hash_of_ns(r, a->ns), view = view_number(v);
    struct place *p = &r->places[hash64(reference, len, ns_hash) & (PLACES - 1)];
    if (p->view == view && p->ns_hash == ns_hash && p->token_uid == a->token_uid && p->len == len &&
        memcmp(p->reference, reference, len) == 0)
        return p->uid;
    uint64_t uid = look_up(v, a, reference, len);
    p->view = view;
    p->uid = uid;
    p->ns_hash = ns_hash;
    p->token_uid = a->token_uid;
    p->len = (uint32_t)len;
    memcpy(p->reference, reference, len);
    return uid;
}
