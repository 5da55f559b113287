#include "gen/names.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const companies[] = {
    "acme",      "globex", "initech", "umbrella", "hooli", "stark",   "wayne",  "tyrell",
    "cyberdyne", "wonka",  "soylent", "vandelay", "duff",  "oceanic", "dharma", "massive"};
static const char *const roles[] = {"web", "db", "app", "cache", "mail", "build", "queue", "node"};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

size_t name_owner(const struct cloud *cloud, uint32_t owner, char out[NAME_BYTES])
{
    const char *company = companies[owner % COUNT(companies)];
    uint32_t number = owner / (uint32_t)COUNT(companies);

    if (owner_is_project(cloud, owner))
        return (size_t)snprintf(out, NAME_BYTES, "project-%s-%u", company,
                                owner - cloud->options.accounts);
    return (size_t)snprintf(out, NAME_BYTES, "%s-%u", company, number);
}

/* One domain for every four owners and ROOT for none of them. A project is in its payer's domain.
 */
uint32_t owner_domain(const struct cloud *cloud, uint32_t owner)
{
    return 1 + owner_payer(cloud, owner) / 4;
}

size_t name_domain(uint32_t domain, char out[NAME_BYTES])
{
    if (domain == 0)
        return (size_t)snprintf(out, NAME_BYTES, "ROOT");
    if (domain < 4)
        return (size_t)snprintf(out, NAME_BYTES, "resellers-%u", domain);
    return (size_t)snprintf(out, NAME_BYTES, "%s-%u", companies[domain % COUNT(companies)], domain);
}

/* Every domain has up to three children, so 2^32 domains are 20 levels deep. */
size_t name_domain_path(uint32_t domain, char out[PATH_BYTES])
{
    char name[NAME_BYTES];
    size_t length, more;

    if (domain == 0) {
        memcpy(out, "/", 2);
        return 1;
    }
    length = name_domain_path((domain - 1) / 3, out);
    more = name_domain(domain, name);
    assert(length + more + 2 <= PATH_BYTES);
    memcpy(out + length, name, more);
    memcpy(out + length + more, "/", 2);
    return length + more + 1;
}

size_t name_vm(const struct cloud *cloud, uint32_t vm, char out[NAME_BYTES])
{
    const char *role = roles[draw(cloud->options.seed, KIND_VM, vm, 9) % COUNT(roles)];

    if (cloud->options.control_chars && vm % 7 == 3)
        return (size_t)snprintf(out, NAME_BYTES, "%s\x01\x1b[1m-%u\t\x7f", role, vm);
    if (vm % 41 == 5)
        return (size_t)snprintf(out, NAME_BYTES, "b\xc3\xbcro-%s-%u-\xe6\x9d\xb1\xe4\xba\xac", role,
                                vm);
    if (vm % 67 == 11)
        return (size_t)snprintf(out, NAME_BYTES, "%s \"primary\", <hot> & a\\b '%u'", role, vm);
    return (size_t)snprintf(out, NAME_BYTES, "%s-%u", role, vm);
}

static const struct {
    const char *name;
    uint8_t category;
} systems[OS_COUNT] = {
    {"Ubuntu 24.04 LTS", 0}, {"Debian GNU/Linux 12 (64-bit)", 1},
    {"Rocky Linux 9", 2},    {"Windows Server 2022 (64-bit)", 3},
    {"CentOS Stream 9", 2},  {"Other Linux (64-bit)", 4},
};
static const char *const categories[] = {"Ubuntu", "Debian", "RedHat", "Windows", "Other"};

const char *name_os(unsigned os)
{
    assert(os < OS_COUNT);
    return systems[os].name;
}

unsigned os_category(unsigned os)
{
    assert(os < OS_COUNT);
    return systems[os].category;
}

const char *name_os_category(unsigned os)
{
    return categories[os_category(os)];
}

const char *name_vm_offering(unsigned offering)
{
    static const char *const names[VM_OFFERINGS + 1] = {
        "Tiny-1C-1G",     "Small-1C-2G",   "Small-2C-2G",  "Standard-2C-4G", "Standard-2C-8G",
        "Standard-4C-8G", "Large-4C-16G",  "Large-8C-16G", "XLarge-8C-32G",  "XLarge-16C-64G",
        "Huge-32C-128G",  "Huge-64C-256G", "Custom"};

    assert(offering <= VM_OFFERINGS);
    return names[offering];
}

const char *name_disk_offering(unsigned offering)
{
    static const char *const names[DISK_OFFERINGS] = {"SSD-Gold", "SSD-Silver", "HDD-Bronze",
                                                      "NVMe-Platinum"};

    assert(offering < DISK_OFFERINGS);
    return names[offering];
}

const char *name_network_offering(unsigned offering)
{
    static const char *const names[NETWORK_OFFERINGS] = {
        "DefaultIsolatedNetworkOfferingWithSourceNatService", "DefaultSharedNetworkOffering",
        "DefaultIsolatedNetworkOfferingForVpcNetworks"};

    assert(offering < NETWORK_OFFERINGS);
    return names[offering];
}

const char *name_backup_offering(unsigned offering)
{
    static const char *const names[BACKUP_OFFERINGS] = {"Daily-7", "Weekly-4"};

    assert(offering < BACKUP_OFFERINGS);
    return names[offering];
}
