/* `ratel explain`: from a line of spend or of an invoice down to the windows behind it. */
#include <string.h>

#include "engine/billing.h"
#include "ratel/explain.h"

/* What the words of the command line mean: an account's period, or the one that an invoice was made
 * for. */
struct request {
    uint32_t account;
    struct period period;
    bool from_invoice;
    struct invoice invoice;
};

static enum status read_request(struct context *context, const struct session *session,
                                struct request *ret, struct error *error)
{
    const char *word = context->arguments.words[0];
    enum status status = session_account(session, word, &ret->account, error);
    if (status == STATUS_OK)
        return context_period(context, session->snapshot->accounts[ret->account].zone, &ret->period,
                              error);
    struct error ignored;
    if (status != STATUS_NOT_FOUND ||
        invoice_find(context->book, slice_string(word), &context->arena, &ret->invoice, &ignored) !=
            STATUS_OK)
        return status;
    ret->from_invoice = true;
    ret->period = ret->invoice.period;
    ret->account = snapshot_account(session->snapshot, ret->invoice.account);
    if (ret->account == INDEX_NONE)
        return error_set(error, STATUS_NOT_FOUND,
                         "the account of invoice %s is no longer loaded: load its document again",
                         word);
    return STATUS_OK;
}

/* Invoices stay as they are; what is explained is what usage and prices come to now. */
static void compare_invoice(struct context *context, const struct request *request,
                            const char *code, const struct money now)
{
    struct money then = {0};
    char before[DECIMAL_TEXT_BYTES], after[DECIMAL_TEXT_BYTES];
    for (uint32_t i = 0; i < request->invoice.line_count; i++)
        if (slice_is(request->invoice.lines[i].charge, code))
            then.pico += request->invoice.lines[i].amount.pico;
    if (then.pico == now.pico)
        return;
    money_format(then, request->invoice.currency, before);
    money_format(now, request->invoice.currency, after);
    fflush(context->out);
    fprintf(context->err,
            "ratel: the invoice says %s for %s, usage and prices come to %s now: they changed "
            "since it was made\n",
            before, code, after);
}

static enum status explain(struct context *context, struct session *session, struct error *error)
{
    struct request *request = arena_alloc(&context->arena, sizeof(*request));
    struct spend spend;
    enum status status = read_request(context, session, request, error);
    if (status == STATUS_OK)
        status = session_spend(session, request->account, request->period, &context->arena, &spend,
                               error);
    if (status != STATUS_OK)
        return status;
    const char *code = context_option(context, "charge");
    struct explanation *explanations =
        arena_alloc(&context->arena, (spend.line_count + 1) * sizeof(*explanations));
    uint32_t count = 0;
    struct money rounded = {0};
    for (uint32_t i = 0; i < spend.line_count && status == STATUS_OK; i++) {
        if (!slice_is(spend.lines[i].charge->code, code))
            continue;
        rounded.pico += spend.lines[i].rounded.pico;
        status = explain_line(session->ledgers, &spend, &spend.lines[i], &context->arena,
                              &explanations[count++], error);
    }
    char month[16];
    period_format(request->period, month);
    if (status == STATUS_OK && count == 0)
        return error_set(error, STATUS_NOT_FOUND,
                         "%s has no charge %s in %s: see `ratel spend --period %s`",
                         context->arguments.words[0], code, month, month);
    if (status != STATUS_OK)
        return status;
    if (context->output == OUTPUT_CSV)
        explain_csv(context, session, explanations, count);
    for (uint32_t i = 0; i < count && context->output != OUTPUT_CSV; i++) {
        if (context->output == OUTPUT_JSON)
            explain_json(context, session, &explanations[i]);
        else
            explain_text(context, session, &explanations[i]);
    }
    if (request->from_invoice)
        compare_invoice(context, request, code, rounded);
    return STATUS_OK;
}

static enum status run(struct context *context, struct error *error)
{
    struct session session;
    enum status status = session_open(&session, context, LEDGER_READ, error);
    if (status == STATUS_OK)
        status = explain(context, &session, error);
    session_close(&session);
    return status;
}

const struct verb verb_explain = {
    .name = "explain",
    .summary = "Show how a line came about, down to windows and raw values",
    .words = "ACCOUNT|INVOICE",
    .words_min = 1,
    .words_max = 1,
    .description =
        "Takes one charge of an account's billing period, or of an invoice's, apart: card version "
        "and price row with their place in the document, the way through the tiers with "
        "quantities and amounts, limits, exchange rate with its date and source, the rounding "
        "step, and every window of every series with its raw quantity "
        "and the journal frame that holds it. Every number on the page follows from those above "
        "it.",
    .options = {{.name = "charge", .value = "CODE", .required = true, .help = "code of the charge"},
                {.name = "period",
                 .value = "YYYY-MM",
                 .help = "billing period of an account; without it the present one"}},
    .examples = {{"ratel explain INV-2026-000001 --charge vm.small",
                  "why this line of that invoice is this amount"},
                 {"ratel explain acme --charge vm.small --period 2026-10",
                  "why this line is this amount"},
                 {"ratel explain acme --charge vm.small --output json", "the same for a program"}},
    .run = run,
};
