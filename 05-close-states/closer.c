/* closer.c - the active close: connect, say something perhaps, and be the first to end it.
 *
 * Usage:     closer [-n TIMES] HOST PORT HOW [MESSAGE]
 *              close   close(): our FIN; we neither send nor read any more
 *              half    shutdown(SHUT_WR): our FIN, and read on until the other's comes
 *              reset   close() with SO_LINGER 0: a RST in place of the FIN
 *              wait    the other way round: read until the other's FIN, and only then close
 * Compile:   cc -o closer closer.c        (Windows: gcc -o closer closer.c -lws2_32)
 * Try it:    ./peer 127.0.0.1 7000 answer           in one terminal
 *            ./closer 127.0.0.1 7000 half question  in another:
 *                                         connected from 127.0.0.1:40000
 *                                         sent 8 bytes
 *                                         our FIN is sent; now we only read
 *                                         read "you sent 8 bytes"
 *                                         end of stream: the other's FIN
 * Look for:  FIN_WAIT_1, FIN_WAIT_2 and TIME_WAIT on this side; after `reset` none of them.
 *            On the wire: four-way-close.scene, half-close.scene, data-after-close.scene,
 *            reset-on-close.scene
 * See also:  peer.c, the end that is closed on.
 */
#include "../common/net.h"
#include <stdlib.h>

enum {
    READ_LIMIT_MS = 30 * 1000, /* a peer silent for so long is given up */
    PAUSE_MS = 250,            /* between two connections */
    MAX_TIMES = 10000
};

/* Prints what comes until the peer's FIN. Returns 0 then, or -1 when the connection
 * broke. */
static int read_to_the_end(socket_t s) {
    char chunk[1024];
    for (;;) {
        ssize_t count = recv(s, chunk, sizeof chunk, 0);
        if (count == 0) {
            printf("end of stream: the other's FIN\n");
            return 0;
        }
        if (count < 0 && net_error() == NET_E(INTR))
            continue;
        if (count < 0) { /* ECONNRESET: a RST came in place of a FIN */
            net_perror(net_error(), "closer: recv");
            return -1;
        }
        printf("read \"%.*s\"\n", (int)count, chunk);
    }
}

/* Ends the connection in one of the four ways. Returns 0, or -1 when it broke before its
 * end. */
static int finish(socket_t s, const char *how) {
    int result = 0;
    if (strcmp(how, "half") == 0) {
        /* Our FIN goes now: FIN_WAIT_1, and FIN_WAIT_2 once it is acknowledged. The other
         * direction is still open: a FIN says "I have nothing more to send", not "I have
         * gone". */
        if (shutdown(s, SHUT_WR) < 0) {
            net_perror(net_error(), "closer: shutdown");
            result = -1;
        } else {
            printf("our FIN is sent; now we only read\n");
            result = read_to_the_end(s); /* the other's FIN: TIME_WAIT */
        }
    } else if (strcmp(how, "wait") == 0) {
        result = read_to_the_end(s); /* its FIN: CLOSE_WAIT until we close as well */
    } else if (strcmp(how, "reset") == 0) {
        /* A linger time of zero: close() throws away what is not yet sent and sends a
         * RST. No FIN, no TIME_WAIT, and no promise that the peer has read what we
         * sent before. */
        struct linger none = {.l_onoff = 1, .l_linger = 0};
        if (setsockopt(s, SOL_SOCKET, SO_LINGER, (const void *)&none, sizeof none) < 0)
            net_perror(net_error(), "closer: setsockopt SO_LINGER");
    }
    net_close(s); /* sends our FIN, unless shutdown() has done it, or the RST */
    return result;
}

/* A name may have several addresses: each is tried until one answers. */
static socket_t connect_to(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int failed = getaddrinfo(host, port, &hints, &list);
    if (failed != 0) {
        fprintf(stderr, "closer: %s port %s: %s\n", host, port, gai_strerror(failed));
        return NO_SOCKET;
    }
    socket_t s = NO_SOCKET;
    for (struct addrinfo *a = list; a != NULL && s == NO_SOCKET; a = a->ai_next) {
        char name[NET_ADDRESS_MAX];
        s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (s == NO_SOCKET) {
            net_perror(net_error(), "closer: socket");
        } else if (connect(s, a->ai_addr, (socklen_t)a->ai_addrlen) < 0) {
            net_perror(net_error(), "closer: connect %s",
                       net_address(a->ai_addr, (socklen_t)a->ai_addrlen, name));
            net_close(s);
            s = NO_SOCKET;
        }
    }
    freeaddrinfo(list);
    return s;
}

static int one_connection(const char *host, const char *port, const char *how,
                          const char *message) {
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    char name[NET_ADDRESS_MAX];
    socket_t s = connect_to(host, port);
    if (s == NO_SOCKET)
        return -1;
    if (getsockname(s, (struct sockaddr *)&own, &length) == 0)
        printf("connected from %s\n", net_address(&own, length, name));
    net_timeout(s, SO_RCVTIMEO, READ_LIMIT_MS);
    if (message) { /* a line's worth: far less than an empty send buffer takes at once */
        ssize_t sent = send(s, message, (io_len)strlen(message), 0);
        if (sent < 0) {
            net_perror(net_error(), "closer: send");
            net_close(s);
            return -1;
        }
        printf("sent %d bytes\n", (int)sent);
    }
    return finish(s, how);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf(
            "usage: closer [-n TIMES] HOST PORT HOW [MESSAGE]\n"
            "Connects, sends MESSAGE, and ends the connection. HOW is close, half, reset "
            "or wait.\n");
        return 0;
    }
    long times = 1;
    if (argc > 2 && strcmp(argv[1], "-n") == 0) {
        char *end;
        times = strtol(argv[2], &end, 10);
        if (*end != '\0' || times < 1 || times > MAX_TIMES) {
            fprintf(stderr, "closer: TIMES is 1 to %d, not %s\n", MAX_TIMES, argv[2]);
            return 2;
        }
        argc -= 2;
        argv += 2;
    }
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "closer: expected HOST PORT HOW [MESSAGE]; see closer --help\n");
        return 2;
    }
    if (strcmp(argv[3], "close") != 0 && strcmp(argv[3], "half") != 0 &&
        strcmp(argv[3], "reset") != 0 && strcmp(argv[3], "wait") != 0) {
        fprintf(stderr, "closer: HOW is close, half, reset or wait, not %s\n", argv[3]);
        return 2;
    }
    if (!net_is_port("closer", argv[2]))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "closer: start");
        return 1;
    }
    int result = 0;
    for (long i = 0; i < times && result == 0; i++) {
        if (i > 0)
            net_sleep(PAUSE_MS);
        result = one_connection(argv[1], argv[2], argv[3], argc == 5 ? argv[4] : NULL);
    }
    net_stop();
    return result < 0 ? 1 : 0;
}
