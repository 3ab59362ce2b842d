/* arq_receiver.c - makes a file whole of segments that come late, twice, damaged or never.
 *
 * Usage:     arq_receiver [--once] [--idle MS] [HOST PORT [FILE]]
 *            (127.0.0.1 7000 received; port 0 takes any free one)
 * Compile:   cc -o arq_receiver arq_receiver.c  (Windows: add -lws2_32)
 * Try it:    ./arq_receiver                     listening on 127.0.0.1:7000
 *            in a second terminal:              ./arq_sender 127.0.0.1 7000 arq_sender.c
 *            and then:                          cmp arq_sender.c received
 * Look for:  every segment is answered, also one that was here before: its ACK may be lost.
 *            It is written once all the same, for its number is known.
 * See also:  arq_sender.c, which tells the protocol in full; lossy_relay.c
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |                Checksum: CRC-32 of all that follows           |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |      Connection: a number drawn by the sender, once a file    |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |                        Sequence number                        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |                     Acknowledgment number                     |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |     Type      |       0       |       Length of payload       |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  Types: 1 START (number 0), 2 DATA (1, 2, ...), 3 FIN (one more); 4 ACK, 5 RESET go back.
 */
#include "../common/net.h"
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

enum { START = 1, DATA, FIN, ACK, RESET };
enum { BUSY = 1, UNKNOWN, NOT_WHOLE, GIVEN_UP };
enum {
    HEADER = 20,
    DATA_MAX = 1180,
    WINDOW_MAX = 1024,   /* segments held after the one that is missing: 1.2 MB */
    FORMER = 16,         /* ended transfers that are remembered */
    IDLE_MS = 15 * 1000, /* a sender silent for so long has gone */
    IDLE_MOST_MS = 24 * 3600 * 1000,
    LINGER_S = 3,         /* with --once: how long we stay after the last segment */
    BUFFER = 1024 * 1024, /* asked of the kernel, for a whole window may come at once */
    AT_ONCE = 1024,       /* datagrams taken before we look at the clock again */
    PATH_LIMIT = 4096
};

struct peer {
    struct sockaddr_storage address;
    socklen_t length;
};

struct segment {
    unsigned char payload[DATA_MAX];
    size_t length;
    uint32_t type; /* 0: the place is empty */
};

struct transfer {
    FILE *file; /* NULL: there is no transfer */
    struct peer from;
    uint32_t connection, expected; /* the next number that is to be written */
    uint64_t announced, written, hash;
    double heard, shown; /* when the last segment came; when we last told how far it is */
    unsigned long long came, again, ahead, damaged;
    struct segment held[WINDOW_MAX]; /* segment n is in [n % WINDOW_MAX] */
};

/* What is kept of a transfer that has ended, as TCP keeps TIME_WAIT. Its FIN may come
 * again, when our last ACK was lost; and a late copy of its START must not begin it all
 * anew. */
struct former {
    uint32_t connection, expected;
    int whole;
};

struct receiver {
    socket_t s;
    const char *path, *part; /* the file, and its name while it is not whole */
    struct former former[FORMER];
    unsigned ended, whole;
    struct transfer now;
};

/* Ctrl-C sets this. */
static volatile sig_atomic_t stop;
static void on_interrupt(int signal_number) {
    (void)signal_number;
    stop = 1;
}

static void put32(unsigned char *at, uint32_t value) {
    for (int i = 3; i >= 0; i--, value >>= 8)
        at[i] = (unsigned char)(value & 0xff);
}

static uint32_t get32(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t get64(const unsigned char *at) {
    return (uint64_t)get32(at) << 32 | get32(at + 4);
}

/* The CRC-32 of Ethernet. */
static uint32_t crc32(const unsigned char *bytes, size_t count) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320 & (0 - (crc & 1)));
    }
    return ~crc;
}

/* FNV-1a, over the whole file: the last check, from end to end. */
static uint64_t hash_more(uint64_t hash, const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3;
    return hash;
}

/* An ACK or a RESET. No timer sends it again: the sender's own timer will ask anew. */
static void answer(const struct receiver *r, const struct peer *to, uint32_t connection,
                   uint32_t type, uint32_t number, uint32_t expected) {
    unsigned char bytes[HEADER + WINDOW_MAX / 8] = {0};
    uint32_t payload = 0;
    /* A bit for each number from the expected one on: 1 = is here already. In TCP the
     * option SACK says it. Of this ACK and the next, one arriving is enough. */
    if (type == ACK && r->now.file != NULL && connection == r->now.connection)
        for (uint32_t i = 0; i < WINDOW_MAX; i++)
            if (r->now.held[(expected + i) % WINDOW_MAX].type != 0) {
                bytes[HEADER + i / 8] |= (unsigned char)(1 << i % 8);
                payload = i / 8 + 1;
            }
    put32(bytes + 4, connection);
    put32(bytes + 8, number);
    put32(bytes + 12, expected);
    put32(bytes + 16, type << 24 | payload);
    put32(bytes, crc32(bytes + 4, HEADER - 4 + payload));
    if (sendto(r->s, (const char *)bytes, (io_len)(HEADER + payload), 0,
               (const struct sockaddr *)&to->address, to->length) < 0 &&
        !net_would_block(net_error()) && net_error() != NET_E(INTR))
        net_perror(net_error(), "arq_receiver: sendto"); /* to us the same as lost */
}

/* The transfer is over. Only a file that is whole gets the name that was asked for. */
static void end_transfer(struct receiver *r, int whole, const char *why) {
    struct transfer *t = &r->now;
    if (fclose(t->file) != 0 && whole) {
        whole = 0;
        why = strerror(errno);
    }
    t->file = NULL;
    if (whole) {
#ifdef _WIN32
        remove(r->path); /* rename() replaces a file on POSIX, and refuses to on Windows */
#endif
        if (rename(r->part, r->path) != 0) {
            whole = 0;
            why = strerror(errno);
        }
    }
    if (!whole) {
        remove(r->part);
        printf("%08x: not received: %s\n", (unsigned)t->connection, why);
    } else {
        printf("%08x: %s is whole: %llu bytes, hash %016llx\n", (unsigned)t->connection,
               r->path, (unsigned long long)t->written, (unsigned long long)t->hash);
        r->whole++;
    }
    printf(
        "%08x: %llu segments came: %llu ahead of their turn (held), %llu again (dropped); "
        "%llu damaged datagrams (dropped)\n",
        (unsigned)t->connection, t->came, t->ahead, t->again, t->damaged);
    r->former[r->ended++ % FORMER] = (struct former){t->connection, t->expected, whole};
}

/* Writes what is there from the expected number on, each once and in order. */
static void write_in_order(struct receiver *r) {
    struct transfer *t = &r->now;
    for (;;) {
        struct segment *g = &t->held[t->expected % WINDOW_MAX];
        uint32_t type = g->type;
        if (type == 0)
            return; /* a gap: what comes after it has to wait */
        g->type = 0;
        t->expected++;
        if (type == DATA) {
            if (t->written + g->length > t->announced) {
                end_transfer(r, 0, "more data than announced");
                return;
            }
            if (fwrite(g->payload, 1, g->length, t->file) != g->length) {
                end_transfer(r, 0, strerror(errno));
                return;
            }
            t->hash = hash_more(t->hash, g->payload, g->length);
            t->written += g->length;
        } else if (type == FIN) {
            int whole = g->length == 8 && t->written == t->announced &&
                        t->hash == get64(g->payload);
            end_transfer(r, whole, "length or hash is not what was announced");
            return;
        }
    }
}

/* A START from a sender that we do not know begins a transfer. */
static void begin(struct receiver *r, const struct peer *from, uint32_t connection,
                  uint64_t length) {
    struct transfer *t = &r->now;
    char name[NET_ADDRESS_MAX];
    FILE *file = fopen(r->part, "wb");
    if (file == NULL) {
        fprintf(stderr, "arq_receiver: %s: %s\n", r->part, strerror(errno));
        answer(r, from, connection, RESET, NOT_WHOLE, 0);
        return;
    }
    memset(t, 0, sizeof *t);
    t->file = file;
    t->from = *from;
    t->connection = connection;
    t->came = t->expected = 1; /* START was number 0 */
    t->announced = length;
    t->hash = 0xcbf29ce484222325; /* where FNV-1a begins */
    t->heard = t->shown = net_seconds();
    printf("%08x: from %s, %llu bytes announced\n", (unsigned)connection,
           net_address(&from->address, from->length, name), (unsigned long long)length);
    answer(r, from, connection, ACK, 0, 1);
}

/* A segment of the transfer that is under way. */
static void take_segment(struct receiver *r, const struct peer *from, uint32_t type,
                         uint32_t number, const unsigned char *payload, size_t length) {
    struct transfer *t = &r->now;
    struct segment *place = &t->held[number % WINDOW_MAX];
    uint32_t connection = t->connection;
    t->heard = net_seconds();
    t->from = *from; /* NAT may have changed it on the way: the connection number counts */
    t->came++;
    if (type == RESET) {
        end_transfer(r, 0, "the sender has given up");
        return;
    }
    if (number >= t->expected && number - t->expected >= WINDOW_MAX)
        return; /* no room so far ahead: no answer, it will come again */
    if (number < t->expected || place->type != 0) {
        t->again++; /* was here already: answered, not written */
    } else {
        t->ahead += number != t->expected;
        memcpy(place->payload, payload, length);
        place->length = length;
        place->type = type;
        write_in_order(r);
    }
    if (t->file != NULL)
        answer(r, from, connection, ACK, number, t->expected);
    else if (r->former[(r->ended - 1) % FORMER].whole) /* that was all of it */
        answer(r, from, connection, ACK, number, t->expected);
    else
        answer(r, from, connection, RESET, NOT_WHOLE, 0);
}

static void take_datagram(struct receiver *r, const struct peer *from,
                          const unsigned char *bytes, size_t count) {
    struct transfer *t = &r->now;
    /* Bounds first, then the checksum, and only then is any field believed. No answer to
     * what is damaged: not even the address of its sender can be trusted. The timer there
     * will see to it. */
    if (count < HEADER || count > HEADER + DATA_MAX ||
        get32(bytes) != crc32(bytes + 4, count - 4)) {
        t->damaged++;
        return;
    }
    uint32_t connection = get32(bytes + 4), number = get32(bytes + 8), type = bytes[16];
    size_t length = get32(bytes + 16) & 0xffff;
    if (length != count - HEADER || type < START || type > RESET || type == ACK)
        return;
    if (t->file == NULL || connection != t->connection) {
        for (unsigned i = 0; i < FORMER && i < r->ended; i++)
            if (r->former[i].connection == connection) {
                if (r->former[i].whole) /* our last ACK was lost: once more */
                    answer(r, from, connection, ACK, number, r->former[i].expected);
                else if (type != RESET)
                    answer(r, from, connection, RESET, GIVEN_UP, 0);
                return;
            }
        if (type == RESET)
            return; /* a RESET is never answered by a RESET: that would go on for ever */
        if (type != START || number != 0 || length != 8) {
            answer(r, from, connection, RESET, UNKNOWN, 0); /* as TCP's RST */
            return;
        }
        if (t->file != NULL) {
            answer(r, from, connection, RESET, BUSY, 0);
            return;
        }
        begin(r, from, connection, get64(bytes + HEADER));
        return;
    }
    take_segment(r, from, type, number, bytes + HEADER, length);
}

/* Waits for datagrams, and never longer than `ms`; takes what is there, but not endlessly,
 * so that a flood does not stop the clock. 0, or -1. */
static int receive(struct receiver *r, int ms) {
    struct pollfd arrival = {.fd = r->s, .events = POLLIN};
    int ready = poll(&arrival, 1, ms);
    if (ready < 0 && net_error() != NET_E(INTR)) {
        net_perror(net_error(), "arq_receiver: poll");
        return -1;
    }
    for (int n = 0; n < AT_ONCE && ready > 0; n++) {
        unsigned char bytes[HEADER + DATA_MAX + 1]; /* 1 more: what is too long shows */
        struct peer from = {.length = sizeof from.address};
        ssize_t count = recvfrom(r->s, (char *)bytes, sizeof bytes, 0,
                                 (struct sockaddr *)&from.address, &from.length);
        if (count < 0 && net_would_block(net_error()))
            break;
        /* Windows reports here what became of an answer of ours (WSAECONNRESET), or a
         * datagram longer than the buffer (WSAEMSGSIZE). One sender's end, not ours. */
        if (count >= 0)
            take_datagram(r, &from, bytes, (size_t)count);
        else if (net_error() == NET_E(BADF) || net_error() == NET_E(NOTSOCK))
            return -1;
    }
    return 0;
}

/* A line every two seconds for a transfer that takes longer. */
static void show_progress(struct transfer *t) {
    double now = net_seconds();
    if (t->file == NULL || now - t->shown < 2)
        return;
    t->shown = now;
    printf("%08x: %llu of %llu bytes\n", (unsigned)t->connection,
           (unsigned long long)t->written, (unsigned long long)t->announced);
}

/* The passive end: bound to an address. UDP has no listen() and no accept(). */
static socket_t open_at(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_PASSIVE}, *address;
    int failed = getaddrinfo(host, port, &hints, &address);
    if (failed != 0) {
        fprintf(stderr, "arq_receiver: %s port %s: %s\n", host, port, gai_strerror(failed));
        return NO_SOCKET;
    }
    socket_t s = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    int room = BUFFER; /* a wish: Linux allows some 200 KB to ordinary users */
    if (s == NO_SOCKET) {
        net_perror(net_error(), "arq_receiver: socket");
    } else {
        setsockopt(s, SOL_SOCKET, SO_RCVBUF, (const void *)&room, sizeof room);
        if (bind(s, address->ai_addr, (socklen_t)address->ai_addrlen) < 0 ||
            net_nonblocking(s, 1) < 0) {
            net_perror(net_error(), "arq_receiver: bind %s:%s", host, port);
            net_close(s);
            s = NO_SOCKET;
        }
    }
    freeaddrinfo(address);
    return s;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf(
            "usage: arq_receiver [--once] [--idle MS] [HOST PORT [FILE]]\n"
            "Writes each file that arq_sender sends to FILE, once it is whole. 127.0.0.1 "
            "7000\nreceived unless given; port 0 takes any free one. --once: ends after "
            "one file.\n--idle MS: a sender silent for so long is given up (%d).\n",
            IDLE_MS);
        return 0;
    }
    int once = 0, idle_ms = IDLE_MS, i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        char *end = "?";
        long ms = 0;
        if (strcmp(argv[i], "--once") == 0) {
            once = 1;
            continue;
        }
        if (strcmp(argv[i], "--idle") == 0 && i + 1 < argc)
            ms = strtol(argv[++i], &end, 10);
        if (*end != '\0' || ms < 1 || ms > IDLE_MOST_MS) {
            fprintf(stderr, "arq_receiver: %s: see arq_receiver --help\n", argv[i]);
            return 2;
        }
        idle_ms = (int)ms;
    }
    int left = argc - i;
    if (left != 0 && left != 2 && left != 3) {
        fprintf(stderr, "arq_receiver: expected HOST PORT [FILE] or nothing; "
                        "see arq_receiver --help\n");
        return 2;
    }
    const char *host = left >= 2 ? argv[i] : "127.0.0.1";
    const char *port = left >= 2 ? argv[i + 1] : "7000";

    static struct receiver r; /* more than a megabyte: too much for some stacks */
    char part[PATH_LIMIT];
    r.path = left == 3 ? argv[i + 2] : "received";
    r.part = part;
    if (snprintf(part, sizeof part, "%s.part", r.path) >= (int)sizeof part) {
        fprintf(stderr, "arq_receiver: the name of the file is too long\n");
        return 2;
    }

    if (!net_is_port("arq_receiver", port))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "arq_receiver: start");
        return 1;
    }
    r.s = open_at(host, port);
    if (r.s == NO_SOCKET)
        return 1;
    struct peer own = {.length = sizeof own.address};
    char name[NET_ADDRESS_MAX];
    if (getsockname(r.s, (struct sockaddr *)&own.address, &own.length) < 0) {
        net_perror(net_error(), "arq_receiver: getsockname");
        return 1;
    }
    printf("listening on %s\n", net_address(&own.address, own.length, name));
#ifndef _WIN32 /* Windows has no sigaction(), and Ctrl-C ends the program there */
    struct sigaction interrupt = {.sa_handler = on_interrupt}; /* poll() returns */
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &interrupt, NULL);
#else
    (void)on_interrupt;
#endif

    /* With --once we stay for a while after a whole file. The sender may not know yet that
     * it is whole: our ACK of its FIN may be lost, and then the FIN comes again. For how
     * long? No exchange can make both ends sure of the same thing: the last message is
     * always unsure (the problem of the two armies). Three seconds are long
     * enough for many repetitions. TCP: TIME_WAIT. */
    double whole_at = 0;
    while (!stop &&
           (whole_at == 0 || r.now.file != NULL || net_seconds() - whole_at < LINGER_S)) {
        if (receive(&r, r.now.file != NULL && idle_ms < 100 ? idle_ms : 100) < 0)
            break;
        if (r.now.file != NULL && (net_seconds() - r.now.heard) * 1000 >= idle_ms) {
            answer(&r, &r.now.from, r.now.connection, RESET, GIVEN_UP, 0);
            end_transfer(&r, 0, "the sender has been silent too long");
        }
        if (once && r.whole > 0 && whole_at == 0) {
            whole_at = net_seconds();
            printf("staying %d s, in case our last ACK is lost\n", LINGER_S);
        }
        show_progress(&r.now);
    }
    if (r.now.file != NULL) {
        answer(&r, &r.now.from, r.now.connection, RESET, GIVEN_UP, 0);
        end_transfer(&r, 0, "interrupted");
    }
    net_close(r.s);
    net_stop();
    return once && r.whole == 0 ? 1 : 0;
}
