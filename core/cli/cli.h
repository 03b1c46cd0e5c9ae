/* cli: the subcommands other than `serve`. Room: cli. Threads: [main] of a short-lived process.
 * Each takes the arguments after its name and returns the exit status: 0 good, 1 a fault was found
 * or it failed, 2 unusable arguments. */
#ifndef PADDOCK_CLI_CLI_H
#define PADDOCK_CLI_CLI_H

/* `paddock audit verify`, of a data directory or a Redis: every chain, every column, every entity.
 */
int cli_audit(int argc, char **argv);

/* `paddock export|import [FILE]`: a whole store, whose server is stopped, as a text and back. */
int cli_export(int argc, char **argv);
int cli_import(int argc, char **argv);

/* `paddock backup TO`: a copy of an embedded store, whose server may run. */
int cli_backup(int argc, char **argv);

/* `paddock policy check|try|simulate FILE`: a Lua policy without a server. */
int cli_policy(int argc, char **argv);

/* `paddock token create|list|revoke`: at the data directory of a stopped server, or over HTTP. */
int cli_token(int argc, char **argv);

/* `paddock plugin new|check|run`: for authors of plugins. */
int cli_plugin(int argc, char **argv);

#endif
