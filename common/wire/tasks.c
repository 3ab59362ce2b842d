/* tasks.c - see tasks.h. */
#define _GNU_SOURCE
#include "tasks.h"
#include "calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <linux/close_range.h>
#include <linux/ptrace.h> /* behind sys/ptrace.h: the other way round they clash */
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {                  /* a program that does so much without waiting is not waited for */
       BUSY_TICKS = 20, /* CPU time, of 10 ms */
       BUSY_CALLS = 20, /* the same call, each time told "not now" (EAGAIN) */
};

static void event_begin(struct tasks *t, struct event *e, enum event_kind kind, int host) {
    memset(e, 0, sizeof *e);
    e->kind = kind;
    e->host = host;
    e->time = t->now(t->ear);
    e->fd = NO_INDEX;
    e->call = NO_INDEX;
    e->frame = e->connection = NO_INDEX;
}

/* ---- which descriptors are Internet sockets ---------------------------------------------------- */

static unsigned long socket_inode(pid_t id, int fd) {
    char path[64], target[64];
    unsigned long inode = 0;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)id, fd);
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0)
        return 0;
    target[n] = '\0';
    return sscanf(target, "socket:[%lu]", &inode) == 1 ? inode : 0;
}

static void remember_socket(struct tasks *t, unsigned long inode) {
    if (inode == 0 || t->socket_count == MAX_SOCKETS)
        return;
    t->sockets = log_room(t->sockets, t->socket_count, &t->socket_room, sizeof *t->sockets);
    t->sockets[t->socket_count++] = inode;
}

static int is_known_socket(const struct tasks *t, pid_t id, int fd) {
    unsigned long inode = t->socket_count ? socket_inode(id, fd) : 0;
    for (long i = t->socket_count - 1; inode && i >= 0; i--)
        if (t->sockets[i] == inode)
            return 1;
    return 0;
}

/* ---- tasks ------------------------------------------------------------------------------------- */

static struct task *find(struct tasks *t, pid_t id) {
    for (int i = 0; i < t->count; i++)
        if (t->tasks[i].id == id)
            return &t->tasks[i];
    return NULL;
}

static struct task *add(struct tasks *t, pid_t id, int host, int execed) {
    char path[64];
    if (t->count == MAX_TASKS) {
        kill(id, SIGKILL);
        return NULL;
    }
    struct task *task = &t->tasks[t->count++];
    memset(task, 0, sizeof *task);
    task->id = id;
    task->host = host;
    task->execed = execed;
    task->call = NO_INDEX;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)id);
    task->stat = open(path, O_RDONLY | O_CLOEXEC);
    return task;
}

static void drop(struct tasks *t, struct task *task) {
    if (task->stat >= 0)
        close(task->stat);
    *task = t->tasks[--t->count];
}

/* The state letter of /proc/ID/stat and the CPU time used, in ticks. See proc(5). */
static char stat_state(const struct task *task, unsigned long *ticks) {
    char text[512];
    unsigned long user = 0, system = 0;
    ssize_t n = task->stat < 0 ? -1 : pread(task->stat, text, sizeof text - 1, 0);
    if (n <= 0)
        return 'X';
    text[n] = '\0';
    const char *p = strrchr(text, ')'); /* a program's name may have brackets in it */
    if (p == NULL || p[1] == '\0')
        return 'X';
    if (sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2)
        user = system = 0;
    *ticks = user + system;
    return p[2];
}

void tasks_wait_begins(struct tasks *t) {
    for (int i = 0; i < t->count; i++)
        stat_state(&t->tasks[i], &t->tasks[i].ticks_before);
}

enum rest tasks_rest(struct tasks *t) {
    enum rest rest = ASLEEP;
    for (int i = 0; i < t->count; i++) {
        struct task *task = &t->tasks[i];
        unsigned long ticks = 0;
        if (task->stopped)
            continue;
        char state = stat_state(task, &ticks);
        if (state == 'S' || state == 'T' || state == 'X')
            continue;
        /* it runs (R), is in a stop of ours (t), ends (Z), or reads a disk (D) */
        if (ticks - task->ticks_before < BUSY_TICKS && task->asks_again < BUSY_CALLS)
            return AT_WORK;
        rest = BUSY;
    }
    return rest;
}

void tasks_mark_blocked(struct tasks *t) {
    for (int i = 0; i < t->count; i++)
        if (t->tasks[i].call != NO_INDEX)
            t->log->events[t->tasks[i].call].blocked = 1;
}

int tasks_alive(const struct tasks *t, int host) {
    int alive = 0;
    for (int i = 0; i < t->count; i++)
        alive += t->tasks[i].host == host;
    return alive;
}

const char *tasks_where(const struct tasks *t, int host, char *text, size_t size) {
    const struct program *program = &t->programs[host];
    snprintf(text, size, "%s %s", host_names[host],
             program->pid == 0  ? "was not started"
             : program->running ? "is in no socket call"
                                : "has ended");
    for (int i = 0; i < t->count; i++)
        if (t->tasks[i].host == host && t->tasks[i].call != NO_INDEX) {
            const struct event *e = &t->log->events[t->tasks[i].call];
            if (e->fd == NO_INDEX)
                snprintf(text, size, "%s waits in %s()", host_names[host], e->name);
            else
                snprintf(text, size, "%s waits in %s(%d)", host_names[host], e->name,
                         e->fd);
        }
    return text;
}

/* ---- output ------------------------------------------------------------------------------------ */

static void log_line(struct tasks *t, int host, int stream) {
    struct program *program = &t->programs[host];
    struct event e;
    program->line[stream][program->line_length[stream]] = '\0';
    program->line_length[stream] = 0;
    if (program->lines >= MOST_LINES)
        return;
    event_begin(t, &e, EV_PRINTS, host);
    e.text = ++program->lines < MOST_LINES ? program->line[stream]
                                           : (char[]){"(and so on: no more of it is kept)"};
    log_add(t->log, &e);
}

/* Cuts what has come into lines; characters that are no text become dots. No more at once than a pipe
 * holds: a program may print faster than it is read. */
static void read_stream(struct tasks *t, int host, int stream) {
    struct program *program = &t->programs[host];
    char bytes[4096];
    ssize_t n;
    for (int part = 0; part < 16 && program->output[stream] >= 0 &&
                       (n = read(program->output[stream], bytes, sizeof bytes)) > 0;
         part++)
        for (ssize_t i = 0; i < n; i++) {
            unsigned char c = (unsigned char)bytes[i];
            if (c == '\n')
                log_line(t, host, stream);
            else if (c != '\r' && program->line_length[stream] + 1 < OUTPUT_LINE)
                program->line[stream][program->line_length[stream]++] =
                    (char)(c < 32 || c == 127 ? '.' : c);
        }
}

static void read_output(struct tasks *t, int host) {
    for (int stream = 0; stream < 2; stream++)
        read_stream(t, host, stream);
}

void tasks_read_output(struct tasks *t) {
    for (int host = 0; host < HOSTS; host++)
        if (t->programs[host].pid)
            read_output(t, host);
}

/* ---- system calls ------------------------------------------------------------------------------ */

/* The kernel's own codes for "a signal came": the program never sees them (linux/errno.h). */
static int is_restart(int64_t value) {
    return value <= -512 && value >= -516;
}

static void log_return(struct tasks *t, struct task *task, const char *result) {
    struct event e;
    event_begin(t, &e, EV_RETURN, task->host);
    const struct event *call = &t->log->events[task->call];
    memcpy(e.name, call->name, sizeof e.name);
    e.fd = call->fd;
    e.args = call->args;
    e.minor = call->minor;
    e.call = task->call;
    snprintf(e.result, sizeof e.result, "%s", result);
    task->call = NO_INDEX;
    log_add(t->log, &e);
}

static int concerns_sockets(const struct tasks *t, const struct task *task,
                            const struct call_kind *kind) {
    switch (kind->shape) {
    case SHAPE_SOCKET: return task->args[0] == AF_INET || task->args[0] == AF_INET6;
    case SHAPE_WAIT: return t->has_socket[task->host];
    default: return is_known_socket(t, task->id, (int)task->args[0]);
    }
}

static int same_call(const struct task *task, const struct ptrace_syscall_info *info) {
    return info->entry.nr == task->number &&
           memcmp(task->args, info->entry.args, sizeof task->args) == 0;
}

/* A server counts as ready once it does something that waits for the network. */
static int is_waiting_kind(const struct call_kind *kind) {
    switch (kind->shape) {
    case SHAPE_SOCKET: return 0;
    case SHAPE_ADDRESS: return strcmp(kind->name, "connect") == 0;
    case SHAPE_PLAIN: return !kind->minor;
    default: return 1;
    }
}

static void log_call(struct tasks *t, struct task *task) {
    char args[100];
    struct event e;
    event_begin(t, &e, EV_CALL, task->host);
    snprintf(e.name, sizeof e.name, "%s", task->kind->name);
    if (task->kind->shape != SHAPE_SOCKET && task->kind->shape != SHAPE_WAIT)
        e.fd = (int)task->args[0];
    call_args(task->kind, task->id, task->args, args, sizeof args);
    e.args = args[0] ? args : NULL;
    e.minor = task->kind->minor;
    task->call = log_add(t->log, &e);
    if (is_waiting_kind(task->kind))
        t->waits[task->host] = 1;
}

static void call_entered(struct tasks *t, struct task *task,
                         const struct ptrace_syscall_info *info) {
    if (task->restarting && task->call != NO_INDEX) {
        /* after a signal the kernel goes on with the call, or the program's handler runs first */
        if (info->entry.nr == SYS_restart_syscall || info->entry.nr == SYS_rt_sigreturn ||
            same_call(task, info))
            return;
        log_return(t, task, "EINTR");
    }
    task->restarting = 0;
    /* The same call that has just said "not now", asked again: told of only if the answer changes. */
    task->asks_again =
        task->would_block && same_call(task, info) ? task->asks_again + 1 : 0;
    task->number = info->entry.nr;
    memcpy(task->args, info->entry.args, sizeof task->args);
    task->kind = call_find(task->number);
    if (task->kind && !concerns_sockets(t, task, task->kind))
        task->kind = NULL;
    if (task->kind && !task->asks_again)
        log_call(t, task);
}

static void call_left(struct tasks *t, struct task *task,
                      const struct ptrace_syscall_info *info) {
    char result[CALL_RESULT];
    if (task->call != NO_INDEX && is_restart(info->exit.rval)) {
        task->restarting = 1;
        return;
    }
    task->restarting = 0;
    task->would_block = task->kind && info->exit.is_error && info->exit.rval == -EAGAIN;
    if (task->kind == NULL) {
        if (task->number == SYS_write || task->number == SYS_writev)
            read_output(t, task->host);
        return;
    }
    if (task->asks_again && task->would_block)
        return;
    if (task->call == NO_INDEX)
        log_call(t, task);
    if (!info->exit.is_error && call_makes_descriptor(task->kind)) {
        remember_socket(t, socket_inode(task->id, (int)info->exit.rval));
        t->has_socket[task->host] = 1;
    }
    t->call_ended(t->ear, task->host);
    log_return(t, task,
               call_result(info->exit.rval, info->exit.is_error, result, sizeof result));
}

static void at_call(struct tasks *t, struct task *task) {
    struct ptrace_syscall_info info;
    memset(&info, 0, sizeof info);
    if (!task->execed || ptrace(PTRACE_GET_SYSCALL_INFO, task->id, sizeof info, &info) < 0)
        return;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        call_entered(t, task, &info);
    else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
        call_left(t, task, &info);
}

/* ---- what waitpid() tells ---------------------------------------------------------------------- */

static void go_on(pid_t id, int signal) {
    ptrace(PTRACE_SYSCALL, id, NULL,
           (void *)(long)signal); /* fails only if it was killed */
}

static void process_ended(struct tasks *t, struct task *task, int status) {
    int host = task->host;
    struct program *program = &t->programs[host];
    pid_t id = task->id;
    drop(t, task);
    if (id != program->pid)
        return;
    read_output(t, host);
    for (int stream = 0; stream < 2; stream++)
        if (program->line_length[stream])
            log_line(t, host, stream);
    program->running = 0;
    program->exit_status = status;
    struct event e;
    event_begin(t, &e, EV_EXIT, host);
    if (WIFSIGNALED(status))
        signal_name(WTERMSIG(status), e.result, sizeof e.result);
    else
        snprintf(e.result, sizeof e.result, "%d", WEXITSTATUS(status));
    log_add(t->log, &e);
    t->call_ended(t->ear, host); /* the kernel has closed what the program left open */
}

/* A new thread or process may stop before its parent's event has told whose it is. */
static void family_grew(struct tasks *t, struct task *parent) {
    unsigned long id = 0;
    int host = parent->host;
    if (ptrace(PTRACE_GETEVENTMSG, parent->id, NULL, &id) < 0)
        return;
    struct task *child = find(t, (pid_t)id);
    if (child == NULL) {
        add(t, (pid_t)id, host, 1);
        return;
    }
    child->host = host;
    child->stopped = 0;
    go_on(child->id, 0);
}

/* exec by a thread: it takes its process's number, and the other threads are gone. */
static void program_changed(struct tasks *t, struct task *task) {
    unsigned long former = (unsigned long)task->id;
    ptrace(PTRACE_GETEVENTMSG, task->id, NULL, &former);
    struct task *old = (pid_t)former == task->id ? NULL : find(t, (pid_t)former);
    task->execed = 1;
    task->call = NO_INDEX;
    task->number = SYS_execve;
    if (task->id == t->programs[task->host].pid)
        t->programs[task->host].execed = 1;
    if (old)
        drop(t, old);
}

static void task_stopped(struct tasks *t, struct task *task, int status) {
    pid_t id = task->id;
    int signal = WSTOPSIG(status), event = status >> 16;
    if (signal == (SIGTRAP | 0x80)) {
        at_call(t, task);
        signal = 0;
    } else if (event == PTRACE_EVENT_STOP) {
        if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN ||
            signal == SIGTTOU) {
            ptrace(PTRACE_LISTEN, id, NULL, NULL); /* stopped by a signal, and stays so */
            return;
        }
        signal = 0;
    } else if (event) {
        if (event == PTRACE_EVENT_EXEC)
            program_changed(t, task);
        else
            family_grew(t, task);
        signal = 0;
    }
    go_on(id, signal);
}

int tasks_step(struct tasks *t) {
    int status;
    pid_t id = waitpid(-1, &status, __WALL | WNOHANG);
    if (id <= 0)
        return 0;
    struct task *task = find(t, id);
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
        if (task)
            process_ended(t, task, status);
    } else if (WIFSTOPPED(status)) {
        if (task == NULL) { /* not yet told of by its parent: it waits */
            task = add(t, id, CLIENT, 1);
            if (task)
                task->stopped = 1;
        } else {
            task_stopped(t, task, status);
        }
    }
    return 1;
}

/* ---- start and end ----------------------------------------------------------------------------- */

/* The path of a command: as it is when it has a slash, else by PATH. Returns 0, or -1 with errno. */
static int find_program(const char *name, char *path, size_t size) {
    const char *dirs = getenv("PATH");
    if (strchr(name, '/')) {
        snprintf(path, size, "%s", name);
        return access(path, X_OK);
    }
    for (const char *p = dirs ? dirs : "/usr/bin:/bin"; *p;) {
        size_t length = strcspn(p, ":");
        snprintf(path, size, "%.*s/%s", (int)length, p, name);
        if (access(path, X_OK) == 0)
            return 0;
        p += length + (p[length] == ':');
    }
    errno = ENOENT;
    return -1;
}

/* In the child: into the host, streams in place, then wait until the parent traces us. */
static void become(const struct host *host, const char *path, char *const argv[], int input,
                   const int output[2], int go) {
    char byte, options[400];
    const char *asan = getenv("ASAN_OPTIONS");
    /* LeakSanitizer is itself a tracer, and ends a program that has one already. */
    snprintf(options, sizeof options, "%s%sdetect_leaks=0", asan ? asan : "",
             asan ? ":" : "");
    if (setns(host->namespace, CLONE_NEWNET) < 0 || dup2(input, 0) < 0 ||
        dup2(output[0], 1) < 0 || dup2(output[1], 2) < 0 ||
        setenv("ASAN_OPTIONS", options, 1) < 0 || read(go, &byte, 1) != 1)
        _exit(126);
    /* The program begins with three descriptors: its first socket is 3, whatever we have open. */
    syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
    /* Its output is a pipe: the size of the terminal is nothing to it. To a program that is traced even
     * a signal that it ignores comes, and would end its calls with EINTR. */
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGWINCH);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    signal(SIGPIPE, SIG_DFL);
    execv(path, argv);
    dprintf(2, "%s: %s", path, strerror(errno));
    _exit(127);
}

static int refuse(struct trouble *trouble, const char *name, int error) {
    snprintf(trouble->what, sizeof trouble->what, "%.100s cannot be started", name);
    trouble->error = error;
    trouble->mend[0] = '\0';
    return -1;
}

static int open_pipe(int ends[2]) {
    return pipe2(ends, O_CLOEXEC);
}

int tasks_start(struct tasks *t, int number, const struct host *host, char *const argv[],
                int input, struct trouble *trouble) {
    enum {
        OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                  PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL
    };
    struct program *program = &t->programs[number];
    char path[4096];
    int go[2], out[2], err[2];
    if (find_program(argv[0], path, sizeof path) < 0)
        return refuse(trouble, argv[0], errno);
    if (open_pipe(go) < 0 || open_pipe(out) < 0 || open_pipe(err) < 0)
        return refuse(trouble, argv[0], errno);
    pid_t pid = fork();
    if (pid < 0)
        return refuse(trouble, argv[0], errno);
    if (pid == 0)
        become(host, path, argv, input, (const int[2]){out[1], err[1]}, go[0]);
    close(go[0]);
    close(out[1]);
    close(err[1]);
    /* Once seized and interrupted, each of its system calls stops it twice. */
    int traced = ptrace(PTRACE_SEIZE, pid, NULL, (void *)(long)OPTIONS) == 0 &&
                 ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0;
    if (!traced || write(go[1], "g", 1) != 1) {
        int error = errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(go[1]);
        close(out[0]);
        close(err[0]);
        return refuse(trouble, argv[0], error);
    }
    close(go[1]);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    memset(program, 0, sizeof *program);
    program->pid = pid;
    program->running = 1;
    program->output[0] = out[0];
    program->output[1] = err[0];
    add(t, pid, number, 0);
    return 0;
}

void tasks_kill(struct tasks *t, int host) {
    t->programs[host].killed = 1;
    for (int i = 0; i < t->count; i++)
        if (t->tasks[i].host == host)
            kill(t->tasks[i].id, SIGKILL);
}

void tasks_end(struct tasks *t) {
    int status;
    for (int i = 0; i < t->count; i++)
        kill(t->tasks[i].id, SIGKILL);
    while (t->count > 0) {
        pid_t id = waitpid(-1, &status, __WALL);
        if (id < 0 && errno == EINTR)
            continue;
        if (id < 0)
            break;
        struct task *task = find(t, id);
        if (WIFSTOPPED(status))
            kill(id, SIGKILL);
        else if (task)
            drop(t, task);
    }
    for (int host = 0; host < HOSTS; host++)
        for (int stream = 0; t->programs[host].pid && stream < 2; stream++)
            close(t->programs[host].output[stream]);
    free(t->sockets);
    t->sockets = NULL;
}
