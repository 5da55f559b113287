/* Who is there, and from when to when: the owners' networks, addresses and other things, and the
 * slots in which one machine follows another, so that the cloud stays about as big as it was asked
 * to be. */
#include <assert.h>
#include <stdlib.h>

#include "gen/cloud.h"

#define HOUR 3600u
#define DAY  86400u

uint16_t owner_zone(const struct cloud *cloud, uint32_t owner)
{
    return (uint16_t)(draw(cloud->options.seed, KIND_ZONE, owner, 7) % cloud->options.zones);
}

uint32_t owner_network(uint32_t owner)
{
    return owner;
}

/* Most things of an owner are there for the whole run; the rest come, go, or both. */
static struct span thing_life(const struct cloud *cloud, struct rng *rng)
{
    struct span life = {0, cloud->seconds};

    if (cloud->options.stable || rng_chance(rng, 700))
        return life;
    if (rng_chance(rng, 600))
        life.from = (uint32_t)rng_below(rng, cloud->seconds);
    if (rng_chance(rng, 600))
        life.to = life.from + (uint32_t)rng_below(rng, cloud->seconds - life.from) + 1;
    return life;
}

static void add_thing(struct cloud *cloud, struct rng *rng, const struct series *model)
{
    struct span life = thing_life(cloud, rng);

    cloud_add_span(cloud, model, life.from, life.to);
}

/* Sent and received bytes of a router; siblings are added one after the other and share a group. */
static void add_traffic(struct cloud *cloud, struct rng *rng, struct series model, struct span life)
{
    model.rate = rng_between(rng, 1000, 2000000) * 1000;
    model.group = (uint32_t)cloud->series_count;
    for (model.type = 4; model.type <= 5; model.type++)
        cloud_add_span(cloud, &model, life.from, life.to);
}

static void add_network(struct cloud *cloud, struct rng *rng, uint32_t owner)
{
    struct series model = {
        .owner = owner, .zone = owner_zone(cloud, owner), .network = owner_network(owner)};
    struct span whole = {0, cloud->seconds};
    bool in_vpc = owner % 3 == 0;

    model.resource = cloud_number(cloud, KIND_ROUTER);
    add_traffic(cloud, rng, model, whole);
    model.type = 3;
    model.resource = cloud_number(cloud, KIND_IP);
    model.flags = SERIES_SOURCE_NAT;
    cloud_add_span(cloud, &model, 0, cloud->seconds);
    model.flags = 0;
    model.type = 30;
    model.resource = owner_network(owner);
    model.offering = (uint32_t)rng_below(rng, NETWORK_OFFERINGS);
    cloud_add_span(cloud, &model, 0, cloud->seconds);
    if (!in_vpc)
        return;
    model.network = cloud_number(cloud, KIND_VPC);
    model.type = 31;
    model.resource = model.network;
    cloud_add_span(cloud, &model, 0, cloud->seconds);
    model.flags = SERIES_VPC;
    model.resource = cloud_number(cloud, KIND_ROUTER);
    add_traffic(cloud, rng, model, whole);
}

static void add_storage(struct cloud *cloud, struct rng *rng, uint32_t owner, bool everything)
{
    struct series model = {.owner = owner, .zone = owner_zone(cloud, owner)};

    if (everything || rng_chance(rng, 250)) {
        model.type = 7;
        model.resource = PUBLIC_TEMPLATES + cloud_number(cloud, KIND_TEMPLATE);
        model.template_number = (uint32_t)rng_below(rng, PUBLIC_TEMPLATES);
        model.virtual_size = rng_between(rng, 8, 50) * GIB;
        model.size = model.virtual_size / rng_between(rng, 3, 9) + rng_below(rng, 4096);
        add_thing(cloud, rng, &model);
    }
    if (everything || rng_chance(rng, 150)) {
        model.type = 8;
        model.resource = PUBLIC_TEMPLATES + cloud_number(cloud, KIND_TEMPLATE);
        model.size = model.virtual_size = rng_between(rng, 300, 5000) << 20;
        add_thing(cloud, rng, &model);
    }
    if (everything || rng_chance(rng, 100)) {
        model.type = 26;
        model.resource = cloud_number(cloud, KIND_VOLUME);
        model.size = model.virtual_size = rng_between(rng, 1, 200) * GIB;
        add_thing(cloud, rng, &model);
    }
    if (everything || rng_chance(rng, 300)) {
        model.type = 29;
        model.zone = 0; /* CloudStack's own table says zone 1 for every bucket. */
        model.resource = cloud_number(cloud, KIND_BUCKET);
        model.rate = rng_between(rng, (uint64_t)1 << 20, (uint64_t)1 << 42);
        add_thing(cloud, rng, &model);
    }
}

static void add_infrastructure(struct cloud *cloud, uint32_t owner)
{
    struct rng rng = rng_seeded(cloud->options.seed, KIND_INFRASTRUCTURE, owner);
    struct series model = {.owner = owner, .zone = owner_zone(cloud, owner)};
    bool everything = owner % 4 == 0;

    add_network(cloud, &rng, owner);
    if (everything || rng_chance(&rng, 400)) {
        model.type = 11;
        model.resource = cloud_number(cloud, KIND_LOAD_BALANCER);
        add_thing(cloud, &rng, &model);
    }
    if (everything || rng_chance(&rng, 200)) {
        model.type = 14;
        model.resource = cloud_number(cloud, KIND_VPN_USER);
        add_thing(cloud, &rng, &model);
    }
    add_storage(cloud, &rng, owner, everything);
}

/* A few owners have most of the machines: the smaller of two draws is likelier to be small. */
static uint32_t choose_owner(const struct cloud *cloud, uint32_t slot)
{
    struct rng rng = rng_seeded(cloud->options.seed, KIND_OWNER_CHOICE, slot);

    if (slot < cloud->owner_count)
        return slot;
    return (uint32_t)rng_below(&rng, rng_below(&rng, cloud->owner_count) + 1);
}

/* One machine after the other, with a pause between. The first was there before the run began. */
static void fill_slot(struct cloud *cloud, uint32_t slot)
{
    struct rng rng = rng_seeded(cloud->options.seed, KIND_SLOT, slot);
    uint32_t owner = choose_owner(cloud, slot);
    uint64_t birth = 0, death;

    if (cloud->options.stable) {
        cloud_add_machine(cloud, &rng, owner, 0, cloud->seconds);
        return;
    }
    while (birth < cloud->seconds && !cloud->full) {
        if (rng_chance(&rng, 150))
            death = birth + rng_between(&rng, HOUR / 2, 5 * DAY);
        else
            death = birth + rng_between(&rng, 2 * DAY, 250 * DAY);
        if (death > cloud->seconds)
            death = cloud->seconds;
        cloud_add_machine(cloud, &rng, owner, (uint32_t)birth, (uint32_t)death);
        birth = death + rng_below(&rng, 6 * HOUR);
    }
}

void cloud_populate(struct cloud *cloud)
{
    const struct cloud_options *options = &cloud->options;

    assert((options->vms == 0) != (options->series == 0));
    for (uint32_t slot = 0; !cloud->full; slot++) {
        if (slot < cloud->owner_count)
            add_infrastructure(cloud, slot);
        if (options->series || slot < options->vms)
            fill_slot(cloud, slot);
        if (options->vms && slot + 1 >= options->vms && slot + 1 >= cloud->owner_count)
            break;
    }
}
