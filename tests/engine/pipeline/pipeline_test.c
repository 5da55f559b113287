/* The pipeline beside the single-threaded ingest: the same records must leave the same events,
 * buckets, conflicts and quarantine, bit for bit, whatever the lanes, shards, windows and commits;
 * what is acknowledged must be there; and whatever fails, it ends and says so. */
#include "engine/pipeline/synthetic.h"

#include "base/park.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* ---- calls that fail
 * -------------------------------------------------------------------------------------------------
 * The engine is linked into this program, so its calls come here. */

static struct {
    atomic_int armed; /* this thread group counts */
    atomic_long calls;
    long fail_at; /* the call with this number and all later ones; 0: none */
    int fail_errno;
    long delay_us;         /* of a sync of quarantine */
    long journal_delay_us; /* of a write to a journal */
} faults;

static bool fault(void)
{
    if (!atomic_load(&faults.armed))
        return false;
    long number = atomic_fetch_add(&faults.calls, 1) + 1;
    if (!faults.fail_at || number < faults.fail_at)
        return false;
    errno = faults.fail_errno;
    return true;
}

ssize_t write(int fd, const void *data, size_t length)
{
    return fd > 2 && fault() ? -1 : syscall(SYS_write, fd, data, length);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
    return fault() ? -1 : syscall(SYS_pwrite64, fd, data, length, offset);
}

static bool lies_in(int fd, const char *folder)
{
    char link[64], target[1024];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, target, sizeof(target) - 1);
    target[length > 0 ? length : 0] = '\0';
    return strstr(target, folder) != NULL;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    if (fault())
        return -1;
    if (atomic_load(&faults.armed) && faults.journal_delay_us && lies_in(fd, "/journal/"))
        usleep((useconds_t)faults.journal_delay_us);
    return syscall(SYS_pwritev, fd, parts, count, offset, 0);
}

int fdatasync(int fd)
{
    if (fault())
        return -1;
    if (atomic_load(&faults.armed) && faults.delay_us && lies_in(fd, "/quarantine/"))
        usleep((useconds_t)faults.delay_us);
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return fault() ? -1 : (int)syscall(SYS_fsync, fd);
}

static void delays_begin(long quarantine_us, long journal_us)
{
    faults.fail_at = 0;
    faults.delay_us = quarantine_us;
    faults.journal_delay_us = journal_us;
    atomic_store(&faults.armed, 1);
}

static void faults_begin(long fail_at, int fail_errno)
{
    faults.fail_at = fail_at;
    faults.fail_errno = fail_errno;
    faults.delay_us = faults.journal_delay_us = 0;
    atomic_store(&faults.calls, 0);
    atomic_store(&faults.armed, 1);
}

static long faults_end(void)
{
    atomic_store(&faults.armed, 0);
    return atomic_load(&faults.calls);
}

/* ---- two data directories of one seed
 * ------------------------------------------------------------------------------------ */

static struct fixture documents;
static struct clock_fixed clock_of_tests;

struct side {
    struct stage stage;
    struct quarantine *quarantine;
};

struct life {
    struct seeded seeded;
    struct script script;
    struct side expected, found;
    struct promise *promises; /* by window */
    struct ingest_counts expected_counts;
    struct feed feed;
    uint32_t lanes, shards;

    /* acknowledgements */
    uint64_t acknowledged; /* window */
    bool again;            /* the records come another time */
    uint32_t looks_left;   /* at what is durable then */
    uint32_t slow_us;      /* that an acknowledgement takes now and then */
    uint32_t told;
};

static void side_open(struct side *side)
{
    char path[SCRATCH_PATH_BYTES];
    scratch_path(side->stage.path, "quarantine", path);
    stage_open(&side->stage, documents.snapshot);
    assert_int_equal(quarantine_open(path, true, &side->quarantine, NULL), STATUS_OK);
}

static void side_close(struct side *side)
{
    quarantine_close(side->quarantine);
    stage_close(&side->stage);
}

static void copy_folder(const char *from, const char *to)
{
    char command[3 * SCRATCH_PATH_BYTES];
    snprintf(command, sizeof(command), "cp -a --sparse=always '%s' '%s'", from, to);
    must(system(command) == 0);
}

/* Another one beside the first, with its seed. */
static void side_twin(struct side *side, const struct side *of, const char *name)
{
    memset(side, 0, sizeof(*side));
    side->stage = (struct stage){.watched = of->stage.watched};
    snprintf(side->stage.root, sizeof(side->stage.root), "%s-%s", of->stage.root, name);
    must(mkdir(side->stage.root, 0755) == 0);
    scratch_path(side->stage.root, "data", side->stage.path);
    copy_folder(of->stage.path, side->stage.path);
    fake_sink_init(&side->stage.sink);
    pack_init(&side->stage.packer);
    must(datadir_open(side->stage.path, DATADIR_WRITE, &side->stage.datadir, NULL) == STATUS_OK);
}

static void life_begin(struct life *life, uint64_t seed, uint32_t lanes, uint32_t shards,
                       const struct script_shape *shape)
{
    memset(life, 0, sizeof(*life));
    life->seeded = (struct seeded){seed, seed};
    life->lanes = lanes;
    life->shards = shards;
    script_make(&life->script, &life->seeded, shape);
    life->promises = calloc(life->script.window_count + 1, sizeof(*life->promises));
    stage_init_shards(&life->expected.stage, shards);
    life->expected.stage.watched = true;
    side_twin(&life->found, &life->expected, "found");
    side_open(&life->expected);
    script_ingest(&life->script, &life->expected.stage, life->expected.quarantine,
                  &clock_of_tests.base, life->promises, &life->expected_counts);
    feed_init(&life->feed, &life->script, lanes + shards);
    life->acknowledged = 0;
}

static void life_end(struct life *life)
{
    side_close(&life->expected);
    stage_fini(&life->expected.stage);
    stage_fini(&life->found.stage);
    feed_fini(&life->feed);
    script_free(&life->script);
    free(life->promises);
}

/* ---- comparing
 * ------------------------------------------------------------------------------------------------------
 */

struct event_list {
    struct event *items;
    uint32_t count, capacity;
};

static enum status collect(const struct event *event, const struct journal_frame *frame,
                           void *context, struct error *error)
{
    struct event_list *list = context;
    (void)frame, (void)error;
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 1024;
        list->items = realloc(list->items, list->capacity * sizeof(*list->items));
    }
    list->items[list->count++] = *event;
    return STATUS_OK;
}

static void events_of(struct ledger *ledger, struct event_list *ret)
{
    struct error error = {0};
    *ret = (struct event_list){0};
    if (ledger_walk(ledger, collect, ret, &error) != STATUS_OK)
        fail_msg("the journal cannot be walked: %s", error.text);
}

/* Parts are numbered in order of their first use, which what was refused may have come into. */
static struct hash128 part_of(const struct ledger *ledger, const struct bucket_key *key)
{
    if (key->plan == INDEX_NONE)
        return hash128(series_meter_name(&ledger->series, key->part), 0);
    return key->part ? ledger_resource_key(ledger, key->part) : (struct hash128){0, 0};
}

static const char *compare_buckets(const struct ledger *a, const struct ledger *b)
{
    uint32_t filled_a = 0, filled_b = 0;
    for (uint32_t i = 0; i < a->buckets.count; i++)
        filled_a += a->buckets.items[i].quanta != 0;
    for (uint32_t i = 0; i < b->buckets.count; i++)
        filled_b += b->buckets.items[i].quanta != 0;
    if (filled_a != filled_b)
        return "the number of buckets";
    for (uint32_t i = 0; i < a->buckets.count; i++) {
        const struct bucket *bucket = &a->buckets.items[i];
        struct hash128 part = part_of(a, &bucket->key);
        bool found = bucket->quanta == 0;
        for (uint32_t j = 0; j < b->buckets.count && !found; j++) {
            const struct bucket *other = &b->buckets.items[j];
            found = other->key.account == bucket->key.account &&
                    other->key.period == bucket->key.period &&
                    other->key.plan == bucket->key.plan && other->quanta == bucket->quanta &&
                    hash128_equal(part_of(b, &other->key), part);
        }
        if (!found)
            return "a bucket";
    }
    return NULL;
}

static const char *compare_series(const struct ledger *a, const struct ledger *b)
{
    if (a->series.count != b->series.count)
        return "the number of series";
    for (uint32_t i = 0; i < a->series.count; i++) {
        struct slice packed_a, packed_b;
        struct coverage windows_a, windows_b;
        if (series_packed(&a->series, i, &packed_a, NULL) != STATUS_OK ||
            series_packed(&b->series, i, &packed_b, NULL) != STATUS_OK)
            return "a definition cannot be read";
        if (!slice_equal(packed_a, packed_b) || a->series.tags[i] != b->series.tags[i] ||
            a->series.lines[i].check != b->series.lines[i].check)
            return "a series";
        if (windows_all(&a->series, i, &windows_a, NULL) != STATUS_OK ||
            windows_all(&b->series, i, &windows_b, NULL) != STATUS_OK)
            return "windows cannot be read";
        bool same = windows_a.count == windows_b.count &&
                    memcmp(coverage_runs(&windows_a), coverage_runs(&windows_b),
                           windows_a.count * sizeof(struct window_run)) == 0;
        coverage_fini(&windows_a);
        coverage_fini(&windows_b);
        if (!same)
            return "the windows of a series";
    }
    return NULL;
}

static const char *compare_ledgers(struct ledger *a, struct ledger *b)
{
    struct event_list events_a, events_b;
    const char *different = compare_series(a, b);
    if (!different)
        different = compare_buckets(a, b);
    events_of(a, &events_a);
    events_of(b, &events_b);
    if (!different && (a->event_count != b->event_count || events_a.count != events_b.count))
        different = "the number of events";
    if (!different && events_a.count &&
        memcmp(events_a.items, events_b.items, events_a.count * sizeof(struct event)) != 0)
        different = "an event";
    free(events_a.items);
    free(events_b.items);
    if (!different && ids_count(&a->ids) != ids_count(&b->ids))
        different = "the number of ids";
    if (!different && a->conflict_count != b->conflict_count)
        different = "the number of conflicts";
    for (uint32_t i = 0; i < a->conflict_count && !different; i++)
        if (memcmp(&a->conflicts[i].conflict, &b->conflicts[i].conflict, sizeof(struct conflict)) !=
            0)
            different = "a conflict";
    return different;
}

static bool same_entry(const struct quarantine_entry *a, const struct quarantine_entry *b)
{
    return hash128_equal(a->content, b->content) && a->state == b->state && a->form == b->form &&
           slice_equal(a->source, b->source) && slice_equal(a->file, b->file) &&
           a->offset == b->offset && a->line == b->line && slice_equal(a->reason, b->reason) &&
           slice_equal(a->raw, b->raw);
}

static const char *compare_quarantine(const struct quarantine *a, const struct quarantine *b)
{
    uint32_t count = quarantine_count(a);
    if (count != quarantine_count(b))
        return "the number of quarantined records";
    for (uint32_t i = 0; i < count; i++)
        if (!same_entry(quarantine_at(a, i), quarantine_at(b, i)))
            return "a quarantined record, or their order";
    return NULL;
}

/* Alerts of both: each fired once. */
static const char *compare_alerts(struct fake_sink *a, struct fake_sink *b)
{
    if (a->count != b->count)
        return "the number of alerts";
    for (uint32_t i = 0; i < a->count; i++)
        if (!fake_known(&b->base, a->ids[i]))
            return "an alert";
    return NULL;
}

static void compare_sides(struct life *life, const char *when)
{
    const char *different = NULL;
    uint32_t shard = 0;
    for (; shard < life->shards && !different; shard++)
        different = compare_ledgers(life->expected.stage.ledgers->shards[shard],
                                    life->found.stage.ledgers->shards[shard]);
    if (!different)
        different = compare_quarantine(life->expected.quarantine, life->found.quarantine);
    if (!different)
        different = compare_alerts(&life->expected.stage.sink, &life->found.stage.sink);
    if (different)
        fail_msg("seed %llu, %u lanes, %u shards, %s: %s is different (shard %u)",
                 (unsigned long long)life->seeded.seed, life->lanes, life->shards, when, different,
                 shard);
}

/* ---- acknowledgements
 * ---------------------------------------------------------------------------------------------- */

/* What the journals of the folder hold is no less than what was promised, and no other thing. */
static void check_promise(struct life *life, const char *path, const struct promise *promise,
                          const char *when)
{
    struct datadir datadir;
    struct quarantine *quarantine;
    char folder[SCRATCH_PATH_BYTES];
    must(datadir_open(path, DATADIR_READ, &datadir, NULL) == STATUS_OK);
    for (uint32_t i = 0; i < life->shards; i++) {
        struct ledger_options options = {
            .datadir = &datadir, .shard = i, .mode = LEDGER_DERIVE, .snapshot = documents.snapshot};
        struct ledger *ledger;
        struct error error = {0};
        struct event_list all, held;
        if (ledger_open(&options, &ledger, &error) != STATUS_OK) {
            fprintf(stderr, "%s: %s\n", when, error.text);
            abort();
        }
        if (ledger->event_count < promise->events[i] ||
            ledger->conflict_count < promise->conflicts[i]) {
            fprintf(stderr,
                    "seed %llu, %s: shard %u holds %llu events and %u conflicts, promised are %llu "
                    "and %u\n",
                    (unsigned long long)life->seeded.seed, when, i,
                    (unsigned long long)ledger->event_count, ledger->conflict_count,
                    (unsigned long long)promise->events[i], promise->conflicts[i]);
            abort();
        }
        events_of(life->expected.stage.ledgers->shards[i], &all);
        events_of(ledger, &held);
        must(held.count <= all.count);
        must(held.count == 0 ||
             memcmp(held.items, all.items, held.count * sizeof(struct event)) == 0);
        free(all.items);
        free(held.items);
        ledger_close(ledger);
    }
    scratch_path(path, "quarantine", folder);
    must(quarantine_open(folder, false, &quarantine, NULL) == STATUS_OK);
    must(quarantine_count(quarantine) >= promise->quarantined);
    quarantine_close(quarantine);
    datadir_close(&datadir);
}

/* The folder without what a checkpoint changes in place. */
static void copy_journals(const struct life *life, const char *to)
{
    char command[4 * SCRATCH_PATH_BYTES];
    const char *from = life->found.stage.path;
    snprintf(command, sizeof(command),
             "mkdir -p '%s' && cd '%s' && tar cf - --sparse --exclude='*/ledger/*' "
             "--exclude='*/ledger*' "
             "--warning=no-file-changed --warning=no-file-shrank . 2>/dev/null | tar xf - -C '%s'",
             to, from, to);
    must(system(command) == 0);
}

/* The window's index; the end of the input counts as the last one. */
static uint64_t window_of(const struct life *life, const struct pipeline_progress *progress)
{
    uint64_t last = life->script.window_count;
    return (progress->window > last ? last : progress->window) - 1;
}

static void acknowledged(void *context, const struct pipeline_progress *progress)
{
    struct life *life = context;
    const struct script *script = &life->script;
    must(progress->window > life->acknowledged);
    must(progress->window <= script->window_count + 1u);
    uint64_t position = progress->window > script->window_count
                            ? script->length
                            : script_window_end(script, (uint32_t)progress->window - 1);
    if (progress->position != position || !slice_is(progress->file, "script")) {
        fprintf(
            stderr,
            "seed %llu, %u lanes, %u shards: window %llu ends at %llu and is acknowledged up to "
            "%llu\n",
            (unsigned long long)life->seeded.seed, life->lanes, life->shards,
            (unsigned long long)progress->window, (unsigned long long)position,
            (unsigned long long)progress->position);
        abort();
    }
    /* The first time: records that come again are duplicates. */
    if (!life->again)
        must(memcmp(&progress->counts, &life->promises[window_of(life, progress)].counts,
                    sizeof(progress->counts)) == 0);
    life->acknowledged = progress->window;
    atomic_store(&life->feed.acknowledged, (uint32_t)progress->window);
    life->told++;
    if (life->slow_us && life->told % 4 == 1)
        usleep(life->slow_us);
    if (!life->looks_left || seeded_below(&life->seeded, 4) != 0)
        return;
    life->looks_left--;
    char copy[SCRATCH_PATH_BYTES];
    scratch_path(life->found.stage.root, "copy", copy);
    copy_journals(life, copy);
    check_promise(life, copy, &life->promises[window_of(life, progress)],
                  "when it was acknowledged");
    scratch_remove(copy);
}

/* ---- lives
 * ----------------------------------------------------------------------------------------------------------
 */

static enum status life_run(struct life *life, uint32_t commit_events, uint32_t interval_us,
                            uint64_t checkpoint_events, struct ingest_counts *counts,
                            struct error *error)
{
    struct pipeline_options options = {
        .ledgers = life->found.stage.ledgers,
        .quarantine = life->found.quarantine,
        .source = SLICE("cloud"),
        .seed = life->found.stage.datadir.seed,
        .clock = &clock_of_tests.base,
        .lanes = life->lanes,
        .commit_events = commit_events,
        .commit_interval_us = interval_us,
        .checkpoint_events = checkpoint_events,
        .input = feed_input(&life->feed),
        .acknowledged = acknowledged,
        .acknowledged_context = life,
    };
    alarm(getenv("RATEL_LONG") ? 600 : 120); /* it never hangs */
    enum status status = pipeline_run(&options, counts, error);
    alarm(0);
    return status;
}

static void reopen_and_compare(struct life *life)
{
    side_close(&life->found);
    side_open(&life->found);
    compare_sides(life, "opened again");
    for (uint32_t i = 0; i < life->shards; i++) {
        struct ledger_options options = {.datadir = &life->found.stage.datadir,
                                         .shard = i,
                                         .mode = LEDGER_DERIVE,
                                         .snapshot = documents.snapshot};
        struct ledger *derived;
        assert_int_equal(ledger_open(&options, &derived, NULL), STATUS_OK);
        const char *different = compare_ledgers(life->expected.stage.ledgers->shards[i], derived);
        if (different)
            fail_msg("seed %llu: derived from the journal, %s is different",
                     (unsigned long long)life->seeded.seed, different);
        assert_int_equal(derived->overlaps, 0);
        ledger_close(derived);
    }
}

static struct script_shape random_shape(struct seeded *seeded)
{
    static const uint32_t sizes[] = {1, 3, 20, 100, 400};
    static const uint32_t records[] = {0, 1, 50, 400, 900};
    return (struct script_shape){
        .records = records[seeded_below(seeded, 5)] + (uint32_t)seeded_below(seeded, 100),
        .window_most = sizes[seeded_below(seeded, 5)],
        .huge_percent = seeded_below(seeded, 2) ? 0 : 25,
        .alone_percent = (uint32_t)seeded_below(seeded, 3) * 50,
        .nap_percent = seeded_below(seeded, 3) ? 0 : 10,
    };
}

static const uint32_t commit_events[] = {1, 5, 100, 16384};
static const uint32_t intervals_us[] = {0, 300, 5000, 60000};
static const uint64_t checkpoint_events[] = {0, 40, 300};

static void live(uint64_t seed, uint32_t lanes, uint32_t shards)
{
    struct seeded seeded = {seed, seed};
    struct script_shape shape = random_shape(&seeded);
    struct ingest_counts counts = {0};
    struct error error = {0};
    static struct life life;
    life_begin(&life, seed, lanes, shards, &shape);
    life.looks_left = 1 + seeded_below(&seeded, 2);
    if (seeded_below(&seeded, 2))
        delays_begin(0, 4000);
    life.slow_us = seeded_below(&seeded, 4) == 0 ? 3000 : 0;
    side_open(&life.found);
    enum status status = life_run(&life, commit_events[seeded_below(&seeded, 4)],
                                  intervals_us[seeded_below(&seeded, 4)],
                                  checkpoint_events[seeded_below(&seeded, 3)], &counts, &error);
    (void)faults_end();
    if (status != STATUS_OK)
        fail_msg("seed %llu: %s", (unsigned long long)seed, error.text);
    assert_memory_equal(&counts, &life.expected_counts, sizeof(counts));
    assert_int_equal(life.acknowledged, life.script.window_count + 1);
    compare_sides(&life, "at the end");
    reopen_and_compare(&life);
    /* Once more: nothing new. */
    feed_fini(&life.feed);
    feed_init(&life.feed, &life.script, lanes + shards);
    life.acknowledged = 0;
    life.again = true;
    status = life_run(&life, 1000, 1000, 0, &counts, &error);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(counts.accepted, 0);
    assert_int_equal(counts.read, life.expected_counts.read);
    compare_sides(&life, "sent again");
    side_close(&life.found);
    life_end(&life);
}

static uint32_t lives(uint32_t some)
{
    const char *text = getenv("RATEL_LIVES");
    return text ? (uint32_t)atoi(text) : getenv("RATEL_LONG") ? some * 50 : some;
}

static void test_pipeline__equals_the_single_thread(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    uint32_t count = lives(64);
    for (uint32_t i = 0; i < count; i++)
        live(seeded_u64(&seeded), 1 + i % 4, 1 + i / 4 % 4);
}

/* More windows on their way than the positions that are remembered, while the keeper is slow. */
static void test_pipeline__positions_are_those_of_their_windows(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    const struct script_shape shape = {.records = 4000, .window_most = 1};
    for (uint32_t i = 0; i < 4; i++) {
        static struct life life;
        struct ingest_counts counts = {0};
        struct error error = {0};
        life_begin(&life, seeded_u64(&seeded), 1 + i, 1 + i % 2, &shape);
        side_open(&life.found);
        delays_begin(50000, 0);
        assert_int_equal(life_run(&life, 16384, 200, 0, &counts, &error), STATUS_OK);
        (void)faults_end();
        compare_sides(&life, "at the end");
        side_close(&life.found);
        life_end(&life);
    }
}

/* A slow disk slows the reader: no more windows are read ahead of what is durable than the buffers
 * hold, however many come. */
static void test_pipeline__a_slow_disk_holds_the_source_back(void **state)
{
    (void)state;
    enum { LANES = 2, SHARDS = 2, COMMIT = 20, WINDOW = 20, BUFFERS = 5 };
    struct seeded seeded = seeded_init();
    const struct script_shape shape = {.records = 8000, .window_most = WINDOW};
    for (int slow = 0; slow < 2; slow++) {
        static struct life life;
        struct ingest_counts counts = {0};
        struct error error = {0};
        life_begin(&life, seeded_u64(&seeded), LANES, SHARDS, &shape);
        side_open(&life.found);
        delays_begin(0, slow ? 10000 : 0);
        int64_t begin = park_now();
        assert_int_equal(life_run(&life, COMMIT, 1000000, 0, &counts, &error), STATUS_OK);
        int64_t took = park_now() - begin;
        (void)faults_end();
        assert_true(life.script.window_count > 700);
        assert_true(life.feed.ahead_most < 256); /* POSITIONS */
        /* Five frames of at most 40 events in a shard; of a window's ten records on average, a
         * shard gets two events at the least. */
        if (slow) {
            assert_true(life.feed.ahead_most <
                        BUFFERS * 2 * COMMIT / 2 + LANES * PIPELINE_LANE_WINDOWS);
            assert_true(took > 300 * 1000000ll);
        }
        compare_sides(&life, "at the end");
        side_close(&life.found);
        life_end(&life);
    }
}

/* Budgets are looked at, which stops the shards, while shards have more for quarantine than there
 * are blocks on the way. */
static void test_pipeline__refused_records_while_budgets_are_looked_at(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    for (uint32_t i = 0; i < lives(4); i++) {
        const struct script_shape shape = {
            .records = 12000, .window_most = 300, .huge_percent = 70, .nap_percent = 100};
        static struct life life;
        struct ingest_counts counts = {0};
        struct error error = {0};
        life_begin(&life, seeded_u64(&seeded), 1 + i % 2, 1 + i % 3, &shape);
        side_open(&life.found);
        delays_begin(3000, 0); /* quarantine takes its time, so that the look comes in between */
        assert_int_equal(life_run(&life, 1, 0, 0, &counts, &error), STATUS_OK);
        (void)faults_end();
        assert_true(counts.quarantined > 3000);
        compare_sides(&life, "at the end");
        side_close(&life.found);
        life_end(&life);
    }
}

/* ---- what fails
 * -----------------------------------------------------------------------------------------------------
 */

/* What was acknowledged is there, and counted; and feeding everything again brings the rest, once. */
static void recover(struct life *life, const struct ingest_counts *counted, const char *what)
{
    struct ingest_counts counts = {0};
    struct error error = {0};
    struct promise none = {0};
    side_close(&life->found);
    uint64_t window = life->acknowledged > life->script.window_count ? life->script.window_count
                                                                     : life->acknowledged;
    const struct promise *promise = window ? &life->promises[window - 1] : &none;
    check_promise(life, life->found.stage.path, promise, what);
    assert_memory_equal(counted, &promise->counts, sizeof(*counted));
    side_open(&life->found);
    feed_fini(&life->feed);
    feed_init(&life->feed, &life->script, life->lanes + life->shards);
    life->acknowledged = 0;
    life->again = true;
    if (life_run(life, 50, 1000, 0, &counts, &error) != STATUS_OK)
        fail_msg("seed %llu, after %s: %s", (unsigned long long)life->seeded.seed, what,
                 error.text);
    assert_int_equal(counts.read, life->expected_counts.read);
    compare_sides(life, what);
    side_close(&life->found);
}

static void test_pipeline__an_input_that_fails(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    static const char *const texts[] = {"the input is made to fail", "the decoder is made to fail",
                                        "the rereading is made to fail"};
    for (uint32_t i = 0; i < lives(18); i++) {
        const struct script_shape shape = {
            .records = 400, .window_most = 20, .alone_percent = 50 * (i % 3)};
        static struct life life;
        struct ingest_counts counts = {0};
        struct error error = {0};
        life_begin(&life, seeded_u64(&seeded), 1 + i % 4, 1 + i / 2 % 4, &shape);
        side_open(&life.found);
        uint32_t at = 1 + (uint32_t)seeded_below(&seeded, life.script.window_count / 2);
        while (life.script.windows[at - 1].count == 0)
            at++;
        *(i % 3 == 0   ? &life.feed.fail_fill
          : i % 3 == 1 ? &life.feed.fail_decode
                       : &life.feed.fail_reread) = at;
        assert_int_equal(life_run(&life, 20, 500, 0, &counts, &error), STATUS_CORRUPT);
        assert_string_equal(error.text, texts[i % 3]);
        if (i % 3 < 2)
            assert_true(life.acknowledged < at);
        recover(&life, &counts, texts[i % 3]);
        life_end(&life);
    }
}

/* The disk is full, or broken, from the nth call on: of journals, quarantine, checkpoint. */
static void test_pipeline__a_disk_that_fails(void **state)
{
    (void)state;
    struct seeded seeded = seeded_init();
    const struct script_shape shape = {
        .records = 500, .window_most = 20, .huge_percent = 20, .alone_percent = 20};
    uint32_t count = lives(60);
    long total = 0;
    for (uint32_t i = 0; i <= count; i++) {
        static struct life life;
        struct ingest_counts counts = {0};
        struct error error = {0};
        uint32_t lanes = 1 + i % 4, shards = 1 + i / 2 % 4;
        life_begin(&life, seeded_u64(&seeded), lanes, shards, &shape);
        side_open(&life.found);
        bool full = i % 2;
        long at = i == 0 ? 0 : 1 + (long)seeded_below(&seeded, (uint64_t)total);
        faults_begin(at, full ? ENOSPC : EIO);
        enum status status = life_run(&life, 20, 500, 100, &counts, &error);
        long calls = faults_end();
        if (i == 0)
            total = calls;
        if (at == 0 || calls < at)
            assert_int_equal(status, STATUS_OK);
        else if (status != (full ? STATUS_NO_SPACE : STATUS_IO) && status != STATUS_IO)
            fail_msg("call %ld of %ld failed with %s: status %d, %s", at, calls,
                     full ? "ENOSPC" : "EIO", status, error.text);
        recover(&life, &counts, "a disk that fails");
        life_end(&life);
    }
}

static int group_begin(void **state)
{
    (void)state;
    fixture_init(&documents);
    fixture_load(&documents, "documents", slice_string(script_documents));
    fixture_load(&documents, "budgets", slice_string(script_budgets));
    fixture_compiled(&documents);
    clock_fixed_init(&clock_of_tests, (struct instant){1793491200});
    return 0;
}

static int group_end(void **state)
{
    (void)state;
    fixture_fini(&documents);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipeline__equals_the_single_thread),
        cmocka_unit_test(test_pipeline__positions_are_those_of_their_windows),
        cmocka_unit_test(test_pipeline__a_slow_disk_holds_the_source_back),
        cmocka_unit_test(test_pipeline__refused_records_while_budgets_are_looked_at),
        cmocka_unit_test(test_pipeline__an_input_that_fails),
        cmocka_unit_test(test_pipeline__a_disk_that_fails),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
