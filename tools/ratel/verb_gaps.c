/* `ratel gaps`: holes between the windows of a series: usage that was perhaps never sent. */
#include "base/json.h"
#include "ratel/session.h"

struct report {
    struct context *context;
    struct session *session;
    struct json json;
    struct table table;
    struct instant from, to; /* what is reported: holes that touch [from, to) */
    uint32_t only;           /* account, or INDEX_NONE */
    const struct definition *definition;
};

static void show_gap(struct instant start, struct instant end, void *context)
{
    struct report *report = context;
    if (end.seconds <= report->from.seconds || start.seconds >= report->to.seconds)
        return;
    const struct definition *definition = report->definition;
    if (report->context->output == OUTPUT_JSON) {
        json_object(&report->json);
        json_key_slice(&report->json, "account", definition->payer_id);
        json_key_slice(&report->json, "meter", definition->meter_name);
        json_key_slice(&report->json, "resource", definition_resource(definition));
        json_key_slice(&report->json, "name", definition->name);
        json_key_slice(&report->json, "source", definition->source);
        json_key_instant(&report->json, "start", start);
        json_key_instant(&report->json, "end", end);
        json_object_end(&report->json);
        return;
    }
    char text[INSTANT_TEXT_BYTES];
    table_cell(&report->table, definition->payer_id);
    table_cell(&report->table, definition->meter_name);
    table_cell(&report->table, definition_resource(definition));
    table_cell(&report->table, definition->name);
    instant_format(start, text);
    table_string(&report->table, text);
    instant_format(end, text);
    table_string(&report->table, text);
}

static enum status show_shard(struct report *report, const struct ledger *ledger,
                              struct error *error)
{
    uint32_t count = ledger_series_count(ledger);
    for (uint32_t i = 0; i < count; i++) {
        struct definition definition;
        enum status status = ledger_series_definition(ledger, i, &definition, error);
        if (status != STATUS_OK)
            return status;
        if (report->only != INDEX_NONE &&
            snapshot_payer(ledger->snapshot, definition.payer_id) != report->only)
            continue;
        report->definition = &definition;
        status = ledger_gaps(ledger, i, show_gap, report, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* A series' windows are all in the shard of its payer. */
static enum status show_series(struct report *report, struct error *error)
{
    const struct ledgers *ledgers = report->session->ledgers;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < ledgers->count && status == STATUS_OK; i++)
        status = show_shard(report, ledgers->shards[i], error);
    return status;
}

static enum status choose(struct report *report, struct error *error)
{
    struct context *context = report->context;
    const struct zone *zone = NULL;
    enum status status = STATUS_OK;
    report->only = INDEX_NONE;
    if (context->arguments.word_count) {
        status =
            session_account(report->session, context->arguments.words[0], &report->only, error);
        if (status != STATUS_OK)
            return status;
        zone = report->session->snapshot->accounts[report->only].zone;
    }
    report->from = INSTANT_MIN;
    report->to = INSTANT_MAX;
    if (!context_flag(context, "period"))
        return STATUS_OK;
    struct period period;
    status = context_period(context, zone, &period, error);
    if (status != STATUS_OK)
        return status;
    struct zone *utc = NULL;
    if (!zone && zone_load(SLICE("UTC"), &utc) != STATUS_OK)
        return error_set(error, STATUS_UNAVAILABLE, "the zone UTC is missing: install tzdata");
    report->from = period_start(zone ? zone : utc, period);
    report->to = period_end(zone ? zone : utc, period);
    zone_free(utc);
    return STATUS_OK;
}

static enum status show(struct report *report, struct error *error)
{
    static const struct column columns[] = {{"account", false},  {"meter", false},
                                            {"resource", false}, {"name", false},
                                            {"start", false},    {"end", false}};
    struct context *context = report->context;
    if (context->output == OUTPUT_JSON) {
        json_init(&report->json, context->out, true);
        json_object(&report->json);
        json_key(&report->json, "gaps");
        json_array(&report->json);
        enum status status = show_series(report, error);
        json_array_end(&report->json);
        json_object_end(&report->json);
        return status;
    }
    table_begin(&report->table, context->out, context->output, context->colour, columns, 6);
    enum status status = show_series(report, error);
    table_end(&report->table);
    return status;
}

static enum status run(struct context *context, struct error *error)
{
    struct session session;
    struct report report = {.context = context, .session = &session};
    enum status status = session_open(&session, context, LEDGER_VERIFY, error); /* with coverage */
    if (status == STATUS_OK)
        status = choose(&report, error);
    if (status == STATUS_OK)
        status = show(&report, error);
    session_close(&session);
    return status;
}

const struct verb verb_gaps = {
    .name = "gaps",
    .summary = "Show holes between the windows of a resource's usage",
    .words = "[ACCOUNT]",
    .words_min = 0,
    .words_max = 1,
    .description = "Lists, for each series (one resource under one meter, size and offering), the "
                   "stretches between its first and last window that no window covers: a machine "
                   "that was stopped for a whole window, or usage that never arrived. Fetch such "
                   "windows again; what was counted already is a duplicate and costs nothing.",
    .options = {{.name = "period", .value = "YYYY-MM", .help = "only holes that touch this month"}},
    .examples = {{"ratel gaps --period 2026-10", "before billing October"}},
    .run = run,
};
