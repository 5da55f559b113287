/* Where sources stand: the newest place of each stream, through packing, and of too many streams
 * those that were heard of last. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "account/positions.h"

static void note(struct positions *positions, const char *source, const char *file, uint64_t offset,
                 uint64_t sequence)
{
    struct source_position position = {slice_string(source), slice_string(file), offset};
    assert_int_equal(positions_note(positions, &position, sequence), STATUS_OK);
}

static void test_positions__the_newest_of_each_stream(void **state)
{
    (void)state;
    struct positions positions, again;
    struct packer packer;
    uint64_t offset = 77;
    positions_init(&positions);
    positions_init(&again);
    pack_init(&packer);
    assert_false(positions_find(&positions, SLICE("a"), SLICE("x"), &offset));
    note(&positions, "a", "x", 10, 1);
    note(&positions, "a", "y", 20, 2);
    note(&positions, "ax", "", 99, 2); /* names nothing */
    note(&positions, "", "ax", 99, 2);
    note(&positions, "a", "x", 30, 3);
    note(&positions, "b", "x", 5, 4);
    note(&positions, "b", "x", 4, 5); /* a file that was put there anew */
    assert_int_equal(positions.count, 3);
    positions_pack(&positions, &packer);
    assert_int_equal(positions_unpack(&again, pack_done(&packer)), STATUS_OK);
    const struct positions *both[] = {&positions, &again};
    for (int i = 0; i < 2; i++) {
        assert_true(positions_find(both[i], SLICE("a"), SLICE("x"), &offset));
        assert_int_equal(offset, 30);
        assert_true(positions_find(both[i], SLICE("a"), SLICE("y"), &offset));
        assert_int_equal(offset, 20);
        assert_true(positions_find(both[i], SLICE("b"), SLICE("x"), &offset));
        assert_int_equal(offset, 4);
        assert_false(positions_find(both[i], SLICE("ax"), SLICE(""), &offset));
        assert_false(positions_find(both[i], SLICE("b"), SLICE("y"), &offset));
    }
    struct positions cut;
    positions_init(&cut);
    assert_int_equal(positions_unpack(&cut, slice_of(packer.data, packer.length - 1)),
                     STATUS_CORRUPT);
    positions_fini(&cut);
    pack_fini(&packer);
    positions_fini(&positions);
    positions_fini(&again);
}

static void test_positions__of_too_many_the_oldest_goes(void **state)
{
    (void)state;
    struct positions positions;
    uint64_t offset;
    char file[32];
    positions_init(&positions);
    for (uint64_t i = 0; i < POSITIONS_STREAMS_MAX; i++) {
        snprintf(file, sizeof(file), "file-%llu", (unsigned long long)i);
        note(&positions, "a", file, i, i + 1);
    }
    note(&positions, "a", "file-0", 1000, POSITIONS_STREAMS_MAX + 1);
    note(&positions, "a", "one more", 7, POSITIONS_STREAMS_MAX + 2);
    assert_int_equal(positions.count, POSITIONS_STREAMS_MAX);
    assert_true(positions_find(&positions, SLICE("a"), SLICE("file-0"), &offset));
    assert_int_equal(offset, 1000);
    assert_true(positions_find(&positions, SLICE("a"), SLICE("one more"), &offset));
    assert_false(positions_find(&positions, SLICE("a"), SLICE("file-1"), &offset));
    assert_true(positions_find(&positions, SLICE("a"), SLICE("file-2"), &offset));
    positions_fini(&positions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions__the_newest_of_each_stream),
        cmocka_unit_test(test_positions__of_too_many_the_oldest_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
