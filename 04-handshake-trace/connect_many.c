/* connect_many.c - several connections, one after the other, all kept open.
 *
 * Usage:     connect_many HOST PORT COUNT
 * Compile:   cc -o connect_many connect_many.c   (Windows: gcc ... -lws2_32)
 * Try it:    ./late_accept 127.0.0.1 7000 1 2500     in one terminal
 *            ./connect_many 127.0.0.1 7000 3         in another, within the 2.5 seconds:
 *            connection 1: after 0.1 ms
 *            connection 2: after 0.0 ms
 *            connection 3: after 3062.9 ms           its SYN was ignored at first
 *            connection 1: good day!                 and so on
 * Look for:  connect() tells nothing of a server that is slow to accept, until its queue is
 *            full.
 *            On the wire: backlog-full.scene, lost-last-ack.scene
 * See also:  late_accept.c
 */
#include "../common/net.h"
#include <stdlib.h>

enum { MOST = 500, REPLY_LIMIT_MS = 30 * 1000 };

/* Waits for the line with which the server greets us. A line, not "a message": it ends with
 * its newline, in however many pieces it comes. */
static int read_line(socket_t s, int number) {
    char line[200];
    size_t length = 0;
    while (length < sizeof line && (length == 0 || line[length - 1] != '\n')) {
        ssize_t count = recv(s, line + length, (io_len)(sizeof line - length), 0);
        if (count < 0 && net_error() == NET_E(INTR))
            continue;
        if (count < 0) {
            net_perror(net_error(), "connect_many: recv on connection %d", number);
            return -1;
        }
        if (count == 0) {
            fprintf(stderr, "connect_many: connection %d: no greeting\n", number);
            return -1;
        }
        length += (size_t)count;
    }
    printf("connection %d: %.*s", number, (int)length, line);
    return 0;
}

static int say_goodbye(socket_t s, int number) {
    static const char goodbye[] = "bye\n";
    if (send(s, goodbye, (io_len)strlen(goodbye), 0) < 0) { /* so few bytes go whole */
        net_perror(net_error(), "connect_many: send on connection %d", number);
        return -1;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: connect_many HOST PORT COUNT\n"
               "Opens COUNT connections (1 to %d), one after the other, and says how long "
               "each\n"
               "took; then waits for a line from the server on each, answers and closes.\n",
               MOST);
        return 0;
    }
    char *end = NULL;
    long count = argc == 4 ? strtol(argv[3], &end, 10) : 0;
    if (argc != 4 || *end != '\0' || count < 1 || count > MOST) {
        fprintf(
            stderr,
            "connect_many: expected HOST PORT COUNT (1 to %d); see connect_many --help\n",
            MOST);
        return 2;
    }
    if (!net_is_port("connect_many", argv[2]))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "connect_many: start");
        return 1;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *to;
    int failed = getaddrinfo(argv[1], argv[2], &hints, &to);
    if (failed != 0) {
        fprintf(stderr, "connect_many: %s port %s: %s\n", argv[1], argv[2],
                gai_strerror(failed));
        return 1;
    }

    socket_t open[MOST];
    int made = 0;
    for (; made < count && !failed; made++) {
        socket_t s = socket(to->ai_family, to->ai_socktype, to->ai_protocol);
        if (s == NO_SOCKET) {
            net_perror(net_error(), "connect_many: socket");
            failed = 1;
            break;
        }
        /* Returns when SYN,ACK is here: the server's kernel answers, its program may sleep. */
        double began = net_seconds();
        if (connect(s, to->ai_addr, (socklen_t)to->ai_addrlen) < 0) {
            net_perror(net_error(), "connect_many: connection %d", made + 1);
            net_close(s);
            failed = 1;
            break;
        }
        printf("connection %d: after %.1f ms\n", made + 1, (net_seconds() - began) * 1000);
        net_timeout(s, SO_RCVTIMEO, REPLY_LIMIT_MS);
        open[made] = s;
    }
    freeaddrinfo(to);
    for (int i = 0; i < made; i++) {
        if (!failed)
            failed = read_line(open[i], i + 1) < 0 || say_goodbye(open[i], i + 1) < 0;
        net_close(open[i]); /* our FIN */
    }
    net_stop();
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "connect_many: not all could be written to standard output\n");
        return 1;
    }
    return failed ? 1 : 0;
}
