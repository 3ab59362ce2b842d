/* web_server.c - the files of one folder, for any browser.
 *
 * Usage:     web_server FOLDER [HOST PORT [SECONDS]]
 *            HOST PORT are 127.0.0.1 8000 unless given; port 0 takes any free one. A client
 *            that does nothing for SECONDS (30) is given up.
 * Compile:   cc -o web_server web_server.c             (Windows: gcc ... -lws2_32)
 * Try it:    ./web_server www                          listening on 127.0.0.1:8000
 *            then open http://127.0.0.1:8000/ in a browser
 * Look for:  the browser opens several connections at once, and leaves some without a word:
 *            a server that waited for one client in recv() would let all others wait as
 *            well. Here poll() names the sockets on which something can be done now.
 *            Whatever a client sends, it gets no file from outside the folder, no more than
 *            its one place in the server, and never the server's end.
 *            One request for each connection, then our FIN: in `ss -tan`, TIME_WAIT is on
 *            our side.
 * See also:  web_client.c; ../02-tcp-echo/server_poll.c, the same loop by itself.
 */
#define _XOPEN_SOURCE 700 /* realpath() is in this part of POSIX */
#include "../common/net.h"
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum {
    CLIENTS =
        100, /* places; each may need two descriptors, and macOS allows 256 at first */
    REQUEST_MAX = 8 * 1024, /* the request line and the headers together */
    CHUNK = 16 * 1024,      /* of a file, read and sent at a time */
    BACKLOG = 128,
    PATIENCE = 30, /* seconds */
    FAREWELL = 2   /* seconds for the client to read the end of our answer */
};

/* A client goes from one to the next; what it is at decides what poll() watches for. */
enum state {
    FREE,    /* a place without a client */
    READING, /* its request comes in */
    SENDING, /* our answer goes out */
    CLOSING /* our FIN has gone; what the client still sends is thrown away until its FIN */
};

struct client {
    enum state state;
    socket_t socket;
    double deadline;  /* by net_seconds(): when it is given up */
    int file;         /* a descriptor, or -1 */
    long long left;   /* bytes of the file not yet read */
    size_t in_count;  /* bytes in in[] */
    size_t out_count; /* bytes in out[], and how many of them have been sent */
    size_t out_sent;
    char name[NET_ADDRESS_MAX];
    char in[REQUEST_MAX + 1];
    char out[CHUNK];
};

static volatile sig_atomic_t stop;
static void on_interrupt(int signal_number) {
    (void)signal_number;
    stop = 1;
}

/* ---- Files ----
 *
 * find() opens the file at `path` below the folder and returns the HTTP status that fits:
 * 200 (with *file and *size), 301 for a folder, 403, 404, 500. The path holds no "..", but
 * a link in the folder may still lead out of it. To look first and to open afterwards would
 * leave a moment to exchange the file for a link; so on each system what is opened is what
 * was checked. */

#ifdef _WIN32

struct folder {
    wchar_t path[4096]; /* in full, with all links followed: \\?\C:\... */
};

static HANDLE open_handle(const wchar_t *path) {
    return CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                       OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
}

static int open_folder(const char *name, struct folder *folder) {
    HANDLE handle = CreateFileA(name, 0, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                                OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    BY_HANDLE_FILE_INFORMATION about;
    DWORD length = 0;
    if (handle != INVALID_HANDLE_VALUE && GetFileInformationByHandle(handle, &about) &&
        (about.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
        length = GetFinalPathNameByHandleW(handle, folder->path, 2048, 0);
    if (handle != INVALID_HANDLE_VALUE)
        CloseHandle(handle);
    if (length > 0 && length < 2048) {
        if (folder->path[length - 1] == L'\\') /* a whole drive: C:\ */
            folder->path[length - 1] = L'\0';
        return 0;
    }
    fprintf(stderr, "web_server: %s: there is no such folder\n", name);
    return -1;
}

static int find(const struct folder *folder, const char *path, int *file, long long *size) {
    /* A path that begins with \\?\ is taken as it stands: no "..", no CON or COM1, no end
     * of dots. But a backslash would divide it, and a colon would name a stream within a
     * file. */
    wchar_t whole[4096], real[4096];
    size_t base = wcslen(folder->path);
    wcscpy(whole, folder->path);
    whole[base] = L'\\';
    if (strpbrk(path, "\\:") != NULL ||
        MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, whole + base + 1,
                            (int)(4096 - base - 1)) == 0)
        return 404;
    for (wchar_t *c = whole + base; *c; c++)
        if (*c == L'/')
            *c = L'\\';
    HANDLE handle = open_handle(whole);
    if (handle == INVALID_HANDLE_VALUE)
        return GetLastError() == ERROR_ACCESS_DENIED ? 403 : 404;

    /* Where is it that we have come to, once all links have been followed? */
    BY_HANDLE_FILE_INFORMATION about;
    DWORD length = GetFinalPathNameByHandleW(handle, real, 4096, 0);
    int status = 200;
    if (length == 0 || length >= 4096 || wcsncmp(real, folder->path, base) != 0 ||
        (real[base] != L'\\' && real[base] != L'\0') ||
        !GetFileInformationByHandle(handle, &about))
        status = 403;
    else if (about.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
        status = 301;
    if (status == 200) {
        *size = (long long)about.nFileSizeHigh << 32 | about.nFileSizeLow;
        *file = _open_osfhandle((intptr_t)handle, _O_RDONLY | _O_BINARY);
        if (*file >= 0)
            return 200; /* the descriptor owns the handle now */
        status = 500;
    }
    CloseHandle(handle);
    return status;
}

#else

struct folder {
    char path[PATH_MAX]; /* in full, with all links followed */
};

static int open_folder(const char *name, struct folder *folder) {
    struct stat about;
    if (realpath(name, folder->path) != NULL && stat(folder->path, &about) == 0) {
        if (S_ISDIR(about.st_mode))
            return 0;
        errno = ENOTDIR;
    }
    fprintf(stderr, "web_server: %s: %s\n", name, strerror(errno));
    return -1;
}

static int find(const struct folder *folder, const char *path, int *file, long long *size) {
    char whole[PATH_MAX + REQUEST_MAX + 32], real[PATH_MAX];
    size_t base = strlen(folder->path);
    if (base == 1) /* the folder is "/" itself */
        base = 0;
    snprintf(whole, sizeof whole, "%s/%s", folder->path, path);
    if (realpath(whole, real) == NULL)
        return errno == EACCES ? 403 : 404;
    if (strncmp(real, folder->path, base) != 0 || (real[base] != '/' && real[base] != '\0'))
        return 403;

    /* Down from the folder, name by name. No link is left in this path; if somebody has put
     * one there since, O_NOFOLLOW refuses it. O_NONBLOCK: or else a pipe would stop us. */
    int failed = 500, at = open(folder->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    char *name = strtok(real + base, "/");
    for (; name != NULL && at >= 0; name = strtok(NULL, "/")) {
        int next = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (next < 0)
            failed = errno == ENOENT ? 404 : errno == EMFILE || errno == ENFILE ? 500 : 403;
        close(at);
        at = next;
    }
    if (at < 0)
        return failed;
    struct stat about;
    int status = fstat(at, &about) < 0     ? 500
                 : S_ISDIR(about.st_mode)  ? 301
                 : !S_ISREG(about.st_mode) ? 403
                                           : 200;
    if (status != 200) {
        close(at);
        return status;
    }
    *file = at;
    *size = about.st_size;
    return 200;
}

#endif

/* ---- HTTP ---- */

static const char *reason(int status) {
    switch (status) {
    case 200: return "OK";
    case 301: return "Moved Permanently";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 414: return "URI Too Long";
    case 431: return "Request Header Fields Too Large";
    case 505: return "HTTP Version Not Supported";
    default: return "Internal Server Error";
    }
}

/* Do two texts agree, in capitals or not, up to the end of the second? */
static int begins_with(const char *text, const char *word) {
    for (; *word; text++, word++)
        if ((*text >= 'A' && *text <= 'Z' ? *text + 'a' - 'A' : *text) != *word)
            return 0;
    return 1;
}

/* The browser goes by this, and not by the ending of the name. */
static const char *content_type(const char *path) {
    // clang-format off
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"}, {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"}, {".json", "application/json"},
        {".txt", "text/plain; charset=utf-8"}, {".md", "text/plain; charset=utf-8"},
        {".c", "text/plain; charset=utf-8"}, {".h", "text/plain; charset=utf-8"},
        {".svg", "image/svg+xml"}, {".png", "image/png"}, {".gif", "image/gif"},
        {".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"}, {".webp", "image/webp"},
        {".ico", "image/x-icon"}, {".mp3", "audio/mpeg"}, {".mp4", "video/mp4"},
        {".webm", "video/webm"}, {".pdf", "application/pdf"}, {".wasm", "application/wasm"},
    };
    // clang-format on
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof *types; i++)
        if (begins_with(dot, types[i][0]) && strlen(dot) == strlen(types[i][0]))
            return types[i][1];
    return "application/octet-stream";
}

/* Puts the headers of the answer into out[], and for all but 200 a page that says what is
 * wrong. path and size are those of the file of a 200, location is where a 301 leads to.
 * HEAD asks for everything but the body. */
static void answer(struct client *c, int status, const char *path, long long size,
                   const char *location, int is_head) {
    char page[256] = "", date[40];
    const char *type = status == 200 ? content_type(path) : "text/html; charset=utf-8";
    time_t now = time(NULL);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
    if (status != 200)
        size =
            snprintf(page, sizeof page, "<!doctype html><title>%d</title><h1>%d %s</h1>\n",
                     status, status, reason(status));
    c->out_count = (size_t)snprintf(
        c->out, sizeof c->out,
        "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %lld\r\n"
        "%s%s%s%sConnection: close\r\n\r\n%s",
        status, reason(status), date, type, size, *location ? "Location: " : "", location,
        *location ? "\r\n" : "", status == 405 ? "Allow: GET, HEAD\r\n" : "",
        is_head ? "" : page);
    c->state = SENDING;
}

/* What was asked for is not printed: it may hold codes that command the terminal. */
static void refuse(struct client *c, int status) {
    printf("%s: %d %s\n", c->name, status, reason(status));
    answer(c, status, "", 0, "", 0);
}

static int hex(char c) {
    const char *digits = "0123456789abcdef0123456789ABCDEF", *at = strchr(digits, c);
    return c == '\0' || at == NULL ? -1 : (int)(at - digits) % 16;
}

/* From "/a%20b/?x=1" to "/a b/index.html". Only after decoding is it known what the path
 * means: %2e%2e is ".." as well. The path is never longer than the target, but for its
 * "index.html". Returns 200, or the status of the error. */
static int decode_path(const char *target, char *path) {
    size_t count = 0;
    while (*target != '\0' && *target != '?' && *target != '#') {
        int c = (unsigned char)*target++;
        if (c == '%') {
            int high = hex(target[0]), low = high < 0 ? -1 : hex(target[1]);
            if (low < 0 || (c = high * 16 + low) == 0) /* %00 would end the name early */
                return 400;
            target += 2;
        }
        path[count++] = (char)c;
    }
    path[count] = '\0';
    for (const char *part = path; *part != '\0';) {
        size_t length = strcspn(part, "/");
        if (length == 2 && part[0] == '.' && part[1] == '.')
            return 403;
        part += length;
        part += *part == '/';
    }
    if (path[count - 1] == '/')
        strcpy(path + count, "index.html");
    return 200;
}

/* Cuts the next line off: ends it at its LF or CR LF. */
static char *take_line(char **rest) {
    char *line = *rest, *end = strchr(line, '\n');
    *rest = end + 1;
    *end = '\0';
    if (end > line && end[-1] == '\r')
        end[-1] = '\0';
    return line;
}

/* in[] holds a whole request: "GET /path HTTP/1.1", headers, an empty line. */
static void answer_request(struct client *c, const struct folder *folder) {
    char *rest = c->in, *method = take_line(&rest);
    for (const char *i = method; *i; i++)
        if (*i < ' ' || *i >= 127) { /* browsers write such letters as %XX */
            refuse(c, 400);
            return;
        }
    char *target = strchr(method, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;
    if (version == NULL || strncmp(version, " HTTP/", 6) != 0) {
        refuse(c, 400);
        return;
    }
    *target++ = '\0';
    *version = '\0';
    version += 6;
    if (strcmp(version, "1.1") != 0 && strcmp(version, "1.0") != 0) {
        refuse(c, strspn(version, "0123456789.") == strlen(version) ? 505 : 400);
        return;
    }
    /* Host is the one header that HTTP/1.1 demands. Of the others only the form is read. */
    int hosts = 0;
    for (char *line = take_line(&rest); *line != '\0'; line = take_line(&rest)) {
        size_t name = strcspn(line, ": \t");
        if (name == 0 || line[name] != ':')
            hosts = 2;
        hosts += begins_with(line, "host:");
    }
    if (begins_with(target, "http://")) /* as it is written to a proxy */
        target += 7 + strcspn(target + 7, "/");
    if (hosts > 1 || (hosts == 0 && version[2] == '1') || *target != '/') {
        refuse(c, 400);
        return;
    }
    int is_head = strcmp(method, "HEAD") == 0;
    if (!is_head && strcmp(method, "GET") != 0) {
        refuse(c, 405);
        return;
    }
    while (target[1] == '/') /* or a 301 to //x/ would lead to a host named x */
        target++;

    char path[REQUEST_MAX + 16], location[REQUEST_MAX] = "";
    long long size = 0;
    int status = decode_path(target, path);
    if (status == 200)
        status = find(folder, path + 1, &c->file, &size);
    if (status == 301) /* the / at a folder's end: links in its page start from there */
        snprintf(location, sizeof location, "%.*s/", (int)strcspn(target, "?#"), target);
    printf("%s: %s %s %d\n", c->name, method, target, status);
    answer(c, status, path, size, location, is_head);
    c->left = status == 200 && !is_head ? size : 0;
}

/* ---- Clients ---- */

static void drop(struct client *c) {
    if (c->file >= 0)
        close(c->file);
    net_close(c->socket);
    c->state = FREE;
}

static void read_some(struct client *c, const struct folder *folder) {
    ssize_t count =
        recv(c->socket, c->in + c->in_count, (io_len)(REQUEST_MAX - c->in_count), 0);
    if (count < 0 && (net_would_block(net_error()) || net_error() == NET_E(INTR)))
        return;
    if (count <= 0) { /* its FIN or its RST, in the middle of a request */
        drop(c);
        return;
    }
    c->in_count += (size_t)count;
    c->in[c->in_count] = '\0';
    if (strstr(c->in, "\n\r\n") != NULL || strstr(c->in, "\n\n") != NULL)
        answer_request(c, folder);
    else if (strlen(c->in) < c->in_count) /* a NUL byte, which would hide what follows */
        refuse(c, 400);
    else if (c->in_count == REQUEST_MAX)
        refuse(c, strchr(c->in, '\n') == NULL ? 414 : 431);
}

static void send_some(struct client *c, int patience) {
    if (c->out_sent == c->out_count)
        c->out_sent = c->out_count = 0;
    /* The file fills what room there is, at first behind the headers. */
    size_t room = sizeof c->out - c->out_count;
    if (c->left > 0 && room > 0) {
        if ((long long)room > c->left)
            room = (size_t)c->left;
        ssize_t got = read(c->file, c->out + c->out_count, (unsigned)room);
        if (got <= 0) { /* shorter than it was: only an early end can tell the client so */
            printf("%s: the file has ended early\n", c->name);
            drop(c);
            return;
        }
        c->left -= got;
        c->out_count += (size_t)got;
    }
    ssize_t sent =
        send(c->socket, c->out + c->out_sent, (io_len)(c->out_count - c->out_sent), 0);
    if (sent < 0 && (net_would_block(net_error()) || net_error() == NET_E(INTR)))
        return;
    if (sent < 0) {
        drop(c);
        return;
    }
    c->out_sent += (size_t)sent;
    c->deadline = net_seconds() + patience;
    if (c->out_sent < c->out_count || c->left > 0)
        return;

    /* Our FIN, but no close() yet: with bytes of the client still unread it would send RST,
     * and that makes the client throw away what it has not yet read of our answer. */
    shutdown(c->socket, SHUT_WR);
    c->state = CLOSING;
    c->deadline = net_seconds() + FAREWELL;
}

static void discard_some(struct client *c) {
    ssize_t count = recv(c->socket, c->in, REQUEST_MAX, 0);
    if (count == 0 ||
        (count < 0 && !net_would_block(net_error()) && net_error() != NET_E(INTR)))
        drop(c);
}

static void give_up(struct client *c) {
    if (c->state == READING && c->in_count > 0) {
        refuse(c, 408); /* it has begun a request; tell it, if it still listens */
    } else {
        if (c->state == SENDING)
            printf("%s: does not read the answer, given up\n", c->name);
        drop(c);
    }
    c->deadline = net_seconds() + FAREWELL;
}

/* A free place; or, when all are taken, that of the client which has been silent for
 * longest. So those who only hold connections open cannot shut the others out. */
static struct client *make_room(struct client *clients) {
    struct client *silent = NULL;
    for (struct client *c = clients; c < clients + CLIENTS; c++) {
        if (c->state == FREE)
            return c;
        if (silent == NULL || c->deadline < silent->deadline)
            silent = c;
    }
    drop(silent);
    return silent;
}

/* Takes one waiting client. Returns 0, or the error of accept(). */
static int take_client(socket_t listener, struct client *clients, int patience) {
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    int on = 1;
    socket_t s = accept(listener, (struct sockaddr *)&from, &length);
    if (s == NO_SOCKET)
        return net_error();
    if (net_nonblocking(s, 1) < 0) {
        net_close(s);
        return 0;
    }
    struct client *c = make_room(clients);
    /* The end of an answer shall not wait until the client has acknowledged what went
     * before. */
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const void *)&on, sizeof on);
    c->state = READING;
    c->socket = s;
    c->deadline = net_seconds() + patience;
    c->file = -1;
    c->left = 0;
    c->in_count = c->out_count = c->out_sent = 0;
    net_address(&from, length, c->name);
    return 0;
}

static void serve(socket_t listener, const struct folder *folder, int patience) {
    static struct client clients[CLIENTS]; /* all FREE */
    double accept_after = 0;
    while (!stop) {
        struct pollfd set[CLIENTS + 1];
        struct client *whose[CLIENTS + 1];
        unsigned count = 0;
        double now = net_seconds(), wake = now + 1; /* at least once a second, for Ctrl-C */
        for (struct client *c = clients; c < clients + CLIENTS; c++) {
            if (c->state != FREE && c->deadline <= now)
                give_up(c);
            if (c->state == FREE)
                continue;
            if (c->deadline < wake)
                wake = c->deadline;
            whose[count] = c;
            set[count].fd = c->socket;
            set[count].events = c->state == SENDING ? POLLOUT : POLLIN;
            set[count++].revents = 0;
        }
        unsigned others = count;
        if (now >= accept_after) {
            set[count].fd = listener;
            set[count].events = POLLIN;
            set[count++].revents = 0;
        } else if (accept_after < wake) {
            wake = accept_after;
        }
        int timeout_ms = (int)((wake - now) * 1000) + 1;
        if (count == 0) { /* Winsock refuses an empty set */
            net_sleep(timeout_ms);
            continue;
        }
        if (poll(set, count, timeout_ms) < 0 && net_error() != NET_E(INTR)) {
            net_perror(net_error(), "web_server: poll");
            net_sleep(100);
            continue;
        }
        /* Any event will do, a hang-up too: the call that follows says what it was. */
        for (unsigned i = 0; i < others; i++) {
            struct client *c = whose[i];
            if (set[i].revents == 0)
                continue;
            if (c->state == READING)
                read_some(c, folder);
            else if (c->state == SENDING)
                send_some(c, patience);
            else if (c->state == CLOSING)
                discard_some(c);
        }
        if (count > others && set[others].revents != 0) {
            int err = take_client(listener, clients, patience);
            /* Out of descriptors, say. The next try is in 100 ms; the others go on
             * meanwhile. */
            if (err != 0 && !net_would_block(err) && err != NET_E(INTR)) {
                net_perror(err, "web_server: accept");
                accept_after = net_seconds() + 0.1;
            }
        }
    }
    for (struct client *c = clients; c < clients + CLIENTS; c++)
        if (c->state != FREE)
            drop(c);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: web_server FOLDER [HOST PORT [SECONDS]]\n"
               "Serves the files of FOLDER to web browsers, and nothing outside of it.\n"
               "HOST and PORT are 127.0.0.1 and 8000 unless given; port 0 takes any free "
               "one.\n"
               "A client that does nothing for SECONDS (30) is given up.\n");
        return 0;
    }
    if (argc != 2 && argc != 4 && argc != 5) {
        fprintf(
            stderr,
            "web_server: expected FOLDER [HOST PORT [SECONDS]]; see web_server --help\n");
        return 2;
    }
    const char *host = argc >= 4 ? argv[2] : "127.0.0.1";
    const char *port = argc >= 4 ? argv[3] : "8000";
    if (!net_is_port("web_server", port))
        return 2;
    char *end = "";
    long patience = argc == 5 ? strtol(argv[4], &end, 10) : PATIENCE;
    if (*end != '\0' || patience < 1 || patience > 3600) {
        fprintf(stderr, "web_server: %s: SECONDS is a number from 1 to 3600\n", argv[4]);
        return 2;
    }
    int err = net_start();
    if (err != 0) {
        net_perror(err, "web_server: start");
        return 1;
    }
    static struct folder folder;
    if (open_folder(argv[1], &folder) < 0)
        return 1;

    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *address;
    int failed = getaddrinfo(host, port, &hints, &address);
    if (failed != 0) {
        fprintf(stderr, "web_server: %s port %s: %s\n", host, port, gai_strerror(failed));
        return 1;
    }
    socket_t listener =
        socket(address->ai_family, address->ai_socktype, address->ai_protocol);
    if (listener == NO_SOCKET) {
        net_perror(net_error(), "web_server: socket");
        return 1;
    }
    int on =
        1; /* the port stays ours although old connections are in TIME_WAIT: 02-tcp-echo */
#ifdef _WIN32
    setsockopt(listener, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const void *)&on, sizeof on);
#else
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, (const void *)&on, sizeof on);
#endif
    if (bind(listener, address->ai_addr, (socklen_t)address->ai_addrlen) < 0) {
        net_perror(net_error(), "web_server: bind %s:%s", host, port);
        return 1;
    }
    freeaddrinfo(address);
    /* poll() may name a client that has gone again before accept(): then it must not wait.
     * */
    if (listen(listener, BACKLOG) < 0 || net_nonblocking(listener, 1) < 0) {
        net_perror(net_error(), "web_server: listen");
        return 1;
    }
    struct sockaddr_storage own;
    socklen_t own_length = sizeof own;
    char name[NET_ADDRESS_MAX];
    if (getsockname(listener, (struct sockaddr *)&own, &own_length) < 0) {
        net_perror(net_error(), "web_server: getsockname");
        return 1;
    }
    printf("listening on %s\n", net_address(&own, own_length, name));
#ifndef _WIN32
    struct sigaction interrupt = {.sa_handler =
                                      on_interrupt}; /* poll() returns with EINTR */
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &interrupt, NULL);
#else
    (void)on_interrupt;
#endif
    serve(listener, &folder, (int)patience);
    net_close(listener);
    net_stop();
    printf("stopped\n");
    if (fflush(stdout) != 0 || ferror(stdout)) { /* the clients were served all the same */
        fprintf(stderr, "web_server: not all of the log could be written\n");
        return 1;
    }
    return 0;
}
