/* view.c - see view.h. */
#include "view.h"
#include "explain.h"
#include "screen.h"
#include "term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAST_COLUMNS = 80,
    LEAST_LINES = 20,
    FIXED_LINES = 5 /* title, hosts, rule, status */
};

/* ---- steps --------------------------------------------------------------------------------------- */

/* A call's entry tells nothing of its own when its return is the very next thing. */
static int is_swallowed(const struct view *view, long call, long next) {
    const struct event *entry = &view->log->events[call], *e = &view->log->events[next];
    int explained =
        entry->note != NO_INDEX && view->scene->expectations[entry->note].text != NULL;
    return entry->kind == EV_CALL && e->kind == EV_RETURN && e->call == call && !explained;
}

void view_init(struct view *view, const struct log *log, const struct scene *scene,
               const struct view_options *options) {
    long room = 0;
    *view = (struct view){.log = log, .scene = scene, .options = options};
    rows_init(&view->rows, options->all);
    for (long i = 0; i < log->event_count; i++) {
        long before = view->rows.shown;
        view_seek(view, i + 1);
        if (view->rows.shown == before)
            continue;
        if (view->count > 0 && is_swallowed(view, view->steps[view->count - 1], i))
            view->count--;
        view->steps = log_room(view->steps, view->count, &room, sizeof *view->steps);
        view->steps[view->count++] = i;
    }
    view->zero = view->rows.count ? view->rows.rows[0].time : 0;
}

void view_free(struct view *view) {
    free(view->steps);
    rows_free(&view->rows);
}

void view_seek(struct view *view, long end) {
    struct log part = *view->log;
    if (end < view->rows_end) {
        rows_free(&view->rows);
        rows_init(&view->rows, view->options->all);
    }
    part.event_count = end;
    rows_feed(&view->rows, &part);
    view->rows_end = end;
}

/* ---- the pane ------------------------------------------------------------------------------------ */

void pane_clear(struct pane *pane, int columns) {
    pane->count = 0;
    pane->width = columns - 2 > PANE_WIDTH ? PANE_WIDTH
                  : columns - 2 < 40       ? 40
                                           : columns - 2;
}

static const char *paint_code(const struct view *view, enum pane_paint paint) {
    static const char *const codes[] = {"",         "\033[1m",    "\033[2m",
                                        "\033[36m", "\033[1;32m", "\033[1;31m"};
    if (view->options->plain)
        return "";
    int is_colour = paint == PANE_NOTE || paint == PANE_GOOD || paint == PANE_BAD;
    return is_colour && !view->options->colour
               ? (paint == PANE_NOTE ? "" : codes[PANE_BOLD])
               : codes[paint];
}

/* `count` bytes of text, none of which can do anything to a terminal, behind the paint's code. */
static void copy_plain(char *line, const char *code, const char *text, size_t count) {
    size_t used = (size_t)sprintf(line, " %s", code);
    for (size_t i = 0; i < count; i++)
        line[used++] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
    line[used] = '\0';
}

void pane_add(struct view *view, struct pane *pane, enum pane_paint paint,
              const char *text) {
    enum { MOST_INDENT = 8 };
    size_t indent = strspn(text, " "); /* the lines after the first are indented as it is */
    const char *code = paint_code(view, paint);
    text += indent;
    if (indent > MOST_INDENT)
        indent = MOST_INDENT;
    size_t width = (size_t)pane->width - indent;
    while (*text && pane->count < PANE_LINES) {
        size_t length = strlen(text), cut = length;
        if (length > width) {
            for (cut = width; cut > 0 && text[cut] != ' '; cut--)
                ;
            if (cut == 0)
                cut = width;
        }
        char line[PANE_WIDTH + 1];
        memset(line, ' ', indent);
        memcpy(line + indent, text, cut);
        copy_plain(pane->lines[pane->count++], code, line, indent + cut);
        text += cut;
        text += strspn(text, " ");
    }
}

/* ---- the picture --------------------------------------------------------------------------------- */

struct window { /* the last lines of the ladder */
    char **lines;
    long count, room;
    long row_of_lit; /* index of the line at which the lit row begins, or NO_INDEX */
};

static void take_line(void *ear, const char *text) {
    struct window *window = ear;
    window->lines =
        log_room(window->lines, window->count, &window->room, sizeof *window->lines);
    window->lines[window->count++] = log_copy(text);
}

static void free_lines(struct window *window) {
    for (long i = 0; i < window->count; i++)
        free(window->lines[i]);
    free(window->lines);
}

static int lit_part(const struct log *log, long lit) {
    return lit != NO_INDEX && log->events[lit].kind > EV_LOST ? log->events[lit].host
                                                              : HOSTS;
}

/* The ladder's lines that fit into `height`, the lit row among them. */
static void draw_ladder(struct view *view, struct term *term, long lit, int top,
                        int height) {
    struct window window = {.row_of_lit = NO_INDEX};
    long touched = lit == NO_INDEX ? NO_INDEX : view->rows.touched;
    long first = view->rows.count - height; /* each row takes a line, or two */
    if (touched != NO_INDEX && touched < first)
        first = touched;
    if (first < 0)
        first = 0;
    term->take = take_line;
    term->ear = &window;
    term->zero = view->zero;
    term->lit = touched;
    term->lit_part = lit_part(view->log, lit);
    for (term->drawn = first; term->drawn < view->rows.count;) {
        if (term->drawn == touched)
            window.row_of_lit = window.count;
        term_rows(term, &view->rows, view->log, view->scene, term->drawn + 1);
    }
    long from = window.count > height ? window.count - height : 0;
    if (window.row_of_lit != NO_INDEX && window.row_of_lit < from)
        from = window.row_of_lit;
    for (int i = 0; i < height; i++)
        screen_line(top + i, from + i < window.count ? window.lines[from + i] : "");
    free_lines(&window);
}

static void draw_title(const struct view *view, int columns) {
    char line[PANE_TEXT];
    const char *title = view->scene->title ? view->scene->title : "A recording";
    int width = columns < PANE_TEXT - 20 ? columns : PANE_TEXT - 20;
    size_t length = strlen(title);
    copy_plain(line, "\033[1m", title,
               length < (size_t)width - 1 ? length : (size_t)width - 1);
    screen_line(0, line);
}

/* The hosts' names, and under them the state that each is in at this moment. */
static void draw_hosts(const struct view *view, struct term *term, long end) {
    struct window window = {.row_of_lit = NO_INDEX};
    const char *labels[HOSTS];
    for (int host = 0; host < HOSTS; host++)
        labels[host] = state_names[explain_state(view->log, end, host, NO_INDEX)];
    term->take = take_line;
    term->ear = &window;
    term_hosts(term, labels);
    for (long i = 0; i < window.count; i++)
        screen_line(1 + (int)i, window.lines[i]);
    free_lines(&window);
}

static void draw_rule(const struct view *view, int row, int columns) {
    char line[PANE_TEXT * 3];
    size_t used = (size_t)sprintf(line, "\033[2m");
    for (int i = 0; i < columns && used + 4 < sizeof line; i++)
        used += (size_t)sprintf(line + used, "%s", view->options->ascii ? "-" : "─");
    screen_line(row, line);
}

void view_draw(struct view *view, long end, long lit, const struct pane *pane,
               int pane_lines, const char *status) {
    int columns, lines;
    struct term term;
    char line[PANE_TEXT];
    screen_size(&columns, &lines);
    if (pane_lines < pane->count)
        pane_lines = pane->count;
    int height = lines - FIXED_LINES - pane_lines;
    view_seek(view, end);
    term_init(&term, NULL, columns, view->options->ascii, view->options->colour);
    term_without_notes(&term);
    draw_title(view, columns);
    draw_hosts(view, &term, end);
    draw_ladder(view, &term, lit, 3, height);
    draw_rule(view, 3 + height, columns);
    for (int i = 0; i < pane_lines; i++)
        screen_line(4 + height + i, i < pane->count ? pane->lines[i] : "");
    copy_plain(line, "\033[2m", status,
               strlen(status) < (size_t)columns - 1 ? strlen(status) : (size_t)columns - 1);
    screen_line(lines - 1, line);
    screen_show();
}

int view_fits(void) {
    int columns, lines;
    char text[120];
    screen_size(&columns, &lines);
    if (columns >= LEAST_COLUMNS && lines >= LEAST_LINES)
        return 1;
    for (int i = 1; i < lines; i++)
        screen_line(i, "");
    snprintf(text, sizeof text, "%d x %d: too small; %d x %d, or q", columns, lines,
             LEAST_COLUMNS, LEAST_LINES);
    text[columns < (int)sizeof text ? columns : (int)sizeof text - 1] = '\0';
    screen_line(0, text);
    screen_show();
    return 0;
}
