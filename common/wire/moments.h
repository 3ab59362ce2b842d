/* moments.h - when each thing on the ladder happens, one host at a time.
 *
 * In: rows and the log. Out: a list in the order of cause: a host sends, receives, changes
 * its state, calls. A row that shows a segment sent and received is two moments, for a
 * picture with slanted arrows needs both. Portable C; no I/O.
 *
 * Times are rounded, so that a scene played again gives the same picture: what a program or
 * a kernel needs to compute (anything below three quarters of the usual passage of a frame)
 * counts as nothing; a passage that is about the usual one is the usual one, and a
 * shorter one (a rule lets go what it held) is half of it; what a timer waits has two digits, or
 * tens of ms. The order of moments is never changed. Where no frame takes any
 * time (a capture made at one host only), nothing is rounded.
 */
#ifndef MOMENTS_H
#define MOMENTS_H

#include "rows.h"

struct moment {
    const struct row *row;
    int host;
    int64_t real;               /* ns since the log began */
    int64_t time;               /* ns since the first moment, rounded */
    int departs, arrives, lost; /* row->frame does that here */
    double y;                   /* left to who draws, and so is */
    long cuts;                  /* how many times were cut out up to here */
};

struct moments {
    struct moment *list;
    long count, room;
    int64_t passage; /* ns that a frame usually takes; 0: none takes any */
    int64_t grain;   /* ns: times are multiples of it; 1: not rounded */
    long *sent;      /* by index into log.frames: the moment it departs, or NO_INDEX */
};

void moments_make(struct moments *m, const struct rows *rows, const struct log *log);
void moments_free(struct moments *m);

/* ns rounded as a timer's wait is: 220.3 ms is 220 ms, 3.012 s is 3 s. */
int64_t round_wait(int64_t ns);

#endif
