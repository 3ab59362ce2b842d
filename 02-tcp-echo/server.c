/* server.c - the passive open: wait for a client, and send its stream back as it comes.
 *
 * Usage:     server [HOST PORT]         (127.0.0.1 7000; port 0 takes any free one)
 * Compile:   cc -o server server.c      (Windows: gcc -o server server.c -lws2_32)
 * Try it:    ./server                   listening on 127.0.0.1:7000
 *            in a second terminal:      ./client 127.0.0.1 7000 hello
 *                                       hello
 * Look for:  LISTEN in `ss -tan` or `netstat -an`, and ESTABLISHED while a client is there.
 *            On the wire: 04-handshake-trace/three-way-handshake.scene
 * See also:  client.c; server_poll.c, which serves many clients at once.
 */
#include "../common/net.h"
#include <signal.h>
#include <stdlib.h>

enum {
    BACKLOG = 128,            /* connections the kernel completes ahead of our accept() */
    CHUNK = 16 * 1024,        /* most bytes taken from the stream at once */
    IDLE_LIMIT_MS = 60 * 1000 /* a client silent for a minute is given up */
};

/* Ctrl-C sets this and interrupts the call that waits; the loops see it and end in order. A
 * signal that comes just before a call starts to wait would interrupt nothing: so the
 * alarm, a second later, comes here once more. (On Windows Ctrl-C ends the program.) */
static volatile sig_atomic_t stop;
#ifndef _WIN32
static void on_interrupt(int signal_number) {
    (void)signal_number;
    stop = 1;
    alarm(1);
}
#endif

/* send() may take only part of what it is given, when the send buffer is nearly full. */
static int send_all(socket_t s, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(s, bytes, (io_len)count, 0);
        if (sent < 0 && net_error() == NET_E(INTR) && !stop)
            continue;
        if (sent < 0)
            return -1;
        bytes += sent;
        count -= (size_t)sent;
    }
    return 0;
}

/* Why this client is done with. If it is for Ctrl-C, there is nothing to say. */
static void complain(const char *call, const char *peer, const char *in_vain) {
    int err = net_error();
    if (stop)
        return;
    if (net_would_block(err) || err == NET_E(TIMEDOUT)) /* our limit: POSIX; Windows */
        fprintf(stderr, "server: %s %s: %s for %d s, given up (%s)\n", call, peer, in_vain,
                IDLE_LIMIT_MS / 1000, net_error_name(err));
    else
        net_perror(err, "server: %s %s", call, peer);
}

/* The stream has no messages in it: one recv() returns whatever has arrived so far. */
static void echo_until_eof(socket_t client, const char *peer) {
    char chunk[CHUNK];
    unsigned long long total = 0;
    for (;;) {
        ssize_t count = recv(client, chunk, sizeof chunk, 0);
        if (count == 0) {
            /* The peer's FIN: it has sent all it had. We are in CLOSE_WAIT. */
            printf("%s: end of stream after %llu bytes\n", peer, total);
            return;
        }
        if (count < 0 && net_error() == NET_E(INTR) && !stop)
            continue;
        if (count < 0) {
            /* Its RST, or silence beyond our limit: this client's end, not ours. */
            complain("recv from", peer, "silent");
            return;
        }
        if (send_all(client, chunk, (size_t)count) < 0) {
            complain("send to", peer, "not reading");
            return;
        }
        total += (unsigned long long)count;
    }
}

/* accept() also reports what went wrong with one client before we took it, or that we are
 * short of something just now. Only an error of the listening socket ends the server. */
static int may_accept_again(int err) {
    return err != NET_E(BADF) && err != NET_E(INVAL) && err != NET_E(NOTSOCK) &&
           err != NET_E(OPNOTSUPP) && err != NET_E(FAULT);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: server [HOST PORT]\n"
               "Sends back every byte of each client's stream, one client at a time.\n"
               "HOST and PORT are 127.0.0.1 and 7000 unless given; port 0 takes any free "
               "one.\n");
        return 0;
    }
    if (argc != 1 && argc != 3) {
        fprintf(stderr, "server: expected HOST PORT or nothing; see server --help\n");
        return 2;
    }
    const char *host = argc == 3 ? argv[1] : "127.0.0.1";
    const char *port = argc == 3 ? argv[2] : "7000";
    if (!net_is_port("server", port))
        return 2;

    int err = net_start();
    if (err != 0) {
        net_perror(err, "server: start");
        return 1;
    }

    /* The address to listen on, as text and as the kernel wants it. */
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int failed = getaddrinfo(host, port, &hints, &list);
    if (failed != 0) {
        fprintf(stderr, "server: %s port %s: %s\n", host, port, gai_strerror(failed));
        return 1;
    }

    /* A name may have several addresses, not all ours: the first that can be bound. */
    char name[NET_ADDRESS_MAX];
    socket_t listener = NO_SOCKET;
    for (struct addrinfo *a = list; a != NULL && listener == NO_SOCKET; a = a->ai_next) {
        listener = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (listener == NO_SOCKET) {
            net_perror(net_error(), "server: socket");
            continue;
        }

        /* A server that closes first leaves its port in TIME_WAIT for a minute, and bind()
         * would fail with EADDRINUSE all that time. On POSIX SO_REUSEADDR says: bind all
         * the same. On Windows that happens by default, and SO_REUSEADDR means that another
         * program may take the port away; there SO_EXCLUSIVEADDRUSE is the option that
         * keeps it ours. */
        int on = 1;
#ifdef _WIN32
        int option = SO_EXCLUSIVEADDRUSE;
#else
        int option = SO_REUSEADDR;
#endif
        if (setsockopt(listener, SOL_SOCKET, option, (const void *)&on, sizeof on) < 0)
            net_perror(net_error(), "server: setsockopt");

        if (bind(listener, a->ai_addr, (socklen_t)a->ai_addrlen) < 0) {
            err = net_error();
            net_address(a->ai_addr, (socklen_t)a->ai_addrlen, name);
            net_perror(err, "server: bind %s", name);
            net_close(listener);
            listener = NO_SOCKET;
        }
    }
    freeaddrinfo(list);
    if (listener == NO_SOCKET)
        return 1;

#ifndef _WIN32
    struct sigaction interrupt = {.sa_handler = on_interrupt}; /* no SA_RESTART: EINTR */
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &interrupt, NULL);
    sigaction(SIGALRM, &interrupt, NULL);
#endif

    /* From here on the kernel answers each SYN with SYN,ACK by itself: the passive open. */
    if (listen(listener, BACKLOG) < 0) {
        net_perror(net_error(), "server: listen");
        return 1;
    }

    struct sockaddr_storage own; /* with port 0 the kernel has chosen one: which? */
    socklen_t own_length = sizeof own;
    if (getsockname(listener, (struct sockaddr *)&own, &own_length) < 0) {
        net_perror(net_error(), "server: getsockname");
        return 1;
    }
    printf("listening on %s\n", net_address(&own, own_length, name));

    /* DELIBERATE: one client at a time. A second one is connected by the kernel, but waits
     * here until the first has gone. server_poll.c mends it. */
    while (!stop) {
        struct sockaddr_storage from;
        socklen_t from_length = sizeof from;
        socket_t client = accept(listener, (struct sockaddr *)&from, &from_length);
        if (client == NO_SOCKET) {
            err = net_error();
            if (err == NET_E(INTR))
                continue;
            net_perror(err, "server: accept");
            if (!may_accept_again(err))
                return 1;
            net_sleep(100); /* out of descriptors, say: until one is free, do not spin */
            continue;
        }
        /* It was ESTABLISHED before accept() returned it: by the third segment. */
        char peer[NET_ADDRESS_MAX];
        net_address(&from, from_length, peer);
        printf("%s: connected\n", peer);
        /* A recv() or send() that waits longer fails, with EAGAIN or WSAETIMEDOUT. */
        if (net_timeout(client, SO_RCVTIMEO, IDLE_LIMIT_MS) < 0 ||
            net_timeout(client, SO_SNDTIMEO, IDLE_LIMIT_MS) < 0)
            net_perror(net_error(), "server: setsockopt");
        echo_until_eof(client, peer);
        net_close(client); /* our FIN: if the client's has come, CLOSE_WAIT to LAST_ACK */
    }
    net_close(listener);
    net_stop();
    printf("stopped\n");
    if (fflush(stdout) != 0 || ferror(stdout)) { /* the clients were served all the same */
        fprintf(stderr, "server: not all of the log could be written\n");
        return 1;
    }
    return 0;
}
