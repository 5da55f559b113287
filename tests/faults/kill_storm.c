/* Kills `ratel ingest` with two lanes and two shards again and again: at the nth call that changes
 * a file, for one n after another and in every way that kill_at.c knows, and at random instants;
 * often twice in a row. Each time it is run again, and everything that anybody can ask must be what
 * a run that nobody killed has left, to the byte.
 *
 *   kill-storm BUILD_DIR [SECONDS [SEED]]      RATEL_LONG=1: an hour, a new cloud every 500 kills
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/seeded.h"
#include "engine/store/scratch.h"

#define FILES 6
#define WORDS 24

static struct {
    char ratel[SCRATCH_PATH_BYTES], generate[SCRATCH_PATH_BYTES];
    char preload[3 * SCRATCH_PATH_BYTES]; /* "LD_PRELOAD=..." */
    char work[SCRATCH_PATH_BYTES];
    char *clean;         /* what a run without a kill leaves */
    long calls;          /* that it makes */
    int64_t nanoseconds; /* that it takes */
    struct seeded seeded;
    uint64_t kills, through, runs;
} storm;

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "FAILED: seed %llu, after %llu kills: ", (unsigned long long)storm.seeded.seed,
            (unsigned long long)storm.kills);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nwhat is left lies in %s\n", storm.work);
    va_end(arguments);
    exit(1);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* ---- processes
 * -------------------------------------------------------------------------------------------------------
 */

static pid_t start(const char *const *words, const char *const *variables, int out)
{
    extern char **environ;
    char *environment[256];
    size_t count = 0;
    posix_spawn_file_actions_t actions;
    pid_t process;
    for (char **at = environ; *at && count < 240; at++)
        environment[count++] = *at;
    for (; variables && *variables; variables++)
        environment[count++] = (char *)*variables;
    environment[count] = NULL;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_addopen(&actions, 2, "err", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    int code = posix_spawnp(&process, words[0], &actions, NULL, (char *const *)words, environment);
    posix_spawn_file_actions_destroy(&actions);
    if (code)
        give_up("%s cannot be started: %s", words[0], strerror(code));
    storm.runs++;
    return process;
}

/* Exit code, or 128 and the signal. */
static int end_of(pid_t process)
{
    int how;
    while (waitpid(process, &how, 0) != process)
        if (errno != EINTR)
            give_up("waitpid: %s", strerror(errno));
    return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
}

static int run(const char *const *words, const char *const *variables, const char *out)
{
    int fd = open(out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        give_up("%s: %s", out, strerror(errno));
    int code = end_of(start(words, variables, fd));
    close(fd);
    return code;
}

static void must(const char *what, const char *const *words)
{
    int code = run(words, NULL, "/dev/null");
    if (code) {
        size_t length;
        give_up("%s ends with %d: %s", what, code, scratch_read("err", &length));
    }
}

/* ---- the cloud
 * -------------------------------------------------------------------------------------------------------
 */

static const char card[] =
    "kind: ratecard\nname: card\ncurrency: EUR\neffective_from: 2026-10-01T00:00:00Z\ncharges:\n"
    "  - {code: vm, meter: vm.running, unit: hour, price: \"0.10\"}\n"
    "  - {code: net, scope: resource, meter: network.sent, unit: GiB, price: \"0.05\"}\n"
    "---\nkind: catalogue\nname: public\nratecard: card\n";

static const char *words_of_ingest[WORDS];

static void fresh(void)
{
    const char *const remove[] = {"rm", "-rf", "data", NULL};
    const char *const copy[] = {"cp", "-a", "base", "data", NULL};
    must("rm", remove);
    must("cp", copy);
}

/* Everything that must not depend on crashes. Owner: caller, free. */
static char *facts(void)
{
    static const char *const reports[][6] = {{"spend", "--period", "2026-10", "--by", "day"},
                                             {"suspense", "list"},
                                             {"quarantine", "list"},
                                             {"verify"}};
    size_t length;
    (void)unlink("facts");
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
        const char *words[WORDS] = {storm.ratel};
        size_t count = 1;
        for (size_t word = 0; word < 6 && reports[i][word]; word++)
            words[count++] = reports[i][word];
        words[count++] = "--output";
        words[count] = "json";
        int code = run(words, NULL, "facts");
        if (code)
            give_up("ratel %s ends with %d: %s", reports[i][0], code, scratch_read("err", &length));
    }
    return scratch_read("facts", &length);
}

static void make_cloud(uint64_t seed)
{
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)(seed % 1000000));
    const char *const generate[] = {storm.generate,
                                    "--seed",
                                    text,
                                    "--accounts",
                                    "4",
                                    "--projects",
                                    "1",
                                    "--vms",
                                    "6",
                                    "--days",
                                    "6",
                                    "--form",
                                    "ndjson",
                                    "--duplicates",
                                    "40",
                                    "--late",
                                    "40",
                                    "--conflicts",
                                    "40",
                                    "--malformed",
                                    "40",
                                    "--split-by-window",
                                    "windows",
                                    NULL};
    const char *const away[] = {"rm", "-rf", "windows", "base", "data", NULL};
    const char *const accounts[] = {storm.generate,
                                    "--seed",
                                    text,
                                    "--accounts",
                                    "4",
                                    "--projects",
                                    "1",
                                    "--vms",
                                    "6",
                                    "--days",
                                    "6",
                                    "--accounts-doc",
                                    "accounts.yaml",
                                    "--out",
                                    "/dev/null",
                                    NULL};
    const char *const init[] = {storm.ratel, "init", "--shards", "2", NULL};
    const char *const load[] = {storm.ratel, "load", "card.yaml", "accounts.yaml", NULL};
    const char *const rename[] = {
        "sh", "-c",
        "n=0; for f in windows/*; do mv \"$f\" windows/$n; n=$((n + 1)); done; "
        "[ -e windows/5 ]",
        NULL};
    const char *const keep[] = {"cp", "-a", "data", "base", NULL};
    must("rm", away);
    must("ratel-gen", generate);
    must("ratel-gen", accounts);
    must("mv", rename);
    scratch_write("card.yaml", card, sizeof(card) - 1);
    must("ratel init", init);
    must("ratel load", load);
    must("cp", keep);
}

/* A run that nobody kills: what it leaves, how many calls, how long. */
static void run_clean(void)
{
    size_t length;
    const char *const counting[] = {storm.preload, "RATEL_FAULT_COUNT=count", NULL};
    fresh();
    int64_t begin = now();
    must("ratel ingest", words_of_ingest);
    storm.nanoseconds = now() - begin;
    free(storm.clean);
    storm.clean = facts();
    if (strlen(storm.clean) < 2000 || !strstr(storm.clean, "\"conflict\"") ||
        !strstr(storm.clean, "\"ok\": true"))
        give_up("the clean run is no good reference");
    fresh();
    int code = run(words_of_ingest, counting, "/dev/null");
    char *count = scratch_read("count", &length);
    storm.calls = strtol(count, NULL, 10);
    free(count);
    if (code || storm.calls < 20)
        give_up("the run that counts the calls ends with %d, %ld calls", code, storm.calls);
}

/* ---- killing
 * ---------------------------------------------------------------------------------------------------------
 */

static void note_end(int code)
{
    if (code == 128 + SIGKILL)
        storm.kills++;
    else if (code == 0)
        storm.through++; /* it had fewer calls, or less time, than another time */
    else {
        size_t length;
        give_up("an ingest that should be killed ends with %d: %s", code,
                scratch_read("err", &length));
    }
}

static void kill_at_call(long number, unsigned mode)
{
    static const char *const modes[] = {"before", "torn", "lost", "shuffled"};
    char at[64], how[64];
    snprintf(at, sizeof(at), "RATEL_KILL_AT=%ld", number);
    snprintf(how, sizeof(how), "RATEL_KILL_MODE=%s", modes[mode % 4]);
    const char *const variables[] = {storm.preload, at, how, NULL};
    note_end(run(words_of_ingest, variables, "/dev/null"));
}

static void kill_at_random(void)
{
    int64_t wait = (int64_t)seeded_below(&storm.seeded, (uint64_t)storm.nanoseconds);
    struct timespec time = {wait / 1000000000, wait % 1000000000};
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    pid_t process = start(words_of_ingest, NULL, fd);
    close(fd);
    (void)nanosleep(&time, NULL);
    (void)kill(process, SIGKILL);
    note_end(end_of(process));
}

/* How it is killed the `round`th time: calls in turn, each mode; every fourth time by the clock. */
static void one_round(uint64_t round)
{
    fresh();
    uint64_t times = seeded_below(&storm.seeded, 4) == 0 ? 2 : 1;
    for (uint64_t i = 0; i < times; i++)
        if (round % 4 == 3 || i > 0)
            kill_at_random();
        else
            kill_at_call(1 + (long)(round * 7 % (uint64_t)storm.calls),
                         (unsigned)(round / 4 + round));
    must("ratel ingest once more", words_of_ingest);
    char *found = facts();
    if (strcmp(found, storm.clean) != 0) {
        scratch_write("clean", storm.clean, strlen(storm.clean));
        give_up("round %llu: the result differs from the clean run's: compare `facts` with `clean`",
                (unsigned long long)round);
    }
    free(found);
}

static void find_programs(const char *build, const char *runtime)
{
    snprintf(storm.ratel, sizeof(storm.ratel), "%s/bin/ratel", build);
    snprintf(storm.generate, sizeof(storm.generate), "%s/bin/ratel-gen", build);
    snprintf(storm.preload, sizeof(storm.preload), "LD_PRELOAD=%s%s%s/bin/kill_at.so",
             runtime ? runtime : "", runtime ? ":" : "", build);
}

int main(int argc, char **argv)
{
    static const char *const options[] = {"ingest", "--lanes",           "2", "--batch",
                                          "40",     "--commit-interval", "1"};
    if (argc < 2) {
        fputs("usage: kill-storm BUILD_DIR [SECONDS [SEED]]\n", stderr);
        return 64;
    }
    bool thorough = getenv("RATEL_LONG") != NULL;
    int64_t until = now() + (argc > 2   ? strtoll(argv[2], NULL, 10)
                             : thorough ? 3600
                                        : 45) *
                                1000000000;
    storm.seeded = seeded_init();
    if (argc > 3)
        storm.seeded = (struct seeded){strtoull(argv[3], NULL, 0), strtoull(argv[3], NULL, 0)};
    /* A sanitizer's runtime must come first among the preloaded. */
    find_programs(argv[1], getenv("RATEL_SANITIZER_RUNTIME"));
    if (access("/dev/shm", W_OK) == 0)
        (void)setenv("TMPDIR", "/dev/shm", 0);
    scratch_make(storm.work);
    if (chdir(storm.work) != 0)
        give_up("chdir: %s", strerror(errno));
    (void)setenv("RATEL_DATA", "data", 1);
    (void)setenv("RATEL_NOW", "2026-11-01T00:00:00Z", 1);
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 0);
    size_t count = 0;
    static char names[FILES][16];
    words_of_ingest[count++] = storm.ratel;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        words_of_ingest[count++] = options[i];
    for (size_t i = 0; i < FILES; i++) {
        snprintf(names[i], sizeof(names[i]), "windows/%zu", i);
        words_of_ingest[count++] = names[i];
    }
    uint64_t round = 0, clouds = 0;
    for (; now() < until || round < 20; round++) {
        if (round % 500 == 0) {
            make_cloud(seeded_u64(&storm.seeded));
            run_clean();
            clouds++;
        }
        one_round(round);
    }
    if (storm.kills < round / 2)
        give_up("only %llu of %llu were killed", (unsigned long long)storm.kills,
                (unsigned long long)round);
    printf("%llu kills in %llu rounds over %llu clouds (%ld calls each), %llu were through before: "
           "0 lost, 0 "
           "doubled\n",
           (unsigned long long)storm.kills, (unsigned long long)round, (unsigned long long)clouds,
           storm.calls, (unsigned long long)storm.through);
    free(storm.clean);
    if (chdir("/") == 0)
        scratch_remove(storm.work);
    return 0;
}
