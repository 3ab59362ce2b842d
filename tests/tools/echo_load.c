/* echo_load.c - many clients of an echo server at once, for tests and bench (Linux).
 *
 * Usage:     echo_load HOST PORT trips CLIENTS SECONDS
 *                CLIENTS connections; each sends 64 bytes, waits for all 64, sends again.
 *                Prints round trips per second; the first fifth of the time is not counted.
 *            echo_load HOST PORT connects CLIENTS SECONDS
 *                CLIENTS at a time; each connects, makes one round trip, half-closes, reads
 *                to the FIN, closes, and connects again. Prints connections per second.
 *            echo_load HOST PORT all CLIENTS TRIPS
 *                Connects CLIENTS clients; when all are there, each makes TRIPS round
 *                trips, half-closes and reads to the FIN. Prints what was seen.
 * The bytes that come back are compared. Exits 0 only if all clients got what they should.
 */
#define _GNU_SOURCE 1
#include "../../common/net.h"
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>

enum {
    SIZE = 64,
    AHEAD = 512, /* connections under way at once: no full backlog is wanted */
    EVENTS = 512,
    PATIENCE_MS = 20 * 1000 /* nothing at all for so long: the server has stopped */
};

enum stage { CONNECTING, IDLE, WAITING, CLOSING, GONE };

struct client {
    int fd;
    enum stage stage;
    unsigned got; /* bytes of the present reply */
    unsigned long trips;
};

struct load {
    int epoll;
    struct addrinfo *to;
    struct client *clients;
    unsigned count, connecting, connected;
    unsigned long long trips, closed;
    unsigned source; /* source addresses in turn: each has 28,000 ports of its own */
};

static void give_up(const char *what) {
    fprintf(stderr, "echo_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Every trip of every client has bytes of its own, so that a reply to another one is
 * noticed. */
static void fill(char *bytes, const struct load *load, const struct client *client) {
    unsigned long id = (unsigned long)(client - load->clients);
    memset(bytes, 'a' + (int)((id + client->trips) % 26), SIZE);
    memcpy(bytes, &id, sizeof id);
    memcpy(bytes + sizeof id, &client->trips, sizeof client->trips);
}

static void begin(struct load *load, struct client *client) {
    client->fd = socket(load->to->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client->fd < 0)
        give_up("socket");
    if (load->to->ai_family == AF_INET &&
        ntohl(((struct sockaddr_in *)(void *)load->to->ai_addr)->sin_addr.s_addr) >> 24 ==
            127) {
        struct sockaddr_in from = {.sin_family = AF_INET};
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + load->source++ % 8);
        int on = 1;
        setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(client->fd, (struct sockaddr *)&from, sizeof from) < 0)
            give_up("bind");
    }
    if (connect(client->fd, load->to->ai_addr, load->to->ai_addrlen) < 0 &&
        errno != EINPROGRESS)
        give_up("connect");
    client->stage = CONNECTING;
    client->trips = 0;
    load->connecting++;
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = client};
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, client->fd, &event) < 0)
        give_up("epoll_ctl");
}

static void send_trip(struct load *load, struct client *client) {
    char bytes[SIZE];
    fill(bytes, load, client);
    if (send(client->fd, bytes, SIZE, MSG_NOSIGNAL) != SIZE)
        give_up("send");
    client->got = 0;
    client->stage = WAITING;
}

static void half_close(struct client *client) {
    if (shutdown(client->fd, SHUT_WR) < 0)
        give_up("shutdown");
    client->stage = CLOSING;
}

static void finish_connect(struct load *load, struct client *client) {
    int err = 0;
    socklen_t length = sizeof err;
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &err, &length);
    errno = err;
    if (err != 0)
        give_up("connect");
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = client};
    if (epoll_ctl(load->epoll, EPOLL_CTL_MOD, client->fd, &event) < 0)
        give_up("epoll_ctl");
    load->connecting--;
    load->connected++;
    client->stage = IDLE;
}

/* Reads what has come. Returns 1 when a trip is complete. */
static int read_reply(struct load *load, struct client *client) {
    char bytes[SIZE + 1], expected[SIZE];
    ssize_t count = recv(client->fd, bytes, sizeof bytes, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (count < 0)
        give_up("recv");
    if (client->stage == CLOSING && count == 0) {
        close(client->fd);
        client->stage = GONE;
        load->closed++;
        return 0;
    }
    fill(expected, load, client);
    if (count == 0 || client->stage != WAITING || client->got + (size_t)count > SIZE ||
        memcmp(expected + client->got, bytes, (size_t)count) != 0) {
        fprintf(stderr, "echo_load: client %ld, trip %lu: %s\n",
                (long)(client - load->clients), client->trips,
                count == 0 ? "the server closed" : "other bytes came back");
        exit(1);
    }
    client->got += (unsigned)count;
    if (client->got < SIZE)
        return 0;
    client->trips++;
    load->trips++;
    return 1;
}

static int wait_events(struct load *load, struct epoll_event *events) {
    int ready = epoll_wait(load->epoll, events, EVENTS, PATIENCE_MS);
    if (ready < 0 && errno != EINTR)
        give_up("epoll_wait");
    if (ready == 0) {
        errno = ETIMEDOUT;
        give_up("waiting for the server");
    }
    return ready < 0 ? 0 : ready;
}

static void connect_everyone(struct load *load) {
    struct epoll_event events[EVENTS];
    unsigned begun = 0;
    while (load->connected < load->count) {
        while (begun < load->count && load->connecting < AHEAD)
            begin(load, &load->clients[begun++]);
        int ready = wait_events(load, events);
        for (int i = 0; i < ready; i++)
            finish_connect(load, events[i].data.ptr);
    }
}

static void run_trips(struct load *load, double seconds) {
    struct epoll_event events[EVENTS];
    connect_everyone(load);
    for (unsigned i = 0; i < load->count; i++)
        send_trip(load, &load->clients[i]);
    double begun = net_seconds(), now = begun, counting = 0;
    while (now - begun < seconds) {
        int ready = wait_events(load, events);
        for (int i = 0; i < ready; i++)
            if (read_reply(load, events[i].data.ptr))
                send_trip(load, events[i].data.ptr);
        now = net_seconds();
        if (counting == 0 && now - begun > seconds / 5) {
            counting = now;
            load->trips = 0;
        }
    }
    printf("%.0f\n", (double)load->trips / (now - counting));
}

static void run_connects(struct load *load, double seconds) {
    struct epoll_event events[EVENTS];
    for (unsigned i = 0; i < load->count; i++)
        begin(load, &load->clients[i]);
    double begun = net_seconds(), now = begun;
    while (now - begun < seconds) {
        int ready = wait_events(load, events);
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            if (client->stage == CONNECTING) {
                finish_connect(load, client);
                send_trip(load, client);
            } else if (read_reply(load, client))
                half_close(client);
            else if (client->stage == GONE)
                begin(load, client);
        }
        now = net_seconds();
    }
    printf("%.0f\n", (double)load->closed / (now - begun));
}

static void run_all(struct load *load, unsigned long trips) {
    struct epoll_event events[EVENTS];
    connect_everyone(load);
    printf("%u connected at once\n", load->connected);
    for (unsigned i = 0; i < load->count; i++)
        send_trip(load, &load->clients[i]);
    while (load->closed < load->count) {
        int ready = wait_events(load, events);
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            if (!read_reply(load, client))
                continue;
            if (client->trips < trips)
                send_trip(load, client);
            else
                half_close(client);
        }
    }
    printf("%llu round trips, %llu closed in order\n", load->trips, load->closed);
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr,
                "usage: echo_load HOST PORT trips|connects|all CLIENTS SECONDS|TRIPS\n");
        return 2;
    }
    net_start();
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    struct load load = {.count = (unsigned)strtoul(argv[4], NULL, 10)};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (getaddrinfo(argv[1], argv[2], &hints, &load.to) != 0) {
        fprintf(stderr, "echo_load: no such address: %s %s\n", argv[1], argv[2]);
        return 1;
    }
    load.epoll = epoll_create1(0);
    load.clients = calloc(load.count, sizeof *load.clients);
    if (load.epoll < 0 || load.clients == NULL)
        give_up("start");
    double amount = strtod(argv[5], NULL);
    if (strcmp(argv[3], "trips") == 0)
        run_trips(&load, amount);
    else if (strcmp(argv[3], "connects") == 0)
        run_connects(&load, amount);
    else
        run_all(&load, (unsigned long)amount);
    freeaddrinfo(load.to);
    free(load.clients);
    return 0;
}
