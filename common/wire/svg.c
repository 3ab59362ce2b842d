/* svg.c - see svg.h. First everything gets its place, then all is written from top to
 * bottom. */
#include "svg.h"
#include "moments.h"
#include "term.h"

#include <stdlib.h>
#include <string.h>

/* All in px. From the left: times, the ruler, the client's texts, its bar, the cable, the
 * server's bar, its texts, explanations. */
enum {
    WIDTH = 800,
    MARGIN = 12,
    RULER = 44,
    BAR_WIDTH = 12,
    CLIENT_BAR = 178, /* left edge */
    SERVER_BAR = 434,
    LEADER = 14, /* between bar and text */
    NOTES = 596,
    LINE = 14,        /* from one text to the next below it */
    APART = 17,       /* arrows of one host, with their names between */
    PASSAGE = 38,     /* what the usual passage of a frame goes down: it sets the scale */
    CUT = 34,         /* a time that is cut out */
    DODGE = 30,       /* how far a text may stand below its moment */
    NOTE_DODGE = 300, /* the same of an explanation */
    NEAR = 400        /* moments: how far is looked for what concerns one of them */
};
#define LOST_PART 0.75 /* of the way: where a lost frame's X is drawn */

static const int bars[HOSTS] = {CLIENT_BAR, SERVER_BAR};

struct text_at { /* in the lane of a host, or in the column of explanations */
    long moment;
    double y;        /* of its middle */
    int first, last; /* numbers of the explanations that belong to it; last 0: none */
};

struct picture {
    FILE *out;
    const struct log *log;
    const struct scene *scene;
    struct moments m;
    double scale;       /* px per ns */
    int64_t cut;        /* ns: longer times without an event are cut out */
    double top, bottom; /* of the ladder */
    double height;      /* of all */
    struct text_at *texts[HOSTS], *notes;
    long text_count[HOSTS], text_room[HOSTS], note_count, note_room;
};

/* ---- text ---------------------------------------------------------------------------- */

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

/* How wide a text of 12 px is, by the widest of the usual fonts (DejaVu Sans, Verdana). */
static double width_of(const char *text) {
    double width = 0;
    for (; *text; text++)
        width += strchr("ijl.,:;'|! ", *text)   ? 3.9
                 : strchr("frt-()[]\"", *text)  ? 5
                 : strchr("mwMW@%=+<>", *text)  ? 10.2
                 : *text >= 'A' && *text <= 'Z' ? 8.6
                 : *text >= '0' && *text <= '9' ? 7.7
                                                : 7.3;
    return width;
}

/* The length of the first line of `text` broken at `width` px: whole words, one at least.
 */
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

/* Writes `text` in lines of `width` px from y on, LINE apart; out may be NULL. Returns how
 * many. */
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

/* ---- places -------------------------------------------------------------------------- */

static double larger(double a, double b) {
    return a > b ? a : b;
}

static double smaller(double a, double b) {
    return a < b ? a : b;
}

static const char *note_text(const struct picture *p, long expectation) {
    return p->scene && expectation >= 0 && expectation < p->scene->expectation_count
               ? p->scene->expectations[expectation].text
               : NULL;
}

/* Whether an explanation belongs to this moment of its row: the event that it explains says
 * which host's. */
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
    double sent[HOSTS], arrived[HOSTS], state[HOSTS], text[HOSTS], note, lost;
};

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

static double lowest(const struct picture *p, const struct moment *at,
                     const struct edge *e) {
    int host = at->host;
    double y = 0;
    if (at->departs)
        y = larger(y, larger(e->sent[host] + APART, e->arrived[host] + 5));
    if (at->departs && p->m.passage == 0) /* all arrows are level */
        y = larger(y, e->sent[!host] + APART);
    if (at->arrives)
        y = larger(y, larger(e->arrived[host] + (APART - 2) * (1 + lost_before(p, at)),
                             e->sent[host] + 5));
    if (at->row->lanes[host].kind != LANE_EMPTY)
        y = larger(y, e->text[host] + LINE - DODGE);
    if (at->row->lanes[host].kind == LANE_STATE)
        y = larger(y, e->state[host] + 8);
    for (int i = 0; i < at->row->note_count; i++)
        if (note_text(p, at->row->notes[i]) && explains(p, at, at->row->notes[i]))
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

/* What the lane says, and in how many lines: a call and its result may need two. */
static int lane_lines(const struct moment *at, char first[LANE_TEXT + 40],
                      char second[LANE_TEXT + 40]);

static void place_all(struct picture *p) {
    struct edge e;
    for (int host = 0; host < HOSTS; host++)
        e.sent[host] = e.arrived[host] = e.state[host] = e.text[host] = p->top - APART;
    e.note = p->top - 10;
    e.lost = p->top;
    for (long i = 0; i < p->m.count; i++) {
        struct moment *at = &p->m.list[i];
        char first[LANE_TEXT + 40], second[LANE_TEXT + 40];
        int known = (int)p->note_count, lines = lane_lines(at, first, second);
        at->y = larger(i ? at[-1].y + span(p, i) : p->top, lowest(p, at, &e));
        at->cuts = i ? at[-1].cuts + is_cut(p, i) : 0;
        if (is_cut(p, i)) /* below all that belongs to the time before */
            at->y =
                larger(at->y, larger(e.lost, larger(e.text[CLIENT], e.text[SERVER])) + CUT);
        if (at->departs && at->lost)
            e.lost = at->y + p->scale * (double)p->m.passage * LOST_PART + 4;
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
                (struct text_at){at->row->notes[k], larger(at->y, e.note), 0, 0};
            e.note = p->notes[p->note_count - 1].y + note_height(p, at->row->notes[k]);
        }
        if (lines || p->note_count > known)
            place_text(p, i, &e, known + 1, p->note_count > known ? (int)p->note_count : 0,
                       lines ? lines : 1);
    }
    p->bottom = larger(larger(e.text[CLIENT], e.text[SERVER]), e.lost);
    if (p->m.count)
        p->bottom = larger(p->bottom, p->m.list[p->m.count - 1].y) + LINE;
    p->height = larger(p->bottom, e.note) + 24 + LINE;
}

/* ---- the lanes ----------------------------------------------------------------------- */

/* "10.0.0.1:46048" has a port that is another each time. */
static void hide_port(char *text) {
    char *colon = strrchr(text, ':');
    if (colon && atol(colon + 1) >= 32768)
        strcpy(colon, ":...");
}

/* "220 ms", "3 s". */
static void wait_text(char *text, double ms) {
    double rounded = (double)round_wait((int64_t)(ms * 1e6)) / 1e6;
    snprintf(text, 20, rounded < 1000 ? "%.6g ms" : "%.6g s",
             rounded < 1000 ? rounded : rounded / 1e3);
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
        wait_text(after + 7, strcmp(unit, "s") == 0 ? waited * 1e3 : waited);
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
    snprintf(class, 24, "%.*s", (int)strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_12"), text);
    return class;
}

static void draw_badge(const struct picture *p, double x, double y, int number) {
    fprintf(
        p->out,
        "<circle class=\"badge\" cx=\"%.0f\" cy=\"%.1f\" r=\"7\"/><text class=\"number\" "
        "x=\"%.0f\" y=\"%.1f\" text-anchor=\"middle\">%d</text>",
        x, y, x, y + 3.5, number);
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
    const char *kind = lane->kind == LANE_STATE ? "state "
                       : lane->kind == LANE_WHY ? "again"
                                                : "";
    for (int line = 0; line < lines; line++) {
        fprintf(p->out, "<text class=\"%s%s\" x=\"%.0f\" y=\"%.1f\"%s>", kind, class, x,
                t->y + 4 + LINE * line, left ? " text-anchor=\"end\"" : "");
        svg_text(p->out, line ? second : first);
        fprintf(p->out, "</text>");
    }
    for (int note = t->first; note <= t->last; note++) {
        double off = (lines ? width_of(first) * (class[0] ? 1.06 : 1) + 11 : 6) +
                     16 * (left ? t->last - note : note - t->first);
        double at_x = left ? larger(x - off, RULER + 9)
                           : smaller(x + off, NOTES - 16 * (t->last - note + 1));
        draw_badge(p, at_x, t->y, note);
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
            "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
            class, x, from, width, to - from);
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
    int columns = 1, listener = 0, listens = 0;
    fprintf(p->out,
            "<rect class=\"lane\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>\n",
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
            if (!listens)
                draw_bar(p, host, "LISTEN", at->y, listener_ends(p, host), 0, columns, 1);
            listens = 1; /* a second time: what was half open is no more */
            for (column = 0; column < columns; column++)
                if (strncmp(now[column], "SYN_RCVD", 8) == 0) {
                    draw_bar(p, host, now[column], since[column], at->y, column, columns,
                             1);
                    now[column] = "CLOSED";
                }
            continue;
        }
        draw_bar(p, host, now[column], since[column], at->y, column, columns, listener);
        now[column] = lane->text;
        since[column] = at->y;
    }
    for (int column = 0; column < columns; column++)
        draw_bar(p, host, now[column], since[column], p->bottom, column, columns, listener);
}

/* ---- arrows -------------------------------------------------------------------------- */

struct arrow {
    const struct row *row; /* that of its sending */
    double x1, y1, x2, y2;
    double name_x, name_width; /* its name's middle; 0: not placed yet */
    int64_t took;              /* ns; NO_INDEX: it does not arrive */
    int from, lost, cut, damaged, copy;
};

struct arrows {
    struct arrow *list;
    long count, room;
};

static double slope(const struct arrow *a) {
    return (a->y2 - a->y1) / (a->x2 - a->x1);
}

static double height_at(const struct arrow *a, double x) {
    return a->y1 + slope(a) * (x - a->x1);
}

static int reaches(const struct arrow *a, double x) {
    return (x >= a->x1 && x <= a->x2) || (x >= a->x2 && x <= a->x1);
}

static double root(double square) { /* by Newton: nothing is linked for it */
    double r = square + 1;
    for (int i = 0; i < 40; i++)
        r = (r + square / r) / 2;
    return r;
}

/* The cosine of the angle that the arrow makes with a level line. */
static double levelness(const struct arrow *a) {
    return 1 / root(1 + slope(a) * slope(a));
}

/* How badly a name on arrow i, over `width` px of x around x, meets others and their names.
 */
static int meets(const struct arrows *all, long i, double x, double width) {
    const struct arrow *a = &all->list[i];
    double level = levelness(a);
    int hits = 0;
    for (long k = i > 40 ? i - 40 : 0; k < all->count && k < i + 40; k++) {
        const struct arrow *b = &all->list[k];
        for (int part = -3; k != i && part <= 3; part++) {
            double at = x + width * part / 6,
                   apart = (height_at(b, at) - height_at(a, at)) * level;
            if (reaches(b, at) && apart > -14 && apart < 0)
                hits++;
            if (b->name_width > 0 && at > b->name_x - b->name_width / 2 - 4 &&
                at < b->name_x + b->name_width / 2 + 4 && apart > -13 && apart < 13)
                hits += 3;
        }
    }
    return hits;
}

static void arrow_name(const struct picture *p, const struct arrow *a,
                       char text[EVENT_TEXT + 20]) {
    term_frame_label(p->log, a->row, 26, text);
    strcat(text, a->damaged ? " damaged" : "");
    strcat(strcat(text, a->copy ? " copy" : ""), a->lost ? " lost" : "");
}

/* In the middle, or where it meets others least. */
static void place_name(const struct picture *p, struct arrows *all, long i) {
    struct arrow *a = &all->list[i];
    char text[EVENT_TEXT + 20];
    int least = 1000;
    arrow_name(p, a, text);
    double width = width_of(text) * levelness(a), middle = (a->x1 + a->x2) / 2;
    double room = ((a->x2 > a->x1 ? a->x2 - a->x1 : a->x1 - a->x2) - width) / 2 - 12;
    for (int try = 0; try < 9; try++) {
        static const double parts[] = {0, -1, 1, -0.5, 0.5, -0.75, 0.75, -0.25, 0.25};
        double x =
            middle + (room > 0 ? room : 0) * parts[try] * (a->from == CLIENT ? 1 : -1);
        int hits = meets(all, i, x, width);
        if (hits < least) {
            least = hits;
            a->name_x = x;
        }
    }
    a->name_width = width;
}

/* A matrix that turns the x axis into the direction of (dx, dy), at x, y. */
static void turn(FILE *out, double dx, double dy, double x, double y) {
    double length = root(dx * dx + dy * dy);
    fprintf(out, "transform=\"matrix(%.4f %.4f %.4f %.4f %.1f %.1f)\"", dx / length,
            dy / length, -dy / length, dx / length, x, y);
}

static void draw_name(const struct picture *p, const struct arrow *a) {
    char text[EVENT_TEXT + 20];
    arrow_name(p, a, text);
    fprintf(p->out, "<text class=\"name%s\" ",
            p->log->frames[a->row->frame].again ? " again" : "");
    turn(p->out, 1, slope(a), a->name_x, height_at(a, a->name_x));
    fprintf(p->out, " y=\"-4\" text-anchor=\"middle\">");
    svg_text(p->out, text);
    fprintf(p->out, "</text>\n");
}

static void draw_arrow(const struct picture *p, const struct arrow *a) {
    const struct logged_frame *frame = &p->log->frames[a->row->frame];
    const char *class = a->lost                     ? "lost"
                        : frame->f.kinds & KIND_RST ? "rst"
                        : frame->again              ? "again"
                                                    : "";
    fprintf(p->out, "<line class=\"arrow %s%s\" data-from=\"%s\" data-frame=\"%ld\"", class,
            a->cut ? " cut" : "", host_names[a->from], a->row->frame + 1);
    if (a->took >= 0)
        fprintf(p->out, " data-ms=\"%.6g\"", (double)a->took / 1e6);
    fprintf(p->out, " x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", a->x1, a->y1,
            a->x2, a->y2);
    if (a->lost) {
        fprintf(p->out, "<path class=\"lost\" d=\"M%.1f %.1fl12 12m0 -12l-12 12\"/>",
                a->x2 - 6, a->y2 - 6);
    } else if (a->took >= 0) {
        fprintf(p->out, "<path class=\"head %s\" ", class);
        turn(p->out, a->x2 - a->x1, a->y2 - a->y1, a->x2, a->y2);
        fprintf(p->out, " d=\"M0 0l-10 -4v8z\"/>");
    }
    fprintf(p->out, "\n");
}

/* Where the frame of moment `sent` would have arrived: after the usual passage, and after
 * those sent before it and before those sent after it. */
static double would_arrive(const struct picture *p, long sent) {
    const struct moment *list = p->m.list;
    int64_t time = list[sent].time + p->m.passage;
    double y = list[sent].y, after = 0, before = 1e9;
    long i = sent;
    while (i + 1 < p->m.count && i < sent + NEAR && list[i + 1].time <= time)
        i++;
    y = larger(list[i].y, list[i].y + p->scale * (double)(time - list[i].time));
    for (i = sent + 1;
         i < p->m.count && i < sent + NEAR && list[i].time <= time + p->m.passage; i++) {
        if (!list[i].arrives || list[i].host == list[sent].host ||
            p->m.sent[list[i].row->frame] == NO_INDEX)
            continue;
        if (p->m.sent[list[i].row->frame] < sent)
            after = list[i].y;
        else if (list[i].y < before)
            before = list[i].y;
    }
    return y < after + 8 ? after + 8 : y > before - 8 ? before - 8 : y;
}

/* The frame that moment `sent` sends, up to moment `ends`; NO_INDEX: it is lost at once, or
 * still on its way. */
static void add_arrow(const struct picture *p, struct arrows *all, long sent, long ends) {
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
        a.cut = to->cuts != from->cuts;
    } else {
        part = LOST_PART;
        a.lost = from->lost;
        a.cut = !from->lost;
        a.y2 = a.y1 + (would_arrive(p, sent) - a.y1) * part;
    }
    a.x2 = a.x1 + (a.from == CLIENT ? 1 : -1) * part * (right - left);
    all->list = log_room(all->list, all->count, &all->room, sizeof *all->list);
    all->list[all->count++] = a;
}

static int by_height(const void *a, const void *b) {
    const struct arrow *x = a, *y = b;
    if (x->y1 != y->y1)
        return x->y1 < y->y1 ? -1 : 1;
    if (x->row->frame != y->row->frame)
        return x->row->frame < y->row->frame ? -1 : 1;
    return x->copy - y->copy;
}

static void draw_frames(const struct picture *p) {
    struct arrows all = {0};
    char *drawn = calloc((size_t)p->log->frame_count + 1, 1);
    for (long i = 0; drawn && i < p->m.count; i++) {
        const struct moment *at = &p->m.list[i];
        long frame = at->row->frame;
        if (frame == NO_INDEX || at->departs || !(at->arrives || at->lost) ||
            p->m.sent[frame] == NO_INDEX)
            continue;
        add_arrow(p, &all, p->m.sent[frame], i);
        drawn[frame] = 1;
    }
    for (long i = 0; drawn && i < p->m.count; i++)
        if (p->m.list[i].departs && !drawn[p->m.list[i].row->frame])
            add_arrow(p, &all, i, NO_INDEX);
    if (all.count > 0)
        qsort(all.list, (size_t)all.count, sizeof *all.list, by_height);
    for (long i = 0; i < all.count; i++) {
        place_name(p, &all, i);
        draw_arrow(p, &all.list[i]);
    }
    for (long i = 0; i < all.count; i++)
        draw_name(p, &all.list[i]);
    free(all.list);
    free(drawn);
}

/* ---- ruler, explanations, head and foot ---------------------------------------------- */

/* Of a time in ms: as many as are told, and as there is room for. */
static int decimals(const struct picture *p, int64_t time) {
    return p->m.grain >= 1000000 || time >= 1000000000 ? 0 : time >= 10000000 ? 1 : 2;
}

static void draw_ruler(const struct picture *p) {
    double named = 0;
    for (long i = 0; i < p->m.count; i++) {
        const struct moment *at = &p->m.list[i];
        double y = i ? at[-1].y : at->y, scaled = at->y - span(p, i);
        if (is_cut(p, i)) {
            double passed = (double)(at->time - at[-1].time) / 1e6;
            fprintf(p->out,
                    "<rect class=\"cut\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%d\"/>"
                    "<text class=\"dim\" x=\"%d\" y=\"%.1f\">%.4g %s pass</text>\n",
                    RULER, scaled + 6, SERVER_BAR + BAR_WIDTH + CLIENT_BAR - 2 * RULER,
                    CUT - 12, RULER + 8, scaled + CUT / 2 + 4,
                    passed < 1e4 ? passed : passed / 1e3, passed < 1e4 ? "ms" : "s");
            scaled = at->y;
        }
        if (scaled > y)
            fprintf(p->out, "<path class=\"spread\" d=\"M%d %.1fV%.1f\"/>\n", RULER, y,
                    scaled);
        if (at->y > scaled)
            fprintf(p->out, "<path class=\"ruler\" d=\"M%d %.1fV%.1f\"/>\n", RULER, scaled,
                    at->y);
        if ((i == 0 || at->time > at[-1].time) && at->y >= named + 11) {
            fprintf(
                p->out,
                "<path class=\"ruler\" d=\"M%d %.1fh-4\"/><text class=\"time\" x=\"%d\" "
                "y=\"%.1f\" text-anchor=\"end\">%.*f</text>\n",
                RULER, at->y, RULER - 6, at->y + 4, decimals(p, at->time),
                (double)at->time / 1e6);
            named = at->y;
        }
    }
}

static void draw_notes(const struct picture *p) {
    for (long i = 0; i < p->note_count; i++) {
        const struct text_at *note = &p->notes[i];
        draw_badge(p, NOTES, note->y, (int)i + 1);
        paragraph(p->out, "note", NOTES + 12, note->y + 4, WIDTH - NOTES - 16 - MARGIN / 2,
                  note_text(p, note->moment));
    }
}

static const char style[] =
    "<style>\n"
    "text{font:12px system-ui,'Segoe UI',Roboto,'Helvetica "
    "Neue',Arial,sans-serif;fill:#1b1f24}\n"
    ".title{font-size:16px;font-weight:600}.host{font-size:14px;font-weight:600}\n"
    ".paper{fill:#fff}.dim,.time,.foot{fill:#5b6570}.time,.foot{font-size:11px}.note{fill:#"
    "1f5f73}\n"
    ".badge{fill:#d7edf3}.number{font-size:10px;fill:#1f5f73}\n"
    ".name{paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}\n"
    ".lane{fill:#eceff2}.leader,.ruler,.spread{fill:none;stroke:#aab3bd}\n"
    ".spread{stroke-dasharray:1 3}.cut{fill:#f1f3f5}\n"
    ".arrow{stroke:#1b1f24;stroke-width:1.4}.head{fill:#1b1f24}.arrow.cut{stroke-dasharray:"
    "6 4}\n"
    ".arrow.again{stroke:#9a5b00}.head.again,text.again{fill:#9a5b00}\n"
    ".arrow.rst,.arrow.lost,path.lost{stroke:#c81e1e}.head.rst{fill:#c81e1e}\n"
    "path.lost{fill:none;stroke-width:2.4}.state{font-weight:600;font-size:11.5px}\n"
    ".LISTEN{fill:#64748b}.SYN_SENT{fill:#b45309}.SYN_RCVD{fill:#8a6d00}.ESTABLISHED{fill:#"
    "15803d}\n"
    ".FIN_WAIT_1{fill:#1d4ed8}.FIN_WAIT_2{fill:#0e7490}.CLOSING{fill:#6d28d9}.TIME_WAIT{"
    "fill:#a21caf}\n"
    ".CLOSE_WAIT{fill:#c2410c}.LAST_ACK{fill:#be123c}.CLOSED{fill:#5b6570}\n"
    "@media(prefers-color-scheme:dark){\n"
    "text{fill:#e6e9ed}.paper{fill:#14171b}.dim,.time,.foot{fill:#98a2ad}.note{fill:#"
    "8fd0e4}\n"
    ".badge{fill:#1d3c47}.number{fill:#8fd0e4}.name{stroke:#14171b}\n"
    ".lane{fill:#242a31}.leader,.ruler,.spread{stroke:#56606b}.cut{fill:#20252b}\n"
    ".arrow{stroke:#e6e9ed}.head{fill:#e6e9ed}.arrow.again{stroke:#f0b84a}\n"
    ".head.again,text.again{fill:#f0b84a}\n"
    ".arrow.rst,.arrow.lost,path.lost{stroke:#ff7b72}.head.rst{fill:#ff7b72}\n"
    ".LISTEN{fill:#94a3b8}.SYN_SENT{fill:#fbbf24}.SYN_RCVD{fill:#e3c43b}.ESTABLISHED{fill:#"
    "4ade80}\n"
    ".FIN_WAIT_1{fill:#60a5fa}.FIN_WAIT_2{fill:#22d3ee}.CLOSING{fill:#a78bfa}.TIME_WAIT{"
    "fill:#e879f9}\n"
    ".CLOSE_WAIT{fill:#fb923c}.LAST_ACK{fill:#fb7185}.CLOSED{fill:#98a2ad}}\n"
    "</style>\n";

static void draw_head(const struct picture *p, const char *const labels[HOSTS],
                      double height) {
    const struct scene *scene = p->scene;
    const char *title = scene && scene->title ? scene->title : "One connection";
    fprintf(
        p->out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" width=\"%d\" "
        "height=\"%.0f\" role=\"img\">\n<title>",
        WIDTH, height, WIDTH, height);
    svg_text(p->out, title);
    fprintf(p->out, "</title>\n%s<rect class=\"paper\" width=\"%d\" height=\"%.0f\"/>\n",
            style, WIDTH, height);
    fprintf(p->out, "<text class=\"title\" x=\"%d\" y=\"26\">", MARGIN);
    svg_text(p->out, title);
    fprintf(p->out, "</text>\n");
    if (scene && scene->intro)
        paragraph(p->out, "dim", MARGIN, 46, WIDTH - 2 * MARGIN, scene->intro);
    for (int host = 0; host < HOSTS; host++)
        fprintf(
            p->out,
            "<text class=\"host\" x=\"%d\" y=\"%.0f\" text-anchor=\"middle\">%s</text>"
            "<text class=\"dim\" x=\"%d\" y=\"%.0f\" text-anchor=\"middle\">%s</text>\n",
            bars[host] + BAR_WIDTH / 2, p->top - 32, host_names[host],
            bars[host] + BAR_WIDTH / 2, p->top - 17, labels[host]);
    fprintf(p->out,
            "<text class=\"dim\" x=\"%d\" y=\"%.0f\" text-anchor=\"end\">ms</text>\n",
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
    char text[200] = "Time runs down", passage[60] = "";
    if (p->m.passage)
        snprintf(passage, sizeof passage, ", to scale (a frame takes %.6g ms)",
                 (double)p->m.passage / 1e6);
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s.%s%s", passage,
             stretched ? " Dots: one instant, spread out." : "",
             cuts ? " Grey: nothing happens, cut out." : "");
    paragraph(p->out, "foot", MARGIN, p->height - 12, 10000, text);
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
    draw_head(&p, labels, p.height);
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
