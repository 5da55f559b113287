/* The whole program behind the command line. */
#ifndef GEN_RUN_H
#define GEN_RUN_H

#include "gen/truth.h"

/* Builds the options' cloud, with its zones and windows. Lifetime: cloud_free, also after a
 * failure. */
bool GEN_MUST_USE run_build_cloud(const struct options *options, struct cloud *ret_cloud,
                                  struct failure *failure);
/* Generates all that the options ask for. */
bool GEN_MUST_USE run_generate(const struct options *options, struct failure *failure);

#endif
