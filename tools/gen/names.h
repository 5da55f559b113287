/* What things are called. Names are functions of a number, so none is stored. */
#ifndef GEN_NAMES_H
#define GEN_NAMES_H

#include "gen/cloud.h"

#define NAME_BYTES 96
#define PATH_BYTES 512

/* All write an end-of-string too and return the length without it. */
size_t name_owner(const struct cloud *cloud, uint32_t owner, char out[NAME_BYTES]);
uint32_t owner_domain(const struct cloud *cloud, uint32_t owner);
size_t name_domain(uint32_t domain, char out[NAME_BYTES]);
/* "/", "/resellers-1/", "/resellers-1/acme-5/": CloudStack's raw path. */
size_t name_domain_path(uint32_t domain, char out[PATH_BYTES]);
/* A few machines have names with quotes, umlauts or markup; with control_chars some have control
 * characters. */
size_t name_vm(const struct cloud *cloud, uint32_t vm, char out[NAME_BYTES]);
const char *name_os(unsigned os);
const char *name_os_category(unsigned os);
unsigned os_category(unsigned os);
const char *name_vm_offering(unsigned offering);
const char *name_disk_offering(unsigned offering);
const char *name_network_offering(unsigned offering);
const char *name_backup_offering(unsigned offering);

#endif
