#include "registry/command.h"

#include <stdlib.h>
#include <string.h>

const char *const JOURNAL_ACTIONS[] = {
    "model.registered",       /* a version came */
    "model.updated",          /* its editable fields changed */
    "model.promoted",         /* to canary or stable, the return of a former stable included */
    "model.demoted",          /* canary back to development */
    "model.deprecated",       /* taken out of service */
    "model.superseded",       /* deprecated because another version became stable */
    "model.retired",          /* for ever */
    "model.rolled_back",      /* made stable again by a rollback */
    "model.rolled_back_from", /* deprecated and held by a rollback */
    "model.held",             /* kept from promotion */
    "model.released",         /* its hold was lifted */
    "model.aliases_changed",  /* it won or lost an alias */
    "model.renamed",          /* its registered model has a new name */
    "model.deleted",          /* with its history */
    "gate.forced",            /* promoted past its gate; evidence holds what the gate said */
    "registered_model.registered",
    "registered_model.updated", /* its fields, or its counters and stables after a version changed
                                 */
    "registered_model.renamed", /* two entries: the old name goes, the new one comes */
    "registered_model.deleted",
    "alias.set",
    "alias.moved",
    "alias.removed",
    "health.changed",
    "health.removed", /* with its model */
    "circuit.opened", /* selections pass the model over; evidence tells the records */
    "circuit.probed", /* a hundredth of the units get it again */
    "circuit.closed", /* all get it again */
    "auth.denied",    /* somebody was refused, once or often; `cases` tells the newest */
    "token.created",
    "token.updated",
    "token.deleted", /* revoked: from then on it opens nothing */
    "dataset.created",
    "dataset.updated",
    "dataset.deleted",
    "test_case.created",
    "test_case.updated", /* its fields, or its name was renamed */
    "test_case.deleted",
    "alert.opened",   /* a new one, or one that got worse */
    "alert.repeated", /* the same again */
    "alert.acknowledged",
    "alert.resolved", /* its cause is gone */
    "alert.removed",  /* a resolved one, when its cause came back as a new alert */
    "webhook.created",
    "webhook.updated",
    "webhook.deleted",
    "flag.created",
    "flag.updated",
    "flag.deleted",
    "flag.rolled_back", /* to an earlier version */
    "layer.created",
    "layer.updated",
    "layer.deleted",
    "segment.created",
    "segment.updated",
    "segment.deleted",
    "policy.stored",      /* a version */
    "policy.forgotten",   /* a version that nobody needs any more */
    "policy.installed",   /* a fresh version serves */
    "policy.rolled_back", /* an earlier version serves */
    "policy.uncovered",   /* the file serves */
    "route.created",      /* or changed for the first time, that of a name */
    "route.updated",
    "route.renamed", /* with its registered model; two entries, as there */
    "route.deleted", /* that of a name is as at first again */
    "experiment.created",
    "experiment.updated",
    "experiment.deleted",
    "experiment.started",
    "experiment.paused", /* by a person, or since traffic is missing or split wrongly */
    "experiment.resumed",
    "experiment.advanced",
    "experiment.waits_for_gate", /* shown not to be worse, but the gate refuses */
    "experiment.promoted",
    "experiment.succeeded",             /* shown not to be worse, and nothing was to become of it */
    "experiment.treatment_rolled_back", /* taken out; the others go on */
    "experiment.rolled_back",
    "experiment.inconclusive",
    "experiment.stopped",
    "validation.finished",   /* a run ended; evidence names it */
    "validation.regression", /* it found a regression */
    "validation.removed",    /* with its model */
    "baseline.pinned",
    "baseline.unpinned", /* by hand, or with its model */
    "nightly.started",
    "nightly.finished",
    "nightly.forgotten", /* after 400 days */
    NULL,
};

void changes_put(struct changes *ch, struct arena *a, const char *action,
                 const struct entity *before, struct entity *after, const char *evidence)
{
    if (ch->n >= CHANGES_MAX)
        abort(); /* a decision forgot to bound its set */
    if (ch->n == ch->cap) {
        size_t cap = ch->cap ? ch->cap * 2 : 8;
        struct change *list = arena_zero(a, cap * sizeof *list);
        if (ch->n)
            memcpy(list, ch->list, ch->n * sizeof *list);
        ch->list = list;
        ch->cap = cap;
    }
    ch->list[ch->n++] =
        (struct change){.action = action, .before = before, .after = after, .evidence = evidence};
}

void changes_discard(struct changes *ch)
{
    for (size_t i = 0; i < ch->n; i++)
        entity_free(ch->list[i].after);
    ch->n = 0;
}
