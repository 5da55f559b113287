/* Ratel for embedders: this header, and linking the target ratel_engine, is all a program needs.
 *
 * In order of use: datadir_init and datadir_open (store/datadir.h); book_open, book_load,
 * book_snapshot (engine/book.h; documents come from ratecards/ratecards.h); alerts_open
 * (engine/alerts.h); ledgers_open (account/ledgers.h); ingest_init, ingest_block, ingest_commit
 * (engine/ingest.h); spend_compute (account/spend.h); the bill (bill/run.h). tools/ratel/ is a
 * complete example. */
#ifndef RATEL_H
#define RATEL_H

#include "account/budget.h"
#include "account/ledgers.h"
#include "account/spend.h"
#include "account/usage_walk.h"
#include "account/verify.h"
#include "bill/run.h"
#include "engine/alerts.h"
#include "engine/book.h"
#include "engine/ingest.h"

/* The program's version, such as "0.1.0". */
#define ratel_version() RATEL_VERSION

#endif
