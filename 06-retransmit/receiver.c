/* receiver.c - takes what sender.c sends; it can be slow, short of room, or answer.
 *
 * Usage:     receiver [HOST PORT] [OPTION]...  (127.0.0.1 7000; port 0 takes any free one)
 *            --after MS      wait so long before the first recv()
 *            --buffer BYTES  SO_RCVBUF: what the kernel may keep for us unread
 *            --reply BYTES   answer with one byte each time so many have come
 * Compile:   cc -o receiver receiver.c     (Windows: gcc -o receiver receiver.c -lws2_32)
 * Try it:    ./receiver                       in one terminal: listening on 127.0.0.1:7000
 *            ./sender 127.0.0.1 7000 100 100  in another
 *                                             in the first: 127.0.0.1:...: 200 bytes
 * Look for:  the ACKs come from the kernel, whether we call recv() or not; only the window,
 *            the room that is left for unread bytes, depends on us.
 *            On the wire: zero-window.scene, nagle-delayed-ack.scene
 * See also:  sender.c; 02-tcp-echo/server.c, where each of these calls is explained.
 */
#include "../common/net.h"
#include <stdlib.h>

enum { BACKLOG = 16, CHUNK = 16 * 1024, IDLE_LIMIT_MS = 120 * 1000 };

struct manner {
    long after, buffer, reply; /* 0: not asked for */
};

/* Reads to the peer's FIN. Returns 0, or -1 when the connection failed. */
static int take_all(socket_t s, const struct manner *manner, const char *peer) {
    char chunk[CHUNK];
    unsigned long long total = 0;
    long since_reply = 0;
    for (;;) {
        ssize_t count = recv(s, chunk, sizeof chunk, 0);
        if (count < 0 && net_error() == NET_E(INTR))
            continue;
        if (count < 0) {
            net_perror(net_error(), "receiver: recv from %s", peer);
            return -1;
        }
        if (count == 0) { /* the peer's FIN: CLOSE_WAIT */
            printf("%s: %llu bytes\n", peer, total);
            return 0;
        }
        total += (unsigned long long)count;
        since_reply += (long)count;
        for (; manner->reply > 0 && since_reply >= manner->reply;
             since_reply -= manner->reply)
            /* The ACK of what came rides on this segment, if it has not gone alone
             * before. */
            if (send(s, "a", 1, 0) < 0) {
                net_perror(net_error(), "receiver: send to %s", peer);
                return -1;
            }
    }
}

/* Whether accept() may work the next time: see 02-tcp-echo/server.c. */
static int may_accept_again(int err) {
    return err != NET_E(BADF) && err != NET_E(INVAL) && err != NET_E(NOTSOCK) &&
           err != NET_E(OPNOTSUPP) && err != NET_E(FAULT);
}

static socket_t listen_on(const char *host, const char *port, long buffer) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *a;
    int failed = getaddrinfo(host, port, &hints, &a);
    if (failed != 0) {
        fprintf(stderr, "receiver: %s port %s: %s\n", host, port, gai_strerror(failed));
        return NO_SOCKET;
    }
    socket_t s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
    int on = 1, size = (int)buffer;
    if (s == NO_SOCKET) {
        net_perror(net_error(), "receiver: socket");
        return NO_SOCKET;
    }
#ifdef _WIN32
    setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const void *)&on, sizeof on);
#else
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, (const void *)&on, sizeof on);
#endif
    /* Before listen(): the window is offered in the SYN,ACK already, and connections
     * inherit it. */
    if (buffer > 0)
        setsockopt(s, SOL_SOCKET, SO_RCVBUF, (const void *)&size, sizeof size);
    failed = bind(s, a->ai_addr, (socklen_t)a->ai_addrlen) < 0;
    if (failed)
        net_perror(net_error(), "receiver: bind %s:%s", host, port);
    else if ((failed = listen(s, BACKLOG) < 0) != 0)
        net_perror(net_error(), "receiver: listen");
    freeaddrinfo(a);
    if (!failed)
        return s;
    net_close(s);
    return NO_SOCKET;
}

static long number(const char *text, long most) {
    char *end;
    long value = strtol(text, &end, 10);
    return *text < '0' || *text > '9' || *end || value < 1 || value > most ? -1 : value;
}

/* Options from argv[i] on. Returns 0, or -1 for a mistake. */
static int read_manner(int argc, char **argv, int i, struct manner *manner) {
    for (; i + 1 < argc; i += 2) {
        long value = number(argv[i + 1], 1000000000);
        if (strcmp(argv[i], "--after") == 0)
            manner->after = value;
        else if (strcmp(argv[i], "--buffer") == 0)
            manner->buffer = value;
        else if (strcmp(argv[i], "--reply") == 0)
            manner->reply = value;
        else
            return -1;
        if (value < 0)
            return -1;
    }
    return i == argc ? 0 : -1;
}

int main(int argc, char **argv) {
    struct manner manner = {0};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: receiver [HOST PORT] [--after MS] [--buffer BYTES] [--reply BYTES]\n"
               "Reads what each client sends, to its end, one client after another.\n"
               "HOST and PORT are 127.0.0.1 and 7000 unless given; port 0 takes any free "
               "one.\n");
        return 0;
    }
    int named = argc >= 3 && argv[1][0] != '-';
    if (read_manner(argc, argv, named ? 3 : 1, &manner) < 0) {
        fprintf(stderr,
                "receiver: expected [HOST PORT] and options; see receiver --help\n");
        return 2;
    }
    if (named && !net_is_port("receiver", argv[2]))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "receiver: start");
        return 1;
    }
    socket_t listener =
        listen_on(named ? argv[1] : "127.0.0.1", named ? argv[2] : "7000", manner.buffer);
    if (listener == NO_SOCKET)
        return 1;
    struct sockaddr_storage own;
    socklen_t own_length = sizeof own;
    char name[NET_ADDRESS_MAX];
    if (getsockname(listener, (struct sockaddr *)&own, &own_length) < 0) {
        net_perror(net_error(), "receiver: getsockname");
        return 1;
    }
    printf("listening on %s\n", net_address(&own, own_length, name));

    /* One client at a time, for this is about one connection. Ctrl-C ends it. */
    for (;;) {
        struct sockaddr_storage from;
        socklen_t from_length = sizeof from;
        socket_t s = accept(listener, (struct sockaddr *)&from, &from_length);
        if (s == NO_SOCKET) {
            err = net_error();
            if (err == NET_E(INTR))
                continue;
            net_perror(err, "receiver: accept");
            if (!may_accept_again(err))
                return 1;
            net_sleep(100);
            continue;
        }
        net_timeout(s, SO_RCVTIMEO, IDLE_LIMIT_MS);
        net_timeout(s, SO_SNDTIMEO, IDLE_LIMIT_MS);
        if (manner.after > 0) /* meanwhile the kernel takes what it has room for */
            net_sleep((int)manner.after);
        take_all(s, &manner, net_address(&from, from_length, name));
        net_close(s);
    }
}
