#include "validation/fingerprint.h"

#include "base/bytes.h"
#include "registry/scan.h"

#include <string.h>

#define TEXT_MAX ((size_t)256 << 20) /* of all gate tests of a model */

/* Parts are told apart by a byte that no JSON text has. */
static void put_part(struct bytes *b, const char *text, size_t len)
{
    bytes_add(b, text, len);
    bytes_char(b, '\0');
}

static void digest(struct bytes *b, char out[SHA256_HEX_SIZE])
{
    sha256_hex(b->data ? b->data : "", b->len, out);
    bytes_release(b);
}

void model_fingerprint(const struct model *m, char out[SHA256_HEX_SIZE])
{
    static const char *const NAMES[] = {"source", "source_digest", "runtime"};
    enum { PARTS = sizeof NAMES / sizeof *NAMES };
    struct slice parts[PARTS] = {{0}};
    struct bytes b = BYTES_INIT(TEXT_MAX);
    if (scan_pick((struct slice){m->entity.json, m->entity.json_len}, NAMES, PARTS, parts))
        for (size_t i = 0; i < PARTS; i++)
            put_part(&b, parts[i].at ? parts[i].at : "", parts[i].len);
    digest(&b, out);
}

struct gathering {
    struct bytes text;
    size_t n;
};

static bool gather(const struct document *d, void *ctx)
{
    struct gathering *g = ctx;
    const struct test_case *t = test_case_of(d);
    const char *parts[] = {t->head.id, t->type, t->config, t->datasets};
    if (!is_gate_test(t))
        return true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        put_part(&g->text, parts[i], strlen(parts[i]));
    g->n++;
    return true;
}

size_t gate_tests_fingerprint(const struct view *v, const struct model *m,
                              char out[SHA256_HEX_SIZE])
{
    struct gathering g = {.text = BYTES_INIT(TEXT_MAX)};
    test_cases_of(v, m, gather, &g);
    digest(&g.text, out);
    return g.n;
}
