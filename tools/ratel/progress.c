#include "ratel/progress.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_MS       100
#define COLUMNS_DEFAULT 80
#define BAR_COLUMNS     24
#define LINE_BYTES      256

static uint64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void progress_begin(struct progress *progress, FILE *err, bool enabled, const char *label,
                    uint64_t total_bytes)
{
    *progress = (struct progress){.err = err,
                                  .enabled = enabled,
                                  .label = label,
                                  .total_bytes = total_bytes,
                                  .now_ms = monotonic_ms};
    progress->begun_ms = progress->now_ms();
    progress->drawn_ms = progress->begun_ms;
}

/* "1.2 GB": three digits or so, powers of 1000. */
static void bytes_text(uint64_t bytes, char *buffer, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    uint64_t unit = 1;
    unsigned power = 0;
    while (power + 1 < sizeof(units) / sizeof(units[0]) && bytes / unit >= 1000) {
        unit *= 1000;
        power++;
    }
    uint64_t tenths = bytes % unit * 10 / unit;
    if (power > 0 && bytes / unit < 100)
        snprintf(buffer, size, "%" PRIu64 ".%" PRIu64 " %s", bytes / unit, tenths, units[power]);
    else
        snprintf(buffer, size, "%" PRIu64 " %s", bytes / unit, units[power]);
}

static void time_text(uint64_t seconds, char *buffer, size_t size)
{
    if (seconds >= 3600)
        snprintf(buffer, size, "%" PRIu64 ":%02u:%02u", seconds / 3600,
                 (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
    else
        snprintf(buffer, size, "%u:%02u", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
}

size_t progress_line(const struct progress *progress, uint64_t done_bytes, uint64_t elapsed_ms,
                     unsigned columns, char *buffer, size_t size)
{
    assert(size >= 1);
    char done[24], total[24], rate[24], left[32];
    uint64_t bytes_per_second =
        elapsed_ms ? (uint64_t)((unsigned __int128)done_bytes * 1000 / elapsed_ms) : 0;
    bytes_text(done_bytes, done, sizeof(done));
    bytes_text(bytes_per_second, rate, sizeof(rate));
    int length;
    if (progress->total_bytes == 0) {
        time_text(elapsed_ms / 1000, left, sizeof(left));
        length = snprintf(buffer, size, "%s  %s  %s/s  %s", progress->label, done, rate, left);
    } else {
        /* A file may grow while it is read: never more than all of it. */
        uint64_t whole = progress->total_bytes > done_bytes ? progress->total_bytes : done_bytes;
        unsigned filled = (unsigned)((unsigned __int128)done_bytes * BAR_COLUMNS / whole);
        unsigned percent = (unsigned)((unsigned __int128)done_bytes * 100 / whole);
        char bar[BAR_COLUMNS + 1];
        memset(bar, '=', filled);
        memset(bar + filled, ' ', BAR_COLUMNS - filled);
        if (filled < BAR_COLUMNS)
            bar[filled] = '>';
        bar[BAR_COLUMNS] = '\0';
        bytes_text(whole, total, sizeof(total));
        snprintf(left, sizeof(left), "-:--");
        if (bytes_per_second > 0)
            time_text((whole - done_bytes) / bytes_per_second, left, sizeof(left));
        length = snprintf(buffer, size, "%s  [%s] %3u%%  %s of %s  %s/s  %s left", progress->label,
                          bar, percent, done, total, rate, left);
    }
    size_t wanted = length < 0 ? 0 : (size_t)length;
    size_t room = columns > 1 && columns - 1 < size - 1 ? columns - 1 : size - 1;
    size_t kept = wanted < room ? wanted : room;
    buffer[kept] = '\0';
    return kept;
}

static unsigned terminal_columns(FILE *err)
{
    struct winsize window;
    if (ioctl(fileno(err), TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
        return window.ws_col;
    return COLUMNS_DEFAULT;
}

void progress_at(struct progress *progress, uint64_t done_bytes)
{
    if (!progress->enabled)
        return;
    uint64_t now = progress->now_ms();
    if (now - progress->drawn_ms < REDRAW_MS)
        return;
    char line[LINE_BYTES];
    progress_line(progress, done_bytes, now - progress->begun_ms, terminal_columns(progress->err),
                  line, sizeof(line));
    fprintf(progress->err, "\r%s\033[K", line);
    fflush(progress->err);
    progress->drawn_ms = now;
    progress->drawn = true;
}

void progress_end(struct progress *progress)
{
    if (!progress->drawn)
        return;
    fputs("\r\033[K", progress->err);
    fflush(progress->err);
    progress->drawn = false;
}
