/* The generator against slow readers of its own output (reader.h). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gen/form.h"
#include "gen/run.h"
#include "reader.h"

static char folder[64];

/* Runs the generator as its command line would; returns the exit code. `arguments` is split at
 * spaces. */
static int generate(const char *arguments)
{
    char text[1024], *words[64] = {(char *)(uintptr_t) "ratel-gen"};
    struct options options;
    struct failure failure = {0};
    int count = 1;

    assert_true(snprintf(text, sizeof text, "%s", arguments) < (int)sizeof text);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        words[count++] = word;
    words[count] = NULL;
    if (!options_parse(count, words, &options, &failure) || !run_generate(&options, &failure)) {
        assert_true(failure.exit_code != 0 && failure.text[0] != '\0' &&
                    !strchr(failure.text, '\n'));
        return failure.exit_code;
    }
    return 0;
}

static const char *in_folder(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* Generates to a file and reads it. Lifetime: free the answer. */
static char *generate_text(const char *arguments, size_t *ret_length)
{
    char command[1024];
    const char *path = in_folder("out");

    snprintf(command, sizeof command, "%s --out %s", arguments, path);
    assert_int_equal(generate(command), 0);
    return read_whole_file(path, ret_length);
}

static void test_shuffle__is_a_permutation(void **state)
{
    static const uint64_t counts[] = {1, 2, 3, 5, 64, 1000, 4097};

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct shuffle shuffle = shuffle_init(42, counts[i]);
        bool seen[4097] = {false};

        for (uint64_t j = 0; j < counts[i]; j++) {
            uint64_t at = shuffle_at(&shuffle, j);

            assert_true(at < counts[i] && !seen[at]);
            seen[at] = true;
        }
    }
}

/* Whole runs: counting again what was written. */

static const char *const meter_names[] = {[1] = "vm.running",
                                          [2] = "vm.allocated",
                                          [3] = "ip.address",
                                          [4] = "network.sent",
                                          [5] = "network.received",
                                          [6] = "volume",
                                          [7] = "template",
                                          [8] = "iso",
                                          [9] = "snapshot",
                                          [10] = "securitygroup",
                                          [11] = "loadbalancer.rule",
                                          [12] = "portforwarding.rule",
                                          [13] = "network.offering",
                                          [14] = "vpn.user",
                                          [21] = "disk.read.requests",
                                          [22] = "disk.write.requests",
                                          [23] = "disk.read.bytes",
                                          [24] = "disk.write.bytes",
                                          [25] = "vmsnapshot",
                                          [26] = "volume.secondary",
                                          [27] = "vmsnapshot.primary",
                                          [28] = "backup",
                                          [29] = "bucket",
                                          [30] = "network",
                                          [31] = "vpc"};

/* What a reader of the output remembers of a record. */
struct entry {
    char *identity; /* of the record: series and window */
    char owner[80];
    unsigned type;
    wide quantity, size, cpu_number, memory, seconds;
    size_t order;
};

struct recount {
    struct entry *entries;
    size_t count, room;
    size_t rows, malformed, attributions;
};

/* "12.5" or "12,5" in millionths; false where it is no such number. */
static bool read_micro(const char *text, wide *ret_micro)
{
    wide micro = 0;
    int decimals = -1;

    if (!isdigit((unsigned char)text[0]))
        return false;
    for (; *text; text++) {
        if ((*text == '.' || *text == ',') && decimals < 0) {
            decimals = 0;
            continue;
        }
        if (!isdigit((unsigned char)*text) || decimals == 6)
            return false;
        micro = micro * 10 + (*text - '0');
        decimals += decimals >= 0;
    }
    for (decimals = decimals < 0 ? 0 : decimals; decimals < 6; decimals++)
        micro *= 10;
    *ret_micro = micro;
    return true;
}

/* Seconds of "2026-10-01T00:00:00+0000" or the older form, or -1. */
static int64_t read_date(const char *text)
{
    int year, month, day, hour, minute, second, zone_hour, zone_minute, end = 0;
    char sign;
    int64_t seconds;

    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%c%2d%2d%n", &year, &month, &day, &hour, &minute,
               &second, &sign, &zone_hour, &zone_minute, &end) != 9 &&
        sscanf(text, "%4d-%2d-%2d'T'%2d:%2d:%2d%c%2d:%2d%n", &year, &month, &day, &hour, &minute,
               &second, &sign, &zone_hour, &zone_minute, &end) != 9)
        return -1;
    if (text[end] != '\0' || month < 1 || month > 12 || day > 31 || hour > 23)
        return -1;
    seconds = civil_days((struct civil_date){year, (uint8_t)month, (uint8_t)day}) * 86400 +
              hour * 3600 + minute * 60 + second;
    return seconds - (sign == '-' ? -1 : 1) * (zone_hour * 3600 + zone_minute * 60);
}

static char *identity_of(const struct record_seen *record)
{
    char text[8192] = "";

    for (unsigned i = 0; i < GEN_FIELD_COUNT; i++) {
        if (i == GEN_USAGE || i == GEN_RAWUSAGE || i == GEN_NAME || i == GEN_TAGS)
            continue;
        /* The description has sizes of traffic in it. */
        if (i == GEN_DESCRIPTION && record->values[GEN_USAGEID][0])
            continue;
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s|", record->values[i]);
    }
    return strdup(text);
}

static void recount_take(void *taker, const struct record_seen *record, const char *raw,
                         size_t raw_length)
{
    struct recount *recount = taker;
    struct entry entry = {.order = recount->rows++};
    int64_t from = read_date(record->values[GEN_STARTDATE]),
            to = read_date(record->values[GEN_ENDDATE]);
    const char *description = record->values[GEN_DESCRIPTION];

    (void)raw;
    (void)raw_length;
    entry.type = (unsigned)strtoul(record->values[GEN_USAGETYPE], NULL, 10);
    if (!record->good || entry.type == 0 || entry.type > 31 || from < 0 || to < from ||
        !read_micro(record->values[GEN_RAWUSAGE], &entry.quantity)) {
        recount->malformed++;
        return;
    }
    if (entry.type == 6 && record->values[GEN_VIRTUALMACHINEID][0]) {
        recount->attributions++;
        return;
    }
    snprintf(entry.owner, sizeof entry.owner, "%.36s%.36s", record->values[GEN_ACCOUNTID],
             record->values[GEN_PROJECTID]);
    entry.size = strtoll(record->values[GEN_SIZE], NULL, 10);
    if (entry.type == 26)
        entry.size = strtoll(strrchr(description, ' ') + 1, NULL, 10);
    entry.cpu_number = strtoll(record->values[GEN_CPUNUMBER], NULL, 10);
    entry.memory = strtoll(record->values[GEN_MEMORY], NULL, 10);
    entry.seconds = to - from + 1;
    entry.identity = identity_of(record);
    if (recount->count == recount->room) {
        recount->room = 2 * recount->room + 1024;
        recount->entries = realloc(recount->entries, recount->room * sizeof *recount->entries);
        assert_non_null(recount->entries);
    }
    recount->entries[recount->count++] = entry;
}

static int compare_identity(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int by_identity = strcmp(a->identity, b->identity);

    return by_identity ? by_identity : (a->order > b->order) - (a->order < b->order);
}

static int compare_owner(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int by_owner = strcmp(a->owner, b->owner);

    return by_owner ? by_owner : (int)a->type - (int)b->type;
}

/* Division by repeated tens: as slow as it is plain. */
static void naive_total(char *out, wide micro)
{
    char whole[48], fraction[8];
    unsigned at = sizeof whole - 1;
    wide rest = micro / 1000000;

    whole[at] = '\0';
    do {
        whole[--at] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest);
    snprintf(fraction, sizeof fraction, "%06d", (int)(micro % 1000000));
    while (fraction[0] && fraction[strlen(fraction) - 1] == '0')
        fraction[strlen(fraction) - 1] = '\0';
    sprintf(out, "%s%s%s", whole + at, fraction[0] ? "." : "", fraction);
}

static void expect_total(char *expected, const char *name, wide micro)
{
    char total[64];

    naive_total(total, micro);
    sprintf(expected + strlen(expected), ",\"%s\":\"%s\"", name, total);
}

/* The truth must have exactly this for one owner's meter. */
static void check_meter(const char *truth, const struct entry *entries, size_t count)
{
    char needle[128], expected[512];
    wide quantity = 0, sized = 0, cpu = 0, memory = 0, level = 0;
    const char *line, *line_end, *found;
    unsigned type = entries[0].type;

    for (size_t i = 0; i < count; i++) {
        quantity += entries[i].quantity;
        sized += entries[i].quantity * entries[i].size;
        cpu += entries[i].quantity * entries[i].cpu_number;
        memory += entries[i].quantity * entries[i].memory;
        level += entries[i].quantity * entries[i].seconds;
    }
    snprintf(expected, sizeof expected, "\"%s\":{\"records\":%zu", meter_names[type], count);
    expect_total(expected, "quantity", quantity);
    if (sized)
        expect_total(expected, "byte_hours", sized);
    if (type <= 2) {
        expect_total(expected, "cpu_hours", cpu);
        expect_total(expected, "memory_mib_hours", memory);
    }
    if (type == 29) {
        expect_total(expected, "level_hours", level / 3600);
        expect_total(expected, "level_seconds", level);
    }
    strcat(expected, "}");
    snprintf(needle, sizeof needle, "\"id\":\"%s\"", entries[0].owner);
    line = strstr(truth, needle);
    assert_non_null(line);
    line_end = strchr(line, '\n');
    found = strstr(line, expected);
    if (!found || found > line_end)
        print_error("not in the truth: %s %s\n", entries[0].owner, expected);
    assert_true(found && found < line_end);
}

static size_t count_text(const char *text, const char *needle)
{
    size_t count = 0;

    for (; (text = strstr(text, needle)); text++)
        count++;
    return count;
}

static void check_recount(struct recount *recount, const char *truth)
{
    size_t unique = 0, duplicates = 0, conflicts = 0, meters = 0;
    char expected[256];

    qsort(recount->entries, recount->count, sizeof *recount->entries, compare_identity);
    for (size_t i = 0; i < recount->count; i++) {
        struct entry *entry = &recount->entries[i];
        bool again =
            unique > 0 && strcmp(recount->entries[unique - 1].identity, entry->identity) == 0;

        if (!again)
            recount->entries[unique++] = *entry;
        else if (recount->entries[unique - 1].quantity == entry->quantity)
            duplicates++;
        else
            conflicts++;
        if (again)
            free(entry->identity);
    }
    snprintf(expected, sizeof expected, "\"records\":%zu,\"unique\":%zu,", recount->rows, unique);
    assert_non_null(strstr(truth, expected));
    snprintf(expected, sizeof expected,
             ",\"duplicates\":%zu,\"double_volumes\":%zu,\"conflicts\":%zu,\"malformed\":%zu,",
             duplicates, recount->attributions, conflicts, recount->malformed);
    assert_non_null(strstr(truth, expected));
    qsort(recount->entries, unique, sizeof *recount->entries, compare_owner);
    for (size_t from = 0, to; from < unique; from = to, meters++) {
        for (to = from + 1;
             to < unique && compare_owner(&recount->entries[from], &recount->entries[to]) == 0;
             to++)
            ;
        check_meter(truth, recount->entries + from, to - from);
    }
    /* And nothing else: every meter has one count of records, and so has the line of counts. */
    assert_int_equal(count_text(truth, "\"records\":"), meters + 1);
    for (size_t i = 0; i < unique; i++)
        free(recount->entries[i].identity);
    free(recount->entries);
}

static void test_truth__equals_a_naive_recount_of_the_output(void **state)
{
    static const char *const cases[] = {
        "--seed 1 --accounts 3 --vms 8 --days 5",
        "--seed 2 --accounts 6 --projects 4 --vms 40 --days 12",
        "--seed 3 --accounts 6 --projects 2 --vms 30 --days 8 --start 2026-10-20 --timezone "
        "Europe/Berlin",
        "--seed 4 --accounts 4 --vms 12 --days 2 --range 60 --date-format old --timezone "
        "Asia/Kolkata",
        "--seed 5 --accounts 4 --vms 10 --days 2 --range 90 --decimal-comma --control-chars",
        "--seed 6 --accounts 5 --vms 30 --days 10 --duplicates 60 --late 80 --conflicts 50 "
        "--double-volumes",
        "--seed 7 --accounts 5 --vms 30 --days 10 --malformed 100 --duplicates 30 --late 20 "
        "--conflicts 20",
        "--seed 8 --accounts 5 --series 300 --stable --order random --days 4 --duplicates 50 "
        "--late 50 --conflicts 50",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct recount recount = {0};
        char arguments[512];
        size_t length;
        char *text, *truth;

        snprintf(arguments, sizeof arguments, "%s --form ndjson --truth %s", cases[i],
                 in_folder("truth"));
        text = generate_text(arguments, &length);
        read_ndjson(text, length, recount_take, &recount);
        free(text);
        truth = read_whole_file(in_folder("truth"), &length);
        assert_true(recount.count > 100);
        check_recount(&recount, truth);
        free(truth);
    }
}

/* Whole runs: the forms. */

/* Collects a line of text per record: all fields, or those that every form has. */
struct digest {
    char *text;
    size_t length, room, records;
    bool all_fields;
};

static bool is_core(unsigned field)
{
    static const char *const left_out[] = {
        "account",      "project",        "domain", "domainid", "domainpath",
        "description",  "usage",          "name",   "ostypeid", "osdisplayname",
        "oscategoryid", "oscategoryname", "type"};

    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++) {
        if (strcmp(gen_field_names[field], left_out[i]) == 0)
            return false;
    }
    return true;
}

static void digest_take(void *taker, const struct record_seen *record, const char *raw,
                        size_t raw_length)
{
    struct digest *digest = taker;

    (void)raw;
    (void)raw_length;
    assert_true(record->good);
    if (digest->length + 16384 > digest->room) {
        digest->room = 2 * digest->room + 65536;
        digest->text = realloc(digest->text, digest->room);
        assert_non_null(digest->text);
    }
    for (unsigned i = 0; i < GEN_TAGS; i++) {
        if (digest->all_fields || is_core(i))
            digest->length +=
                (size_t)sprintf(digest->text + digest->length, "%s\x1f", record->values[i]);
    }
    digest->text[digest->length++] = '\n';
    digest->records++;
}

static struct digest digest_form(const char *arguments, const char *form, bool all_fields)
{
    struct digest digest = {.all_fields = all_fields};
    char command[512];
    size_t length;
    char *text;

    snprintf(command, sizeof command, "%s --form %s", arguments, form);
    text = generate_text(command, &length);
    if (strncmp(form, "json", 4) == 0) {
        unsigned long long count = read_json_envelopes(text, length, digest_take, &digest);

        assert_int_equal(count, digest.records);
    } else if (strcmp(form, "array") == 0) {
        assert_string_equal(read_json_list(text + 1, text + length, digest_take, &digest), "]\n");
    } else if (strcmp(form, "ndjson") == 0) {
        read_ndjson(text, length, digest_take, &digest);
    } else if (strncmp(form, "xml", 3) == 0) {
        read_xml(text, digest_take, &digest);
    } else if (strcmp(form, "csv") == 0) {
        read_csv(text, digest_take, &digest);
    } else {
        read_msgpack(text, length, digest_take, &digest);
    }
    free(text);
    assert_true(digest.records > 0);
    return digest;
}

static void test_forms__all_emit_the_same_records(void **state)
{
    static const char *const runs[] = {
        "--seed 11 --accounts 5 --projects 2 --vms 60 --days 4 --duplicates 20 --late 30 "
        "--conflicts 10 --double-volumes",
        "--seed 12 --accounts 3 --vms 70 --days 2 --date-format old --decimal-comma "
        "--control-chars --timezone Asia/Kolkata",
    };
    static const struct {
        const char *form;
        bool all_fields;
    } forms[] = {{"json", true},
                 {"json --page-size 7", true},
                 {"json --pages-one", true},
                 {"array", true},
                 {"xml", true},
                 {"xml --page-size 9", true},
                 {"csv", true},
                 {"msgpack --full", true},
                 {"msgpack", false}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < sizeof forms / sizeof forms[0]; j++) {
            struct digest expected = digest_form(runs[i], "ndjson", forms[j].all_fields);
            struct digest digest = digest_form(runs[i], forms[j].form, forms[j].all_fields);

            assert_int_equal(digest.records, expected.records);
            assert_int_equal(digest.length, expected.length);
            assert_memory_equal(digest.text, expected.text, expected.length);
            free(digest.text);
            free(expected.text);
        }
    }
}

static void test_forms__broken_records_are_broken_in_every_form(void **state)
{
    static const char *const forms[] = {"json", "array", "xml", "csv", "msgpack"};

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct recount recount = {0};
        char command[256], expected[64];
        size_t length, truth_length;
        char *text, *truth;

        snprintf(command, sizeof command,
                 "--seed 5 --accounts 4 --vms 20 --days 3 --malformed 200 --form %s --truth %s",
                 forms[i], in_folder("truth"));
        text = generate_text(command, &length);
        if (i == 0)
            read_json_envelopes(text, length, recount_take, &recount);
        else if (i == 1)
            read_json_list(text + 1, text + length, recount_take, &recount);
        else if (i == 2)
            read_xml(text, recount_take, &recount);
        else if (i == 3)
            read_csv(text, recount_take, &recount);
        else
            read_msgpack(text, length, recount_take, &recount);
        truth = read_whole_file(in_folder("truth"), &truth_length);
        assert_true(recount.malformed > 20);
        snprintf(expected, sizeof expected, "\"malformed\":%zu,", recount.malformed);
        assert_non_null(strstr(truth, expected));
        check_recount(&recount, truth);
        free(text);
        free(truth);
    }
}

static void test_forms__an_empty_cloud_window_is_an_empty_object(void **state)
{
    struct options options;
    char *words[] = {(char *)(uintptr_t) "ratel-gen"};
    struct failure failure;
    struct emit_counts counts;
    struct cloud cloud;
    size_t length;
    char *text;

    (void)state;
    assert_true(options_parse(1, words, &options, &failure));
    assert_true(run_build_cloud(&options, &cloud, &failure));
    cloud.series_count = 0;
    options.out = in_folder("out");
    assert_true(emit_run(&cloud, &options, &counts, &failure));
    text = read_whole_file(options.out, &length);
    assert_string_equal(text, "{\"listusagerecordsresponse\":{}}\n");
    free(text);
    cloud_free(&cloud);
}

/* Whole runs: order, size, sameness. */

static void test_run__same_seed_same_bytes(void **state)
{
    static const char *const cases[] = {
        "--seed 9 --vms 30 --days 4 --duplicates 30 --late 30 --malformed 10",
        "--seed 9 --series 200 --stable --order random --days 3"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        size_t length, again_length, other_length;
        char other_seed[256];
        char *text = generate_text(cases[i], &length),
             *again = generate_text(cases[i], &again_length), *other;

        snprintf(other_seed, sizeof other_seed, "%s --seed 10", cases[i]);
        other = generate_text(other_seed, &other_length);
        assert_int_equal(length, again_length);
        assert_memory_equal(text, again, length);
        assert_true(length != other_length || memcmp(text, other, length) != 0);
        free(text);
        free(again);
        free(other);
    }
}

static void test_run__stable_has_one_record_per_series_and_window(void **state)
{
    static const char *const orders[] = {"cloudstack", "random"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct recount recount = {0};
        char command[256];
        size_t length;
        char *text;

        snprintf(command, sizeof command,
                 "--seed 3 --accounts 9 --series 501 --stable --days 7 --form ndjson --order %s",
                 orders[i]);
        text = generate_text(command, &length);
        read_ndjson(text, length, recount_take, &recount);
        assert_int_equal(recount.count, 501 * 7);
        qsort(recount.entries, recount.count, sizeof *recount.entries, compare_identity);
        for (size_t j = 1; j < recount.count; j++)
            assert_true(strcmp(recount.entries[j - 1].identity, recount.entries[j].identity) != 0);
        for (size_t j = 0; j < recount.count; j++)
            free(recount.entries[j].identity);
        free(recount.entries);
        free(text);
    }
}

static int compare_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* The lines of a text in alphabetical order, with the text cut into them. */
static char **sorted_lines(char *text, size_t *ret_count)
{
    size_t count = count_text(text, "\n"), at = 0;
    char **lines = malloc((count + 1) * sizeof *lines);

    assert_non_null(lines);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        lines[at++] = line;
    assert_int_equal(at, count);
    qsort(lines, count, sizeof *lines, compare_text);
    *ret_count = count;
    return lines;
}

static void test_run__random_order_has_the_same_records(void **state)
{
    const char *common = "--seed 4 --series 150 --stable --days 5 --form ndjson --order";
    char command[256];
    size_t length, count, random_count;
    char *text, *random, **lines, **random_lines;

    (void)state;
    snprintf(command, sizeof command, "%s cloudstack", common);
    text = generate_text(command, &length);
    snprintf(command, sizeof command, "%s random", common);
    random = generate_text(command, &length);
    assert_true(memcmp(text, random, length) != 0);
    lines = sorted_lines(text, &count);
    random_lines = sorted_lines(random, &random_count);
    assert_int_equal(count, random_count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(lines[i], random_lines[i]);
    free(lines);
    free(random_lines);
    free(text);
    free(random);
}

/* Window after window, in each owner after owner, in each parser after parser. */
struct order_seen {
    char start[40], owner[80], owners[512][80];
    size_t owner_count;
    unsigned parser;
};

static void order_take(void *taker, const struct record_seen *record, const char *raw,
                       size_t raw_length)
{
    struct order_seen *seen = taker;
    unsigned type = (unsigned)strtoul(record->values[GEN_USAGETYPE], NULL, 10);
    unsigned parser = meter_of(type)->parser;
    char owner[READER_VALUE_BYTES * 2];

    (void)raw;
    (void)raw_length;
    snprintf(owner, sizeof owner, "%.36s%.36s", record->values[GEN_ACCOUNTID],
             record->values[GEN_PROJECTID]);
    /* Records that start with an event do not tell their window. */
    if (type != 25 && type != 27 && strcmp(record->values[GEN_STARTDATE], seen->start) != 0) {
        assert_true(strcmp(record->values[GEN_STARTDATE], seen->start) > 0);
        snprintf(seen->start, sizeof seen->start, "%.39s", record->values[GEN_STARTDATE]);
        seen->owner[0] = '\0';
        seen->owner_count = 0;
    }
    if (strcmp(owner, seen->owner) != 0) {
        for (size_t i = 0; i < seen->owner_count; i++)
            assert_string_not_equal(owner, seen->owners[i]);
        snprintf(seen->owners[seen->owner_count++], 80, "%.79s", owner);
        snprintf(seen->owner, sizeof seen->owner, "%.79s", owner);
        seen->parser = 0;
    }
    assert_true(parser >= seen->parser);
    seen->parser = parser;
}

static void test_run__records_come_in_the_order_of_the_usage_job(void **state)
{
    struct order_seen seen = {.start = ""};
    size_t length;
    char *text = generate_text("--seed 2 --accounts 8 --projects 3 --vms 50 --days 6 --form ndjson",
                               &length);

    (void)state;
    read_ndjson(text, length, order_take, &seen);
    assert_int_equal(seen.owner_count, 11);
    free(text);
}

static int only_windows(const struct dirent *item)
{
    return strncmp(item->d_name, "window-", 7) == 0;
}

static void test_run__files_by_window_hold_the_same_rows(void **state)
{
    const char *common =
        "--seed 6 --accounts 4 --vms 20 --days 5 --form ndjson --late 100 --duplicates 50";
    char command[512], *text, *at;
    struct dirent **names;
    size_t length;
    int files;

    (void)state;
    text = at = generate_text(common, &length);
    snprintf(command, sizeof command, "%s --split-by-window %s", common, in_folder("split"));
    assert_int_equal(generate(command), 0);
    files = scandir(in_folder("split"), &names, only_windows, alphasort);
    assert_int_equal(files, 5);
    for (int i = 0; i < files; i++) {
        char path[512];
        size_t part_length;
        char *part;

        snprintf(path, sizeof path, "%s/%s", in_folder("split"), names[i]->d_name);
        part = read_whole_file(path, &part_length);
        assert_true(part_length > 0 && at + part_length <= text + length);
        assert_memory_equal(part, at, part_length);
        at += part_length;
        free(part);
        unlink(path);
        free(names[i]);
    }
    assert_true(at == text + length);
    free(names);
    rmdir(in_folder("split"));
    free(text);
}

static void test_payers__every_account_and_project_is_listed_once(void **state)
{
    char command[256];
    size_t length;
    char *text;

    (void)state;
    snprintf(command, sizeof command,
             "--seed 2 --accounts 7 --projects 9 --vms 1 --out /dev/null --currency EUR,INR "
             "--accounts-doc %s",
             in_folder("accounts.yaml"));
    assert_int_equal(generate(command), 0);
    text = read_whole_file(in_folder("accounts.yaml"), &length);
    assert_int_equal(strncmp(text, "kind: accounts\naccounts:\n  - {id: ", 34), 0);
    assert_int_equal(count_text(text, "{id: "), 7);
    assert_int_equal(count_text(text, "currency: EUR, catalogue: public"), 4);
    assert_int_equal(count_text(text, "currency: INR, catalogue: public"), 3);
    for (unsigned project = 0; project < 9; project++) {
        char uuid[UUID_BYTES + 1] = "";

        uuid_text(uuid, 2, KIND_PROJECT, 7 + project);
        assert_int_equal(count_text(text, uuid), 1);
    }
    free(text);
    unlink(in_folder("accounts.yaml"));
}

static void test_options__wrong_use_is_64_and_write_errors_are_74(void **state)
{
    static const struct {
        const char *arguments;
        int expected;
    } cases[] = {
        {"--bogus", 64},
        {"--vms", 64},
        {"--vms 0", 64},
        {"--vms -3", 64},
        {"--vms 3x", 64},
        {"--vms 1 --series 2", 64},
        {"extra", 64},
        {"--form yaml", 64},
        {"--order random", 64},
        {"--timezone Mars/Olympus", 64},
        {"--start 2026-02-30", 64},
        {"--start 2026-10-02 --end 2026-10-01", 64},
        {"--end 2026-10-03 --days 2", 64},
        {"--malformed-kinds quote --form csv", 64},
        {"--malformed-kinds nonsense", 64},
        {"--currency euro", 64},
        {"--catalogue a{b", 64},
        {"--out a --split-by-window b", 64},
        {"--out /nonexistent/file", 73},
        {"--split-by-window /nonexistent/folder/x", 73},
        {"--out /dev/null --vms 2 --truth /nonexistent/file", 73},
        {"--out /dev/full", 74},
        {"--out /dev/full --compress gzip", 74},
        {"--out /dev/full --compress zstd --form msgpack", 74},
        {"--out /dev/null --vms 2 --truth /dev/full", 74},
        {"--out /dev/null --vms 2 --accounts-doc /dev/full", 74},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int code = generate(cases[i].arguments);

        if (code != cases[i].expected)
            print_error("%s\n", cases[i].arguments);
        assert_int_equal(code, cases[i].expected);
    }
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/ratel-gen-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(in_folder("out"));
    unlink(in_folder("truth"));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shuffle__is_a_permutation),
        cmocka_unit_test(test_truth__equals_a_naive_recount_of_the_output),
        cmocka_unit_test(test_forms__all_emit_the_same_records),
        cmocka_unit_test(test_forms__broken_records_are_broken_in_every_form),
        cmocka_unit_test(test_forms__an_empty_cloud_window_is_an_empty_object),
        cmocka_unit_test(test_run__same_seed_same_bytes),
        cmocka_unit_test(test_run__stable_has_one_record_per_series_and_window),
        cmocka_unit_test(test_run__random_order_has_the_same_records),
        cmocka_unit_test(test_run__records_come_in_the_order_of_the_usage_job),
        cmocka_unit_test(test_run__files_by_window_hold_the_same_rows),
        cmocka_unit_test(test_payers__every_account_and_project_is_listed_once),
        cmocka_unit_test(test_options__wrong_use_is_64_and_write_errors_are_74),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
