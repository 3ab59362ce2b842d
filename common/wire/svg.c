/* svg.c - see svg.h. First everything gets its place, then all is written from top to bottom. */
#include "svg.h"
#include "moments.h"
#include "term.h"

#include <stdlib.h>
#include <string.h>

/* All in px. From the left: times, the ruler, the client's texts, its bar, the cable, the server's
 * bar, its texts, explanations. */
enum {
    WIDTH = 800,
    MARGIN = 12,
    RULER = 44,
    BAR_WIDTH = 12,
    CLIENT_BAR = 172, /* left edge */
    SERVER_BAR = 434,
    LEADER = 14, /* between bar and text */
    NOTES = 596,
    LINE = 14,       /* from one text to the next below it */
    APART = 17,      /* arrows of one host, with their names between */
    PASSAGE = 38,    /* what the usual passage of a frame goes down: it sets the scale */
    CUT = 34,        /* a time that is cut out */
    DODGE = 30,      /* how far a text may stand below its moment */
    NOTE_DODGE = 120 /* the same of an explanation */
};

static const int bars[HOSTS] = {CLIENT_BAR, SERVER_BAR};

struct text_at { /* in the lane of a host, or in the column of explanations */
    long moment;
    double y; /* of its middle */
    int note; /* number of the explanation that belongs to it, 0: none */
};

struct picture {
    FILE *out;
    const struct log *log;
    const struct scene *scene;
    struct moments m;
    double scale;        /* px per ns */
    int64_t cut;         /* ns: longer times without an event are cut out */
    double top, bottom;  /* of the ladder */
    struct text_at *texts[HOSTS], *notes;
    long text_count[HOSTS], text_room[HOSTS], note_count, note_room;
};

/* ---- text ---------------------------------------------------------------------------------------- */

void svg_text(FILE *out, const char *text) {
    for (; *text; text++)
        switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(*text < 32 || *text > 126 ? '?' : *text, out);
        }
}

/* How wide a text of 12 px is, at most: by the widest of the usual fonts, DejaVu Sans and Verdana. */
static double width_of(const char *text) {
    double width = 0;
    for (; *text; text++)
        width += strchr("ijl.,:;'|!()[] ", *text)    ? 4.4
                 : strchr("mwMW@%=+<>", *text)       ? 10.4
                 : *text >= 'A' && *text <= 'Z'      ? 8.2
                 : strchr("frt-", *text)             ? 5.2
                                                     : 7.4;
    return width;
}

/* The length of the first line of `text` broken at `width` px: whole words, one at least. */
static size_t first_line(const char *text, double width) {
    size_t fits = 0;
    for (size_t at = 0; text[at];) {
        size_t end = at + strspn(text + at, " ");
        end += strcspn(text + end, " ");
        char line[256];
        snprintf(line, sizeof line, "%.*s", (int)(end < 255 ? end : 255), text);
        if (fits && width_of(line) > width)
            break;
        at = fits = end;
    }
    return fits;
}

/* Writes `text` in lines of `width` px from y on, LINE apart; out may be NULL. Returns how many. */
static int paragraph(FILE *out, const char *classes, double x, double y, double width,
                     const char *text) {
    int lines = 0;
    while (*(text += strspn(text, " "))) {
        size_t length = first_line(text, width);
        char line[256];
        snprintf(line, sizeof line, "%.*s", (int)(length < 255 ? length : 255), text);
        if (out) {
            fprintf(out, "<text class=\"%s\" x=\"%.0f\" y=\"%.0f\">", classes, x,
                    y + LINE * lines);
            svg_text(out, line);
            fprintf(out, "</text>\n");
        }
        text += length;
        lines++;
    }
    return lines;
}

/* ---- places -------------------------------------------------------------------------------------- */

static double larger(double a, double b) {
    return a > b ? a : b;
}

static const char *note_text(const struct picture *p, long expectation) {
    return p->scene && expectation >= 0 && expectation < p->scene->expectation_count
               ? p->scene->expectations[expectation].text
               : NULL;
}

/* Whether an explanation belongs to this moment of its row: the event that it explains says which host's. */
static int explains(const struct picture *p, const struct moment *at, long expectation) {
    const char *source = p->scene->expectations[expectation].source;
    int two = at->row->crossing == STRAIGHT;
    return !two || source == NULL ||
           strncmp(source, host_names[at->host], strlen(host_names[at->host])) == 0;
}

static double note_height(const struct picture *p, long expectation) {
    return LINE * paragraph(NULL, "", 0, 0, WIDTH - NOTES - 16 - MARGIN / 2,
                            note_text(p, expectation)) +
           6;
}

static int is_cut(const struct picture *p, long index) {
    return index > 0 && p->m.list[index].time - p->m.list[index - 1].time > p->cut;
}

/* What the time between the moment before and this one takes on the axis. */
static double span(const struct picture *p, long index) {
    if (index == 0)
        return 0;
    return is_cut(p, index)
               ? CUT
               : p->scale * (double)(p->m.list[index].time - p->m.list[index - 1].time);
}

/* The usual passage sets the scale; in a capture without any, the time between two frames. More,
 * if the explanations are longer than the ladder. */
static void choose_scale(struct picture *p) {
    const struct moments *m = &p->m;
    double natural = 0, notes = 0;
    int64_t unit = m->passage;
    if (unit == 0 && m->count > 1)
        unit = m->list[m->count - 1].time / m->count;
    if (unit <= 0)
        unit = 1;
    p->scale = (double)PASSAGE / (double)unit;
    p->cut = unit * 5 / 2;
    for (long i = 0; i < m->count; i++) {
        natural += span(p, i);
        for (int k = 0; k < m->list[i].row->note_count; k++)
            if (note_text(p, m->list[i].row->notes[k]) &&
                explains(p, &m->list[i], m->list[i].row->notes[k]))
                notes += note_height(p, m->list[i].row->notes[k]);
    }
    if (natural > 0 && notes > natural)
        p->scale *= notes > natural * 1.5 ? 1.5 : notes / natural;
}

/* Places so far, from top to bottom: whatever comes next on a host stays clear of them. */
struct edge {
    double sent[HOSTS], arrived[HOSTS], state[HOSTS], text[HOSTS], note;
};

static double lowest(const struct picture *p, const struct moment *at, const struct edge *e) {
    int host = at->host;
    double y = 0;
    if (at->departs)
        y = larger(y, larger(e->sent[host] + APART, e->arrived[host] + 5));
    if (at->arrives)
        y = larger(y, larger(e->arrived[host] + APART - 2, e->sent[host] + 5));
    if (at->row->lanes[host].kind != LANE_EMPTY)
        y = larger(y, e->text[host] + LINE - DODGE);
    if (at->row->lanes[host].kind == LANE_STATE)
        y = larger(y, e->state[host] + 8);
    for (int i = 0; i < at->row->note_count; i++)
        if (note_text(p, at->row->notes[i]) && explains(p, at, at->row->notes[i]))
            y = larger(y, e->note - NOTE_DODGE);
    return y;
}

static void place_text(struct picture *p, long index, struct edge *e, int note, int lines) {
    int host = p->m.list[index].host;
    double y = larger(p->m.list[index].y, e->text[host] + LINE);
    p->texts[host] = log_room(p->texts[host], p->text_count[host], &p->text_room[host],
                              sizeof *p->texts[host]);
    p->texts[host][p->text_count[host]++] = (struct text_at){index, y, note};
    e->text[host] = y + LINE * (lines - 1);
}

/* What an explanation's lane item says; a call and its result may need two lines. */
static int lane_lines(const struct moment *at, char first[LANE_TEXT + 40],
                      char second[LANE_TEXT + 40]);

static void place_all(struct picture *p) {
    struct edge e;
    for (int host = 0; host < HOSTS; host++)
        e.sent[host] = e.arrived[host] = e.state[host] = e.text[host] = p->top - APART;
    e.note = p->top - 10;
    for (long i = 0; i < p->m.count; i++) {
        struct moment *at = &p->m.list[i];
        char first[LANE_TEXT + 40], second[LANE_TEXT + 40];
        int note = 0, lines = lane_lines(at, first, second);
        at->y = larger(i ? at[-1].y + span(p, i) : p->top, lowest(p, at, &e));
        if (at->departs)
            e.sent[at->host] = at->y;
        if (at->arrives)
            e.arrived[at->host] = at->y;
        if (at->row->lanes[at->host].kind == LANE_STATE)
            e.state[at->host] = at->y;
        for (int k = 0; k < at->row->note_count; k++) {
            if (!note_text(p, at->row->notes[k]) || !explains(p, at, at->row->notes[k]))
                continue;
            p->notes = log_room(p->notes, p->note_count, &p->note_room, sizeof *p->notes);
            p->notes[p->note_count++] =
                (struct text_at){at->row->notes[k], larger(at->y, e.note), 0};
            e.note = p->notes[p->note_count - 1].y + note_height(p, at->row->notes[k]);
            note = (int)p->note_count;
        }
        if (lines || note)
            place_text(p, i, &e, note, lines ? lines : 1);
    }
    p->bottom = larger(larger(e.text[CLIENT], e.text[SERVER]), e.note - LINE);
    if (p->m.count)
        p->bottom = larger(p->bottom, p->m.list[p->m.count - 1].y) + LINE;
}

/* ---- the lanes ----------------------------------------------------------------------------------- */

/* "10.0.0.1:46048" has a port that is another each time. */
static void hide_port(char *text) {
    char *colon = strrchr(text, ':');
    if (colon && atol(colon + 1) >= 32768)
        strcpy(colon, ":...");
}

static int lane_lines(const struct moment *at, char first[LANE_TEXT + 40],
                      char second[LANE_TEXT + 40]) {
    const struct lane *lane = &at->row->lanes[at->host];
    double room = CLIENT_BAR - LEADER - RULER - 6, waited;
    char unit[8], *after;
    first[0] = second[0] = '\0';
    if (lane->kind == LANE_EMPTY)
        return 0;
    snprintf(first, LANE_TEXT, "%s", lane->text);
    if (lane->kind == LANE_WHY && (after = strstr(first, " after ")) != NULL &&
        sscanf(after, " after %lf %7s", &waited, unit) == 2)
        snprintf(after, LANE_TEXT - (size_t)(after - first), " after %.6g %s",
                 (double)round_wait((int64_t)(waited * 1e6)) / 1e6, unit);
    if (lane->kind == LANE_PRINTS)
        hide_port(first);
    if (lane->kind == LANE_ENTERS)
        strcat(first, " ...");
    if (lane->kind == LANE_CALL || lane->kind == LANE_EXIT)
        snprintf(second, LANE_TEXT, "= %s", lane->result);
    else if (lane->kind == LANE_WHY)
        snprintf(second, LANE_TEXT, "%s", lane->result);
    if (second[0] && width_of(first) + width_of(second) + 4 <= room) {
        strcat(strcat(first, " "), second);
        second[0] = '\0';
    }
    size_t fits = first_line(first, room);
    if (!second[0] && first[fits]) {
        snprintf(second, LANE_TEXT, "%s", first + fits + 1);
        first[fits] = '\0';
    }
    return second[0] ? 2 : 1;
}

/* The class of a state, "ESTABLISHED" of "ESTABLISHED [2]". */
static const char *state_class(const char *text, char class[24]) {
    snprintf(class, 24, "%.*s", (int)strcspn(text, " "), text);
    return class;
}

/* A text of a lane: its number, its line to the bar, itself. */
static void draw_text(const struct picture *p, int host, const struct text_at *t) {
    const struct moment *at = &p->m.list[t->moment];
    const struct lane *lane = &at->row->lanes[host];
    char first[LANE_TEXT + 40], second[LANE_TEXT + 40], class[24] = "";
    int left = host == CLIENT;
    double bar = left ? CLIENT_BAR : SERVER_BAR + BAR_WIDTH,
           x = left ? CLIENT_BAR - LEADER : SERVER_BAR + BAR_WIDTH + LEADER;
    int lines = lane_lines(at, first, second);
    fprintf(p->out, "<path class=\"leader\" d=\"M%.0f %.1fL%.0f %.1f\"/>", bar, at->y,
            left ? x + 2 : x - 2, t->y);
    if (lane->kind == LANE_STATE)
        state_class(lane->text, class);
    const char *kind = lane->kind == LANE_STATE ? "state " : lane->kind == LANE_WHY ? "again" : "";
    for (int line = 0; line < lines; line++) {
        fprintf(p->out, "<text class=\"%s%s\" x=\"%.0f\" y=\"%.1f\"%s>", kind, class, x,
                t->y + 4 + LINE * line, left ? " text-anchor=\"end\"" : "");
        svg_text(p->out, line ? second : first);
        fprintf(p->out, "</text>");
    }
    if (t->note) {
        double off = lines ? width_of(first) + 11 : 6;
        fprintf(p->out,
                "<circle class=\"badge\" cx=\"%.1f\" cy=\"%.1f\" r=\"7\"/><text class=\"number\" "
                "x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%d</text>",
                left ? x - off : x + off, t->y, left ? x - off : x + off, t->y + 3.5, t->note);
    }
    fprintf(p->out, "\n");
}

/* A state's piece of a bar. A listening socket's runs along the outer edge. */
static void draw_bar(const struct picture *p, int host, const char *state, double from,
                     double to, int column, int columns, int listener) {
    char class[24];
    double inner = listener ? BAR_WIDTH - 4 : BAR_WIDTH, width = inner / columns;
    double x = bars[host] + (host == CLIENT && listener ? 4 : 0) + width * column;
    if (strcmp(state_class(state, class), "CLOSED") == 0 || to <= from)
        return;
    if (strcmp(class, "LISTEN") == 0) {
        x = bars[host] + (host == CLIENT ? 0 : BAR_WIDTH - 4);
        width = 4;
    }
    fprintf(p->out,
            "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", class,
            x, from, width, to - from);
}

/* "SYN_RCVD [2]" is of the second connection: column 1. */
static int column_of(const char *state) {
    const char *mark = strchr(state, '[');
    int number = mark ? atoi(mark + 1) : 1;
    return number < 1 ? 0 : number > 4 ? 3 : number - 1;
}

enum { COLUMNS = 4 };

/* When the listening socket is closed, on the axis. */
static double listener_ends(const struct picture *p, int host) {
    for (long i = 0; i < p->log->event_count; i++) {
        const struct event *e = &p->log->events[i];
        if (e->kind != EV_STATE || e->host != host || !e->listener || e->state != CLOSED)
            continue;
        for (long k = 0; k < p->m.count; k++)
            if (p->m.list[k].real >= e->time)
                return p->m.list[k].y;
    }
    return p->bottom;
}

static void draw_bars(const struct picture *p, int host) {
    const char *now[COLUMNS] = {"CLOSED", "CLOSED", "CLOSED", "CLOSED"};
    double since[COLUMNS] = {0};
    int columns = 1, listener = 0;
    fprintf(p->out, "<rect class=\"lane\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>\n",
            bars[host], p->top, BAR_WIDTH, p->bottom - p->top);
    for (long i = 0; i < p->m.count; i++) {
        const struct lane *lane = &p->m.list[i].row->lanes[host];
        if (p->m.list[i].host != host || lane->kind != LANE_STATE)
            continue;
        listener |= strcmp(lane->text, "LISTEN") == 0;
        if (column_of(lane->text) >= columns)
            columns = column_of(lane->text) + 1;
    }
    for (long i = 0; i < p->m.count; i++) {
        const struct moment *at = &p->m.list[i];
        const struct lane *lane = &at->row->lanes[host];
        if (at->host != host || lane->kind != LANE_STATE)
            continue;
        int column = column_of(lane->text);
        if (strcmp(lane->text, "LISTEN") == 0) {
            draw_bar(p, host, "LISTEN", at->y, listener_ends(p, host), 0, columns, listener);
            continue;
        }
        draw_bar(p, host, now[column], since[column], at->y, column, columns, listener);
        now[column] = lane->text;
        since[column] = at->y;
    }
    for (int column = 0; column < columns; column++)
        draw_bar(p, host, now[column], since[column], p->bottom, column, columns, listener);
}

/* ---- arrows -------------------------------------------------------------------------------------- */

struct arrow {
    const struct row *row; /* where it is named: that of its sending, or of a second copy */
    int from;
    double x1, y1, x2, y2;
    int64_t took; /* ns, NO_INDEX: it does not arrive */
    int lost, cut, damaged, copy;
};

/* True when a frame of the other host is on the cable at the same time: then the names must not meet. */
static int is_crossed(const struct picture *p, long sent, long ends) {
    for (long i = sent + 1; i < ends; i++)
        if (p->m.list[i].row->frame != NO_INDEX &&
            p->m.list[i].row->from != p->m.list[sent].host)
            return 1;
    return 0;
}

/* A matrix that turns the x axis into the direction of (dx, dy), at x, y. */
static void turn(FILE *out, double dx, double dy, double x, double y) {
    double length = larger(dx * dx, dy * dy) + 1, square = dx * dx + dy * dy;
    for (int i = 0; i < 30; i++) /* the square root, by Newton: no libm */
        length = (length + square / length) / 2;
    fprintf(out, "transform=\"matrix(%.4f %.4f %.4f %.4f %.1f %.1f)\"", dx / length,
            dy / length, -dy / length, dx / length, x, y);
}

/* Along the arrow, above it; beside its beginning when another frame crosses it. */
static void draw_name(const struct picture *p, const struct arrow *a, int centred) {
    char text[EVENT_TEXT];
    double x = a->from == CLIENT ? a->x1 + 10 : a->x1 - 10;
    if (centred)
        x = (bars[CLIENT] + BAR_WIDTH + bars[SERVER]) / 2.0;
    double slant = (a->y2 - a->y1) / (a->x2 - a->x1), y = a->y1 + slant * (x - a->x1);
    if (slant > 0.8 || slant < -0.8)
        slant = 0; /* too steep to be read */
    term_frame_label(p->log, a->row, 27, text);
    fprintf(p->out, "<text class=\"name%s\" ",
            p->log->frames[a->row->frame].again ? " again" : "");
    turn(p->out, 1, slant, x, y);
    fprintf(p->out, " y=\"-4\" text-anchor=\"%s\">",
            centred             ? "middle"
            : a->from == CLIENT ? "start"
                                : "end");
    svg_text(p->out, text);
    fprintf(p->out, "%s%s</text>\n", a->damaged ? " damaged" : "", a->lost ? " lost" : "");
}

static void draw_arrow(const struct picture *p, const struct arrow *a, int centred) {
    const struct logged_frame *frame = &p->log->frames[a->row->frame];
    const char *class = a->lost                     ? "lost"
                        : frame->f.kinds & KIND_RST ? "rst"
                        : frame->again              ? "again"
                                                    : "";
    fprintf(p->out, "<line class=\"arrow %s%s\" data-from=\"%s\" data-frame=\"%ld\"", class,
            a->cut ? " cut" : "", host_names[a->from], a->row->frame + 1);
    if (a->took >= 0)
        fprintf(p->out, " data-ms=\"%.6g\"", (double)a->took / 1e6);
    fprintf(p->out, " x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", a->x1, a->y1, a->x2,
            a->y2);
    if (a->lost)
        fprintf(p->out, "<path class=\"lost\" d=\"M%.1f %.1fl12 12m0 -12l-12 12\"/>\n",
                a->x2 - 6, a->y2 - 6);
    else if (a->took >= 0) {
        fprintf(p->out, "<path class=\"head %s\" ", class);
        turn(p->out, a->x2 - a->x1, a->y2 - a->y1, a->x2, a->y2);
        fprintf(p->out, " d=\"M0 0l-10 -4v8z\"/>\n");
    }
    if (!a->copy)
        draw_name(p, a, centred);
}

/* The frame that moment `sent` sends, up to moment `ends`; NO_INDEX: it is lost at once, or still on its way. */
static void draw_frame(const struct picture *p, long sent, long ends) {
    const struct moment *from = &p->m.list[sent];
    struct arrow a = {.row = from->row, .from = from->host, .took = NO_INDEX};
    double left = bars[CLIENT] + BAR_WIDTH, right = bars[SERVER], part = 1;
    a.x1 = a.from == CLIENT ? left : right;
    a.y1 = from->y;
    if (ends != NO_INDEX) {
        const struct moment *to = &p->m.list[ends];
        a.y2 = to->y;
        a.lost = to->lost;
        a.copy = to->row->copy;
        a.damaged = to->row->damaged;
        part = to->lost ? 0.92 : 1;
        if (!to->lost)
            a.took = to->time - from->time;
        for (long i = sent + 1; i <= ends; i++)
            a.cut |= is_cut(p, i);
    } else { /* as far as its name needs, at the usual slant */
        part = from->lost ? 0.75 : 0.5;
        a.lost = from->lost;
        a.cut = !from->lost;
        a.y2 = a.y1 + (p->m.passage ? p->scale * (double)p->m.passage * part : 0);
    }
    a.x2 = a.x1 + (a.from == CLIENT ? 1 : -1) * part * (right - left);
    draw_arrow(p, &a, ends != NO_INDEX && !is_crossed(p, sent, ends));
}

static void draw_frames(const struct picture *p) {
    char *drawn = calloc((size_t)p->log->frame_count + 1, 1);
    if (drawn == NULL)
        return;
    for (long i = 0; i < p->m.count; i++) {
        const struct moment *at = &p->m.list[i];
        long frame = at->row->frame;
        if (frame == NO_INDEX || at->departs || !(at->arrives || at->lost) ||
            p->m.sent[frame] == NO_INDEX)
            continue;
        draw_frame(p, p->m.sent[frame], i);
        drawn[frame] = 1;
    }
    for (long i = 0; i < p->m.count; i++)
        if (p->m.list[i].departs && !drawn[p->m.list[i].row->frame])
            draw_frame(p, i, NO_INDEX);
    free(drawn);
}

/* ---- ruler, explanations, head and foot ---------------------------------------------------------- */

static void draw_ruler(const struct picture *p) {
    double named = 0;
    for (long i = 0; i < p->m.count; i++) {
        const struct moment *at = &p->m.list[i];
        double y = i ? at[-1].y : at->y, scaled = at->y - span(p, i);
        if (is_cut(p, i)) {
            fprintf(p->out,
                    "<rect class=\"cut\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%d\"/>"
                    "<text class=\"dim\" x=\"%d\" y=\"%.1f\" text-anchor=\"middle\">%.6g ms pass"
                    "</text>\n",
                    RULER, scaled + 6, SERVER_BAR + BAR_WIDTH + CLIENT_BAR - 2 * RULER, CUT - 12,
                    (CLIENT_BAR + BAR_WIDTH + SERVER_BAR) / 2, scaled + CUT / 2 + 4,
                    (double)(at->time - at[-1].time) / 1e6);
            scaled = at->y;
        }
        if (scaled > y)
            fprintf(p->out, "<path class=\"spread\" d=\"M%d %.1fV%.1f\"/>\n", RULER, y, scaled);
        if (at->y > scaled)
            fprintf(p->out, "<path class=\"ruler\" d=\"M%d %.1fV%.1f\"/>\n", RULER, scaled,
                    at->y);
        if ((i == 0 || at->time > at[-1].time) && at->y >= named + 11) {
            fprintf(p->out,
                    "<path class=\"ruler\" d=\"M%d %.1fh-4\"/><text class=\"dim\" x=\"%d\" "
                    "y=\"%.1f\" text-anchor=\"end\">%.6g</text>\n",
                    RULER, at->y, RULER - 6, at->y + 4, (double)at->time / 1e6);
            named = at->y;
        }
    }
}

static void draw_notes(const struct picture *p) {
    for (long i = 0; i < p->note_count; i++) {
        const struct text_at *note = &p->notes[i];
        fprintf(p->out,
                "<circle class=\"badge\" cx=\"%d\" cy=\"%.1f\" r=\"7\"/><text class=\"number\" "
                "x=\"%d\" y=\"%.1f\" text-anchor=\"middle\">%ld</text>\n",
                NOTES, note->y, NOTES, note->y + 3.5, i + 1);
        paragraph(p->out, "note", NOTES + 12, note->y + 4, WIDTH - NOTES - 16 - MARGIN / 2,
                  note_text(p, note->moment));
    }
}

static const char style[] =
    "<style>\n"
    "text{font:12px system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#1b1f24}\n"
    ".title{font-size:16px;font-weight:600}.host{font-size:14px;font-weight:600}\n"
    ".paper{fill:#fff}.dim,.foot{fill:#5b6570}.foot{font-size:11px}.note{fill:#1f5f73}\n"
    ".badge{fill:#d7edf3}.number{font-size:10px;fill:#1f5f73}\n"
    ".name{paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}\n"
    ".lane{fill:#eceff2}.leader,.ruler,.spread{fill:none;stroke:#aab3bd}\n"
    ".spread{stroke-dasharray:1 3}.cut{fill:#f1f3f5}\n"
    ".arrow{stroke:#1b1f24;stroke-width:1.4}.head{fill:#1b1f24}.arrow.cut{stroke-dasharray:6 4}\n"
    ".arrow.again{stroke:#9a5b00}.head.again,text.again{fill:#9a5b00}\n"
    ".arrow.rst,.arrow.lost,path.lost{stroke:#c81e1e}.head.rst{fill:#c81e1e}\n"
    "path.lost{fill:none;stroke-width:2.4}.state{font-weight:600;font-size:11.5px}\n"
    ".LISTEN{fill:#64748b}.SYN_SENT{fill:#b45309}.SYN_RCVD{fill:#8a6d00}.ESTABLISHED{fill:#15803d}\n"
    ".FIN_WAIT_1{fill:#1d4ed8}.FIN_WAIT_2{fill:#0e7490}.CLOSING{fill:#6d28d9}.TIME_WAIT{fill:#a21caf}\n"
    ".CLOSE_WAIT{fill:#c2410c}.LAST_ACK{fill:#be123c}.CLOSED{fill:#5b6570}\n"
    "@media(prefers-color-scheme:dark){\n"
    "text{fill:#e6e9ed}.paper{fill:#14171b}.dim,.foot{fill:#98a2ad}.note{fill:#8fd0e4}\n"
    ".badge{fill:#1d3c47}.number{fill:#8fd0e4}.name{stroke:#14171b}\n"
    ".lane{fill:#242a31}.leader,.ruler,.spread{stroke:#56606b}.cut{fill:#20252b}\n"
    ".arrow{stroke:#e6e9ed}.head{fill:#e6e9ed}.arrow.again{stroke:#f0b84a}\n"
    ".head.again,text.again{fill:#f0b84a}\n"
    ".arrow.rst,.arrow.lost,path.lost{stroke:#ff7b72}.head.rst{fill:#ff7b72}\n"
    ".LISTEN{fill:#94a3b8}.SYN_SENT{fill:#fbbf24}.SYN_RCVD{fill:#e3c43b}.ESTABLISHED{fill:#4ade80}\n"
    ".FIN_WAIT_1{fill:#60a5fa}.FIN_WAIT_2{fill:#22d3ee}.CLOSING{fill:#a78bfa}.TIME_WAIT{fill:#e879f9}\n"
    ".CLOSE_WAIT{fill:#fb923c}.LAST_ACK{fill:#fb7185}.CLOSED{fill:#98a2ad}}\n"
    "</style>\n";

static void draw_head(const struct picture *p, const char *const labels[HOSTS], double height) {
    const struct scene *scene = p->scene;
    const char *title = scene && scene->title ? scene->title : "One connection";
    fprintf(p->out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" width=\"%d\" "
            "height=\"%.0f\" role=\"img\">\n<title>",
            WIDTH, height, WIDTH, height);
    svg_text(p->out, title);
    fprintf(p->out, "</title>\n%s<rect class=\"paper\" width=\"%d\" height=\"%.0f\"/>\n", style,
            WIDTH, height);
    fprintf(p->out, "<text class=\"title\" x=\"%d\" y=\"26\">", MARGIN);
    svg_text(p->out, title);
    fprintf(p->out, "</text>\n");
    if (scene && scene->intro)
        paragraph(p->out, "dim", MARGIN, 46, WIDTH - 2 * MARGIN, scene->intro);
    for (int host = 0; host < HOSTS; host++)
        fprintf(p->out,
                "<text class=\"host\" x=\"%d\" y=\"%.0f\" text-anchor=\"middle\">%s</text>"
                "<text class=\"dim\" x=\"%d\" y=\"%.0f\" text-anchor=\"middle\">%s</text>\n",
                bars[host] + BAR_WIDTH / 2, p->top - 32, host_names[host],
                bars[host] + BAR_WIDTH / 2, p->top - 17, labels[host]);
    fprintf(p->out, "<text class=\"dim\" x=\"%d\" y=\"%.0f\" text-anchor=\"end\">ms</text>\n",
            RULER - 6, p->top - 17);
    if (scene && scene->figure) {
        fprintf(p->out, "<text class=\"dim\" x=\"%d\" y=\"%.0f\" text-anchor=\"end\">",
                WIDTH - MARGIN, p->top - 32);
        svg_text(p->out, scene->figure);
        fprintf(p->out, "</text>\n");
    }
}

static void draw_foot(const struct picture *p) {
    int stretched = 0, cuts = 0;
    for (long i = 1; i < p->m.count; i++) {
        cuts |= is_cut(p, i);
        stretched |= p->m.list[i].y > p->m.list[i - 1].y + span(p, i) + 0.5;
    }
    fprintf(p->out, "<text class=\"foot\" x=\"%d\" y=\"%.0f\">Time runs down", MARGIN,
            p->bottom + 24);
    if (p->m.passage)
        fprintf(p->out, ", to scale: a frame is on its way for %.6g ms",
                (double)p->m.passage / 1e6);
    fprintf(p->out, ".%s%s</text>\n",
            stretched ? " Dots at the left: one instant, spread out." : "",
            cuts ? " Grey: a time in which nothing happens, cut out." : "");
}

void svg_ladder(FILE *out, const struct rows *rows, const struct log *log,
                const struct scene *scene, const char *const labels[HOSTS]) {
    struct picture p = {.out = out, .log = log, .scene = scene};
    int intro = scene && scene->intro
                    ? paragraph(NULL, "", 0, 0, WIDTH - 2 * MARGIN, scene->intro)
                    : 0;
    moments_make(&p.m, rows, log);
    p.top = 46 + LINE * intro + 50;
    choose_scale(&p);
    place_all(&p);
    draw_head(&p, labels, p.bottom + 36);
    draw_ruler(&p);
    for (int host = 0; host < HOSTS; host++)
        draw_bars(&p, host);
    draw_frames(&p);
    for (int host = 0; host < HOSTS; host++)
        for (long i = 0; i < p.text_count[host]; i++)
            draw_text(&p, host, &p.texts[host][i]);
    draw_notes(&p);
    draw_foot(&p);
    fprintf(out, "</svg>\n");
    for (int host = 0; host < HOSTS; host++)
        free(p.texts[host]);
    free(p.notes);
    moments_free(&p.m);
}
