#include "base/log.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES   16384
#define BUFFER_MAX_BYTES (256 * 1024)

/* The one global besides the server's: a failure anywhere must be able to leave a line. It is set
 * before threads start; reopening replaces the file behind the same descriptor. */
static struct {
    atomic_int fd, least;
    atomic_ulong dropped;
    atomic_bool torn; /* the last write stopped within a line */
    bool made;        /* the file was not there before */
    char *path;       /* NULL: stderr */
} out = {.fd = STDERR_FILENO, .least = LOG_INFO};

static int open_file(const char *path, bool *made, struct err *e)
{
    const int how = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC;
    int fd = open(path, how | O_EXCL, 0640);
    *made = fd >= 0;
    if (fd < 0 && errno == EEXIST)
        fd = open(path, how, 0640);
    if (fd < 0)
        fail_errno(e, &ERR_CONFIG, "cannot open the log file %s", path);
    return fd;
}

bool log_open(const char *path, enum log_level least, struct err *e)
{
    int fd = STDERR_FILENO;
    bool made = false;
    if (path && (fd = open_file(path, &made, e)) < 0)
        return false;
    log_close();
    out.made = made;
    out.path = mem_text(path);
    atomic_store(&out.fd, fd);
    atomic_store(&out.least, (int)least);
    return true;
}

/* What was there before may be anything that somebody's link leads to. */
bool log_give(uid_t user, gid_t group, struct err *e)
{
    return !out.made || fchown(atomic_load(&out.fd), user, group) == 0 ||
           fail_errno(e, &ERR_CONFIG, "the log file %s cannot be given to the user", out.path);
}

bool log_reopen(struct err *e)
{
    bool made;
    if (!out.path)
        return true;
    int fd = open_file(out.path, &made, e);
    if (fd < 0)
        return false;
    int n = dup3(fd, atomic_load(&out.fd), O_CLOEXEC);
    if (n < 0)
        fail_errno(e, &ERR_INTERNAL, "cannot replace the log file");
    close(fd);
    return n >= 0;
}

void log_close(void)
{
    int fd = atomic_exchange(&out.fd, STDERR_FILENO);
    if (fd != STDERR_FILENO)
        close(fd);
    free(out.path);
    out.path = NULL;
}

bool log_wants(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&out.least, memory_order_relaxed);
}

static unsigned long count_lines(const char *data, size_t len)
{
    unsigned long n = 0;
    const char *end = data + len;
    while (data < end && (data = memchr(data, '\n', (size_t)(end - data)))) {
        n++;
        data++;
    }
    return n;
}

/* Write whole lines. What the disk does not take is dropped: a log must not stop the server. */
static void write_lines(const char *data, size_t len)
{
    int fd = atomic_load_explicit(&out.fd, memory_order_relaxed);
    if (atomic_exchange(&out.torn, false) && write(fd, "\n", 1) != 1)
        atomic_store(&out.torn, true);
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, data + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            atomic_fetch_add(&out.dropped, count_lines(data + done, len - done));
            if (done && data[done - 1] != '\n')
                atomic_store(&out.torn, true);
            return;
        }
        done += (size_t)n;
    }
}

static void begin_line(struct bytes *b, enum log_level level, const char *event)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    bytes_char(b, '{');
    json_kv_time(b, "time", clock_wall_ms(&CLOCK_SYSTEM));
    json_kv_string(b, "level", names[level]);
    json_kv_string(b, "event", event);
}

/* A line that did not fit is replaced by one that says so. */
static void end_line(struct bytes *b, enum log_level level, const char *event)
{
    bytes_text(b, "}\n");
    if (b->full) {
        bytes_clear(b);
        begin_line(b, level, event);
        bytes_text(b, ",\"cut\":true}\n");
    }
    write_lines(b->data, b->len);
    bytes_release(b);
}

void log_event(enum log_level level, const char *event, const char *members, ...)
{
    if (!log_wants(level))
        return;
    struct bytes b = BYTES_INIT(LINE_MAX_BYTES);
    begin_line(&b, level, event);
    if (members) {
        va_list ap;
        bytes_char(&b, ',');
        va_start(ap, members);
        bytes_vprintf(&b, members, ap);
        va_end(ap);
    }
    end_line(&b, level, event);
}

void log_text(enum log_level level, const char *event, const char *detail)
{
    if (!log_wants(level))
        return;
    struct bytes b = BYTES_INIT(LINE_MAX_BYTES);
    begin_line(&b, level, event);
    json_kv_string(&b, "detail", detail);
    end_line(&b, level, event);
}

void log_buffer_init(struct log_buffer *b)
{
    bytes_init(&b->bytes, BUFFER_MAX_BYTES);
}

void log_buffer_flush(struct log_buffer *b)
{
    if (b->bytes.full)
        atomic_fetch_add(&out.dropped, 1);
    if (b->bytes.len)
        write_lines(b->bytes.data, b->bytes.len);
    bytes_clear(&b->bytes);
}

void log_buffer_release(struct log_buffer *b)
{
    log_buffer_flush(b);
    bytes_release(&b->bytes);
}

unsigned long log_dropped(void)
{
    return atomic_load(&out.dropped);
}
