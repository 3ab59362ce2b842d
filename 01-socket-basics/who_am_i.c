/* who_am_i.c - IP address, MAC address, port: what names this host, and a program on it.
 *
 * Usage:     who_am_i
 * Compile:   cc -o who_am_i who_am_i.c   (Windows: gcc ... -lws2_32 -liphlpapi)
 * Try it:    ./who_am_i
 * Look for:  each interface has at most one MAC address and any number of IP addresses. A
 *            MAC address names the interface to its neighbours on one cable; it never gets
 *            past the first router. An IP address gets a packet to this host from wherever
 *            the address is routed, and the port decides which socket on the host has it.
 * See also:  resolve.c; ../03-udp-echo for sendto() and recvfrom().
 */
#include "../common/net.h"
#include <stdlib.h>

#ifdef _WIN32
#include <iphlpapi.h>
#else
#include <ifaddrs.h>
#ifdef __linux__
#include <netpacket/packet.h>
#else
#include <net/if_dl.h> /* macOS and the BSDs */
#endif
#endif

enum { WAIT_MS = 5000 }; /* for a datagram to ourselves, which is there at once */

static void print_mac(const unsigned char *byte, size_t count) {
    int set = 0;
    for (size_t i = 0; i < count; i++)
        set |= byte[i];
    if (!set) /* no cable, no MAC address: the loopback interface, say */
        return;
    printf("    MAC   ");
    for (size_t i = 0; i < count; i++)
        printf(i ? ":%02x" : "%02x", byte[i]);
    printf("\n");
}

static void print_ip(const struct sockaddr *address, size_t length) {
    char host[64];
    if (getnameinfo(address, (socklen_t)length, host, sizeof host, NULL, 0,
                    NI_NUMERICHOST) == 0)
        printf("    %s  %s\n", address->sa_family == AF_INET ? "IPv4" : "IPv6", host);
}

#ifdef _WIN32

static int print_interfaces(void) {
    /* The list may grow between two calls, so ask again, with the size that it then names.
     * */
    ULONG size = 16 * 1024, failed = ERROR_BUFFER_OVERFLOW;
    IP_ADAPTER_ADDRESSES *list = NULL;
    for (int again = 0; again < 5 && failed == ERROR_BUFFER_OVERFLOW; again++) {
        free(list);
        list = malloc(size);
        if (list == NULL)
            break;
        failed = GetAdaptersAddresses(AF_UNSPEC, 0, NULL, list, &size);
    }
    if (failed != NO_ERROR) {
        fprintf(stderr, "who_am_i: GetAdaptersAddresses: error %lu\n", failed);
        free(list);
        return -1;
    }
    for (IP_ADAPTER_ADDRESSES *i = list; i != NULL; i = i->Next) {
        char name[256];
        if (WideCharToMultiByte(CP_UTF8, 0, i->FriendlyName, -1, name, sizeof name, NULL,
                                NULL) == 0)
            snprintf(name, sizeof name, "%s", i->AdapterName);
        printf("  %s\n", name);
        print_mac(i->PhysicalAddress, i->PhysicalAddressLength);
        for (IP_ADAPTER_UNICAST_ADDRESS *a = i->FirstUnicastAddress; a != NULL; a = a->Next)
            print_ip(a->Address.lpSockaddr, (size_t)a->Address.iSockaddrLength);
    }
    free(list);
    return 0;
}

#else

static void print_one(const struct sockaddr *address) {
    if (address == NULL)
        return;
    switch (address->sa_family) {
    case AF_INET: print_ip(address, sizeof(struct sockaddr_in)); break;
    case AF_INET6: print_ip(address, sizeof(struct sockaddr_in6)); break;
#ifdef __linux__
    case AF_PACKET: {
        const struct sockaddr_ll *link = (const void *)address;
        print_mac(link->sll_addr, link->sll_halen < 8 ? link->sll_halen : 8);
        break;
    }
#else
    case AF_LINK: {
        const struct sockaddr_dl *link = (const void *)address;
        print_mac((const unsigned char *)LLADDR(link), link->sdl_alen);
        break;
    }
#endif
    }
}

static int print_interfaces(void) {
    struct ifaddrs *list;
    if (getifaddrs(&list) < 0) {
        net_perror(errno, "who_am_i: getifaddrs");
        return -1;
    }
    /* The list has one entry for each address. We want all of one interface together: print
     * them where its name comes first, and pass over it later on. */
    for (struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
        struct ifaddrs *first = list;
        while (strcmp(first->ifa_name, i->ifa_name) != 0)
            first = first->ifa_next;
        if (first != i)
            continue;
        printf("  %s\n", i->ifa_name);
        for (struct ifaddrs *a = i; a != NULL; a = a->ifa_next)
            if (strcmp(a->ifa_name, i->ifa_name) == 0)
                print_one(a->ifa_addr);
    }
    freeifaddrs(list);
    return 0;
}

#endif

/* The number that goes with a service is a custom, kept in a file: /etc/services on POSIX.
 * */
static void print_ports(void) {
    static const char *const names[] = {"http", "ftp", "smtp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct servent *known = getservbyname(names[i], "tcp");
        if (known == NULL)
            printf("  %-5s not in this system's list of services\n", names[i]);
        else /* s_port is an int that holds 16 bits in network order */
            printf("  %-5s %u\n", names[i], ntohs((unsigned short)known->s_port));
    }
}

/* connect() on a datagram socket sends nothing. It only chooses a route, and with it the
 * address that our packets would carry. 203.0.113.1 is an address for examples: no host has
 * it. */
static void print_way_out(void) {
    struct sockaddr_in far_away = {.sin_family = AF_INET, .sin_port = htons(7)}, ours;
    socklen_t length = sizeof ours;
    char text[INET_ADDRSTRLEN];
    inet_pton(AF_INET, "203.0.113.1", &far_away.sin_addr);
    socket_t s = socket(AF_INET, SOCK_DGRAM, 0);
    if (s == NO_SOCKET || connect(s, (struct sockaddr *)&far_away, sizeof far_away) < 0 ||
        getsockname(s, (struct sockaddr *)&ours, &length) < 0) {
        printf("  none: %s\n", net_error_text(net_error()));
    } else {
        unsigned long ip = ntohl(ours.sin_addr.s_addr);
        /* RFC 1918: addresses that any local network may use inside. A router puts its own
         * one address in their place (NAT), so that the whole network looks like one
         * computer. */
        int inside = ip >> 24 == 10 || ip >> 20 == 0xac1 || ip >> 16 == 0xc0a8;
        printf("  %s%s\n", inet_ntop(AF_INET, &ours.sin_addr, text, sizeof text),
               inside ? ", a private one: the world sees that of your router instead" : "");
    }
    if (s != NO_SOCKET)
        net_close(s);
}

/* Two sockets, one IP address: only the port tells the kernel whose a datagram is. */
static int tell_apart_by_port(void) {
    socket_t s[2];
    struct sockaddr_in at[2];
    for (int i = 0; i < 2; i++) {
        socklen_t length = sizeof at[i];
        at[i] = (struct sockaddr_in){.sin_family = AF_INET}; /* port 0: any free one */
        at[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        s[i] = socket(AF_INET, SOCK_DGRAM, 0);
        if (s[i] == NO_SOCKET || bind(s[i], (struct sockaddr *)&at[i], length) < 0 ||
            getsockname(s[i], (struct sockaddr *)&at[i], &length) < 0 ||
            net_timeout(s[i], SO_RCVTIMEO, WAIT_MS) < 0) {
            net_perror(net_error(), "who_am_i: two sockets");
            return -1;
        }
    }
    for (int i = 0; i < 2; i++) { /* each sends to the other */
        const char *text = i == 0 ? "for the second" : "for the first";
        if (sendto(s[i], text, (io_len)strlen(text), 0, (struct sockaddr *)&at[1 - i],
                   sizeof at[0]) < 0) {
            net_perror(net_error(), "who_am_i: sendto");
            return -1;
        }
    }
    for (int i = 0; i < 2; i++) {
        char text[32], address[NET_ADDRESS_MAX];
        ssize_t count = recv(s[i], text, sizeof text - 1, 0);
        if (count < 0) {
            net_perror(net_error(), "who_am_i: recv");
            return -1;
        }
        text[count] = '\0';
        printf("  the %s socket, %s, received \"%s\"\n", i == 0 ? "first" : "second",
               net_address(&at[i], sizeof at[i], address), text);
        net_close(s[i]);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: who_am_i\n"
               "Prints this host's interfaces with their MAC and IP addresses, some "
               "well-known\n"
               "ports, and what a port is for.\n");
        return 0;
    }
    if (argc != 1) {
        fprintf(stderr, "who_am_i: %s: no arguments are taken\n", argv[1]);
        return 2;
    }
    int err = net_start();
    if (err != 0) {
        net_perror(err, "who_am_i: start");
        return 1;
    }
    printf("interfaces\n");
    int failed = print_interfaces() < 0;
    printf("address on packets to other networks\n");
    print_way_out();
    printf("well-known ports\n");
    print_ports();
    printf("one IP address, two ports\n");
    failed |= tell_apart_by_port() < 0;
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "who_am_i: not all could be written to standard output\n");
        failed = 1;
    }
    net_stop();
    return failed;
}
