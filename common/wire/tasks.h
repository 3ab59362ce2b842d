/* tasks.h - the programs of both hosts, under ptrace.
 *
 * In: a command and the host it is to live on. Out, into the log: each socket call at its entry and
 * its return, each line it prints, its end. The programs are unmodified, and so is their language.
 * Linux only. Source: ptrace(2); PTRACE_GET_SYSCALL_INFO needs Linux 5.3.
 */
#ifndef TASKS_H
#define TASKS_H

#include "host.h"
#include "log.h"

#include <sys/types.h>

enum { MAX_TASKS = 1024, MAX_SOCKETS = 65536, OUTPUT_LINE = 160, MOST_LINES = 10000 };

struct call_kind;

struct task { /* one thread of one process */
    pid_t id;
    int host;
    int stat;   /* /proc/ID/stat, kept open */
    int execed; /* it is the program now, and not yet our own child before exec */
    long call;  /* index of the EV_CALL it is in, or NO_INDEX */
    const struct call_kind *kind;
    uint64_t number;
    uint64_t args[6];
    int restarting;  /* a signal interrupted the call; the kernel may enter it again */
    int stopped;     /* by ptrace, waiting until its parent has told of it */
    int would_block; /* its last call came back with EAGAIN */
    long asks_again; /* how often it has made that same call again */
    unsigned long ticks_before; /* CPU time when the present wait began, in clock ticks */
};

struct program { /* the one command of a host */
    pid_t pid;   /* 0: not started */
    int running;
    int killed;    /* by us, as the scene wanted */
    int output[2]; /* read ends of its standard output and error */
    char line[2][OUTPUT_LINE];
    size_t line_length[2];
    long lines; /* printed so far, up to MOST_LINES: what follows is read and not kept */
    int exit_status; /* as waitpid() gives it */
    int execed;
};

struct tasks {
    struct log *log;
    int64_t (*now)(void *ear); /* ns since the log began */
    void (*call_ended)(
        void *ear, int host); /* look at what the call did, before its return is logged */
    void *ear;
    struct task tasks[MAX_TASKS];
    int count;
    struct program programs[HOSTS];
    unsigned long *sockets; /* inode numbers of all Internet sockets seen so far */
    long socket_count, socket_room;
    int has_socket[HOSTS]; /* a socket of this host is bound, listening or connecting */
    int waits
        [HOSTS]; /* this host's program has reached a call that waits for the network */
};

/* Starts argv (argv[0] is a path or found in PATH) on the host, with `input` as its standard input.
 * Returns 0, or -1 with *trouble filled in. */
int tasks_start(struct tasks *t, int number, const struct host *host, char *const argv[],
                int input, struct trouble *trouble);

/* Deals with one thing that a traced process has come to, if there is one. Returns 1, or 0 when there
 * is nothing at this moment. Never waits. */
int tasks_step(struct tasks *t);

/* Whether any process can go on by itself. ASLEEP: each one sleeps in a call. BUSY: all others do, and
 * one only computes (200 ms of CPU time since tasks_wait_begins()), or asks again and again. */
enum rest { AT_WORK, ASLEEP, BUSY };
enum rest tasks_rest(struct tasks *t);
void tasks_wait_begins(struct tasks *t);

/* Marks the calls that processes are in now as blocked. */
void tasks_mark_blocked(struct tasks *t);

/* Takes what the programs have printed so far into the log. */
void tasks_read_output(struct tasks *t);

/* Kills the programs of a host (SIGKILL), children included; tasks_step() then reports their end. */
void tasks_kill(struct tasks *t, int host);

/* How many tasks of the host are alive. */
int tasks_alive(const struct tasks *t, int host);

/* "server waits in accept(3)", into text: where the program of the host is just now. */
const char *tasks_where(const struct tasks *t, int host, char *text, size_t size);

/* Kills all that is left and waits for its end. */
void tasks_end(struct tasks *t);

#endif
