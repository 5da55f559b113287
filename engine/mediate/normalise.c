#include "mediate/normalise.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "mediate/record_builder.h"

/* 10^18 base units. More is a broken record, and sums of what is left cannot overflow within any
 * believable month. */
#define QUANTA_MAX ((int128)1000000000000000000 * QUANTA_PER_UNIT)

bool quarantined(struct usage *usage, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(usage->reason, sizeof(usage->reason), format, arguments);
    va_end(arguments);
    usage->verdict = VERDICT_QUARANTINED;
    return false;
}

static bool given_twice(struct usage *usage, struct slice name)
{
    return quarantined(usage, "%.*s is given twice under two names: send it once",
                       (int)(name.length < 40 ? name.length : 40), name.data);
}

static bool too_many(struct usage *usage)
{
    return quarantined(usage, "more than %d attributes", DEFINITION_ATTRIBUTES_MAX);
}

/* All names so far have codes, which are in the order of the names. */
static bool add_coded(struct definition *definition, struct usage *usage, enum name_code code,
                      struct slice value)
{
    uint32_t position = definition->attribute_count;
    while (position > 0 && definition->codes[position - 1] > code)
        position--;
    if (position > 0 && definition->codes[position - 1] == code)
        return given_twice(usage, attribute_names[code]);
    if (definition->attribute_count == DEFINITION_ATTRIBUTES_MAX)
        return too_many(usage);
    for (uint32_t i = definition->attribute_count; i > position; i--) {
        definition->attributes[i] = definition->attributes[i - 1];
        definition->codes[i] = definition->codes[i - 1];
    }
    definition->attributes[position] = (struct where_term){attribute_names[code], value};
    definition->codes[position] = (uint8_t)code;
    definition->attribute_count++;
    return true;
}

bool builder_attribute(struct definition *definition, struct usage *usage, struct slice name,
                       struct slice value)
{
    enum name_code code = definition->coded ? definition_name_code(name) : NAME_OTHER;
    if (code)
        return add_coded(definition, usage, code, value);
    uint32_t position = definition->attribute_count;
    while (position > 0 && slice_compare(definition->attributes[position - 1].name, name) > 0)
        position--;
    if (position > 0 && slice_equal(definition->attributes[position - 1].name, name))
        return given_twice(usage, name);
    if (definition->attribute_count == DEFINITION_ATTRIBUTES_MAX)
        return too_many(usage);
    for (uint32_t i = definition->attribute_count; i > position; i--)
        definition->attributes[i] = definition->attributes[i - 1];
    definition->attributes[position] = (struct where_term){name, value};
    definition->attribute_count++;
    definition->coded = false;
    return true;
}

/* snapshot_attribute_name of each field that can be an attribute; normalise_test.c compares. */
static struct slice canonical(enum field field)
{
#define NAME(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    static const struct slice names[FIELD_COUNT] = {
        [FIELD_CPUNUMBER] = NAME("cpunumber"),
        [FIELD_CPUSPEED] = NAME("cpuspeed"),
        [FIELD_ISDEFAULT] = NAME("isdefault"),
        [FIELD_ISSOURCENAT] = NAME("issourcenat"),
        [FIELD_ISSYSTEM] = NAME("issystem"),
        [FIELD_MEMORY] = NAME("memory"),
        [FIELD_NETWORKID] = NAME("network"),
        [FIELD_OFFERINGID] = NAME("offering"),
        [FIELD_OSCATEGORYID] = NAME("oscategoryid"),
        [FIELD_OSTYPEID] = NAME("ostypeid"),
        [FIELD_PROJECT] = NAME("project"),
        [FIELD_RESOURCE] = NAME("resource"),
        [FIELD_SIZE] = NAME("size"),
        [FIELD_TEMPLATEID] = NAME("template"),
        [FIELD_TYPE] = NAME("type"),
        [FIELD_USAGEID] = NAME("resource"),
        [FIELD_VIRTUALMACHINEID] = NAME("vm"),
        [FIELD_VIRTUALSIZE] = NAME("virtualsize"),
        [FIELD_VPCID] = NAME("vpc"),
        [FIELD_ZONE] = NAME("zone"),
        [FIELD_ZONEID] = NAME("zone"),
    };
#undef NAME
    assert(names[field].length > 0);
    return names[field];
}

static bool add_field(struct definition *definition, struct usage *usage, enum field field,
                      struct slice value)
{
    static const uint8_t codes[FIELD_COUNT] = {
        [FIELD_CPUNUMBER] = NAME_CPUNUMBER, [FIELD_CPUSPEED] = NAME_CPUSPEED,
        [FIELD_ISDEFAULT] = NAME_ISDEFAULT, [FIELD_ISSOURCENAT] = NAME_ISSOURCENAT,
        [FIELD_ISSYSTEM] = NAME_ISSYSTEM,   [FIELD_MEMORY] = NAME_MEMORY,
        [FIELD_NETWORKID] = NAME_NETWORK,   [FIELD_OFFERINGID] = NAME_OFFERING,
        [FIELD_RESOURCE] = NAME_RESOURCE,   [FIELD_SIZE] = NAME_SIZE,
        [FIELD_TEMPLATEID] = NAME_TEMPLATE, [FIELD_USAGEID] = NAME_RESOURCE,
        [FIELD_VIRTUALMACHINEID] = NAME_VM, [FIELD_VIRTUALSIZE] = NAME_VIRTUALSIZE,
        [FIELD_VPCID] = NAME_VPC,           [FIELD_ZONE] = NAME_ZONE,
        [FIELD_ZONEID] = NAME_ZONE,
    };
    if (codes[field] && definition->coded)
        return add_coded(definition, usage, (enum name_code)codes[field], value);
    return builder_attribute(definition, usage, canonical(field), value);
}

bool builder_text(struct definition *definition, struct usage *usage, const struct record *record,
                  enum field field)
{
    struct slice value = field_slice(record, field);
    if (!field_present(record, field) || value.length == 0)
        return true;
    return add_field(definition, usage, field, value);
}

/* The integer's one spelling: 8192 for 8192, "8192", 8192.0 and 8.192e3. */
static bool spell_integer(struct usage *usage, struct packer *scratch, struct slice text,
                          const char *what, struct slice *ret)
{
    int128 value;
    bool fraction = false;
    enum status status = decimal_parse(text, 0, false, &value, &fraction);
    bool larger = status == STATUS_OK ? value > INT64_MAX
                                      : status == STATUS_RANGE && !fraction && text.data[0] != '-';
    if (larger)
        return quarantined(usage, "%s is larger than 2^63-1", what);
    if (status != STATUS_OK || value < 0)
        return quarantined(usage, "%s is not a whole number of 0 or more", what);
    char digits[DECIMAL_TEXT_BYTES];
    size_t length = decimal_format(value, 0, 0, digits);
    /* The scratch buffer was given its room up front, so earlier slices into it stay put. */
    assert(scratch->length + length <= scratch->capacity);
    *ret = slice_of(scratch->data + scratch->length, length);
    pack_bytes(scratch, digits, length);
    return true;
}

static bool builder_integer(struct definition *definition, struct usage *usage,
                            struct packer *scratch, const struct record *record, enum field field)
{
    struct slice text = slice_trim(field_slice(record, field));
    if (!field_present(record, field) || text.length == 0)
        return true;
    struct slice spelled;
    return spell_integer(usage, scratch, text, field_name(field), &spelled) &&
           add_field(definition, usage, field, spelled);
}

static bool builder_boolean(struct definition *definition, struct usage *usage,
                            const struct record *record, enum field field)
{
    struct slice text = slice_trim(field_slice(record, field));
    if (!field_present(record, field) || text.length == 0)
        return true;
    if (!slice_is(text, "true") && !slice_is(text, "false"))
        return quarantined(usage, "%s is neither true nor false", field_name(field));
    return add_field(definition, usage, field, text);
}

bool builder_sizes_and_flags(struct definition *definition, struct usage *usage,
                             struct packer *scratch, const struct record *record)
{
    static const enum field integers[] = {FIELD_SIZE, FIELD_VIRTUALSIZE, FIELD_CPUNUMBER,
                                          FIELD_CPUSPEED, FIELD_MEMORY};
    static const enum field booleans[] = {FIELD_ISSOURCENAT, FIELD_ISSYSTEM, FIELD_ISDEFAULT};
    for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++)
        if (!builder_integer(definition, usage, scratch, record, integers[i]))
            return false;
    for (size_t i = 0; i < sizeof(booleans) / sizeof(booleans[0]); i++)
        if (!builder_boolean(definition, usage, record, booleans[i]))
            return false;
    return true;
}

static bool read_instant(struct usage *usage, const struct record *record, enum field field,
                         bool fraction_allowed, struct instant *ret)
{
    if (!field_present(record, field))
        return quarantined(usage, "%s is missing", field_name(field));
    int32_t nanoseconds = 0;
    struct slice text = slice_trim(field_slice(record, field));
    if (instant_parse(text, ret, &nanoseconds) != STATUS_OK)
        return quarantined(usage, "%s is not a date such as 2026-10-01T00:00:00+0000",
                           field_name(field));
    if (nanoseconds && !fraction_allowed)
        return quarantined(usage, "%s has a fraction of a second: windows are whole seconds",
                           field_name(field));
    return true;
}

bool builder_window(struct usage *usage, const struct record *record, enum field start,
                    enum field end, bool inclusive_ends)
{
    /* A hidden .999 on an inclusive end is what the +1 second below stands for. */
    if (!read_instant(usage, record, start, false, &usage->start) ||
        !read_instant(usage, record, end, inclusive_ends, &usage->end))
        return false;
    if (usage->end.seconds < usage->start.seconds)
        return quarantined(usage, "%s lies after %s", field_name(start), field_name(end));
    if (inclusive_ends && usage->end.seconds % 60 == 59)
        usage->end.seconds++;
    if (usage->end.seconds == usage->start.seconds) {
        if (!inclusive_ends)
            return quarantined(usage, "%s equals %s: send `time` for an event at a moment",
                               field_name(start), field_name(end));
        usage->end.seconds++; /* created and gone within one second: the shortest window there is */
    }
    if (usage->end.seconds - usage->start.seconds > WINDOW_SECONDS_MAX)
        return quarantined(usage, "the window from %s to %s is longer than ten years",
                           field_name(start), field_name(end));
    return true;
}

bool builder_quantity(struct usage *usage, const struct record *record, enum field field,
                      bool decimal_comma)
{
    if (!field_present(record, field))
        return quarantined(usage, "%s is missing", field_name(field));
    bool excess = false;
    struct slice text = slice_trim(field_slice(record, field));
    enum status status =
        decimal_parse(text, QUANTITY_SCALE, decimal_comma, &usage->quantity.quanta, &excess);
    if (excess)
        return quarantined(usage, "%s has more than %d decimals: nothing is rounded silently",
                           field_name(field), QUANTITY_SCALE);
    if (status == STATUS_INVALID)
        return quarantined(usage, "%s is not a number", field_name(field));
    if (status != STATUS_OK || usage->quantity.quanta > QUANTA_MAX)
        return quarantined(usage, "%s is larger than any usage can be (10^18)", field_name(field));
    if (usage->quantity.quanta < 0)
        return quarantined(usage, "%s is negative: usage cannot be taken back this way",
                           field_name(field));
    return true;
}

static bool plain_payer(const struct record *record, struct definition *definition,
                        struct usage *usage)
{
    static const struct {
        enum field field;
        uint8_t kind;
    } order[] = {{FIELD_ACCOUNT, PAYER_ACCOUNT},
                 {FIELD_ACCOUNTID, PAYER_ACCOUNT},
                 {FIELD_PROJECTID, PAYER_PROJECT}};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        struct slice id = slice_trim(field_slice(record, order[i].field));
        if (field_present(record, order[i].field) && id.length) {
            definition->payer_id = id;
            definition->payer_kind = order[i].kind;
            return true;
        }
    }
    return quarantined(usage, "account is missing");
}

static bool plain_attributes(struct normaliser *normaliser, const struct record_block *block,
                             const struct record *record, struct definition *definition,
                             struct usage *usage)
{
    static const enum field texts[] = {FIELD_RESOURCE,
                                       FIELD_ZONE,
                                       FIELD_ZONEID,
                                       FIELD_USAGEID,
                                       FIELD_VIRTUALMACHINEID,
                                       FIELD_OFFERINGID,
                                       FIELD_TEMPLATEID,
                                       FIELD_NETWORKID,
                                       FIELD_VPCID,
                                       FIELD_TYPE,
                                       FIELD_PROJECT,
                                       FIELD_OSTYPEID,
                                       FIELD_OSCATEGORYID};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (!builder_text(definition, usage, record, texts[i]))
            return false;
    if (!builder_sizes_and_flags(definition, usage, &normaliser->scratch, record))
        return false;
    for (uint32_t i = 0; i < record->attribute_count; i++) {
        const struct attribute *attribute = &block->attributes[record->attribute_first + i];
        struct slice value = slice_of(attribute->value.data, attribute->value.length);
        int128 integer;
        if (attribute->value.kind == VALUE_NUMBER &&
            decimal_parse(value, 0, false, &integer, NULL) == STATUS_OK &&
            !spell_integer(usage, &normaliser->scratch, value, "an attribute", &value))
            return false;
        if (!builder_attribute(definition, usage, snapshot_attribute_name(attribute->name), value))
            return false;
    }
    return true;
}

/* The attribute `source` of a CloudEvent: ids are unique within it (CloudEvents 1.0: source and id
 * together identify an event). */
static struct slice event_source(const struct record_block *block, const struct record *record)
{
    for (uint32_t i = 0; i < record->attribute_count; i++) {
        const struct attribute *attribute = &block->attributes[record->attribute_first + i];
        if (slice_is(attribute->name, "source"))
            return slice_of(attribute->value.data, attribute->value.length);
    }
    return (struct slice){0};
}

/* An event at a moment bears an id; one with a window is known by series and window. */
static bool plain_when(struct normaliser *normaliser, const struct record_block *block,
                       const struct record *record, struct usage *usage)
{
    bool window = field_present(record, FIELD_START) || field_present(record, FIELD_END);
    if (window) {
        if (field_present(record, FIELD_TIME))
            return quarantined(usage, "both time and start/end are given: send one of them");
        return builder_window(usage, record, FIELD_START, FIELD_END, false);
    }
    /* The fraction is dropped for pricing only: every price boundary is a whole second, so the
     * floor lies on the same side. */
    if (!read_instant(usage, record, FIELD_TIME, true, &usage->start))
        return field_present(record, FIELD_TIME)
                   ? false
                   : quarantined(usage, "neither time nor start and end are given");
    usage->end = usage->start;
    struct slice id = field_slice(record, FIELD_ID);
    if (!field_present(record, FIELD_ID) || id.length == 0)
        return quarantined(usage,
                           "id is missing: an event at a moment is told from its copies by its id");
    const struct meter *meter = meter_by_name(slice_trim(field_slice(record, FIELD_METER)));
    if (meter && meter->level) /* it would count for no time, so for nothing */
        return quarantined(usage, "meter %s is a level, not a flow: send start and end",
                           meter->name);
    struct packer *packer = &normaliser->packer;
    pack_reset(packer);
    pack_slice(packer, normaliser->source);
    pack_slice(packer, event_source(block, record));
    pack_slice(packer, id);
    usage->id = hash128_nonzero(pack_done(packer), normaliser->keys.seed);
    usage->has_id = true;
    return true;
}

/* Names of meters stand in reports, messages and rate cards: words that can be read and written
 * there. */
static bool meter_name_is_word(struct slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        if ((unsigned char)name.data[i] <= ' ' || name.data[i] == 0x7f)
            return false;
    }
    return true;
}

static bool plain_definition(struct normaliser *normaliser, const struct record_block *block,
                             const struct record *record, struct definition *definition,
                             struct usage *usage)
{
    definition->meter_name = slice_trim(field_slice(record, FIELD_METER));
    if (definition->meter_name.length == 0 || definition->meter_name.length > 200)
        return quarantined(usage, "meter is not a name of 1 to 200 bytes");
    if (!meter_name_is_word(definition->meter_name))
        return quarantined(
            usage, "meter has a blank or a control character in its name: write it as one word");
    definition->account_name = field_slice(record, FIELD_ACCOUNT);
    definition->name = field_slice(record, FIELD_NAME);
    definition->description = field_slice(record, FIELD_DESCRIPTION);
    return plain_payer(record, definition, usage) &&
           plain_attributes(normaliser, block, record, definition, usage) &&
           builder_quantity(usage, record, FIELD_QUANTITY, false) &&
           plain_when(normaliser, block, record, usage);
}

void normaliser_init(struct normaliser *normaliser, struct slice source, uint64_t seed)
{
    *normaliser = (struct normaliser){.source = source};
    identity_keys_init(&normaliser->keys, seed);
    pack_init(&normaliser->packer);
    pack_init(&normaliser->scratch);
}

void normaliser_fini(struct normaliser *normaliser)
{
    pack_fini(&normaliser->packer);
    pack_fini(&normaliser->scratch);
}

/* Room for every integer an ordinary record can spell, and for a description without its numbers,
 * before any slice points there. */
static void scratch_prepare(struct packer *scratch, const struct record *record)
{
    size_t need = DEFINITION_ATTRIBUTES_MAX * DECIMAL_TEXT_BYTES +
                  field_slice(record, FIELD_DESCRIPTION).length +
                  field_slice(record, FIELD_ACCOUNT).length +
                  field_slice(record, FIELD_DOMAINID).length + 64;
    pack_reset(scratch);
    static const char zeros[256];
    while (scratch->capacity < need && !scratch->failed)
        pack_bytes(scratch, zeros, sizeof(zeros));
    assert(!scratch->failed); /* a few kilobytes, once */
    pack_reset(scratch);
}

static void take_definition(struct normaliser *normaliser, const struct definition *definition,
                            struct usage *ret)
{
    pack_reset(&normaliser->packer);
    definition_pack(definition, &normaliser->packer);
    assert(!normaliser->packer.failed);
    ret->definition = pack_done(&normaliser->packer);
    ret->series_hash = definition_identity(definition, &normaliser->keys);
}

void normalise(struct normaliser *normaliser, const struct record_block *block,
               const struct record *record, struct usage *ret)
{
    ret->verdict = VERDICT_EVENT;
    ret->reason[0] = 0;
    ret->has_id = false;
    ret->definition = (struct slice){0};
    if (record->state == RECORD_BAD) {
        quarantined(ret, "%s", record->reason);
        return;
    }
    struct definition definition;
    definition.usage_type = 0;
    definition.source = normaliser->source;
    definition.attribute_count = 0;
    definition.coded = true;
    definition.account_name = definition.domain = definition.name = definition.description =
        (struct slice){0};
    scratch_prepare(&normaliser->scratch, record);
    bool sound;
    if (field_present(record, FIELD_USAGETYPE))
        sound = cloudstack_definition(normaliser, record, &definition, ret);
    else if (field_present(record, FIELD_METER))
        sound = plain_definition(normaliser, block, record, &definition, ret);
    else
        sound = quarantined(ret, "neither usagetype (CloudStack) nor meter (plain event) is given");
    if (!sound)
        return;
    take_definition(normaliser, &definition, ret);
    ret->payer_hash =
        ret->has_id ? ret->id.low : hash64(definition.payer_id, normaliser->keys.seed);
}

void normalise_series(struct normaliser *normaliser, const struct record_block *block,
                      const struct record *record, struct usage *ret)
{
    struct definition definition;
    if (!usual_definition(record, normaliser->source, &definition)) {
        normalise(normaliser, block, record, ret);
        return;
    }
    ret->verdict = VERDICT_EVENT;
    ret->reason[0] = 0;
    ret->has_id = false;
    take_definition(normaliser, &definition, ret);
}
