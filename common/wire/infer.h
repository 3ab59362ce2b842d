/* infer.h - what the segments of a capture let one think about the two ends.
 *
 * In: the frames of one conversation, in their order, as somebody captured them. Out, into
 * the log: that each was sent and arrived, the states that follow from it (marked as
 * inferred: no kernel was asked), and what the segment is in the light of those before it
 * (enum mark).
 * A capture is made at one place: whether a segment arrived is not known, only that it was
 * seen.
 * Portable C. Source: RFC 9293 section 3.10.
 */
#ifndef INFER_H
#define INFER_H

#include "log.h"

enum { PIECES = 32 };

struct side { /* one host, and the bytes that it has sent */
    enum state state;
    int begun;
    uint32_t next;              /* one past the highest number seen */
    uint32_t edge;              /* all before it has been seen, here or by the other host */
    uint32_t pieces[PIECES][2]; /* seen beyond the edge: from, to */
    int piece_count;
    int64_t newest; /* time of the segment that ends at `next` */
    uint32_t syn;   /* number of its SYN, if syn_seen */
    int syn_seen, fin_seen;
    uint32_t fin_end; /* one past its FIN, if fin_seen */
    int fin_taken;    /* its FIN has reached the other side's state */
    int acked;        /* it has sent an ACK: */
    uint32_t ack;     /* the last one, */
    uint16_t window;  /* its window, */
    int duplicates;   /* and how often that came again */
};

struct infer {
    struct log *log;
    struct side sides[HOSTS];
};

void infer_init(struct infer *infer, struct log *log);

/* Takes frame `index` of the log, which was just added: its events, and its marks. */
void infer_frame(struct infer *infer, long index);

#endif
