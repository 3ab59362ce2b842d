/* screen.c - see screen.h. First what both systems share, then POSIX, then Windows. */
#ifndef _WIN32
#define _DEFAULT_SOURCE /* SIGWINCH, TIOCGWINSZ */
#define _DARWIN_C_SOURCE
#endif
#include "screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The other screen, no cursor; and back: colours off, cursor on, the first screen. */
#define TAKE "\033[?1049h\033[?25l\033[2J"
#define GIVE "\033[0m\033[?25h\033[?1049l"

static char
    *picture; /* what is to be shown: it goes out at once, so that nothing flickers */
static size_t used, room;

void screen_line(int row, const char *text) {
    size_t wanted = used + strlen(text) + 40; /* and the codes around it */
    if (wanted > room) {
        char *more = realloc(picture, wanted * 2);
        if (more == NULL)
            return;
        picture = more;
        room = wanted * 2;
    }
    /* cleared first: after a line as wide as the terminal, its last column would be cleared too */
    used += (size_t)snprintf(picture + used, room - used,
                             "\033[%d;1H\033[0m\033[2K%s\033[0m", row + 1, text);
}

static void close_at_exit(void) {
    static int registered;
    if (!registered && atexit(screen_close) == 0)
        registered = 1;
}

#ifndef _WIN32

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <termios.h>
#include <unistd.h>

enum { REST_OF_KEY_MS = 50 }; /* the bytes of one key come together */

static struct termios before; /* how the terminal was */
static int whole;             /* the screen is taken too, and not only the keys */
static volatile sig_atomic_t taken, redraw;
static sigset_t waiting_mask; /* the signals that are let in while a key is waited for */

/* Only what is safe in a signal handler (signal-safety(7)) is called in these two. */
static void give(void) {
    if (!taken)
        return;
    taken = 0;
    ssize_t written = whole ? write(1, GIVE, sizeof GIVE - 1) : 0;
    (void)written; /* the terminal may be gone: SIGHUP */
    tcsetattr(0, TCSANOW, &before);
}

static void take(void) {
    struct termios raw = before;
    /* each key at once and unseen; Ctrl-C and Ctrl-Z stay what they are; Ctrl-S does not stop us */
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(0, TCSANOW, &raw);
    ssize_t written = whole ? write(1, TAKE, sizeof TAKE - 1) : 0;
    (void)written;
    taken = 1;
}

/* The terminal is given back, and the signal then does what it would have done. */
static void on_end(int number) {
    give();
    signal(number, SIG_DFL);
    raise(number); /* it is blocked in here, and takes effect at the return */
}

static void handle(int number, void (*handler)(int)) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigaction(number, &action, NULL);
}

static void on_stop(int number) {
    sigset_t just_this, old;
    int error = errno;
    give();
    signal(number, SIG_DFL);
    raise(number);
    sigemptyset(&just_this);
    sigaddset(&just_this, number);
    sigprocmask(SIG_UNBLOCK, &just_this,
                &old); /* here it stops, and goes on after SIGCONT */
    sigprocmask(SIG_SETMASK, &old, NULL);
    handle(number, on_stop);
    if (!taken) { /* nobody would have continued it, so the kernel has not stopped it */
        take();
        redraw = 1;
    }
    errno = error;
}

static void on_continue(int number) {
    (void)number;
    int error = errno;
    take();
    redraw = 1;
    errno = error;
}

static void on_resize(int number) {
    (void)number;
    redraw = 1;
}

int screen_is_there(void) {
    return isatty(0) && isatty(1);
}

/* Takes the terminal, and the signals that would end the program: the last of them, or all. */
static const char *open_for(int all) {
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    enum { ENDS = sizeof ends / sizeof ends[0] };
    sigset_t held;
    whole = all;
    if (tcgetattr(0, &before) < 0)
        return strerror(errno);
    /* These three come only while a key is waited for, so that none is missed or comes amid a line. */
    sigemptyset(&held);
    sigaddset(&held, SIGTSTP);
    sigaddset(&held, SIGCONT);
    sigaddset(&held, SIGWINCH);
    sigprocmask(SIG_BLOCK, &held, &waiting_mask);
    sigdelset(&waiting_mask, SIGTSTP);
    sigdelset(&waiting_mask, SIGCONT);
    sigdelset(&waiting_mask, SIGWINCH);
    for (int i = all ? 0 : ENDS - 1; i < ENDS; i++)
        handle(ends[i], on_end);
    handle(SIGTSTP, on_stop);
    handle(SIGCONT, on_continue);
    handle(SIGWINCH, on_resize);
    close_at_exit();
    take();
    return NULL;
}

const char *screen_open(void) {
    return screen_is_there() ? open_for(1) : "standard input and output must be a terminal";
}

const char *screen_open_keys(void) {
    return isatty(0) ? open_for(0) : "standard input must be a terminal";
}

void screen_show(void) {
    fwrite(picture, 1, used, stdout);
    fflush(stdout);
    used = 0;
}

void screen_size(int *columns, int *lines) {
    struct winsize size;
    int known = ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
    *columns = known ? size.ws_col : 80;
    *lines = known ? size.ws_row : 24;
}

/* One byte of input; -1: none within `ms` (no limit when negative), -2: no more, -3: draw again
 * (only without a limit). */
static int next_byte(int ms) {
    struct timespec limit = {ms / 1000, (long)(ms % 1000) * 1000000};
    unsigned char byte;
    for (;;) {
        fd_set input;
        FD_ZERO(&input);
        FD_SET(0, &input);
        if (redraw && ms < 0) {
            redraw = 0;
            return -3;
        }
        int ready = pselect(1, &input, NULL, NULL, ms < 0 ? NULL : &limit, &waiting_mask);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return -1;
        ssize_t count = ready < 0 ? -1 : read(0, &byte, 1);
        if (count < 0 && errno == EINTR)
            continue;
        return count == 1 ? byte : -2;
    }
}

/* ESC [ number ~ */
static int key_of_number(int number) {
    switch (number) {
    case 1:
    case 7: return KEY_HOME;
    case 4:
    case 8: return KEY_END;
    case 5: return KEY_PAGE_UP;
    case 6: return KEY_PAGE_DOWN;
    default: return KEY_UNKNOWN;
    }
}

/* The rest of ESC [ 5 ~ and the like, as ECMA-48 and xterm have it: numbers between ; and a letter. */
static int key_of_sequence(void) {
    int number = 0, first = 1, length = 0;
    int c = next_byte(REST_OF_KEY_MS);
    if (c != '[' && c != 'O')
        return KEY_UNKNOWN;
    while ((c = next_byte(REST_OF_KEY_MS)) >= ' ' && c < '@' && ++length < 16) {
        first = first && c >= '0' && c <= '9';
        if (first && number < 1000)
            number = number * 10 + c - '0';
    }
    switch (c) {
    case 'A': return KEY_UP;
    case 'B': return KEY_DOWN;
    case 'C': return KEY_RIGHT;
    case 'D': return KEY_LEFT;
    case 'H': return KEY_HOME;
    case 'F': return KEY_END;
    case '~': return key_of_number(number);
    default: return KEY_UNKNOWN;
    }
}

int screen_key(void) {
    int c = next_byte(-1);
    if (c == -3)
        return KEY_RESIZED;
    if (c < 0)
        return KEY_GONE;
    return c == 27 ? key_of_sequence() : c;
}

#else

#include <windows.h>

#ifndef ENABLE_VIRTUAL_TERMINAL_PROCESSING
#define ENABLE_VIRTUAL_TERMINAL_PROCESSING 4
#endif

static HANDLE input, output;
static DWORD input_before, output_before;
static volatile LONG taken;

static void give(void) {
    if (InterlockedExchange(&taken, 0) == 0)
        return;
    DWORD written;
    WriteConsoleA(output, GIVE, sizeof GIVE - 1, &written, NULL);
    SetConsoleMode(output, output_before);
    SetConsoleMode(input, input_before);
}

/* Ctrl-C, Ctrl-Break, the window is closed: in a thread of its own; then the program ends. */
static BOOL WINAPI on_end(DWORD what) {
    (void)what;
    give();
    return FALSE;
}

int screen_is_there(void) {
    DWORD mode;
    return GetConsoleMode(GetStdHandle(STD_INPUT_HANDLE), &mode) &&
           GetConsoleMode(GetStdHandle(STD_OUTPUT_HANDLE), &mode);
}

const char *screen_open(void) {
    input = GetStdHandle(STD_INPUT_HANDLE);
    output = GetStdHandle(STD_OUTPUT_HANDLE);
    if (!GetConsoleMode(input, &input_before) || !GetConsoleMode(output, &output_before))
        return "standard input and output must be a terminal";
    if (!SetConsoleMode(output, ENABLE_PROCESSED_OUTPUT | ENABLE_WRAP_AT_EOL_OUTPUT |
                                    ENABLE_VIRTUAL_TERMINAL_PROCESSING))
        return "this console knows no escape sequences: Windows 10 or newer is needed";
    SetConsoleMode(input, ENABLE_PROCESSED_INPUT | ENABLE_WINDOW_INPUT);
    SetConsoleCtrlHandler(on_end, TRUE);
    close_at_exit();
    InterlockedExchange(&taken, 1);
    DWORD written;
    WriteConsoleA(output, TAKE, sizeof TAKE - 1, &written, NULL);
    return NULL;
}

/* As wide characters: a console that gets half of a UTF-8 character shows neither half. */
void screen_show(void) {
    enum { PIECE = 8192 }; /* characters that a console surely takes at once */
    WCHAR *wide = malloc((used + 1) * sizeof *wide);
    int count =
        wide ? MultiByteToWideChar(CP_UTF8, 0, picture, (int)used, wide, (int)used) : 0;
    DWORD written;
    for (int i = 0; i < count; i += PIECE)
        WriteConsoleW(output, wide + i, (DWORD)(count - i < PIECE ? count - i : PIECE),
                      &written, NULL);
    free(wide);
    used = 0;
}

void screen_size(int *columns, int *lines) {
    CONSOLE_SCREEN_BUFFER_INFO info;
    int known = GetConsoleScreenBufferInfo(output, &info) != 0;
    *columns = known ? info.srWindow.Right - info.srWindow.Left + 1 : 80;
    *lines = known ? info.srWindow.Bottom - info.srWindow.Top + 1 : 24;
}

int screen_key(void) {
    INPUT_RECORD record;
    DWORD count;
    for (;;) {
        if (!ReadConsoleInputW(input, &record, 1, &count) || count == 0)
            return KEY_GONE;
        if (record.EventType == WINDOW_BUFFER_SIZE_EVENT)
            return KEY_RESIZED;
        if (record.EventType != KEY_EVENT || !record.Event.KeyEvent.bKeyDown)
            continue;
        switch (record.Event.KeyEvent.wVirtualKeyCode) {
        case VK_UP: return KEY_UP;
        case VK_DOWN: return KEY_DOWN;
        case VK_LEFT: return KEY_LEFT;
        case VK_RIGHT: return KEY_RIGHT;
        case VK_HOME: return KEY_HOME;
        case VK_END: return KEY_END;
        case VK_PRIOR: return KEY_PAGE_UP;
        case VK_NEXT: return KEY_PAGE_DOWN;
        default: break;
        }
        WCHAR c = record.Event.KeyEvent.uChar.UnicodeChar;
        if (c != 0) /* a key such as Shift alone has none */
            return c < 128 ? (int)c : KEY_UNKNOWN;
    }
}

#endif

void screen_close(void) {
    give();
    free(picture);
    picture = NULL;
    used = room = 0;
}
