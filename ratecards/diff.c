/* `ratel diff`: what loading documents would change, line by line. */
#include "ratecards/model.h"

#include <assert.h>

struct differences {
    struct arena *arena; /* of the result */
    struct difference *items;
    uint32_t count;
    uint32_t capacity;
};

static void difference_add(struct differences *list, enum document_kind kind, char sign,
                           struct slice what, struct slice before, struct slice after)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity * 2 : 32;
        struct difference *items = arena_alloc(list->arena, (size_t)capacity * sizeof *items);
        if (list->count)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = (struct difference){
        .kind = kind,
        .sign = sign,
        .what = arena_copy(list->arena, what),
        .before = arena_copy(list->arena, before),
        .after = arena_copy(list->arena, after),
    };
}

/* In the order of the new document; what is gone comes last, in the old one's order. */
static void facts_compare(struct differences *list, enum document_kind kind,
                          const struct facts *before, const struct facts *after)
{
    struct arena scratch;
    struct key_map old;
    arena_init(&scratch);
    key_map_init(&old, &scratch, before->count);
    bool *kept = arena_alloc(&scratch, before->count + 1);
    const struct slice nothing = {0};
    for (uint32_t i = 0; i < before->count; i++)
        (void)key_map_put(&old, 0, before->items[i].what, i);
    for (uint32_t i = 0; i < after->count; i++) {
        const struct fact *now = &after->items[i];
        uint32_t index = key_map_find(&old, 0, now->what);
        if (index == KEY_NONE) {
            difference_add(list, kind, '+', now->what, nothing, now->value);
            continue;
        }
        kept[index] = true;
        if (!slice_equal(before->items[index].value, now->value))
            difference_add(list, kind, '~', now->what, before->items[index].value, now->value);
    }
    for (uint32_t i = 0; i < before->count; i++) {
        if (!kept[i])
            difference_add(list, kind, '-', before->items[i].what, before->items[i].value, nothing);
    }
    arena_fini(&scratch);
}

/* The loaded card that the new one replaces or takes over from: the last of its name that is in
 * force at its start. Of its revisions, the highest: keys sort that way. */
static const struct entry *card_before(const struct entry_list *loaded, const struct card *card)
{
    const struct entry *found = NULL;
    for (uint32_t i = 0; loaded && i < loaded->count; i++) {
        const struct entry *entry = &loaded->items[i];
        struct slice name;
        struct instant from;
        uint32_t revision;
        if (entry->table != ENTRY_CARD || !card_key_read(entry->key, &name, &from, &revision))
            continue;
        if (!slice_equal(name, card->name) || from.seconds > card->effective_from.seconds)
            continue;
        if (!found || slice_compare(found->key, entry->key) <= 0)
            found = entry;
    }
    return found;
}

static void card_diff(struct differences *list, const struct document *document,
                      const struct entry_list *loaded, struct zone_set *zones,
                      struct problems *problems)
{
    struct arena scratch;
    arena_init(&scratch);
    const struct card *card = document->card;
    struct facts before = {.arena = &scratch}, after = {.arena = &scratch};
    const struct entry *entry = card_before(loaded, card);
    struct card old;
    bool replaces = false;
    if (entry && card_reread(list->arena, zones, problems, entry->key, entry->value, &old)) {
        card_facts(&before, &old);
        replaces = old.effective_from.seconds == card->effective_from.seconds;
    }
    if (!replaces) {
        char since[INSTANT_TEXT_BYTES];
        (void)instant_format(card->effective_from, since);
        struct slice what = slice_string(
            arena_printf(&scratch, "%.*s version", (int)card->name.length, card->name.data));
        difference_add(list, DOCUMENT_RATECARD, '+', what, (struct slice){0}, slice_string(since));
    }
    card_facts(&after, card);
    facts_compare(list, DOCUMENT_RATECARD, &before, &after);
    arena_fini(&scratch);
}

static void items_diff(struct differences *list, const struct document *document,
                       const struct entry_list *loaded, const struct key_map *index,
                       struct packer *packer, struct problems *problems)
{
    enum entry_table table = document_table(document->kind);
    for (uint32_t i = 0; i < document->count; i++) {
        struct arena scratch; /* by item, so that a million of them cost the memory of one */
        arena_init(&scratch);
        struct slice key, value;
        struct facts before = {.arena = &scratch}, after = {.arena = &scratch};
        item_entry(&scratch, document, i, packer, &key, &value);
        uint32_t found = key_map_find(index, table, key);
        const struct entry *entry = found == KEY_NONE ? NULL : &loaded->items[found];
        if (!entry || !slice_equal(entry->value, value)) {
            if (entry && !entry_facts(&before, entry))
                problems_add(problems, SLICE("book"), 0, 0,
                             "a stored %s is damaged: run ratel verify", entry_table_name(table));
            item_facts(&after, document, i);
            facts_compare(list, document->kind, &before, &after);
        }
        arena_fini(&scratch);
    }
}

enum status documents_diff(const struct document_list *documents, const struct entry_list *loaded,
                           struct arena *arena, struct problems *problems, struct difference **ret,
                           uint32_t *ret_count)
{
    assert(documents && arena && problems && ret && ret_count);
    struct differences list = {.arena = arena};
    struct zone_set zones = {0};
    struct packer packer;
    struct arena scratch;
    struct key_map index;
    uint32_t before = problems->count + problems->dropped;
    arena_init(&scratch);
    pack_init(&packer);
    key_map_init(&index, &scratch, loaded ? loaded->count : 0);
    for (uint32_t i = 0; loaded && i < loaded->count; i++)
        (void)key_map_put(&index, loaded->items[i].table, loaded->items[i].key, i);
    for (uint32_t i = 0; i < documents->count; i++) {
        const struct document *document = documents->items[i];
        if (document->kind == DOCUMENT_RATECARD)
            card_diff(&list, document, loaded, &zones, problems);
        else
            items_diff(&list, document, loaded, &index, &packer, problems);
    }
    bool failed = packer.failed;
    pack_fini(&packer);
    zone_set_fini(&zones);
    arena_fini(&scratch);
    if (failed)
        return STATUS_NO_MEMORY;
    *ret = list.items;
    *ret_count = list.count;
    return problems->count + problems->dropped == before ? STATUS_OK : STATUS_INVALID;
}
