#include "base/vast.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define CORE_PAGES      4096

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

/* The bytes that `count` elements take, or 0 when no address space could hold them. */
static size_t bytes_for(size_t element_bytes, uint64_t count)
{
    size_t bytes;
    if (__builtin_mul_overflow(element_bytes, count, &bytes) || bytes > SIZE_MAX / 4)
        return 0;
    return round_up(bytes, HUGE_PAGE_BYTES);
}

/* Addresses alone; NULL when refused. What cannot be written counts as no memory, wherever the
 * system is strict about what it promises: that comes with vast_grow. */
static char *reserve_addresses(size_t bytes)
{
    size_t with_slack = bytes + HUGE_PAGE_BYTES;
    char *raw = mmap(NULL, with_slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED)
        return NULL;
    char *base = (char *)round_up((uintptr_t)raw, HUGE_PAGE_BYTES);
    size_t before = (size_t)(base - raw), after = with_slack - before - bytes;
    if (before)
        (void)munmap(raw, before);
    if (after)
        (void)munmap(base + bytes, after);
    return base;
}

enum status vast_init(struct vast *vast, size_t element_bytes, uint64_t capacity,
                      uint64_t capacity_least, bool huge_pages)
{
    assert(element_bytes > 0 && capacity_least > 0 && capacity_least <= capacity);
    for (;;) {
        size_t bytes = bytes_for(element_bytes, capacity);
        char *base = bytes ? reserve_addresses(bytes) : NULL;
        if (base) {
            *vast =
                (struct vast){.base = base, .element_bytes = element_bytes, .capacity = capacity};
            if (huge_pages)
                vast_huge_pages(vast);
            return STATUS_OK;
        }
        if (capacity == capacity_least)
            return STATUS_NO_MEMORY;
        capacity = capacity / 2 > capacity_least ? capacity / 2 : capacity_least;
    }
}

void vast_huge_pages(struct vast *vast)
{
    /* A wish: without it the array is as good, only slower to touch and to walk. */
    (void)madvise(vast->base, bytes_for(vast->element_bytes, vast->capacity), MADV_HUGEPAGE);
}

void vast_fini(struct vast *vast)
{
    if (vast->base) {
        int failed = munmap(vast->base, bytes_for(vast->element_bytes, vast->capacity));
        assert(!failed);
    }
    *vast = (struct vast){0};
}

enum status vast_grow(struct vast *vast, uint64_t count)
{
    if (count > vast->capacity)
        return STATUS_NO_MEMORY;
    size_t whole = bytes_for(vast->element_bytes, vast->capacity);
    size_t usable = round_up(vast->usable * vast->element_bytes, HUGE_PAGE_BYTES);
    size_t wanted = bytes_for(vast->element_bytes, count);
    size_t step = usable / 8 > VAST_STEP_BYTES ? usable / 8 : VAST_STEP_BYTES;
    size_t target = round_up(usable + step, HUGE_PAGE_BYTES);
    target = target < wanted ? wanted : target;
    target = target > whole ? whole : target;
    if (target > usable) {
        /* Where the system counts what it has promised, this is where it says no, rather than
         * killing the process at a touch. A step that is refused is tried without its margin. */
        while (mprotect(vast->base + usable, target - usable, PROT_READ | PROT_WRITE) != 0) {
            if (target == wanted)
                return STATUS_NO_MEMORY;
            target = wanted;
        }
        usable = target;
    }
    uint64_t elements = usable / vast->element_bytes;
    vast->usable = elements < vast->capacity ? elements : vast->capacity;
    vast->count = count;
    assert(vast->usable >= count);
    return STATUS_OK;
}

enum status vast_resident(const struct vast *vast, uint64_t *ret_bytes)
{
    unsigned char core[CORE_PAGES];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), window = page * CORE_PAGES;
    size_t end = round_up(vast->usable * vast->element_bytes, page);
    uint64_t pages = 0;
    for (size_t at = 0; at < end; at += window) {
        size_t length = end - at < window ? end - at : window;
        if (mincore(vast->base + at, length, core) != 0)
            return STATUS_IO;
        for (size_t i = 0; i < length / page; i++)
            pages += core[i] & 1;
    }
    *ret_bytes = pages * page;
    return STATUS_OK;
}
