/* web_server_small.c - a web server as short as can be: three files by name, one client at a time.
 *
 * Usage:     web_server_small FOLDER [PORT]     (8000; port 0 takes any free one)
 * Compile:   cc -o web_server_small web_server_small.c   (Windows: gcc ... -lws2_32)
 * Try it:    ./web_server_small www                listening on 127.0.0.1:8000
 *            then open http://127.0.0.1:8000/ in a browser
 * Look for:  one connection for each file: request, answer, our FIN. Then leave one open in
 *            another terminal without a word (../02-tcp-echo/client 127.0.0.1 8000), and see
 *            how long the browser waits.
 * DELIBERATE: one client at a time; web_server.c mends it.
 * See also:  web_client.c for the other side; ../02-tcp-echo/server.c for the calls in main.
 */
#include "../common/net.h"
#include <stdlib.h>

enum {
    BACKLOG = 16,
    REQUEST_MAX = 4 * 1024,
    FILE_MAX = 256 * 1024,
    WAIT_MS = 2000, /* one recv() or send() */
    PATIENCE = 5    /* seconds for one client in all, even if it sends byte by byte */
};

/* What a client may ask for, by name: from a path of its own it could ask for any file. */
static const struct {
    const char *path, *file, *type;
} files[] = {{"/", "index.html", "text/html; charset=utf-8"},
             {"/style.css", "style.css", "text/css; charset=utf-8"},
             {"/socket.svg", "socket.svg", "image/svg+xml"}};

static int send_all(socket_t s, const char *bytes, size_t count, double deadline) {
    while (count > 0) {
        ssize_t sent = send(s, bytes, (io_len)count, 0);
        if (sent < 0 || net_seconds() > deadline) /* its RST, or it does not read */
            return -1;
        bytes += sent;
        count -= (size_t)sent;
    }
    return 0;
}

/* A stream has no messages: recv() until the empty line, which ends the request. Returns 0,
 * or -1 when this client has ended, is silent, or sends too much. */
static int read_request(socket_t s, char *request, double deadline) {
    size_t length = 0;
    request[0] = '\0';
    while (strstr(request, "\n\r\n") == NULL && strstr(request, "\n\n") == NULL) {
        ssize_t count = recv(s, request + length, (io_len)(REQUEST_MAX - length), 0);
        /* 0 is its FIN, or we had no room left to ask for. */
        if (count <= 0 || net_seconds() > deadline)
            return -1;
        length += (size_t)count;
        request[length] = '\0';
    }
    return 0;
}

/* "GET /path HTTP/1.1": reads the file that is meant. Returns the status of the answer; for
 * all but 200 the body is a page that says what is wrong. */
static const char *find(const char *folder, const char *request, char *body, size_t *length,
                        const char **type) {
    char method[16], path[256], name[4096];
    const char *status = "404 Not Found";
    int minor;
    if (sscanf(request, "%15s %255s HTTP/1.%1d", method, path, &minor) != 3)
        status = "400 Bad Request";
    else if (strcmp(method, "GET") != 0)
        status = "405 Method Not Allowed";
    else
        for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
            snprintf(name, sizeof name, "%s/%s", folder, files[i].file);
            FILE *file = strcmp(path, files[i].path) == 0 ? fopen(name, "rb") : NULL;
            if (file == NULL)
                continue;
            *length = fread(body, 1, FILE_MAX, file);
            *type = files[i].type;
            status = feof(file) ? "200 OK" : "500 Internal Server Error"; /* too large */
            fclose(file);
        }
    if (strcmp(status, "200 OK") != 0) {
        *length = (size_t)snprintf(body, FILE_MAX, "<h1>%s</h1>\n", status);
        *type = "text/html";
    }
    return status;
}

static void serve(socket_t s, const char *peer, const char *folder) {
    static char request[REQUEST_MAX + 1], body[FILE_MAX];
    double deadline = net_seconds() + PATIENCE;
    if (read_request(s, request, deadline) < 0) {
        printf("%s: no request\n", peer);
        return;
    }
    const char *type;
    size_t length;
    const char *status = find(folder, request, body, &length, &type);
    /* What was asked for is not printed: it may hold codes that command the terminal. */
    printf("%s: %s\n", peer, status);
    char head[300];
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                        "%sConnection: close\r\n\r\n",
                        status, type, length,
                        strncmp(status, "405", 3) == 0 ? "Allow: GET\r\n" : "");
    if (send_all(s, head, (size_t)size, deadline) < 0 ||
        send_all(s, body, length, deadline) < 0)
        return;
    /* Our FIN, then we read to the client's: with its bytes unread, close() would send RST,
     * and the client might lose the end of our answer. */
    shutdown(s, SHUT_WR);
    while (net_seconds() < deadline && recv(s, request, REQUEST_MAX, 0) > 0)
        ;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: web_server_small FOLDER [PORT]\n"
               "Serves index.html, style.css and socket.svg of FOLDER to this computer's "
               "browser.\n");
        return 0;
    }
    char *end = "";
    long port = argc == 3 ? strtol(argv[2], &end, 10) : 8000;
    if (argc < 2 || argc > 3 || *end != '\0' || end == argv[argc - 1] || port < 0 ||
        port > 65535) {
        fprintf(stderr, "web_server_small: expected FOLDER [PORT]; see --help\n");
        return 2;
    }
    int err = net_start();
    if (err != 0) {
        net_perror(err, "web_server_small: start");
        return 1;
    }
    struct sockaddr_in own = {.sin_family = AF_INET,
                              .sin_port = htons((unsigned short)port)};
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK); /* nobody else's SYN gets here */
    socklen_t length = sizeof own;
    socket_t listener = socket(AF_INET, SOCK_STREAM, 0);
#ifndef _WIN32
    int on =
        1; /* bind() although old connections are in TIME_WAIT: ../02-tcp-echo/server.c */
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
#endif
    if (listener == NO_SOCKET || bind(listener, (struct sockaddr *)&own, length) < 0 ||
        listen(listener, BACKLOG) < 0 ||
        getsockname(listener, (struct sockaddr *)&own, &length) < 0) {
        net_perror(net_error(), "web_server_small: listen on port %ld", port);
        return 1;
    }
    char name[NET_ADDRESS_MAX];
    printf("listening on %s\n", net_address(&own, length, name));
    for (;;) { /* until Ctrl-C */
        struct sockaddr_in from;
        length = sizeof from;
        socket_t client = accept(listener, (struct sockaddr *)&from, &length);
        if (client == NO_SOCKET) { /* out of descriptors, say: do not spin */
            net_perror(net_error(), "web_server_small: accept");
            net_sleep(100);
            continue;
        }
        net_timeout(client, SO_RCVTIMEO, WAIT_MS);
        net_timeout(client, SO_SNDTIMEO, WAIT_MS);
        serve(client, net_address(&from, length, name), argv[1]);
        net_close(client);
    }
}
