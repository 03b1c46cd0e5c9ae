#include "api/submit.h"

#include "api/keys.h"
#include "api/precondition.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/nodes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX \
    (64 << 20) /* what one command may use: supersede and rollback touch many models */

struct submission {
    struct command command; /* first: the engine and the loop know it by its mail */
    struct request *rq;
    struct api *api;
    struct loop *loop;
    struct view_reader *reader;
    json_t *body;
};

static void submission_free(struct submission *s)
{
    json_decref(s->body);
    arena_free(s->command.arena);
    free(s);
}

/* The revision now of what the command is about, 0 if there is none: only lists of tags need it. */
static int64_t revision_now(const struct call *c, const struct wish *w)
{
    if (!w->id)
        return 0;
    const struct view *v = view_enter(c->reader);
    int64_t revision = 0;
    if (w->kind == ENTITY_MODEL) {
        const struct model *m = view_resolve(v, c->ns, w->id, NULL);
        revision = m ? m->entity.revision : 0;
    } else {
        const struct entity *e = view_get(v, w->kind, c->ns, w->id);
        revision = e ? e->revision : 0;
    }
    view_leave(c->reader);
    return revision;
}

static bool body_read(const struct request *rq, json_t **body, struct err *e)
{
    size_t len;
    const char *text = request_body(rq, &len);
    unsigned flags = request_route(rq)->flags;
    *body = NULL;
    if (flags & ROUTE_NO_BODY || request_route(rq)->consumes) /* no JSON: the args have it */
        return true;
    if (len == 0 && flags & ROUTE_BODY_OPTIONAL)
        return (*body = json_object()) != NULL;
    *body = json_read(text, len, e);
    if (!*body)
        return false;
    return json_is_object(*body) ||
           call_fault(request_arena((struct request *)rq), "", e, "must be an object");
}

static void answer_headers(struct submission *s, uint64_t seq)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, seq);
    request_add_header(s->rq, "Paddock-Seq", text);
    snprintf(text, sizeof text, "%" PRIu64, store_epoch(s->api->store));
    request_add_header(s->rq, "Paddock-Epoch", text);
    if (s->command.answer.location)
        request_add_header(s->rq, "Location", s->command.answer.location);
}

/* It was carried out before, by another node or unknown to this one. */
static void replay(struct submission *s)
{
    struct kept_answer kept;
    struct err e = {0};
    uint64_t hash;
    if (kept_answer_decode(s->command.kept, s->command.kept_len, request_arena(s->rq), &hash,
                           &kept)) {
        keys_replay(s->rq, &kept);
        return;
    }
    fail(&e, &ERR_INTERNAL, "a kept answer cannot be read");
    request_fail(s->rq, &e);
}

/* [loop] */
static void answered(struct mail *mail)
{
    struct submission *s = (struct submission *)(void *)mail;
    const struct answer *a = &s->command.answer;
    if (!s->command.ok) {
        if (s->command.err.kind == &FORBIDDEN)
            access_denied(s->rq, &s->command.err);
        if (s->command.err.kind == &KEY_REUSED) /* the key is another body's, whose answer stands */
            idempotency_abandon(s->api->keys, s->command.key);
        request_fail(s->rq, &s->command.err);
        submission_free(s);
        return;
    }
    if (s->command.kept) {
        replay(s);
        submission_free(s);
        return;
    }
    uint64_t seq = s->command.seq;
    if (seq == 0) { /* nothing changed: what the client sees is the current state */
        seq = view_seq(view_enter(s->reader));
        view_leave(s->reader);
    }
    answer_headers(s, seq);
    if (a->revision > 0)
        request_reply_entity(s->rq, a->status, a->revision, a->body ? a->body : "",
                             a->body ? a->body_len : 0);
    else
        request_reply(s->rq, a->status, NULL, a->body ? a->body : "", a->body ? a->body_len : 0);
    submission_free(s);
}

/* [engine] */
static void done(struct command *c)
{
    struct submission *s = (struct submission *)(void *)c;
    c->mail.run = answered;
    loop_post_answer(s->loop, &c->mail);
}

static struct submission *submission_new(const struct call *c, const struct wish *w)
{
    struct submission *s = mem_zero(1, sizeof *s);
    struct arena *a = arena_new(ARENA_MAX);
    s->rq = c->rq;
    s->api = c->api;
    s->loop = request_loop(c->rq);
    s->reader = c->reader;
    s->command = (struct command){
        .arena = a,
        .ns = arena_text(a, c->ns),
        .actor = {arena_text(a, request_actor_kind(c->rq)), arena_text(a, request_actor_id(c->rq)),
                  NULL},
        .grants = grants_copy(a, c->access->grants),
        .actions = c->access->actions,
        .request_id = arena_text(a, request_id(c->rq)),
        .id = arena_text(a, w->id),
        .id2 = arena_text(a, w->id2),
        .decide = w->decide,
        .args = (void *)(uintptr_t)w->args,
        .done = done,
    };
    return s;
}

/* If-Match and If-None-Match. */
static bool conditions_read(struct call *c, const struct wish *w, struct command *cmd,
                            struct err *e)
{
    static const char WRONG[] = "must be *, or entity tags such as \"3\" parted by commas";
    const char *match = request_header(c->rq, "If-Match"),
               *none = request_header(c->rq, "If-None-Match");
    bool list = (match && strchr(match, ',')) || (none && strchr(none, ','));
    int64_t now = list ? revision_now(c, w) : 0, unwanted;
    if (!if_match_parse(match, now, &cmd->if_match, e))
        return call_fault(c->arena, "If-Match", e, WRONG);
    if (!if_none_match_parse(none, now, &unwanted, e))
        return call_fault(c->arena, "If-None-Match", e, WRONG);
    cmd->if_none_match = unwanted == MATCH_NOTHING_ASKED ? 0 : unwanted;
    return true;
}

/* What the request adds to the command: key, preconditions, reason, body. False: `e`, or answered
 * already. */
static bool submission_fill(struct submission *s, struct call *c, const struct wish *w,
                            bool *replied, struct err *e)
{
    struct command *cmd = &s->command;
    size_t len;
    const char *text = request_body(c->rq, &len);
    struct asked_key key;
    if (!keys_begin(c, keys_asked(c->rq) ? hash64(text, len, 0) : 0, KEEP_COMMAND_MS, &key)) {
        *replied = true;
        return false;
    }
    cmd->key = arena_text(cmd->arena, key.scoped);
    cmd->key_body_hash = key.body_hash;
    cmd->key_expires_ms = key.expires_ms;
    if (!conditions_read(c, w, cmd, e))
        return false;
    if (!call_reason(c->rq, &cmd->reason, e) || !body_read(c->rq, &s->body, e))
        return false;
    cmd->reason = arena_text(cmd->arena, cmd->reason);
    cmd->body = s->body;
    return true;
}

void submit(struct request *rq, const struct wish *w)
{
    struct call c;
    struct err e;
    bool replied = false;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct submission *s = submission_new(&c, w);
    if (submission_fill(s, &c, w, &replied, &e)) {
        request_defer(rq);
        if (engine_submit(c.api->engine, &s->command, &e))
            return;
    }
    if (!replied)
        request_fail(rq, &e);
    submission_free(s);
}
