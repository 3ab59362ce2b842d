/* picture.h - the ladder as a picture, between the files that draw it: places.c finds a place
 * for everything, arrows.c draws what is on the cable, svg.c the rest.
 */
#ifndef PICTURE_H
#define PICTURE_H

#include "moments.h"
#include "scene.h"
#include "svgtext.h"

/* All in px. From the left: times, the ruler, the client's texts, its bar, the cable, the
 * server's bar, its texts, explanations. */
enum {
    WIDTH = 800,
    MARGIN = 12,
    RULER = 42,
    BAR_WIDTH = 12,
    CLIENT_BAR = 180, /* left edge */
    SERVER_BAR = 434,
    LEADER = 14, /* between bar and text */
    LANE_WIDTH = 127,
    BADGE = 16, /* the number of an explanation, in its circle */
    NOTES = 596,
    NOTE_WIDTH = 182,
    LINE = SVG_LINE,
    APART = 19,   /* arrows of one host, with their names between */
    PASSAGE = 38, /* what the usual passage of a frame goes down: it sets the scale */
    CUT = 34,     /* a time that is cut out */
    NEAR = 400    /* moments: how far is looked for what concerns one of them */
};
#define LOST_PART 0.75 /* of the way: where a lost frame's X is drawn */

struct text_at {     /* in the lane of a host, or in the column of explanations */
    long moment;     /* of an explanation: its expectation */
    double y;        /* of its middle */
    int first, last; /* numbers of the explanations that belong to it; none: last < first */
};

/* Of an arrow's name: above its line, below, or the first word above and the others below. */
enum { ABOVE, BELOW, SPLIT };

struct arrow {
    const struct row *row; /* that of its sending */
    double x1, y1, x2, y2;
    double name_x;                  /* its name's middle */
    double name_length, name_first; /* of all, of its first word; 0: not placed yet */
    int64_t took;                   /* ns; NO_INDEX: it does not arrive */
    int name_place, from, lost, cut, damaged, copy;
};

struct picture {
    FILE *out;
    const struct log *log;
    const struct scene *scene;
    struct moments m;
    double stretch;     /* 1, or more where names need the room */
    double scale;       /* px per ns */
    int64_t cut;        /* ns: longer times without an event are cut out */
    double top, bottom; /* of the ladder */
    double height;      /* of all */
    struct text_at *texts[HOSTS], *notes;
    long text_count[HOSTS], text_room[HOSTS], note_count, note_room;
    struct arrow *arrows;
    long arrow_count, arrow_room;
};

static const int bars[HOSTS] = {CLIENT_BAR, SERVER_BAR};

/* ---- places.c ------------------------------------------------------------------------ */

/* From moments, log, scene, `top` and `stretch`: the scale, and the place of every moment, text and
 * explanation. */
void picture_place(struct picture *p);
void picture_free(struct picture *p);

/* Whether the time before this moment is cut out; what it takes on the axis, in px. */
int picture_is_cut(const struct picture *p, long moment);
double picture_span(const struct picture *p, long moment);

/* What the lane says at a moment, "connect(3) = 0", and how wide its lines may be. */
void picture_lane(const struct picture *p, const struct moment *at,
                  char text[LANE_TEXT + CALL_RESULT + 20], double *width);

/* The text of an explanation, or NULL. */
const char *picture_note(const struct picture *p, long expectation);

/* ---- arrows.c ------------------------------------------------------------------------ */

/* Between the moments that have their places. Returns 1 if some name lies on another. */
int picture_place_arrows(struct picture *p);

void picture_draw_arrows(const struct picture *p);

static inline double larger(double a, double b) {
    return a > b ? a : b;
}

static inline double smaller(double a, double b) {
    return a < b ? a : b;
}

#endif
