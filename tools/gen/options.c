#include "gen/options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAYS_MAX 3660

static const char *const form_names[FORM_COUNT] = {
    [FORM_JSON] = "json",   [FORM_XML] = "xml", [FORM_NDJSON] = "ndjson",
    [FORM_ARRAY] = "array", [FORM_CSV] = "csv", [FORM_MSGPACK] = "msgpack",
};
static const char *const damage_names[DAMAGE_COUNT] = {
    [DAMAGE_NONE] = "none",   [DAMAGE_NUMBER] = "number",   [DAMAGE_DATE] = "date",
    [DAMAGE_TYPE] = "type",   [DAMAGE_MISSING] = "missing", [DAMAGE_CUT] = "cut",
    [DAMAGE_QUOTE] = "quote",
};

const char *form_name(enum form form)
{
    assert(form < FORM_COUNT);
    return form_names[form];
}

enum option_code {
    OPTION_OUT = 1,
    OPTION_SPLIT,
    OPTION_FORM,
    OPTION_PAGE_SIZE,
    OPTION_PAGES_ONE,
    OPTION_COMPRESS,
    OPTION_FULL,
    OPTION_DATE_FORMAT,
    OPTION_DECIMAL_COMMA,
    OPTION_CONTROL_CHARS,
    OPTION_SEED,
    OPTION_ACCOUNTS,
    OPTION_PROJECTS,
    OPTION_ZONES,
    OPTION_VMS,
    OPTION_SERIES,
    OPTION_DISK_IO,
    OPTION_STABLE,
    OPTION_DOUBLE_VOLUMES,
    OPTION_START,
    OPTION_DAYS,
    OPTION_END,
    OPTION_RANGE,
    OPTION_TIMEZONE,
    OPTION_SERVER_TIMEZONE,
    OPTION_ORDER,
    OPTION_DUPLICATES,
    OPTION_LATE,
    OPTION_MALFORMED,
    OPTION_MALFORMED_KINDS,
    OPTION_CONFLICTS,
    OPTION_TRUTH,
    OPTION_ACCOUNTS_DOC,
    OPTION_CURRENCY,
    OPTION_CATALOGUE,
    OPTION_COUNTRY,
    OPTION_STATS,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option long_options[] = {
    {"out", required_argument, NULL, OPTION_OUT},
    {"split-by-window", required_argument, NULL, OPTION_SPLIT},
    {"form", required_argument, NULL, OPTION_FORM},
    {"page-size", required_argument, NULL, OPTION_PAGE_SIZE},
    {"pages-one", no_argument, NULL, OPTION_PAGES_ONE},
    {"compress", required_argument, NULL, OPTION_COMPRESS},
    {"full", no_argument, NULL, OPTION_FULL},
    {"date-format", required_argument, NULL, OPTION_DATE_FORMAT},
    {"decimal-comma", no_argument, NULL, OPTION_DECIMAL_COMMA},
    {"control-chars", no_argument, NULL, OPTION_CONTROL_CHARS},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"accounts", required_argument, NULL, OPTION_ACCOUNTS},
    {"projects", required_argument, NULL, OPTION_PROJECTS},
    {"zones", required_argument, NULL, OPTION_ZONES},
    {"vms", required_argument, NULL, OPTION_VMS},
    {"series", required_argument, NULL, OPTION_SERIES},
    {"disk-io", required_argument, NULL, OPTION_DISK_IO},
    {"stable", no_argument, NULL, OPTION_STABLE},
    {"double-volumes", no_argument, NULL, OPTION_DOUBLE_VOLUMES},
    {"start", required_argument, NULL, OPTION_START},
    {"days", required_argument, NULL, OPTION_DAYS},
    {"end", required_argument, NULL, OPTION_END},
    {"range", required_argument, NULL, OPTION_RANGE},
    {"timezone", required_argument, NULL, OPTION_TIMEZONE},
    {"server-timezone", required_argument, NULL, OPTION_SERVER_TIMEZONE},
    {"order", required_argument, NULL, OPTION_ORDER},
    {"duplicates", required_argument, NULL, OPTION_DUPLICATES},
    {"late", required_argument, NULL, OPTION_LATE},
    {"malformed", required_argument, NULL, OPTION_MALFORMED},
    {"malformed-kinds", required_argument, NULL, OPTION_MALFORMED_KINDS},
    {"conflicts", required_argument, NULL, OPTION_CONFLICTS},
    {"truth", required_argument, NULL, OPTION_TRUTH},
    {"accounts-doc", required_argument, NULL, OPTION_ACCOUNTS_DOC},
    {"currency", required_argument, NULL, OPTION_CURRENCY},
    {"catalogue", required_argument, NULL, OPTION_CATALOGUE},
    {"country", required_argument, NULL, OPTION_COUNTRY},
    {"stats", no_argument, NULL, OPTION_STATS},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

/* What was said, before it is checked as a whole. */
struct parsing {
    struct options *options;
    struct failure *failure;
    const char *name; /* of the option at hand */
    struct civil_date last_day;
    bool has_days, has_end, has_page_size, has_projects;
};

static bool take_number(const struct parsing *parsing, const char *text, uint64_t low,
                        uint64_t high, uint64_t *ret_value)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < low || value > high)
        return failure_set(parsing->failure, GEN_EXIT_USAGE,
                           "--%s takes a whole number from %llu to %llu, not '%s'", parsing->name,
                           (unsigned long long)low, (unsigned long long)high, text);
    *ret_value = value;
    return true;
}

static bool take_u32(const struct parsing *parsing, const char *text, uint32_t low, uint32_t high,
                     uint32_t *ret_value)
{
    uint64_t value = 0;

    if (!take_number(parsing, text, low, high, &value))
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

static bool take_date(const struct parsing *parsing, const char *text, struct civil_date *ret_date)
{
    if (civil_parse(text, ret_date))
        return true;
    return failure_set(parsing->failure, GEN_EXIT_USAGE,
                       "--%s takes a date such as 2026-10-01, not '%s'", parsing->name, text);
}

/* The position of `text` in `words`. */
static bool take_word(const struct parsing *parsing, const char *text, const char *const *words,
                      unsigned count, unsigned *ret_index)
{
    char list[128] = "";

    for (unsigned i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret_index = i;
            return true;
        }
        strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
        strncat(list, words[i], sizeof list - strlen(list) - 1);
    }
    return failure_set(parsing->failure, GEN_EXIT_USAGE, "--%s takes one of %s, not '%s'",
                       parsing->name, list, text);
}

static bool take_damages(const struct parsing *parsing, const char *text, uint32_t *ret_damages)
{
    uint32_t damages = 0;

    while (*text) {
        size_t length = strcspn(text, ",");
        char word[16] = "";
        unsigned index;

        if (length < sizeof word)
            memcpy(word, text, length);
        if (!take_word(parsing, word, damage_names + 1, DAMAGE_COUNT - 1, &index))
            return false;
        damages |= 1u << (index + 1);
        text += length + (text[length] == ',');
    }
    if (damages == 0)
        return failure_set(parsing->failure, GEN_EXIT_USAGE,
                           "--%s takes a list such as number,date", parsing->name);
    *ret_damages = damages;
    return true;
}

static bool take_currencies(const struct parsing *parsing, const char *text)
{
    struct options *options = parsing->options;

    options->currency_count = 0;
    while (options->currency_count < CURRENCIES_MAX) {
        char *code = options->currencies[options->currency_count];

        if (strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3)
            break;
        memcpy(code, text, 3);
        code[3] = '\0';
        options->currency_count++;
        if (text[3] == '\0')
            return true;
        if (text[3] != ',')
            break;
        text += 4;
    }
    return failure_set(parsing->failure, GEN_EXIT_USAGE,
                       "--%s takes up to %d codes such as EUR or EUR,INR,USD", parsing->name,
                       CURRENCIES_MAX);
}

static bool take_output(struct parsing *parsing, int code, const char *value)
{
    static const char *const compressions[] = {"none", "gzip", "zstd"}, *const formats[] = {"new",
                                                                                            "old"};
    struct options *options = parsing->options;
    unsigned index = 0;
    bool good = true;

    switch (code) {
    case OPTION_OUT:
        options->out = value;
        break;
    case OPTION_SPLIT:
        options->split_folder = value;
        break;
    case OPTION_FORM:
        good = take_word(parsing, value, form_names, FORM_COUNT, &index);
        options->form.form = (enum form)index;
        break;
    case OPTION_PAGE_SIZE:
        parsing->has_page_size = true;
        good = take_u32(parsing, value, 1, 1000000000, &options->page_size);
        break;
    case OPTION_PAGES_ONE:
        parsing->has_page_size = true;
        options->page_size = 0;
        break;
    case OPTION_COMPRESS:
        good = take_word(parsing, value, compressions, 3, &index);
        options->compression = (enum compression)index;
        break;
    case OPTION_FULL:
        options->form.full = true;
        break;
    case OPTION_DATE_FORMAT:
        good = take_word(parsing, value, formats, 2, &index);
        options->form.dates = index ? DATE_OLD : DATE_NEW;
        options->cloud.old_release = index;
        break;
    case OPTION_DECIMAL_COMMA:
        options->form.decimal_comma = true;
        break;
    default:
        assert(code == OPTION_CONTROL_CHARS);
        options->cloud.control_chars = true;
    }
    return good;
}

static bool take_cloud(struct parsing *parsing, int code, const char *value)
{
    struct options *options = parsing->options;
    struct cloud_options *cloud = &options->cloud;

    switch (code) {
    case OPTION_SEED:
        return take_number(parsing, value, 0, UINT64_MAX, &cloud->seed);
    case OPTION_ACCOUNTS:
        return take_u32(parsing, value, 1, 50000000, &cloud->accounts);
    case OPTION_PROJECTS:
        parsing->has_projects = true;
        return take_u32(parsing, value, 0, 50000000, &cloud->projects);
    case OPTION_ZONES:
        return take_u32(parsing, value, 1, 1000, &cloud->zones);
    case OPTION_VMS:
        return take_u32(parsing, value, 1, 50000000, &cloud->vms);
    case OPTION_SERIES:
        return take_u32(parsing, value, 1, 500000000, &cloud->series);
    case OPTION_DISK_IO:
        return take_u32(parsing, value, 0, 1000, &cloud->disk_io_permille);
    case OPTION_STABLE:
        cloud->stable = true;
        return true;
    case OPTION_DOUBLE_VOLUMES:
        cloud->double_volumes = true;
        return true;
    case OPTION_START:
        return take_date(parsing, value, &options->first_day);
    case OPTION_DAYS:
        parsing->has_days = true;
        return take_u32(parsing, value, 1, DAYS_MAX, &options->days);
    case OPTION_END:
        parsing->has_end = true;
        return take_date(parsing, value, &parsing->last_day);
    case OPTION_RANGE:
        return take_u32(parsing, value, 1, 1440, &options->range_minutes);
    case OPTION_TIMEZONE:
        options->timezone = value;
        return true;
    default:
        assert(code == OPTION_SERVER_TIMEZONE);
        options->server_timezone = value;
        return true;
    }
}

static bool take_rest(struct parsing *parsing, int code, const char *value)
{
    static const char *const orders[] = {"cloudstack", "random"};
    struct options *options = parsing->options;
    unsigned index = 0;
    bool good = true;

    switch (code) {
    case OPTION_ORDER:
        good = take_word(parsing, value, orders, 2, &index);
        options->order = index ? ORDER_RANDOM : ORDER_CLOUDSTACK;
        break;
    case OPTION_DUPLICATES:
        return take_u32(parsing, value, 0, 1000, &options->noise.duplicates);
    case OPTION_LATE:
        return take_u32(parsing, value, 0, 1000, &options->noise.late);
    case OPTION_MALFORMED:
        return take_u32(parsing, value, 0, 1000, &options->noise.malformed);
    case OPTION_MALFORMED_KINDS:
        return take_damages(parsing, value, &options->noise.damages);
    case OPTION_CONFLICTS:
        return take_u32(parsing, value, 0, 1000, &options->noise.conflicts);
    case OPTION_TRUTH:
        options->truth = value;
        break;
    case OPTION_ACCOUNTS_DOC:
        options->accounts_doc = value;
        break;
    case OPTION_CURRENCY:
        return take_currencies(parsing, value);
    case OPTION_CATALOGUE:
        options->catalogue = value;
        break;
    case OPTION_COUNTRY:
        options->country = value;
        break;
    case OPTION_STATS:
        options->stats = true;
        break;
    case OPTION_HELP:
        options->action = ACTION_HELP;
        break;
    default:
        assert(code == OPTION_VERSION);
        options->action = ACTION_VERSION;
    }
    return good;
}

static bool check_days(const struct parsing *parsing)
{
    struct options *options = parsing->options;
    int64_t days;

    if (!parsing->has_end)
        return true;
    if (parsing->has_days)
        return failure_set(parsing->failure, GEN_EXIT_USAGE, "give --days or --end, not both");
    days = civil_days(parsing->last_day) - civil_days(options->first_day) + 1;
    if (days < 1 || days > DAYS_MAX)
        return failure_set(parsing->failure, GEN_EXIT_USAGE,
                           "--end must be 0 to %d days after --start", DAYS_MAX - 1);
    options->days = (uint32_t)days;
    return true;
}

/* A missing quote or an early end spoils the neighbours where records are not on lines of their
 * own, so those two are only done to JSON, and by default only to lines. */
static bool check_damages(const struct parsing *parsing)
{
    struct options *options = parsing->options;
    enum form form = options->form.form;
    bool json = form == FORM_JSON || form == FORM_ARRAY || form == FORM_NDJSON;
    uint32_t harmless =
        1u << DAMAGE_NUMBER | 1u << DAMAGE_DATE | 1u << DAMAGE_TYPE | 1u << DAMAGE_MISSING;

    if (options->noise.damages & 1u << DAMAGE_QUOTE && !json)
        return failure_set(parsing->failure, GEN_EXIT_USAGE,
                           "--malformed-kinds quote is for the JSON forms only");
    if (options->noise.damages)
        return true;
    options->noise.damages = harmless;
    if (form != FORM_JSON && form != FORM_ARRAY)
        options->noise.damages |= 1u << DAMAGE_CUT;
    if (form == FORM_NDJSON)
        options->noise.damages |= 1u << DAMAGE_QUOTE;
    return true;
}

static bool check_catalogue(const struct parsing *parsing)
{
    const struct options *options = parsing->options;
    const char *name_bytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

    if (options->catalogue[0] == '\0' ||
        options->catalogue[strspn(options->catalogue, name_bytes)] != '\0')
        return failure_set(parsing->failure, GEN_EXIT_USAGE,
                           "--catalogue takes a name of letters, digits, - _ and .");
    if (strlen(options->country) != 2 ||
        strspn(options->country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 2)
        return failure_set(parsing->failure, GEN_EXIT_USAGE, "--country takes a code such as DE");
    return true;
}

static bool check_whole(const struct parsing *parsing)
{
    struct options *options = parsing->options;
    struct cloud_options *cloud = &options->cloud;

    if (cloud->vms && cloud->series)
        return failure_set(parsing->failure, GEN_EXIT_USAGE, "give --vms or --series, not both");
    if (!cloud->vms && !cloud->series)
        cloud->vms = 100;
    if (!parsing->has_projects)
        cloud->projects = cloud->accounts / 5;
    if (options->order == ORDER_RANDOM && !cloud->stable)
        return failure_set(parsing->failure, GEN_EXIT_USAGE, "--order random needs --stable");
    if (options->out && options->split_folder)
        return failure_set(parsing->failure, GEN_EXIT_USAGE,
                           "give --out or --split-by-window, not both");
    if (!options->out)
        options->out = "-";
    if (!parsing->has_page_size)
        options->page_size = options->form.form == FORM_JSON ? 500 : 0;
    return check_days(parsing) && check_damages(parsing) && check_catalogue(parsing);
}

static void set_defaults(struct options *options)
{
    *options = (struct options){
        .cloud = {.seed = 1, .accounts = 20, .zones = 2, .disk_io_permille = 250},
        .first_day = {2026, 10, 1},
        .days = 31,
        .range_minutes = 1440,
        .timezone = "UTC",
        .server_timezone = "UTC",
        .catalogue = "public",
        .country = "DE",
        .currencies = {"EUR"},
        .currency_count = 1,
    };
}

bool options_parse(int argument_count, char **arguments, struct options *options,
                   struct failure *failure)
{
    struct parsing parsing = {.options = options, .failure = failure};
    int code, index = 0;

    set_defaults(options);
    optind = 0; /* glibc: start anew, also when called again */
    opterr = 0;
    while ((code = getopt_long(argument_count, arguments, ":", long_options, &index)) != -1) {
        bool good;

        if (code == '?') {
            const char *what = arguments[optind - 1];

            return failure_set(failure, GEN_EXIT_USAGE, "unknown option '%s'; see ratel-gen --help",
                               what);
        }
        if (code == ':')
            return failure_set(failure, GEN_EXIT_USAGE, "'%s' needs a value; see ratel-gen --help",
                               arguments[optind - 1]);
        parsing.name = long_options[index].name;
        if (code <= OPTION_CONTROL_CHARS)
            good = take_output(&parsing, code, optarg);
        else if (code <= OPTION_SERVER_TIMEZONE)
            good = take_cloud(&parsing, code, optarg);
        else
            good = take_rest(&parsing, code, optarg);
        if (!good)
            return false;
        if (options->action != ACTION_RUN)
            return true;
    }
    if (optind < argument_count)
        return failure_set(failure, GEN_EXIT_USAGE,
                           "unexpected argument '%s'; see ratel-gen --help", arguments[optind]);
    return check_whole(&parsing);
}
