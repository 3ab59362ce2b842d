/* calls.c - see calls.h. */
#define _GNU_SOURCE
#include "calls.h"
#include "../net.h"

#include <sys/syscall.h>
#include <sys/uio.h>

/* Not every architecture has every one of these: some have only the newer form of a call. */
static const struct call_kind kinds[] = {
    {SYS_socket, "socket", SHAPE_SOCKET, 0},
    {SYS_bind, "bind", SHAPE_ADDRESS, 0},
    {SYS_listen, "listen", SHAPE_NUMBER, 0},
#ifdef SYS_accept
    {SYS_accept, "accept", SHAPE_ACCEPT, 0},
#endif
    {SYS_accept4, "accept", SHAPE_ACCEPT, 0},
    {SYS_connect, "connect", SHAPE_ADDRESS, 0},
    {SYS_sendto, "send", SHAPE_SENDTO, 0},
    {SYS_sendmsg, "sendmsg", SHAPE_PLAIN, 0},
    {SYS_sendmmsg, "sendmmsg", SHAPE_PLAIN, 0},
    {SYS_recvfrom, "recv", SHAPE_PLAIN, 0},
    {SYS_recvmsg, "recvmsg", SHAPE_PLAIN, 0},
    {SYS_recvmmsg, "recvmmsg", SHAPE_PLAIN, 0},
    {SYS_read, "read", SHAPE_PLAIN, 0},
    {SYS_readv, "readv", SHAPE_PLAIN, 0},
    {SYS_write, "write", SHAPE_PLAIN, 0},
    {SYS_writev, "writev", SHAPE_PLAIN, 0},
    {SYS_sendfile, "sendfile", SHAPE_PLAIN, 0},
    {SYS_shutdown, "shutdown", SHAPE_SHUTDOWN, 0},
    {SYS_close, "close", SHAPE_PLAIN, 0},
    {SYS_setsockopt, "setsockopt", SHAPE_PLAIN, 1},
    {SYS_getsockopt, "getsockopt", SHAPE_PLAIN, 1},
    {SYS_getsockname, "getsockname", SHAPE_PLAIN, 1},
    {SYS_getpeername, "getpeername", SHAPE_PLAIN, 1},
#ifdef SYS_poll
    {SYS_poll, "poll", SHAPE_WAIT, 1},
#endif
    {SYS_ppoll, "poll", SHAPE_WAIT, 1},
#ifdef SYS_select
    {SYS_select, "select", SHAPE_WAIT, 1},
#endif
    {SYS_pselect6, "select", SHAPE_WAIT, 1},
#ifdef SYS_epoll_wait
    {SYS_epoll_wait, "epoll_wait", SHAPE_WAIT, 1},
#endif
    {SYS_epoll_pwait, "epoll_wait", SHAPE_WAIT, 1},
};

const struct call_kind *call_find(uint64_t number) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].number == (long)number)
            return &kinds[i];
    return NULL;
}

int call_makes_descriptor(const struct call_kind *kind) {
    return kind->shape == SHAPE_SOCKET || kind->shape == SHAPE_ACCEPT;
}

/* An address in another process's memory, as text; empty when it is not there or not IPv4/IPv6. */
static void address_text(pid_t pid, uint64_t where, uint64_t length, char *text,
                         size_t size) {
    struct sockaddr_storage address;
    char name[NET_ADDRESS_MAX];
    memset(&address, 0, sizeof address);
    if (where == 0 || length < sizeof(struct sockaddr_in))
        return;
    size_t wanted = length < sizeof address ? (size_t)length : sizeof address;
    struct iovec here = {&address, wanted}, there = {(void *)(uintptr_t)where, wanted};
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) != (ssize_t)wanted)
        return;
    if (address.ss_family == AF_INET || address.ss_family == AF_INET6)
        snprintf(text, size, "%s", net_address(&address, (socklen_t)wanted, name));
}

const char *call_args(const struct call_kind *kind, pid_t pid, const uint64_t args[6],
                      char *text, size_t size) {
    static const char *const directions[] = {"RD", "WR", "RDWR"};
    text[0] = '\0';
    switch (kind->shape) {
    case SHAPE_SOCKET:
        snprintf(text, size, "%s, %s", args[0] == AF_INET6 ? "AF_INET6" : "AF_INET",
                 (args[1] & 15) == SOCK_STREAM  ? "SOCK_STREAM"
                 : (args[1] & 15) == SOCK_DGRAM ? "SOCK_DGRAM"
                                                : "SOCK_RAW");
        break;
    case SHAPE_ADDRESS: address_text(pid, args[1], args[2], text, size); break;
    case SHAPE_SENDTO: address_text(pid, args[4], args[5], text, size); break;
    case SHAPE_NUMBER: snprintf(text, size, "%d", (int)args[1]); break;
    case SHAPE_SHUTDOWN:
        if (args[1] < 3)
            snprintf(text, size, "%s", directions[args[1]]);
        break;
    default: break;
    }
    return text;
}

const char *call_result(int64_t value, int is_error, char *text, size_t size) {
    if (!is_error)
        snprintf(text, size, "%lld", (long long)value);
    else if (net_error_lookup((int)-value, 1))
        snprintf(text, size, "%s", net_error_name((int)-value));
    else
        snprintf(text, size, "error %d", (int)-value);
    return text;
}

const char *signal_name(int number, char *text, size_t size) {
    static const struct {
        int number;
        const char *name;
    } names[] = {{SIGHUP, "SIGHUP"},   {SIGINT, "SIGINT"},   {SIGQUIT, "SIGQUIT"},
                 {SIGILL, "SIGILL"},   {SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"},
                 {SIGFPE, "SIGFPE"},   {SIGKILL, "SIGKILL"}, {SIGSEGV, "SIGSEGV"},
                 {SIGPIPE, "SIGPIPE"}, {SIGALRM, "SIGALRM"}, {SIGTERM, "SIGTERM"}};
    snprintf(text, size, "signal %d", number);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].number == number)
            snprintf(text, size, "%s", names[i].name);
    return text;
}
