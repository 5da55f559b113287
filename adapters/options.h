/* Options of an adapter: a table in its descriptor, from which come the checks, --help and the
 * reference page. Settings are what somebody chose: name and value as text. */
#ifndef RATEL_ADAPTERS_OPTIONS_H
#define RATEL_ADAPTERS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum adapter_option_type { OPTION_TEXT, OPTION_PATH, OPTION_INTEGER, OPTION_FLAG /* yes or no */ };

struct adapter_option {
    const char *name; /* NULL ends the list */
    enum adapter_option_type type;
    const char *unit;     /* "seconds", "bytes"; NULL: none */
    const char *fallback; /* NULL: none */
    bool required;
    int64_t minimum, maximum; /* of an integer */
    const char *help;         /* one sentence without the full stop */
};

struct adapter_setting {
    const char *name;
    const char *value;
};

/* Whether the settings fit the options: known names, each once, values of their type and range, all
 * required ones there. `adapter` names it in messages. Errors: USAGE. */
MUST_USE enum status settings_check(const char *adapter, const struct adapter_option *options,
                                    const struct adapter_setting *settings, uint32_t count,
                                    struct error *error);
/* The value chosen, else the fallback, else NULL. The settings were checked. */
const char *setting_text(const struct adapter_option *options,
                         const struct adapter_setting *settings, uint32_t count, const char *name);
/* Of OPTION_FLAG and OPTION_INTEGER; they have a value or a fallback. */
bool setting_flag(const struct adapter_option *options, const struct adapter_setting *settings,
                  uint32_t count, const char *name);
int64_t setting_integer(const struct adapter_option *options,
                        const struct adapter_setting *settings, uint32_t count, const char *name);

#endif
