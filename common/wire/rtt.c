/* rtt.c - see rtt.h. One walk over the events: what is sent, what is acknowledged. */
#include "rtt.h"

#include <stdlib.h>
#include <string.h>

/* FALLBACK: the SYN itself was sent twice (RFC 6298 5.7) */
enum {
    FLOOR = 200000,
    INITIAL = 1000000,
    FALLBACK = 3000000,
    MOST_UNACKED = 4096
}; /* us; segments */

struct unacked { /* sent, and not yet acknowledged */
    uint32_t seq, end;
    int64_t left;
    int again;
};

struct walk {
    const struct log *log;
    int host;
    long connection;
    struct unacked unacked[MOST_UNACKED];
    int count;
    uint32_t una, nxt; /* as on the cable: next byte to be acknowledged, to be sent */
    int begun;
    /* RFC 6298 */
    double srtt, rttvar, rto;
    /* Linux */
    double l_srtt, mdev, mdev_max, l_rttvar, l_rto;
    uint32_t rtt_seq;
    long
        gauge; /* those before it have been looked at; `latest` is the host's last of them */
    struct gauge latest;
    struct rtt_row *rows;
    long row_count, row_room;
};

/* ---- the two rules ------------------------------------------------------------------- */

static double distance(double a) {
    return a < 0 ? -a : a;
}

/* RFC 6298 section 2, with alpha 1/8 and beta 1/4. */
static void rfc_sample(struct walk *w, double r) {
    if (w->srtt < 0) {
        w->srtt = r;
        w->rttvar = r / 2;
    } else {
        w->rttvar += (distance(w->srtt - r) - w->rttvar) / 4;
        w->srtt += (r - w->srtt) / 8;
    }
    w->rto = w->srtt + 4 * w->rttvar;
}

/* Linux keeps four times the deviation. Its numbers are whole, with three or two bits
 * behind the point; that is finer than any clock here, and left out. */
static void linux_sample(struct walk *w, double r) {
    if (w->l_srtt < 0) {
        w->l_srtt = r;
        w->mdev = 2 * r;
        w->l_rttvar = w->mdev_max = w->mdev > FLOOR ? w->mdev : FLOOR;
        w->rtt_seq = w->nxt;
    } else {
        double error = r - w->l_srtt;
        w->l_srtt += error / 8;
        double change = distance(error) - w->mdev / 4;
        if (error < 0 && change > 0)
            change /= 8;
        w->mdev += change;
        if (w->mdev > w->mdev_max) {
            w->mdev_max = w->mdev;
            if (w->mdev_max > w->l_rttvar)
                w->l_rttvar = w->mdev_max;
        }
        if ((int32_t)(w->una - w->rtt_seq) > 0) { /* a round trip since the last time */
            if (w->mdev_max < w->l_rttvar)
                w->l_rttvar -= (w->l_rttvar - w->mdev_max) / 4;
            w->rtt_seq = w->nxt;
            w->mdev_max = FLOOR;
        }
    }
    w->l_rto = w->l_srtt + w->l_rttvar;
}

/* ---- the walk ------------------------------------------------------------------------ */

/* What the kernel said when all that this event led to in it was done, and nothing else. */
static struct gauge kernel_then(struct walk *w, long index) {
    long next = index + 1;
    while (next < w->log->event_count && w->log->events[next].kind == EV_STATE)
        next++;
    for (; w->gauge < w->log->gauge_count && w->log->gauges[w->gauge].events <= next;
         w->gauge++) {
        const struct gauge *g = &w->log->gauges[w->gauge];
        if (g->host == w->host && g->connection == w->connection)
            w->latest = *g;
    }
    return w->latest;
}

static struct rtt_row *new_row(struct walk *w, enum rtt_kind kind, int64_t time,
                               long index) {
    w->rows = log_room(w->rows, w->row_count, &w->row_room, sizeof *w->rows);
    struct rtt_row *row = &w->rows[w->row_count++];
    memset(row, 0, sizeof *row);
    row->kind = kind;
    row->time = time;
    row->kernel = kernel_then(w, index);
    return row;
}

static void fill(const struct walk *w, struct rtt_row *row) {
    row->srtt = w->srtt;
    row->rttvar = w->rttvar;
    row->rto = w->rto;
    row->linux_srtt = w->l_srtt;
    row->linux_mdev = w->mdev;
    row->linux_rttvar = w->l_rttvar;
    row->linux_rto = w->l_rto;
}

/* When TCP handed the segment down. One that had to wait until ARP had found the peer
 * left later: the question that it waited for is then the frame that this host sent just
 * before. */
static int64_t handed_down(const struct walk *w, long frame) {
    for (long i = frame - 1; i >= 0; i--) {
        const struct logged_frame *before = &w->log->frames[i];
        if (before->from == w->host)
            return before->f.protocol == P_ARP && before->f.arp_operation == 1
                       ? before->left
                       : w->log->frames[frame].left;
    }
    return w->log->frames[frame].left;
}

/* Marks what this segment sends a second time; what it sends for the first time is
 * remembered. */
static void segment_sent(struct walk *w, long number, long index) {
    const struct logged_frame *frame = &w->log->frames[number];
    uint32_t seq = frame->f.seq, end = seq + frame_sequence_length(&frame->f);
    if (seq == end)
        return;
    if (!w->begun) {
        w->una = w->nxt = seq;
        w->begun = 1;
    }
    for (int i = 0; i < w->count; i++)
        if ((int32_t)(seq - w->unacked[i].end) < 0 &&
            (int32_t)(end - w->unacked[i].seq) > 0)
            w->unacked[i].again = 1;
    if (frame->why == WHY_RTO) {
        w->rto *= 2;
        w->l_rto *= 2;
        struct rtt_row *row = new_row(w, RTT_TIMEOUT, frame->left, index);
        row->ack = frame->seq;
        fill(w, row);
    }
    if ((int32_t)(end - w->nxt) <= 0)
        return;
    if (w->count < MOST_UNACKED)
        w->unacked[w->count++] = (struct unacked){w->nxt, end, handed_down(w, number), 0};
    w->nxt = end;
}

static void ack_arrived(struct walk *w, const struct event *e, long index) {
    const struct logged_frame *frame = &w->log->frames[e->frame];
    uint32_t ack = frame->f.ack;
    int twice = 0, gone = 0;
    int64_t left = 0;
    if (!(frame->f.flags & TCP_ACK) || !w->begun || e->damaged ||
        (int32_t)(ack - w->una) <= 0 || (int32_t)(ack - w->nxt) > 0)
        return;
    for (int i = 0; i < w->count && (int32_t)(ack - w->unacked[i].seq) > 0; i++) {
        twice |= w->unacked[i].again;
        if (!left) /* the oldest of what is confirmed */
            left = w->unacked[i].left;
        if ((int32_t)(ack - w->unacked[i].end) >= 0)
            gone++;
        else
            w->unacked[i].seq = ack;
    }
    if (left == 0)
        return; /* more was under way than is remembered */
    w->count -= gone;
    memmove(w->unacked, w->unacked + gone, (size_t)w->count * sizeof w->unacked[0]);
    w->una = ack;
    int64_t time = e->reached ? e->reached : e->time;
    struct rtt_row *row = new_row(w, twice ? RTT_KARN : RTT_SAMPLE, time, index);
    row->ack = frame->ack;
    if (!twice) {
        row->rtt = (double)(time - left) / 1e3;
        rfc_sample(w, row->rtt);
        linux_sample(w, row->rtt);
    } else if (w->srtt < 0) {
        w->rto = w->l_rto = FALLBACK;
    }
    fill(w, row);
}

/* The first connection on which the host has sent a segment; NO_INDEX when there is
 * none. */
static long first_connection(const struct log *log, int host) {
    for (long i = 0; i < log->frame_count; i++)
        if (log->frames[i].f.protocol == P_TCP && log->frames[i].from == host)
            return log->frames[i].connection;
    return NO_INDEX;
}

struct rtt_row *rtt_rows(const struct log *log, int host, long *count) {
    struct walk *w = calloc(1, sizeof *w);
    *count = 0;
    if (w == NULL)
        return NULL;
    w->log = log;
    w->host = host;
    w->connection = first_connection(log, host);
    w->srtt = w->l_srtt = -1;
    w->rto = w->l_rto = INITIAL;
    for (long i = 0; i < log->event_count && w->connection != NO_INDEX; i++) {
        const struct event *e = &log->events[i];
        if (e->kind > EV_ARRIVE || e->host != host)
            continue;
        const struct logged_frame *frame = &log->frames[e->frame];
        if (frame->f.protocol != P_TCP || frame->connection != w->connection)
            continue;
        if (e->kind == EV_SEND)
            segment_sent(w, e->frame, i);
        else
            ack_arrived(w, e, i);
    }
    struct rtt_row *rows = w->rows;
    *count = w->row_count;
    free(w);
    return rows;
}

/* ---- the table ----------------------------------------------------------------------- */

static const char table_head[] = /* 80 columns */
    "                    |  by RFC 6298      |  by Linux's rule  |  its kernel says\n"
    "     ms   ack   RTT | SRTT RTTVAR    RTO| SRTT   mdev    RTO|  rtt rttvar    rto";
static const char table_foot[] =
    "RFC: RTO = SRTT + 4 RTTVAR, which it then raises to 1000 if it is less.\n"
    "Linux: RTO = SRTT + RTTVAR: the largest 4 mdev of late, 200 if that is less.\n"
    "Karn: an ACK of what was sent twice is no sample. RTO: the timer ran out.";

static void print_row(FILE *out, const struct rtt_row *r, int64_t zero) {
    char rtt[16];
    if (r->kind == RTT_SAMPLE)
        snprintf(rtt, sizeof rtt, "%.1f", r->rtt / 1e3);
    else
        snprintf(rtt, sizeof rtt, "%s", r->kind == RTT_KARN ? "Karn" : "RTO");
    fprintf(out, "%7.1f %5u %5s |", (double)(r->time - zero) / 1e6, r->ack, rtt);
    if (r->srtt < 0)
        fprintf(out, "    -      - %6.1f|    -      - %6.1f|", r->rto / 1e3,
                r->linux_rto / 1e3);
    else
        fprintf(out, "%5.1f %6.1f %6.1f|%5.1f %6.1f %6.1f|", r->srtt / 1e3, r->rttvar / 1e3,
                r->rto / 1e3, r->linux_srtt / 1e3, r->linux_mdev / 4e3, r->linux_rto / 1e3);
    if (r->kernel.known)
        fprintf(out, "%5.1f %6.1f %6.1f\n", (double)r->kernel.rtt / 1e3,
                (double)r->kernel.rttvar / 1e3, (double)r->kernel.rto / 1e3);
    else
        fprintf(out, "    -      -      -\n");
}

void rtt_print(FILE *out, const struct log *log, int host, int64_t zero) {
    long count;
    struct rtt_row *rows = rtt_rows(log, host, &count);
    fprintf(out, "\nRound trips that the %s measures, and its timeout, in ms\n%s\n",
            host_names[host], table_head);
    for (long i = 0; i < count; i++)
        print_row(out, &rows[i], zero);
    fprintf(out, "%s\n", table_foot);
    if (log->tick > 0)
        fprintf(out, "This kernel rounds its RTO up to ticks of %.0f ms.\n",
                (double)log->tick / 1e6);
    free(rows);
}
