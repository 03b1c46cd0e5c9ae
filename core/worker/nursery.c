#include "worker/nursery.h"

#include "base/sanitizer.h"
#include "extend/nursery.h"
#include "worker/first_stage.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CURL_ALL 3L /* CURL_GLOBAL_ALL, which it has been since curl had it */

/* Two dozen libraries and OpenSSL's tables, the same for each test of a model behind HTTP. Where it
 * is absent or another libcurl, tests load what they need themselves. Never unloaded. */
static void load_curl(void)
{
    void *curl = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    int (*init)(long) = NULL;
    void *found = curl ? dlsym(curl, "curl_global_init") : NULL;
    memcpy(&init, &found, sizeof init);
    if (init)
        (void)init(CURL_ALL);
    (void)dlopen("libjansson.so.4", RTLD_NOW | RTLD_LOCAL);
}

static void say(int32_t answer)
{
    /* If nobody hears it, nobody wants the test. */
    if (send(STDIN_FILENO, &answer, sizeof answer, MSG_NOSIGNAL) != (ssize_t)sizeof answer)
        _exit(1);
}

/* The three descriptors of one request. False at the end. */
static bool receive(int fds[3])
{
    char ask = 0;
    struct iovec text = {.iov_base = &ask, .iov_len = 1};
    union {
        char room[CMSG_SPACE(3 * sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr message = {.msg_iov = &text,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    ssize_t n;
    while ((n = recvmsg(STDIN_FILENO, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    struct cmsghdr *head = n == 1 && ask == NURSERY_ASK ? CMSG_FIRSTHDR(&message) : NULL;
    if (!head || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(3 * sizeof(int)))
        return false;
    memcpy(fds, CMSG_DATA(head), 3 * sizeof(int));
    return true;
}

/* As worker_exec() would have left it. It says its number first and leaves the nursery's group
 * then: see end() in extend/nursery.c. */
static _Noreturn void become_first(const int fds[3])
{
    say((int32_t)getpid());
    if (setpgid(0, 0) != 0 || dup2(fds[0], 0) < 0 || dup2(fds[1], 1) < 0 || dup2(fds[1], 2) < 0 ||
        dup2(fds[2], 3) < 0)
        _exit(1);
    closefrom(4);
    _exit(first_stage());
}

/* The C library knows no fork() to our own parent, so this is the kernel's call, and the child's C
 * library goes on believing in our thread number. The first stage has no use for it: one thread, no
 * lock that asks who holds it. What loads the plugin is forked from there by fork(), which sets it
 * right. */
static pid_t fork_sibling(void)
{
    return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
}

int nursery_serve(bool http)
{
    int fds[3];
    /* ThreadSanitizer has threads of its own, whose locks such a child could inherit. */
    if (BUILT_WITH_TSAN || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return 1;
    (void)setpriority(PRIO_PROCESS, 0, NURSERY_NICE); /* requests go first */
    if (http)
        load_curl();
    while (receive(fds)) {
        pid_t pid = fork_sibling();
        if (pid == 0)
            become_first(fds);
        if (pid < 0)
            say(-(int32_t)errno);
        for (int i = 0; i < 3; i++)
            close(fds[i]);
    }
    return 0;
}
