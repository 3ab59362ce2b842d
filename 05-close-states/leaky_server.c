/* leaky_server.c - the bug that everyone writes once: close() is forgotten.
 *
 * Usage:     leaky_server [--mended] [--descriptors N] [HOST PORT]   (127.0.0.1 7000)
 * Compile:   cc -o leaky_server leaky_server.c
 *            (Windows: gcc -o leaky_server leaky_server.c -lws2_32)
 * Try it:    ./leaky_server --descriptors 7         listening on 127.0.0.1:7000
 *            ./closer -n 4 127.0.0.1 7000 close     in a second terminal; then here:
 *                      open: 4 CLOSE_WAIT, 5 CLOSE_WAIT, 6 CLOSE_WAIT
 *                      leaky_server: accept: Too many open files (EMFILE)
 *            the same with --mended: the list stays empty, and every client is served
 * Look for:  CLOSE_WAIT in `ss -tan` or `netstat -an`: no time-out ends it, for the kernel
 *            waits for our close(). On the wire: close-wait-leak.scene and
 *            close-wait-mended.scene
 * See also:  peer.c, which closes.
 */
#include "../common/net.h"
#include <stdlib.h>
#ifndef _WIN32
#include <sys/resource.h>
#endif

enum {
    BACKLOG = 128,
    MAX_OPEN = 4096, /* as many as this program can list */
    SHOWN = 12,      /* of the list, in one line */
    RETRY_MS = 5 * 1000,
    IDLE_LIMIT_MS = 60 * 1000
};

/* The state of a connection by TCP_INFO, whose first byte is the kernel's number for it:
 * the way of Linux. Windows 10 has SIO_TCP_INFO for it, macOS TCP_CONNECTION_INFO. */
static const char *state_of(socket_t s) {
#ifdef __linux__
    static const char *const names[] = {
        "?",         "ESTABLISHED", "SYN_SENT",   "SYN_RCVD", "FIN_WAIT_1", "FIN_WAIT_2",
        "TIME_WAIT", "CLOSED",      "CLOSE_WAIT", "LAST_ACK", "LISTEN",     "CLOSING"};
    unsigned char info[256] = {0};
    socklen_t length = sizeof info;
    if (getsockopt(s, IPPROTO_TCP, TCP_INFO, info, &length) == 0 &&
        info[0] < sizeof names / sizeof names[0])
        return names[info[0]];
#else
    (void)s;
#endif
    return "(see netstat -an)";
}

static void print_list(const socket_t *open, int count) {
    printf("open:%s", count == 0 ? " nothing" : "");
    for (int i = 0; i < count && i < SHOWN; i++)
        printf("%s %lld %s", i ? "," : "", (long long)open[i], state_of(open[i]));
    if (count > SHOWN)
        printf(" and %d more", count - SHOWN);
    printf("\n");
}

static void read_to_the_end(socket_t client) {
    char chunk[1024];
    ssize_t count;
    do
        count = recv(client, chunk, sizeof chunk, 0);
    while (count > 0 || (count < 0 && net_error() == NET_E(INTR)));
    if (count < 0)
        net_perror(net_error(), "leaky_server: recv");
}

/* Serves one client after another. `open` is all that was not closed. */
static void serve(socket_t listener, int mended) {
    static socket_t open[MAX_OPEN];
    int count = 0;
    while (count < MAX_OPEN) {
        socket_t client = accept(listener, NULL, NULL);
        if (client == NO_SOCKET && net_error() == NET_E(INTR))
            continue;
        if (client == NO_SOCKET) {
            /* EMFILE: every descriptor that this process may have is in use. The kernel
             * goes on completing handshakes, so clients see a server that connects and
             * never answers. Trying again at once would fail at once, for ever: a server
             * must at least pause. */
            net_perror(net_error(), "leaky_server: accept");
            net_sleep(RETRY_MS);
            continue;
        }
        net_timeout(client, SO_RCVTIMEO, IDLE_LIMIT_MS);
        read_to_the_end(client); /* the client's FIN: CLOSE_WAIT */
        if (mended) {
            net_close(client); /* our FIN: LAST_ACK, and CLOSED when it is acknowledged */
        } else {
            /* DELIBERATE: "the client has closed, so it is closed". Its half is; ours is
             * not. --mended mends it. */
            open[count++] = client;
        }
        print_list(open, count);
    }
    printf("%d connections not closed: that is enough\n", count);
}

/* The limit on descriptors is usually 1024 or far more: a smaller one shows the end
 * sooner. */
static int limit_descriptors(const char *text) {
    char *end;
    long n = strtol(text, &end, 10);
    if (*end != '\0' || n < 5 || n > MAX_OPEN) {
        fprintf(stderr, "leaky_server: --descriptors takes 5 to %d, not %s\n", MAX_OPEN,
                text);
        return -1;
    }
#ifdef _WIN32
    printf("Windows has no such limit: handles last until memory does\n");
#else
    struct rlimit limit = {.rlim_cur = (rlim_t)n, .rlim_max = (rlim_t)n};
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        perror("leaky_server: setrlimit");
#endif
    return 0;
}

int main(int argc, char **argv) {
    int at = 1, mended = 0;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "leaky_server: start");
        return 1;
    }
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--help") == 0) {
            printf("usage: leaky_server [--mended] [--descriptors N] [HOST PORT]\n"
                   "Reads each client's stream and forgets to close; --mended remembers.\n"
                   "HOST and PORT are 127.0.0.1 and 7000 unless given; port 0 takes any "
                   "free one.\n");
            return 0;
        }
        if (strcmp(argv[at], "--mended") == 0) {
            mended = 1;
        } else if (strcmp(argv[at], "--descriptors") == 0 && at + 1 < argc) {
            if (limit_descriptors(argv[++at]) < 0)
                return 2;
        } else {
            fprintf(stderr, "leaky_server: no such option: %s; see leaky_server --help\n",
                    argv[at]);
            return 2;
        }
    }
    if (argc - at != 0 && argc - at != 2) {
        fprintf(stderr, "leaky_server: expected HOST PORT; see leaky_server --help\n");
        return 2;
    }
    const char *host = at < argc ? argv[at] : "127.0.0.1";
    const char *port = at < argc ? argv[at + 1] : "7000";
    if (!net_is_port("leaky_server", port))
        return 2;

    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *address;
    int failed = getaddrinfo(host, port, &hints, &address);
    if (failed != 0) {
        fprintf(stderr, "leaky_server: %s port %s: %s\n", host, port, gai_strerror(failed));
        return 1;
    }
    socket_t listener =
        socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    if (listener == NO_SOCKET) {
        net_perror(net_error(), "leaky_server: socket");
        return 1;
    }
    int on = 1; /* time_wait.c says what for */
#ifdef _WIN32
    setsockopt(listener, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const void *)&on, sizeof on);
#else
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, (const void *)&on, sizeof on);
#endif
    if (bind(listener, address->ai_addr, (socklen_t)address->ai_addrlen) < 0 ||
        listen(listener, BACKLOG) < 0) {
        net_perror(net_error(), "leaky_server: bind %s:%s", host, port);
        return 1;
    }
    freeaddrinfo(address);
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    char name[NET_ADDRESS_MAX];
    if (getsockname(listener, (struct sockaddr *)&own, &length) == 0)
        printf("listening on %s\n", net_address(&own, length, name));

    serve(listener, mended);
    /* The end of a process closes all that it forgot: each CLOSE_WAIT becomes LAST_ACK
     * now. */
    return 1;
}
