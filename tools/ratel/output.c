#include "ratel/output.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BOLD       "\033[1m"
#define BOLD_OFF   "\033[0m"
#define COLUMN_GAP 2

enum output_format output_format_of(const char *name)
{
    if (strcmp(name, "json") == 0)
        return OUTPUT_JSON;
    if (strcmp(name, "csv") == 0)
        return OUTPUT_CSV;
    assert(strcmp(name, "table") == 0);
    return OUTPUT_TABLE;
}

/* A control character: C0 and DEL, and C1 in its UTF-8 form (C2 80 to C2 9F), which terminals obey
 * too. */
static size_t control_length(struct slice text, size_t at)
{
    unsigned char byte = (unsigned char)text.data[at];
    if (byte < 0x20 || byte == 0x7f)
        return 1;
    bool c1 =
        byte == 0xc2 && at + 1 < text.length && ((unsigned char)text.data[at + 1] & 0xe0) == 0x80;
    return c1 ? 2 : 0;
}

void print_clean(FILE *out, struct slice text)
{
    for (size_t i = 0; i < text.length;) {
        size_t control = control_length(text, i);
        putc(control ? '?' : text.data[i], out);
        i += control ? control : 1;
    }
}

/* Characters on the screen: UTF-8 continuation bytes take no room. Wide and combining characters
 * are counted as one. */
static uint32_t display_width(struct slice text)
{
    uint32_t width = 0;
    for (size_t i = 0; i < text.length;) {
        size_t control = control_length(text, i);
        width += control || ((unsigned char)text.data[i] & 0xc0) != 0x80;
        i += control ? control : 1;
    }
    return width;
}

void table_begin(struct table *table, FILE *out, enum output_format format, bool colour,
                 const struct column *columns, uint32_t column_count)
{
    assert(format == OUTPUT_TABLE || format == OUTPUT_CSV);
    assert(column_count > 0 && column_count <= TABLE_COLUMNS_MAX);
    memset(table, 0, sizeof(*table));
    table->out = out;
    table->format = format;
    table->colour = colour;
    table->columns = columns;
    table->column_count = column_count;
    arena_init(&table->arena);
    /* CSV rows leave at once: one row is held. */
    size_t rows = format == OUTPUT_TABLE ? TABLE_ROWS_HELD : 1;
    table->cells = arena_alloc(&table->arena, rows * column_count * sizeof(*table->cells));
    for (uint32_t i = 0; i < column_count; i++)
        table->widths[i] = (uint32_t)strlen(columns[i].name);
}

static void spaces(FILE *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        putc(' ', out);
}

static void write_cell(struct table *table, uint32_t column, struct slice text)
{
    uint32_t width = display_width(text);
    uint32_t fill = table->widths[column] > width ? table->widths[column] - width : 0;
    bool right = table->columns[column].number;
    if (right)
        spaces(table->out, fill);
    print_clean(table->out, text);
    /* No blanks at the end of a line. */
    if (column + 1 < table->column_count)
        spaces(table->out, (right ? 0 : fill) + COLUMN_GAP);
}

static void write_heading(struct table *table)
{
    table->started = true;
    if (table->format == OUTPUT_CSV) {
        for (uint32_t i = 0; i < table->column_count; i++)
            fprintf(table->out, "%s%s", i ? "," : "", table->columns[i].name);
        fputs("\r\n", table->out);
        return;
    }
    if (table->colour)
        fputs(BOLD, table->out);
    for (uint32_t i = 0; i < table->column_count; i++) {
        char *title = arena_string(&table->arena, slice_string(table->columns[i].name));
        for (char *at = title; *at; at++)
            *at = *at == '_' ? ' ' : (char)toupper((unsigned char)*at);
        write_cell(table, i, slice_string(title));
    }
    fputs(table->colour ? BOLD_OFF "\n" : "\n", table->out);
}

static void write_row(struct table *table, const struct slice *cells)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->format == OUTPUT_TABLE) {
            write_cell(table, i, cells[i]);
            continue;
        }
        if (i)
            putc(',', table->out);
        csv_field(table->out, cells[i], table->columns[i].number);
    }
    fputs(table->format == OUTPUT_CSV ? "\r\n" : "\n", table->out);
}

/* Writes the rows held and gives their memory back. */
static void write_held(struct table *table)
{
    for (uint32_t row = 0; row < table->row_count && !table->started; row++) {
        for (uint32_t i = 0; i < table->column_count; i++) {
            uint32_t width = display_width(table->cells[row * table->column_count + i]);
            if (width > table->widths[i])
                table->widths[i] = width;
        }
    }
    if (!table->started)
        write_heading(table);
    for (uint32_t row = 0; row < table->row_count; row++)
        write_row(table, table->cells + (size_t)row * table->column_count);
    table->row_count = 0;
    arena_fini(&table->arena);
    arena_init(&table->arena);
    table->cells = arena_alloc(&table->arena, table->column_count * sizeof(*table->cells));
}

void table_cell(struct table *table, struct slice text)
{
    assert(table->at < table->column_count);
    table->cells[(size_t)table->row_count * table->column_count + table->at] =
        arena_copy(&table->arena, text);
    if (++table->at < table->column_count)
        return;
    table->at = 0;
    table->row_count++;
    if (table->started || table->format == OUTPUT_CSV || table->row_count == TABLE_ROWS_HELD)
        write_held(table);
}

void table_string(struct table *table, const char *text)
{
    table_cell(table, slice_string(text));
}

void table_integer(struct table *table, int64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRId64, value);
    table_string(table, text);
}

void table_money(struct table *table, struct money amount)
{
    char text[DECIMAL_TEXT_BYTES];
    money_format_exact(amount, text);
    table_string(table, text);
}

void table_quantity(struct table *table, struct quantity quantity)
{
    char text[DECIMAL_TEXT_BYTES];
    quantity_format(quantity, text);
    table_string(table, text);
}

void table_end(struct table *table)
{
    assert(table->at == 0 && "a row was left unfinished");
    if (table->row_count > 0 || !table->started)
        write_held(table);
    arena_fini(&table->arena);
}

enum status output_finish(FILE *out, struct error *error)
{
    errno = 0;
    bool failed = ferror(out) != 0;
    if (fflush(out) != 0 || failed) {
        int number = errno;
        enum status status = number == ENOSPC || number == EDQUOT ? STATUS_NO_SPACE : STATUS_IO;
        return error_set(error, status, "cannot write the output: %s%s",
                         number ? strerror(number) : "an earlier write failed",
                         status_remedy(number));
    }
    return STATUS_OK;
}
