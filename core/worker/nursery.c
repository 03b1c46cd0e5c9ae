#include "worker/nursery.h"

#include "extend/nursery.h"
#include "extend/pass_fds.h"
#include "worker/first_stage.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAP_KEPT (256 << 10) /* bytes that need not be asked for again */
#define IDLE_MS   10          /* without a test, before the next is made ready for */
#define CURL_ALL  3L          /* CURL_GLOBAL_ALL, which it has been since curl had it */

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

/* False: nobody hears it, so nobody wants another test. */
static bool say(int control, int32_t answer)
{
    return send(control, &answer, sizeof answer, MSG_NOSIGNAL) == (ssize_t)sizeof answer;
}

/* The three descriptors of one request. False at the end. */
static bool receive(int control, int fds[3])
{
    char ask = 0;
    return take_fds(control, &ask, 1, fds, 3) && ask == NURSERY_ASK;
}

/* Where one test follows the other, making ready for the next ahead of it would only be in the way
 * of the one under way. */
static void prepare_when_idle(int control)
{
    struct pollfd p = {.fd = control, .events = POLLIN};
    if (poll(&p, 1, IDLE_MS) == 0)
        first_stage_prepare(control);
}

/* As worker_exec() would have left them. */
static bool put_in_place(int fds[3])
{
    bool ok = dup2(fds[0], 0) >= 0 && dup2(fds[1], 1) >= 0 && dup2(fds[1], 2) >= 0 &&
              dup2(fds[2], 3) >= 0;
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    return ok;
}

static bool clear_away(int null)
{
    return dup2(null, 0) >= 0 && dup2(null, 1) >= 0 && dup2(null, 2) >= 0 &&
           dup3(null, 3, O_CLOEXEC) >= 0;
}

/* False: it was the last. */
static bool do_one(int control, int null)
{
    int fds[3];
    const bool more = receive(control, fds) && put_in_place(fds) &&
                      say(control, first_stage(control)) && clear_away(null);
    first_stage_rest();
    return more;
}

/* What each test would do anew. */
static void warm_up(bool http)
{
    if (http)
        load_curl();
    json_object_seed(0);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
    (void)mallopt(M_TOP_PAD, HEAP_KEPT);
}

/* The answer comes before the test's pipes are closed: whoever sees their end finds it. */
int nursery_serve(bool http)
{
    int control = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10),
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (control < 0 || null < 0 || !clear_away(null) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return 1;
    (void)setpriority(PRIO_PROCESS, 0, NURSERY_NICE); /* requests go first */
    warm_up(http);
    if (!say(control, 0))
        return 1;
    while (do_one(control, null))
        prepare_when_idle(control);
    first_stage_forget();
    return 0;
}
