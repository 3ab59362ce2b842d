/* time_wait.c - the minute after: who closes first keeps its port in TIME_WAIT.
 *
 * Usage:     time_wait [--bind] [HOST PORT]
 *              without HOST PORT it is its own client, on 127.0.0.1; else it waits for one
 *              --bind   only tries to bind the port again, and does not wait for the end
 * Compile:   cc -o time_wait time_wait.c   (Windows: gcc -o time_wait time_wait.c -lws2_32)
 * Try it:    ./time_wait             we closed first: port 40000 is in TIME_WAIT
 *                                    bind with no option: Address already in use (...)
 *                                    bind with SO_REUSEADDR: works
 *                                    [########......................] 44 s left
 *                                    bind with no option: works after 60.1 s: CLOSED
 * Look for:  `ss -tano state time-wait` (Linux) or `netstat -an | grep TIME_WAIT` in a
 *            second terminal meanwhile: no program has this socket any more, the kernel
 *            keeps it alone. On the wire: time-wait-bind.scene
 * See also:  same_pair.c and time-wait-lost-ack.scene for what TIME_WAIT is good for
 */
#include "../common/net.h"

enum {
    LOOK_MS = 250,      /* between two tries of bind() */
    LINE_EVERY_S = 5,   /* progress as lines, where no bar can be drawn */
    GIVE_UP_S = 300,    /* no system is known to keep TIME_WAIT for longer than 240 s */
    BAR = 30,           /* columns */
    WAIT_MS = 30 * 1000 /* for a client that connects and then says nothing */
};

#ifdef _WIN32
static const char careful_name[] = "SO_EXCLUSIVEADDRUSE";
#else
static const char careful_name[] = "no option";
#endif

enum how { PLAIN, REUSE, CAREFUL };

/* Whether the address can be bound now. Returns 0, or the error. The three ways:
 *
 *   PLAIN   no option. POSIX: refused while the port is in TIME_WAIT. Windows: allowed.
 *   REUSE   SO_REUSEADDR. POSIX: allowed in TIME_WAIT, refused while somebody listens: what
 *           every server wants. Windows: allowed always, even beside a living server, which
 *           it robs of its clients: what no server wants.
 *   CAREFUL what a careful server waits for: on Windows SO_EXCLUSIVEADDRUSE, the option
 *           against being robbed, for which an old connection must be quite gone; elsewhere
 *           the same as PLAIN */
static int try_bind(const struct sockaddr_storage *address, socklen_t length,
                    enum how how) {
    int on = 1, err = 0;
    socket_t s = socket(address->ss_family, SOCK_STREAM, 0);
    if (s == NO_SOCKET)
        return net_error();
    if (how == REUSE)
        setsockopt(s, SOL_SOCKET, SO_REUSEADDR, (const void *)&on, sizeof on);
#ifdef _WIN32
    if (how == CAREFUL)
        setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const void *)&on, sizeof on);
#endif
    if (bind(s, (const struct sockaddr *)address, length) < 0)
        err = net_error();
    net_close(s); /* a socket that was only bound leaves nothing behind */
    return err;
}

static void report(const char *option, int err) {
    if (err == 0)
        printf("bind with %s: works\n", option);
    else
        printf("bind with %s: %s (%s)\n", option, net_error_text(err), net_error_name(err));
}

/* Listens, takes one client (itself, if `own_client`), and stops listening. Returns the
 * connection or NO_SOCKET; the address that was bound is left in *address. */
static socket_t take_one_client(struct sockaddr_storage *address, socklen_t *length,
                                int own_client, socket_t *client) {
    char name[NET_ADDRESS_MAX];
    int on = 1;
    socket_t listener = socket(address->ss_family, SOCK_STREAM, 0);
    if (listener == NO_SOCKET) {
        net_perror(net_error(), "time_wait: socket");
        return NO_SOCKET;
    }
#ifndef _WIN32
    /* On Linux both must have said so: who is in TIME_WAIT, and who wants its port.
     * Servers always say it, so nobody notices. */
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, (const void *)&on, sizeof on);
#else
    (void)on;
#endif
    if (bind(listener, (const struct sockaddr *)address, *length) < 0 ||
        listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)address, length) < 0) {
        net_perror(net_error(), "time_wait: bind %s", net_address(address, *length, name));
        net_close(listener);
        return NO_SOCKET;
    }
    printf("listening on %s\n", net_address(address, *length, name));
    if (own_client) {
        *client = socket(address->ss_family, SOCK_STREAM, 0);
        if (*client == NO_SOCKET ||
            connect(*client, (const struct sockaddr *)address, *length) < 0) {
            net_perror(net_error(), "time_wait: connect");
            net_close(listener);
            return NO_SOCKET;
        }
    }
    socket_t s = accept(listener, NULL, NULL);
    if (s == NO_SOCKET)
        net_perror(net_error(), "time_wait: accept");
    net_close(listener); /* LISTEN ends here; the connection does not depend on it */
    return s;
}

/* Reads until the peer's FIN. */
static int drain(socket_t s) {
    char chunk[1024];
    ssize_t count;
    net_timeout(s, SO_RCVTIMEO, WAIT_MS);
    do
        count = recv(s, chunk, sizeof chunk, 0);
    while (count > 0 || (count < 0 && net_error() == NET_E(INTR)));
    if (count < 0)
        net_perror(net_error(), "time_wait: recv");
    return count < 0 ? -1 : 0;
}

/* The server closes first. Returns 0 when it is in TIME_WAIT. */
static int close_first(socket_t server, socket_t client) {
    static const char answer[] = "goodbye";
    int result = 0;
    /* As a web server of the old kind: the answer, and the end of the connection. */
    if (send(server, answer, sizeof answer - 1, 0) < 0)
        net_perror(net_error(), "time_wait: send");
    shutdown(server, SHUT_WR); /* our FIN: FIN_WAIT_1, FIN_WAIT_2 */
    if (client != NO_SOCKET) {
        result = drain(client); /* it reads our FIN: CLOSE_WAIT */
        net_close(client);      /* its FIN: LAST_ACK */
    }
    if (result == 0)
        result = drain(server); /* its FIN is here: TIME_WAIT */
    net_close(server);
    return result;
}

/* How long the kernel will still keep this TIME_WAIT, in seconds; less than 0 when it does
 * not tell. Linux does: in /proc/net/tcp, state 06, with a timer in hundredths of a
 * second. */
static double seconds_left(unsigned port) {
    double left = -1;
#ifdef __linux__
    FILE *table = fopen("/proc/net/tcp", "r");
    char line[256];
    while (table && fgets(line, sizeof line, table)) {
        unsigned own, state;
        unsigned long timer;
        if (sscanf(line, "%*u: %*x:%x %*x:%*x %x %*x:%*x %*x:%lx", &own, &state, &timer) ==
                3 &&
            own == port && state == 6)
            left = (double)timer / 100;
    }
    if (table)
        fclose(table);
#else
    (void)port;
#endif
    return left;
}

static void show_progress(double passed, double left, int terminal, int *next_line) {
    char bar[BAR + 1];
    int full = left < 0 ? 0 : (int)(BAR * passed / (passed + left));
    memset(bar, '.', BAR);
    memset(bar, '#', (size_t)full);
    bar[BAR] = '\0';
    if (terminal && left >= 0)
        fprintf(stderr, "\r[%s] %2.0f s left ", bar, left);
    else if (terminal)
        fprintf(stderr, "\rTIME_WAIT for %.0f s ", passed);
    else if (passed >= *next_line) {
        if (left >= 0)
            printf("[%s] %2.0f s left\n", bar, left);
        else
            printf("TIME_WAIT for %.0f s\n", passed);
        *next_line += LINE_EVERY_S;
    }
}

/* Until bind() works. Returns 0, or -1 when it never does. */
static int count_down(const struct sockaddr_storage *address, socklen_t length,
                      unsigned port) {
    double start = net_seconds(), passed = 0;
    int err, next_line = 0;
#ifdef _WIN32
    int terminal = _isatty(2);
#else
    int terminal = isatty(2);
#endif
    while ((err = try_bind(address, length, CAREFUL)) == NET_E(ADDRINUSE) &&
           passed < GIVE_UP_S) {
        show_progress(passed, seconds_left(port), terminal, &next_line);
        net_sleep(LOOK_MS);
        passed = net_seconds() - start;
    }
    if (terminal)
        fprintf(stderr, "\r%*s\r", BAR + 16, "");
    if (err != 0) {
        net_perror(err, "time_wait: bind with %s after %.0f s", careful_name, passed);
        return -1;
    }
    if (passed > 0)
        printf("bind with %s: works after %.1f s: CLOSED\n", careful_name, passed);
    else
        printf("Nothing to wait for: this system does not mind.\n");
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf(
            "usage: time_wait [--bind] [HOST PORT]\n"
            "Closes a connection first, then tries to bind its port until TIME_WAIT ends.\n"
            "--bind stops after the first tries. Without HOST PORT it is its own "
            "client.\n");
        return 0;
    }
    int only_bind = argc > 1 && strcmp(argv[1], "--bind") == 0;
    argc -= only_bind;
    argv += only_bind;
    if (argc != 1 && argc != 3) {
        fprintf(stderr, "time_wait: expected [--bind] [HOST PORT]; see time_wait --help\n");
        return 2;
    }
    if (argc == 3 && !net_is_port("time_wait", argv[2]))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "time_wait: start");
        return 1;
    }
    const char *host = argc == 3 ? argv[1] : "127.0.0.1", *port = argc == 3 ? argv[2] : "0";
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed != 0) {
        fprintf(stderr, "time_wait: %s port %s: %s\n", host, port, gai_strerror(failed));
        return 1;
    }
    struct sockaddr_storage address = {0};
    socklen_t length = (socklen_t)found->ai_addrlen;
    memcpy(&address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);

    socket_t client = NO_SOCKET;
    socket_t server = take_one_client(&address, &length, argc == 1, &client);
    if (server == NO_SOCKET || close_first(server, client) < 0)
        return 1;
    /* IPv4 and IPv6 have the port in the same place. */
    unsigned number = ntohs(((const struct sockaddr_in *)&address)->sin_port);
    printf("we closed first: port %u is in TIME_WAIT\n", number);

    report("no option", try_bind(&address, length, PLAIN));
    report("SO_REUSEADDR", try_bind(&address, length, REUSE));
#ifdef _WIN32
    report("SO_EXCLUSIVEADDRUSE", try_bind(&address, length, CAREFUL));
#endif
    int result = only_bind ? 0 : count_down(&address, length, number);
    net_stop();
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "time_wait: not all could be written to standard output\n");
        return 1;
    }
    return result < 0 ? 1 : 0;
}
