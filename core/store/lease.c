#include "store/lease.h"

#include <string.h>

bool lease_decide(const struct lease_row *stored, struct lease_request *l, int64_t now_ms,
                  struct lease_row *next)
{
    bool live = stored && stored->holder[0] && stored->until > now_ms;
    bool ours = live && strcmp(stored->holder, l->holder) == 0;
    bool gives_up = l->ttl_ms <= 0;

    *next = (struct lease_row){"", stored ? stored->token : 0, 0};
    bool writes = gives_up ? ours : !live || ours;
    if (writes && !gives_up) {
        next->holder = l->holder;
        next->token += !live;
        next->until = now_ms + l->ttl_ms;
    } else if (live && !ours) {
        next->until = stored->until;
    }
    l->held = writes && !gives_up;
    l->token = next->token;
    l->until = next->until;
    return writes;
}
