/* stamp.c - see stamp.h. A packet socket sees what a capture program would see, with its
 * times. */
#define _GNU_SOURCE
#include "stamp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int open_here(void) {
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int)if_nametoindex("eth0")};
    int on = 1, room = 4 << 20;
    int s = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return -1;
    setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    if (setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0 ||
        bind(s, (struct sockaddr *)&address, sizeof address) < 0) {
        int error = errno;
        close(s);
        errno = error;
        return -1;
    }
    return s;
}

int stamps_open(struct stamps *stamps, const struct host *host) {
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    memset(stamps, 0, sizeof *stamps);
    stamps->socket = -1;
    if (home < 0)
        return -1;
    if (setns(host->namespace, CLONE_NEWNET) == 0)
        stamps->socket = open_here();
    int error = errno;
    setns(home, CLONE_NEWNET); /* an ordinary user stays here: it has no rights at home */
    close(home);
    errno = error;
    return stamps->socket < 0 ? -1 : 0;
}

/* The kernel stamps by the clock of the day; what is wanted is the one that is never
 * set. */
static int64_t monotonic(const struct timespec *day) {
    struct timespec m, d;
    clock_gettime(CLOCK_MONOTONIC, &m);
    clock_gettime(CLOCK_REALTIME, &d);
    int64_t ago = (d.tv_sec - day->tv_sec) * 1000000000LL + (d.tv_nsec - day->tv_nsec);
    return m.tv_sec * 1000000000LL + m.tv_nsec - ago;
}

/* Takes the next frame off the socket. Returns 0 when there is none. */
static int read_one(struct stamps *stamps) {
    struct stamp *stamp = &stamps->waiting[stamps->next];
    struct sockaddr_ll from;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec)) + 64];
    struct iovec part = {stamp->bytes, sizeof stamp->bytes};
    struct msghdr message = {.msg_name = &from,
                             .msg_namelen = sizeof from,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    ssize_t n = recvmsg(stamps->socket, &message, MSG_TRUNC);
    if (n < 0)
        return errno == EINTR;
    stamp->time = 0;
    stamp->length = (size_t)n;
    stamp->outgoing = from.sll_pkttype == PACKET_OUTGOING;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec day;
            memcpy(&day, CMSG_DATA(c), sizeof day);
            stamp->time = monotonic(&day);
        }
    if (stamp->time)
        stamps->next = (stamps->next + 1) % STAMPS;
    return 1;
}

int64_t stamp_take(struct stamps *stamps, int outgoing, const uint8_t *bytes,
                   size_t length) {
    size_t compared = length < STAMP_BYTES ? length : STAMP_BYTES;
    if (stamps->socket < 0)
        return 0;
    while (read_one(stamps))
        ;
    for (int i = 0; i < STAMPS; i++) { /* from the oldest on */
        struct stamp *stamp = &stamps->waiting[(stamps->next + i) % STAMPS];
        if (stamp->time && stamp->outgoing == outgoing && stamp->length == length &&
            memcmp(stamp->bytes, bytes, compared) == 0) {
            int64_t time = stamp->time;
            stamp->time = 0;
            return time;
        }
    }
    return 0;
}

void stamps_close(struct stamps *stamps) {
    if (stamps->socket >= 0)
        close(stamps->socket);
    stamps->socket = -1;
}
