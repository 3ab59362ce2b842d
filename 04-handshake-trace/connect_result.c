/* connect_result.c - every way connect() can end, with its time and the error's name.
 *
 * Usage:     connect_result HOST PORT [--timeout MS]
 * Compile:   cc -o connect_result connect_result.c   (Windows: gcc ... -lws2_32)
 * Try it:    ./connect_result 127.0.0.1 7000         while nothing listens there:
 *            127.0.0.1:7000: refused after 0.1 ms: Connection refused (ECONNREFUSED)
 *            ./connect_result 192.0.2.1 7000 --timeout 500    an address that nobody has
 *            192.0.2.1:7000: no answer after 500.2 ms: our own time limit
 *            ./connect_result no-such-name.invalid 7000
 *            no-such-name.invalid port 7000: name not found after 3.1 ms: Name or service
 *            not known (EAI_NONAME)
 * Look for:  who answers decides the outcome. A RST: refused. "No way there", from a router or
 *            our own kernel: unreachable. Nobody: the SYN is sent again and again, and without
 *            --timeout that takes Linux more than two minutes, Windows some 20 seconds.
 *            On the wire: refused.scene, server-unreachable.scene, no-such-host.scene
 * See also:  ../02-tcp-echo/client.c, where connect() simply waits.
 */
#include "../common/net.h"
#include <stdlib.h>

enum { NO_ANSWER = -1 }; /* beside the error codes: our own time was over first */

/* Waits until a connect() under way has ended, well or badly. Returns more than 0 then, 0 when
 * `ms` are over first, -1 with the reason in net_error(). */
static int wait_connected(socket_t s, int ms) {
#ifdef _WIN32
    /* Before Windows 10 version 2004 WSAPoll() never told of a connect() that failed. select()
     * does, but not as on POSIX: a failure is an "exception", and does not make s writable. */
    fd_set good, bad;
    struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
    FD_ZERO(&good);
    FD_ZERO(&bad);
    FD_SET(s, &good);
    FD_SET(s, &bad);
    return select(0, NULL, &good, &bad, &limit);
#else
    struct pollfd watched = {.fd = s, .events = POLLOUT};
    double end = net_seconds() + ms / 1000.0;
    int ready;
    do { /* a signal ends poll() early: wait for what is left of the time */
        double left = (end - net_seconds()) * 1000;
        ready = poll(&watched, 1, left > 0 ? (int)(left + 0.999) : 0);
    } while (ready < 0 && errno == EINTR);
    return ready;
#endif
}

/* connect() with a time limit of our own. Returns 0, the error code, or NO_ANSWER. */
static int connect_within(socket_t s, const struct sockaddr *to, socklen_t length, int ms) {
    int outcome = 0;
    socklen_t size = sizeof outcome;
    if (net_nonblocking(s, 1) < 0)
        return net_error();
    if (connect(s, to, length) < 0) {
        /* The SYN has gone: SYN_SENT, and the answer is still to come. POSIX calls that
         * EINPROGRESS, Winsock WSAEWOULDBLOCK. All other errors are final at once. */
        int err = net_error();
        if (err != NET_E(INPROGRESS) && !net_would_block(err))
            return err;
        int ready = wait_connected(s, ms);
        if (ready < 0)
            return net_error();
        if (ready == 0)
            return NO_ANSWER; /* the caller's close() ends SYN_SENT: no more SYNs go out */
        /* Ended, but how? That is kept as the socket's error: 0 means ESTABLISHED. */
        if (getsockopt(s, SOL_SOCKET, SO_ERROR, (void *)&outcome, &size) < 0)
            return net_error();
    }
    if (outcome == 0 && net_nonblocking(s, 0) < 0) /* as connect() alone would leave it */
        return net_error();
    return outcome;
}

/* One address. ms < 0 means no limit of our own. Returns 0 when connected. */
static int try_address(const struct addrinfo *a, int ms) {
    char name[NET_ADDRESS_MAX];
    socklen_t length = (socklen_t)a->ai_addrlen;
    int outcome = 0;
    net_address(a->ai_addr, length, name);
    socket_t s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
    if (s == NO_SOCKET) {
        net_perror(net_error(), "connect_result: socket for %s", name);
        return -1;
    }
    double began = net_seconds();
    if (ms >= 0)
        outcome = connect_within(s, a->ai_addr, length, ms);
    else if (connect(s, a->ai_addr, length) < 0) /* waits as long as the kernel tries */
        outcome = net_error();
    double took = (net_seconds() - began) * 1000;
    net_close(s); /* connected: our FIN. Refused, or given up: the socket only */

    if (outcome == 0)
        printf("%s: connected after %.1f ms\n", name, took);
    else if (outcome == NO_ANSWER)
        printf("%s: no answer after %.1f ms: our own time limit\n", name, took);
    else
        printf("%s: %s after %.1f ms: %s (%s)\n", name,
               outcome == NET_E(CONNREFUSED) ? "refused"
               : outcome == NET_E(TIMEDOUT)  ? "timed out"
               : outcome == NET_E(HOSTUNREACH) || outcome == NET_E(NETUNREACH)
                   ? "unreachable"
                   : "failed",
               took, net_error_text(outcome), net_error_name(outcome));
    return outcome;
}

/* getaddrinfo() has errors of its own: neither errno nor Winsock's numbers on POSIX. */
static const char *lookup_error_name(int failed) {
    switch (failed) {
    case EAI_NONAME: return "EAI_NONAME";   /* there is no such name */
    case EAI_AGAIN: return "EAI_AGAIN";     /* the name server gave no answer: try later */
    case EAI_FAIL: return "EAI_FAIL";       /* the name server cannot answer */
    case EAI_SERVICE: return "EAI_SERVICE"; /* no such port name */
    default: return "another EAI_ error";
    }
}

static int usage_error(const char *what) {
    fprintf(stderr, "connect_result: %s; see connect_result --help\n", what);
    return 2;
}

int main(int argc, char **argv) {
    long ms = -1;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: connect_result HOST PORT [--timeout MS]\n"
               "Connects, says how that ended and after how long, and closes.\n"
               "Tries each address of HOST until one connects, MS milliseconds each.\n"
               "Ends with 0 if one did.\n");
        return 0;
    }
    if (argc == 5 && strcmp(argv[3], "--timeout") == 0) {
        char *end;
        ms = strtol(argv[4], &end, 10);
        if (end == argv[4] || *end != '\0' || ms < 1 || ms > 3600000)
            return usage_error("--timeout takes milliseconds, from 1 to 3600000");
    } else if (argc != 3) {
        return usage_error("expected HOST PORT [--timeout MS]");
    }
    if (!net_is_port("connect_result", argv[2]))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "connect_result: start");
        return 1;
    }

    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    double began = net_seconds();
    int failed = getaddrinfo(argv[1], argv[2], &hints, &list);
    if (failed != 0) { /* not one segment has gone out to that host, for we know no host */
        printf("%s port %s: name not found after %.1f ms: %s (%s)\n", argv[1], argv[2],
               (net_seconds() - began) * 1000, gai_strerror(failed),
               lookup_error_name(failed));
        net_stop();
        return 1;
    }
    int outcome = -1;
    for (struct addrinfo *a = list; a != NULL && outcome != 0; a = a->ai_next)
        outcome = try_address(a, (int)ms);
    freeaddrinfo(list);
    net_stop();
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "connect_result: not all could be written to standard output\n");
        return 1;
    }
    return outcome == 0 ? 0 : 1;
}
