/* The `paddock` program: one table of subcommands. */
#include "api/openapi.h"
#include "cli/cli.h"
#include "config.h"
#include "server.h"
#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static int serve(int argc, char **argv)
{
    return server_main(argc, argv, environ);
}

static int work(int argc, char **argv)
{
    return work_main(argc, argv, environ);
}

/* For a subcommand that takes no arguments: has it none? */
static bool alone(const char *name, int argc)
{
    if (argc > 0)
        fprintf(stderr, "usage: paddock %s\n", name);
    return argc == 0;
}

static int version(int argc, char **argv)
{
    (void)argv;
    if (!alone("version", argc))
        return 2;
    puts("paddock " PADDOCK_VERSION);
    return 0;
}

/* The document served at /openapi.json, for the copy in docs/. */
static int openapi(int argc, char **argv)
{
    (void)argv;
    size_t len;
    if (!alone("openapi", argc))
        return 2;
    char *text = openapi_render(&len);
    bool written = fwrite(text, 1, len, stdout) == len && fflush(stdout) == 0;
    free(text);
    return written ? 0 : 1;
}

static int help(int argc, char **argv);

static const struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv); /* arguments after the name; returns the exit status */
    const char *usage, *doc;
} SUBCOMMANDS[] = {
    {"serve", serve, "serve [--help]", "Run the server."},
    {"work", work, "work --redis URL [--help]",
     "Carry out validation runs for the nodes on a Redis."},
    {"export", cli_export, "export [FILE]",
     "Write all that is stored as NDJSON, to move it (server stopped)."},
    {"import", cli_import, "import FILE", "Fill an empty store, embedded or on Redis."},
    {"backup", cli_backup, "backup TO [--data-dir DIR]",
     "Copy an embedded store while its server runs."},
    {"audit", cli_audit, "audit verify [--data-dir DIR]",
     "Check the journal's chain of hashes (server stopped or not)."},
    {"policy", cli_policy, "policy check|try|simulate FILE",
     "Check a Lua policy, ask it, or count whom it would move; no server needed."},
    {"token", cli_token, "token create|list|revoke",
     "Make, list and revoke tokens (server stopped, or by --url)."},
    {"plugin", cli_plugin, "plugin new|check|run ...",
     "For authors of plugins: write, check, try (plugin --help)."},
    {"openapi", openapi, "openapi", "Print the OpenAPI document of this version."},
    {"version", version, "version", "Print the version."},
    {"help", help, "help", "Print this."},
};
#define SUBCOMMAND_COUNT (sizeof SUBCOMMANDS / sizeof *SUBCOMMANDS)

static int help(int argc, char **argv)
{
    (void)argc, (void)argv;
    puts("Paddock registers models, measures them in production and decides which may serve "
         "whom.\n");
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        printf("  paddock %-32s %s\n", SUBCOMMANDS[i].usage, SUBCOMMANDS[i].doc);
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        if (strcmp(SUBCOMMANDS[i].name, name) == 0)
            return SUBCOMMANDS[i].run(argc > 2 ? argc - 2 : 0, argv + 2);
    fprintf(stderr, "paddock: no subcommand '%s'; see paddock help\n", name);
    return 2;
}
