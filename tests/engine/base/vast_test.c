#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/vast.h"
#include "engine/base/seeded.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static void test_vast__elements_are_zero_and_stay_where_they_are(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 8, 48, 64, 160, 4096, (size_t)3 << 20};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
        struct vast vast;
        struct seeded seeded = seeded_init();
        uint64_t capacity = ((uint64_t)64 << 20) / sizes[s], count = 0;
        assert_int_equal(vast_init(&vast, sizes[s], capacity, capacity, s % 2), STATUS_OK);
        assert_int_equal(vast.capacity, capacity);
        assert_int_equal((uintptr_t)vast.base % 64, 0);
        char *first = NULL;
        while (count < capacity) {
            uint64_t grown = count + 1 + seeded_below(&seeded, capacity / 16 + 1);
            grown = grown > capacity ? capacity : grown;
            assert_int_equal(vast_reserve(&vast, grown), STATUS_OK);
            first = first ? first : vast_at(&vast, 0);
            assert_ptr_equal(vast_at(&vast, 0), first);
            /* The ends and some between; all would be slow. */
            uint64_t step = (grown - count) / 50 + 1;
            for (uint64_t i = count; i < grown; i += step) {
                unsigned char *element = vast_at(&vast, i);
                assert_ptr_equal(element, first + i * sizes[s]);
                assert_int_equal(element[0] | element[sizes[s] - 1], 0);
                element[0] = element[sizes[s] - 1] = (unsigned char)(i % 251 + 1);
            }
            count = grown;
            assert_int_equal(vast_bytes(&vast), count * sizes[s]);
            assert_int_equal(*(unsigned char *)vast_at(&vast, 0), 1);
        }
        assert_int_equal(vast_reserve(&vast, capacity + 1), STATUS_NO_MEMORY);
        assert_int_equal(vast_reserve(&vast, capacity), STATUS_OK);
        vast_fini(&vast);
        assert_null(vast.base);
        vast_fini(&vast);
    }
}

static void test_vast__eight_gigabytes_of_addresses_cost_what_is_touched(void **state)
{
    (void)state;
    struct vast vast;
    uint64_t capacity = (uint64_t)1 << 27, before, after;
    assert_int_equal(vast_init(&vast, 64, capacity, capacity, false), STATUS_OK);
    assert_int_equal(vast_reserve(&vast, capacity), STATUS_OK);
    assert_int_equal(vast_bytes(&vast), (uint64_t)8 << 30);
    assert_int_equal(vast_resident(&vast, &before), STATUS_OK);
    /* One element in each of 1,000 pages that lie far apart. */
    for (uint64_t i = 0; i < 1000; i++)
        *(uint64_t *)vast_at(&vast, i * (capacity / 1000)) = i + 1;
    *(uint64_t *)vast_at(&vast, capacity - 1) = 7;
    assert_int_equal(vast_resident(&vast, &after), STATUS_OK);
    assert_int_equal(before, 0);
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    assert_in_range(after, 1000 * page, 1002 * page);
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(*(uint64_t *)vast_at(&vast, i * (capacity / 1000)), i + 1);
    vast_fini(&vast);
}

/* In a child, whose limit ends with it. A sanitizer needs more addresses than any limit that means
 * something. */
static int with_little_room(void)
{
    struct rlimit limit = {(rlim_t)1 << 30, (rlim_t)1 << 30};
    struct vast vast;
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return 1;
    if (vast_init(&vast, 64, (uint64_t)1 << 27, (uint64_t)1 << 26, false) != STATUS_NO_MEMORY)
        return 2;
    if (vast_init(&vast, 64, (uint64_t)1 << 27, 1000, true) != STATUS_OK)
        return 3;
    if (vast.capacity >= (uint64_t)1 << 24 || vast.capacity < (uint64_t)1 << 22)
        return 4;
    if (vast_reserve(&vast, vast.capacity) != STATUS_OK)
        return 5;
    *(char *)vast_at(&vast, vast.capacity - 1) = 1;
    vast_fini(&vast);
    return 0;
}

static void test_vast__takes_less_where_less_is_allowed(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(with_little_room());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_vast__what_no_address_space_holds_is_refused(void **state)
{
    (void)state;
    struct vast vast;
    assert_int_equal(vast_init(&vast, 64, UINT64_MAX, (uint64_t)1 << 60, false), STATUS_NO_MEMORY);
    assert_int_equal(vast_init(&vast, SIZE_MAX, 2, 2, false), STATUS_NO_MEMORY);
}

static void test_vast__beyond_what_was_reserved_is_caught(void **state)
{
    (void)state;
    struct vast vast;
    int status;
    assert_int_equal(vast_init(&vast, 64, 1 << 20, 1 << 20, false), STATUS_OK);
    assert_int_equal(vast_reserve(&vast, 1), STATUS_OK);
    pid_t child = fork();
    if (child == 0) {
        /* Past the last page that was made usable; what a sanitizer prints about it is not wanted.
         */
        signal(SIGSEGV, SIG_DFL);
        ((volatile char *)vast.base)[((size_t)64 << 20) - 1] = 1;
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    vast_fini(&vast);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vast__elements_are_zero_and_stay_where_they_are),
        cmocka_unit_test(test_vast__eight_gigabytes_of_addresses_cost_what_is_touched),
        cmocka_unit_test(test_vast__takes_less_where_less_is_allowed),
        cmocka_unit_test(test_vast__what_no_address_space_holds_is_refused),
        cmocka_unit_test(test_vast__beyond_what_was_reserved_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
