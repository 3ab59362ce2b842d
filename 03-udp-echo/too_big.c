/* too_big.c - how large may one datagram be? Found by trying, not by looking it up.
 *
 * Usage:     too_big [ADDRESS]            (127.0.0.1; one of this machine's, ::1 for IPv6)
 * Compile:   cc -o too_big too_big.c      (Windows: gcc -o too_big too_big.c -lws2_32)
 * Try it:    ./too_big                    65507 bytes: sent, and 65507 received
 *                                         65508 bytes: Message too long (EMSGSIZE)
 * Look for:  a stream takes any amount in one send(); a datagram goes whole or not at all.
 *            ./too_big ::1 finds 20 bytes more: IPv6's length field counts no IP header.
 *            macOS stops earlier, at its setting net.inet.udp.maxdgram.
 * See also:  boundaries.c
 */
#include "../common/net.h"

enum {
    TRY_UP_TO = 70 * 1000, /* more than any IP packet has room for */
    LIMIT_MS = 2000        /* on loopback nothing takes so long */
};

static char bytes[TRY_UP_TO];

/* Sends one datagram of `size` bytes and receives it. Returns 1 if all of it arrived, 0 if
 * send() refused it, -1 for anything else. */
static int passes(socket_t sender, socket_t receiver, int size) {
    ssize_t sent = send(sender, bytes, (io_len)size, 0);
    if (sent < 0) {
        int err = net_error();
        printf("%5d bytes: %s (%s)\n", size, net_error_text(err), net_error_name(err));
        return err == NET_E(MSGSIZE) ? 0 : -1;
    }
    ssize_t received = recv(receiver, bytes, sizeof bytes, 0);
    if (received < 0) {
        printf("%5d bytes: sent, but\n", size);
        net_perror(net_error(), "too_big: recv");
        return -1;
    }
    printf("%5d bytes: sent, and %lld received\n", size, (long long)received);
    return sent == size && received == size ? 1 : -1;
}

/* Halves the range between a size that passes and one that does not, until they are
 * neighbours. Returns the largest that passes, or -1. */
static int find_limit(socket_t sender, socket_t receiver) {
    int good = 0, bad = TRY_UP_TO;
    if (passes(sender, receiver, good) != 1 || passes(sender, receiver, bad) != 0)
        return -1;
    while (bad - good > 1) {
        int middle = good + (bad - good) / 2;
        int result = passes(sender, receiver, middle);
        if (result < 0)
            return -1;
        if (result)
            good = middle;
        else
            bad = middle;
    }
    return good;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: too_big [ADDRESS]\n"
               "Finds the largest datagram that can be sent to ADDRESS of this machine "
               "(127.0.0.1).\n");
        return 0;
    }
    if (argc > 2) {
        fprintf(stderr, "too_big: expected one ADDRESS or nothing; see too_big --help\n");
        return 2;
    }
    const char *host = argc == 2 ? argv[1] : "127.0.0.1";
    int err = net_start();
    if (err != 0) {
        net_perror(err, "too_big: start");
        return 1;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *address;
    int failed = getaddrinfo(host, "0", &hints, &address);
    if (failed != 0) {
        fprintf(stderr, "too_big: %s: %s\n", host, gai_strerror(failed));
        return 1;
    }
    int ip_header = address->ai_family == AF_INET ? 20 : 0, udp_header = 8;

    socket_t receiver = socket(address->ai_family, SOCK_DGRAM, 0);
    socket_t sender = socket(address->ai_family, SOCK_DGRAM, 0);
    if (receiver == NO_SOCKET || sender == NO_SOCKET) {
        net_perror(net_error(), "too_big: socket");
        freeaddrinfo(address);
        return 1;
    }
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    if (bind(receiver, address->ai_addr, (socklen_t)address->ai_addrlen) < 0 ||
        getsockname(receiver, (struct sockaddr *)&own, &length) < 0 ||
        connect(sender, (struct sockaddr *)&own, length) < 0 ||
        net_timeout(receiver, SO_RCVTIMEO, LIMIT_MS) < 0) {
        net_perror(net_error(), "too_big: bind %s", host);
        freeaddrinfo(address);
        return 1;
    }
    freeaddrinfo(address);

    int limit = find_limit(sender, receiver);
    if (limit >= 0) {
        /* The length of an IP packet is a field of 16 bits: 65,535 with its headers. */
        int total = limit + udp_header + ip_header;
        printf("the largest that passes: %d bytes", limit);
        if (total == 65535)
            printf(" = 65535%s - 8 (UDP header)\n", ip_header ? " - 20 (IP header)" : "");
        else
            printf(": a limit of this system; the protocol's own is %d\n",
                   65535 - udp_header - ip_header);
    }
    net_close(sender);
    net_close(receiver);
    net_stop();
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "too_big: not all could be written to standard output\n");
        return 1;
    }
    return limit < 0 ? 1 : 0;
}
