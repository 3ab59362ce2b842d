/* framed_server.c - messages in a stream: each is preceded by its length.
 *
 *     0       4                4 + length
 *     +-------+----------------+-------+----
 *     | 00 00 | h  e  l  l  o  | 00 00 | w ...   4 bytes of length, most significant first
 *     | 00 05 |                | 00 05 |         ("network byte order"), then the message
 *     +-------+----------------+-------+----
 * The receiver takes exactly 4 bytes, then exactly as many as they say, however the stream
 * comes in pieces. A length comes from a stranger: it is checked before it is believed.
 *
 * Usage:     framed_server [HOST PORT]   (127.0.0.1 7000; port 0 takes any free one)
 * Compile:   cc -o framed_server framed_server.c   (Windows: add -lws2_32)
 * Try it:    ./framed_server             listening on 127.0.0.1:7000
 *            in a second terminal:       ./framed_client 127.0.0.1 7000 hello "two words"
 *            a stranger:                 ./client 127.0.0.1 7000 "GET / HTTP/1.0"
 * Look for:  the stranger's "GET " read as a length, 1195725856, and refused.
 * See also:  framed_client.c; no_boundaries.c for why; server.c for the calls in main.
 */
#include "../common/net.h"
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

enum {
    BACKLOG = 128,
    HEADER = 4, /* bytes of length before each message */
    MESSAGE_LIMIT =
        16 * 1024, /* a longer one is refused: part of the protocol, as is HEADER */
    IDLE_LIMIT_MS = 60 * 1000
};

static volatile sig_atomic_t stop; /* as in server.c */
#ifndef _WIN32
static void on_interrupt(int signal_number) {
    (void)signal_number;
    stop = 1;
    alarm(1);
}
#endif

static int send_all(socket_t s, const unsigned char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(s, (const void *)bytes, (io_len)count, 0);
        if (sent < 0 && net_error() == NET_E(INTR) && !stop)
            continue;
        if (sent < 0)
            return -1;
        bytes += sent;
        count -= (size_t)sent;
    }
    return 0;
}

static void complain(const char *call, const char *peer, const char *in_vain) {
    int err = net_error();
    if (stop)
        return;
    if (net_would_block(err) || err == NET_E(TIMEDOUT))
        fprintf(stderr, "framed_server: %s %s: %s for %d s, given up (%s)\n", call, peer,
                in_vain, IDLE_LIMIT_MS / 1000, net_error_name(err));
    else
        net_perror(err, "framed_server: %s %s", call, peer);
}

/* As many recv() as it takes to get `wanted` bytes. Returns how many came before the peer's
 * FIN: fewer than wanted means that the stream has ended. -1 is an error. */
static long recv_exactly(socket_t s, unsigned char *bytes, size_t wanted) {
    size_t got = 0;
    while (got < wanted) {
        ssize_t count = recv(s, (void *)(bytes + got), (io_len)(wanted - got), 0);
        if (count == 0)
            break;
        if (count < 0 && net_error() == NET_E(INTR) && !stop)
            continue;
        if (count < 0)
            return -1;
        got += (size_t)count;
    }
    return (long)got;
}

/* Receives one message and sends it back. Returns 1, or 0 when this client has ended: in
 * order, which is at a boundary, or else with a line that says what was wrong. */
static int echo_message(socket_t client, const char *peer, unsigned number) {
    unsigned char frame[HEADER + MESSAGE_LIMIT];
    long got = recv_exactly(client, frame, HEADER);
    if (got == 0) {
        printf("%s: end of stream after %u messages\n", peer, number - 1);
        return 0;
    }
    if (got > 0 && got < HEADER) {
        fprintf(stderr,
                "framed_server: %s: truncated: the stream ended after %ld of the %d bytes "
                "of a length\n",
                peer, got, HEADER);
        return 0;
    }
    if (got == HEADER) {
        /* Put together byte by byte: right whatever the byte order of this machine. */
        uint32_t length = (uint32_t)frame[0] << 24 | (uint32_t)frame[1] << 16 |
                          (uint32_t)frame[2] << 8 | (uint32_t)frame[3];
        if (length > MESSAGE_LIMIT) {
            /* Where the next message begins cannot be known now: only closing is left. */
            fprintf(stderr,
                    "framed_server: %s: refused: length %lu is over the limit of %d\n",
                    peer, (unsigned long)length, MESSAGE_LIMIT);
            return 0;
        }
        got = recv_exactly(client, frame + HEADER, length);
        if (got >= 0 && got < (long)length) {
            fprintf(stderr,
                    "framed_server: %s: truncated: the stream ended after %ld of the %lu "
                    "bytes of message %u\n",
                    peer, got, (unsigned long)length, number);
            return 0;
        }
        if (got >= 0) {
            printf("%s: message %u, %lu bytes\n", peer, number, (unsigned long)length);
            /* In one send(): length and message leave together. */
            if (send_all(client, frame, HEADER + (size_t)length) == 0)
                return 1;
            complain("send to", peer, "not reading");
            return 0;
        }
    }
    complain("recv from", peer, "silent");
    return 0;
}

/* As in server.c: the first address of the name that can be bound. */
static socket_t listen_on(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int failed = getaddrinfo(host, port, &hints, &list);
    if (failed != 0) {
        fprintf(stderr, "framed_server: %s port %s: %s\n", host, port,
                gai_strerror(failed));
        return NO_SOCKET;
    }
    char name[NET_ADDRESS_MAX];
    socket_t s = NO_SOCKET;
    for (struct addrinfo *a = list; a != NULL && s == NO_SOCKET; a = a->ai_next) {
        s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (s == NO_SOCKET) {
            net_perror(net_error(), "framed_server: socket");
            continue;
        }
        int on = 1;
#ifdef _WIN32
        int option = SO_EXCLUSIVEADDRUSE;
#else
        int option = SO_REUSEADDR;
#endif
        if (setsockopt(s, SOL_SOCKET, option, (const void *)&on, sizeof on) < 0)
            net_perror(net_error(), "framed_server: setsockopt");
        if (bind(s, a->ai_addr, (socklen_t)a->ai_addrlen) < 0 || listen(s, BACKLOG) < 0) {
            int err = net_error();
            net_address(a->ai_addr, (socklen_t)a->ai_addrlen, name);
            net_perror(err, "framed_server: bind %s", name);
            net_close(s);
            s = NO_SOCKET;
        }
    }
    freeaddrinfo(list);
    struct sockaddr_storage own;
    socklen_t own_length = sizeof own;
    if (s != NO_SOCKET && getsockname(s, (struct sockaddr *)&own, &own_length) == 0)
        printf("listening on %s\n", net_address(&own, own_length, name));
    return s;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: framed_server [HOST PORT]\n"
               "Sends back each message of up to %d bytes, one client at a time.\n"
               "HOST and PORT are 127.0.0.1 and 7000 unless given; port 0 takes any free "
               "one.\n",
               MESSAGE_LIMIT);
        return 0;
    }
    if (argc != 1 && argc != 3) {
        fprintf(stderr,
                "framed_server: expected HOST PORT or nothing; see framed_server --help\n");
        return 2;
    }
    const char *host = argc == 3 ? argv[1] : "127.0.0.1";
    const char *port = argc == 3 ? argv[2] : "7000";
    if (!net_is_port("framed_server", port))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "framed_server: start");
        return 1;
    }
#ifndef _WIN32
    struct sigaction interrupt = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &interrupt, NULL);
    sigaction(SIGALRM, &interrupt, NULL);
#endif
    socket_t listener = listen_on(host, port);
    if (listener == NO_SOCKET)
        return 1;

    while (!stop) {
        struct sockaddr_storage from;
        socklen_t from_length = sizeof from;
        socket_t client = accept(listener, (struct sockaddr *)&from, &from_length);
        if (client == NO_SOCKET) {
            err = net_error();
            if (err == NET_E(INTR))
                continue;
            net_perror(err, "framed_server: accept");
            if (err == NET_E(BADF) || err == NET_E(INVAL) || err == NET_E(NOTSOCK))
                return 1;
            net_sleep(100);
            continue;
        }
        char peer[NET_ADDRESS_MAX];
        net_address(&from, from_length, peer);
        if (net_timeout(client, SO_RCVTIMEO, IDLE_LIMIT_MS) < 0 ||
            net_timeout(client, SO_SNDTIMEO, IDLE_LIMIT_MS) < 0)
            net_perror(net_error(), "framed_server: setsockopt");
        unsigned number = 1;
        while (!stop && echo_message(client, peer, number))
            number++;
        /* After a refusal there may be bytes that we have not read: then the kernel sends
         * RST and not FIN, which tells the client that its bytes did not arrive. */
        net_close(client);
    }
    net_close(listener);
    net_stop();
    printf("stopped\n");
    if (fflush(stdout) != 0 || ferror(stdout)) { /* the clients were served all the same */
        fprintf(stderr, "framed_server: not all of the log could be written\n");
        return 1;
    }
    return 0;
}
