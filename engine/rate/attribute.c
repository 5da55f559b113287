#include "rate/attribute.h"

#define NAME(literal)                                                                              \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }

const struct slice attribute_names[ATTRIBUTE_CODES] = {
    {0},
    NAME("cpunumber"),
    NAME("cpuspeed"),
    NAME("description"),
    NAME("isdefault"),
    NAME("issourcenat"),
    NAME("issystem"),
    NAME("memory"),
    NAME("network"),
    NAME("offering"),
    NAME("resource"),
    NAME("size"),
    NAME("template"),
    NAME("virtualsize"),
    NAME("vm"),
    NAME("vpc"),
    NAME("zone"),
};

#define LENGTHS     12 /* the longest name has 11 bytes */
#define SAME_LENGTH 5

/* The codes of the names of each length: few enough to compare them all. */
static const uint8_t codes_by_length[LENGTHS][SAME_LENGTH] = {
    [2] = {14},   [3] = {15},        [4] = {16, 11}, [6] = {7}, [7] = {8}, [8] = {9, 10, 12, 2, 6},
    [9] = {1, 4}, [11] = {3, 5, 13},
};

uint8_t attribute_code(struct slice name)
{
    if (name.length >= LENGTHS)
        return 0;
    for (int i = 0; i < SAME_LENGTH; i++) {
        uint8_t code = codes_by_length[name.length][i];
        if (code == 0)
            return 0;
        if (memcmp(attribute_names[code].data, name.data, name.length) == 0)
            return code;
    }
    return 0;
}
