/* hold.h - wire --hold: each frame waits for a key before it goes on.
 *
 * In: frames that have been sent, and keys. Out: what is to become of the frame that has waited longest.
 * Keys come from a terminal, at once and unseen, and the question stands below the ladder; or from a
 * pipe, a byte each, while a frame waits. Where standard output is no terminal, question and answer
 * are a line each. What a kernel sends again while the first sending still waits is counted, not asked about.
 * Linux only.
 */
#ifndef HOLD_H
#define HOLD_H

#include "cable.h"
#include "play.h"

enum { LATE_SECONDS = 3 };
#define LATE_NS (LATE_SECONDS * INT64_C(1000000000))

enum decision { WAIT, LET_GO, LOSE, DOUBLE, LATE };

struct held {
    struct passage p;
    long again;   /* how often it was sent again meanwhile */
    enum why why; /* the last of these */
};

struct hold {
    int on;               /* frames wait for keys */
    int by_hand;          /* a key has decided something */
    int ended;            /* by a key: the playing is to end */
    int listening;        /* a key is welcome just now */
    struct held *waiting; /* in the order of their sending */
    long count, room;
    const struct play_options *options;
    int terminal; /* keys come from one */
    int helping;
    long left; /* a frame that a rule has dealt with, or NO_INDEX */
    const char *left_does;
    int lines;       /* of the question, on the screen now */
    char shown[800]; /* its text, so that it is written only when it changes */
};

/* Takes the keys, if standard input is a terminal. */
void hold_open(struct hold *hold, const struct play_options *options);

/* Gives them back. May be called twice. */
void hold_close(struct hold *hold);

/* The frame is to wait. Returns 0, or -1 when too many do. */
int hold_frame(struct hold *hold, const struct passage *p);

/* 1 when the same segment of the same host waits already: it is counted there. */
int hold_is_again(struct hold *hold, const struct log *log, long frame);

/* A rule has dealt with the frame: "drops". It is not asked about, and the next question says so. */
void hold_leave(struct hold *hold, const struct log *log, long frame, const char *does);

/* Asks, if `is_open`, what becomes of the first frame; takes the next key, if there is one. Never waits.
 * Returns WAIT as long as nothing was said; may set on = 0 or ended = 1. */
enum decision hold_ask(struct hold *hold, const struct log *log, int64_t now, int is_open);

/* The first frame leaves. */
struct passage hold_take(struct hold *hold);

/* Takes the question off the screen before something else is written; hold_ask() writes it again. */
void hold_hide(struct hold *hold);

#endif
