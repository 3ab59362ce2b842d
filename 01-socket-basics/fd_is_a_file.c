/* fd_is_a_file.c - "a network connection is a file, and it has a descriptor": is it so?
 *
 * Usage:     fd_is_a_file
 * Compile:   cc -o fd_is_a_file fd_is_a_file.c   (Windows: gcc ... -lws2_32)
 * Try it:    ./fd_is_a_file                      (it is both ends of a connection itself)
 * Look for:  POSIX: the file and the sockets get neighbouring numbers from one table, and
 *            write() and read() move the bytes of both. What makes them different is in
 *            fstat(), and in lseek(): a stream has no position.
 *            Windows: a SOCKET is no descriptor of the C runtime, and _write() on it fails.
 * See also:  socket_types.c; ../02-tcp-echo/server.c for the calls used here.
 */
#include "../common/net.h"
#include <stdlib.h>
#include <sys/stat.h>

enum { WAIT_MS = 5000 }; /* on loopback the bytes are there at once; never wait for ever */

/* Both ends of one TCP connection, within this process. The kernel shakes hands on behalf
 * of a listening socket, so connect() returns although nobody has called accept() yet. */
static int connect_to_myself(socket_t *ours, socket_t *theirs) {
    struct sockaddr_in address = {.sin_family = AF_INET}; /* port 0: any free one */
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;

    *ours = socket(AF_INET, SOCK_STREAM, 0);
    socket_t listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener == NO_SOCKET || *ours == NO_SOCKET ||
        bind(listener, (struct sockaddr *)&address, length) < 0 ||
        listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0 ||
        connect(*ours, (struct sockaddr *)&address, length) < 0 ||
        (*theirs = accept(listener, NULL, NULL)) == NO_SOCKET ||
        net_timeout(*theirs, SO_RCVTIMEO, WAIT_MS) < 0) {
        net_perror(net_error(), "fd_is_a_file: connection to myself");
        return -1;
    }
    net_close(listener);
    return 0;
}

#ifdef _WIN32

/* By default the C runtime ends a program that gives it a bad descriptor. Not here: we want
 * to see the error. */
static void carry_on(const wchar_t *e, const wchar_t *f, const wchar_t *file, unsigned line,
                     uintptr_t reserved) {
    (void)e, (void)f, (void)file, (void)line, (void)reserved;
}

static int show(void) {
    socket_t ours, theirs;
    char path[MAX_PATH], text[6] = "";
    GetModuleFileNameA(NULL, path, sizeof path);
    FILE *file = fopen(path, "rb"); /* some file: this program itself */
    if (file == NULL) {
        perror("fd_is_a_file: open a file");
        return 1;
    }
    if (connect_to_myself(&ours, &theirs) < 0)
        return 1;
    printf("file    descriptor %d, a number of the C runtime\n", _fileno(file));
    printf("socket  SOCKET %llu, a handle of the kernel\n", (unsigned long long)ours);

    int count = _read(_fileno(file), text, 2); /* each program begins with MZ */
    printf("_read(file) = %d: \"%s\"\n", count, text);
    int failed = count != 2;

    /* The C runtime knows only the descriptors that it has given out itself. */
    _set_invalid_parameter_handler(carry_on);
    count = _write((int)ours, "hello", 5);
    printf("_write(SOCKET) = %d%s\n", count,
           count < 0 && errno == EBADF ? ": Bad file descriptor (EBADF)" : "");

    count = send(ours, "hello", 5, 0);
    printf("send(SOCKET) = %d\n", count);
    failed |= count != 5;
    count = recv(theirs, text, 5, 0);
    if (count < 0)
        net_perror(net_error(), "fd_is_a_file: recv");
    else
        printf("recv(SOCKET) = %d: \"%s\"\n", count, text);
    failed |= count != 5;
    net_close(ours);
    net_close(theirs);
    fclose(file);
    return failed;
}

#else

static void describe(const char *what, int fd) {
    struct stat about;
    if (fstat(fd, &about) < 0)
        net_perror(errno, "fd_is_a_file: fstat(%d)", fd);
    else
        printf("%-26s descriptor %d  fstat: %s\n", what, fd,
               S_ISREG(about.st_mode)    ? "a regular file (S_ISREG)"
               : S_ISSOCK(about.st_mode) ? "a socket (S_ISSOCK)"
                                         : "something else");
}

/* What a call has returned; for -1 also why. */
static void result(ssize_t value) {
    printf(" = %zd", value);
    if (value < 0)
        printf(": %s (%s)", strerror(errno),
               errno == ESPIPE ? "ESPIPE" : net_error_name(errno));
}

/* The same three calls on a file and on a connection, whose two ends have a descriptor
 * each. Returns how many bytes came back. */
static ssize_t use(const char *what, int out, int in) {
    char text[6] = "";
    printf("%-7s write(%d, \"hello\", 5)", what, out);
    result(write(out, "hello", 5));

    /* A file has a position to go back to. A stream does not: what was read is gone. */
    printf("\n        lseek(%d, 0)", in);
    result(lseek(in, 0, SEEK_SET));

    printf("\n        read(%d, ..., 5)", in);
    ssize_t count = read(in, text, 5);
    result(count);
    printf(count > 0 ? ": \"%s\"\n" : "\n", text);
    return count;
}

static int show(void) {
    socket_t ours, theirs;
    FILE *file = tmpfile(); /* on disk, and removed when we end */
    if (file == NULL) {
        perror("fd_is_a_file: a temporary file");
        return 1;
    }
    if (connect_to_myself(&ours, &theirs) < 0)
        return 1;
    describe("an open file", fileno(file));
    describe("a socket, connected", ours);
    describe("the other end, accepted", theirs);

    int failed = use("file", fileno(file), fileno(file)) != 5;
    failed |= use("socket", ours, theirs) != 5;
    net_close(ours);
    net_close(theirs);
    fclose(file);
    return failed;
}

#endif

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: fd_is_a_file\n"
               "Uses a file's calls on a socket, and shows which of them work.\n");
        return 0;
    }
    if (argc != 1) {
        fprintf(stderr, "fd_is_a_file: %s: no arguments are taken\n", argv[1]);
        return 2;
    }
    int err = net_start();
    if (err != 0) {
        net_perror(err, "fd_is_a_file: start");
        return 1;
    }
    int failed = show();
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk, say */
        fprintf(stderr, "fd_is_a_file: not all could be written to standard output\n");
        failed = 1;
    }
    net_stop();
    return failed;
}
