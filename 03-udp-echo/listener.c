/* listener.c - print each datagram as it arrives: what came, in the order in which it came.
 *
 * Usage:     listener [--count N] [--idle MS] [HOST PORT]    (127.0.0.1 7000; port 0: any)
 *            Ends after N datagrams, or when none has come for MS, or by Ctrl-C.
 * Compile:   cc -o listener listener.c      (Windows: gcc -o listener listener.c -lws2_32)
 * Try it:    ./listener --count 3           in one terminal
 *            ./talker 127.0.0.1 7000 1 2 3  in another
 * Look for:  on loopback 1, 2, 3. On a network that loses, doubles or overtakes, it prints
 *            1 3, or 1 2 2 3, or 1 3 2: UDP leaves all of it to the program.
 *            On the wire: lost.scene, reordered.scene, duplicated.scene, corrupted.scene
 * See also:  talker.c, the other end; ../06-retransmit/arq_receiver.c, which mends it.
 */
#include "../common/net.h"
#include <signal.h>
#include <stdlib.h>

enum { LARGEST = 64 * 1024 }; /* no datagram is larger: see too_big.c */

static volatile sig_atomic_t stop;
static void on_interrupt(int signal_number) {
    (void)signal_number;
    stop = 1;
}

/* Anyone may send anything: only plain text goes to the terminal as it is. */
static void print_payload(const char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= 0x20 && c < 0x7f && c != '\\')
            putchar(c);
        else
            printf("\\x%02x", c);
    }
    putchar('\n');
}

/* How many UDP datagrams this host has dropped because their checksum was wrong, by the
 * kernel's own count for all programs: InCsumErrors in the second "Udp:" line of
 * /proc/net/snmp. -1 where there is no such file: not Linux, try `netstat -s`. */
static long long count_damaged(void) {
    char line[512];
    long long value = -1;
    FILE *f = fopen("/proc/net/snmp", "r");
    if (f == NULL)
        return -1;
    while (fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "Udp: %*u %*u %*u %*u %*u %*u %lld", &value) == 1)
            break;
    fclose(f);
    return value;
}

/* Returns how many datagrams came until `count` of them (0: no limit), silence, or Ctrl-C;
 * -1 after an error. */
static int print_arrivals(socket_t s, int count) {
    static char bytes[LARGEST];
    int arrived = 0;
    while (!stop && !ferror(stdout) && (count == 0 || arrived < count)) {
        ssize_t size = recv(s, bytes, sizeof bytes, 0);
        if (size >= 0) { /* 0 is an empty datagram: it arrived as well */
            print_payload(bytes, (size_t)size);
            arrived++;
            continue;
        }
        int err = net_error();
        if (err == NET_E(INTR))
            continue;
        if (net_would_block(err) || err == NET_E(TIMEDOUT)) /* POSIX; Windows */
            break;
        net_perror(err, "listener: recv");
        return -1;
    }
    return arrived;
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
            "usage: listener [--count N] [--idle MS] [HOST PORT]\n"
            "Prints each UDP datagram that arrives. Ends after N of them, or when none has "
            "come for MS.\nHOST and PORT are 127.0.0.1 and 7000 unless given; port 0 takes "
            "any free one.\n");
        return 0;
    }
    int count = 0, idle_ms = 0, i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        int *option = strcmp(argv[i], "--count") == 0  ? &count
                      : strcmp(argv[i], "--idle") == 0 ? &idle_ms
                                                       : NULL;
        if (option == NULL || (*option = number(argv[i + 1])) == 0) {
            fprintf(stderr, "listener: %s %s: see listener --help\n", argv[i], argv[i + 1]);
            return 2;
        }
    }
    if (argc - i != 0 && argc - i != 2) {
        fprintf(stderr, "listener: expected HOST PORT or nothing; see listener --help\n");
        return 2;
    }
    const char *host = i < argc ? argv[i] : "127.0.0.1";
    const char *port = i < argc ? argv[i + 1] : "7000";

    if (!net_is_port("listener", port))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "listener: start");
        return 1;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_PASSIVE}, *address;
    int failed = getaddrinfo(host, port, &hints, &address);
    if (failed != 0) {
        fprintf(stderr, "listener: %s port %s: %s\n", host, port, gai_strerror(failed));
        return 1;
    }
    socket_t s = socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    if (s == NO_SOCKET) {
        net_perror(net_error(), "listener: socket");
        freeaddrinfo(address);
        return 1;
    }
    if (bind(s, address->ai_addr, (socklen_t)address->ai_addrlen) < 0) {
        net_perror(net_error(), "listener: bind %s:%s", host, port);
        freeaddrinfo(address);
        return 1;
    }
    freeaddrinfo(address);
    if (idle_ms > 0 && net_timeout(s, SO_RCVTIMEO, idle_ms) < 0) {
        net_perror(net_error(), "listener: --idle %d", idle_ms);
        return 1;
    }
    long long damaged_before = count_damaged();

    struct sockaddr_storage own;
    socklen_t own_length = sizeof own;
    char name[NET_ADDRESS_MAX];
    if (getsockname(s, (struct sockaddr *)&own, &own_length) < 0) {
        net_perror(net_error(), "listener: getsockname");
        return 1;
    }
    printf("listening on %s\n", net_address(&own, own_length, name));

#ifndef _WIN32 /* Windows has no sigaction(), and Ctrl-C ends the program there */
    struct sigaction interrupt = {.sa_handler = on_interrupt}; /* recv() returns */
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &interrupt, NULL);
#else
    (void)on_interrupt;
#endif

    int arrived = print_arrivals(s, count);
    net_close(s);
    net_stop();
    if (arrived < 0)
        return 1;
    printf("%d datagrams received\n", arrived);
    long long damaged = count_damaged() - damaged_before;
    if (damaged > 0)
        printf(
            "%lld more reached this host damaged: dropped by its kernel (InCsumErrors)\n",
            damaged);
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "listener: not all could be written to standard output\n");
        return 1;
    }
    return 0;
}
