#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pack.h"
#include "emit/outbox.h"

static const char *const tables[] = {"other", "outbox"};
enum { OUTBOX = 1 };

struct fixture {
    char directory[64];
    struct store *store;
    struct arena arena;
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    arena_init(&fixture->arena);
    strcpy(fixture->directory, "/tmp/ratel-outbox-XXXXXX");
    if (!mkdtemp(fixture->directory))
        return -1;
    *state = fixture;
    return store_open(fixture->directory, STORE_WRITE, tables, 2, &fixture->store, NULL) ==
                   STATUS_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[96];
    store_close(fixture->store);
    arena_fini(&fixture->arena);
    snprintf(command, sizeof(command), "rm -rf %s", fixture->directory);
    int code = system(command);
    free(fixture);
    return code;
}

struct putting {
    struct message message;
    bool fresh;
};

static enum status put_change(struct store_txn *txn, void *context, struct error *error)
{
    struct putting *putting = context;
    return outbox_put(txn, OUTBOX, &putting->message, &putting->fresh, error);
}

/* Whether the message was new. */
static bool put(struct fixture *fixture, const char *id, int64_t created, const char *payload)
{
    struct putting putting = {.message = {.id = slice_string(id),
                                          .kind = SLICE("test"),
                                          .account = SLICE("acme"),
                                          .created = {created},
                                          .payload = slice_string(payload)}};
    assert_int_equal(store_update(fixture->store, put_change, &putting, &fixture->error),
                     STATUS_OK);
    return putting.fresh;
}

static uint32_t list(struct fixture *fixture, enum message_status status, struct message **ret)
{
    uint32_t count;
    assert_int_equal(
        outbox_list(fixture->store, OUTBOX, status, &fixture->arena, ret, &count, &fixture->error),
        STATUS_OK);
    return count;
}

static struct message get(struct fixture *fixture, const char *id)
{
    struct store_txn *txn;
    struct message message;
    assert_int_equal(store_read(fixture->store, &txn, NULL), STATUS_OK);
    assert_int_equal(outbox_get(txn, OUTBOX, slice_string(id), &fixture->arena, &message, NULL),
                     STATUS_OK);
    store_end(txn);
    return message;
}

static enum status mark(struct fixture *fixture, const char *id, enum message_status status)
{
    struct slice slice = slice_string(id);
    return outbox_mark(fixture->store, OUTBOX, &slice, 1, status, false, (struct instant){99},
                       &fixture->error);
}

static void test_outbox_put__a_known_id_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    assert_true(put(fixture, "m1", 10, "{\"n\":1}"));
    assert_int_equal(mark(fixture, "m1", MESSAGE_SENT), STATUS_OK);
    assert_false(put(fixture, "m1", 20, "{\"n\":2}"));
    struct message message = get(fixture, "m1");
    assert_int_equal(message.status, MESSAGE_SENT);
    assert_int_equal(message.created.seconds, 10);
    assert_true(slice_is(message.payload, "{\"n\":1}"));
    struct message *all;
    assert_int_equal(list(fixture, MESSAGE_STATUS_COUNT, &all), 1);
}

static void test_outbox_list__is_by_time_then_id_and_by_status(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "b", 10, "{}");
    put(fixture, "a", 20, "{}");
    put(fixture, "c", 10, "{}");
    assert_int_equal(mark(fixture, "c", MESSAGE_DROPPED), STATUS_OK);
    struct message *messages;
    assert_int_equal(list(fixture, MESSAGE_STATUS_COUNT, &messages), 3);
    assert_true(slice_is(messages[0].id, "b"));
    assert_true(slice_is(messages[1].id, "c"));
    assert_true(slice_is(messages[2].id, "a"));
    assert_int_equal(list(fixture, MESSAGE_PENDING, &messages), 2);
    assert_int_equal(list(fixture, MESSAGE_DROPPED, &messages), 1);
    assert_int_equal(messages[0].changed.seconds, 99);
    assert_int_equal(list(fixture, MESSAGE_SENT, &messages), 0);
}

static void test_outbox_mark__is_all_or_nothing_and_names_the_unknown(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a", 10, "{}");
    struct slice ids[] = {SLICE("a"), SLICE("nobody")};
    assert_int_equal(outbox_mark(fixture->store, OUTBOX, ids, 2, MESSAGE_SENT, true,
                                 (struct instant){99}, &fixture->error),
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(fixture->error.text, "nobody"));
    struct message message = get(fixture, "a");
    assert_int_equal(message.status, MESSAGE_PENDING);
    assert_int_equal(message.attempts, 0);
}

static enum status damage_change(struct store_txn *txn, void *context, struct error *error)
{
    struct slice *value = context;
    return store_put(txn, OUTBOX, SLICE("m1"), *value, error);
}

static enum status copy_value(struct slice key, struct slice value, void *context,
                              struct error *error)
{
    struct packer *packer = context;
    (void)key;
    (void)error;
    pack_bytes(packer, value.data, value.length);
    return STATUS_OK;
}

static void test_outbox_get__refuses_a_value_that_is_cut_anywhere(void **state)
{
    struct fixture *fixture = *state;
    struct store_txn *txn;
    struct packer packer;
    struct message message;
    put(fixture, "m1", 10, "{\"n\":1}");
    pack_init(&packer);
    assert_int_equal(store_read(fixture->store, &txn, NULL), STATUS_OK);
    assert_int_equal(store_walk(txn, OUTBOX, (struct slice){NULL, 0}, copy_value, &packer, NULL),
                     STATUS_OK);
    store_end(txn);
    for (size_t length = 0; length < packer.length; length++) {
        struct slice cut = slice_of(packer.data, length);
        assert_int_equal(store_update(fixture->store, damage_change, &cut, NULL), STATUS_OK);
        assert_int_equal(store_read(fixture->store, &txn, NULL), STATUS_OK);
        assert_int_equal(
            outbox_get(txn, OUTBOX, SLICE("m1"), &fixture->arena, &message, &fixture->error),
            STATUS_CORRUPT);
        store_end(txn);
    }
    packer.data[0] = 77;
    struct slice later = pack_done(&packer);
    assert_int_equal(store_update(fixture->store, damage_change, &later, NULL), STATUS_OK);
    assert_int_equal(store_read(fixture->store, &txn, NULL), STATUS_OK);
    assert_int_equal(
        outbox_get(txn, OUTBOX, SLICE("m1"), &fixture->arena, &message, &fixture->error),
        STATUS_VERSION);
    store_end(txn);
    pack_fini(&packer);
}

static void test_message_write__the_payload_cannot_speak_for_the_message(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    struct json json;
    struct message message = {.id = SLICE("m1"),
                              .kind = SLICE("budget.threshold"),
                              .account = SLICE("acme"),
                              .created = {0},
                              .changed = {0},
                              .status = MESSAGE_SENT,
                              .attempts = 2,
                              .payload =
                                  SLICE("{\"id\":\"x\",\"status\":\"lost\",\"threshold\":80}")};
    assert_non_null(out);
    json_init(&json, out, false);
    message_write(&message, true, &json);
    message_write(&message, false, &json);
    fclose(out);
    assert_string_equal(text, "{\"id\":\"m1\",\"kind\":\"budget.threshold\",\"account\":\"acme\","
                              "\"created\":\"1970-01-01T00:00:00Z\","
                              "\"status\":\"sent\",\"attempts\":2,\"changed\":\"1970-01-01T00:00:"
                              "00Z\",\"threshold\":80}\n"
                              "{\"id\":\"m1\",\"kind\":\"budget.threshold\",\"account\":\"acme\","
                              "\"created\":\"1970-01-01T00:00:00Z\","
                              "\"threshold\":80}\n");
    free(text);
}

/* ---- sending
 * -------------------------------------------------------------------------------------- */

/* A target that takes so many messages and then fails. */
struct fake_target {
    struct outbox_target base;
    uint32_t takes;
    uint32_t taken;
    char last_id[32];
    char last_body[256];
};

static enum status fake_write(struct outbox_target *target, const struct outbox_item *items,
                              uint32_t count, uint32_t *ret_done, struct error *error)
{
    struct fake_target *fake = (struct fake_target *)target;
    for (uint32_t i = 0; i < count; i++) {
        if (fake->taken == fake->takes) {
            *ret_done = i;
            return error_set(error, STATUS_UNAVAILABLE, "the other side is away");
        }
        fake->taken++;
        snprintf(fake->last_id, sizeof(fake->last_id), "%.*s", (int)items[i].id.length,
                 items[i].id.data);
        snprintf(fake->last_body, sizeof(fake->last_body), "%.*s", (int)items[i].body.length,
                 items[i].body.data);
    }
    *ret_done = count;
    return STATUS_OK;
}

static enum status send_with(struct fixture *fixture, struct fake_target *fake,
                             struct outbox_sent *sent)
{
    fake->base.write = fake_write;
    return outbox_send(fixture->store, OUTBOX, &fake->base, (struct instant){500}, sent,
                       &fixture->error);
}

static void put_many(struct fixture *fixture, int count)
{
    char id[16];
    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "m%04d", i);
        put(fixture, id, i, "{\"n\":1}");
    }
}

static void test_outbox_send__sends_pending_messages_once(void **state)
{
    struct fixture *fixture = *state;
    struct fake_target fake = {.takes = UINT32_MAX};
    struct outbox_sent sent;
    put_many(fixture, OUTBOX_BLOCK_MESSAGES + 10);
    assert_int_equal(mark(fixture, "m0003", MESSAGE_DROPPED), STATUS_OK);
    assert_int_equal(send_with(fixture, &fake, &sent), STATUS_OK);
    assert_int_equal(sent.sent, OUTBOX_BLOCK_MESSAGES + 9);
    assert_int_equal(sent.left, 0);
    assert_string_equal(fake.last_id, "m0265");
    assert_string_equal(fake.last_body, "{\"id\":\"m0265\",\"kind\":\"test\",\"account\":\"acme\","
                                        "\"created\":\"1970-01-01T00:04:25Z\",\"n\":1}");
    struct message message = get(fixture, "m0000");
    assert_int_equal(message.status, MESSAGE_SENT);
    assert_int_equal(message.attempts, 1);
    assert_int_equal(message.changed.seconds, 500);
    assert_int_equal(send_with(fixture, &fake, &sent), STATUS_OK);
    assert_int_equal(sent.sent, 0);
}

static void test_outbox_send__a_failure_keeps_order_and_loses_nothing(void **state)
{
    struct fixture *fixture = *state;
    put_many(fixture, 10);
    for (uint32_t takes = 0; takes < 10; takes++) {
        struct fake_target fake = {.takes = takes ? 1 : 0};
        struct outbox_sent sent;
        assert_int_equal(send_with(fixture, &fake, &sent), STATUS_UNAVAILABLE);
        assert_int_equal(sent.sent, takes ? 1 : 0);
        assert_int_equal(sent.left, 10 - takes);
        char next[16];
        snprintf(next, sizeof(next), "m%04u", takes);
        struct message message = get(fixture, next);
        assert_int_equal(message.status, MESSAGE_PENDING);
        assert_int_equal(message.attempts, 1);
    }
    struct fake_target fake = {.takes = 1};
    struct outbox_sent sent;
    assert_int_equal(send_with(fixture, &fake, &sent), STATUS_OK);
    assert_int_equal(get(fixture, "m0009").attempts, 2);
    struct message *messages;
    assert_int_equal(list(fixture, MESSAGE_PENDING, &messages), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_outbox_put__a_known_id_changes_nothing),
        TEST(test_outbox_list__is_by_time_then_id_and_by_status),
        TEST(test_outbox_mark__is_all_or_nothing_and_names_the_unknown),
        TEST(test_outbox_get__refuses_a_value_that_is_cut_anywhere),
        cmocka_unit_test(test_message_write__the_payload_cannot_speak_for_the_message),
        TEST(test_outbox_send__sends_pending_messages_once),
        TEST(test_outbox_send__a_failure_keeps_order_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
