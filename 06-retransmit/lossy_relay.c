/* lossy_relay.c - a bad network: datagrams pass it late, twice, damaged or never.
 *
 * Usage:     lossy_relay [OPTION...] [HOST PORT SERVER_HOST SERVER_PORT]
 *            (127.0.0.1 7001, and on to 127.0.0.1 7000; port 0 takes any free one)
 *            --loss P --duplicate P --reorder P --damage P    per cent, in each direction
 *            --delay MS     each datagram is held for so long
 *            --seed N       same seed, same dice: the same run again
 *            --verbose      a line for each datagram, with its fate
 * Compile:   cc -o lossy_relay lossy_relay.c    (Windows: add -lws2_32)
 * Try it:    ./arq_receiver                     in one terminal
 *            ./lossy_relay --loss 30 --seed 7   in another: listening on 127.0.0.1:7001
 *            ./arq_sender 127.0.0.1 7001 arq_sender.c        in a third
 * Look for:  the relay knows nothing of the protocol, so it can stand before any UDP
 *            server: that of 03-udp-echo listens on port 7000 as well.
 *            The wire does this to real segments of TCP, below the kernel: lost-data.scene
 * See also:  arq_sender.c, arq_receiver.c
 */
#include "../common/net.h"
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

enum {
    LARGEST = 2048,    /* larger datagrams are refused, and counted */
    QUEUE = 4096,      /* datagrams held at once; one more is lost, as in a router */
    HELD_BACK_MS = 10, /* a datagram chosen for it waits up to so much longer than others */
    BUFFER = 1024 * 1024, /* asked of the kernel, for a whole window may come at once */
    AT_ONCE = 256,        /* datagrams taken before others have their turn */
    QUIET_S = 1           /* after such a silence the counts are printed */
};

enum { UP, DOWN }; /* from the client to the server, and back */

struct options {
    uint64_t seed;
    int loss, duplicate, reorder, damage, delay_ms, verbose;
};

struct held {
    unsigned char bytes[LARGEST];
    size_t length;
    int way;
    double due;
    unsigned long long number, queued; /* which of its way; which of all, for equal times */
};

struct counts {
    unsigned long long came, lost, damaged, doubled, overtaken, refused, sent, last_out;
};

struct relay {
    struct options o;
    socket_t front, back; /* where the clients send to; from where we speak to the server */
    struct sockaddr_storage client;
    socklen_t client_length; /* 0: none yet */
    struct counts counts[2];
    unsigned long long queued;
    int count; /* of `held`, in no order */
    struct held held[QUEUE];
};

/* Ctrl-C sets this. */
static volatile sig_atomic_t stop;
static void on_interrupt(int signal_number) {
    (void)signal_number;
    stop = 1;
}

/* splitmix64: numbers that look random, and are all settled by the first state. */
static uint64_t draw(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static int chance(uint64_t *state, int per_cent) {
    return draw(state) % 100 < (uint64_t)per_cent;
}

static void log_fate(const struct relay *r, int way, unsigned long long number,
                     const char *fate) {
    if (r->o.verbose)
        printf("%s %llu: %s\n", way == UP ? "to the server" : "to the client", number,
               fate);
}

static void hold(struct relay *r, int way, unsigned long long number,
                 const unsigned char *bytes, size_t length, double due) {
    if (r->count == QUEUE) {
        r->counts[way].refused++;
        log_fate(r, way, number, "lost: the queue is full");
        return;
    }
    struct held *h = &r->held[r->count++];
    memcpy(h->bytes, bytes, length);
    h->length = length;
    h->way = way;
    h->due = due;
    h->number = number;
    h->queued = r->queued++;
}

/* Rolls the dice for one datagram. Each has its own, made from the seed, its way and its
 * number: with that seed datagram 17 has the same fate in every run. */
static void take(struct relay *r, int way, unsigned char *bytes, size_t length) {
    struct counts *c = &r->counts[way];
    unsigned long long number = ++c->came;
    uint64_t dice = r->o.seed ^ (uint64_t)way << 63 ^ number << 20;
    draw(&dice);
    /* All are thrown, also those nobody looks at: more loss does not shift the others. */
    int lost = chance(&dice, r->o.loss), doubled = chance(&dice, r->o.duplicate);
    int late = chance(&dice, r->o.reorder), damaged = chance(&dice, r->o.damage);
    double extra = (double)(draw(&dice) % (HELD_BACK_MS * 1000)) / 1e6;
    double twin = (double)(draw(&dice) % (HELD_BACK_MS * 1000)) / 1e6;
    uint64_t where = draw(&dice), bit = draw(&dice) % 8;

    if (lost) {
        c->lost++;
        log_fate(r, way, number, "lost");
        return; /* and nobody is told */
    }
    double due = net_seconds() + r->o.delay_ms / 1000.0;
    /* We damage what UDP has delivered, and send it in a new datagram with a new, correct
     * UDP checksum. On a cable UDP's own checksum would find it, and the receiver's kernel
     * drop it. */
    if (damaged && length > 0) {
        bytes[where % length] ^= (unsigned char)(1 << bit);
        c->damaged++;
    }
    if (doubled) {
        hold(r, way, number, bytes, length, due + twin);
        c->doubled++;
    }
    hold(r, way, number, bytes, length, late ? due + extra : due);
    char fate[80];
    snprintf(fate, sizeof fate, "passed%s%s%s", damaged && length > 0 ? ", damaged" : "",
             doubled ? ", twice" : "", late ? ", held back" : "");
    log_fate(r, way, number, fate);
}

static void send_on(struct relay *r, const struct held *h) {
    struct counts *c = &r->counts[h->way];
    ssize_t sent = 0;
    if (h->way == UP)
        sent = send(r->back, (const char *)h->bytes, (io_len)h->length, 0);
    else
        sent = sendto(r->front, (const char *)h->bytes, (io_len)h->length, 0,
                      (const struct sockaddr *)&r->client, r->client_length);
    if (sent < 0) { /* nobody is there just now, or the kernel's buffer is full */
        c->refused++;
        return;
    }
    c->sent++;
    if (h->number < c->last_out)
        c->overtaken++; /* seen to be, not only meant to be */
    else
        c->last_out = h->number;
}

/* Sends what is due, in the order of its time, and returns the ms until the next is. */
static int send_due(struct relay *r) {
    for (;;) {
        int first = 0;
        for (int i = 1; i < r->count; i++)
            if (r->held[i].due < r->held[first].due ||
                (r->held[i].due <= r->held[first].due &&
                 r->held[i].queued < r->held[first].queued))
                first = i;
        if (r->count == 0)
            return QUIET_S * 1000;
        double left = r->held[first].due - net_seconds();
        if (left > 0)
            return left < QUIET_S ? (int)(left * 1000) + 1 : QUIET_S * 1000;
        send_on(r, &r->held[first]);
        r->held[first] = r->held[--r->count];
    }
}

/* Takes what has come from one side: not endlessly, so that a flood does not stop the
 * rest. */
static void receive(struct relay *r, int way) {
    for (int n = 0; n < AT_ONCE; n++) {
        unsigned char bytes[LARGEST + 1]; /* one more: a longer one is seen to be */
        struct sockaddr_storage from;
        socklen_t from_length = sizeof from;
        ssize_t count = recvfrom(way == UP ? r->front : r->back, (char *)bytes,
                                 sizeof bytes, 0, (struct sockaddr *)&from, &from_length);
        if (count < 0) {
            int err = net_error();
            if (err == NET_E(MSGSIZE)) { /* Windows: longer than the buffer */
                r->counts[way].refused++;
                continue;
            }
            /* An earlier datagram found no one (ICMP "port unreachable"): ECONNREFUSED, on
             * Windows WSAECONNRESET. There may be more behind it. */
            if (err == NET_E(CONNREFUSED) || err == NET_E(CONNRESET) || err == NET_E(INTR))
                continue;
            return; /* no more for now */
        }
        /* DELIBERATE: one client at a time, the last who spoke. A router that serves many
         * (NAT) has a port for each, and so knows whom an answer is for. */
        if (way == UP) {
            r->client = from;
            r->client_length = from_length;
        } else if (r->client_length == 0) {
            continue;
        }
        if (count > LARGEST)
            r->counts[way].refused++;
        else
            take(r, way, bytes, (size_t)count);
    }
}

static void report(const struct relay *r) {
    printf("%-14s %9s %9s %9s %9s %9s %9s %9s\n", "", "came", "lost", "damaged", "doubled",
           "refused", "sent on", "overtaken");
    for (int way = UP; way <= DOWN; way++) {
        const struct counts *c = &r->counts[way];
        printf("%-14s %9llu %9llu %9llu %9llu %9llu %9llu %9llu\n",
               way == UP ? "to the server" : "to the client", c->came, c->lost, c->damaged,
               c->doubled, c->refused, c->sent, c->overtaken);
    }
}

/* One address of host and port, bound (the front) or connected to (the back). */
static socket_t open_at(const char *host, const char *port, int front) {
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *a;
    int failed = getaddrinfo(host, port, &hints, &a);
    if (failed != 0) {
        fprintf(stderr, "lossy_relay: %s port %s: %s\n", host, port, gai_strerror(failed));
        return NO_SOCKET;
    }
    socket_t s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
    int room = BUFFER; /* a wish: Linux allows some 200 KB to ordinary users */
    if (s == NO_SOCKET) {
        net_perror(net_error(), "lossy_relay: socket");
    } else {
        setsockopt(s, SOL_SOCKET, SO_RCVBUF, (const void *)&room, sizeof room);
        if ((front ? bind(s, a->ai_addr, (socklen_t)a->ai_addrlen)
                   : connect(s, a->ai_addr, (socklen_t)a->ai_addrlen)) < 0 ||
            net_nonblocking(s, 1) < 0) {
            net_perror(net_error(), "lossy_relay: %s %s:%s", front ? "bind" : "connect",
                       host, port);
            net_close(s);
            s = NO_SOCKET;
        }
    }
    freeaddrinfo(a);
    return s;
}

static int take_options(int argc, char **argv, struct options *o) {
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        char *end = "?";
        long long value = 0, most = 100;
        if (strcmp(argv[i], "--verbose") == 0) {
            o->verbose = 1;
            continue;
        }
        const char *name = argv[i] + 2;
        if (i + 1 < argc && *argv[i + 1] != '\0')
            value = strtoll(argv[++i], &end, 10);
        if (strcmp(name, "loss") == 0)
            o->loss = (int)value;
        else if (strcmp(name, "duplicate") == 0)
            o->duplicate = (int)value;
        else if (strcmp(name, "reorder") == 0)
            o->reorder = (int)value;
        else if (strcmp(name, "damage") == 0)
            o->damage = (int)value;
        else if (strcmp(name, "delay") == 0)
            o->delay_ms = (int)value, most = 10 * 1000;
        else if (strcmp(name, "seed") == 0)
            o->seed = (uint64_t)value, most = INT64_MAX;
        else
            end = "?";
        if (*end != '\0' || value < 0 || value > most) {
            fprintf(stderr, "lossy_relay: --%s: see lossy_relay --help\n", name);
            return -1;
        }
    }
    if (argc != i && argc != i + 4) {
        fprintf(stderr,
                "lossy_relay: expected HOST PORT SERVER_HOST SERVER_PORT or nothing; "
                "see lossy_relay --help\n");
        return -1;
    }
    return i;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: lossy_relay [OPTION...] [HOST PORT SERVER_HOST SERVER_PORT]\n"
               "Passes UDP datagrams between clients at HOST PORT (127.0.0.1 7001) and a "
               "server "
               "at\nSERVER_HOST SERVER_PORT (127.0.0.1 7000), badly:\n"
               "  --loss P --duplicate P --reorder P --damage P   per cent, each way\n"
               "  --delay MS    each is held for so long\n"
               "  --seed N      the same seed makes the same dice\n"
               "  --verbose     a line for each datagram\n");
        return 0;
    }
    static struct relay r; /* eight megabytes: too much for the stack */
    r.o.seed = (uint64_t)time(NULL);
    int i = take_options(argc, argv, &r.o);
    if (i < 0)
        return 2;
    int given = argc - i == 4;

    if (given && (!net_is_port("lossy_relay", argv[i + 1]) ||
                  !net_is_port("lossy_relay", argv[i + 3])))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "lossy_relay: start");
        return 1;
    }
    r.front = open_at(given ? argv[i] : "127.0.0.1", given ? argv[i + 1] : "7001", 1);
    r.back = open_at(given ? argv[i + 2] : "127.0.0.1", given ? argv[i + 3] : "7000", 0);
    if (r.front == NO_SOCKET || r.back == NO_SOCKET)
        return 1;
    struct sockaddr_storage own;
    socklen_t own_length = sizeof own;
    char name[NET_ADDRESS_MAX];
    if (getsockname(r.front, (struct sockaddr *)&own, &own_length) < 0) {
        net_perror(net_error(), "lossy_relay: getsockname");
        return 1;
    }
    printf("listening on %s\n", net_address(&own, own_length, name));
    printf("--seed %llu repeats these dice\n", (unsigned long long)r.o.seed);
#ifndef _WIN32 /* Windows has no sigaction(), and Ctrl-C ends the program there */
    struct sigaction interrupt = {.sa_handler = on_interrupt}; /* poll() returns */
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &interrupt, NULL);
#else
    (void)on_interrupt;
#endif

    unsigned long long reported = 0;
    while (!stop) {
        struct pollfd side[2] = {{.fd = r.front, .events = POLLIN},
                                 {.fd = r.back, .events = POLLIN}};
        int ready = poll(side, 2, send_due(&r));
        if (ready < 0 && net_error() != NET_E(INTR)) {
            net_perror(net_error(), "lossy_relay: poll");
            return 1;
        }
        if (ready > 0 && side[UP].revents != 0)
            receive(&r, UP);
        if (ready > 0 && side[DOWN].revents != 0)
            receive(&r, DOWN);
        unsigned long long came = r.counts[UP].came + r.counts[DOWN].came;
        if (ready == 0 && r.count == 0 && came != reported) { /* a silence: a run is over */
            report(&r);
            reported = came;
        }
    }
    report(&r);
    net_close(r.front);
    net_close(r.back);
    net_stop();
    return 0;
}
