/* host.h - two private hosts, and both ends of the cable between them.
 *
 * In: settings. Out: for each host a network namespace of its own, with an interface eth0 whose
 * other end the wire holds as a file descriptor: what the host sends is read there, what is written
 * there the host receives. All of it ends with the process: nothing is left behind.
 *
 * Linux only. Sources: namespaces(7), user_namespaces(7), network_namespaces(7), the kernel's
 * Documentation/networking/tuntap.rst, netdevice(7).
 */
#ifndef HOST_H
#define HOST_H

#include "log.h"

struct host {
    int cable;     /* the TAP descriptor, non-blocking: one read or write is one frame */
    int namespace; /* of the network: for setns() in a program that is to live there */
    int diag;      /* NETLINK_SOCK_DIAG socket that reads this host's sockets */
};

/* Why a host could not be made: which step, the error, and the command that mends it. */
struct trouble {
    char what[120];
    int error; /* errno, or 0 */
    char mend[200];
};

/* Address of each host: 10.0.0.1 and 10.0.0.2, netmask 255.255.255.0. */
extern const char *const host_addresses[HOSTS];

/* Makes both hosts: textbook = 1 sets TCP as the books have it (the list is in host.c), 0 leaves the
 * kernel's defaults. The calling process must have one thread; it stays in its own network
 * namespace, but if it is not root, it moves to a new user namespace for good.
 * Returns 0, or -1 with *trouble filled in. Takes some 5 ms. */
int hosts_open(struct host hosts[HOSTS], int textbook, struct trouble *trouble);

/* Writes one setting, named with dots as sysctl(8) does, in this host's namespace.
 * Returns 0, or -1 with errno set. */
int host_set(const struct host *host, const char *name, const char *value);

void hosts_close(struct host hosts[HOSTS]);

#endif
