/* played.h - reads back what record.c has written: the events in the comments, and the scene.
 *
 * In: a capture. Out: the very same log as when it was played, its labels and texts. The
 * comments may have been changed by anybody: every number in them must point at something that is
 * there. Portable C.
 */
#ifndef PLAYED_H
#define PLAYED_H

#include "recording.h"

/* Whether the capture claims to be the wire's; it has just been opened. */
int is_played(const struct capture *c);

/* Reads all of it. Returns 1; 0 when something does not fit, and r->log, scene and labels are
 * as they were. */
int read_played(struct recording *r, struct capture *c);

#endif
