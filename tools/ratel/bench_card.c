/* The card of the canonical workload: 1,000 price rows, 500 in the version of 2026-10-01 and as
 * many in that of 2026-10-16, for all of CloudStack's 25 meters; machines, volumes and network
 * offerings by offering and zone, the others by zone, eight in graduated tiers.
 * bench/peers/make-card makes one of the same shape for the comparison with other programs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "ratel/bench.h"

#define ROWS_WANTED 500 /* of a version; rows for everywhere else make up the number */
#define PLACES_MAX  64
#define ID_LENGTH   36
#define SAMPLE_SERIES                                                                              \
    6400 /* enough to meet every zone and offering; they depend on the seed only */

struct card_charge {
    uint32_t usage_type;
    bool by_offering;
    const char *meter, *unit, *times;
    uint32_t low, high; /* of prices, in millionths */
    uint32_t bounds[2]; /* of tiers, in units; 0: none */
};

static const struct card_charge charges[] = {
    {1, true, "vm.running", "hour", NULL, 5000, 250000, {0}},
    {2, true, "vm.allocated", "GiB-hour", "memory", 200, 1500, {0}},
    {3, false, "ip.address", "hour", NULL, 2000, 6000, {0}},
    {4, false, "network.sent", "GB", NULL, 20000, 90000, {500, 5000}},
    {5, false, "network.received", "GB", NULL, 1000, 9000, {1000, 10000}},
    {6, true, "volume", "GiB-month", "size", 30000, 150000, {0}},
    {7, false, "template", "GiB-month", "size", 20000, 60000, {0}},
    {8, false, "iso", "GiB-month", "size", 20000, 60000, {0}},
    {9, false, "snapshot", "GiB-month", "size", 20000, 50000, {10, 50}},
    {10, false, "securitygroup", "hour", NULL, 100, 900, {0}},
    {11, false, "loadbalancer.rule", "hour", NULL, 5000, 20000, {0}},
    {12, false, "portforwarding.rule", "hour", NULL, 500, 2000, {0}},
    {13, true, "network.offering", "hour", NULL, 1000, 12000, {0}},
    {14, false, "vpn.user", "hour", NULL, 3000, 7000, {0}},
    {21, false, "disk.read.requests", "1000000 requests", NULL, 50000, 120000, {50, 500}},
    {22, false, "disk.write.requests", "1000000 requests", NULL, 60000, 150000, {50, 500}},
    {23, false, "disk.read.bytes", "GB", NULL, 500, 3000, {1000, 10000}},
    {24, false, "disk.write.bytes", "GB", NULL, 800, 4000, {1000, 10000}},
    {25, false, "vmsnapshot", "GiB-month", "size", 30000, 90000, {0}},
    {26, false, "volume.secondary", "hour", NULL, 1000, 5000, {0}},
    {27, false, "vmsnapshot.primary", "GiB-month", "size", 60000, 150000, {0}},
    {28, false, "backup", "GiB-month", "size", 15000, 45000, {20, 100}},
    {29, false, "bucket", "GiB-month", NULL, 10000, 30000, {0}},
    {30, false, "network", "hour", NULL, 2000, 8000, {0}},
    {31, false, "vpc", "hour", NULL, 5000, 15000, {0}},
};
#define CHARGE_COUNT (sizeof(charges) / sizeof(charges[0]))

struct id_list {
    char items[PLACES_MAX][ID_LENGTH + 1];
    uint32_t count;
};

struct cloud_sample {
    struct id_list zones;
    struct id_list offerings[CHARGE_COUNT];
};

/* ---- the cloud's places
 * ------------------------------------------------------------------------------------------
 */

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void id_list_add(struct id_list *ids, const char *id)
{
    char text[ID_LENGTH + 1];
    memcpy(text, id, ID_LENGTH);
    text[ID_LENGTH] = '\0';
    for (uint32_t i = 0; i < ids->count; i++)
        if (strcmp(ids->items[i], text) == 0)
            return;
    if (ids->count < PLACES_MAX)
        memcpy(ids->items[ids->count++], text, sizeof(text));
}

/* The generator's own lines: no blanks, and every id has 36 characters. */
static void sample_line(struct cloud_sample *sample, const char *line)
{
    static const char type_key[] = "\"usagetype\":", zone_key[] = "\"zoneid\":\"",
                      offering_key[] = "\"offeringid\":\"";
    const char *zone = strstr(line, zone_key), *type = strstr(line, type_key);
    const char *offering = strstr(line, offering_key);
    if (!zone || !type)
        return;
    id_list_add(&sample->zones, zone + sizeof(zone_key) - 1);
    unsigned long number = strtoul(type + sizeof(type_key) - 1, NULL, 10);
    for (size_t i = 0; i < CHARGE_COUNT && offering; i++)
        if (charges[i].usage_type == number && charges[i].by_offering)
            id_list_add(&sample->offerings[i], offering + sizeof(offering_key) - 1);
}

static enum status take_sample(struct bench *bench, struct cloud_sample *sample,
                               struct error *error)
{
    struct bench_recipe recipe = {
        .form = "ndjson", .order = "cloudstack", .series = SAMPLE_SERIES, .days = 1};
    const char *arguments[32];
    int ends[2], pid = 0;
    bench_generator_arguments(bench, &recipe, arguments);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set(error, STATUS_UNAVAILABLE, "pipe: %s", strerror(errno));
    enum status status = bench_spawn(arguments, ends[1], &pid, error);
    close(ends[1]);
    FILE *lines = fdopen(ends[0], "r");
    if (status != STATUS_OK || !lines) {
        close(ends[0]);
        return status != STATUS_OK ? status : error_set(error, STATUS_NO_MEMORY, "out of memory");
    }
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, lines) > 0)
        sample_line(sample, line);
    free(line);
    fclose(lines);
    qsort(sample->zones.items, sample->zones.count, sizeof(sample->zones.items[0]), compare_ids);
    for (size_t i = 0; i < CHARGE_COUNT; i++)
        qsort(sample->offerings[i].items, sample->offerings[i].count,
              sizeof(sample->offerings[i].items[0]), compare_ids);
    status = bench_wait(pid, "ratel-gen", error);
    if (status == STATUS_OK && sample->zones.count == 0)
        status = error_set(error, STATUS_UNAVAILABLE, "ratel-gen wrote no records");
    return status;
}

/* ---- writing
 * -----------------------------------------------------------------------------------------------------
 */

/* A price from low to high that depends on the key alone. */
static uint32_t draw(const struct card_charge *charge, uint32_t version, uint32_t revision,
                     const char *zone, const char *offering)
{
    char key[256];
    int length = snprintf(key, sizeof(key), "price/%u/%u/%s/%s/%s", revision, version,
                          charge->meter, zone, offering);
    uint64_t drawn = hash64(slice_of(key, (size_t)length), 0);
    return charge->low + (uint32_t)(drawn % (charge->high - charge->low + 1));
}

static void write_terms(FILE *out, const struct card_charge *charge, uint32_t price)
{
    if (!charge->bounds[0]) {
        fprintf(out, "price: \"0.%06u\"}\n", price);
        return;
    }
    bool fee = strcmp(charge->meter, "network.sent") == 0;
    fprintf(out,
            "tiers: [{up_to: %u, price: \"0.%06u\"}, {up_to: %u, price: \"0.%06u\"%s}, {price: "
            "\"0.%06u\"}]}\n",
            charge->bounds[0], price, charge->bounds[1], price * 7 / 10, fee ? ", flat: \"2\"" : "",
            price * 4 / 10);
}

static uint32_t rows_of(const struct cloud_sample *sample)
{
    uint32_t rows = 0;
    for (size_t i = 0; i < CHARGE_COUNT; i++)
        rows += sample->zones.count * (charges[i].by_offering ? sample->offerings[i].count : 1);
    return rows;
}

static void write_charge(FILE *out, const struct cloud_sample *sample, size_t number,
                         uint32_t version, uint32_t revision, bool elsewhere)
{
    const struct card_charge *charge = &charges[number];
    fprintf(out, "  - code: %s\n    meter: %s\n    unit: %s\n    model: %s\n", charge->meter,
            charge->meter, charge->unit, charge->bounds[0] ? "graduated" : "per_unit");
    if (charge->times)
        fprintf(out, "    times: %s\n", charge->times);
    fprintf(out, "    prices:\n");
    const struct id_list *offerings = &sample->offerings[number];
    for (uint32_t z = 0; z < sample->zones.count; z++) {
        const char *zone = sample->zones.items[z];
        for (uint32_t o = 0; charge->by_offering && o < offerings->count; o++) {
            fprintf(out, "      - {where: {zone: %s, offering: %s}, ", zone, offerings->items[o]);
            write_terms(out, charge, draw(charge, version, revision, zone, offerings->items[o]));
        }
        if (!charge->by_offering) {
            fprintf(out, "      - {where: {zone: %s}, ", zone);
            write_terms(out, charge, draw(charge, version, revision, zone, ""));
        }
    }
    if (elsewhere) {
        fprintf(out, "      - {");
        write_terms(out, charge, draw(charge, version, revision, "elsewhere", ""));
    }
}

enum status bench_card_make(struct bench *bench, uint32_t revision, const char *path,
                            struct error *error)
{
    static const char *const versions[] = {"2026-10-01T00:00:00Z", "2026-10-16T00:00:00Z"};
    struct cloud_sample *sample = arena_alloc(&bench->context->arena, sizeof(*sample));
    memset(sample, 0, sizeof(*sample));
    enum status status = take_sample(bench, sample, error);
    if (status != STATUS_OK)
        return status;
    FILE *out = fopen(path, "w");
    if (!out)
        return error_set(error, STATUS_IO, "%s: %s", path, strerror(errno));
    uint32_t rows = rows_of(sample);
    for (uint32_t version = 0; version < 2; version++) {
        uint32_t missing = rows < ROWS_WANTED ? ROWS_WANTED - rows : 0;
        fprintf(out,
                "kind: ratecard\nname: canonical\ncurrency: EUR\neffective_from: %s\nmonth: "
                "730\ncharges:\n",
                versions[version]);
        for (size_t i = 0; i < CHARGE_COUNT; i++)
            write_charge(out, sample, i, version, revision, i < missing);
        fprintf(out, "---\n");
    }
    fprintf(out, "kind: catalogue\nname: public\nratecard: canonical\n");
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed)
        return error_set(error, STATUS_IO, "%s: cannot be written", path);
    return STATUS_OK;
}
