#include "workload.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ratecards/ratecards.h"

#define SEED 20261001

void bench_check(bool sound, const char *what)
{
    if (sound)
        return;
    fprintf(stderr, "benchmark: not so: %s\n", what);
    exit(1);
}

void bench_ok(enum status status, const struct error *error, const char *what)
{
    if (status == STATUS_OK)
        return;
    fprintf(stderr, "benchmark: %s: %s: %s\n", what, status_text(status), error ? error->text : "");
    exit(1);
}

uint64_t bench_records(void)
{
    const char *text = getenv("RATEL_BENCH_RECORDS");
    unsigned long long records = text ? strtoull(text, NULL, 10) : 100000;
    bench_check(records >= 1000 && records <= 10000000,
                "RATEL_BENCH_RECORDS is from 1000 to 10000000");
    return records / BENCH_WINDOWS * BENCH_WINDOWS;
}

/* What a command writes to standard output, with padding behind it. */
static struct slice output_of(const char *command)
{
    FILE *pipe = popen(command, "r");
    bench_check(pipe, command);
    size_t length = 0, capacity = 1 << 20;
    char *data = malloc(capacity + DECODER_PADDING);
    bench_check(data, "memory for the workload");
    for (size_t got; (got = fread(data + length, 1, capacity - length, pipe)) > 0;) {
        length += got;
        if (length == capacity) {
            capacity *= 2;
            data = realloc(data, capacity + DECODER_PADDING);
            bench_check(data, "memory for the workload");
        }
    }
    bench_check(pclose(pipe) == 0, command);
    memset(data + length, 0, DECODER_PADDING);
    return slice_of(data, length);
}

static struct slice generate(const char *options)
{
    char command[4096];
    int length = snprintf(command, sizeof(command),
                          "'%s' --seed %d --stable --series %llu --accounts 200 --projects 0 "
                          "--start 2026-10-01 --days %d --catalogue public %s",
                          RATEL_GEN, SEED, (unsigned long long)(bench_records() / BENCH_WINDOWS),
                          BENCH_WINDOWS, options);
    bench_check(length > 0 && (size_t)length < sizeof(command), "the command fits");
    return output_of(command);
}

struct slice bench_usage(const char *form)
{
    char options[128];
    snprintf(options, sizeof(options), "--form %s --out -", form);
    return generate(options);
}

struct slice bench_accounts(void)
{
    return generate("--out /dev/null --accounts-doc -");
}

/* ---- decoded records
 * ------------------------------------------------------------------------------------------------
 */

static void *allocate_or_die(size_t bytes)
{
    void *memory = malloc(bytes);
    bench_check(memory, "memory for the workload");
    return memory;
}

/* Takes the texts of a block out of the decoder's scratch memory. */
static void own_texts(struct record_block *block)
{
    for (uint32_t i = 0; i < block->count; i++) {
        struct record *record = &block->records[i];
        bench_check(record->state == RECORD_DECODED, "every record of the workload decodes");
        size_t bytes = 0;
        for (int field = 0; field < FIELD_COUNT; field++)
            bytes += record->fields[field].length;
        char *at = allocate_or_die(bytes + 1);
        for (int field = 0; field < FIELD_COUNT; field++) {
            struct field_value *value = &record->fields[field];
            if (value->length)
                memcpy(at, value->data, value->length);
            value->data = at;
            at += value->length;
        }
        bench_check(record->attribute_count == 0, "the workload has CloudStack's fields only");
        record->raw = (struct slice){0};
    }
}

struct bench_blocks bench_decode(const struct decoder_class *form, struct slice usage)
{
    struct bench_blocks ret = {0};
    struct decoder *decoder;
    uint32_t capacity = 0;
    char *window = allocate_or_die(usage.length + DECODER_PADDING);
    memcpy(window, usage.data, usage.length + DECODER_PADDING);
    bench_ok(form->open(&decoder), NULL, "open a decoder");
    for (size_t at = 0; at < usage.length;) {
        if (ret.count == capacity) {
            capacity = capacity ? capacity * 2 : 64;
            ret.blocks = realloc(ret.blocks, capacity * sizeof(struct record_block *));
            bench_check(ret.blocks, "memory for the workload");
        }
        struct record_block *block = allocate_or_die(sizeof(*block));
        size_t used = 0;
        bench_ok(form->decode(decoder, window + at, usage.length - at, at, true, block, &used),
                 NULL, "decode");
        bench_check(used > 0, "the decoder goes on");
        own_texts(block);
        ret.records += block->count;
        ret.blocks[ret.count++] = block;
        at += used;
    }
    form->close(decoder);
    free(window);
    bench_check(ret.records == bench_records(), "as many records as were asked for");
    return ret;
}

struct usage *bench_usages(const struct bench_blocks *blocks, uint64_t seed, uint64_t *ret_count)
{
    struct usage *usages = allocate_or_die(blocks->records * sizeof(*usages));
    struct normaliser normaliser;
    normaliser_init(&normaliser, SLICE("bench"), seed);
    *ret_count = 0;
    for (uint32_t i = 0; i < blocks->count; i++)
        for (uint32_t j = 0; j < blocks->blocks[i]->count; j++) {
            struct usage *usage = &usages[(*ret_count)++];
            normalise(&normaliser, blocks->blocks[i], &blocks->blocks[i]->records[j], usage);
            bench_check(usage->verdict == VERDICT_EVENT, usage->reason);
            char *copy = allocate_or_die(usage->definition.length);
            memcpy(copy, usage->definition.data, usage->definition.length);
            usage->definition.data = copy;
        }
    normaliser_fini(&normaliser);
    return usages;
}

/* ---- documents
 * ------------------------------------------------------------------------------------------------------
 */

struct snapshot *bench_snapshot(const struct slice *documents, uint32_t count)
{
    struct arena arena;
    struct problems problems;
    struct document_list list;
    struct entry_list entries;
    struct snapshot *snapshot;
    arena_init(&arena);
    problems_init(&problems, &arena);
    documents_init(&list, &arena);
    entries_init(&entries, &arena);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++)
        status = documents_parse(&list, SLICE("bench.yaml"), documents[i], &problems);
    if (status == STATUS_OK)
        status = documents_entries(&list, NULL, (struct instant){1790000000}, &problems, &entries);
    const struct entry_list *lists[] = {&entries};
    if (status == STATUS_OK)
        status = snapshot_compile(lists, 1, &problems, &snapshot);
    if (problems.count)
        fprintf(stderr, "benchmark: line %u: %.*s\n", problems.items[0].line,
                (int)problems.items[0].text.length, problems.items[0].text.data);
    bench_ok(status, NULL, "compile the documents");
    arena_fini(&arena);
    return snapshot;
}

struct slice bench_card(void)
{
    static char text[8192];
    int length = snprintf(text, sizeof(text),
                          "kind: catalogue\nname: public\nratecard: bench\n---\nkind: "
                          "ratecard\nname: bench\ncurrency: EUR\n"
                          "effective_from: 2026-01-01T00:00:00Z\ncharges:\n");
    for (size_t i = 0; i < METER_BUILTIN_COUNT; i++) {
        const struct meter *meter = &meter_table[i];
        const char *unit = meter->level ? "byte-hour" : meter->base;
        length += snprintf(text + length, sizeof(text) - (size_t)length,
                           "  - {code: %s, meter: %s, unit: %s, model: graduated, tiers: [{up_to: "
                           "1000, price: \"0.01\"}, {price: \"0.0075\"}]}\n",
                           meter->name, meter->name, unit);
    }
    bench_check((size_t)length < sizeof(text), "the card fits");
    return slice_of(text, (size_t)length);
}

/* ---- data directories
 * -----------------------------------------------------------------------------------------------
 */

void bench_datadir(struct datadir *ret)
{
    bench_datadir_shards(ret, 1);
}

void bench_datadir_shards(struct datadir *ret, uint32_t shards)
{
    char path[256];
    struct error error;
    const char *base = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/ratel-bench-XXXXXX", base ? base : "/tmp");
    bench_check(mkdtemp(path), "a directory for temporary files");
    bench_ok(datadir_init(path, shards, &error), &error, "make a data directory");
    bench_ok(datadir_open(path, DATADIR_WRITE, ret, &error), &error, "open the data directory");
}

static int remove_one(const char *path, const struct stat *facts, int flag, struct FTW *walk)
{
    (void)facts;
    (void)flag;
    (void)walk;
    return remove(path);
}

void bench_datadir_remove(struct datadir *datadir)
{
    char path[DATADIR_PATH_BYTES];
    snprintf(path, sizeof(path), "%s", datadir->path);
    datadir_close(datadir);
    bench_check(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, "remove the data directory");
}
