/* step.c - see step.h. A position is a number of steps taken: 0 is the empty ladder. */
#include "step.h"
#include "explain.h"
#include "screen.h"

#include <stdio.h>

enum { PANE_LEAST = 6, PAGE = 10 /* steps */ };

static const char *const help[] = {
    "space  j  down  right       forward, one event",
    "k  up  left  backspace      back, one event",
    "PgDn  PgUp                  ten events forward, back",
    "End  G  and  Home  g        to the last event; to the beginning",
    "n  N                        next, previous event that the scene explains",
    "q                           quit      (any key ends this help)",
};

static void fill_help(struct view *view, struct pane *pane) {
    for (size_t i = 0; i < sizeof help / sizeof help[0]; i++)
        pane_add(view, pane, PANE_PLAIN, help[i]);
}

static const char *scene_text(const struct view *view, const struct event *e) {
    return e->note == NO_INDEX ? NULL : view->scene->expectations[e->note].text;
}

/* What happens, in the grammar's words; and why, in the scene's, if it has any for this event. */
static void fill_event(struct view *view, struct pane *pane, long index) {
    char what[EVENT_TEXT], line[EVENT_TEXT + 20], reason[EXPLANATION];
    const struct event *e = &view->log->events[index];
    const char *own = scene_text(view, e);
    log_event_text(view->log, e, what, sizeof what);
    snprintf(line, sizeof line, "%.1f ms   %s", (double)(e->time - view->zero) / 1e6, what);
    pane_add(view, pane, PANE_BOLD, line);
    pane_add(view, pane, PANE_NOTE,
             own ? own : explain_event(view->log, index, reason, sizeof reason));
}

static void draw(struct view *view, long position, int helping) {
    struct pane pane;
    char status[120];
    int columns, lines;
    long lit = position > 0 ? view->steps[position - 1] : NO_INDEX;
    if (!view_fits())
        return;
    screen_size(&columns, &lines);
    pane_clear(&pane, columns);
    if (helping)
        fill_help(view, &pane);
    else if (position > 0)
        fill_event(view, &pane, lit);
    else if (view->scene->intro)
        pane_add(view, &pane, PANE_NOTE, view->scene->intro);
    snprintf(status, sizeof status,
             "%ld of %ld%s   space: forward   k: back   ?: help   q: quit", position,
             view->count, position == view->count ? " (the end)" : "");
    view_draw(view, lit + 1, lit, &pane, PANE_LEAST, status);
}

/* The next position in this direction whose event the scene explains; where it is if there is none. */
static long explained(const struct view *view, long position, int direction) {
    for (long at = position + direction; at > 0 && at <= view->count; at += direction)
        if (scene_text(view, &view->log->events[view->steps[at - 1]]))
            return at;
    return position;
}

static long move(const struct view *view, long position, int key) {
    switch (key) {
    case ' ':
    case 'j':
    case '\r':
    case '\n':
    case KEY_RIGHT:
    case KEY_DOWN: position++; break;
    case 'k':
    case 8:
    case 127:
    case KEY_LEFT:
    case KEY_UP: position--; break;
    case KEY_PAGE_DOWN: position += PAGE; break;
    case KEY_PAGE_UP: position -= PAGE; break;
    case 'g':
    case KEY_HOME: position = 0; break;
    case 'G':
    case KEY_END: position = view->count; break;
    case 'n': position = explained(view, position, 1); break;
    case 'N': position = explained(view, position, -1); break;
    default: break;
    }
    return position < 0 ? 0 : position > view->count ? view->count : position;
}

const char *step_run(const struct log *log, const struct scene *scene,
                     const struct view_options *options) {
    struct view view;
    long position = 0;
    int key = 0, helping = 0;
    const char *trouble = screen_open();
    if (trouble)
        return trouble;
    view_init(&view, log, scene, options);
    do {
        draw(&view, position, helping);
        key = screen_key();
        if (key == KEY_RESIZED)
            continue;
        if (!helping)
            position = move(&view, position, key);
        helping = !helping && key == '?';
    } while (key != 'q' && key != KEY_GONE);
    screen_close();
    view_free(&view);
    return NULL;
}
