/* hold.c - see hold.h. */
#define _GNU_SOURCE
#include "hold.h"
#include "screen.h"
#include "term.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NO_KEY = -1, LABEL_ROOM = 60 };

enum paint { PLAIN, ASKED, DIM, AGAIN };

static const char *const help[] = {
    "space  Enter   deliver it",
    "x              drop it: it never arrives",
    "2              deliver it, and a copy right behind it",
    "l              late: others may overtake it",
    "g              go on without asking",
    "q              end here",
    "Meanwhile both kernels go on; what they send again of it is lost.",
};

static const char *const by_why[WHYS] = {"",
                                         ", by its retransmission timer",
                                         ", after a timeout",
                                         ", by fast retransmit",
                                         ", as a tail loss probe",
                                         ", as a window probe",
                                         ", as a keepalive"};

/* ---- the frames that wait ------------------------------------------------------------------------ */

int hold_frame(struct hold *hold, const struct passage *p) {
    if (hold->count == MAX_IN_FLIGHT)
        return -1;
    hold->waiting =
        log_room(hold->waiting, hold->count, &hold->room, sizeof *hold->waiting);
    hold->waiting[hold->count++] = (struct held){.p = *p};
    return 0;
}

struct passage hold_take(struct hold *hold) {
    struct passage p = hold->waiting[0].p;
    memmove(hold->waiting, hold->waiting + 1,
            (size_t)--hold->count * sizeof *hold->waiting);
    return p;
}

/* Whether `later` carries again what `first` carries already. */
static int is_same(const struct logged_frame *first, const struct logged_frame *later) {
    if (first->from != later->from || first->f.protocol != later->f.protocol)
        return 0;
    if (later->f.protocol == P_ARP)
        return first->length == later->length &&
               memcmp(first->bytes, later->bytes, later->length) == 0;
    if (later->f.protocol != P_TCP || first->connection != later->connection)
        return 0;
    if (later->probe)
        return first->probe && first->f.seq == later->f.seq;
    return later->again && later->f.seq - first->f.seq < frame_sequence_length(&first->f);
}

int hold_is_again(struct hold *hold, const struct log *log, long frame) {
    const struct logged_frame *later = &log->frames[frame];
    int may_be = later->again || later->probe || later->f.protocol == P_ARP;
    for (long i = 0; may_be && i < hold->count; i++) {
        struct held *held = &hold->waiting[i];
        if (is_same(&log->frames[held->p.frame], later)) {
            held->again++;
            held->why = later->why;
            return 1;
        }
    }
    return 0;
}

/* ---- the question -------------------------------------------------------------------------------- */

/* "client > SYN seq=1000": as the ladder names it. */
static void name_frame(const struct log *log, long frame, char text[EVENT_TEXT]) {
    struct row row = {.frame = frame, .crossing = DEPARTS};
    char label[EVENT_TEXT];
    term_frame_label(log, &row, LABEL_ROOM, label);
    snprintf(text, EVENT_TEXT, "%s > %.*s", host_names[log->frames[frame].from], LABEL_ROOM,
             label);
}

static void name_again(const struct held *held, char text[EVENT_TEXT]) {
    text[0] = '\0';
    if (held->again > 0)
        snprintf(text, EVENT_TEXT, "sent again %ld time%s meanwhile%s", held->again,
                 held->again == 1 ? "" : "s", by_why[held->why]);
}

static void name_others(const struct hold *hold, char text[EVENT_TEXT]) {
    text[0] = '\0';
    if (hold->count > 1)
        snprintf(text, EVENT_TEXT, "%ld more wait%s behind it", hold->count - 1,
                 hold->count == 2 ? "s" : "");
}

struct picture {
    const struct hold *hold;
    char text[sizeof((struct hold *)0)->shown];
    size_t used;
    int lines, columns;
};

/* A line, cut to the terminal's width: one that is broken would not be taken off again. */
static void add_line(struct picture *picture, enum paint paint, const char *format, ...) {
    static const char *const codes[] = {"", "\033[1;7m", "\033[2m", "\033[33m"};
    char line[EVENT_TEXT * 2];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    int painted = paint == ASKED || (paint != PLAIN && picture->hold->options->colour);
    int n = snprintf(picture->text + picture->used, sizeof picture->text - picture->used,
                     "%s%s%.*s%s", picture->lines ? "\n" : "", painted ? codes[paint] : "",
                     picture->columns - 1, line, painted ? "\033[0m" : "");
    picture->lines++;
    picture->used += (size_t)n;
    if (picture->used >= sizeof picture->text)
        picture->used = sizeof picture->text - 1;
}

static void picture_question(struct picture *picture, const struct log *log, int64_t now) {
    const struct hold *hold = picture->hold;
    const struct held *first = &hold->waiting[0];
    const struct logged_frame *frame = &log->frames[first->p.frame];
    long seconds = (long)((now - frame->sent) / 1000000000);
    char name[EVENT_TEXT], again[EVENT_TEXT], others[EVENT_TEXT], time[40] = "";
    name_frame(log, first->p.frame, name);
    name_again(first, again);
    name_others(hold, others);
    if (seconds > 0)
        snprintf(time, sizeof time, "held %ld s%s", seconds, others[0] ? ", " : "");
    add_line(picture, ASKED, " %s%s? ", name, by_why[frame->why]);
    if (time[0] || others[0])
        add_line(picture, PLAIN, " %s%s", time, others);
    if (again[0])
        add_line(picture, AGAIN, " %s: lost", again);
    if (hold->left != NO_INDEX) {
        name_frame(log, hold->left, name);
        add_line(picture, DIM, " %s is not asked about: a rule %s it", name,
                 hold->left_does);
    }
    add_line(picture, DIM,
             " space: deliver  x: drop  2: twice  l: %d s late  g: go on  ?: help  q: end",
             LATE_SECONDS);
}

static void show_on_terminal(struct hold *hold, const struct log *log, int64_t now) {
    struct picture picture = {.hold = hold};
    int lines;
    screen_size(&picture.columns, &lines);
    if (hold->helping)
        for (size_t i = 0; i < sizeof help / sizeof help[0]; i++)
            add_line(&picture, PLAIN, " %s", help[i]);
    else
        picture_question(&picture, log, now);
    if (strcmp(picture.text, hold->shown) == 0)
        return;
    hold_hide(hold);
    printf("\r\033[J%s", picture.text);
    fflush(stdout);
    memcpy(hold->shown, picture.text, sizeof hold->shown);
    hold->lines = picture.lines;
}

/* Where nothing can be taken back: a line whenever there is something new to tell. */
static void show_as_line(struct hold *hold, const struct log *log) {
    char line[sizeof hold->shown], name[EVENT_TEXT], again[EVENT_TEXT], others[EVENT_TEXT];
    const struct held *first = &hold->waiting[0];
    name_frame(log, first->p.frame, name);
    name_again(first, again);
    name_others(hold, others);
    snprintf(line, sizeof line, "hold: %s%s?%s%s%s%s", name,
             by_why[log->frames[first->p.frame].why], others[0] ? " " : "", others,
             again[0] ? " " : "", again);
    if (strcmp(line, hold->shown) == 0)
        return;
    puts(line);
    fflush(stdout);
    memcpy(hold->shown, line, sizeof line);
}

static int tells_in_lines(const struct hold *hold) {
    return !hold->options->live && !hold->options->quiet;
}

static void show(struct hold *hold, const struct log *log, int64_t now) {
    if (hold->options->live)
        show_on_terminal(hold, log, now);
    else if (tells_in_lines(hold))
        show_as_line(hold, log);
}

void hold_hide(struct hold *hold) {
    if (hold->lines == 0)
        return;
    if (hold->lines > 1)
        printf("\033[%dA", hold->lines - 1);
    printf("\r\033[J");
    fflush(stdout);
    hold->lines = 0;
    hold->shown[0] = '\0';
}

void hold_leave(struct hold *hold, const struct log *log, long frame, const char *does) {
    char name[EVENT_TEXT];
    hold->left = frame;
    hold->left_does = does;
    name_frame(log, frame, name);
    if (tells_in_lines(hold))
        printf("hold: %s is not asked about: a rule %s it\n", name, does);
}

/* ---- the answer ---------------------------------------------------------------------------------- */

static int next_key(const struct hold *hold) {
    struct pollfd input = {.fd = 0, .events = POLLIN};
    return hold->listening && poll(&input, 1, 0) > 0 ? screen_key() : NO_KEY;
}

static void show_help(struct hold *hold) {
    hold->helping = hold->options->live;
    for (size_t i = 0; tells_in_lines(hold) && i < sizeof help / sizeof help[0]; i++)
        printf("hold: %s\n", help[i]);
}

/* The question has its answer, or needs none any more. */
static enum decision answer(struct hold *hold, enum decision decision) {
    static const char *const words[] = {"", "delivered", "dropped", "delivered twice", ""};
    hold_hide(hold);
    hold->shown[0] = '\0';
    hold->left = NO_INDEX;
    if (decision == WAIT)
        return WAIT;
    hold->by_hand = 1;
    if (tells_in_lines(hold) && decision == LATE)
        printf("hold: %d s late\n", LATE_SECONDS);
    else if (tells_in_lines(hold))
        printf("hold: %s\n", words[decision]);
    return decision;
}

static enum decision end(struct hold *hold) {
    hold->ended = hold->by_hand = 1;
    return answer(hold, WAIT);
}

static enum decision go_on(struct hold *hold) {
    hold_close(hold);
    hold->on = 0;
    if (tells_in_lines(hold))
        printf("hold: goes on without asking\n");
    return answer(hold, WAIT);
}

enum decision hold_ask(struct hold *hold, const struct log *log, int64_t now, int is_open) {
    hold->listening = is_open || hold->terminal;
    if (is_open)
        show(hold, log, now);
    int key = next_key(hold);
    if (hold->helping && key != NO_KEY && key != KEY_RESIZED && key != KEY_GONE) {
        hold->helping = 0;
        return WAIT;
    }
    switch (key) { /* only these two mean anything while nothing is asked */
    case 'q': return end(hold);
    case 'g': hold->by_hand = 1; return go_on(hold);
    case KEY_GONE: return go_on(hold);
    default: break;
    }
    if (!is_open)
        return WAIT;
    switch (key) {
    case ' ':
    case '\r':
    case '\n': return answer(hold, LET_GO);
    case 'x': return answer(hold, LOSE);
    case '2': return answer(hold, DOUBLE);
    case 'l': return answer(hold, LATE);
    case '?': show_help(hold); return WAIT;
    default: return WAIT;
    }
}

/* ---- the keys ------------------------------------------------------------------------------------ */

void hold_open(struct hold *hold, const struct play_options *options) {
    hold->options = options;
    hold->left = NO_INDEX;
    hold->on = options->hold;
    hold->terminal = hold->on && screen_open_keys() == NULL;
}

void hold_close(struct hold *hold) {
    hold_hide(hold);
    if (hold->terminal)
        screen_close();
    hold->terminal = hold->listening = 0;
}
