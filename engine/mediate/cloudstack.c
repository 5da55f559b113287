/* What a listUsageRecords row means. Source: docs/reference/usage-input.md (CloudStack's
 * UsageRecordResponse, UsageTypes, the usage server's parsers). */
#include <assert.h>
#include <stdio.h>

#include "mediate/description.h"
#include "mediate/record_builder.h"

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
    struct described told = description_read(definition->usage_type, text);
    if (told.size.length && !field_present(record, FIELD_SIZE) &&
        !builder_attribute(definition, usage, SLICE("size"), told.size))
        return false;
    if (told.offering.length && !field_present(record, FIELD_OFFERINGID) &&
        !builder_attribute(definition, usage, SLICE("offering"), told.offering))
        return false;
    if (told.resource.length)
        return builder_attribute(definition, usage, SLICE("resource"), told.resource);
    if (text.length == 0)
        return true;
    if (description_counts_amounts(definition->meter)) {
        struct packer *scratch = &normaliser->scratch;
        char *room = scratch->data + scratch->length;
        assert(scratch->length + text.length <= scratch->capacity);
        struct slice amount = slice_trim(field_slice(record, FIELD_RAWUSAGE));
        text = slice_of(room, description_without_amounts(text, amount, room));
        scratch->length += text.length;
    }
    return builder_attribute(definition, usage, SLICE("description"), text);
}

bool cloudstack_definition(struct normaliser *normaliser, const struct record *record,
                           struct definition *definition, struct usage *usage)
{
    /* In order of the attributes' names, so that most are appended. */
    static const enum field texts[] = {FIELD_NETWORKID,  FIELD_OFFERINGID,       FIELD_USAGEID,
                                       FIELD_TEMPLATEID, FIELD_VIRTUALMACHINEID, FIELD_VPCID,
                                       FIELD_ZONEID};
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
    if (!builder_sizes_and_flags(definition, usage, &normaliser->scratch, record))
        return false;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (!builder_text(definition, usage, record, texts[i]))
            return false;
    bool has_resource = has_vm || field_slice(record, FIELD_USAGEID).length > 0;
    if (!has_resource && !from_description(normaliser, record, definition, usage))
        return false;
    return builder_quantity(usage, record, FIELD_RAWUSAGE, true) &&
           builder_window(usage, record, FIELD_STARTDATE, FIELD_ENDDATE, true);
}
