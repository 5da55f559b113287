#include "ratel/files.h"

#include <assert.h>
#include <string.h>

#include "adapters/adapter.h"

#define CHUNK_BYTES ((size_t)64 << 10)

static enum status read_all(struct input *input, const char *path, struct arena *arena,
                            struct slice *ret, struct error *error)
{
    size_t capacity = CHUNK_BYTES;
    size_t length = 0;
    char *data = arena_alloc(arena, capacity);
    for (;;) {
        size_t got = 0;
        enum status status = input_read(input, data + length, capacity - length, &got, error);
        if (status != STATUS_OK)
            return status;
        if (got == 0)
            break;
        length += got;
        if (length > FILE_BYTES_MAX) {
            error_set(error, STATUS_INVALID, "is larger than %zu MiB; split it",
                      FILE_BYTES_MAX >> 20);
            return error_at(error, path, 0, 0);
        }
        if (length == capacity) {
            /* Doubling into an arena wastes at most as much again, for the life of one command. */
            char *larger = arena_alloc(arena, capacity * 2);
            memcpy(larger, data, length);
            data = larger;
            capacity *= 2;
        }
    }
    *ret = (struct slice){data, length};
    return STATUS_OK;
}

enum status file_read_whole(const char *path, struct arena *arena, struct slice *ret,
                            struct error *error)
{
    struct input *input;
    enum status status = input_open(path, &input, error);
    if (status != STATUS_OK)
        return status;
    status = read_all(input, path, arena, ret, error);
    input_close(input);
    return status;
}

struct slice file_label(const char *path)
{
    return strcmp(path, "-") == 0 ? SLICE("<stdin>") : slice_string(path);
}

enum status files_documents(const char *const *paths, uint32_t count, struct document_list *list,
                            struct problems *problems, struct error *error)
{
    assert(list->arena == problems->arena);
    uint32_t inputs = 0;
    for (uint32_t i = 0; i < count; i++)
        inputs += strcmp(paths[i], "-") == 0;
    if (inputs > 1)
        return error_set(error, STATUS_USAGE,
                         "\"-\" is given twice; the standard input can be read once");
    bool bad = false;
    for (uint32_t i = 0; i < count; i++) {
        struct slice text;
        enum status status = file_read_whole(paths[i], list->arena, &text, error);
        if (status != STATUS_OK)
            return status;
        status = documents_parse(list, file_label(paths[i]), text, problems);
        if (status != STATUS_OK && status != STATUS_INVALID)
            return error_set(error, status, "%s: %s", paths[i], status_text(status));
        bad = bad || status == STATUS_INVALID;
    }
    if (bad)
        return error_set(error, STATUS_INVALID, "the documents have problems");
    return STATUS_OK;
}
