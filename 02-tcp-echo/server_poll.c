/* server_poll.c - many clients at once in one process: no call ever waits for one of them.
 *
 * server.c waits inside recv() for its only client. Here every socket is non-blocking, and
 * the program waits in one place alone, poll(), for all of them together. A client that
 * sends nothing, or reads nothing, or resets, costs the others nothing.
 *
 * Usage:     server_poll [HOST PORT]    (127.0.0.1 7000; port 0 takes any free one)
 * Compile:   cc -o server_poll server_poll.c
 *            (Windows: gcc -o server_poll server_poll.c -lws2_32)
 * Try it:    ./server_poll              listening on 127.0.0.1:7000
 *            ./client 127.0.0.1 7000    in two more terminals: type in both, both answer
 * Look for:  one process in `ps`, many ESTABLISHED in `ss -tan`. A client that does not
 *            read is not read from either: 06-retransmit/zero-window.scene
 * See also:  server.c. poll() looks at every client on each turn: for far more than 10,000
 *            there are epoll (Linux), kqueue (BSD, macOS), completion ports (Windows).
 */
#include "../common/net.h"
#include <signal.h>
#include <stdlib.h>
#ifndef _WIN32
#include <sys/resource.h>
#endif

enum {
    MAX_CLIENTS = 10 * 1024,
    OTHER_FILES = 16,  /* descriptors of other things: the listener, stdin, stdout, ... */
    CHUNK = 16 * 1024, /* most bytes from one client before it is the next one's turn */
    IDLE_LIMIT = 60,   /* seconds: a client that neither sends nor reads is given up */
    TICK_MS = 1000     /* poll() returns at least so often, to look at the clock */
};

struct client {
    unsigned long long number; /* 1 for the first that was accepted, and so on */
    double active;             /* when it last sent or read something, by net_seconds() */
    char *unsent;              /* what send() has not taken yet, or NULL: while it stands */
    size_t from, to;           /* nothing more is received, so it never exceeds CHUNK */
};

/* select() would want a set of bits with room for descriptors below FD_SETSIZE, 1024 as a
 * rule: FD_SET of a larger one writes beyond it. The array of poll() may be any length. */
struct server {
    struct pollfd *set;     /* set[0] is the listener, set[i] the socket of clients[i] */
    struct client *clients; /* clients[0] is not used */
    unsigned count;         /* entries in use, the listener's included */
    int full;               /* said that no more can be accepted */
    double now;
    unsigned long long accepted, echoed;
};

static volatile sig_atomic_t stop;
static void on_interrupt(int signal_number) {
    (void)signal_number;
    stop = 1;
}

/* ---- one client ---------------------------------------------------------------------- */

/* Closes it, and moves the last client to its place: the array has no holes. */
static void drop(struct server *server, unsigned i) {
    net_close(server->set[i].fd);
    free(server->clients[i].unsent);
    server->count--;
    server->set[i] = server->set[server->count];
    server->clients[i] = server->clients[server->count];
    server->set[0].events = POLLIN; /* there is room for one more */
}

/* The kernel took only part, for this client does not read as fast as it sends. The rest is
 * kept, and we ask poll() for room to send instead of bytes to read. What the client sends
 * meanwhile fills our receive buffer, the window goes to 0, and the client must wait. */
static int keep(struct server *server, unsigned i, const char *bytes, size_t count) {
    struct client *client = &server->clients[i];
    client->unsent = malloc(count);
    if (client->unsent == NULL)
        return -1;
    memcpy(client->unsent, bytes, count);
    client->from = 0;
    client->to = count;
    server->set[i].events = POLLOUT;
    return 0;
}

/* Bytes, or the FIN or RST, have come. The echo is sent at once, without asking poll() for
 * room: there nearly always is some. Returns 0, or -1 when this client has ended. */
static int echo(struct server *server, unsigned i) {
    char chunk[CHUNK];
    struct client *client = &server->clients[i];
    ssize_t count = recv(server->set[i].fd, chunk, sizeof chunk, 0);
    if (count == 0) /* its FIN, and all it sent has gone back: our FIN may follow */
        return -1;
    if (count < 0) {
        int err = net_error();
        if (net_would_block(err) || err == NET_E(INTR))
            return 0;
        net_perror(err, "server_poll: recv from client %llu", client->number);
        return -1;
    }
    client->active = server->now;
    ssize_t sent = send(server->set[i].fd, chunk, (io_len)count, 0);
    if (sent < 0) {
        int err = net_error();
        if (!net_would_block(err) && err != NET_E(INTR)) {
            net_perror(err, "server_poll: send to client %llu", client->number);
            return -1;
        }
        sent = 0;
    }
    server->echoed += (unsigned long long)sent;
    if (sent == count)
        return 0;
    if (keep(server, i, chunk + sent, (size_t)(count - sent)) < 0) {
        fprintf(stderr, "server_poll: no memory for client %llu\n", client->number);
        return -1;
    }
    return 0;
}

/* There is room again for what was kept. Returns 0, or -1 when this client has ended. */
static int send_kept(struct server *server, unsigned i) {
    struct client *client = &server->clients[i];
    ssize_t sent = send(server->set[i].fd, client->unsent + client->from,
                        (io_len)(client->to - client->from), 0);
    if (sent < 0) {
        int err = net_error();
        if (net_would_block(err) || err == NET_E(INTR))
            return 0;
        net_perror(err, "server_poll: send to client %llu", client->number);
        return -1;
    }
    client->active = server->now;
    client->from += (size_t)sent;
    server->echoed += (unsigned long long)sent;
    if (client->from == client->to) {
        free(client->unsent);
        client->unsent = NULL;
        server->set[i].events = POLLIN;
    }
    return 0;
}

/* ---- all of them --------------------------------------------------------------------- */

/* Those not accepted wait, connected, in the kernel's queue. poll() would report them again
 * and again, and we would spin: so it is not asked about the listener until a client has
 * left or a second has passed. Said once, not each time. */
static void pause_accepting(struct server *server, const char *why) {
    server->set[0].events = 0;
    if (!server->full)
        fprintf(stderr, "server_poll: %u clients and %s: the next wait until one leaves\n",
                server->count - 1, why);
    server->full = 1;
}

/* Takes all that wait: one turn of poll() may stand for hundreds of new clients. Returns 0,
 * or -1 when the listening socket itself is broken. */
static int accept_all(struct server *server) {
    while (server->count <= MAX_CLIENTS) {
        socket_t s = accept(server->set[0].fd, NULL, NULL);
        if (s == NO_SOCKET) {
            int err = net_error();
            if (net_would_block(err)) { /* the queue is empty */
                server->full = 0;
                return 0;
            }
            if (err == NET_E(BADF) || err == NET_E(INVAL) || err == NET_E(NOTSOCK)) {
                net_perror(err, "server_poll: accept");
                return -1;
            }
            if (err == NET_E(CONNABORTED) || err == NET_E(CONNRESET) || err == NET_E(INTR))
                continue; /* one that has gone before we came to it */
            pause_accepting(server, net_error_text(err)); /* EMFILE, ENFILE, ENOBUFS... */
            return 0;
        }
        if (net_nonblocking(s, 1) < 0) {
            net_perror(net_error(), "server_poll: non-blocking");
            net_close(s);
            continue;
        }
        unsigned i = server->count++;
        server->set[i] = (struct pollfd){.fd = s, .events = POLLIN};
        server->clients[i] =
            (struct client){.number = ++server->accepted, .active = server->now};
    }
    pause_accepting(server, "no room for more");
    return 0;
}

/* Once a tick: gives up the silent ones, and tells the figures if anything has happened. */
static void tick(struct server *server, int changed) {
    for (unsigned i = server->count - 1; i > 0; i--)
        if (server->now - server->clients[i].active > IDLE_LIMIT) {
            printf("client %llu: silent for %d s, given up\n", server->clients[i].number,
                   IDLE_LIMIT);
            drop(server, i);
        }
    if (changed)
        printf("%u clients now, %llu since the start; %llu bytes echoed\n",
               server->count - 1, server->accepted, server->echoed);
    server->set[0].events = POLLIN; /* descriptors may have become free elsewhere */
}

static int serve(struct server *server) {
    int changed = 0;
    double next_tick = net_seconds() + TICK_MS / 1000.0;
    while (!stop) {
        int ready = poll(server->set, server->count, TICK_MS);
        if (ready < 0 && net_error() != NET_E(INTR)) {
            net_perror(net_error(), "server_poll: poll");
            return -1;
        }
        server->now = net_seconds();
        changed |= ready > 0;
        /* From the last to the first, so that drop() moves only clients already looked at;
         * and no further than the number of those that are ready. After a FIN, Windows may
         * say POLLHUP without POLLIN: recv() tells what it was. */
        for (unsigned i = server->count - 1; i > 0 && ready > 0; i--) {
            if (server->set[i].revents == 0)
                continue;
            ready--;
            int ended = server->clients[i].unsent ? send_kept(server, i) : echo(server, i);
            if (ended < 0)
                drop(server, i);
        }
        if (ready > 0 && server->set[0].revents != 0 && accept_all(server) < 0)
            return -1;
        if (server->now >= next_tick) {
            tick(server, changed);
            changed = 0;
            next_tick = server->now + TICK_MS / 1000.0;
        }
    }
    return 0;
}

/* ---- start --------------------------------------------------------------------------- */

/* Each client is one open file, and a process may have only so many: often 1,024, the
 * "soft" limit, which anyone may raise up to the "hard" one. Windows has no such limit. */
static void raise_descriptor_limit(void) {
#ifndef _WIN32
    struct rlimit limit;
    const rlim_t wanted = MAX_CLIENTS + OTHER_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        perror("server_poll: getrlimit");
        return;
    }
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            perror("server_poll: setrlimit");
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted)
        fprintf(
            stderr,
            "server_poll: only %llu open files are allowed here (ulimit -Hn), too few for "
            "%d clients\n",
            (unsigned long long)limit.rlim_cur, MAX_CLIENTS);
#endif
}

/* The same steps as in server.c, and O_NONBLOCK: with a blocking listener, accept() would
 * wait when the client that poll() told us of has gone in the meantime. */
static socket_t listen_on(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int failed = getaddrinfo(host, port, &hints, &list);
    if (failed != 0) {
        fprintf(stderr, "server_poll: %s port %s: %s\n", host, port, gai_strerror(failed));
        return NO_SOCKET;
    }
    char name[NET_ADDRESS_MAX];
    socket_t s = NO_SOCKET;
    for (struct addrinfo *a = list; a != NULL && s == NO_SOCKET; a = a->ai_next) {
        s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (s == NO_SOCKET) {
            net_perror(net_error(), "server_poll: socket");
            continue;
        }
        int on = 1;
#ifdef _WIN32
        int option = SO_EXCLUSIVEADDRUSE;
#else
        int option = SO_REUSEADDR;
#endif
        if (setsockopt(s, SOL_SOCKET, option, (const void *)&on, sizeof on) < 0)
            net_perror(net_error(), "server_poll: setsockopt");
        /* SOMAXCONN: thousands may come while we are busy, and a full queue drops their
         * SYNs */
        if (bind(s, a->ai_addr, (socklen_t)a->ai_addrlen) < 0 || listen(s, SOMAXCONN) < 0 ||
            net_nonblocking(s, 1) < 0) {
            int err = net_error();
            net_address(a->ai_addr, (socklen_t)a->ai_addrlen, name);
            net_perror(err, "server_poll: bind %s", name);
            net_close(s);
            s = NO_SOCKET;
        }
    }
    freeaddrinfo(list);
    struct sockaddr_storage own;
    socklen_t own_length = sizeof own;
    if (s != NO_SOCKET && getsockname(s, (struct sockaddr *)&own, &own_length) == 0)
        printf("listening on %s\n", net_address(&own, own_length, name));
    return s;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: server_poll [HOST PORT]\n"
               "Sends back every byte of each client's stream, up to %d clients at once.\n"
               "HOST and PORT are 127.0.0.1 and 7000 unless given; port 0 takes any free "
               "one.\n",
               MAX_CLIENTS);
        return 0;
    }
    if (argc != 1 && argc != 3) {
        fprintf(stderr,
                "server_poll: expected HOST PORT or nothing; see server_poll --help\n");
        return 2;
    }
    const char *host = argc == 3 ? argv[1] : "127.0.0.1";
    const char *port = argc == 3 ? argv[2] : "7000";
    if (!net_is_port("server_poll", port))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "server_poll: start");
        return 1;
    }
#ifndef _WIN32
    struct sigaction interrupt = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &interrupt, NULL);
#else
    (void)on_interrupt;
#endif
    raise_descriptor_limit();

    struct server server = {.count = 1};
    server.set = calloc(MAX_CLIENTS + 1, sizeof *server.set);
    server.clients = calloc(MAX_CLIENTS + 1, sizeof *server.clients);
    if (server.set == NULL || server.clients == NULL) {
        fprintf(stderr, "server_poll: no memory for %d clients\n", MAX_CLIENTS);
        return 1;
    }
    server.set[0] = (struct pollfd){.fd = listen_on(host, port), .events = POLLIN};
    int failed = server.set[0].fd == NO_SOCKET || serve(&server) < 0;

    while (server.count > 1) /* each of them gets our FIN, or RST if we have not read all */
        drop(&server, server.count - 1);
    if (server.set[0].fd != NO_SOCKET)
        net_close(server.set[0].fd);
    free(server.set);
    free(server.clients);
    net_stop();
    if (!failed)
        printf("stopped after %llu clients and %llu bytes\n", server.accepted,
               server.echoed);
    if (fflush(stdout) != 0 || ferror(stdout)) { /* the clients were served all the same */
        fprintf(stderr, "server_poll: not all of the log could be written\n");
        failed = 1;
    }
    return failed;
}
