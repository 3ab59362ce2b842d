/* arrows.c - what is on the cable in the ladder's picture; see picture.h.
 *
 * Each frame is an arrow from the moment it is sent to the moment it arrives, with its name along
 * it: as near to the middle as it lies on nothing else.
 */
#include "picture.h"
#include "term.h"

#include <stdlib.h>
#include <string.h>

#define UNREADABLE 3  /* px that a name lies in another */
enum { NEAT = 2000 }; /* arrows: in a picture with more all names stay in the middle */

static double slope(const struct arrow *a) {
    return (a->y2 - a->y1) / (a->x2 - a->x1);
}

static double height_at(const struct arrow *a, double x) {
    return a->y1 + slope(a) * (x - a->x1);
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

/* ---- names --------------------------------------------------------------------------- */

static void arrow_name(const struct picture *p, const struct arrow *a,
                       char text[EVENT_TEXT + 20]) {
    term_frame_label(p->log, a->row, 26, text);
    strcat(text, a->damaged && !a->row->damaged ? " damaged" : "");
    strcat(strcat(text, a->copy ? " copy" : ""), a->lost ? " lost" : "");
}

/* A box on the picture, turned into some direction. */
struct box {
    double x, y;    /* its middle */
    double ux, uy;  /* its direction, of length 1 */
    double half[2]; /* of its length, of its height */
};

/* How far it reaches from its middle in the direction (dx, dy). */
static double reach(const struct box *b, double dx, double dy) {
    double along = b->ux * dx + b->uy * dy, across = b->ux * dy - b->uy * dx;
    return b->half[0] * (along < 0 ? -along : along) +
           b->half[1] * (across < 0 ? -across : across);
}

/* How far two boxes lie in each other, in px; 0: not at all. They do not if there is a line
 * between them, and if there is, one along a side of one of them. */
static double overlap(const struct box *a, const struct box *b) {
    double least = 1e9;
    for (int side = 0; side < 4; side++) {
        const struct box *of = side < 2 ? a : b;
        double dx = side % 2 ? -of->uy : of->ux, dy = side % 2 ? of->ux : of->uy;
        double apart = (b->x - a->x) * dx + (b->y - a->y) * dy,
               depth = reach(a, dx, dy) + reach(b, dx, dy) - (apart < 0 ? -apart : apart);
        if (depth <= 0)
            return 0;
        least = smaller(least, depth);
    }
    return least;
}

static struct box box_of_line(const struct arrow *a) {
    double length =
        root((a->x2 - a->x1) * (a->x2 - a->x1) + (a->y2 - a->y1) * (a->y2 - a->y1));
    return (struct box){(a->x1 + a->x2) / 2,
                        (a->y1 + a->y2) / 2,
                        (a->x2 - a->x1) / length,
                        (a->y2 - a->y1) / length,
                        {length / 2, 0.5}};
}

/* A box of `length` on a's line where its name stands, `off` px above it (below: negative). */
static struct box box_at(const struct arrow *a, double length, double off) {
    double level = levelness(a), ux = level, uy = slope(a) * level;
    return (struct box){a->name_x + off * uy,
                        height_at(a, a->name_x) - off * ux,
                        ux,
                        uy,
                        {length / 2 + 2, 5}};
}

/* The boxes of its name where it stands now. Returns how many. */
static int boxes_of_name(const struct arrow *a, struct box boxes[2]) {
    if (a->name_length == 0)
        return 0;
    boxes[0] = box_at(a, a->name_place == SPLIT ? a->name_first : a->name_length,
                      a->name_place == BELOW ? -9 : 9);
    if (a->name_place != SPLIT)
        return 1;
    boxes[1] = box_at(a, a->name_length - a->name_first, -9);
    return 2;
}

/* How deep the name of arrow i lies in what is near it, in px: names, an X and, which is no
 * more than ugly, lines. */
struct depth {
    double names, lines;
};

static void add_depth(struct depth *d, const struct box *name, const struct arrow *b) {
    struct box line = box_of_line(b), x = {b->x2, b->y2, 1, 0, {7, 7}}, others[2];
    int count = boxes_of_name(b, others);
    d->lines += smaller(overlap(name, &line), 8);
    d->names += b->lost ? overlap(name, &x) : 0;
    for (int i = 0; i < count; i++)
        d->names += overlap(name, &others[i]);
}

static struct depth depth_of(const struct picture *p, long i) {
    const struct arrow *a = &p->arrows[i];
    struct depth d = {0, 0};
    struct box names[2];
    int count = boxes_of_name(a, names);
    double top = smaller(a->y1, a->y2) - 20, bottom = larger(a->y1, a->y2) + 20;
    for (long k = i > 40 ? i - 40 : 0; k < p->arrow_count && k < i + 40; k++) {
        const struct arrow *b = &p->arrows[k];
        if (k != i && larger(b->y1, b->y2) > top && smaller(b->y1, b->y2) < bottom)
            for (int n = 0; n < count; n++)
                add_depth(&d, &names[n], b);
    }
    return d;
}

/* One number for both; a name is expected above its line. */
static double badness(const struct picture *p, long i) {
    static const double strange[] = {[ABOVE] = 0, [BELOW] = 24, [SPLIT] = 24};
    struct depth d = depth_of(p, i);
    return d.lines + 4 * d.names + strange[p->arrows[i].name_place];
}

/* The place where it meets others least, and among these the nearest to the middle. */
static void place_name(struct picture *p, long i) {
    enum { TRIES = 8 }; /* to each side */
    struct arrow *a = &p->arrows[i], best = *a;
    double length = a->x2 > a->x1 ? a->x2 - a->x1 : a->x1 - a->x2, least = -1;
    double middle = (a->x1 + a->x2) / 2;
    for (a->name_place = ABOVE; a->name_place <= SPLIT; a->name_place++) {
        double name = a->name_place == SPLIT
                          ? larger(a->name_first, a->name_length - a->name_first)
                          : a->name_length,
               room = larger(0, (length - name * levelness(a)) / 2 - 12);
        for (int try = 0; try <= 2 * TRIES && least != 0; try++) {
            a->name_x = middle + room * (try % 2 ? 1 : -1) * ((try + 1) / 2) / TRIES;
            double bad = badness(p, i);
            if (least < 0 || bad < least) {
                least = bad;
                best = *a;
            }
        }
    }
    *a = best;
}

/* The first takes what it likes, and moves when it sees what the others have taken. */
static void place_names(struct picture *p) {
    int rounds = p->arrow_count > NEAT ? 0 : 6;
    for (long i = 0; i < p->arrow_count; i++) {
        struct arrow *a = &p->arrows[i];
        a->name_x = (a->x1 + a->x2) / 2;
    }
    for (int round = 0; round < rounds; round++)
        for (long n = 0; n < p->arrow_count; n++) {
            long i = round % 2 ? p->arrow_count - 1 - n : n;
            char text[EVENT_TEXT + 20];
            if (round > 0 && badness(p, i) == 0)
                continue;
            arrow_name(p, &p->arrows[i], text);
            p->arrows[i].name_length = svg_width(text);
            text[strcspn(text, " ")] = '\0';
            p->arrows[i].name_first = svg_width(text);
            place_name(p, i);
        }
}

/* A matrix that turns the x axis into the direction of (dx, dy), at x, y. */
static void turn(FILE *out, double dx, double dy, double x, double y) {
    double length = root(dx * dx + dy * dy);
    fprintf(out, "transform=\"matrix(%.4f %.4f %.4f %.4f %.1f %.1f)\"", dx / length,
            dy / length, -dy / length, dx / length, x, y);
}

static void draw_line(const struct picture *p, const struct arrow *a, int y,
                      const char *text) {
    fprintf(p->out, "<text class=\"name%s\" ",
            p->log->frames[a->row->frame].again ? " again" : "");
    turn(p->out, 1, slope(a), a->name_x, height_at(a, a->name_x));
    fprintf(p->out, " y=\"%d\" text-anchor=\"middle\">", y);
    svg_text(p->out, text);
    fprintf(p->out, "</text>\n");
}

static void draw_name(const struct picture *p, const struct arrow *a) {
    char text[EVENT_TEXT + 20], *rest = text;
    arrow_name(p, a, text);
    if (a->name_place == SPLIT && (rest = strchr(text, ' ')) != NULL)
        *rest++ = '\0';
    if (a->name_place != BELOW)
        draw_line(p, a, -4, text);
    if (a->name_place != ABOVE && rest)
        draw_line(p, a, 13, rest);
}

/* ---- arrows -------------------------------------------------------------------------- */

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

/* Where the frame of moment `sent` would have arrived: after the usual passage, after those
 * sent before it and before those sent after it. */
static double would_arrive(const struct picture *p, long sent) {
    const struct moment *list = p->m.list;
    int64_t time = list[sent].time + p->m.passage;
    double after = 0, before = 1e9;
    long next = sent; /* of those sent after it, the one that arrives first */
    long i = sent;
    while (i + 1 < p->m.count && i < sent + NEAR && list[i + 1].time <= time)
        i++;
    double y = larger(list[i].y, list[i].y + p->scale * (double)(time - list[i].time));
    for (i = sent + 1;
         i < p->m.count && i < sent + NEAR && list[i].time <= time + p->m.passage; i++) {
        if (!list[i].arrives || list[i].host == list[sent].host ||
            p->m.sent[list[i].row->frame] == NO_INDEX)
            continue;
        if (p->m.sent[list[i].row->frame] < sent)
            after = list[i].y + APART;
        else if (list[i].y < before) {
            before = list[i].y;
            next = p->m.sent[list[i].row->frame];
        }
    }
    for (i = sent; i < next; i++) /* it, and those lost between the two */
        if (list[i].departs && list[i].lost && list[i].host == list[sent].host)
            before -= APART;
    return larger(smaller(y, before), after);
}

/* The frame that moment `sent` sends, up to moment `ends`; NO_INDEX: it is lost at once, or
 * still on its way. */
static void add_arrow(struct picture *p, long sent, long ends) {
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
    p->arrows = log_room(p->arrows, p->arrow_count, &p->arrow_room, sizeof *p->arrows);
    p->arrows[p->arrow_count++] = a;
}

static int by_height(const void *a, const void *b) {
    const struct arrow *x = a, *y = b;
    if (x->y1 != y->y1)
        return x->y1 < y->y1 ? -1 : 1;
    if (x->row->frame != y->row->frame)
        return x->row->frame < y->row->frame ? -1 : 1;
    return x->copy - y->copy;
}

int picture_place_arrows(struct picture *p) {
    char *drawn = calloc((size_t)p->log->frame_count + 1, 1);
    double deepest = 0;
    p->arrow_count = 0;
    for (long i = 0; drawn && i < p->m.count; i++) {
        const struct moment *at = &p->m.list[i];
        long frame = at->row->frame;
        if (frame == NO_INDEX || at->departs || !(at->arrives || at->lost) ||
            p->m.sent[frame] == NO_INDEX)
            continue;
        add_arrow(p, p->m.sent[frame], i);
        drawn[frame] = 1;
    }
    for (long i = 0; drawn && i < p->m.count; i++)
        if (p->m.list[i].departs && !drawn[p->m.list[i].row->frame])
            add_arrow(p, i, NO_INDEX);
    free(drawn);
    if (p->arrow_count > 0)
        qsort(p->arrows, (size_t)p->arrow_count, sizeof *p->arrows, by_height);
    place_names(p);
    for (long i = 0; i < p->arrow_count; i++)
        deepest = larger(deepest, depth_of(p, i).names);
    return deepest >= UNREADABLE;
}

void picture_draw_arrows(const struct picture *p) {
    for (long i = 0; i < p->arrow_count; i++)
        draw_arrow(p, &p->arrows[i]);
    for (long i = 0; i < p->arrow_count; i++)
        draw_name(p, &p->arrows[i]);
}
