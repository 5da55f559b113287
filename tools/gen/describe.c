/* What CloudStack says about a record: which fields a usage type has, and the wording of its
 * description (since 4.13). */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "gen/fields.h"
#include "gen/names.h"

/* What most of the functions here need. */
struct telling {
    const struct cloud *cloud;
    const struct series *series;
    struct fields *fields;
    char point;
};

static uint64_t seed_of(const struct telling *telling)
{
    return telling->cloud->options.seed;
}

/* Adds " (uuid)" with `before` in front. */
static void add_id(const struct telling *telling, const char *before, enum kind kind,
                   uint64_t number, const char *after)
{
    fields_add(telling->fields, before);
    fields_add(telling->fields, " (");
    fields_add_uuid(telling->fields, seed_of(telling), kind, number);
    fields_add(telling->fields, ")");
    fields_add(telling->fields, after);
}

/* Adds "<before><name of the machine> (<its uuid>)". */
static void add_vm(const struct telling *telling, const char *before, const char *after)
{
    char name[NAME_BYTES];

    name_vm(telling->cloud, telling->series->vm, name);
    fields_add(telling->fields, before);
    add_id(telling, name, KIND_VM, telling->series->vm, after);
}

static void add_name_number(const struct telling *telling, const char *name, uint64_t number)
{
    fields_add(telling->fields, name);
    fields_add_number(telling->fields, number);
}

static void add_size(const struct telling *telling, const char *before, uint64_t size)
{
    fields_add(telling->fields, before);
    fields_add_human(telling->fields, size, telling->point);
}

static void set_vm_id(const struct telling *telling)
{
    fields_set_uuid(telling->fields, GEN_VIRTUALMACHINEID, seed_of(telling), KIND_VM,
                    telling->series->vm);
}

static void set_usage_id(const struct telling *telling, enum kind kind)
{
    fields_set_uuid(telling->fields, GEN_USAGEID, seed_of(telling), kind,
                    telling->series->resource);
}

static void set_size(const struct telling *telling)
{
    fields_set_number(telling->fields, GEN_SIZE, telling->series->size);
}

static void begin_description(const struct telling *telling)
{
    fields_begin(telling->fields, GEN_DESCRIPTION, GEN_STRING);
}

static void describe_vm(const struct telling *telling)
{
    const struct series *series = telling->series;
    struct fields *fields = telling->fields;
    uint64_t seed = seed_of(telling);
    char name[NAME_BYTES], instance[NAME_BYTES];

    name_vm(telling->cloud, series->vm, name);
    snprintf(instance, sizeof instance, " (i-%u-%u-VM)", series->owner + 2, series->vm + 3);
    begin_description(telling);
    fields_add(fields, series->type == 1 ? "Running VM usage for " : "Allocated VM usage for ");
    fields_add(fields, name);
    add_id(telling, instance, KIND_VM, series->vm, " using service offering ");
    add_id(telling, name_vm_offering(series->offering), KIND_OFFERING, series->offering,
           " and template ");
    add_id(telling, name_os(series->os), KIND_TEMPLATE, series->template_number, "");
    set_vm_id(telling);
    fields_set(fields, GEN_NAME, name);
    fields_set_uuid(fields, GEN_OFFERINGID, seed, KIND_OFFERING, series->offering);
    fields_set_uuid(fields, GEN_TEMPLATEID, seed, KIND_TEMPLATE, series->template_number);
    fields_set_uuid(fields, GEN_OSTYPEID, seed, KIND_OS, series->os);
    fields_set(fields, GEN_OSDISPLAYNAME, name_os(series->os));
    fields_set_uuid(fields, GEN_OSCATEGORYID, seed, KIND_OS_CATEGORY, os_category(series->os));
    fields_set(fields, GEN_OSCATEGORYNAME, name_os_category(series->os));
    set_usage_id(telling, KIND_VM);
    fields_set(fields, GEN_TYPE, "KVM");
    fields_set_number(fields, GEN_CPUNUMBER, series->cpu_number);
    fields_set_number(fields, GEN_CPUSPEED, series->cpu_speed);
    fields_set_number(fields, GEN_MEMORY, series->memory);
}

static void describe_ip(const struct telling *telling)
{
    const struct series *series = telling->series;
    char text[64];

    snprintf(text, sizeof text, "IPAddress: 198.%u.%u.%u", 18 + (series->resource >> 16) % 2,
             series->resource >> 8 & 255, series->resource & 255);
    fields_set(telling->fields, GEN_DESCRIPTION, text);
    set_usage_id(telling, KIND_IP);
    fields_set_boolean(telling->fields, GEN_ISSOURCENAT, series->flags & SERIES_SOURCE_NAT);
    fields_set_boolean(telling->fields, GEN_ISSYSTEM, false);
}

static void describe_traffic(const struct telling *telling)
{
    const struct series *series = telling->series;
    struct fields *fields = telling->fields;
    bool vpc = series->flags & SERIES_VPC;
    enum kind kind = vpc ? KIND_VPC : KIND_NETWORK;
    char network[NAME_BYTES], router[NAME_BYTES];

    snprintf(network, sizeof network, vpc ? "public-vpc-%u" : "tier-%u", series->network);
    snprintf(router, sizeof router, "r-%u-VM", series->resource + 4);
    begin_description(telling);
    fields_add(fields, series->type == 4 ? "Bytes sent by network " : "Bytes received by network ");
    add_id(telling, network, kind, series->network, "  ");
    fields_add_place(fields, PLACE_HUMAN);
    fields_add(fields, " using router ");
    add_id(telling, router, KIND_ROUTER, series->resource, "");
    fields_set(fields, GEN_NAME, network);
    set_usage_id(telling, KIND_ROUTER);
    fields_set(fields, GEN_TYPE, "DomainRouter");
    fields_set_uuid(fields, vpc ? GEN_VPCID : GEN_NETWORKID, seed_of(telling), kind,
                    series->network);
}

static void describe_disk_io(const struct telling *telling)
{
    static const char *const what[4] = {"Disk I/O read requests", "Disk I/O write requests",
                                        "Disk I/O read bytes", "Disk I/O write bytes"};
    const struct series *series = telling->series;
    char volume[NAME_BYTES];

    snprintf(volume, sizeof volume, "VOL-%u", series->resource);
    begin_description(telling);
    fields_add(telling->fields, what[series->type - 21]);
    add_vm(telling, " for VM ", " and volume ");
    add_id(telling, volume, KIND_VOLUME, series->resource, " ");
    fields_add_place(telling->fields, PLACE_HUMAN);
    set_vm_id(telling);
    set_usage_id(telling, KIND_VOLUME);
    fields_set(telling->fields, GEN_TYPE, "VirtualMachine");
}

static void describe_volume(const struct telling *telling)
{
    const struct series *series = telling->series;
    struct fields *fields = telling->fields;
    char volume[NAME_BYTES];

    snprintf(volume, sizeof volume, "%s-%u", series->flags & SERIES_ROOT ? "ROOT" : "DATA",
             series->resource);
    begin_description(telling);
    fields_add(fields, "Volume usage for ");
    add_id(telling, volume, KIND_VOLUME, series->resource, "");
    if (series->flags & SERIES_ATTRIBUTION)
        add_vm(telling, " attached to VM ", "");
    fields_add(fields, " with disk offering ");
    add_id(telling, name_disk_offering(series->offering), KIND_DISK_OFFERING, series->offering, "");
    if (series->flags & SERIES_ROOT) {
        fields_add(fields, " and template ");
        add_id(telling, name_os(series->os), KIND_TEMPLATE, series->template_number, "");
    }
    add_size(telling, " and size ", series->size);
    if (series->flags & SERIES_ATTRIBUTION)
        set_vm_id(telling);
    fields_set_uuid(fields, GEN_OFFERINGID, seed_of(telling), KIND_DISK_OFFERING, series->offering);
    if (series->flags & SERIES_ROOT)
        fields_set_uuid(fields, GEN_TEMPLATEID, seed_of(telling), KIND_TEMPLATE,
                        series->template_number);
    set_usage_id(telling, KIND_VOLUME);
    set_size(telling);
}

static void describe_template(const struct telling *telling)
{
    const struct series *series = telling->series;
    struct fields *fields = telling->fields;
    bool iso = series->type == 8;
    char name[NAME_BYTES];

    snprintf(name, sizeof name, "%s-%u", iso ? "installer" : "golden", series->resource);
    begin_description(telling);
    fields_add(fields, iso ? "ISO usage for " : "Template usage for ");
    add_id(telling, name, KIND_TEMPLATE, series->resource, "");
    add_size(telling, " with size ", series->size);
    add_size(telling, " and virtual size ", series->virtual_size);
    if (!iso)
        fields_set_uuid(fields, GEN_TEMPLATEID, seed_of(telling), KIND_TEMPLATE,
                        series->template_number);
    set_usage_id(telling, KIND_TEMPLATE);
    set_size(telling);
    fields_set_number(fields, GEN_VIRTUALSIZE, series->virtual_size);
}

/* A snapshot has a size field; an uploaded volume has neither size nor id but in its description.
 */
static void describe_snapshot(const struct telling *telling)
{
    const struct series *series = telling->series;
    bool uploaded = series->type == 26;
    char name[NAME_BYTES];

    snprintf(name, sizeof name, "%s-%u", uploaded ? "upload" : "daily", series->resource);
    begin_description(telling);
    fields_add(telling->fields,
               uploaded ? "Volume on secondary storage usage for " : "Snapshot usage for ");
    add_id(telling, name, uploaded ? KIND_VOLUME : KIND_SNAPSHOT, series->resource, "");
    add_size(telling, " with size ", series->size);
    if (uploaded)
        return;
    set_usage_id(telling, KIND_SNAPSHOT);
    set_size(telling);
}

static void describe_rule(const struct telling *telling)
{
    const struct series *series = telling->series;
    char name[NAME_BYTES];

    begin_description(telling);
    switch (series->type) {
    case 11:
        snprintf(name, sizeof name, "lb-%u", series->resource);
        fields_add(telling->fields, "Loadbalancer policy usage ");
        add_id(telling, name, KIND_LOAD_BALANCER, series->resource, "");
        set_usage_id(telling, KIND_LOAD_BALANCER);
        break;
    case 12:
        add_id(telling, "Port forwarding rule usage", KIND_PORT_FORWARDING, series->resource, "");
        set_usage_id(telling, KIND_PORT_FORWARDING);
        break;
    default:
        assert(series->type == 14);
        snprintf(name, sizeof name, "user-%u", series->resource);
        fields_add(telling->fields, "VPN usage for user ");
        add_id(telling, name, KIND_VPN_USER, series->resource, "");
        set_usage_id(telling, KIND_VPN_USER);
    }
}

static void describe_network_offering(const struct telling *telling)
{
    const struct series *series = telling->series;

    begin_description(telling);
    fields_add(telling->fields, "Network offering ");
    add_id(telling, name_network_offering(series->offering), KIND_NETWORK_OFFERING,
           series->offering, " usage ");
    add_vm(telling, "for VM ", " ");
    set_vm_id(telling);
    fields_set_uuid(telling->fields, GEN_OFFERINGID, seed_of(telling), KIND_NETWORK_OFFERING,
                    series->offering);
    fields_set_boolean(telling->fields, GEN_ISDEFAULT, series->flags & SERIES_DEFAULT);
}

static void describe_security_group(const struct telling *telling)
{
    begin_description(telling);
    fields_add(telling->fields, "Security group ");
    add_id(telling, "default", KIND_SECURITY_GROUP, telling->series->resource, " usage");
    add_vm(telling, " for VM ", "");
    set_vm_id(telling);
    set_usage_id(telling, KIND_SECURITY_GROUP);
}

static void describe_vm_snapshot(const struct telling *telling)
{
    const struct series *series = telling->series;
    bool primary = series->type == 27;
    char name[NAME_BYTES];

    snprintf(name, sizeof name, "i-%u-%u-VM_VS_%u", series->owner + 2, series->vm + 3,
             series->resource);
    begin_description(telling);
    fields_add(telling->fields,
               primary ? "VMSnapshot on primary storage usage Id: " : "VMSnapshot usage Id: ");
    fields_add_uuid(telling->fields, seed_of(telling), KIND_VM_SNAPSHOT, series->resource);
    add_vm(telling, " for VM ", "");
    if (!primary) {
        fields_add(telling->fields, " using disk offering ");
        add_id(telling, name_disk_offering(series->offering), KIND_DISK_OFFERING, series->offering,
               "");
    }
    add_size(telling, primary ? " with size " : " and size ", series->size);
    set_vm_id(telling);
    fields_set(telling->fields, GEN_NAME, name);
    if (!primary) {
        /* The database's own number, not a UUID. */
        fields_begin(telling->fields, GEN_OFFERINGID, GEN_STRING);
        fields_add_number(telling->fields, 17 + series->offering);
    }
    set_usage_id(telling, KIND_VM_SNAPSHOT);
    set_size(telling);
}

static void describe_backup(const struct telling *telling)
{
    const struct series *series = telling->series;
    char name[NAME_BYTES];

    snprintf(name, sizeof name, "i-%u-%u-VM", series->owner + 2, series->vm + 3);
    begin_description(telling);
    add_vm(telling, "Backup usage for VM ", " and backup offering ");
    add_id(telling, name_backup_offering(series->offering), KIND_BACKUP_OFFERING, series->offering,
           "");
    if (!(series->flags & SERIES_NO_SIZE)) {
        add_size(telling, " with size ", series->size);
        add_size(telling, " and with virtual size ", series->virtual_size);
    }
    set_vm_id(telling);
    fields_set(telling->fields, GEN_NAME, name);
    set_usage_id(telling, KIND_VM);
    if (series->flags & SERIES_NO_SIZE)
        return;
    set_size(telling);
    fields_set_number(telling->fields, GEN_VIRTUALSIZE, series->virtual_size);
}

static void describe_bucket(const struct telling *telling)
{
    char name[NAME_BYTES];

    snprintf(name, sizeof name, "bucket-%u", telling->series->resource);
    fields_set(telling->fields, GEN_DESCRIPTION, "Bucket Size");
    fields_set(telling->fields, GEN_NAME, name);
    set_usage_id(telling, KIND_BUCKET);
}

/* Networks and VPCs have no id but the database's number in the description. */
static void describe_network(const struct telling *telling)
{
    begin_description(telling);
    if (telling->series->type == 30) {
        add_name_number(
            telling, "Network usage for network ID: ", 204 + (uint64_t)telling->series->resource);
        add_name_number(telling, ", network offering: ", 8 + telling->series->offering);
    } else {
        add_name_number(telling, "VPC usage for VPC ID: ", 1 + (uint64_t)telling->series->resource);
    }
}

static void set_owner(const struct telling *telling)
{
    const struct cloud *cloud = telling->cloud;
    struct fields *fields = telling->fields;
    uint32_t owner = telling->series->owner;
    uint32_t domain = owner_domain(cloud, owner);
    bool project = owner_is_project(cloud, owner);
    char name[NAME_BYTES], path[PATH_BYTES];

    name_owner(cloud, owner, name);
    fields_set(fields, project ? GEN_PROJECT : GEN_ACCOUNT, name);
    if (project)
        fields_set_uuid(fields, GEN_PROJECTID, cloud->options.seed, KIND_PROJECT, owner);
    else
        fields_set_uuid(fields, GEN_ACCOUNTID, cloud->options.seed, KIND_ACCOUNT, owner);
    fields_set_uuid(fields, GEN_DOMAINID, cloud->options.seed, KIND_DOMAIN, domain);
    name_domain(domain, name);
    fields_set(fields, GEN_DOMAIN, name);
    name_domain_path(domain, path);
    fields_set(fields, GEN_DOMAINPATH, path);
    fields_set_uuid(fields, GEN_ZONEID, cloud->options.seed, KIND_ZONE, telling->series->zone);
}

static void set_usage(const struct telling *telling)
{
    static const char *const units[USAGE_TYPE_MAX + 1] = {
        [4] = " bytes sent",  [5] = " bytes received", [21] = " io read", [22] = " io write",
        [23] = " bytes read", [24] = " bytes write",   [29] = " bytes"};
    const char *unit = units[telling->series->type];

    fields_begin(telling->fields, GEN_USAGE, GEN_STRING);
    fields_add_place(telling->fields, PLACE_QUANTITY);
    fields_add(telling->fields, unit ? unit : " Hrs");
    fields_set_number(telling->fields, GEN_USAGETYPE, telling->series->type);
    fields_set_place(telling->fields, GEN_RAWUSAGE, PLACE_QUANTITY);
    fields_set_place(telling->fields, GEN_STARTDATE, PLACE_START);
    fields_set_place(telling->fields, GEN_ENDDATE, PLACE_END);
    fields_begin(telling->fields, GEN_TAGS, GEN_EMPTY_LIST);
}

void describe_series(const struct cloud *cloud, const struct series *series, char point,
                     struct fields *fields)
{
    static void (*const describe[USAGE_TYPE_MAX + 1])(const struct telling *) = {
        [1] = describe_vm,
        [2] = describe_vm,
        [3] = describe_ip,
        [4] = describe_traffic,
        [5] = describe_traffic,
        [6] = describe_volume,
        [7] = describe_template,
        [8] = describe_template,
        [9] = describe_snapshot,
        [10] = describe_security_group,
        [11] = describe_rule,
        [12] = describe_rule,
        [13] = describe_network_offering,
        [14] = describe_rule,
        [21] = describe_disk_io,
        [22] = describe_disk_io,
        [23] = describe_disk_io,
        [24] = describe_disk_io,
        [25] = describe_vm_snapshot,
        [26] = describe_snapshot,
        [27] = describe_vm_snapshot,
        [28] = describe_backup,
        [29] = describe_bucket,
        [30] = describe_network,
        [31] = describe_network};
    struct telling telling = {cloud, series, fields, point};

    assert(series->type <= USAGE_TYPE_MAX && describe[series->type]);
    fields_reset(fields);
    set_owner(&telling);
    describe[series->type](&telling);
    set_usage(&telling);
}
