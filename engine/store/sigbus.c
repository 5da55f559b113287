#include "store/sigbus.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"

#define TEXT_BYTES 5000

/* `map` is written last and cleared first: who sees it sees the rest. */
static struct named {
    _Atomic(const char *) map;
    atomic_size_t bytes;
    _Atomic(const char *) path;
    _Atomic(const char *) advice;
    atomic_flag taken;
} maps[SIGBUS_MAPS_MAX];

static const char *program_name = "ratel";
static int exit_code;

void sigbus_name(const void *map, size_t bytes, const char *path, const char *advice)
{
    assert(map && path && advice);
    for (size_t i = 0; i < SIGBUS_MAPS_MAX; i++) {
        if (atomic_flag_test_and_set(&maps[i].taken))
            continue;
        atomic_store(&maps[i].bytes, bytes);
        atomic_store(&maps[i].path, path);
        atomic_store(&maps[i].advice, advice);
        atomic_store(&maps[i].map, (const char *)map);
        return;
    }
}

void sigbus_forget(const void *map)
{
    for (size_t i = 0; i < SIGBUS_MAPS_MAX; i++) {
        if (atomic_load(&maps[i].map) != (const char *)map)
            continue;
        atomic_store(&maps[i].map, NULL);
        atomic_flag_clear(&maps[i].taken);
        return;
    }
}

/* Only what may be called in a signal handler from here on. */
struct text {
    char bytes[TEXT_BYTES];
    size_t length;
};

static void add(struct text *text, const char *more)
{
    size_t length = strlen(more), room = sizeof(text->bytes) - text->length;
    if (length > room)
        length = room;
    memcpy(text->bytes + text->length, more, length);
    text->length += length;
}

static void add_number(struct text *text, uint64_t number)
{
    char digits[21];
    size_t at = sizeof(digits) - 1;
    digits[at] = 0;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    add(text, digits + at);
}

static void add_place(struct text *text, const char *address)
{
    for (size_t i = 0; i < SIGBUS_MAPS_MAX; i++) {
        const char *map = atomic_load(&maps[i].map);
        if (!map || address < map || address >= map + atomic_load(&maps[i].bytes))
            continue;
        add(text, atomic_load(&maps[i].path));
        add(text, ": cannot read the mapped file at byte ");
        add_number(text, (uint64_t)(address - map));
        add(text, ": the disk failed or the file was cut; ");
        add(text, atomic_load(&maps[i].advice));
        return;
    }
    add(text, "a mapped file of the data directory cannot be read: the disk failed or the file was "
              "cut; look at the system's log, then run `ratel verify`");
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code != BUS_ADRERR && info->si_code != BUS_MCEERR_AR) {
        /* No mapped file: the default action, when this returns. */
        (void)signal(number, SIG_DFL);
        if (info->si_code <= 0)
            (void)raise(number);
        return;
    }
    struct text text = {.length = 0};
    add(&text, program_name);
    add(&text, ": ");
    add_place(&text, info->si_addr);
    add(&text, "\n");
    for (size_t done = 0; done < text.length;) {
        ssize_t written = write(STDERR_FILENO, text.bytes + done, text.length - done);
        if (written < 0 && errno != EINTR)
            break;
        done += written > 0 ? (size_t)written : 0;
    }
    _exit(exit_code);
}

void sigbus_install(const char *program)
{
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_RESETHAND};
    program_name = program;
    exit_code = status_exit_code(STATUS_IO);
    sigemptyset(&action.sa_mask);
    int code = sigaction(SIGBUS, &action, NULL);
    assert(code == 0);
    (void)code;
}
