#include "adapters/options.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/decimal.h"

static const struct adapter_option *option_find(const struct adapter_option *options,
                                                const char *name)
{
    for (; options->name; options++)
        if (strcmp(options->name, name) == 0)
            return options;
    return NULL;
}

static const char *chosen(const struct adapter_setting *settings, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(settings[i].name, name) == 0)
            return settings[i].value;
    return NULL;
}

static bool integer_of(const char *text, int64_t *ret)
{
    int128 value;
    if (decimal_parse(slice_string(text), 0, false, &value, NULL) != STATUS_OK ||
        value < INT64_MIN || value > INT64_MAX)
        return false;
    *ret = (int64_t)value;
    return true;
}

static enum status value_check(const char *adapter, const struct adapter_option *option,
                               const char *value, struct error *error)
{
    int64_t number;
    switch (option->type) {
    case OPTION_TEXT:
    case OPTION_PATH:
        if (*value)
            return STATUS_OK;
        return error_set(error, STATUS_USAGE, "%s: %s is empty", adapter, option->name);
    case OPTION_FLAG:
        if (strcmp(value, "yes") == 0 || strcmp(value, "no") == 0)
            return STATUS_OK;
        return error_set(error, STATUS_USAGE, "%s: %s is yes or no, not %s", adapter, option->name,
                         value);
    case OPTION_INTEGER:
        if (integer_of(value, &number) && number >= option->minimum && number <= option->maximum)
            return STATUS_OK;
        return error_set(error, STATUS_USAGE,
                         "%s: %s is a whole number from %" PRId64 " to %" PRId64 "%s%s", adapter,
                         option->name, option->minimum, option->maximum, option->unit ? " " : "",
                         option->unit ? option->unit : "");
    }
    return error_set(error, STATUS_BUG, "%s: %s has no type", adapter, option->name);
}

enum status settings_check(const char *adapter, const struct adapter_option *options,
                           const struct adapter_setting *settings, uint32_t count,
                           struct error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct adapter_option *option = option_find(options, settings[i].name);
        if (!option)
            return error_set(error, STATUS_USAGE, "%s has no option %s", adapter, settings[i].name);
        if (chosen(settings, i, settings[i].name))
            return error_set(error, STATUS_USAGE, "%s: %s is given twice", adapter,
                             settings[i].name);
        enum status status = value_check(adapter, option, settings[i].value, error);
        if (status != STATUS_OK)
            return status;
    }
    for (const struct adapter_option *option = options; option->name; option++)
        if (option->required && !chosen(settings, count, option->name))
            return error_set(error, STATUS_USAGE, "%s needs the option %s", adapter, option->name);
    return STATUS_OK;
}

const char *setting_text(const struct adapter_option *options,
                         const struct adapter_setting *settings, uint32_t count, const char *name)
{
    const struct adapter_option *option = option_find(options, name);
    assert(option);
    const char *value = chosen(settings, count, name);
    return value ? value : option->fallback;
}

bool setting_flag(const struct adapter_option *options, const struct adapter_setting *settings,
                  uint32_t count, const char *name)
{
    const char *value = setting_text(options, settings, count, name);
    assert(value);
    return strcmp(value, "yes") == 0;
}

int64_t setting_integer(const struct adapter_option *options,
                        const struct adapter_setting *settings, uint32_t count, const char *name)
{
    int64_t number = 0;
    const char *value = setting_text(options, settings, count, name);
    bool good = value && integer_of(value, &number);
    assert(good);
    return number;
}
