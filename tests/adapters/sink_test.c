/* The contract of sinks, for every sink: order, blocks, repeats, partial writes, close. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/sink.h"

struct place {
    char directory[64];
    char path[96];
    struct error error;
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    strcpy(place->directory, "/tmp/ratel-sink-XXXXXX");
    if (!mkdtemp(place->directory))
        return -1;
    snprintf(place->path, sizeof(place->path), "%s/messages.jsonl", place->directory);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    char command[96];
    snprintf(command, sizeof(command), "rm -rf %s", place->directory);
    int code = system(command);
    free(place);
    return code;
}

static const struct sink_message messages[] = {
    {{"m1", 2}, {"test", 4}, {"acme", 4}, {"{\"id\":\"m1\"}", 11}},
    {{"m2", 2}, {"test", 4}, {"acme", 4}, {"{\"id\":\"m2\"}", 11}},
    {{"m3", 2}, {"test", 4}, {"acme", 4}, {"{\"id\":\"m3\"}", 11}},
};

static struct sink *opened(struct place *place, const struct sink_class *class)
{
    struct adapter_setting setting = {"path", place->path};
    struct sink *sink;
    assert_int_equal(sink_open(class, &setting, class == &sink_file, &sink, &place->error),
                     STATUS_OK);
    return sink;
}

static void assert_content(struct place *place, const char *expected)
{
    char text[4096];
    FILE *in = fopen(place->path, "rb");
    assert_non_null(in);
    size_t length = fread(text, 1, sizeof(text) - 1, in);
    fclose(in);
    text[length] = '\0';
    assert_string_equal(text, expected);
}

static void put_content(struct place *place, const char *text)
{
    FILE *out = fopen(place->path, "wb");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void test_sinks__take_blocks_and_say_how_many(void **state)
{
    struct place *place = *state;
    static const char *const names[] = {"null", "file"};
    for (int i = 0; i < 2; i++) {
        const struct sink_class *class = sink_find(names[i]);
        assert_non_null(class);
        assert_string_equal(class->name, names[i]);
        struct sink *sink = opened(place, class);
        uint32_t done = 99;
        assert_int_equal(class->write(sink, messages, 3, &done, &place->error), STATUS_OK);
        assert_int_equal(done, 3);
        class->close(sink);
    }
    assert_null(sink_find("void"));
}

static void test_sink_file__appends_lines_in_order_over_several_openings(void **state)
{
    struct place *place = *state;
    uint32_t done;
    struct sink *sink = opened(place, &sink_file);
    assert_int_equal(sink_file.write(sink, messages, 2, &done, &place->error), STATUS_OK);
    sink_file.close(sink);
    sink = opened(place, &sink_file);
    assert_int_equal(sink_file.write(sink, messages + 1, 2, &done, &place->error),
                     STATUS_OK); /* m2 once more: at least once */
    sink_file.close(sink);
    assert_content(place, "{\"id\":\"m1\"}\n{\"id\":\"m2\"}\n{\"id\":\"m2\"}\n{\"id\":\"m3\"}\n");
}

static void test_sink_file__ends_a_line_that_a_crash_has_cut(void **state)
{
    struct place *place = *state;
    uint32_t done;
    put_content(place, "{\"id\":\"m0\"}\n{\"id\":");
    struct sink *sink = opened(place, &sink_file);
    assert_int_equal(sink_file.write(sink, messages, 1, &done, &place->error), STATUS_OK);
    sink_file.close(sink);
    assert_content(place, "{\"id\":\"m0\"}\n{\"id\":\n{\"id\":\"m1\"}\n");
}

/* A limit on the file's size stands for the full disk. */
static void test_sink_file__a_write_that_fails_is_taken_back(void **state)
{
    struct place *place = *state;
    struct rlimit before, small;
    uint32_t done = 99;
    struct sink *sink = opened(place, &sink_file);
    assert_int_equal(sink_file.write(sink, messages, 1, &done, &place->error), STATUS_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){20, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum status status = sink_file.write(sink, messages + 1, 2, &done, &place->error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, STATUS_NO_SPACE);
    assert_int_equal(done, 0);
    assert_content(place, "{\"id\":\"m1\"}\n");
    assert_int_equal(sink_file.write(sink, messages + 1, 2, &done, &place->error), STATUS_OK);
    assert_content(place, "{\"id\":\"m1\"}\n{\"id\":\"m2\"}\n{\"id\":\"m3\"}\n");
    sink_file.close(sink);
}

static void test_sink_file__has_one_writer(void **state)
{
    struct place *place = *state;
    struct adapter_setting setting = {"path", place->path};
    struct sink *second;
    struct sink *sink = opened(place, &sink_file);
    assert_int_equal(sink_open(&sink_file, &setting, 1, &second, &place->error), STATUS_LOCKED);
    sink_file.close(sink);
    sink_file.close(opened(place, &sink_file));
}

static void test_sink_file__says_what_it_cannot_open(void **state)
{
    struct place *place = *state;
    struct sink *sink;
    struct adapter_setting nowhere = {"path", "/nonexistent/messages"};
    assert_int_equal(sink_open(&sink_file, &nowhere, 1, &sink, &place->error), STATUS_NOT_FOUND);
    assert_non_null(strstr(place->error.text, "/nonexistent/messages"));
    assert_int_equal(sink_open(&sink_file, NULL, 0, &sink, &place->error), STATUS_USAGE);
    assert_non_null(strstr(place->error.text, "path"));
}

static const struct adapter_option options[] = {
    {.name = "path", .type = OPTION_PATH, .required = true, .help = "where"},
    {.name = "timeout",
     .type = OPTION_INTEGER,
     .unit = "seconds",
     .fallback = "30",
     .minimum = 1,
     .maximum = 600,
     .help = "how long"},
    {.name = "sync", .type = OPTION_FLAG, .fallback = "yes", .help = "whether to wait"},
    {.name = NULL},
};

static void test_settings_check__names_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        struct adapter_setting settings[2];
        uint32_t count;
        const char *text; /* NULL: fine */
    } rows[] = {
        {{{"path", "x"}}, 1, NULL},
        {{{"path", "x"}, {"timeout", "600"}}, 2, NULL},
        {{{"path", "x"}, {"timeout", "601"}}, 2, "a whole number from 1 to 600 seconds"},
        {{{"path", "x"}, {"timeout", "0"}}, 2, "from 1 to 600"},
        {{{"path", "x"}, {"timeout", "1.5"}}, 2, "from 1 to 600"},
        {{{"path", "x"}, {"timeout", "99999999999999999999"}}, 2, "from 1 to 600"},
        {{{"path", "x"}, {"sync", "maybe"}}, 2, "yes or no"},
        {{{"path", "x"}, {"speed", "9"}}, 2, "has no option speed"},
        {{{"path", "x"}, {"path", "y"}}, 2, "path is given twice"},
        {{{"path", ""}}, 1, "path is empty"},
        {{{"sync", "no"}}, 1, "needs the option path"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct error error = {0};
        enum status status =
            settings_check("test", options, rows[i].settings, rows[i].count, &error);
        assert_int_equal(status, rows[i].text ? STATUS_USAGE : STATUS_OK);
        if (rows[i].text && !strstr(error.text, rows[i].text))
            fail_msg("\"%s\" is not in: %s", rows[i].text, error.text);
    }
}

static void test_setting__is_the_value_or_the_fallback(void **state)
{
    (void)state;
    struct adapter_setting settings[] = {{"path", "x"}, {"timeout", "5"}};
    assert_string_equal(setting_text(options, settings, 2, "path"), "x");
    assert_int_equal(setting_integer(options, settings, 2, "timeout"), 5);
    assert_int_equal(setting_integer(options, settings, 1, "timeout"), 30);
    assert_true(setting_flag(options, settings, 2, "sync"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sinks__take_blocks_and_say_how_many),
        TEST(test_sink_file__appends_lines_in_order_over_several_openings),
        TEST(test_sink_file__ends_a_line_that_a_crash_has_cut),
        TEST(test_sink_file__a_write_that_fails_is_taken_back),
        TEST(test_sink_file__has_one_writer),
        TEST(test_sink_file__says_what_it_cannot_open),
        cmocka_unit_test(test_settings_check__names_what_is_wrong),
        cmocka_unit_test(test_setting__is_the_value_or_the_fallback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
