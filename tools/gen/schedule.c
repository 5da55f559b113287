#include "gen/schedule.h"

#include <assert.h>
#include <stdlib.h>

enum noise_kind { NOISE_LATE = 1, NOISE_DUPLICATE, NOISE_CONFLICT, NOISE_MALFORMED };

/* A row for the end of a later turn. */
struct held_row {
    uint32_t series_index, window;
    uint8_t kind;
    bool late;
};

struct held_rows {
    struct held_row *items;
    size_t count, room;
};

struct schedule {
    const struct cloud *cloud;
    const struct noise *noise;
    row_taker take;
    void *taker;
    struct held_rows *held; /* by turn */
    size_t turns;
    size_t turn;
    bool quiet; /* no noise at all */
    bool failed;
    size_t block_count;
    struct row block[ROWS_PER_BLOCK];
};

static void block_flush(struct schedule *schedule)
{
    if (schedule->block_count && !schedule->failed)
        schedule->failed = !schedule->take(schedule->taker, schedule->block, schedule->block_count);
    schedule->block_count = 0;
}

static void row_put(struct schedule *schedule, const struct row *row)
{
    schedule->block[schedule->block_count++] = *row;
    if (schedule->block_count == ROWS_PER_BLOCK)
        block_flush(schedule);
}

/* A draw that belongs to this noise on this row alone. */
static uint64_t noise_draw(const struct schedule *schedule, enum noise_kind kind,
                           const struct row *row)
{
    return draw(schedule->cloud->options.seed, KIND_NOISE,
                (uint64_t)kind << 32 | row->series->number, row->window);
}

/* `use` decides and is left with what may decide more. */
static bool noise_hits(uint64_t *use, uint32_t permille)
{
    bool hit = *use % 1000 < permille;

    *use /= 1000;
    return hit;
}

static void hold(struct schedule *schedule, const struct row *row, enum row_kind kind, bool late,
                 uint64_t turns)
{
    size_t due = schedule->turn + turns;
    struct held_rows *held;

    if (due >= schedule->turns)
        due = schedule->turns - 1;
    held = &schedule->held[due];
    if (held->count == held->room) {
        held->room = held->room ? 2 * held->room : 64;
        held->items = memory_grow(held->items, held->room * sizeof *held->items);
    }
    held->items[held->count++] =
        (struct held_row){row->series_index, row->window, (uint8_t)kind, late};
}

static enum damage pick_damage(uint32_t damages, uint64_t use)
{
    unsigned nth = (unsigned)(use % (unsigned)__builtin_popcount(damages));

    while (nth-- > 0)
        damages &= damages - 1;
    return (enum damage)__builtin_ctz(damages);
}

/* An original has been put: what follows from it? The rows that copy it always come after it. */
static void follow_up(struct schedule *schedule, const struct row *original)
{
    const struct noise *noise = schedule->noise;
    uint64_t use = noise_draw(schedule, NOISE_MALFORMED, original);
    struct row row = *original;

    if (noise_hits(&use, noise->malformed)) {
        row.kind = ROW_MALFORMED;
        row.damage = (uint8_t)pick_damage(noise->damages, use);
        row_put(schedule, &row);
    }
    use = noise_draw(schedule, NOISE_CONFLICT, original);
    if (noise_hits(&use, noise->conflicts))
        hold(schedule, original, ROW_CONFLICT, false, use % 4);
    use = noise_draw(schedule, NOISE_DUPLICATE, original);
    if (!noise_hits(&use, noise->duplicates))
        return;
    if (use % 2) {
        row.kind = ROW_DUPLICATE;
        row.damage = DAMAGE_NONE;
        row_put(schedule, &row);
    } else {
        hold(schedule, original, ROW_DUPLICATE, false, use / 2 % 4);
    }
}

/* The row of one series in one window, if there is one, now or later. */
static void visit(struct schedule *schedule, uint32_t series_index, uint32_t window)
{
    const struct cloud *cloud = schedule->cloud;
    const struct series *series = &cloud->series[series_index];
    struct row row = {.series = series,
                      .series_index = series_index,
                      .window = window,
                      .turn = (uint32_t)schedule->turn,
                      .kind = series->flags & SERIES_ATTRIBUTION ? ROW_ATTRIBUTION : ROW_ORIGINAL,
                      .amount = amount_in_window(cloud, series, window)};
    uint64_t use;

    if (!row.amount.present)
        return;
    if (schedule->quiet || row.kind == ROW_ATTRIBUTION) {
        row_put(schedule, &row);
        return;
    }
    use = noise_draw(schedule, NOISE_LATE, &row);
    if (noise_hits(&use, schedule->noise->late)) {
        hold(schedule, &row, ROW_ORIGINAL, true, 1 + use % 5);
        return;
    }
    row_put(schedule, &row);
    follow_up(schedule, &row);
}

/* The list may grow while it is walked: a late original brings its own followers. */
static void release_held(struct schedule *schedule)
{
    struct held_rows *held = &schedule->held[schedule->turn];

    for (size_t i = 0; i < held->count; i++) {
        struct held_row item = held->items[i];
        const struct series *series = &schedule->cloud->series[item.series_index];
        struct row row = {.series = series,
                          .series_index = item.series_index,
                          .window = item.window,
                          .turn = (uint32_t)schedule->turn,
                          .kind = item.kind,
                          .late = item.late,
                          .amount = amount_in_window(schedule->cloud, series, item.window)};

        assert(row.amount.present);
        if (item.kind == ROW_CONFLICT)
            row.amount.value = amount_conflicting(schedule->cloud, series, item.window, row.amount);
        row_put(schedule, &row);
        if (item.kind == ROW_ORIGINAL)
            follow_up(schedule, &row);
    }
    free(held->items);
    *held = (struct held_rows){0};
}

size_t schedule_turns(const struct cloud *cloud)
{
    return cloud->window_count;
}

bool schedule_run(const struct cloud *cloud, const struct noise *noise, enum row_order order,
                  row_taker take, void *taker)
{
    struct schedule *schedule = memory_grow(NULL, sizeof *schedule);
    struct shuffle shuffle =
        shuffle_init(cloud->options.seed, (uint64_t)cloud->series_count * cloud->window_count);
    uint64_t index = 0;
    bool failed;

    assert(order == ORDER_CLOUDSTACK || cloud->options.stable);
    assert(noise->malformed == 0 || noise->damages != 0);
    *schedule = (struct schedule){.cloud = cloud, .noise = noise, .take = take, .taker = taker};
    schedule->quiet = !noise->duplicates && !noise->late && !noise->malformed && !noise->conflicts;
    schedule->turns = schedule_turns(cloud);
    schedule->held = memory_grow(NULL, schedule->turns * sizeof *schedule->held);
    for (size_t i = 0; i < schedule->turns; i++)
        schedule->held[i] = (struct held_rows){0};
    for (; schedule->turn < schedule->turns && !schedule->failed; schedule->turn++) {
        for (uint32_t i = 0; i < cloud->series_count && !schedule->failed; i++, index++) {
            uint64_t at = order == ORDER_RANDOM ? shuffle_at(&shuffle, index) : 0;

            if (order == ORDER_RANDOM)
                visit(schedule, (uint32_t)(at % cloud->series_count),
                      (uint32_t)(at / cloud->series_count));
            else
                visit(schedule, i, (uint32_t)schedule->turn);
        }
        release_held(schedule);
        block_flush(schedule);
    }
    failed = schedule->failed;
    for (size_t i = 0; i < schedule->turns; i++)
        free(schedule->held[i].items);
    free(schedule->held);
    free(schedule);
    return !failed;
}

struct shuffle shuffle_init(uint64_t seed, uint64_t count)
{
    struct shuffle shuffle = {seed, count, 1};

    while (((uint64_t)1 << (2 * shuffle.half_bits)) < count)
        shuffle.half_bits++;
    assert(shuffle.half_bits <= 31);
    return shuffle;
}

/* A Feistel network is a permutation of [0, 2^(2 half_bits)) whatever its round function is;
 * walking on while the value is too big makes it one of [0, count). The domain is less than four
 * times too big, so walks are short. */
uint64_t shuffle_at(const struct shuffle *shuffle, uint64_t index)
{
    uint64_t mask = ((uint64_t)1 << shuffle->half_bits) - 1;

    assert(index < shuffle->count);
    do {
        uint64_t left = index >> shuffle->half_bits, right = index & mask;

        for (unsigned round = 0; round < 4; round++) {
            uint64_t next = left ^ (draw(shuffle->seed, KIND_ORDER, round, right) & mask);

            left = right;
            right = next;
        }
        index = left << shuffle->half_bits | right;
    } while (index >= shuffle->count);
    return index;
}
