#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mediate/idset.h"

static struct hash128 id_of(uint64_t number)
{
    return (struct hash128){number * 0x9e3779b97f4a7c15u, number};
}

static void test_idset__an_id_counts_once_and_other_content_is_a_conflict(void **state)
{
    (void)state;
    struct idset set;
    idset_init(&set);
    assert_int_equal(idset_classify(&set, id_of(1), 10), IDSET_NEW);
    assert_int_equal(idset_add(&set, id_of(1), 10), STATUS_OK);
    assert_int_equal(idset_classify(&set, id_of(1), 10), IDSET_DUPLICATE);
    assert_int_equal(idset_classify(&set, id_of(1), 11), IDSET_CONFLICT);
    assert_int_equal(idset_classify(&set, id_of(2), 10), IDSET_NEW);
    idset_fini(&set);
}

static void test_idset__growing_keeps_every_id(void **state)
{
    (void)state;
    struct idset set;
    idset_init(&set);
    for (uint64_t i = 1; i <= 100000; i++) {
        assert_int_equal(idset_classify(&set, id_of(i), i), IDSET_NEW);
        assert_int_equal(idset_add(&set, id_of(i), i), STATUS_OK);
    }
    assert_int_equal(set.count, 100000);
    for (uint64_t i = 1; i <= 100000; i++)
        assert_int_equal(idset_classify(&set, id_of(i), i), IDSET_DUPLICATE);
    /* Ids that share the low half are told apart by the high one. */
    assert_int_equal(idset_classify(&set, (struct hash128){id_of(5).low, 6}, 5), IDSET_NEW);
    idset_fini(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idset__an_id_counts_once_and_other_content_is_a_conflict),
        cmocka_unit_test(test_idset__growing_keeps_every_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
