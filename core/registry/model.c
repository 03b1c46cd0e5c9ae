#include "registry/model.h"

#include "base/utf8.h"
#include "registry/pack.h"
#include "registry/scan.h"
#include "registry/version.h"

#include <string.h>

/* The members read from a model's text, in its order. */
enum {
    MODEL_ID,
    NAME,
    VERSION,
    TYPE,
    SPORT,
    STATUS,
    DEPLOYMENT_TARGET,
    DESCRIPTION,
    LABELS,
    SOURCE_DIGEST,
    TRAINING_RUN_ID,
    ALIASES,
    BASELINE,
    HOLD,
    CREATED_AT,
    UPDATED_AT,
    STATUS_CHANGED_AT,
    PROMOTED_AT,
    PROMOTION,
    REVISION,
    MEMBERS
};
static const char *const NAMES[MEMBERS] = {
    "model_id",
    "name",
    "version",
    "type",
    "sport",
    "status",
    "deployment_target",
    "description",
    "labels",
    "source_digest",
    "training_run_id",
    "aliases",
    "baseline_model_id",
    "hold",
    "created_at",
    "updated_at",
    "status_changed_at",
    "promoted_at",
    "promotion",
    "revision",
};

/* Those that must be strings: without one of them the text is damaged. */
static const int STRINGS[] = {MODEL_ID, NAME, VERSION, TYPE, STATUS, DESCRIPTION};
/* Those whose text the model owns; the others are shared with many. */
static const int OWNED[] = {MODEL_ID, VERSION, SOURCE_DIGEST, TRAINING_RUN_ID, BASELINE};

#define LEN(array) (sizeof(array) / sizeof *(array))

static bool read_numbers(struct model *m, const struct slice *s)
{
    return slice_int(s[REVISION], &m->entity.revision) &&
           slice_time(s[CREATED_AT], &m->created_at) && slice_time(s[UPDATED_AT], &m->updated_at) &&
           slice_time(s[STATUS_CHANGED_AT], &m->status_changed_at) &&
           slice_time(s[PROMOTED_AT], &m->promoted_at);
}

static bool read_status(struct model *m, struct slice s)
{
    char text[16];
    if (!slice_is_string(s) || s.len > sizeof text)
        return false;
    slice_unescape(s, text);
    int status = status_parse(text);
    m->status = (enum model_status)(status < 0 ? 0 : status);
    return status >= 0;
}

static bool well_formed(const struct slice *s, const char *json, size_t len)
{
    for (size_t i = 0; i < LEN(STRINGS); i++)
        if (!slice_is_string(s[STRINGS[i]]))
            return false;
    return s[LABELS].at && s[LABELS].at[0] == '{' && s[ALIASES].at && s[ALIASES].at[0] == '[' &&
           utf8_valid(json, len);
}

static void lay_out(struct model *m, struct pack *p, const struct slice *s, struct intern *names)
{
    m->entity.id = pack_text(p, s[MODEL_ID]); /* first: it lies next to the struct */
    m->version = pack_text(p, s[VERSION]);
    m->source_digest = pack_text(p, s[SOURCE_DIGEST]);
    m->training_run_id = pack_text(p, s[TRAINING_RUN_ID]);
    m->baseline_model_id = pack_text(p, s[BASELINE]);
    m->name = slice_intern(s[NAME], names);
    m->type = slice_intern(s[TYPE], names);
    m->sport = slice_intern(s[SPORT], names);
    m->deployment_target = slice_intern(s[DEPLOYMENT_TARGET], names);
}

struct entity *model_parse(const char *ns, const char *id, uint64_t uid, const char *json,
                           size_t len, struct intern *names, struct err *e)
{
    struct slice s[MEMBERS];
    if (!scan_pick((struct slice){json, len}, NAMES, MEMBERS, s) || !well_formed(s, json, len)) {
        fail(e, &ERR_CORRUPT, "the stored text of model '%.200s' is damaged", id);
        return NULL;
    }
    struct pack p = {0};
    for (size_t i = 0; i < LEN(OWNED); i++)
        pack_want(&p, s[OWNED[i]]);
    pack_want_raw(&p, len);
    struct model *m = pack_open(&p, sizeof *m);
    lay_out(m, &p, s, names);
    m->entity.kind = ENTITY_MODEL;
    m->entity.ns = intern(names, ns);
    m->entity.uid = uid;
    m->entity.json = pack_raw(&p, json, len);
    m->entity.json_len = len;
    m->version_key = version_prefix(m->version);
    m->held = s[HOLD].at && s[HOLD].at[0] == '{';
    m->promoted = s[PROMOTION].at && s[PROMOTION].at[0] == '{';
    m->description_at = (uint32_t)(s[DESCRIPTION].at - json);
    m->description_len = (uint32_t)s[DESCRIPTION].len;
    m->labels_at = (uint32_t)(s[LABELS].at - json);
    m->aliases_at = s[ALIASES].len > 2 ? (uint32_t)(s[ALIASES].at - json) : 0;
    if (!read_numbers(m, s) || !read_status(m, s[STATUS]) || strcmp(m->entity.id, id) != 0) {
        fail(e, &ERR_CORRUPT, "the stored text of model '%.200s' contradicts itself", id);
        entity_free(m);
        return NULL;
    }
    return &m->entity;
}

/* A part of the model's text, from where parsing found it. */
static struct slice part(const struct model *m, uint32_t at)
{
    return scan_value(m->entity.json + at, m->entity.json + m->entity.json_len);
}

struct slice model_description(const struct model *m)
{
    return (struct slice){m->entity.json + m->description_at, m->description_len};
}

struct slice model_labels(const struct model *m)
{
    return part(m, m->labels_at);
}

bool model_has_alias(const struct model *m, const char *literal)
{
    if (m->aliases_at == 0)
        return false;
    struct scan s = scan_open(part(m, m->aliases_at), '[');
    struct slice item;
    while (scan_item(&s, &item))
        if (slice_is(item, literal))
            return true;
    return false;
}
