/* socket_types.c - which kinds of sockets does this system make? Ask it for each.
 *
 * Usage:     socket_types
 * Compile:   cc -o socket_types socket_types.c   (Windows: gcc ... -lws2_32)
 * Try it:    ./socket_types                      one row per family and type
 * Look for:  socket() takes a family (what an address looks like) and a type (how data
 *            travels). Together they settle the protocol: Internet and stream make TCP,
 *            Internet and datagram make UDP. Not every pair exists; the error's name says
 *            what was wrong with it.
 * See also:  fd_is_a_file.c; ../02-tcp-echo for SOCK_STREAM, ../03-udp-echo for SOCK_DGRAM.
 */
#include "../common/net.h"
#ifndef _WIN32
#include <sys/un.h>
#endif

/* X.25 has died out, and few kernels still have it. Its name differs between systems. */
#ifdef AF_X25
#define X25      AF_X25
#define X25_NAME "AF_X25"
#else
#define X25      AF_CCITT
#define X25_NAME "AF_CCITT"
#endif

static const struct {
    int number;
    const char *name;
} families[] = {{AF_INET, "AF_INET"},
                {AF_INET6, "AF_INET6"},
                {AF_UNIX, "AF_UNIX"},
                {X25, X25_NAME}},
  types[] = {{SOCK_STREAM, "SOCK_STREAM"},
             {SOCK_DGRAM, "SOCK_DGRAM"},
             {SOCK_SEQPACKET, "SOCK_SEQPACKET"},
             {SOCK_RAW, "SOCK_RAW"}};

enum {
    FAMILIES = sizeof families / sizeof *families,
    TYPES = sizeof types / sizeof *types
};

static int option_of(socket_t s, int option) {
    int value = -1;
    socklen_t length = sizeof value;
    if (getsockopt(s, SOL_SOCKET, option, (void *)&value, &length) < 0)
        return -1;
    return value;
}

/* The protocol that the system has chosen: a number, as it stands in each IP header. -1
 * where the system does not tell (macOS). */
static int protocol_of(socket_t s) {
#ifdef _WIN32
    WSAPROTOCOL_INFOA about;
    socklen_t length = sizeof about;
    if (getsockopt(s, SOL_SOCKET, SO_PROTOCOL_INFOA, (void *)&about, &length) < 0)
        return -1;
    return about.iProtocol;
#elif defined SO_PROTOCOL
    return option_of(s, SO_PROTOCOL);
#elif defined __linux__
    return option_of(s, 38); /* SO_PROTOCOL, which strict POSIX headers leave out */
#else
    (void)s;
    return -1;
#endif
}

static const char *type_name(int number) {
    for (int t = 0; t < TYPES; t++)
        if (types[t].number == number)
            return types[t].name;
    return "?";
}

static void try_to_make(int f, int t) {
    /* 0 means: the protocol that goes with this family and type. A raw socket has none of
     * its own: it must say whose packets it wants. Only an administrator may make a raw
     * Internet socket. */
    int protocol = 0;
    if (types[t].number == SOCK_RAW && families[f].number == AF_INET)
        protocol = IPPROTO_ICMP;
    if (types[t].number == SOCK_RAW && families[f].number == AF_INET6)
        protocol = IPPROTO_ICMPV6;

    socket_t s = socket(families[f].number, types[t].number, protocol);
    if (s == NO_SOCKET) {
        int err = net_error();
        printf("%-9s %-15s %s (%s)\n", families[f].name, types[t].name, net_error_name(err),
               net_error_text(err));
        return;
    }
    char number[24] = "-";
    const char *name = "";
    protocol = protocol_of(s);
    if (protocol >= 0) {
        struct protoent *known = protocol > 0 ? getprotobynumber(protocol) : NULL;
        name = known ? known->p_name : "";
        snprintf(number, sizeof number, "%d", protocol);
    }
    int type =
        option_of(s, SO_TYPE); /* Linux has no raw AF_UNIX: it makes a datagram one */
    printf("%-9s %-15s made    %-15s %3s %-10s %8d %8d%s\n", families[f].name,
           types[t].name, type_name(type), number, name, option_of(s, SO_SNDBUF),
           option_of(s, SO_RCVBUF), type == types[t].number ? "" : "  another type");
    net_close(s);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: socket_types\n"
               "Asks the system for a socket of each family and type, and shows what it "
               "gives.\n");
        return 0;
    }
    if (argc != 1) {
        fprintf(stderr, "socket_types: %s: no arguments are taken\n", argv[1]);
        return 2;
    }
    int err = net_start();
    if (err != 0) {
        net_perror(err, "socket_types: start");
        return 1;
    }
    printf("%-9s %-15s %-7s %-15s %-14s %8s %8s\n", "family", "type", "result", "SO_TYPE",
           "protocol", "send", "receive");
    printf("%-9s %-15s %-7s %-15s %-14s %8s %8s\n", "", "", "", "", "", "buffer", "buffer");
    for (int f = 0; f < FAMILIES; f++)
        for (int t = 0; t < TYPES; t++)
            try_to_make(f, t);
    int failed = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "socket_types: not all could be written to standard output\n");
        failed = 1;
    }
    net_stop();
    return failed;
}
