/* Lua policies: what there is in a namespace, files and stored ones. */
#include "api/handlers.h"
#include "api/items.h"
#include "api/work.h"
#include "base/json.h"
#include "extend/policy_set.h"
#include "registry/errors.h"
#include "registry/flag.h"
#include "registry/stored_policy.h"

#include <stdlib.h>
#include <string.h>

#define USERS_MAX 100

/* ---- one ---- */

static void put_policy(struct bytes *b, const struct policy_info *p, const char *ns)
{
    json_kv_string(b, "kind", policy_kind_name(p->kind));
    json_kv_string(b, "name", p->name);
    json_kv_string(b, "namespace", p->stored ? ns : NULL);
    json_kv_string(b, "summary", p->summary);
    json_kv_string(b, "origin", p->stored ? "stored" : "file");
    json_kv_string(b, "path", p->path);
    json_key(b, "version");
    if (p->stored)
        bytes_int(b, p->version);
    else
        bytes_text(b, "null");
    json_kv_string(b, "sha256", p->hash);
    json_kv_raw(b, "params", p->params_json ? p->params_json : "[]");
    json_kv_string(b, "status", policy_status_name(p->status));
    json_kv_time(b, "loaded_at", p->loaded_at);
    json_kv_string(b, "last_error", p->last_error);
    json_kv_time(b, "last_error_at", p->last_error ? p->last_error_at : 0);
    json_kv_int(b, "calls", (int64_t)p->calls);
    json_kv_int(b, "errors", (int64_t)p->errors);
    json_kv_number(b, "p99_us", p->p99_us);
}

/* ---- who uses it ---- */

struct users {
    struct bytes *out;
    const char *name, *label; /* label: `"severity_policy":"NAME"` */
    int64_t version;          /* 0: whichever serves */
    uint64_t n;
};

static void put_user(struct users *u, const char *kind, const char *id)
{
    if (u->n++ >= USERS_MAX)
        return;
    bytes_text(u->out, u->n > 1 ? ",{" : "{");
    json_kv_string(u->out, "kind", kind);
    json_kv_string(u->out, "id", id);
    bytes_char(u->out, '}');
}

static bool note_flag(const struct entity *e, void *ctx)
{
    struct users *u = ctx;
    const struct flag *f = flag_of(document_of(e));
    if (f->policy && strcmp(f->policy, u->name) == 0 &&
        (f->policy_version == u->version || (!u->version && f->policy_version == INT64_MIN)))
        put_user(u, "flag", e->id);
    return true;
}

/* Canonical text: a quote inside a text is escaped, so this stands only where it is a member. */
static bool note_name(const struct entity *e, void *ctx)
{
    struct users *u = ctx;
    if (strstr(e->json, u->label))
        put_user(u, "registered_model", e->id);
    return true;
}

static void put_users(struct work *w, const struct policy_ref *ref, bool serves)
{
    struct users u = {.out = &w->out, .name = ref->name, .version = ref->version};
    u.label = arena_printf(w->arena, "\"severity_policy\":\"%s\"", ref->name);
    json_key(&w->out, "used_by");
    bytes_char(&w->out, '[');
    const struct view *v = view_enter(w->reader);
    if (ref->kind == POLICY_ROLLOUT) {
        view_each_of(v, ENTITY_FLAG, w->ns, note_flag, &u);
        u.version = 0;
        if (ref->version && serves)
            view_each_of(v, ENTITY_FLAG, w->ns, note_flag, &u);
    } else if (serves) {
        view_each_of(v, ENTITY_REGISTERED_MODEL, w->ns, note_name, &u);
    }
    view_leave(w->reader);
    bytes_char(&w->out, ']');
    json_kv_int(&w->out, "used_by_total", (int64_t)u.n);
}

/* The version that serves and the revision of what says so, 0 and 0 if none is stored. */
static int64_t serving(struct work *w, const struct policy_ref *ref, int64_t *revision)
{
    const struct view *v = view_enter(w->reader);
    const struct stored_policy *p =
        view_stored_policy(v, w->ns, policy_kind_name(ref->kind), ref->name);
    int64_t version = p ? p->version : 0;
    *revision = p ? p->head.revision : 0;
    view_leave(w->reader);
    return version;
}

static bool render_one(struct work *w)
{
    const struct policy_ref *asked = w->args;
    struct policy_info info;
    struct policy_ref ref = *asked;
    int64_t revision, version = serving(w, &ref, &revision);
    ref.ns = strcmp(w->ns, "*") == 0 ? NULL : w->ns;
    if (!policies_info(w->api->policies, &ref, w->arena, &info))
        return ref.version
                   ? fail(&w->err, &POLICY_VERSION_NOT_FOUND, "version %lld of '%.64s' is not kept",
                          (long long)ref.version, ref.name)
                   : fail(&w->err, &ERR_POLICY_NOT_FOUND, "no policy '%s/%.64s'",
                          policy_kind_name(ref.kind), ref.name);
    ref.version = info.version;
    bytes_char(&w->out, '{');
    put_policy(&w->out, &info, w->ns);
    json_key(&w->out, "revision");
    if (revision)
        bytes_int(&w->out, revision);
    else
        bytes_text(&w->out, "null");
    put_users(w, &ref, info.version == version);
    json_kv_string(&w->out, "source", info.source);
    bytes_char(&w->out, '}');
    return true;
}

static struct policy_ref *policy_of_path(struct call *c)
{
    struct policy_ref *ref = arena_zero(c->arena, sizeof *ref);
    const char *kind = request_param(c->rq, "kind");
    ref->name = request_param(c->rq, "name");
    ref->version = c->q.policy_version;
    if (policy_kind_parse(kind, &ref->kind))
        return ref;
    request_problem(c->rq, &ERR_POLICY_NOT_FOUND, "no policy '%.64s/%.64s'", kind, ref->name);
    return NULL;
}

void policy_get(struct request *rq)
{
    struct call c;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    struct policy_ref *ref = policy_of_path(&c);
    if (!ref)
        return;
    const struct view *v = view_enter(c.reader);
    size_t n = view_count(v, ref->kind == POLICY_ROLLOUT ? ENTITY_FLAG : ENTITY_REGISTERED_MODEL);
    view_leave(c.reader);
    work_answer(&c, n > c.api->list_on_loop_max, render_one, ref);
}

/* ---- all ---- */

struct policies_page {
    struct items_page page;
    const char *only; /* a kind; NULL: all */
};

struct listing {
    struct work *w;
    enum policy_kind kind;
    struct items_page page;
    struct items_heap heap; /* policy_refs; ns NULL: a file */
};

static void list_add(struct listing *l, const char *ns, const char *name)
{
    struct arena *a = l->w->arena;
    struct policy_ref *ref = arena_zero(a, sizeof *ref);
    const char *key = items_page_by(&l->page, "kind")
                          ? arena_printf(a, "%d\t%s\t%s", (int)l->kind, name, ns ? ns : "")
                          : arena_printf(a, "%s\t%d\t%s", name, (int)l->kind, ns ? ns : "");
    *ref = (struct policy_ref){l->kind, ns, name, 0};
    items_note(&l->heap, a, key, ref);
}

static bool may_read(const struct work *w, const char *ns, const char *name)
{
    return !w->grants || grants_allow(w->grants, ns, name, ACTION_BIT(ACTION_READ));
}

static bool note_stored(const struct entity *e, void *ctx)
{
    struct listing *l = ctx;
    const struct stored_policy *p = stored_policy_of(document_of(e));
    if (p->version && strcmp(p->kind, policy_kind_name(l->kind)) == 0 &&
        may_read(l->w, e->ns, p->name))
        list_add(l, arena_text(l->w->arena, e->ns), arena_text(l->w->arena, p->name));
    return true;
}

/* Is there a stored policy of the kind and name among the first `stored`? */
static bool covered(const struct listing *l, size_t stored, const char *name)
{
    for (size_t i = 0; i < stored; i++) {
        const struct policy_ref *ref = l->heap.list[i].of;
        if (ref->kind == l->kind && strcmp(ref->name, name) == 0)
            return true;
    }
    return false;
}

/* Files, and what is stored in the namespace; with `*`, what is stored in any. */
static void note_kind(struct listing *l, enum policy_kind kind)
{
    struct work *w = l->w;
    bool all = strcmp(w->ns, "*") == 0;
    l->kind = kind;
    if (all)
        view_each(view_enter(w->reader), ENTITY_POLICY, note_stored, l);
    else
        view_each_of(view_enter(w->reader), ENTITY_POLICY, w->ns, note_stored, l);
    view_leave(w->reader);
    size_t stored = l->heap.n;
    const char *const *files = policies_files(w->api->policies, kind, w->arena);
    for (size_t i = 0; files[i]; i++)
        if (may_read(w, w->ns, files[i]) && (all || !covered(l, stored, files[i])))
            list_add(l, NULL, files[i]);
}

static void put_listed(struct bytes *out, const void *of, void *ctx)
{
    struct work *w = ctx;
    const struct policy_ref *ref = of;
    struct policy_info info;
    struct bytes item = BYTES_INIT(REPLY_MAX);
    if (policies_info(w->api->policies, ref, w->arena, &info)) {
        bytes_char(&item, '{');
        put_policy(&item, &info, ref->ns);
        bytes_char(&item, '}');
        items_add(out, item.data, item.len);
    }
    bytes_release(&item);
}

static bool render_list(struct work *w)
{
    const struct policies_page *asked = w->args;
    struct listing l = {.w = w, .page = asked->page};
    for (int kind = 0; kind < POLICY_KIND_COUNT; kind++)
        if (!asked->only || strcmp(asked->only, policy_kind_name((enum policy_kind)kind)) == 0)
            note_kind(&l, (enum policy_kind)kind);
    items_begin(&w->out);
    items_give(&l.heap, &l.page, &w->out, put_listed, w);
    items_page_end(&w->out, &l.page, w->arena);
    return true;
}

void policies_list(struct request *rq)
{
    struct call c;
    struct err e;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    struct policies_page *asked = arena_zero(c.arena, sizeof *asked);
    asked->only = c.q.policy_kind;
    if (!items_page_open(&asked->page, &c.q, "policies", "kind", c.arena, &e)) {
        request_fail(rq, &e);
        return;
    }
    const struct view *v = view_enter(c.reader);
    size_t n = view_count(v, ENTITY_POLICY);
    view_leave(c.reader);
    work_answer(&c, n > c.api->list_on_loop_max, render_list, asked);
}

/* ---- versions ---- */

struct versions {
    struct work *w;
    struct items_heap heap; /* policy_versions of the view */
    int64_t serving;
};

static void put_version(struct bytes *out, const void *of, void *ctx)
{
    const struct versions *l = ctx;
    struct work *w = l->w;
    const struct policy_version *p = of;
    struct policy_ref ref = {.ns = w->ns, .name = p->name, .version = p->version};
    struct policy_info info;
    struct bytes item = BYTES_INIT(REPLY_MAX);
    if (!policy_kind_parse(p->kind, &ref.kind) ||
        !policies_info(w->api->policies, &ref, w->arena, &info))
        return;
    bytes_char(&item, '{');
    json_kv_int(&item, "version", p->version);
    json_kv_bool(&item, "serving", p->version == l->serving);
    json_kv_string(&item, "sha256", p->sha256);
    json_kv_string(&item, "summary", p->summary);
    json_kv_time(&item, "created_at", p->head.created_at);
    json_kv_raw(&item, "created_by", p->created_by);
    json_kv_string(&item, "reason", p->reason);
    json_kv_string(&item, "status", policy_status_name(info.status));
    json_kv_string(&item, "last_error", info.last_error);
    json_kv_int(&item, "calls", (int64_t)info.calls);
    json_kv_int(&item, "errors", (int64_t)info.errors);
    json_kv_number(&item, "p99_us", info.p99_us);
    bytes_char(&item, '}');
    items_add(out, item.data, item.len);
    bytes_release(&item);
}

static bool note_version(const struct policy_version *p, void *ctx)
{
    struct versions *l = ctx;
    items_note(&l->heap, l->w->arena, items_number(l->w->arena, p->version), p);
    return true;
}

struct versions_asked {
    const struct policy_ref *ref;
    struct items_page page;
};

static bool render_versions(struct work *w)
{
    const struct versions_asked *asked = w->args;
    const struct policy_ref *ref = asked->ref;
    const char *kind = policy_kind_name(ref->kind);
    struct items_page page = asked->page;
    struct versions l = {.w = w};
    const struct view *v = view_enter(w->reader);
    const struct stored_policy *p = view_stored_policy(v, w->ns, kind, ref->name);
    bool known = p != NULL;
    if (known) {
        l.serving = p->version;
        view_policy_versions(v, w->ns, kind, ref->name, note_version, &l);
        items_begin(&w->out);
        items_give(&l.heap, &page, &w->out, put_version, &l);
        items_page_end(&w->out, &page, w->arena);
    }
    view_leave(w->reader);
    return known || fail(&w->err, &STORED_POLICY_NOT_FOUND, "no policy '%s/%.64s' was ever stored",
                         kind, ref->name);
}

void policy_versions(struct request *rq)
{
    struct call c;
    struct err e;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct versions_asked *asked = arena_zero(c.arena, sizeof *asked);
    asked->ref = policy_of_path(&c);
    if (!asked->ref)
        return;
    if (items_page_open(&asked->page, &c.q, "policy versions", "version", c.arena, &e))
        work_answer(&c, false, render_versions, asked);
    else
        request_fail(rq, &e);
}
