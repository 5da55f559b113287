#include "engine/bill/billing.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/export.h"

struct place {
    char directory[64];
    struct billing billing;
    struct error error;
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    billing_init(&place->billing);
    billing_use(&place->billing, "a-de", "item", 12345678);
    billing_use(&place->billing, "a-de", "books", 999999);
    billing_use(&place->billing, "b-jp", "item", 20000000);
    strcpy(place->directory, "/tmp/ratel-export-XXXXXX");
    *state = place;
    return mkdtemp(place->directory) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    char command[96];
    billing_fini(&place->billing);
    snprintf(command, sizeof(command), "rm -rf %s", place->directory);
    int code = system(command);
    free(place);
    return code;
}

static struct invoice issued(struct place *place, const char *account, const char *number)
{
    struct invoice invoice = billing_draft(&place->billing, account);
    invoice_issue(&invoice, slice_string(number), fixture_instant("2026-11-02T09:00:00Z"));
    return invoice;
}

static enum status export_all(struct place *place, const char *format,
                              const struct invoice *invoices, uint32_t count)
{
    const struct export_class *class = export_find(format);
    struct export *export;
    assert_non_null(class);
    enum status status = class->open(place->directory, "invoices", &export, &place->error);
    if (status != STATUS_OK)
        return status;
    status = class->write(export, invoices, count, &place->error);
    if (status != STATUS_OK) {
        class->abort(export);
        return status;
    }
    return class->commit(export, &place->error);
}

static char *content(struct place *place, const char *name)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", place->directory, name);
    struct slice text = fixture_file(&place->billing.fixture, path);
    return arena_string(&place->billing.arena, text);
}

/* Files in the directory, hidden ones too. */
static uint32_t file_count(struct place *place)
{
    uint32_t count = 0;
    DIR *directory = opendir(place->directory);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    return count;
}

static void test_export_csv__has_one_row_for_each_line(void **state)
{
    struct place *place = *state;
    struct invoice invoices[] = {issued(place, "a-de", "INV-2026-000001"),
                                 issued(place, "b-jp", "INV-2026-000002")};
    assert_int_equal(export_all(place, "csv", invoices, 2), STATUS_OK);
    assert_string_equal(
        content(place, "invoices.csv"),
        "number,account,account_name,currency,period,period_start,period_end,issued,due,charge,"
        "description,"
        "quantity,unit,amount,tax_category,tax_rate,invoice_net,invoice_tax,invoice_total\r\n"
        "INV-2026-000001,a-de,Acme,EUR,2026-10,2026-09-30T22:00:00Z,2026-10-31T23:00:00Z,2026-11-"
        "02T09:00:00Z,"
        "2026-11-16T09:00:00Z,books,,0.999999,unit,0.33,S,7,12.68,2.37,15.05\r\n"
        "INV-2026-000001,a-de,Acme,EUR,2026-10,2026-09-30T22:00:00Z,2026-10-31T23:00:00Z,2026-11-"
        "02T09:00:00Z,"
        "2026-11-16T09:00:00Z,item,,12.345678,unit,12.35,S,19,12.68,2.37,15.05\r\n"
        "INV-2026-000002,b-jp,Bento,JPY,2026-10,2026-09-30T15:00:00Z,2026-10-31T15:00:00Z,2026-11-"
        "02T09:00:00Z,"
        "2026-12-02T09:00:00Z,item,,20,unit,3265,S,10,3265,326,3591\r\n");
    assert_int_equal(file_count(place), 1);
}

static void test_export_csv__quotes_by_rfc_4180_and_disarms_formulas(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *text, *field;
    } rows[] = {
        {"plain", ",plain,"},
        {"a,b", ",\"a,b\","},
        {"say \"x\"", ",\"say \"\"x\"\"\","},
        {"two\r\nlines", ",\"two\r\nlines\","},
        {"=1+1", ",'=1+1,"},
        {"+49", ",'+49,"},
        {"-2", ",'-2,"},
        {"@SUM(A1)", ",'@SUM(A1),"},
        {"=A1,B1", ",\"'=A1,B1\","},
        {"\t=1", ",'\t=1,"},
        {"\r=1", ",\"'\r=1\","},
        {"a=1", ",a=1,"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct invoice invoice = issued(place, "b-jp", "INV-2026-000002");
        invoice.lines[0].description = slice_string(rows[i].text);
        assert_int_equal(export_all(place, "csv", &invoice, 1), STATUS_OK);
        if (!strstr(content(place, "invoices.csv"), rows[i].field))
            fail_msg("%s is not in %s", rows[i].field, content(place, "invoices.csv"));
    }
}

static void test_export_csv__a_negative_amount_stays_a_number(void **state)
{
    struct place *place = *state;
    struct invoice invoice = issued(place, "b-jp", "INV-2026-000002");
    invoice.lines[0].amount.pico = -invoice.lines[0].amount.pico;
    assert_int_equal(export_all(place, "csv", &invoice, 1), STATUS_OK);
    assert_non_null(strstr(content(place, "invoices.csv"), ",unit,-3265,S,"));
}

static void test_export_jsonl__has_one_invoice_a_line(void **state)
{
    struct place *place = *state;
    struct invoice invoices[] = {issued(place, "a-de", "INV-2026-000001"),
                                 issued(place, "b-jp", "INV-2026-000002")};
    assert_int_equal(export_all(place, "jsonl", invoices, 2), STATUS_OK);
    char *text = content(place, "invoices.jsonl");
    char *end = strchr(text, '\n');
    assert_non_null(end);
    assert_memory_equal(text, "{\"number\":\"INV-2026-000001\",", 28);
    assert_memory_equal(end + 1, "{\"number\":\"INV-2026-000002\",", 28);
    assert_non_null(strstr(end, "\"total\":\"3591\""));
    assert_string_equal(strrchr(text, '}'), "}\n");
}

static void test_export__an_older_file_is_replaced_as_a_whole(void **state)
{
    struct place *place = *state;
    struct invoice invoices[] = {issued(place, "a-de", "INV-2026-000001"),
                                 issued(place, "b-jp", "INV-2026-000002")};
    assert_int_equal(export_all(place, "csv", invoices, 2), STATUS_OK);
    assert_int_equal(export_all(place, "csv", invoices, 0), STATUS_OK);
    assert_null(strstr(content(place, "invoices.csv"), "INV-"));
    assert_int_equal(file_count(place), 1);
}

static void test_export__abort_leaves_nothing_and_the_older_file_alone(void **state)
{
    struct place *place = *state;
    struct invoice invoice = issued(place, "a-de", "INV-2026-000001");
    struct export *export;
    assert_int_equal(export_all(place, "jsonl", &invoice, 1), STATUS_OK);
    assert_int_equal(export_jsonl.open(place->directory, "invoices", &export, &place->error),
                     STATUS_OK);
    assert_int_equal(file_count(place), 2);
    assert_int_equal(export_jsonl.write(export, &invoice, 1, &place->error), STATUS_OK);
    export_jsonl.abort(export);
    assert_int_equal(file_count(place), 1);
    assert_non_null(strstr(content(place, "invoices.jsonl"), "INV-2026-000001"));
}

/* A limit on the file's size stands for the full disk: the write fails in the middle of the batch.
 */
static void test_export__a_disk_that_fills_up_leaves_no_half_file(void **state)
{
    struct place *place = *state;
    static const char *const formats[] = {"csv", "jsonl"};
    struct invoice invoice = issued(place, "a-de", "INV-2026-000001");
    struct invoice many[400];
    struct rlimit before, small;
    for (int i = 0; i < 400; i++)
        many[i] = invoice;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 2; i++) {
        for (rlim_t limit = 100; limit < 100000; limit += 12345) {
            small = (struct rlimit){limit, before.rlim_max};
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
            enum status status = export_all(place, formats[i], many, 400);
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
            assert_int_equal(status, STATUS_NO_SPACE);
            assert_int_equal(file_count(place), 0);
        }
    }
}

static void test_export__two_at_a_time_do_not_mix(void **state)
{
    struct place *place = *state;
    struct export *first, *second;
    assert_int_equal(export_csv.open(place->directory, "invoices", &first, &place->error),
                     STATUS_OK);
    assert_int_equal(export_csv.open(place->directory, "invoices", &second, &place->error),
                     STATUS_LOCKED);
    assert_int_equal(export_csv.commit(first, &place->error), STATUS_OK);
    assert_int_equal(export_csv.open(place->directory, "invoices", &second, &place->error),
                     STATUS_OK);
    export_csv.abort(second);
    assert_int_equal(file_count(place), 1);
}

static void test_export__what_a_killed_one_left_is_used_up(void **state)
{
    struct place *place = *state;
    struct invoice invoice = issued(place, "a-de", "INV-2026-000001");
    struct export *export;
    pid_t child = fork();
    if (child == 0) {
        struct error error;
        if (export_csv.open(place->directory, "invoices", &export, &error) != STATUS_OK ||
            export_csv.write(export, &invoice, 1, &error) != STATUS_OK)
            _exit(1);
        kill(getpid(), SIGKILL);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    assert_int_equal(file_count(place), 1);
    assert_int_equal(export_all(place, "csv", &invoice, 1), STATUS_OK);
    assert_int_equal(file_count(place), 1);
}

static void test_export__says_which_directory_it_cannot_write(void **state)
{
    struct place *place = *state;
    struct export *export;
    assert_int_equal(export_csv.open("/nonexistent/place", "invoices", &export, &place->error),
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(place->error.text, "/nonexistent/place"));
    assert_null(export_find("parchment"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_export_csv__has_one_row_for_each_line),
        TEST(test_export_csv__quotes_by_rfc_4180_and_disarms_formulas),
        TEST(test_export_csv__a_negative_amount_stays_a_number),
        TEST(test_export_jsonl__has_one_invoice_a_line),
        TEST(test_export__an_older_file_is_replaced_as_a_whole),
        TEST(test_export__abort_leaves_nothing_and_the_older_file_alone),
        TEST(test_export__a_disk_that_fills_up_leaves_no_half_file),
        TEST(test_export__two_at_a_time_do_not_mix),
        TEST(test_export__what_a_killed_one_left_is_used_up),
        TEST(test_export__says_which_directory_it_cannot_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
