/* What the first stage passes on to the host: lines with this hop's nonce, under the other one; all
 * else is counted. */
#include "support/unit.h"
#include "worker/relay.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define IN  "11111111111111111111111111111111"
#define OUT "22222222222222222222222222222222"

struct pipes {
    int to_relay, from_relay;
    struct relay relay;
};

static int setup(void **state)
{
    static struct pipes p;
    int in[2], out[2];
    assert_true(pipe2(in, O_CLOEXEC | O_NONBLOCK) == 0);
    assert_true(pipe2(out, O_CLOEXEC | O_NONBLOCK) == 0);
    p.to_relay = in[1];
    p.from_relay = out[0];
    static struct relay_room room;
    relay_init(&p.relay, &room, in[0], out[1], IN, OUT);
    *state = &p;
    return 0;
}

static int teardown(void **state)
{
    struct pipes *p = *state;
    close(p->relay.in);
    close(p->relay.out);
    if (p->to_relay >= 0)
        close(p->to_relay);
    close(p->from_relay);
    return 0;
}

static void put(struct pipes *p, const char *text)
{
    assert_true(write(p->to_relay, text, strlen(text)) == (ssize_t)strlen(text));
    assert_true(relay_read(&p->relay));
    assert_true(relay_write(&p->relay));
}

static void expect(struct pipes *p, const char *text)
{
    char got[4096] = "";
    ssize_t n = read(p->from_relay, got, sizeof got - 1);
    got[n < 0 ? 0 : n] = '\0';
    assert_string_equal(got, text);
}

static void good_lines_get_the_other_nonce(void **state)
{
    struct pipes *p = *state;
    put(p, "{\"nonce\":\"" IN "\",\"run\":{}}\n{\"nonce\":\"" IN "\",\"check\":{");
    expect(p, "{\"nonce\":\"" OUT "\",\"run\":{}}\n");
    assert_true(p->relay.running && !p->relay.ended);
    put(p, "\"ok\":true}}\n");
    expect(p, "{\"nonce\":\"" OUT "\",\"check\":{\"ok\":true}}\n");
    put(p, "{\"nonce\":\"" IN "\",\"end\":{}}\n");
    expect(p, "{\"nonce\":\"" OUT "\",\"end\":{}}\n");
    assert_true(p->relay.ended);
    assert_int_equal(p->relay.foreign, 0);
}

static void other_lines_are_counted(void **state)
{
    struct pipes *p = *state;
    put(p, "rubbish\n");
    assert_int_equal(p->relay.foreign, 8);
    put(p, "{\"nonce\":\"" OUT "\",\"run\":{}}\n"); /* the host's nonce is not this hop's */
    put(p, "{\"nonce\":\"" IN "\"}\n");
    put(p, "{\"nonce\":\"" IN "\" ,\"run\":{}}\n");
    expect(p, "");
    assert_false(p->relay.running);
    assert_true(p->relay.foreign > 100);
}

static void nobody_else_says_how_it_ended(void **state)
{
    struct pipes *p = *state;
    put(p, "{\"nonce\":\"" IN "\",\"stage\":{\"end\":\"exit\"}}\n");
    expect(p, "");
    assert_true(p->relay.foreign > 0);
}

static void nothing_follows_the_end(void **state)
{
    struct pipes *p = *state;
    put(p, "{\"nonce\":\"" IN "\",\"end\":{}}\n");
    expect(p, "{\"nonce\":\"" OUT "\",\"end\":{}}\n");
    put(p, "{\"nonce\":\"" IN "\",\"check\":{}}\n");
    expect(p, "");
    assert_true(p->relay.foreign > 0);
}

static void an_endless_line_is_dropped(void **state)
{
    struct pipes *p = *state;
    static char chunk[32768];
    memset(chunk, 'x', sizeof chunk - 1);
    for (size_t i = 0; i < REPORT_LINE / (sizeof chunk - 1) + 2; i++)
        put(p, chunk);
    put(p, "\n{\"nonce\":\"" IN "\",\"run\":{}}\n");
    expect(p, "{\"nonce\":\"" OUT "\",\"run\":{}}\n");
    assert_true(p->relay.foreign > REPORT_LINE);
}

static void a_piece_without_an_end_is_foreign(void **state)
{
    struct pipes *p = *state;
    put(p, "{\"nonce\":\"" IN "\",\"ru");
    close(p->to_relay);
    p->to_relay = -1;
    assert_false(relay_read(&p->relay));
    relay_finish(&p->relay);
    expect(p, "");
    assert_true(p->relay.foreign > 0);
}

static void a_slow_host_stops_the_reading(void **state)
{
    struct pipes *p = *state;
    char line[8192];
    memset(line, 'x', sizeof line);
    int n = snprintf(line, sizeof line, "{\"nonce\":\"" IN "\",\"check\":{\"detail\":\"");
    line[n] = 'x';
    snprintf(line + 8000, 8, "\"}}\n");
    size_t written = 0;
    for (int i = 0; i < 1000 && relay_reads(&p->relay); i++) {
        written += (size_t)write(p->to_relay, line, strlen(line));
        assert_true(relay_read(&p->relay));
        assert_true(relay_write(&p->relay));
    }
    assert_false(relay_reads(&p->relay));
    assert_true(written < 3u << 20);
    char got[65536];
    while (!relay_idle(&p->relay)) {
        while (read(p->from_relay, got, sizeof got) > 0)
            ;
        assert_true(relay_write(&p->relay));
    }
    assert_true(relay_reads(&p->relay));
}

#define CASE(test_) cmocka_unit_test_setup_teardown(test_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(good_lines_get_the_other_nonce), CASE(other_lines_are_counted),
        CASE(nobody_else_says_how_it_ended),  CASE(nothing_follows_the_end),
        CASE(an_endless_line_is_dropped),     CASE(a_piece_without_an_end_is_foreign),
        CASE(a_slow_host_stops_the_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
