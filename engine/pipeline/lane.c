/* A lane: takes the next window in its turn, decodes and normalises it, and routes what is in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "pipeline/pipeline_private.h"

#define LANE_NICE 5

/* ---- waiting
 * -----------------------------------------------------------------------------------------------------
 */

struct wait_block {
    struct pipeline *pipeline;
    struct ring *ring;
    void *item;
};

static bool has_item(void *context)
{
    struct wait_block *wait = context;
    wait->item = ring_pop(wait->ring);
    return wait->item || pipeline_failed(wait->pipeline);
}

/* What was sent is worth waking a shard for: not for each block, but every window, and before this
 * lane itself waits for one: then also shards that nap. */
static void wake_shards(struct lane *lane, bool urgent)
{
    uint32_t what = SHARD_BLOCK(lane->index) | (urgent ? SHARD_URGENT : 0);
    for (uint32_t i = 0; i < lane->pipeline->shard_count; i++)
        park_wake_for(&lane->pipeline->shards[i].parker, what);
}

/* NULL when the pipeline has failed. */
static void *take(struct lane *lane, struct ring *ring)
{
    struct wait_block wait = {lane->pipeline, ring, ring_pop(ring)};
    if (wait.item)
        return wait.item;
    wake_shards(lane, true);
    (void)park_until_for(&lane->parker, LANE_BLOCK, has_item, &wait, PARK_FOREVER);
    return wait.item;
}

/* Takes the turn if nobody has it. */
static bool has_turn(void *context)
{
    struct lane *lane = context;
    struct pipeline *pipeline = lane->pipeline;
    lane->has_turn = !atomic_load_explicit(&pipeline->turn, memory_order_relaxed) &&
                     !atomic_exchange_explicit(&pipeline->turn, true, memory_order_acquire);
    return lane->has_turn || pipeline_failed(pipeline);
}

static bool window_is_free(void *context)
{
    const struct lane *lane = context;
    const struct pipeline *pipeline = lane->pipeline;
    uint64_t number = atomic_load_explicit(&lane->awaited_window, memory_order_relaxed);
    for (uint32_t i = 0; i < pipeline->shard_count; i++)
        if (atomic_load_explicit(&pipeline->shards[i].done, memory_order_acquire) < number)
            return pipeline_failed(pipeline);
    return true;
}

static enum status stopped(struct error *error)
{
    return error_set(error, STATUS_AGAIN, "the pipeline has stopped");
}

/* ---- sending
 * -----------------------------------------------------------------------------------------------------
 */

static struct block *block_for(struct lane *lane, uint32_t shard, const struct window *window)
{
    struct block *block = lane->filling[shard];
    if (block)
        return block;
    block = take(lane, lane->to_shard[shard].back);
    if (!block)
        return NULL;
    block->count = 0;
    block->ends = false;
    block->ends_input = false;
    block->window = window;
    block->number = window->number;
    block->counts = (struct ingest_counts){0};
    pack_reset(&block->side);
    lane->filling[shard] = block;
    return block;
}

static void send(struct lane *lane, uint32_t shard)
{
    bool sent = ring_push(lane->to_shard[shard].there, lane->filling[shard]);
    assert(sent); /* P-3 */
    (void)sent;
    lane->filling[shard] = NULL;
}

static struct trouble_block *trouble_for(struct lane *lane, const struct window *window)
{
    struct trouble_block *block = lane->trouble;
    if (block)
        return block;
    block = take(lane, lane->to_keeper.back);
    if (!block)
        return NULL;
    block->count = 0;
    block->number = window->number;
    block->file = window->file;
    pack_reset(&block->bytes);
    lane->trouble = block;
    return block;
}

static void send_trouble(struct lane *lane)
{
    bool sent = ring_push(lane->to_keeper.there, lane->trouble);
    assert(sent);
    (void)sent;
    lane->trouble = NULL;
    park_wake(&lane->pipeline->keeper);
}

bool trouble_add(struct trouble_block *block, const struct trouble *trouble, const char *reason,
                 const char *raw)
{
    pack_bytes(&block->bytes, trouble, sizeof(*trouble));
    pack_bytes(&block->bytes, reason, trouble->reason_length);
    pack_bytes(&block->bytes, raw, trouble->raw_length);
    block->count++;
    return !block->bytes.failed;
}

static uint32_t line_of(struct lane *lane, const struct window *window, const struct record *record)
{
    const struct pipeline_input *input = &lane->pipeline->options.input;
    return input->line
               ? input->line(input->context, lane->index, window, record->offset, record->line)
               : record->line;
}

static enum status quarantine_record(struct lane *lane, const struct window *window,
                                     const struct record *record, const char *reason,
                                     struct error *error)
{
    struct trouble_block *block = trouble_for(lane, window);
    if (!block)
        return stopped(error);
    struct trouble trouble = {
        .offset = record->offset,
        .line = line_of(lane, window, record),
        .form = record->form,
        .reason_length = (uint32_t)strlen(reason),
        .raw_length = (uint32_t)record->raw.length,
    };
    lane->counts.quarantined++;
    if (!trouble_add(block, &trouble, reason, record->raw.data))
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    if (block->bytes.length >= TROUBLE_BYTES)
        send_trouble(lane);
    return STATUS_OK;
}

static inline uint32_t route(const struct pipeline *pipeline, uint64_t payer_hash)
{
    return ledgers_shard_of(pipeline->options.ledgers, payer_hash);
}

static enum status send_usage(struct lane *lane, const struct window *window,
                              const struct record *record, const struct usage *usage,
                              struct error *error)
{
    uint32_t shard = route(lane->pipeline, usage->payer_hash);
    struct block *block = block_for(lane, shard, window);
    if (!block)
        return stopped(error);
    struct extended extended = {
        .usage = *usage,
        .definition_length = (uint32_t)usage->definition.length,
        .raw_length = (uint32_t)record->raw.length,
        .offset = record->offset,
        .line = line_of(lane, window, record),
        .form = record->form,
    };
    while (block->side.length % 16)
        pack_u8(&block->side, 0);
    block->items[block->count++].ref = BLOCK_EXTENDED | (uint32_t)block->side.length;
    pack_bytes(&block->side, &extended, sizeof(extended));
    pack_bytes(&block->side, usage->definition.data, usage->definition.length);
    pack_bytes(&block->side, record->raw.data, record->raw.length);
    if (block->side.failed)
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    /* One record is at most some 2 MiB here, so offsets stay far below BLOCK_EXTENDED. */
    if (block->count == BLOCK_ITEMS || block->side.length >= TROUBLE_BYTES)
        send(lane, shard);
    return STATUS_OK;
}

static enum status take_record(struct lane *lane, const struct window *window,
                               const struct record_block *block, const struct record *record,
                               struct error *error)
{
    struct usage usage;
    lane->counts.read++;
    normalise(&lane->normaliser, block, record, &usage);
    if (usage.verdict == VERDICT_QUARANTINED)
        return quarantine_record(lane, window, record, usage.reason, error);
    if (usage.verdict == VERDICT_IGNORED) {
        lane->counts.ignored++;
        return STATUS_OK;
    }
    lane->counts.read--; /* the shard counts it */
    return send_usage(lane, window, record, &usage, error);
}

enum status lane_records(struct lane *lane, const struct window *window,
                         const struct record_block *block, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < block->count && status == STATUS_OK; i++)
        status = take_record(lane, window, block, &block->records[i], error);
    return status;
}

/* A record that the fast way leaves: read again by the reference decoder, in its place. */
static enum status take_slowly(struct lane *lane, const struct window *window, uint32_t offset,
                               uint32_t length, struct error *error)
{
    const struct pipeline_input *input = &lane->pipeline->options.input;
    const struct record_block *block;
    enum status status = input->reread(input->context, lane->index, window->form,
                                       slice_of(window->bytes + offset, length), &block, error);
    if (status != STATUS_OK)
        return status;
    assert(block->count == 1);
    struct record record = block->records[0];
    record.offset = window->offset + offset;
    record.line = 0; /* the lone record's own says nothing */
    record.raw = slice_of(window->bytes + offset, length);
    return take_record(lane, window, block, &record, error);
}

static inline void put_item(struct usage_item *item, const struct flat_record *record,
                            const struct flat_usage *usage)
{
    item->series.low = usage->series.low;
    item->series.high = usage->series.high;
    item->quanta_low = usage->quanta_low;
    item->quanta_high = (uint32_t)usage->quanta_high;
    item->start = (uint32_t)usage->start;
    item->length = usage->length;
    item->ref = record->offset;
    item->raw_length = record->length;
    item->reserved = 0;
}

/* What is no usage yet. */
static enum status take_odd(struct lane *lane, const struct window *window,
                            const struct flat_record *record, enum flat_verdict verdict,
                            struct error *error)
{
    if (verdict == FLAT_NOT_PLAIN)
        return take_slowly(lane, window, record->offset, record->length, error);
    lane->counts.read++;
    lane->counts.ignored++;
    return STATUS_OK;
}

/* While this lane computes, memory can bring what it will read with the turn, when others wait. */
static inline void fetch_ahead(const struct window *window, const struct flat_record *record)
{
    const char *next = window->bytes + record->offset + window->ahead;
    for (uint32_t i = 0; i < record->length; i += 64)
        __builtin_prefetch(next + i, 0, 2);
}

enum status lane_flat(struct lane *lane, const struct window *window,
                      const struct flat_block *block, uint32_t first, uint32_t count,
                      struct error *error)
{
    struct flat_usage usages[FLAT_RECORDS];
    uint8_t verdicts[FLAT_RECORDS];
    const struct ledgers *ledgers = lane->pipeline->options.ledgers;
    assert(count <= FLAT_RECORDS);
    flat_usage(&lane->flat, window->bytes, window->length, block, first, count, usages, verdicts);
    for (uint32_t i = 0; i < count; i++) {
        const struct flat_record *record = &block->records[first + i];
        if (window->ahead)
            fetch_ahead(window, record);
        if (verdicts[i] != FLAT_EVENT) {
            enum status status = take_odd(lane, window, record, verdicts[i], error);
            if (status != STATUS_OK)
                return status;
            continue;
        }
        uint32_t shard = ledgers_shard_of(ledgers, usages[i].payer_hash);
        struct block *to = lane->filling[shard];
        if (!to)
            to = block_for(lane, shard, window);
        if (!to)
            return stopped(error);
        put_item(&to->items[to->count++], record, &usages[i]);
        if (to->count == BLOCK_ITEMS)
            send(lane, shard);
    }
    return STATUS_OK;
}

/* ---- the thread
 * --------------------------------------------------------------------------------------------------
 */

static enum status end_window(struct lane *lane, const struct window *window, bool last,
                              struct error *error)
{
    if (lane->trouble)
        send_trouble(lane);
    for (uint32_t shard = 0; shard < lane->pipeline->shard_count; shard++) {
        struct block *block = block_for(lane, shard, window);
        if (!block)
            return stopped(error);
        block->ends = true;
        block->ends_input = last;
        if (shard == 0)
            block->counts = lane->counts;
        send(lane, shard);
    }
    wake_shards(lane, false);
    lane->counts = (struct ingest_counts){0};
    atomic_store_explicit(&lane->working, 0, memory_order_release);
    return STATUS_OK;
}

/* Whoever is awake takes it next; of those who sleep for it one is woken to try. */
static void pass_turn(struct lane *lane)
{
    struct pipeline *pipeline = lane->pipeline;
    lane->has_turn = false;
    atomic_store_explicit(&pipeline->turn, false, memory_order_release);
    for (uint32_t i = 1; i < pipeline->options.lanes; i++)
        if (park_wake_for(&pipeline->lanes[(lane->index + i) % pipeline->options.lanes].parker,
                          LANE_TURN))
            return;
}

/* The next window's buffer, once the one that was in it is done with (P-3). */
static struct window *free_window(struct lane *lane)
{
    struct window *window = &lane->windows[lane->window_slot];
    lane->window_slot = (lane->window_slot + 1) % LANE_WINDOWS;
    atomic_store_explicit(&lane->awaited_window, window->number, memory_order_relaxed);
    if (window_is_free(lane))
        return window;
    /* Once it has to wait, for more than one, so that lane and shards do not wake each other for
     * each: the next has been sent long ago, too. */
    atomic_store_explicit(&lane->awaited_window, lane->windows[lane->window_slot].number,
                          memory_order_relaxed);
    wake_shards(lane, true);
    (void)park_until_for(&lane->parker, LANE_WINDOW, window_is_free, lane, PARK_FOREVER);
    return window;
}

/* P-7 */
static bool has_position(void *context)
{
    const struct pipeline *pipeline = context;
    return atomic_load_explicit(&pipeline->numbered, memory_order_relaxed) + 1 -
                   atomic_load_explicit(&pipeline->settled, memory_order_acquire) <
               POSITIONS ||
           pipeline_failed(pipeline);
}

/* With the turn: fills a window and numbers it (P-1). */
static enum status next_window(struct lane *lane, struct window *window, bool *ret_more,
                               struct error *error)
{
    struct pipeline *pipeline = lane->pipeline;
    const struct pipeline_input *input = &pipeline->options.input;
    if (!has_position(pipeline)) {
        wake_shards(lane, true);
        park_wake(&pipeline->keeper);
        (void)park_until_for(&lane->parker, LANE_POSITION, has_position, pipeline, PARK_FOREVER);
    }
    if (pipeline_failed(pipeline))
        return stopped(error);
    window->pipeline = pipeline;
    enum status status = input->fill(input->context, lane->index, window, ret_more, error);
    if (status != STATUS_OK)
        return status;
    window->number = atomic_load_explicit(&pipeline->numbered, memory_order_relaxed) + 1;
    window->filled = park_now();
    struct position *position = &pipeline->positions[window->number % POSITIONS];
    *position = (struct position){window->position, lane->index, window->file, window->filled};
    /* In this order, so that the keeper never takes a window for done with that is not. */
    atomic_store_explicit(&lane->working, window->number, memory_order_seq_cst);
    atomic_store_explicit(&pipeline->numbered, window->number, memory_order_seq_cst);
    return STATUS_OK;
}

/* One window; *ret_more is false at the end of the input. */
static enum status take_window(struct lane *lane, bool *ret_more, struct error *error)
{
    struct pipeline *pipeline = lane->pipeline;
    const struct pipeline_input *input = &pipeline->options.input;
    struct window *window = free_window(lane);
    if (!has_turn(lane))
        (void)park_until_for(&lane->parker, LANE_TURN, has_turn, lane, PARK_FOREVER);
    if (!lane->has_turn)
        return stopped(error);
    *ret_more = false;
    if (pipeline->input_ended) {
        pass_turn(lane);
        return STATUS_OK;
    }
    enum status status = next_window(lane, window, ret_more, error);
    if (status != STATUS_OK)
        return status;
    bool alone = *ret_more && window->alone, last = !*ret_more;
    pipeline->input_ended = last;
    if (!alone)
        pass_turn(lane);
    if (!last)
        status = input->decode(input->context, lane->index, window, lane, error);
    if (alone) /* a decoder with a state knows only now how far it came */
        pipeline->positions[window->number % POSITIONS].position = window->position;
    if (status == STATUS_OK)
        status = end_window(lane, window, last, error);
    if (status == STATUS_OK && alone)
        pass_turn(lane);
    return status;
}

/* Where there are fewer processors than threads, shards and those who write go first: what a lane
 * adds to what they have not taken yet only waits longer. On Linux a thread has a niceness of its
 * own; without it all is as right, only later. */
static void give_way(void)
{
    errno = 0;
    int nice = getpriority(PRIO_PROCESS, 0);
    if (nice != -1 || !errno)
        (void)setpriority(PRIO_PROCESS, 0, nice + LANE_NICE);
}

void *lane_main(void *argument)
{
    struct lane *lane = argument;
    struct error error = {0};
    bool more = true;
    give_way();
    while (more) {
        enum status status = take_window(lane, &more, &error);
        if (status != STATUS_OK) {
            pipeline_fail(lane->pipeline, status, &error);
            break;
        }
    }
    return NULL;
}
