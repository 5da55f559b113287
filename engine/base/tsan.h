/* What ThreadSanitizer cannot see for itself: synchronisation through Concurrency Kit, whose atomic
 * operations are inline assembly. The files that use it are compiled without instrumentation
 * (engine/base/CMakeLists.txt) and say with these two what their operations order. Everything that
 * travels through them is touched by instrumented code, so a race on it is still found
 * (tests/engine/base/planted_race.c). */
#ifndef RATEL_BASE_TSAN_H
#define RATEL_BASE_TSAN_H

#ifdef RATEL_TSAN
#include <sanitizer/tsan_interface.h>

static inline void tsan_acquire(void *address)
{
    __tsan_acquire(address);
}

static inline void tsan_release(void *address)
{
    __tsan_release(address);
}
#else
static inline void tsan_acquire(void *address)
{
    (void)address;
}

static inline void tsan_release(void *address)
{
    (void)address;
}
#endif

#endif
