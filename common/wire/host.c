/* host.c - see host.h. */
#define _GNU_SOURCE
#include "host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

const char *const host_addresses[HOSTS] = {"10.0.0.1", "10.0.0.2"};

/* TCP as RFC 9293 and 6298 and the textbooks draw it: no options in the segments but MSS, one
 * retransmission timer and nothing cleverer. Files that an older kernel lacks are passed over. */
static const char *const textbook_settings[][2] = {
    {"net.ipv4.tcp_congestion_control",
     "reno"}, /* bbr and others pace segments by timers */
    {"net.ipv4.tcp_timestamps", "0"},
    {"net.ipv4.tcp_sack", "0"},
    {"net.ipv4.tcp_dsack", "0"},
    {"net.ipv4.tcp_window_scaling", "0"},
    {"net.ipv4.tcp_ecn", "0"},
    {"net.ipv4.tcp_fastopen", "0"},
    {"net.ipv4.tcp_autocorking", "0"},
    {"net.ipv4.tcp_early_retrans", "0"},    /* no tail loss probe */
    {"net.ipv4.tcp_retrans_collapse", "0"}, /* a segment goes again as it first went */
    {"net.ipv4.tcp_recovery", "0"}, /* no RACK: three duplicate ACKs, as RFC 5681 says */
    {"net.ipv4.tcp_syn_linear_timeouts",
     "0"},                                 /* SYN again after 1, 3, 7 s, not 1, 2, 3, 4 s */
    {"net.ipv4.tcp_no_metrics_save", "1"}, /* each connection knows nothing of the last */
    {"net.ipv4.tcp_tw_reuse", "0"},
};

/* For every host: no IPv6, whose router solicitations would be on the cable from the start. */
static const char *const common_settings[][2] = {
    {"net.ipv6.conf.all.disable_ipv6", "1"},
    {"net.ipv6.conf.default.disable_ipv6", "1"},
};

static int fail(struct trouble *trouble, const char *what, const char *mend) {
    trouble->error = errno;
    snprintf(trouble->what, sizeof trouble->what, "%s", what);
    snprintf(trouble->mend, sizeof trouble->mend, "%s", mend);
    return -1;
}

/* Writes text to a file under /proc. Returns 0 or -1 with errno. */
static int put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = write(fd, text, strlen(text));
    int error = errno;
    close(fd);
    errno = error;
    return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* In the namespace that this process is in now. */
static int set_here(const char *name, const char *value) {
    char path[300];
    int n = snprintf(path, sizeof path, "/proc/sys/%s", name);
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (char *p = path + strlen("/proc/sys/"); *p; p++)
        if (*p == '.')
            *p = '/';
    return put(path, value);
}

static int read_number(const char *path) {
    int value = -1;
    FILE *file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%d", &value) != 1)
            value = -1;
        fclose(file);
    }
    return value;
}

/* An ordinary user may make network namespaces inside a user namespace, where it counts as root. */
static int enter_user_namespace(struct trouble *trouble) {
    unsigned uid = getuid(), gid = getgid();
    char map[40];
    if (unshare(CLONE_NEWUSER) < 0) {
        if (read_number("/proc/sys/kernel/unprivileged_userns_clone") == 0)
            return fail(trouble, "user namespaces are switched off for ordinary users",
                        "sudo sysctl -w kernel.unprivileged_userns_clone=1");
        if (read_number("/proc/sys/user/max_user_namespaces") == 0)
            return fail(trouble, "user namespaces are limited to none",
                        "sudo sysctl -w user.max_user_namespaces=10000");
        return fail(trouble, "no user namespace can be made",
                    "run it as root (sudo), or a container with --cap-add SYS_ADMIN "
                    "--cap-add NET_ADMIN --device /dev/net/tun");
    }
    snprintf(map, sizeof map, "0 %u 1", uid);
    int mapped = put("/proc/self/uid_map", map);
    if (mapped == 0 && put("/proc/self/setgroups", "deny") == 0) {
        snprintf(map, sizeof map, "0 %u 1", gid);
        mapped = put("/proc/self/gid_map", map);
    }
    if (mapped <
        0) /* AppArmor lets the namespace be made and then forbids everything in it */
        return fail(trouble, "a user namespace gives no rights here",
                    "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
    return 0;
}

static int new_network(struct trouble *trouble) {
    if (unshare(CLONE_NEWNET) == 0)
        return 0;
    if (read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1)
        return fail(trouble, "no network namespace can be made",
                    "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
    return fail(trouble, "no network namespace can be made",
                "run it as root (sudo), or a container with --cap-add SYS_ADMIN "
                "--cap-add NET_ADMIN --device /dev/net/tun");
}

/* Gives interface `name` (already in *request) its address and switches it on. */
static int interface_up(int control, const char *name, int host) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, name);
    if (host >= 0) {
        struct sockaddr_in address = {.sin_family = AF_INET};
        /* 02: a locally administered MAC address; its last byte is the host's number */
        static const char mac[6] = {2, 0, 0, 0, 0, 0};
        request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
        memcpy(request.ifr_hwaddr.sa_data, mac, sizeof mac);
        request.ifr_hwaddr.sa_data[5] = (char)(host + 1);
        if (ioctl(control, SIOCSIFHWADDR, &request) < 0)
            return -1;
        inet_pton(AF_INET, host_addresses[host], &address.sin_addr);
        memcpy(&request.ifr_addr, &address, sizeof address);
        if (ioctl(control, SIOCSIFADDR, &request) < 0)
            return -1;
        inet_pton(AF_INET, "255.255.255.0", &address.sin_addr);
        memcpy(&request.ifr_netmask, &address, sizeof address);
        if (ioctl(control, SIOCSIFNETMASK, &request) < 0)
            return -1;
    }
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    return ioctl(control, SIOCSIFFLAGS, &request);
}

/* A TAP device: to the kernel of this namespace a network card, to us a file of frames.
 * IFF_NO_PI: nothing before the Ethernet header. Without IFF_VNET_HDR checksums come complete. */
static int open_tap(struct trouble *trouble) {
    struct ifreq request;
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return fail(trouble, "/dev/net/tun cannot be opened",
                    errno == EACCES ? "sudo chmod 0666 /dev/net/tun"
                                    : "sudo modprobe tun; or a container with --device "
                                      "/dev/net/tun");
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, "eth0");
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        fail(trouble, "no TAP device can be made", "run it as root (sudo)");
        close(fd);
        return -1;
    }
    return fd;
}

/* Makes one host in a fresh namespace, in which this process then is. */
static int host_open(struct host *host, int number, int textbook, struct trouble *trouble) {
    /* Set where we are, this gives the namespace to come a small table of connections of its own.
     * Reading the states walks that table, and the kernel's common one is very large: 20 us, not
     * 5 ms. Linux 6.1; without it all is slower, not wrong. */
    set_here("net.ipv4.tcp_child_ehash_entries", "64");
    if (new_network(trouble) < 0)
        return -1;
    host->namespace = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (host->namespace < 0)
        return fail(trouble, "/proc/self/ns/net cannot be opened",
                    "mount -t proc proc /proc");
    for (size_t i = 0; i < sizeof common_settings / sizeof common_settings[0]; i++)
        if (set_here(common_settings[i][0], common_settings[i][1]) < 0 && errno != ENOENT)
            return fail(trouble, "/proc/sys is read-only",
                        "sudo mount -o remount,rw /proc/sys");
    for (size_t i = 0;
         textbook && i < sizeof textbook_settings / sizeof textbook_settings[0]; i++)
        if (set_here(textbook_settings[i][0], textbook_settings[i][1]) < 0 &&
            errno != ENOENT)
            return fail(trouble, textbook_settings[i][0],
                        "play it with the kernel's own "
                        "settings: stack modern");
    host->cable = open_tap(trouble);
    if (host->cable < 0)
        return -1;
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (control < 0 || interface_up(control, "lo", -1) < 0 ||
        interface_up(control, "eth0", number) < 0) {
        fail(trouble, "an interface cannot be switched on", "run it as root (sudo)");
        if (control >= 0)
            close(control);
        return -1;
    }
    close(control);
    host->diag = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (host->diag < 0)
        return fail(trouble, "NETLINK_SOCK_DIAG is not there", "sudo modprobe tcp_diag");
    return 0;
}

int hosts_open(struct host hosts[HOSTS], int textbook, struct trouble *trouble) {
    for (int i = 0; i < HOSTS; i++)
        hosts[i] = (struct host){-1, -1, -1};
    memset(trouble, 0, sizeof *trouble);
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home < 0)
        return fail(trouble, "/proc/self/ns/net cannot be opened",
                    "mount -t proc proc /proc");

    /* A namespace in between, in which this process may write settings, as root or not. */
    int as_root = unshare(CLONE_NEWNET) == 0;
    int failed =
        !as_root && (enter_user_namespace(trouble) < 0 || new_network(trouble) < 0);
    for (int i = 0; i < HOSTS && !failed; i++)
        failed = host_open(&hosts[i], i, textbook, trouble) < 0;
    if (as_root && setns(home, CLONE_NEWNET) < 0 && !failed)
        failed = fail(trouble, "the way back to the own network namespace", "") < 0;
    close(home);
    if (failed)
        hosts_close(hosts);
    return failed ? -1 : 0;
}

int host_set(const struct host *host, const char *name, const char *value) {
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home < 0 || setns(host->namespace, CLONE_NEWNET) < 0) {
        if (home >= 0)
            close(home);
        return -1;
    }
    int failed = set_here(name, value), error = errno;
    setns(home, CLONE_NEWNET); /* an ordinary user stays here: it has no rights at home */
    close(home);
    errno = error;
    return failed;
}

void hosts_close(struct host hosts[HOSTS]) {
    for (int i = 0; i < HOSTS; i++) {
        int *fds[] = {&hosts[i].cable, &hosts[i].namespace, &hosts[i].diag};
        for (size_t k = 0; k < sizeof fds / sizeof fds[0]; k++) {
            if (*fds[k] >= 0)
                close(*fds[k]);
            *fds[k] = -1;
        }
    }
}
