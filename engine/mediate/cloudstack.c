/* What a listUsageRecords row means. Source: docs/reference/usage-input.md (CloudStack's
 * UsageRecordResponse, UsageTypes, the usage server's parsers). */
#include <assert.h>
#include <stdio.h>

#include "mediate/record_builder.h"

enum { TYPE_VOLUME = 6, TYPE_VOLUME_SECONDARY = 26, TYPE_NETWORK = 30, TYPE_VPC = 31 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct slice digits_at(struct slice text, size_t position)
{
    size_t end = position;
    while (end < text.length && is_digit(text.data[end]))
        end++;
    return slice_of(text.data + position, end - position);
}

/* The digits right behind the last occurrence of `label`; empty when there are none. */
static struct slice digits_behind(struct slice text, struct slice label)
{
    for (size_t i = text.length; i-- > 0;)
        if (slice_starts_with(slice_of(text.data + i, text.length - i), label))
            return digits_at(text, i + label.length);
    return (struct slice){0};
}

/* "... size (8.00 GB) 8589934592": the digits behind the last "size", a size for people in
 * parentheses skipped. */
static struct slice size_in(struct slice text)
{
    static const char word[] = "size";
    for (size_t i = text.length; i-- > 0;) {
        if (!slice_starts_with(slice_of(text.data + i, text.length - i), SLICE("size")))
            continue;
        size_t at = i + sizeof(word) - 1;
        while (at < text.length && (text.data[at] == ' ' || text.data[at] == ':'))
            at++;
        if (at < text.length && text.data[at] == '(') {
            while (at < text.length && text.data[at] != ')')
                at++;
            while (at < text.length && (text.data[at] == ')' || text.data[at] == ' '))
                at++;
        }
        return at < text.length ? digits_at(text, at) : (struct slice){0};
    }
    return (struct slice){0};
}

static bool is_uuid(struct slice text)
{
    if (text.length != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        char c = text.data[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (dash ? c != '-' : !hex)
            return false;
    }
    return true;
}

/* The first "(uuid)" of a description: the resource that it speaks of. */
static struct slice uuid_in(struct slice text)
{
    for (size_t i = 0; i + 38 <= text.length; i++) {
        if (text.data[i] != '(' || text.data[i + 37] != ')')
            continue;
        struct slice candidate = slice_of(text.data + i + 1, 36);
        if (is_uuid(candidate))
            return candidate;
    }
    return (struct slice){0};
}

/* A description without what changes from window to window: for byte and request meters the amount
 * stands in it, as digits and as "(173.42 GB)". What is left tells purged resources apart without
 * telling a record's copies apart. */
static struct slice without_amounts(struct packer *scratch, struct slice text, struct slice amount)
{
    size_t begin = scratch->length;
    for (size_t i = 0; i < text.length;) {
        struct slice rest = slice_of(text.data + i, text.length - i);
        bool word_start = i == 0 || !is_digit(text.data[i - 1]);
        struct slice digits = digits_at(text, i);
        if (word_start && digits.length && slice_equal(digits, amount)) {
            i += digits.length;
            continue;
        }
        if (text.data[i] == '(' && rest.length > 1 && is_digit(text.data[i + 1]) &&
            !is_uuid(slice_of(rest.data + 1, rest.length > 37 ? 36 : 0))) {
            size_t end = 1;
            while (end < rest.length && rest.data[end] != ')')
                end++;
            if (end < rest.length && end > 2 &&
                rest.data[end - 1] >= 'A') { /* a unit's letter before the parenthesis */
                i += end + 1;
                continue;
            }
        }
        assert(scratch->length < scratch->capacity);
        pack_u8(scratch, (uint8_t)text.data[i++]);
    }
    return slice_of(scratch->data + begin, scratch->length - begin);
}

static bool payer(struct normaliser *normaliser, const struct record *record,
                  struct definition *definition, struct usage *usage)
{
    struct slice account_id = slice_trim(field_slice(record, FIELD_ACCOUNTID));
    struct slice project_id = slice_trim(field_slice(record, FIELD_PROJECTID));
    struct slice account = field_slice(record, FIELD_ACCOUNT);
    if (project_id.length) { /* records of a project bear no account; its payer comes from the
                                accounts document */
        definition->payer_kind = PAYER_PROJECT;
        definition->payer_id = project_id;
        definition->account_name = field_slice(record, FIELD_PROJECT);
    } else if (account_id.length) {
        definition->payer_kind = PAYER_ACCOUNT;
        definition->payer_id = account_id;
        definition->account_name = account;
    } else if (account.length) { /* names are unique within a domain only */
        struct packer *scratch = &normaliser->scratch;
        size_t begin = scratch->length;
        pack_bytes(scratch, account.data, account.length);
        pack_u8(scratch, '@');
        struct slice domain = field_slice(record, FIELD_DOMAINID);
        pack_bytes(scratch, domain.data, domain.length);
        definition->payer_kind = PAYER_NAME;
        definition->payer_id = slice_of(scratch->data + begin, scratch->length - begin);
        definition->account_name = account;
    } else {
        return quarantined(usage,
                           "neither accountid nor projectid is given: nobody could pay for it");
    }
    return true;
}

static bool usage_type(const struct record *record, struct definition *definition,
                       struct usage *usage)
{
    int128 type;
    struct slice text = slice_trim(field_slice(record, FIELD_USAGETYPE));
    if (decimal_parse(text, 0, false, &type, NULL) != STATUS_OK)
        return quarantined(usage, "usagetype is not a number");
    definition->meter = type > 0 && type < 256 ? meter_by_usage_type((int)type) : NULL;
    if (!definition->meter)
        return quarantined(usage, "usagetype %.*s is not one of 1-14, 21-31",
                           (int)(text.length < 20 ? text.length : 20), text.data);
    definition->usage_type = (uint8_t)type;
    definition->meter_name = slice_string(definition->meter->name);
    return true;
}

/* Types 26, 30 and 31 keep ids and size in the description only. An id found there stands for the
 * resource; where none is, the whole description does, or two purged machines would pass for one.
 */
static bool from_description(struct normaliser *normaliser, const struct record *record,
                             struct definition *definition, struct usage *usage)
{
    struct slice text = definition->description;
    struct slice resource = {0}, offering = {0}, size = {0};
    if (definition->usage_type == TYPE_VOLUME_SECONDARY) {
        resource = uuid_in(text);
        size = size_in(text);
    } else if (definition->usage_type == TYPE_NETWORK) {
        resource = digits_behind(text, SLICE("network ID: "));
        offering = digits_behind(text, SLICE("network offering: "));
    } else if (definition->usage_type == TYPE_VPC) {
        resource = digits_behind(text, SLICE("VPC ID: "));
    }
    if (size.length && !field_present(record, FIELD_SIZE) &&
        !builder_attribute(definition, usage, SLICE("size"), size))
        return false;
    if (offering.length && !field_present(record, FIELD_OFFERINGID) &&
        !builder_attribute(definition, usage, SLICE("offering"), offering))
        return false;
    if (resource.length)
        return builder_attribute(definition, usage, SLICE("resource"), resource);
    if (text.length == 0)
        return true;
    bool counts_amounts =
        !(definition->meter->dimensions & DIMENSION_TIME) && !definition->meter->level;
    if (counts_amounts)
        text = without_amounts(&normaliser->scratch, text,
                               slice_trim(field_slice(record, FIELD_RAWUSAGE)));
    return builder_attribute(definition, usage, SLICE("description"), text);
}

bool cloudstack_definition(struct normaliser *normaliser, const struct record *record,
                           struct definition *definition, struct usage *usage)
{
    static const enum field texts[] = {FIELD_ZONEID,    FIELD_USAGEID, FIELD_VIRTUALMACHINEID,
                                       FIELD_NETWORKID, FIELD_VPCID,   FIELD_OFFERINGID,
                                       FIELD_TEMPLATEID};
    if (!usage_type(record, definition, usage))
        return false;
    bool has_vm = field_slice(record, FIELD_VIRTUALMACHINEID).length > 0;
    if (definition->usage_type == TYPE_VOLUME && has_vm) {
        usage->verdict = VERDICT_IGNORED;
        snprintf(usage->reason, sizeof(usage->reason),
                 "type 6 with virtualmachineid: an attribution view of hours counted without it");
        return false;
    }
    definition->domain = field_slice(record, FIELD_DOMAIN);
    definition->name = field_slice(record, FIELD_NAME);
    definition->description = field_slice(record, FIELD_DESCRIPTION);
    if (!payer(normaliser, record, definition, usage))
        return false;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (!builder_text(definition, usage, record, texts[i]))
            return false;
    if (!builder_sizes_and_flags(definition, usage, &normaliser->scratch, record))
        return false;
    bool has_resource = has_vm || field_slice(record, FIELD_USAGEID).length > 0;
    if (!has_resource && !from_description(normaliser, record, definition, usage))
        return false;
    return builder_quantity(usage, record, FIELD_RAWUSAGE, true) &&
           builder_window(usage, record, FIELD_STARTDATE, FIELD_ENDDATE, true);
}
