/* tcp_vs_udp.c - which is faster? Both measured on loopback, by message size, and judged.
 *
 * Usage:     tcp_vs_udp [--sizes A,B,...] [--seconds S] [--rounds N] [--buffer BYTES]
 *                       [--only NAME] [--quick] [--csv FILE]
 * Compile:   cc -O2 -o tcp_vs_udp tcp_vs_udp.c        (Windows: gcc ... -lws2_32)
 * Try it:    ./tcp_vs_udp            20 s; with --quick a second or two
 * Look for:  Does the sentence hold that TCP is never faster than UDP, and comes the closer
 *            the more is sent at once? Compare the rows TCP and UDP of one size: in a stream,
 *            in an exchange on a new connection, and on one that is kept. Then compare each
 *            with its batched or unbatched relative: that difference is often larger than the
 *            one between TCP and UDP.
 * See also:  server.c and client.c; overhead-tcp.scene and overhead-udp.scene count segments.
 *
 * To read:   from the end: main(), then measure_all() and what it calls, near end and far end in turns.
 *
 * How it measures. Two processes: this one (the near end) sends; the far end, which it starts,
 * receives or answers. Only what the far end has received counts, not what was given to send().
 * They agree over a control connection. Every combination is measured once per round, TCP and
 * UDP in turns, so that a disturbance hits both; a row shows the round of the median rate.
 */
#ifdef __linux__
#define _GNU_SOURCE /* sched_setaffinity() and UDP_SEGMENT are Linux's own */
#endif
#include "../common/net.h"
#include <inttypes.h>
#include <stdlib.h>
#ifdef _WIN32
#include <process.h>
#else
#include <sys/resource.h>
#include <sys/wait.h>
#endif
#ifdef __linux__
#include <netinet/udp.h>
#include <sched.h>
#endif

enum {
    LARGEST = 65507,    /* bytes in the largest datagram: 65535 - 20 (IPv4) - 8 (UDP) */
    PIECE = 1400,       /* what fits an Ethernet frame beside the headers, with some room */
    CHUNK = 128 * 1024, /* most that one recv() of a stream may bring */
    UDP_BUFFER = 4 << 20, /* receive buffer to ask for: bursts wait here, or are lost */
    SEGMENTS = 64,        /* datagrams the kernel cuts from one send(): its limit */
    MAX_SIZES = 16,
    MAX_ROUNDS = 15,
    CLOCK_EVERY = 32,       /* messages between two looks at the clock, in a stream */
    LOST_AFTER_MS = 1000,   /* no answer for so long: the exchange counts as lost */
    PATIENCE_MS = 10 * 1000 /* no step of a measurement waits longer */
};
#define DRAW 1.05 /* rates that differ less are called equal */

/* ---- What is measured -----------------------------------------------------------------*/

enum kind { STREAM, FRESH, KEPT, KINDS };
static const char *const KIND_NAME[KINDS] = {"streams", "fresh exchanges",
                                             "kept exchanges"};
static const char *const KIND_TITLE[KINDS] = {
    [STREAM] = "Streaming: messages one way without pause",
    [FRESH] = "Exchange on a fresh connection: socket, (connect,) message, answer, close",
    [KEPT] = "Exchange on a kept connection: message, answer, next message",
};

struct method {
    const char *name;  /* for --only and in the CSV */
    const char *label; /* in the table */
    int kind;
    int udp;
    int nodelay; /* TCP: send at once what is there, never wait to fill a segment (Nagle) */
    int offload; /* UDP on Linux: one send() of many datagrams, one recv() of many */
    int piece;   /* UDP: most bytes in one datagram, when not the whole message */
};

/* In an exchange Nagle's algorithm is off: there it could only hold back the last bytes
 * of a message until the peer's delayed ACK. */
// clang-format off
enum {
    STREAM_TCP, STREAM_NODELAY, STREAM_UDP, STREAM_OFFLOAD,
    FRESH_TCP, FRESH_UDP, FRESH_PIECES, KEPT_TCP, KEPT_UDP, KEPT_PIECES, METHOD_COUNT
};
static const struct method METHODS[METHOD_COUNT] = {
    [STREAM_TCP]     = {"stream-tcp", "TCP", STREAM, .udp = 0},
    [STREAM_NODELAY] = {"stream-nodelay", "TCP, TCP_NODELAY", STREAM, .nodelay = 1},
    [STREAM_UDP]     = {"stream-udp", "UDP", STREAM, .udp = 1},
    [STREAM_OFFLOAD] = {"stream-offload", "UDP, UDP_SEGMENT", STREAM, .udp = 1, .offload = 1},
    [FRESH_TCP]      = {"fresh-tcp", "TCP", FRESH, .nodelay = 1},
    [FRESH_UDP]      = {"fresh-udp", "UDP", FRESH, .udp = 1},
    [FRESH_PIECES]   = {"fresh-pieces", "UDP, 1400 B pieces", FRESH, .udp = 1, .piece = PIECE},
    [KEPT_TCP]       = {"kept-tcp", "TCP", KEPT, .nodelay = 1},
    [KEPT_UDP]       = {"kept-udp", "UDP", KEPT, .udp = 1},
    [KEPT_PIECES]    = {"kept-pieces", "UDP, 1400 B pieces", KEPT, .udp = 1, .piece = PIECE},
};
// clang-format on

/* The control connection's options are those of an exchange. */
static const struct method CONTROL = {.kind = KEPT, .nodelay = 1};

/* All that is sent is zeros. Never written, these pages are one page of the system,
 * which stays in the cache: so the network is measured, and not how fast this memory is
 * read. */
static _Alignas(4096) char zeros[LARGEST];

struct options {
    int size[MAX_SIZES], sizes;
    double seconds;
    int rounds;
    int buffer; /* bytes */
    const char *only, *csv;
};

/* What the near end tells the far end. Both are the same program on the same machine, so
 * a struct may travel as it lies in memory; between two machines never do that. */
struct order {
    int32_t method;
    int32_t size;
    int32_t buffer; /* UDP: receive buffer to ask for */
    int32_t cpu;    /* the processor to stay on, or -1 */
};

/* What one end counted. */
struct count {
    uint64_t messages, bytes;
    double seconds, cpu_seconds;
};

struct result {
    struct count sent, received;
    double seconds, rate; /* messages or exchanges per second */
};

/* ---- What differs between systems -----------------------------------------------------*/

/* Processor time of this process so far, in user and in kernel mode. */
static double cpu_seconds(void) {
#ifdef _WIN32
    FILETIME start, end, kernel, user; /* in 100 ns, but counted by the clock's tick */
    if (!GetProcessTimes(GetCurrentProcess(), &start, &end, &kernel, &user))
        return 0;
    ULARGE_INTEGER k = {.LowPart = kernel.dwLowDateTime, .HighPart = kernel.dwHighDateTime};
    ULARGE_INTEGER u = {.LowPart = user.dwLowDateTime, .HighPart = user.dwHighDateTime};
    return (double)(k.QuadPart + u.QuadPart) / 1e7;
#else
    struct rusage use;
    if (getrusage(RUSAGE_SELF, &use) < 0)
        return 0;
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
#endif
}

/* Two processors this process may run on, or -1 where it cannot choose. */
static void choose_processors(int cpu[2]) {
    cpu[0] = cpu[1] = -1;
#ifdef __linux__
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        return;
    for (int i = 0; i < CPU_SETSIZE && cpu[1] < 0; i++)
        if (CPU_ISSET((size_t)i, &allowed))
            cpu[cpu[0] >= 0] = i;
    if (cpu[1] < 0)
        cpu[1] = cpu[0];
#endif
}

static void stay_on(int cpu) {
#ifdef __linux__
    cpu_set_t only;
    CPU_ZERO(&only);
    if (cpu < 0 || cpu >= CPU_SETSIZE)
        return;
    CPU_SET((size_t)cpu, &only);
    sched_setaffinity(0, sizeof only,
                      &only); /* a wish: where it fails, the system places us */
#else
    (void)cpu;
#endif
}

static int offload_size(socket_t s, int size) {
#ifdef UDP_SEGMENT
    return setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size);
#else
    (void)s, (void)size;
    return -1;
#endif
}

/* ---- Sockets of both ends -------------------------------------------------------------*/

/* All that is sent to 127.0.0.1 stays in this machine. */
static struct sockaddr_in loopback(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static socket_t fail(const char *what, socket_t s) {
    net_perror(net_error(), "tcp_vs_udp: %s", what);
    if (s != NO_SOCKET)
        net_close(s);
    return NO_SOCKET;
}

/* A socket with the options of a method, the same at both ends. */
static socket_t new_socket(const struct method *m) {
    socket_t s = socket(AF_INET, m->udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (s == NO_SOCKET)
        return fail("socket", s);
    net_timeout(s, SO_RCVTIMEO, m->udp && m->kind != STREAM ? LOST_AFTER_MS : PATIENCE_MS);
#ifdef TCP_CONGESTION
    /* Which algorithm paces the sender matters more on loopback than TCP or UDP does.
     * Every Linux has reno, and lets every user choose it. */
    if (!m->udp)
        setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
#endif
    int on = 1;
    if (m->nodelay)
        setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const void *)&on, sizeof on);
    return s;
}

/* The far end's socket: bound to a free port, for TCP listening too. Writes the port. */
static socket_t passive_socket(const struct method *m, int buffer, int *port) {
    socket_t s = new_socket(m);
    if (s == NO_SOCKET)
        return s;
    if (m->udp) /* the system may grant less; print_conditions() shows what it grants */
        setsockopt(s, SOL_SOCKET, SO_RCVBUF, (const void *)&buffer, sizeof buffer);
#ifdef UDP_GRO
    int on = 1; /* one recv() may bring many datagrams of equal size, joined */
    if (m->offload && setsockopt(s, IPPROTO_UDP, UDP_GRO, &on, sizeof on) < 0)
        return fail("setsockopt UDP_GRO", s);
#endif
    struct sockaddr_in own = loopback(0);
    socklen_t length = sizeof own;
    if (bind(s, (struct sockaddr *)&own, sizeof own) < 0)
        return fail("bind 127.0.0.1:0", s);
    if (!m->udp && listen(s, SOMAXCONN) < 0)
        return fail("listen", s);
    if (getsockname(s, (struct sockaddr *)&own, &length) < 0)
        return fail("getsockname", s);
    *port = ntohs(own.sin_port);
    return s;
}

/* The near end's socket. For TCP connect() is a round trip of three segments; for UDP it
 * sends nothing and only notes the address, so that send() need not look it up each
 * time. */
static socket_t active_socket(const struct method *m, int port) {
    socket_t s = new_socket(m);
    if (s == NO_SOCKET)
        return s;
    int room = UDP_BUFFER;
    if (m->piece) /* all pieces of an answer may arrive before we read the first */
        setsockopt(s, SOL_SOCKET, SO_RCVBUF, (const void *)&room, sizeof room);
    struct sockaddr_in peer = loopback(port);
    if (connect(s, (struct sockaddr *)&peer, sizeof peer) < 0)
        return fail("connect", s);
    return s;
}

/* Returns 0, or -1. A datagram goes as a whole; a stream may take it in parts. */
static int send_all(socket_t s, const char *bytes, int count) {
    while (count > 0) {
        ssize_t sent = send(s, bytes, (io_len)count, 0);
        if (sent < 0 && net_error() == NET_E(INTR))
            continue;
        if (sent < 0)
            return -1;
        bytes += sent;
        count -= (int)sent;
    }
    return 0;
}

/* Receives exactly count bytes. Returns 1; 0 when the stream ended before; -1 on an
 * error. */
static int receive_all(socket_t s, char *bytes, int count) {
    while (count > 0) {
        ssize_t got = recv(s, bytes, (io_len)count, 0);
        if (got < 0 && net_error() == NET_E(INTR))
            continue;
        if (got <= 0)
            return got < 0 ? -1 : 0;
        bytes += got;
        count -= (int)got;
    }
    return 1;
}

static int readable_within(socket_t s, int ms) {
    struct pollfd one = {.fd = s, .events = POLLIN};
    return poll(&one, 1, ms) > 0;
}

/* ---- The far end: receives or answers, and reports what it counted --------------------*/

/* The same loop for both protocols: recv() gives some of the stream, or one datagram.
 * Zero is the end: of the stream (FIN), or the empty datagram by which the near end says
 * so. The time ends with the last byte, for that datagram may be lost and come again
 * later. */
static int count_stream(socket_t s, struct count *c) {
    static _Alignas(4096) char chunk[CHUNK]; /* between aligned pages a copy is faster */
    double first = 0;
    for (;;) {
        ssize_t got = recv(s, chunk, sizeof chunk, 0);
        if (got < 0 && net_error() == NET_E(INTR))
            continue;
        if (got <= 0)
            return got < 0 ? -1 : 0;
        double now = net_seconds();
        if (c->bytes == 0)
            first = now;
        c->bytes += (uint64_t)got;
        c->seconds = now - first;
    }
}

/* A bounded accept(): SO_RCVTIMEO would bound it on Linux only. */
static socket_t accept_one(socket_t listener) {
    if (!readable_within(listener, PATIENCE_MS))
        return NO_SOCKET;
    return accept(listener, NULL, NULL);
}

static int receive_stream(socket_t s, const struct method *m, struct count *c) {
    if (m->udp)
        return count_stream(s, c);
    socket_t peer = accept_one(s);
    if (peer == NO_SOCKET)
        return -1;
    net_timeout(peer, SO_RCVTIMEO, PATIENCE_MS);
    int failed = count_stream(peer, c);
    net_close(peer);
    return failed;
}

/* Answers each datagram with its like, until the empty one. "Kept" means that only one
 * peer is spoken to: connect() notes its address, and no answer has to look it up again. */
static int answer_datagrams(socket_t s, int kept, struct count *c) {
    char datagram[LARGEST + 1];
    net_timeout(s, SO_RCVTIMEO, PATIENCE_MS);
    for (;;) {
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        ssize_t got =
            recvfrom(s, datagram, sizeof datagram, 0, (struct sockaddr *)&from, &length);
        if (got == 0)
            return 0;
        if (got < 0 && (net_error() == NET_E(INTR) || net_error() == NET_E(CONNRESET)))
            continue; /* Windows: an earlier answer found its socket closed */
        if (got < 0)
            return -1;
        if (kept && c->messages == 0 && connect(s, (struct sockaddr *)&from, length) < 0)
            return -1;
        if (sendto(s, datagram, (io_len)got, 0, kept ? NULL : (struct sockaddr *)&from,
                   kept ? 0 : length) == got)
            c->messages++;
    }
}

/* Answers each message of each connection, until the kept one ends, or one before its
 * first message. A fresh connection carries only one. We close it first, so that
 * TIME_WAIT is at this end: at the other it would keep a port busy for a minute, and
 * soon all ports. */
static int answer_connections(socket_t listener, const struct method *m, int size,
                              struct count *c) {
    char message[LARGEST];
    for (;;) {
        uint64_t before = c->messages;
        socket_t peer = accept_one(listener);
        if (peer == NO_SOCKET)
            return -1;
        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, (const void *)&m->nodelay,
                   sizeof m->nodelay);
        net_timeout(peer, SO_RCVTIMEO, PATIENCE_MS);
        while (receive_all(peer, message, size) == 1 &&
               send_all(peer, message, size) == 0) {
            c->messages++;
            if (m->kind == FRESH)
                break;
        }
        net_close(peer);
        if (c->messages == before || m->kind == KEPT)
            return 0;
    }
}

static int far_end_measures(socket_t s, const struct order *o, struct count *c) {
    const struct method *m = &METHODS[o->method];
    double cpu = cpu_seconds();
    int failed = m->kind == STREAM ? receive_stream(s, m, c)
                 : m->udp          ? answer_datagrams(s, m->kind == KEPT, c)
                                   : answer_connections(s, m, o->size, c);
    c->cpu_seconds = cpu_seconds() - cpu;
    if (failed)
        net_perror(net_error(), "tcp_vs_udp: far end: %s", m->name);
    return failed;
}

/* Takes orders until the control connection ends. */
static int far_end(int control_port) {
    socket_t control = active_socket(&CONTROL, control_port);
    if (control == NO_SOCKET)
        return 1;
    net_timeout(control, SO_RCVTIMEO, 0); /* the near end may take its time */
    struct order o;
    while (receive_all(control, (char *)&o, sizeof o) == 1) {
        if (o.method < 0 || o.method >= METHOD_COUNT || o.size < 1 || o.size > LARGEST)
            return 1;
        stay_on(o.cpu);
        struct count c = {0};
        int port = 0;
        socket_t s = passive_socket(&METHODS[o.method], o.buffer, &port);
        if (s == NO_SOCKET)
            return 1;
        if (send_all(control, (const char *)&port, sizeof port) < 0 ||
            far_end_measures(s, &o, &c) < 0 ||
            send_all(control, (const char *)&c, sizeof c) < 0)
            return 1;
        net_close(s);
    }
    net_close(control);
    return 0;
}

/* ---- The near end: sends, and takes the far end's report ------------------------------*/

/* The same loop for both protocols again: send() appends to the stream, or sends a
 * datagram. */
static int send_stream(socket_t s, const struct method *m, int size, double seconds,
                       struct count *c) {
    int at_once = 1;
    if (m->offload) { /* the kernel cuts what it is given into datagrams of `size` bytes */
        at_once = LARGEST / size < SEGMENTS ? LARGEST / size : SEGMENTS;
        if (offload_size(s, size) < 0)
            return -1;
    }
    double start = net_seconds();
    do {
        for (int i = 0; i < CLOCK_EVERY; i++) {
            if (send_all(s, zeros, size * at_once) < 0 && net_error() != NET_E(NOBUFS))
                return -1; /* NOBUFS: a datagram lost before it left, on some systems */
            c->messages += (uint64_t)at_once;
        }
        c->seconds = net_seconds() - start;
    } while (c->seconds < seconds);
    c->bytes = c->messages * (uint64_t)size;
    if (m->offload)
        offload_size(s, 0);
    return 0;
}

/* One message there, one back. Returns 1, or 0 when it was lost, or -1. */
static int exchange(socket_t s, const struct method *m, int size) {
    char answer[LARGEST];
    int piece = m->piece ? m->piece : size;
    for (int at = 0; at < size; at += piece)
        if (send_all(s, zeros + at, size - at < piece ? size - at : piece) < 0)
            return -1;
    int answered = receive_all(s, answer, size);
    if (answered < 0 && m->udp &&
        (net_would_block(net_error()) || net_error() == NET_E(TIMEDOUT)))
        return 0;
    return answered == 1 ? 1 : -1;
}

/* Exchanges on one connection, or each on its own: then *s is a new one after each. */
static int exchange_many(socket_t *s, int port, const struct method *m, int size,
                         double seconds, struct result *r) {
    double start = net_seconds();
    do {
        int answered = exchange(*s, m, size);
        if (answered < 0) {
            fail("exchange", NO_SOCKET);
            return -1;
        }
        r->sent.messages++;
        r->received.messages += (uint64_t)answered;
        r->sent.seconds = net_seconds() - start;
        if (m->kind == FRESH) {
            net_close(*s);
            if ((*s = active_socket(m, port)) == NO_SOCKET)
                return -1;
        } else if (!answered) {
            break; /* a late answer would be taken for that to the next message */
        }
    } while (r->sent.seconds < seconds);
    return 0;
}

/* Lets the far end know that this was all. A stream tells by itself, for its end is in
 * order and sure. An empty datagram may be lost like any other: it is sent until the
 * report is here. */
static int say_end(socket_t s, const struct method *m, socket_t control) {
    if (!m->udp)
        shutdown(s, SHUT_WR);
    for (int waited = 0; waited < PATIENCE_MS; waited += 20) {
        if (m->udp)
            send(s, "", 0, 0);
        if (readable_within(control, 20))
            return 0;
    }
    return -1;
}

/* Measures one method at one size once. Returns 0, or -1 after a message. */
static int measure(socket_t control, const struct options *o, int method, int size,
                   const int cpu[2], struct result *r) {
    const struct method *m = &METHODS[method];
    struct order order = {method, size, o->buffer, m->kind == STREAM ? cpu[1] : cpu[0]};
    int port;
    *r = (struct result){0};
    stay_on(cpu[0]);
    if (send_all(control, (const char *)&order, sizeof order) < 0 ||
        receive_all(control, (char *)&port, sizeof port) != 1) {
        fprintf(stderr, "tcp_vs_udp: the far end has gone\n");
        return -1;
    }
    double cpu_before = cpu_seconds();
    socket_t s = active_socket(m, port);
    if (s == NO_SOCKET)
        return -1;
    if (m->kind == STREAM && send_stream(s, m, size, o->seconds, &r->sent) < 0) {
        fail(m->name, s);
        return -1;
    }
    if (m->kind != STREAM && exchange_many(&s, port, m, size, o->seconds, r) < 0)
        return -1;
    r->sent.cpu_seconds = cpu_seconds() - cpu_before;

    struct count report;
    if (say_end(s, m, control) < 0 ||
        receive_all(control, (char *)&report, sizeof report) != 1) {
        fprintf(stderr, "tcp_vs_udp: no report from the far end\n");
        return -1;
    }
    net_close(s);
    r->seconds = r->sent.seconds;
    r->received.cpu_seconds = report.cpu_seconds;
    if (m->kind == STREAM) {
        r->received.bytes = report.bytes;
        r->received.messages = report.bytes / (uint64_t)size;
        if (report.seconds > r->seconds) /* until the last byte had arrived */
            r->seconds = report.seconds;
    } else { /* there and back */
        r->sent.bytes = 2 * r->sent.messages * (uint64_t)size;
        r->received.bytes = 2 * r->received.messages * (uint64_t)size;
    }
    r->rate = (double)r->received.messages / r->seconds;
    return 0;
}

/* ---- Table and verdict ----------------------------------------------------------------*/

/* results[method][size][round]; after measure_all() the median is in the middle. */
typedef struct result table[METHOD_COUNT][MAX_SIZES][MAX_ROUNDS];

static int offload_is_known(void) {
    socket_t s = socket(AF_INET, SOCK_DGRAM, 0);
    int known = s != NO_SOCKET && offload_size(s, 1000) == 0;
    if (s != NO_SOCKET)
        net_close(s);
    return known;
}

/* Some rows would say nothing: no system but Linux has the offload, it needs two
 * datagrams to join, and a message of one piece is not in pieces. */
static int is_measured(const struct options *o, const struct method *m, int size) {
    if (o->only != NULL && strncmp(m->name, o->only, strlen(o->only)) != 0)
        return 0;
    if (m->offload && (size > LARGEST / 2 || !offload_is_known()))
        return 0;
    return size > m->piece;
}

static int by_rate(const void *a, const void *b) {
    double x = ((const struct result *)a)->rate, y = ((const struct result *)b)->rate;
    return (x > y) - (x < y);
}

static const struct result *median(const struct options *o, table *t, int method,
                                   int size) {
    return &(*t)[method][size][o->rounds / 2];
}

static double cpu_per_gb(const struct result *r) {
    double cpu = r->sent.cpu_seconds + r->received.cpu_seconds;
    return r->received.bytes ? cpu / ((double)r->received.bytes / 1e9) : 0;
}

static void print_kind(const struct options *o, table *t, int kind) {
    int rows = 0;
    for (int i = 0; i < o->sizes; i++)
        for (int m = 0; m < METHOD_COUNT; m++) {
            if (METHODS[m].kind != kind || !is_measured(o, &METHODS[m], o->size[i]))
                continue;
            if (rows++ == 0)
                printf("\n%s\n%7s  %-20s%13s%12s%8s%13s\n", KIND_TITLE[kind], "bytes", "",
                       kind == STREAM ? "messages/s" : "exchanges/s", "MB/s", "lost",
                       "CPU s/GB");
            const struct result *r = median(o, t, m, i);
            double lost = 1 - (double)r->received.messages / (double)r->sent.messages;
            printf("%7d  %-20s%13.0f%12.2f%7.1f%%%13.3f\n", o->size[i], METHODS[m].label,
                   r->rate, (double)r->received.bytes / r->seconds / 1e6, 100 * lost,
                   cpu_per_gb(r));
        }
}

/* Before anything is measured: in vain would be too long. */
static FILE *open_csv(const char *path) {
    FILE *f = fopen(path, "w");
    if (f == NULL)
        fprintf(stderr, "tcp_vs_udp: %s: %s\n", path, strerror(errno));
    return f;
}

static int write_csv(const struct options *o, table *t, const int cpu[2], FILE *f) {
    fprintf(f, "name,bytes,sent,received,lost,sent_bytes,received_bytes,seconds,per_second,"
               "MB_per_s,near_cpu_s,far_cpu_s,cpu_s_per_GB,near_processor,far_processor\n");
    for (int m = 0; m < METHOD_COUNT; m++)
        for (int i = 0; i < o->sizes; i++) {
            if (!is_measured(o, &METHODS[m], o->size[i]))
                continue;
            const struct result *r = median(o, t, m, i);
            const struct count *sent = &r->sent, *got = &r->received;
            fprintf(f, "%s,%d,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64,
                    METHODS[m].name, o->size[i], sent->messages, got->messages,
                    sent->messages - got->messages, sent->bytes, got->bytes);
            fprintf(f, ",%.6f,%.6f,%.6f,%.6f,%.6f,%.6f,%d,%d\n", r->seconds, r->rate,
                    (double)got->bytes / r->seconds / 1e6, sent->cpu_seconds,
                    got->cpu_seconds, cpu_per_gb(r), cpu[0],
                    METHODS[m].kind == STREAM ? cpu[1] : cpu[0]);
        }
    int failed = ferror(f);
    if (fclose(f) != 0 || failed) {
        fprintf(stderr, "tcp_vs_udp: %s: %s\n", o->csv, strerror(errno));
        return -1;
    }
    return 0;
}

/* How many times as fast as method b is method a? 0 when one of them was not measured. */
static double times_as_fast(const struct options *o, table *t, int a, int b, int size) {
    if (!is_measured(o, &METHODS[a], o->size[size]) ||
        !is_measured(o, &METHODS[b], o->size[size]))
        return 0;
    double slower = median(o, t, b, size)->rate;
    return slower > 0 ? median(o, t, a, size)->rate / slower : 0;
}

/* One line on one kind of sending. "Never faster": at no size by more than a draw.
 * "Closer by size": TCP was slower at the smallest size, and less so, or no longer, at
 * the largest. */
static void judge(const struct options *o, table *t, const char *what, int tcp, int udp) {
    double first = 0, last = 0, highest = 0;
    int from = 0, to = 0, at = 0;
    for (int i = 0; i < o->sizes; i++) {
        double ratio = times_as_fast(o, t, tcp, udp, i);
        if (ratio <= 0)
            continue;
        if (from == 0) {
            first = ratio;
            from = o->size[i];
        }
        last = ratio;
        to = o->size[i];
        if (ratio > highest) {
            highest = ratio;
            at = o->size[i];
        }
    }
    if (from == 0)
        return;
    const char *never = highest > DRAW ? "false" : "true";
    const char *closer = first < 1 / DRAW && last > first * DRAW ? "true" : "false";
    printf("%-21s%5.2f at%6d  %5.2f at%6d  %-6s%5.2f at%6d  %s\n", what, first, from, last,
           to, never, highest, at, from < to ? closer : "-");
}

static void print_verdict(const struct options *o, table *t) {
    printf(
        "\nVerdict: \"TCP is never faster than UDP; the larger each exchange, the closer it"
        " comes.\"\nRates within 5 %% of each other are called equal; sizes are in bytes.\n"
        "%-21s%14s  %14s  %-20s  %s\n",
        "TCP's rate / UDP's", "smallest size", "largest size", "never faster? most",
        "closer?");
    judge(o, t, "stream", STREAM_TCP, STREAM_UDP);
    judge(o, t, "stream, TCP_NODELAY", STREAM_NODELAY, STREAM_UDP);
    judge(o, t, "fresh exchange", FRESH_TCP, FRESH_UDP);
    judge(o, t, "fresh, UDP in pieces", FRESH_TCP, FRESH_PIECES);
    judge(o, t, "kept exchange", KEPT_TCP, KEPT_UDP);
    judge(o, t, "kept, UDP in pieces", KEPT_TCP, KEPT_PIECES);

    double nagle = times_as_fast(o, t, STREAM_TCP, STREAM_NODELAY, 0);
    double offload = times_as_fast(o, t, STREAM_OFFLOAD, STREAM_UDP, 0);
    if (nagle > 0)
        printf("Batching, messages of %d: TCP is %.1f times as fast as with TCP_NODELAY.\n",
               o->size[0], nagle);
    if (offload > 0)
        printf("Batching, messages of %d: UDP is %.1f times as fast with UDP_SEGMENT.\n",
               o->size[0], offload);
}

/* ---- Arguments, rounds, processes -----------------------------------------------------*/

static int on_terminal(void) {
#ifdef _WIN32
    return _isatty(_fileno(stderr));
#else
    return isatty(2);
#endif
}

/* On a terminal one line that changes; into a file or pipe a line for each part. */
static void show_progress(const struct options *o, int round, int kind, int size) {
    if (on_terminal())
        fprintf(stderr, "\rround %d of %d: %s, %d bytes        ", round + 1, o->rounds,
                KIND_NAME[kind], size);
    else if (size == o->size[0])
        fprintf(stderr, "round %d of %d: %s\n", round + 1, o->rounds, KIND_NAME[kind]);
}

/* Every combination once in each round; all methods of a size one after the other. */
static int measure_all(socket_t control, const struct options *o, const int cpu[2],
                       table *t) {
    for (int round = 0; round < o->rounds; round++)
        for (int kind = 0; kind < KINDS; kind++)
            for (int i = 0; i < o->sizes; i++) {
                if (o->only == NULL || strncmp(o->only, KIND_NAME[kind], 4) == 0)
                    show_progress(o, round, kind, o->size[i]);
                for (int m = 0; m < METHOD_COUNT; m++)
                    if (METHODS[m].kind == kind &&
                        is_measured(o, &METHODS[m], o->size[i]) &&
                        measure(control, o, m, o->size[i], cpu, &(*t)[m][i][round]) < 0)
                        return -1;
            }
    if (on_terminal())
        fprintf(stderr, "\r%60s\r", "");
    for (int m = 0; m < METHOD_COUNT; m++)
        for (int i = 0; i < o->sizes; i++)
            qsort((*t)[m][i], (size_t)o->rounds, sizeof(struct result), by_rate);
    return 0;
}

/* Starts the far end as a process of its own: on POSIX a copy of this one, on Windows,
 * which has no fork(), this program once more with an argument that is for it alone.
 * Returns its control connection. */
static socket_t start_far_end(void) {
    int port;
    socket_t listener = passive_socket(&CONTROL, 0, &port);
    if (listener == NO_SOCKET)
        return NO_SOCKET;
#ifdef _WIN32
    char path[MAX_PATH], number[16];
    snprintf(number, sizeof number, "%d", port);
    if (GetModuleFileNameA(NULL, path, sizeof path) == 0 ||
        _spawnl(_P_NOWAIT, path, "tcp_vs_udp", "--far-end", number, (char *)NULL) == -1) {
        perror("tcp_vs_udp: start the far end");
        return NO_SOCKET;
    }
#else
    pid_t child = fork();
    if (child < 0) {
        perror("tcp_vs_udp: fork");
        return NO_SOCKET;
    }
    if (child == 0) {
        net_close(listener);
        _exit(far_end(port));
    }
#endif
    socket_t control = accept_one(listener);
    if (control == NO_SOCKET)
        return fail("the far end does not connect", listener);
    net_close(listener);
    int on = 1;
    setsockopt(control, IPPROTO_TCP, TCP_NODELAY, (const void *)&on, sizeof on);
    net_timeout(control, SO_RCVTIMEO, PATIENCE_MS);
    return control;
}

/* What the numbers depend on, as the system tells it. */
static void print_conditions(const struct options *o, const int cpu[2]) {
    char congestion[32] = "the system's own";
    int port, room = 0;
    socklen_t length = sizeof room;
    socket_t udp = passive_socket(&METHODS[STREAM_UDP], o->buffer, &port);
    if (udp != NO_SOCKET) {
        getsockopt(udp, SOL_SOCKET, SO_RCVBUF, (void *)&room, &length);
        net_close(udp);
    }
#ifdef TCP_CONGESTION
    socket_t tcp = new_socket(&METHODS[STREAM_TCP]);
    length = sizeof congestion - 1;
    if (tcp != NO_SOCKET) {
        getsockopt(tcp, IPPROTO_TCP, TCP_CONGESTION, congestion, &length);
        net_close(tcp);
    }
#endif
    printf("TCP and UDP between two processes of this machine, %d x %g s each, medians.\n"
           "TCP congestion control: %s, at both ends. UDP receive buffer: %d bytes.\n",
           o->rounds, o->seconds, congestion, room);
    if (cpu[0] < 0)
        printf("The system chooses the processors.\n");
    else
        printf(
            "Streams: sender on processor %d, receiver on %d. Exchanges: both on %d, as\n"
            "waking another processor takes longer than the exchange itself.\n",
            cpu[0], cpu[1], cpu[0]);
}

static int usage_error(const char *problem, const char *value) {
    fprintf(stderr, "tcp_vs_udp: %s%s; see tcp_vs_udp --help\n", problem, value);
    return 2;
}

/* "1,64,1400": growing, each a size that one datagram can carry. Returns 0, or -1. */
static int read_sizes(const char *text, struct options *o) {
    o->sizes = 0;
    for (;;) {
        char *end;
        long size = strtol(text, &end, 10);
        int before = o->sizes > 0 ? o->size[o->sizes - 1] : 0;
        if (end == text || size <= before || size > LARGEST || o->sizes == MAX_SIZES)
            return -1;
        o->size[o->sizes++] = (int)size;
        if (*end == '\0')
            return 0;
        if (*end != ',')
            return -1;
        text = end + 1;
    }
}

/* Returns 0, or -1 when text is no number from low to high. */
static int read_number(const char *text, double low, double high, double *number) {
    char *end;
    *number = strtod(text, &end);
    return end != text && *end == '\0' && *number >= low && *number <= high ? 0 : -1;
}

static int read_options(int argc, char **argv, struct options *o) {
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--quick") == 0) {
            o->seconds = 0.02;
            o->rounds = 1;
            continue;
        }
        const char *value = ++i < argc ? argv[i] : "";
        double number = 0;
        int known = 0;
        for (int m = 0; m < METHOD_COUNT; m++)
            known |= *value && strncmp(METHODS[m].name, value, strlen(value)) == 0;

        if (strcmp(name, "--sizes") == 0) {
            if (read_sizes(value, o) < 0)
                return usage_error("--sizes: growing numbers from 1 to 65507, not ", value);
        } else if (strcmp(name, "--seconds") == 0) {
            if (read_number(value, 0.001, 60, &o->seconds) < 0)
                return usage_error("--seconds: a number from 0.001 to 60, not ", value);
        } else if (strcmp(name, "--rounds") == 0) {
            if (read_number(value, 1, MAX_ROUNDS, &number) < 0 || number != (int)number)
                return usage_error("--rounds: a number from 1 to 15, not ", value);
            o->rounds = (int)number;
        } else if (strcmp(name, "--buffer") == 0) {
            if (read_number(value, 1, 1 << 30, &number) < 0)
                return usage_error("--buffer: a number of bytes, not ", value);
            o->buffer = (int)number;
        } else if (strcmp(name, "--only") == 0) {
            if (!known)
                return usage_error("--only: no method's name begins with ", value);
            o->only = value;
        } else if (strcmp(name, "--csv") == 0) {
            if (*value == '\0')
                return usage_error("--csv: a file's name is missing", value);
            o->csv = value;
        } else
            return usage_error("unknown argument ", name);
    }
    return 0;
}

static void print_help(void) {
    printf(
        "usage: tcp_vs_udp [--sizes A,B,...] [--seconds S] [--rounds N] [--buffer BYTES]\n"
        "                  [--only NAME] [--quick] [--csv FILE]\n"
        "Measures TCP and UDP on loopback by message size, and judges the sentence that\n"
        "TCP is never faster than UDP. Only received bytes count; CPU is that of both "
        "ends.\n"
        "  --sizes A,B,...  bytes in a message, growing, at most 65507\n"
        "  --seconds S      length of each measurement (0.1)\n"
        "  --rounds N       measurements of each, of which the median is shown (3)\n"
        "  --buffer BYTES   UDP receive buffer to ask for (4194304); a small one loses "
        "more\n"
        "  --quick          one round of 0.02 s: a first look\n"
        "  --csv FILE       the numbers of the table, for a spreadsheet\n"
        "  --only NAME      only the methods whose name begins so:");
    for (int m = 0; m < METHOD_COUNT; m++)
        printf("%s%s", m % 5 == 0 ? "\n                     " : " ", METHODS[m].name);
    printf("\n");
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        print_help();
        return 0;
    }
    struct options o = {.size = {1, 64, 512, 1400, 8192, 32768, LARGEST},
                        .sizes = 7,
                        .seconds = 0.1,
                        .rounds = 3,
                        .buffer = UDP_BUFFER};
    int is_far_end = argc == 3 && strcmp(argv[1], "--far-end") == 0;
    int wrong = is_far_end ? 0 : read_options(argc, argv, &o);
    if (wrong)
        return wrong;

    int err = net_start();
    if (err != 0) {
        net_perror(err, "tcp_vs_udp: start");
        return 1;
    }
    if (is_far_end) /* Windows: we are the second process, see start_far_end() */
        return far_end(atoi(argv[2]));

    FILE *csv = o.csv ? open_csv(o.csv) : NULL;
    if (o.csv && csv == NULL)
        return 1;
    int cpu[2];
    choose_processors(cpu);
    print_conditions(&o, cpu);
    socket_t control = start_far_end();
    table *t = calloc(1, sizeof *t);
    if (control == NO_SOCKET || t == NULL)
        return 1;
    int failed = measure_all(control, &o, cpu, t) < 0;
    net_close(control); /* the far end sees its end, and ends too */
#ifndef _WIN32
    while (wait(NULL) < 0 && errno == EINTR)
        ;
#endif
    if (!failed) {
        for (int kind = 0; kind < KINDS; kind++)
            print_kind(&o, t, kind);
        if (o.only == NULL)
            print_verdict(&o, t);
        failed = csv != NULL && write_csv(&o, t, cpu, csv) < 0;
    }
    free(t);
    net_stop();
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "tcp_vs_udp: not all could be written to standard output\n");
        return 1;
    }
    return failed ? 1 : 0;
}
