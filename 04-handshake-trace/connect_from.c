/* connect_from.c - connect from a port of one's own choice: bind() before connect().
 *
 * Usage:     connect_from OWNPORT HOST PORT [MESSAGE]
 * Compile:   cc -o connect_from connect_from.c   (Windows: gcc ... -lws2_32)
 * Try it:    ./connect_from 7777 127.0.0.1 7777 hello      one terminal, no server:
 *            connected: 127.0.0.1:7777 to 127.0.0.1:7777
 *            hello
 * Look for:  that was a simultaneous open. Our SYN came back to the very socket that had
 *            sent it: SYN_SENT, SYN_RCVD, ESTABLISHED, and nobody called listen(). Between two
 *            hosts two SYNs must cross on the way, as simultaneous-open.scene makes them do.
 *            On the wire also: old-duplicate-syn-figure-8.scene
 * See also:  connect_result.c; ../02-tcp-echo/client.c, whose port the kernel picks.
 */
#include "../common/net.h"

enum { REPLY_LIMIT_MS = 30 * 1000 }; /* a peer silent for so long is given up */

/* A TCP socket on our own port, or NO_SOCKET. A connection is named by both ends' addresses
 * and ports; a client that always has the same port uses the same name again, which is why the
 * kernel usually picks another port each time. */
static socket_t socket_on_port(const char *port, const struct addrinfo *peer) {
    struct addrinfo hints = {.ai_family = peer->ai_family,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *own; /* any of our addresses, and that port */
    int failed = getaddrinfo(NULL, port, &hints, &own);
    if (failed != 0) {
        fprintf(stderr, "connect_from: port %s: %s\n", port, gai_strerror(failed));
        return NO_SOCKET;
    }
    socket_t s = socket(own->ai_family, own->ai_socktype, own->ai_protocol);
    if (s == NO_SOCKET) {
        net_perror(net_error(), "connect_from: socket");
    } else {
#ifndef _WIN32 /* soon again, though the port's last connection may be in TIME_WAIT */
        int on = 1;
        setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
#endif
        if (bind(s, own->ai_addr, (socklen_t)own->ai_addrlen) < 0) {
            net_perror(net_error(), "connect_from: bind port %s", port);
            net_close(s);
            s = NO_SOCKET;
        }
    }
    freeaddrinfo(own);
    return s;
}

/* Both ends' addresses: together they are the connection's name. */
static int print_ends(socket_t s) {
    struct sockaddr_storage own, peer;
    socklen_t own_length = sizeof own, peer_length = sizeof peer;
    char from[NET_ADDRESS_MAX], to[NET_ADDRESS_MAX];
    if (getsockname(s, (struct sockaddr *)&own, &own_length) < 0 ||
        getpeername(s, (struct sockaddr *)&peer, &peer_length) < 0)
        return -1;
    printf("connected: %s to %s\n", net_address(&own, own_length, from),
           net_address(&peer, peer_length, to));
    return 0;
}

/* Sends the message (a short one fits the send buffer whole), then our FIN. */
static int say(socket_t s, const char *message) {
    size_t count = strlen(message);
    if (send(s, message, (io_len)count, 0) != (ssize_t)count) {
        net_perror(net_error(), "connect_from: send");
        return -1;
    }
    if (shutdown(s, SHUT_WR) < 0) {
        net_perror(net_error(), "connect_from: shutdown");
        return -1;
    }
    return 0;
}

/* Prints what the peer sends until its FIN. */
static int listen_to_end(socket_t s) {
    char chunk[2048];
    size_t total = 0;
    for (;;) {
        ssize_t count = recv(s, chunk, sizeof chunk, 0);
        if (count < 0 && net_error() == NET_E(INTR))
            continue;
        if (count < 0) {
            net_perror(net_error(), "connect_from: recv");
            return -1;
        }
        if (count == 0)
            break;
        fwrite(chunk, 1, (size_t)count, stdout);
        total += (size_t)count;
    }
    if (total > 0)
        printf("\n");
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: connect_from OWNPORT HOST PORT [MESSAGE]\n"
               "Connects from port OWNPORT, sends MESSAGE if there is one, and prints what "
               "comes.\n");
        return 0;
    }
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "connect_from: expected OWNPORT HOST PORT [MESSAGE]; see "
                        "connect_from --help\n");
        return 2;
    }
    if (!net_is_port("connect_from", argv[1]) || !net_is_port("connect_from", argv[3]))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "connect_from: start");
        return 1;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *peer;
    int failed = getaddrinfo(argv[2], argv[3], &hints, &peer);
    if (failed != 0) {
        fprintf(stderr, "connect_from: %s port %s: %s\n", argv[2], argv[3],
                gai_strerror(failed));
        return 1;
    }
    socket_t s = socket_on_port(argv[1], peer);
    if (s == NO_SOCKET)
        return 1;
    net_timeout(s, SO_RCVTIMEO, REPLY_LIMIT_MS);

    /* Our SYN: SYN_SENT. What comes back is a SYN,ACK from a host that listens, or, when it
     * calls us just as we call it, its own SYN: then SYN_RCVD, and both send SYN,ACK. */
    if (connect(s, peer->ai_addr, (socklen_t)peer->ai_addrlen) < 0) {
        net_perror(net_error(), "connect_from: connect %s:%s", argv[2], argv[3]);
        return 1;
    }
    freeaddrinfo(peer);

    failed =
        print_ends(s) < 0 || (argc == 5 && say(s, argv[4]) < 0) || listen_to_end(s) < 0;
    net_close(s);
    net_stop();
    return failed ? 1 : 0;
}
