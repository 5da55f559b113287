/* The event path takes no lock, asks for no memory and does not call LMDB: real usage in NDJSON or
 * msgpack through the real decoders and the pipeline, with every such call of the process counted
 * between two windows in the middle. Run with count_calls.so in LD_PRELOAD, built without
 * sanitizers.
 *
 *   event-path GENERATOR FORM [malloc|lock]
 *
 * malloc, lock: one such call a window is planted, which must be found. */
#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>

#include "count_calls.h"
#include "engine/account/ledger_fixture.h"
#include "mediate/quarantine.h"
#include "ratel/intake.h"

#define SERIES 20000
#define DAYS   30
/* Some 120 are writes and syncs; the rest are futexes of threads that wait for one another, and
 * more of them the more threads share a processor. `ratel bench` reports the number of a long run.
 */
#define SYSTEM_CALLS_MOST 5000
static uint32_t number_of(const char *name, uint32_t fallback)
{
    const char *text = getenv(name);
    return text ? (uint32_t)atoi(text) : fallback;
}
#define LANES  number_of("RATEL_LANES", 2)
#define SHARDS number_of("RATEL_SHARDS", 2)

struct watch {
    struct pipeline_input inner;
    count_calls_begin_function *begin;
    count_calls_end_function *end;
    uint64_t size;         /* of the file */
    uint64_t begun, ended; /* offset; 0: not yet */
    const char *plant;
    struct count_calls counted;
};

static void *volatile planted;
static pthread_mutex_t planted_lock = PTHREAD_MUTEX_INITIALIZER;

/* One lane at a time is here. Every series is known after the first day, and what is on its way
 * then is through long before the count begins. */
static enum status fill(void *context, uint32_t reader, struct window *window, bool *ret_more,
                        struct error *error)
{
    struct watch *watch = context;
    enum status status = watch->inner.fill(watch->inner.context, reader, window, ret_more, error);
    if (status != STATUS_OK || !*ret_more)
        return status;
    if (!watch->begun && window->offset > watch->size / 10 * 4) {
        watch->begun = window->offset;
        watch->begin();
    } else if (watch->begun && !watch->ended && window->offset > watch->size / 10 * 9) {
        watch->ended = window->offset;
        watch->end(&watch->counted);
    }
    return status;
}

static enum status decode(void *context, uint32_t reader, struct window *window, struct lane *lane,
                          struct error *error)
{
    struct watch *watch = context;
    if (watch->plant && strcmp(watch->plant, "malloc") == 0) {
        planted = malloc(10);
        free(planted);
    } else if (watch->plant) {
        pthread_mutex_lock(&planted_lock);
        pthread_mutex_unlock(&planted_lock);
    }
    return watch->inner.decode(watch->inner.context, reader, window, lane, error);
}

static enum status reread(void *context, uint32_t reader, enum record_form form, struct slice raw,
                          const struct record_block **ret, struct error *error)
{
    struct watch *watch = context;
    return watch->inner.reread(watch->inner.context, reader, form, raw, ret, error);
}

static void must(enum status status, const struct error *error)
{
    if (status == STATUS_OK)
        return;
    fprintf(stderr, "status %d: %s\n", status, error->text);
    exit(1);
}

static void load(struct fixture *documents, const char *path)
{
    static const char card[] =
        "kind: ratecard\nname: card\ncurrency: EUR\neffective_from: "
        "2026-01-01T00:00:00Z\ncharges:\n"
        "  - {code: vm, meter: vm.running, unit: hour, price: \"0.01\"}\n"
        "  - {code: memory, meter: vm.running, times: memory, unit: GiB-hour, price: \"0.005\"}\n"
        "  - {code: disk, meter: volume, times: size, unit: GiB-month, price: \"0.1\"}\n"
        "  - {code: net, meter: network.sent, unit: GiB, price: \"0.1\"}\n"
        "---\nkind: catalogue\nname: public\nratecard: card\n";
    fixture_init(documents);
    fixture_load(documents, "card", slice_string(card));
    fixture_load(documents, path, fixture_file(documents, path));
    fixture_compiled(documents);
}

static void show(const struct watch *watch, double millions)
{
    const struct count_calls *counted = &watch->counted;
    printf("%.2f million events, per million:", millions);
#define CALL_KIND(member, what) printf(" " #member " %.1f", (double)counted->member / millions);
    CALL_KINDS
#undef CALL_KIND
    putchar('\n');
    for (uint32_t i = 0; i < counted->places; i++) {
        Dl_info info = {0};
        (void)dladdr(counted->callers[i], &info);
        printf("  %s from %s+%#zx\n", counted->names[i], info.dli_sname ? info.dli_sname : "?",
               (size_t)((char *)counted->callers[i] - (char *)info.dli_fbase));
    }
}

static int judge(const struct watch *watch, double millions)
{
    const struct count_calls *counted = &watch->counted;
    uint64_t bad =
        counted->allocations + counted->frees + counted->locks + counted->lmdb + counted->threads;
    if (watch->plant) {
        puts(bad ? "the planted call was found" : "FAILED: the planted call was not found");
        return bad == 0;
    }
    if (bad)
        puts("FAILED: the event path asks for memory, takes locks, or calls LMDB");
    bool many = (double)counted->system_calls > SYSTEM_CALLS_MOST * millions;
    if (many)
        printf("FAILED: more than %d system calls per million events\n", SYSTEM_CALLS_MOST);
    return bad != 0 || many;
}

int main(int argc, char **argv)
{
    struct watch watch = {0};
    struct error error = {0};
    *(void **)&watch.begin = dlsym(RTLD_DEFAULT, "count_calls_begin");
    *(void **)&watch.end = dlsym(RTLD_DEFAULT, "count_calls_end");
    if (argc < 3 || !watch.begin || !watch.end) {
        fputs("usage: LD_PRELOAD=count_calls.so event-path GENERATOR FORM [malloc|lock]\n", stderr);
        return 2;
    }
    watch.plant = argc > 3 ? argv[3] : NULL;
    struct stage stage;
    struct fixture documents;
    char usage[SCRATCH_PATH_BYTES], accounts[SCRATCH_PATH_BYTES],
        quarantine_path[SCRATCH_PATH_BYTES];
    char command[4 * SCRATCH_PATH_BYTES];
    stage_init_shards(&stage, SHARDS);
    scratch_path(stage.root, "usage", usage);
    scratch_path(stage.root, "accounts.yaml", accounts);
    scratch_path(stage.path, "quarantine", quarantine_path);
    snprintf(command, sizeof(command),
             "unset LD_PRELOAD; '%s' --seed 5 --accounts 200 --series %d --stable --days %d "
             "--duplicates 10 "
             "--form %s --out '%s' --accounts-doc '%s'",
             argv[1], SERIES, DAYS, argv[2], usage, accounts);
    if (system(command) != 0)
        return 1;
    load(&documents, accounts);
    stage_open(&stage, documents.snapshot);
    struct quarantine *quarantine;
    must(quarantine_open(quarantine_path, true, &quarantine, &error), &error);
    const char *path = usage;
    struct intake intake = {.paths = &path, .path_count = 1, .format = "auto", .err = stderr};
    must(intake_init(&intake, LANES + SHARDS), &error);
    watch.inner = intake_input(&intake);
    watch.size = scratch_size(usage);
    const struct pipeline_options options = {
        .ledgers = stage.ledgers,
        .quarantine = quarantine,
        .source = SLICE("default"),
        .seed = stage.datadir.seed,
        .clock = clock_real(),
        .lanes = LANES,
        .commit_events = 16384,
        .commit_interval_us = 50000,
        .input = {.context = &watch, .fill = fill, .decode = decode, .reread = reread},
    };
    struct ingest_counts counts = {0};
    must(pipeline_run(&options, &counts, &error), &error);
    bool whole = counts.accepted == (uint64_t)SERIES * DAYS && counts.duplicate > 0 && watch.ended;
    double millions =
        (double)counts.read / 1e6 * ((double)(watch.ended - watch.begun) / (double)watch.size);
    show(&watch, millions);
    int failed = judge(&watch, millions);
    if (!whole)
        puts("FAILED: the usage was not counted as it should be");
    intake_fini(&intake);
    quarantine_close(quarantine);
    stage_fini(&stage);
    fixture_fini(&documents);
    return failed || !whole;
}
