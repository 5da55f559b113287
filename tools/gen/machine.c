/* One virtual machine from its creation to its end: starts and stops, another offering, another
 * owner, its disks (which may grow), its network cards, its snapshots and backups, and the counters
 * of its disks. */
#include <assert.h>
#include <stdlib.h>

#include "gen/cloud.h"

#define MINUTE 60u
#define HOUR   3600u
#define DAY    86400u

#define RUNS_MAX 512

/* The time in which a machine has one owner. There are at most two. */
struct tenure {
    struct span span;
    uint32_t owner;
};

struct machine {
    struct cloud *cloud;
    struct rng *rng;
    struct span life;
    struct span_list runs;
    struct tenure tenures[2];
    unsigned tenure_count;
    uint32_t vm;
    uint32_t template_number;
    uint16_t zone;
    uint8_t os;
    bool counts_io;
};

static const struct {
    uint16_t cpu_number;
    uint32_t cpu_speed, memory;
} offerings[VM_OFFERINGS] = {
    {1, 1000, 1024},  {1, 2000, 2048},   {2, 2000, 2048},    {2, 2000, 4096},
    {2, 2400, 8192},  {4, 2000, 8192},   {4, 2400, 16384},   {8, 2000, 16384},
    {8, 2400, 32768}, {16, 2400, 65536}, {32, 2600, 131072}, {64, 2600, 262144},
};

/* A moment well inside [from, to), or `to` where there is no room for one. */
static uint32_t moment_within(struct rng *rng, struct span span)
{
    if (span.to - span.from < 2 * HOUR)
        return span.to;
    return (uint32_t)rng_between(rng, span.from + HOUR / 2, span.to - HOUR / 2);
}

/* A span like this one but for what the machine is, ready for the rest. */
static struct series machine_model(const struct machine *machine, uint8_t type, uint32_t owner)
{
    return (struct series){.type = type,
                           .owner = owner,
                           .zone = machine->zone,
                           .vm = machine->vm,
                           .resource = machine->vm,
                           .os = machine->os};
}

/* A third of the machines is stopped now and then; a day or a night at most, a few minutes at
 * least. */
static void plan_runs(struct machine *machine)
{
    struct rng *rng = machine->rng;
    uint64_t at = machine->life.from;

    if (machine->cloud->options.stable || !rng_chance(rng, 330)) {
        span_list_add(&machine->runs, machine->life.from, machine->life.to);
        return;
    }
    while (at < machine->life.to && machine->runs.count < RUNS_MAX) {
        uint64_t stop = at + rng_between(rng, 20 * MINUTE, 3 * DAY);

        if (stop > machine->life.to)
            stop = machine->life.to;
        span_list_add(&machine->runs, (uint32_t)at, (uint32_t)stop);
        at = stop + rng_between(rng, 3 * MINUTE, DAY);
    }
}

static void plan_tenures(struct machine *machine, uint32_t owner)
{
    struct cloud *cloud = machine->cloud;
    struct span life = machine->life;
    uint32_t move;

    machine->tenures[0] = (struct tenure){life, owner};
    machine->tenure_count = 1;
    if (cloud->options.stable || cloud->owner_count < 2 || !rng_chance(machine->rng, 40))
        return;
    move = moment_within(machine->rng, life);
    if (move >= life.to)
        return;
    machine->tenures[0].span.to = move;
    machine->tenures[1].span = (struct span){move, life.to};
    machine->tenures[1].owner =
        (owner + 1 + (uint32_t)rng_below(machine->rng, cloud->owner_count - 1)) %
        cloud->owner_count;
    machine->tenure_count = 2;
}

static void set_offering(struct series *model, struct rng *rng, uint32_t offering)
{
    model->offering = offering;
    if (offering < VM_OFFERINGS) {
        model->cpu_number = offerings[offering].cpu_number;
        model->cpu_speed = offerings[offering].cpu_speed;
        model->memory = offerings[offering].memory;
    } else {
        model->cpu_number = (uint16_t)rng_between(rng, 1, 24);
        model->cpu_speed = 2000;
        model->memory = (uint32_t)rng_between(rng, 2, 192) * 512;
    }
}

/* The records of one tenure with one offering: all running ones come before the allocated ones in a
 * window, which the order of the parsers sees to. */
static void add_instance(struct machine *machine, const struct series *shape, uint32_t owner,
                         struct span span)
{
    struct series model = *shape;
    struct span_list running = {0};

    model.owner = owner;
    model.type = 1;
    span_list_add_within(&running, &machine->runs, span.from, span.to);
    cloud_add(machine->cloud, &model, &running);
    model.type = 2;
    cloud_add_span(machine->cloud, &model, span.from, span.to);
    span_list_free(&running);
}

/* Another offering is always a bigger one or a custom one after a fixed one, so no series comes
 * back. */
static void add_instances(struct machine *machine)
{
    struct rng *rng = machine->rng;
    struct series shape = machine_model(machine, 1, 0);
    uint32_t offering = (uint32_t)rng_below(rng, VM_OFFERINGS - 3);
    uint32_t change = machine->life.to;

    shape.template_number = machine->template_number;
    if (rng_chance(rng, 60))
        offering = VM_OFFERING_CUSTOM;
    set_offering(&shape, rng, offering);
    if (!machine->cloud->options.stable && offering < VM_OFFERING_CUSTOM && rng_chance(rng, 120))
        change = moment_within(rng, machine->life);
    for (unsigned i = 0; i < machine->tenure_count; i++) {
        const struct tenure *tenure = &machine->tenures[i];
        struct span span = tenure->span;

        if (span.from < change && change < span.to) {
            add_instance(machine, &shape, tenure->owner, (struct span){span.from, change});
            set_offering(&shape, rng, rng_chance(rng, 200) ? VM_OFFERING_CUSTOM : offering + 1);
            span.from = change;
        } else if (span.from >= change && shape.offering == offering) {
            set_offering(&shape, rng, offering + 1);
        }
        add_instance(machine, &shape, tenure->owner, span);
    }
}

/* Reads, writes, bytes read, bytes written: counted while the machine runs and the volume is
 * attached. */
static void add_disk_io(struct machine *machine, uint32_t volume, uint32_t owner, struct span span)
{
    struct series model = machine_model(machine, 21, owner);
    struct span_list running = {0};
    uint64_t requests = rng_between(machine->rng, 100, 400000);

    model.resource = volume;
    model.group = (uint32_t)machine->cloud->series_count;
    span_list_add_within(&running, &machine->runs, span.from, span.to);
    for (; model.type <= 24; model.type++) {
        model.rate = model.type <= 22 ? requests : requests * 9000;
        cloud_add(machine->cloud, &model, &running);
    }
    span_list_free(&running);
}

static void add_volume_rows(struct machine *machine, struct series *model, struct span span,
                            uint32_t detached)
{
    uint32_t attached_to = span.to < detached ? span.to : detached;
    size_t before = machine->cloud->series_count;

    cloud_add_span(machine->cloud, model, span.from, span.to);
    if (!machine->cloud->options.double_volumes || machine->cloud->series_count == before)
        return;
    model->flags |= SERIES_ATTRIBUTION;
    cloud_add_span(machine->cloud, model, span.from, attached_to);
    model->flags &= (uint8_t)~SERIES_ATTRIBUTION;
}

/* A volume that may grow once, and is taken off the machine before its end once in a while. */
static uint32_t add_volume(struct machine *machine, bool root, struct span life)
{
    struct cloud *cloud = machine->cloud;
    struct rng *rng = machine->rng;
    struct series model = machine_model(machine, 6, 0);
    uint32_t grows = life.to, detached = life.to;

    model.resource = cloud_number(cloud, KIND_VOLUME);
    model.offering = (uint32_t)rng_below(rng, DISK_OFFERINGS);
    model.size = model.virtual_size =
        (root ? rng_between(rng, 8, 80) : rng_between(rng, 10, 2000)) * GIB;
    model.template_number = machine->template_number;
    model.flags = root ? SERIES_ROOT : 0;
    if (!cloud->options.stable && rng_chance(rng, 100))
        grows = moment_within(rng, life);
    if (!cloud->options.stable && !root && rng_chance(rng, 100))
        detached = moment_within(rng, life);
    for (unsigned i = 0; i < machine->tenure_count; i++) {
        struct span span = machine->tenures[i].span;

        span.from = span.from > life.from ? span.from : life.from;
        span.to = span.to < life.to ? span.to : life.to;
        if (span.from >= span.to)
            continue;
        model.owner = machine->tenures[i].owner;
        if (span.from <= grows && grows < span.to) {
            add_volume_rows(machine, &model, (struct span){span.from, grows}, detached);
            model.size = model.virtual_size = model.size + rng_between(rng, 1, 500) * GIB;
            add_volume_rows(machine, &model, (struct span){grows, span.to}, detached);
        } else {
            add_volume_rows(machine, &model, span, detached);
        }
        if (machine->counts_io)
            add_disk_io(machine, model.resource, model.owner,
                        (struct span){span.from, span.to < detached ? span.to : detached});
    }
    return model.resource;
}

static struct span shorter_life(struct machine *machine, uint32_t days_max)
{
    struct span life = machine->tenures[0].span;
    uint64_t to;

    if (machine->cloud->options.stable || life.to - life.from < 2 * HOUR)
        return life;
    life.from = (uint32_t)rng_between(machine->rng, life.from, life.to - HOUR);
    to = life.from + rng_between(machine->rng, HOUR / 2, (uint64_t)days_max * DAY);
    life.to = to < life.to ? (uint32_t)to : life.to;
    return life;
}

/* Snapshots and backups stay with the owner who made them; that is the first one. */
static void add_copies(struct machine *machine)
{
    struct cloud *cloud = machine->cloud;
    struct rng *rng = machine->rng;
    struct series model = machine_model(machine, 9, machine->tenures[0].owner);
    struct span life = shorter_life(machine, 20);

    /* Sizes of copies are odd on purpose, so that two of one resource never look the same. */
    model.size = rng_between(rng, GIB / 4, 60 * GIB) | 1;
    model.virtual_size = 80 * GIB;
    if (rng_chance(rng, 350)) {
        model.resource = cloud_number(cloud, KIND_SNAPSHOT);
        cloud_add_span(cloud, &model, life.from, life.to);
    }
    if (rng_chance(rng, 100)) {
        life = shorter_life(machine, 10);
        model.type = rng_chance(rng, 500) ? 25 : 27;
        model.resource = cloud_number(cloud, KIND_VM_SNAPSHOT);
        model.offering = (uint32_t)rng_below(rng, DISK_OFFERINGS);
        cloud_add_span(cloud, &model, life.from, life.to);
    }
    if (rng_chance(rng, 120)) {
        life = shorter_life(machine, 200);
        model.type = 28;
        model.resource = machine->vm;
        model.offering = (uint32_t)rng_below(rng, BACKUP_OFFERINGS);
        model.flags = cloud->options.old_release ? SERIES_NO_SIZE : 0;
        cloud_add_span(cloud, &model, life.from, life.to);
    }
}

static void add_network_cards(struct machine *machine)
{
    struct cloud *cloud = machine->cloud;
    struct rng *rng = machine->rng;
    uint8_t nics = rng_chance(rng, 100) ? 2 : 1;
    uint32_t offering = (uint32_t)rng_below(rng, NETWORK_OFFERINGS);
    bool grouped = rng_chance(rng, 400);

    for (unsigned i = 0; i < machine->tenure_count; i++) {
        const struct tenure *tenure = &machine->tenures[i];
        struct series model = machine_model(machine, 13, tenure->owner);

        model.nics = nics;
        model.offering = offering;
        model.flags = SERIES_DEFAULT;
        model.network = owner_network(tenure->owner);
        cloud_add_span(cloud, &model, tenure->span.from, tenure->span.to);
        if (!grouped)
            continue;
        model.type = 10;
        model.flags = 0;
        model.nics = 0;
        model.resource = tenure->owner;
        cloud_add_span(cloud, &model, tenure->span.from, tenure->span.to);
    }
}

static void add_reachability(struct machine *machine)
{
    struct cloud *cloud = machine->cloud;
    struct series model = machine_model(machine, 3, machine->tenures[0].owner);
    struct span life = shorter_life(machine, 90);

    if (rng_chance(machine->rng, 180)) {
        model.resource = cloud_number(cloud, KIND_IP);
        cloud_add_span(cloud, &model, life.from, life.to);
    }
    if (rng_chance(machine->rng, 250)) {
        model.type = 12;
        model.resource = cloud_number(cloud, KIND_PORT_FORWARDING);
        cloud_add_span(cloud, &model, life.from, life.to);
    }
}

void cloud_add_machine(struct cloud *cloud, struct rng *rng, uint32_t owner, uint32_t birth,
                       uint32_t death)
{
    struct machine machine = {.cloud = cloud, .rng = rng, .life = {birth, death}};

    assert(birth <= death && death <= cloud->seconds);
    if (birth == death)
        return;
    machine.vm = cloud_number(cloud, KIND_VM);
    machine.zone = rng_chance(rng, 850) ? owner_zone(cloud, owner)
                                        : (uint16_t)rng_below(rng, cloud->options.zones);
    machine.os = (uint8_t)rng_below(rng, OS_COUNT);
    machine.template_number =
        machine.os + OS_COUNT * (uint32_t)rng_below(rng, PUBLIC_TEMPLATES / OS_COUNT);
    machine.counts_io = rng_chance(rng, cloud->options.disk_io_permille);
    plan_runs(&machine);
    plan_tenures(&machine, owner);
    add_instances(&machine);
    add_volume(&machine, true, machine.life);
    for (unsigned i = 0; i < 2 && rng_chance(rng, 400); i++) {
        struct span life = machine.life;

        if (!cloud->options.stable && rng_chance(rng, 250))
            life.from = moment_within(rng, life);
        add_volume(&machine, false, life);
    }
    add_network_cards(&machine);
    add_copies(&machine);
    add_reachability(&machine);
    span_list_free(&machine.runs);
}
