/* What goes into a journal frame comes out of it, and nothing else does, wherever the payload is
 * cut. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "account/journal.h"
#include "engine/base/seeded.h"

static const struct event events[] = {
    {.quanta_low = 744000000, .start = 1790000000, .length = 3600, .series = 0},
    {.quanta_low = UINT64_MAX,
     .quanta_high = INT64_MAX,
     .start = 1780000000,
     .length = UINT32_MAX,
     .series = 7},
    {.quanta_low = 1, .start = 1800000000, .length = 0, .series = UINT32_MAX},
};
static const struct hash128 ids[] = {{1, 2}};
static const struct conflict conflicts[] = {
    {{.quanta_low = 5, .start = 1790000000, .length = 3600, .series = 0}, {0, 0}},
    {{.quanta_low = 6, .start = 1790000001, .length = 0, .series = 1}, {3, 4}},
};
static const uint32_t resolutions[] = {1, UINT32_MAX};

static struct journal_commit full_commit(void)
{
    static const struct slice definitions[] = {
        {"first", 5}, {"", 0}, {"a third one\0with a NUL", 22}};
    return (struct journal_commit){
        .events = events,
        .event_count = 3,
        .ids = ids,
        .id_count = 1,
        .series_first = 300,
        .definitions = definitions,
        .definition_count = 3,
        .conflicts = conflicts,
        .conflict_count = 2,
        .resolutions = resolutions,
        .resolution_count = 2,
        .position = {SLICE("cloud-eu"), SLICE("/usage/2026-10-01.json"), 1ull << 40},
        .counts = {.read = 1000000,
                   .accepted = 999000,
                   .duplicate = 900,
                   .conflict = 90,
                   .ignored = 9,
                   .quarantined = 1},
    };
}

static void check_full(struct journal_frame *frame, const struct journal_commit *commit)
{
    assert_int_equal(frame->sequence, 42);
    assert_int_equal(frame->event_count, commit->event_count);
    for (uint32_t i = 0; i < commit->event_count; i++) {
        struct event event = journal_event(frame, i);
        assert_memory_equal(&event, &commit->events[i], sizeof(event));
    }
    assert_int_equal(frame->id_count, 1);
    assert_true(hash128_equal(journal_id(frame, 0), ids[0]));
    assert_int_equal(frame->start_min.seconds, 1780000000);
    assert_int_equal(frame->start_max.seconds, 1800000000);
    assert_int_equal(frame->series_first, 300);
    for (uint32_t i = 0; i < commit->definition_count; i++)
        assert_true(slice_equal(journal_next_definition(frame), commit->definitions[i]));
    for (uint32_t i = 0; i < commit->conflict_count; i++) {
        struct conflict conflict = journal_next_conflict(frame);
        assert_memory_equal(&conflict, &conflicts[i], sizeof(conflict));
    }
    for (uint32_t i = 0; i < commit->resolution_count; i++)
        assert_int_equal(journal_next_resolution(frame), resolutions[i]);
    assert_true(slice_equal(frame->position.source, commit->position.source));
    assert_true(slice_equal(frame->position.file, commit->position.file));
    assert_int_equal(frame->position.offset, commit->position.offset);
    assert_memory_equal(&frame->counts, &commit->counts, sizeof(frame->counts));
}

static struct frame frame_of(struct slice payload)
{
    return (struct frame){.sequence = 42, .kind = JOURNAL_FRAME_COMMIT, .payload = payload};
}

static void test_journal__unpack_gives_back_what_was_packed(void **state)
{
    (void)state;
    struct packer packer;
    struct journal_frame unpacked;
    struct journal_commit commit = full_commit();
    pack_init(&packer);
    journal_pack(&commit, &packer);
    struct frame frame = frame_of(pack_done(&packer));
    assert_int_equal(journal_unpack(&frame, &unpacked, NULL), STATUS_OK);
    check_full(&unpacked, &commit);
    pack_fini(&packer);
}

static void test_journal__empty_commit(void **state)
{
    (void)state;
    struct packer packer;
    struct journal_frame unpacked;
    struct journal_commit commit = {0};
    pack_init(&packer);
    journal_pack(&commit, &packer);
    struct frame frame = frame_of(pack_done(&packer));
    assert_int_equal(journal_unpack(&frame, &unpacked, NULL), STATUS_OK);
    assert_int_equal(unpacked.event_count + unpacked.definition_count + unpacked.resolution_count +
                         unpacked.conflict_count,
                     0);
    pack_fini(&packer);
}

/* Cut at every byte, in memory of just that size, so that a sanitizer sees a read behind the end.
 */
static void test_journal__cut_anywhere_is_damage(void **state)
{
    (void)state;
    struct packer packer;
    struct journal_commit commit = full_commit();
    pack_init(&packer);
    journal_pack(&commit, &packer);
    for (size_t length = 0; length < packer.length; length++) {
        char *copy = malloc(length + 1);
        struct journal_frame unpacked;
        struct error error = {0};
        memcpy(copy, packer.data, length);
        char *exact = realloc(copy, length ? length : 1);
        struct frame frame = frame_of(slice_of(exact, length));
        enum status status = journal_unpack(&frame, &unpacked, &error);
        assert_int_equal(status, length < 4 ? STATUS_VERSION : STATUS_CORRUPT);
        assert_non_null(strstr(error.text, "frame 42"));
        free(exact);
    }
    pack_u8(&packer, 0);
    struct frame longer = frame_of(pack_done(&packer));
    struct journal_frame unpacked;
    assert_int_equal(journal_unpack(&longer, &unpacked, NULL), STATUS_CORRUPT);
    pack_fini(&packer);
}

/* The checksums below keep damage out; should it come through, it may give other content, but
 * nothing outside the payload is read. */
static void test_journal__any_bytes_are_read_within_bounds(void **state)
{
    (void)state;
    struct packer packer;
    struct journal_commit commit = full_commit();
    struct seeded seeded = seeded_init();
    pack_init(&packer);
    journal_pack(&commit, &packer);
    for (int round = 0; round < 20000; round++) {
        char *copy = malloc(packer.length);
        struct journal_frame unpacked;
        memcpy(copy, packer.data, packer.length);
        for (int flips = 0; flips < 1 + round % 3; flips++)
            copy[4 + seeded_below(&seeded, packer.length - 4)] ^=
                (char)(1 << seeded_below(&seeded, 8));
        struct frame frame = frame_of(slice_of(copy, packer.length));
        if (journal_unpack(&frame, &unpacked, NULL) == STATUS_OK) {
            for (uint32_t i = 0; i < unpacked.event_count; i++)
                (void)journal_event(&unpacked, i);
            for (uint32_t i = 0; i < unpacked.id_count; i++)
                (void)journal_id(&unpacked, i);
        }
        free(copy);
    }
    pack_fini(&packer);
}

static void test_journal__another_version_is_named(void **state)
{
    (void)state;
    struct packer packer;
    struct journal_commit commit = full_commit();
    struct journal_frame unpacked;
    struct error error = {0};
    pack_init(&packer);
    journal_pack(&commit, &packer);
    struct frame frame = frame_of(pack_done(&packer));
    frame.kind = 9;
    assert_int_equal(journal_unpack(&frame, &unpacked, &error), STATUS_VERSION);
    assert_non_null(strstr(error.text, "kind 9"));
    frame.kind = JOURNAL_FRAME_COMMIT;
    packer.data[0] = 7;
    assert_int_equal(journal_unpack(&frame, &unpacked, &error), STATUS_VERSION);
    assert_non_null(strstr(error.text, "format 7"));
    pack_fini(&packer);
}

static void test_event__quantity_survives_the_split_in_two(void **state)
{
    (void)state;
    static const int128 table[] = {
        0, 1, (int128)UINT64_MAX, (int128)UINT64_MAX + 1, INT128_MAX, INT128_MAX / 3};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct event event = event_make(3, (struct instant){100}, (struct instant){160},
                                        (struct quantity){table[i]});
        assert_true(event_quantity(&event).quanta == table[i]);
        assert_int_equal(event.start, 100);
        assert_int_equal(event.length, 60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_journal__unpack_gives_back_what_was_packed),
        cmocka_unit_test(test_journal__empty_commit),
        cmocka_unit_test(test_journal__cut_anywhere_is_damage),
        cmocka_unit_test(test_journal__any_bytes_are_read_within_bounds),
        cmocka_unit_test(test_journal__another_version_is_named),
        cmocka_unit_test(test_event__quantity_survives_the_split_in_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
