/* Reading the values of one map: each call takes one key, says what is wrong with it, and where,
 * and goes on.
 *
 * Every reader returns true when the value was given and is right. It returns false when the key is
 * absent (a problem only for FORM_REQUIRED) or wrong (a problem); `*ret` is then untouched, so
 * defaults are set before. */
#ifndef RATEL_RATECARDS_FORM_H
#define RATEL_RATECARDS_FORM_H

#include "base/calendar.h"
#include "base/instant.h"
#include "base/money.h"
#include "ratecards/yaml.h"

#define TEXT_BYTES_MAX 1000 /* descriptions, names for people */
#define NAME_BYTES_MAX 128  /* names and ids: they are parts of keys of at most 511 bytes */

/* Zones by name, loaded once. Borrowed pointers stay valid until zone_set_fini. */
struct zone_set {
    struct zone **items;
    uint32_t count;
    uint32_t capacity;
    uint32_t last; /* most accounts are in the same zone as the one before */
};

MUST_USE enum status zone_set_find(struct zone_set *set, struct slice name,
                                   const struct zone **ret);
void zone_set_fini(struct zone_set *set);

/* What reading a file carries along. */
struct reader {
    struct arena *arena; /* of what is read */
    struct problems *problems;
    struct slice file;
    struct zone_set *zones;
};

struct form {
    struct reader *reader;
    const struct node *map;
    const char *what; /* "charge", for messages */
};

enum form_need { FORM_OPTIONAL, FORM_REQUIRED };

void reader_problem(struct reader *reader, const struct node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Checks that `node` is a map with none but these keys, and begins the form. Suggests the nearest
 * key for an unknown one. */
bool form_init(struct form *form, struct reader *reader, const struct node *node, const char *what,
               const char *const *keys, size_t key_count);
bool form_has(const struct form *form, const char *key);
/* Where to point for a key: its value, or the map when it is absent. */
const struct node *form_place(const struct form *form, const char *key);

/* Any scalar with text, up to TEXT_BYTES_MAX bytes. */
bool form_text(const struct form *form, const char *key, enum form_need need, struct slice *ret);
/* A text without control characters and without blanks at its ends, up to NAME_BYTES_MAX bytes: ids
 * that other systems gave. */
bool form_id(const struct form *form, const char *key, enum form_need need, struct slice *ret);
/* An id without blanks: names that documents give. */
bool form_name(const struct form *form, const char *key, enum form_need need, struct slice *ret);
bool form_currency(const struct form *form, const char *key, enum form_need need,
                   struct currency *ret);
bool form_instant(const struct form *form, const char *key, enum form_need need,
                  struct instant *ret);
/* "2026-10-31" as days since 1970-01-01. */
bool form_day(const struct form *form, const char *key, enum form_need need, int32_t *ret);
/* Checks that the system knows the zone. */
bool form_zone(const struct form *form, const char *key, enum form_need need, struct slice *ret);
/* The index of the value in `names`. */
bool form_choice(const struct form *form, const char *key, enum form_need need,
                 const char *const *names, size_t count, size_t *ret);
bool form_integer(const struct form *form, const char *key, enum form_need need, uint32_t min,
                  uint32_t max, uint32_t *ret);
bool form_boolean(const struct form *form, const char *key, enum form_need need, bool *ret);
/* A number of units: a bare integer, or a quoted decimal with up to 6 decimals; in millionths.
 * `positive` refuses 0. */
bool form_units(const struct form *form, const char *key, enum form_need need, bool positive,
                int128 *ret);
/* A quoted decimal with up to 12 decimals, or a bare integer, >= 0: money or a rate. `positive`
 * refuses 0. */
bool form_money(const struct form *form, const char *key, enum form_need need, bool positive,
                int128 *ret_pico);
/* A list of items, or NULL. An absent optional list is NULL without a problem; an empty one is a
 * problem. */
const struct node *form_list(const struct form *form, const char *key, enum form_need need);
/* A list of ids, or one id. */
bool form_ids(const struct form *form, const char *key, enum form_need need,
              const struct slice **ret, uint32_t *ret_count);

/* The same for one node that is not the value of a key of its own. */
bool node_money(struct reader *reader, const struct node *node, const char *key, bool positive,
                int128 *ret_pico);
bool node_id(struct reader *reader, const struct node *node, const char *what, struct slice *ret);
/* A day's text, YYYY-MM-DD. */
bool day_parse(struct slice text, int32_t *ret);
/* digits[.digits] and nothing else, without leading zeros. */
bool decimal_is_plain(struct slice text);
size_t day_format(int32_t day, char *buffer); /* 16 bytes */
/* The nearest of `names` to a word that is none of them, or NULL when none is near. */
const char *nearest_name(struct slice word, const char *const *names, size_t count);
/* "a, b, c" for messages. Lifetime: the arena's. */
const char *names_joined(struct arena *arena, const char *const *names, size_t count);

#endif
