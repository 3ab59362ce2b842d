/* server.c - no connection: wait for a datagram, from anyone, and send it back.
 *
 * Usage:     server [HOST PORT]         (127.0.0.1 7000; port 0 takes any free one)
 * Compile:   cc -o server server.c      (Windows: gcc -o server server.c -lws2_32)
 * Try it:    ./server                   listening on 127.0.0.1:7000
 *            in a second terminal:      ./client 127.0.0.1 7000 hello
 *                                       "hello" (5 bytes) came back, RTT 0.093 ms
 * Look for:  `ss -uan` or `netstat -an` shows one UDP socket, never a second, however many
 *            clients there are: no listen(), no accept(), no states.
 * See also:  client.c; ../02-tcp-echo/server.c, the same service over TCP.
 */
#include "../common/net.h"
#include <signal.h>

/* A datagram has at most 65,507 bytes over IPv4, 65,527 over IPv6 (see too_big.c).
 * recvfrom() cuts off and throws away what does not fit, so nothing less will do. */
enum { LARGEST = 64 * 1024 };

/* Ctrl-C sets this; the loop in main sees it and ends in order. */
static volatile sig_atomic_t stop;
static void on_interrupt(int signal_number) {
    (void)signal_number;
    stop = 1;
}

/* One datagram in, the same one out, to the address it came from. One recvfrom() takes
 * one datagram, never two and never a part. Returns 0, or the error that says the socket itself
 * is unusable. */
static int echo_one(socket_t s) {
    static char bytes[LARGEST];
    struct sockaddr_storage from;
    socklen_t from_length = sizeof from;
    char peer[NET_ADDRESS_MAX];

    ssize_t count =
        recvfrom(s, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &from_length);
    if (count < 0) {
        int err = net_error();
        if (err == NET_E(INTR))
            return 0;
        /* On Windows an earlier answer of ours that found no one (the client has gone, and
         * its host said so by ICMP) comes back as WSAECONNRESET of this call, which is no
         * reason to end. Linux tells it to connected sockets only. */
        net_perror(err, "server: recvfrom");
        if (err == NET_E(BADF) || err == NET_E(NOTSOCK) || err == NET_E(FAULT) ||
            err == NET_E(INVAL))
            return err;
        if (err != NET_E(CONNRESET))
            net_sleep(100); /* out of memory, say: do not spin */
        return 0;
    }

    /* count may be 0: with TCP that is the end of the stream, but here it is a datagram
     * like any other, a header without data. It gets its answer, and the loop goes on. */
    net_address(&from, from_length, peer);
    printf("%s: %lld bytes\n", peer, (long long)count);
    if (sendto(s, bytes, (io_len)count, 0, (struct sockaddr *)&from, from_length) < 0)
        net_perror(net_error(), "server: sendto %s", peer); /* their loss, not our end */
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: server [HOST PORT]\n"
               "Sends each UDP datagram back to where it came from.\n"
               "HOST and PORT are 127.0.0.1 and 7000 unless given; port 0 takes any free "
               "one.\n");
        return 0;
    }
    if (argc != 1 && argc != 3) {
        fprintf(stderr, "server: expected HOST PORT or nothing; see server --help\n");
        return 2;
    }
    /* Loopback unless told otherwise. Anyone can write a false sender into a datagram, and
     * on an open network an echo server answers someone who never asked. */
    const char *host = argc == 3 ? argv[1] : "127.0.0.1";
    const char *port = argc == 3 ? argv[2] : "7000";

    if (!net_is_port("server", port))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "server: start");
        return 1;
    }

    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_PASSIVE}, *address;
    int failed = getaddrinfo(host, port, &hints, &address);
    if (failed != 0) {
        fprintf(stderr, "server: %s port %s: %s\n", host, port, gai_strerror(failed));
        return 1;
    }

    socket_t s = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    if (s == NO_SOCKET) {
        net_perror(net_error(), "server: socket");
        freeaddrinfo(address);
        return 1;
    }

    /* No SO_REUSEADDR here: a UDP port has no TIME_WAIT to be reused from, and with that
     * option two servers could share the port, each missing what the other got. */
    if (bind(s, address->ai_addr, (socklen_t)address->ai_addrlen) < 0) {
        net_perror(net_error(), "server: bind %s:%s", host, port);
        freeaddrinfo(address);
        return 1;
    }
    freeaddrinfo(address);

    /* A bound UDP socket receives at once: there is no listen(). */
    struct sockaddr_storage own;
    socklen_t own_length = sizeof own;
    char name[NET_ADDRESS_MAX];
    if (getsockname(s, (struct sockaddr *)&own, &own_length) < 0) {
        net_perror(net_error(), "server: getsockname");
        return 1;
    }
    printf("listening on %s\n", net_address(&own, own_length, name));

#ifndef _WIN32 /* Windows has no sigaction(), and Ctrl-C ends the program there */
    struct sigaction interrupt = {.sa_handler = on_interrupt}; /* recvfrom() returns */
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &interrupt, NULL);
#else
    (void)on_interrupt;
#endif

    /* A signal in the instant between the look at `stop` and recvfrom() is seen only when
     * the next datagram comes, or the next Ctrl-C. */
    err = 0;
    while (!stop && err == 0)
        err = echo_one(s);
    net_close(s); /* nothing goes over the cable: there is no FIN in UDP */
    net_stop();
    if (err == 0)
        printf("stopped\n");
    return err == 0 ? 0 : 1;
}
