/* late_accept.c - what the kernel does between listen() and accept(), without the program.
 *
 * Usage:     late_accept HOST PORT BACKLOG [AFTER_MS]    (without AFTER_MS it never accepts)
 * Compile:   cc -o late_accept late_accept.c     (Windows: gcc ... -lws2_32)
 * Try it:    ./late_accept 127.0.0.1 7000 1 2500     listening on 127.0.0.1:7000
 *            in a second terminal:                   ./connect_many 127.0.0.1 7000 3
 *            two connections are made at once, the third only when accept() has made room.
 * Look for:  connections ESTABLISHED, and bytes of theirs acknowledged, that this program
 *            has never seen: `ss -tan` shows them; Recv-Q of the LISTEN row says how many wait.
 *            On the wire: listen-without-accept.scene, backlog-full.scene
 * See also:  connect_many.c; ../02-tcp-echo/server.c, which accepts at once.
 */
#include "../common/net.h"
#include <stdlib.h>

static const char greeting[] = "good day!\n"; /* this server speaks first */
enum { IDLE_LIMIT_MS = 10 * 1000 };           /* a client silent for so long is given up */

/* A number that is all of the word, from 0 to most. Returns -1 when it is not. */
static long whole_number(const char *word, long most) {
    char *end;
    long value = strtol(word, &end, 10);
    return end == word || *end != '\0' || value < 0 || value > most ? -1 : value;
}

/* Greets one client, then waits for its FIN, or until it has been silent too long. */
static void greet(socket_t client, const char *peer) {
    char chunk[2048];
    ssize_t count;
    net_timeout(client, SO_RCVTIMEO, IDLE_LIMIT_MS);
    if (send(client, greeting, (io_len)strlen(greeting), 0) < 0) {
        net_perror(net_error(), "late_accept: send to %s", peer);
        return;
    }
    do
        count = recv(client, chunk, sizeof chunk, 0);
    while (count > 0 || (count < 0 && net_error() == NET_E(INTR)));
    if (count < 0)
        net_perror(net_error(), "late_accept: recv from %s", peer);
}

/* One client after the other. Returns only when accept() cannot go on. */
static void serve(socket_t listener) {
    for (;;) {
        struct sockaddr_storage from;
        socklen_t length = sizeof from;
        char peer[NET_ADDRESS_MAX];
        socket_t client = accept(listener, (struct sockaddr *)&from, &length);
        if (client == NO_SOCKET) {
            int err = net_error();
            if (err == NET_E(INTR) || err == NET_E(CONNABORTED))
                continue; /* that client has reset its connection while it waited here */
            net_perror(err, "late_accept: accept");
            if (err == NET_E(BADF) || err == NET_E(INVAL) || err == NET_E(NOTSOCK))
                return;
            net_sleep(100); /* out of descriptors, say: try again later */
            continue;
        }
        printf("%s: accepted\n", net_address(&from, length, peer));
        greet(client, peer);
        net_close(client);
    }
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: late_accept HOST PORT BACKLOG [AFTER_MS]\n"
               "Listens with a queue of BACKLOG, lets AFTER_MS milliseconds go by, then\n"
               "accepts and greets its clients, one at a time. Without AFTER_MS it never "
               "accepts.\n");
        return 0;
    }
    long backlog = argc >= 4 ? whole_number(argv[3], 65535) : -1;
    long after = argc == 5 ? whole_number(argv[4], 3600000) : 0;
    if (argc < 4 || argc > 5 || backlog < 0 || after < 0) {
        fprintf(stderr, "late_accept: expected HOST PORT BACKLOG [AFTER_MS]; see "
                        "late_accept --help\n");
        return 2;
    }
    if (!net_is_port("late_accept", argv[2]))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "late_accept: start");
        return 1;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *address;
    int failed = getaddrinfo(argv[1], argv[2], &hints, &address);
    if (failed != 0) {
        fprintf(stderr, "late_accept: %s port %s: %s\n", argv[1], argv[2],
                gai_strerror(failed));
        return 1;
    }
    socket_t listener =
        socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    if (listener == NO_SOCKET) {
        net_perror(net_error(), "late_accept: socket");
        return 1;
    }
    int on = 1; /* why, and why two options: see 02-tcp-echo/server.c */
#ifdef _WIN32
    setsockopt(listener, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const void *)&on, sizeof on);
#else
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
#endif
    if (bind(listener, address->ai_addr, (socklen_t)address->ai_addrlen) < 0) {
        net_perror(net_error(), "late_accept: bind %s:%s", argv[1], argv[2]);
        return 1;
    }
    freeaddrinfo(address);

    /* BACKLOG is the length of the queue of connections that are complete and wait for
     * accept(). What "full" means differs: Linux lets in one more than BACKLOG, and leaves
     * the next SYN unanswered, so that the client tries again. Windows answers with a RST. */
    if (listen(listener, (int)backlog) < 0) {
        net_perror(net_error(), "late_accept: listen");
        return 1;
    }
    struct sockaddr_storage own;
    socklen_t own_length = sizeof own;
    char name[NET_ADDRESS_MAX];
    if (getsockname(listener, (struct sockaddr *)&own, &own_length) < 0) {
        net_perror(net_error(), "late_accept: getsockname");
        return 1;
    }
    printf("listening on %s\n", net_address(&own, own_length, name));

    /* DELIBERATE: the program sleeps, as no server should; 02-tcp-echo/server.c does not. Its
     * kernel shakes hands, acknowledges data and FINs, and keeps all that for accept(). */
    if (argc == 5)
        net_sleep((int)after);
    else
        for (;;) /* until Ctrl-C */
            net_sleep(1000);
    serve(listener);
    net_close(listener);
    net_stop();
    return 1;
}
