/* same_pair.c - one pair of addresses and ports, used for one connection after the other.
 *
 * Usage:     same_pair OWN_PORT HOST PORT FIRST says MESSAGE...
 *            same_pair OWN_PORT HOST PORT FIRST reads COUNT
 * Compile:   cc -o same_pair same_pair.c
 * Try it:    build/wire 05-close-states/no-time-wait-old-segment.scene
 *            (choosing FIRST needs CAP_NET_ADMIN, which programs have on the wire)
 * Look for:  the second connection has the same four numbers as the first: own address and
 *            port, peer's address and port. Nothing in a segment tells which of the two it
 *            belongs to, but its sequence numbers. TCP therefore begins each connection
 *            with another number (RFC 9293 3.4.1), and keeps TIME_WAIT for when that is
 *            not enough. Here both ends choose their first number themselves, FIRST, each
 *            time the same: what was a matter of luck on the networks of old happens every
 *            time.
 * See also:  time-wait-old-segment.scene; 04-handshake-trace/simultaneous-open.scene: both
 *            ends connect(), for only who connects can choose
 */
#include "../common/net.h"
#include <stdlib.h>

enum {
    MESSAGE = 8, /* all messages are this long, so that each end knows where one ends */
    WAIT_MS = 20 * 1000,
    TRIES = 200, /* of connect(), for a peer that is not there yet */
    TRY_AGAIN_MS = 50
};

/* The kernel chooses a connection's first sequence number, except for a socket "in
 * repair": made for moving a living connection to another machine (Linux, tcp(7):
 * TCP_REPAIR). Returns 0 or an error. */
static int choose_first_number(socket_t s, unsigned first) {
#ifdef __linux__
    enum { REPAIR = 19, REPAIR_QUEUE = 20, QUEUE_SEQ = 21, SEND_QUEUE = 2 };
    int on = 1, off = -1 /* without sending a window probe */, queue = SEND_QUEUE;
    if (setsockopt(s, IPPROTO_TCP, REPAIR, &on, sizeof on) < 0 ||
        setsockopt(s, IPPROTO_TCP, REPAIR_QUEUE, &queue, sizeof queue) < 0 ||
        setsockopt(s, IPPROTO_TCP, QUEUE_SEQ, &first, sizeof first) < 0 ||
        setsockopt(s, IPPROTO_TCP, REPAIR, &off, sizeof off) < 0)
        return net_error();
    return 0;
#else
    (void)s;
    (void)first;
    return NET_E(OPNOTSUPP); /* no other system lets a program choose it */
#endif
}

/* Connects from the given port. Both ends do so, towards each other: the SYNs cross, and
 * there is one connection (RFC 9293 figure 7). Until the other has begun, our SYN is
 * answered by RST. */
static socket_t open_pair(unsigned short own_port, const struct addrinfo *peer,
                          unsigned first) {
    for (int i = 0; i < TRIES; i++) {
        struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(own_port)};
        int on = 1;
        socket_t s = socket(AF_INET, SOCK_STREAM, 0);
        if (s == NO_SOCKET) {
            net_perror(net_error(), "same_pair: socket");
            return NO_SOCKET;
        }
        int err = choose_first_number(s, first);
        if (err != 0) {
            net_perror(err, "same_pair: choosing the first sequence number");
            net_close(s);
            return NO_SOCKET;
        }
        /* Lets bind() pass although a TIME_WAIT has the port (only after repair, which
         * resets it): connect() then has the last word. */
        setsockopt(s, SOL_SOCKET, SO_REUSEADDR, (const void *)&on, sizeof on);
        if (bind(s, (const struct sockaddr *)&own, sizeof own) == 0 &&
            connect(s, peer->ai_addr, (socklen_t)peer->ai_addrlen) == 0) {
            net_timeout(s, SO_RCVTIMEO, WAIT_MS);
            return s;
        }
        err = net_error();
        net_close(s);
        if (err != NET_E(CONNREFUSED)) {
            /* EADDRNOTAVAIL: this pair of addresses is in TIME_WAIT on this host. */
            net_perror(err, "same_pair: connect from port %u", own_port);
            return NO_SOCKET;
        }
        net_sleep(TRY_AGAIN_MS);
    }
    fprintf(stderr, "same_pair: the other end has not come\n");
    return NO_SOCKET;
}

static const char receipt[MESSAGE + 1] = "received";

/* Reads until message is full. Returns how many bytes came before the peer's FIN, or -1. */
static int read_message(socket_t s, char message[MESSAGE]) {
    int have = 0;
    while (have < MESSAGE) {
        ssize_t count = recv(s, message + have, (io_len)(MESSAGE - have), 0);
        if (count == 0)
            break;
        if (count < 0 && net_error() == NET_E(INTR))
            continue;
        if (count < 0) {
            net_perror(net_error(), "same_pair: recv");
            return -1;
        }
        have += (int)count;
    }
    return have;
}

/* The reading end says that it has read, and closes first: FIN_WAIT_1, TIME_WAIT. */
static int read_and_close(socket_t s) {
    char message[MESSAGE];
    int have = read_message(s, message);
    if (have < 0)
        return -1;
    printf("read \"%.*s\"\n", have, message);
    if (have == MESSAGE && send(s, receipt, MESSAGE, 0) != MESSAGE)
        net_perror(net_error(), "same_pair: send");
    shutdown(s, SHUT_WR);
    have =
        read_message(s, message); /* the other's FIN: nothing more is expected before it */
    net_close(s);
    return have == 0 ? 0 : -1;
}

/* The saying end waits for the other's FIN and closes second. With this linger time
 * close() returns when our FIN is acknowledged: only then is the pair of addresses free on
 * this host. */
static int say_and_close(socket_t s, const char *text) {
    char message[MESSAGE + 1], reply[MESSAGE];
    struct linger patient = {.l_onoff = 1, .l_linger = 5};
    snprintf(message, sizeof message, "%-*s", MESSAGE, text);
    if (send(s, message, MESSAGE, 0) != MESSAGE) {
        net_perror(net_error(), "same_pair: send");
        return -1;
    }
    printf("said \"%s\"\n", message);
    int have = read_message(s, reply);
    if (have == MESSAGE) {
        printf("was told \"%.*s\"\n", MESSAGE, reply);
        have = read_message(s, reply); /* 0: the FIN */
    }
    setsockopt(s, SOL_SOCKET, SO_LINGER, (const void *)&patient, sizeof patient);
    net_close(s);
    return have == 0 ? 0 : -1;
}

static int number(const char *text, unsigned long most, unsigned long *value) {
    char *end;
    *value = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && *value <= most;
}

int main(int argc, char **argv) {
    unsigned long own_port, first, rounds;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: same_pair OWN_PORT HOST PORT FIRST says MESSAGE...\n"
               "       same_pair OWN_PORT HOST PORT FIRST reads COUNT\n"
               "Connects from OWN_PORT to HOST PORT, again and again, each time with the "
               "first\nsequence number FIRST. Linux only; needs CAP_NET_ADMIN.\n");
        return 0;
    }
    if (argc < 7 || (strcmp(argv[5], "says") != 0 && strcmp(argv[5], "reads") != 0)) {
        fprintf(stderr, "same_pair: expected OWN_PORT HOST PORT FIRST says|reads ...; see "
                        "same_pair --help\n");
        return 2;
    }
    int says = strcmp(argv[5], "says") == 0;
    if (!number(argv[1], 65535, &own_port) || own_port == 0 ||
        !number(argv[4], 0xffffffff, &first) || first == 0) {
        fprintf(stderr, "same_pair: OWN_PORT and FIRST are numbers from 1\n");
        return 2;
    }
    rounds = (unsigned long)argc - 6;
    if (!says && (argc != 7 || !number(argv[6], 1000, &rounds))) {
        fprintf(stderr, "same_pair: COUNT is a number up to 1000\n");
        return 2;
    }
    if (!net_is_port("same_pair", argv[3]))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "same_pair: start");
        return 1;
    }
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *peer;
    int failed = getaddrinfo(argv[2], argv[3], &hints, &peer);
    if (failed != 0) {
        fprintf(stderr, "same_pair: %s port %s: %s\n", argv[2], argv[3],
                gai_strerror(failed));
        return 1;
    }
    int result = 0;
    for (unsigned long i = 0; i < rounds && result == 0; i++) {
        socket_t s = open_pair((unsigned short)own_port, peer, (unsigned)first);
        if (s == NO_SOCKET)
            result = -1;
        else
            result = says ? say_and_close(s, argv[6 + i]) : read_and_close(s);
    }
    freeaddrinfo(peer);
    net_stop();
    return result < 0 ? 1 : 0;
}
