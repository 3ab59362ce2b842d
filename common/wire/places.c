/* places.c - where everything stands in the ladder's picture; see picture.h.
 *
 * Moments are placed from top to bottom. Each comes as far below the last as its time says, or
 * further, where its arrow, its texts or its explanation would lie on what is there already.
 */
#include "picture.h"

#include <stdlib.h>
#include <string.h>

enum {
    DODGE = 30,      /* px: how far a text may stand below its moment */
    NOTE_DODGE = 300 /* the same of an explanation */
};

/* ---- texts --------------------------------------------------------------------------- */

const char *picture_note(const struct picture *p, long expectation) {
    return p->scene && expectation >= 0 && expectation < p->scene->expectation_count
               ? p->scene->expectations[expectation].text
               : NULL;
}

/* Whether an explanation belongs to this moment of its row: the event that it explains says
 * which host's. */
static int explains(const struct picture *p, const struct moment *at, long expectation) {
    if (picture_note(p, expectation) == NULL)
        return 0;
    const char *source = p->scene->expectations[expectation].source;
    int two = at->row->crossing == STRAIGHT;
    return !two || source == NULL ||
           strncmp(source, host_names[at->host], strlen(host_names[at->host])) == 0;
}

static double note_height(const struct picture *p, long expectation) {
    return LINE * svg_paragraph(NULL, "", "", 0, 0, NOTE_WIDTH, 0,
                                picture_note(p, expectation)) +
           6;
}

/* "10.0.0.1:46048" has a port that is another each time. */
static void hide_port(char *text) {
    char *colon = strrchr(text, ':');
    if (colon && atol(colon + 1) >= 32768)
        strcpy(colon, ":...");
}

/* Why a kernel sent it, and how long after the last time: "RTO after 220 ms". */
static void why_text(const struct picture *p, const struct moment *at, char *text) {
    char *after = strstr(text, " after ");
    if (after == NULL || at->row->frame == NO_INDEX)
        return;
    const struct logged_frame *frame = &p->log->frames[at->row->frame];
    if (frame->before == NO_INDEX)
        return;
    double ms = (double)round_wait(frame->sent - p->log->frames[frame->before].sent) / 1e6;
    snprintf(after, 30, ms < 1000 ? " after %.6g ms" : " after %.6g s",
             ms < 1000 ? ms : ms / 1e3);
}

void picture_lane(const struct picture *p, const struct moment *at,
                  char text[LANE_TEXT + CALL_RESULT + 20], double *width) {
    const struct lane *lane = &at->row->lanes[at->host];
    *width = lane->kind == LANE_STATE ? 1000 : LANE_WIDTH;
    snprintf(text, LANE_TEXT, "%s", lane->kind == LANE_EMPTY ? "" : lane->text);
    if (lane->kind == LANE_WHY)
        why_text(p, at, text);
    if (lane->kind == LANE_PRINTS)
        hide_port(text);
    if (lane->kind == LANE_ENTERS)
        strcat(text, " ...");
    if (lane->kind == LANE_CALL || lane->kind == LANE_EXIT)
        strcat(strcat(text, " = "), lane->result);
    if (lane->kind == LANE_WHY && lane->result[0])
        strcat(strcat(text, " "), lane->result);
}

static int lane_lines(const struct picture *p, const struct moment *at, int badges) {
    char text[LANE_TEXT + CALL_RESULT + 20];
    double width;
    picture_lane(p, at, text, &width);
    return svg_paragraph(NULL, "", "", 0, 0, width, BADGE * badges, text);
}

/* ---- the axis ------------------------------------------------------------------------ */

int picture_is_cut(const struct picture *p, long moment) {
    return moment > 0 && p->m.list[moment].time - p->m.list[moment - 1].time > p->cut;
}

double picture_span(const struct picture *p, long moment) {
    if (moment == 0)
        return 0;
    return picture_is_cut(p, moment)
               ? CUT * p->stretch
               : p->scale * (double)(p->m.list[moment].time - p->m.list[moment - 1].time);
}

/* The usual passage sets the scale; in a capture without any, the time between two frames.
 * More, if the explanations are longer than the ladder. */
static void choose_scale(struct picture *p) {
    const struct moments *m = &p->m;
    double natural = 0, notes = 0;
    int64_t unit = m->passage;
    if (unit == 0 && m->count > 1)
        unit = m->list[m->count - 1].time / m->count;
    if (unit <= 0)
        unit = 1;
    p->scale = p->stretch * PASSAGE / (double)unit;
    p->cut = unit * 5 / 2;
    for (long i = 0; i < m->count; i++) {
        natural += picture_span(p, i);
        for (int k = 0; k < m->list[i].row->note_count; k++)
            if (explains(p, &m->list[i], m->list[i].row->notes[k]))
                notes += note_height(p, m->list[i].row->notes[k]);
    }
    if (natural > 0 && notes > natural)
        p->scale *= notes > natural * 1.5 ? 1.5 : notes / natural;
}

/* ---- from top to bottom -------------------------------------------------------------- */

/* Places so far: whatever comes next on a host stays clear of them. */
struct edge {
    double sent[HOSTS], arrived[HOSTS], state[HOSTS], text[HOSTS], note, lost;
};

/* A frame ends here: it arrives, or is lost on its way. */
static int ends_here(const struct moment *at) {
    return at->arrives || (at->lost && !at->departs);
}

/* How many frames were lost that left just before this one, at the same instant: their ends
 * need room. */
static int lost_before(const struct picture *p, const struct moment *at) {
    long sent = p->m.sent[at->row->frame];
    int count = 0;
    for (long i = sent - 1;
         i >= 0 && i > sent - NEAR && p->m.list[i].time == p->m.list[sent].time; i--) {
        if (p->m.list[i].host != p->m.list[sent].host || !p->m.list[i].departs)
            continue;
        if (!p->m.list[i].lost)
            break;
        count++;
    }
    return count;
}

/* The least y that a moment may have, which by its time would have `natural`. */
static double lowest(const struct picture *p, const struct moment *at, double natural,
                     const struct edge *e) {
    int host = at->host;
    double y = natural, apart = APART * p->stretch;
    if (at->departs)
        y = larger(y, larger(e->sent[host] + apart, e->arrived[host] + 5));
    if (at->departs && p->m.passage == 0) /* all arrows are level */
        y = larger(y, e->sent[!host] + apart);
    if (ends_here(at)) {
        int lost = at->arrives ? lost_before(p, at) : 0;
        y = larger(y + apart * lost, e->arrived[host] + apart * (1 + lost));
        y = larger(y, e->sent[host] + 5);
    }
    if (at->row->lanes[host].kind != LANE_EMPTY)
        y = larger(y, e->text[host] + LINE - DODGE);
    if (at->row->lanes[host].kind == LANE_STATE)
        y = larger(y, e->state[host] + 8);
    for (int i = 0; i < at->row->note_count; i++)
        if (explains(p, at, at->row->notes[i]))
            y = larger(y, e->note - NOTE_DODGE);
    return y;
}

static void place_text(struct picture *p, long index, struct edge *e, int first, int last,
                       int lines) {
    int host = p->m.list[index].host;
    double y = larger(p->m.list[index].y, e->text[host] + LINE);
    p->texts[host] = log_room(p->texts[host], p->text_count[host], &p->text_room[host],
                              sizeof *p->texts[host]);
    p->texts[host][p->text_count[host]++] = (struct text_at){index, y, first, last};
    e->text[host] = y + LINE * (lines - 1);
}

static void place_notes(struct picture *p, const struct moment *at, struct edge *e) {
    for (int k = 0; k < at->row->note_count; k++) {
        if (!explains(p, at, at->row->notes[k]))
            continue;
        p->notes = log_room(p->notes, p->note_count, &p->note_room, sizeof *p->notes);
        p->notes[p->note_count++] =
            (struct text_at){at->row->notes[k], larger(at->y, e->note), 0, 0};
        e->note = p->notes[p->note_count - 1].y + note_height(p, at->row->notes[k]);
    }
}

static void place_moment(struct picture *p, long index, struct edge *e) {
    struct moment *at = &p->m.list[index];
    at->y = lowest(p, at, index ? at[-1].y + picture_span(p, index) : p->top, e);
    at->cuts = index ? at[-1].cuts + picture_is_cut(p, index) : 0;
    if (picture_is_cut(p, index)) /* below all that belongs to the time before */
        at->y =
            larger(at->y, larger(e->lost, larger(e->text[CLIENT], e->text[SERVER])) + CUT);
    if (at->departs && at->lost)
        e->lost = at->y + p->scale * (double)p->m.passage * LOST_PART + 4;
    if (at->departs)
        e->sent[at->host] = at->y;
    if (ends_here(at))
        e->arrived[at->host] = at->y;
    if (at->row->lanes[at->host].kind == LANE_STATE)
        e->state[at->host] = at->y;
    int known = (int)p->note_count;
    place_notes(p, at, e);
    int badges = (int)p->note_count - known, lines = lane_lines(p, at, badges);
    if (lines || badges)
        place_text(p, index, e, known + 1, known + badges, lines ? lines : 1);
}

void picture_place(struct picture *p) {
    struct edge e;
    choose_scale(p);
    p->text_count[CLIENT] = p->text_count[SERVER] = p->note_count = 0;
    for (int host = 0; host < HOSTS; host++)
        e.sent[host] = e.arrived[host] = e.state[host] = e.text[host] = p->top - APART;
    e.note = p->top - 10;
    e.lost = p->top;
    for (long i = 0; i < p->m.count; i++)
        place_moment(p, i, &e);
    p->bottom = larger(larger(e.text[CLIENT], e.text[SERVER]), e.lost);
    if (p->m.count)
        p->bottom = larger(p->bottom, p->m.list[p->m.count - 1].y) + LINE;
    p->height = larger(p->bottom, e.note) + 24 + LINE;
}

void picture_free(struct picture *p) {
    for (int host = 0; host < HOSTS; host++)
        free(p->texts[host]);
    free(p->notes);
    free(p->arrows);
    moments_free(&p->m);
}
