/* A module for LD_PRELOAD that counts the calls by which a process changes files, and at call number N kills the process, loses what was
 * not synced, or makes the call fail. tests/faults/faults.sh knows how to use it.
 *
 * Counted: write, pwrite, writev, pwritev, fsync, fdatasync, rename, renameat, ftruncate, unlink, unlinkat, mkdir; writes to descriptors 0-2 are not.
 *
 *   RATEL_KILL_AT=N      SIGKILL at the Nth call, from 1, or, for "exit", when the process has ended by itself; how is said by
 *   RATEL_KILL_MODE      before     the call does not happen (default)
 *                        torn       half of a write happens
 *                        lost       a power cut: the call does not happen, and nothing that was written and not synced was ever there
 *                        shuffled   a power cut: of what was not synced some reached the disk, whatever the order (N is the seed)
 *   RATEL_FAIL_AT=N      the Nth call fails, and those after it, with
 *   RATEL_FAIL_ERRNO     ENOSPC (default) or EIO; a full disk still lets go: ftruncate and unlink work
 *   RATEL_FAIL_ONCE=1    only that one fails
 *   RATEL_FAIL_FOR=M     only M calls from that one on
 *   RATEL_FAIL_GROWING=1 only writes that make a file longer: what a full disk refuses
 *   RATEL_FAULT_COUNT=F  a file that receives the number of calls when the process ends by itself
 *   RATEL_FAULT_LOG=F    a file that receives what the (first) fault hit
 *
 * A descriptor opened with O_DSYNC is durable at once, and its writes are not torn: LMDB writes its 120-byte root that way and relies on a
 * sector being atomic, as disks promise. Power cuts drop file contents only, not names. Only dlsym's own functions are called on the way, so
 * that the module works under sanitizers, behind their runtime in LD_PRELOAD. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum mode { MODE_BEFORE, MODE_TORN, MODE_LOST, MODE_SHUFFLED };
enum kind { KIND_WRITE, KIND_SYNC, KIND_NAME, KIND_RELEASE };

#define AT_EXIT (-1)

static struct {
    long kill_at;
    enum mode mode;
    long fail_at;
    int fail_errno;
    bool fail_once;
    long fail_for;
    bool fail_growing;
    const char *count_path;
    const char *log_path;
} plan;

static atomic_long calls;

/* Contents before a write that is not yet synced. */
struct undo {
    struct undo *older;
    dev_t device;
    ino_t inode;
    int fd;
    off_t offset;
    off_t size;    /* of the file, before */
    size_t room;   /* bytes that the call may change from `offset` on */
    size_t length; /* of them that were there before */
    char bytes[];
};

static struct undo *newest;
static atomic_flag undo_lock = ATOMIC_FLAG_INIT;

static long number_of(const char *name)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void begin(void)
{
    static const char *const modes[] = {"before", "torn", "lost", "shuffled"};
    const char *mode = getenv("RATEL_KILL_MODE"), *code = getenv("RATEL_FAIL_ERRNO");
    const char *kill_at = getenv("RATEL_KILL_AT");
    plan.kill_at = kill_at && strcmp(kill_at, "exit") == 0 ? AT_EXIT : number_of("RATEL_KILL_AT");
    for (int i = 0; mode && i < 4; i++)
        if (strcmp(mode, modes[i]) == 0)
            plan.mode = (enum mode)i;
    plan.fail_at = number_of("RATEL_FAIL_AT");
    plan.fail_errno = code && strcmp(code, "EIO") == 0 ? EIO : ENOSPC;
    plan.fail_once = number_of("RATEL_FAIL_ONCE") != 0;
    plan.fail_for = number_of("RATEL_FAIL_FOR");
    plan.fail_growing = number_of("RATEL_FAIL_GROWING") != 0;
    plan.count_path = getenv("RATEL_FAULT_COUNT");
    plan.log_path = getenv("RATEL_FAULT_LOG");
}

static void note(const char *path, const char *text)
{
    int fd =
        (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    (void)syscall(SYS_write, fd, text, strlen(text));
    (void)syscall(SYS_close, fd);
}

static void log_fault(long number, const char *call, int fd, const char *path)
{
    static atomic_flag told = ATOMIC_FLAG_INIT;
    char text[5000], link[64], target[4096] = "";
    if (!plan.log_path || atomic_flag_test_and_set(&told))
        return;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (!path) {
        ssize_t length = readlink(link, target, sizeof(target) - 1);
        target[length > 0 ? length : 0] = 0;
    }
    snprintf(text, sizeof(text), "call %ld: %s %s\n", number, call, path ? path : target);
    note(plan.log_path, text);
}

static void lock(void)
{
    while (atomic_flag_test_and_set(&undo_lock))
        continue;
}

static void unlock(void)
{
    atomic_flag_clear(&undo_lock);
}

/* ---- power cuts --------------------------------------------------------------------------------------------------- */

static bool loses(void)
{
    return plan.kill_at != 0 && plan.mode >= MODE_LOST;
}

static bool is_durable_at_once(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 || (flags & (O_DSYNC | O_SYNC)) != 0;
}

/* Keeps what [offset, offset + room) holds now. */
static void remember(int fd, off_t offset, size_t room)
{
    struct stat facts;
    char path[64];
    if (!loses() || fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || is_durable_at_once(fd))
        return;
    struct undo *undo = malloc(sizeof(*undo) + room);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int own = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (!undo || own < 0)
        abort();
    long length = room ? syscall(SYS_pread64, own, undo->bytes, room, offset) : 0;
    *undo = (struct undo){.device = facts.st_dev,
                          .inode = facts.st_ino,
                          .fd = own,
                          .offset = offset,
                          .size = facts.st_size,
                          .room = room};
    undo->length = length > 0 ? (size_t)length : 0;
    lock();
    undo->older = newest;
    newest = undo;
    unlock();
}

static void forget(int fd)
{
    struct stat facts;
    if (!loses() || fstat(fd, &facts) != 0)
        return;
    lock();
    for (struct undo **at = &newest; *at;) {
        struct undo *undo = *at;
        if (undo->device != facts.st_dev || undo->inode != facts.st_ino) {
            at = &undo->older;
            continue;
        }
        *at = undo->older;
        (void)syscall(SYS_close, undo->fd);
        free(undo);
    }
    unlock();
}

static void undo_one(const struct undo *undo)
{
    if (undo->length)
        (void)syscall(SYS_pwrite64, undo->fd, undo->bytes, undo->length, undo->offset);
    if (plan.mode == MODE_LOST) {
        (void)syscall(SYS_ftruncate, undo->fd, undo->size);
        return;
    }
    /* The file kept its length, for something behind this may have reached the disk: a hole reads as zeros. */
    char zero = 0;
    for (size_t i = undo->length; i < undo->room; i++)
        (void)syscall(SYS_pwrite64, undo->fd, &zero, 1, undo->offset + (off_t)i);
}

static void cut_power(long seed)
{
    uint64_t state = (uint64_t)seed * 0x9e3779b97f4a7c15u + 1;
    lock(); /* for good: other threads neither write nor forget any more */
    for (const struct undo *undo = newest; undo; undo = undo->older) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        if (plan.mode == MODE_LOST || (state >> 40 & 1))
            undo_one(undo);
    }
}

/* ---- what happens at call N ---------------------------------------------------------------------------------------- */

enum verdict { GO, FAIL, TEAR };

static void die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* [offset, offset + length) reaches behind the file's end. */
static bool grows(int fd, off_t offset, size_t length)
{
    struct stat facts;
    return fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) &&
           offset + (off_t)length > facts.st_size;
}

/* `growing`: the call makes a file longer. */
static enum verdict judge_growing(const char *call, enum kind kind, int fd, const char *path,
                                  bool growing)
{
    if (kind == KIND_WRITE && fd <= 2)
        return GO;
    long number = atomic_fetch_add(&calls, 1) + 1;
    bool failing =
        plan.fail_at > 0 && (plan.fail_once ? number == plan.fail_at : number >= plan.fail_at);
    failing = failing && (plan.fail_for == 0 || number < plan.fail_at + plan.fail_for) &&
              (growing || !plan.fail_growing);
    if (failing && !(kind == KIND_RELEASE && plan.fail_errno == ENOSPC)) {
        log_fault(number, call, fd, path);
        errno = plan.fail_errno;
        return FAIL;
    }
    if (plan.kill_at != number)
        return GO;
    log_fault(number, call, fd, path);
    if (plan.mode == MODE_TORN && kind == KIND_WRITE && !is_durable_at_once(fd))
        return TEAR;
    if (loses())
        cut_power(number);
    die();
    return GO;
}

static enum verdict judge(const char *call, enum kind kind, int fd, const char *path)
{
    return judge_growing(call, kind, fd, path, false);
}

__attribute__((destructor)) static void end(void)
{
    char text[32];
    snprintf(text, sizeof(text), "%ld\n", atomic_load(&calls));
    if (plan.count_path)
        note(plan.count_path, text);
    if (plan.kill_at != AT_EXIT)
        return;
    if (loses())
        cut_power(1);
    die();
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#pragma GCC diagnostic ignored "-Wpedantic" /* dlsym gives a data pointer */

ssize_t write(int fd, const void *data, size_t length)
{
    enum verdict verdict = judge_growing("write", KIND_WRITE, fd, NULL,
                                         fd > 2 && grows(fd, lseek(fd, 0, SEEK_CUR), length));
    if (verdict == FAIL)
        return -1;
    if (verdict == GO && fd > 2)
        remember(fd, lseek(fd, 0, SEEK_CUR), length);
    ssize_t written = NEXT(write)(fd, data, verdict == TEAR ? length / 2 : length);
    if (verdict == TEAR)
        die();
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
    enum verdict verdict = judge_growing("pwrite", KIND_WRITE, fd, NULL, grows(fd, offset, length));
    if (verdict == FAIL)
        return -1;
    if (verdict == GO)
        remember(fd, offset, length);
    ssize_t written = NEXT(pwrite)(fd, data, verdict == TEAR ? length / 2 : length, offset);
    if (verdict == TEAR)
        die();
    return written;
}

static size_t total_of(const struct iovec *parts, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    return total;
}

/* The first half of what the parts hold; the copy is for the one call. */
static int half_of(const struct iovec *parts, int count, struct iovec *half)
{
    size_t left = total_of(parts, count) / 2;
    for (int i = 0; i < count; i++) {
        half[i] = parts[i];
        if (half[i].iov_len >= left) {
            half[i].iov_len = left;
            return i + 1;
        }
        left -= half[i].iov_len;
    }
    return count;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    struct iovec half[1024];
    enum verdict verdict =
        judge_growing("writev", KIND_WRITE, fd, NULL,
                      fd > 2 && grows(fd, lseek(fd, 0, SEEK_CUR), total_of(parts, count)));
    if (verdict == FAIL)
        return -1;
    if (verdict == GO && fd > 2)
        remember(fd, lseek(fd, 0, SEEK_CUR), total_of(parts, count));
    if (verdict == GO)
        return NEXT(writev)(fd, parts, count);
    (void)NEXT(writev)(fd, half, half_of(parts, count, half));
    die();
    return -1;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    struct iovec half[1024];
    enum verdict verdict =
        judge_growing("pwritev", KIND_WRITE, fd, NULL, grows(fd, offset, total_of(parts, count)));
    if (verdict == FAIL)
        return -1;
    if (verdict == GO) {
        remember(fd, offset, total_of(parts, count));
        return NEXT(pwritev)(fd, parts, count, offset);
    }
    (void)NEXT(pwritev)(fd, half, half_of(parts, count, half), offset);
    die();
    return -1;
}

int fsync(int fd)
{
    if (judge("fsync", KIND_SYNC, fd, NULL) == FAIL)
        return -1;
    int result = NEXT(fsync)(fd);
    if (result == 0)
        forget(fd);
    return result;
}

int fdatasync(int fd)
{
    if (judge("fdatasync", KIND_SYNC, fd, NULL) == FAIL)
        return -1;
    int result = NEXT(fdatasync)(fd);
    if (result == 0)
        forget(fd);
    return result;
}

int ftruncate(int fd, off_t length)
{
    struct stat facts;
    if (judge("ftruncate", KIND_RELEASE, fd, NULL) == FAIL)
        return -1;
    if (loses() && fstat(fd, &facts) == 0)
        remember(fd, length, facts.st_size > length ? (size_t)(facts.st_size - length) : 0);
    return NEXT(ftruncate)(fd, length);
}

int rename(const char *from, const char *to)
{
    return judge("rename", KIND_NAME, -1, to) == FAIL ? -1 : NEXT(rename)(from, to);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return judge("renameat", KIND_NAME, -1, to) == FAIL ? -1
                                                        : NEXT(renameat)(from_fd, from, to_fd, to);
}

int mkdir(const char *path, mode_t mode)
{
    return judge("mkdir", KIND_NAME, -1, path) == FAIL ? -1 : NEXT(mkdir)(path, mode);
}

int unlink(const char *path)
{
    return judge("unlink", KIND_RELEASE, -1, path) == FAIL ? -1 : NEXT(unlink)(path);
}

int unlinkat(int fd, const char *path, int flags)
{
    return judge("unlinkat", KIND_RELEASE, -1, path) == FAIL ? -1 : NEXT(unlinkat)(fd, path, flags);
}
