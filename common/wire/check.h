/* check.h - whether what came is what the scene expects.
 *
 * In: each event of the log, once, in order. Out: which expectations are met (each event that meets one
 * gets its index as a note), and in the end what is missing. Portable C.
 */
#ifndef CHECK_H
#define CHECK_H

#include "scene.h"
#include <stdio.h>

struct check {
    struct scene *scene;
    long next;  /* the expectation that is waited for; expectation_count when all are met */
    long met;   /* how many were met */
    long after; /* index of the event behind the one that met the last, 0 at first */
    long broken; /* the `never` that came, or NO_INDEX */
    long broken_event;
};

void check_init(struct check *check, struct scene *scene);
void check_event(struct check *check, struct log *log, long index);

/* True when all that is expected has come. */
int check_complete(const struct check *check);

/* Says on `out` what is missing or forbidden and what came instead. Returns 0 when all is well, else 1. */
int check_report(const struct check *check, const struct log *log, FILE *out);

#endif
