/* chart.c - see chart.h. A frame with two axes, and lines and marks in it. */
#include "chart.h"
#include "rtt.h"
#include "svgtext.h"

#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 800,
    HEIGHT = 460,
    LEFT = 70,
    RIGHT = 20,
    TOP = 100,
    BOTTOM = 46,
    TICKS = 8
};

struct axes { /* what the edges stand for; x in ms since `zero` */
    double x0, x1, y0, y1;
    int64_t zero; /* of the log's first event */
};

static double larger(double a, double b) {
    return a > b ? a : b;
}

static double px(const struct axes *a, double x) {
    return LEFT + (x - a->x0) / (a->x1 - a->x0) * (WIDTH - LEFT - RIGHT);
}

static double py(const struct axes *a, double y) {
    return HEIGHT - BOTTOM - (y - a->y0) / (a->y1 - a->y0) * (HEIGHT - TOP - BOTTOM);
}

/* ---- the frame ----------------------------------------------------------------------- */

static const char style[] =
    "<style>\n"
    ":root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--dim:#6a737d;--grid:#e4e7eb;"
    "--a:#0b62c4;--b:#c2410c;--c:#15803d;--d:#7e22ce;--bad:#c81e1e}\n"
    "@media(prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e6e9ed;--dim:#98a2ad;"
    "--grid:#2a3038;--a:#6cb2ff;--b:#ff9a5c;--c:#5fd38a;--d:#cda0ff;--bad:#ff7b72}}\n"
    "text{font:13px "
    "system-ui,sans-serif;fill:var(--ink)}.title{font-weight:600;font-size:15px}\n"
    ".dim{fill:var(--dim)}.grid{stroke:var(--grid)}line,path{fill:none;stroke-width:1.5}\n"
    ".a{stroke:var(--a)}.b{stroke:var(--b)}.c{stroke:var(--c)}.d{stroke:var(--d)}"
    ".bad{stroke:var(--bad)}\n"
    ".fa{fill:var(--a)}.fb{fill:var(--b)}.fc{fill:var(--c)}.fd{fill:var(--d)}"
    ".fbad{fill:var(--bad);font-weight:600}\n"
    ".dash{stroke-dasharray:5 4}\n"
    "</style>\n";

/* 1, 2 or 5 times a power of ten, so that a span has at most TICKS of them. */
static double nice_step(double span) {
    static const double grow[] = {2, 2.5, 2};
    double step = 1;
    for (int i = 0; span / step > TICKS; i++)
        step *= grow[i % 3];
    return step;
}

/* The first multiple of step that is not below `from`, which is not below 0. */
static double first_tick(double from, double step) {
    double tick = (double)(int64_t)(from / step) * step;
    return tick < from ? tick + step : tick;
}

static void begin(FILE *out, struct axes *a, const char *title, const char *host,
                  const char *what, const char *unit) {
    if (a->x1 - a->x0 < 1)
        a->x1 = a->x0 + 1;
    if (a->y1 - a->y0 < 1)
        a->y1 = a->y0 + 1;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\" role=\"img\">\n<title>",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    svg_text(out, title);
    fprintf(out, "</title>\n%s", style);
    fprintf(out, "<rect width=\"%d\" height=\"%d\" style=\"fill:var(--paper)\"/>\n", WIDTH,
            HEIGHT);
    fprintf(out, "<text class=\"title\" x=\"14\" y=\"24\">");
    svg_text(out, title);
    fprintf(out,
            "</text>\n<text class=\"dim\" x=\"14\" y=\"44\">%s, as seen by the %s</text>\n",
            what, host);
    double sx = nice_step(a->x1 - a->x0), sy = nice_step(a->y1 - a->y0);
    for (double x = first_tick(a->x0, sx); x <= a->x1; x += sx)
        fprintf(
            out,
            "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
            "<text class=\"dim\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n",
            px(a, x), px(a, x), TOP, HEIGHT - BOTTOM, px(a, x), HEIGHT - BOTTOM + 18, x);
    for (double y = first_tick(a->y0, sy); y <= a->y1; y += sy)
        fprintf(out,
                "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text class=\"dim\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.0f</text>\n",
                LEFT, WIDTH - RIGHT, py(a, y), py(a, y), LEFT - 8, py(a, y) + 4, y);
    fprintf(out,
            "<text class=\"dim\" x=\"%d\" y=\"%d\" text-anchor=\"end\">ms</text>"
            "<text class=\"dim\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n",
            WIDTH - RIGHT, HEIGHT - 10, LEFT - 8, TOP - 10, unit);
}

/* The next entry of the legend, from *x on: a dot of the colour, and its name. */
static void legend(FILE *out, double *x, const char *colour, const char *name) {
    fprintf(out,
            "<circle class=\"f%s\" cx=\"%.0f\" cy=\"64\" r=\"4\"/>"
            "<text x=\"%.0f\" y=\"68\">%s</text>\n",
            colour, *x, *x + 9, name);
    *x += 30 + svg_width(name) * 13 / 12;
}

static double ms(const struct axes *a, int64_t time) {
    return (double)(time - a->zero) / 1e6;
}

static int64_t first_time(const struct log *log) {
    return log->event_count ? log->events[0].time : 0;
}

/* ---- RTT and RTO --------------------------------------------------------------------- */

/* A line through one value of every row; of what stays until the next row, with steps. */
static void rto_line(FILE *out, const struct axes *a, const struct rtt_row *rows,
                     long count, double (*value)(const struct rtt_row *),
                     const char *classes) {
    int begun = 0;
    double last = 0;
    fprintf(out, "<path class=\"%s\" d=\"", classes);
    for (long i = 0; i < count; i++) {
        double v = value(&rows[i]);
        if (v < 0)
            continue;
        if (begun)
            fprintf(out, "L%.1f %.1f", px(a, ms(a, rows[i].time)), py(a, last));
        fprintf(out, "%c%.1f %.1f", begun ? 'L' : 'M', px(a, ms(a, rows[i].time)),
                py(a, v));
        begun = 1;
        last = v;
    }
    if (begun)
        fprintf(out, "L%.1f %.1f", px(a, a->x1), py(a, last));
    fprintf(out, "\"/>\n");
}

static double srtt_of(const struct rtt_row *row) {
    return row->srtt < 0 ? -1 : row->srtt / 1e3;
}
static double rfc_rto_of(const struct rtt_row *row) {
    return row->rto / 1e3;
}
static double linux_rto_of(const struct rtt_row *row) {
    return row->linux_rto / 1e3;
}

void chart_rto(FILE *out, const struct log *log, int host, const char *title) {
    long count;
    struct rtt_row *rows = rtt_rows(log, host, &count);
    struct axes a = {0, 1, 0, 1, first_time(log)};
    double x = 18;
    if (count > 0)
        a.x1 = ms(&a, rows[count - 1].time) * 1.04;
    for (long i = 0; i < count; i++) {
        double top = larger(larger(rfc_rto_of(&rows[i]), linux_rto_of(&rows[i])),
                            larger(rows[i].rtt, rows[i].kernel.rto) / 1e3);
        a.y1 = larger(a.y1, top * 1.08);
    }
    begin(out, &a, title, host_names[host], "Round trips and the timeout", "ms");
    legend(out, &x, "c", "RTT");
    legend(out, &x, "a", "SRTT");
    legend(out, &x, "d", "SRTT + 4 RTTVAR (RFC 6298; its RTO is 1000 at least)");
    legend(out, &x, "b", "RTO by Linux's rule");
    legend(out, &x, "bad", "timeout");
    fprintf(out,
            "<text class=\"dim\" x=\"%d\" y=\"44\" text-anchor=\"end\">rings: RTO that "
            "the kernel told</text>\n",
            WIDTH - RIGHT);
    rto_line(out, &a, rows, count, rfc_rto_of, "d dash");
    rto_line(out, &a, rows, count, linux_rto_of, "b");
    rto_line(out, &a, rows, count, srtt_of, "a");
    for (long i = 0; i < count; i++) {
        const struct rtt_row *r = &rows[i];
        double at = px(&a, ms(&a, r->time));
        if (r->kind == RTT_SAMPLE)
            fprintf(out, "<circle class=\"fc\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>\n", at,
                    py(&a, r->rtt / 1e3));
        else
            fprintf(
                out,
                "<line class=\"bad dash\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
                "<text class=\"fbad\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>\n",
                at, at, TOP + 16, HEIGHT - BOTTOM, r->kind == RTT_KARN ? at + 4 : at - 4,
                TOP + 12, r->kind == RTT_KARN ? "start" : "end",
                r->kind == RTT_KARN ? "Karn: no sample" : "timeout");
        if (r->kernel.known && r->kernel.rto)
            fprintf(out,
                    "<circle class=\"b\" style=\"fill:none\" cx=\"%.1f\" cy=\"%.1f\" "
                    "r=\"5\"/>\n",
                    at, py(&a, (double)r->kernel.rto / 1e3));
    }
    fprintf(out, "</svg>\n");
    free(rows);
}

/* ---- sequence number over time ------------------------------------------------------- */

struct chart {
    const struct log *log;
    int host;
    long connection;
    struct axes a;
    int window_fits;
};

/* The event's frame when it is one that counts: a TCP segment of the connection, from or
 * to the host. */
static const struct logged_frame *counts(const struct chart *c, const struct event *e) {
    if (e->kind > EV_LOST || (e->kind == EV_LOST) != (e->host != c->host))
        return NULL;
    const struct logged_frame *frame = &c->log->frames[e->frame];
    if (frame->f.protocol != P_TCP || frame->connection != c->connection || e->damaged)
        return NULL;
    return frame;
}

static double window_top(const struct logged_frame *frame) {
    return (double)frame->ack + (double)frame->window;
}

/* The connection, how far the axes must reach, and whether the window's line can be in
 * the picture. */
static int measure(struct chart *c) {
    double top = 0, low = 1e18, window = 0;
    c->connection = NO_INDEX;
    for (long i = 0; i < c->log->event_count; i++) {
        const struct event *e = &c->log->events[i];
        if (e->kind == EV_SEND && c->connection == NO_INDEX && e->host == c->host &&
            c->log->frames[e->frame].f.protocol == P_TCP)
            c->connection = c->log->frames[e->frame].connection;
        const struct logged_frame *frame = counts(c, e);
        if (frame == NULL)
            continue;
        c->a.x1 = larger(c->a.x1, ms(&c->a, e->time));
        if (e->kind == EV_SEND && e->host == c->host) {
            low = frame->seq < low ? frame->seq : low;
            top = larger(top, (double)frame->seq + frame_sequence_length(&frame->f));
        }
    }
    if (top <= low)
        return -1;
    for (long i = 0; i < c->log->event_count; i++) {
        const struct logged_frame *frame = counts(c, &c->log->events[i]);
        if (frame && c->log->events[i].kind == EV_ARRIVE && frame->f.flags & TCP_ACK)
            window = larger(window, window_top(frame));
    }
    c->window_fits = window > 0 && window - low < 3 * (top - low);
    double reach = c->window_fits ? larger(window, top) : top;
    c->a.y0 = larger(0, low - (reach - low) * 0.03);
    c->a.y1 = reach + (reach - low) * 0.06;
    c->a.x1 *= 1.03;
    return 0;
}

/* What the ACKs that arrive say, as a line with steps: of ack itself, or of ack plus
 * window. */
static void ack_line(FILE *out, const struct chart *c, int window, const char *classes) {
    double last = -1;
    fprintf(out, "<path class=\"%s\" d=\"", classes);
    for (long i = 0; i < c->log->event_count; i++) {
        const struct event *e = &c->log->events[i];
        const struct logged_frame *frame = counts(c, e);
        if (frame == NULL || e->kind != EV_ARRIVE || !(frame->f.flags & TCP_ACK) ||
            frame->f.flags & TCP_RST)
            continue;
        double value = window ? window_top(frame) : frame->ack,
               at = px(&c->a, ms(&c->a, e->time));
        if (value < last && !window)
            continue;
        if (last >= 0)
            fprintf(out, "L%.1f %.1f", at, py(&c->a, last));
        fprintf(out, "%c%.1f %.1f", last < 0 ? 'M' : 'L', at, py(&c->a, value));
        last = value;
    }
    if (last >= 0)
        fprintf(out, "L%.1f %.1f", px(&c->a, c->a.x1), py(&c->a, last));
    fprintf(out, "\"/>\n");
}

static void segment(FILE *out, const struct chart *c, const struct logged_frame *frame,
                    int64_t time) {
    uint32_t length = frame_sequence_length(&frame->f);
    double at = px(&c->a, ms(&c->a, time)), from = py(&c->a, frame->seq),
           to = py(&c->a, (double)frame->seq + length);
    const char *paint = frame->again ? "bad" : "a";
    if (length == 0 && !frame->probe)
        return;
    fprintf(out,
            "<path class=\"%s\" style=\"stroke-width:2\" d=\"M%.1f %.1fL%.1f %.1fM%.1f "
            "%.1fh6M%.1f %.1fh6\"/>\n",
            paint, at, from, at, to, at - 3, from, at - 3, to);
    if (frame->again || frame->probe)
        fprintf(out, "<text class=\"fbad\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", at + 6,
                (from + to) / 2 + 4, frame->again ? "R" : "?");
}

void chart_sequence(FILE *out, const struct log *log, int host, const char *title) {
    struct chart c = {.log = log, .host = host, .a = {0, 1, 0, 1, first_time(log)}};
    double x = 18;
    int some = measure(&c) == 0;
    begin(out, &c.a, title, host_names[host], "Sequence number over time", "seq");
    legend(out, &x, "a", "segment sent");
    legend(out, &x, "bad", "R: sent again, ?: probe, x: lost");
    legend(out, &x, "c", "ACK received");
    legend(out, &x, "d",
           c.window_fits ? "end of the window" : "the window ends far above the picture");
    if (some && c.window_fits)
        ack_line(out, &c, 1, "d");
    if (some)
        ack_line(out, &c, 0, "c");
    for (long i = 0; some && i < log->event_count; i++) {
        const struct event *e = &log->events[i];
        const struct logged_frame *frame = counts(&c, e);
        if (frame && e->kind == EV_SEND && e->host == host)
            segment(out, &c, frame, e->time);
        if (frame && e->kind == EV_LOST && frame->from == host &&
            frame_sequence_length(&frame->f) > 0)
            fprintf(out, "<path class=\"bad\" d=\"M%.1f %.1fl8 8m0 -8l-8 8\"/>\n",
                    px(&c.a, ms(&c.a, frame->sent)) - 4,
                    (py(&c.a, frame->seq) +
                     py(&c.a, (double)frame->seq + frame_sequence_length(&frame->f))) /
                            2 -
                        4);
    }
    fprintf(out, "</svg>\n");
}
