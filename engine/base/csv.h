/* Writing one CSV field by RFC 4180, for command output and exports. */
#ifndef RATEL_BASE_CSV_H
#define RATEL_BASE_CSV_H

#include <stdbool.h>
#include <stdio.h>

#include "base/slice.h"

/* Quoted only where it must be. Text that a spreadsheet would run as a formula (leading = + - @ TAB
 * CR LF) gets a leading apostrophe (OWASP's advice); numbers are left as they are. Control
 * characters but TAB, CR and LF become '?': the file may be shown on a terminal. The caller writes
 * the commas. */
void csv_field(FILE *out, struct slice text, bool number);

#endif
