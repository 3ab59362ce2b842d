/* rows.c - see rows.h. One pass over the events; a row is the smallest thing that tells a cause. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rows_init(struct rows *rows, int all) {
    memset(rows, 0, sizeof *rows);
    rows->all = all;
    rows->touched = NO_INDEX;
    for (int i = 0; i < TRACKS; i++)
        rows->tracks[i].frame = NO_INDEX;
}

/* ---- tracks: where frames in flight are drawn ------------------------------------------------- */

static int track_of(const struct rows *rows, long frame) {
    for (int i = 0; i < TRACKS; i++)
        if (rows->tracks[i].frame == frame)
            return i;
    return NO_INDEX;
}

static void mark_live(const struct rows *rows, struct row *row) {
    row->live = row->live_from_server = 0;
    for (int i = 0; i < TRACKS; i++)
        if (rows->tracks[i].frame != NO_INDEX && i != row->track) {
            row->live |= 1u << i;
            if (rows->tracks[i].from == SERVER)
                row->live_from_server |= 1u << i;
        }
}

/* ---- rows -------------------------------------------------------------------------------------- */

static struct row *last(struct rows *rows) {
    return rows->count ? &rows->rows[rows->count - 1] : NULL;
}

static struct row *new_row(struct rows *rows, const struct event *e) {
    rows->rows = log_room(rows->rows, rows->count, &rows->room, sizeof *rows->rows);
    struct row *row = &rows->rows[rows->count++];
    memset(row, 0, sizeof *row);
    row->time = e->time;
    row->frame = NO_INDEX;
    row->track = NO_INDEX;
    row->mine = e->host;
    row->round = e->round;
    mark_live(rows, row);
    return row;
}

static void add_note(struct row *row, const struct event *e) {
    if (e->note != NO_INDEX && row->note_count < ROW_NOTES)
        row->notes[row->note_count++] = e->note;
}

static int is_bare(const struct row *row) { /* nothing on the cable yet */
    return row->crossing == NOTHING;
}

/* Why the kernel sends this by itself, and how long after the last time. */
static void put_why(struct lane *lane, const struct log *log,
                    const struct logged_frame *frame) {
    static const char *const words[WHYS] = {
        "", "RTO", "after the RTO", "fast retransmit", "TLP", "window probe", "keepalive"};
    lane->kind = LANE_WHY;
    snprintf(lane->text, sizeof lane->text, "%s", words[frame->why]);
    if ((frame->why == WHY_RTO || frame->why == WHY_TLP) && frame->before != NO_INDEX) {
        double waited = (double)(frame->sent - log->frames[frame->before].sent) / 1e6;
        snprintf(lane->text, sizeof lane->text,
                 waited < 999.5 ? "%s after %.0f ms" : "%s after %.1f s", words[frame->why],
                 waited < 999.5 ? waited : waited / 1e3);
    }
}

/* What a segment of a capture is in the light of those before it. */
static void put_mark(struct lane *lane, const struct logged_frame *frame) {
    static const char *const words[MARKS] = {"",
                                             "retransmission",
                                             "out of order",
                                             "a hole before it",
                                             "acks the unseen",
                                             "duplicate ACK",
                                             "zero window"};
    lane->kind = LANE_WHY;
    if (frame->mark == MARK_DUPLICATE_ACK)
        snprintf(lane->text, sizeof lane->text, "%s %d", words[frame->mark],
                 frame->duplicates);
    else
        snprintf(lane->text, sizeof lane->text, "%s", words[frame->mark]);
}

/* What it has got behind a hole: the newest piece first, as it is in the segment. */
static void put_sack(struct lane *lane, const struct logged_frame *frame) {
    lane->kind = LANE_WHY;
    snprintf(lane->text, sizeof lane->text, "SACK %u-%u", frame->sack[0][0],
             frame->sack[0][1]);
    for (int i = 1; i < frame->f.sack_count; i++) {
        char piece[24];
        size_t used = strlen(lane->result);
        snprintf(piece, sizeof piece, "%s%u-%u", i > 1 ? " " : "", frame->sack[i][0],
                 frame->sack[i][1]);
        if (used + strlen(piece) < sizeof lane->result) /* what has no room is left out */
            memcpy(lane->result + used, piece, strlen(piece) + 1);
    }
}

static void frame_sent(struct rows *rows, const struct log *log, const struct event *e) {
    struct row *row = last(rows);
    /* A frame shares the row of what caused it; what a timer sends later has a row of its own. */
    if (!(row && is_bare(row) && row->mine == e->host && row->round == e->round &&
          row->lanes[!e->host].kind == LANE_EMPTY &&
          (row->lanes[e->host].kind == LANE_STATE ||
           row->lanes[e->host].kind == LANE_ENTERS ||
           row->lanes[e->host].kind == LANE_CALL)))
        row = new_row(rows, e);
    row->crossing = DEPARTS;
    row->frame = e->frame;
    row->from = log->frames[e->frame].from;
    if (log->frames[e->frame].why != WHY_NONE && row->lanes[e->host].kind == LANE_EMPTY)
        put_why(&row->lanes[e->host], log, &log->frames[e->frame]);
    else if (log->frames[e->frame].mark != MARK_NONE &&
             row->lanes[e->host].kind == LANE_EMPTY)
        put_mark(&row->lanes[e->host], &log->frames[e->frame]);
    else if (log->frames[e->frame].f.sack_count > 0 &&
             row->lanes[e->host].kind == LANE_EMPTY)
        put_sack(&row->lanes[e->host], &log->frames[e->frame]);
    row->track = track_of(rows, NO_INDEX);
    if (row->track != NO_INDEX)
        rows->tracks[row->track] = (struct track){e->frame, row->from};
    mark_live(rows, row);
    add_note(row, e);
}

static void frame_ends(struct rows *rows, const struct log *log, const struct event *e) {
    struct row *row = last(rows);
    int arrives = e->kind == EV_ARRIVE, track = track_of(rows, e->frame);
    int at_once = row && row->crossing == DEPARTS && row->frame == e->frame && !e->copy &&
                  !log->frames[e->frame].held && row->lanes[!row->from].kind == LANE_EMPTY;
    if (at_once) {
        row->crossing = arrives ? STRAIGHT : LOST_AT_ONCE;
    } else {
        row = new_row(rows, e);
        row->crossing = arrives ? ARRIVES : LOST_LATER;
        row->frame = e->frame;
        row->from = log->frames[e->frame].from;
        row->track = track;
    }
    if (track != NO_INDEX)
        rows->tracks[track].frame = NO_INDEX;
    if (at_once)
        row->track = NO_INDEX;
    row->round = e->round;
    row->copy = e->copy;
    row->damaged = e->damaged;
    mark_live(rows, row);
    add_note(row, e);
}

/* A state shares the row of the arrival that led to it; else it begins one. */
static void state_changed(struct rows *rows, const struct log *log, const struct event *e) {
    struct row *row = last(rows);
    int arrival = row && (row->crossing == ARRIVES || row->crossing == STRAIGHT) &&
                  row->from != e->host && row->round == e->round;
    if (!(arrival && row->lanes[e->host].kind == LANE_EMPTY))
        row = new_row(rows, e);
    struct lane *lane = &row->lanes[e->host];
    lane->kind = LANE_STATE;
    if (e->connection > 0 && log->connection_count > 1)
        snprintf(lane->text, sizeof lane->text, "%s [%ld]", state_names[e->state],
                 e->connection + 1);
    else
        snprintf(lane->text, sizeof lane->text, "%s%s", state_names[e->state],
                 e->inferred ? "?" : "");
    add_note(row, e);
}

static void call_text(struct lane *lane, const struct event *e) {
    if (e->fd == NO_INDEX)
        snprintf(lane->text, sizeof lane->text, "%s()", e->name);
    else
        snprintf(lane->text, sizeof lane->text, "%s(%d)", e->name, e->fd);
    snprintf(lane->args, sizeof lane->args, "%.*s", LANE_TEXT - 1, e->args ? e->args : "");
    memcpy(lane->result, e->result, sizeof lane->result);
}

static void call_entered(struct rows *rows, const struct event *e, long index) {
    struct row *row = new_row(rows, e);
    row->lanes[e->host].kind = LANE_ENTERS;
    call_text(&row->lanes[e->host], e);
    add_note(row, e);
    if (rows->open_count < (int)(sizeof rows->open_calls / sizeof rows->open_calls[0])) {
        rows->open_calls[rows->open_count][0] = index;
        rows->open_calls[rows->open_count++][1] = rows->count - 1;
    }
}

/* A call that came back at once is one row with its result; one that had blocked gets a second. */
static void call_returned(struct rows *rows, const struct log *log, const struct event *e) {
    struct row *row = NULL;
    for (int i = 0; i < rows->open_count; i++)
        if (rows->open_calls[i][0] == e->call) {
            if (!log->events[e->call].blocked)
                row = &rows->rows[rows->open_calls[i][1]];
            rows->open_count--;
            memmove(rows->open_calls[i], rows->open_calls[i + 1],
                    (size_t)(rows->open_count - i) * sizeof rows->open_calls[0]);
            break;
        }
    if (row == NULL)
        row = new_row(rows, e);
    row->lanes[e->host].kind = LANE_CALL;
    call_text(&row->lanes[e->host], e);
    add_note(row, e);
    rows->touched = (long)(row - rows->rows);
}

static void printed(struct rows *rows, const struct event *e) {
    struct row *row = new_row(rows, e);
    struct lane *lane = &row->lanes[e->host];
    if (e->kind == EV_PRINTS) {
        lane->kind = LANE_PRINTS;
        snprintf(lane->text, sizeof lane->text, "\"%.90s\"", e->text);
    } else {
        lane->kind = LANE_EXIT;
        snprintf(lane->text, sizeof lane->text, "exit");
        memcpy(lane->result, e->result, sizeof lane->result);
    }
    add_note(row, e);
}

/* What a viewer wants to see unless it says --all: an expected event always. */
static int is_shown(const struct rows *rows, const struct log *log, const struct event *e) {
    if (rows->all || e->note != NO_INDEX)
        return 1;
    if (e->kind <= EV_LOST) /* the end of every frame whose beginning is shown */
        return log->frames[e->frame].f.protocol != P_ARP ||
               (e->kind != EV_SEND && track_of(rows, e->frame) != NO_INDEX);
    if (e->kind == EV_RETURN && log->events[e->call].note != NO_INDEX)
        return 1;
    return e->kind != EV_PRINTS && !e->minor &&
           !(e->kind == EV_STATE && e->listener && e->state == CLOSED);
}

void rows_feed(struct rows *rows, const struct log *log) {
    for (; rows->fed < log->event_count; rows->fed++) {
        const struct event *e = &log->events[rows->fed];
        if (!is_shown(rows, log, e))
            continue;
        rows->shown++;
        rows->touched = NO_INDEX;
        switch (e->kind) {
        case EV_SEND: frame_sent(rows, log, e); break;
        case EV_ARRIVE:
        case EV_LOST: frame_ends(rows, log, e); break;
        case EV_STATE: state_changed(rows, log, e); break;
        case EV_CALL: call_entered(rows, e, rows->fed); break;
        case EV_RETURN: call_returned(rows, log, e); break;
        case EV_PRINTS:
        case EV_EXIT: printed(rows, e); break;
        }
        if (rows->touched == NO_INDEX)
            rows->touched = rows->count - 1;
    }
}

long rows_final(const struct rows *rows, int in_flight) {
    const struct row *row = rows->count ? &rows->rows[rows->count - 1] : NULL;
    return row && in_flight && row->crossing == DEPARTS ? rows->count - 1 : rows->count;
}

void rows_free(struct rows *rows) {
    free(rows->rows);
    memset(rows, 0, sizeof *rows);
}
