/* rtt.h - each round trip that one host measures, and the timeout that follows from it.
 *
 * In: the log. Out: one row for each ACK of something new and for each timeout, with
 * SRTT, RTTVAR and RTO worked out from the segments by RFC 6298 and by Linux's rule, and
 * what the kernel itself said then. Portable C.
 *
 * Linux's rule (tcp_rtt_estimator() in net/ipv4/tcp_input.c) differs in three things:
 * the floor of 200 ms lies under 4 RTTVAR, not under RTO; RTTVAR is the largest
 * deviation of the last round trip, and falls by a quarter of the difference once per
 * round trip; a round trip that is faster than the mean raises the deviation by an
 * eighth of what a slower one would. With SACK or timestamps switched on a kernel
 * measures more round trips than these. /
 */
#ifndef RTT_H
#define RTT_H

#include "log.h"
#include <stdio.h>

enum rtt_kind {
    RTT_SAMPLE,  /* an ACK of something new, all of it sent once */
    RTT_KARN,    /* an ACK of something that was sent twice: no sample */
    RTT_TIMEOUT, /* the timer ran out: RTO is doubled */
};

struct rtt_row { /* times in us */
    enum rtt_kind kind;
    int64_t time;             /* ns since the log began */
    uint32_t ack;             /* as shown; TIMEOUT: seq of what is sent again */
    double rtt;               /* SAMPLE */
    double srtt, rttvar, rto; /* by RFC 6298, rto without its floor */
    double linux_srtt, linux_mdev, linux_rttvar,
        linux_rto;       /* mdev and rttvar are 4 times RFC's RTTVAR */
    struct gauge kernel; /* .known: 0 when it did not say */
};

/* The rows of the host's first connection, in a new array for free(); *count of them. */
struct rtt_row *rtt_rows(const struct log *log, int host, long *count);

/* As a table of 80 columns. `zero`: time of the ladder's first row. */
void rtt_print(FILE *out, const struct log *log, int host, int64_t zero);

#endif
