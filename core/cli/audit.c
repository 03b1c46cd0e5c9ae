#include "cli/cli.h"

#include "cli/place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FAULTS_SHOWN 100

static void show_fault(void *ctx, const char *fault)
{
    unsigned *shown = ctx;
    if ((*shown)++ < FAULTS_SHOWN)
        printf("FAULT %s\n", fault);
}

static int verify(const struct place_args *place)
{
    struct err e = {0};
    struct store *s = place_look(place, &e);
    if (!s) {
        fprintf(stderr, "paddock audit verify: %s\n", e.detail);
        return 1;
    }
    struct verify_report report;
    unsigned shown = 0;
    bool read = store_verify(s, show_fault, &shown, &report, &e);
    s->ops->close(s);
    if (!read) {
        fprintf(stderr, "paddock audit verify: %s\n", e.detail);
        return 1;
    }
    if (shown > FAULTS_SHOWN)
        printf("... and %u more\n", shown - FAULTS_SHOWN);
    printf("%s: %" PRIu64 " entries in %" PRIu64 " chains, %" PRIu64 " entities, %" PRIu64
           " faults\n",
           report.faults ? "BROKEN" : "OK", report.entries, report.namespaces, report.entities,
           report.faults);
    return report.faults ? 1 : 0;
}

int cli_audit(int argc, char **argv)
{
    struct place_args place;
    place_defaults(&place);
    bool usable = argc >= 1 && strcmp(argv[0], "verify") == 0;
    for (int i = 1; usable && i < argc; i++) {
        bool is_dir = strncmp(argv[i], "--data-dir", 10) == 0;
        usable = place_option(&place, argc, argv, &i);
        if (usable && is_dir)
            place.redis_url = ""; /* one of the environment is not meant */
    }
    if (!usable) {
        fputs("usage: paddock audit verify [--data-dir DIR | --redis-url URL]\n", stderr);
        return 2;
    }
    return verify(&place);
}
