/* rows.h - the ladder's rows, made once from the log; every renderer draws the same rows.
 *
 * In: the log, as it grows. Out: rows of three parts: what the client does or becomes, what is on the cable, what the
 * server does or becomes. Things of one cause share a row: a call and the segment it sends, an
 * arrival and the state it leads to. Portable C; no I/O.
 */
#ifndef ROWS_H
#define ROWS_H

#include "log.h"

enum { TRACKS = 8, LANE_TEXT = 100, ROW_NOTES = 4 };

enum lane_kind {
    LANE_EMPTY,
    LANE_STATE,
    LANE_ENTERS,
    LANE_CALL,
    LANE_PRINTS,
    LANE_EXIT,
    LANE_WHY /* what no call made it send: "RTO after 221 ms", "SACK 1400-1500" */
};

struct lane {
    enum lane_kind kind;
    char text[LANE_TEXT];     /* "connect(3)" */
    char args[LANE_TEXT];     /* "10.0.0.2:7777", for those who have room for it */
    char result[CALL_RESULT]; /* "0" */
};

enum crossing {
    NOTHING,
    STRAIGHT,     /* sent and, before anything else happens, delivered */
    DEPARTS,      /* sent; it stays in flight on a track */
    ARRIVES,      /* delivered from its track */
    LOST_AT_ONCE, /* sent and lost */
    LOST_LATER,   /* lost from its track */
};

struct row {
    int64_t time;
    struct lane lanes[HOSTS];
    enum crossing crossing;
    long frame; /* index into log.frames, when crossing is not NOTHING */
    int from;
    int copy, damaged;
    int track; /* DEPARTS, ARRIVES, LOST_LATER: 0..TRACKS-1, or NO_INDEX when all were taken */
    unsigned live; /* bit k: track k is in use by another frame while this row is drawn */
    unsigned live_from_server; /* of those, which belong to frames of the server */
    long notes[ROW_NOTES];     /* expectations met by events of this row */
    int note_count;
    int mine;   /* host whose events this row began with */
    long round; /* of the event that it began with */
};

struct track {
    long frame; /* NO_INDEX: free */
    int from;
};

struct rows {
    struct row *rows;
    long count, room;
    long fed;     /* events taken so far */
    long shown;   /* of those, how many are to be seen */
    long touched; /* the row that the last of these began or changed, or NO_INDEX */
    struct track tracks[TRACKS];
    int all;                /* show ARP, output and minor calls as well */
    long open_calls[64][2]; /* EV_CALL index and its row, of calls not yet returned */
    int open_count;
};

void rows_init(struct rows *rows, int all);

/* Takes all new events. Call it when everything has come to rest: all rows but perhaps the last
 * are then final. */
void rows_feed(struct rows *rows, const struct log *log);

/* How many rows will not change any more. `in_flight`: the last row's frame, if it departs there, is
 * still due to arrive by latency alone, and the row may yet become a straight one. */
long rows_final(const struct rows *rows, int in_flight);

void rows_free(struct rows *rows);

#endif
