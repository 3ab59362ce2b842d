/* overrun.c - a receiver that is too slow: what its buffer cannot hold is lost, in silence.
 *
 * Usage:     overrun [COUNT [BUFFER]]     (1000 datagrams; a receive buffer of 16384 bytes)
 * Compile:   cc -o overrun overrun.c      (Windows: gcc -o overrun overrun.c -lws2_32)
 * Try it:    ./overrun                    then ./overrun 100 200000: a larger buffer
 * Look for:  no send() fails, yet most datagrams never arrive. No cable is in this loss:
 *            the kernel of the receiving host drops them. Linux says how many; the sender
 *            never knows. `nstat -az UdpRcvbufErrors` counts the same for the whole host.
 * See also:  ../02-tcp-echo/no_boundaries.c, where the sender waits instead: flow control.
 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1 /* glibc has SO_MEMINFO only then */
#endif
#include "../common/net.h"
#include <stdlib.h>

enum {
    COUNT = 1000,   /* datagrams: far more than the buffer holds */
    DATAGRAM = 100, /* bytes in each */
    BUFFER = 16384, /* bytes of SO_RCVBUF; the usual default is some 200,000 */
    LIMIT_MS = 500  /* both ends are on this machine: what is not here by then is lost */
};

/* How many datagrams the kernel has dropped at this socket for want of room; -1 where the
 * system does not tell. Linux does, since 4.12: the ninth of the numbers that SO_MEMINFO
 * returns is SK_MEMINFO_DROPS. Others count only for the host: `netstat -s`. */
static long long kernel_drops(socket_t s) {
#ifdef SO_MEMINFO
    unsigned int info[16] = {0};
    socklen_t length = sizeof info;
    if (getsockopt(s, SOL_SOCKET, SO_MEMINFO, info, &length) == 0 &&
        length >= 9 * sizeof info[0])
        return info[8];
#endif
    (void)s;
    return -1;
}

/* Sends `count` numbered datagrams without a pause. Returns how many send() took. */
static int send_all(socket_t sender, int count) {
    char datagram[DATAGRAM] = "";
    int sent = 0;
    for (int i = 1; i <= count; i++) {
        snprintf(datagram, sizeof datagram, "%d", i);
        ssize_t taken = send(sender, datagram, sizeof datagram, 0);
        if (taken == DATAGRAM)
            sent++;
        else if (taken < 0 && net_error() == NET_E(INTR))
            i--;
        else if (sent == i - 1) /* said once: the sender's own kernel is short of room */
            net_perror(net_error(), "overrun: send %d", i);
    }
    return sent;
}

/* Only now does the receiver begin to read. */
static int receive_all(socket_t receiver, int count) {
    char datagram[DATAGRAM];
    int received = 0, last = 0;
    while (received < count) {
        ssize_t size = recv(receiver, datagram, sizeof datagram, 0);
        if (size < 0 && net_error() == NET_E(INTR))
            continue;
        if (size < 0 && (net_would_block(net_error()) || net_error() == NET_E(TIMEDOUT)))
            break; /* LIMIT_MS without a datagram: there are no more */
        if (size < 0) {
            net_perror(net_error(), "overrun: recv");
            break;
        }
        received++;
        datagram[DATAGRAM - 1] = '\0';
        last = atoi(datagram);
    }
    printf("received    %d, the last is number %d\n", received, last);
    return received;
}

/* A whole number from 1 to a million, or 0. */
static int number(const char *text) {
    char *end;
    long value = strtol(text, &end, 10);
    return *text == '\0' || *end != '\0' || value < 1 || value > 1000000 ? 0 : (int)value;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf(
            "usage: overrun [COUNT [BUFFER]]\n"
            "Sends COUNT datagrams (%d) to a socket that nobody reads meanwhile, with a\n"
            "receive buffer of BUFFER bytes (%d), then counts what is in it.\n",
            COUNT, BUFFER);
        return 0;
    }
    int count = argc > 1 ? number(argv[1]) : COUNT;
    int buffer = argc > 2 ? number(argv[2]) : BUFFER;
    if (argc > 3 || count == 0 || buffer == 0) {
        fprintf(stderr, "overrun: expected COUNT and BUFFER, 1 to 1000000\n");
        return 2;
    }
    int err = net_start();
    if (err != 0) {
        net_perror(err, "overrun: start");
        return 1;
    }
    socket_t receiver = socket(AF_INET, SOCK_DGRAM, 0);
    socket_t sender = socket(AF_INET, SOCK_DGRAM, 0);
    if (receiver == NO_SOCKET || sender == NO_SOCKET) {
        net_perror(net_error(), "overrun: socket");
        return 1;
    }
    /* The kernel may give more or less than is asked for. Linux doubles it, and
     * counts its own bookkeeping there, which for 100 bytes is far more than the data. */
    int given = 0;
    socklen_t given_length = sizeof given;
    const void *wanted = &buffer;
    if (setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, wanted, sizeof buffer) < 0 ||
        getsockopt(receiver, SOL_SOCKET, SO_RCVBUF, (void *)&given, &given_length) < 0) {
        net_perror(net_error(), "overrun: SO_RCVBUF %d", buffer);
        return 1;
    }
    printf("buffer      %d bytes asked for, %d given\n", buffer, given);

    struct sockaddr_in own = {.sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof own;
    if (bind(receiver, (struct sockaddr *)&own, length) < 0 ||
        getsockname(receiver, (struct sockaddr *)&own, &length) < 0 ||
        connect(sender, (struct sockaddr *)&own, length) < 0 ||
        net_timeout(receiver, SO_RCVTIMEO, LIMIT_MS) < 0) {
        net_perror(net_error(), "overrun: bind, connect");
        return 1;
    }

    int sent = send_all(sender, count);
    printf("sent        %d datagrams of %d bytes; %d sends failed\n", sent, DATAGRAM,
           count - sent);
    int received = receive_all(receiver, sent);
    printf("lost        %d\n", sent - received);
    long long drops = kernel_drops(receiver);
    if (drops >= 0)
        printf("the kernel  counted %lld dropped for want of room: %s\n", drops,
               drops == sent - received ? "the same" : "some were lost elsewhere");
    net_close(sender);
    net_close(receiver);
    net_stop();
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "overrun: not all could be written to standard output\n");
        return 1;
    }
    return 0;
}
