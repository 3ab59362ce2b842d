/* framed_client.c - sends messages, each preceded by its length, and reads as many back.
 *
 * All messages are put into one piece of memory, and handed to send() either at once or a
 * few bytes at a time: the stream is the same, and so are the messages the server reads.
 *
 * Usage:     framed_client [--pieces N] HOST PORT MESSAGE...    (N: bytes for each send())
 * Compile:   cc -o framed_client framed_client.c   (Windows: add -lws2_32)
 * Try it:    ./framed_server             in one terminal
 *            ./framed_client 127.0.0.1 7000 hello "two words" ""
 *            ./framed_client --pieces 1 127.0.0.1 7000 hello "two words" ""
 * Look for:  the number of send(): 1, then 26. The messages are the same three.
 * See also:  framed_server.c has the picture of a message; no_boundaries.c
 */
#include "../common/net.h"
#include <stdint.h>
#include <stdlib.h>

enum {
    HEADER = 4, /* bytes of length before each message */
    MESSAGE_LIMIT =
        16 * 1024, /* what the server takes: part of the protocol, as is HEADER */
    STREAM_LIMIT =
        32 * 1024, /* sent before the first reply is read: fits any receive buffer */
    REPLY_LIMIT_MS = 30 * 1000
};

/* What went wrong with a call. One that has waited for our limit in vain says "not now". */
static void complain(const char *call, const char *in_vain) {
    int err = net_error();
    if (net_would_block(err) || err == NET_E(TIMEDOUT)) /* POSIX; Windows */
        fprintf(stderr, "framed_client: %s: %s for %d s (%s)\n", call, in_vain,
                REPLY_LIMIT_MS / 1000, net_error_name(err));
    else
        net_perror(err, "framed_client: %s", call);
}

static int send_all(socket_t s, const unsigned char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(s, (const void *)bytes, (io_len)count, 0);
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

/* As many recv() as it takes. 0, or -1 with a line about what is missing. */
static int recv_exactly(socket_t s, unsigned char *bytes, size_t wanted) {
    size_t got = 0;
    while (got < wanted) {
        ssize_t count = recv(s, (void *)(bytes + got), (io_len)(wanted - got), 0);
        if (count < 0 && net_error() == NET_E(INTR))
            continue;
        if (count < 0) {
            complain("recv", "nothing came");
            return -1;
        }
        if (count == 0) {
            fprintf(stderr, "framed_client: the server closed after %zu of %zu bytes\n",
                    got, wanted);
            return -1;
        }
        got += (size_t)count;
    }
    return 0;
}

/* Appends length and message to the stream. Returns its new length, or 0 when there is no
 * room. */
static size_t append_message(unsigned char *stream, size_t used, const char *message) {
    size_t length = strlen(message);
    if (length > MESSAGE_LIMIT || used + HEADER + length > STREAM_LIMIT) {
        fprintf(
            stderr,
            "framed_client: %zu bytes are too long: the limit is %d for a message and %d "
            "for all of them\n",
            length, MESSAGE_LIMIT, STREAM_LIMIT);
        return 0;
    }
    /* Network byte order: the most significant byte first, whatever this machine's own
     * order. */
    stream[used] = (unsigned char)(length >> 24);
    stream[used + 1] = (unsigned char)(length >> 16);
    stream[used + 2] = (unsigned char)(length >> 8);
    stream[used + 3] = (unsigned char)length;
    memcpy(stream + used + HEADER, message, length);
    return used + HEADER + length;
}

/* One reply, and whether it is the message that was sent. 0, or -1. */
static int read_reply(socket_t s, const char *message) {
    unsigned char header[HEADER], reply[MESSAGE_LIMIT];
    if (recv_exactly(s, header, HEADER) < 0)
        return -1;
    uint32_t length = (uint32_t)header[0] << 24 | (uint32_t)header[1] << 16 |
                      (uint32_t)header[2] << 8 | (uint32_t)header[3];
    if (length > MESSAGE_LIMIT) { /* a server is a stranger too */
        fprintf(stderr, "framed_client: refused: length %lu is over the limit of %d\n",
                (unsigned long)length, MESSAGE_LIMIT);
        return -1;
    }
    if (recv_exactly(s, reply, length) < 0)
        return -1;
    int same = length == strlen(message) && memcmp(reply, message, length) == 0;
    for (size_t i = 0; i < length; i++) /* codes that would command our terminal */
        if (reply[i] < ' ' || reply[i] == 127)
            reply[i] = reply[i] == '\t' ? ' ' : '?';
    printf("%lu bytes: %.*s\n", (unsigned long)length, (int)length, (const char *)reply);
    if (!same) {
        fprintf(stderr, "framed_client: that is not the message that was sent\n");
        return -1;
    }
    return 0;
}

static socket_t connect_to(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int failed = getaddrinfo(host, port, &hints, &list);
    if (failed != 0) {
        fprintf(stderr, "framed_client: %s port %s: %s\n", host, port,
                gai_strerror(failed));
        return NO_SOCKET;
    }
    socket_t s = NO_SOCKET;
    for (struct addrinfo *a = list; a != NULL && s == NO_SOCKET; a = a->ai_next) {
        char name[NET_ADDRESS_MAX];
        s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (s == NO_SOCKET) {
            net_perror(net_error(), "framed_client: socket");
            continue;
        }
        if (connect(s, a->ai_addr, (socklen_t)a->ai_addrlen) < 0) {
            int err = net_error();
            net_address(a->ai_addr, (socklen_t)a->ai_addrlen, name);
            net_perror(err, "framed_client: connect %s", name);
            net_close(s);
            s = NO_SOCKET;
        }
    }
    freeaddrinfo(list);
    return s;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: framed_client [--pieces N] HOST PORT MESSAGE...\n"
               "Sends each MESSAGE with its length before it, and prints the messages that "
               "come "
               "back.\n"
               "--pieces N gives send() N bytes of the stream at a time.\n");
        return 0;
    }
    size_t piece = STREAM_LIMIT;
    if (argc > 2 && strcmp(argv[1], "--pieces") == 0) {
        char *end;
        piece = strtoul(argv[2], &end, 10);
        if (*end != '\0' || piece < 1 || piece > STREAM_LIMIT) {
            fprintf(stderr, "framed_client: --pieces takes a number from 1 to %d\n",
                    STREAM_LIMIT);
            return 2;
        }
        argc -= 2;
        argv += 2;
    }
    if (argc < 4) {
        fprintf(stderr,
                "framed_client: expected HOST PORT MESSAGE...; see framed_client --help\n");
        return 2;
    }
    if (!net_is_port("framed_client", argv[2]))
        return 2;

    unsigned char stream[STREAM_LIMIT];
    size_t used = 0;
    for (int i = 3; i < argc; i++) {
        used = append_message(stream, used, argv[i]);
        if (used == 0)
            return 2;
    }

    int err = net_start();
    if (err != 0) {
        net_perror(err, "framed_client: start");
        return 1;
    }
    socket_t s = connect_to(argv[1], argv[2]);
    if (s == NO_SOCKET)
        return 1;
    /* TCP_NODELAY: a small piece need not wait while an ACK is out (Nagle). It goes at once
     * if the congestion window has room, 10 segments at first; those that find none are put
     * together: over a cable with delay, 26 send() make 11 segments (README.md). */
    int on = 1;
    if (setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const void *)&on, sizeof on) < 0 ||
        net_timeout(s, SO_RCVTIMEO, REPLY_LIMIT_MS) < 0 ||
        net_timeout(s, SO_SNDTIMEO, REPLY_LIMIT_MS) < 0)
        net_perror(net_error(), "framed_client: setsockopt");

    int failed = 0;
    unsigned sends = 0;
    for (size_t at = 0; at < used && !failed; at += piece) {
        failed = send_all(s, stream + at, used - at < piece ? used - at : piece) < 0;
        sends++;
    }
    if (!failed)
        printf("%d messages, %zu bytes of stream, %u send()\n", argc - 3, used, sends);
    /* Our FIN, at a boundary: the server takes it for the end, and not for a message cut
     * short. */
    if (!failed && shutdown(s, SHUT_WR) < 0) {
        net_perror(net_error(), "framed_client: shutdown");
        failed = 1;
    }
    for (int i = 3; i < argc && !failed; i++)
        failed = read_reply(s, argv[i]) < 0;
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "framed_client: not all could be written to standard output\n");
        failed = 1;
    }
    net_close(s);
    net_stop();
    return failed;
}
