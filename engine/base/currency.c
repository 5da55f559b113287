/* Currency codes and minor units.
 *
 * Source: ISO 4217 list one (currencies and funds with a minor unit) as in force in November 2026,
 * with the amendments that many libraries lack: XCG for ANG (2025), ZWG for ZWL (2024), SLE for
 * SLL, VED beside VES, BGN gone with Bulgaria's euro (2026), HRK (2023) and CUC gone, UYW with four
 * digits. ICU and CLDR are not used: they give 0 digits to a dozen currencies that have 2 by the
 * standard. MGA and MRU have 2 although their subunit is a fifth. Codes without a minor unit
 * (metals, XDR, XSU, XUA, bond units, XTS, XXX) are absent: nobody can be billed in them. */
#include <assert.h>

#include "base/money.h"

#define CODE(a, b, c) ((uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (uint32_t)(c))

struct currency_row {
    uint32_t code;
    int32_t digits;
};

/* Ascending, for the binary search below. */
#define ROW(a, b, c, digits) {CODE(a, b, c), digits},
static const struct currency_row currency_rows[] = {
    ROW('A', 'E', 'D', 2) ROW('A', 'F', 'N', 2) ROW('A', 'L', 'L', 2) ROW('A', 'M', 'D', 2) ROW(
        'A', 'O', 'A', 2) ROW('A', 'R', 'S', 2) ROW('A', 'U', 'D', 2) ROW('A', 'W', 'G', 2)
        ROW('A', 'Z', 'N', 2) ROW('B', 'A', 'M', 2) ROW('B', 'B', 'D', 2) ROW('B', 'D', 'T', 2) ROW(
            'B', 'H', 'D', 3) ROW('B', 'I', 'F', 0) ROW('B', 'M', 'D', 2) ROW('B', 'N', 'D', 2)
            ROW('B', 'O', 'B', 2) ROW('B', 'O', 'V', 2) ROW('B', 'R', 'L', 2) ROW(
                'B', 'S', 'D', 2) ROW('B', 'T', 'N', 2) ROW('B', 'W', 'P', 2) ROW('B', 'Y', 'N', 2)
                ROW('B', 'Z', 'D', 2) ROW('C', 'A', 'D', 2) ROW('C', 'D', 'F', 2) ROW(
                    'C', 'H', 'E', 2) ROW('C', 'H', 'F', 2)
                    ROW('C', 'H', 'W', 2) ROW('C', 'L', 'F', 4) ROW('C', 'L', 'P', 0) ROW(
                        'C', 'N', 'Y', 2) ROW('C', 'O', 'P', 2)
                        ROW('C', 'O', 'U', 2) ROW('C', 'R', 'C', 2) ROW('C', 'U', 'P', 2) ROW(
                            'C', 'V', 'E',
                            2) ROW('C', 'Z', 'K',
                                   2) ROW('D', 'J', 'F', 0)
                            ROW('D', 'K', 'K', 2) ROW(
                                'D', 'O', 'P',
                                2) ROW('D', 'Z', 'D',
                                       2) ROW('E', 'G', 'P', 2)
                                ROW('E', 'R', 'N', 2) ROW(
                                    'E', 'T', 'B',
                                    2) ROW('E', 'U', 'R',
                                           2) ROW('F', 'J', 'D', 2)
                                    ROW('F', 'K', 'P', 2) ROW(
                                        'G', 'B', 'P',
                                        2) ROW('G', 'E', 'L',
                                               2) ROW('G', 'H', 'S', 2)
                                        ROW('G', 'I', 'P', 2) ROW(
                                            'G', 'M', 'D',
                                            2) ROW('G', 'N', 'F',
                                                   0) ROW('G', 'T', 'Q', 2)
                                            ROW('G', 'Y', 'D', 2) ROW('H', 'K', 'D', 2) ROW(
                                                'H', 'N', 'L',
                                                2) ROW('H', 'T', 'G',
                                                       2) ROW('H', 'U', 'F', 2)
                                                ROW('I', 'D', 'R', 2) ROW('I', 'L', 'S', 2) ROW(
                                                    'I', 'N', 'R',
                                                    2) ROW('I', 'Q', 'D',
                                                           3) ROW('I', 'R', 'R', 2)
                                                    ROW('I', 'S', 'K', 0) ROW('J', 'M', 'D', 2) ROW(
                                                        'J', 'O', 'D',
                                                        3) ROW('J', 'P', 'Y',
                                                               0) ROW('K', 'E', 'S', 2)
                                                        ROW('K', 'G', 'S', 2) ROW('K', 'H', 'R', 2) ROW(
                                                            'K', 'M', 'F',
                                                            0) ROW('K', 'P', 'W',
                                                                   2) ROW('K', 'R', 'W', 0)
                                                            ROW('K', 'W', 'D', 3) ROW('K', 'Y', 'D', 2) ROW(
                                                                'K', 'Z', 'T',
                                                                2) ROW('L', 'A', 'K',
                                                                       2) ROW('L', 'B', 'P', 2)
                                                                ROW('L', 'K', 'R', 2) ROW(
                                                                    'L', 'R', 'D',
                                                                    2) ROW('L', 'S', 'L',
                                                                           2) ROW('L', 'Y', 'D', 3)
                                                                    ROW('M', 'A', 'D', 2) ROW(
                                                                        'M', 'D', 'L',
                                                                        2) ROW('M', 'G', 'A',
                                                                               2) ROW('M', 'K', 'D', 2)
                                                                        ROW('M', 'M', 'K', 2) ROW(
                                                                            'M', 'N', 'T',
                                                                            2) ROW('M', 'O', 'P', 2)
                                                                            ROW('M', 'R', 'U', 2) ROW(
                                                                                'M', 'U', 'R',
                                                                                2) ROW('M', 'V',
                                                                                       'R',
                                                                                       2)
                                                                                ROW('M', 'W', 'K', 2) ROW(
                                                                                    'M', 'X', 'N',
                                                                                    2) ROW('M', 'X',
                                                                                           'V',
                                                                                           2)
                                                                                    ROW('M', 'Y',
                                                                                        'R',
                                                                                        2) ROW('M',
                                                                                               'Z',
                                                                                               'N',
                                                                                               2)
                                                                                        ROW('N', 'A', 'D', 2) ROW('N', 'G', 'N', 2) ROW('N', 'I', 'O', 2) ROW('N', 'O', 'K', 2) ROW('N', 'P', 'R', 2) ROW('N', 'Z', 'D', 2) ROW('O', 'M', 'R', 3) ROW('P', 'A', 'B', 2) ROW('P', 'E', 'N', 2) ROW('P', 'G', 'K', 2) ROW('P', 'H', 'P', 2) ROW('P',
                                                                                                                                                                                                                                                                                                                                              'K', 'R', 2) ROW('P', 'L', 'N', 2) ROW('P', 'Y', 'G', 0) ROW('Q',
                                                                                                                                                                                                                                                                                                                                                                                                           'A',
                                                                                                                                                                                                                                                                                                                                                                                                           'R', 2) ROW('R',
                                                                                                                                                                                                                                                                                                                                                                                                                       'O', 'N', 2) ROW('R', 'S', 'D', 2) ROW('R', 'U', 'B', 2) ROW('R', 'W', 'F', 0) ROW('S',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          'A',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          'R',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          2) ROW('S', 'B', 'D', 2) ROW('S', 'C',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       'R', 2) ROW('S',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   'D',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   'G', 2) ROW('S', 'E', 'K', 2) ROW('S',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                     'G', 'D', 2) ROW('S', 'H', 'P', 2) ROW('S', 'L', 'E', 2) ROW('S', 'O', 'S',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  2) ROW('S', 'R', 'D',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                         2) ROW('S',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                'S',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                'P',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                2) ROW('S', 'T', 'N', 2) ROW('S',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             'V', 'C',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             2) ROW('S',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    'Y',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    'P', 2) ROW('S', 'Z', 'L', 2) ROW('T',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      'H',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      'B',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      2) ROW('T',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             'J',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             'S',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             2) ROW('T',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    'M', 'T', 2) ROW('T', 'N', 'D', 3) ROW('T', 'O', 'P', 2) ROW('T', 'R', 'Y', 2) ROW('T',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       'T',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       'D', 2) ROW('T', 'W', 'D', 2) ROW('T', 'Z', 'S', 2) ROW('U', 'A', 'H', 2) ROW('U', 'G', 'X', 0) ROW('U', 'S', 'D', 2) ROW('U', 'S', 'N', 2) ROW('U', 'Y',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       'I', 0) ROW('U',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   'Y',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   'U',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   2) ROW('U',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          'Y', 'W', 4) ROW('U', 'Z', 'S', 2) ROW('V',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                 'E',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                 'D',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                 2) ROW('V',
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        'E', 'S', 2)
                                                                                            ROW('V', 'N', 'D', 0) ROW('V', 'U', 'V', 0) ROW(
                                                                                                'W',
                                                                                                'S',
                                                                                                'T',
                                                                                                2) ROW('X',
                                                                                                       'A',
                                                                                                       'F',
                                                                                                       0) ROW('X',
                                                                                                              'C',
                                                                                                              'D',
                                                                                                              2)
                                                                                                ROW('X', 'C', 'G', 2) ROW(
                                                                                                    'X',
                                                                                                    'O',
                                                                                                    'F',
                                                                                                    0) ROW('X',
                                                                                                           'P',
                                                                                                           'F',
                                                                                                           0)
                                                                                                    ROW('Y',
                                                                                                        'E',
                                                                                                        'R',
                                                                                                        2) ROW('Z',
                                                                                                               'A',
                                                                                                               'R',
                                                                                                               2)
                                                                                                        ROW('Z',
                                                                                                            'M',
                                                                                                            'W',
                                                                                                            2)
                                                                                                            ROW('Z',
                                                                                                                'W',
                                                                                                                'G',
                                                                                                                2)};
#undef ROW

#define CURRENCY_COUNT (sizeof currency_rows / sizeof currency_rows[0])

static const struct currency_row *find(uint32_t code)
{
    size_t low = 0, high = CURRENCY_COUNT;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (currency_rows[middle].code == code)
            return &currency_rows[middle];
        if (currency_rows[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

enum status currency_parse(struct slice text, struct currency *ret)
{
    if (text.length != 3)
        return STATUS_INVALID;
    const unsigned char *letters = (const unsigned char *)text.data;
    uint32_t code = CODE(letters[0], letters[1], letters[2]);
    if (!find(code))
        return STATUS_INVALID;
    ret->code = code;
    return STATUS_OK;
}

void currency_format(struct currency currency, char buffer[4])
{
    buffer[0] = (char)(currency.code >> 16);
    buffer[1] = (char)(currency.code >> 8 & 0xff);
    buffer[2] = (char)(currency.code & 0xff);
    buffer[3] = '\0';
}

int currency_digits(struct currency currency)
{
    const struct currency_row *row = find(currency.code);
    assert(row);
    return row->digits;
}
