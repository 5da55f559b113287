/* The contract between the outbox and sinks: a sink takes blocks of messages and says how many of
 * them are safe on its side.
 *
 * Delivery is at least once: after a crash between the two, messages come again with the same id,
 * and the receiver tells by it. Messages of a block are in order; a sink must not pass over one
 * that fails. One sink is one sink_NAME.c that ends in one const descriptor; its row in
 * CMakeLists.txt is the only other edit. sink_null.c is the one to copy. */
#ifndef RATEL_ADAPTERS_SINK_H
#define RATEL_ADAPTERS_SINK_H

#include "adapters/options.h"
#include "base/slice.h"

struct sink_message {
    struct slice id;      /* the idempotency key */
    struct slice kind;    /* "budget.threshold", "invoice.issued" */
    struct slice account; /* keeps an account's messages in order where a sink has partitions */
    struct slice body;    /* one JSON object on one line, without the line end; bears the id too */
};

struct sink;

struct sink_class {
    const char *name;
    const char *summary; /* one line for --help */
    const struct adapter_option *options;
    /* The settings were checked against the options. Errors: with a text that names the target. */
    MUST_USE enum status (*open)(const struct adapter_setting *settings, uint32_t count,
                                 struct sink **ret, struct error *error);
    /* Delivers a block. Sets *ret_done to how many of the first messages are safe, also on errors;
     * all of them when it returns OK. Errors: of class RETRY, where the same call may succeed
     * later, else FATAL. Thread: one at a time. */
    MUST_USE enum status (*write)(struct sink *sink, const struct sink_message *messages,
                                  uint32_t count, uint32_t *ret_done, struct error *error);
    /* Whatever is not done by now is not done. */
    void (*close)(struct sink *sink);
};

extern const struct sink_class sink_null;
extern const struct sink_class sink_file;

/* By name, or NULL. */
const struct sink_class *sink_find(const char *name);
/* Checks the settings and opens. Errors: USAGE and those of open. */
MUST_USE enum status sink_open(const struct sink_class *class,
                               const struct adapter_setting *settings, uint32_t count,
                               struct sink **ret, struct error *error);

#endif
