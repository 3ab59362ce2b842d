/* doctor.c - see doctor.h. */
#define _GNU_SOURCE
#include "doctor.h"
#include "host.h"
#include "states.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <linux/ptrace.h> /* behind sys/ptrace.h: the other way round they clash */
#include <sys/wait.h>
#include <unistd.h>

static int failed(struct trouble *trouble, const char *what, const char *mend) {
    trouble->error = errno;
    snprintf(trouble->what, sizeof trouble->what, "%s", what);
    snprintf(trouble->mend, sizeof trouble->mend, "%s", mend);
    return -1;
}

static int try_hosts(struct trouble *trouble) {
    struct host hosts[HOSTS];
    struct endpoint rows[8];
    if (hosts_open(hosts, 1, trouble) < 0)
        return -1;
    int read_well = states_read(hosts[SERVER].diag, rows, 8) >= 0;
    if (!read_well)
        failed(trouble, "the states of TCP cannot be read",
               "sudo modprobe tcp_diag inet_diag");
    hosts_close(hosts);
    return read_well ? 0 : -1;
}

/* Traces a child of its own up to its first system call. */
static int try_ptrace(struct trouble *trouble) {
    static const char mend[] = "sudo sysctl -w kernel.yama.ptrace_scope=1; in a container, "
                               "--cap-add SYS_PTRACE";
    struct ptrace_syscall_info info;
    int status;
    pid_t pid = fork();
    if (pid < 0)
        return failed(trouble, "no process can be made", "");
    if (pid == 0) {
        raise(SIGSTOP);
        for (;;)
            getppid();
    }
    memset(&info, 0, sizeof info);
    int well = waitpid(pid, &status, WUNTRACED) == pid &&
               ptrace(PTRACE_SEIZE, pid, NULL, (void *)(long)PTRACE_O_TRACESYSGOOD) == 0;
    int error = errno, seized = well;
    if (well) {
        kill(pid, SIGCONT);
        ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
        for (int i = 0; i < 20 && well && info.op == PTRACE_SYSCALL_INFO_NONE; i++) {
            well = waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status) &&
                   ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0;
            error = errno;
            ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
        }
        well = well && info.op != PTRACE_SYSCALL_INFO_NONE;
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, __WALL);
    errno = error;
    if (!well)
        return failed(trouble,
                      seized ? "ptrace tells no system calls (it needs Linux 5.3)"
                             : "programs cannot be traced",
                      seized ? "a newer kernel" : mend);
    return 0;
}

static const struct {
    const char *what;
    int (*try)(struct trouble *trouble);
} needs[] = {
    {"two private hosts: namespaces, TAP devices, states by NETLINK_SOCK_DIAG", try_hosts},
    {"programs traced: ptrace with PTRACE_GET_SYSCALL_INFO", try_ptrace},
};

/* In a child: a user namespace, once entered, cannot be left. */
static int try_in_child(int (*try)(struct trouble *), struct trouble *trouble) {
    int ends[2], status;
    memset(trouble, 0, sizeof *trouble);
    if (pipe(ends) < 0)
        return failed(trouble, "no pipe can be made", "");
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int result = try(trouble);
        ssize_t n = write(ends[1], trouble, sizeof *trouble);
        _exit(result == 0 && n == (ssize_t)sizeof *trouble ? 0 : 1);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], trouble, sizeof *trouble);
    close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || n != (ssize_t)sizeof *trouble)
        return failed(trouble, "the trial ended badly", "");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

int doctor(int brief) {
    int missing = 0;
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        struct trouble trouble;
        int well = try_in_child(needs[i].try, &trouble) == 0;
        missing += !well;
        if (well && !brief)
            printf("there     %s\n", needs[i].what);
        else if (!well && brief)
            printf("no private network: %s: %s\n", trouble.what, strerror(trouble.error));
        else if (!well)
            printf("missing   %s\n          %s: %s\n          to mend it: %s\n",
                   needs[i].what, trouble.what, strerror(trouble.error), trouble.mend);
        if (!well && brief)
            break;
    }
    if (!brief)
        printf(missing ? "The wire cannot play on this machine until that is mended.\n"
                       : "The wire can play on this machine.\n");
    return missing ? 1 : 0;
}
