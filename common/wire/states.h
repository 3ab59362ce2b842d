/* states.h - what state each host's TCP is in, from its kernel's own table.
 *
 * In: a host's NETLINK_SOCK_DIAG socket. Out: one row for each of its TCP endpoints, half-open ones
 * (SYN_RCVD) and those without a socket (TIME_WAIT) included. Linux only.
 * Sources: sock_diag(7), linux/inet_diag.h.
 */
#ifndef STATES_H
#define STATES_H

#include "log.h"

struct endpoint {
    enum state state;
    uint8_t own_ip[4], peer_ip[4];
    uint16_t own_port, peer_port;
    int timer; /* the kernel's own timer that is running for it, see enum */
    uint32_t unsent_or_unacked; /* bytes in the send buffer */
    struct gauge
        gauge; /* what TCP_INFO says; its host and connection are left to the caller */
};

enum { TIMER_NONE, TIMER_RETRANSMIT, TIMER_KEEPALIVE, TIMER_TIME_WAIT, TIMER_PROBE };

enum { MAX_ENDPOINTS = 4096 };

/* Fills rows (room for `room`) with the TCP endpoints that exist now. Returns how many, or -1 with
 * errno set. Takes some 20 us when the host has a connection table of its own. */
int states_read(int diag, struct endpoint *rows, int room);

#endif
