/* peer.c - the passive close: what the end does that is told "I have nothing more to send".
 *
 * Usage:     peer [HOST PORT [WHEN]]      (127.0.0.1 7000 eof; port 0 takes any free one)
 *              eof     read until the client's FIN, then close
 *              later   as eof, but not ready at once: it closes a fifth of a second later
 *              answer  read until the client's FIN, then still send an answer, then close
 *              ask     as eof, and a second later ask the kernel how it ended
 *              first   close at once, without waiting for the client
 *              unread  wait until bytes have come, and close without reading them
 * Compile:   cc -o peer peer.c            (Windows: gcc -o peer peer.c -lws2_32)
 * Try it:    ./peer                       listening on 127.0.0.1:7000
 *            ./closer 127.0.0.1 7000 close hello   in a second terminal; then here:
 *                                         connection from 127.0.0.1:40000
 *                                         read "hello"
 *                                         end of stream: the other's FIN
 *                                         closed
 * Look for:  CLOSE_WAIT from the client's FIN until our close(), then LAST_ACK. On the
 *            wire: four-way-close.scene, time-wait-lost-ack.scene, reset-unread-data.scene
 * See also:  closer.c; leaky_server.c, which forgets to close.
 */
#include "../common/net.h"

enum {
    BACKLOG = 16,
    ANSWER_ROOM = 80,
    LATER_MS = 200,           /* more than the 40 ms for which Linux may hold back an ACK */
    ASK_AFTER_MS = 1000,      /* by then a lost last ACK has been asked for again, twice */
    IDLE_LIMIT_MS = 60 * 1000 /* a client silent for a minute is given up */
};

/* Prints what comes. Returns the bytes before the client's FIN, or -1 when the connection
 * broke. */
static long long read_to_the_end(socket_t client) {
    char chunk[1024];
    long long total = 0;
    for (;;) {
        ssize_t count = recv(client, chunk, sizeof chunk, 0);
        if (count == 0) { /* the client's FIN; we are in CLOSE_WAIT */
            printf("end of stream: the other's FIN\n");
            return total;
        }
        if (count < 0 && net_error() == NET_E(INTR))
            continue;
        if (count < 0) { /* ECONNRESET: a RST came, and the connection is gone */
            net_perror(net_error(), "peer: recv");
            return -1;
        }
        printf("read \"%.*s\"\n", (int)count, chunk);
        total += count;
    }
}

/* In CLOSE_WAIT only the client's direction has ended; ours is as good as before. */
static void answer(socket_t client, long long total) {
    char text[ANSWER_ROOM];
    int length = snprintf(text, sizeof text, "you sent %lld bytes", total);
    if (send(client, text, (io_len)length, 0) < 0)
        net_perror(net_error(), "peer: send");
}

/* Our FIN goes: LAST_ACK, until it is acknowledged. close() would send the same FIN, but
 * then nobody could be told how it ended; so the socket stays, and is asked later. That is
 * a wait for a time, and not for an event, because no call waits for the ACK of a FIN on
 * every system. */
static void finish_and_ask(socket_t client) {
    int error = 0;
    socklen_t length = sizeof error;
    if (shutdown(client, SHUT_WR) < 0) {
        net_perror(net_error(), "peer: shutdown");
        return;
    }
    net_sleep(ASK_AFTER_MS);
    if (getsockopt(client, SOL_SOCKET, SO_ERROR, (void *)&error, &length) < 0)
        net_perror(net_error(), "peer: getsockopt SO_ERROR");
    else
        printf("%s: that is how it ended\n", error ? net_error_name(error) : "no error");
}

/* Ends when there is something to read, or the peer's FIN or RST came. */
static void wait_for_bytes(socket_t client) {
    struct pollfd entry = {.fd = client, .events = POLLIN};
    if (poll(&entry, 1, IDLE_LIMIT_MS) < 0)
        net_perror(net_error(), "peer: poll");
}

static void serve(socket_t client, const char *when) {
    if (strcmp(when, "unread") == 0) {
        wait_for_bytes(client); /* close() with unread bytes sends a RST: they are lost */
    } else if (strcmp(when, "first") != 0) {
        long long total = read_to_the_end(client);
        if (total >= 0 && strcmp(when, "later") == 0)
            net_sleep(LATER_MS); /* whatever it still has to do: CLOSE_WAIT meanwhile */
        if (total >= 0 && strcmp(when, "answer") == 0)
            answer(client, total);
        if (total >= 0 && strcmp(when, "ask") == 0)
            finish_and_ask(client);
    }
    net_close(client); /* our FIN: CLOSE_WAIT to LAST_ACK, or ESTABLISHED to FIN_WAIT_1 */
    printf("closed\n");
}

static int is_when(const char *word) {
    static const char *const words[] = {"eof", "later", "answer", "ask", "first", "unread"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(word, words[i]) == 0)
            return 1;
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: peer [HOST PORT [WHEN]]\n"
               "Takes one client after another and closes each connection. WHEN is eof, "
               "later,\nanswer, ask, first or unread; 127.0.0.1 7000 eof unless given.\n");
        return 0;
    }
    if (argc == 2 || argc > 4) {
        fprintf(stderr, "peer: expected HOST PORT [WHEN] or nothing; see peer --help\n");
        return 2;
    }
    const char *host = argc > 2 ? argv[1] : "127.0.0.1";
    const char *port = argc > 2 ? argv[2] : "7000";
    const char *when = argc > 3 ? argv[3] : "eof";
    if (!is_when(when)) {
        fprintf(stderr, "peer: WHEN is eof, later, answer, ask, first or unread, not %s\n",
                when);
        return 2;
    }
    if (!net_is_port("peer", port))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "peer: start");
        return 1;
    }

    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *address;
    int failed = getaddrinfo(host, port, &hints, &address);
    if (failed != 0) {
        fprintf(stderr, "peer: %s port %s: %s\n", host, port, gai_strerror(failed));
        return 1;
    }
    socket_t listener =
        socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    if (listener == NO_SOCKET) {
        net_perror(net_error(), "peer: socket");
        return 1;
    }
    int on =
        1; /* bind() although the port is in TIME_WAIT from the last run: time_wait.c */
#ifdef _WIN32
    setsockopt(listener, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const void *)&on, sizeof on);
#else
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, (const void *)&on, sizeof on);
#endif
    if (bind(listener, address->ai_addr, (socklen_t)address->ai_addrlen) < 0 ||
        listen(listener, BACKLOG) < 0) {
        net_perror(net_error(), "peer: bind %s:%s", host, port);
        return 1;
    }
    freeaddrinfo(address);
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    char text[NET_ADDRESS_MAX];
    if (getsockname(listener, (struct sockaddr *)&name, &length) == 0)
        printf("listening on %s\n", net_address(&name, length, text));

    for (;;) { /* until Ctrl-C */
        length = sizeof name;
        socket_t client = accept(listener, (struct sockaddr *)&name, &length);
        if (client == NO_SOCKET) { /* a client that was gone again, or no descriptor free */
            if (net_error() != NET_E(INTR)) {
                net_perror(net_error(), "peer: accept");
                net_sleep(100);
            }
            continue;
        }
        printf("connection from %s\n", net_address(&name, length, text));
        net_timeout(client, SO_RCVTIMEO, IDLE_LIMIT_MS);
        serve(client, when);
    }
}
