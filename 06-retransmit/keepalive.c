/* keepalive.c - an idle connection whose kernel asks now and then after the peer.
 *
 * Usage:     keepalive HOST PORT [IDLE INTERVAL COUNT]  (seconds, seconds, probes: 1 1 3)
 * Compile:   cc -o keepalive keepalive.c  (Windows: gcc -o keepalive keepalive.c -lws2_32)
 * Try it:    ./receiver                   in one terminal: listening on 127.0.0.1:7000
 *            ./keepalive 127.0.0.1 7000   in another: connected to 127.0.0.1:7000
 *            and end the first (Ctrl-C):  the peer has closed
 * Look for:  an idle TCP connection sends nothing at all. Without SO_KEEPALIVE this recv()
 *            would wait for ever for a peer whose machine was switched off.
 *            On the wire: keepalive-dead-peer.scene
 * See also:  receiver.c
 */
#include "../common/net.h"
#include <stdlib.h>
#ifdef _WIN32
#include <mstcpip.h>
#endif

/* After IDLE seconds without a segment a probe goes out: an empty one, whose number lies
 * just before the next, so that any TCP must answer it with an ACK. After COUNT of them,
 * INTERVAL seconds apart and all unanswered, the kernel declares the connection dead.
 * Unless told otherwise Linux waits 2 hours, then 9 times 75 seconds. Returns 0 or -1. */
static int switch_on(socket_t s, int idle, int interval, int count) {
#ifdef _WIN32 /* one call for it all, in ms; the number of probes is always 10 */
    struct tcp_keepalive wanted = {1, (ULONG)idle * 1000, (ULONG)interval * 1000};
    DWORD got = 0;
    (void)count;
    if (WSAIoctl(s, SIO_KEEPALIVE_VALS, &wanted, sizeof wanted, NULL, 0, &got, NULL,
                 NULL) == 0)
        return 0;
    net_perror(net_error(), "keepalive: WSAIoctl SIO_KEEPALIVE_VALS");
    return -1;
#else
#ifdef __APPLE__
    enum { IDLE_OPTION = TCP_KEEPALIVE }; /* the same under another name */
#else
    enum { IDLE_OPTION = TCP_KEEPIDLE };
#endif
    int on = 1;
    if (setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0 &&
        setsockopt(s, IPPROTO_TCP, IDLE_OPTION, &idle, sizeof idle) == 0 &&
        setsockopt(s, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval) == 0 &&
        setsockopt(s, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count) == 0)
        return 0;
    net_perror(net_error(), "keepalive: setsockopt");
    return -1;
#endif
}

/* Reads whatever comes until there is no peer any more. Returns 0 after its FIN, -1
 * after an error. */
static int wait_for_the_end(socket_t s) {
    char chunk[1024];
    for (;;) {
        ssize_t count = recv(s, chunk, sizeof chunk, 0);
        if (count > 0 || (count < 0 && net_error() == NET_E(INTR)))
            continue;
        if (count == 0) {
            printf("the peer has closed\n");
            return 0;
        }
        net_perror(net_error(), "keepalive: recv");
        return -1;
    }
}

static socket_t connect_to(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int failed = getaddrinfo(host, port, &hints, &list);
    if (failed != 0) {
        fprintf(stderr, "keepalive: %s port %s: %s\n", host, port, gai_strerror(failed));
        return NO_SOCKET;
    }
    socket_t s = NO_SOCKET;
    for (struct addrinfo *a = list; a != NULL && s == NO_SOCKET; a = a->ai_next) {
        char name[NET_ADDRESS_MAX];
        net_address(a->ai_addr, (socklen_t)a->ai_addrlen, name);
        s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (s == NO_SOCKET) {
            net_perror(net_error(), "keepalive: socket");
        } else if (connect(s, a->ai_addr, (socklen_t)a->ai_addrlen) < 0) {
            net_perror(net_error(), "keepalive: connect %s", name);
            net_close(s);
            s = NO_SOCKET;
        } else {
            printf("connected to %s\n", name);
        }
    }
    freeaddrinfo(list);
    return s;
}

/* A whole number from 1 to most; 0 when it is none. */
static int number(const char *text, long most) {
    char *end;
    long value = strtol(text, &end, 10);
    return *text < '0' || *text > '9' || *end || value > most ? 0 : (int)value;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf(
            "usage: keepalive HOST PORT [IDLE INTERVAL COUNT]\n"
            "Connects, sends nothing, and waits until the peer closes or is found dead:\n"
            "first asked after IDLE seconds, then every INTERVAL seconds, COUNT times.\n");
        return 0;
    }
    int idle = argc == 6 ? number(argv[3], 32767) : 1;
    int interval = argc == 6 ? number(argv[4], 32767) : 1;
    int count = argc == 6 ? number(argv[5], 127) : 3;
    if ((argc != 3 && argc != 6) || idle == 0 || interval == 0 || count == 0) {
        fprintf(stderr, "keepalive: expected HOST PORT [IDLE INTERVAL COUNT]; see "
                        "keepalive --help\n");
        return 2;
    }
    if (!net_is_port("keepalive", argv[2]))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "keepalive: start");
        return 1;
    }
    socket_t s = connect_to(argv[1], argv[2]);
    if (s == NO_SOCKET)
        return 1;
    int failed = switch_on(s, idle, interval, count) < 0 || wait_for_the_end(s) < 0;
    net_close(s);
    net_stop();
    return failed ? 1 : 0;
}
