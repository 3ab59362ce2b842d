/* pattern.h - an event as a scene writes it, and whether an event of the log is one.
 *
 * In: the words of the grammar (log.h). Out: yes or no for each event. A pattern says only what it
 * names: `client > SYN` is any SYN of the client, `client > DATA #2` its second segment with data,
 * `server : accept = *` any return of accept. Portable C; no I/O.
 */
#ifndef PATTERN_H
#define PATTERN_H

#include "log.h"

enum { PATTERN_WORD = 80 };

struct pattern {
    enum event_kind kind;
    int host;
    unsigned frame_kinds; /* SEND, ARRIVE, LOST */
    int has_seq, has_ack, has_length, has_window;
    uint32_t seq, ack, length, window;
    enum why why;              /* SEND, ARRIVE, LOST: why=RTO; WHY_NONE for any */
    enum state state;          /* STATE */
    char name[CALL_NAME];      /* CALL, RETURN */
    int fd;                    /* CALL, RETURN: NO_INDEX for any */
    char result[PATTERN_WORD]; /* RETURN, EXIT: "*" for any */
    char text[PATTERN_WORD];   /* PRINTS: the beginning of the line */
    int nth;                   /* 0: each one; else only the nth that fits */
    int seen;                  /* how many have fitted */
};

/* Reads `text` (no line end). Returns NULL, or what is wrong with it, in words for the scene's
 * author, in a static buffer. */
const char *pattern_parse(struct pattern *p, const char *text);

/* True when the event is what the pattern says. Show each event to each pattern once, in order:
 * that is how #n is counted. */
int pattern_fits(struct pattern *p, const struct log *log, const struct event *e);

/* How many bytes of `text` are a time ("10ms", "3s", "1500us"), and the time in ns; 0 when none. */
size_t parse_time(const char *text, int64_t *ns);

#endif
