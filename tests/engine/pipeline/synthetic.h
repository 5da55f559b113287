/* What the tests of the pipeline share: a cloud's usage from a seed as lines of `name=value;`, cut
 * into windows, handed to the pipeline as flat records and as decoded ones, and to the
 * single-threaded ingest in the same order. No adapter takes part. */
#ifndef RATEL_TESTS_PIPELINE_SYNTHETIC_H
#define RATEL_TESTS_PIPELINE_SYNTHETIC_H

#include "engine/account/ledger_fixture.h"
#include "engine/base/seeded.h"

#include <stdatomic.h>

#include "engine/ingest.h"
#include "pipeline/pipeline.h"

#define SCRIPT_RECORDS      20000
#define SCRIPT_WINDOW_BYTES (256u << 10)
#define SCRIPT_PADDING      64

enum script_way {
    WAY_FLAT,   /* as a flat record */
    WAY_SLOWLY, /* flat, but left to the reference decoder */
    WAY_RECORD  /* as the reference decoder gives it */
};

struct script_record {
    uint32_t offset, length; /* of its line in the text, without the line end */
    enum script_way way;
};

struct script_window {
    uint32_t first, count; /* records */
    bool alone;
    bool nap; /* before it is read */
};

struct script {
    char *text;
    uint32_t length;
    struct script_record *records;
    uint32_t record_count;
    struct script_window *windows;
    uint32_t window_count;
};

/* ---- making one
 * ------------------------------------------------------------------------------------------------------
 */

static const char script_documents[] =
    "kind: ratecard\nname: card\ncurrency: EUR\neffective_from: 2026-01-01T00:00:00Z\ncharges:\n"
    "  - {code: vm, meter: vm.running, unit: hour, price: \"1\"}\n"
    "  - {code: net, scope: resource, meter: network.sent, unit: GB, model: graduated, tiers: "
    "[{up_to: 100, price: \"0.05\"}, {price: \"0.03\"}]}\n"
    "  - {code: disk, meter: volume, times: size, unit: GiB-month, price: \"0.0000001\"}\n"
    "---\nkind: ratecard\nname: card\ncurrency: EUR\neffective_from: "
    "2026-10-16T00:00:00Z\ncharges:\n"
    "  - {code: vm, meter: vm.running, unit: hour, price: \"2\"}\n"
    "  - {code: disk, meter: volume, times: size, unit: GiB-month, price: \"0.0000002\"}\n"
    "---\nkind: catalogue\nname: public\nratecard: card\n"
    "---\nkind: accounts\naccounts:\n"
    "  - {id: a0, currency: EUR, catalogue: public, projects: [p0, p1]}\n"
    "  - {id: a1, currency: EUR, catalogue: public, timezone: Asia/Kolkata}\n"
    "  - {id: a2, currency: EUR, catalogue: public}\n"
    "  - {id: a3, currency: EUR, catalogue: public}\n"
    "  - {id: a4, currency: EUR, catalogue: none}\n";
static const char script_budgets[] =
    "kind: budgets\nbudgets:\n"
    "  - {id: b0, account: a0, amount: \"100\", currency: EUR, thresholds: [1, 10, 25, 50, 75, "
    "100, "
    "200, 400]}\n"
    "  - {id: b1, account: a1, amount: \"50\", currency: EUR, thresholds: [1, 10, 25, 50, 75, 100, "
    "200, 400]}\n"
    "  - {id: b2, account: a2, amount: \"10\", currency: EUR, thresholds: [1, 50, 100, 200, "
    "400]}\n";

static inline uint32_t script_windowed(struct seeded *seeded, char *out, uint32_t room)
{
    static const char *const payers[] = {"a0", "a1", "a2", "a3", "a4", "a5", "nobody"};
    static const char *const quantities[] = {"24", "24", "24", "12.5", "1", "0", "0.000001"};
    static const char *const projects[] = {"p0", "p1"};
    char payer[64];
    if (seeded_below(seeded, 6) == 0)
        snprintf(payer, sizeof(payer), "projectid=%s;", projects[seeded_below(seeded, 2)]);
    else
        snprintf(payer, sizeof(payer), "accountid=%s;", payers[seeded_below(seeded, 7)]);
    unsigned day = 1 + (unsigned)seeded_below(seeded, 30), last = day;
    unsigned hour = 0, end_hour = 23;
    if (seeded_below(seeded, 3) == 0)
        hour = end_hour = (unsigned)seeded_below(seeded, 24);
    unsigned kind = (unsigned)seeded_below(seeded, 10);
    char rest[128];
    if (kind < 6)
        snprintf(rest, sizeof(rest), "usagetype=1;virtualmachineid=vm%u;rawusage=%s;",
                 (unsigned)seeded_below(seeded, 40), quantities[seeded_below(seeded, 7)]);
    else if (kind < 8)
        snprintf(rest, sizeof(rest), "usagetype=4;usageid=net%u;rawusage=%u;",
                 (unsigned)seeded_below(seeded, 9), (unsigned)seeded_below(seeded, 1000000000));
    else
        snprintf(rest, sizeof(rest), "usagetype=6;usageid=v%u;size=%u;rawusage=24;",
                 (unsigned)seeded_below(seeded, 9),
                 (unsigned)seeded_below(seeded, 3) * 1073741824u);
    return (uint32_t)snprintf(out, room,
                              "%szoneid=z;%sstartdate=2026-10-%02uT%02u:00:00+0000;enddate=2026-10-"
                              "%02uT%02u:59:59+0000;",
                              payer, rest, day, hour, last, end_hour);
}

/* Sums of these reach what no bucket may hold after some forty. */
static inline uint32_t script_huge(struct seeded *seeded, char *out, uint32_t room)
{
    unsigned day = 1 + (unsigned)seeded_below(seeded, 30);
    unsigned hour = (unsigned)seeded_below(seeded, 24);
    return (uint32_t)snprintf(
        out, room,
        "accountid=a3;zoneid=z;usagetype=6;usageid=huge%u;size=999999999999999;rawusage="
        "999999999999999;startdate=2026-10-%02uT%02u:00:00+0000;enddate=2026-10-%02uT%02u:59:59+"
        "0000;",
        (unsigned)seeded_below(seeded, 3), day, hour, day, hour);
}

static inline uint32_t script_line(struct seeded *seeded, uint32_t huge_percent, char *out,
                                   uint32_t room)
{
    unsigned kind = (unsigned)seeded_below(seeded, 100);
    if (seeded_below(seeded, 100) < huge_percent)
        return script_huge(seeded, out, room);
    if (kind < 76)
        return script_windowed(seeded, out, room);
    unsigned number = (unsigned)seeded_below(seeded, 1000);
    if (kind < 79) /* an attribution view: ignored */
        return (uint32_t)snprintf(
            out, room, "accountid=a0;usagetype=6;usageid=v%u;virtualmachineid=vm;", number);
    if (kind < 83) /* understood by nobody */
        return (uint32_t)snprintf(out, room, "accountid=a%u;usagetype=1;rawusage=many%u;",
                                  number % 5, number);
    if (kind < 85)
        return (uint32_t)snprintf(out, room, "accountid=a%u;usagetype=99;rawusage=%u;", number % 5,
                                  number);
    if (kind < 88)
        return (uint32_t)snprintf(out, room, "!broken %u;", number);
    if (kind < 89) /* beyond what lines of series can hold */
        return (uint32_t)snprintf(
            out, room,
            "accountid=a%u;usagetype=1;virtualmachineid=late%u;rawusage=1;startdate=2110-01-01T00:"
            "00:00+0000;enddate=2110-01-01T23:59:59+0000;",
            number % 5, number);
    if (kind < 95) /* moments, with ids that meet again */
        return (uint32_t)snprintf(
            out, room, "id=%u;account=a%u;meter=%s;quantity=%u;time=2026-10-%02uT12:00:00Z;",
            number % 300, number % 5, number % 2 ? "licence" : "vm.running",
            1 + (unsigned)seeded_below(seeded, 2), 1 + number % 28);
    return (uint32_t)snprintf(
        out, room,
        "account=a%u;meter=%s;resource=r%u;quantity=%u;start=2026-10-%02uT%02u:"
        "00:00Z;end=2026-10-%02uT%02u:30:00Z;",
        number % 5, number % 2 ? "tokens" : "pages", number % 4,
        1 + (unsigned)seeded_below(seeded, 9), 1 + number % 28, number % 24, 1 + number % 28,
        number % 24);
}

static inline void script_add(struct script *script, struct seeded *seeded, uint32_t huge_percent)
{
    uint32_t room = 512;
    struct script_record *record = &script->records[script->record_count];
    char *at = script->text + script->length;
    record->offset = script->length;
    uint32_t earlier =
        script->record_count ? (uint32_t)seeded_below(seeded, script->record_count) : 0;
    if (script->record_count && seeded_below(seeded, 8) == 0) {
        record->length = script->records[earlier].length;
        memcpy(at, script->text + script->records[earlier].offset, record->length);
    } else {
        record->length = script_line(seeded, huge_percent, at, room);
        assert_true(record->length < room);
    }
    at[record->length] = '\n';
    unsigned way = (unsigned)seeded_below(seeded, 8);
    record->way = way < 5 ? WAY_FLAT : way < 6 ? WAY_SLOWLY : WAY_RECORD;
    script->length += record->length + 1;
    script->record_count++;
}

struct script_shape {
    uint32_t records;
    uint32_t window_most; /* records of one window */
    uint32_t huge_percent;
    uint32_t alone_percent;
    uint32_t nap_percent;
};

static inline void script_make(struct script *script, struct seeded *seeded,
                               const struct script_shape *shape)
{
    assert_true(shape->records <= SCRIPT_RECORDS);
    script->text = malloc((size_t)shape->records * 513 + SCRIPT_PADDING);
    script->records = calloc(shape->records + 1, sizeof(*script->records));
    script->windows = calloc((size_t)shape->records * 2 + 2, sizeof(*script->windows));
    script->length = script->record_count = script->window_count = 0;
    for (uint32_t i = 0; i < shape->records; i++)
        script_add(script, seeded, shape->huge_percent);
    for (uint32_t first = 0; first < script->record_count;) {
        struct script_window *window = &script->windows[script->window_count++];
        /* Some hold nothing. */
        uint32_t count = (uint32_t)seeded_below(seeded, (uint64_t)shape->window_most + 1);
        if (script->window_count % 2 == 0 && count == 0)
            count = 1;
        if (count > script->record_count - first)
            count = script->record_count - first;
        *window =
            (struct script_window){first, count, seeded_below(seeded, 100) < shape->alone_percent,
                                   seeded_below(seeded, 100) < shape->nap_percent};
        first += count;
    }
}

static inline void script_free(struct script *script)
{
    free(script->text);
    free(script->records);
    free(script->windows);
}

static inline uint64_t script_window_end(const struct script *script, uint32_t window)
{
    const struct script_window *at = &script->windows[window];
    uint32_t next = at->first + at->count;
    return next < script->record_count ? script->records[next].offset : script->length;
}

/* ---- reading one
 * -----------------------------------------------------------------------------------------------------
 */

/* cmocka's asserts do not work in other threads. */
static inline void must(bool holds)
{
    if (!holds)
        abort();
}

/* The reference decoder of the lines. */
static inline void script_parse(struct slice raw, struct record *record)
{
    memset(record, 0, sizeof(*record));
    record->form = RECORD_FORM_JSON;
    record->raw = raw;
    if (raw.length && raw.data[0] == '!') {
        record->state = RECORD_BAD;
        record->reason = "the line is broken";
        return;
    }
    const char *at = raw.data, *end = raw.data + raw.length;
    while (at < end) {
        const char *equals = memchr(at, '=', (size_t)(end - at));
        const char *semicolon = memchr(at, ';', (size_t)(end - at));
        must(equals && semicolon && equals < semicolon);
        enum field field = field_by_name(slice_of(at, (size_t)(equals - at)));
        must(field < FIELD_COUNT);
        record->fields[field] =
            (struct field_value){equals + 1, (uint32_t)(semicolon - equals - 1), VALUE_TEXT};
        at = semicolon + 1;
    }
}

static inline void script_flat(const struct window *window, struct slice raw, enum script_way way,
                               struct flat_record *flat)
{
    struct record record;
    script_parse(raw, &record);
    flat->offset = (uint32_t)(raw.data - window->bytes);
    flat->length = (uint32_t)raw.length;
    flat->present = 0;
    memset(flat->fields, 0xa5, sizeof(flat->fields));
    if (way == WAY_SLOWLY || record.state == RECORD_BAD || !field_present(&record, FIELD_USAGETYPE))
        return;
    for (int field = 0; field < FIELD_COUNT; field++) {
        const struct field_value *value = &record.fields[field];
        if (value->kind == VALUE_ABSENT || !(FLAT_FIELDS >> field & 1))
            continue;
        flat->fields[field] = (struct flat_value){(uint32_t)(value->data - window->bytes),
                                                  (uint16_t)value->length, (uint8_t)value->kind, 0};
        flat->present |= (uint64_t)1 << field;
    }
}

struct script_reader {
    struct record_block records;
    struct record_block lone;
    struct flat_block flat;
    char raw[1024];
};

/* The pipeline's input. */
struct feed {
    const struct script *script;
    struct script_reader *readers;
    uint32_t next;
    char *memory[PIPELINE_WINDOWS_MAX];
    uint32_t memory_count;
    bool alone_pending;
    uint32_t fail_fill, fail_decode; /* window's number from 1; 0: never */
    uint32_t fail_reread;            /* the call; 0: never */
    atomic_uint rereads;
    atomic_uint acknowledged; /* windows */
    uint32_t ahead_most;      /* windows that were filled and not acknowledged */
};

static inline enum status feed_failure(const char *what, struct error *error)
{
    return error_set(error, STATUS_CORRUPT, "the %s is made to fail", what);
}

static inline enum status feed_fill(void *context, uint32_t reader, struct window *window,
                                    bool *ret_more, struct error *error)
{
    struct feed *feed = context;
    const struct script *script = feed->script;
    (void)reader;
    if (feed->alone_pending)
        abort(); /* a window that is alone was not decoded before this one is filled */
    if (!window->bytes) {
        window->bytes = malloc(SCRIPT_WINDOW_BYTES + SCRIPT_PADDING);
        feed->memory[feed->memory_count++] = window->bytes;
    }
    window->position = script->length;
    window->file = SLICE("script");
    if (feed->fail_fill && feed->next + 1 == feed->fail_fill)
        return feed_failure("input", error);
    *ret_more = feed->next < script->window_count;
    if (!*ret_more)
        return STATUS_OK;
    const struct script_window *from = &script->windows[feed->next];
    if (from->nap)
        usleep(200);
    uint64_t start =
        from->first < script->record_count ? script->records[from->first].offset : script->length;
    window->position = script_window_end(script, feed->next);
    window->offset = start;
    window->length = window->position - start;
    must(window->length <= SCRIPT_WINDOW_BYTES);
    memset(window->bytes, '7', SCRIPT_WINDOW_BYTES + SCRIPT_PADDING); /* of the window before */
    memcpy(window->bytes, script->text + start, window->length);
    window->lines = from->first;
    window->form = RECORD_FORM_JSON;
    window->alone = from->alone;
    window->of_input = (void *)(uintptr_t)feed->next;
    feed->alone_pending = from->alone;
    feed->next++;
    uint32_t ahead = feed->next - atomic_load(&feed->acknowledged);
    feed->ahead_most = ahead > feed->ahead_most ? ahead : feed->ahead_most;
    return STATUS_OK;
}

static inline struct slice feed_raw(const struct window *window, const struct script_record *record)
{
    return slice_of(window->bytes + (record->offset - window->offset), record->length);
}

static inline enum status feed_flat(struct script_reader *reader, const struct window *window,
                                    struct lane *lane, struct error *error)
{
    uint32_t count = reader->flat.count, half = count / 2;
    reader->flat.count = count;
    enum status status = STATUS_OK;
    if (half)
        status = lane_flat(lane, window, &reader->flat, 0, half, error);
    if (status == STATUS_OK && count)
        status = lane_flat(lane, window, &reader->flat, half, count - half, error);
    reader->flat.count = 0;
    return status;
}

static inline enum status feed_records(struct script_reader *reader, const struct window *window,
                                       struct lane *lane, struct error *error)
{
    enum status status =
        reader->records.count ? lane_records(lane, window, &reader->records, error) : STATUS_OK;
    reader->records.count = 0;
    return status;
}

static inline enum status feed_decode(void *context, uint32_t number, struct window *window,
                                      struct lane *lane, struct error *error)
{
    struct feed *feed = context;
    struct script_reader *reader = &feed->readers[number];
    uint32_t index = (uint32_t)(uintptr_t)window->of_input;
    const struct script_window *from = &feed->script->windows[index];
    enum status status = STATUS_OK;
    reader->flat.count = 0;
    reader->records.count = 0;
    for (uint32_t i = 0; i < from->count && status == STATUS_OK; i++) {
        const struct script_record *record = &feed->script->records[from->first + i];
        struct slice raw = feed_raw(window, record);
        if (record->way == WAY_RECORD) {
            status = feed_flat(reader, window, lane, error);
            struct record *to = &reader->records.records[reader->records.count++];
            script_parse(raw, to);
            to->offset = record->offset;
            to->line = i + 1;
        } else {
            status = feed_records(reader, window, lane, error);
            script_flat(window, raw, record->way, &reader->flat.records[reader->flat.count++]);
        }
        if (status == STATUS_OK && reader->flat.count == FLAT_RECORDS)
            status = feed_flat(reader, window, lane, error);
        if (status == STATUS_OK && reader->records.count == RECORD_BLOCK_RECORDS)
            status = feed_records(reader, window, lane, error);
        if (status == STATUS_OK && feed->fail_decode && index + 1 == feed->fail_decode &&
            i >= from->count / 2)
            status = feed_failure("decoder", error);
    }
    if (status == STATUS_OK)
        status = feed_flat(reader, window, lane, error);
    if (status == STATUS_OK)
        status = feed_records(reader, window, lane, error);
    if (window->alone)
        feed->alone_pending = false;
    return status;
}

static inline enum status feed_reread(void *context, uint32_t number, enum record_form form,
                                      struct slice raw, const struct record_block **ret,
                                      struct error *error)
{
    struct feed *feed = context;
    struct script_reader *reader = &feed->readers[number];
    (void)form;
    if (feed->fail_reread && atomic_fetch_add(&feed->rereads, 1) + 1 >= feed->fail_reread)
        return feed_failure("rereading", error);
    must(raw.length <= sizeof(reader->raw));
    memcpy(reader->raw, raw.data, raw.length);
    reader->lone.count = 1;
    script_parse(slice_of(reader->raw, raw.length), &reader->lone.records[0]);
    *ret = &reader->lone;
    return STATUS_OK;
}

static inline uint32_t feed_line(void *context, uint32_t number, const struct window *window,
                                 uint64_t offset, uint32_t line)
{
    const struct script *script = ((struct feed *)context)->script;
    (void)number, (void)line;
    must(offset >= window->offset && offset < window->offset + window->length);
    uint32_t low = 0, high = script->record_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (script->records[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    must(script->records[low].offset == offset);
    return low + 1;
}

static inline void feed_init(struct feed *feed, const struct script *script, uint32_t readers)
{
    *feed = (struct feed){.script = script};
    feed->readers = calloc(readers, sizeof(*feed->readers));
}

static inline void feed_fini(struct feed *feed)
{
    for (uint32_t i = 0; i < feed->memory_count; i++)
        free(feed->memory[i]);
    free(feed->readers);
}

static inline struct pipeline_input feed_input(struct feed *feed)
{
    return (struct pipeline_input){.context = feed,
                                   .fill = feed_fill,
                                   .decode = feed_decode,
                                   .line = feed_line,
                                   .reread = feed_reread};
}

/* ---- the single-threaded way
 * --------------------------------------------------------------------------------------------- */

/* What is there after each window, so that it can be asked what an acknowledgement promised. */
struct promise {
    uint64_t events[8];
    uint32_t conflicts[8];
    uint32_t quarantined;
    struct ingest_counts counts;
};

static inline void script_ingest(const struct script *script, struct stage *stage,
                                 struct quarantine *quarantine, struct clock *clock,
                                 struct promise *promises, struct ingest_counts *ret)
{
    struct record_block *block = calloc(1, sizeof(*block));
    struct ingest ingest;
    struct error error = {0};
    struct ingest_options options = {
        .ledgers = stage->ledgers,
        .quarantine = quarantine,
        .source = SLICE("cloud"),
        .seed = stage->datadir.seed,
        .clock = clock,
        .commit_events = 500,
    };
    ingest_init(&ingest, &options);
    for (uint32_t w = 0; w < script->window_count; w++) {
        const struct script_window *window = &script->windows[w];
        for (uint32_t i = 0; i < window->count; i++) {
            const struct script_record *from = &script->records[window->first + i];
            struct record *record = &block->records[0];
            block->count = 1;
            script_parse(slice_of(script->text + from->offset, from->length), record);
            record->offset = from->offset;
            record->line = window->first + i + 1;
            if (ingest_block(&ingest, SLICE("script"), block, &error) != STATUS_OK)
                fail_msg("%s", error.text);
        }
        for (uint32_t i = 0; i < stage->ledgers->count; i++) {
            promises[w].events[i] = stage->ledgers->shards[i]->event_count;
            promises[w].conflicts[i] = stage->ledgers->shards[i]->conflict_count;
        }
        promises[w].quarantined = quarantine_count(quarantine);
        promises[w].counts = ingest.total;
        counts_add(&promises[w].counts, &ingest.pending);
    }
    if (ingest_commit(&ingest, script->length, &error) != STATUS_OK)
        fail_msg("%s", error.text);
    *ret = ingest.total;
    ingest_fini(&ingest);
    free(block);
}

#endif
