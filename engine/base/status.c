#include "base/status.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct status_row {
    enum status_class class;
    int exit_code;
    const char *text;
};

static const struct status_row status_rows[] = {
#define STATUS(name, class, exit_code, text) {STATUS_CLASS_##class, exit_code, text},
#include "base/status.def"
#undef STATUS
};

#define STATUS_COUNT (sizeof status_rows / sizeof status_rows[0])

static const struct status_row *row_of(enum status status)
{
    assert((size_t)status < STATUS_COUNT);
    return &status_rows[status];
}

const char *status_text(enum status status)
{
    return row_of(status)->text;
}

enum status_class status_class(enum status status)
{
    return row_of(status)->class;
}

int status_exit_code(enum status status)
{
    return row_of(status)->exit_code;
}

enum status status_from_errno(int error_number)
{
    switch (error_number) {
    case 0:
        return STATUS_OK;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* RLIMIT_FSIZE or the file system's limit: for the caller the same as a full disk
                 */
        return STATUS_NO_SPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return STATUS_PERMISSION;
    case ENOENT:
        return STATUS_NOT_FOUND;
    case ENOMEM:
        return STATUS_NO_MEMORY;
    default:
        return STATUS_IO;
    }
}

const char *status_remedy(int error_number)
{
    return error_number == ENOSPC || error_number == EDQUOT ? ": free space and run again" : "";
}

enum status error_set(struct error *error, enum status status, const char *format, ...)
{
    assert((size_t)status < STATUS_COUNT);
    if (!error)
        return status;
    /* The text is built apart, because an argument may be the error's own old text. */
    char text[sizeof error->text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error->status = status;
    error->line = 0;
    error->column = 0;
    error->file[0] = '\0';
    memcpy(error->text, text, strlen(text) + 1);
    return status;
}

enum status error_at(struct error *error, const char *file, uint32_t line, uint32_t column)
{
    if (!error)
        return STATUS_BUG;
    size_t length = file ? strnlen(file, sizeof error->file - 1) : 0;
    if (length)
        memmove(error->file, file, length); /* `file` may be error->file itself */
    error->file[length] = '\0';
    error->line = line;
    error->column = column;
    return error->status;
}

void error_format(const struct error *error, char *buffer, unsigned long size)
{
    assert(error && buffer && size > 0);
    char place[sizeof error->file + 32] = "";
    int length = 0;
    if (error->file[0])
        length = snprintf(place, sizeof place, "%s:", error->file);
    if (error->line)
        length += snprintf(place + length, sizeof place - (size_t)length, "%u:", error->line);
    if (error->line && error->column)
        length += snprintf(place + length, sizeof place - (size_t)length, "%u:", error->column);
    const char *text = error->text[0] ? error->text : status_text(error->status);
    snprintf(buffer, size, "%s%s%s", place, length ? " " : "", text);
}
