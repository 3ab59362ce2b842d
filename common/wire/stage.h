/* stage.h - what a scene is played on: both hosts, their programs, the cable, the log, the ladder.
 *
 * Only for the files that play (play.c names them, and in which order data flows through them). Linux
 * only. Times are ns since the log began.
 */
#ifndef STAGE_H
#define STAGE_H

#include "cable.h"
#include "check.h"
#include "hold.h"
#include "host.h"
#include "play.h"
#include "rows.h"
#include "stamp.h"
#include "states.h"
#include "tasks.h"
#include "term.h"

#include <signal.h>

struct seen { /* an endpoint as it was at the last look */
    struct endpoint now;
    long connection;
    int found;
    int timeouts; /* of its gauge's retransmits, how many have been seen as frames */
};

struct stage {
    struct scene *scene;
    const struct play_options *options;
    struct host hosts[HOSTS];
    struct log log;
    struct tasks tasks;
    struct cable cable;
    struct hold hold;
    struct stamps stamps[HOSTS];
    struct check check;
    struct rows rows;
    struct term term;
    struct seen *seen[HOSTS];
    int seen_count[HOSTS];
    struct endpoint *looked; /* room for one reading of states */
    int64_t began;           /* by the monotonic clock */
    int64_t cause; /* order of the event that all is now a consequence of; see cable.h */
    int64_t last_event;
    int64_t waited_until; /* for a key */
    int64_t
        status_shown; /* time of the last "time passes" line, 0 when none is on the screen */
    long events_printed;
    int arp_delivered;     /* the other host has an answer ready */
    int start_next[HOSTS]; /* actions that rules have asked for */
    int kill_next[HOSTS];
    int starts[HOSTS];   /* how often each program was started */
    const char *failure; /* why the playing ended early; "" when that was told already */
};

/* SIGINT, SIGTERM or SIGHUP has come: everything is to end. */
extern volatile sig_atomic_t interrupted;

/* ---- stage.c: made, and taken away ----------------------------------------------------------------- */

/* Makes the hosts with the scene's settings. Returns PLAY_OK, or what play() is to return, when it was
 * told why. */
int stage_open(struct stage *s, struct scene *scene, const struct play_options *options);
void stage_close(struct stage *s);

int64_t stage_now(const struct stage *s);
void stage_event(const struct stage *s, struct event *e, enum event_kind kind, int host);

/* ---- watch.c: what the kernels did, into the log -------------------------------------------------- */

/* Reads the host's states, then takes the frames that it has sent. Returns how many events came. */
long watch_host(struct stage *s, int host);

/* ---- carry.c: frames onto the cable and off it ---------------------------------------------------- */

/* The frame reaches its host, whose kernel has dealt with it at the return. */
void carry_deliver(struct stage *s, const struct passage *p);

/* Does with the frame that has waited longest what a key has said. */
void carry_decided(struct stage *s, enum decision decision);

/* What an event of the log leads to. May itself lead to more events. */
void carry_event(struct stage *s, long index);

/* ---- show.c: what is seen of it ------------------------------------------------------------------- */

void show_heading(struct stage *s);

/* All that is new and final. */
void show_events(struct stage *s);

/* Explanations that wait for the next rows are shown at once: a key is waited for. */
void show_pause(struct stage *s);

/* On a terminal, while nothing happens: that time passes, and what for. */
void show_status(struct stage *s);

/* Whether all files can be written: asked before the playing, which may take minutes. 0 or -1. */
int show_can_record(const struct play_options *options);

/* At the end: the rest of the ladder, recording, pictures, what failed. Returns what play() does. */
int show_end(struct stage *s);

#endif
