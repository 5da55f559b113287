#include "cloud.h"

#include <stdio.h>
#include <stdlib.h>

#define SEED           20261001
#define WINDOW_BYTES   ((size_t)1 << 20)
#define PLACES_MAX     64
#define DAY_SECONDS    86400
#define CARD_ROWS      500 /* of each version */
#define CARD_BYTES     ((size_t)8 << 20)
#define ITEMS_AT_ONCE  256
#define EVENTS_A_FRAME 65536

static void *allocate_or_die(size_t bytes)
{
    void *memory = calloc(1, bytes);
    bench_check(memory, "memory for the workload");
    return memory;
}

static void generator_command(char *command, size_t size, uint32_t series, const char *options)
{
    int length = snprintf(command, size,
                          "'%s' --seed %d --stable --series %u --accounts %d --projects 0 --start "
                          "2026-10-01 --days 1 --catalogue public %s",
                          RATEL_GEN, SEED, series, CLOUD_ACCOUNTS, options);
    bench_check(length > 0 && (size_t)length < size, "the command fits");
}

/* ---- series
 * ------------------------------------------------------------------------------------------------------
 */

static void add_series(struct cloud *cloud, const struct usage *usage, struct slice raw)
{
    struct definition definition;
    bench_check(usage->verdict == VERDICT_EVENT && !usage->has_id, usage->reason);
    bench_ok(definition_unpack(usage->definition, &definition), NULL, "unpack a definition");
    unsigned type = definition.usage_type;
    cloud->series[cloud->count] = (struct cloud_series){
        .item =
            {
                .series = usage->series_hash,
                .quanta_low = (uint64_t)usage->quantity.quanta,
                .start = (uint32_t)usage->start.seconds,
                .length = (uint32_t)(usage->end.seconds - usage->start.seconds),
                .ref = cloud->count,
                .raw_length = (uint32_t)raw.length,
            },
        .payer_hash = usage->payer_hash,
        .varies = type == 4 || type == 5 || (type >= 21 && type <= 24),
        .definition = arena_copy(&cloud->arena, usage->definition),
        .raw = arena_copy(&cloud->arena, raw),
    };
    cloud->count++;
}

void cloud_make(struct cloud *cloud, const char *form, const struct decoder_class *class,
                uint32_t series, uint64_t seed)
{
    char command[1024], options[64];
    snprintf(options, sizeof(options), "--form %s --out -", form);
    generator_command(command, sizeof(command), series, options);
    FILE *pipe = popen(command, "r");
    bench_check(pipe, command);
    *cloud = (struct cloud){.series = allocate_or_die(series * sizeof(struct cloud_series))};
    arena_init(&cloud->arena);
    char *window = allocate_or_die(WINDOW_BYTES + DECODER_PADDING);
    struct record_block *block = allocate_or_die(sizeof(*block));
    struct decoder *decoder;
    struct normaliser normaliser;
    struct usage usage;
    bench_ok(class->open(&decoder), NULL, "open a decoder");
    normaliser_init(&normaliser, SLICE("bench"), seed);
    size_t length = 0;
    for (bool more = true; more || length > 0;) {
        size_t got = fread(window + length, 1, WINDOW_BYTES - length, pipe), used = 0;
        length += got;
        more = length == WINDOW_BYTES;
        memset(window + length, 0, DECODER_PADDING);
        size_t at = 0;
        do {
            bench_ok(class->decode(decoder, window + at, length - at, at, !more, block, &used),
                     NULL, "decode");
            for (uint32_t i = 0; i < block->count; i++) {
                bench_check(cloud->count < series, "no more series than were asked for");
                normalise(&normaliser, block, &block->records[i], &usage);
                add_series(cloud, &usage, block->records[i].raw);
            }
            at += used;
        } while (used > 0 && at < length);
        memmove(window, window + at, length - at);
        bench_check(at > 0, "the decoder goes on");
        length -= at;
    }
    bench_check(pclose(pipe) == 0 && cloud->count == series, "as many series as were asked for");
    class->close(decoder);
    normaliser_fini(&normaliser);
    free(window);
    free(block);
}

void cloud_free(struct cloud *cloud)
{
    free(cloud->series);
    arena_fini(&cloud->arena);
}

/* ---- prices
 * ------------------------------------------------------------------------------------------------------
 */

struct places {
    struct slice items[PLACES_MAX];
    uint32_t count;
};

static void places_add(struct places *places, struct slice place)
{
    if (place.length == 0 || places->count == PLACES_MAX)
        return;
    for (uint32_t i = 0; i < places->count; i++)
        if (slice_equal(places->items[i], place))
            return;
    places->items[places->count++] = place;
}

struct prices {
    struct places zones;
    struct places offerings[256]; /* by usage type */
};

static void see_places(const struct cloud *cloud, struct prices *prices)
{
    struct definition definition;
    for (uint32_t i = 0; i < cloud->count; i++) {
        bench_ok(definition_unpack(cloud->series[i].definition, &definition), NULL, "unpack");
        places_add(&prices->zones, definition_attribute(&definition, "zone"));
        places_add(&prices->offerings[definition.usage_type],
                   definition_attribute(&definition, "offering"));
    }
}

static void put_row(FILE *out, const char *where, unsigned price)
{
    fprintf(out, "      - {%stiers: [{up_to: 1000, price: \"0.%06u\"}, {price: \"0.%06u\"}]}\n",
            where, price, price - price / 4);
}

static void put_version(FILE *out, const struct prices *prices, const char *from, unsigned seed)
{
    uint32_t rows = 0;
    fprintf(out, "---\nkind: ratecard\nname: bench\ncurrency: EUR\neffective_from: %s\ncharges:\n",
            from);
    for (size_t i = 0; i < METER_BUILTIN_COUNT; i++) {
        const struct meter *meter = &meter_table[i];
        const struct places *offerings = &prices->offerings[meter->usage_type];
        unsigned price = 1000 + (unsigned)i * 37 + seed;
        char where[256];
        fprintf(out,
                "  - code: %s\n    meter: %s\n    unit: %s\n    model: graduated\n    prices:\n",
                meter->name, meter->name, meter->level ? "byte-hour" : meter->base);
        for (uint32_t zone = 0; zone < prices->zones.count; zone++) {
            struct slice place = prices->zones.items[zone];
            for (uint32_t j = 0; j < offerings->count && rows < CARD_ROWS; j++, rows++) {
                snprintf(where, sizeof(where), "where: {zone: %.*s, offering: %.*s}, ",
                         (int)place.length, place.data, (int)offerings->items[j].length,
                         offerings->items[j].data);
                put_row(out, where, price + rows);
            }
            snprintf(where, sizeof(where), "where: {zone: %.*s}, ", (int)place.length, place.data);
            put_row(out, where, price + ++rows);
        }
        put_row(out, "", price);
        rows++;
    }
    for (; rows < CARD_ROWS; rows++) /* places that nobody uses: look-ups must not care */ {
        char where[256];
        snprintf(where, sizeof(where), "where: {zone: 00000000-0000-4000-8000-%012u}, ", rows);
        put_row(out, where, 1000 + rows);
    }
}

static struct slice accounts_document(const struct cloud *cloud)
{
    char command[1024];
    generator_command(command, sizeof(command), cloud->count, "--out /dev/null --accounts-doc -");
    FILE *pipe = popen(command, "r");
    bench_check(pipe, command);
    size_t length = 0, capacity = (size_t)16 << 20;
    char *text = allocate_or_die(capacity);
    for (size_t got; (got = fread(text + length, 1, capacity - length, pipe)) > 0;)
        length += got;
    bench_check(pclose(pipe) == 0 && length < capacity, command);
    return slice_of(text, length);
}

struct snapshot *cloud_snapshot(const struct cloud *cloud, uint32_t versions)
{
    bench_check(versions >= 1 && versions <= CLOUD_DAYS, "at most one version a day");
    struct prices *prices = allocate_or_die(sizeof(*prices));
    see_places(cloud, prices);
    char *text = allocate_or_die(CARD_BYTES);
    FILE *out = fmemopen(text, CARD_BYTES, "w");
    bench_check(out, "memory for the card");
    fprintf(out, "kind: catalogue\nname: public\nratecard: bench\n");
    put_version(out, prices, "2026-01-01T00:00:00Z", 0);
    for (uint32_t i = 1; i < versions; i++) {
        char from[32];
        snprintf(from, sizeof(from), "2026-10-%02uT00:00:00Z", 1 + i * CLOUD_DAYS / versions);
        put_version(out, prices, from, 11 * i);
    }
    bench_check(fclose(out) == 0, "the card fits");
    struct slice documents[] = {slice_of(text, strlen(text)), accounts_document(cloud)};
    free(prices);
    return bench_snapshot(documents, 2);
}

/* ---- windows
 * -----------------------------------------------------------------------------------------------------
 */

static struct usage_item item_of(const struct cloud_series *series, uint32_t day)
{
    struct usage_item item = series->item;
    item.start += day * DAY_SECONDS;
    if (series->varies)
        item.quanta_low += day * 1000003;
    return item;
}

static enum status define(void *context, const struct usage_item *item, struct usage *ret,
                          struct error *error)
{
    const struct cloud *cloud = context;
    (void)error;
    ret->verdict = VERDICT_EVENT;
    ret->series_hash = item->series;
    ret->definition = cloud->series[item->ref].definition;
    return STATUS_OK;
}

static enum status refused(void *context, const struct usage_item *item, const char *reason,
                           struct error *error)
{
    (void)context;
    (void)item;
    return error_set(error, STATUS_INVALID, "%s", reason);
}

void cloud_apply(const struct cloud *cloud, struct ledger *ledger, uint32_t shard, uint32_t shards,
                 uint32_t day)
{
    const struct apply_callbacks callbacks = {(void *)(uintptr_t)cloud, define, refused};
    struct usage_item items[ITEMS_AT_ONCE];
    struct ingest_counts counts = {0};
    struct error error;
    uint32_t count = 0, expected = 0;
    for (uint32_t i = 0; i < cloud->count; i++) {
        const struct cloud_series *series = &cloud->series[i];
        if ((uint32_t)(((uint128)series->payer_hash * shards) >> 64) == shard) {
            items[count++] = item_of(series, day);
            expected++;
        }
        if (count < ITEMS_AT_ONCE && i + 1 < cloud->count)
            continue;
        bench_ok(ledger_apply_items(ledger, items, count, &callbacks, &counts, &error), &error,
                 "apply");
        count = 0;
        if (ledger_commit_due(ledger, EVENTS_A_FRAME) || i + 1 == cloud->count)
            bench_ok(ledger_commit(ledger, NULL, &error), &error, "commit");
    }
    bench_check(counts.accepted == expected, "each record is new");
}
