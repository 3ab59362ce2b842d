/* svg.c - see svg.h. First everything gets its place (places.c), then all is written from top to
 * bottom. */
#include "svg.h"
#include "picture.h"

#include <stdlib.h>
#include <string.h>

#define MOST_STRETCH 2.1

/* ---- the lanes ----------------------------------------------------------------------- */

/* The class of a state, "ESTABLISHED" of "ESTABLISHED [2]". */
static const char *state_class(const char *text, char class[24]) {
    snprintf(class, 24, "%.*s", (int)strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_12"), text);
    return class;
}

static void draw_badge(const struct picture *p, double x, double y, int number) {
    fprintf(
        p->out,
        "<circle class=\"badge\" cx=\"%.0f\" cy=\"%.1f\" r=\"7\"/><text class=\"number\" "
        "x=\"%.0f\" y=\"%.1f\" text-anchor=\"middle\">%d</text>\n",
        x, y, x, y + 3.5, number);
}

/* A text of a lane: its number, its line to the bar, itself. */
static void draw_text(const struct picture *p, int host, const struct text_at *t) {
    const struct moment *at = &p->m.list[t->moment];
    const struct lane *lane = &at->row->lanes[host];
    char text[LANE_TEXT + CALL_RESULT + 20], class[24] = "", classes[40];
    int left = host == CLIENT;
    double bar = left ? CLIENT_BAR : SERVER_BAR + BAR_WIDTH,
           x = left ? CLIENT_BAR - LEADER : SERVER_BAR + BAR_WIDTH + LEADER, width,
           less = BADGE * (t->last - t->first + 1);
    picture_lane(p, at, text, &width);
    fprintf(p->out, "<path class=\"leader\" d=\"M%.0f %.1fL%.0f %.1f\"/>\n", bar, at->y,
            left ? x + 2 : x - 2, t->y);
    if (lane->kind == LANE_STATE)
        state_class(lane->text, class);
    snprintf(classes, sizeof classes, "%s%s",
             lane->kind == LANE_STATE ? "state "
             : lane->kind == LANE_WHY ? "again"
                                      : "",
             class);
    svg_paragraph(p->out, classes, left ? "end" : "start", x, t->y + 4, width, less, text);
    text[svg_first_line(text, width - less)] = '\0';
    for (int note = t->first; note <= t->last; note++) {
        double off = (text[0] ? svg_width(text) * (class[0] ? 1.06 : 1) + 11 : 6) +
                     BADGE * (left ? t->last - note : note - t->first);
        double at_x = left ? larger(x - off, RULER + 8)
                           : smaller(x + off, NOTES - BADGE * (t->last - note + 1));
        draw_badge(p, at_x, t->y, note);
    }
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

/* ---- ruler, explanations, head and foot ---------------------------------------------- */

/* Of a time in ms: as many as are told, and as there is room for. */
static int decimals(const struct picture *p, int64_t time) {
    return p->m.grain >= 1000000 || time >= 1000000000 ? 0 : time >= 10000000 ? 1 : 2;
}

static void draw_ruler(const struct picture *p) {
    double named = 0;
    for (long i = 0; i < p->m.count; i++) {
        const struct moment *at = &p->m.list[i];
        double y = i ? at[-1].y : at->y, scaled = at->y - picture_span(p, i);
        if (picture_is_cut(p, i)) {
            double passed = (double)(at->time - at[-1].time) / 1e6;
            fprintf(p->out,
                    "<rect class=\"cut\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>"
                    "<text class=\"dim\" x=\"%d\" y=\"%.1f\">%.4g %s pass</text>\n",
                    RULER, scaled + 6, SERVER_BAR + BAR_WIDTH + CLIENT_BAR - 2 * RULER,
                    at->y - scaled - 12, RULER + 8, (scaled + at->y) / 2 + 4,
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
        svg_paragraph(p->out, "note", "start", NOTES + 12, note->y + 4, NOTE_WIDTH, 0,
                      picture_note(p, note->moment));
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
        svg_paragraph(p->out, "dim", "start", MARGIN, 46, WIDTH - 2 * MARGIN, 0,
                      scene->intro);
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
        cuts |= picture_is_cut(p, i);
        stretched |= p->m.list[i].y > p->m.list[i - 1].y + picture_span(p, i) + 0.5;
    }
    char text[200] = "Time runs down", passage[60] = "";
    if (p->m.passage)
        snprintf(passage, sizeof passage, ", to scale (a frame takes %.6g ms)",
                 (double)p->m.passage / 1e6);
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s.%s%s", passage,
             stretched ? " Dots: one instant, spread out." : "",
             cuts ? " Grey: nothing happens, cut out." : "");
    svg_paragraph(p->out, "foot", "start", MARGIN, p->height - 12, 10000, 0, text);
}

void svg_ladder(FILE *out, const struct rows *rows, const struct log *log,
                const struct scene *scene, const char *const labels[HOSTS]) {
    struct picture p = {.out = out, .log = log, .scene = scene, .stretch = 1};
    int intro = scene && scene->intro
                    ? svg_paragraph(NULL, "", "", 0, 0, WIDTH - 2 * MARGIN, 0, scene->intro)
                    : 0;
    moments_make(&p.m, rows, log);
    p.top = 46 + LINE * intro + 50;
    do
        picture_place(&p);
    while (picture_place_arrows(&p) && (p.stretch += 0.2) < MOST_STRETCH);
    draw_head(&p, labels, p.height);
    draw_ruler(&p);
    for (int host = 0; host < HOSTS; host++)
        draw_bars(&p, host);
    picture_draw_arrows(&p);
    for (int host = 0; host < HOSTS; host++)
        for (long i = 0; i < p.text_count[host]; i++)
            draw_text(&p, host, &p.texts[host][i]);
    draw_notes(&p);
    draw_foot(&p);
    fprintf(out, "</svg>\n");
    picture_free(&p);
}
