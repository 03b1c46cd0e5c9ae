#include "worker/confine.h"

#include "base/sanitizer.h"
#include "worker/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* Shadow memory takes terabytes of address space: there are no limits then. */
#define SHADOWED (BUILT_WITH_ASAN || BUILT_WITH_TSAN)
/* Far from real users. Each first stage has so many, one after the other, and nobody else has them
 * while it lives: there are at most 2^22 processes. */
#define OWN_UIDS 0x70000000u
#define UIDS_OF  64u
#define LAST_UID 0x7fffffffu

/* Does this user namespace have all of them? */
static bool have_own_uids(void)
{
    static enum { UNKNOWN, YES, NO } known;
    FILE *map = known == UNKNOWN ? fopen("/proc/self/uid_map", "re") : NULL;
    unsigned inside, outside, count;
    bool found = false;
    while (map && !found && fscanf(map, "%u %u %u", &inside, &outside, &count) == 3)
        found = OWN_UIDS >= inside && LAST_UID - inside < count;
    if (map)
        fclose(map);
    if (known == UNKNOWN)
        known = found ? YES : NO;
    return known == YES;
}

static uid_t next_uid(pid_t pid)
{
    static unsigned turn;
    return OWN_UIDS + (uid_t)pid % (1u << 22) * UIDS_OF + turn++ % UIDS_OF;
}

bool confine_user(const char *name, pid_t pid, struct confine *out, struct err *e)
{
    if (geteuid() != 0)
        return true;
    if (!name) {
        out->own = have_own_uids();
        if (out->own)
            out->uid = out->gid = next_uid(pid);
        return true;
    }
    const struct passwd *entry = getpwnam(name);
    if (!entry || entry->pw_uid == 0)
        return fail(e, &ERR_CONFIG, "there is no unprivileged user '%s'", name);
    out->uid = entry->pw_uid;
    out->gid = entry->pw_gid;
    return true;
}

/* ---- namespaces ---- */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t len = strlen(text);
    bool ok = write(fd, text, len) == (ssize_t)len;
    close(fd);
    return ok;
}

/* In a user namespace of our own we stay who we are. */
static bool map_user(uid_t uid, gid_t gid)
{
    char text[64];
    snprintf(text, sizeof text, "%u %u 1", uid, uid);
    if (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", text))
        return false;
    snprintf(text, sizeof text, "%u %u 1", gid, gid);
    return write_file("/proc/self/gid_map", text);
}

/* Everything read-only, then a memory disk on the scratch directory. */
static bool mount_scratch(const struct confine *c)
{
    char options[128];
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
    snprintf(options, sizeof options, "size=%llu,mode=0700,uid=%u,gid=%u,nr_inodes=65536",
             (unsigned long long)c->scratch_bytes, c->uid ? c->uid : getuid(),
             c->uid ? c->gid : getgid());
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           syscall(SYS_mount_setattr, -1, "/", AT_RECURSIVE, &attr, sizeof attr) == 0 &&
           mount("paddock", c->scratch, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
}

static void enter_namespaces(const struct confine *c)
{
    uid_t uid = getuid();
    gid_t gid = getgid();
    if (c->uid) {
        if (unshare(CLONE_NEWNS) == 0)
            (void)mount_scratch(c);
    } else if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && map_user(uid, gid)) {
        (void)mount_scratch(c);
    }
}

/* ---- limits ---- */

static bool limit(int what, uint64_t value, const char *name, struct err *e)
{
    struct rlimit old, l = {.rlim_cur = value, .rlim_max = value};
    if (getrlimit((__rlimit_resource_t)what, &old) == 0 && old.rlim_max < l.rlim_max)
        l.rlim_cur = l.rlim_max = old.rlim_max;
    if (setrlimit((__rlimit_resource_t)what, &l) == 0)
        return true;
    return fail_errno(e, &ERR_INTERNAL, "the limit of %s cannot be set", name);
}

/* Without a user of its own the count includes what else the user runs: leave room for that. */
static uint64_t process_limit(const struct confine *c)
{
    struct sysinfo info;
    if (c->own || sysinfo(&info) != 0)
        return c->processes;
    return (uint64_t)info.procs + c->processes;
}

/* Address space is not memory: threads, OpenMP and memory maps reserve much more than they use. The
 * first stage watches what is used; this is the last resort between two looks. */
static uint64_t address_space(const struct confine *c)
{
    const uint64_t least = 8ull << 30, four_times = c->memory_bytes * 4;
    return four_times < least ? least : four_times;
}

static bool limit_memory(const struct confine *c, struct err *e)
{
    return SHADOWED || limit(RLIMIT_AS, address_space(c), "memory", e);
}

bool confine_heap(uint64_t bytes, struct err *e)
{
    return SHADOWED || limit(RLIMIT_DATA, bytes, "the heap", e);
}

static bool set_limits(const struct confine *c, struct err *e)
{
    return limit_memory(c, e) && limit(RLIMIT_CPU, c->cpu_seconds, "processor time", e) &&
           limit(RLIMIT_FSIZE, c->scratch_bytes, "file size", e) &&
           limit(RLIMIT_NOFILE, c->open_files, "open files", e) &&
           limit(RLIMIT_CORE, 0, "core files", e) &&
           limit(RLIMIT_MSGQUEUE, 0, "message queues", e) &&
           limit(RLIMIT_NPROC, process_limit(c), "processes", e);
}

static bool become_user(const struct confine *c, struct err *e)
{
    if (!c->uid)
        return true;
    if (setgroups(0, NULL) != 0 || setresgid(c->gid, c->gid, c->gid) != 0 ||
        setresuid(c->uid, c->uid, c->uid) != 0)
        return fail_errno(e, &ERR_INTERNAL, "the worker cannot give up its rights");
    return true;
}

/* A user namespace has given us rights over itself. (No program run later can get them back: there
 * are no new privileges.) */
static void drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    (void)syscall(SYS_capset, &head, data);
}

bool confine_self(const struct confine *c, struct err *e)
{
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* or the files below may not be written */
    (void)write_file("/proc/self/oom_score_adj", "1000");
    if (c->scratch)
        enter_namespaces(c);
    if (!set_limits(c, e) || !become_user(c, e))
        return false;
    drop_capabilities();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return fail_errno(e, &ERR_INTERNAL, "no-new-privileges cannot be set");
    landlock_confine(c->scratch);
    /* A change of user has made /proc/self unreadable for ourselves. */
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
        return fail_errno(e, &ERR_INTERNAL, "the process cannot be made readable to itself");
    if (chdir(c->scratch ? c->scratch : "/") != 0)
        return fail_errno(e, &ERR_INTERNAL, "%s cannot be entered", c->scratch);
    return true;
}
