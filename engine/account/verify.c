#include "account/verify.h"

#include <assert.h>
#include <stdio.h>

static struct slice number_text(struct arena *arena, int128 value)
{
    char text[DECIMAL_TEXT_BYTES];
    return arena_copy(arena, slice_of(text, decimal_format(value, 0, 0, text)));
}

static void differ(struct verify_report *report, struct slice what, struct slice stored,
                   struct slice derived)
{
    if (report->difference_count < VERIFY_DIFFERENCES_MAX)
        report->differences[report->difference_count] =
            (struct verify_difference){what, stored, derived};
    report->difference_count++;
}

static void compare_numbers(struct verify_report *report, struct arena *arena, const char *what,
                            uint64_t stored, uint64_t derived)
{
    if (stored != derived)
        differ(report, slice_string(what), number_text(arena, (int128)stored),
               number_text(arena, (int128)derived));
}

static struct slice bucket_text(const struct ledger *ledger, struct bucket_key key,
                                struct arena *arena)
{
    const struct snapshot *snapshot = ledger->snapshot;
    char period[16];
    period_format((struct period){key.period}, period);
    struct slice account = snapshot->accounts[key.account].id;
    struct slice code = key.plan == INDEX_NONE
                            ? SLICE("unpriced")
                            : snapshot->charges[snapshot->plans[key.plan].charge].code;
    return slice_string(arena_printf(arena, "bucket account %.*s %s %.*s plan %u part %u",
                                     (int)account.length, account.data, period, (int)code.length,
                                     code.data, key.plan, key.part));
}

/* Every non-empty bucket of `left` has its equal in `right`. */
static void compare_buckets(const struct ledger *left, const struct ledger *right,
                            bool left_is_stored, struct arena *arena, struct verify_report *report)
{
    for (uint32_t i = 0; i < left->buckets.count; i++) {
        const struct bucket *bucket = &left->buckets.items[i];
        uint32_t other = buckets_find(&right->buckets, bucket->key);
        int128 quanta = other == INDEX_NONE ? 0 : right->buckets.items[other].quanta;
        if (quanta == bucket->quanta)
            continue;
        if (!left_is_stored && other != INDEX_NONE)
            continue; /* told when the stored side was walked */
        struct slice a = number_text(arena, bucket->quanta), b = number_text(arena, quanta);
        differ(report, bucket_text(left, bucket->key, arena), left_is_stored ? a : b,
               left_is_stored ? b : a);
    }
}

/* Which ids were counted, with what; and the conflicts, with what became of them. */
static void compare_suspense(const struct ledger *stored, const struct ledger *derived,
                             struct arena *arena, struct verify_report *report)
{
    uint64_t strange = 0;
    for (uint64_t i = 0; i < derived->ids.capacity; i++) {
        const struct idset_slot *slot = &derived->ids.slots[i];
        strange +=
            slot->order && idset_classify(&stored->ids, slot->id, slot->content) != IDSET_DUPLICATE;
    }
    compare_numbers(report, arena, "ids that are missing or stand for another event", strange, 0);
    for (uint32_t i = 0; i < stored->conflict_count && i < derived->conflict_count; i++) {
        const struct conflict_entry *a = &stored->conflicts[i], *b = &derived->conflicts[i];
        if (memcmp(&a->conflict, &b->conflict, sizeof(a->conflict)) != 0)
            differ(report, slice_string(arena_printf(arena, "conflict %u", i + 1)), SLICE("stored"),
                   SLICE("derived"));
        else if (a->discarded != b->discarded)
            differ(report, slice_string(arena_printf(arena, "conflict %u", i + 1)),
                   a->discarded ? SLICE("discarded") : SLICE("open"),
                   b->discarded ? SLICE("discarded") : SLICE("open"));
    }
}

static void compare_coverage(const struct ledger *stored, const struct ledger *derived,
                             struct arena *arena, struct verify_report *report)
{
    struct packer a, b;
    pack_init(&a);
    pack_init(&b);
    for (uint32_t i = 0; i < stored->series.count && i < derived->series.count; i++) {
        pack_reset(&a);
        pack_reset(&b);
        coverage_check(&stored->series.coverage[i]);
        coverage_pack(&stored->series.coverage[i], &a);
        coverage_pack(&derived->series.coverage[i], &b);
        if (!slice_equal(pack_done(&a), pack_done(&b)))
            differ(report, slice_string(arena_printf(arena, "coverage of series %u, runs", i)),
                   number_text(arena, stored->series.coverage[i].count),
                   number_text(arena, derived->series.coverage[i].count));
    }
    pack_fini(&a);
    pack_fini(&b);
}

void verify_compare(const struct ledger *stored, const struct ledger *derived, struct arena *arena,
                    struct verify_report *ret)
{
    assert(stored->snapshot->pricing_digest == derived->snapshot->pricing_digest);
    *ret = (struct verify_report){.events = derived->event_count, .series = derived->series.count};
    for (uint32_t i = 0; i < derived->buckets.count; i++)
        ret->buckets += derived->buckets.items[i].quanta != 0;
    compare_numbers(ret, arena, "journal sequence", stored->sequence, derived->sequence);
    compare_numbers(ret, arena, "events", stored->event_count, derived->event_count);
    compare_numbers(ret, arena, "series", stored->series.count, derived->series.count);
    compare_numbers(ret, arena, "ids", stored->ids.count, derived->ids.count);
    compare_numbers(ret, arena, "conflicts", stored->conflict_count, derived->conflict_count);
    compare_numbers(ret, arena, "events counted twice in the journal", 0, derived->overlaps);
    for (uint32_t i = 0; i < stored->series.count && i < derived->series.count; i++)
        if (!slice_equal(stored->series.definitions[i], derived->series.definitions[i]))
            differ(ret, slice_string(arena_printf(arena, "definition of series %u", i)),
                   SLICE("stored"), SLICE("derived"));
    compare_suspense(stored, derived, arena, ret);
    compare_buckets(stored, derived, true, arena, ret);
    compare_buckets(derived, stored, false, arena, ret);
    if (stored->series.coverage && derived->series.coverage)
        compare_coverage(stored, derived, arena, ret);
}
