#include "extend/pass_fds.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

union room {
    char bytes[CMSG_SPACE(PASS_FDS_MAX * sizeof(int))];
    struct cmsghdr align;
};

bool pass_fds(int socket, const void *data, size_t len, const int *fds, size_t n)
{
    union room room = {{0}};
    struct iovec text = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    struct msghdr message = {.msg_iov = &text,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    if (n > PASS_FDS_MAX)
        return false;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(head), fds, n * sizeof(int));
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

bool take_fds(int socket, void *data, size_t len, int *fds, size_t n)
{
    union room room = {{0}};
    struct iovec text = {.iov_base = data, .iov_len = len};
    struct msghdr message = {.msg_iov = &text,
                             .msg_iovlen = 1,
                             .msg_control = room.bytes,
                             .msg_controllen = sizeof room.bytes};
    ssize_t got;
    while ((got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    struct cmsghdr *head = got == (ssize_t)len ? CMSG_FIRSTHDR(&message) : NULL;
    if (!head || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(n * sizeof(int)))
        return false;
    memcpy(fds, CMSG_DATA(head), n * sizeof(int));
    return true;
}
