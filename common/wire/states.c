/* states.c - see states.h. One request, an answer of several messages, one row each. */
#define _GNU_SOURCE
#include "states.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel's numbers (include/net/tcp_states.h) in the order of the enum there. */
static const enum state by_kernel_number[] = {
    S_NONE, ESTABLISHED, SYN_SENT, SYN_RCVD, FIN_WAIT_1, FIN_WAIT_2, TIME_WAIT,
    CLOSED, CLOSE_WAIT,  LAST_ACK, LISTEN,   CLOSING,    SYN_RCVD};

static int ask(int diag, unsigned char family) {
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 body;
    } request;
    memset(&request, 0, sizeof request);
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.body.sdiag_family = family;
    request.body.sdiag_protocol = IPPROTO_TCP;
    request.body.idiag_states = 0xfff;
    request.body.idiag_ext = 1 << (INET_DIAG_INFO - 1); /* struct tcp_info as well */
    ssize_t n;
    do
        n = send(diag, &request, sizeof request, 0);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof request ? 0 : -1;
}

/* Of TCP_INFO, which grows from kernel to kernel, what lies in front. */
static void take_info(struct gauge *gauge, const void *bytes, size_t length) {
    struct tcp_info info;
    memset(&info, 0, sizeof info);
    memcpy(&info, bytes, length < sizeof info ? length : sizeof info);
    gauge->known = 1;
    gauge->congestion = info.tcpi_ca_state;
    gauge->retransmits = info.tcpi_retransmits;
    gauge->rto = info.tcpi_rto;
    gauge->rtt = info.tcpi_rtt;
    gauge->rttvar = info.tcpi_rttvar;
    gauge->cwnd = info.tcpi_snd_cwnd;
    gauge->unacked = info.tcpi_unacked;
}

static void take_attributes(struct gauge *gauge, const char *bytes, size_t length) {
    struct rtattr a;
    while (length >= sizeof a) {
        memcpy(&a, bytes, sizeof a);
        if (a.rta_len < sizeof a || a.rta_len > length)
            return;
        if (a.rta_type == INET_DIAG_INFO)
            take_info(gauge, bytes + RTA_LENGTH(0), a.rta_len - RTA_LENGTH(0));
        size_t step = RTA_ALIGN((size_t)a.rta_len);
        if (step > length)
            return;
        bytes += step;
        length -= step;
    }
}

static void take(struct endpoint *row, const struct inet_diag_msg *m) {
    memset(row, 0, sizeof *row);
    if (m->idiag_state < sizeof by_kernel_number / sizeof by_kernel_number[0])
        row->state = by_kernel_number[m->idiag_state];
    /* an IPv6 socket that speaks IPv4 has its addresses in the last four of sixteen bytes */
    size_t word = m->idiag_family == AF_INET6 ? 3 : 0;
    memcpy(row->own_ip, &m->id.idiag_src[word], 4);
    memcpy(row->peer_ip, &m->id.idiag_dst[word], 4);
    row->own_port = ntohs(m->id.idiag_sport);
    row->peer_port = ntohs(m->id.idiag_dport);
    row->timer = m->idiag_timer;
    row->unsent_or_unacked = m->idiag_wqueue;
}

/* Reads one datagram of the answer. Returns 1 when it was the last, 0 when more follow, -1. */
static int read_part(int diag, struct endpoint *rows, int room, int *count) {
    _Alignas(struct nlmsghdr) char buffer[16384];
    ssize_t got;
    do
        got = recv(diag, buffer, sizeof buffer, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -1;
    size_t end = (size_t)got, length;
    for (size_t at = 0; at + sizeof(struct nlmsghdr) <= end; at += NLMSG_ALIGN(length)) {
        const struct nlmsghdr *h = (const void *)(buffer + at);
        length = h->nlmsg_len;
        if (length < sizeof *h || length > end - at)
            break;
        if (h->nlmsg_type == NLMSG_DONE)
            return 1;
        if (h->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *e = (const void *)(h + 1);
            errno = length >= sizeof *h + sizeof *e && e->error ? -e->error : EPROTO;
            return -1;
        }
        if (length >= sizeof *h + sizeof(struct inet_diag_msg) && *count < room) {
            take(&rows[*count], (const void *)(h + 1));
            size_t head = NLMSG_LENGTH(NLMSG_ALIGN(sizeof(struct inet_diag_msg)));
            if (length > head)
                take_attributes(&rows[*count].gauge, buffer + at + head, length - head);
            if (rows[*count].state != S_NONE)
                ++*count;
        }
    }
    return 0;
}

int states_read(int diag, struct endpoint *rows, int room) {
    static const unsigned char families[] = {AF_INET, AF_INET6};
    int count = 0;
    for (size_t i = 0; i < sizeof families; i++) {
        int done = 0;
        if (ask(diag, families[i]) < 0)
            return -1;
        while (done == 0)
            done = read_part(diag, rows, room, &count);
        if (done < 0 &&
            !(families[i] == AF_INET6 && errno == ENOENT)) /* a kernel without IPv6 */
            return -1;
    }
    return count;
}
