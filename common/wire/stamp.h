/* stamp.h - when each frame left or reached a host, by that host's own kernel.
 *
 * In: a host. Out: for a frame that passed its eth0, the time at which its kernel handed
 * it over: exact to some microseconds however late the wire itself gets to run. Only
 * asked for where round trips are measured. Linux only. Source: packet(7), and
 * SO_TIMESTAMPNS in socket(7). /
 */
#ifndef STAMP_H
#define STAMP_H

#include "host.h"

enum { STAMPS = 512, STAMP_BYTES = 80 };

struct stamp {
    int64_t time; /* ns, CLOCK_MONOTONIC; 0: this place is free */
    int outgoing;
    size_t length; /* of the whole frame */
    uint8_t bytes[STAMP_BYTES];
};

struct stamps {
    int socket;
    struct stamp waiting[STAMPS]; /* read, and not yet asked for */
    int next;
};

/* Opens the packet socket in the host's namespace. Returns 0, or -1 with errno set. */
int stamps_open(struct stamps *stamps, const struct host *host);

/* The time of this frame (the oldest such, if it was sent twice); 0 when it is not
 * known. */
int64_t stamp_take(struct stamps *stamps, int outgoing, const uint8_t *bytes,
                   size_t length);

void stamps_close(struct stamps *stamps);

#endif
