/* Taking in records: the path that this server exists for.
 *
 * The body is scanned as it arrives, piece by piece, so it is never held in memory; what is kept is
 * the batch in its compact form. When the body has ended and is good, the batch goes to the log
 * writer, and the 202 is sent when it is on disk. An `ingest` is one such passage: it has the
 * scanner, the list of faults and the write, and is used again for the loop's next request. */
#include "api/inference.h"

#include "api/call.h"
#include "api/handlers.h"
#include "api/keys.h"
#include "api/loop_state.h"
#include "api/named.h"
#include "api/resolved.h"
#include "selection/experiment_evidence.h"
#include "selection/selector.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define KEPT       64         /* ingests a loop keeps for reuse */
#define KEPT_BYTES (8u << 20) /* a scanner that grew beyond this is not kept */

struct ingest {
    struct telemetry_write write; /* first: the writer and the loop know it by its mail */
    struct ingest *next;          /* while it is not in use */
    struct request *rq;
    struct loop *loop;
    struct loop_state *state;
    struct call *call;
    struct batch *batch;
    struct faults faults;
    const struct view *view; /* while feeding */
    struct named named;      /* likewise */
    struct body_hash *hash;  /* with an Idempotency-Key only */
    bool skip_invalid,
        dead; /* dead: there is nothing more to scan, the rest of the body is ignored */
    struct bytes answer;
};

static struct ingest *ingest_take(struct loop_state *s)
{
    struct ingest *in = s->ingests;
    if (in) {
        s->ingests = in->next;
        s->n_ingests--;
        return in;
    }
    in = mem_zero(1, sizeof *in);
    in->batch = batch_new();
    in->state = s;
    bytes_init(&in->answer, 1 << 20);
    return in;
}

static void ingest_free(struct ingest *in)
{
    batch_free(in->batch);
    bytes_release(&in->answer);
    free(in);
}

static void ingest_drop(struct ingest *in)
{
    struct loop_state *s = in->state;
    in->rq = NULL;
    if (s->n_ingests == KEPT || batch_bytes(in->batch) > KEPT_BYTES) {
        ingest_free(in);
        return;
    }
    in->next = s->ingests;
    s->ingests = in;
    s->n_ingests++;
}

void ingests_free(struct loop_state *s)
{
    for (struct ingest *in = s->ingests, *next; in; in = next) {
        next = in->next;
        ingest_free(in);
    }
    s->ingests = NULL;
}

static void refuse(struct ingest *in, const struct err *e)
{
    request_fail(in->rq, e);
    ingest_drop(in);
}

static void accept(struct ingest *in)
{
    request_reply(in->rq, 202, NULL, in->answer.data, in->answer.len);
    ingest_drop(in);
}

/* What experiments run is told of the records that were theirs, now that they are on disk. */
static void tell_experiments(const struct ingest *in)
{
    struct experiment_evidence *e = in->call->api->evidence;
    const size_t n = batch_decided_count(in->batch);
    for (size_t i = 0; i < n; i++) {
        const struct batch_decided d = batch_decided_at(in->batch, i);
        const struct evidence_request r = {.decision = {.flags = DECISION_DRAWN,
                                                        .reason = SELECTION_EXPERIMENT,
                                                        .at_ms = d.decision.at_ms,
                                                        .propensity = d.decision.propensity,
                                                        .route_uid = d.decision.route_uid,
                                                        .served_uid = d.decision.model_uid,
                                                        .arm = d.decision.arm},
                                           .latency_ms = d.latency_ms,
                                           .failure = d.failure};
        evidence_request(e, &r);
        for (size_t k = 0; k < d.scores; k++) {
            const char *name;
            size_t len;
            const double value = batch_decided_score(in->batch, i, k, &name, &len);
            evidence_score(e, &r.decision, name, len, value);
        }
    }
}

/* [loop] The batch is on disk, or could not be written. */
static void written(struct mail *mail)
{
    struct ingest *in = (struct ingest *)(void *)mail;
    if (in->write.ok) {
        tell_experiments(in);
        accept(in);
    } else {
        refuse(in, &in->write.err);
    }
}

/* [log writer] */
static void write_done(struct telemetry_write *write)
{
    struct ingest *in = (struct ingest *)(void *)write;
    write->mail.run = written;
    loop_post_answer(in->loop, &write->mail);
}

static void render_answer(struct ingest *in)
{
    struct bytes *b = &in->answer;
    bytes_clear(b);
    bytes_text(b, "{\"accepted\":");
    bytes_uint(b, batch_accepted(in->batch));
    if (in->skip_invalid) {
        json_kv_int(b, "rejected", (int64_t)batch_rejected(in->batch));
        bytes_char(b, ',');
        struct err e = {0};
        if (in->faults.total)
            faults_fail(&in->faults, &e);
        bytes_text(b, e.members ? e.members : "\"errors\":[]");
    }
    bytes_char(b, '}');
}

/* Have the key and its answer kept on disk together with the records. */
static void keep_key(struct ingest *in, const struct asked_key *key)
{
    struct telemetry_write *w = &in->write;
    w->key = key->scoped;
    w->key_value = NULL;
    w->key_value_len = 0;
    if (!key->scoped)
        return;
    const struct kept_answer answer = {.status = 202,
                                       .headers = "",
                                       .type = "application/json; charset=utf-8",
                                       .body = in->answer.data,
                                       .body_len = in->answer.len};
    struct bytes value = BYTES_INIT(2 << 20);
    kept_answer_encode(&answer, key->body_hash, &value);
    w->key_value = arena_copy(in->call->arena, value.data, value.len);
    w->key_value_len = value.len;
    w->key_expires_ms = key->expires_ms;
    bytes_release(&value);
}

static void enter(struct ingest *in)
{
    in->view = view_enter(in->state->reader);
    in->named = (struct named){.view = in->view, .ns = in->call->ns};
}

static void ended(struct request *rq)
{
    struct ingest *in = request_data(rq);
    struct asked_key key = {0};
    struct err e;
    if (in->hash && !keys_begin(in->call, body_hash_end(in->hash), KEEP_RECORDS_MS, &key)) {
        ingest_drop(in);
        return;
    }
    enter(in);
    bool good = batch_end(in->batch, &e);
    view_leave(in->state->reader);
    if (!good) {
        refuse(in, &e);
        return;
    }
    render_answer(in);
    if (batch_accepted(in->batch) == 0) {
        accept(in);
        return;
    }
    keep_key(in, &key);
    request_defer(rq);
    in->write.batch = in->batch;
    in->write.done = write_done;
    if (!telemetry_append(in->call->api->telemetry, &in->write, &e))
        refuse(in, &e);
}

static void piece(struct request *rq, const char *data, size_t len)
{
    struct ingest *in = request_data(rq);
    if (in->hash)
        body_hash_add(in->hash, data, len);
    if (in->dead)
        return;
    enter(in);
    in->dead = !batch_feed(in->batch, data, len);
    view_leave(in->state->reader);
}

static void gone(struct request *rq)
{
    ingest_drop(request_data(rq));
}

static uint64_t resolve(void *ctx, const char *model_id, size_t len)
{
    const struct ingest *in = ctx;
    return resolved_uid(in->state->resolved, in->view, in->call->access, model_id, len);
}

/* A decision that is none of ours named nobody. Experiments are told of what they drew and the
 * drawn model served. */
static void decision(void *ctx, const char *id, size_t len, uint64_t uid,
                     struct batch_decision *out)
{
    struct ingest *in = ctx;
    const struct api *api = in->call->api;
    struct decision_facts f;
    if (decision_id_read(api->selection->keys, id, len, &f) != DECISION_GOOD)
        return;
    const bool shadow = f.served_uid != uid && named_shadow(&in->named, &f, uid);
    if (shadow)
        named_report(&in->named, in->state->selections);
    out->named = f.served_uid == uid || shadow;
    out->concerns = f.served_uid == uid && f.reason == SELECTION_EXPERIMENT &&
                    f.flags & DECISION_DRAWN && !(f.flags & DECISION_FALLBACK) &&
                    evidence_wanted(api->evidence);
    out->route_uid = f.route_uid;
    out->model_uid = f.served_uid;
    out->arm = f.arm;
    out->propensity = f.propensity;
    out->at_ms = f.at_ms;
}

static void start(struct call *made, uint64_t uid, const char *model_id)
{
    struct request *rq = made->rq;
    struct loop_state *state = loop_state(request_loop(rq));
    struct ingest *in = ingest_take(state);
    in->call = arena_zero(made->arena, sizeof *in->call);
    *in->call = *made;
    in->rq = rq;
    in->loop = request_loop(rq);
    in->dead = false;
    in->skip_invalid = made->q.on_invalid && strcmp(made->q.on_invalid, "skip") == 0;
    in->hash = NULL;
    if (keys_asked(rq)) {
        in->hash = arena_zero(made->arena, sizeof *in->hash);
        body_hash_start(in->hash);
    }
    faults_init(&in->faults, made->arena);
    int64_t now = clock_wall_ms(made->api->clock);
    const struct batch_config config = {
        .format =
            strcmp(request_media_type(rq), "application/x-ndjson") == 0 ? BATCH_NDJSON : BATCH_JSON,
        .uid = uid,
        .model_id = model_id,
        .resolve = resolve,
        .decision = decision,
        .ctx = in,
        .now_ms = now,
        .oldest_ms = now - telemetry_retention_ms(made->api->telemetry),
        .skip_invalid = in->skip_invalid,
    };
    batch_start(in->batch, &config, &in->faults);
    request_set_data(rq, in);
    request_read_body(rq, piece, ended, gone);
}

void inference_of_model_post(struct request *rq)
{
    struct call c;
    struct err e;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    const struct model *m =
        view_resolve(view_enter(c.reader), c.ns, request_param(rq, "model_id"), &e);
    const char *model_id = m ? arena_text(c.arena, m->entity.id) : NULL;
    uint64_t uid = m ? m->entity.uid : 0;
    view_leave(c.reader);
    if (model_id)
        start(&c, uid, model_id);
    else
        request_fail(rq, &e);
}

void inference_post(struct request *rq)
{
    struct call c;
    if (call_begin(rq, ONE_NAMESPACE, &c))
        start(&c, 0, NULL);
}
