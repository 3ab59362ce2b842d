/* cable.h - the frames that are between the two hosts just now.
 *
 * In: frames with the time at which each is due. Out: the next one to deliver. Which of two frames goes
 * first is decided by cause: a frame's `order` is the order of the event that led to it plus its
 * delay, whatever time the machine took to get there; so a busy machine delivers in the same order
 * as an idle one. Portable C; no I/O.
 */
#ifndef CABLE_H
#define CABLE_H

#include "log.h"

enum { MAX_IN_FLIGHT = 100000 };

struct passage {
    long frame;    /* index into log.frames */
    int to;        /* host */
    int64_t due;   /* ns since the log began: not to be delivered before */
    int64_t order; /* as if every program and kernel had needed no time at all */
    int copy, damaged;
    long held;   /* index of the rule that holds it, or NO_INDEX */
    long serial; /* set by cable_put */
};

struct cable {
    struct passage *waiting;
    long count, room, serial;
    int unplugged[HOSTS];
};

/* Returns 0, or -1 when there are too many. */
int cable_put(struct cable *cable, const struct passage *p);

/* Index of the passage that is next, held ones aside; NO_INDEX when there is none. */
long cable_next(const struct cable *cable);

/* Takes a passage out and returns it. */
struct passage cable_take(struct cable *cable, long index);

/* Lets go what this rule holds: it becomes due now. */
void cable_release(struct cable *cable, long rule, int64_t now, int64_t order);

/* True when nothing but held frames is on the cable. */
int cable_is_empty(const struct cable *cable);

#endif
