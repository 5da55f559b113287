#include "store/read_ahead.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/file.h"

#define PAGE_BYTES  4096
#define BLOCK_PAGES (READ_AHEAD_BLOCK_BYTES / PAGE_BYTES)
#define ALL_BYTES   ((READ_AHEAD_BLOCKS + 1) * READ_AHEAD_BLOCK_BYTES)

struct read_ahead {
    char *memory;
    struct read_block blocks[READ_AHEAD_BLOCKS]; /* number n is at n % READ_AHEAD_BLOCKS */
    pthread_t thread;
    pthread_mutex_t mutex; /* over the five below */
    pthread_cond_t changed;
    uint64_t read; /* blocks that the thread has filled */
    uint64_t taken;
    uint64_t returned;
    bool ended; /* there are no more than `read` */
    bool stopping;
    /* Of the pass; the thread's while it runs. */
    int fd;
    int direct_fd; /* -1: none */
    uint64_t from;
    uint64_t end;
    char *map; /* is only asked about, never read; NULL: cannot be had */
    bool running;
};

enum status read_ahead_new(struct read_ahead **ret, struct error *error)
{
    struct read_ahead *ahead = calloc(1, sizeof(*ahead));
    void *memory = mmap(NULL, ALL_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!ahead || memory == MAP_FAILED) {
        if (memory != MAP_FAILED)
            (void)munmap(memory, ALL_BYTES);
        free(ahead);
        return error_set(error, STATUS_NO_MEMORY, "out of memory");
    }
    (void)madvise(memory, ALL_BYTES,
                  MADV_HUGEPAGE); /* the first touch is much of what a walk costs */
    ahead->memory = memory;
    for (size_t i = 0; i < READ_AHEAD_BLOCKS; i++)
        ahead->blocks[i].data = ahead->memory + (i + 1) * READ_AHEAD_BLOCK_BYTES;
    pthread_mutex_init(&ahead->mutex, NULL);
    pthread_cond_init(&ahead->changed, NULL);
    *ret = ahead;
    return STATUS_OK;
}

void read_ahead_free(struct read_ahead *ahead)
{
    if (!ahead)
        return;
    read_ahead_end(ahead);
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->mutex);
    (void)munmap(ahead->memory, ALL_BYTES);
    free(ahead);
}

/* Is all of it in the page cache? Then reading it from there is quicker, and costs no memory. */
static bool is_cached(const struct read_ahead *ahead, uint64_t offset, size_t bytes)
{
    unsigned char pages[BLOCK_PAGES];
    size_t count = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    if (!ahead->map || mincore(ahead->map + offset, bytes, pages) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!(pages[i] & 1))
            return false;
    return true;
}

static void read_block(struct read_ahead *ahead, struct read_block *block, uint64_t offset,
                       size_t bytes)
{
    block->bytes = 0;
    block->code = 0;
    if (ahead->direct_fd >= 0 && !is_cached(ahead, offset, bytes)) {
        size_t whole = (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
        ssize_t got = pread(ahead->direct_fd, block->data, whole, (off_t)offset);
        if (got < 0 && errno != EINTR && errno != EINVAL) {
            block->code = errno;
            return;
        }
        if (got > 0)
            block->bytes = (size_t)got < bytes ? (size_t)got : bytes;
    }
    /* The rest of a short read, and what O_DIRECT does not do here. */
    size_t more = 0;
    if (block->bytes < bytes)
        block->code = file_read(ahead->fd, block->data + block->bytes, bytes - block->bytes,
                                offset + block->bytes, &more);
    block->bytes += more;
}

static void *read_blocks(void *context)
{
    struct read_ahead *ahead = context;
    uint64_t offset = ahead->from;
    bool more = offset < ahead->end;
    pthread_mutex_lock(&ahead->mutex);
    while (more && !ahead->stopping) {
        if (ahead->read - ahead->returned == READ_AHEAD_BLOCKS) {
            pthread_cond_wait(&ahead->changed, &ahead->mutex);
            continue;
        }
        struct read_block *block = &ahead->blocks[ahead->read % READ_AHEAD_BLOCKS];
        uint64_t left = ahead->end - offset;
        size_t bytes = left < READ_AHEAD_BLOCK_BYTES ? (size_t)left : READ_AHEAD_BLOCK_BYTES;
        pthread_mutex_unlock(&ahead->mutex);
        read_block(ahead, block, offset, bytes);
        more = !block->code && block->bytes == bytes && bytes < left;
        offset += bytes;
        pthread_mutex_lock(&ahead->mutex);
        ahead->read++;
        ahead->ended = !more;
        pthread_cond_broadcast(&ahead->changed);
    }
    ahead->ended = true;
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->mutex);
    return NULL;
}

static int start_thread(struct read_ahead *ahead)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are for the program's own threads */
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGABRT);
    int code = pthread_sigmask(SIG_SETMASK, &all, &before);
    assert(code == 0);
    code = pthread_create(&ahead->thread, NULL, read_blocks, ahead);
    int restored = pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert(restored == 0);
    return code;
}

static void close_pass(struct read_ahead *ahead)
{
    if (ahead->map)
        (void)munmap(ahead->map, ahead->end);
    if (ahead->direct_fd >= 0)
        close(ahead->direct_fd);
}

bool read_ahead_begin(struct read_ahead *ahead, const char *path, int fd, uint64_t from,
                      uint64_t end)
{
    assert(!ahead->running && from % PAGE_BYTES == 0 && from < end);
    ahead->read = ahead->taken = ahead->returned = 0;
    ahead->ended = ahead->stopping = false;
    ahead->fd = fd;
    ahead->from = from;
    ahead->end = end;
    ahead->direct_fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
    ahead->map = NULL;
    if (ahead->direct_fd >= 0) {
        void *map = mmap(NULL, end, PROT_NONE, MAP_SHARED, ahead->direct_fd, 0);
        ahead->map = map == MAP_FAILED ? NULL : map;
    }
    ahead->running = start_thread(ahead) == 0;
    if (!ahead->running)
        close_pass(ahead);
    return ahead->running;
}

struct read_block *read_ahead_next(struct read_ahead *ahead)
{
    assert(ahead->running && ahead->taken - ahead->returned < READ_AHEAD_BLOCKS);
    pthread_mutex_lock(&ahead->mutex);
    while (ahead->taken == ahead->read && !ahead->ended)
        pthread_cond_wait(&ahead->changed, &ahead->mutex);
    struct read_block *block = NULL;
    if (ahead->taken < ahead->read)
        block = &ahead->blocks[ahead->taken++ % READ_AHEAD_BLOCKS];
    pthread_mutex_unlock(&ahead->mutex);
    return block;
}

void read_ahead_return(struct read_ahead *ahead)
{
    pthread_mutex_lock(&ahead->mutex);
    assert(ahead->returned < ahead->taken);
    ahead->returned++;
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->mutex);
}

bool read_ahead_is_first(const struct read_ahead *ahead, const struct read_block *block)
{
    return block == &ahead->blocks[0];
}

void read_ahead_end(struct read_ahead *ahead)
{
    if (!ahead->running)
        return;
    pthread_mutex_lock(&ahead->mutex);
    ahead->stopping = true;
    pthread_cond_broadcast(&ahead->changed);
    pthread_mutex_unlock(&ahead->mutex);
    int code = pthread_join(ahead->thread, NULL);
    assert(code == 0);
    (void)code;
    ahead->running = false;
    close_pass(ahead);
}
