/* net.h - the little that differs between POSIX sockets and Winsock.
 *
 * A lesson includes this file first and then only libc. All socket calls keep their own names and
 * stand in the lesson itself; here are only the types, names and habits in which the two systems
 * differ. Nothing here exits, and nothing here hides a socket call that a lesson is about.
 *
 *   net_start() / net_stop()      once at the start and end of main
 *   socket_t, NO_SOCKET           what socket() and accept() return, and what they return on failure
 *   io_len                        the type in which send() and recv() take a length
 *   net_close(s)                  close() or closesocket()
 *   net_error(), NET_E(NAME)      the last socket error; NET_E(CONNREFUSED) is the code to compare it with
 *   net_error_name(), _text()     ECONNREFUSED, "Connection refused"
 *   net_perror(err, ...)          server: bind 127.0.0.1:7000: Address already in use (EADDRINUSE)
 *   net_nonblocking(s, on)        O_NONBLOCK or FIONBIO
 *   net_timeout(s, option, ms)    SO_RCVTIMEO or SO_SNDTIMEO in milliseconds
 *   net_is_port(program, text)    0 and a line on stderr for 70000, which getaddrinfo() may take
 *   net_address(...)              an address as text: 127.0.0.1:7000 or [::1]:7000
 *   net_seconds(), net_sleep(ms)  a clock that never jumps; a pause
 */
#ifndef NET_H
#define NET_H

#ifdef _WIN32
#include <winsock2.h> /* before windows.h, which would bring in the old winsock.h */
#include <ws2tcpip.h>
#include <windows.h>
#include <fcntl.h>
#include <io.h>
#else
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L /* getaddrinfo() and friends are POSIX, not C11 */
#endif
#ifndef _DARWIN_C_SOURCE
#define _DARWIN_C_SOURCE 1 /* macOS hides parts of its socket options otherwise */
#endif
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#endif

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
typedef SOCKET socket_t; /* an unsigned handle: never test it with < 0 */
#define NO_SOCKET INVALID_SOCKET
typedef int io_len;
#define NET_E(name) WSAE##name
#define NET_PREFIX  "WSAE"
#define SHUT_WR     SD_SEND

/* WSAPoll under its POSIX name. After the peer's FIN it may report POLLHUP without POLLIN, and
 * it refuses an empty set (WSAEINVAL); stdin is no socket and cannot be in the set. */
static inline int poll(struct pollfd *set, unsigned long count, int timeout_ms) {
    return WSAPoll(set, count, timeout_ms);
}
#else
typedef int socket_t; /* a small number, an index into the process's table of open files */
#define NO_SOCKET   (-1)
typedef size_t io_len;
#define NET_E(name) E##name
#define NET_PREFIX  "E"
#endif

/* Call once, first in main(). Winsock must be loaded before its first call. On POSIX, writing to a
 * connection that the peer has reset raises SIGPIPE, which kills the process: ignored here, so that
 * send() returns EPIPE and the program decides. Output goes line by line, so that a log read
 * through a pipe is never late. Returns 0, or an error code for net_perror(). */
static inline int net_start(void) {
#ifdef _WIN32
    WSADATA about;
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
    setvbuf(stdout, NULL, _IONBF, 0); /* the C runtime has no line buffering */
    return WSAStartup(MAKEWORD(2, 2), &about);
#else
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    return 0;
#endif
}

static inline void net_stop(void) {
#ifdef _WIN32
    WSACleanup();
#endif
}

/* The error of the last socket call. Read it at once: the next call may overwrite it. */
static inline int net_error(void) {
#ifdef _WIN32
    return WSAGetLastError(); /* Winsock does not set errno, and errno.h has other numbers */
#else
    return errno;
#endif
}

/* "Not now" from a call that would have had to wait: not a failure. */
static inline int net_would_block(int err) {
    return err == NET_E(WOULDBLOCK); /* EAGAIN is the same number on all systems of today */
}

/* The name and the text of the errors that sockets give; NULL when it is another one. */
static inline const char *net_error_lookup(int err, int want_name) {
    // clang-format off
#define NET_ROW(e, text) case NET_E(e): return want_name ? NET_PREFIX #e : text
    switch (err) {
        NET_ROW(ACCES, "Permission denied"); NET_ROW(DESTADDRREQ, "Destination address required");
        NET_ROW(ADDRINUSE, "Address already in use"); NET_ROW(NETUNREACH, "Network is unreachable");
        NET_ROW(ADDRNOTAVAIL, "Cannot assign requested address"); NET_ROW(FAULT, "Bad address");
        NET_ROW(AFNOSUPPORT, "Address family not supported by protocol");
        NET_ROW(ALREADY, "Operation already in progress"); NET_ROW(HOSTUNREACH, "No route to host");
        NET_ROW(BADF, "Bad file descriptor"); NET_ROW(PROTOTYPE, "Protocol wrong type for socket");
        NET_ROW(CONNABORTED, "Software caused connection abort");
        NET_ROW(CONNREFUSED, "Connection refused"); NET_ROW(CONNRESET, "Connection reset by peer");
        NET_ROW(INPROGRESS, "Operation now in progress"); NET_ROW(TIMEDOUT, "Connection timed out");
        NET_ROW(INTR, "Interrupted system call"); NET_ROW(PROTONOSUPPORT, "Protocol not supported");
        NET_ROW(INVAL, "Invalid argument"); NET_ROW(NOTCONN, "Transport endpoint is not connected");
        NET_ROW(ISCONN, "Transport endpoint is already connected");
        NET_ROW(MFILE, "Too many open files"); NET_ROW(SOCKTNOSUPPORT, "Socket type not supported");
        NET_ROW(MSGSIZE, "Message too long"); NET_ROW(NOTSOCK, "Socket operation on non-socket");
        NET_ROW(NETDOWN, "Network is down"); NET_ROW(NOPROTOOPT, "Protocol not available");
        NET_ROW(NOBUFS, "No buffer space available"); NET_ROW(OPNOTSUPP, "Operation not supported");
#ifdef _WIN32
        NET_ROW(WOULDBLOCK, "Resource temporarily unavailable");
        NET_ROW(SHUTDOWN, "Cannot send after transport endpoint shutdown");
#else
        NET_ROW(AGAIN, "Resource temporarily unavailable"); NET_ROW(PIPE, "Broken pipe");
        NET_ROW(NFILE, "Too many open files in system"); NET_ROW(PERM, "Operation not permitted");
        NET_ROW(NOMEM, "Cannot allocate memory");
#endif
    default: return NULL;
    }
#undef NET_ROW
    // clang-format on
}

/* ECONNREFUSED (on Windows WSAECONNREFUSED); "error" for one that is not in the table. */
static inline const char *net_error_name(int err) {
    return net_error_lookup(err, 1) ? net_error_lookup(err, 1) : "error";
}

static inline const char *net_error_text(int err) {
    return net_error_lookup(err, 0) ? net_error_lookup(err, 0) : strerror(err);
}

/* One line to stderr: what was being done (as for printf), then the error's text and name. */
static inline void net_perror(int err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, ": %s (%s)\n", net_error_text(err), net_error_name(err));
}

static inline int net_close(socket_t s) {
#ifdef _WIN32
    return closesocket(s); /* a SOCKET is not a file: _close() would fail */
#else
    return close(s);
#endif
}

/* Makes calls on s return at once with "would block" (on = 1), or wait again (on = 0).
 * Returns 0, or -1 with the reason in net_error(). */
static inline int net_nonblocking(socket_t s, int on) {
#ifdef _WIN32
    u_long value = on ? 1 : 0;
    return ioctlsocket(s, (long)FIONBIO, &value);
#else
    int flags = fcntl(s, F_GETFL);
    if (flags < 0)
        return -1;
    return fcntl(s, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
#endif
}

/* option is SO_RCVTIMEO or SO_SNDTIMEO. A call that waits longer fails with "would block" on POSIX
 * and with WSAETIMEDOUT on Windows. Returns 0, or -1 with the reason in net_error(). */
static inline int net_timeout(socket_t s, int option, int ms) {
#ifdef _WIN32
    DWORD value = (DWORD)ms; /* a struct timeval is taken without a word, as 1 ms */
#else
    struct timeval value = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
#endif
    return setsockopt(s, SOL_SOCKET, option, (const void *)&value, sizeof value);
}

/* Whether text can be a port: a name, or 16 bits (some getaddrinfo() take 70000 for 4464). If not,
 * says so on stderr for `program`. */
static inline int net_is_port(const char *program, const char *text) {
    if (*text != '\0' && strtoul(text, NULL, 10) <= 65535)
        return 1;
    fprintf(stderr, "%s: port \"%s\": not a name, nor a number of 16 bits\n", program,
            text);
    return 0;
}

enum { NET_ADDRESS_MAX = 80 }; /* [IPv6 with scope]:port and its end mark fit in it */

/* Writes 127.0.0.1:7000 or [::1]:7000 into text (NET_ADDRESS_MAX bytes) and returns text. */
static inline const char *net_address(const void *address, socklen_t length, char *text) {
    char host[64], port[8];
    const struct sockaddr *sa = (const struct sockaddr *)address;
    if (getnameinfo(sa, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(text, NET_ADDRESS_MAX, "(no address)");
    else
        snprintf(text, NET_ADDRESS_MAX, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
                 port);
    return text;
}

/* Seconds since some moment in the past, by a clock that is never set back. */
static inline double net_seconds(void) {
#ifdef _WIN32
    LARGE_INTEGER ticks, per_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&per_second);
    return (double)ticks.QuadPart / (double)per_second.QuadPart;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
#endif
}

static inline void net_sleep(int ms) {
#ifdef _WIN32
    Sleep((DWORD)ms);
#else
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};
    while (nanosleep(&pause, &pause) < 0 && errno == EINTR)
        ;
#endif
}

#endif
