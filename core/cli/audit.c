#include "cli/cli.h"

#include "base/clock.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FAULTS_SHOWN 100

static void show_fault(void *ctx, const char *fault)
{
    unsigned *shown = ctx;
    if ((*shown)++ < FAULTS_SHOWN)
        printf("FAULT %s\n", fault);
}

/* Opening makes what is missing, so a mistyped directory must be found first. */
static bool has_store(const char *dir)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/control.db", dir);
    return len > 0 && (size_t)len < sizeof path && access(path, R_OK) == 0;
}

static int verify(const char *dir)
{
    struct err e = {0};
    if (!has_store(dir)) {
        fprintf(stderr, "paddock audit verify: there is no store in '%s'\n", dir);
        return 1;
    }
    struct store *s = store_sqlite_open(dir, &CLOCK_SYSTEM, &e);
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
    const char *dir = "paddock-data";
    bool usable = argc >= 1 && strcmp(argv[0], "verify") == 0;
    for (int i = 1; usable && i < argc; i++) {
        if (strncmp(argv[i], "--data-dir=", 11) == 0)
            dir = argv[i] + 11;
        else if (strcmp(argv[i], "--data-dir") == 0 && i + 1 < argc)
            dir = argv[++i];
        else
            usable = false;
    }
    if (!usable) {
        fputs("usage: paddock audit verify [--data-dir DIR]\n", stderr);
        return 2;
    }
    return verify(dir);
}
