#include "process.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void block_signals(sigset_t *out)
{
    sigemptyset(out);
    sigaddset(out, SIGTERM);
    sigaddset(out, SIGINT);
    sigaddset(out, SIGHUP);
    sigprocmask(SIG_BLOCK, out, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is a write that fails, not our end */
}

/* What --help or --print-config ask for. */
static int show(const struct loaded_config *c)
{
    struct bytes text = BYTES_INIT(1 << 20);
    if (c->help)
        config_help(c, &text);
    else
        config_print(c, &text);
    bool written = fwrite(text.data, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
    bytes_release(&text);
    return written ? 0 : 1;
}

static enum log_level level_of(const char *name)
{
    static const char *const NAMES[] = {"debug", "info", "warn", "error"};
    for (int i = 0; i < 4; i++)
        if (strcmp(NAMES[i], name) == 0)
            return (enum log_level)i;
    return LOG_INFO;
}

bool process_open_log(const struct config *c, struct err *e)
{
    return log_open(*c->log_file ? c->log_file : NULL, level_of(c->log_level), e);
}

void process_reopen_log(void)
{
    struct err e = {0};
    if (!log_reopen(&e))
        log_text(LOG_ERROR, "log_reopen_failed", e.detail);
}

int process_main(const struct process *p, struct server *s, int argc, char **argv, char **env)
{
    struct err e = {0};
    sigset_t signals;
    int status = 0;
    s->lock_fd = -1;
    block_signals(&signals);
    if (!config_load(&s->settings, argc, argv, env, &e)) {
        fprintf(stderr, "paddock %s: %s\n", p->name, e.detail);
        status = 2;
    } else if (s->settings.help || s->settings.print) {
        status = show(&s->settings);
    } else if (!p->start(s, &e)) {
        fprintf(stderr, "paddock %s: %s\n", p->name, e.detail);
        status = e.kind == &ERR_CONFIG ? 2 : 1;
    } else {
        p->run(s, &signals);
    }
    p->stop(s);
    free(s);
    return status;
}
