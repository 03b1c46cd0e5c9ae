#include "selection/selector.h"

#include "base/json.h"

void selection_put_why(struct bytes *b, const struct selection_answer *a)
{
    json_kv_string(b, "reason", selection_reason_name(a->reason));
    json_kv_string(b, "variant", a->variant);
    json_kv_string(b, "strategy", a->strategy);
    json_kv_number(b, "propensity", a->propensity);
    json_kv_string(b, "intended_model_id", a->intended ? a->intended->entity.id : NULL);
    json_kv_bool(b, "fallback", a->served != a->intended);
    json_kv_string(b, "fallback_cause", a->cause);
}
