/* resolve.c - from a name to addresses, and from a number to the bytes on the cable.
 *
 * Usage:     resolve HOST [PORT]       (PORT may be a number or a name such as http)
 * Compile:   cc -o resolve resolve.c   (Windows: gcc ... -lws2_32)
 * Try it:    ./resolve localhost http
 *            ./resolve example.org 80  (this one asks a name server on the network)
 * Look for:  one name may have several addresses, IPv6 and IPv4. They come in the order in
 *            which they ought to be tried (RFC 6724). And a port is stored with its high
 *            byte first.
 * See also:  who_am_i.c; ../02-tcp-echo/client.c, which tries each address in turn.
 */
#include "../common/net.h"
#include <stdlib.h>

static void print_bytes(const void *from, size_t count) {
    const unsigned char *byte = from;
    for (size_t i = 0; i < count; i++)
        printf(" %02x", byte[i]);
    printf("\n");
}

/* All headers of the Internet have the high byte of a number first: "network order". This
 * host may keep its numbers the other way round; htons() and ntohs() turn one order into
 * the other. */
static void show_byte_order(unsigned short port_on_cable) {
    unsigned short port = ntohs(port_on_cable);
    printf("port %u = 0x%04x\n", port, port);
    printf("  in this host's memory as a number (host order):");
    print_bytes(&port, sizeof port);
    printf("  in the address and on the cable (network order):");
    print_bytes(&port_on_cable, sizeof port_on_cable);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: resolve HOST [PORT]\n"
               "Prints every address of HOST, and PORT (80 unless given) in both byte "
               "orders.\n");
        return 0;
    }
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "resolve: expected HOST [PORT]; see resolve --help\n");
        return 2;
    }
    const char *host = argv[1];
    const char *port = argc == 3 ? argv[2] : "80";
    if (!net_is_port("resolve", port))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "resolve: start");
        return 1;
    }

    /* Without a type each address would come once for every type: stream, datagram, raw.
     * The answer comes from the hosts file or, over UDP, from a name server. The system
     * gives up on a silent server by itself, mostly within 10 to 30 seconds. */
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int failed = getaddrinfo(host, port, &hints, &list);
    if (failed != 0) { /* not an errno: getaddrinfo() has numbers and texts of its own */
        fprintf(stderr, "resolve: %s port %s: %s\n", host, port, gai_strerror(failed));
        net_stop();
        return 1;
    }

    unsigned short port_on_cable = 0;
    for (struct addrinfo *a = list; a != NULL; a = a->ai_next) {
        char text[NET_ADDRESS_MAX];
        net_address(a->ai_addr, (socklen_t)a->ai_addrlen, text);
        if (a->ai_family == AF_INET) {
            struct sockaddr_in *in = (struct sockaddr_in *)(void *)a->ai_addr;
            port_on_cable = in->sin_port;
            printf("IPv4  %-40s bytes", text);
            print_bytes(&in->sin_addr, sizeof in->sin_addr);
        } else if (a->ai_family == AF_INET6) {
            struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)a->ai_addr;
            port_on_cable = in6->sin6_port;
            printf("IPv6  %-40s bytes", text);
            print_bytes(&in6->sin6_addr, sizeof in6->sin6_addr);
        }
    }
    show_byte_order(port_on_cable);
    freeaddrinfo(list);
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "resolve: not all could be written to standard output\n");
        failed = 1;
    }
    net_stop();
    return failed;
}
