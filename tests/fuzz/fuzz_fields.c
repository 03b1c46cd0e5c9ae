/* Field tables: any JSON text, decoded as a new object, a patch or a stored one. What is accepted
 * must encode to valid JSON, which decodes again to the same. */
#include "base/field.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

struct part {
    int64_t port;
    const char *host;
};

struct thing {
    const char *id, *name, *note, *kind, *labels, *tags, *extra, *hidden;
    int64_t count, maybe, created, due;
    double ratio, score;
    bool on;
    struct part part;
};

static const char *const KINDS[] = {"small", "large", NULL};

static const char *short_text(const char *text)
{
    return strlen(text) > 20 ? "is too long" : NULL;
}

static void numbers_only(const json_t *value, const char *pointer, struct faults *f)
{
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)value, key, item) {
        char at[64];
        pointer_join(at, sizeof at, pointer, key);
        if (!json_is_number(item))
            fault_add(f, &ERR_INVALID, at, "must be a number");
    }
}

#define FIELD(name_, type_, ...)                                                             \
    {                                                                                        \
        .name = #name_, .type = type_, .offset = offsetof(struct STRUCT, name_), __VA_ARGS__ \
    }

#define STRUCT part
static const struct field PART[] = {
    FIELD(port, FIELD_INT, .flags = FIELD_REQUIRED, .min = 1, .max = 65535),
    FIELD(host, FIELD_STRING, .flags = FIELD_NULLABLE),
    {.name = NULL},
};
#undef STRUCT

#define STRUCT thing
static const struct field THING[] = {
    FIELD(id, FIELD_STRING, .flags = FIELD_FIXED, .min = 1, .max = 8),
    FIELD(name, FIELD_STRING, .flags = FIELD_REQUIRED, .min = 1, .max = 30, .check = short_text),
    FIELD(note, FIELD_STRING, .flags = FIELD_NULLABLE | FIELD_SECRET),
    FIELD(kind, FIELD_ENUM, .flags = FIELD_NULLABLE, .choices = KINDS),
    FIELD(labels, FIELD_OBJECT, .max = 100, .check_json = numbers_only),
    FIELD(tags, FIELD_STRINGS, .min = 0, .max = 4, .check = short_text),
    FIELD(extra, FIELD_ANY, .max = 200),
    FIELD(hidden, FIELD_STRING, .flags = FIELD_HIDDEN | FIELD_NULLABLE),
    FIELD(count, FIELD_INT, .min = -5, .max = 100),
    FIELD(maybe, FIELD_INT, .flags = FIELD_NULLABLE),
    FIELD(created, FIELD_TIME, .flags = FIELD_SERVER | FIELD_NULLABLE),
    FIELD(due, FIELD_TIME, .flags = FIELD_NULLABLE),
    FIELD(ratio, FIELD_NUMBER, .min = 0, .max = 1),
    FIELD(score, FIELD_NUMBER, .flags = FIELD_NULLABLE),
    FIELD(on, FIELD_BOOL, .flags = 0),
    FIELD(part, FIELD_NESTED, .sub = PART),
    {.name = NULL},
};

static void need(bool true_fact)
{
    if (!true_fact)
        abort();
}

static void encode(const struct thing *thing, struct bytes *out)
{
    bytes_clear(out);
    bytes_char(out, '{');
    fields_encode(THING, thing, true, out);
    bytes_char(out, '}');
    need(!out->full);
}

static void check_round_trip(const struct thing *thing, struct arena *a)
{
    struct bytes once = BYTES_INIT(1 << 22), twice = BYTES_INIT(1 << 22);
    struct err e;
    struct faults f;
    struct thing again = {.maybe = 1};
    encode(thing, &once);
    json_t *object = json_read(once.data, once.len, &e);
    need(object);
    faults_init(&f, a);
    need(fields_decode(THING, object, "", DECODE_STORED, &again, a, NULL, &f));
    encode(&again, &twice);
    need(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    json_decref(object);
    bytes_release(&once);
    bytes_release(&twice);
}

static void check_faults(const struct faults *f)
{
    struct err e;
    need(f->total > 0);
    need(!faults_fail(f, &e));
    struct bytes b = BYTES_INIT(1 << 22);
    bytes_printf(&b, "{%s}", e.members ? e.members : "");
    json_t *object = json_read(b.data, b.len, &e);
    need(object);
    json_decref(object);
    bytes_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1)
        return 0;
    struct err e;
    json_t *object = json_read((const char *)data + 1, len - 1, &e);
    if (!object)
        return 0;
    struct arena *a = arena_new(1 << 23);
    struct faults f;
    struct thing thing = {.id = "fixed"};
    struct field_seen seen;
    faults_init(&f, a);
    if (fields_decode(THING, object, "", data[0] % 3, &thing, a, &seen, &f))
        check_round_trip(&thing, a);
    else
        check_faults(&f);
    json_decref(object);
    arena_free(a);
    return 0;
}
