/* Documents to what the book stores, and back.
 *
 * Keys are made so that memcmp order is the natural one: texts end in a NUL byte (no id can hold
 * one), numbers are big-endian with the sign bit turned. Values begin with a format byte and hold
 * no places, so that the same content from another line is the same value; rate cards are the
 * exception: they are kept as their source text, from which explain can cite file and line. */
#include "ratecards/model.h"

#include <assert.h>

#define FORMAT_1 1
#define LIST_MAX 100000 /* emails or projects of one account */

static const char *const table_names[ENTRY_TABLE_COUNT] = {"card", "catalogue", "account", "fx",
                                                           "tax",  "budget",    "meter"};

const char *entry_table_name(enum entry_table table)
{
    assert(table < ENTRY_TABLE_COUNT);
    return table_names[table];
}

void entries_init(struct entry_list *list, struct arena *arena)
{
    *list = (struct entry_list){.arena = arena};
}

void entries_add(struct entry_list *list, enum entry_table table, struct slice key,
                 struct slice value)
{
    assert(table < ENTRY_TABLE_COUNT && key.length > 0);
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity * 2 : 64;
        struct entry *items = arena_alloc(list->arena, (size_t)capacity * sizeof *items);
        if (list->count)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = (struct entry){.table = table, .key = key, .value = value};
}

/* --- keys --- */

struct key_writer {
    char bytes[2 * NAME_BYTES_MAX + 32];
    size_t length;
};

static void key_text(struct key_writer *key, struct slice text)
{
    assert(text.length <= NAME_BYTES_MAX);
    if (text.length)
        memcpy(key->bytes + key->length, text.data, text.length);
    key->length += text.length;
    key->bytes[key->length++] = '\0';
}

static void key_number(struct key_writer *key, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        key->bytes[key->length++] = (char)(value >> (8 * i));
}

static struct slice key_done(struct arena *arena, const struct key_writer *key)
{
    assert(key->length <= sizeof key->bytes);
    return arena_copy(arena, slice_of(key->bytes, key->length));
}

/* Sign bit turned: negative numbers sort first. */
static uint64_t sortable(int64_t value)
{
    return (uint64_t)value ^ ((uint64_t)1 << 63);
}

static uint32_t sortable_day(int32_t day)
{
    return (uint32_t)day ^ ((uint32_t)1 << 31);
}

struct key_reader {
    struct slice rest;
    bool failed;
};

static struct slice key_text_read(struct key_reader *key)
{
    const char *end = key->rest.length ? memchr(key->rest.data, '\0', key->rest.length) : NULL;
    if (!end) {
        key->failed = true;
        return (struct slice){0};
    }
    struct slice text = slice_of(key->rest.data, (size_t)(end - key->rest.data));
    key->rest.data += text.length + 1;
    key->rest.length -= text.length + 1;
    return text;
}

static uint64_t key_number_read(struct key_reader *key, size_t bytes)
{
    if (key->rest.length < bytes) {
        key->failed = true;
        return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | (unsigned char)key->rest.data[i];
    key->rest.data += bytes;
    key->rest.length -= bytes;
    return value;
}

static bool key_end(const struct key_reader *key)
{
    return !key->failed && key->rest.length == 0;
}

/* --- rate cards --- */

#define REVISION_BYTES 4

struct slice card_key(struct arena *arena, const struct card *card, uint32_t revision)
{
    struct key_writer key = {.length = 0};
    key_text(&key, card->name);
    key_number(&key, sortable(card->effective_from.seconds), 8);
    key_number(&key, revision, REVISION_BYTES);
    return key_done(arena, &key);
}

bool card_key_read(struct slice bytes, struct slice *ret_name, struct instant *ret_effective_from,
                   uint32_t *ret_revision)
{
    struct key_reader key = {.rest = bytes};
    struct slice name = key_text_read(&key);
    uint64_t seconds = key_number_read(&key, 8);
    uint64_t revision = key_number_read(&key, REVISION_BYTES);
    if (!key_end(&key))
        return false;
    *ret_name = name;
    ret_effective_from->seconds = (int64_t)(seconds ^ ((uint64_t)1 << 63));
    *ret_revision = (uint32_t)revision;
    return true;
}

struct slice card_key_stem(struct slice key)
{
    return slice_of(key.data, key.length >= REVISION_BYTES ? key.length - REVISION_BYTES : 0);
}

void card_pack(struct packer *packer, const struct card *card, struct instant loaded_at)
{
    pack_u8(packer, FORMAT_1);
    pack_slice(packer, card->file);
    pack_u32(packer, card->text_line);
    pack_u64(packer, (uint64_t)loaded_at.seconds);
    pack_slice(packer, card->text);
}

bool card_unpack(struct slice value, struct card_value *ret)
{
    struct unpacker in;
    unpack_init(&in, value);
    if (unpack_u8(&in) != FORMAT_1)
        return false;
    struct card_value card;
    card.file = unpack_slice(&in);
    card.text_line = unpack_u32(&in);
    card.loaded_at.seconds = (int64_t)unpack_u64(&in);
    card.text = unpack_slice(&in);
    if (in.failed || !unpack_at_end(&in) || card.text_line == 0)
        return false;
    *ret = card;
    return true;
}

/* --- lists of texts --- */

static void texts_pack(struct packer *packer, const struct slice *texts, uint32_t count)
{
    pack_varint(packer, count);
    for (uint32_t i = 0; i < count; i++)
        pack_slice(packer, texts[i]);
}

static void texts_unpack(struct unpacker *in, struct arena *arena, const struct slice **ret,
                         uint32_t *ret_count)
{
    uint64_t count = unpack_varint(in);
    if (count > LIST_MAX)
        in->failed = true;
    if (in->failed || count == 0)
        return;
    struct slice *texts = arena_alloc(arena, count * sizeof *texts);
    for (uint64_t i = 0; i < count; i++)
        texts[i] = unpack_slice(in);
    *ret = texts;
    *ret_count = (uint32_t)count;
}

static bool unpack_done(const struct unpacker *in)
{
    return !in->failed && unpack_at_end(in);
}

/* --- accounts and catalogues --- */

struct slice account_key(struct arena *arena, const struct account_item *item)
{
    return arena_copy(arena, item->id);
}

void account_pack(struct packer *packer, const struct account_item *item)
{
    pack_u8(packer, FORMAT_1);
    pack_slice(packer, item->name);
    pack_u32(packer, item->currency.code);
    pack_slice(packer, item->catalogue);
    pack_u8(packer, (uint8_t)item->billing);
    pack_slice(packer, item->timezone);
    pack_varint(packer, item->terms_days);
    texts_pack(packer, item->emails, item->email_count);
    texts_pack(packer, item->projects, item->project_count);
    pack_slice(packer, item->tax_country);
    pack_slice(packer, item->tax_id);
    pack_slice(packer, item->tax_class);
}

bool account_unpack(struct arena *arena, struct slice key, struct slice value,
                    struct account_item *ret)
{
    struct unpacker in;
    unpack_init(&in, value);
    if (unpack_u8(&in) != FORMAT_1)
        return false;
    struct account_item item = {.id = key};
    item.name = unpack_slice(&in);
    item.currency.code = unpack_u32(&in);
    item.catalogue = unpack_slice(&in);
    item.billing = (enum billing_mode)unpack_u8(&in);
    item.timezone = unpack_slice(&in);
    item.terms_days = (uint32_t)unpack_varint(&in);
    texts_unpack(&in, arena, &item.emails, &item.email_count);
    texts_unpack(&in, arena, &item.projects, &item.project_count);
    item.tax_country = unpack_slice(&in);
    item.tax_id = unpack_slice(&in);
    item.tax_class = unpack_slice(&in);
    if (!unpack_done(&in) || item.billing > BILLING_PREPAID)
        return false;
    *ret = item;
    return true;
}

struct slice catalogue_key(struct arena *arena, const struct catalogue_item *item)
{
    return arena_copy(arena, item->name);
}

void catalogue_pack(struct packer *packer, const struct catalogue_item *item)
{
    pack_u8(packer, FORMAT_1);
    pack_slice(packer, item->ratecard);
    pack_u32(packer, item->currency.code);
}

bool catalogue_unpack(struct slice key, struct slice value, struct catalogue_item *ret)
{
    struct unpacker in;
    unpack_init(&in, value);
    if (unpack_u8(&in) != FORMAT_1)
        return false;
    struct catalogue_item item = {.name = key};
    item.ratecard = unpack_slice(&in);
    item.currency.code = unpack_u32(&in);
    if (!unpack_done(&in))
        return false;
    *ret = item;
    return true;
}

/* --- exchange rates --- */

struct slice fx_key(struct arena *arena, const struct fx_item *item)
{
    struct key_writer key = {.length = 0};
    key_number(&key, item->base.code, 3);
    key_number(&key, item->quote.code, 3);
    key_number(&key, sortable_day(item->day), 4);
    return key_done(arena, &key);
}

void fx_pack(struct packer *packer, const struct fx_item *item)
{
    pack_u8(packer, FORMAT_1);
    pack_i128(packer, item->rate_pico);
    pack_slice(packer, item->source);
}

bool fx_unpack(struct slice key, struct slice value, struct fx_item *ret)
{
    struct key_reader key_in = {.rest = key};
    struct unpacker in;
    unpack_init(&in, value);
    if (unpack_u8(&in) != FORMAT_1)
        return false;
    struct fx_item item = {0};
    item.base.code = (uint32_t)key_number_read(&key_in, 3);
    item.quote.code = (uint32_t)key_number_read(&key_in, 3);
    item.day = (int32_t)((uint32_t)key_number_read(&key_in, 4) ^ ((uint32_t)1 << 31));
    item.rate_pico = unpack_i128(&in);
    item.source = unpack_slice(&in);
    if (!key_end(&key_in) || !unpack_done(&in) || item.rate_pico <= 0)
        return false;
    *ret = item;
    return true;
}

/* --- tax --- */

struct slice tax_key(struct arena *arena, const struct tax_item *item)
{
    struct key_writer key = {.length = 0};
    key_text(&key, item->country);
    key_text(&key, item->tax_class);
    key_number(&key, sortable_day(item->day_from), 4);
    return key_done(arena, &key);
}

void tax_pack(struct packer *packer, const struct tax_item *item)
{
    pack_u8(packer, FORMAT_1);
    pack_i128(packer, item->rate_pico);
    pack_slice(packer, item->category);
    pack_u32(packer, (uint32_t)item->day_to);
}

bool tax_unpack(struct slice key, struct slice value, struct tax_item *ret)
{
    struct key_reader key_in = {.rest = key};
    struct unpacker in;
    unpack_init(&in, value);
    if (unpack_u8(&in) != FORMAT_1)
        return false;
    struct tax_item item = {0};
    item.country = key_text_read(&key_in);
    item.tax_class = key_text_read(&key_in);
    item.day_from = (int32_t)((uint32_t)key_number_read(&key_in, 4) ^ ((uint32_t)1 << 31));
    item.rate_pico = unpack_i128(&in);
    item.category = unpack_slice(&in);
    item.day_to = (int32_t)unpack_u32(&in);
    if (!key_end(&key_in) || !unpack_done(&in) || item.rate_pico < 0)
        return false;
    *ret = item;
    return true;
}

/* --- budgets --- */

struct slice budget_key(struct arena *arena, const struct budget_item *item)
{
    struct key_writer key = {.length = 0};
    struct slice id = item->id;
    if (id.length > NAME_BYTES_MAX) /* made from a long account id: its end, amount and currency, is
                                       what differs */
        id = slice_of(id.data + id.length - NAME_BYTES_MAX, NAME_BYTES_MAX);
    key_text(&key, item->account);
    key_text(&key, id);
    return key_done(arena, &key);
}

void budget_pack(struct packer *packer, const struct budget_item *item)
{
    pack_u8(packer, FORMAT_1);
    pack_i128(packer, item->amount.pico);
    pack_u32(packer, item->currency.code);
    pack_varint(packer, item->threshold_count);
    for (uint32_t i = 0; i < item->threshold_count; i++)
        pack_varint(packer, item->thresholds[i]);
    texts_pack(packer, item->emails, item->email_count);
}

bool budget_unpack(struct arena *arena, struct slice key, struct slice value,
                   struct budget_item *ret)
{
    struct key_reader key_in = {.rest = key};
    struct unpacker in;
    unpack_init(&in, value);
    if (unpack_u8(&in) != FORMAT_1)
        return false;
    struct budget_item item = {0};
    item.account = key_text_read(&key_in);
    item.id = key_text_read(&key_in);
    item.amount.pico = unpack_i128(&in);
    item.currency.code = unpack_u32(&in);
    uint64_t count = unpack_varint(&in);
    if (count > BUDGET_THRESHOLDS_MAX)
        return false;
    item.threshold_count = (uint32_t)count;
    for (uint32_t i = 0; i < item.threshold_count; i++)
        item.thresholds[i] = (uint32_t)unpack_varint(&in);
    texts_unpack(&in, arena, &item.emails, &item.email_count);
    if (!key_end(&key_in) || !unpack_done(&in) || item.amount.pico <= 0)
        return false;
    *ret = item;
    return true;
}

/* --- meters --- */

struct slice meter_key(struct arena *arena, const struct meter_item *item)
{
    return arena_copy(arena, item->name);
}

void meter_pack(struct packer *packer, const struct meter_item *item)
{
    pack_u8(packer, FORMAT_1);
    pack_slice(packer, item->base);
}

bool meter_unpack(struct slice key, struct slice value, struct meter_item *ret)
{
    struct unpacker in;
    unpack_init(&in, value);
    if (unpack_u8(&in) != FORMAT_1)
        return false;
    struct meter_item item = {.name = key, .base = unpack_slice(&in)};
    if (!unpack_done(&in))
        return false;
    *ret = item;
    return true;
}
