/* client.c - the active open: connect, send, and read back the same bytes.
 *
 * Usage:     client HOST PORT [MESSAGE]     (without MESSAGE: what comes on standard input)
 * Compile:   cc -o client client.c          (Windows: gcc -o client client.c -lws2_32)
 * Try it:    ./server                       in one terminal
 *            ./client 127.0.0.1 7000 hello  in another: hello
 *            ./client 127.0.0.1 7000 < client.c > copy.c; cmp client.c copy.c
 * Look for:  ESTABLISHED as soon as connect() returns. TIME_WAIT on this side once it has
 *            ended, for the side that closes first keeps the memory of the connection.
 *            On the wire: 04-handshake-trace/three-way-handshake.scene
 * See also:  server.c; no_boundaries.c for what recv() returns.
 */
#include "../common/net.h"
#include <stdlib.h>

enum {
    /* Sent before its echo is read. All of it fits into the buffers on its way back, so the
     * server never has to wait for us: on Linux they begin at 16 KB (the server's, to send)
     * and 128 KB (ours, to receive). */
    CHUNK = 16 * 1024,
    REPLY_LIMIT_MS =
        30 * 1000 /* a server silent, or not reading, for so long is given up */
};

/* What went wrong with a call. One that has waited for our limit in vain says "not now". */
static void complain(const char *call, const char *in_vain) {
    int err = net_error();
    if (net_would_block(err) || err == NET_E(TIMEDOUT)) /* POSIX; Windows */
        fprintf(stderr, "client: %s: %s for %d s (%s)\n", call, in_vain,
                REPLY_LIMIT_MS / 1000, net_error_name(err));
    else
        net_perror(err, "client: %s", call);
}

/* send() may take only part of what it is given, when the send buffer is nearly full. */
static int send_all(socket_t s, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(s, bytes, (io_len)count, 0);
        if (sent < 0 && net_error() == NET_E(INTR))
            continue;
        if (sent < 0) {
            complain("send", "nothing was taken");
            return -1;
        }
        bytes += sent;
        count -= (size_t)sent;
    }
    return 0;
}

/* Copies up to `wanted` bytes of the stream to standard output, in as many recv() as it
 * takes. Returns how many came before the peer's FIN, or -1. */
static long long receive(socket_t s, size_t wanted) {
    char chunk[CHUNK];
    size_t total = 0;
    while (total < wanted) {
        size_t room = wanted - total < sizeof chunk ? wanted - total : sizeof chunk;
        ssize_t count = recv(s, chunk, (io_len)room, 0);
        if (count == 0) /* the peer's FIN: nothing more will come */
            break;
        if (count < 0 && net_error() == NET_E(INTR))
            continue;
        if (count < 0) {
            /* The server's RST, say, or its silence. */
            complain("recv", "nothing came");
            return -1;
        }
        if (fwrite(chunk, 1, (size_t)count, stdout) != (size_t)count) {
            perror("client: write to standard output");
            return -1;
        }
        total += (size_t)count;
    }
    return (long long)total;
}

/* A chunk out, the same number of bytes back, and so on: a client that only sent would stop
 * for ever once its own receive buffer and the server's send buffer were full of unread
 * echoes. */
static int exchange(socket_t s, const char *bytes, size_t count) {
    if (send_all(s, bytes, count) < 0)
        return -1;
    long long back = receive(s, count);
    if (back >= 0 && (size_t)back < count)
        fprintf(stderr, "client: the server closed after %lld of %zu bytes\n", back, count);
    return back == (long long)count ? 0 : -1;
}

static int exchange_input(socket_t s) {
    char chunk[CHUNK];
    for (;;) {
        /* read(), not fread(): what has been typed goes out at the end of each line */
        ssize_t count = read(0, chunk, sizeof chunk);
        if (count == 0)
            return 0;
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            perror("client: read standard input");
            return -1;
        }
        if (exchange(s, chunk, (size_t)count) < 0)
            return -1;
    }
}

/* A name may have several addresses, IPv6 and IPv4: each is tried until one answers. */
static socket_t connect_to(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int failed = getaddrinfo(host, port, &hints, &list);
    if (failed != 0) {
        fprintf(stderr, "client: %s port %s: %s\n", host, port, gai_strerror(failed));
        return NO_SOCKET;
    }
    socket_t s = NO_SOCKET;
    for (struct addrinfo *a = list; a != NULL && s == NO_SOCKET; a = a->ai_next) {
        char name[NET_ADDRESS_MAX];
        s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (s == NO_SOCKET) {
            net_perror(net_error(), "client: socket");
            continue;
        }
        /* Our SYN goes: SYN_SENT. connect() returns when SYN,ACK has come: ESTABLISHED. */
        if (connect(s, a->ai_addr, (socklen_t)a->ai_addrlen) < 0) {
            int err = net_error();
            net_address(a->ai_addr, (socklen_t)a->ai_addrlen, name);
            net_perror(err, "client: connect %s", name);
            net_close(s); /* after a failed connect() a socket is of no more use */
            s = NO_SOCKET;
        }
    }
    freeaddrinfo(list);
    return s;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: client HOST PORT [MESSAGE]\n"
               "Sends MESSAGE, or what comes on standard input, and prints what comes "
               "back.\n");
        return 0;
    }
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "client: expected HOST PORT [MESSAGE]; see client --help\n");
        return 2;
    }
    if (!net_is_port("client", argv[2]))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "client: start");
        return 1;
    }
    socket_t s = connect_to(argv[1], argv[2]);
    if (s == NO_SOCKET)
        return 1;
    if (net_timeout(s, SO_RCVTIMEO, REPLY_LIMIT_MS) < 0 ||
        net_timeout(s, SO_SNDTIMEO, REPLY_LIMIT_MS) < 0)
        net_perror(net_error(), "client: setsockopt");

    int failed = argc == 4 ? exchange(s, argv[3], strlen(argv[3])) : exchange_input(s);
    if (argc == 4 && !failed)
        printf("\n");

    if (!failed) {
        /* Half-close: our FIN says that we have sent all. FIN_WAIT_1, then FIN_WAIT_2. The
         * other direction stays open, so what the server still has to say is read to its
         * own FIN. */
        if (shutdown(s, SHUT_WR) < 0) {
            net_perror(net_error(), "client: shutdown");
            failed = 1;
        }
        while (!failed) {
            long long rest = receive(s, CHUNK);
            if (rest <= 0) {
                failed = rest < 0;
                break;
            }
        }
    }
    /* A full disk: stdout goes out line by line, so there may be nothing left to flush, and
     * the printf() that failed went unseen. ferror() remembers it. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "client: not all could be written to standard output\n");
        failed = 1;
    }
    net_close(s); /* if both FINs have gone, this end is kept in TIME_WAIT */
    net_stop();
    return failed ? 1 : 0;
}
