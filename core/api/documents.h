/* documents: the operations that all kinds of document share. Room: api. Threads: [loop].
 *
 * The route's `data` is the document_type; its path parameter is called as the type's id. */
#ifndef PADDOCK_API_DOCUMENTS_H
#define PADDOCK_API_DOCUMENTS_H

struct request;

/* Query parameters of the route that have the name of one of the type's fields are filters. */
void document_list(struct request *rq);
void document_get(struct request *rq);
void document_post(struct request *rq);
void document_put_one(struct request *rq);
void document_change(struct request *rq);
void document_remove(struct request *rq);
/* Decisions of a kind's own on the one of the path. */
void alert_acknowledge_post(struct request *rq);
void experiment_start_post(struct request *rq);
void experiment_pause_post(struct request *rq);
void experiment_stop_post(struct request *rq);
void experiment_rollback_post(struct request *rq);
void experiment_promote_post(struct request *rq);

#endif
