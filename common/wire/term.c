/* term.c - see term.h. A line is first set out in cells, one for each column, and then printed. */
#include "term.h"

#include <stdlib.h>
#include <string.h>

enum { TIME_COLUMNS = 8, LEAST_COLUMNS = 80, MOST_COLUMNS = 300, LEAST_CABLE = 34 };

enum paint { PLAIN, DIM, BOLD, STATE, LOST_PAINT, AGAIN, NOTE, PAINTS };

static const char *const paint_codes[PAINTS] = {
    "", "\033[2m", "\033[1m", "\033[1;32m", "\033[1;31m", "\033[33m", "\033[36m"};

enum glyph {
    G_DOWN,
    G_ACROSS,
    G_RIGHT,
    G_LEFT,
    G_TURN_DOWN_R,
    G_TURN_ACROSS_R,
    G_TURN_DOWN_L,
    G_TURN_ACROSS_L,
    G_CROSS,
    G_LOST,
    G_DOT,
    G_ELLIPSIS,
    GLYPHS
};

static const char *const glyphs[GLYPHS][2] = {
    {"│", "|"}, {"─", "-"}, {"▶", ">"}, {"◀", "<"}, {"╮", "."}, {"╰", "'"},
    {"╭", "."}, {"╯", "'"}, {"┼", "+"}, {"╳", "X"}, {"●", "*"}, {"…", "~"}};

struct cell {
    const char *glyph; /* one column wide, or NULL for letter */
    char letter;
    unsigned char paint, lit;
};

struct line {
    struct cell cells[MOST_COLUMNS];
    int used;
};

/* ---- cells --------------------------------------------------------------------------------------- */

static void line_clear(struct line *line) {
    for (int i = 0; i < MOST_COLUMNS; i++)
        line->cells[i] = (struct cell){.letter = ' '};
    line->used = 0;
}

static void put_glyph(const struct term *term, struct line *line, int column,
                      enum glyph glyph, enum paint paint) {
    if (column < 0 || column >= MOST_COLUMNS)
        return;
    line->cells[column] = (struct cell){.glyph = glyphs[glyph][term->ascii ? 1 : 0],
                                        .paint = (unsigned char)paint};
    if (column >= line->used)
        line->used = column + 1;
}

static void put_text(struct line *line, int column, const char *text, enum paint paint) {
    for (; *text && column < MOST_COLUMNS; text++, column++) {
        if (column < 0)
            continue;
        unsigned char c = (unsigned char)*text;
        line->cells[column] = (struct cell){.letter = c < 32 || c > 126 ? '?' : *text,
                                            .paint = (unsigned char)paint};
        if (column >= line->used)
            line->used = column + 1;
    }
}

static int is_ground(const struct cell *c) { /* nothing, or a line that only passes by */
    return (c->glyph == NULL && c->letter == ' ') || c->paint == DIM;
}

/* From the first to the last column in a..b in which there is something. A gap in it has the colour of
 * what is before it: lit, it is seen. */
static void light(struct line *line, int a, int b) {
    while (a <= b && is_ground(&line->cells[a]))
        a++;
    while (a <= b && is_ground(&line->cells[b]))
        b--;
    for (int i = a; i <= b; i++) {
        line->cells[i].lit = 1;
        if (i > a && line->cells[i].glyph == NULL && line->cells[i].letter == ' ')
            line->cells[i].paint = line->cells[i - 1].paint;
    }
}

static void print_line(const struct term *term, const struct line *line) {
    char text[MOST_COLUMNS * 24 + 24]; /* a cell: two codes and a glyph of three bytes */
    size_t used = 0;
    int end = line->used;
    struct cell now = {.paint = PLAIN};
    while (end > 0 && line->cells[end - 1].glyph == NULL &&
           line->cells[end - 1].letter == ' ')
        end--;
    for (int i = 0; i < end; i++) {
        const struct cell *c = &line->cells[i];
        if (c->lit != now.lit || (term->colour && c->paint != now.paint)) {
            used += (size_t)sprintf(text + used, "\033[0m%s%s", c->lit ? "\033[7m" : "",
                                    term->colour ? paint_codes[c->paint] : "");
            now = *c;
        }
        if (c->glyph)
            used += (size_t)sprintf(text + used, "%s", c->glyph);
        else
            text[used++] = c->letter;
    }
    if (now.lit || now.paint != PLAIN)
        used += (size_t)sprintf(text + used, "\033[0m");
    text[used] = '\0';
    if (term->take)
        term->take(term->ear, text);
    else
        fprintf(term->out, "%s\n", text);
}

/* ---- layout -------------------------------------------------------------------------------------- */

/* Columns: time, the client's lane, a bar, the cable, a bar, the server's lane; explanations beside. */
static void lay_out(struct term *term) {
    int room = term->columns - TIME_COLUMNS - 2 - (term->beside ? term->beside + 2 : 0);
    term->lane = (room - LEAST_CABLE) / 2;
    if (term->lane > 30)
        term->lane = 30;
    term->cable = room - 2 * term->lane;
    if (term->cable > 50)
        term->cable = 50;
}

void term_init(struct term *term, FILE *out, int columns, int ascii, int colour) {
    memset(term, 0, sizeof *term);
    term->out = out;
    term->columns = columns < LEAST_COLUMNS  ? LEAST_COLUMNS
                    : columns > MOST_COLUMNS ? MOST_COLUMNS
                                             : columns;
    term->ascii = ascii;
    term->colour = colour;
    term->beside = term->columns >= 120 ? term->columns - 84 : 0;
    if (term->beside > 60)
        term->beside = 60;
    lay_out(term);
    term->lit = NO_INDEX;
    term->zero = -1;
}

void term_without_notes(struct term *term) {
    term->beside = 0;
    term->silent = 1;
    lay_out(term);
}

static int left_bar(const struct term *term) {
    return TIME_COLUMNS + term->lane;
}

static int right_bar(const struct term *term) {
    return left_bar(term) + 1 + term->cable;
}

static int cable_start(const struct term *term) {
    return left_bar(term) + 1;
}

/* A track's column: the first are near the receiver, so that the long part of a line is at its start. */
static int track_column(const struct term *term, int track, int from_server) {
    int at = 3 + 2 * track;
    return cable_start(term) + (from_server ? at - 1 : term->cable - 1 - at);
}

/* ---- explanations -------------------------------------------------------------------------------- */

/* Breaks text into lines of at most `width` columns and hands each to `take`. */
static void wrap(const char *text, int width, void (*take)(struct term *, const char *),
                 struct term *term) {
    char line[MOST_COLUMNS + 1];
    size_t used = 0;
    while (*(text += strspn(text, " "))) {
        size_t word = strcspn(text, " ");
        if (used > 0 && used + 1 + word > (size_t)width) {
            line[used] = '\0';
            take(term, line);
            used = 0;
        }
        if (word > (size_t)width)
            word = (size_t)width;
        if (used > 0)
            line[used++] = ' ';
        memcpy(line + used, text, word);
        used += word;
        text += word;
    }
    line[used] = '\0';
    if (used > 0)
        take(term, line);
}

static void queue_note(struct term *term, const char *text) {
    term->note_lines = log_room(term->note_lines, term->note_count, &term->note_room,
                                sizeof *term->note_lines);
    term->note_lines[term->note_count++] = log_copy(text);
}

/* The next line of an explanation, beside the ladder. */
static void note_beside(struct term *term, struct line *line) {
    if (term->beside && term->note_next < term->note_count)
        put_text(line, term->columns - term->beside, term->note_lines[term->note_next++],
                 NOTE);
}

/* Below its row an explanation has the line for itself. */
static void print_note_below(struct term *term, const char *text) {
    struct line line;
    line_clear(&line);
    put_text(&line, TIME_COLUMNS + 2, text, NOTE);
    print_line(term, &line);
}

/* ---- one row ------------------------------------------------------------------------------------- */

static void put_bars(struct term *term, struct line *line, const struct row *row) {
    put_glyph(term, line, left_bar(term), G_DOWN, DIM);
    put_glyph(term, line, right_bar(term), G_DOWN, DIM);
    for (int i = 0; i < TRACKS; i++)
        if (row->live & 1u << i)
            put_glyph(term, line, track_column(term, i, (row->live_from_server >> i) & 1),
                      G_DOWN, DIM);
}

/* How many characters of `text` stand on one line of `room`: broken at a space if there is one. */
static int break_at(const char *text, int room) {
    int length = (int)strlen(text), cut = room;
    if (length <= room || room < 1)
        return length;
    while (cut > room / 2 && text[cut] != ' ')
        cut--;
    return text[cut] == ' ' ? cut : room;
}

/* A lane's text beside its bar: the client's ends there, the server's begins there. What is longer
 * than the lane has its result on the next line, returned in *rest; what was printed goes on there. */
static void put_lane(struct term *term, struct line *line, const struct row *row, int host,
                     char rest[LANE_TEXT]) {
    const struct lane *lane = &row->lanes[host];
    char text[LANE_TEXT * 2 + 40], result[CALL_RESULT + 4] = "";
    if (lane->kind == LANE_EMPTY)
        return;
    snprintf(text, sizeof text, "%s", lane->text);
    if (lane->args[0] && (int)(strlen(lane->text) + strlen(lane->args)) + 8 < term->lane) {
        size_t open = strcspn(text, "("); /* "connect(3)" takes its arguments in */
        int fd = -1;
        if (sscanf(text + open, "(%d)", &fd) == 1)
            snprintf(text + open, sizeof text - open, "(%d, %s)", fd, lane->args);
        else
            snprintf(text + open, sizeof text - open, "(%s)", lane->args);
    }
    if (lane->kind == LANE_CALL || lane->kind == LANE_EXIT)
        snprintf(result, sizeof result, " = %s", lane->result);
    else if (lane->kind == LANE_WHY && lane->result[0])
        snprintf(result, sizeof result, " %s", lane->result);
    int room = term->lane - 1; /* a space between text and bar */
    int mark = lane->kind == LANE_ENTERS ? 2 : 0;
    if ((int)(strlen(text) + strlen(result)) + mark <= room)
        strcat(text, result);
    else if (result[0])
        snprintf(rest, LANE_TEXT, "%s", result + 1);
    int cut = break_at(text, room - mark);
    if (text[cut] && !result[0])
        snprintf(rest, LANE_TEXT, "%s", text + cut + (text[cut] == ' '));
    text[cut] = '\0';
    enum paint paint = lane->kind == LANE_STATE ? STATE
                       : lane->kind == LANE_WHY ? AGAIN
                                                : PLAIN;
    int length = (int)strlen(text) + mark;
    int column = host == CLIENT ? left_bar(term) - 1 - length : right_bar(term) + 2;
    put_text(line, column, text, paint);
    if (mark)
        put_glyph(term, line, column + (int)strlen(text) + 1, G_ELLIPSIS, paint);
    if (lane->kind == LANE_STATE)
        put_glyph(term, line, host == CLIENT ? left_bar(term) : right_bar(term), G_DOT,
                  STATE);
}

/* As much of the rest as one line takes; what remains is the rest. */
static void put_rest(struct term *term, struct line *line, int host, char *rest) {
    char text[LANE_TEXT];
    int cut = break_at(rest, term->lane - 1);
    snprintf(text, sizeof text, "%.*s", cut, rest);
    memmove(rest, rest + cut + (rest[cut] == ' '),
            strlen(rest + cut + (rest[cut] == ' ')) + 1);
    put_text(line, host == CLIENT ? left_bar(term) - 1 - cut : right_bar(term) + 2, text,
             PLAIN);
}

static const char *frame_mark(const struct row *row, const struct logged_frame *frame) {
    int arrives = row->crossing == ARRIVES;
    return row->damaged ? " damaged"
           : row->copy  ? " copy"
           : frame->again && !arrives && frame->why == WHY_NONE && frame->mark == MARK_NONE
               ? " again"
               : "";
}

/* A few bytes of data that are text are worth seeing: ` "hello"`. */
static void payload_text(const struct logged_frame *frame, char text[24]) {
    size_t length = frame->f.payload_length;
    const uint8_t *bytes = frame->bytes + frame->f.payload;
    text[0] = '\0';
    if (length == 0 || length > 8 || length != frame->f.payload_held ||
        (frame->f.protocol != P_UDP && frame->f.protocol != P_TCP))
        return;
    for (size_t i = 0; i < length; i++)
        if (bytes[i] < 32 || bytes[i] > 126)
            return;
    snprintf(text, 24, " \"%.*s\"", (int)length, (const char *)bytes);
}

/* What the frame is called on its line, in at most `room` columns. */
void term_frame_label(const struct log *log, const struct row *row, int room,
                      char text[EVENT_TEXT]) {
    const struct logged_frame *frame = &log->frames[row->frame];
    /* What is left out first when it is too long: of a bare ACK its own number, else what it
     * acknowledges. A mark is never left out: it is what makes this one another one. */
    static const char *const of_ack[] = {" seq=", " ack=", NULL}, *const of_others[] = {
                                                                      " ack=", " len=",
                                                                      " seq=", NULL};
    const char *const *least = frame->f.kinds == KIND_ACK ? of_ack : of_others;
    char full[EVENT_TEXT - 40], mark[40] = "", data[24], *why;
    if (log->connection_count > 1 && frame->connection > 0)
        snprintf(mark, sizeof mark, " [%ld]", frame->connection + 1);
    strcat(mark, frame_mark(row, frame));
    log_frame_text(frame, full, sizeof full - sizeof data);
    if ((why = strstr(full, " sack=")) != NULL || (why = strstr(full, " why=")) != NULL ||
        (why = strstr(full, " mark=")) != NULL)
        *why = '\0'; /* that stands in the lane */
    payload_text(frame, data);
    if ((int)(strlen(full) + strlen(mark) + strlen(data)) <= room)
        strcat(full, data);
    for (; *least && (int)(strlen(full) + strlen(mark)) > room; least++) {
        char *begin = strstr(full, *least);
        if (begin != NULL) {
            char *end = begin + 1 + strcspn(begin + 1, " ");
            memmove(begin, end, strlen(end) + 1);
        }
    }
    snprintf(text, EVENT_TEXT, "%s%s", full, mark);
    if (room >= 0 && (int)strlen(text) > room) { /* whole words, if one fits at all */
        text[room + (text[room] == ' ')] = '\0';
        char *end = strrchr(text, ' ');
        text[end ? end - text : room] = '\0';
    }
}

/* A horizontal line from column a to b; tracks that it meets are crossed. */
static void put_across(struct term *term, struct line *line, const struct row *row, int a,
                       int b, enum paint paint) {
    for (int c = a; c <= b; c++)
        put_glyph(term, line, c, G_ACROSS, paint);
    for (int i = 0; i < TRACKS; i++)
        if (row->live & 1u << i) {
            int c = track_column(term, i, (row->live_from_server >> i) & 1);
            if (c >= a && c <= b)
                put_glyph(term, line, c, G_CROSS, paint);
        }
}

static void put_label(struct line *line, const struct row *row, const struct log *log,
                      int a, int b, enum paint paint) {
    char text[EVENT_TEXT];
    int room = b - a + 1 - 4;
    term_frame_label(log, row, room, text);
    int length = (int)strlen(text);
    if (length == 0)
        return;
    int column = a + (b - a + 1 - length) / 2;
    put_text(line, column - 1, " ", PLAIN);
    put_text(line, column, text, paint);
    put_text(line, column + length, " ", PLAIN);
}

/* Where a frame's line turns from its sender's row towards its receiver's. */
static int turn_column(const struct term *term, const struct row *row) {
    int end = cable_start(term) + term->cable - 1;
    if (row->crossing == LOST_AT_ONCE || row->track == NO_INDEX)
        return row->from == SERVER ? cable_start(term) + 2 : end - 2;
    return track_column(term, row->track, row->from == SERVER);
}

/* From the sender's bar to the turn, with the frame's name on it. */
static void put_departure(struct term *term, struct line *line, const struct row *row,
                          const struct log *log, enum paint paint, enum paint label) {
    int first = cable_start(term), end = first + term->cable - 1,
        turn = turn_column(term, row);
    int a = row->from == SERVER ? turn + 1 : first,
        b = row->from == SERVER ? end : turn - 1;
    put_across(term, line, row, a, b, paint);
    if (row->crossing == LOST_AT_ONCE)
        put_glyph(term, line, turn, G_LOST, LOST_PAINT);
    else
        put_glyph(term, line, turn, row->from == SERVER ? G_TURN_DOWN_L : G_TURN_DOWN_R,
                  paint);
    put_label(line, row, log, a, b, label);
}

/* From the turn to the receiver's bar. What comes a second time, or damaged, is named again. */
static void put_arrival(struct term *term, struct line *line, const struct row *row,
                        const struct log *log, enum paint paint, enum paint label) {
    int first = cable_start(term), end = first + term->cable - 1,
        turn = turn_column(term, row);
    int server = row->from == SERVER;
    put_across(term, line, row, server ? first : turn + 1, server ? turn - 1 : end, paint);
    put_glyph(term, line, turn, server ? G_TURN_ACROSS_L : G_TURN_ACROSS_R, paint);
    put_glyph(term, line, server ? first : end, server ? G_LEFT : G_RIGHT, paint);
    if (row->copy || row->damaged) {
        char text[EVENT_TEXT];
        term_frame_label(log, row, term->cable - 8, text);
        put_text(line, server ? turn + 2 : turn - 1 - (int)strlen(text), text, label);
    }
}

static void put_frame(struct term *term, struct line *line, const struct row *row,
                      const struct log *log) {
    int first = cable_start(term), end = first + term->cable - 1,
        server = row->from == SERVER;
    if (row->crossing == NOTHING)
        return;
    const struct logged_frame *frame = &log->frames[row->frame];
    enum paint paint = frame->again                ? AGAIN
                       : frame->f.kinds & KIND_RST ? LOST_PAINT
                                                   : PLAIN;
    enum paint label = paint == PLAIN ? BOLD : paint;
    switch (row->crossing) {
    case NOTHING: break;
    case STRAIGHT:
        put_across(term, line, row, first, end, paint);
        put_glyph(term, line, server ? first : end, server ? G_LEFT : G_RIGHT, paint);
        put_label(line, row, log, first + (server ? 1 : 0), end - (server ? 0 : 1), label);
        break;
    case LOST_AT_ONCE:
    case DEPARTS: put_departure(term, line, row, log, paint, label); break;
    case ARRIVES: put_arrival(term, line, row, log, paint, label); break;
    case LOST_LATER:
        put_glyph(term, line, turn_column(term, row), G_LOST, LOST_PAINT);
        break;
    }
}

/* The part of the row that the current event is drawn in stands out. */
static void light_part(const struct term *term, struct line *line) {
    int left = left_bar(term), right = right_bar(term);
    if (term->lit != term->drawn)
        return;
    if (term->lit_part == CLIENT)
        light(line, TIME_COLUMNS, left);
    else if (term->lit_part == SERVER)
        light(line, right, line->used - 1);
    else
        light(line, left + 1, right - 1);
}

/* A row of nothing but the lines that go down from this one. */
static struct row row_below(const struct row *row) {
    struct row below = *row;
    if (row->track != NO_INDEX && row->crossing == DEPARTS) {
        below.live |= 1u << row->track;
        below.live_from_server |= row->from == SERVER ? 1u << row->track : 0;
    }
    return below;
}

static void draw_row(struct term *term, const struct row *row, const struct log *log) {
    struct line line;
    char time[24], rest[HOSTS][LANE_TEXT] = {"", ""};
    line_clear(&line);
    if (term->zero < 0)
        term->zero = row->time;
    snprintf(time, sizeof time, "%7.1f", (double)(row->time - term->zero) / 1e6);
    put_text(&line, 0, time, DIM);
    put_bars(term, &line, row);
    put_frame(term, &line, row, log);
    for (int host = 0; host < HOSTS; host++)
        put_lane(term, &line, row, host, rest[host]);
    light_part(term, &line);
    note_beside(term, &line);
    print_line(term, &line);
    while (rest[CLIENT][0] || rest[SERVER][0]) {
        struct row below = row_below(row);
        line_clear(&line);
        put_bars(term, &line, &below);
        for (int host = 0; host < HOSTS; host++)
            put_rest(term, &line, host, rest[host]);
        note_beside(term, &line);
        print_line(term, &line);
    }
}

/* Before a new explanation begins beside the ladder, the last one is drawn to its end. */
static void flush_notes(struct term *term, const struct row *row) {
    while (term->note_next < term->note_count) {
        struct line line;
        struct row blank = *row;
        line_clear(&line);
        put_bars(term, &line, &blank);
        note_beside(term, &line);
        print_line(term, &line);
    }
}

void term_rows(struct term *term, const struct rows *rows, const struct log *log,
               const struct scene *scene, long end) {
    for (; term->drawn < end; term->drawn++) {
        const struct row *row = &rows->rows[term->drawn];
        int texts = 0;
        for (int i = 0; !term->silent && i < row->note_count; i++)
            texts += scene->expectations[row->notes[i]].text != NULL;
        if (texts && term->beside) {
            flush_notes(term, row);
            for (int i = 0; i < row->note_count; i++)
                if (scene->expectations[row->notes[i]].text)
                    wrap(scene->expectations[row->notes[i]].text, term->beside, queue_note,
                         term);
        }
        draw_row(term, row, log);
        for (int i = 0; texts && !term->beside && i < row->note_count; i++)
            if (scene->expectations[row->notes[i]].text)
                wrap(scene->expectations[row->notes[i]].text,
                     term->columns - TIME_COLUMNS - 4, print_note_below, term);
    }
    if (term->out)
        fflush(term->out);
}

void term_catch_up(struct term *term, const struct rows *rows) {
    if (term->drawn > 0) {
        struct row below = row_below(&rows->rows[term->drawn - 1]);
        flush_notes(term, &below);
        fflush(term->out);
    }
}

/* ---- heading and end ----------------------------------------------------------------------------- */

static void print_plain(struct term *term, const char *text) {
    struct line line;
    line_clear(&line);
    put_text(&line, 0, text, NOTE);
    print_line(term, &line);
}

void term_heading(struct term *term, const struct scene *scene,
                  const char *const labels[HOSTS]) {
    struct line line;
    line_clear(&line);
    if (scene->title)
        put_text(&line, 0, scene->title, BOLD);
    if (scene->figure && line.used + (int)strlen(scene->figure) + 2 <= term->columns)
        put_text(&line, term->columns - (int)strlen(scene->figure), scene->figure, DIM);
    if (line.used)
        print_line(term, &line);
    if (scene->intro)
        wrap(scene->intro, term->columns, print_plain, term);
    if (line.used)
        fputc('\n', term->out);
    term_hosts(term, labels);
    fflush(term->out);
}

void term_hosts(struct term *term, const char *const labels[HOSTS]) {
    struct line line;
    enum paint paint = term->silent ? STATE : DIM; /* then they are what changes */
    line_clear(&line);
    put_text(&line, 5, "ms", DIM);
    put_text(&line, left_bar(term) - (int)strlen("client"), "client", BOLD);
    put_text(&line, right_bar(term) + 1, "server", BOLD);
    print_line(term, &line);
    line_clear(&line);
    put_text(&line, left_bar(term) - (int)strlen(labels[CLIENT]), labels[CLIENT], paint);
    put_text(&line, right_bar(term) + 1, labels[SERVER], paint);
    print_line(term, &line);
}

void term_finish(struct term *term) {
    struct row empty;
    memset(&empty, 0, sizeof empty);
    flush_notes(term, &empty);
    for (long i = 0; i < term->note_count; i++)
        free(term->note_lines[i]);
    free(term->note_lines);
    term->note_lines = NULL;
    term->note_count = term->note_next = 0;
}
