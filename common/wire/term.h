/* term.h - the ladder as text on a terminal.
 *
 * In: rows. Out: lines of text: time at the left, a lane for each host, the cable between them;
 * explanations beside the ladder where there is room, else below their row. At least 80 columns are
 * used. Portable C.
 */
#ifndef TERM_H
#define TERM_H

#include "rows.h"
#include "scene.h"
#include <stdio.h>

struct term {
    FILE *out;
    int columns; /* of the terminal, 80 at least */
    int ascii;   /* no UTF-8 */
    int colour;
    int lane, cable; /* columns of a lane and of the cable */
    int beside;      /* columns for explanations right of the ladder, 0: they stand below */
    int silent;      /* no explanations: somebody else shows them */
    long drawn;      /* rows drawn so far */
    int64_t zero;    /* time of the first row */
    long lit;        /* row that stands out, or NO_INDEX */
    int lit_part;    /* of it: CLIENT or SERVER for that host's lane, HOSTS for the cable */
    void (*take)(void *ear,
                 const char *line); /* gets each line, in place of out; or NULL */
    void *ear;
    char **note_lines; /* waiting to be drawn beside */
    long note_count, note_room, note_next;
};

void term_init(struct term *term, FILE *out, int columns, int ascii, int colour);

/* What the row's frame is called, in at most `room` columns: "DATA seq=1001 len=5 again". */
void term_frame_label(const struct log *log, const struct row *row, int room,
                      char text[EVENT_TEXT]);

/* The title, the figure's name and the hosts. `labels` stand under the host names. */
void term_heading(struct term *term, const struct scene *scene,
                  const char *const labels[HOSTS]);

/* The hosts' names over their lanes, and a label under each. */
void term_hosts(struct term *term, const char *const labels[HOSTS]);

/* Explanations are left out, and the ladder has all columns. Call it right after term_init(). */
void term_without_notes(struct term *term);

/* Draws the rows from term->drawn up to `end`. */
void term_rows(struct term *term, const struct rows *rows, const struct log *log,
               const struct scene *scene, long end);

/* Draws what is left of the explanations beside the ladder, when the next row may be long in coming. */
void term_catch_up(struct term *term, const struct rows *rows);

/* Draws what is left of the explanations. */
void term_finish(struct term *term);

#endif
