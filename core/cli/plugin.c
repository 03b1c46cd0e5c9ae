#include "cli/plugin.h"

#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const char USAGE[] =
    "usage: paddock plugin new test|strategy|runtime ID [DIR]   write a plugin to begin with\n"
    "       paddock plugin check FILE...                        hold plugins to the contract\n"
    "       paddock plugin run FILE                             run a test without a server\n"
    "\n"
    "Options of check and run. JSON is given as text, or as @FILE.\n"
    "  --config JSON            the plugin's configuration\n"
    "  --runtime JSON           how to reach the model, as a model's `runtime` in the API\n"
    "  --url URL                short for --runtime {\"kind\":\"openinference\",\"url\":URL,...}\n"
    "  --model-name NAME        ... with this name of the model\n"
    "  --baseline JSON          the same as --runtime, for the baseline\n"
    "  --runtime-plugin FILE    the plugin of that runtime, if it does not come with Paddock\n"
    "  --data FILE              a dataset (.csv, .jsonl, .npy); several are allowed\n"
    "  --label COLUMN           its column with the answers\n"
    "  --seed N                 for all randomness [1]\n"
    "  --timeout-ms N           of one run [10000]\n"
    "  --json                   the result as JSON, a line for each file\n"
    "  --only RULE              check: this rule alone\n"
    "  --list                   check: name the rules and end\n"
    "Without a runtime a practice model answers, without data it is asked about 64 made-up rows.\n"
    "\n"
    "Exit status: 0 good, 1 a rule is broken or the test did not pass, 2 unusable arguments.\n";

int cli_plugin(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } COMMANDS[] = {{"new", plugin_new}, {"check", plugin_check}, {"run", plugin_run}};
    const char *name = argc > 0 ? argv[0] : "";
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++)
        if (strcmp(COMMANDS[i].name, name) == 0)
            return COMMANDS[i].run(argc - 1, argv + 1);
    bool help = strcmp(name, "--help") == 0 || strcmp(name, "help") == 0;
    fputs(USAGE, help ? stdout : stderr);
    return help ? 0 : 2;
}
