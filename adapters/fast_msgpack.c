/* The fast msgpack decoder: chooses between the two ways of fast_msgpack.h, and when to learn. */
#include <stdlib.h>

#include "adapters/fast_cut.h"
#include "adapters/fast_msgpack.h"

/* So many records in a row of layouts that are not known, and only one in MISSES_PERIOD is still
 * tried. */
#define MISSES_MAX    32
#define MISSES_PERIOD 16
/* Records without learning after there was nothing to learn from one. */
#define PAUSE_FUTILE 64

#if defined(__x86_64__)
static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("bmi2");
}
#endif

const struct msgpack_kernel *fast_msgpack_kernel(const char *name)
{
#if defined(__x86_64__)
    if (strcmp(name, "avx512") == 0)
        return has_avx512() ? &msgpack_kernel_avx512 : NULL;
    if (strcmp(name, "avx2") == 0)
        return __builtin_cpu_supports("avx2") ? &msgpack_kernel_avx2 : NULL;
    if (strcmp(name, "sse2") == 0)
        return &msgpack_kernel_sse2;
#endif
    return strcmp(name, "portable") == 0 ? &msgpack_kernel_portable : NULL;
}

static const struct msgpack_kernel *kernel_choose(void)
{
    static const char *const names[] = {"avx512", "avx2", "sse2"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (fast_msgpack_kernel(names[i]))
            return fast_msgpack_kernel(names[i]);
    return fast_msgpack_kernel("portable");
}

static void constants_init(struct msgpack_fast *fast)
{
    uint32_t at = 9;
    memcpy(fast->constants, "falsetrue", 9);
    fast->byte_lanes[0xc2] = flat_lane(0, 5, VALUE_BOOLEAN);
    fast->byte_lanes[0xc3] = flat_lane(5, 4, VALUE_BOOLEAN);
    for (unsigned i = 0; i < 128; i++) {
        char digits[24];
        uint32_t length = spell_number(i, digits);
        memcpy(fast->constants + at, digits, length);
        fast->byte_lanes[i] = flat_lane(at, length, VALUE_NUMBER);
        at += length;
    }
    assert(at == CONSTANT_DIGITS);
}

/* After a record that no known layout took. */
static void consider_learning(struct msgpack_fast *fast, const uint8_t *at, const uint8_t *end,
                              uint32_t order)
{
    if (fast->pause > 0) {
        fast->pause--;
        return;
    }
    uint32_t *familiar = &fast->familiar[(order >> 8) % FAMILIARS];
    if (*familiar != order) /* where each record has its own order nothing is worth learning */
        *familiar = order;
    else if (!learn_layout(fast, at, end) && fast->pause == 0)
        fast->pause = PAUSE_FUTILE;
}

/* One record that the learnt way has not taken. */
static enum walk_verdict decode_one(struct msgpack_fast *fast, struct msgpack_run *run)
{
    const uint8_t *end;
    uint32_t order;
    bool tried = run->end - run->at >= SEGMENT_REACH;
    enum walk_verdict verdict = walk_record_any(fast, run, &end, &order);
    if (verdict == WALK_MORE || verdict == WALK_STRANGE)
        return verdict;
    if (tried) {
        fast->misses++;
        if (order && fast->learns)
            consider_learning(fast, run->at, end, order);
    }
    run->block->count++;
    run->at = end;
    return verdict;
}

static bool may_be_learnt(const struct msgpack_fast *fast)
{
    return fast->segment_count > 0 &&
           (fast->misses < MISSES_MAX || fast->misses % MISSES_PERIOD == 0);
}

static enum fast_stop decode_block(struct msgpack_fast *fast, struct msgpack_run *run, bool last)
{
    struct flat_block *block = run->block;
    for (;;) {
        uint32_t before = block->count;
        if (may_be_learnt(fast))
            fast->kernel->run(fast, run);
        fast->learnt += block->count - before;
        if (block->count > before)
            fast->misses = 0;
        if (block->count == FLAT_RECORDS ||
            block->digits_length > FLAT_DIGITS_BYTES - RECORD_DIGITS)
            return FAST_FULL;
        if (run->at == run->end)
            return FAST_MORE;
        enum walk_verdict verdict = decode_one(fast, run);
        if (verdict == WALK_STRANGE)
            return FAST_STRANGE;
        if (verdict == WALK_MORE) {
            bool hopeless = last || run->end - run->at > DECODE_RECORD_MAX;
            return hopeless ? FAST_STRANGE : FAST_MORE;
        }
    }
}

/* The block for what comes next: numbers that it will hold are spelled nowhere yet. */
static void begin_block(struct msgpack_fast *fast, struct flat_block *block)
{
    fast->block++;
    block->count = 0;
    block->digits_length = CONSTANT_DIGITS;
}

static struct msgpack_run run_begin(struct msgpack_fast *fast, const char *window, size_t length,
                                    size_t at, struct flat_block *block)
{
    assert(at <= length && length <= UINT32_MAX - FLAT_DIGITS_BYTES);
    begin_block(fast, block);
    memcpy(block->digits, fast->constants, CONSTANT_DIGITS);
    return (struct msgpack_run){
        .window = (const uint8_t *)window,
        .at = (const uint8_t *)window + at,
        .end = (const uint8_t *)window + length,
        .block = block,
        .digits_at = (uint32_t)length,
    };
}

static void fast_decode(struct fast_decoder *decoder, const char *window, size_t length, size_t at,
                        bool last, struct flat_block *block, size_t *ret_used,
                        enum fast_stop *ret_stop)
{
    struct msgpack_fast *fast = (struct msgpack_fast *)decoder;
    struct msgpack_run run = run_begin(fast, window, length, at, block);
    *ret_stop = decode_block(fast, &run, last);
    *ret_used = (size_t)(run.at - run.window) - at;
}

/* ---- in two steps (fast_cut.h)
 * ----------------------------------------------------------------------------------------------
 */

enum status msgpack_cut_new(struct msgpack_cut **ret)
{
    *ret = calloc(1, sizeof(**ret));
    return *ret ? STATUS_OK : STATUS_NO_MEMORY;
}

void msgpack_cut_free(struct msgpack_cut *cut)
{
    free(cut);
}

size_t msgpack_cut_make(struct fast_decoder *decoder, const char *window, size_t length,
                        size_t enough, struct flat_block *room, struct msgpack_cut *ret)
{
    struct msgpack_fast *fast = (struct msgpack_fast *)decoder;
    struct msgpack_run run = {
        .window = (const uint8_t *)window,
        .at = (const uint8_t *)window,
        .end = (const uint8_t *)window + length,
        .enough = (const uint8_t *)window + (enough < length ? enough : length),
        .block = room,
        .cut = ret,
    };
    assert(length <= UINT32_MAX - FLAT_DIGITS_BYTES && !ret->shelf);
    struct shelf *shelf = fast->shelf;
    uint32_t known = 0; /* spots up to the last one of a layout */
    ret->count = ret->next = 0;
    fast->misses = 0;
    /* A cut has to do with one shelf. */
    while (run.at < run.enough && ret->count < CUT_SPOTS && fast->shelf == shelf) {
        const uint8_t *before = run.at;
        if (may_be_learnt(fast))
            fast->kernel->find(fast, &run);
        if (run.at > before) {
            fast->misses = 0;
            known = ret->count;
        }
        if (run.at >= run.enough || ret->count == CUT_SPOTS)
            break;
        struct msgpack_spot spot = {(uint32_t)(run.at - run.window), SPOT_UNKNOWN};
        begin_block(fast, room);
        enum walk_verdict verdict = decode_one(fast, &run);
        if (verdict == WALK_MORE || verdict == WALK_STRANGE)
            break;
        ret->spots[ret->count++] = spot;
        if (fast->misses == MISSES_MAX) { /* not worth being walked twice */
            run.at = run.window + ret->spots[known].at;
            ret->count = known;
            break;
        }
    }
    if (ret->count > 0) {
        ret->shelf = shelf;
        __atomic_fetch_add(&shelf->users, 1, __ATOMIC_RELAXED);
    }
    return (size_t)(run.at - run.window);
}

void msgpack_cut_done(struct msgpack_cut *cut)
{
    __atomic_fetch_sub(&cut->shelf->users, 1, __ATOMIC_RELEASE);
    cut->shelf = NULL;
}

void msgpack_follow(struct fast_decoder *decoder, struct msgpack_cut *cut)
{
    ((struct msgpack_fast *)decoder)->cut = cut;
}

static enum fast_stop follow_block(struct msgpack_fast *fast, struct msgpack_run *run)
{
    struct flat_block *block = run->block;
    for (;;) {
        fast->kernel->follow(fast, run);
        if (block->count == FLAT_RECORDS ||
            block->digits_length > FLAT_DIGITS_BYTES - RECORD_DIGITS)
            return FAST_FULL;
        if (run->cut->next == run->cut->count)
            return FAST_MORE;
        const uint8_t *end;
        uint32_t order;
        enum walk_verdict verdict = walk_record_any(fast, run, &end, &order);
        assert(verdict == WALK_PLAIN || verdict == WALK_ODD);
        (void)verdict;
        run->cut->next++;
        block->count++;
        run->at = end;
    }
}

static void fast_follow(struct fast_decoder *decoder, const char *window, size_t length, size_t at,
                        bool last, struct flat_block *block, size_t *ret_used,
                        enum fast_stop *ret_stop)
{
    struct msgpack_fast *fast = (struct msgpack_fast *)decoder;
    struct msgpack_run run = run_begin(fast, window, length, at, block);
    assert(last);
    (void)last;
    run.cut = fast->cut;
    *ret_stop = follow_block(fast, &run);
    *ret_used = (size_t)(run.at - run.window) - at;
    assert(*ret_stop == FAST_FULL || run.at == run.end);
}

static void fast_close(struct fast_decoder *decoder)
{
    struct msgpack_fast *fast = (struct msgpack_fast *)decoder;
    if (!fast)
        return;
    free(fast->forks);
    for (int i = 0; i < 2; i++)
        free(fast->shelves[i].segments);
    free(fast);
}

enum status fast_msgpack_open_with(const struct msgpack_kernel *kernel, bool learns,
                                   struct fast_decoder **ret)
{
    struct msgpack_fast *fast = calloc(1, sizeof(*fast));
    if (!fast)
        return STATUS_NO_MEMORY;
    fast->kernel = kernel;
    fast->learns = learns;
    fast->fields = FLAT_FIELDS;
    fast->forks = calloc(SEGMENTS_MAX + 1, sizeof(*fast->forks));
    for (int i = 0; i < 2; i++)
        fast->shelves[i].segments = aligned_alloc(64, SEGMENTS_MAX * sizeof(struct segment));
    fast->shelf = &fast->shelves[0];
    if (!fast->forks || !fast->shelves[0].segments || !fast->shelves[1].segments) {
        fast_close((struct fast_decoder *)fast);
        return STATUS_NO_MEMORY;
    }
    fast->fork_count = 1;
    constants_init(fast);
    walk_init(fast);
    *ret = (struct fast_decoder *)fast;
    return STATUS_OK;
}

static enum status fast_open(struct fast_decoder **ret)
{
    return fast_msgpack_open_with(kernel_choose(), true, ret);
}

static enum status open_whole(struct fast_decoder **ret)
{
    enum status status = fast_msgpack_open_with(kernel_choose(), false, ret);
    if (status == STATUS_OK)
        ((struct msgpack_fast *)*ret)->fields = FLAT_ALL_FIELDS;
    return status;
}

const struct fast_class fast_msgpack_whole = {
    .name = "msgpack",
    .form = RECORD_FORM_MSGPACK,
    .open = open_whole,
    .decode = fast_decode,
    .close = fast_close,
};

const struct fast_class fast_msgpack = {
    .name = "msgpack",
    .form = RECORD_FORM_MSGPACK,
    .open = fast_open,
    .decode = fast_decode,
    .close = fast_close,
};

static enum status open_follower(struct fast_decoder **ret)
{
    return fast_msgpack_open_with(kernel_choose(), false, ret);
}

const struct fast_class fast_msgpack_cut = {
    .name = "msgpack",
    .form = RECORD_FORM_MSGPACK,
    .open = open_follower,
    .decode = fast_follow,
    .close = fast_close,
};
