/* Attributes that CloudStack's records bear, by number: what series definitions store instead of
 * the name, and what resolving looks attributes up by.
 *
 * The numbers are on disk: append only. 0 stands for any other name. */
#ifndef RATEL_RATE_ATTRIBUTE_H
#define RATEL_RATE_ATTRIBUTE_H

#include <stdint.h>

#include "base/slice.h"

#define ATTRIBUTE_CODES 17 /* 1 to 16 are names */

extern const struct slice attribute_names[ATTRIBUTE_CODES]; /* by code; canonical; 0 is empty */

/* The code of a canonical name, or 0. */
uint8_t attribute_code(struct slice name);

#endif
