#include "extend/strategy_process.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/mem.h"
#include "extend/log_tail.h"
#include "extend/worker_spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define END_MS  1000 /* from the end of its output to its own, at most */
#define LOG_MAX 4096 /* bytes of what it printed that are kept for the reason */

struct strategy_process {
    struct spawned s;
    char nonce[NONCE_LEN + 1];
    struct bytes line; /* what came of the answer */
    struct log_tail log;
    bool broken, waited, log_closed;
    int status;
};

/* One exchange. */
struct exchange {
    const char *data;
    size_t len, sent;
    int64_t end_ns;
};

static bool is_over(const struct strategy_process *p)
{
    return p->line.len && p->line.data[p->line.len - 1] == '\n';
}

/* ---- why it is broken ---- */

static void end_it(struct strategy_process *p)
{
    if (p->waited)
        return;
    kill(-p->s.pid, SIGKILL);
    while (waitpid(p->s.pid, &p->status, 0) < 0 && errno == EINTR)
        ;
    p->waited = true;
}

static bool broke(struct strategy_process *p, struct err *e, const char *how)
{
    p->broken = true;
    return fail(e, &ERR_INVALID, "%s", how);
}

/* The end of its output comes a moment before its own; but it may also have closed it and live on.
 */
static void wait_for_end(struct strategy_process *p)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    int64_t end_ns = clock_mono_ns(&CLOCK_SYSTEM) + END_MS * INT64_C(1000000);
    while (clock_mono_ns(&CLOCK_SYSTEM) < end_ns) {
        if (waitpid(p->s.pid, &p->status, WNOHANG) == p->s.pid) {
            p->waited = true;
            return;
        }
        nanosleep(&moment, NULL);
    }
    end_it(p);
}

/* Its output has ended: it crashed, or something else killed it. */
static bool ended(struct strategy_process *p, struct err *e)
{
    char text[LOG_MAX + 1];
    wait_for_end(p);
    p->broken = true;
    size_t len = log_tail_clean(text, log_tail_copy(&p->log, text));
    while (len && text[len - 1] == '\n')
        len--;
    text[len] = '\0';
    const char *tail = strrchr(text, '\n');
    tail = tail ? tail + 1 : text;
    const char *between = *tail ? ": " : "";
    if (!WIFSIGNALED(p->status))
        return fail(e, &ERR_INVALID, "it ended%s%.200s", between, tail);
    const char *name = sigabbrev_np(WTERMSIG(p->status));
    return fail(e, &ERR_INVALID, "it ended by SIG%s%s%.200s", name ? name : "?", between, tail);
}

/* ---- talking ---- */

/* Who does not listen any more is found out by reading. */
static void send_some(struct strategy_process *p, struct exchange *x)
{
    ssize_t n =
        send(p->s.input_fd, x->data + x->sent, x->len - x->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
        x->sent += (size_t)n;
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        x->sent = x->len;
}

/* False at the end of it, or past the bound. */
static bool read_answer(struct strategy_process *p)
{
    char *room = bytes_room(&p->line, 65536);
    ssize_t n = room ? read(p->s.report_fd, room, 65536) : 0;
    if (n > 0) {
        p->line.len += (size_t)n;
        p->line.data[p->line.len] = '\0';
    }
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void read_log(struct strategy_process *p)
{
    char chunk[4096];
    ssize_t n = read(p->s.log_fd, chunk, sizeof chunk);
    if (n > 0)
        log_tail_add(&p->log, chunk, (size_t)n);
    else if (n == 0)
        p->log_closed = true;
}

/* Until the answer's line is whole. */
static bool exchange(struct strategy_process *p, struct exchange *x, struct err *e)
{
    while (!is_over(p)) {
        int64_t left_ms = (x->end_ns - clock_mono_ns(&CLOCK_SYSTEM)) / 1000000;
        struct pollfd fds[3] = {
            {.fd = p->s.report_fd, .events = POLLIN},
            {.fd = p->log_closed ? -1 : p->s.log_fd, .events = POLLIN},
            {.fd = x->sent < x->len ? p->s.input_fd : -1, .events = POLLOUT},
        };
        if (left_ms <= 0)
            return broke(p, e, "it gave no answer in time");
        if (poll(fds, 3, (int)left_ms) <= 0)
            continue;
        if (fds[1].revents)
            read_log(p);
        if (fds[0].revents && !read_answer(p))
            return p->line.full ? broke(p, e, "its answer is too long") : ended(p, e);
        if (fds[2].revents)
            send_some(p, x);
    }
    return true;
}

static json_t *take_answer(struct strategy_process *p, struct err *e)
{
    const size_t head = NONCE_AT + NONCE_LEN;
    bool ours = p->line.len > head && memcmp(p->line.data, NONCE_HEAD, NONCE_AT) == 0 &&
                memcmp(p->line.data + NONCE_AT, p->nonce, NONCE_LEN) == 0;
    struct err why;
    json_t *whole = ours ? json_read(p->line.data, p->line.len, &why) : NULL;
    json_t *answer = json_incref(json_object_get(whole, "answer"));
    json_decref(whole);
    if (!json_is_object(answer)) {
        broke(p, e, "it wrote something else than an answer to descriptor 3");
    } else if (!json_is_true(json_object_get(answer, "ok"))) {
        const char *text = json_string_value(json_object_get(answer, "error"));
        fail(e, &ERR_INVALID, "%s", text ? text : "it refused");
    } else {
        return answer;
    }
    json_decref(answer);
    return NULL;
}

json_t *strategy_process_ask(struct strategy_process *p, const char *question, size_t len,
                             int limit_ms, struct err *e)
{
    struct bytes text = BYTES_INIT(STRATEGY_QUESTION);
    json_t *answer = NULL;
    bytes_clear(&p->line);
    if (p->broken) {
        fail(e, &ERR_INVALID, "it is not there any more");
    } else if (!bytes_add(&text, question, len) || !bytes_char(&text, '\n')) {
        fail(e, &ERR_INVALID, "the question is too long");
    } else {
        struct exchange x = {.data = text.data,
                             .len = text.len,
                             .end_ns = clock_mono_ns(&CLOCK_SYSTEM) + limit_ms * INT64_C(1000000)};
        if (exchange(p, &x, e))
            answer = take_answer(p, e);
    }
    bytes_release(&text);
    return answer;
}

/* ---- life ---- */

static bool greet(struct strategy_process *p, const struct strategy_program *program, struct err *e)
{
    struct bytes hello = BYTES_INIT(1024);
    bytes_char(&hello, '{');
    json_kv_string(&hello, "nonce", p->nonce);
    json_kv_string(&hello, "sha256", program->sha256);
    json_kv_int(&hello, "memory_bytes", (int64_t)program->memory_bytes);
    bytes_char(&hello, '}');
    json_t *answer = strategy_process_ask(p, hello.data, hello.len, STRATEGY_LOAD_MS, e);
    bytes_release(&hello);
    json_decref(answer);
    return answer != NULL;
}

struct strategy_process *strategy_process_start(const struct strategy_program *program,
                                                struct err *e)
{
    const char *argv[] = {program->worker->program, "--strategy", program->file,
                          program->worker->user, NULL};
    uint8_t random[NONCE_LEN / 2];
    struct strategy_process *p = mem_zero(1, sizeof *p);
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, p->nonce);
    p->line = BYTES_INIT(STRATEGY_ANSWER + 65536);
    p->log = (struct log_tail){.size = LOG_MAX};
    if (!worker_spawn_asked(argv, &p->s, e)) {
        bytes_release(&p->line);
        free(p);
        return NULL;
    }
    if (greet(p, program, e))
        return p;
    strategy_process_stop(p);
    return NULL;
}

void strategy_process_stop(struct strategy_process *p)
{
    if (!p)
        return;
    end_it(p);
    close(p->s.input_fd);
    close(p->s.report_fd);
    close(p->s.log_fd);
    bytes_release(&p->line);
    log_tail_release(&p->log);
    free(p);
}

bool strategy_process_broken(const struct strategy_process *p)
{
    return p->broken;
}

pid_t strategy_process_pid(const struct strategy_process *p)
{
    return p->s.pid;
}
