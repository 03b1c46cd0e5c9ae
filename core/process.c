#include "process.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

void process_block_signals(sigset_t *out)
{
    sigemptyset(out);
    sigaddset(out, SIGTERM);
    sigaddset(out, SIGINT);
    sigaddset(out, SIGHUP);
    sigprocmask(SIG_BLOCK, out, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is a write that fails, not our end */
}

int process_show(const struct loaded_config *c)
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
