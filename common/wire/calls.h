/* calls.h - which system calls are socket calls, and how they read in the log.
 *
 * In: the number and arguments of a system call that a traced program makes. Out: its name, the
 * descriptor it is made on, what else is worth showing, and its result in words. Linux only.
 * Sources: syscalls(2), and the manual page of each call.
 */
#ifndef CALLS_H
#define CALLS_H

#include <stdint.h>
#include <sys/types.h>

enum call_shape {
    SHAPE_SOCKET,   /* makes a socket: the first argument is the family */
    SHAPE_ACCEPT,   /* on a socket, and makes one */
    SHAPE_ADDRESS,  /* on a socket, with an address as second argument */
    SHAPE_SENDTO,   /* on a socket, with an address as fifth argument, or none */
    SHAPE_NUMBER,   /* on a socket, with a number */
    SHAPE_SHUTDOWN, /* on a socket, with a direction */
    SHAPE_PLAIN,    /* on a socket */
    SHAPE_WAIT,     /* on several descriptors */
};

struct call_kind {
    long number;
    const char *name;
    enum call_shape shape;
    int minor; /* of little interest: shown only when asked for */
};

/* The kind of a system call, or NULL when sockets have nothing to do with it. */
const struct call_kind *call_find(uint64_t number);

/* True when the call's result is a new descriptor. */
int call_makes_descriptor(const struct call_kind *kind);

/* What is worth showing beside the descriptor, "10.0.0.2:7777" or "WR", into text of size bytes; empty when
 * nothing is. Reads addresses from the memory of process `pid`. */
const char *call_args(const struct call_kind *kind, pid_t pid, const uint64_t args[6],
                      char *text, size_t size);

/* "5", or the error's name: "ECONNREFUSED". */
const char *call_result(int64_t value, int is_error, char *text, size_t size);

/* "SIGKILL" for 9. */
const char *signal_name(int number, char *text, size_t size);

#endif
