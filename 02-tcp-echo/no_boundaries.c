/* no_boundaries.c - TCP carries a stream of bytes: of how it was sent, nothing arrives.
 *
 * Both ends of one connection are in this one process, so that it can look at one end while
 * it does something at the other. Three things are shown, all counted as they happen:
 *   three send() arrive in one recv();
 *   one send() arrives in several recv();
 *   a send() takes only a part of what it was given.
 *
 * Usage:     no_boundaries
 * Compile:   cc -o no_boundaries no_boundaries.c
 *            (Windows: gcc -o no_boundaries no_boundaries.c -lws2_32)
 * Try it:    ./no_boundaries
 * Look for:  the sizes: they depend on the kernel's buffers, and differ from system to
 *            system. What never differs is the sum, and the order of the bytes.
 * See also:  framed_server.c and framed_client.c, which put boundaries into the stream;
 *            03-udp-echo/boundaries.c, where the network keeps them.
 */
#include "../common/net.h"
#include <stdlib.h>

enum {
    BIG = 16 * 1024 * 1024, /* more than the buffers of both ends hold together: */
    BUFFERS = 256 * 1024,   /* asked for at both ends, or they may grow to any size */
    WAIT_LIMIT = 10         /* seconds; on one machine, bytes arrive in far less than one */
};

/* Why there are no bytes: only after -1 is there an error to name. */
static void report_recv(ssize_t count) {
    if (count == 0)
        fprintf(stderr, "no_boundaries: recv: the stream has ended early\n");
    else
        net_perror(net_error(), "no_boundaries: recv");
}

/* Waits until `count` bytes are in the receiver's buffer. MSG_PEEK shows what is there, and
 * leaves it there for a later recv(). Returns 0, or -1. */
static int wait_until_arrived(socket_t receiver, size_t count) {
    char copy[256];
    double limit = net_seconds() + WAIT_LIMIT;
    for (;;) {
        ssize_t there = recv(receiver, copy, sizeof copy, MSG_PEEK);
        if (there < 0) {
            net_perror(net_error(), "no_boundaries: recv");
            return -1;
        }
        if ((size_t)there >= count)
            return 0;
        if (there == 0 || net_seconds() > limit) {
            fprintf(stderr, "no_boundaries: %d of %d bytes arrived\n", (int)there,
                    (int)count);
            return -1;
        }
        net_sleep(1); /* the rest is on its way */
    }
}

/* Each send() appends to the stream. Nothing marks where one ended and the next began. */
static int three_sends_one_recv(socket_t sender, socket_t receiver) {
    const char *words[] = {"one", "two", "three"};
    size_t total = 0;
    printf("1. Three send(), one recv()\n");
    for (int i = 0; i < 3; i++) {
        ssize_t sent = send(sender, words[i], (io_len)strlen(words[i]), 0);
        if (sent != (ssize_t)strlen(words[i])) {
            net_perror(net_error(), "no_boundaries: send");
            return -1;
        }
        printf("   send(\"%s\") = %d\n", words[i], (int)sent);
        total += (size_t)sent;
    }
    if (wait_until_arrived(receiver, total) < 0)
        return -1;
    char bytes[100];
    ssize_t count = recv(receiver, bytes, sizeof bytes, 0);
    if (count < 0) {
        net_perror(net_error(), "no_boundaries: recv");
        return -1;
    }
    printf("   recv(100) = %d: \"%.*s\"\n\n", (int)count, (int)count, bytes);
    return 0;
}

/* A recv() with little room takes what fits. The rest is not lost: the next one gets it. */
static int one_send_several_recvs(socket_t sender, socket_t receiver) {
    const char *text = "abcdefghijklmnopqrstuvwxyz";
    size_t length = strlen(text), total = 0;
    printf("2. One send(), several recv()\n");
    if (send(sender, text, (io_len)length, 0) != (ssize_t)length) {
        net_perror(net_error(), "no_boundaries: send");
        return -1;
    }
    printf("   send(\"%s\") = %d\n", text, (int)length);
    if (wait_until_arrived(receiver, length) < 0)
        return -1;
    while (total < length) {
        char bytes[10];
        ssize_t count = recv(receiver, bytes, sizeof bytes, 0);
        if (count <= 0) {
            report_recv(count);
            return -1;
        }
        printf("   recv(10) = %d: \"%.*s\"\n", (int)count, (int)count, bytes);
        total += (size_t)count;
    }
    printf("\n");
    return 0;
}

/* send() copies into the kernel's send buffer, and nobody reads at the other end: the
 * receiver's buffer fills, its window closes, then the send buffer fills. A blocking send()
 * would wait there; this one does not block, takes what there is room for, and says how
 * much that was. (Windows may take all of it: there one send() may exceed the buffer, and
 * only the next one is refused.) */
static int send_takes_part(socket_t sender, socket_t receiver, char *out, char *in) {
    size_t sent = 0, received = 0;
    unsigned sends = 0, recvs = 0;
    printf("3. One send() of %d bytes\n", BIG);
    for (size_t i = 0; i < BIG; i++)
        out[i] = (char)(i * 7 + i / 251); /* a byte lost or moved would show */
    if (net_nonblocking(sender, 1) < 0) {
        net_perror(net_error(), "no_boundaries: non-blocking");
        return -1;
    }
    while (received < BIG) {
        ssize_t count = sent < BIG ? send(sender, out + sent, (io_len)(BIG - sent), 0) : 0;
        if (count < 0 && !net_would_block(net_error())) {
            net_perror(net_error(), "no_boundaries: send");
            return -1;
        }
        if (count > 0) {
            sent += (size_t)count;
            if (++sends == 1)
                printf("   send(%d) = %d%s\n", BIG, (int)count,
                       count == BIG ? ": all of it; this system's buffers hold that much"
                                    : "");
        }
        /* Room for all that is missing, and yet: what has arrived, and no more. It makes
         * room for the sender too: our ACK opens the window again. */
        count = recv(receiver, in + received, (io_len)(BIG - received), 0);
        if (count <= 0) {
            report_recv(count);
            return -1;
        }
        if (++recvs == 1)
            printf("   recv(%d) = %d\n", BIG, (int)count);
        received += (size_t)count;
    }
    printf("   ... and so on: %u send(), %u recv(), %zu bytes, %s\n", sends, recvs,
           received, memcmp(in, out, BIG) == 0 ? "each in its place" : "BUT NOT THE SAME");
    return memcmp(in, out, BIG) == 0 ? 0 : -1;
}

/* Both ends of one connection, on the loopback address. Returns 0, or -1.
 * A buffer that a program has asked for keeps its size; Linux gives twice as much as asked,
 * for its own bookkeeping. It is asked for before the handshake, which tells the peer by what
 * factor our window is to be read; an accepted socket has its listener's. */
static int connect_to_self(socket_t *sender, socket_t *receiver) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct sockaddr *const own = (struct sockaddr *)&address;
    socklen_t length = sizeof address;

    socket_t listener = socket(AF_INET, SOCK_STREAM, 0);
    *sender = socket(AF_INET, SOCK_STREAM, 0);
    const int size = BUFFERS;
    /* connect() does not wait for accept(): the kernel answers for a listening socket. */
    if (listener == NO_SOCKET || *sender == NO_SOCKET ||
        setsockopt(*sender, SOL_SOCKET, SO_SNDBUF, (const void *)&size, sizeof size) < 0 ||
        setsockopt(listener, SOL_SOCKET, SO_RCVBUF, (const void *)&size, sizeof size) < 0 ||
        bind(listener, own, length) < 0 || listen(listener, 1) < 0 ||
        getsockname(listener, own, &length) < 0 || connect(*sender, own, length) < 0 ||
        (*receiver = accept(listener, NULL, NULL)) == NO_SOCKET) {
        net_perror(net_error(), "no_boundaries: connecting to itself");
        return -1;
    }
    net_close(listener);
    return net_timeout(*receiver, SO_RCVTIMEO, WAIT_LIMIT * 1000);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf(
            "usage: no_boundaries\n"
            "Shows that a TCP stream keeps no trace of the send() calls that made it.\n");
        return 0;
    }
    if (argc != 1) {
        fprintf(stderr, "no_boundaries: expected no arguments; see no_boundaries --help\n");
        return 2;
    }
    int err = net_start();
    if (err != 0) {
        net_perror(err, "no_boundaries: start");
        return 1;
    }
    socket_t sender, receiver;
    char *out = malloc(BIG), *in = malloc(BIG);
    if (out == NULL || in == NULL) {
        fprintf(stderr, "no_boundaries: no memory for 2 x %d bytes\n", BIG);
        return 1;
    }
    if (connect_to_self(&sender, &receiver) < 0)
        return 1;
    int failed = three_sends_one_recv(sender, receiver) < 0 ||
                 one_send_several_recvs(sender, receiver) < 0 ||
                 send_takes_part(sender, receiver, out, in) < 0;
    net_close(sender);
    net_close(receiver);
    free(out);
    free(in);
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "no_boundaries: not all could be written to standard output\n");
        failed = 1;
    }
    net_stop();
    return failed;
}
