#include "base/csv.h"

/* C0 and DEL but for TAB, CR and LF; and C1 in its UTF-8 form (C2 80 to C2 9F), which terminals
 * obey too. */
static size_t control_length(struct slice text, size_t at)
{
    unsigned char byte = (unsigned char)text.data[at];
    if (byte < 0x20 || byte == 0x7f)
        return byte != '\t' && byte != '\r' && byte != '\n';
    bool c1 =
        byte == 0xc2 && at + 1 < text.length && ((unsigned char)text.data[at + 1] & 0xe0) == 0x80;
    return c1 ? 2 : 0;
}

void csv_field(FILE *out, struct slice text, bool number)
{
    bool formula = !number && text.length > 0 && memchr("=+-@\t\r\n", text.data[0], 7) != NULL;
    bool quoted = false;
    for (size_t i = 0; i < text.length && !quoted; i++)
        quoted = memchr(",\"\r\n", text.data[i], 4) != NULL;
    if (quoted)
        putc_unlocked('"', out);
    if (formula)
        putc_unlocked('\'', out);
    for (size_t i = 0; i < text.length; i++) {
        size_t control = control_length(text, i);
        if (text.data[i] == '"')
            putc_unlocked('"', out);
        putc_unlocked(control ? '?' : text.data[i], out);
        i += control > 1;
    }
    if (quoted)
        putc_unlocked('"', out);
}
