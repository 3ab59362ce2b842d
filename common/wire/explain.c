/* explain.c - see explain.h. */
#include "explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- text that grows ---------------------------------------------------------------------------- */

struct words {
    char *text;
    size_t size, used;
};

static void say(struct words *w, const char *format, ...) {
    va_list arguments;
    if (w->used + 1 >= w->size)
        return;
    va_start(arguments, format);
    int n = vsnprintf(w->text + w->used, w->size - w->used, format, arguments);
    va_end(arguments);
    if (n > 0)
        w->used += (size_t)n < w->size - w->used ? (size_t)n : w->size - w->used - 1;
}

static struct words words(char *text, size_t size) {
    text[0] = '\0';
    return (struct words){text, size, 0};
}

/* ---- phrases ------------------------------------------------------------------------------------- */

/* "DATA seq=1300 len=100 again": not why it is sent, which the reader is to find. */
static const char *segment_text(const struct logged_frame *frame, char *text, size_t size) {
    static const char *const telling[] = {" why=", " mark="};
    log_frame_text(frame, text, size);
    for (size_t i = 0; i < sizeof telling / sizeof telling[0]; i++) {
        char *word = strstr(text, telling[i]);
        if (word)
            *word = '\0';
    }
    size_t used = strlen(text);
    if (frame->again && used < size)
        snprintf(text + used, size - used, " again");
    return text;
}

const char *explain_sending(const struct logged_frame *frame, char *text, size_t size) {
    char what[EVENT_TEXT];
    snprintf(text, size, "the %s sends %s", host_names[frame->from],
             segment_text(frame, what, sizeof what));
    return text;
}

static void frame_phrase(const struct log *log, const struct event *e, struct words *w) {
    char what[EVENT_TEXT];
    const struct logged_frame *frame = &log->frames[e->frame];
    segment_text(frame, what, sizeof what);
    if (e->kind == EV_SEND)
        say(w, "the %s sends %s", host_names[e->host], what);
    else if (e->kind == EV_LOST)
        say(w, "lost before the %s: %s", host_names[e->host], what);
    else
        say(w, "%s reaches the %s%s%s", what, host_names[e->host],
            e->copy ? " a second time" : "", e->damaged ? ", damaged" : "");
}

static void call_name(const struct event *e, struct words *w) {
    if (e->fd == NO_INDEX)
        say(w, "%s()", e->name);
    else
        say(w, "%s(%d)", e->name, e->fd);
}

const char *explain_phrase(const struct log *log, const struct event *e, char *text,
                           size_t size) {
    struct words w = words(text, size);
    const char *host = host_names[e->host];
    switch (e->kind) {
    case EV_SEND:
    case EV_ARRIVE:
    case EV_LOST: frame_phrase(log, e, &w); break;
    case EV_STATE:
        say(&w, "the %s goes to %s%s", host, state_names[e->state],
            e->listener && e->state == CLOSED ? " (its listening socket)" : "");
        break;
    case EV_CALL:
        say(&w, "the %s calls ", host);
        call_name(e, &w);
        break;
    case EV_RETURN:
        say(&w, "the %s's ", host);
        call_name(e, &w);
        say(&w, " returns %s", e->result);
        break;
    case EV_PRINTS: say(&w, "the %s prints \"%.80s\"", host, e->text); break;
    case EV_EXIT: say(&w, "the %s's program ends: %s", host, e->result); break;
    }
    return text;
}

/* ---- states -------------------------------------------------------------------------------------- */

const char *explain_state_meaning(enum state state) {
    static const char *const meanings[STATES] = {
        [CLOSED] = "there is no connection",
        [LISTEN] = "waits for anybody's SYN",
        [SYN_SENT] = "has sent a SYN and waits for an answer to it",
        [SYN_RCVD] = "has answered a SYN and waits for the ACK of its own",
        [ESTABLISHED] = "both directions are open",
        [FIN_WAIT_1] = "has sent its FIN first and waits for the ACK of it",
        [FIN_WAIT_2] = "its FIN is acknowledged; waits for the peer's FIN",
        [CLOSE_WAIT] = "has got the peer's FIN and waits for its own program to close",
        [CLOSING] = "both sent a FIN at once; waits for the ACK of its own",
        [LAST_ACK] = "has sent its FIN second and waits for the ACK of it",
        [TIME_WAIT] = "both directions are closed; stays in case its last ACK is lost",
    };
    return state > S_NONE && state < STATES ? meanings[state] : "";
}

enum state explain_state(const struct log *log, long index, int host, long connection) {
    enum state listener = S_NONE;
    for (long i = index - 1; i >= 0; i--) {
        const struct event *e = &log->events[i];
        if (e->kind != EV_STATE || e->host != host)
            continue;
        if (!e->listener && (connection == NO_INDEX || e->connection == connection))
            return e->state;
        if (e->listener && listener == S_NONE)
            listener = e->state;
    }
    return listener;
}

static const struct {
    enum state from, to; /* S_NONE: any */
    const char *text;
} moves[] = {
    {S_NONE, LISTEN, "The passive open: from now on the kernel answers a SYN by itself."},
    {SYN_RCVD, LISTEN, "Nothing has come of the SYN. It goes on waiting for another."},
    {S_NONE, SYN_SENT, "The active open: it sends a SYN, and waits for the answer to it."},
    {SYN_SENT, SYN_RCVD,
     "A SYN has come where an answer was awaited: both sides open at once."},
    {S_NONE, SYN_RCVD,
     "A SYN has come. It is answered with SYN,ACK, and the ACK of that is awaited."},
    {SYN_SENT, ESTABLISHED,
     "The answer acknowledges its SYN. For this side the connection is open."},
    {SYN_RCVD, ESTABLISHED,
     "Its own SYN is acknowledged. For this side too the connection is open."},
    {S_NONE, FIN_WAIT_1,
     "The active close: this side closes first. It waits for the ACK of its FIN, and "
     "for the peer's FIN."},
    {FIN_WAIT_1, FIN_WAIT_2,
     "Its FIN is acknowledged: this direction is closed. The other one is still open."},
    {FIN_WAIT_1, CLOSING,
     "The peer's FIN has come before the ACK of its own: both close at once."},
    {FIN_WAIT_1, TIME_WAIT,
     "The peer's FIN has come, and with it the ACK of its own: both directions are "
     "closed."},
    {FIN_WAIT_2, TIME_WAIT,
     "The peer's FIN has come: both directions are closed. It stays for a while, in case "
     "its last ACK is lost."},
    {CLOSING, TIME_WAIT, "Now its own FIN is acknowledged too."},
    {S_NONE, CLOSE_WAIT,
     "The peer's FIN has come: it will send no more. This lasts until the program here "
     "closes."},
    {CLOSE_WAIT, LAST_ACK,
     "The program has closed as well, so a FIN goes this way too. Only its ACK is "
     "awaited."},
    {LAST_ACK, CLOSED,
     "Its FIN is acknowledged: this side keeps nothing of the connection."},
    {TIME_WAIT, CLOSED, "Even the memory of the connection is gone."},
    {SYN_SENT, CLOSED, "No connection has come of it."},
    {S_NONE, CLOSED, "This side has no connection any more."},
};

static void state_reason(const struct log *log, long index, struct words *w) {
    const struct event *e = &log->events[index];
    enum state before = explain_state(log, index, e->host, e->connection);
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++)
        if (moves[i].to == e->state &&
            (moves[i].from == S_NONE || moves[i].from == before)) {
            say(w, "%s ", moves[i].text);
            break;
        }
    if (w->used == 0)
        say(w, "%s: %s. ", state_names[e->state], explain_state_meaning(e->state));
    if (e->inferred)
        say(w, "(Inferred from the segments: no kernel has said so.)");
}

/* ---- segments ------------------------------------------------------------------------------------ */

static double ms(int64_t ns) {
    return (double)ns / 1e6;
}

static void sent_again_reason(const struct log *log, const struct logged_frame *frame,
                              struct words *w) {
    static const char *const reasons[WHYS] = {
        [WHY_RTO] = "No ACK has come: its retransmission timer has run out. ",
        [WHY_AFTER_RTO] = "After a timeout it takes this for lost as well. ",
        [WHY_FAST] = "The ACKs tell of a hole, so it does not wait for the timer. ",
        [WHY_TLP] = "A probe: the last segment again, to provoke an ACK. ",
        [WHY_WINDOW_PROBE] = "A probe: is the window still 0? ",
        [WHY_KEEPALIVE] = "A keepalive probe: is the peer still there? ",
    };
    if (frame->why > WHY_NONE && frame->why < WHYS)
        say(w, "%s", reasons[frame->why]);
    if (frame->again && frame->before != NO_INDEX)
        say(w, "The same numbers went out %.1f ms before. ",
            ms(frame->sent - log->frames[frame->before].sent));
    else if (frame->again)
        say(w, "The same numbers went out before. ");
}

static void mark_reason(const struct logged_frame *frame, struct words *w) {
    static const char *const reasons[MARKS] = {
        [MARK_RETRANSMISSION] = "These numbers have gone out before. ",
        [MARK_OUT_OF_ORDER] = "It fills a hole that was left before. ",
        [MARK_HOLE] = "What should come before it is not in this capture. ",
        [MARK_DUPLICATE_ACK] =
            "The same ACK again: something has come, but behind a hole. ",
    };
    if (frame->mark > MARK_NONE && frame->mark < MARKS && reasons[frame->mark])
        say(w, "%s", reasons[frame->mark]);
}

static void tcp_reason(const struct log *log, const struct logged_frame *frame,
                       struct words *w) {
    const struct frame *f = &frame->f;
    const char *peer = host_names[!frame->from];
    uint32_t data = (uint32_t)f->payload_length;
    sent_again_reason(log, frame, w);
    mark_reason(frame, w);
    if (f->kinds & KIND_RST) {
        say(w,
            "RST: it knows of no such connection, or breaks this one off. Nothing answers "
            "a RST.");
        return;
    }
    if (f->kinds & KIND_SYN)
        say(w,
            "It asks to open a connection. Its numbers begin at %u, which the SYN itself "
            "uses up. ",
            frame->seq);
    if (f->kinds & KIND_SYNACK)
        say(w, "ack=%u: the SYN %u has come. Its own numbers begin at %u. ", frame->ack,
            frame->ack - 1, frame->seq);
    if (data > 0)
        say(w, "It carries the numbers %u to %u; the next will be %u. ", frame->seq,
            frame->seq + data - 1, frame->seq + frame_sequence_length(f));
    if (f->kinds & KIND_FIN)
        say(w, "FIN: this side will send no more. The FIN uses up number %u. ",
            frame->seq + data);
    if (f->kinds & KIND_ACK && !frame->probe)
        say(w, "ack=%u: it has all of the %s's numbers before %u. ", frame->ack, peer,
            frame->ack);
    if (f->sack_count > 0)
        say(w, "Of what lies behind a hole it has %u to %u. ", frame->sack[0][0],
            frame->sack[0][1] - 1);
    if (f->window == 0)
        say(w, "win=0: it has no room; the %s must stop. ", peer);
    else if (frame->narrow)
        say(w, "win=%u: it has room for so many bytes from there on. ", frame->window);
}

static void frame_reason(const struct log *log, const struct event *e, struct words *w) {
    const struct logged_frame *frame = &log->frames[e->frame];
    const struct frame *f = &frame->f;
    switch (f->protocol) {
    case P_TCP: tcp_reason(log, frame, w); break;
    case P_UDP:
        say(w, "A datagram of %zu bytes: it has no number, and nobody need answer it.",
            f->payload_length);
        break;
    case P_ICMP: say(w, "The kernel itself reports this, not a program."); break;
    case P_ARP:
        if (f->arp_operation == 1)
            say(w, "Before any IP packet can go: which MAC address has this IP address?");
        else
            say(w, "The answer: this IP address is at my MAC address.");
        break;
    case P_OTHER: break;
    }
}

static void arrival_reason(const struct log *log, const struct event *e, struct words *w) {
    const struct logged_frame *frame = &log->frames[e->frame];
    if (e->kind == EV_LOST) {
        say(w, "It is gone, and nobody tells either side.");
        return;
    }
    if (!log->capture) /* that knows only one time for each */
        say(w, "It was %.1f ms on its way.", ms(e->time - frame->sent));
    if (e->damaged)
        say(w, " A bit was changed: its checksum is wrong now.");
    if (e->copy)
        say(w, " It has come before: this is a copy.");
}

/* ---- calls --------------------------------------------------------------------------------------- */

static const struct {
    const char *names, *text; /* names between spaces */
} call_texts[] = {
    {" socket ", "A new socket: a descriptor, and nothing on the cable yet."},
    {" bind ", "It takes an address and a port of its own. Nothing goes over the cable."},
    {" listen ", "The socket is to wait for connections."},
    {" accept accept4 ", "It asks for the next connection that is complete."},
    {" connect ",
     "The active open: for TCP the kernel sends a SYN, and this waits for the answer."},
    {" send write sendto sendmsg writev ",
     "It hands bytes to the kernel, which sends them when it may."},
    {" recv read recvfrom recvmsg readv ", "It asks for what has arrived."},
    {" shutdown ", "It closes one direction, or both, and keeps the descriptor."},
    {" close ",
     "It gives the descriptor back; the kernel closes the connection by itself."},
    {" poll select epoll_wait ppoll pselect6 epoll_pwait ",
     "It waits until one of its descriptors is ready."},
};

static const struct {
    const char *name, *text;
} error_texts[] = {
    {"ECONNREFUSED", "The answer was a refusal: nobody is there on that port."},
    {"ETIMEDOUT", "The kernel has tried for long enough, and no answer has come."},
    {"ECONNRESET", "The peer has broken the connection off with a RST."},
    {"ECONNABORTED", "The connection was gone before it could be accepted."},
    {"EPIPE", "This connection takes no more bytes: it was closed or broken off."},
    {"EHOSTUNREACH",
     "No way leads to that host; on one's own network: nobody answered ARP."},
    {"ENETUNREACH", "No way leads to that network."},
    {"EADDRINUSE", "That address and port are taken."},
    {"EAGAIN", "Nothing can be done without waiting, and it was told not to wait."},
    {"EINPROGRESS", "The connection is being opened, and it was told not to wait."},
    {"EMFILE", "This program has no descriptor left."},
    {"ENOTCONN", "There is no connection."},
    {"EBADF", "There is no such descriptor."},
    {"EINTR", "A signal has interrupted it."},
};

const char *explain_error(const char *name) {
    for (size_t i = 0; i < sizeof error_texts / sizeof error_texts[0]; i++)
        if (strcmp(name, error_texts[i].name) == 0)
            return error_texts[i].text;
    return "";
}

static int is_one_of(const char *names, const char *name) {
    char word[CALL_NAME + 2];
    snprintf(word, sizeof word, " %s ", name);
    return strstr(names, word) != NULL;
}

static void call_reason(const struct event *e, struct words *w) {
    for (size_t i = 0; i < sizeof call_texts / sizeof call_texts[0]; i++)
        if (is_one_of(call_texts[i].names, e->name)) {
            say(w, "%s", call_texts[i].text);
            break;
        }
    if (e->blocked)
        say(w, "%sIt has to wait.", w->used ? " " : "");
}

/* Whether a FIN has reached this host before: then a recv() of 0 is the stream's end. */
static int has_fin_come(const struct log *log, long index, int host) {
    for (long i = index - 1; i >= 0; i--)
        if (log->events[i].kind == EV_ARRIVE && log->events[i].host == host &&
            log->frames[log->events[i].frame].f.kinds & KIND_FIN)
            return 1;
    return 0;
}

static void return_reason(const struct log *log, long index, struct words *w) {
    const struct event *e = &log->events[index], *call = &log->events[e->call];
    if (explain_error(e->result)[0])
        say(w, "%s ", explain_error(e->result));
    if (w->used == 0 && is_one_of(" accept accept4 ", e->name))
        say(w, "%s is a new descriptor for this one connection; %d goes on listening. ",
            e->result, e->fd);
    else if (w->used == 0 && is_one_of(" recv read recvfrom recvmsg ", e->name)) {
        if (strcmp(e->result, "0") != 0)
            say(w, "It gets %s of the bytes that have arrived. ", e->result);
        else if (has_fin_come(log, index, e->host))
            say(w, "0: the peer's FIN has come. That is the end of the stream. ");
    } else if (w->used == 0 && is_one_of(" send write sendto sendmsg ", e->name))
        say(w, "The kernel has taken %s bytes. That says nothing of their arrival. ",
            e->result);
    else if (w->used == 0 && strcmp(e->name, "connect") == 0 &&
             strcmp(e->result, "0") == 0 && call->blocked)
        say(w, "The connection is open for this side. ");
    if (call->blocked)
        say(w, "It had waited for %.1f ms.", ms(e->time - call->time));
    else if (w->used == 0)
        call_reason(call, w);
}

/* ---- all events ---------------------------------------------------------------------------------- */

const char *explain_event(const struct log *log, long index, char *text, size_t size) {
    struct words w = words(text, size);
    const struct event *e = &log->events[index];
    switch (e->kind) {
    case EV_SEND: frame_reason(log, e, &w); break;
    case EV_ARRIVE:
    case EV_LOST: arrival_reason(log, e, &w); break;
    case EV_STATE: state_reason(log, index, &w); break;
    case EV_CALL: call_reason(e, &w); break;
    case EV_RETURN: return_reason(log, index, &w); break;
    case EV_PRINTS: say(&w, "A line that the program has printed."); break;
    case EV_EXIT:
        say(&w, "The program is at its end. Its kernel goes on without it.");
        break;
    }
    while (w.used > 0 && text[w.used - 1] == ' ')
        text[--w.used] = '\0';
    return text;
}
