/* What the documents say, as read: the model between text and book. Slices point into the source
 * text or the list's arena.
 *
 * Only this folder includes it; the rest of the program sees entries and the snapshot. */
#ifndef RATEL_RATECARDS_MODEL_H
#define RATEL_RATECARDS_MODEL_H

#include "base/pack.h"
#include "rate/snapshot.h"
#include "ratecards/form.h"
#include "ratecards/ratecards.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define CHARGES_MAX 10000 /* of one card */
#define ROWS_MAX    10000 /* of one charge */
#define CHOICES_MAX 32    /* native currencies of one amount */

/* --- rate cards --- */

/* A price, flat, minimum or maximum: one number in the card's currency, or one for each currency
 * named. */
struct amount {
    bool present;
    bool plain; /* one number: in the card's currency; a plain "0" is nothing in every currency */
    uint32_t count;
    uint32_t line, column;
    const struct currency *currencies; /* plain: the card's */
    const struct money *values;
};

struct card_tier {
    int128 up_to_micro; /* TIER_OPEN when not given */
    bool from_given;
    int128 from_micro;
    struct amount price;
    struct amount flat;
    uint32_t line, column;
};

struct card_row {
    const struct where_term *where; /* canonical names, sorted */
    uint32_t where_count;
    const struct card_tier *tiers; /* one open tier for models without tiers */
    uint32_t tier_count;
    int128 package_micro;
    uint32_t line, column;
};

struct card_charge {
    struct slice code;
    struct slice description;
    struct slice meter_name;
    const struct meter *meter; /* NULL when not CloudStack's */
    bool unit_given;           /* false when it was wrong: no further check */
    struct unit unit;
    bool model_given; /* false when it could not be found out */
    enum rate_model model;
    bool times_given;
    struct slice times_name;
    struct times times;
    enum charge_scope scope;
    bool carry;
    int128 included_micro;
    struct amount minimum;
    struct amount maximum;
    struct slice tax_class;
    const struct card_row *rows;
    uint32_t row_count;
    uint32_t line, column;
    uint32_t unit_line, unit_column;
};

struct card {
    struct slice file;
    struct slice name;
    struct currency currency;
    struct instant effective_from;
    struct slice timezone; /* empty when not said: the extended card's, else UTC */
    bool month_given;
    enum month_hours month;
    bool rounding_given;
    enum rounding rounding;
    struct slice extends; /* empty when it does not */
    uint32_t extends_line, extends_column;
    const struct card_charge *charges;
    uint32_t charge_count;
    uint32_t line, column; /* of the document's map */
    /* What is stored: the document's own lines, and the first one's number in the file. */
    struct slice text;
    uint32_t text_line;
    uint32_t revision; /* 0 until it is in the book */
};

extern const char *const model_names[5];
extern const char *const rounding_names[4];

/* `node` is the document's map. Reads and checks; false when something was wrong. */
bool card_read(struct reader *reader, const struct node *node, struct card *ret);
/* Cross-field checks of one card (checks.c). */
void card_check(struct reader *reader, const struct card *card);
/* Whether usage of CloudStack can match an attribute (canonical name) with such a value. */
void where_term_check(struct reader *reader, const struct node *key, const struct node *value,
                      struct slice name);
/* Whether the charge's unit suits the meter; `meter` may be a declared one. */
void charge_unit_check(struct problems *problems, struct slice file,
                       const struct card_charge *charge, const struct meter *meter);
/* The amount in a currency; false when it is not given in it. An absent amount is 0. */
bool amount_in(const struct amount *amount, struct currency currency, struct money *ret);

/* --- the other documents: each item has the place where it stands --- */

struct account_item {
    struct slice id;
    struct slice name;
    struct currency currency;
    struct slice catalogue;
    enum billing_mode billing;
    struct slice timezone;
    uint32_t terms_days;
    const struct slice *emails;
    uint32_t email_count;
    const struct slice *projects;
    uint32_t project_count;
    struct slice tax_country;
    struct slice tax_id;
    struct slice tax_class;
    uint32_t line, column;
};

struct catalogue_item {
    struct slice name;
    struct slice ratecard;
    struct currency currency; /* code 0 when not said */
    uint32_t line, column;
};

struct fx_item {
    struct currency base;
    struct currency quote;
    int32_t day;
    int128 rate_pico;
    struct slice source;
    uint32_t line, column;
};

struct tax_item {
    struct slice country;
    struct slice tax_class;
    int128 rate_pico;
    struct slice category;
    int32_t day_from; /* INT32_MIN when not said */
    int32_t day_to;   /* exclusive; INT32_MAX when not said */
    uint32_t line, column;
};

struct budget_item {
    struct slice id;
    struct slice account;
    struct money amount;
    struct currency currency; /* code 0: the account's */
    uint32_t threshold_count;
    uint32_t thresholds[BUDGET_THRESHOLDS_MAX];
    const struct slice *emails;
    uint32_t email_count;
    uint32_t line, column;
};

struct meter_item {
    struct slice name;
    struct slice base;
    uint32_t line, column;
};

struct document {
    enum document_kind kind;
    struct slice file;
    struct slice title;
    uint32_t line, column;
    uint32_t count; /* items; 1 for a rate card or a catalogue */
    union {
        struct card *card;
        struct catalogue_item *catalogue;
        struct account_item *accounts;
        struct fx_item *rates;
        struct tax_item *taxes;
        struct budget_item *budgets;
        struct meter_item *meters;
    };
};

/* Values that several kinds have: `email` as a list or one text, `country` as two capital letters.
 */
void form_emails(const struct form *form, const struct slice **ret, uint32_t *ret_count);
bool form_country(const struct form *form, enum form_need need, struct slice *ret);

bool accounts_read(struct reader *reader, const struct node *node, struct document *ret);
bool catalogue_read(struct reader *reader, const struct node *node, struct document *ret);
bool fx_read(struct reader *reader, const struct node *node, struct document *ret);
bool fx_csv_read(struct reader *reader, struct slice text, struct document *ret);
bool fx_csv_is(struct slice text);
bool fx_ecb_read(struct reader *reader, struct slice text, struct document *ret);
bool tax_read(struct reader *reader, const struct node *node, struct document *ret);
bool budgets_read(struct reader *reader, const struct node *node, struct document *ret);
bool meters_read(struct reader *reader, const struct node *node, struct document *ret);

/* --- how they are stored (entries.c): a key that sorts naturally, a value that begins with a
 * format byte --- */

struct slice card_key(struct arena *arena, const struct card *card, uint32_t revision);
bool card_key_read(struct slice key, struct slice *ret_name, struct instant *ret_effective_from,
                   uint32_t *ret_revision);
/* What stays equal for all revisions of one name and instant. */
struct slice card_key_stem(struct slice key);
void card_pack(struct packer *packer, const struct card *card, struct instant loaded_at);
struct card_value {
    struct slice file;
    uint32_t text_line;
    struct instant loaded_at;
    struct slice text;
};
bool card_unpack(struct slice value, struct card_value *ret);
/* Reads a stored card again from its text. False with problems when it is not in order. */
bool card_reread(struct arena *arena, struct zone_set *zones, struct problems *problems,
                 struct slice key, struct slice value, struct card *ret);

struct slice account_key(struct arena *arena, const struct account_item *item);
void account_pack(struct packer *packer, const struct account_item *item);
bool account_unpack(struct arena *arena, struct slice key, struct slice value,
                    struct account_item *ret);
struct slice catalogue_key(struct arena *arena, const struct catalogue_item *item);
void catalogue_pack(struct packer *packer, const struct catalogue_item *item);
bool catalogue_unpack(struct slice key, struct slice value, struct catalogue_item *ret);
struct slice fx_key(struct arena *arena, const struct fx_item *item);
void fx_pack(struct packer *packer, const struct fx_item *item);
bool fx_unpack(struct slice key, struct slice value, struct fx_item *ret);
struct slice tax_key(struct arena *arena, const struct tax_item *item);
void tax_pack(struct packer *packer, const struct tax_item *item);
bool tax_unpack(struct slice key, struct slice value, struct tax_item *ret);
struct slice budget_key(struct arena *arena, const struct budget_item *item);
void budget_pack(struct packer *packer, const struct budget_item *item);
bool budget_unpack(struct arena *arena, struct slice key, struct slice value,
                   struct budget_item *ret);
struct slice meter_key(struct arena *arena, const struct meter_item *item);
void meter_pack(struct packer *packer, const struct meter_item *item);
bool meter_unpack(struct slice key, struct slice value, struct meter_item *ret);

/* The key and value of a document's item (not of rate cards); the value lives in `packer` until its
 * next use. */
enum entry_table document_table(enum document_kind kind);
void item_entry(struct arena *arena, const struct document *document, uint32_t index,
                struct packer *packer, struct slice *ret_key, struct slice *ret_value);
void item_place(const struct document *document, uint32_t index, uint32_t *ret_line,
                uint32_t *ret_column);

/* --- facts: a document as "what: value" lines, to compare two states of it (facts.c) --- */

struct fact {
    struct slice what;
    struct slice value;
};

struct facts {
    struct arena *arena;
    struct fact *items;
    uint32_t count;
    uint32_t capacity;
};

void card_facts(struct facts *facts, const struct card *card);
void item_facts(struct facts *facts, const struct document *document, uint32_t index);
/* The same of a stored entry (not a card's). False when it is damaged. */
bool entry_facts(struct facts *facts, const struct entry *entry);
/* Whether two cards say the same, whatever their comments and order. */
bool cards_equal(struct arena *arena, const struct card *a, const struct card *b);

/* --- a map from bytes to an index, for finding doubles and joining lists --- */

struct key_map {
    struct arena *arena;
    struct key_slot *slots;
    uint32_t capacity; /* a power of two */
    uint32_t count;
};

#define KEY_NONE UINT32_MAX

void key_map_init(struct key_map *map, struct arena *arena, uint32_t expected);
/* The index put under a key, or KEY_NONE. `space` tells keys of different kinds apart. */
uint32_t key_map_find(const struct key_map *map, uint32_t space, struct slice key);
/* Puts or replaces. The key must outlive the map. Returns what was there before, or KEY_NONE. */
uint32_t key_map_put(struct key_map *map, uint32_t space, struct slice key, uint32_t index);

#endif
