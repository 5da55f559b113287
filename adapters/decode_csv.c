/* CSV by RFC 4180, the first row naming the columns by the fields' names in any order and case; the
 * delimiter is whichever of comma, semicolon and tab makes most of that row. An empty cell is an
 * absent field.
 *
 * The raw bytes of a record are "header row LF row", so that a quarantined one can be read again by
 * itself. A row with broken quotes ends at the first line end behind the quote that was not closed.
 */
#include <stdlib.h>

#include "adapters/decode.h"

#define REASON_COLUMNS "not as many cells as the header row has: check delimiters and quotes"
#define REASON_QUOTE   "a quote within an unquoted cell: quote the cell and double the quotes in it"
#define REASON_UNCLOSED                                                                            \
    "a quote that is not closed, or text behind a closing quote: double the quotes in the cell"
#define REASON_HEADER_NAMES  "no known column name: the first row must name the columns"
#define REASON_HEADER_TWICE  "a column named twice in the header row: rename one"
#define REASON_HEADER_BROKEN "a header row that cannot be read: check its quotes and its length"
#define REASON_NO_HEADER     "a row under a header row that cannot be used: correct the header row"

#define COLUMNS_MAX 1024
#define HEADER_MAX  (DECODE_RECORD_MAX / 4)

struct cell {
    const char *data; /* quotes around it removed */
    uint32_t length;
    bool doubled; /* has quotes that are written twice */
};

struct column {
    enum field field; /* FIELD_COUNT for an attribute */
    struct slice name;
    bool ignored; /* has no name */
};

enum header { HEADER_NONE = 0, HEADER_USABLE, HEADER_UNUSABLE };

struct csv_decoder {
    struct decoder base;
    uint8_t header_state; /* enum header */
    bool skip;            /* within an oversized row: to its line end */
    char delimiter;
    char *header;         /* the header row as sent, then LF, then the columns' names */
    size_t header_length; /* with the LF */
    size_t column_count;
    size_t
        cell_count; /* of the row parsed last; may exceed COLUMNS_MAX, cells beyond are not kept */
    struct column columns[COLUMNS_MAX];
    struct cell cells[COLUMNS_MAX];
};

enum step { STEP_ON, STEP_MORE };

/* ---- rows
 * -------------------------------------------------------------------------------------------------------------
 */

enum row {
    ROW_WHOLE,
    ROW_MORE,     /* the bytes end within it */
    ROW_QUOTE,    /* a quote within an unquoted cell, at *ret_end */
    ROW_UNCLOSED, /* the quoted cell that starts at *ret_end does not end as it should */
};

static void add_cell(struct csv_decoder *csv, const char *data, const char *end, bool doubled)
{
    if (csv->cell_count < COLUMNS_MAX)
        csv->cells[csv->cell_count] = (struct cell){data, (uint32_t)(end - data), doubled};
    csv->cell_count++;
}

/* Goes over a quoted cell. `at` is on its opening quote; *ret_at is behind its closing one. */
static enum row quoted_cell(struct csv_decoder *csv, const char *at, const char *end, bool complete,
                            const char **ret_at)
{
    const char *data = at + 1;
    bool doubled = false;
    const char *quote = data;
    *ret_at = at;
    for (;;) {
        quote = quote < end ? memchr(quote, '"', (size_t)(end - quote)) : NULL;
        if (!quote)
            return complete ? ROW_UNCLOSED : ROW_MORE;
        if (quote + 1 == end && !complete)
            return ROW_MORE;
        if (quote + 1 == end || quote[1] != '"')
            break;
        doubled = true;
        quote += 2;
    }
    const char *behind = quote + 1;
    bool ends = behind == end || *behind == csv->delimiter || *behind == '\n';
    if (!ends && *behind == '\r') {
        if (behind + 1 == end && !complete)
            return ROW_MORE;
        ends = behind + 1 == end || behind[1] == '\n';
    }
    if (!ends)
        return ROW_UNCLOSED;
    add_cell(csv, data, quote, doubled);
    *ret_at = behind;
    return ROW_WHOLE;
}

/* Splits the row at `at` into csv->cells. `complete`: nothing follows `end`. *ret_end: behind the
 * last cell, where the line end is, or the place of the fault. */
static enum row parse_row(struct csv_decoder *csv, const char *at, const char *end, bool complete,
                          const char **ret_end)
{
    const char delimiter = csv->delimiter;
    csv->cell_count = 0;
    *ret_end = at;
    for (;;) {
        if (at < end && *at == '"') {
            enum row row = quoted_cell(csv, at, end, complete, &at);
            *ret_end = at;
            if (row != ROW_WHOLE)
                return row;
        } else {
            const char *data = at;
            while (at < end && *at != delimiter && *at != '\n' && *at != '"')
                at++;
            *ret_end = at;
            if (at == end && !complete)
                return ROW_MORE;
            if (at < end && *at == '"')
                return ROW_QUOTE;
            bool row_end = at == end || *at == '\n';
            add_cell(csv, data, row_end && at > data && at[-1] == '\r' ? at - 1 : at, false);
        }
        if (at < end && *at == delimiter) {
            at++;
            continue;
        }
        if (at < end && *at == '\r') /* behind a quoted cell */
            at++;
        *ret_end = at;
        return at == end && !complete ? ROW_MORE : ROW_WHOLE;
    }
}

/* ---- records
 * ----------------------------------------------------------------------------------------------------------
 */

/* As long as a row may be: it is kept together with the header row. */
static size_t row_max(const struct csv_decoder *csv)
{
    return DECODE_RECORD_MAX - (csv->header_state == HEADER_USABLE ? csv->header_length : 0);
}

/* Puts "header row LF row" in the place of the row. */
static enum status set_raw(struct csv_decoder *csv, struct record *record)
{
    if (csv->header_state != HEADER_USABLE)
        return STATUS_OK;
    struct slice row = record->raw;
    if (row.length > row_max(csv))
        row.length = row_max(csv);
    char *raw = scratch_alloc(&csv->base.scratch, csv->header_length + row.length);
    if (!raw)
        return STATUS_NO_MEMORY;
    memcpy(raw, csv->header, csv->header_length);
    memcpy(raw + csv->header_length, row.data, row.length);
    record->raw = slice_of(raw, csv->header_length + row.length);
    return STATUS_OK;
}

static size_t without_return(const char *data, size_t length)
{
    return length > 1 && data[length - 1] == '\r' ? length - 1 : length;
}

static enum status bad_row(struct csv_decoder *csv, struct feed *feed, size_t start, size_t length,
                           const char *reason)
{
    length = without_return(feed->window + start, length);
    record_bad(feed, start, length,
               csv->header_state == HEADER_UNUSABLE ? REASON_NO_HEADER : reason);
    return set_raw(csv, &feed->block->records[feed->block->count - 1]);
}

static enum status cell_value(struct csv_decoder *csv, const struct cell *cell,
                              struct field_value *ret)
{
    *ret = value_text(cell->data, cell->length);
    if (!cell->doubled)
        return STATUS_OK;
    char *out = scratch_alloc(&csv->base.scratch, cell->length);
    if (!out)
        return STATUS_NO_MEMORY;
    char *to = out;
    for (uint32_t i = 0; i < cell->length; i++) {
        *to++ = cell->data[i];
        if (cell->data[i] == '"')
            i++;
    }
    scratch_trim(&csv->base.scratch, to);
    *ret = value_text(out, (size_t)(to - out));
    return STATUS_OK;
}

/* The cells of the row parsed last become the record's fields. */
static enum status fill_record(struct csv_decoder *csv, struct feed *feed, struct record *record)
{
    for (size_t i = 0; i < csv->column_count; i++) {
        const struct column *column = &csv->columns[i];
        if (csv->cells[i].length == 0 || column->ignored)
            continue;
        struct field_value value;
        enum status status = cell_value(csv, &csv->cells[i], &value);
        if (status)
            return status;
        if (column->field != FIELD_COUNT) {
            record->fields[column->field] = value;
        } else if (!record_attribute(feed, record, column->name, value)) {
            record_fail(feed, record, REASON_ATTRIBUTES);
            return STATUS_OK;
        }
    }
    return record_decode_urls(feed, record);
}

static bool is_header_again(const struct csv_decoder *csv, const char *row, size_t length)
{
    return csv->header_state == HEADER_USABLE &&
           slice_equal(slice_of(csv->header, csv->header_length - 1), slice_of(row, length));
}

static enum status whole_row(struct csv_decoder *csv, struct feed *feed, size_t start, size_t end)
{
    const char *row = feed->window + start;
    size_t length = without_return(row, end - start);
    if (slice_trim(slice_of(row, length)).length == 0 || is_header_again(csv, row, length))
        return STATUS_OK;
    if (csv->header_state == HEADER_UNUSABLE)
        return bad_row(csv, feed, start, length, REASON_NO_HEADER);
    if (csv->cell_count != csv->column_count)
        return bad_row(csv, feed, start, length, REASON_COLUMNS);
    if (!utf8_valid(row, length))
        return bad_row(csv, feed, start, length, REASON_UTF8);
    struct record *record = record_begin(feed, start, length);
    enum status status = fill_record(csv, feed, record);
    return status ? status : set_raw(csv, record);
}

/* A row that cannot be read ends at the line end at or behind `from`. */
static enum status broken_row(struct csv_decoder *csv, struct feed *feed, size_t from,
                              const char *reason, enum step *ret_step)
{
    size_t start = feed->at;
    size_t rest = feed->length - start;
    size_t max = row_max(csv);
    size_t view_end = rest > max ? start + max + 1 : feed->length;
    const char *line_end = memchr(feed->window + from, '\n', view_end - from);
    size_t end = line_end ? (size_t)(line_end - feed->window) : view_end;
    if (!line_end && rest <= max && !feed->last) {
        *ret_step = STEP_MORE;
        return STATUS_OK;
    }
    bool full = !line_end && rest > max;
    csv->skip = full;
    feed->at = line_end ? end + 1 : full ? start + max : feed->length;
    if (slice_trim(slice_of(feed->window + start, end - start)).length == 0)
        return STATUS_OK;
    return bad_row(csv, feed, start, end - start, full ? REASON_OVERSIZE : reason);
}

static enum status walk_row(struct csv_decoder *csv, struct feed *feed, enum step *ret_step)
{
    size_t start = feed->at;
    size_t rest = feed->length - start;
    size_t max = row_max(csv);
    size_t view_end = rest > max ? start + max + 1 : feed->length;
    bool complete = feed->last && rest <= max;
    const char *at;
    /* Without columns there are no cells to look for: a line is a row. */
    if (csv->header_state == HEADER_UNUSABLE)
        at = memchr(feed->window + start, '\n', view_end - start);
    enum row row;
    if (csv->header_state != HEADER_UNUSABLE)
        row = parse_row(csv, feed->window + start, feed->window + view_end, complete, &at);
    else if (at)
        row = ROW_WHOLE;
    else
        return broken_row(csv, feed, start, REASON_NO_HEADER, ret_step);
    size_t end = (size_t)(at - feed->window);
    *ret_step = STEP_ON;
    if (row == ROW_MORE && rest <= max) {
        *ret_step = STEP_MORE;
        return STATUS_OK;
    }
    if (row == ROW_QUOTE)
        return broken_row(csv, feed, end, REASON_QUOTE, ret_step);
    if (row != ROW_WHOLE || end - start > max)
        return broken_row(csv, feed, end - start > max ? view_end - 1 : end, REASON_UNCLOSED,
                          ret_step);
    feed->at = end < feed->length ? end + 1 : end;
    return whole_row(csv, feed, start, end);
}

/* ---- the header row
 * ---------------------------------------------------------------------------------------------------
 */

static struct slice unquoted_name(const struct cell *cell, char *to)
{
    struct slice name = slice_trim(slice_of(cell->data, cell->length));
    size_t length = 0;
    for (size_t i = 0; i < name.length; i++) {
        to[length++] = name.data[i];
        if (cell->doubled && name.data[i] == '"')
            i++;
    }
    return slice_of(to, length);
}

static enum field field_of_column(struct slice name)
{
    char lower[64];
    if (name.length > sizeof(lower))
        return FIELD_COUNT;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    return field_by_name(slice_of(lower, name.length));
}

/* Fills the columns from csv->header, split at csv->delimiter, their names stored behind it.
 * Returns how many names are known, or -1 when the row cannot be split. */
static int read_columns(struct csv_decoder *csv)
{
    const char *end;
    const char *row_end = csv->header + csv->header_length - 1;
    if (parse_row(csv, csv->header, row_end, true, &end) != ROW_WHOLE ||
        csv->cell_count > COLUMNS_MAX)
        return -1;
    char *names = csv->header + csv->header_length;
    int known = 0;
    for (size_t i = 0; i < csv->cell_count; i++) {
        struct slice name = unquoted_name(&csv->cells[i], names);
        names += name.length;
        enum field field = field_of_column(name);
        known += field != FIELD_COUNT;
        csv->columns[i] =
            (struct column){.field = field, .name = name, .ignored = name.length == 0};
    }
    csv->column_count = csv->cell_count;
    return known;
}

static bool has_column_twice(const struct csv_decoder *csv)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < csv->column_count; i++) {
        enum field field = csv->columns[i].field;
        if (field == FIELD_COUNT)
            continue;
        if (seen >> field & 1)
            return true;
        seen |= UINT64_C(1) << field;
    }
    return false;
}

/* Takes the row as header row; *ret_reason is NULL, or why it is none. */
static enum status take_header(struct csv_decoder *csv, struct slice row, const char **ret_reason)
{
    static const char delimiters[] = {',', ';', '\t'};
    int best = 0;
    char best_delimiter = '\0';
    csv->header_length = row.length + 1;
    csv->header = malloc(2 * csv->header_length);
    if (!csv->header)
        return STATUS_NO_MEMORY;
    memcpy(csv->header, row.data, row.length);
    csv->header[row.length] = '\n';
    *ret_reason = REASON_HEADER_BROKEN;
    for (size_t i = 0; i < sizeof(delimiters); i++) {
        csv->delimiter = delimiters[i];
        int known = read_columns(csv);
        if (known >= 0 && best == 0)
            *ret_reason = REASON_HEADER_NAMES;
        if (known > best) {
            best = known;
            best_delimiter = delimiters[i];
        }
    }
    csv->header_state = HEADER_UNUSABLE;
    if (best == 0)
        return STATUS_OK;
    csv->delimiter = best_delimiter;
    read_columns(csv);
    *ret_reason = has_column_twice(csv)              ? REASON_HEADER_TWICE
                  : utf8_valid(row.data, row.length) ? NULL
                                                     : REASON_UTF8;
    if (!*ret_reason)
        csv->header_state = HEADER_USABLE;
    return STATUS_OK;
}

/* The header row's end: a line end outside of quotes. NULL: not in these bytes. */
static const char *header_end(const char *at, const char *end)
{
    bool quoted = false;
    for (; at < end; at++) {
        quoted ^= *at == '"';
        if (*at == '\n' && !quoted)
            return at;
    }
    return NULL;
}

static enum status walk_header(struct csv_decoder *csv, struct feed *feed, enum step *ret_step)
{
    size_t start = feed->at;
    const char *begin = feed->window + start;
    size_t rest = feed->length - start;
    size_t view = rest > HEADER_MAX ? HEADER_MAX + 1 : rest;
    const char *end = header_end(begin, begin + view);
    *ret_step = STEP_ON;
    if (!end && rest <= HEADER_MAX && !feed->last) {
        *ret_step = STEP_MORE;
        return STATUS_OK;
    }
    const char *reason = REASON_HEADER_BROKEN;
    if (!end && rest <= HEADER_MAX)
        end = begin + rest;
    if (end) {
        struct slice row = slice_of(begin, without_return(begin, (size_t)(end - begin)));
        size_t behind = (size_t)(end - feed->window) + 1;
        if (slice_trim(row).length == 0) { /* empty lines in front */
            feed->at = behind < feed->length ? behind : feed->length;
            return STATUS_OK;
        }
        enum status status = take_header(csv, row, &reason);
        if (status)
            return status;
        if (!reason) {
            feed->at = behind < feed->length ? behind : feed->length;
            return STATUS_OK;
        }
    }
    /* It may be a record in a file without a header row: its first line is given up like one, the
     * others as they come. */
    csv->header_state = HEADER_NONE;
    enum status status = broken_row(csv, feed, start, reason, ret_step);
    if (*ret_step == STEP_ON)
        csv->header_state = HEADER_UNUSABLE;
    free(csv->header);
    csv->header = NULL;
    return status;
}

/* ---- the decoder
 * ------------------------------------------------------------------------------------------------------
 */

static const char byte_order_mark[3] = "\xef\xbb\xbf";

static enum step skip_row(struct csv_decoder *csv, struct feed *feed)
{
    const char *line_end = memchr(feed->window + feed->at, '\n', feed->length - feed->at);
    csv->skip = !line_end && !feed->last;
    feed->at = line_end ? (size_t)(line_end - feed->window) + 1 : feed->length;
    return STEP_ON;
}

static enum status csv_decode(struct decoder *decoder, char *window, size_t length, uint64_t offset,
                              bool last, struct record_block *block, size_t *ret_used)
{
    struct csv_decoder *csv = (struct csv_decoder *)decoder;
    struct feed feed;
    feed_init(&feed, decoder, window, length, offset, last, block);
    enum step step = STEP_ON;
    if (offset == 0 && length > 0 &&
        memcmp(window, byte_order_mark, length < 3 ? length : 3) == 0) {
        feed.at = length < 3 ? 0 : 3;
        step = length < 3 && !last ? STEP_MORE : STEP_ON;
    }
    while (step == STEP_ON && feed.at < length && !feed_block_full(&feed)) {
        enum status status = STATUS_OK;
        if (csv->skip)
            step = skip_row(csv, &feed);
        else if (csv->header_state == HEADER_NONE)
            status = walk_header(csv, &feed, &step);
        else
            status = walk_row(csv, &feed, &step);
        if (status)
            return status;
    }
    feed_done(&feed, ret_used);
    return STATUS_OK;
}

static enum status csv_open(struct decoder **ret)
{
    struct csv_decoder *csv = calloc(1, sizeof(*csv));
    if (!csv)
        return STATUS_NO_MEMORY;
    decoder_init(&csv->base, RECORD_FORM_CSV);
    *ret = &csv->base;
    return STATUS_OK;
}

static void csv_close(struct decoder *decoder)
{
    struct csv_decoder *csv = (struct csv_decoder *)decoder;
    if (!csv)
        return;
    free(csv->header);
    decoder_fini(&csv->base);
    free(csv);
}

/* A first line that names a known column. */
static int csv_sniff(struct slice head)
{
    if (head.length >= 3 && memcmp(head.data, byte_order_mark, 3) == 0)
        head = slice_of(head.data + 3, head.length - 3);
    head = slice_trim(head);
    const char *line_end = head.length ? memchr(head.data, '\n', head.length) : NULL;
    size_t length = line_end ? (size_t)(line_end - head.data) : head.length;
    int known = 0;
    size_t cells = 0;
    size_t begin = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && head.data[i] != ',' && head.data[i] != ';' && head.data[i] != '\t')
            continue;
        struct slice name = slice_trim(slice_of(head.data + begin, i - begin));
        if (name.length >= 2 && name.data[0] == '"')
            name = slice_of(name.data + 1, name.length - 2);
        known += field_of_column(name) != FIELD_COUNT;
        cells++;
        begin = i + 1;
    }
    if (known == 0)
        return 0;
    return known >= 2 ? 90 : cells > 1 ? 60 : 40;
}

const struct decoder_class decoder_csv = {
    .name = "csv",
    .summary = "a header row, then one record a row; comma, semicolon or tab",
    .form = RECORD_FORM_CSV,
    .sniff = csv_sniff,
    .open = csv_open,
    .decode = csv_decode,
    .envelope = decoder_take_error,
    .close = csv_close,
};
