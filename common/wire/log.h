/* log.h - the one list of events that everything else is made from.
 *
 * In: frames, states, calls, output and exits of the two hosts, in the order of cause. Out: the
 * same as numbered events, each with its text in the one grammar (../../README.md, "The words"):
 *
 *     client > SYN seq=1000          a segment is sent
 *     client > DATA seq=1300 why=RTO the kernel sends it again by itself
 *     server < SYN seq=1000          it is delivered
 *     server x SYN seq=1000          it is lost, and never reaches the server
 *     server = SYN_RCVD              a state of that host's end of a connection
 *     client : connect(3)            a socket call is entered
 *     client : connect(3) = 0        it returns
 *     client : prints "hello"        a line of the program's output
 *     client : exit = 0              the program ends
 *
 * Sequence numbers are shown from the first one of each direction, so that a picture can be
 * compared with the book's: `isn` says from where, for each SYN with numbers of its own between
 * the same two ports anew. Nothing else about a segment is changed.
 * Portable C; no I/O.
 */
#ifndef LOG_H
#define LOG_H

#include "frame.h"

enum { CLIENT, SERVER, HOSTS };

enum state { /* of RFC 9293 section 3.3.2, in its words */
             S_NONE,
             CLOSED,
             LISTEN,
             SYN_SENT,
             SYN_RCVD,
             ESTABLISHED,
             FIN_WAIT_1,
             FIN_WAIT_2,
             CLOSE_WAIT,
             CLOSING,
             LAST_ACK,
             TIME_WAIT,
             STATES
};

enum event_kind {
    EV_SEND,
    EV_ARRIVE,
    EV_LOST,
    EV_STATE,
    EV_CALL,
    EV_RETURN,
    EV_PRINTS,
    EV_EXIT
};

/* Why a segment is sent that tells nothing new: what the sender's kernel says about itself. */
enum why {
    WHY_NONE,
    WHY_RTO,       /* the retransmission timer ran out */
    WHY_AFTER_RTO, /* lost as well, so it says after a timeout, and sends it as ACKs allow */
    WHY_FAST,      /* duplicate ACKs or SACK: no timer was waited for */
    WHY_TLP,       /* tail loss probe: the last segment again, after some two round trips */
    WHY_WINDOW_PROBE, /* is the window still 0? */
    WHY_KEEPALIVE,    /* is the peer still there? */
    WHYS
};

enum { NO_INDEX = -1, CALL_NAME = 16, CALL_RESULT = 20, EVENT_TEXT = 200 };

struct event {
    enum event_kind kind;
    int host;     /* CLIENT or SERVER: who sends, receives, changes state, calls */
    int64_t time; /* ns since the log began */

    long frame;      /* SEND, ARRIVE, LOST: index into log.frames */
    int copy;        /* ARRIVE: 1 when this is the second copy of a doubled frame */
    int damaged;     /* ARRIVE: 1 when a bit was turned on the way */
    int64_t reached; /* ARRIVE: as `time`, by the host's kernel (stamp.h); 0: not asked */

    enum state state; /* STATE */
    int listener;     /* STATE: 1 when it is the listening socket's, not a connection's */
    long connection;  /* STATE: index into log.connections, or NO_INDEX for a listener */
    int inferred;     /* STATE: no kernel said so; the segments let one think it */

    char name[CALL_NAME]; /* CALL, RETURN: "connect" */
    int fd;               /* CALL, RETURN: the descriptor, or NO_INDEX */
    char *args;           /* CALL, RETURN: what else was given, "10.0.0.2:7777", or NULL */
    long call;            /* RETURN: index of the CALL event */
    char result[CALL_RESULT]; /* RETURN, EXIT: "0", "ECONNREFUSED", "SIGKILL" */
    int minor;                /* CALL, RETURN: of little interest (getsockopt, poll, ...) */
    int blocked; /* CALL: everything else came to rest, and it had not returned */

    char *text; /* PRINTS: the line */
    long note;  /* index of the expectation that this event met, or NO_INDEX */
    long round; /* set by log_add: events of one round came without a pause between them */
};

/* What a segment of a capture is in the light of those before it (infer.h). */
enum mark {
    MARK_NONE,
    MARK_RETRANSMISSION,
    MARK_OUT_OF_ORDER, /* fills a hole: it was sent before, and came later or is sent again */
    MARK_HOLE,         /* the one before it is not in the capture */
    MARK_ACK_UNSEEN,   /* acknowledges what is not in the capture */
    MARK_DUPLICATE_ACK,
    MARK_ZERO_WINDOW,
    MARKS
};

struct logged_frame {
    struct frame f;
    int link; /* what the bytes begin with: LINK_ETHERNET, unless a capture says otherwise */
    uint8_t *bytes;
    size_t length;       /* of the bytes: all, unless the capture cut them */
    long number;         /* of the frame in its file or its log, from 1 */
    int from;            /* the host that sent it */
    int64_t sent;        /* ns since the log began: when it was read from the host */
    int64_t left;        /* when its kernel sent it (stamp.h), or the same as sent */
    long connection;     /* index into log.connections, or NO_INDEX */
    uint32_t seq, ack;   /* as shown */
    uint32_t sack[4][2]; /* as shown */
    uint32_t window;     /* bytes: scaled, if both SYNs were seen to offer that */
    int narrow; /* 1 when the window limits the peer: it is less than what a congestion window
                   begins with, and worth telling */
    int again; /* 1 when all its sequence numbers were sent before: a retransmission */
    int held;  /* 1 when a rule or a key holds it back: it never arrives at once */
    int probe; /* 1 when it is empty and its number is the one before the next: a probe */
    enum why why;
    enum mark mark;
    int duplicates; /* MARK_DUPLICATE_ACK: which one it is, from 1 */
    long before; /* again: index of the frame that carried its first byte the last time, or
                    NO_INDEX */
};

/* What a kernel says about one end of a connection (TCP_INFO), as it was read at a moment. */
struct gauge {
    long events; /* how many events the log had then */
    int64_t time;
    int host;
    long connection;
    int known;       /* 0: no connection yet, or a kernel that does not tell */
    int congestion;  /* tcpi_ca_state: 0 open, 1 disorder, 2 CWR, 3 recovery, 4 loss */
    int retransmits; /* timeouts since the last progress */
    uint32_t rto, rtt,
        rttvar;             /* us; the rttvar told is the kernel's mdev, not its RTTVAR */
    uint32_t cwnd, unacked; /* segments */
};

enum { FLOWS = 8 };

/* One direction of a connection, from one SYN on. A pair of ports that is used again has more. */
struct flow {
    uint32_t first; /* sequence number of the SYN, or of the first segment seen */
    uint32_t shown; /* the number that stands for it on the ladder */
    uint32_t next;  /* one past the highest sequence number sent */
    int answered;   /* a SYN,ACK was sent */
};

struct connection {
    uint8_t ip[HOSTS][16]; /* IPv4: the first 4, then zeros */
    uint16_t port[HOSTS];
    struct flow flows[HOSTS][FLOWS];
    int scale[HOSTS]; /* of its windows, as its SYN offered; -1: not */
    int syn_seen[HOSTS];
    int flow_count[HOSTS];
    int flows_begun[HOSTS]; /* those forgotten since counted too */
};

struct log {
    struct event *events;
    long event_count, event_room;
    struct logged_frame *frames;
    long frame_count, frame_room;
    struct connection *connections;
    long connection_count, connection_room;
    struct gauge *gauges; /* one for each change that was seen */
    long gauge_count, gauge_room;
    long round; /* of the events that come now: counts how often all has come to rest */
    /* Numbers shown for the first sequence number of each host: of a connection's first SYN, of
     * the next one between the same ports, and so on; the last stands for all that follow. */
    uint32_t isn[HOSTS][FLOWS];
    int64_t epoch; /* when the log began: ns since 1970, UTC; 0: not known */
    int64_t tick;  /* ns to which the recorded kernel rounds its timers; 0: not known */
    int capture;   /* 1: segments of anybody, seen from the middle: see log_add_captured */
    int raw;       /* 1: sequence numbers are shown as they are on the cable */
    void (*heard)(void *ear, long index); /* told of each new event, or NULL */
    void *ear;
};

/* Room for one more element of `size` bytes: returns items, moved if need be. Ends the program
 * with a message when there is no memory. */
void *log_room(void *items, long count, long *room, size_t size);

/* A copy of text, to be freed; NULL of NULL. Ends the program when there is no memory. */
char *log_copy(const char *text);

/* Adds a copy of *e (its args and text are copied too) and tells the listener. Returns its index. */
long log_add(struct log *log, const struct event *e);

/* Adds a frame that host `from` sent at `time`: keeps a copy of its bytes, finds its connection and the
 * numbers to show. Returns its index; the caller adds the EV_SEND event. */
long log_add_frame(struct log *log, int from, int64_t time, const uint8_t *bytes,
                   size_t length);

/* The same for a frame out of a capture, of any link type, of which only `length` of `whole`
 * bytes may be here. With log->capture a direction whose SYN was not seen begins one number
 * before its first, as other programs count it. */
long log_add_captured(struct log *log, int from, int64_t time, int link,
                      const uint8_t *bytes, size_t length, size_t whole);

/* The connection between these two ends (address and port by host), made if it is new. */
long log_connection(struct log *log, const uint8_t ip[HOSTS][16],
                    const uint16_t port[HOSTS]);

/* The event in the grammar's words, into text of size bytes. Returns text. */
const char *log_event_text(const struct log *log, const struct event *e, char *text,
                           size_t size);

/* Adds a gauge, if it tells anything else than the last one of its host and connection. */
void log_add_gauge(struct log *log, const struct gauge *gauge);

/* "SYN,ACK seq=2000 ack=1001": the frame as the grammar says it, without its direction. */
const char *log_frame_text(const struct logged_frame *frame, char *text, size_t size);

void log_free(struct log *log);

extern const char *const host_names[HOSTS];
extern const char *const state_names[STATES];
extern const char *const why_names[WHYS];   /* "RTO", "fast" ...; WHY_NONE is "" */
extern const char *const mark_names[MARKS]; /* "retransmission" ...; MARK_NONE is "" */

#endif
