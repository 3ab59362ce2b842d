/* forget.c - a host that loses its memory: a half-open connection. Linux only.
 *
 * Usage:     forget OWNPORT HOST PORT [again]
 * Compile:   cc -o forget forget.c
 * Try it:    ./server                                    in one terminal
 *            sudo ./forget 4321 127.0.0.1 7000 again     in another (only root may)
 *            connected, and now forgotten: no FIN, no RST
 *            connected again from the same port
 *            the server:  recv from 127.0.0.1:4321: Connection reset by peer (ECONNRESET)
 * Look for:  the server's end stays ESTABLISHED though nobody is there any more, as after a
 *            power cut. It finds out only when a segment passes: one of its own, which a RST
 *            answers, or our new SYN.
 *            On the wire, no root needed: half-open.scene, half-open-data.scene
 * See also:  connect_from.c
 */
#include "../common/net.h"

#ifdef __linux__
#include <stdlib.h>

/* A TCP socket on our own port, connected; or NO_SOCKET. */
static socket_t connect_from(unsigned short port, const struct addrinfo *to) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1;
    socket_t s = socket(AF_INET, SOCK_STREAM, 0);
    if (s == NO_SOCKET) {
        net_perror(net_error(), "forget: socket");
        return NO_SOCKET;
    }
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(s, (struct sockaddr *)&own, sizeof own) < 0)
        net_perror(net_error(), "forget: bind port %u", port);
    else if (connect(s, to->ai_addr, to->ai_addrlen) < 0)
        net_perror(net_error(), "forget: connect");
    else
        return s;
    net_close(s);
    return NO_SOCKET;
}

/* The kernel drops all it knows of the connection, and sends nothing. TCP_REPAIR is meant for
 * moving a connection to another machine: the old one must not say goodbye in its name. */
static int forget(socket_t s) {
    int on = 1;
    if (setsockopt(s, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) < 0) {
        net_perror(net_error(), "forget: TCP_REPAIR (it needs root, or half-open.scene)");
        net_close(s); /* so this one ends the usual way */
        return -1;
    }
    return net_close(s);
}

static int run(unsigned short port, const struct addrinfo *to, int again) {
    socket_t s = connect_from(port, to);
    if (s == NO_SOCKET || forget(s) < 0)
        return 1;
    printf("connected, and now forgotten: no FIN, no RST\n");
    if (!again)
        return 0;

    /* As if the machine had started again, and its user tried once more: the same addresses
     * and ports, to the peer the name of a connection that it still has. */
    s = connect_from(port, to);
    if (s == NO_SOCKET)
        return 1;
    printf("connected again from the same port\n");
    char echo[16];
    ssize_t count = -1;
    if (send(s, "hello", 5, 0) == 5) /* to an echo server */
        count = recv(s, echo, sizeof echo, 0);
    if (count < 0)
        net_perror(net_error(), "forget: the second connection");
    net_close(s);
    return count > 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: forget OWNPORT HOST PORT [again]\n"
               "Connects from OWNPORT and forgets the connection without a word;\n"
               "with the word again it then connects once more.\n");
        return 0;
    }
    char *end = NULL;
    long port = argc > 1 ? strtol(argv[1], &end, 10) : 0;
    if ((argc != 4 && (argc != 5 || strcmp(argv[4], "again") != 0)) || *end != '\0' ||
        port < 1 || port > 65535) {
        fprintf(stderr, "forget: expected OWNPORT HOST PORT [again]; see forget --help\n");
        return 2;
    }
    if (!net_is_port("forget", argv[3]))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "forget: start");
        return 1;
    }
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *to;
    int failed = getaddrinfo(argv[2], argv[3], &hints, &to);
    if (failed != 0) {
        fprintf(stderr, "forget: %s port %s: %s\n", argv[2], argv[3], gai_strerror(failed));
        return 1;
    }
    failed = run((unsigned short)port, to, argc == 5);
    freeaddrinfo(to);
    return failed;
}
#else
int main(void) {
    fprintf(stderr, "forget: only Linux can forget a connection without a word "
                    "(TCP_REPAIR). The nearest thing: pull the cable of the client's "
                    "machine, switch it off and on, and connect again.\n");
    return 1;
}
#endif
