/* Inputs: ratel-gen's output in files that are in the page cache. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ratel/bench.h"

extern char **environ;

#define COPY_BYTES  (1u << 20)
#define MEMBERS_MAX 64

/* ---- children
 * ----------------------------------------------------------------------------------------------------
 */

enum status bench_spawn(const char *const *arguments, int output, int *ret_pid, struct error *error)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (output < 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    else
        posix_spawn_file_actions_adddup2(&actions, output, 1);
    int number =
        posix_spawn(ret_pid, arguments[0], &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return number == 0 ? STATUS_OK
                       : error_set(error, STATUS_UNAVAILABLE, "%s cannot be started: %s",
                                   arguments[0], strerror(number));
}

enum status bench_wait(int pid, const char *name, struct error *error)
{
    int state = 0;
    while (waitpid(pid, &state, 0) < 0)
        if (errno != EINTR)
            return error_set(error, STATUS_UNAVAILABLE, "%s: %s", name, strerror(errno));
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return STATUS_OK;
    return error_set(error, STATUS_UNAVAILABLE, "%s ended with %s %d", name,
                     WIFEXITED(state) ? "code" : "signal",
                     WIFEXITED(state) ? WEXITSTATUS(state) : WTERMSIG(state));
}

/* ---- the generator
 * -----------------------------------------------------------------------------------------------
 */

static const char *format_text(struct bench *bench, const char *format, uint64_t number)
{
    char text[64];
    int length = snprintf(text, sizeof(text), "%s%" PRIu64, format, number);
    char *copy = arena_alloc(&bench->context->arena, (size_t)length + 1);
    memcpy(copy, text, (size_t)length + 1);
    return copy;
}

static const char *join(struct bench *bench, const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *text = arena_alloc(&bench->context->arena, size);
    snprintf(text, size, "%s%s%s", a, b, c);
    return text;
}

void bench_generator_arguments(struct bench *bench, const struct bench_recipe *recipe,
                               const char **ret)
{
    const char *const arguments[] = {
        join(bench, bench->tools, "/ratel-gen", ""),
        format_text(bench, "--seed=", bench->options.seed),
        "--stable",
        "--zones=10",
        "--projects=0",
        format_text(bench, "--series=", recipe->series),
        format_text(bench, "--accounts=", bench->options.accounts),
        format_text(bench, "--days=", recipe->days),
        join(bench, "--start=", recipe->start ? recipe->start : "2026-10-01", ""),
        format_text(bench, "--duplicates=", recipe->duplicates),
        join(bench, "--order=", recipe->order, ""),
        join(bench, "--form=", recipe->form, ""),
    };
    uint32_t count = sizeof(arguments) / sizeof(arguments[0]);
    memcpy(ret, arguments, sizeof(arguments));
    ret[count] = NULL;
}

/* ---- layouts that change
 * -----------------------------------------------------------------------------------------
 */

static uint64_t draw(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* The members of `line`, "{...}" and a line end, in another order. No value of the generator holds
 * a comma and a quote in a row, so members end there. */
static bool shuffle_line(FILE *out, const char *line, size_t length, uint64_t *state)
{
    struct slice members[MEMBERS_MAX];
    uint32_t count = 0;
    const char *at = line + 1, *end = line + length - 2;
    while (at < end && count < MEMBERS_MAX) {
        const char *comma = memmem(at, (size_t)(end - at), ",\"", 2);
        const char *stop = comma ? comma : end;
        members[count++] = slice_of(at, (size_t)(stop - at));
        at = stop + 1;
    }
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = (uint32_t)(draw(state) % i);
        struct slice other = members[j];
        members[j] = members[i - 1];
        members[i - 1] = other;
    }
    for (uint32_t i = 0; i < count; i++) {
        putc_unlocked(i ? ',' : '{', out);
        fwrite_unlocked(members[i].data, 1, members[i].length, out);
    }
    fputs("}\n", out);
    return at >= end;
}

static enum status shuffle(int from, const char *path, uint64_t seed, struct error *error)
{
    FILE *in = fdopen(from, "r"), *out = fopen(path, "w");
    char *line = NULL;
    size_t size = 0;
    bool good = in && out;
    if (good) {
        setvbuf(in, NULL, _IOFBF, COPY_BYTES);
        setvbuf(out, NULL, _IOFBF, COPY_BYTES);
    }
    for (ssize_t length; good && (length = getline(&line, &size, in)) > 2;)
        good = shuffle_line(out, line, (size_t)length, &seed);
    free(line);
    if (in)
        fclose(in);
    else
        close(from);
    good = out && fclose(out) == 0 && good;
    return good ? STATUS_OK : error_set(error, STATUS_IO, "%s: cannot be written", path);
}

/* ---- making one
 * --------------------------------------------------------------------------------------------------
 */

static enum status generate(struct bench *bench, const struct bench_recipe *recipe,
                            const struct bench_input *input, const char **arguments,
                            struct error *error)
{
    uint32_t count = 0;
    int pid = 0, ends[2] = {-1, -1};
    while (arguments[count])
        count++;
    arguments[count++] = join(bench, "--truth=", input->truth_path, "");
    arguments[count++] = join(bench, "--accounts-doc=", input->path, ".accounts");
    arguments[count++] = recipe->changing ? "--out=-" : join(bench, "--out=", input->path, "");
    arguments[count] = NULL;
    if (recipe->changing && pipe2(ends, O_CLOEXEC) != 0)
        return error_set(error, STATUS_UNAVAILABLE, "pipe: %s", strerror(errno));
    enum status status = bench_spawn(arguments, ends[1], &pid, error);
    if (ends[1] >= 0)
        close(ends[1]);
    if (status != STATUS_OK) {
        if (ends[0] >= 0)
            close(ends[0]);
        return status;
    }
    if (ends[0] >= 0)
        status = shuffle(ends[0], input->path, bench->options.seed, error);
    enum status ended = bench_wait(pid, "ratel-gen", error);
    return status == STATUS_OK ? ended : status;
}

/* Dirty pages that are written back while something is measured would be measured, too. */
static enum status sync_file(const char *path, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fdatasync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good ? STATUS_OK : error_set(error, STATUS_IO, "%s: %s", path, strerror(errno));
}

/* What an input was made of, beside it. */
static bool is_made(const char *path, const char *recipe)
{
    char text[1024];
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = '\0';
    return strcmp(text, recipe) == 0;
}

static enum status note_made(const char *path, const char *recipe, struct error *error)
{
    FILE *file = fopen(path, "w");
    bool good = file && fputs(recipe, file) >= 0;
    good = file && fclose(file) == 0 && good;
    return good ? STATUS_OK : error_set(error, STATUS_IO, "%s: cannot be written", path);
}

enum status bench_input_make(struct bench *bench, const struct bench_recipe *recipe,
                             struct bench_input *ret, struct error *error)
{
    const char *arguments[32];
    char made[BENCH_PATH_BYTES + 16], text[1024];
    int length = snprintf(ret->path, sizeof(ret->path), "%s/%s", bench->directory, recipe->name);
    int longer = snprintf(ret->truth_path, sizeof(ret->truth_path), "%s/%s.truth", bench->directory,
                          recipe->name);
    if (length < 0 || longer < 0 || (size_t)longer >= sizeof(ret->truth_path))
        return error_set(error, STATUS_USAGE, "the path %s is too long", bench->directory);
    bench_generator_arguments(bench, recipe, arguments);
    size_t at = 0;
    for (uint32_t i = 1; arguments[i]; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s ", arguments[i]);
    snprintf(text + at, sizeof(text) - at, "%s\n", recipe->changing ? "changing" : "");
    snprintf(made, sizeof(made), "%s.made", ret->path);
    enum status status = STATUS_OK;
    if (!is_made(made, text)) {
        bench_say(bench, "making %s", recipe->name);
        status = generate(bench, recipe, ret, arguments, error);
        if (status == STATUS_OK)
            status = sync_file(ret->path, error);
        if (status == STATUS_OK)
            status = note_made(made, text, error);
    }
    struct stat facts;
    if (status == STATUS_OK && stat(ret->path, &facts) != 0)
        status = error_set(error, STATUS_IO, "%s: %s", ret->path, strerror(errno));
    if (status != STATUS_OK)
        return status;
    ret->bytes = (uint64_t)facts.st_size;
    ret->first_day = ret->bytes / recipe->days;
    status = bench_truth_read(ret->truth_path, &ret->truth, error);
    return status == STATUS_OK ? bench_input_warm(ret, error) : status;
}

void bench_input_fini(struct bench_input *input)
{
    bench_truth_free(input->truth);
    input->truth = NULL;
}

/* ---- the page cache
 * ----------------------------------------------------------------------------------------------
 */

static bool is_cached(int fd, uint64_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (bytes + page - 1) / page;
    unsigned char *cached = malloc(pages + 1);
    void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
    bool all = cached && map != MAP_FAILED && mincore(map, bytes, cached) == 0;
    for (size_t i = 0; all && i < pages; i++)
        all = cached[i] & 1;
    if (map != MAP_FAILED)
        munmap(map, bytes);
    free(cached);
    return all;
}

enum status bench_input_warm(const struct bench_input *input, struct error *error)
{
    int fd = open(input->path, O_RDONLY | O_CLOEXEC);
    char *buffer = malloc(COPY_BYTES);
    bool good = fd >= 0 && buffer;
    if (good && input->bytes > 0 && !is_cached(fd, input->bytes))
        for (ssize_t length = 1; good && length > 0;) {
            length = read(fd, buffer, COPY_BYTES);
            good = length >= 0;
        }
    free(buffer);
    if (fd >= 0)
        close(fd);
    return good ? STATUS_OK : error_set(error, STATUS_IO, "%s: %s", input->path, strerror(errno));
}
