/* boundaries.c - datagrams keep their boundaries: one receive for each send, of its size.
 *
 * Usage:     boundaries
 * Compile:   cc -o boundaries boundaries.c (Windows: add -lws2_32)
 * Try it:    ./boundaries                   both ends are in this one program
 * Look for:  five sends, then five receives with the same five sizes, the empty one among
 *            them; and what a receiver with too small a buffer is told: systems differ.
 * See also:  ../02-tcp-echo/no_boundaries.c, the same over TCP; too_big.c.
 */
#include "../common/net.h"

enum {
    ROOM = 64 * 1024, /* no datagram is larger: see too_big.c */
    SMALL_ROOM = 100, /* a buffer that is too small for the datagram below */
    LIMIT_MS =
        2000 /* on loopback nothing takes so long: what has not come by then is lost */
};

static char bytes[ROOM];

/* The sends are all over before the first receive, and the kernel has kept them apart. Over
 * TCP the same 1,506 bytes would be one stream, and one recv() might return all of them. */
static int equal_sizes(socket_t sender, socket_t receiver) {
    static const int sizes[] = {1, 100, 0, 5, 1400};
    enum { SENDS = sizeof sizes / sizeof sizes[0] };
    int equal = 0;
    for (int i = 0; i < SENDS; i++) {
        if (send(sender, bytes, (io_len)sizes[i], 0) != sizes[i]) {
            net_perror(net_error(), "boundaries: send %d bytes", sizes[i]);
            return -1;
        }
    }
    printf("send   bytes   recv   bytes\n");
    for (int i = 0; i < SENDS; i++) {
        ssize_t size = recv(receiver, bytes, sizeof bytes, 0);
        if (size < 0) {
            net_perror(net_error(), "boundaries: recv %d", i + 1);
            return -1;
        }
        printf("%4d %7d %6d %7lld\n", i + 1, sizes[i], i + 1, (long long)size);
        equal += size == sizes[i];
    }
    /* Is there anything left? A call that would have to wait says so instead. */
    net_nonblocking(receiver, 1);
    ssize_t size = recv(receiver, bytes, sizeof bytes, 0);
    int err = size < 0 ? net_error() : 0;
    net_nonblocking(receiver, 0);
    printf("%d of %d sizes are equal; one recv more: %s\n\n", equal, SENDS,
           size < 0 ? net_error_name(err) : "there is another datagram");
    return equal == SENDS && net_would_block(err) ? 0 : -1;
}

/* Receives into SMALL_ROOM bytes, and says how the system reports what did not fit. */
static ssize_t receive_short(socket_t receiver, char *into) {
#ifdef _WIN32
    /* Winsock fills the buffer and calls the rest an error. */
    memset(into, 0, SMALL_ROOM);
    ssize_t size = recv(receiver, into, SMALL_ROOM, 0);
    if (size < 0 && net_error() == NET_E(MSGSIZE)) {
        size = SMALL_ROOM;
        printf("recv    fails: %s (%s), and has filled the %d bytes\n",
               net_error_text(NET_E(MSGSIZE)), net_error_name(NET_E(MSGSIZE)), SMALL_ROOM);
    }
    return size;
#else
    /* recv() would return 100 here and say nothing of the rest. recvmsg() has a place to
     * say it: MSG_TRUNC in msg_flags. */
    struct iovec room = {.iov_base = into, .iov_len = SMALL_ROOM};
    struct msghdr message = {.msg_iov = &room, .msg_iovlen = 1};
    ssize_t size = recvmsg(receiver, &message, 0);
    if (size >= 0)
        printf("recvmsg returns %lld, MSG_TRUNC is %s\n", (long long)size,
               message.msg_flags & MSG_TRUNC ? "set" : "not set");
    return size;
#endif
}

/* A short buffer loses the rest of a datagram for good: next comes the next one. */
static int short_buffer(socket_t sender, socket_t receiver) {
    static const char next[] = "next";
    char room[SMALL_ROOM + 1] = "";
    if (send(sender, bytes, 1000, 0) != 1000 || send(sender, bytes, 1000, 0) != 1000 ||
        send(sender, next, 4, 0) != 4) {
        net_perror(net_error(), "boundaries: send");
        return -1;
    }
    printf("sent 1000 bytes, 1000 bytes and \"next\" to a receiver with room for %d\n",
           SMALL_ROOM);
    if (receive_short(receiver, room) < 0) {
        net_perror(net_error(), "boundaries: receive");
        return -1;
    }
    /* The plain call, as most programs have it. */
    ssize_t size = recv(receiver, room, SMALL_ROOM, 0);
    if (size < 0)
        printf("recv    fails: %s\n", net_error_name(net_error()));
    else
        printf("recv    returns %lld, and no word of the other %lld\n", (long long)size,
               1000 - (long long)size);
    memset(room, 0, sizeof room);
    size = recv(receiver, room, SMALL_ROOM, 0);
    printf("recv    returns %lld: \"%s\"\n", (long long)size, room);
    return size == 4 && strcmp(room, next) == 0 ? 0 : -1;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: boundaries\n"
               "Sends datagrams to itself on loopback and compares what is received.\n");
        return 0;
    }
    if (argc != 1) {
        fprintf(stderr, "boundaries: %s: no arguments expected\n", argv[1]);
        return 2;
    }
    int err = net_start();
    if (err != 0) {
        net_perror(err, "boundaries: start");
        return 1;
    }
    socket_t receiver = socket(AF_INET, SOCK_DGRAM, 0);
    socket_t sender = socket(AF_INET, SOCK_DGRAM, 0);
    if (receiver == NO_SOCKET || sender == NO_SOCKET) {
        net_perror(net_error(), "boundaries: socket");
        return 1;
    }
    /* Port 0: the kernel chooses a free one, and getsockname() tells which. */
    struct sockaddr_in own = {.sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof own;
    if (bind(receiver, (struct sockaddr *)&own, length) < 0 ||
        getsockname(receiver, (struct sockaddr *)&own, &length) < 0 ||
        connect(sender, (struct sockaddr *)&own, length) < 0 ||
        net_timeout(receiver, SO_RCVTIMEO, LIMIT_MS) < 0) {
        net_perror(net_error(), "boundaries: bind, connect");
        return 1;
    }

    int failed = equal_sizes(sender, receiver) < 0;
    if (!failed)
        failed = short_buffer(sender, receiver) < 0;
    net_close(sender);
    net_close(receiver);
    net_stop();
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "boundaries: not all could be written to standard output\n");
        return 1;
    }
    return failed;
}
