#include "worker/forks.h"

#include "extend/pass_fds.h"
#include "worker/children.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whoever asks is woken by nothing but an answer or its end; filtered processes are as fast as
 * others. Older kernels than 5.19 refuse this: there is one (5.4) with which nobody could fork. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#define LISTEN                                                           \
    (SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW | \
     SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)

#define ASK_AT(number_)                                   \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number_), 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)

/* Other architectures' numbers mean other calls to a program of theirs: then those are counted,
 * which does no harm. */
static int listener(void)
{
    static struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ASK_AT(SYS_clone),
        ASK_AT(SYS_clone3),
#ifdef SYS_fork
        ASK_AT(SYS_fork),
        ASK_AT(SYS_vfork),
#endif
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof steps / sizeof *steps, .filter = steps};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, LISTEN, &program);
}

/* What the kernel writes and reads is no longer than what we have for it. */
static bool sizes_fit(void)
{
    struct seccomp_notif_sizes sizes;
    return syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 &&
           sizes.seccomp_notif <= sizeof(struct seccomp_notif) &&
           sizes.seccomp_notif_resp <= sizeof(struct seccomp_notif_resp);
}

void forks_announce(int to)
{
    if (!sizes_fit() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return;
    int fd = listener();
    if (fd < 0)
        return;
    char none = 0;
    /* If it is not heard of, closing it lets no more processes be made. */
    (void)!pass_fds(to, &none, sizeof none, &fd, 1);
    close(fd);
}

void forks_hear(struct forks *f, int from)
{
    char none;
    int fd;
    if (f->in < 0 && take_fds(from, &none, sizeof none, &fd, 1))
        f->in = fd;
}

/* Looking is dear, so it is done only when enough have been made to meet the limit if none had
 * ended. */
static bool is_met(struct forks *f)
{
    if (f->most >= f->limit)
        f->most = children_tasks();
    return f->most >= f->limit;
}

bool forks_answer(struct forks *f)
{
    struct seccomp_notif asked = {0};
    if (ioctl(f->in, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) {
        if (errno != ENOENT && errno != EINTR) /* not: who asked has died meanwhile */
            forks_close(f);
        return true;
    }
    f->met = is_met(f);
    if (f->met)
        return false;
    struct seccomp_notif_resp answer = {.id = asked.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    if (ioctl(f->in, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0)
        f->most++;
    return true;
}

int forks_in(const struct forks *f)
{
    return f->met ? -1 : f->in;
}

void forks_close(struct forks *f)
{
    if (f->in >= 0)
        close(f->in);
    f->in = -1;
}
