/* states.c - one connection is walked through its states, as the system's table tells them.
 *
 * Usage:     states
 * Compile:   cc -o states states.c    (Windows: gcc -o states states.c -lws2_32 -liphlpapi)
 * Try it:    ./states            what was done            client        server
 *                                server: listen()         -             LISTEN
 *                                client: connect()        ESTABLISHED   ESTABLISHED
 *                                ...
 * Look for:  a program cannot ask a connection that it has closed for its state; the table
 *            can be asked by everybody. Three states pass too quickly to be met here:
 *            SYN_SENT, SYN_RCVD and CLOSING. Those, and the segment that causes each step,
 *            are seen on the wire: 04-handshake-trace/three-way-handshake.scene,
 *            simultaneous-close.scene
 * See also:  figures/tcp-state-diagram.svg
 *
 * How it makes a state last: a FIN waits its turn behind all bytes that were sent before
 * it. Who has filled the peer's receive buffer and then closes stays in FIN_WAIT_1, or
 * LAST_ACK, until the peer reads.
 */
#include "../common/net.h"
#include <stdlib.h>
#ifdef _WIN32
#include <iphlpapi.h>
#endif

enum {
    SETTLE_MS = 2000, /* longest wait for a state: an ACK may be held back for a while */
    LOOK_MS = 5,
    FILL_MOST = 64 << 20 /* bytes; no system buffers so much for one connection by itself */
};

/* ---- the system's table: the state of the connection from one port to the other ------ */

#if defined(__linux__)
/* /proc/net/tcp: one line for each TCP socket, addresses and state in hexadecimal, see
 * proc(5). */
static const char *table_state(unsigned own_port, unsigned peer_port) {
    static const char *const names[] = {
        "?",         "ESTABLISHED", "SYN_SENT",   "SYN_RCVD", "FIN_WAIT_1", "FIN_WAIT_2",
        "TIME_WAIT", "CLOSED",      "CLOSE_WAIT", "LAST_ACK", "LISTEN",     "CLOSING"};
    const char *state = "CLOSED";
    char line[256];
    FILE *table = fopen("/proc/net/tcp", "r");
    if (table == NULL)
        return "?";
    while (fgets(line, sizeof line, table)) {
        unsigned own, peer, number;
        if (sscanf(line, "%*u: %*x:%x %*x:%x %x", &own, &peer, &number) == 3 &&
            own == own_port && peer == peer_port && number < sizeof names / sizeof names[0])
            state = names[number];
    }
    fclose(table);
    return state;
}
#elif defined(_WIN32)
static const char *table_state(unsigned own_port, unsigned peer_port) {
    static const char *const names[] = {
        "?",          "CLOSED",     "LISTEN",     "SYN_SENT", "SYN_RCVD", "ESTABLISHED",
        "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "CLOSING",  "LAST_ACK", "TIME_WAIT"};
    const char *state = "CLOSED";
    DWORD size = 0;
    MIB_TCPTABLE *table = NULL;
    /* The first answer is the size, but connections may be added before the second
     * question. */
    while (GetExtendedTcpTable(table, &size, FALSE, AF_INET, TCP_TABLE_BASIC_ALL, 0) ==
           ERROR_INSUFFICIENT_BUFFER) {
        free(table);
        table = malloc(size);
        if (table == NULL)
            return "?";
    }
    for (DWORD i = 0; table && i < table->dwNumEntries; i++) {
        const MIB_TCPROW *row = &table->table[i];
        unsigned peer =
            row->dwState == MIB_TCP_STATE_LISTEN ? 0 : ntohs((u_short)row->dwRemotePort);
        if (ntohs((u_short)row->dwLocalPort) == own_port && peer == peer_port &&
            row->dwState < sizeof names / sizeof names[0])
            state = names[row->dwState];
    }
    free(table);
    return state;
}
#else
/* macOS and the BSDs have a table too, but only netstat knows its form. */
static const char *table_state(unsigned own_port, unsigned peer_port) {
    (void)own_port;
    (void)peer_port;
    return "?";
}
#endif

/* ---- steps -------------------------------------------------------------------------- */

static unsigned client_port, server_port;

/* Prints what the table says; first gives the kernel a moment to come to what is expected,
 * for the last segment may still be on its way. What is printed is the table's word in any
 * case. */
static int show(const char *what, const char *client_expected,
                const char *server_expected) {
    const char *client = "-", *server = "-";
    double end = net_seconds() + SETTLE_MS / 1000.0;
    for (;;) {
        if (client_port != 0)
            client = table_state(client_port, server_port);
        server = table_state(server_port, client_port);
        if ((strcmp(client, client_expected) == 0 &&
             strcmp(server, server_expected) == 0) ||
            client[0] == '?' || server[0] == '?' || net_seconds() > end)
            break;
        net_sleep(LOOK_MS);
    }
    printf("%-44s%-14s%s\n", what, client, server);
    return strcmp(client, client_expected) == 0 && strcmp(server, server_expected) == 0;
}

/* Sends until nothing more fits: the peer's receive buffer and our send buffer are full. */
static void fill(socket_t s) {
    static char chunk[64 * 1024];
    long long total = 0;
    net_nonblocking(s, 1);
    while (total < FILL_MOST) {
        ssize_t sent = send(s, chunk, sizeof chunk, 0);
        if (sent < 0 && net_error() == NET_E(INTR))
            continue;
        if (sent < 0) {
            if (!net_would_block(net_error()))
                net_perror(net_error(), "states: send");
            break;
        }
        total += sent;
    }
    net_nonblocking(s, 0);
}

static void read_to_the_end(socket_t s) {
    static char chunk[64 * 1024];
    ssize_t count;
    do
        count = recv(s, chunk, sizeof chunk, 0);
    while (count > 0 || (count < 0 && net_error() == NET_E(INTR)));
    if (count < 0)
        net_perror(net_error(), "states: recv");
}

static unsigned own_port(socket_t s) {
    struct sockaddr_in own;
    socklen_t length = sizeof own;
    if (getsockname(s, (struct sockaddr *)&own, &length) < 0)
        return 0;
    return ntohs(own.sin_port);
}

static socket_t passive_open(void) {
    struct sockaddr_in address = {.sin_family = AF_INET}; /* port 0: any free one */
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socket_t s = socket(AF_INET, SOCK_STREAM, 0);
    if (s == NO_SOCKET || bind(s, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(s, 1) < 0) {
        net_perror(net_error(), "states: listen");
        return NO_SOCKET;
    }
    return s;
}

static socket_t active_open(unsigned port) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socket_t s = socket(AF_INET, SOCK_STREAM, 0);
    if (s == NO_SOCKET ||
        connect(s, (const struct sockaddr *)&address, sizeof address) < 0) {
        net_perror(net_error(), "states: connect");
        return NO_SOCKET;
    }
    return s;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf(
            "usage: states\n"
            "Walks one connection on 127.0.0.1 from LISTEN to CLOSED, and prints what the\n"
            "system's table of connections says of both ends.\n");
        return 0;
    }
    if (argc != 1) {
        fprintf(stderr, "states: takes no arguments; see states --help\n");
        return 2;
    }
    int err = net_start();
    if (err != 0) {
        net_perror(err, "states: start");
        return 1;
    }
    socket_t listener = passive_open();
    if (listener == NO_SOCKET)
        return 1;
    server_port = own_port(listener);
    printf("%-44s%-14s%s\n", "what was done", "client", "server");
    int as_expected = show("server: listen()", "-", "LISTEN");

    /* The kernel completes the handshake; accept() only fetches what is complete
     * already. */
    socket_t client = active_open(server_port);
    if (client == NO_SOCKET)
        return 1;
    client_port = own_port(client);
    as_expected &= show("client: connect()", "ESTABLISHED", "ESTABLISHED");
    socket_t server = accept(listener, NULL, NULL);
    if (server == NO_SOCKET) {
        net_perror(net_error(), "states: accept");
        return 1;
    }
    net_close(listener);

    fill(client);
    shutdown(client, SHUT_WR); /* FIN, behind bytes for which the server has no room */
    as_expected &=
        show("client: send() until full, shutdown()", "FIN_WAIT_1", "ESTABLISHED");
    read_to_the_end(server);
    as_expected &= show("server: recv() all, and the FIN", "FIN_WAIT_2", "CLOSE_WAIT");
    fill(server);              /* allowed: only the other direction is closed */
    shutdown(server, SHUT_WR); /* FIN, behind bytes again */
    as_expected &= show("server: send() until full, shutdown()", "FIN_WAIT_2", "LAST_ACK");
    read_to_the_end(client);
    as_expected &= show("client: recv() all, and the FIN", "TIME_WAIT", "CLOSED");
    net_close(client);
    net_close(server);
    as_expected &= show("both: close()", "TIME_WAIT", "CLOSED");

#if !defined(__linux__) && !defined(_WIN32)
    printf("The table here is shown by:  netstat -an -p tcp | grep %u\n", server_port);
#endif
    if (!as_expected)
        printf(
            "Not all is as RFC 9293 has it: what stands above is what this system says.\n");
    net_stop();
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "states: not all could be written to standard output\n");
        return 1;
    }
    return 0;
}
