#include "registry/journal.h"

#include "base/clock.h"
#include "base/json.h"
#include "registry/document.h"
#include "registry/health.h"
#include "registry/scan.h"

#include <inttypes.h>
#include <string.h>

#define TEXT_MAX ((size_t)64 << 20) /* two entities, evidence, and room */

/* --- making --- */

static void put_actor(struct bytes *b, const struct actor *actor)
{
    json_key(b, "actor");
    bytes_char(b, '{');
    json_kv_string(b, "kind", actor->kind);
    json_kv_string(b, "id", actor->id);
    json_kv_string(b, "on_behalf_of", actor->on_behalf_of);
    bytes_char(b, '}');
}

static void put_text(struct bytes *b, const struct command *c, const struct change *ch,
                     const struct journal_entry *entry, const char *prev_hash)
{
    const char *reason = ch->reason ? ch->reason : c->reason;
    bytes_char(b, '{');
    json_key(b, "seq");
    bytes_uint(b, entry->seq);
    json_kv_time(b, "at", entry->at);
    json_kv_string(b, "namespace", entry->ns);
    put_actor(b, &c->actor);
    json_kv_string(b, "request_id", c->request_id);
    json_kv_string(b, "action", entry->action);
    json_kv_string(b, "entity", entry->entity);
    json_kv_string(b, "entity_id", entry->entity_id);
    json_kv_raw(b, "before", ch->before ? ch->before->json : NULL);
    json_kv_raw(b, "after", ch->after ? ch->after->json : NULL);
    json_kv_string(b, "reason", reason);
    json_kv_raw(b, "evidence", ch->evidence);
    json_kv_string(b, "prev_hash", prev_hash);
    bytes_char(b, '}');
}

static const char *to_status(const struct change *ch)
{
    if (!ch->after || ch->after->kind != ENTITY_MODEL)
        return NULL;
    const struct model *now = model_of(ch->after);
    if (ch->before && model_of(ch->before)->status == now->status)
        return NULL;
    return status_name(now->status);
}

void journal_entry_make(const struct command *c, const struct view *v, const struct change *ch,
                        struct journal_place at, struct arena *a, struct journal_entry *out)
{
    const struct entity *e = ch->after ? ch->after : ch->before;
    *out = (struct journal_entry){
        .seq = at.seq,
        .at = at.ms,
        .ns = arena_text(a, e->ns),
        .action = ch->action,
        .entity = ENTITY_TYPES[e->kind].name,
        .entity_id = arena_text(a, e->id),
        .name = arena_text(a, view_name_of(v, e)),
        .actor_id = arena_text(a, c->actor.id),
        .request_id = arena_text(a, c->request_id),
        .to_status = to_status(ch),
    };
    struct bytes b = BYTES_INIT(TEXT_MAX);
    put_text(&b, c, ch, out, at.prev_hash);
    out->text = arena_copy(a, b.data, b.len);
    out->text_len = b.len;
    sha256_hex(out->text, out->text_len, out->hash);
    bytes_release(&b);
}

const char *journal_entry_subject(const struct journal_entry *entry)
{
    return entry->name ? entry->name : entry->entity_id;
}

void journal_entry_json(const struct journal_entry *entry, struct bytes *out)
{
    bytes_add(out, entry->text, entry->text_len - 1);
    bytes_text(out, ",\"hash\":\"");
    bytes_text(out, entry->hash);
    bytes_text(out, "\"}");
}

/* --- verifying --- */

enum { SEQ, AT, NS, ACTION, ENTITY, ENTITY_ID, PREV_HASH, MEMBERS };
static const char *const NAMES[MEMBERS] = {"seq",    "at",        "namespace", "action",
                                           "entity", "entity_id", "prev_hash"};

/* Is the member the string that the column holds? */
static bool says(struct slice literal, const char *column)
{
    char small[256];
    if (!slice_is_string(literal) || !column)
        return false;
    char *text = literal.len <= sizeof small ? small : NULL;
    struct bytes b = BYTES_INIT(literal.len + 1);
    if (!text && !(text = bytes_room(&b, literal.len)))
        return false;
    slice_unescape(literal, text);
    bool same = strcmp(text, column) == 0;
    bytes_release(&b);
    return same;
}

static bool wrong(const struct journal_entry *entry, struct err *e, const char *what)
{
    return fail(e, &ERR_CORRUPT, "journal entry %" PRIu64 ": %s", entry->seq, what);
}

/* The columns an entry is found by must be what its text says. */
static bool columns_agree(const struct journal_entry *entry, const struct slice *s)
{
    char at[TIME_TEXT_SIZE];
    int64_t seq;
    time_format(entry->at, at);
    return slice_int(s[SEQ], &seq) && (uint64_t)seq == entry->seq && says(s[AT], at) &&
           says(s[NS], entry->ns) && says(s[ACTION], entry->action) &&
           says(s[ENTITY], entry->entity) && says(s[ENTITY_ID], entry->entity_id);
}

bool journal_entry_verify(const struct journal_entry *entry, const char *prev_hash, struct err *e)
{
    struct slice s[MEMBERS];
    char hash[SHA256_HEX_SIZE];
    sha256_hex(entry->text, entry->text_len, hash);
    if (strcmp(hash, entry->hash) != 0)
        return wrong(entry, e, "its hash does not fit its text");
    if (!scan_pick((struct slice){entry->text, entry->text_len}, NAMES, MEMBERS, s))
        return wrong(entry, e, "its text is no entry");
    if (!says(s[PREV_HASH], prev_hash))
        return wrong(entry, e, "it does not continue the entry before it");
    return columns_agree(entry, s) || wrong(entry, e, "its columns contradict its text");
}
