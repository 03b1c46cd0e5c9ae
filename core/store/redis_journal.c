/* Reading the journal: the shortest of the sets that the query's filters name (the whole journal,
 * if none does) is gone through page by page, and each entry held against all filters here. */
#include "store/entries.h"
#include "store/redis.h"

#include <string.h>

#define PAGE 128

struct journal_scan {
    const char *index; /* "": all */
    size_t index_len;
    const char *candidates[REDIS_INDEXES];
    size_t lens[REDIS_INDEXES], n, asked; /* candidates, and those whose length was asked for */
    int64_t least;
    uint64_t low, high; /* what is left of the journal to go through */
    bool full;          /* the page is */
    bool total_known;   /* one filter, and an index for just that */
};

static enum ask_result page(struct ask *c, const redisReply *r, struct err *e);

static enum ask_result go_on(struct ask *c)
{
    const struct journal_scan *s = c->state;
    ask_begin(c, SCRIPT_JOURNAL);
    ask_add(c, s->index, s->index_len);
    ask_uint(c, s->low);
    ask_uint(c, s->high);
    ask_uint(c, PAGE);
    ask_text(c, c->job->journal->query.newest_first ? "1" : "0");
    c->reply = page;
    return ASK_AGAIN;
}

/* Everything up to `seq` has been looked at. */
static void advance(struct ask *c, uint64_t seq)
{
    struct journal_scan *s = c->state;
    if (c->job->journal->query.newest_first)
        s->high = seq - 1;
    else
        s->low = seq + 1;
}

/* One entry that was found. */
static void take_entry(struct ask *c, const struct journal_entry *entry)
{
    struct journal_read *r = c->job->journal;
    struct journal_scan *s = c->state;
    const struct journal_query *q = &r->query;
    advance(c, entry->seq);
    if (!entry_matches(q, entry))
        return;
    r->total += q->count_total && !s->total_known;
    bool in_page = entry->seq > q->after_seq && (!q->before_seq || entry->seq < q->before_seq);
    if (in_page && !s->full)
        s->full = !page_add(r, entry);
}

/* False: it is none. */
static bool take_text(struct ask *c, const redisReply *text)
{
    struct journal_scan *s = c->state;
    struct journal_entry entry;
    if (text->type == REDIS_REPLY_NIL && s->index_len == 0) {
        advance(c, c->job->journal->query.newest_first ? s->high : s->low);
        return true;
    }
    if (text->type != REDIS_REPLY_STRING ||
        !redis_entry_unpack(text->str, (size_t)text->len, &entry))
        return false;
    take_entry(c, &entry);
    return true;
}

static enum ask_result page(struct ask *c, const redisReply *r, struct err *e)
{
    struct journal_scan *s = c->state;
    struct journal_read *read = c->job->journal;
    bool counting = read->query.count_total && !s->total_known;
    int64_t total, head;
    if (r->type != REDIS_REPLY_ARRAY || r->elements < 2 || !redis_number(r->element[0], &total) ||
        !redis_number(r->element[1], &head))
        return redis_strange(e), ASK_FAILED;
    if (s->total_known && read->query.count_total)
        read->total = (uint64_t)total;
    if (s->high > (uint64_t)head)
        s->high = (uint64_t)head;
    for (size_t i = 2; i < r->elements && (!s->full || counting); i++)
        if (!take_text(c, r->element[i]))
            return fail(e, &ERR_CORRUPT, "an entry of the journal in Redis cannot be read"),
                   ASK_FAILED;
    bool over = r->elements < PAGE + 2 || s->low > s->high || (s->full && !counting);
    if (!over)
        return go_on(c);
    return page_end(read, e) ? ASK_DONE : ASK_FAILED;
}

/* --- which set --- */

static enum ask_result ask_length(struct ask *c);

static enum ask_result length(struct ask *c, const redisReply *r, struct err *e)
{
    struct journal_scan *s = c->state;
    if (r->type != REDIS_REPLY_INTEGER)
        return redis_strange(e), ASK_FAILED;
    if (s->asked == 0 || r->integer < s->least) {
        s->least = r->integer;
        s->index = s->candidates[s->asked];
        s->index_len = s->lens[s->asked];
    }
    return ++s->asked < s->n ? ask_length(c) : go_on(c);
}

static enum ask_result ask_length(struct ask *c)
{
    const struct journal_scan *s = c->state;
    ask_begin(c, PLAIN);
    ask_text(c, "ZCARD");
    ask_text(c, arena_printf(c->arena, "%sj:%s", REDIS_CONTROL, s->candidates[s->asked]));
    c->reply = length;
    return ASK_AGAIN;
}

static void choose(struct ask *c, struct journal_scan *s)
{
    const struct journal_query *q = &c->job->journal->query;
    const struct journal_entry wanted = {
        .ns = q->ns && strcmp(q->ns, "*") != 0 ? q->ns : NULL,
        .entity_id = q->entity_id,
        .name = q->name,
        .actor_id = q->actor_id,
        .action = q->action,
        .to_status = q->to_status,
    };
    for (size_t i = 0; i < REDIS_INDEXES; i++) {
        size_t len;
        const char *index = redis_index_of(i, &wanted, c->arena, &len);
        if (!index)
            continue;
        s->candidates[s->n] = index;
        s->lens[s->n++] = len;
    }
    s->total_known = s->n <= 1 && !q->entity && !q->grants && q->from == 0 && q->to == 0;
}

void redis_journal(struct ask *c)
{
    struct journal_read *r = c->job->journal;
    struct journal_scan *s = arena_zero(c->arena, sizeof *s);
    struct err e = {0};
    if (!page_begin(r, &e)) {
        ask_end(c, &e);
        return;
    }
    c->state = s;
    s->index = "";
    choose(c, s);
    bool counting = r->query.count_total && !s->total_known;
    s->low = counting ? 1 : r->query.after_seq + 1;
    s->high = !counting && r->query.before_seq ? r->query.before_seq - 1 : INT64_MAX;
    if (s->n == 1) {
        s->index = s->candidates[0];
        s->index_len = s->lens[0];
    }
    if (s->n > 1)
        ask_length(c);
    else
        go_on(c);
    ask_send(c);
}
