/* The fast JSON decoder: runs of records in, flat records out (fast.h). See fast_json.h for how. */
#include <stdlib.h>

#include "adapters/fast_json.h"
#include "adapters/json_frame.h"

/* After this many records in a row that the learnt way could not take, it is left alone for a
 * while, twice as long each time. */
#define MISSES_MAX 16
#define PAUSE_MIN  16
#define PAUSE_MAX  2048
/* A full tree is given up for a new one, but not before so many records. */
#define FORGET_AFTER 100000

struct fast_decoder {
    json_walk_learnt *learnt;
    json_walk_learnt *indexed;
    json_walk_careful *careful;
    struct json_names names;
    struct json_walk walk;
    uint32_t misses; /* in a row */
    uint32_t pause;  /* records to go without the learnt way */
    uint32_t pause_next;
    bool full;      /* the tree takes no more */
    uint64_t since; /* records since the tree was empty */
};

static enum status open_with(struct fast_decoder **ret, json_walk_learnt *learnt,
                             json_walk_learnt *indexed, json_walk_careful *careful)
{
    struct fast_decoder *fast = calloc(1, sizeof(*fast));
    if (!fast)
        return STATUS_NO_MEMORY;
    fast->walk.tree.nodes =
        aligned_alloc(sizeof(struct json_node), JSON_NODES * sizeof(struct json_node));
    if (!fast->walk.tree.nodes) {
        free(fast);
        return STATUS_NO_MEMORY;
    }
    /* So that nothing is allocated later on: no text with escapes in a block is longer. */
    if (!scratch_alloc(&fast->walk.scratch, DECODE_RECORD_MAX)) {
        free(fast->walk.tree.nodes);
        free(fast);
        return STATUS_NO_MEMORY;
    }
    fast->learnt = learnt;
    fast->indexed = indexed;
    fast->careful = careful;
    fast->pause_next = PAUSE_MIN;
    fast->walk.names = &fast->names;
    fast->walk.fields = FLAT_FIELDS;
    json_names_init(&fast->names);
    json_forget(&fast->walk.tree);
    *ret = fast;
    return STATUS_OK;
}

static enum status open_portable(struct fast_decoder **ret)
{
    return open_with(ret, json_walk_learnt_portable, json_walk_indexed_portable,
                     json_walk_careful_portable);
}

static enum status open_best(struct fast_decoder **ret)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
        __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"))
        return open_with(ret, json_walk_learnt_avx2, json_walk_indexed_avx2,
                         json_walk_careful_avx2);
#endif
    return open_portable(ret);
}

static enum status open_whole(struct fast_decoder **ret)
{
    enum status status = open_best(ret);
    if (status == STATUS_OK)
        (*ret)->walk.fields = FLAT_ALL_FIELDS;
    return status;
}

static enum status unlearn(enum status status, struct fast_decoder *fast)
{
    if (status == STATUS_OK)
        fast->pause = UINT32_MAX;
    return status;
}

static enum status open_unlearnt(struct fast_decoder **ret)
{
    enum status status = open_best(ret);
    return unlearn(status, *ret);
}

static enum status open_unlearnt_portable(struct fast_decoder **ret)
{
    enum status status = open_portable(ret);
    return unlearn(status, *ret);
}

static void fast_close(struct fast_decoder *fast)
{
    if (!fast)
        return;
    scratch_fini(&fast->walk.scratch);
    free(fast->walk.tree.nodes);
    free(fast);
}

/* The tree did not know the record [at, end): adds it, unless that has been in vain too often. */
static void learn(struct fast_decoder *fast, const char *at, const char *end)
{
    fast->misses++;
    if (fast->misses >= MISSES_MAX) {
        fast->misses = 0;
        fast->pause = fast->pause_next;
        if (fast->pause_next < PAUSE_MAX)
            fast->pause_next *= 2;
    }
    if (!fast->full && !json_learn(&fast->walk, at, end))
        fast->full = true;
    if (fast->full && fast->since >= FORGET_AFTER) {
        json_forget(&fast->walk.tree);
        fast->full = false;
        fast->since = 0;
    }
}

/* The record at `at`. */
static enum json_outcome take_record(struct fast_decoder *fast, const char *at,
                                     struct flat_record *record, const char **ret_end)
{
    enum json_learnt learnt = JSON_LEARNT_UNFIT;
    if (fast->pause > 0) {
        fast->pause--;
        if (fast->indexed(&fast->walk, at, record, ret_end) == JSON_LEARNT_FITS)
            return JSON_PLAIN;
    } else {
        learnt = fast->learnt(&fast->walk, at, record, ret_end);
        if (learnt == JSON_LEARNT_FITS) {
            fast->misses = 0;
            fast->pause_next = PAUSE_MIN;
            return JSON_PLAIN;
        }
    }
    uint32_t digits = fast->walk.block->digits_length;
    enum json_outcome outcome = fast->careful(&fast->walk, at, record, ret_end);
    if (outcome != JSON_PLAIN)
        fast->walk.block->digits_length = digits;
    /* In an empty block there will never be more room. */
    if (outcome == JSON_NO_ROOM && digits == 0)
        return JSON_LEFT;
    if (outcome == JSON_PLAIN && learnt == JSON_LEARNT_UNKNOWN)
        learn(fast, at, *ret_end);
    return outcome;
}

static void fast_decode(struct fast_decoder *fast, const char *window, size_t length, size_t at,
                        bool last, struct flat_block *block, size_t *ret_used,
                        enum fast_stop *ret_stop)
{
    const char *here = window + at;
    const char *end = window + length;
    assert(at <= length && length <= UINT32_MAX);
    fast->walk.window = window;
    fast->walk.end = end;
    fast->walk.block = block;
    fast->walk.index.from = NULL;
    block->count = 0;
    block->digits_length = 0;
    for (;;) {
        while (here < end && (json_blank(*here) || *here == ','))
            here++;
        *ret_used = (size_t)(here - window) - at;
        *ret_stop = FAST_FULL;
        if (block->count == FLAT_RECORDS)
            return;
        *ret_stop = here == end ? FAST_MORE : FAST_STRANGE;
        if (here == end || *here != '{')
            return;
        struct flat_record *record = &block->records[block->count];
        const char *behind;
        record->present = 0;
        enum json_outcome outcome = take_record(fast, here, record, &behind);
        if (outcome == JSON_STRANGE)
            return;
        if (outcome == JSON_NO_ROOM) {
            *ret_stop = FAST_FULL;
            return;
        }
        if (outcome == JSON_SHORT) {
            if (!last && end - here <= DECODE_RECORD_MAX)
                *ret_stop = FAST_MORE;
            return;
        }
        if (outcome == JSON_LEFT)
            record->present = 0;
        record->offset = (uint32_t)(here - window);
        record->length = (uint32_t)(behind - here);
        block->count++;
        fast->since++;
        here = behind;
    }
}

const struct fast_class fast_json = {
    .name = "json",
    .form = RECORD_FORM_JSON,
    .open = open_best,
    .decode = fast_decode,
    .close = fast_close,
};

const struct fast_class fast_json_whole = {
    .name = "json",
    .form = RECORD_FORM_JSON,
    .open = open_whole,
    .decode = fast_decode,
    .close = fast_close,
};

const struct fast_class fast_json_portable = {
    .name = "json",
    .form = RECORD_FORM_JSON,
    .open = open_portable,
    .decode = fast_decode,
    .close = fast_close,
};

const struct fast_class fast_json_unlearnt = {
    .name = "json",
    .form = RECORD_FORM_JSON,
    .open = open_unlearnt,
    .decode = fast_decode,
    .close = fast_close,
};

const struct fast_class fast_json_unlearnt_portable = {
    .name = "json",
    .form = RECORD_FORM_JSON,
    .open = open_unlearnt_portable,
    .decode = fast_decode,
    .close = fast_close,
};
