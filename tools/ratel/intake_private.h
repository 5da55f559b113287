/* What the parts of the intake share and nobody else sees.
 *
 *   intake.c       owns all there is, and decodes windows
 *   intake_fill.c  opens files, reads windows from pipes, and cuts what may be decoded at once
 *   intake_map.c   windows of mapped files: which pages are needed next, which no more */
#ifndef RATEL_TOOLS_INTAKE_PRIVATE_H
#define RATEL_TOOLS_INTAKE_PRIVATE_H

#include "adapters/decode_lone.h"
#include "ratel/intake.h"

/* Two whole records and more fit, so a window that is full always holds one. */
#define WINDOW_BYTES_MAX ((size_t)4 << 20)

struct msgpack_cut;

/* What one thread decodes with. */
struct intake_reader {
    struct mixed json; /* pieces of it, and of msgpack */
    struct mixed msgpack;
    bool json_open;
    bool msgpack_open;
    struct msgpack_cut *cut; /* of the window that it has */
    /* where that one began */
    const char *map;
    uint64_t offset;
    struct lone lone;
    /* how many line ends there are before a byte that was asked for */
    const char *counted_from; /* of the file's map, or the window */
    uint64_t counted_window;  /* 0: of a map */
    size_t counted;
    uint64_t lines;
};

/* ---- intake.c
 * --------------------------------------------------------------------------------------------------
 */

MUST_USE enum status intake_out_of_memory(struct error *error);
uint64_t intake_count_lines(const char *bytes, size_t length);

/* ---- intake_fill.c
 * --------------------------------------------------------------------------------------------------
 */

/* pipeline_input.fill. The lane has the turn, as for all that follows. */
MUST_USE enum status intake_fill(void *context, uint32_t reader, struct window *window,
                                 bool *ret_more, struct error *error);
/* The window is done with up to `used`; what is behind that comes first in the next one. */
void intake_use(struct intake *intake, struct window *window, size_t used);
/* Bytes that a window has where no record is longer. */
size_t intake_usual_room(const struct intake *intake);
void intake_close_file(struct intake *intake);

/* ---- intake_map.c
 * --------------------------------------------------------------------------------------------------
 */

/* The file that was opened. NULL where it has to be read. */
char *intake_map_file(struct intake *intake, size_t *ret_length);
size_t intake_map_room(const struct intake *intake);
/* The next window. Its lane's next one after that is made ready too, where that can be foreseen. */
void intake_map_window(struct intake *intake, uint32_t reader, struct window *window);
/* Nobody looks any more at what was in the window, nor at the windows before it. What was mapped is
 * given back in steps. */
void intake_drop_mapped(struct intake *intake, struct window *window);

#endif
