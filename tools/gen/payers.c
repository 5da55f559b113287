/* The payers as a `kind: accounts` document, so that what was generated can be billed. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/names.h"
#include "gen/truth.h"

/* Projects by payer: next[] chains the projects of one payer in order. */
struct project_chains {
    uint32_t *first, *last; /* by account; UINT32_MAX: none */
    uint32_t *next;         /* by project */
};

static struct project_chains chains_make(const struct cloud *cloud)
{
    uint32_t accounts = cloud->options.accounts, projects = cloud->options.projects;
    struct project_chains chains = {memory_grow(NULL, accounts * sizeof(uint32_t)),
                                    memory_grow(NULL, accounts * sizeof(uint32_t)),
                                    memory_grow(NULL, projects * sizeof(uint32_t))};

    memset(chains.first, 0xff, accounts * sizeof(uint32_t));
    for (uint32_t project = 0; project < projects; project++) {
        uint32_t payer = owner_payer(cloud, accounts + project);

        chains.next[project] = UINT32_MAX;
        if (chains.first[payer] == UINT32_MAX)
            chains.first[payer] = project;
        else
            chains.next[chains.last[payer]] = project;
        chains.last[payer] = project;
    }
    return chains;
}

static bool write_projects(const struct cloud *cloud, const struct project_chains *chains,
                           uint32_t account, struct output *output, struct failure *failure)
{
    const char *before = ", projects: [";

    for (uint32_t project = chains->first[account]; project != UINT32_MAX;
         project = chains->next[project]) {
        char text[64];

        memcpy(text, before, strlen(before));
        uuid_text(text + strlen(before), cloud->options.seed, KIND_PROJECT,
                  cloud->options.accounts + project);
        if (!output_text(output, text, strlen(before) + UUID_BYTES, failure))
            return false;
        before = ", ";
    }
    return before[2] == '\0' ? output_text(output, "]", 1, failure) : true;
}

static bool write_account(const struct cloud *cloud, const struct options *options,
                          uint32_t account, struct output *output, struct failure *failure)
{
    char id[UUID_BYTES], name[NAME_BYTES], text[512];
    int length;

    uuid_text(id, cloud->options.seed, KIND_ACCOUNT, account);
    name_owner(cloud, account, name);
    length = snprintf(text, sizeof text,
                      "  - {id: %.*s, name: %s, currency: %s, catalogue: %s, billing: postpaid, "
                      "timezone: %s, terms_days: 14, "
                      "email: [billing@%s.example], tax: {country: \"%s\"}",
                      UUID_BYTES, id, name, options->currencies[account % options->currency_count],
                      options->catalogue, options->timezone, name, options->country);
    assert(length > 0 && (size_t)length < sizeof text);
    return output_text(output, text, (size_t)length, failure);
}

bool payers_write(const struct cloud *cloud, const struct options *options, struct failure *failure)
{
    static const char head[] = "kind: accounts\naccounts:\n";
    struct output *output = output_open(options->accounts_doc, COMPRESSION_NONE, failure);
    struct project_chains chains;
    bool good;

    if (!output)
        return false;
    chains = chains_make(cloud);
    good = output_text(output, head, sizeof head - 1, failure);
    for (uint32_t account = 0; good && account < cloud->options.accounts; account++)
        good = write_account(cloud, options, account, output, failure) &&
               write_projects(cloud, &chains, account, output, failure) &&
               output_text(output, "}\n", 2, failure);
    free(chains.first);
    free(chains.last);
    free(chains.next);
    if (good)
        return output_close(output, failure);
    output_abandon(output);
    return false;
}
