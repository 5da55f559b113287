/* What storing documents would add to the book, given what it holds: new and changed entries,
 * revisions of rate cards, contradictions within one load. */
#include "ratecards/model.h"

#include <assert.h>

struct storing {
    const struct entry_list *loaded;
    struct key_map
        loaded_keys; /* table and key -> index in loaded; cards: the stem -> the highest revision */
    struct problems *problems;
    struct entry_list *ret;
    struct key_map pending; /* table and key (cards: stem) -> index in places */
    struct place {
        const struct document *document;
        uint32_t index; /* of the item */
        struct slice value;
    } * places;
    uint32_t place_count;
    struct arena scratch;
    struct zone_set zones;
    struct instant loaded_at;
    struct packer packer;
};

enum entry_table document_table(enum document_kind kind)
{
    static const enum entry_table tables[] = {ENTRY_CARD, ENTRY_CATALOGUE, ENTRY_ACCOUNT, ENTRY_FX,
                                              ENTRY_TAX,  ENTRY_BUDGET,    ENTRY_METER};
    assert((size_t)kind < COUNT_OF(tables));
    return tables[kind];
}

void item_entry(struct arena *arena, const struct document *document, uint32_t index,
                struct packer *packer, struct slice *ret_key, struct slice *ret_value)
{
    assert(index < document->count);
    pack_reset(packer);
    switch (document->kind) {
    case DOCUMENT_RATECARD:
        assert(!"rate cards are stored with a revision");
        break;
    case DOCUMENT_CATALOGUE:
        *ret_key = catalogue_key(arena, document->catalogue);
        catalogue_pack(packer, document->catalogue);
        break;
    case DOCUMENT_ACCOUNTS:
        *ret_key = account_key(arena, &document->accounts[index]);
        account_pack(packer, &document->accounts[index]);
        break;
    case DOCUMENT_FX:
        *ret_key = fx_key(arena, &document->rates[index]);
        fx_pack(packer, &document->rates[index]);
        break;
    case DOCUMENT_TAX:
        *ret_key = tax_key(arena, &document->taxes[index]);
        tax_pack(packer, &document->taxes[index]);
        break;
    case DOCUMENT_BUDGETS:
        *ret_key = budget_key(arena, &document->budgets[index]);
        budget_pack(packer, &document->budgets[index]);
        break;
    case DOCUMENT_METERS:
        *ret_key = meter_key(arena, &document->meters[index]);
        meter_pack(packer, &document->meters[index]);
        break;
    }
    *ret_value = pack_done(packer);
}

void item_place(const struct document *document, uint32_t index, uint32_t *ret_line,
                uint32_t *ret_column)
{
    assert(index < document->count);
    *ret_line = document->line;
    *ret_column = document->column;
    switch (document->kind) {
    case DOCUMENT_RATECARD:
    case DOCUMENT_CATALOGUE:
        break;
    case DOCUMENT_ACCOUNTS:
        *ret_line = document->accounts[index].line, *ret_column = document->accounts[index].column;
        break;
    case DOCUMENT_FX:
        *ret_line = document->rates[index].line, *ret_column = document->rates[index].column;
        break;
    case DOCUMENT_TAX:
        *ret_line = document->taxes[index].line, *ret_column = document->taxes[index].column;
        break;
    case DOCUMENT_BUDGETS:
        *ret_line = document->budgets[index].line, *ret_column = document->budgets[index].column;
        break;
    case DOCUMENT_METERS:
        *ret_line = document->meters[index].line, *ret_column = document->meters[index].column;
        break;
    }
}

static void contradiction(struct storing *storing, const struct document *document, uint32_t index,
                          const struct place *other)
{
    uint32_t line, column, other_line, other_column;
    item_place(document, index, &line, &column);
    item_place(other->document, other->index, &other_line, &other_column);
    problems_add(storing->problems, document->file, line, column,
                 "contradicts %.*s line %u, which is loaded with it and says something else about "
                 "the same %s: leave one out",
                 (int)other->document->file.length, other->document->file.data, other_line,
                 entry_table_name(document_table(document->kind)));
}

/* Whether this is the first in this load under its key. Another one must say the same. */
static bool pending_add(struct storing *storing, struct slice key, struct slice value,
                        const struct document *document, uint32_t index)
{
    uint32_t space = document_table(document->kind);
    uint32_t before = key_map_find(&storing->pending, space, key);
    if (before == KEY_NONE) {
        storing->places[storing->place_count] = (struct place){document, index, value};
        (void)key_map_put(&storing->pending, space, key, storing->place_count++);
        return true;
    }
    const struct place *other = &storing->places[before];
    bool same = document->kind == DOCUMENT_RATECARD
                    ? cards_equal(&storing->scratch, document->card, other->document->card)
                    : slice_equal(value, other->value);
    if (!same)
        contradiction(storing, document, index, other);
    return false;
}

static void added_from(struct storing *storing, const struct document *document, uint32_t index)
{
    struct entry *entry = &storing->ret->items[storing->ret->count - 1];
    entry->document = document;
    entry->index = index;
}

static void store_item(struct storing *storing, const struct document *document, uint32_t index)
{
    struct slice key, value;
    item_entry(&storing->scratch, document, index, &storing->packer, &key, &value);
    value = arena_copy(&storing->scratch, value);
    if (!pending_add(storing, key, value, document, index))
        return;
    enum entry_table table = document_table(document->kind);
    uint32_t loaded = key_map_find(&storing->loaded_keys, table, key);
    if (loaded != KEY_NONE && slice_equal(storing->loaded->items[loaded].value, value))
        return;
    struct arena *arena = storing->ret->arena;
    entries_add(storing->ret, table, arena_copy(arena, key), arena_copy(arena, value));
    added_from(storing, document, index);
}

static void store_card(struct storing *storing, const struct document *document)
{
    const struct card *card = document->card;
    struct slice stem = card_key_stem(card_key(&storing->scratch, card, 1));
    if (!pending_add(storing, stem, (struct slice){0}, document, 0))
        return;
    uint32_t revision = 1;
    uint32_t loaded = key_map_find(&storing->loaded_keys, ENTRY_CARD, stem);
    if (loaded != KEY_NONE) {
        const struct entry *entry = &storing->loaded->items[loaded];
        struct problems ignored; /* a damaged card in the book is compile's to report; here it only
                                    means "not the same" */
        problems_init(&ignored, &storing->scratch);
        struct card before;
        bool readable = card_reread(&storing->scratch, &storing->zones, &ignored, entry->key,
                                    entry->value, &before);
        if (readable && cards_equal(&storing->scratch, card, &before))
            return;
        struct slice name;
        struct instant effective_from;
        if (card_key_read(entry->key, &name, &effective_from, &revision))
            revision++;
    }
    struct arena *arena = storing->ret->arena;
    pack_reset(&storing->packer);
    card_pack(&storing->packer, card, storing->loaded_at);
    entries_add(storing->ret, ENTRY_CARD, card_key(arena, card, revision),
                arena_copy(arena, pack_done(&storing->packer)));
    added_from(storing, document, 0);
}

/* Later entries replace earlier ones of the same key; of a card's revisions the highest counts. */
static void loaded_index(struct storing *storing)
{
    const struct entry_list *loaded = storing->loaded;
    uint32_t count = loaded ? loaded->count : 0;
    key_map_init(&storing->loaded_keys, &storing->scratch, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct entry *entry = &loaded->items[i];
        bool card = entry->table == ENTRY_CARD;
        struct slice key = card ? card_key_stem(entry->key) : entry->key;
        uint32_t before = key_map_find(&storing->loaded_keys, entry->table, key);
        bool older =
            card && before != KEY_NONE && slice_compare(loaded->items[before].key, entry->key) > 0;
        if (!older)
            (void)key_map_put(&storing->loaded_keys, entry->table, key, i);
    }
}

enum status documents_entries(const struct document_list *documents,
                              const struct entry_list *loaded, struct instant loaded_at,
                              struct problems *problems, struct entry_list *ret)
{
    assert(documents && problems && ret && ret->arena);
    struct storing storing = {
        .loaded = loaded, .problems = problems, .ret = ret, .loaded_at = loaded_at};
    uint32_t before = problems->count + problems->dropped, items = 0;
    arena_init(&storing.scratch);
    pack_init(&storing.packer);
    loaded_index(&storing);
    for (uint32_t i = 0; i < documents->count; i++)
        items += documents->items[i]->count;
    key_map_init(&storing.pending, &storing.scratch, items);
    storing.places = arena_alloc(&storing.scratch, ((size_t)items + 1) * sizeof *storing.places);
    for (uint32_t i = 0; i < documents->count; i++) {
        const struct document *document = documents->items[i];
        if (document->kind == DOCUMENT_RATECARD) {
            store_card(&storing, document);
            continue;
        }
        for (uint32_t index = 0; index < document->count; index++)
            store_item(&storing, document, index);
    }
    bool failed = storing.packer.failed;
    pack_fini(&storing.packer);
    zone_set_fini(&storing.zones);
    arena_fini(&storing.scratch);
    if (failed)
        return STATUS_NO_MEMORY;
    return problems->count + problems->dropped == before ? STATUS_OK : STATUS_INVALID;
}
