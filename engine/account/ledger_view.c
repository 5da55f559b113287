/* What others ask of a ledger. Nothing outside of this folder's ledger files looks into its tables:
 * their form follows the event path alone. */
#include <assert.h>

#include "account/ledger.h"

uint32_t ledger_series_count(const struct ledger *ledger)
{
    return ledger->series.count;
}

enum status ledger_series_definition(const struct ledger *ledger, uint32_t series,
                                     struct definition *ret, struct error *error)
{
    return series_definition(&ledger->series, series, ret, error);
}

struct hash128 ledger_series_hash(const struct ledger *ledger, uint32_t series)
{
    assert(series < ledger->series.count);
    return (struct hash128){ledger->series.tags[series], ledger->series.lines[series].check};
}

uint32_t ledger_series_find(const struct ledger *ledger, struct hash128 hash)
{
    return series_find(&ledger->series, hash);
}

uint32_t ledger_meter(struct ledger *ledger, const struct definition *definition)
{
    uint32_t number;
    return series_meter(&ledger->series, definition, &number) == STATUS_OK ? number : INDEX_NONE;
}

bool ledger_series_is_level(const struct ledger *ledger, uint32_t series)
{
    assert(series < ledger->series.count);
    return series_level(&ledger->series.lines[series]);
}

struct slice ledger_meter_name(const struct ledger *ledger, uint32_t meter)
{
    return series_meter_name(&ledger->series, meter);
}

uint32_t ledger_meter_find(const struct ledger *ledger, struct slice name)
{
    return series_meter_find(&ledger->series, name);
}

struct hash128 ledger_resource_key(const struct ledger *ledger, uint32_t resource)
{
    assert(resource > 0 && resource <= ledger->series.resource_count);
    return ledger->series.resource_keys[resource - 1];
}

uint32_t ledger_resource_find(const struct ledger *ledger, struct hash128 key)
{
    uint32_t number = series_resource_find(&ledger->series, key);
    return number == INDEX_NONE ? 0 : number;
}

enum status ledger_gaps(const struct ledger *ledger, uint32_t series, ledger_gap_visit *visit,
                        void *context, struct error *error)
{
    assert(ledger->options.mode != LEDGER_READ && series < ledger->series.count);
    struct coverage coverage;
    enum status status = windows_all(&ledger->series, series, &coverage, error);
    if (status != STATUS_OK)
        return status;
    coverage_gaps(&coverage, visit, context);
    coverage_fini(&coverage);
    return STATUS_OK;
}

enum status ledger_touched(const struct ledger *ledger, struct buckets *set)
{
    if (!ledger->budgeted)
        return STATUS_OK;
    const struct touched_set *touched = &ledger->touched;
    uint32_t count = touched->all ? ledger->buckets.chain_count : touched->count;
    for (uint32_t i = 0; i < count; i++) {
        const struct bucket_chain *chains = ledger->buckets.chains;
        struct touched_item at = touched->all
                                     ? (struct touched_item){chains[i].account, chains[i].period}
                                     : touched->items[i];
        uint32_t index;
        if (!ledger->budgeted[at.account])
            continue;
        enum status status = buckets_at(
            set, (struct bucket_key){.account = at.account, .period = at.period}, &index);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

void ledger_forget_touched(struct ledger *ledger)
{
    touched_reset(&ledger->touched);
}

bool ledger_commit_needed(const struct ledger *ledger)
{
    return ledger_pending(ledger) > 0 || ledger->committed_series < ledger->series.count;
}

bool ledger_is_priced(const struct ledger *ledger, const struct event *event)
{
    uint32_t bucket = ledger->series.lines[event->series].bucket[0];
    return bucket != INDEX_NONE && ledger->buckets.items[bucket].key.plan != INDEX_NONE &&
           ledger_remembers(ledger, event);
}

uint64_t ledger_bytes(const struct ledger *ledger)
{
    return sizeof(*ledger) + series_bytes(&ledger->series) + buckets_bytes(&ledger->buckets) +
           ids_bytes(&ledger->ids) + ledger->conflict_set.capacity * sizeof(struct idset_slot) +
           ledger->conflict_capacity * sizeof(struct conflict_entry) +
           ((uint64_t)ledger->series_digest_capacity + ledger->bucket_digest_capacity) *
               sizeof(uint64_t);
}
