/* sender.c - sends segments of known sizes, so that one can watch how TCP delivers them.
 *
 * Usage:     sender HOST PORT [OPTION]... BYTES...     one send() for each number of BYTES
 *            --nodelay   TCP_NODELAY: a small segment does not wait for the ACK of another
 *            --confirm   after each send() wait until the peer's kernel has confirmed all
 *            --ask N     N times: send all of it, then wait for an answer of one byte
 *            --time      say how long each wait took
 * Compile:   cc -o sender sender.c         (Windows: gcc -o sender sender.c -lws2_32)
 * Try it:    ./receiver --reply 150                     in one terminal: listening on ...
 *            ./sender 127.0.0.1 7000 --ask 3 --time 100 50      in another: answer 1 ...
 * Look for:  send() returns at once: it only fills the kernel's send buffer. What is there
 *            is kept until its ACK has come: it may have to be sent again.
 *            On the wire: data-transfer.scene, lost-data.scene, send-buffer.scene
 * See also:  receiver.c
 */
#include "../common/net.h"
#include <stdlib.h>
#ifndef _WIN32
#include <sys/ioctl.h>
#endif

enum {
    MOST_BYTES = 1000 * 1000, /* in one send() */
    MOST_SENDS = 64,
    ANSWER_LIMIT_MS = 120 * 1000 /* for an answer, or for a confirmation */
};

struct job {
    int nodelay, confirm, times;
    long asks;
    long sizes[MOST_SENDS];
    int count;
};

static char bytes[MOST_BYTES];

/* How many bytes lie in the send buffer: not sent yet, or sent and not confirmed. -1:
 * not told. */
static long in_send_buffer(socket_t s) {
    int count = 0;
#if defined(__linux__)
    if (ioctl(s, TIOCOUTQ, &count) < 0) /* for sockets its name is SIOCOUTQ: see tcp(7) */
        return -1;
#elif defined(__APPLE__)
    socklen_t length = sizeof count;
    if (getsockopt(s, SOL_SOCKET, SO_NWRITE, &count, &length) < 0)
        return -1;
#else
    (void)s; /* Windows and others keep it to themselves */
    return -1;
#endif
    return count;
}

/* The error that has ended the connection, or 0. Asking takes it off the socket. */
static int error_of(socket_t s) {
    int err = 0;
    socklen_t length = sizeof err;
    getsockopt(s, SOL_SOCKET, SO_ERROR, (void *)&err, &length);
    return err;
}

/* No call waits for the ACK of what was sent: so it is asked for every millisecond,
 * and once in a while whether the kernel has given up. */
static int wait_until_confirmed(socket_t s, int times) {
    double start = net_seconds();
    long left = in_send_buffer(s), before = -1;
    if (left < 0) {
        fprintf(stderr, "sender: this system does not tell what is confirmed; use --ask\n");
        return -1;
    }
    for (int round = 1; left > 0; left = in_send_buffer(s), round++) {
        if (left != before)
            printf("in buffer: %ld bytes\n", left);
        before = left;
        int err = round % 1000 ? 0 : error_of(s);
        if (err == 0 && net_seconds() - start > ANSWER_LIMIT_MS / 1000.0)
            err = NET_E(TIMEDOUT);
        if (err != 0) {
            net_perror(err, "sender: %ld bytes were never confirmed", left);
            return -1;
        }
        net_sleep(1);
    }
    if (times)
        printf("in buffer: 0 after %.1f ms\n", (net_seconds() - start) * 1000);
    else
        printf("in buffer: 0\n");
    return 0;
}

static int send_all(socket_t s, size_t count) {
    size_t done = 0;
    while (done < count) {
        ssize_t sent = send(s, bytes + done, (io_len)(count - done), 0);
        if (sent < 0 && net_error() == NET_E(INTR))
            continue;
        if (sent < 0) {
            net_perror(net_error(), "sender: send");
            return -1;
        }
        done += (size_t)sent;
    }
    return 0;
}

/* Returns what recv() did: 1 for an answer, 0 for the peer's FIN, -1 for a failure. */
static int wait_for_answer(socket_t s) {
    char answer;
    ssize_t count;
    do
        count = recv(s, &answer, 1, 0);
    while (count < 0 && net_error() == NET_E(INTR));
    if (count < 0)
        net_perror(net_error(), "sender: recv");
    return count > 0 ? 1 : (int)count;
}

static int send_each(socket_t s, const struct job *job) {
    for (int i = 0; i < job->count; i++) {
        /* A segment goes out now, unless Nagle's rule holds it back: a small one waits
         * for the ACK of the one before. TCP_NODELAY switches that rule off. */
        if (send_all(s, (size_t)job->sizes[i]) < 0)
            return -1;
        if (job->confirm && wait_until_confirmed(s, job->times) < 0)
            return -1;
    }
    return 0;
}

static int ask(socket_t s, const struct job *job) {
    for (long round = 1; round <= job->asks; round++) {
        double start = net_seconds();
        if (send_each(s, job) < 0)
            return -1;
        int answered = wait_for_answer(s);
        if (answered == 0)
            fprintf(stderr, "sender: the peer closed and did not answer\n");
        if (answered <= 0)
            return -1;
        if (job->times)
            printf("answer %ld after %.1f ms\n", round, (net_seconds() - start) * 1000);
    }
    return 0;
}

/* A name may have several addresses: each is tried until one answers. */
static socket_t connect_to(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int failed = getaddrinfo(host, port, &hints, &list);
    if (failed != 0) {
        fprintf(stderr, "sender: %s port %s: %s\n", host, port, gai_strerror(failed));
        return NO_SOCKET;
    }
    socket_t s = NO_SOCKET;
    for (struct addrinfo *a = list; a != NULL && s == NO_SOCKET; a = a->ai_next) {
        char name[NET_ADDRESS_MAX];
        s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (s == NO_SOCKET) {
            net_perror(net_error(), "sender: socket");
            continue;
        }
        if (connect(s, a->ai_addr, (socklen_t)a->ai_addrlen) < 0) {
            net_perror(net_error(), "sender: connect %s",
                       net_address(a->ai_addr, (socklen_t)a->ai_addrlen, name));
            net_close(s);
            s = NO_SOCKET;
        }
    }
    freeaddrinfo(list);
    return s;
}

/* A whole number from 1 to most; -1 when it is none. */
static long number(const char *text, long most) {
    char *end;
    long value = strtol(text, &end, 10);
    return *text < '0' || *text > '9' || *end || value < 1 || value > most ? -1 : value;
}

/* Returns 0, or -1 when the command line has a mistake. */
static int read_job(int argc, char **argv, struct job *job) {
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--nodelay") == 0)
            job->nodelay = 1;
        else if (strcmp(argv[i], "--confirm") == 0)
            job->confirm = 1;
        else if (strcmp(argv[i], "--time") == 0)
            job->times = 1;
        else if (strcmp(argv[i], "--ask") == 0 && i + 1 < argc) {
            if ((job->asks = number(argv[++i], 1000000)) < 0)
                return -1;
        } else if (job->count < MOST_SENDS) {
            if ((job->sizes[job->count++] = number(argv[i], MOST_BYTES)) < 0)
                return -1;
        } else
            return -1;
    }
    return job->count > 0 ? 0 : -1;
}

int main(int argc, char **argv) {
    struct job job = {0};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf(
            "usage: sender HOST PORT [--nodelay] [--confirm] [--ask N] [--time] BYTES...\n"
            "Connects and makes one send() for each number of BYTES (64 of them, 1 to "
            "1000000).\n");
        return 0;
    }
    if (argc < 4 || read_job(argc, argv, &job) < 0) {
        fprintf(stderr, "sender: expected HOST PORT [OPTION]... BYTES...; see "
                        "sender --help\n");
        return 2;
    }
    if (!net_is_port("sender", argv[2]))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "sender: start");
        return 1;
    }
    socket_t s = connect_to(argv[1], argv[2]);
    if (s == NO_SOCKET)
        return 1;
    if (job.nodelay) {
        int on = 1;
        setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const void *)&on, sizeof on);
    }
    net_timeout(s, SO_RCVTIMEO, ANSWER_LIMIT_MS);
    net_timeout(s, SO_SNDTIMEO, ANSWER_LIMIT_MS);
    memset(bytes, 'x', sizeof bytes);

    int failed = job.asks > 0 ? ask(s, &job) : send_each(s, &job);
    if (!failed) {
        shutdown(s, SHUT_WR); /* our FIN, behind the last byte: FIN_WAIT_1 */
        while ((failed = wait_for_answer(s)) > 0)
            ; /* until the peer's FIN: it has all */
    }
    net_close(s);
    net_stop();
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "sender: not all could be written to standard output\n");
        return 1;
    }
    return failed ? 1 : 0;
}
