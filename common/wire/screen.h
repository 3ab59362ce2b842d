/* screen.h - the whole terminal: keys in, lines of text out.
 *
 * In: keys, and changes of the terminal's size. Out: lines at their places, on the terminal's other
 * screen, so that what stood there before stands there again in the end. Whatever ends the
 * program (return, exit(), Ctrl-C, SIGTERM, SIGHUP, Ctrl-Z for a while) puts the terminal back as it
 * was. Nothing is needed but termios(3) and the escape sequences of ECMA-48, which every
 * terminal in use knows; on Windows the console API, which knows them too since Windows 10.
 */
#ifndef SCREEN_H
#define SCREEN_H

#include <stddef.h>

enum screen_key { /* below these: the character itself */
                  KEY_UP = 1000,
                  KEY_DOWN,
                  KEY_LEFT,
                  KEY_RIGHT,
                  KEY_HOME,
                  KEY_END,
                  KEY_PAGE_UP,
                  KEY_PAGE_DOWN,
                  KEY_RESIZED, /* draw again: the size may be another */
                  KEY_GONE,    /* no more keys will come */
                  KEY_UNKNOWN
};

/* True when standard input and output are a terminal. */
int screen_is_there(void);

/* Takes the terminal. Returns NULL, or why it cannot, in words. */
const char *screen_open(void);

#ifndef _WIN32
/* Takes only the keys, when standard input is a terminal: each comes at once and unseen. What stands on
 * the screen stays the caller's, and so do SIGINT, SIGTERM and SIGHUP: it calls screen_close() then. */
const char *screen_open_keys(void);
#endif

/* Gives it back. May be called at any time, and twice. */
void screen_close(void);

/* The terminal's size now; 80 by 24 when it does not say. */
void screen_size(int *columns, int *lines);

/* Waits for a key. */
int screen_key(void);

/* Puts a line (it may hold colours, no other escape) at row 0, 1, ... and clears what stood there. */
void screen_line(int row, const char *text);

/* Shows all lines put since the last time. */
void screen_show(void);

#endif
