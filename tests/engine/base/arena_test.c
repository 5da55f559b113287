#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "engine/base/seeded.h"

static void test_arena_alloc__pieces_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    enum { PIECES = 2000 };
    static struct {
        unsigned char *at;
        size_t length;
    } pieces[PIECES];
    struct seeded seeded = seeded_init();
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < PIECES; i++) {
        size_t length =
            seeded_below(&seeded, 50) ? seeded_below(&seeded, 300) : seeded_below(&seeded, 200000);
        pieces[i].at = arena_alloc(&arena, length);
        pieces[i].length = length;
        assert_int_equal((uintptr_t)pieces[i].at % 16, 0);
        for (size_t n = 0; n < length; n++)
            assert_int_equal(pieces[i].at[n], 0);
        memset(pieces[i].at, (int)(i % 255) + 1, length);
    }
    for (size_t i = 0; i < PIECES; i++)
        for (size_t n = 0; n < pieces[i].length; n++)
            assert_int_equal(pieces[i].at[n], i % 255 + 1);
    arena_fini(&arena);
    assert_int_equal(arena.total_bytes, 0);
}

static void test_arena_alloc__a_large_piece_leaves_the_small_ones_room(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    char *first = arena_alloc(&arena, 16);
    char *large = arena_alloc(&arena, 1 << 20);
    large[(1 << 20) - 1] = 1;
    char *second = arena_alloc(&arena, 16);
    assert_ptr_equal(second, first + 16);
    arena_fini(&arena);
}

static void test_arena_copy__copies_outlive_their_source(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    char source[] = "acme";
    struct slice copy = arena_copy(&arena, slice_string(source));
    char *string = arena_string(&arena, slice_string(source));
    memset(source, 'x', 4);
    assert_true(slice_is(copy, "acme"));
    assert_string_equal(string, "acme");
    assert_string_equal(arena_string(&arena, (struct slice){NULL, 0}), "");
    assert_non_null(arena_copy(&arena, (struct slice){NULL, 0}).data);
    assert_string_equal(arena_printf(&arena, "%s-%03d", "shard", 7), "shard-007");
    char *longer = arena_printf(&arena, "%0*d", 100000, 5);
    assert_int_equal(strlen(longer), 100000);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_alloc__pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(test_arena_alloc__a_large_piece_leaves_the_small_ones_room),
        cmocka_unit_test(test_arena_copy__copies_outlive_their_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
