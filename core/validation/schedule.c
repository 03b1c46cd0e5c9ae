#include "validation/schedule.h"

#include "registry/registered_model.h"
#include "registry/scan.h"

#include <string.h>

struct nightly_hours nightly_hours_of(const struct registered_model *r)
{
    static const char *const OUTER[] = {"nightly"};
    static const char *const INNER[] = {"enabled", "hour_utc", "end_hour_utc"};
    struct nightly_hours h = {.enabled = 1, .hour_utc = 2, .end_hour_utc = -1};
    struct slice nightly, s[3];
    if (!scan_pick((struct slice){r->entity.json, r->entity.json_len}, OUTER, 1, &nightly) ||
        !nightly.at || !scan_pick(nightly, INNER, 3, s))
        return h;
    h.enabled = !(s[0].at && s[0].len == 5); /* "false" */
    if (s[1].at)
        (void)slice_int(s[1], &h.hour_utc);
    if (s[2].at && s[2].at[0] != 'n')
        (void)slice_int(s[2], &h.end_hour_utc);
    return h;
}

int64_t night_due(int64_t now_ms, int64_t hour_utc)
{
    int64_t due = now_ms - now_ms % DAY_MS + hour_utc * HOUR_MS;
    return due <= now_ms ? due : due - DAY_MS;
}

int64_t night_next(int64_t now_ms, int64_t hour_utc)
{
    return night_due(now_ms, hour_utc) + DAY_MS;
}

int64_t night_until(int64_t start_ms, int64_t end_hour_utc)
{
    return end_hour_utc < 0 ? 0 : night_next(start_ms, end_hour_utc);
}
