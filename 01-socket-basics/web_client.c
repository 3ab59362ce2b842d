/* web_client.c - what a browser does first: ask a web server for one page.
 *
 * Usage:     web_client URL [-o FILE]         (FILE gets the body; it is printed otherwise)
 * Compile:   cc -o web_client web_client.c    (Windows: gcc ... -lws2_32)
 * Try it:    ./web_server www                 in one terminal
 *            in another:  ./web_client http://127.0.0.1:8000/     status, headers, page
 *                         ./web_client http://127.0.0.1:8000/socket.svg -o socket.svg
 * Look for:  HTTP is text that travels over a TCP connection, and all of it is written here
 *            by hand: sockets end at the transport layer, what is sent through them is up
 *            to us.
 *            A stream has no messages, so there are three ways to say where the body ends.
 * See also:  web_server.c; ../02-tcp-echo/framed_client.c for framing by itself.
 */
#include "../common/net.h"
#include <errno.h>
#include <stdlib.h>

enum {
    WAIT_MS = 30 * 1000, /* a server silent for so long is given up */
    URL_MAX = 2000,
    HEADER_MAX = 8 * 1024, /* the longest header line that we take, and how many of them */
    HEADERS_MAX = 200,
    CHUNK = 16 * 1024
};

struct url {
    char authority[300]; /* HOST or HOST:PORT as it was written, for the Host header */
    char host[256];      /* without the brackets of [::1] */
    char port[6];
    char path[URL_MAX + 1];
};

/* http://HOST[:PORT][/PATH][?QUERY][#FRAGMENT]. Returns NULL, or what is wrong with the
 * text. */
static const char *parse_url(const char *text, struct url *url) {
    if (strncmp(text, "https://", 8) == 0)
        return "https needs encryption (TLS), which this lesson leaves out";
    if (strncmp(text, "http://", 7) != 0)
        return "a URL begins with http://";
    if (strlen(text) > URL_MAX)
        return "too long";
    for (const char *c = text; *c;
         c++) /* a line end here would become a header of its own */
        if (*c <= ' ' || *c >= 127)
            return "spaces, control characters and letters beyond ASCII are written as %XX";

    const char *authority = text + 7, *path = authority + strcspn(authority, "/?#");
    if ((size_t)(path - authority) >= sizeof url->authority)
        return "the host name is too long";
    snprintf(url->authority, sizeof url->authority, "%.*s", (int)(path - authority),
             authority);
    /* What stands after # is the browser's own business, and is never sent. */
    snprintf(url->path, sizeof url->path, "%s%.*s", *path == '/' ? "" : "/",
             (int)strcspn(path, "#"), path);

    const char *host = url->authority, *end = host + strcspn(host, ":");
    if (*host == '[') { /* an IPv6 address has colons of its own */
        host++;
        end = host + strcspn(host, "]");
        if (*end == '\0')
            return "an IPv6 address ends with ]";
    }
    if (strchr(url->authority, '@') != NULL)
        return "a user name before the host is not supported";
    if (end == host || (size_t)(end - host) >= sizeof url->host)
        return "the host name is missing or too long";
    snprintf(url->host, sizeof url->host, "%.*s", (int)(end - host), host);

    const char *port = *end == ']' ? end + 1 : end;
    if (*port != ':' && *port != '\0')
        return "after the host comes :PORT or /PATH";
    port += *port == ':';
    size_t digits = strspn(port, "0123456789");
    if (port[digits] != '\0' || digits > 5 ||
        (digits > 0 && (atol(port) < 1 || atol(port) > 65535)))
        return "the port is a number from 1 to 65535";
    snprintf(url->port, sizeof url->port, "%s", digits > 0 ? port : "80");
    return NULL;
}

/* What went wrong with a call. One that has waited for our limit in vain says "not now". */
static void complain(const char *call, const char *in_vain) {
    int err = net_error();
    if (net_would_block(err) || err == NET_E(TIMEDOUT)) /* POSIX; Windows */
        fprintf(stderr, "web_client: %s: %s for %d s (%s)\n", call, in_vain, WAIT_MS / 1000,
                net_error_name(err));
    else
        net_perror(err, "web_client: %s", call);
}

static int send_all(socket_t s, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(s, bytes, (io_len)count, 0);
        if (sent < 0 && net_error() == NET_E(INTR))
            continue;
        if (sent < 0) {
            complain("send", "nothing was taken");
            return -1;
        }
        bytes += sent;
        count -= (size_t)sent;
    }
    return 0;
}

/* A name may have several addresses, IPv6 and IPv4: each is tried until one answers. */
static socket_t connect_to(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int failed = getaddrinfo(host, port, &hints, &list);
    if (failed != 0) {
        fprintf(stderr, "web_client: %s port %s: %s\n", host, port, gai_strerror(failed));
        return NO_SOCKET;
    }
    socket_t s = NO_SOCKET;
    for (struct addrinfo *a = list; a != NULL && s == NO_SOCKET; a = a->ai_next) {
        char name[NET_ADDRESS_MAX];
        s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (s == NO_SOCKET) {
            net_perror(net_error(), "web_client: socket");
            continue;
        }
        net_timeout(s, SO_RCVTIMEO, WAIT_MS);
        net_timeout(s, SO_SNDTIMEO, WAIT_MS); /* on Linux this limits connect() too */
        if (connect(s, a->ai_addr, (socklen_t)a->ai_addrlen) < 0) {
            int err = net_error();
            net_address(a->ai_addr, (socklen_t)a->ai_addrlen, name);
            if (err == NET_E(INPROGRESS)) /* our limit has ended it, on Linux */
                fprintf(stderr, "web_client: connect %s: no answer within %d s (%s)\n",
                        name, WAIT_MS / 1000, net_error_name(err));
            else
                net_perror(err, "web_client: connect %s", name);
            net_close(s);
            s = NO_SOCKET;
        }
    }
    freeaddrinfo(list);
    return s;
}

/* One recv() may bring half a line, or the headers and half the body. What has come and is
 * not yet used waits here. */
struct reader {
    socket_t s;
    size_t next, end;
    char bytes[CHUNK];
};

/* Returns 1 when there are bytes, 0 after the server's FIN, -1 (and says why) on failure.
 * */
static int fill(struct reader *r) {
    if (r->next < r->end)
        return 1;
    ssize_t count;
    do
        count = recv(r->s, r->bytes, sizeof r->bytes, 0);
    while (count < 0 && net_error() == NET_E(INTR));
    if (count < 0)
        complain("recv", "nothing came");
    r->next = 0;
    r->end = count > 0 ? (size_t)count : 0;
    return count > 0 ? 1 : (int)count;
}

/* One line without its CR LF. Returns its length, or -1. */
static int read_line(struct reader *r, char *line, size_t size) {
    size_t length = 0;
    for (;;) {
        int more = fill(r);
        if (more == 0)
            fprintf(stderr, "web_client: the server closed in the middle of its headers\n");
        if (more <= 0)
            return -1;
        char c = r->bytes[r->next++];
        if (c == '\n')
            break;
        if (length + 1 == size) {
            fprintf(stderr, "web_client: a line of more than %zu bytes is no HTTP\n", size);
            return -1;
        }
        line[length++] = c;
    }
    if (length > 0 && line[length - 1] == '\r')
        length--;
    line[length] = '\0';
    /* A hostile server could send codes that command our terminal. */
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 127)
            line[i] = line[i] == '\t' ? ' ' : '?';
    return (int)length;
}

/* The value, if the line is the header of that name; names are the same in any case. */
static const char *header(const char *line, const char *name) {
    for (; *name; line++, name++)
        if ((*line >= 'A' && *line <= 'Z' ? *line + 'a' - 'A' : *line) != *name)
            return NULL;
    if (*line++ != ':')
        return NULL;
    return line + strspn(line, " ");
}

struct body {
    FILE *out;
    unsigned long long total;
    double shown; /* when progress was last printed, by net_seconds() */
    int progress;
};

/* Copies `wanted` bytes, or all up to the server's FIN if it is ~0. Returns 0, or -1. */
static int copy(struct reader *r, unsigned long long wanted, struct body *body) {
    int until_end = wanted == ~0ULL;
    while (wanted > 0) {
        int more = fill(r);
        if (more == 0 && until_end)
            return 0;
        if (more == 0)
            fprintf(stderr,
                    "web_client: the server closed after %llu bytes of the body; "
                    "%llu are missing\n",
                    body->total, wanted);
        if (more <= 0)
            return -1;
        size_t count = r->end - r->next;
        if (count > wanted)
            count = (size_t)wanted;
        if (fwrite(r->bytes + r->next, 1, count, body->out) != count) {
            perror("web_client: write");
            return -1;
        }
        r->next += count;
        body->total += count;
        if (!until_end)
            wanted -= count;
        if (body->progress && net_seconds() - body->shown >= 1) {
            fprintf(stderr, "\r%.1f MB", (double)body->total / 1e6);
            body->shown = net_seconds();
        }
    }
    return 0;
}

/* A server that does not know the length beforehand sends pieces: the size of each in
 * hexadecimal on a line, its bytes, an empty line; a piece of size 0 is the end. */
static int copy_chunked(struct reader *r, struct body *body) {
    char line[HEADER_MAX];
    for (;;) {
        if (read_line(r, line, sizeof line) < 0)
            return -1;
        size_t digits = strspn(line, "0123456789abcdefABCDEF");
        if (digits == 0 || digits > 15) {
            fprintf(stderr, "web_client: \"%.40s\" is not the size of a chunk\n", line);
            return -1;
        }
        unsigned long long size = strtoull(line, NULL, 16);
        if (size == 0)
            break;
        if (copy(r, size, body) < 0)
            return -1;
        int length = read_line(r, line, sizeof line);
        if (length != 0) {
            if (length > 0)
                fprintf(stderr, "web_client: a chunk is longer than it says\n");
            return -1;
        }
    }
    for (int i = 0; i < HEADERS_MAX; i++) { /* headers may follow the last piece */
        int length = read_line(r, line, sizeof line);
        if (length <= 0)
            return length;
    }
    fprintf(stderr, "web_client: more than %d header lines\n", HEADERS_MAX);
    return -1;
}

struct head {
    int code; /* 200, 404 */
    char status[64], location[256];
    unsigned long long length; /* of the body; ~0 where it ends with the server's FIN */
    int chunked;
};

/* What a header means for us; most mean nothing. Returns 0, or -1. */
static int read_header(const char *line, struct head *head) {
    const char *value;
    if ((value = header(line, "content-length")) != NULL) {
        size_t digits = strspn(value, "0123456789");
        if (digits == 0 || digits > 18 || value[digits + strspn(value + digits, " ")]) {
            fprintf(stderr, "web_client: \"%.60s\" is not a length\n", line);
            return -1;
        }
        head->length = strtoull(value, NULL, 10);
    } else if (header(line, "transfer-encoding") != NULL) {
        head->chunked = 1; /* without our asking for more a server may send no other kind */
    } else if ((value = header(line, "location")) != NULL) {
        snprintf(head->location, sizeof head->location, "%.250s", value);
    }
    return 0;
}

/* Prints and reads the status line and the headers, up to the empty line. Returns 0, or -1.
 * */
static int read_head(struct reader *r, struct head *head) {
    char line[HEADER_MAX];
    int minor, is_first = 1;
    for (int count = 0; count < HEADERS_MAX; count++) {
        int length = read_line(r, line, sizeof line);
        if (length < 0)
            return -1;
        printf("%s\n", line);
        if (is_first) {
            *head = (struct head){.length = ~0ULL};
            if (sscanf(line, "HTTP/1.%1d %3d", &minor, &head->code) != 2 ||
                head->code < 100) {
                fprintf(stderr, "web_client: \"%.60s\" is not HTTP\n", line);
                return -1;
            }
            snprintf(head->status, sizeof head->status, "%.60s", line + 9);
        } else if (length == 0 && head->code >= 200) {
            return 0;
        } else if (read_header(line, head) < 0) {
            return -1;
        }
        is_first = length == 0; /* 1xx was a word in between; the answer itself follows */
    }
    fprintf(stderr, "web_client: more than %d header lines\n", HEADERS_MAX);
    return -1;
}

/* Returns 0 only if the status is a success and the body came whole. */
static int read_response(struct reader *r, const char *url, const char *file) {
    struct head head;
    if (read_head(r, &head) < 0)
        return -1;
    int success = head.code < 300;
    struct body body = {.out = stdout, .shown = net_seconds() + 1};
    if (success && file != NULL) {
        body.out = fopen(file, "wb");
        if (body.out == NULL) {
            fprintf(stderr, "web_client: %s: %s\n", file, strerror(errno));
            return -1;
        }
        body.progress = isatty(2);
    }
    int failed = 0;
    if (head.code != 204 && head.code != 304) /* these two have no body at all */
        failed = head.chunked ? copy_chunked(r, &body) : copy(r, head.length, &body);
    if (body.progress)
        fprintf(stderr, "\r%.1f MB\n", (double)body.total / 1e6);
    if (body.out != stdout && fclose(body.out) != 0) {
        perror("web_client: write");
        failed = -1;
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "web_client: not all could be written to standard output\n");
        failed = -1;
    }
    if (success)
        return failed;
    fprintf(stderr, "web_client: %s: the server answers %s%s%s\n", url, head.status,
            *head.location ? ": look at " : "", head.location);
    return -1;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf(
            "usage: web_client URL [-o FILE]\n"
            "Prints the status, the headers and the body of a web server's answer; with\n"
            "-o, the body goes to FILE. Exits 0 only if the page was found and is "
            "whole.\n");
        return 0;
    }
    if (argc != 2 && !(argc == 4 && strcmp(argv[2], "-o") == 0)) {
        fprintf(stderr, "web_client: expected URL [-o FILE]; see web_client --help\n");
        return 2;
    }
    struct url url;
    const char *wrong = parse_url(argv[1], &url);
    if (wrong != NULL) {
        fprintf(stderr, "web_client: bad URL: %s\n", wrong);
        return 2;
    }
    int err = net_start();
    if (err != 0) {
        net_perror(err, "web_client: start");
        return 1;
    }
    static struct reader r; /* zero at first: nothing in it */
    r.s = connect_to(url.host, url.port);
    if (r.s == NO_SOCKET)
        return 1;

    /* The whole request. The empty line ends it; Host tells one site from another where
     * several share an IP address; close asks for the server's FIN after the answer. */
    char request[URL_MAX + 400];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                          url.path, url.authority);
    int failed = send_all(r.s, request, (size_t)length);
    if (!failed)
        failed = read_response(&r, argv[1], argc == 4 ? argv[3] : NULL);
    net_close(r.s);
    net_stop();
    return failed ? 1 : 0;
}
