/* view.h - one picture on the screen: the ladder as far as it has come, and a few lines below it.
 *
 * In: the log up to some event, and the lines. Out: a title, both hosts with their states at that
 * moment, the newest rows of the ladder with the current event standing out, the lines, and a status
 * line; drawn anew each time, for the size that the terminal has then.
 * Used by step.c and quiz.c. Portable C.
 */
#ifndef VIEW_H
#define VIEW_H

#include "rows.h"
#include "scene.h"

enum { PANE_LINES = 14, PANE_WIDTH = 110, PANE_TEXT = 4 * PANE_WIDTH };

struct view_options {
    int all;    /* ARP, output and minor calls too */
    int ascii;  /* no UTF-8 */
    int colour; /* colours; what stands out is reversed without them too */
    int plain;  /* not a terminal: no escape sequences at all */
};

struct pane { /* the lines below the ladder */
    char lines[PANE_LINES][PANE_TEXT];
    int count, width;
};

enum pane_paint { PANE_PLAIN, PANE_BOLD, PANE_DIM, PANE_NOTE, PANE_GOOD, PANE_BAD };

struct view {
    const struct log *log;
    const struct scene *scene;
    const struct view_options *options;
    long *steps; /* indices of the events that are shown, in order */
    long count;
    int64_t zero;     /* time of the ladder's first row */
    struct rows rows; /* of the events up to the last one drawn */
    long rows_end;    /* how many events they were made from */
};

/* Finds the steps: the events that the ladder shows. A call that returns at once is one step. */
void view_init(struct view *view, const struct log *log, const struct scene *scene,
               const struct view_options *options);
void view_free(struct view *view);

/* Makes view->rows those of the events before `end`. */
void view_seek(struct view *view, long end);

/* Adds text to the pane: a line, or several if it is longer than the pane is wide. */
void pane_clear(struct pane *pane, int columns);
void pane_add(struct view *view, struct pane *pane, enum pane_paint paint,
              const char *text);

/* Draws it all: the ladder of the events before `end`; `lit` is the index of the one that stands out, or
 * NO_INDEX. pane_lines: how many lines the pane has at least, so that nothing jumps. */
void view_draw(struct view *view, long end, long lit, const struct pane *pane,
               int pane_lines, const char *status);

/* True when the terminal is large enough; else says so on the screen. */
int view_fits(void);

#endif
