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

/* The same bucket in another ledger, whose numbers of meters and resources may be others. */
static uint32_t find_in(const struct ledger *to, const struct ledger *from, struct bucket_key key)
{
    if (key.plan == INDEX_NONE)
        key.part = ledger_meter_find(to, ledger_meter_name(from, key.part));
    else if (key.part)
        key.part = ledger_resource_find(to, ledger_resource_key(from, key.part));
    return buckets_find(&to->buckets, key);
}

/* Every non-empty bucket of `left` has its equal in `right`. */
static void compare_buckets(const struct ledger *left, const struct ledger *right,
                            bool left_is_stored, struct arena *arena, struct verify_report *report)
{
    for (uint32_t i = 0; i < left->buckets.count; i++) {
        const struct bucket *bucket = &left->buckets.items[i];
        uint32_t other = find_in(right, left, bucket->key);
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
    for (uint64_t i = 0; i < derived->ids.recent.capacity;
         i++) { /* all of them: from the journal */
        const struct idset_slot *slot = &derived->ids.recent.slots[i];
        enum idset_answer answer;
        strange += !idset_is_free(slot) && (ids_classify(&stored->ids, slot->id, slot->content,
                                                         &answer, NULL) != STATUS_OK ||
                                            answer != IDSET_DUPLICATE);
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

static void compare_windows(const struct coverage *stored, const struct coverage *derived,
                            uint32_t series, struct arena *arena, struct verify_report *report)
{
    bool same =
        stored->count == derived->count && memcmp(coverage_runs(stored), coverage_runs(derived),
                                                  stored->count * sizeof(struct window_run)) == 0;
    if (!same)
        differ(report, slice_string(arena_printf(arena, "coverage of series %u, runs", series)),
               number_text(arena, stored->count), number_text(arena, derived->count));
}

/* Definition and coverage. A derived ledger is in memory; what is stored may be damaged. */
static void compare_series(const struct ledger *stored, const struct ledger *derived,
                           uint32_t series, struct arena *arena, struct verify_report *report)
{
    struct slice a, b;
    struct coverage left, right;
    struct error failure = {0};
    enum status status = series_packed(&derived->series, series, &b, &failure);
    if (status == STATUS_OK)
        status = windows_all(&derived->series, series, &right, &failure);
    assert(status == STATUS_OK);
    status = series_packed(&stored->series, series, &a, &failure);
    if (status == STATUS_OK && !slice_equal(a, b))
        differ(report, slice_string(arena_printf(arena, "definition of series %u", series)),
               SLICE("stored"), SLICE("derived"));
    if (status == STATUS_OK)
        status = windows_all(&stored->series, series, &left, &failure);
    if (status == STATUS_OK) {
        compare_windows(&left, &right, series, arena, report);
        coverage_fini(&left);
    } else {
        differ(report, slice_string(arena_printf(arena, "series %u cannot be read", series)),
               slice_string(arena_printf(arena, "%s", failure.text)), SLICE("sound"));
    }
    coverage_fini(&right);
}

void verify_compare(const struct ledger *stored, const struct ledger *derived, struct arena *arena,
                    struct verify_report *ret)
{
    assert(stored->snapshot->pricing_digest == derived->snapshot->pricing_digest);
    uint32_t series = ledger_series_count(derived), stored_series = ledger_series_count(stored);
    uint32_t both = series < stored_series ? series : stored_series;
    *ret = (struct verify_report){.events = derived->event_count, .series = series};
    for (uint32_t i = 0; i < derived->buckets.count; i++)
        ret->buckets += derived->buckets.items[i].quanta != 0;
    compare_numbers(ret, arena, "journal sequence", stored->sequence, derived->sequence);
    compare_numbers(ret, arena, "events", stored->event_count, derived->event_count);
    compare_numbers(ret, arena, "series", stored_series, series);
    compare_numbers(ret, arena, "ids", ids_count(&stored->ids), ids_count(&derived->ids));
    compare_numbers(ret, arena, "conflicts", stored->conflict_count, derived->conflict_count);
    compare_numbers(ret, arena, "events counted twice in the journal", 0, derived->overlaps);
    compare_suspense(stored, derived, arena, ret);
    compare_buckets(stored, derived, true, arena, ret);
    compare_buckets(derived, stored, false, arena, ret);
    for (uint32_t i = 0; i < both; i++)
        compare_series(stored, derived, i, arena, ret);
}

static void add_shard(struct verify_report *total, const struct verify_report *own, uint32_t shard,
                      bool named, struct arena *arena)
{
    total->events += own->events;
    total->buckets += own->buckets;
    total->series += own->series;
    for (uint64_t i = 0; i < own->difference_count; i++) {
        if (i >= VERIFY_DIFFERENCES_MAX || total->difference_count >= VERIFY_DIFFERENCES_MAX) {
            total->difference_count += own->difference_count - i;
            return;
        }
        struct verify_difference difference = own->differences[i];
        if (named)
            difference.what =
                slice_string(arena_printf(arena, "shard-%02u: %.*s", shard,
                                          (int)difference.what.length, difference.what.data));
        total->differences[total->difference_count++] = difference;
    }
}

/* Series of a shard that a lower one has, too: usage with ids is where its ids are. */
static uint64_t shared_series(const struct ledgers *ledgers, uint32_t shard)
{
    uint64_t shared = 0;
    uint32_t count = ledger_series_count(ledgers->shards[shard]);
    for (uint32_t i = 0; i < count; i++)
        shared += ledgers_series(ledgers, shard, i) % ledgers->count != shard;
    return shared;
}

static bool has_bucket(const struct ledger *ledger, const struct ledger *other,
                       struct bucket_key key)
{
    if (key.plan == INDEX_NONE && key.part >= METER_FIRST_OTHER)
        key.part = ledger_meter_find(ledger, ledger_meter_name(other, key.part));
    else if (key.plan != INDEX_NONE && key.part)
        key.part = ledger_resource_find(ledger, ledger_resource_key(other, key.part));
    uint32_t index = buckets_find(&ledger->buckets, key);
    return index != INDEX_NONE && ledger->buckets.items[index].quanta != 0;
}

/* Buckets of a shard that a lower one has, too: of an account that pays for several. */
static uint64_t shared_buckets(const struct ledgers *ledgers, uint32_t shard)
{
    uint64_t shared = 0;
    const struct ledger *own = ledgers->shards[shard];
    for (uint32_t i = 0; i < own->buckets.count; i++) {
        const struct bucket *bucket = &own->buckets.items[i];
        uint32_t lower = 0;
        while (lower < shard && !has_bucket(ledgers->shards[lower], own, bucket->key))
            lower++;
        shared += bucket->quanta != 0 && lower < shard;
    }
    return shared;
}

enum status verify_ledgers(const struct ledgers *stored, struct arena *arena,
                           struct verify_report *ret, struct error *error)
{
    struct verify_report *own = arena_alloc(arena, sizeof(*own));
    *ret = (struct verify_report){0};
    for (uint32_t i = 0; i < stored->count; i++) {
        if (stored->shards[i]->sequence == 0)
            continue; /* nothing to derive from; a writer may have begun meanwhile */
        struct ledger *derived;
        struct ledger_options options = stored->shards[i]->options;
        options.mode = LEDGER_DERIVE;
        options.watched = false;
        options.until = stored->shards[i]->sequence; /* a writer may have gone on meanwhile */
        enum status status = ledger_open(&options, &derived, error);
        if (status != STATUS_OK)
            return status;
        verify_compare(stored->shards[i], derived, arena, own);
        ledger_close(derived);
        own->series -= shared_series(stored, i);
        own->buckets -= shared_buckets(stored, i);
        add_shard(ret, own, i, stored->count > 1, arena);
    }
    return STATUS_OK;
}
