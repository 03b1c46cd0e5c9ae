/* exposition: the parts of /metrics. Room: api. Threads: reader threads. */
#ifndef PADDOCK_API_EXPOSITION_H
#define PADDOCK_API_EXPOSITION_H

#include "api/text_format.h"
#include "api/work.h"

/* The server's own families. */
void exposition_put_server(struct text_format *t, struct api *api);
/* Of selection, as far as whoever scrapes may read. */
void exposition_put_selection(struct text_format *t, struct work *w);
void exposition_put_process(struct text_format *t, const struct api *api);
/* A family per figure of the models, by api->metrics_detail. */
void exposition_put_models(struct text_format *t, struct work *w);

#endif
