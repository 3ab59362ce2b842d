/* recording.h - a capture file as a log: what was recorded, drawn again.
 *
 * In: a capture file. Out: the log and the scene's texts. What the wire recorded (record.h)
 * becomes the very same log as when it was played. Of any other capture one conversation
 * becomes a log, seen from the middle: each packet is sent and arrives at its one time, and
 * states are inferred (infer.h). Portable C.
 */
#ifndef RECORDING_H
#define RECORDING_H

#include "capture.h"
#include "scene.h"
#include "talks.h"

enum { LABEL = 64, MOST_DRAWN = 100000 };

/* Which conversation of a capture is wanted; all 0: the only one. */
struct choice {
    long port;   /* one of its two ports; 0: any */
    long number; /* its number in the list; 0: any */
};

struct recording {
    struct log log;
    struct scene scene; /* title, intro, figure, table, expectations with their texts */
    char labels[HOSTS][LABEL]; /* what stands under the hosts' names */
    int played;                /* 1: recorded by the wire; 0: a capture, states inferred */
    int as_expected;           /* played: all came as the scene expects */
    struct talks talks;        /* captures: the conversations in the file */
    long talk;                 /* captures: the one that is in the log, or NO_INDEX */
    long left_out;             /* captures: frames of it beyond MOST_DRAWN */
    char warning[200]; /* what is wrong with the file, though it can be drawn; "" else */
    char error[300];
};

/* Reads the file. Returns 0; -1 with r->error set. With a capture of several conversations
 * and no choice among them, r->talk is NO_INDEX and the log is empty: show the list. */
int recording_read(struct recording *r, const char *path, const struct choice *choice,
                   int raw);

/* The same from a file that is open for reading in binary; it is read twice. */
int recording_read_file(struct recording *r, FILE *file, const struct choice *choice,
                        int raw);

const char *const *recording_labels(const struct recording *r, const char *labels[HOSTS]);

void recording_free(struct recording *r);

#endif
