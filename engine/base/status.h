/* How functions report: a must-use `enum status`, and for people a caller-owned `struct error`.
 *
 * Programmer errors are assertions. Bad records are data (quarantine), never a status. There is no
 * thread-local last error. */
#ifndef RATEL_BASE_STATUS_H
#define RATEL_BASE_STATUS_H

#include <stdint.h>

enum status {
#define STATUS(name, class, exit_code, text) STATUS_##name,
#include "base/status.def"
#undef STATUS
};

enum status_class { STATUS_CLASS_OK, STATUS_CLASS_RETRY, STATUS_CLASS_FATAL, STATUS_CLASS_REFUSED };

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(text_argument, first_argument)                                                 \
    __attribute__((format(printf, text_argument, first_argument)))

/* What went wrong, for a person: what, where, what to do. Line and column count from 1; 0 means
 * none. */
struct error {
    enum status status;
    uint32_t line;
    uint32_t column;
    char file[256];
    char text[512];
};

/* The status's short text, such as "damaged data". Lifetime: static. */
const char *status_text(enum status status);
enum status_class status_class(enum status status);
/* The sysexits code that a command ends with. */
int status_exit_code(enum status status);
/* The status that fits an errno of a file operation (ENOSPC, EDQUOT and EFBIG -> NO_SPACE, EACCES,
 * EPERM and EROFS -> PERMISSION, ENOENT -> NOT_FOUND, ENOMEM -> NO_MEMORY, else IO). */
enum status status_from_errno(int error_number);

/* What a person can do about an errno, as the end of a message (": free space and run again" for a
 * full disk), or "". Lifetime: static. */
const char *status_remedy(int error_number);

/* Fills `error` (which may be NULL) and returns `status`, so that a caller can `return
 * error_set(...)`. The place (file, line, column) is cleared; set it with error_at. */
enum status error_set(struct error *error, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Adds the place to an error that was set before; `file` is cut at 255 bytes. Returns
 * error->status, or STATUS_BUG when `error` is NULL. */
enum status error_at(struct error *error, const char *file, uint32_t line, uint32_t column);
/* One line "file:line:column: text" (parts that are unknown left out). Cost: cuts at `size`. */
void error_format(const struct error *error, char *buffer, unsigned long size);

#endif
