/* watch.c - see stage.h.
 *
 * In: both kernels' states, and the frames that they send. Out, into the log: each state that has changed
 * since the last look, what the kernel says of itself, each frame and why it was sent.
 */
#define _GNU_SOURCE
#include "stage.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FRAMES = 1000000 };

/* ---- states --------------------------------------------------------------------------------------- */

static int is_between_hosts(const struct endpoint *row) {
    static const uint8_t network[3] = {10, 0, 0};
    return row->state == LISTEN ? row->own_ip[0] != 127
                                : memcmp(row->peer_ip, network, sizeof network) == 0 &&
                                      memcmp(row->own_ip, row->peer_ip, 4) != 0;
}

static int same_endpoint(const struct endpoint *a, const struct endpoint *b) {
    return a->own_port == b->own_port && a->peer_port == b->peer_port &&
           memcmp(a->own_ip, b->own_ip, 4) == 0 && memcmp(a->peer_ip, b->peer_ip, 4) == 0;
}

static void log_state(struct stage *s, int host, const struct seen *seen,
                      enum state state) {
    struct event e;
    stage_event(s, &e, EV_STATE, host);
    e.state = state;
    e.connection = seen->connection;
    e.listener = seen->connection == NO_INDEX;
    log_add(&s->log, &e);
}

/* What the kernel says of this end just now, before the event that may follow from it is logged. */
static void log_gauge(struct stage *s, int host, struct seen *seen) {
    struct gauge gauge = seen->now.gauge;
    if (seen->connection == NO_INDEX)
        return;
    gauge.host = host;
    gauge.connection = seen->connection;
    gauge.events = s->log.event_count;
    gauge.time = stage_now(s);
    if (seen->timeouts > gauge.retransmits)
        seen->timeouts = gauge.retransmits;
    log_add_gauge(&s->log, &gauge);
}

static void endpoint_appeared(struct stage *s, int host, const struct endpoint *row) {
    if (s->seen_count[host] == MAX_ENDPOINTS)
        return;
    struct seen *seen = &s->seen[host][s->seen_count[host]++];
    *seen = (struct seen){.now = *row, .connection = NO_INDEX, .found = 1};
    if (row->state != LISTEN) {
        uint8_t ip[HOSTS][16] = {{0}};
        uint16_t port[HOSTS];
        memcpy(ip[host], row->own_ip, 4);
        memcpy(ip[!host], row->peer_ip, 4);
        port[host] = row->own_port;
        port[!host] = row->peer_port;
        seen->connection = log_connection(&s->log, (const uint8_t(*)[16])ip, port);
    }
    log_gauge(s, host, seen);
    log_state(s, host, seen, row->state);
}

static int listens_on(const struct endpoint *rows, int count, uint16_t port) {
    for (int i = 0; i < count; i++)
        if (rows[i].state == LISTEN && rows[i].own_port == port)
            return 1;
    return 0;
}

/* An endpoint that is gone is CLOSED; but one that was SYN_RCVD by a passive open goes back to
 * LISTEN (RFC 9293 3.10.7.4): to the listening socket, which is still there. */
static void endpoints_vanished(struct stage *s, int host, const struct endpoint *rows,
                               int count) {
    for (int i = 0; i < s->seen_count[host];) {
        struct seen gone = s->seen[host][i];
        if (gone.found) {
            i++;
            continue;
        }
        s->seen[host][i] = s->seen[host][--s->seen_count[host]];
        gone.now.gauge = (struct gauge){0}; /* nobody is left to say anything */
        log_gauge(s, host, &gone);
        log_state(s, host, &gone,
                  gone.now.state == SYN_RCVD && listens_on(rows, count, gone.now.own_port)
                      ? LISTEN
                      : CLOSED);
    }
}

/* By port, so that the order does not hang on the kernel's hash table. */
static int by_port(const void *a, const void *b) {
    const struct endpoint *x = a, *y = b;
    return x->own_port != y->own_port ? x->own_port - y->own_port
                                      : x->peer_port - y->peer_port;
}

static void read_states(struct stage *s, int host) {
    int count = states_read(s->hosts[host].diag, s->looked, MAX_ENDPOINTS);
    if (count < 0) {
        s->failure = "the states of a host could not be read";
        return;
    }
    qsort(s->looked, (size_t)count, sizeof *s->looked, by_port);
    for (int i = 0; i < s->seen_count[host]; i++)
        s->seen[host][i].found = 0;
    for (int k = 0; k < count; k++) {
        const struct endpoint *row = &s->looked[k];
        int i;
        if (!is_between_hosts(row))
            continue;
        for (i = 0; i < s->seen_count[host]; i++)
            if (!s->seen[host][i].found && same_endpoint(&s->seen[host][i].now, row))
                break;
        if (i == s->seen_count[host]) {
            endpoint_appeared(s, host, row);
            continue;
        }
        enum state before = s->seen[host][i].now.state;
        s->seen[host][i].now = *row;
        s->seen[host][i].found = 1;
        log_gauge(s, host, &s->seen[host][i]);
        if (before != row->state)
            log_state(s, host, &s->seen[host][i], row->state);
    }
    endpoints_vanished(s, host, s->looked, count);
}

/* ---- frames --------------------------------------------------------------------------------------- */

/* Why the host has sent this: asked of its kernel behind the frame, so that what is said is not older
 * than the frame. A SYN or SYN,ACK is sent again by the timer alone. */
static enum why why_sent(struct stage *s, int host, const struct logged_frame *frame) {
    long connection = frame->connection;
    int again = frame->again, probe = frame->probe;
    if (!again && !probe)
        return WHY_NONE;
    read_states(s, host);
    for (int i = 0; i < s->seen_count[host]; i++) {
        struct seen *seen = &s->seen[host][i];
        const struct gauge *gauge = &seen->now.gauge;
        if (seen->connection != connection)
            continue;
        if (probe)
            return seen->now.timer == TIMER_PROBE ? WHY_WINDOW_PROBE : WHY_KEEPALIVE;
        if (seen->now.state == SYN_SENT || seen->now.state == SYN_RCVD)
            return WHY_RTO;
        if (!gauge->known)
            return WHY_NONE;
        if (gauge->retransmits > seen->timeouts) {
            seen->timeouts++;
            return WHY_RTO;
        }
        return gauge->congestion == 4   ? WHY_AFTER_RTO
               : gauge->congestion == 3 ? WHY_FAST
                                        : WHY_TLP;
    }
    return WHY_NONE;
}

/* Takes every frame that the host has sent. Returns how many. */
static int read_frames(struct stage *s, int host) {
    uint8_t bytes[FRAME_MAX + 4];
    int count = 0;
    ssize_t n;
    while ((n = read(s->hosts[host].cable, bytes, sizeof bytes)) > 0) {
        struct event e;
        if (s->log.frame_count == MAX_FRAMES) {
            s->failure = "a million frames have been sent: that is enough for a ladder";
            return 0;
        }
        stage_event(s, &e, EV_SEND, host);
        e.frame = log_add_frame(&s->log, host, e.time, bytes, (size_t)n);
        int64_t stamp = stamp_take(&s->stamps[host], 1, bytes, (size_t)n);
        if (stamp)
            s->log.frames[e.frame].left = stamp - s->began;
        s->log.frames[e.frame].why = why_sent(s, host, &s->log.frames[e.frame]);
        log_add(&s->log, &e);
        count++;
    }
    return count;
}

/* First the state that a cause led to, then the segments it sent. What ARP asks is answered on the way: a datagram that waited for it leaves in the same call. */
long watch_host(struct stage *s, int host) {
    long before = s->log.event_count;
    do {
        s->arp_delivered = 0;
        read_states(s, host);
        read_frames(s, host);
        if (s->arp_delivered)
            read_frames(s, !host);
    } while (s->arp_delivered && !s->failure && !interrupted);
    return s->log.event_count - before;
}
