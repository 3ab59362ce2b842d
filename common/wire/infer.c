/* infer.c - see infer.h. */
#include "infer.h"

#include <string.h>

/* What fills a hole this soon after the segment behind it was overtaken by it; what comes
 * later has been sent again. No more than a guess: the same as other programs make. */
enum { OVERTAKEN_NS = 3 * 1000000 };

static int before(uint32_t a, uint32_t b) { /* sequence numbers wrap round: RFC 9293 3.4 */
    return (int32_t)(a - b) < 0;
}

void infer_init(struct infer *infer, struct log *log) {
    memset(infer, 0, sizeof *infer);
    infer->log = log;
}

/* ---- what has been seen -------------------------------------------------------------- */

/* Moves the edge over the pieces that it has reached. */
static void close_holes(struct side *side) {
    for (int i = 0; i < side->piece_count;) {
        uint32_t *piece = side->pieces[i];
        if (before(side->edge, piece[0])) {
            i++;
            continue;
        }
        if (before(side->edge, piece[1]))
            side->edge = piece[1];
        memmove(piece, side->pieces[--side->piece_count], sizeof side->pieces[0]);
        i = 0;
    }
}

static void move_edge(struct side *side, uint32_t edge) {
    if (before(side->edge, edge))
        side->edge = edge;
    if (before(side->next, edge))
        side->next = edge;
    close_holes(side);
}

static void add_piece(struct side *side, uint32_t from, uint32_t to) {
    if (side->piece_count == PIECES) { /* too many holes: the first is given up */
        uint32_t lowest = side->pieces[0][0];
        for (int i = 1; i < PIECES; i++)
            if (before(side->pieces[i][0], lowest))
                lowest = side->pieces[i][0];
        move_edge(side, lowest);
    }
    if (side->piece_count < PIECES) {
        side->pieces[side->piece_count][0] = from;
        side->pieces[side->piece_count++][1] = to;
    }
    close_holes(side);
}

static int is_seen(const struct side *side, uint32_t from, uint32_t to) {
    if (!before(side->edge, to))
        return 1;
    for (int i = 0; i < side->piece_count; i++)
        if (!before(from, side->pieces[i][0]) && !before(side->pieces[i][1], to))
            return 1;
    return 0;
}

/* ---- marks --------------------------------------------------------------------------- */

/* Of a segment that uses up numbers. */
static enum mark mark_bytes(const struct side *side, const struct logged_frame *frame) {
    uint32_t seq = frame->f.seq, end = seq + frame_sequence_length(&frame->f);
    if (before(side->next, seq))
        return MARK_HOLE;
    if (before(side->next, end))
        return MARK_NONE;
    if (is_seen(side, seq, end))
        return MARK_RETRANSMISSION;
    return frame->sent - side->newest < OVERTAKEN_NS ? MARK_OUT_OF_ORDER
                                                     : MARK_RETRANSMISSION;
}

static void mark_ack(struct side *side, const struct side *peer,
                     struct logged_frame *frame) {
    const struct frame *f = &frame->f;
    int same = f->kinds == KIND_ACK && side->acked && side->ack == f->ack &&
               side->window == f->window && peer->begun && before(f->ack, peer->next) &&
               !frame->probe;
    side->duplicates = same ? side->duplicates + 1 : 0;
    if (same && frame->mark == MARK_NONE) {
        frame->mark = MARK_DUPLICATE_ACK;
        frame->duplicates = side->duplicates;
    }
    if (frame->mark == MARK_NONE && peer->begun && before(peer->next, f->ack))
        frame->mark = MARK_ACK_UNSEEN;
    side->acked = 1;
    side->ack = f->ack;
    side->window = f->window;
}

static void mark_segment(struct infer *infer, struct logged_frame *frame) {
    const struct frame *f = &frame->f;
    struct side *side = &infer->sides[frame->from], *peer = &infer->sides[!frame->from];
    uint32_t length = frame_sequence_length(f), end = f->seq + length;
    if (f->flags & TCP_RST)
        return;
    if (!side->begun) {
        side->begun = 1;
        side->edge = side->next = f->seq;
    }
    frame->mark = length > 0 ? mark_bytes(side, frame) : MARK_NONE;
    frame->again = frame->mark == MARK_RETRANSMISSION;
    if (f->flags & TCP_ACK)
        mark_ack(side, peer, frame);
    if (frame->mark == MARK_NONE && f->window == 0)
        frame->mark = MARK_ZERO_WINDOW;
    if (length > 0) {
        if (before(side->next, end)) {
            side->next = end;
            side->newest = frame->sent;
        }
        if (before(side->edge, end))
            add_piece(side, f->seq, end);
    }
    if (f->flags & TCP_SYN) {
        side->syn = f->seq;
        side->syn_seen = 1;
    }
    if (f->flags & TCP_FIN) {
        side->fin_seen = 1;
        side->fin_end = end;
    }
    if (f->flags & TCP_ACK && peer->begun)
        move_edge(peer, f->ack); /* it has got that, whether the capture has or not */
}

/* ---- states -------------------------------------------------------------------------- */

static void event(struct infer *infer, enum event_kind kind, int host,
                  const struct logged_frame *frame, long index) {
    struct event e = {.kind = kind,
                      .host = host,
                      .time = frame->sent,
                      .frame = kind <= EV_LOST ? index : NO_INDEX,
                      .connection = 0,
                      .call = NO_INDEX,
                      .fd = NO_INDEX,
                      .inferred = 1};
    e.state = infer->sides[host].state;
    log_add(infer->log, &e);
}

/* What a host must be in to send this. */
static enum state state_of_sender(const struct side *side, const struct side *peer,
                                  const struct frame *f) {
    enum state now = side->state;
    int new = now == S_NONE || now == CLOSED || now == TIME_WAIT;
    if (f->flags & TCP_RST)
        return now == S_NONE ? S_NONE : CLOSED;
    if (f->flags & TCP_SYN)
        return !(f->flags & TCP_ACK) ? (new ? SYN_SENT : now)
                                     : (new || now == SYN_SENT ? SYN_RCVD : now);
    if (now == S_NONE || now == SYN_SENT || (now == SYN_RCVD && f->payload_length > 0))
        now = ESTABLISHED; /* the capture began later, or has lost a segment */
    if (!(f->flags & TCP_FIN))
        return now;
    if (now == CLOSE_WAIT && peer->fin_seen && before(f->ack, peer->fin_end))
        return CLOSING; /* it did not have the other's FIN yet: they cross each other */
    return now == ESTABLISHED || now == SYN_RCVD ? FIN_WAIT_1
           : now == CLOSE_WAIT                   ? LAST_ACK
                                                 : now;
}

static enum state after_ack(const struct side *side, uint32_t ack) {
    enum state now = side->state;
    if ((now == SYN_SENT || now == SYN_RCVD) && side->syn_seen && before(side->syn, ack))
        return now == SYN_SENT ? SYN_SENT : ESTABLISHED;
    if (side->fin_seen && !before(ack, side->fin_end))
        return now == FIN_WAIT_1 ? FIN_WAIT_2
               : now == CLOSING  ? TIME_WAIT
               : now == LAST_ACK ? CLOSED
                                 : now;
    return now == S_NONE ? ESTABLISHED : now;
}

static enum state after_fin(enum state now) {
    return now == ESTABLISHED || now == SYN_RCVD || now == S_NONE ? CLOSE_WAIT
           : now == FIN_WAIT_1                                    ? CLOSING
           : now == FIN_WAIT_2                                    ? TIME_WAIT
                                                                  : now;
}

/* What a host is in when this has reached it. That it took a SYN shows only in its
 * answer. */
static enum state state_of_receiver(struct infer *infer, const struct logged_frame *frame) {
    const struct frame *f = &frame->f;
    struct side *side = &infer->sides[!frame->from], *peer = &infer->sides[frame->from];
    if (f->flags & TCP_RST)
        return side->state == S_NONE ? S_NONE : CLOSED;
    if (f->flags & TCP_SYN) {
        if (side->state != SYN_SENT)
            return f->flags & TCP_ACK && side->state == SYN_RCVD
                       ? after_ack(side, f->ack) /* simultaneous open */
                       : side->state;
        if (!(f->flags & TCP_ACK))
            return SYN_RCVD;
        return side->syn_seen && f->ack == side->syn + 1 ? ESTABLISHED : SYN_SENT;
    }
    enum state now = side->state;
    if (f->flags & TCP_ACK)
        now = after_ack(side, f->ack);
    if (peer->fin_seen && !peer->fin_taken && !before(peer->edge, peer->fin_end)) {
        peer->fin_taken = 1;
        now = after_fin(now);
    }
    return now;
}

static void change(struct infer *infer, int host, enum state state,
                   const struct logged_frame *frame, long index) {
    if (state == infer->sides[host].state)
        return;
    infer->sides[host].state = state;
    event(infer, EV_STATE, host, frame, index);
}

/* A SYN with a number of its own opens a new connection between the same ports. */
static void begin_anew(struct infer *infer, const struct logged_frame *frame) {
    const struct side *side = &infer->sides[frame->from];
    if ((frame->f.flags & (TCP_SYN | TCP_ACK)) != TCP_SYN || !side->begun ||
        (side->syn_seen && side->syn == frame->f.seq))
        return;
    for (int host = 0; host < HOSTS; host++) {
        enum state state = infer->sides[host].state;
        memset(&infer->sides[host], 0, sizeof infer->sides[host]);
        infer->sides[host].state = state == S_NONE ? S_NONE : CLOSED;
    }
}

void infer_frame(struct infer *infer, long index) {
    struct log *log = infer->log;
    struct logged_frame *frame = &log->frames[index];
    int from = frame->from, tcp = frame->f.protocol == P_TCP;
    log->round++;
    if (tcp) {
        begin_anew(infer, frame);
        mark_segment(infer, frame);
        const struct side *side = &infer->sides[from], *peer = &infer->sides[!from];
        change(infer, from, state_of_sender(side, peer, &frame->f), frame, index);
    }
    event(infer, EV_SEND, from, frame, index);
    event(infer, EV_ARRIVE, !from, frame, index);
    if (tcp)
        change(infer, !from, state_of_receiver(infer, frame), frame, index);
}
