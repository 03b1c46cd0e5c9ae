#include "worker/report.h"

#include "base/json.h"
#include "base/utf8.h"
#include "extend/log_tail.h"
#include "extend/worker_protocol.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    int fd;
    char nonce[NONCE_LEN + 1];
    pthread_mutex_t lock;
} out = {.fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

void report_open(int fd, const char *nonce)
{
    out.fd = fd;
    snprintf(out.nonce, sizeof out.nonce, "%s", nonce);
}

static void write_all(const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(out.fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(EXIT_REPORT_CLOSED);
        data += n;
        len -= (size_t)n;
    }
}

void report_line(const char *kind, const struct bytes *members)
{
    struct bytes line = BYTES_INIT(REPORT_LINE);
    bytes_printf(&line, NONCE_HEAD "%s\",\"%s\":{", out.nonce, kind);
    if (members && members->len)
        bytes_add(&line, members->data, members->len);
    bytes_text(&line, "}}\n");
    pthread_mutex_lock(&out.lock);
    if (!line.full)
        write_all(line.data, line.len);
    pthread_mutex_unlock(&out.lock);
    if (line.full && strcmp(kind, "fault") != 0)
        report_text("fault", "a line of kind '%s' is longer than %u bytes", kind, REPORT_LINE);
    bytes_release(&line);
}

void report_member(struct bytes *line, const char *key, const char *fmt, va_list args)
{
    char text[REPORT_TEXT + 1];
    int n = vsnprintf(text, sizeof text, fmt, args);
    size_t len = n < 0 ? 0 : strlen(text);
    if (n >= (int)sizeof text) /* a cut may have split a character: it goes */
        while (len && !utf8_valid(text, len) && len > REPORT_TEXT - 4)
            len--;
    len = log_tail_clean(text, len);
    json_key(line, key);
    json_put_stringn(line, text, len);
}

void report_vtext(const char *kind, const char *fmt, va_list args)
{
    struct bytes members = BYTES_INIT(8 * REPORT_TEXT);
    report_member(&members, "message", fmt, args);
    report_line(kind, &members);
    bytes_release(&members);
}

void report_text(const char *kind, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    report_vtext(kind, fmt, args);
    va_end(args);
}

void report_crash(int signal, const char *where)
{
    char line[512];
    int n = snprintf(line, sizeof line,
                     "\n" NONCE_HEAD "%s\",\"crash\":{\"signal\":%d,\"where\":\"%s\"}}\n",
                     out.nonce, signal, where);
    if (n > 0 && (size_t)n < sizeof line && write(out.fd, line, (size_t)n) < 0)
        return;
}
