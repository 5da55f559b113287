/* `ratel suspense`: usage that was read and is not billed yet: no account, no price, or it
 * contradicts what is counted. A view, not a pile: loading the missing document rates it at once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "ratel/session.h"
#include "ratel/spend_text.h"

/* Unpriced usage: of one series and reason while the journal is walked, then summed by payer,
 * source, meter, offering and reason. */
struct waiting {
    struct slice payer; /* texts are the arena's */
    struct slice payer_name;
    struct slice source;
    struct slice offering; /* what a missing price most often hangs on; empty where there is none */
    struct slice meter_name;
    uint32_t meter;
    enum unpriced_reason reason;
    uint64_t events;
    uint64_t last_event; /* number of the event counted last: one that is split into pieces counts
                            once */
    int128 quanta;
};

struct view {
    struct context *context;
    struct session session;
    struct buckets places; /* by shard (as account), series (as plan) and reason (as part): the same
                              position in `waiting` */
    struct waiting *waiting;
    uint32_t count;
    uint32_t capacity;
    uint64_t event_number;
};

static const char *const reason_names[] = {
    "",
    "no account is loaded",
    "the account names a catalogue that is not loaded",
    "the card is not loaded or not in force yet",
    "no charge or row matches",
    "the record lacks the attribute that `times` names",
};

struct piece_visit {
    struct view *view;
    uint32_t shard;
    const struct event *event;
    const struct definition *definition;
};

static void add_waiting(struct view *view, const struct definition *definition, uint32_t meter,
                        enum unpriced_reason reason)
{
    if (view->count == view->capacity) {
        view->capacity = view->capacity ? view->capacity * 2 : 64;
        struct waiting *bigger =
            arena_alloc(&view->context->arena, view->capacity * sizeof(*bigger));
        if (view->count)
            memcpy(bigger, view->waiting, view->count * sizeof(*bigger));
        view->waiting = bigger;
    }
    struct arena *arena = &view->context->arena;
    view->waiting[view->count++] = (struct waiting){
        .payer = arena_copy(arena, definition->payer_id),
        .payer_name = arena_copy(arena, definition->account_name),
        .source = arena_copy(arena, definition->source),
        .offering = arena_copy(arena, definition_attribute(definition, "offering")),
        .meter_name = arena_copy(arena, definition->meter_name),
        .meter = meter,
        .reason = reason,
    };
}

static enum status each_piece(const struct piece *piece, void *context, struct error *error)
{
    struct piece_visit *visit = context;
    struct view *view = visit->view;
    if (piece->resolution.plan_count)
        return STATUS_OK;
    uint32_t series = visit->event->series, index;
    struct bucket_key key = {
        .account = visit->shard, .plan = series, .part = (uint32_t)piece->resolution.reason};
    enum status status = buckets_at(&view->places, key, &index);
    if (status != STATUS_OK)
        return error_set(error, status, "out of memory");
    if (index == view->count)
        add_waiting(view, visit->definition,
                    ledger_meter(view->session.ledgers->shards[visit->shard], visit->definition),
                    piece->resolution.reason);
    struct waiting *waiting = &view->waiting[index];
    waiting->events += waiting->last_event != view->event_number;
    waiting->last_event = view->event_number;
    waiting->quanta += piece->quantity.quanta;
    return STATUS_OK;
}

static enum status each_event(uint32_t shard, const struct event *event,
                              const struct journal_frame *frame, void *context, struct error *error)
{
    (void)frame;
    struct view *view = context;
    const struct ledger *ledger = view->session.ledgers->shards[shard];
    struct definition definition;
    if (ledger_is_priced(ledger, event)) /* nearly all, where prices are in order */
        return STATUS_OK;
    enum status status = ledger_series_definition(ledger, event->series, &definition, error);
    if (status != STATUS_OK)
        return status;
    struct series_view series = definition_view(&definition);
    struct piece_visit visit = {view, shard, event, &definition};
    view->event_number++;
    return ledger_split(ledger->snapshot, &series, ledger_series_is_level(ledger, event->series),
                        event, each_piece, &visit, error);
}

/* By payer, source, CloudStack's meters by usage type and then others by name, offering, reason:
 * never by arrival. */
static int compare_kinds(const struct waiting *a, const struct waiting *b)
{
    int order = slice_compare(a->payer, b->payer);
    order = order ? order : slice_compare(a->source, b->source);
    if (order == 0 && a->meter >= METER_FIRST_OTHER && b->meter >= METER_FIRST_OTHER)
        order = slice_compare(a->meter_name, b->meter_name);
    else if (order == 0)
        order = (a->meter > b->meter) - (a->meter < b->meter);
    order = order ? order : slice_compare(a->offering, b->offering);
    return order ? order : (a->reason > b->reason) - (a->reason < b->reason);
}

static int compare_waiting(const void *left, const void *right)
{
    const struct waiting *a = left, *b = right;
    int order = compare_kinds(a, b);
    return order ? order : slice_compare(a->payer_name, b->payer_name);
}

static enum status gather(struct view *view, struct error *error)
{
    buckets_init(&view->places);
    enum status status = ledgers_walk(view->session.ledgers, each_event, view, error);
    buckets_fini(&view->places);
    if (status != STATUS_OK)
        return status;
    if (view->count)
        qsort(view->waiting, view->count, sizeof(*view->waiting), compare_waiting);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < view->count; i++) {
        if (kept == 0 || compare_kinds(&view->waiting[kept - 1], &view->waiting[i]) != 0) {
            view->waiting[kept++] = view->waiting[i];
            continue;
        }
        view->waiting[kept - 1].events += view->waiting[i].events;
        view->waiting[kept - 1].quanta += view->waiting[i].quanta;
    }
    view->count = kept;
    return STATUS_OK;
}

static uint32_t open_conflicts(const struct ledgers *ledgers)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ledgers->count; i++)
        for (uint32_t j = 0; j < ledgers->shards[i]->conflict_count; j++)
            count += !ledgers->shards[i]->conflicts[j].discarded;
    return count;
}

/* A conflict with its number, and what its series is. */
struct shown_conflict {
    uint32_t number;
    uint32_t shard;
    const struct conflict_entry *entry;
    struct definition definition;
    enum status status; /* not OK: its definition cannot be read, and `error` says why */
    struct error *error;
};

/* False where there is none of this number, or it cannot be read. */
static bool find_conflict(const struct ledgers *ledgers, uint32_t number,
                          struct shown_conflict *ret)
{
    ret->number = number;
    ret->entry = ledgers_conflict(ledgers, number, &ret->shard);
    if (ret->entry)
        ret->status =
            ledger_series_definition(ledgers->shards[ret->shard], ret->entry->conflict.event.series,
                                     &ret->definition, ret->error);
    return ret->entry != NULL && ret->status == STATUS_OK;
}

/* The next open conflict after number `*at`, by number. */
static bool next_open(const struct ledgers *ledgers, uint32_t *at, struct shown_conflict *ret)
{
    uint32_t last = ledgers_conflict_last(ledgers);
    while (*at < last && ret->status == STATUS_OK) {
        ++*at;
        if (find_conflict(ledgers, *at, ret) && !ret->entry->discarded)
            return true;
    }
    return false;
}

static void conflict_json(struct json *json, const struct shown_conflict *shown)
{
    const struct event *event = &shown->entry->conflict.event;
    const struct definition *definition = &shown->definition;
    json_object(json);
    json_key_integer(json, "id", shown->number);
    json_key_string(json, "reason", "conflict");
    json_key_string(json, "state", shown->entry->discarded ? "discarded" : "open");
    json_key_slice(json, "account", definition->payer_id);
    json_key_slice(json, "meter", definition->meter_name);
    json_key_slice(json, "resource", definition_resource(definition));
    json_key_slice(json, "name", definition->name);
    json_key_slice(json, "source", definition->source);
    json_key_instant(json, "start", (struct instant){event->start});
    json_key_instant(json, "end", (struct instant){event->start + event->length});
    json_key_quantity(json, "quantity", event_quantity(event));
    json_object_end(json);
}

static enum status list_json(struct view *view, struct error *error)
{
    struct shown_conflict shown = {.error = error};
    char text[DECIMAL_TEXT_BYTES];
    struct json json;
    json_init(&json, view->context->out, true);
    json_object(&json);
    json_key(&json, "unpriced");
    json_array(&json);
    for (uint32_t i = 0; i < view->count; i++) {
        const struct waiting *waiting = &view->waiting[i];
        json_object(&json);
        json_key_slice(&json, "account", waiting->payer);
        json_key_slice(&json, "name", waiting->payer_name);
        json_key_slice(&json, "source", waiting->source);
        json_key_slice(&json, "meter", waiting->meter_name);
        json_key_slice(&json, "offering", waiting->offering);
        json_key_string(&json, "reason",
                        waiting->reason == UNPRICED_NO_ACCOUNT ? "no_account" : "no_price");
        json_key_string(&json, "text", reason_names[waiting->reason]);
        spend_unpriced_quantity(&(struct spend_unpriced){waiting->meter, {waiting->quanta}}, text);
        json_key_string(&json, "quantity", text);
        json_key_string(&json, "unit", series_meter_base(waiting->meter));
        json_key_integer(&json, "events", (int64_t)waiting->events);
        json_object_end(&json);
    }
    json_array_end(&json);
    json_key(&json, "conflicts");
    json_array(&json);
    for (uint32_t at = 0; next_open(view->session.ledgers, &at, &shown);)
        conflict_json(&json, &shown);
    json_array_end(&json);
    json_object_end(&json);
    return shown.status;
}

static enum status list_table(struct view *view, struct error *error)
{
    static const struct column columns[] = {
        {"id", true},     {"account", false},  {"name", false},
        {"meter", false}, {"offering", false}, {"quantity", true},
        {"unit", false},  {"events", true},    {"reason", false}};
    const struct ledgers *ledgers = view->session.ledgers;
    struct shown_conflict shown = {.error = error};
    char text[DECIMAL_TEXT_BYTES];
    struct table table;
    table_begin(&table, view->context->out, view->context->output, view->context->colour, columns,
                9);
    for (uint32_t i = 0; i < view->count; i++) {
        const struct waiting *waiting = &view->waiting[i];
        table_string(&table, "");
        table_cell(&table, waiting->payer);
        table_cell(&table, waiting->payer_name);
        table_cell(&table, waiting->meter_name);
        table_cell(&table, waiting->offering);
        spend_unpriced_quantity(&(struct spend_unpriced){waiting->meter, {waiting->quanta}}, text);
        table_string(&table, text);
        table_string(&table, series_meter_base(waiting->meter));
        table_integer(&table, (int64_t)waiting->events);
        table_string(&table, reason_names[waiting->reason]);
    }
    for (uint32_t at = 0; next_open(ledgers, &at, &shown);) {
        const struct event *event = &shown.entry->conflict.event;
        table_integer(&table, shown.number);
        table_cell(&table, shown.definition.payer_id);
        table_cell(&table, shown.definition.account_name);
        table_cell(&table, shown.definition.meter_name);
        table_cell(&table, definition_attribute(&shown.definition, "offering"));
        table_quantity(&table, event_quantity(event));
        table_string(&table, series_meter_base(
                                 ledger_meter(ledgers->shards[shown.shard], &shown.definition)));
        table_string(&table, "1");
        table_string(&table, "conflict: contradicts what is counted");
    }
    table_end(&table);
    return shown.status;
}

static enum status run_list(struct context *context, struct error *error)
{
    struct view view = {.context = context};
    enum status status = session_open(&view.session, context, LEDGER_READ, error);
    if (status == STATUS_OK)
        status = gather(&view, error);
    if (status == STATUS_OK && context->output == OUTPUT_JSON)
        status = list_json(&view, error);
    else if (status == STATUS_OK)
        status = list_table(&view, error);
    session_close(&view.session);
    return status;
}

static enum status read_number(const struct context *context, const struct ledgers *ledgers,
                               struct shown_conflict *ret, struct error *error)
{
    const char *word = context->arguments.words[0];
    int128 number;
    if (decimal_parse(slice_string(word), 0, false, &number, NULL) != STATUS_OK || number < 1 ||
        number > UINT32_MAX)
        return error_set(error, STATUS_USAGE,
                         "\"%s\" is no conflict's number: see `ratel suspense list`", word);
    *ret = (struct shown_conflict){.error = error};
    if (find_conflict(ledgers, (uint32_t)number, ret))
        return STATUS_OK;
    return ret->entry ? ret->status
                      : error_set(error, STATUS_NOT_FOUND,
                                  "no conflict %s: see `ratel suspense list`", word);
}

/* What of the conflict's ledger overlaps its window: the same series' events. An id's events are
 * all in the same shard, and so are a series' windows. */
struct overlap_walk {
    const struct conflict *conflict;
    uint32_t shard;
    bool named;       /* there are several shards */
    uint64_t frame;   /* being walked */
    uint32_t next_id; /* of its events at a moment, which bear ids in their order */
    struct context *context;
    struct json *json;
};

static enum status show_overlap(const struct event *event, const struct journal_frame *frame,
                                void *context, struct error *error)
{
    (void)error;
    struct overlap_walk *walk = context;
    const struct event *other = &walk->conflict->event;
    if (frame->sequence != walk->frame) {
        walk->frame = frame->sequence;
        walk->next_id = 0;
    }
    bool overlaps;
    if (event->length == 0) {
        struct hash128 id = journal_id(frame, walk->next_id++);
        overlaps = other->length == 0 && hash128_equal(id, walk->conflict->id);
    } else {
        overlaps = event->series == other->series && event->start < other->start + other->length &&
                   other->start < event->start + event->length;
    }
    if (!overlaps)
        return STATUS_OK;
    if (walk->json) {
        json_object(walk->json);
        json_key_instant(walk->json, "start", (struct instant){event->start});
        json_key_instant(walk->json, "end", (struct instant){event->start + event->length});
        json_key_quantity(walk->json, "quantity", event_quantity(event));
        json_key_integer(walk->json, "shard", walk->shard);
        json_key_integer(walk->json, "frame", (int64_t)frame->sequence);
        json_object_end(walk->json);
        return STATUS_OK;
    }
    char start[INSTANT_TEXT_BYTES], end[INSTANT_TEXT_BYTES], quantity[DECIMAL_TEXT_BYTES];
    instant_format((struct instant){event->start}, start);
    instant_format((struct instant){event->start + event->length}, end);
    quantity_format(event_quantity(event), quantity);
    char shard[32] = "";
    if (walk->named)
        snprintf(shard, sizeof(shard), " of shard-%02u", walk->shard);
    fprintf(walk->context->out, "counted   %s to %s: %s (journal frame %llu%s)\n", start, end,
            quantity, (unsigned long long)frame->sequence, shard);
    return STATUS_OK;
}

static enum status show_conflict(struct context *context, struct session *session,
                                 struct error *error)
{
    struct shown_conflict shown;
    enum status status = read_number(context, session->ledgers, &shown, error);
    if (status != STATUS_OK)
        return status;
    struct ledger *ledger = session->ledgers->shards[shown.shard];
    const struct conflict *conflict = &shown.entry->conflict;
    struct overlap_walk walk = {.conflict = conflict,
                                .shard = shown.shard,
                                .named = session->ledgers->count > 1,
                                .context = context};
    if (context->output == OUTPUT_JSON) {
        struct json json;
        json_init(&json, context->out, true);
        json_object(&json);
        json_key(&json, "conflict");
        conflict_json(&json, &shown);
        json_key(&json, "counted");
        json_array(&json);
        walk.json = &json;
        status = ledger_walk(ledger, show_overlap, &walk, error);
        if (status != STATUS_OK)
            return status;
        json_array_end(&json);
        json_object_end(&json);
        return STATUS_OK;
    }
    char start[INSTANT_TEXT_BYTES], end[INSTANT_TEXT_BYTES], quantity[DECIMAL_TEXT_BYTES];
    instant_format((struct instant){conflict->event.start}, start);
    instant_format((struct instant){conflict->event.start + conflict->event.length}, end);
    quantity_format(event_quantity(&conflict->event), quantity);
    fputs("resource  ", context->out);
    print_clean(context->out, definition_resource(&shown.definition));
    fputs(", meter ", context->out);
    print_clean(context->out, shown.definition.meter_name);
    fputs(", account ", context->out);
    print_clean(context->out, shown.definition.payer_id);
    fprintf(context->out, "\nsent      %s to %s: %s\n", start, end, quantity);
    return ledger_walk(ledger, show_overlap, &walk, error);
}

static enum status run_show(struct context *context, struct error *error)
{
    struct session session;
    enum status status = session_open(&session, context, LEDGER_READ, error);
    if (status == STATUS_OK)
        status = show_conflict(context, &session, error);
    session_close(&session);
    return status;
}

static enum status run_discard(struct context *context, struct error *error)
{
    struct session session;
    struct shown_conflict shown;
    enum status status = session_open(&session, context, LEDGER_WRITE, error);
    if (status == STATUS_OK)
        status = read_number(context, session.ledgers, &shown, error);
    if (status == STATUS_OK)
        status = ledgers_discard_conflict(session.ledgers, shown.number, error);
    if (status == STATUS_OK)
        status = ledgers_checkpoint(session.ledgers, error);
    if (status == STATUS_OK)
        fprintf(context->out, "conflict %u is discarded: what was counted stays\n", shown.number);
    session_close(&session);
    return status;
}

static enum status run_retry(struct context *context, struct error *error)
{
    struct view view = {.context = context};
    enum status status = session_open(&view.session, context, LEDGER_WRITE,
                                      error); /* rates anew where prices changed */
    if (status == STATUS_OK)
        status = ledgers_checkpoint(view.session.ledgers, error);
    if (status == STATUS_OK)
        status = gather(&view, error);
    uint64_t events = 0;
    for (uint32_t i = 0; i < view.count; i++)
        events += view.waiting[i].events;
    if (status == STATUS_OK)
        fprintf(context->out,
                "rated under what is loaded now; %llu events without a price and %u conflicts stay "
                "in suspense\n",
                (unsigned long long)events, open_conflicts(view.session.ledgers));
    session_close(&view.session);
    return status;
}

static const struct verb list = {
    .name = "list",
    .summary = "List usage that cannot be billed yet",
    .description = "Sums what has no account or no price by account, meter, offering and reason, "
                   "and lists the open conflicts with their numbers.",
    .examples = {{"ratel suspense list", "what waits, and for what"}},
    .run = run_list,
};

static const struct verb show = {
    .name = "show",
    .summary = "Show a conflict and what it contradicts",
    .words = "NUMBER",
    .words_min = 1,
    .words_max = 1,
    .description =
        "Shows the record in suspense and the windows of the same resource that are counted.",
    .examples = {{"ratel suspense show 3", "conflict 3"}},
    .run = run_show,
};

static const struct verb retry = {
    .name = "retry",
    .summary = "Rate what waits under the documents loaded now",
    .description = "Loading a missing document does this by itself; this command does it again and "
                   "says what is still waiting.",
    .examples = {{"ratel suspense retry", "after an interrupted load"}},
    .run = run_retry,
};

static const struct verb discard = {
    .name = "discard",
    .summary = "Decide that a conflict is not to be counted",
    .words = "NUMBER",
    .words_min = 1,
    .words_max = 1,
    .description = "The windows that are counted stay as they are; the contradicting record is "
                   "kept in the journal and no longer listed.",
    .examples = {{"ratel suspense discard 3", "conflict 3 was wrong"}},
    .run = run_discard,
};

const struct verb verb_suspense = {
    .name = "suspense",
    .summary = "Usage that was read and is not billed yet",
    .description = "Suspense is a view: usage without a known account or price is journalled and "
                   "counted like any other, and loading the missing document rates "
                   "it at once. Conflicts wait here for a person.",
    .subverbs = {&list, &show, &retry, &discard},
};
