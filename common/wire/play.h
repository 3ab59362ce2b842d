/* play.h - a scene, played: the one place where all parts meet.
 *
 * In: a scene and how to show it. Out: the ladder, and whether all went as expected. Linux only.
 */
#ifndef PLAY_H
#define PLAY_H

#include "scene.h"

struct play_options {
    int all;           /* show ARP, output, minor calls too */
    int ascii;         /* lines of ASCII */
    int colour;        /* colours */
    int columns;       /* of the terminal */
    int quiet;         /* no ladder: only what failed */
    int events;        /* the log in the grammar's words, in place of the ladder */
    int inherit_input; /* the client reads our standard input */
    int hold;          /* each frame waits for a key, from standard input (hold.h) */
    const char *svg, *rto_svg, *sequence_svg; /* files to draw into, or NULL */
    const char *record;                       /* pcapng file to write, or NULL */
    int live; /* standard output is a terminal: say that time passes */
};

enum { PLAY_OK = 0, PLAY_FAILED = 1, PLAY_MISTAKE = 2, PLAY_NO_NETWORK = 3 };

/* Plays the scene to its end. Returns one of the above; all else has been said on standard output and
 * standard error. On SIGINT or SIGTERM it ends what it started, and returns PLAY_FAILED. */
int play(struct scene *scene, const struct play_options *options);

#endif
