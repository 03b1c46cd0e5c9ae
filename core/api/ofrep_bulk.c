/* OFREP's bulk: all flags of a namespace for one context, with a tag that says when that changes.
 *
 * A hundred flags take 30 us, but a policy may take milliseconds: what lasts is done in slices
 * (api/slices.h), each in the view of its moment. While the flags, segments, layers and policies
 * are the same there, it goes on where it was; else it begins anew, so that the answer is of one
 * state of them, which its tag names. */
#include "api/access.h"
#include "api/call.h"
#include "api/handlers.h"
#include "api/loop_state.h"
#include "api/ofrep_impl.h"
#include "api/slices.h"
#include "base/grow.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "registry/grant.h"
#include "selection/selector.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_SIZE 20

struct bulk {
    struct slice_job job; /* first */
    struct call call;
    struct loop_state *state;
    const struct grants *grants; /* of who asks; NULL: everything is allowed */
    json_t *context;
    struct flag_question q; /* its view: while a slice is done */
    struct bytes out;
    uint64_t view, policies; /* numbers of those that were looked through */
    uint64_t config, served; /* what the tag is made of: what there is, and whom it leads to */
    bool timed, tagged;
    const struct entity **flags; /* of the slice's view, that he may ask */
    size_t n, room, at;          /* the next one to be tagged, and then to be asked */
};

static void bulk_free(struct bulk *b)
{
    bytes_release(&b->out);
    json_decref(b->context);
    free(b->flags);
    free(b);
}

/* ---- what there is ---- */

/* May who asks ask this flag? What he may not is left out, as if it were not there. */
static bool may_ask(const struct bulk *b, const struct entity *e)
{
    return !b->grants || grants_allow(b->grants, e->ns, e->id, ACTION_BIT(ACTION_SELECT));
}

static bool add_entity(const struct entity *e, void *ctx)
{
    struct bulk *b = ctx;
    const struct document_head *head = document_of(e)->fields;
    /* After a loss a revision may be written once more, differently. */
    const uint64_t what[3] = {e->uid, (uint64_t)e->revision, (uint64_t)head->updated_at};
    if (e->kind == ENTITY_FLAG && !may_ask(b, e))
        return true;
    b->config = hash64(what, sizeof what, b->config);
    if (e->kind == ENTITY_FLAG) {
        GROW(b->flags, b->n, b->room);
        b->flags[b->n++] = e;
    }
    return true;
}

/* From the first flag on, with a context that no policy has seen yet. */
static void begin_anew(struct bulk *b)
{
    b->served = 0;
    b->timed = b->tagged = false;
    b->at = b->out.len = 0;
    b->q.context_id = flag_set_context_id(b->state->flags);
}

/* What there is, unless it is known of this view: the flags listed are the view's. */
static void look(struct bulk *b)
{
    const uint64_t before = b->config, policies = policies_generation(b->call.api->policies);
    if (b->view == view_number(b->q.view) && b->policies == policies)
        return;
    b->view = view_number(b->q.view);
    b->policies = policies;
    b->config = hash64(b->q.ns, strlen(b->q.ns), policies);
    b->n = 0;
    view_each_of(b->q.view, ENTITY_FLAG, b->q.ns, add_entity, b);
    view_each_of(b->q.view, ENTITY_SEGMENT, b->q.ns, add_entity, b);
    view_each_of(b->q.view, ENTITY_LAYER, b->q.ns, add_entity, b);
    if (b->config != before)
        begin_anew(b);
}

/* ---- the tag ---- */

/* The model behind the flag counts: it stands in the answer. */
static void note_served(struct bulk *b, const struct selection_answer *a)
{
    b->served = hash64(&a->served->entity.uid, sizeof(uint64_t), b->served);
}

/* As all that are done one by one: may it have taken long? */
static bool tag_one(struct bulk *b, const struct entity *e)
{
    struct selection_answer serves;
    b->timed = b->timed || flag_set_timed(b->state->flags, document_of(e));
    if (!ofrep_model(&b->call, &b->q, e->id, &serves))
        return false;
    note_served(b, &serves);
    return true;
}

/* What the answer depends on: the flags, segments, layers and policies there are, the context, the
 * models behind flags that decide for routes, and for flags that read the clock the minute. And the
 * hour: a 304 must not outlive the ticket that its client has from the last answer in full. */
static void put_tag(const struct bulk *b, char out[TAG_SIZE])
{
    size_t len;
    const char *body = request_body(b->call.rq, &len);
    const int64_t hour = ofrep_ticket_hour(b->q.at_ms);
    const int64_t minute = b->timed ? b->q.at_ms / OFREP_TIME_GRAIN : 0;
    uint64_t tag = hash64(body, len, b->config);
    tag = hash64(&b->served, sizeof b->served, tag);
    tag = hash64(&hour, sizeof hour, tag);
    tag = hash64(&minute, sizeof minute, tag);
    snprintf(out, TAG_SIZE, "\"%016" PRIx64 "\"", tag);
}

/* Weak or strong, alone or in a list, or `*`. */
static bool tag_matches(const char *header, const char *tag)
{
    return header && (strcmp(header, "*") == 0 || strstr(header, tag));
}

/* ---- the answer ---- */

static bool ask_one(struct bulk *b, const struct entity *e)
{
    struct flag_answer a;
    flag_set_ask(b->state->flags, document_of(e), &b->q, &a);
    bytes_text(&b->out, b->at ? ",{" : "{");
    if (a.reason == FLAG_NO_UNIT) {
        ofrep_put_no_unit(&b->out, e->id, &a);
    } else {
        struct selection_answer serves;
        ofrep_put_success(&b->out, e->id, &a);
        if (ofrep_model(&b->call, &b->q, e->id, &serves)) {
            note_served(b, &serves);
            ofrep_put_model(&b->out, &serves);
        }
        bytes_char(&b->out, '}');
    }
    bytes_char(&b->out, '}');
    return true;
}

static void answer(struct bulk *b, int status)
{
    char tag[TAG_SIZE];
    struct request *rq = b->call.rq;
    put_tag(b, tag);
    if (b->out.full) {
        ofrep_refuse(rq, 413, NULL, "GENERAL",
                     "the flags of this namespace are more than 16 MiB: ask for single ones");
    } else {
        request_add_header(rq, "ETag", tag);
        request_reply(rq, status, status == 304 ? NULL : OFREP_TYPE, b->out.data ? b->out.data : "",
                      b->out.len);
    }
    bulk_free(b);
}

/* All are tagged: does the client know it? Else they are asked. */
static bool is_known(struct bulk *b)
{
    char tag[TAG_SIZE];
    put_tag(b, tag);
    if (tag_matches(request_header(b->call.rq, "If-None-Match"), tag))
        return true;
    b->tagged = true;
    b->served = 0; /* again, of those who are named in the answer */
    b->at = 0;
    bytes_text(&b->out, "{\"flags\":[");
    return false;
}

/* Flag after flag while there is time; true: all. */
static bool each(struct bulk *b, bool (*fn)(struct bulk *b, const struct entity *e))
{
    for (bool look = true; b->at < b->n && !b->out.full; b->at++) {
        if (look && slices_over(b->state->slices))
            return false;
        look = fn(b, b->flags[b->at]) || b->at % 8 == 0;
    }
    return true;
}

/* The status of the answer, or 0: there is more to do. */
static int advance(struct bulk *b)
{
    if (!b->tagged && !each(b, tag_one))
        return 0;
    if (!b->tagged && is_known(b))
        return 304;
    if (!each(b, ask_one))
        return 0;
    bytes_char(&b->out, ']');
    ofrep_put_streams(&b->out, &b->call, view_seq(b->q.view));
    bytes_char(&b->out, '}');
    return 200;
}

static bool go_on(struct slice_job *job)
{
    struct bulk *b = (struct bulk *)(void *)job;
    b->q.view = view_enter(b->call.reader);
    look(b);
    const int status = advance(b);
    view_leave(b->call.reader);
    if (status)
        answer(b, status);
    else
        request_defer(b->call.rq);
    return status != 0;
}

static void give_up(struct slice_job *job)
{
    struct bulk *b = (struct bulk *)(void *)job;
    request_problem(b->call.rq, &ERR_BUSY,
                    "the policies of these flags take too long for now: ask for single ones");
    bulk_free(b);
}

static void drop(struct slice_job *job)
{
    bulk_free((struct bulk *)(void *)job);
}

/* A client that was told of a change by another node is answered when this one has it. */
static bool is_behind(struct call *c)
{
    uint64_t seq;
    if (!ofrep_told_seq(c->q.flag_config_etag, &seq) || call_seq(c) >= seq)
        return false;
    waiting_add(loop_state(request_loop(c->rq)), c->rq, seq);
    return true;
}

void ofrep_bulk(struct request *rq)
{
    struct call c;
    if (!call_begin(rq, ONE_NAMESPACE, &c) || is_behind(&c))
        return;
    json_t *context = ofrep_context(rq, NULL);
    if (!context)
        return;
    struct loop_state *s = loop_state(request_loop(rq));
    struct bulk *b = mem_zero(1, sizeof *b);
    const int64_t now_ms = clock_wall_ms(c.api->clock);
    b->job = (struct slice_job){.go_on = go_on, .give_up = give_up, .drop = drop};
    b->call = c;
    b->state = s;
    b->grants = c.access->grants;
    b->context = context;
    b->q =
        (struct flag_question){.ns = c.ns, .context = context, .at_ms = now_ms, .now_ms = now_ms};
    bytes_init(&b->out, OFREP_ANSWER_MAX);
    slices_begin(s->slices, &b->job);
}
