/* scene.h - a scene: one file that is the demonstration, its explanation and its test.
 *
 * In: the lines of a .scene file (or the same lines made from command-line options). Out: what to
 * play: programs, settings of the two hosts, what happens to which segment, what is expected.
 * A mistake ends the reading with the file, the line and what is wrong. Portable C.
 */
#ifndef SCENE_H
#define SCENE_H

#include "pattern.h"

enum { MAX_WORDS = 64, MAX_LINE = 1000 };

enum action { DROP, DELAY, DUPLICATE, CORRUPT, HOLD, KILL, UNPLUG, PLUG, START };

struct rule { /* on EVENT: ACTION */
    struct pattern when;
    enum action action;
    int64_t after;        /* DELAY, DUPLICATE: ns */
    struct pattern until; /* HOLD */
    int host;             /* KILL, UNPLUG, PLUG, START */
    char *source;         /* as it was written */
    int line;
    int used; /* whether its event has come: left to who plays */
};

struct expectation { /* expect EVENT, never EVENT */
    struct pattern what;
    int never;
    char *source; /* the event as it was written */
    char *text;   /* the explanation under it, or NULL */
    int line;
};

struct setting { /* sysctl HOST NAME VALUE */
    int host;
    char *name, *value;
    int line;
};

struct command {
    char *words[MAX_WORDS +
                1]; /* ends with NULL; words[0] is NULL when the host has no program */
    int line;
};

struct scene {
    char *path;   /* of the file, or NULL */
    char *lesson; /* its folder's name, "04-handshake-trace", or NULL */
    char *title, *intro, *figure;
    uint32_t isn[HOSTS][FLOWS]; /* see log.h */
    int64_t latency, timeout;   /* ns: each way; longest time without an event */
    int textbook; /* `stack textbook`: the TCP of the books; else the kernel's defaults */
    struct command commands[HOSTS];
    int table[HOSTS]; /* `table rto HOST`: show the round trips that the host measures */
    struct setting *settings;
    long setting_count, setting_room;
    struct rule *rules;
    long rule_count, rule_room;
    struct expectation *expectations; /* in order; `never` ones among them */
    long expectation_count, expectation_room;
    char error[400]; /* what is wrong, with file and line */
};

void scene_init(struct scene *scene);

/* Reads the file. Returns 0, or -1 with scene->error set. */
int scene_read(struct scene *scene, const char *path);

/* Takes one line of the language. Returns 0, or -1 with scene->error set. */
int scene_line(struct scene *scene, const char *line, int number);

/* What every scene must have, asked once all lines are read. Returns 0, or -1 with scene->error. */
int scene_complete(struct scene *scene);

void scene_free(struct scene *scene);

#endif
