#include "privileges.h"

#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void keep_secrets(void)
{
    const struct rlimit none = {0, 0};
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
        log_text(LOG_WARN, "core_dumps_possible", strerror(errno));
}

void privileges_lock(bool core_dumps)
{
    umask(0077);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        log_text(LOG_WARN, "new_privileges_possible", strerror(errno));
    if (!core_dumps)
        keep_secrets();
}

/* The directory as the user will need it; one that is there is left as it is. */
static bool make_dir(const char *dir, const struct passwd *pw, struct err *e)
{
    if (mkdir(dir, 0700) != 0)
        return errno == EEXIST || fail_errno(e, &ERR_CONFIG, "--data-dir %s", dir);
    return chown(dir, pw->pw_uid, pw->pw_gid) == 0 ||
           fail_errno(e, &ERR_CONFIG, "--data-dir %s: cannot be given to the user", dir);
}

/* Kept over the change of user by PR_SET_KEEPCAPS, all others are let go here. */
static bool keep_port_right(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
    data[0].effective = data[0].permitted = 1U << CAP_NET_BIND_SERVICE;
    return syscall(SYS_capset, &header, data) == 0;
}

bool privileges_drop(const char *user, const char *data_dir, struct err *e)
{
    if (!*user)
        return true;
    errno = 0;
    const struct passwd *pw = getpwnam(user);
    if (!pw)
        return fail(e, &ERR_CONFIG, "--user %s: there is no such user", user);
    if (geteuid() == pw->pw_uid)
        return true;
    if (!make_dir(data_dir, pw, e) || !log_give(pw->pw_uid, pw->pw_gid, e))
        return false;
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || initgroups(pw->pw_name, pw->pw_gid) != 0 ||
        setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
        setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0 || !keep_port_right())
        return fail_errno(e, &ERR_CONFIG, "--user %s: cannot become that user", user);
    return true;
}

void privileges_check_modes(const char *data_dir, const char *key)
{
    struct stat st;
    if (geteuid() == 0)
        log_text(LOG_WARN, "running_as_root", "nothing here needs it: --user says who to be");
    if (stat(data_dir, &st) == 0 && st.st_mode & 0077)
        log_event(LOG_WARN, "data_dir_open_to_others", "\"mode\":\"%04o\",\"should_be\":\"0700\"",
                  (unsigned)st.st_mode & 07777);
    if (key && stat(key, &st) == 0 && st.st_mode & 0007)
        log_event(LOG_WARN, "tls_key_open_to_others", "\"mode\":\"%04o\",\"should_be\":\"0600\"",
                  (unsigned)st.st_mode & 07777);
}
