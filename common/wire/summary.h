/* summary.h - the few lines under a ladder: how much went over the cable.
 *
 * In: the log. Out: text. Portable C.
 */
#ifndef SUMMARY_H
#define SUMMARY_H

#include "log.h"
#include <stdio.h>

/* How many frames went out, and what share of their bytes was the programs' own data. Of a
 * capture: how many segments are marked. */
void summary_print(FILE *out, const struct log *log);

/* That all came as the scene expects: `met` events of it. */
void summary_outcome(FILE *out, long met);

#endif
