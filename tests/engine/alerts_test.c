#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "emit/outbox.h"
#include "engine/alerts.h"

struct fixture {
    char root[64];
    struct datadir datadir;
    struct book *book;
    struct arena arena;
    struct clock_fixed clock;
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    char path[96];
    assert_non_null(fixture);
    strcpy(fixture->root, "/tmp/ratel-alerts-XXXXXX");
    if (!mkdtemp(fixture->root))
        return -1;
    *state = fixture;
    arena_init(&fixture->arena);
    clock_fixed_init(&fixture->clock, (struct instant){1000});
    snprintf(path, sizeof(path), "%s/data", fixture->root);
    struct error *error = &fixture->error;
    return datadir_init(path, 1, error) == STATUS_OK &&
                   datadir_open(path, DATADIR_WRITE, &fixture->datadir, error) == STATUS_OK &&
                   book_open(&fixture->datadir, STORE_WRITE, &fixture->book, error) == STATUS_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[96];
    book_close(fixture->book);
    datadir_close(&fixture->datadir);
    arena_fini(&fixture->arena);
    snprintf(command, sizeof(command), "rm -rf %s", fixture->root);
    int code = system(command);
    free(fixture);
    return code;
}

static struct alerts *opened(struct fixture *fixture)
{
    struct alerts *alerts;
    assert_int_equal(alerts_open(fixture->book, &fixture->clock.base, &alerts, &fixture->error),
                     STATUS_OK);
    return alerts;
}

static uint32_t stored(struct fixture *fixture, struct message **ret)
{
    uint32_t count;
    assert_int_equal(outbox_list(book_store(fixture->book), BOOK_OUTBOX, MESSAGE_STATUS_COUNT,
                                 &fixture->arena, ret, &count, NULL),
                     STATUS_OK);
    return count;
}

static const struct alert two[] = {
    {{"budget:b1:2026-10:50", 20},
     {"{\"budget\":\"b1\",\"account\":\"acme\",\"threshold\":50}", 47}},
    {{"budget:b1:2026-10:80", 20},
     {"{\"budget\":\"b1\",\"account\":\"acme\",\"threshold\":80}", 47}},
};

static void test_alerts__become_messages_that_are_known_from_then_on(void **state)
{
    struct fixture *fixture = *state;
    struct alerts *alerts = opened(fixture);
    struct alert_sink *sink = alerts_sink(alerts);
    assert_false(sink->known(sink, two[0].id));
    assert_int_equal(sink->deliver(sink, two, 2, &fixture->error), STATUS_OK);
    assert_true(sink->known(sink, two[0].id));
    assert_true(sink->known(sink, two[1].id));
    struct message *messages;
    assert_int_equal(stored(fixture, &messages), 2);
    assert_true(slice_is(messages[0].kind, "budget.threshold"));
    assert_true(slice_is(messages[0].account, "acme"));
    assert_int_equal(messages[0].created.seconds, 1000);
    alerts_close(alerts);

    alerts = opened(fixture); /* ids are read again */
    sink = alerts_sink(alerts);
    assert_true(sink->known(sink, two[1].id));
    assert_false(sink->known(sink, SLICE("budget:b1:2026-10:100")));
    alerts_close(alerts);
}

static void test_alerts__delivered_again_change_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct alerts *alerts = opened(fixture);
    struct alert_sink *sink = alerts_sink(alerts);
    assert_int_equal(sink->deliver(sink, two, 1, &fixture->error), STATUS_OK);
    fixture->clock.at.seconds = 2000;
    assert_int_equal(sink->deliver(sink, two, 2, &fixture->error), STATUS_OK);
    assert_int_equal(sink->deliver(sink, two, 2, &fixture->error), STATUS_OK);
    struct message *messages;
    assert_int_equal(stored(fixture, &messages), 2);
    assert_int_equal(messages[0].created.seconds, 1000);
    assert_int_equal(messages[1].created.seconds, 2000);
    alerts_close(alerts);
}

static void test_alerts__what_is_no_message_is_damage(void **state)
{
    struct fixture *fixture = *state;
    struct alerts *alerts = opened(fixture);
    struct alert_sink *sink = alerts_sink(alerts);
    struct alert broken = {SLICE("budget:b1:2026-10:50"), SLICE("{\"budget\":")};
    assert_int_equal(sink->deliver(sink, &broken, 1, &fixture->error), STATUS_CORRUPT);
    assert_false(sink->known(sink, broken.id));
    struct message *messages;
    assert_int_equal(stored(fixture, &messages), 0);
    alerts_close(alerts);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_alerts__become_messages_that_are_known_from_then_on),
        TEST(test_alerts__delivered_again_change_nothing),
        TEST(test_alerts__what_is_no_message_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
