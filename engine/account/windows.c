/* Invariants:
 * W-1 the run in a series' line ends last of all its windows; a series without one has no windows.
 * W-2 no two stored windows of a series overlap.
 * W-3 a page is never changed; `reach` is the latest end of all pages before it. */
#include "account/windows.h"

#include <string.h>

#include "base/hash.h"
#include "base/pack.h"

/* What the heap holds of a page, in front of its spans. */
struct page_head {
    uint64_t before; /* offset of the page before + 1; 0: none */
    uint32_t reach;
    uint32_t start, end; /* of its own spans */
    uint32_t count;
};
static_assert(sizeof(struct page_head) == 24, "stored as it is");

uint64_t windows_code(struct quantity quantity)
{
    assert(quantity.quanta >= 0);
    if (quantity.quanta < ((int128)1 << 63))
        return (uint64_t)quantity.quanta;
    return hash64(slice_of((const char *)&quantity, sizeof(quantity)), 0) | (uint64_t)1 << 63;
}

static uint32_t span_end(const struct window_span *span)
{
    return span->start + span->step * span->count;
}

/* NEW: the span and the window have no instant in common. */
static enum coverage_answer compare(const struct window_span *span, uint32_t start, uint32_t length,
                                    uint64_t code)
{
    if (start >= span_end(span) || start + length <= span->start)
        return COVERAGE_NEW;
    bool same_window =
        start >= span->start && length == span->step && (start - span->start) % span->step == 0;
    return same_window && code == span->code ? COVERAGE_DUPLICATE : COVERAGE_CONFLICT;
}

static struct window_span line_span(const struct series *line)
{
    return (struct window_span){
        .start = line->run_start,
        .step = line->run_step & SERIES_STEP_MASK,
        .count = line->run_count,
        .code = line->run_code,
    };
}

static enum status read_page(const struct series_table *table, uint64_t page,
                             struct page_head *ret_head, const struct window_span **ret_spans,
                             struct error *error)
{
    struct slice bytes;
    enum status status = heap_read(table->heap, page - 1, &bytes, error);
    if (status != STATUS_OK)
        return status;
    bool sound = bytes.length >= sizeof(*ret_head);
    if (sound) {
        memcpy(ret_head, bytes.data, sizeof(*ret_head));
        sound = ret_head->count > 0 &&
                bytes.length == sizeof(*ret_head) + ret_head->count * sizeof(**ret_spans) &&
                ret_head->before < page;
    }
    if (!sound)
        return error_set(error, STATUS_CORRUPT,
                         "the windows at %llu of a shard's heap are damaged: remove the shard's "
                         "ledger folder, it is derived again from the journal",
                         (unsigned long long)(page - 1));
    *ret_spans = (const struct window_span *)(const void *)(bytes.data + sizeof(*ret_head));
    return STATUS_OK;
}

static struct window_span span_at(const struct window_span *spans, uint32_t index)
{
    struct window_span span; /* the heap keeps no alignment */
    memcpy(&span, (const char *)spans + index * sizeof(span), sizeof(span));
    return span;
}

static enum status classify_pages(const struct series_table *table, const struct series_tail *tail,
                                  uint32_t start, uint32_t length, uint64_t code,
                                  enum coverage_answer *ret, struct error *error)
{
    uint32_t reach = tail->page_end;
    for (uint64_t page = tail->page; page && start < reach;) {
        struct page_head head;
        const struct window_span *spans = NULL;
        enum status status = read_page(table, page, &head, &spans, error);
        if (status != STATUS_OK)
            return status;
        for (uint32_t i = 0; i < head.count && start < head.end && start + length > head.start;
             i++) {
            struct window_span span = span_at(spans, i);
            *ret = compare(&span, start, length, code);
            if (*ret != COVERAGE_NEW)
                return STATUS_OK;
        }
        reach = head.reach;
        page = head.before;
    }
    *ret = COVERAGE_NEW;
    return STATUS_OK;
}

enum status windows_classify(const struct series_table *table, uint32_t series, uint32_t start,
                             uint32_t length, uint64_t code, enum coverage_answer *ret,
                             struct error *error)
{
    assert(series < table->count && length > 0);
    const struct series *line = &table->lines[series];
    struct window_span newest = line_span(line);
    *ret = COVERAGE_NEW;
    if (newest.count == 0 || start >= span_end(&newest))
        return STATUS_OK; /* W-1 */
    *ret = compare(&newest, start, length, code);
    if (*ret != COVERAGE_NEW || !line->tail)
        return STATUS_OK;
    const struct series_tail *tail = &table->tails[line->tail];
    for (uint32_t i = 0; i < tail->count; i++) {
        *ret = compare(&tail->spans[i], start, length, code);
        if (*ret != COVERAGE_NEW)
            return STATUS_OK;
    }
    return classify_pages(table, tail, start, length, code, ret, error);
}

static bool joins(const struct window_span *left, const struct window_span *right)
{
    return span_end(left) == right->start && left->step == right->step &&
           left->code == right->code && left->count <= UINT32_MAX - right->count;
}

/* Puts the span among `count` sorted ones, behind which there is room for it. */
static void insert(struct window_span *spans, uint32_t count, const struct window_span *span)
{
    uint32_t position = count;
    for (; position > 0 && spans[position - 1].start > span->start; position--)
        spans[position] = spans[position - 1];
    /* Word by word: copied as vectors, words just written would have to reach the cache first. */
    struct window_span *to = &spans[position];
    to->start = span->start;
    to->step = span->step;
    to->count = span->count;
    to->reserved = 0;
    to->code = span->code;
}

/* Moves the full tail to the heap, with the span that has no place in it. */
static enum status seal(struct series_table *table, struct series_tail *tail,
                        const struct window_span *span, struct error *error)
{
    struct {
        struct page_head head;
        struct window_span spans[WINDOWS_TAIL + 1];
    } page = {.head = {.before = tail->page, .reach = tail->page_end, .count = WINDOWS_TAIL + 1}};
    assert(tail->count == WINDOWS_TAIL);
    memcpy(page.spans, tail->spans, sizeof(tail->spans));
    insert(page.spans, WINDOWS_TAIL, span);
    page.head.start = page.spans[0].start;
    page.head.end = span_end(&page.spans[WINDOWS_TAIL]); /* W-2 and sorted: the last ends last */
    uint64_t offset;
    enum status status =
        heap_append(table->heap, slice_of((const char *)&page, sizeof(page)), &offset, error);
    if (status != STATUS_OK)
        return status;
    tail->page = offset + 1;
    if (page.head.end > tail->page_end)
        tail->page_end = page.head.end;
    tail->count = 0;
    return STATUS_OK;
}

/* Joins the span with one or two of the tail's where that makes one run of them. */
static bool join_tail(struct series_tail *tail, const struct window_span *span)
{
    for (uint32_t i = 0; i < tail->count; i++) {
        struct window_span *at = &tail->spans[i];
        if (joins(at, span)) {
            at->count += span->count;
            if (i + 1 < tail->count && joins(at, at + 1)) {
                at->count += at[1].count;
                memmove(at + 1, at + 2, (tail->count - i - 2) * sizeof(*at));
                tail->count--;
            }
            return true;
        }
        if (joins(span, at)) {
            at->start = span->start;
            at->count += span->count;
            return true;
        }
    }
    return false;
}

/* After the newest run has grown downwards it may have met older ones. */
static void absorb_tail(struct series *line, struct series_tail *tail)
{
    while (tail->count > 0) {
        struct window_span newest = line_span(line);
        const struct window_span *last = &tail->spans[tail->count - 1];
        if (!joins(last, &newest))
            return;
        line->run_start = last->start;
        line->run_count += last->count;
        tail->count--;
    }
}

static enum status push_tail(struct series_table *table, struct series *line,
                             const struct window_span *span, struct error *error)
{
    if (!line->tail) {
        enum status status = vast_reserve(&table->tails_memory, (uint64_t)table->tail_count + 2);
        if (status != STATUS_OK)
            return error_set(error, status, "out of memory");
        line->tail = ++table->tail_count;
        table->tails[line->tail] = (struct series_tail){0};
    }
    struct series_tail *tail = &table->tails[line->tail];
    /* W-2 and sorted: what comes behind the last can join that one only. */
    const struct window_span *last = tail->count ? &tail->spans[tail->count - 1] : NULL;
    bool alone = !last || (span->start >= span_end(last) && !joins(last, span));
    if (!alone && join_tail(tail, span))
        return STATUS_OK;
    if (tail->count == WINDOWS_TAIL)
        return seal(table, tail, span, error);
    insert(tail->spans, tail->count++, span);
    return STATUS_OK;
}

enum status windows_add(struct series_table *table, uint32_t series, uint32_t start,
                        uint32_t length, uint64_t code, struct error *error)
{
    assert(series < table->count && length > 0 && length <= SERIES_STEP_MASK);
    struct series *line = &table->lines[series];
    struct window_span newest = line_span(line);
    struct window_span added = {.start = start, .step = length, .count = 1, .code = code};
    table->dirty[series / SERIES_CHUNK] = 1;
    if (newest.count && joins(&newest, &added)) {
        line->run_count++;
        return STATUS_OK;
    }
    if (newest.count && start < span_end(&newest)) {
        assert(start + length <= newest.start); /* W-2 */
        if (!joins(&added, &newest))
            return push_tail(table, line, &added, error);
        line->run_start = start;
        line->run_count++;
        if (line->tail)
            absorb_tail(line, &table->tails[line->tail]);
        return STATUS_OK;
    }
    enum status status = newest.count ? push_tail(table, line, &newest, error) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    line->run_start = start;
    line->run_step = length | (line->run_step & SERIES_LEVEL);
    line->run_count = 1;
    line->run_code = code;
    return STATUS_OK;
}

static enum status collect(const struct window_span *span, struct coverage *coverage,
                           struct error *error)
{
    for (uint32_t i = 0; i < span->count; i++) {
        struct instant start = {(int64_t)span->start + (int64_t)i * span->step};
        enum status status =
            coverage_add(coverage, start, (struct instant){start.seconds + span->step},
                         (struct quantity){(int128)span->code});
        if (status != STATUS_OK)
            return error_set(error, status, "out of memory");
    }
    return STATUS_OK;
}

static enum status collect_older(const struct series_table *table, const struct series_tail *tail,
                                 struct coverage *coverage, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < tail->count && status == STATUS_OK; i++)
        status = collect(&tail->spans[i], coverage, error);
    for (uint64_t page = tail->page; page && status == STATUS_OK;) {
        struct page_head head;
        const struct window_span *spans = NULL;
        status = read_page(table, page, &head, &spans, error);
        if (status != STATUS_OK)
            return status;
        for (uint32_t i = 0; i < head.count && status == STATUS_OK; i++) {
            struct window_span span = span_at(spans, i);
            status = collect(&span, coverage, error);
        }
        page = head.before;
    }
    return status;
}

enum status windows_all(const struct series_table *table, uint32_t series, struct coverage *ret,
                        struct error *error)
{
    const struct series *line = &table->lines[series];
    struct window_span newest = line_span(line);
    coverage_init(ret);
    enum status status = newest.count ? collect(&newest, ret, error) : STATUS_OK;
    if (status == STATUS_OK && line->tail)
        status = collect_older(table, &table->tails[line->tail], ret, error);
    if (status != STATUS_OK)
        coverage_fini(ret);
    return status;
}
