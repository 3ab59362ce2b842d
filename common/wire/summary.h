/* summary.h - the few lines under a ladder: how much went over the cable.
 *
 * In: the log. Out: text. Portable C.
 */
#ifndef SUMMARY_H
#define SUMMARY_H

#include "scene.h"
#include <stdio.h>

/* How many frames went out, and what share of their bytes was the programs' own data (of a
 * capture: how many segments are marked); if `as_expected`, that all came so, `met` events; and
 * the scene's tables, their times from `zero` on (rtt.h). */
void summary_print(FILE *out, const struct log *log, const struct scene *scene,
                   int as_expected, long met, int64_t zero);

#endif
