/* Windows of a series against a plain list of them: the same answers and the same runs in whatever
 * order they come, however many went to the heap; and a heap that is damaged or full is told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "account/windows.h"
#include "engine/base/seeded.h"
#include "engine/store/scratch.h"

static bool disk_is_full;

/* The engine is linked into this program: its calls come here. */
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    if (disk_is_full) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwritev, fd, parts, count, offset, 0);
}

/* ---- the model
 * ------------------------------------------------------------------------------------------------------
 */

#define MODEL_WINDOWS 8192

struct model_window {
    uint64_t start, length;
    int128 quanta;
};

struct model {
    struct model_window windows[MODEL_WINDOWS];
    uint32_t count;
};

static enum coverage_answer model_classify(const struct model *model, struct model_window window)
{
    for (uint32_t i = 0; i < model->count; i++) {
        const struct model_window *at = &model->windows[i];
        if (window.start >= at->start + at->length || window.start + window.length <= at->start)
            continue;
        bool same =
            window.start == at->start && window.length == at->length && window.quanta == at->quanta;
        return same ? COVERAGE_DUPLICATE : COVERAGE_CONFLICT; /* two cannot both be equal to it */
    }
    return COVERAGE_NEW;
}

static int by_start(const void *left, const void *right)
{
    const struct model_window *a = left, *b = right;
    return (a->start > b->start) - (a->start < b->start);
}

/* Sorted, and merged where neighbours are equal. */
static void check_runs(const struct model *model, const struct coverage *coverage)
{
    static struct model sorted;
    sorted = *model;
    qsort(sorted.windows, sorted.count, sizeof(sorted.windows[0]), by_start);
    const struct window_run *runs = coverage_runs(coverage);
    uint32_t run = 0;
    for (uint32_t i = 0; i < sorted.count; run++) {
        const struct model_window *first = &sorted.windows[i];
        uint32_t count = 1;
        while (i + count < sorted.count &&
               sorted.windows[i + count].start == first->start + count * first->length &&
               sorted.windows[i + count].length == first->length &&
               sorted.windows[i + count].quanta == first->quanta)
            count++;
        assert_true(run < coverage->count);
        assert_int_equal(runs[run].start, first->start);
        assert_int_equal(runs[run].step, first->length);
        assert_int_equal(runs[run].count, count);
        uint64_t code = windows_code((struct quantity){first->quanta});
        assert_true(runs[run].quanta_low == code && runs[run].quanta_high == 0);
        i += count;
    }
    assert_int_equal(run, coverage->count);
    coverage_check(coverage);
}

/* ---- the real ones
 * --------------------------------------------------------------------------------------------------
 */

struct table {
    struct series_table series;
    struct heap *heap;
    char root[SCRATCH_PATH_BYTES];
    char path[SCRATCH_PATH_BYTES];
};

static void table_series(struct table *table, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = i, tag = i * 2654435761u;
        assert_int_equal(series_load(&table->series, (const char *)&tag, 1), STATUS_OK);
        table->series.lines[number] =
            (struct series){.bucket = {INDEX_NONE, INDEX_NONE, INDEX_NONE}};
        if (i % 2)
            table->series.lines[number].run_step = SERIES_LEVEL; /* must survive everything */
    }
}

static void table_init(struct table *table, enum heap_mode mode, uint32_t count)
{
    scratch_make(table->root);
    scratch_path(table->root, "heap", table->path);
    assert_int_equal(heap_open(table->path, 0, mode, &table->heap, NULL), STATUS_OK);
    assert_int_equal(series_init(&table->series, 7, table->heap), STATUS_OK);
    table_series(table, count);
}

static void table_fini(struct table *table)
{
    series_fini(&table->series);
    heap_close(table->heap);
    scratch_remove(table->root);
}

static enum coverage_answer ask(struct table *table, uint32_t series, struct model_window window)
{
    enum coverage_answer answer = COVERAGE_CONFLICT;
    assert_int_equal(
        windows_classify(&table->series, series, (uint32_t)window.start, (uint32_t)window.length,
                         windows_code((struct quantity){window.quanta}), &answer, NULL),
        STATUS_OK);
    return answer;
}

static enum status add(struct table *table, uint32_t series, struct model_window window)
{
    return windows_add(&table->series, series, (uint32_t)window.start, (uint32_t)window.length,
                       windows_code((struct quantity){window.quanta}), NULL);
}

/* Asks, adds what is new, and remembers it. */
static void feed(struct table *table, struct model *model, uint32_t series,
                 struct model_window window)
{
    enum coverage_answer expected = model_classify(model, window);
    assert_int_equal(ask(table, series, window), expected);
    if (expected != COVERAGE_NEW)
        return;
    assert_int_equal(add(table, series, window), STATUS_OK);
    assert_true(model->count < MODEL_WINDOWS);
    model->windows[model->count++] = window;
    assert_int_equal(ask(table, series, window), COVERAGE_DUPLICATE);
}

static void check_all(struct table *table, const struct model *model, uint32_t series)
{
    struct coverage coverage;
    assert_int_equal(windows_all(&table->series, series, &coverage, NULL), STATUS_OK);
    check_runs(model, &coverage);
    coverage_fini(&coverage);
    assert_int_equal(series_level(&table->series.lines[series]), series % 2);
    for (uint32_t i = 0; i < model->count; i++)
        assert_int_equal(ask(table, series, model->windows[i]), COVERAGE_DUPLICATE);
}

/* A page begins with the offset of the one before it + 1; in front of a string the heap has 8 bytes. */
static uint64_t chain_bytes(struct table *table, uint32_t series)
{
    uint32_t tail = table->series.lines[series].tail;
    uint64_t bytes = 0;
    for (uint64_t page = tail ? table->series.tails[tail].page : 0; page;) {
        struct slice string;
        assert_int_equal(heap_read(table->heap, page - 1, &string, NULL), STATUS_OK);
        bytes += (8 + string.length + HEAP_STEP_BYTES - 1) / HEAP_STEP_BYTES * HEAP_STEP_BYTES;
        memcpy(&page, string.data, sizeof(page));
    }
    return bytes;
}

/* W-3: no page is ever replaced, so all of the heap is reached. */
static void check_no_garbage(struct table *table, uint32_t series_count)
{
    uint64_t reached = 64; /* its header */
    for (uint32_t i = 0; i < series_count; i++)
        reached += chain_bytes(table, i);
    assert_int_equal(heap_length(table->heap), reached);
}

/* ---- random lives
 * ---------------------------------------------------------------------------------------------------
 */

enum order { IN_ORDER, REVERSED, SHUFFLED, ORDERS };

struct shape {
    enum order order;
    uint32_t count;
    uint32_t length; /* seconds; 0: varying */
    uint32_t gaps;   /* percent */
    uint32_t change; /* percent: another quantity */
    uint64_t first;
};

static int128 random_quanta(struct seeded *seeded)
{
    static const uint64_t edges[] = {0, 1, 24000000, INT64_MAX, (uint64_t)1 << 63, UINT64_MAX};
    uint64_t some = edges[seeded_below(seeded, 6)];
    int128 quanta = (int128)some + (int128)seeded_below(seeded, 2);
    return seeded_below(seeded, 6) ? quanta : (quanta << 20) + (int128)seeded_below(seeded, 3);
}

static uint32_t plan(struct seeded *seeded, const struct shape *shape, struct model_window *out)
{
    static const uint32_t lengths[] = {1, 60, 3600, 86400, 1000};
    uint64_t at = shape->first;
    int128 quanta = random_quanta(seeded);
    uint32_t count = 0;
    for (uint32_t i = 0; i < shape->count; i++) {
        uint32_t length = shape->length ? shape->length : lengths[seeded_below(seeded, 5)];
        if (seeded_below(seeded, 100) < shape->change)
            quanta = random_quanta(seeded);
        if (seeded_below(seeded, 100) < shape->gaps)
            at += length * (1 + seeded_below(seeded, 3));
        if (at + length > (uint64_t)WINDOWS_INSTANT_MAX)
            break;
        out[count++] = (struct model_window){at, length, quanta};
        at += length;
    }
    return count;
}

static void shuffle(struct seeded *seeded, enum order order, struct model_window *windows,
                    uint32_t count)
{
    for (uint32_t i = 0; order != IN_ORDER && i + 1 < count; i++) {
        uint32_t other =
            order == REVERSED ? count - 1 - i : i + (uint32_t)seeded_below(seeded, count - i);
        if (order == REVERSED && other <= i)
            break;
        struct model_window window = windows[i];
        windows[i] = windows[other];
        windows[other] = window;
    }
    /* Mostly in order, as late records come. */
    for (uint32_t i = 0; order == IN_ORDER && i + 9 < count; i++)
        if (seeded_below(seeded, 20) == 0) {
            struct model_window window = windows[i];
            windows[i] = windows[i + 8];
            windows[i + 8] = window;
        }
}

/* Overlaps that begin, end, lie in and lie around. */
static struct model_window spoiled(struct seeded *seeded, struct model_window window)
{
    uint64_t how = seeded_below(seeded, 6), some = seeded_below(seeded, window.length + 1);
    if (how == 0)
        window.quanta += 1 + (int128)seeded_below(seeded, 2);
    else if (how == 1 && window.start >= some)
        window.start -= some;
    else if (how == 2)
        window.start += some;
    else if (how == 3)
        window.length += some;
    else if (how == 4 && window.length > some)
        window.length -= some;
    if (window.start + window.length > (uint64_t)WINDOWS_INSTANT_MAX)
        window.start = (uint64_t)WINDOWS_INSTANT_MAX - window.length;
    return window;
}

static struct shape random_shape(struct seeded *seeded)
{
    static const uint32_t counts[] = {1, 3, 8, 30, 120};
    static const uint32_t percents[] = {0, 5, 50, 100};
    struct shape shape = {
        .order = (enum order)seeded_below(seeded, ORDERS),
        .count = counts[seeded_below(seeded, 5)] + (uint32_t)seeded_below(seeded, 4),
        .length = seeded_below(seeded, 2) ? 3600 : 0,
        .gaps = percents[seeded_below(seeded, 4)],
        .change = percents[seeded_below(seeded, 4)],
        .first = 1789000000,
    };
    if (seeded_below(seeded, 8) == 0)
        shape.first = 0;
    else if (seeded_below(seeded, 8) == 0)
        shape.first = (uint64_t)WINDOWS_INSTANT_MAX - 40 * 3600;
    return shape;
}

static void test_windows__equal_the_list(void **state)
{
    (void)state;
    enum { LIVES = 3000, SERIES = 4, PLANNED = 256 };
    struct seeded seeded = seeded_init();
    static struct model models[SERIES];
    uint32_t lives = getenv("RATEL_LONG") ? 100 * LIVES : LIVES, paged = 0;
    for (uint32_t life = 0; life < lives / SERIES; life++) {
        struct table table;
        struct model_window planned[SERIES][PLANNED];
        uint32_t counts[SERIES], longest = 0;
        table_init(&table, HEAP_PRIVATE, SERIES);
        for (uint32_t s = 0; s < SERIES; s++) {
            struct shape shape = random_shape(&seeded);
            counts[s] = plan(&seeded, &shape, planned[s]);
            shuffle(&seeded, shape.order, planned[s], counts[s]);
            longest = counts[s] > longest ? counts[s] : longest;
            models[s].count = 0;
        }
        for (uint32_t i = 0; i < longest; i++)
            for (uint32_t s = 0; s < SERIES; s++) {
                if (i >= counts[s])
                    continue;
                feed(&table, &models[s], s, planned[s][i]);
                struct model_window again = planned[s][seeded_below(&seeded, counts[s])];
                feed(&table, &models[s], s, spoiled(&seeded, again));
            }
        for (uint32_t s = 0; s < SERIES; s++) {
            check_all(&table, &models[s], s);
            uint32_t tail = table.series.lines[s].tail;
            paged += tail && table.series.tails[tail].page;
        }
        check_no_garbage(&table, SERIES);
        table_fini(&table);
    }
    assert_true(paged > lives / 8); /* many went through the heap */
}

/* Thousands of runs of one series: a chain of a thousand pages and more. */
static void test_windows__long_chains(void **state)
{
    (void)state;
    enum { MANY = 6000 };
    static struct model model;
    struct table table;
    table_init(&table, HEAP_PRIVATE, 2);
    for (uint32_t order = 0; order < 2; order++) {
        model.count = 0;
        for (uint32_t i = 0; i < MANY; i++) {
            uint64_t number = order ? MANY - 1 - i : i;
            struct model_window window = {1000 + number * 7200, 3600, (int128)number % 3};
            /* Not asked of the list, which is slow: it is new. */
            assert_int_equal(ask(&table, order, window), COVERAGE_NEW);
            assert_int_equal(add(&table, order, window), STATUS_OK);
            model.windows[model.count++] = window;
        }
        check_all(&table, &model, order);
        for (uint32_t i = 0; i < MANY; i += 7) {
            struct model_window between = {1000 + i * 7200 + 3600, 3600, 5};
            struct model_window over = {1000 + i * 7200 + 1800, 3600, 5};
            assert_int_equal(ask(&table, order, between), COVERAGE_NEW);
            assert_int_equal(ask(&table, order, over), COVERAGE_CONFLICT);
        }
        /* What lies between makes neighbours of them, and some of them runs. */
        for (uint32_t i = 0; i < MANY / 8; i++) {
            struct model_window between = {1000 + i * 7200 + 3600, 3600, (int128)i % 3};
            feed(&table, &model, order, between);
        }
        check_all(&table, &model, order);
    }
    table_fini(&table);
}

/* Usage in order of time stays in the line: nothing goes to the tail or to the heap. */
static void test_windows__in_order_and_equal_is_one_run(void **state)
{
    (void)state;
    struct table table;
    table_init(&table, HEAP_PRIVATE, 1);
    uint64_t length = heap_length(table.heap);
    for (uint64_t i = 0; i < 100000; i++)
        assert_int_equal(add(&table, 0, (struct model_window){i * 86, 86, 24000000}), STATUS_OK);
    assert_int_equal(table.series.lines[0].run_count, 100000);
    assert_int_equal(table.series.lines[0].tail, 0);
    assert_int_equal(table.series.tail_count, 0);
    assert_int_equal(heap_length(table.heap), length);
    table_fini(&table);
}

static void test_windows__codes_of_quantities(void **state)
{
    (void)state;
    const int128 top = (int128)1 << 63;
    const int128 same[] = {0, 1, 24000000, top - 1};
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        assert_true(windows_code((struct quantity){same[i]}) == (uint64_t)same[i]);
    const int128 hashed[] = {top, top + 1, top * 2, top * 2 + 1, top * 4, INT128_MAX};
    for (size_t i = 0; i < sizeof(hashed) / sizeof(hashed[0]); i++) {
        uint64_t code = windows_code((struct quantity){hashed[i]});
        assert_true(code >> 63);
        for (size_t j = 0; j < i; j++)
            assert_true(code != windows_code((struct quantity){hashed[j]}));
    }
}

/* ---- a heap that fails
 * ------------------------------------------------------------------------------------------------
 */

/* So that no two are a run. */
static struct model_window lone(uint32_t number)
{
    return (struct model_window){1000000 + (uint64_t)number * 7200, 3600, number};
}

static void test_windows__a_damaged_page_is_told_with_its_place(void **state)
{
    (void)state;
    enum { MANY = 43 };
    struct table table;
    size_t length;
    table_init(&table, HEAP_WRITE, 1);
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(add(&table, 0, lone(i)), STATUS_OK);
    assert_int_equal(heap_sync(table.heap, NULL), STATUS_OK);
    char *sound = scratch_read(table.path, &length);
    uint32_t told = 0;
    for (size_t offset = 64; offset < heap_length(table.heap); offset += 3) {
        scratch_flip(table.path, offset, 0x04);
        struct error error = {0};
        struct coverage coverage;
        enum status status = windows_all(&table.series, 0, &coverage, &error);
        if (status == STATUS_OK)
            coverage_fini(&coverage);
        if (status == STATUS_CORRUPT) {
            enum coverage_answer answer;
            told++;
            char line[1024];
            error_format(&error, line, sizeof(line));
            assert_non_null(strstr(line, table.path));
            assert_non_null(strstr(line, "at byte "));
            /* The oldest is asked of every page; the newest of none. */
            status = windows_classify(&table.series, 0, (uint32_t)lone(0).start, 3600, 99, &answer,
                                      &error);
            assert_true(status == STATUS_CORRUPT ||
                        (status == STATUS_OK && answer == COVERAGE_CONFLICT));
            status = windows_classify(&table.series, 0, (uint32_t)lone(MANY).start, 3600, 0,
                                      &answer, &error);
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(answer, COVERAGE_NEW);
        }
        scratch_write(table.path, sound, length);
    }
    assert_true(told > MANY);
    /* Sound again. */
    struct coverage coverage;
    assert_int_equal(windows_all(&table.series, 0, &coverage, NULL), STATUS_OK);
    assert_int_equal(coverage.count, MANY);
    coverage_fini(&coverage);
    free(sound);
    table_fini(&table);
}

static void test_windows__a_full_disk_adds_nothing(void **state)
{
    (void)state;
    enum { MOST = 400000 };
    struct table table;
    table_init(&table, HEAP_WRITE, 1);
    uint32_t added = 0;
    disk_is_full = true;
    enum status status = STATUS_OK;
    while (added < MOST && status == STATUS_OK) {
        status = add(&table, 0, lone(added));
        added += status == STATUS_OK;
    }
    assert_int_equal(status, STATUS_NO_SPACE);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(ask(&table, 0, lone(added)), COVERAGE_NEW);
        assert_int_equal(add(&table, 0, lone(added)), STATUS_NO_SPACE);
    }
    disk_is_full = false;
    assert_int_equal(ask(&table, 0, lone(added - 1)), COVERAGE_DUPLICATE);
    assert_int_equal(ask(&table, 0, lone(0)), COVERAGE_DUPLICATE);
    assert_int_equal(add(&table, 0, lone(added)), STATUS_OK);
    struct coverage coverage;
    assert_int_equal(windows_all(&table.series, 0, &coverage, NULL), STATUS_OK);
    assert_int_equal(coverage.count, added + 1);
    coverage_fini(&coverage);
    table_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows__equal_the_list),
        cmocka_unit_test(test_windows__long_chains),
        cmocka_unit_test(test_windows__in_order_and_equal_is_one_run),
        cmocka_unit_test(test_windows__codes_of_quantities),
        cmocka_unit_test(test_windows__a_damaged_page_is_told_with_its_place),
        cmocka_unit_test(test_windows__a_full_disk_adds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
