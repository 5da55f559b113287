/* Memory for frames that are built in place. */
#include <assert.h>
#include <sys/mman.h>

#include "store/frames_private.h"

#define HUGE_PAGE_BYTES ((size_t)2 << 20)

enum status frame_buffer_init(struct frame_buffer *buffer, size_t capacity, struct error *error)
{
    assert(capacity >= 1 && capacity <= FRAME_BYTES_MAX);
    size_t bytes = (size_t)frame_bytes((uint32_t)capacity, FRAME_ALIGNMENT);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return error_set(error, STATUS_NO_MEMORY, "out of memory for a frame of %zu bytes",
                         capacity);
    if (bytes >= HUGE_PAGE_BYTES)
        (void)madvise(memory, bytes, MADV_HUGEPAGE);
    memset(memory, 0, bytes); /* has the kernel give the pages now */
    *buffer = (struct frame_buffer){
        .payload = (char *)memory + FRAME_HEADER_BYTES,
        .capacity = capacity,
        .memory = memory,
        .memory_bytes = bytes,
    };
    return STATUS_OK;
}

void frame_buffer_fini(struct frame_buffer *buffer)
{
    if (buffer->memory)
        (void)munmap(buffer->memory, buffer->memory_bytes);
    *buffer = (struct frame_buffer){0};
}

enum status frame_buffer_reserve(struct frame_buffer *buffer, size_t capacity, struct error *error)
{
    if (capacity <= buffer->capacity)
        return STATUS_OK;
    if (capacity > FRAME_BYTES_MAX)
        return error_set(error, STATUS_RANGE, "a frame of %zu bytes: at most %u fit", capacity,
                         FRAME_BYTES_MAX);
    size_t twice = buffer->capacity * 2 < FRAME_BYTES_MAX ? buffer->capacity * 2 : FRAME_BYTES_MAX;
    struct frame_buffer bigger;
    enum status status = frame_buffer_init(&bigger, capacity > twice ? capacity : twice, error);
    if (status != STATUS_OK)
        return status;
    /* All of it: the owner may have written behind `length`, which it sets last. */
    if (buffer->memory)
        memcpy(bigger.payload, buffer->payload, buffer->capacity);
    bigger.length = buffer->length;
    frame_buffer_fini(buffer);
    *buffer = bigger;
    return STATUS_OK;
}
