/* The stored form of an invoice. Field by field in the order of the struct; the reader checks
 * bounds, counts and references, and then the sums (I-1 to I-4). */
#include "bill/invoice.h"

#include <assert.h>

#define INVOICE_FORMAT 1

/* ---- writing
 * -------------------------------------------------------------------------------------- */

static void pack_lines(const struct invoice *invoice, struct packer *out)
{
    pack_varint(out, invoice->line_count);
    for (uint32_t i = 0; i < invoice->line_count; i++) {
        const struct invoice_line *line = &invoice->lines[i];
        pack_slice(out, line->charge);
        pack_slice(out, line->description);
        pack_slice(out, line->meter);
        pack_slice(out, line->quantity);
        pack_slice(out, line->unit);
        pack_u32(out, line->priced_currency.code);
        pack_i128(out, line->priced.pico);
        pack_i128(out, line->amount.pico);
        pack_u8(out, (uint8_t)line->limit);
        pack_slice(out, line->tax_class);
        pack_u32(out, line->tax);
        pack_u32(out, line->fx);
    }
}

static void pack_taxes(const struct invoice *invoice, struct packer *out)
{
    pack_varint(out, invoice->tax_count);
    for (uint32_t i = 0; i < invoice->tax_count; i++) {
        const struct invoice_tax *tax = &invoice->taxes[i];
        pack_slice(out, tax->category);
        pack_i128(out, tax->rate_pico);
        pack_i128(out, tax->base.pico);
        pack_i128(out, tax->amount.pico);
    }
}

static void pack_fx(const struct invoice *invoice, struct packer *out)
{
    pack_varint(out, invoice->fx_count);
    for (uint32_t i = 0; i < invoice->fx_count; i++) {
        const struct invoice_fx *fx = &invoice->fx[i];
        pack_u32(out, fx->from.code);
        pack_u32(out, fx->to.code);
        pack_i128(out, fx->numerator);
        pack_i128(out, fx->denominator);
        pack_i128(out, fx->rate_pico);
        pack_u32(out, (uint32_t)fx->day);
        pack_slice(out, fx->source);
    }
}

void invoice_pack(const struct invoice *invoice, struct packer *packer)
{
    invoice_check(invoice);
    pack_u8(packer, INVOICE_FORMAT);
    pack_u8(packer, (uint8_t)invoice->status);
    pack_slice(packer, invoice->number);
    pack_slice(packer, invoice->account);
    pack_slice(packer, invoice->account_name);
    pack_slice(packer, invoice->tax_country);
    pack_slice(packer, invoice->tax_id);
    pack_u32(packer, invoice->currency.code);
    pack_u32(packer, (uint32_t)invoice->period.index);
    pack_u64(packer, (uint64_t)invoice->start.seconds);
    pack_u64(packer, (uint64_t)invoice->end.seconds);
    pack_slice(packer, invoice->timezone);
    pack_u32(packer, invoice->terms_days);
    pack_u64(packer, (uint64_t)invoice->issued.seconds);
    pack_u64(packer, (uint64_t)invoice->due.seconds);
    pack_lines(invoice, packer);
    pack_taxes(invoice, packer);
    pack_fx(invoice, packer);
    pack_varint(packer, invoice->note_count);
    for (uint32_t i = 0; i < invoice->note_count; i++)
        pack_slice(packer, invoice->notes[i]);
    pack_i128(packer, invoice->net.pico);
    pack_i128(packer, invoice->tax.pico);
    pack_i128(packer, invoice->total.pico);
}

/* ---- reading
 * -------------------------------------------------------------------------------------- */

/* Three capital letters that have a minor unit: without it the amounts could not be checked. */
static struct currency unpack_currency(struct unpacker *in)
{
    uint32_t code = unpack_u32(in);
    char letters[3] = {(char)(code >> 16), (char)(code >> 8), (char)code};
    struct currency currency = {0};
    if (code >> 24 || currency_parse(slice_of(letters, 3), &currency) != STATUS_OK)
        in->failed = true;
    return currency;
}

/* An item takes at least one byte, so a count beyond what is left is a lie and no memory is taken
 * for it. */
static uint32_t unpack_count(struct unpacker *in)
{
    uint64_t count = unpack_varint(in);
    if (count > INVOICE_ITEMS_MAX || count > (uint64_t)(in->end - in->at)) {
        in->failed = true;
        return 0;
    }
    return (uint32_t)count;
}

static void unpack_lines(struct unpacker *in, struct arena *arena, struct invoice *invoice)
{
    invoice->line_count = unpack_count(in);
    invoice->lines = arena_alloc(arena, (invoice->line_count + 1) * sizeof(*invoice->lines));
    for (uint32_t i = 0; i < invoice->line_count && !in->failed; i++) {
        struct invoice_line *line = &invoice->lines[i];
        line->charge = unpack_slice(in);
        line->description = unpack_slice(in);
        line->meter = unpack_slice(in);
        line->quantity = unpack_slice(in);
        line->unit = unpack_slice(in);
        line->priced_currency = unpack_currency(in);
        line->priced.pico = unpack_i128(in);
        line->amount.pico = unpack_i128(in);
        uint8_t limit = unpack_u8(in);
        in->failed = in->failed || limit > INVOICE_LIMIT_MAXIMUM;
        line->limit = (enum invoice_limit)limit;
        line->tax_class = unpack_slice(in);
        line->tax = unpack_u32(in);
        line->fx = unpack_u32(in);
    }
}

static void unpack_taxes(struct unpacker *in, struct arena *arena, struct invoice *invoice)
{
    invoice->tax_count = unpack_count(in);
    invoice->taxes = arena_alloc(arena, (invoice->tax_count + 1) * sizeof(*invoice->taxes));
    for (uint32_t i = 0; i < invoice->tax_count && !in->failed; i++) {
        struct invoice_tax *tax = &invoice->taxes[i];
        tax->category = unpack_slice(in);
        tax->rate_pico = unpack_i128(in);
        tax->base.pico = unpack_i128(in);
        tax->amount.pico = unpack_i128(in);
    }
}

static void unpack_fx(struct unpacker *in, struct arena *arena, struct invoice *invoice)
{
    invoice->fx_count = unpack_count(in);
    invoice->fx = arena_alloc(arena, (invoice->fx_count + 1) * sizeof(*invoice->fx));
    for (uint32_t i = 0; i < invoice->fx_count && !in->failed; i++) {
        struct invoice_fx *fx = &invoice->fx[i];
        fx->from = unpack_currency(in);
        fx->to = unpack_currency(in);
        fx->numerator = unpack_i128(in);
        fx->denominator = unpack_i128(in);
        fx->rate_pico = unpack_i128(in);
        fx->day = (int32_t)unpack_u32(in);
        fx->source = unpack_slice(in);
    }
}

static void unpack_head(struct unpacker *in, struct invoice *invoice)
{
    uint8_t status = unpack_u8(in);
    in->failed = in->failed || status > INVOICE_ISSUED;
    invoice->status = (enum invoice_status)status;
    invoice->number = unpack_slice(in);
    invoice->account = unpack_slice(in);
    invoice->account_name = unpack_slice(in);
    invoice->tax_country = unpack_slice(in);
    invoice->tax_id = unpack_slice(in);
    invoice->currency = unpack_currency(in);
    invoice->period.index = (int32_t)unpack_u32(in);
    invoice->start.seconds = (int64_t)unpack_u64(in);
    invoice->end.seconds = (int64_t)unpack_u64(in);
    invoice->timezone = unpack_slice(in);
    invoice->terms_days = unpack_u32(in);
    invoice->issued.seconds = (int64_t)unpack_u64(in);
    invoice->due.seconds = (int64_t)unpack_u64(in);
}

enum status invoice_unpack(struct slice bytes, struct slice name, struct arena *arena,
                           struct invoice *ret, struct error *error)
{
    struct unpacker in;
    struct invoice invoice = {0};
    unpack_init(&in, bytes);
    uint8_t format = unpack_u8(&in);
    if (!in.failed && format != INVOICE_FORMAT)
        return error_set(error, STATUS_VERSION, "%.*s: invoice format %u, this program reads %u",
                         (int)name.length, name.data, format, INVOICE_FORMAT);
    unpack_head(&in, &invoice);
    unpack_lines(&in, arena, &invoice);
    unpack_taxes(&in, arena, &invoice);
    unpack_fx(&in, arena, &invoice);
    invoice.note_count = unpack_count(&in);
    invoice.notes = arena_alloc(arena, (invoice.note_count + 1) * sizeof(*invoice.notes));
    for (uint32_t i = 0; i < invoice.note_count && !in.failed; i++)
        invoice.notes[i] = unpack_slice(&in);
    invoice.net.pico = unpack_i128(&in);
    invoice.tax.pico = unpack_i128(&in);
    invoice.total.pico = unpack_i128(&in);
    const char *rule = "it is cut or has bytes too many";
    if (in.failed || !unpack_at_end(&in) || !invoice_holds(&invoice, &rule))
        return error_set(error, STATUS_CORRUPT, "%.*s: the stored invoice is damaged: %s",
                         (int)name.length, name.data, rule);
    *ret = invoice;
    return STATUS_OK;
}
