#include "registry/entity.h"

#include "registry/document.h"
#include "registry/health.h"
#include "registry/model.h"
#include "registry/registered_model.h"

#include <stdlib.h>
#include <string.h>

const struct entity_type ENTITY_TYPES[ENTITY_KIND_COUNT] = {
    [ENTITY_MODEL] = {"model", model_parse},
    [ENTITY_REGISTERED_MODEL] = {"registered_model", registered_model_parse},
    [ENTITY_HEALTH] = {"health", health_parse},
    [ENTITY_DATASET] = {"dataset", NULL},
    [ENTITY_TEST_CASE] = {"test_case", NULL},
    [ENTITY_TOKEN] = {"token", NULL},
    [ENTITY_DENIAL] = {"denial", NULL},
    [ENTITY_ALERT] = {"alert", NULL},
    [ENTITY_WEBHOOK] = {"webhook", NULL},
    [ENTITY_FLAG] = {"flag", NULL},
    [ENTITY_SEGMENT] = {"segment", NULL},
    [ENTITY_LAYER] = {"layer", NULL},
    [ENTITY_POLICY] = {"policy", NULL},
    [ENTITY_POLICY_VERSION] = {"policy_version", NULL},
    [ENTITY_ROUTE] = {"route", NULL},
    [ENTITY_EXPERIMENT] = {"experiment", NULL},
    [ENTITY_VALIDATION] = {"validation", NULL},
    [ENTITY_REGRESSION] = {"regression", NULL},
    [ENTITY_BASELINE] = {"baseline", NULL},
    [ENTITY_NIGHTLY] = {"nightly", NULL},
};

struct entity *entity_parse(enum entity_kind kind, const struct entity_source *from,
                            struct intern *names, struct err *e)
{
    if (DOCUMENT_TYPES[kind])
        return document_parse(DOCUMENT_TYPES[kind], from, names, e);
    return ENTITY_TYPES[kind].parse(from->ns, from->id, from->uid, from->value, from->len, names,
                                    e);
}

int entity_kind_of(const char *name)
{
    for (int i = 0; i < ENTITY_KIND_COUNT; i++)
        if (strcmp(ENTITY_TYPES[i].name, name) == 0)
            return i;
    return -1;
}

void entity_free(void *entity)
{
    free(entity); /* one block: the struct, its texts and its json */
}
