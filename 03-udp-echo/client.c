/* client.c - send a datagram, wait for its echo, and decide what to do when none comes.
 *
 * Usage:     client [--timeout MS] [--tries N] HOST PORT [MESSAGE...]
 *            One datagram for each MESSAGE; without any, one empty datagram.
 * Compile:   cc -o client client.c          (Windows: gcc -o client client.c -lws2_32)
 * Try it:    ./server                       in one terminal
 *            ./client 127.0.0.1 7000 hello  in another:
 *                                           "hello" (5 bytes) came back, RTT 0.093 ms
 *            ./client 127.0.0.1 9 hello     where no one listens: ECONNREFUSED
 * Look for:  what TCP does in the kernel is the program's own work here: the timer, sending
 *            again, giving up. Which answer belongs to which question it cannot know for sure:
 *            DELIBERATE: two messages with the same text are the same to it.
 *            On the wire: lost.scene, duplicated.scene
 * See also:  server.c; ../06-retransmit/arq_sender.c, which gives each message a number.
 */
#include "../common/net.h"
#include <stdlib.h>

enum {
    LARGEST = 64 * 1024, /* no datagram is larger: see too_big.c */
    TIMEOUT_MS = 500,    /* how long one try waits: a round trip round the world is less */
    TRIES = 3            /* how often the same message is sent before it is given up */
};

enum outcome { ANSWERED, NO_ANSWER, REFUSED, FAILED };

/* An error of send() or recv(). On a connected UDP socket either may report what became of
 * an earlier datagram: the peer's host answered it with ICMP "port unreachable". */
static enum outcome explain(int err, const char *peer) {
    net_perror(err, "client: %s", peer);
    if (err == NET_E(CONNREFUSED) || err == NET_E(CONNRESET)) /* POSIX; Windows */
        return REFUSED;
    return FAILED;
}

/* Waits until `deadline` for the bytes that were sent. */
static enum outcome await_echo(socket_t s, const char *peer, const char *message,
                               double deadline) {
    static char reply[LARGEST];
    size_t length = strlen(message);
    for (;;) {
        double left = (deadline - net_seconds()) * 1000;
        if (left <= 0)
            return NO_ANSWER;
        int left_ms = (int)left + 1; /* rounded up: 0 would mean "without a limit" */
        /* Without a limit a lost datagram would hang us for ever: nobody reports a loss. */
        if (net_timeout(s, SO_RCVTIMEO, left_ms) < 0)
            return explain(net_error(), peer);
        ssize_t count = recv(s, reply, sizeof reply, 0);
        if (count < 0) {
            int err = net_error();
            if (err == NET_E(INTR))
                continue;
            if (net_would_block(err) || err == NET_E(TIMEDOUT)) /* POSIX; Windows */
                return NO_ANSWER;
            return explain(err, peer);
        }
        /* More than 0, or 0: an empty datagram is data too, not an end of file. */
        if ((size_t)count == length && memcmp(reply, message, length) == 0)
            return ANSWERED;
        /* Perhaps the echo of an earlier message, late or for the second time. */
        printf("(%lld bytes that answer something else: ignored)\n", (long long)count);
    }
}

/* Sends the message, and again, until its echo is here or the tries are used up. */
static enum outcome ask(socket_t s, const char *peer, const char *message, int timeout_ms,
                        int tries) {
    double first = net_seconds();
    for (int n = 1; n <= tries; n++) {
        double sent_at = net_seconds();
        /* One send() is one datagram: all of it goes, or nothing. */
        while (send(s, message, (io_len)strlen(message), 0) < 0) {
            int err = net_error();
            if (err != NET_E(INTR))
                return explain(err, peer);
        }
        enum outcome outcome = await_echo(s, peer, message, sent_at + timeout_ms / 1000.0);
        double now = net_seconds();
        if (outcome == ANSWERED) {
            printf("\"%s\" (%zu bytes) came back", message, strlen(message));
            if (n == 1)
                printf(", RTT %.3f ms\n", (now - sent_at) * 1000);
            else /* It may answer any of the tries, so it gives no RTT: Karn's rule. */
                printf(" %.0f ms after the first of %d tries\n", (now - first) * 1000, n);
        }
        if (outcome != NO_ANSWER)
            return outcome;
        fprintf(stderr, "client: try %d of %d: no answer within %d ms\n", n, tries,
                timeout_ms);
    }
    return NO_ANSWER;
}

/* connect() on a UDP socket sends nothing. It notes the peer's address, so that the kernel
 * lets only the peer's datagrams in, and can tell this socket when nobody is there. */
static socket_t open_to(const struct addrinfo *a, const char *peer) {
    socket_t s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
    if (s == NO_SOCKET) {
        net_perror(net_error(), "client: socket");
        return NO_SOCKET;
    }
    if (connect(s, a->ai_addr, (socklen_t)a->ai_addrlen) < 0) {
        net_perror(net_error(), "client: connect %s", peer);
        net_close(s);
        return NO_SOCKET;
    }
    return s;
}

/* A whole number from 1 to a million, or 0. */
static int number(const char *text) {
    char *end;
    long value = strtol(text, &end, 10);
    return *text == '\0' || *end != '\0' || value < 1 || value > 1000000 ? 0 : (int)value;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: client [--timeout MS] [--tries N] HOST PORT [MESSAGE...]\n"
               "Sends each MESSAGE as one UDP datagram and waits MS (%d) for its echo.\n"
               "If none comes it sends the message again, N times in all (%d).\n",
               TIMEOUT_MS, TRIES);
        return 0;
    }
    int timeout_ms = TIMEOUT_MS, tries = TRIES, i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        int *option = strcmp(argv[i], "--timeout") == 0 ? &timeout_ms
                      : strcmp(argv[i], "--tries") == 0 ? &tries
                                                        : NULL;
        if (option == NULL || (*option = number(argv[i + 1])) == 0) {
            fprintf(stderr, "client: %s %s: see client --help\n", argv[i], argv[i + 1]);
            return 2;
        }
    }
    if (argc - i < 2) {
        fprintf(stderr, "client: expected HOST PORT [MESSAGE...]; see client --help\n");
        return 2;
    }
    const char *host = argv[i], *port = argv[i + 1];
    char *empty[] = {"", NULL};
    char **messages = argc - i > 2 ? argv + i + 2 : empty;
    int wanted = argc - i > 2 ? argc - i - 2 : 1;

    if (!net_is_port("client", port))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "client: start");
        return 1;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *list;
    int failed = getaddrinfo(host, port, &hints, &list);
    if (failed != 0) {
        fprintf(stderr, "client: %s port %s: %s\n", host, port, gai_strerror(failed));
        return 1;
    }

    /* A name may have several addresses. connect() cannot find out which of them has a
     * server, so the next one is tried when an answer says: nobody here. */
    enum outcome outcome = REFUSED;
    int asked = 0, answered = 0;
    for (struct addrinfo *a = list; a != NULL && outcome == REFUSED; a = a->ai_next) {
        char peer[NET_ADDRESS_MAX];
        net_address(a->ai_addr, (socklen_t)a->ai_addrlen, peer);
        socket_t s = open_to(a, peer);
        if (s == NO_SOCKET)
            continue;
        do {
            outcome = ask(s, peer, messages[asked], timeout_ms, tries);
            asked += outcome == ANSWERED || outcome == NO_ANSWER;
            answered += outcome == ANSWERED;
        } while (asked < wanted && (outcome == ANSWERED || outcome == NO_ANSWER));
        net_close(s);
    }
    freeaddrinfo(list);
    net_stop();
    printf("%d of %d answered\n", answered, wanted);
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "client: not all could be written to standard output\n");
        return 1;
    }
    return answered == wanted ? 0 : 1;
}
