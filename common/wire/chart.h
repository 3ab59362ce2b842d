/* chart.h - pictures of a connection over time, as SVG.
 *
 * In: the log. Out: one SVG document: text is text, no script, light or dark as the
 * viewer's system is. Portable C. /
 */
#ifndef CHART_H
#define CHART_H

#include "log.h"
#include <stdio.h>

/* Each round trip that the host measured, SRTT, and the timeout by both rules and by its
 * kernel (rtt.h). */
void chart_rto(FILE *out, const struct log *log, int host, const char *title);

/* Sequence number over time, as the host saw it: each segment it sent from its first
 * byte to its last, the line of the ACKs that reached it, the line up to which the
 * window allowed it to send, and an R at what was sent again. Of its first connection. */
void chart_sequence(FILE *out, const struct log *log, int host, const char *title);

#endif
