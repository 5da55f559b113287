/* Collects a definition's attributes from a record: sorted by canonical name, each once, integers
 * in one spelling. Private to mediate/. */
#ifndef RATEL_MEDIATE_RECORD_BUILDER_H
#define RATEL_MEDIATE_RECORD_BUILDER_H

#include "mediate/definition.h"
#include "mediate/normalise.h"

#define WINDOW_SECONDS_MAX ((int64_t)10 * 366 * 86400) /* ten years */

/* Both return false after setting the usage's verdict to quarantined with a reason. */
bool quarantined(struct usage *usage, const char *format, ...) PRINTF_LIKE(2, 3);
bool builder_attribute(struct definition *definition, struct usage *usage, struct slice name,
                       struct slice value);
/* A field of text; absent or empty ones are left out. */
bool builder_text(struct definition *definition, struct usage *usage, const struct record *record,
                  enum field field);
/* Sizes, cpunumber, cpuspeed, memory (non-negative integers of up to 63 bits, spelled canonically
 * into `scratch`) and the is... flags. */
bool builder_sizes_and_flags(struct definition *definition, struct usage *usage,
                             struct packer *scratch, const struct record *record);
/* Window of [start, end) from two fields. CloudStack's ends are inclusive and lie on :59 with the
 * last second's fraction hidden: they become the next second; ends on another second are
 * event-clipped (types 25, 27) and exclusive as they stand. */
bool builder_window(struct usage *usage, const struct record *record, enum field start,
                    enum field end, bool inclusive_ends);
bool builder_quantity(struct usage *usage, const struct record *record, enum field field,
                      bool decimal_comma);

/* cloudstack.c: a listUsageRecords row. */
bool cloudstack_definition(struct normaliser *normaliser, const struct record *record,
                           struct definition *definition, struct usage *usage);

/* usual_definition.c: what cloudstack_definition makes of a record, for one that it makes an event
 * of; false where it is unusual, and cloudstack_definition has to be asked. */
bool usual_definition(const struct record *record, struct slice source, struct definition *ret);

#endif
