/* state: all entities, as the engine's mutable head and as the immutable views that readers hold.
 * Room: registry. Threads: `struct state` [engine]; `struct view` immutable, [any] inside an epoch.
 *
 * Indexes are sorted arrays in chunks, copied on write: a change copies one chunk and the array of
 * chunks, a view is a handful of pointers, and publishing costs nothing that grows with the number
 * of models but that array. What a new view no longer reaches is retired through the caller. */
#ifndef PADDOCK_REGISTRY_STATE_H
#define PADDOCK_REGISTRY_STATE_H

#include "registry/entity.h"
#include "registry/model.h"
#include "registry/registered_model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state;
struct view;

/* `retire(ctx, object, destroy)` is called for what was replaced, when the view that replaces it is
 * published (engine: epoch_retire). */
struct state *state_new(void (*retire)(void *ctx, void *object, void (*destroy)(void *)),
                        void *ctx);
/* Frees the head and everything it holds (views must be gone). */
void state_free(struct state *s);

/* Put `after` (taking it over), or remove `before` when `after` is NULL. `before` is what the state
 * holds now under that key, or NULL. */
void state_apply(struct state *s, const struct entity *before, struct entity *after);
/* Freeze the head as the new view and return it; the old one is retired. `seq` is the journal's. */
const struct view *state_publish(struct state *s, uint64_t seq);
/* Throw away what was applied since the last publish (the commit failed). */
void state_revert(struct state *s);
/* The head as a view, for decisions: valid until the next apply, publish or revert. */
const struct view *state_head(const struct state *s);
/* Shared strings of this state. */
struct intern *state_names(struct state *s);

/* --- reading a view --- */
uint64_t view_seq(const struct view *v);
/* Which view it is: no other of this process has it. After a loss a state is loaded anew, and its
 * journal may be as long as the one before: who keeps what a view said goes by this. */
uint64_t view_number(const struct view *v);
const struct entity *view_get(const struct view *v, enum entity_kind kind, const char *ns,
                              const char *id);
/* The registered model that an entity belongs to, by its name; NULL: to none, or it is gone. */
const char *view_name_of(const struct view *v, const struct entity *e);
/* The same for grants: where it belongs to none, its own id. */
const char *view_owner(const struct view *v, const struct entity *e);
const struct model *view_model(const struct view *v, const char *ns, const char *model_id);
const struct registered_model *view_registered_model(const struct view *v, const char *ns,
                                                     const char *name);
size_t view_count(const struct view *v, enum entity_kind kind); /* all namespaces */
/* Versions of a name, oldest first: calls `fn` for each until it returns false. */
void view_versions(const struct view *v, const char *ns, const char *name,
                   bool (*fn)(const struct model *m, void *ctx), void *ctx);
/* The same, newest first. */
void view_versions_back(const struct view *v, const char *ns, const char *name,
                        bool (*fn)(const struct model *m, void *ctx), void *ctx);
/* The model of a name with exactly this version, or NULL. */
const struct model *view_version(const struct view *v, const char *ns, const char *name,
                                 const char *version);
/* Every entity of a kind in key order (namespace, id). */
void view_each(const struct view *v, enum entity_kind kind,
               bool (*fn)(const struct entity *e, void *ctx), void *ctx);

/* The same within one namespace, which is a search away from all before it. */
void view_each_of(const struct view *v, enum entity_kind kind, const char *ns,
                  bool (*fn)(const struct entity *e, void *ctx), void *ctx);

/* The models of a namespace that are stable or canary, in the order of their ids: few, where all
 * that ever was is kept. */
void view_each_serving(const struct view *v, const char *ns,
                       bool (*fn)(const struct entity *e, void *ctx), void *ctx);

/* The same from the first id that is not before `id` on. */
void view_each_from(const struct view *v, enum entity_kind kind, const char *ns, const char *id,
                    bool (*fn)(const struct entity *e, void *ctx), void *ctx);

/* The one of this incarnation, or NULL. A model's health has the incarnation of the model. */
const struct entity *view_by_uid(const struct view *v, enum entity_kind kind, uint64_t uid);
/* The same, unless it is in another namespace. */
const struct entity *view_by_uid_of(const struct view *v, enum entity_kind kind, const char *ns,
                                    uint64_t uid);

/* A model id, or `name@alias` with a built-in (@stable @canary @previous @latest) or a set alias.
 * NULL and MODEL_NOT_FOUND / ALIAS_NOT_FOUND in `e` when it leads nowhere. */
const struct model *view_resolve(const struct view *v, const char *ns, const char *reference,
                                 struct err *e);

#endif
