/* A strategy that behaves as it is told, and counts what it was told: its first candidate's weight
 * is the sum of the outcomes' values plus 1. */
#include <paddock/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const MOODS[] = {"good", "crash", "hang",   "exit", "nan",
                                    "grab", "print", "refuse", NULL};

static const paddock_field CONFIG[] = {
    {"mood", PADDOCK_FIELD_TEXT, 0, 0, 0, "\"good\"", MOODS, NULL, "What weigh() does."},
    {"after", PADDOCK_FIELD_INTEGER, 0, 0, 1000000, "0", NULL, NULL,
     "It behaves well until it was told so many outcomes."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

struct memory {
    double sum;
    uint64_t told;
};

static bool begin(paddock_strategy *s)
{
    s->state = calloc(1, sizeof(struct memory));
    return s->state != NULL;
}

static void end(paddock_strategy *s)
{
    free(s->state);
}

static void update(paddock_strategy *s, const paddock_outcome *const *outcomes, size_t n)
{
    struct memory *m = s->state;
    for (size_t i = 0; i < n; i++) {
        m->sum += outcomes[i]->value;
        m->told++;
    }
}

/* More than the process may have: either it gets none, or it says that it got it. */
static void grab(void)
{
    size_t size = 64u << 20;
    for (int i = 0; i < 6; i++) {
        char *more = malloc(size);
        if (!more)
            abort();
        more[0] = more[size - 1] = 1;
    }
    exit(0);
}

static void behave(const char *mood)
{
    if (strcmp(mood, "crash") == 0)
        abort();
    for (volatile unsigned turn = 0; strcmp(mood, "hang") == 0; turn = turn + 1)
        ;
    if (strcmp(mood, "exit") == 0)
        exit(0);
    if (strcmp(mood, "grab") == 0)
        grab();
    for (int fd = 3; strcmp(mood, "print") == 0 && fd < 64; fd++)
        if (write(fd, "hello\n", 6) < 0)
            continue;
}

static bool weigh(paddock_strategy *s, const paddock_candidate *const *candidates, size_t n,
                  paddock_weight *weights)
{
    const struct memory *m = s->state;
    const char *mood = paddock_text(s->host, s->config, "mood");
    (void)candidates;
    if ((int64_t)m->told < paddock_integer(s->host, s->config, "after"))
        mood = "good";
    behave(mood);
    for (size_t i = 0; i < n; i++)
        weights[i].weight = strcmp(mood, "nan") == 0 ? (double)NAN : 1;
    weights[0].weight += m->sum;
    weights[0].score = (double)m->told;
    return strcmp(mood, "refuse") != 0;
}

static bool save(paddock_strategy *s)
{
    return paddock_save(s, s->state, sizeof(struct memory));
}

static bool load(paddock_strategy *s, const void *data, size_t len)
{
    if (len == sizeof(struct memory))
        memcpy(s->state, data, len);
    return len == sizeof(struct memory);
}

static const paddock_strategy_ops OPS = {
    .weigh = weigh, .open = begin, .close = end, .update = update, .save = save, .load = load};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_STRATEGY, .flags = 0, .id = "test.moody", .version = "1.0.0",
               .summary = "behaves as it is told", .config = CONFIG, .ops = &OPS);
