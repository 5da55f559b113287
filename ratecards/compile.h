/* What the parts of compiling share: compile.c (entries, accounts, rates, taxes, budgets),
 * compile_cards.c (rate cards to versions in time) and compile_emit.c (versions into the snapshot).
 */
#ifndef RATEL_RATECARDS_COMPILE_H
#define RATEL_RATECARDS_COMPILE_H

#include "ratecards/model.h"

struct entry_refs {
    const struct entry **items; /* sorted by key, each key once */
    uint32_t count;
};

struct compiler {
    struct snapshot *snapshot;
    struct arena *arena;  /* the snapshot's */
    struct arena scratch; /* until compiling ends */
    struct problems *problems;
    struct zone_set zones; /* handed to the snapshot at the end */
    struct entry_refs tables[ENTRY_TABLE_COUNT];
    struct packer packer; /* for the digest */
    uint64_t digest;
    const struct meter *declared; /* meters of `kind: meters`, sorted by name */
    const struct slice *declared_names;
    uint32_t declared_count;
};

/* --- rate cards on their way --- */

/* A row's tiers in each currency in which all amounts of the row are given; the first is the
 * card's. */
struct row_prices {
    uint32_t count;
    struct currency *currencies;
    const struct rate_tier **tiers;
};

/* A charge of one document. */
struct source {
    const struct card *card;
    const struct card_charge *charge;
    struct row_prices *rows;
};

/* A card as it is in force in [from, to), before it gets its place in the snapshot. */
struct merged {
    const struct card *card; /* whose document is in force */
    struct instant from, to;
    struct slice timezone;
    enum month_hours month;
    enum rounding rounding;
    const struct source **sources; /* own charges and taken over ones */
    uint32_t count;
};

enum family_state { FAMILY_NEW, FAMILY_ACTIVE, FAMILY_DONE };

struct family {
    struct slice name;
    const struct card **cards;    /* one per effective_from, rising */
    struct source **card_sources; /* of each card, its charges */
    uint32_t card_count;
    enum family_state state;
    struct merged *versions;
    uint32_t version_count, version_capacity;
};

struct cards {
    struct compiler *compiler;
    struct family *families;
    uint32_t family_count;
};

/* The tiers of a row in a currency in which all its amounts are given. */
const struct rate_tier *row_tiers_in(struct arena *arena, const struct card_row *row,
                                     struct currency currency);
/* Writes resolved families into the snapshot (compile_emit.c). */
void emit_families(struct cards *cards);

/* Fills families, versions, charges and plans. */
void compile_cards(struct compiler *compiler);
/* Takes what was packed into the digest and empties the packer. */
void digest_take(struct compiler *compiler);
/* A stored value that cannot be read: with no place, because it has none. */
void damaged_problem(struct compiler *compiler, enum entry_table table);

#endif
