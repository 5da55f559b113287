/* The ids that were counted, beside a list of them: whatever is in memory, on disk or lost with
 * what was not in a checkpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "account/ids.h"
#include "engine/base/seeded.h"
#include "engine/store/scratch.h"

#define MOST      20000
#define MANY      32768 /* shards: so the filter stays at its least, and is soon too small */
#define TABLE_IDS 1

static const char *const tables[] = {"other", "id"};

struct model_id {
    struct hash128 id;
    uint64_t content;
};

struct world {
    char path[SCRATCH_PATH_BYTES];
    struct seeded seeded;
    struct store *store;
    struct ids ids;
    uint32_t shards;
    struct model_id known[MOST];
    uint32_t count, saved; /* those before `saved` are in the checkpoint */
};

static enum status load(struct world *world, uint64_t count, bool looked_up, struct error *error)
{
    struct store_txn *txn;
    ids_init(&world->ids, world->shards);
    assert_int_equal(store_read(world->store, &txn, NULL), STATUS_OK);
    enum status status =
        ids_load(&world->ids, world->store, TABLE_IDS, count, txn, looked_up, error);
    store_end(txn);
    return status;
}

static void world_open(struct world *world)
{
    struct error error = {0};
    assert_int_equal(store_open(world->path, STORE_WRITE, tables, 2, &world->store, &error),
                     STATUS_OK);
    if (load(world, world->saved, true, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    world->count = world->saved;
    assert_int_equal(ids_count(&world->ids), world->count);
}

static void world_close(struct world *world)
{
    ids_fini(&world->ids);
    store_close(world->store);
}

static void world_begin(struct world *world, uint32_t shards)
{
    memset(world, 0, sizeof(*world));
    world->seeded = seeded_init();
    world->seeded.state ^= shards;
    world->shards = shards;
    scratch_make(world->path);
    world_open(world);
}

static void world_end(struct world *world)
{
    world_close(world);
    scratch_remove(world->path);
}

static enum status save(struct store_txn *txn, void *context, struct error *error)
{
    struct world *world = context;
    return ids_save(&world->ids, txn, TABLE_IDS, error);
}

static void checkpoint(struct world *world)
{
    struct error error = {0};
    enum status status = store_update(world->store, save, world, &error);
    if (status == STATUS_OK)
        status = ids_saved(&world->ids, world->store, TABLE_IDS, &error);
    if (status != STATUS_OK)
        fail_msg("%s", error.text);
    world->saved = world->count;
    assert_int_equal(world->ids.recent.count, 0);
    assert_int_equal(ids_count(&world->ids), world->count);
}

static void check(struct world *world, struct hash128 id, uint64_t content,
                  enum idset_answer expected)
{
    enum idset_answer answer;
    struct error error = {0};
    if (ids_classify(&world->ids, id, content, &answer, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    if (answer != expected)
        fail_msg("seed %llu: an id is %d, should be %d", (unsigned long long)world->seeded.seed,
                 answer, expected);
}

static void arrive(struct world *world)
{
    struct model_id *fresh = &world->known[world->count];
    uint64_t low = seeded_u64(&world->seeded);
    *fresh =
        (struct model_id){{low, seeded_u64(&world->seeded) | 1}, seeded_below(&world->seeded, 3)};
    check(world, fresh->id, fresh->content, IDSET_NEW);
    assert_int_equal(ids_add(&world->ids, fresh->id, fresh->content), STATUS_OK);
    world->count++;
}

static void arrive_again(struct world *world)
{
    if (world->count == 0)
        return;
    const struct model_id *old = &world->known[seeded_below(&world->seeded, world->count)];
    check(world, old->id, old->content, IDSET_DUPLICATE);
    check(world, old->id, old->content + 1, IDSET_CONFLICT);
}

static void live(uint32_t shards)
{
    static struct world world;
    world_begin(&world, shards);
    for (uint32_t step = 0; step < 30000 && world.count < MOST; step++) {
        uint64_t kind = seeded_below(&world.seeded, 1000);
        if (kind < 4) {
            checkpoint(&world);
        } else if (kind < 6) { /* a crash, or an end */
            world_close(&world);
            world_open(&world);
        } else if (kind < 700) {
            arrive(&world);
        } else {
            arrive_again(&world);
        }
    }
    checkpoint(&world);
    for (uint32_t i = 0; i < world.count; i++)
        check(&world, world.known[i].id, world.known[i].content, IDSET_DUPLICATE);
    assert_true(world.count > 5000);
    assert_true(id_filter_bytes(&world.ids.filter) <= IDS_FILTER_BYTES_MAX / shards);
    /* More than the filter has room for, where it may not grow: everything is looked up, and right.
     */
    assert_true((shards == MANY) == (id_filter_room(&world.ids.filter) < world.count));
    world_end(&world);
}

static void test_ids__an_id_counts_once_wherever_it_is_kept(void **state)
{
    (void)state;
    live(1);
    live(16);
    live(MANY);
}

static void test_ids__memory_is_bounded_by_checkpoints(void **state)
{
    (void)state;
    static struct world world;
    world_begin(&world, MANY);
    uint64_t most = 0;
    while (world.count < MOST) {
        arrive(&world);
        if (ids_due(&world.ids))
            checkpoint(&world);
        most = ids_bytes(&world.ids) > most ? ids_bytes(&world.ids) : most;
    }
    /* The least that both take: 1,024 slots and 4 KiB. */
    assert_true(most <= 1024 * sizeof(struct idset_slot) + ID_FILTER_BYTES_LEAST);
    world_end(&world);
}

static void test_ids__a_table_with_others_than_so_many_is_damaged(void **state)
{
    (void)state;
    static struct world world;
    struct error error = {0};
    world_begin(&world, 1);
    for (int i = 0; i < 100; i++)
        arrive(&world);
    checkpoint(&world);
    for (uint64_t count = 99; count <= 101; count++) {
        ids_fini(&world.ids);
        enum status status = load(&world, count, true, &error);
        assert_int_equal(status, count == 100 ? STATUS_OK : STATUS_CORRUPT);
    }
    ids_fini(&world.ids);
    assert_int_equal(load(&world, 0, false, &error), STATUS_CORRUPT);
    /* Not looked up: no filter is made. */
    ids_fini(&world.ids);
    assert_int_equal(load(&world, 100, false, &error), STATUS_OK);
    assert_int_equal(ids_bytes(&world.ids), 0);
    assert_int_equal(ids_count(&world.ids), 100);
    world_end(&world);
}

/* ID-1: the same id a second time in the table is no fault of the producer's. */
static void test_ids__an_id_that_is_in_the_table_is_not_added_to_it(void **state)
{
    (void)state;
    static struct world world;
    struct error error = {0};
    world_begin(&world, 1);
    arrive(&world);
    checkpoint(&world);
    assert_int_equal(ids_add(&world.ids, world.known[0].id, 7), STATUS_OK);
    assert_int_equal(store_update(world.store, save, &world, &error), STATUS_CORRUPT);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids__an_id_counts_once_wherever_it_is_kept),
        cmocka_unit_test(test_ids__memory_is_bounded_by_checkpoints),
        cmocka_unit_test(test_ids__a_table_with_others_than_so_many_is_damaged),
        cmocka_unit_test(test_ids__an_id_that_is_in_the_table_is_not_added_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
