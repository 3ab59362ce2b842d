/* log.c - see log.h. Events are only added, never changed but for three marks: blocked, note,
 * reached. */
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const host_names[HOSTS] = {"client", "server"};
const char *const state_names[STATES] = {
    "",           "CLOSED",     "LISTEN",     "SYN_SENT", "SYN_RCVD", "ESTABLISHED",
    "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "CLOSING",  "LAST_ACK", "TIME_WAIT"};

const char *const why_names[WHYS] = {"",    "RTO",          "after-RTO", "fast",
                                     "TLP", "window-probe", "keepalive"};

const char *const mark_names[MARKS] = {"",
                                       "retransmission",
                                       "out-of-order",
                                       "hole-before",
                                       "acks-unseen",
                                       "duplicate-ACK",
                                       "zero-window"};

static void out_of_memory(void) {
    fprintf(stderr, "out of memory\n");
    exit(1);
}

void *log_room(void *items, long count, long *room, size_t size) {
    if (count < *room)
        return items;
    long wanted = *room ? *room * 2 : 64;
    void *more = realloc(items, (size_t)wanted * size);
    if (more == NULL)
        out_of_memory();
    *room = wanted;
    return more;
}

char *log_copy(const char *text) {
    if (text == NULL)
        return NULL;
    char *copy = malloc(strlen(text) + 1);
    if (copy == NULL)
        out_of_memory();
    return strcpy(copy, text);
}

long log_add(struct log *log, const struct event *e) {
    log->events =
        log_room(log->events, log->event_count, &log->event_room, sizeof *log->events);
    long index = log->event_count++;
    log->events[index] = *e;
    log->events[index].args = log_copy(e->args);
    log->events[index].text = log_copy(e->text);
    log->events[index].note = NO_INDEX;
    log->events[index].round = log->round;
    if (log->heard)
        log->heard(log->ear, index);
    return index;
}

long log_connection(struct log *log, const uint8_t ip[HOSTS][16],
                    const uint16_t port[HOSTS]) {
    for (long i = log->connection_count - 1; i >= 0; i--) {
        struct connection *c = &log->connections[i];
        if (memcmp(c->ip, ip, sizeof c->ip) == 0 && c->port[CLIENT] == port[CLIENT] &&
            c->port[SERVER] == port[SERVER])
            return i;
    }
    log->connections = log_room(log->connections, log->connection_count,
                                &log->connection_room, sizeof *log->connections);
    struct connection *c = &log->connections[log->connection_count];
    memset(c, 0, sizeof *c);
    memcpy(c->ip, ip, sizeof c->ip);
    memcpy(c->port, port, sizeof c->port);
    c->scale[CLIENT] = c->scale[SERVER] = -1;
    return log->connection_count++;
}

/* The flow that this sequence number belongs to: the newest one from which it lies less than 2^30
 * ahead (or just before: a keepalive probe repeats the number before the next). */
static struct flow *flow_of(struct connection *c, int host, uint32_t seq) {
    for (int i = c->flow_count[host] - 1; i >= 0; i--)
        if (seq + 1 - c->flows[host][i].first < 1u << 30)
            return &c->flows[host][i];
    return NULL;
}

static struct flow *flow_begin(const struct log *log, struct connection *c, int host,
                               uint32_t seq) {
    if (c->flow_count[host] == FLOWS) { /* forget the oldest */
        memmove(&c->flows[host][0], &c->flows[host][1], (FLOWS - 1) * sizeof(struct flow));
        c->flow_count[host]--;
    }
    struct flow *flow = &c->flows[host][c->flow_count[host]++];
    *flow = (struct flow){.first = seq, .next = seq};
    flow->shown = log->isn[host][c->flows_begun[host]];
    if (c->flows_begun[host] < FLOWS - 1)
        c->flows_begun[host]++;
    return flow;
}

/* A sequence number as shown; one that belongs to no flow is shown as it is on the cable. */
static uint32_t shown(const struct log *log, struct connection *c, int host, uint32_t seq) {
    struct flow *flow = flow_of(c, host, seq);
    return flow && !log->raw ? seq - flow->first + flow->shown : seq;
}

/* The frame that carried the first byte (or SYN, or FIN) of this one the last time, among the
 * latest: so that the time for a long log does not grow with its square. */
static long sending_before(const struct log *log, const struct logged_frame *again) {
    enum { LATEST = 10000 };
    long end = log->frame_count > LATEST ? log->frame_count - LATEST : 0;
    for (long i = log->frame_count - 1; i >= end; i--) {
        const struct logged_frame *frame = &log->frames[i];
        uint32_t length = frame_sequence_length(&frame->f);
        if (frame->f.protocol == P_TCP && frame->connection == again->connection &&
            frame->from == again->from && again->f.seq - frame->f.seq < length)
            return i;
    }
    return NO_INDEX;
}

/* How many bytes its sender has room for: RFC 9293 section 3.8.6, RFC 7323 section 2. */
static void tell_window(struct connection *c, struct logged_frame *frame) {
    enum { FIRST_FLIGHT = 10 * 1460 }; /* RFC 6928 */
    const struct frame *f = &frame->f;
    int from = frame->from, syn = (f->flags & TCP_SYN) != 0;
    if (syn) {
        c->scale[from] = f->window_scale;
        c->syn_seen[from] = 1;
    }
    frame->window = f->window;
    if (!syn && c->scale[from] >= 0 && c->scale[!from] >= 0)
        frame->window <<= c->scale[from];
    int known = syn || (c->syn_seen[CLIENT] && c->syn_seen[SERVER]);
    frame->narrow = !(f->flags & TCP_RST) &&
                    (frame->window == 0 || (known && frame->window < FIRST_FLIGHT));
}

static void number_segment(struct log *log, struct logged_frame *frame) {
    struct connection *c = &log->connections[frame->connection];
    const struct frame *f = &frame->f;
    int from = frame->from;
    uint32_t length = frame_sequence_length(f);

    struct flow *flow = flow_of(c, from, f->seq);
    /* A SYN is sent again only while nothing has followed it: else it opens the next connection,
     * though it may have the number of the last. */
    if (f->flags & TCP_SYN &&
        (flow == NULL || flow->first != f->seq || flow->next - flow->first > length))
        flow = flow_begin(log, c, from, f->seq);
    else if (flow == NULL &&
             !(f->flags & TCP_RST)) /* a RST may carry any number: RFC 9293 3.5.2 */
        flow = flow_begin(log, c, from, log->capture ? f->seq - 1 : f->seq);
    if (log->capture && f->flags & TCP_ACK && !(f->flags & TCP_RST) &&
        c->flow_count[!from] == 0)
        flow_begin(log, c, !from, f->ack - 1);
    if (flow != NULL) {
        uint32_t end = f->seq + length;
        int answer = (f->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
        frame->again = length > 0 && (int32_t)(end - flow->next) <= 0;
        if (answer &&
            !flow->answered) /* to a SYN that has crossed our own: not by a timer */
            frame->again = 0;
        flow->answered |= answer;
        frame->probe = length == 0 && f->kinds == KIND_ACK && f->seq + 1 == flow->next;
        frame->before = frame->again ? sending_before(log, frame) : NO_INDEX;
        if ((int32_t)(end - flow->next) > 0)
            flow->next = end;
    }
    tell_window(c, frame);
    frame->seq = shown(log, c, from, f->seq);
    frame->ack = f->flags & TCP_ACK ? shown(log, c, !from, f->ack) : 0;
    for (int i = 0; i < f->sack_count; i++)
        for (int end = 0; end < 2; end++)
            frame->sack[i][end] = shown(log, c, !from, f->sack[i][end]);
}

long log_add_frame(struct log *log, int from, int64_t time, const uint8_t *bytes,
                   size_t length) {
    return log_add_captured(log, from, time, LINK_ETHERNET, bytes, length, length);
}

long log_add_captured(struct log *log, int from, int64_t time, int link,
                      const uint8_t *bytes, size_t length, size_t whole) {
    log->frames =
        log_room(log->frames, log->frame_count, &log->frame_room, sizeof *log->frames);
    struct logged_frame *frame = &log->frames[log->frame_count];
    memset(frame, 0, sizeof *frame);
    frame->bytes = malloc(length ? length : 1);
    if (frame->bytes == NULL)
        out_of_memory();
    if (length > 0)
        memcpy(frame->bytes, bytes, length);
    frame->length = length;
    frame->link = link;
    frame->number = log->frame_count + 1;
    frame->from = from;
    frame->sent = frame->left = time;
    frame->connection = frame->before = NO_INDEX;
    frame_decode_as(link, bytes, length, whole, &frame->f);
    if (frame->f.protocol == P_TCP || frame->f.protocol == P_UDP) {
        uint8_t ip[HOSTS][16];
        uint16_t port[HOSTS];
        memcpy(ip[from], frame->f.source_ip, sizeof ip[from]);
        memcpy(ip[!from], frame->f.target_ip, sizeof ip[!from]);
        port[from] = frame->f.source_port;
        port[!from] = frame->f.target_port;
        frame->connection = log_connection(log, (const uint8_t(*)[16])ip, port);
        if (frame->f.protocol == P_TCP)
            number_segment(log, frame);
    }
    return log->frame_count++;
}

void log_add_gauge(struct log *log, const struct gauge *gauge) {
    for (long i = log->gauge_count - 1; i >= 0; i--) {
        const struct gauge *g = &log->gauges[i];
        if (g->host != gauge->host || g->connection != gauge->connection)
            continue;
        if (g->known == gauge->known && g->rto == gauge->rto && g->rtt == gauge->rtt &&
            g->rttvar == gauge->rttvar && g->congestion == gauge->congestion &&
            g->retransmits == gauge->retransmits && g->cwnd == gauge->cwnd &&
            g->unacked == gauge->unacked)
            return;
        break;
    }
    log->gauges =
        log_room(log->gauges, log->gauge_count, &log->gauge_room, sizeof *log->gauges);
    log->gauges[log->gauge_count++] = *gauge;
}

static const char *icmp6_text(const struct frame *f) {
    switch (f->icmp_type) {
    case 1: return f->icmp_code == 4 ? " port unreachable" : " unreachable";
    case 2: return " packet too big";
    case 3: return " time exceeded";
    case 128: return " echo request";
    case 129: return " echo reply";
    case 135: return " neighbor solicitation";
    case 136: return " neighbor advertisement";
    default: return "";
    }
}

static const char *icmp_text(const struct frame *f) {
    if (f->version == 6)
        return icmp6_text(f);
    if (f->icmp_type == 8)
        return " echo request";
    if (f->icmp_type == 0)
        return " echo reply";
    if (f->icmp_type == 11)
        return " time exceeded";
    if (f->icmp_type == 3)
        switch (f->icmp_code) {
        case 0: return " net unreachable";
        case 1: return " host unreachable";
        case 2: return " protocol unreachable";
        case 3: return " port unreachable";
        case 4: return " fragmentation needed";
        default: return " unreachable";
        }
    return "";
}

const char *log_frame_text(const struct logged_frame *frame, char *text, size_t size) {
    const struct frame *f = &frame->f;
    char kind[40], ack[24] = "", length[32] = "", window[16] = "", why[24] = "";
    char sack[120] = "";
    frame_kind_text(f->kinds, kind, sizeof kind);
    switch (f->protocol) {
    case P_TCP:
        if (f->flags & TCP_ACK)
            snprintf(ack, sizeof ack, " ack=%u", frame->ack);
        if (f->payload_length > 0)
            snprintf(length, sizeof length, " len=%zu", f->payload_length);
        if (frame->narrow)
            snprintf(window, sizeof window, " win=%u", frame->window);
        for (int i = 0; i < f->sack_count; i++)
            snprintf(sack + strlen(sack), sizeof sack - strlen(sack), "%s%u-%u",
                     i ? "," : " sack=", frame->sack[i][0], frame->sack[i][1]);
        if (frame->why != WHY_NONE)
            snprintf(why, sizeof why, " why=%s", why_names[frame->why]);
        else if (frame->mark != MARK_NONE)
            snprintf(why, sizeof why, " mark=%s", mark_names[frame->mark]);
        snprintf(text, size, "%s seq=%u%s%s%s%s%s", kind, frame->seq, ack, length, window,
                 sack, why);
        break;
    case P_UDP: snprintf(text, size, "%s len=%zu", kind, f->payload_length); break;
    case P_ICMP: snprintf(text, size, "%s%s", kind, icmp_text(f)); break;
    case P_ARP:
        snprintf(text, size, "%s %s %u.%u.%u.%u", kind,
                 f->arp_operation == 1   ? "who-has"
                 : f->arp_operation == 2 ? "is-at"
                                         : "?",
                 f->arp_operation == 2 ? f->source_ip[0] : f->target_ip[0],
                 f->arp_operation == 2 ? f->source_ip[1] : f->target_ip[1],
                 f->arp_operation == 2 ? f->source_ip[2] : f->target_ip[2],
                 f->arp_operation == 2 ? f->source_ip[3] : f->target_ip[3]);
        break;
    default: snprintf(text, size, "%s %zu bytes", kind, frame->length); break;
    }
    return text;
}

static const char *call_text(const struct event *e, char *text, size_t size) {
    if (e->fd == NO_INDEX)
        snprintf(text, size, "%s(%s)", e->name, e->args ? e->args : "");
    else
        snprintf(text, size, "%s(%d)", e->name, e->fd);
    return text;
}

const char *log_event_text(const struct log *log, const struct event *e, char *text,
                           size_t size) {
    char what[180];
    const char *host = host_names[e->host];
    switch (e->kind) {
    case EV_SEND:
    case EV_ARRIVE:
    case EV_LOST:
        log_frame_text(&log->frames[e->frame], what, sizeof what);
        snprintf(text, size, "%s %c %s%s%s", host,
                 e->kind == EV_SEND     ? '>'
                 : e->kind == EV_ARRIVE ? '<'
                                        : 'x',
                 what, e->copy ? " copy" : "", e->damaged ? " damaged" : "");
        break;
    case EV_STATE:
        snprintf(text, size, "%s = %s%s", host, state_names[e->state],
                 e->inferred                         ? "?"
                 : e->listener && e->state == CLOSED ? " listener"
                                                     : "");
        break;
    case EV_CALL:
        snprintf(text, size, "%s : %s", host, call_text(e, what, sizeof what));
        break;
    case EV_RETURN:
        snprintf(text, size, "%s : %s = %s", host, call_text(e, what, sizeof what),
                 e->result);
        break;
    case EV_PRINTS: snprintf(text, size, "%s : prints \"%s\"", host, e->text); break;
    case EV_EXIT: snprintf(text, size, "%s : exit = %s", host, e->result); break;
    }
    return text;
}

void log_free(struct log *log) {
    for (long i = 0; i < log->event_count; i++) {
        free(log->events[i].args);
        free(log->events[i].text);
    }
    for (long i = 0; i < log->frame_count; i++)
        free(log->frames[i].bytes);
    free(log->events);
    free(log->frames);
    free(log->connections);
    free(log->gauges);
    memset(log, 0, sizeof *log);
}
