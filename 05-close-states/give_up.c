/* give_up.c - close() before the connection is there: two rare edges of the diagram.
 *
 * Usage:     give_up OWN_PORT HOST PORT     (OWN_PORT 0: any free one)
 * Compile:   cc -o give_up give_up.c        (Windows: gcc -o give_up give_up.c -lws2_32)
 * Try it:    ./give_up 0 192.0.2.1 80       connecting to 192.0.2.1:80
 *                                           not connected after 0.1 s: we close
 *            (192.0.2.1 is an address for books: nobody answers there)
 * Look for:  SYN_SENT and then nothing, without a segment: close-in-syn-sent.scene. When
 *            the other end is opening as well, SYN_RCVD and then FIN_WAIT_1:
 *            close-in-syn-rcvd.scene
 * See also:  04-handshake-trace/connect_result.c, which waits as long as it is told
 */
#include "../common/net.h"
#include <stdlib.h>

enum { PATIENCE_MS = 100 };

/* The active open, without waiting for it. Returns 0 when it is under way or done, or an
 * error. */
static int begin_to_connect(socket_t s, const struct addrinfo *peer) {
    if (net_nonblocking(s, 1) < 0)
        return net_error();
    /* Our SYN goes: SYN_SENT. A socket that does not block returns now, not at the
     * SYN,ACK. */
    if (connect(s, peer->ai_addr, (socklen_t)peer->ai_addrlen) == 0)
        return 0;
    int err = net_error();
    return err == NET_E(INPROGRESS) || net_would_block(err) ? 0 : err;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: give_up OWN_PORT HOST PORT\n"
               "Begins to connect from OWN_PORT (0: any), and closes after a tenth of a "
               "second.\n");
        return 0;
    }
    char *end = NULL;
    unsigned long own_port = argc == 4 ? strtoul(argv[1], &end, 10) : 0;
    if (argc != 4 || *end != '\0' || argv[1][0] < '0' || argv[1][0] > '9' ||
        own_port > 65535) {
        fprintf(stderr, "give_up: expected OWN_PORT HOST PORT; see give_up --help\n");
        return 2;
    }
    if (!net_is_port("give_up", argv[3]))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "give_up: start");
        return 1;
    }
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *peer;
    int failed = getaddrinfo(argv[2], argv[3], &hints, &peer);
    if (failed != 0) {
        fprintf(stderr, "give_up: %s port %s: %s\n", argv[2], argv[3],
                gai_strerror(failed));
        return 1;
    }
    char name[NET_ADDRESS_MAX];
    net_address(peer->ai_addr, (socklen_t)peer->ai_addrlen, name);
    struct sockaddr_in own = {.sin_family = AF_INET};
    own.sin_port = htons((unsigned short)own_port);
    socket_t s = socket(AF_INET, SOCK_STREAM, 0);
    if (s == NO_SOCKET || bind(s, (const struct sockaddr *)&own, sizeof own) < 0) {
        net_perror(net_error(), "give_up: bind port %lu", own_port);
        return 1;
    }
    printf("connecting to %s\n", name);
    err = begin_to_connect(s, peer);
    freeaddrinfo(peer);
    struct pollfd entry = {.fd = s, .events = POLLOUT};
    int ready = err == 0 ? poll(&entry, 1, PATIENCE_MS) : 0;
    if (ready > 0) { /* it has been decided: connected, or refused */
        socklen_t length = sizeof err;
        getsockopt(s, SOL_SOCKET, SO_ERROR, (void *)&err, &length);
    }
    if (err != 0)
        net_perror(err, "give_up: connect %s", name);
    else
        printf(ready > 0 ? "connected all the same; we close\n"
                         : "not connected after 0.1 s: we close\n");
    /* In SYN_SENT there is nobody to tell: the kernel forgets the attempt. In SYN_RCVD the
     * other end knows of us: our FIN must follow, as soon as it can be acknowledged. */
    net_close(s);
    net_stop();
    return err != 0;
}
