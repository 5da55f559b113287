/* The definition of a record as nearly all of CloudStack's are: ids that name the resource, numbers
 * in their one spelling. Each field is looked at once, in the order of the attributes' codes, and
 * nothing is sorted, spelled anew or read that is not part of the definition. cloudstack.c is the
 * law; flat_usage_test.c compares. */
#include "mediate/description.h"
#include "mediate/record_builder.h"

enum spelling { SPELLING_TEXT, SPELLING_INTEGER, SPELLING_BOOLEAN };

/* In the order of the codes, which is that of the attributes' names. */
static const struct usual_field {
    uint8_t field;
    uint8_t code;
    uint8_t spelling;
} usual_fields[] = {
    {FIELD_CPUNUMBER, NAME_CPUNUMBER, SPELLING_INTEGER},
    {FIELD_CPUSPEED, NAME_CPUSPEED, SPELLING_INTEGER},
    {FIELD_ISDEFAULT, NAME_ISDEFAULT, SPELLING_BOOLEAN},
    {FIELD_ISSOURCENAT, NAME_ISSOURCENAT, SPELLING_BOOLEAN},
    {FIELD_ISSYSTEM, NAME_ISSYSTEM, SPELLING_BOOLEAN},
    {FIELD_MEMORY, NAME_MEMORY, SPELLING_INTEGER},
    {FIELD_NETWORKID, NAME_NETWORK, SPELLING_TEXT},
    {FIELD_OFFERINGID, NAME_OFFERING, SPELLING_TEXT},
    {FIELD_USAGEID, NAME_RESOURCE, SPELLING_TEXT},
    {FIELD_SIZE, NAME_SIZE, SPELLING_INTEGER},
    {FIELD_TEMPLATEID, NAME_TEMPLATE, SPELLING_TEXT},
    {FIELD_VIRTUALSIZE, NAME_VIRTUALSIZE, SPELLING_INTEGER},
    {FIELD_VIRTUALMACHINEID, NAME_VM, SPELLING_TEXT},
    {FIELD_VPCID, NAME_VPC, SPELLING_TEXT},
    {FIELD_ZONEID, NAME_ZONE, SPELLING_TEXT},
};

static bool all_digits(struct slice text)
{
    unsigned strange = 0;
    for (size_t i = 0; i < text.length; i++)
        strange |= (unsigned char)(text.data[i] - '0') > 9;
    return !strange;
}

/* Up to 15 digits without a zero in front: so the law would spell it, too. */
static bool is_usual_integer(struct slice text)
{
    return text.length <= 15 && (text.data[0] != '0' || text.length == 1) && all_digits(text);
}

static bool is_usual(struct slice text, enum spelling spelling)
{
    switch (spelling) {
    case SPELLING_INTEGER:
        return is_usual_integer(text);
    case SPELLING_BOOLEAN:
        return slice_is(text, "true") || slice_is(text, "false");
    case SPELLING_TEXT:
        break;
    }
    return true;
}

/* The law cuts blanks off ids of payers. */
static bool is_usual_id(struct slice id)
{
    return (unsigned char)id.data[0] > ' ' && (unsigned char)id.data[id.length - 1] > ' ';
}

static bool usual_payer(const struct record *record, struct definition *ret)
{
    struct slice project = field_slice(record, FIELD_PROJECTID);
    struct slice account = field_slice(record, FIELD_ACCOUNTID);
    ret->payer_kind = project.length ? PAYER_PROJECT : PAYER_ACCOUNT;
    ret->payer_id = project.length ? project : account;
    ret->account_name = field_slice(record, project.length ? FIELD_PROJECT : FIELD_ACCOUNT);
    return ret->payer_id.length && is_usual_id(ret->payer_id);
}

static bool usual_type(const struct record *record, struct definition *ret)
{
    struct slice text = field_slice(record, FIELD_USAGETYPE);
    if (text.length == 0 || text.length > 2 || !is_usual_integer(text))
        return false;
    int type = text.data[0] - '0';
    if (text.length == 2)
        type = type * 10 + text.data[1] - '0';
    ret->meter = meter_by_usage_type(type);
    if (!ret->meter)
        return false;
    ret->usage_type = (uint8_t)type;
    ret->meter_name = meter_name(ret->meter);
    return true;
}

bool usual_definition(const struct record *record, struct slice source, struct definition *ret)
{
    bool has_vm = field_slice(record, FIELD_VIRTUALMACHINEID).length > 0;
    bool has_resource = has_vm || field_slice(record, FIELD_USAGEID).length > 0;
    if (record->state != RECORD_DECODED || !has_resource || !usual_type(record, ret) ||
        (ret->usage_type == TYPE_VOLUME && has_vm) || !usual_payer(record, ret))
        return false;
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof(usual_fields) / sizeof(usual_fields[0]); i++) {
        const struct usual_field *usual = &usual_fields[i];
        struct slice value = field_slice(record, (enum field)usual->field);
        if (!field_present(record, (enum field)usual->field) || value.length == 0)
            continue;
        if (!is_usual(value, (enum spelling)usual->spelling))
            return false;
        ret->attributes[count] = (struct where_term){attribute_names[usual->code], value};
        ret->codes[count++] = usual->code;
    }
    ret->attribute_count = count;
    ret->coded = true;
    ret->source = source;
    ret->domain = field_slice(record, FIELD_DOMAIN);
    ret->name = field_slice(record, FIELD_NAME);
    ret->description = field_slice(record, FIELD_DESCRIPTION);
    return true;
}
