#include "telemetry/scanner.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "telemetry/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The hottest code of the server: a record of 60 to 80 bytes takes about 100 ns. Members are told
 * apart by their first letter and compared as constants; strings are borrowed from the input;
 * numbers are read in one pass. What is rare (escapes, faults, odd numbers) lives in functions of
 * its own, out of the way. */

enum given {
    GIVEN_LATENCY = 1,
    GIVEN_SUCCESS = 2,
    GIVEN_ERROR = 4,
    GIVEN_TIME = 8,
    GIVEN_SCORES = 16,
    GIVEN_SCORE = 32,
    GIVEN_DECISION = 64,
    GIVEN_MODEL = 128,
    /* The key was there, but null. */
    NULL_SCORES = 256,
    NULL_SCORE = 512,
};

#define SCRATCH_MAX (32u << 20) /* above any body */

void scanner_init(struct scanner *s)
{
    *s = (struct scanner){.scratch = BYTES_INIT(SCRATCH_MAX)};
}

void scanner_release(struct scanner *s)
{
    bytes_release(&s->scratch);
}

/* --- faults --- */

__attribute__((cold)) void scanner_refuse(struct scanner *s, const struct err_kind *kind,
                                          const char *field, const char *fmt, ...)
{
    char pointer[1024], detail[400];
    va_list ap;
    s->refused = true;
    if (s->faults->listed == FAULTS_LISTED) { /* only counted: do not format 200,000 of them */
        fault_add(s->faults, kind, "", "%s", "");
        return;
    }
    if (s->indexed)
        snprintf(pointer, sizeof pointer, "/%" PRIu64 "%s", s->index, field);
    else
        snprintf(pointer, sizeof pointer, "%s", field);
    va_start(ap, fmt);
    vsnprintf(detail, sizeof detail, fmt, ap);
    va_end(ap);
    fault_add(s->faults, kind, pointer, "%s", detail);
}

__attribute__((cold)) static const char *malformed(struct scanner *s, const char *where,
                                                   const char *why)
{
    s->why = why;
    s->where = where;
    return NULL;
}

/* Refuse a value for its type or range and step over it; `got` shows what stands there. */
__attribute__((cold)) static const char *wrong(struct scanner *s, const char *p, const char *end,
                                               const char *field, const char *must)
{
    const char *after = token_skip(p, end, TOKEN_DEPTH_MAX - 3, &s->scratch);
    if (!after)
        return malformed(s, p, "a value is malformed");
    bool shown = *p == '-' || (*p >= '0' && *p <= '9') || *p == 't' || *p == 'f' || *p == 'n';
    int len = shown ? (int)(after - p < 40 ? after - p : 40) : 0;
    scanner_refuse(s, &ERR_INVALID, field, "%s, got %.*s%s", must, len, p,
                   shown ? (after - p > 40 ? "..." : "") : token_kind(p));
    return after;
}

/* JSON Pointer of a member below `parent`; long names are cut. */
static void pointer_to(char *out, size_t size, const char *parent, struct span name)
{
    size_t n = (size_t)snprintf(out, size, "%s/", parent);
    for (size_t i = 0; i < name.len && n + 3 < size; i++) {
        char c = name.text[i];
        if (c == '~' || c == '/') {
            out[n++] = '~';
            c = c == '~' ? '0' : '1';
        }
        out[n++] = c;
    }
    n = utf8_cut(out, n, n + 3 < size ? n : n - 4);
    out[n] = '\0';
}

/* --- values --- */

static inline bool is_null(const char *p, const char *end)
{
    return *p == 'n' && end - p >= 4 && memcmp(p, "null", 4) == 0;
}

static const char *latency(struct scanner *s, const char *p, const char *end, struct record *r)
{
    const char *after = number_scan(p, &r->latency_ms);
    if (!after || !(r->latency_ms >= 0 && r->latency_ms <= LATENCY_MAX_MS)) {
        r->latency_ms = 0;
        return wrong(s, p, end, "/latency_ms", "must be a number from 0 to 86400000");
    }
    r->latency_ms += 0.0; /* -0 becomes 0 */
    return after;
}

static const char *success(struct scanner *s, const char *p, const char *end, struct record *r)
{
    if (end - p >= 4 && memcmp(p, "true", 4) == 0)
        return p + 4;
    if (end - p >= 5 && memcmp(p, "false", 5) == 0) {
        r->failure = true;
        return p + 5;
    }
    return is_null(p, end) ? p + 4 : wrong(s, p, end, "/success", "must be true or false");
}

/* A string of at most `most` characters, or null. */
static const char *text(struct scanner *s, const char *p, const char *end, const char *field,
                        size_t most, struct span *value)
{
    if (*p != '"') {
        char must[64];
        if (is_null(p, end))
            return p + 4;
        snprintf(must, sizeof must, "must be a string of at most %zu characters", most);
        return wrong(s, p, end, field, must);
    }
    const char *after = token_string(p + 1, end, value, &s->scratch);
    if (!after)
        return malformed(s, p, "a string is malformed");
    if (value->len > most && utf8_count(value->text, value->len) > most)
        scanner_refuse(s, &ERR_INVALID, field, "must be a string of at most %zu characters", most);
    return after;
}

/* Two digits as a number, or -1. */
static inline int two(const char *p)
{
    unsigned a = (unsigned char)(p[0] - '0'), b = (unsigned char)(p[1] - '0');
    return a < 10 && b < 10 ? (int)(a * 10 + b) : -1;
}

/* Records of one batch are mostly of the same minute: then only "05.123Z" is left to read. */
static bool read_time(struct scanner *s, struct span t, int64_t *ms)
{
    bool usual = t.len == 24 && t.text[16] == ':' && t.text[19] == '.' && t.text[23] == 'Z';
    if (usual && memcmp(t.text, s->minute, sizeof s->minute) == 0) {
        int second = two(t.text + 17), hundredths = two(t.text + 20);
        unsigned last = (unsigned char)(t.text[22] - '0');
        if (second >= 0 && second < 60 && hundredths >= 0 && last < 10) {
            *ms = s->minute_ms + second * 1000 + hundredths * 10 + (int)last;
            return true;
        }
    }
    if (!time_parse(t.text, t.len, ms))
        return false;
    if (usual) {
        memcpy(s->minute, t.text, sizeof s->minute);
        s->minute_ms = *ms - *ms % 60000;
        if (two(t.text + 17) == 60) /* a leap second has the next minute's time */
            s->minute[0] = '\0';
    }
    return true;
}

/* Hold a time against the retention and the clock. */
static void place_in_time(struct scanner *s, int64_t ms, struct record *r)
{
    if (ms < s->oldest_ms) {
        char oldest[TIME_TEXT_SIZE];
        time_format(s->oldest_ms, oldest);
        scanner_refuse(s, &ERR_INVALID, "/timestamp",
                       "is older than the retention, which reaches back to %s", oldest);
    } else if (ms > s->now_ms + CLOCK_AHEAD_MS) {
        r->skewed = true;
    } else {
        r->timestamp = ms;
    }
}

static const char *timestamp(struct scanner *s, const char *p, const char *end, struct record *r)
{
    static const char must[] = "must be an RFC 3339 time or epoch milliseconds";
    if (*p == '"') {
        struct span t;
        int64_t ms;
        const char *after = token_string(p + 1, end, &t, &s->scratch);
        if (!after)
            return malformed(s, p, "a string is malformed");
        if (read_time(s, t, &ms))
            place_in_time(s, ms, r);
        else
            scanner_refuse(s, &ERR_INVALID, "/timestamp", "%s", must);
        return after;
    }
    if (is_null(p, end))
        return p + 4;
    double ms;
    const char *after = number_scan(p, &ms);
    if (!after || !(ms >= 0 && ms < 253402300800000.0))
        return wrong(s, p, end, "/timestamp", must);
    place_in_time(s, (int64_t)ms, r);
    return after;
}

static const char *score_value(struct scanner *s, const char *p, const char *end, const char *field,
                               double *value)
{
    const char *after = number_scan(p, value);
    if (!after || !isfinite(*value)) {
        *value = 0;
        return wrong(s, p, end, field, "must be a finite number");
    }
    *value += 0.0;
    return after;
}

static const char *score(struct scanner *s, const char *p, const char *end, struct record *r)
{
    if (is_null(p, end)) {
        s->given |= NULL_SCORE;
        return p + 4;
    }
    r->scores[0].name = (struct span){"score", 5};
    r->n_scores = 1;
    return score_value(s, p, end, "/score", &r->scores[0].value);
}

/* Take the member `name` of "scores", whose value begins at `p`. */
static const char *score_member(struct scanner *s, struct span name, const char *p, const char *end,
                                struct record *r)
{
    char field[SCORE_NAME_MAX * 4 + 16];
    for (size_t i = 0; i < r->n_scores; i++)
        if (r->scores[i].name.len == name.len &&
            memcmp(r->scores[i].name.text, name.text, name.len) == 0) {
            scanner_refuse(s, &ERR_MALFORMED_JSON, "", "a name in \"scores\" is given twice");
            return token_skip(p, end, TOKEN_DEPTH_MAX - 3, &s->scratch);
        }
    if (name.len == 0 ||
        (name.len > SCORE_NAME_MAX && utf8_count(name.text, name.len) > SCORE_NAME_MAX))
        scanner_refuse(s, &ERR_INVALID, "/scores", "names must have 1 to %d characters",
                       SCORE_NAME_MAX);
    double value;
    const char *after = number_scan(p, &value);
    if (!after || !isfinite(value)) {
        pointer_to(field, sizeof field, "/scores", name);
        return wrong(s, p, end, field, "must be a finite number");
    }
    r->scores[r->n_scores++] = (struct score){name, value + 0.0};
    return after;
}

static const char *scores(struct scanner *s, const char *p, const char *end, struct record *r)
{
    static const char must[] = "must be an object of at most 16 finite numbers";
    if (is_null(p, end)) {
        s->given |= NULL_SCORES;
        return p + 4;
    }
    if (*p != '{')
        return wrong(s, p, end, "/scores", must);
    const char *start = p;
    p = token_space(p + 1, end);
    if (*p == '}')
        return p + 1;
    r->n_scores = 0; /* of a `score`: then both are refused in the end */
    for (;;) {
        struct span name;
        if (*p != '"' || !(p = token_string(p + 1, end, &name, &s->scratch)))
            return malformed(s, start, "an object is malformed");
        p = token_space(p, end);
        if (*p != ':')
            return malformed(s, start, "an object is malformed");
        p = token_space(p + 1, end);
        if (r->n_scores == SCORES_MAX)
            return wrong(s, start, end, "/scores", must);
        if (!(p = score_member(s, name, p, end, r)))
            return malformed(s, start, "an object is malformed");
        p = token_space(p, end);
        if (*p == '}')
            return p + 1;
        if (*p != ',')
            return malformed(s, start, "an object is malformed");
        p = token_space(p + 1, end);
    }
}

/* --- members --- */

static unsigned field_of(struct span key)
{
    static const struct {
        struct span name;
        unsigned given;
    } fields[] = {
        {{"latency_ms", 10}, GIVEN_LATENCY},   {{"success", 7}, GIVEN_SUCCESS},
        {{"error_type", 10}, GIVEN_ERROR},     {{"timestamp", 9}, GIVEN_TIME},
        {{"scores", 6}, GIVEN_SCORES},         {{"score", 5}, GIVEN_SCORE},
        {{"decision_id", 11}, GIVEN_DECISION}, {{"model_id", 8}, GIVEN_MODEL},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (key.len == fields[i].name.len && memcmp(key.text, fields[i].name.text, key.len) == 0)
            return fields[i].given;
    return 0;
}

#define KEY_IS(literal, given_)                                                           \
    if (end - p > (long)sizeof literal && memcmp(p, literal "\"", sizeof literal) == 0) { \
        *given = given_;                                                                  \
        return p + sizeof literal;                                                        \
    }

/* Read the key at `p`, behind its quote. `*given` is 0 for one that no record has. */
static inline const char *member_key(struct scanner *s, const char *p, const char *end,
                                     unsigned *given, struct span *key)
{
    switch (*p) {
    case 'l': KEY_IS("latency_ms", GIVEN_LATENCY) break;
    case 's':
        KEY_IS("success", GIVEN_SUCCESS)
        KEY_IS("scores", GIVEN_SCORES)
        KEY_IS("score", GIVEN_SCORE)
        break;
    case 'e': KEY_IS("error_type", GIVEN_ERROR) break;
    case 't': KEY_IS("timestamp", GIVEN_TIME) break;
    case 'd': KEY_IS("decision_id", GIVEN_DECISION) break;
    case 'm': KEY_IS("model_id", GIVEN_MODEL) break;
    default: break;
    }
    const char *after = token_string(p, end, key, &s->scratch);
    if (!after)
        return malformed(s, p, "a key is malformed");
    *given = field_of(*key);
    return after;
}

static const char *unknown_member(struct scanner *s, struct span key, const char *p,
                                  const char *end)
{
    char field[512];
    pointer_to(field, sizeof field, "", key);
    scanner_refuse(s, &ERR_UNKNOWN_FIELD, field, "an inference record has no such field");
    const char *after = token_skip(p, end, TOKEN_DEPTH_MAX - 2, &s->scratch);
    return after ? after : malformed(s, p, "a value is malformed");
}

static inline const char *member_value(struct scanner *s, unsigned given, struct span key,
                                       const char *p, const char *end, struct record *r)
{
    if (s->given & given) {
        scanner_refuse(s, &ERR_MALFORMED_JSON, "", "a field is given twice");
        const char *after = token_skip(p, end, TOKEN_DEPTH_MAX - 2, &s->scratch);
        return after ? after : malformed(s, p, "a value is malformed");
    }
    s->given |= given;
    switch (given) {
    case GIVEN_LATENCY: return latency(s, p, end, r);
    case GIVEN_SUCCESS: return success(s, p, end, r);
    case GIVEN_ERROR: return text(s, p, end, "/error_type", ERROR_TYPE_MAX, &r->error_type);
    case GIVEN_TIME: return timestamp(s, p, end, r);
    case GIVEN_SCORES: return scores(s, p, end, r);
    case GIVEN_SCORE: return score(s, p, end, r);
    case GIVEN_DECISION: return text(s, p, end, "/decision_id", DECISION_ID_MAX, &r->decision);
    case GIVEN_MODEL: return text(s, p, end, "/model_id", SIZE_MAX, &r->model_id);
    default: return unknown_member(s, key, p, end);
    }
}

/* What can only be told when the whole record is there. */
static void finish(struct scanner *s, const struct record *r)
{
    if (!(s->given & GIVEN_LATENCY))
        scanner_refuse(s, &ERR_INVALID, "/latency_ms", "is required");
    if (r->error_type.text && !r->failure)
        scanner_refuse(s, &ERR_INVALID, "/error_type", "may only be given with \"success\":false");
    if ((s->given & (GIVEN_SCORE | NULL_SCORE)) == GIVEN_SCORE &&
        (s->given & (GIVEN_SCORES | NULL_SCORES)) == GIVEN_SCORES)
        scanner_refuse(s, &ERR_INVALID, "/score",
                       "is short for \"scores\":{\"score\":x}: give one of both");
}

const char *scanner_record(struct scanner *s, const char *p, const char *end, struct record *r)
{
    s->refused = false;
    s->given = 0;
    s->scratch.len = 0;
    r->timestamp = s->now_ms;
    r->failure = r->skewed = false;
    r->error_type.text = r->model_id.text = r->decision.text = NULL;
    r->n_scores = 0;
    if (*p != '{')
        return wrong(s, p, end, "", "must be an object");
    p = token_space(p + 1, end);
    if (*p == '}') {
        finish(s, r);
        return p + 1;
    }
    for (;;) {
        unsigned given;
        struct span key;
        if (*p != '"')
            return malformed(s, p, "a key is expected");
        p = member_key(s, p + 1, end, &given, &key);
        if (!p)
            return NULL;
        p = token_space(p, end);
        if (*p != ':')
            return malformed(s, p, "':' is expected");
        p = member_value(s, given, key, token_space(p + 1, end), end, r);
        if (!p)
            return NULL;
        p = token_space(p, end);
        if (*p == '}') {
            finish(s, r);
            return p + 1;
        }
        if (*p != ',')
            return malformed(s, p, "',' or '}' is expected");
        p = token_space(p + 1, end);
    }
}
