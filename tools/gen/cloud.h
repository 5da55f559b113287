/* The simulated cloud: owners, and the series of usage that their resources give rise to, with the
 * spans of life of each.
 *
 * A series is everything about a usage record but its window and its quantity. Resizing a volume,
 * giving a machine another offering or another owner ends one series and begins another, both
 * inside one window if need be. What a series uses in a window follows from its spans alone
 * (amount.h); no record is kept anywhere.
 *
 * Life is in whole seconds since the start of the run. */
#ifndef GEN_CLOUD_H
#define GEN_CLOUD_H

#include "gen/civil.h"

/* What uuid_text numbers: one space of numbers per kind. */
enum kind {
    KIND_ACCOUNT = 1,
    KIND_PROJECT,
    KIND_DOMAIN,
    KIND_ZONE,
    KIND_VM,
    KIND_OFFERING,
    KIND_TEMPLATE,
    KIND_OS,
    KIND_OS_CATEGORY,
    KIND_VOLUME,
    KIND_DISK_OFFERING,
    KIND_IP,
    KIND_ROUTER,
    KIND_NETWORK,
    KIND_VPC,
    KIND_NETWORK_OFFERING,
    KIND_SNAPSHOT,
    KIND_SECURITY_GROUP,
    KIND_LOAD_BALANCER,
    KIND_PORT_FORWARDING,
    KIND_VPN_USER,
    KIND_VM_SNAPSHOT,
    KIND_BACKUP_OFFERING,
    KIND_BUCKET,
    /* Not resources: draws that must not repeat those above. */
    KIND_SLOT,
    KIND_INFRASTRUCTURE,
    KIND_OWNER_CHOICE,
    KIND_USE,
    KIND_NOISE,
    KIND_ORDER,
    KIND_COUNT
};

/* How a usage type's raw usage is measured. */
enum measure {
    MEASURE_HOURS,
    MEASURE_BYTES,
    MEASURE_REQUESTS,
    MEASURE_LEVEL, /* bytes there are at the end of the window */
};

struct meter {
    uint8_t type;    /* CloudStack's usage type, 1 to 31 */
    uint8_t measure; /* enum measure */
    uint8_t
        parser; /* position of its parser in the usage job; types 1 and 2 are one after the other */
    bool sized; /* billed by size x hours */
    bool clipped; /* its records start and end with the event, not with the window */
    const char *name;
};

#define USAGE_TYPE_MAX 31
/* The meter of one of CloudStack's usage types. */
const struct meter *meter_of(unsigned usage_type) __attribute__((returns_nonnull));

struct span {
    uint32_t from, to; /* [from, to) */
};

enum series_flag {
    SERIES_ATTRIBUTION = 1, /* the second row of a volume since 4.22.1, with the machine's id */
    SERIES_SOURCE_NAT = 2,
    SERIES_DEFAULT = 4,  /* the machine's default network */
    SERIES_ROOT = 8,     /* a root disk: it has a template */
    SERIES_VPC = 16,     /* public traffic of a VPC's router */
    SERIES_NO_SIZE = 32, /* an older release does not tell this record's size */
};

struct series {
    uint64_t size;         /* bytes, 0 where the type has none */
    uint64_t virtual_size; /* bytes */
    uint64_t rate;         /* bytes or requests in 1,000 s, or the level in bytes */
    uint32_t number;       /* in order of creation: what draws about this series hang on */
    uint32_t group;        /* counters: number of the first sibling */
    uint32_t owner;
    uint32_t resource; /* number of what usageid names */
    uint32_t vm;
    uint32_t offering;
    uint32_t template_number;
    uint32_t network; /* or VPC, with SERIES_VPC */
    uint32_t span_first, span_count;
    uint32_t cpu_speed, memory; /* MHz, MiB */
    uint16_t zone;
    uint16_t cpu_number;
    uint8_t type;
    uint8_t flags; /* enum series_flag */
    uint8_t os;
    uint8_t nics;
};
_Static_assert(sizeof(struct series) == 80, "no padding");

/* What the cloud is made of. */
struct cloud_options {
    uint64_t seed;
    uint32_t accounts, projects, zones;
    uint32_t vms;    /* live machines; 0: as many as `series` asks for */
    uint32_t series; /* live series per window; 0: as many as `vms` make */
    uint32_t disk_io_permille;
    bool stable; /* nothing begins, ends or changes */
    bool double_volumes;
    bool control_chars;
    bool old_release; /* fields that only newer releases send are left out */
};

struct cloud {
    struct cloud_options options;
    struct zone aggregation; /* where midnight is */
    struct zone server;      /* what the dates of newer releases are in */
    struct window *windows;
    size_t window_count;
    int64_t start;        /* of the first window */
    uint32_t seconds;     /* from start to the end of the last window */
    uint32_t owner_count; /* accounts, then projects */
    struct series
        *series; /* in CloudStack's order within a window: by owner, then parser by parser */
    size_t series_count, series_room;
    size_t attribution_count;
    struct span *spans;
    size_t span_count, span_room;
    uint64_t life_seconds;        /* of all series but attribution rows */
    uint32_t numbers[KIND_COUNT]; /* the next number of each kind */
    bool full;                    /* as many series as were asked for */
};

/* Builds the cloud: zones and windows are in it already. */
void cloud_build(struct cloud *cloud);
void cloud_free(struct cloud *cloud);

static inline bool owner_is_project(const struct cloud *cloud, uint32_t owner)
{
    return owner >= cloud->options.accounts;
}

/* The account that pays for `owner`: itself, or the project's owner. */
static inline uint32_t owner_payer(const struct cloud *cloud, uint32_t owner)
{
    if (!owner_is_project(cloud, owner))
        return owner;
    return (uint32_t)(((uint64_t)(owner - cloud->options.accounts) * 7 + 1) %
                      cloud->options.accounts);
}

static inline const struct span *series_spans(const struct cloud *cloud,
                                              const struct series *series)
{
    return cloud->spans + series->span_first;
}

/* For the builders (lifecycle.c, machine.c). */

/* A growing list of spans. */
struct span_list {
    struct span *items;
    size_t count, room;
};
/* Appends [from, to), unless it is empty. */
void span_list_add(struct span_list *list, uint32_t from, uint32_t to);
/* Appends the parts of `spans` that lie in [from, to). */
void span_list_add_within(struct span_list *list, const struct span_list *spans, uint32_t from,
                          uint32_t to);
void span_list_free(struct span_list *list);

/* The next unused number of a kind. */
uint32_t cloud_number(struct cloud *cloud, enum kind kind);
/* Adds a series like `model` with these spans; none when they are empty or the cloud is full.
 * Returns its number. */
uint32_t cloud_add(struct cloud *cloud, const struct series *model, const struct span_list *spans);
uint32_t cloud_add_span(struct cloud *cloud, const struct series *model, uint32_t from,
                        uint32_t to);

/* lifecycle.c: what an owner has beside machines, and who lives when. */
void cloud_populate(struct cloud *cloud);
/* machine.c: one machine and all that hangs on it, from its creation to its end. */
void cloud_add_machine(struct cloud *cloud, struct rng *rng, uint32_t owner, uint32_t birth,
                       uint32_t death);
uint16_t owner_zone(const struct cloud *cloud, uint32_t owner);
/* The owner's first network; a machine's default one. */
uint32_t owner_network(uint32_t owner);

#define VM_OFFERINGS       12
#define VM_OFFERING_CUSTOM VM_OFFERINGS
#define DISK_OFFERINGS     4
#define NETWORK_OFFERINGS  3
#define BACKUP_OFFERINGS   2
#define OS_COUNT           6
#define PUBLIC_TEMPLATES   12

#define GIB ((uint64_t)1 << 30)

#endif
