/* quiz.c - see quiz.h. */
#include "quiz.h"
#include "choices.h"
#include "screen.h"
#include "term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PANE_LEAST = 8, ANSWER_LINE = 80, NO_ANSWER = -1, QUIT = -2 };

struct quiz {
    struct view view;
    struct question questions[MAX_QUESTIONS];
    int count;
    int asked, right;
    int missed[MAX_QUESTIONS]; /* indices of questions */
    int missed_count;
};

/* ---- what is said, on a screen and in a pipe ----------------------------------------------------- */

static void fill_question(struct quiz *quiz, struct pane *pane, int number) {
    const struct question *q = &quiz->questions[number];
    char line[PHRASE + 40];
    snprintf(line, sizeof line, "%d of %d. What happens next?", number + 1, quiz->count);
    pane_add(&quiz->view, pane, PANE_BOLD, line);
    for (int i = 0; i < CHOICES; i++) {
        snprintf(line, sizeof line, "  %c) %s", 'a' + i, q->choices[i].text);
        pane_add(&quiz->view, pane, PANE_PLAIN, line);
    }
}

/* Why the right one is right: in the scene's own words, or what follows from the event itself. */
static void fill_reason(struct quiz *quiz, struct pane *pane, const struct question *q) {
    char text[EXPLANATION];
    const struct view *view = &quiz->view;
    long note = view->log->events[q->event].note;
    const char *own = note == NO_INDEX ? NULL : view->scene->expectations[note].text;
    pane_add(&quiz->view, pane, PANE_NOTE,
             own ? own : explain_event(view->log, q->event, text, sizeof text));
}

static void fill_choice(struct quiz *quiz, struct pane *pane, enum pane_paint paint,
                        const char *verdict, int letter, const struct answer *choice) {
    char line[PHRASE + 40];
    snprintf(line, sizeof line, "%s %c) %s", verdict, 'a' + letter, choice->text);
    pane_add(&quiz->view, pane, paint, line);
}

static void fill_verdict(struct quiz *quiz, struct pane *pane, int number, int answer) {
    const struct question *q = &quiz->questions[number];
    int good = answer == q->right;
    if (!good) {
        fill_choice(quiz, pane, PANE_BAD, "Not", answer, &q->choices[answer]);
        pane_add(&quiz->view, pane, PANE_PLAIN, q->choices[answer].why_not);
    }
    fill_choice(quiz, pane, PANE_GOOD, good ? "Right:" : "It is", q->right,
                &q->choices[q->right]);
    fill_reason(quiz, pane, q);
}

static void keep_score(struct quiz *quiz, int number, int answer) {
    quiz->asked++;
    if (answer == quiz->questions[number].right)
        quiz->right++;
    else
        quiz->missed[quiz->missed_count++] = number;
}

static void score_text(const struct quiz *quiz, char *line, size_t size) {
    snprintf(line, size, "%d of %d predicted.%s", quiz->right, quiz->asked,
             quiz->missed_count ? " Look again at:" : "");
}

static void missed_text(const struct quiz *quiz, int i, char *line, size_t size) {
    const struct question *q = &quiz->questions[quiz->missed[i]];
    const struct event *e = &quiz->view.log->events[q->event];
    snprintf(line, size, "  %.1f ms  %s", (double)(e->time - quiz->view.zero) / 1e6,
             q->choices[q->right].text);
}

static void fill_score(struct quiz *quiz, struct pane *pane) {
    char line[PHRASE + 40];
    score_text(quiz, line, sizeof line);
    pane_add(&quiz->view, pane, PANE_BOLD, line);
    for (int i = 0; i < quiz->missed_count; i++) {
        missed_text(quiz, i, line, sizeof line);
        pane_add(&quiz->view, pane, PANE_PLAIN, line);
    }
}

/* The choice that a key or a letter means, or NO_ANSWER. */
static int answer_of(int c) {
    if (c >= 'a' && c < 'a' + CHOICES)
        return c - 'a';
    if (c >= 'A' && c < 'A' + CHOICES)
        return c - 'A';
    if (c >= '1' && c < '1' + CHOICES)
        return c - '1';
    return c == 'q' || c == 'Q' || c == KEY_GONE ? QUIT : NO_ANSWER;
}

/* ---- on a screen --------------------------------------------------------------------------------- */

/* Draws, and draws again for each change of size, until a key comes: that key. */
static int show(struct quiz *quiz, long end, long lit, int number, int answer) {
    struct pane pane;
    char status[120];
    int columns, lines, key;
    do {
        screen_size(&columns, &lines);
        pane_clear(&pane, columns);
        if (number == quiz->count)
            fill_score(quiz, &pane);
        else if (answer == NO_ANSWER)
            fill_question(quiz, &pane, number);
        else
            fill_verdict(quiz, &pane, number, answer);
        snprintf(status, sizeof status, "%d of %d right   %s   q: quit", quiz->right,
                 quiz->asked,
                 number == quiz->count ? "any key: leave"
                 : answer == NO_ANSWER ? "a b c d: your answer"
                                       : "space: go on");
        if (view_fits())
            view_draw(&quiz->view, end, lit, &pane, PANE_LEAST, status);
        key = screen_key();
    } while (key == KEY_RESIZED);
    return key;
}

static void ask_on_screen(struct quiz *quiz) {
    struct view *view = &quiz->view;
    for (int i = 0; i < quiz->count; i++) {
        const struct question *q = &quiz->questions[i];
        long before = q->step > 0 ? view->steps[q->step - 1] : NO_INDEX;
        int answer, key;
        do
            answer = answer_of(show(quiz, before + 1, before, i, NO_ANSWER));
        while (answer == NO_ANSWER);
        if (answer == QUIT)
            return;
        keep_score(quiz, i, answer);
        do {
            key = show(quiz, q->event + 1, q->event, i, answer);
            if (answer_of(key) == QUIT)
                return;
        } while (key != ' ' && key != '\r' && key != '\n' && key != 'j' &&
                 key != KEY_DOWN && key != KEY_RIGHT);
    }
    show(quiz, view->log->event_count, NO_INDEX, quiz->count, NO_ANSWER);
}

/* ---- in a pipe ----------------------------------------------------------------------------------- */

struct printed { /* the rows that stand on the paper already */
    struct row *rows;
    long count;
};

static void print_pane(const struct pane *pane) {
    for (int i = 0; i < pane->count; i++)
        printf("%s\n", pane->lines[i] + 1); /* without the margin */
}

/* The rows that are new since the last time, or have changed. */
static void print_rows(struct quiz *quiz, struct term *term, struct printed *printed,
                       long end) {
    struct view *view = &quiz->view;
    const struct rows *rows = &view->rows;
    view_seek(view, end);
    for (term->drawn = 0; term->drawn < rows->count;)
        if (term->drawn < printed->count &&
            memcmp(&printed->rows[term->drawn], &rows->rows[term->drawn],
                   sizeof *printed->rows) == 0)
            term->drawn++;
        else
            term_rows(term, rows, view->log, view->scene, term->drawn + 1);
    free(printed->rows);
    printed->count = 0;
    printed->rows = malloc((size_t)(rows->count + 1) * sizeof *printed->rows);
    if (printed->rows && rows->count) {
        memcpy(printed->rows, rows->rows, (size_t)rows->count * sizeof *printed->rows);
        printed->count = rows->count;
    }
}

/* An answer from a line of input: asked for again until it is one, or the input ends. */
static int read_answer(void) {
    char line[ANSWER_LINE];
    for (;;) {
        fputs("a, b, c or d? ", stdout);
        fflush(stdout);
        if (fgets(line, sizeof line, stdin) == NULL) {
            fputs("(no more answers)\n", stdout);
            return QUIT;
        }
        int complete = strchr(line, '\n') != NULL;
        for (int c = 0; !complete && c != '\n' && c != EOF;) /* the rest of a long line */
            c = getchar();
        line[strcspn(line, "\r\n")] = '\0';
        size_t start = strspn(line, " \t");
        int answer = answer_of(line[start]);
        int alone =
            line[start] && strspn(line + start + 1, " \t).") == strlen(line + start + 1);
        if (alone && answer != NO_ANSWER) {
            printf("%s\n", line + start); /* a pipe echoes nothing */
            return answer;
        }
        fputs("That is none of a, b, c, d (or 1, 2, 3, 4; q ends the quiz).\n", stdout);
    }
}

static void ask_in_lines(struct quiz *quiz, uint64_t seed) {
    static const char *const no_labels[HOSTS] = {"", ""};
    struct term term;
    struct pane pane;
    struct printed printed = {NULL, 0};
    int answer = NO_ANSWER;
    const struct view_options *options = quiz->view.options;
    term_init(&term, stdout, 80, options->ascii, 0);
    term_without_notes(&term);
    term.zero = quiz->view.zero;
    printf("A quiz of %d questions. (The same again: --seed %llu)\n\n", quiz->count,
           (unsigned long long)seed);
    term_heading(&term, quiz->view.scene, no_labels);
    for (int i = 0; i < quiz->count && answer != QUIT; i++) {
        const struct question *q = &quiz->questions[i];
        print_rows(quiz, &term, &printed,
                   q->step > 0 ? quiz->view.steps[q->step - 1] + 1 : 0);
        putchar('\n');
        pane_clear(&pane, 80);
        fill_question(quiz, &pane, i);
        print_pane(&pane);
        answer = read_answer();
        if (answer == QUIT)
            continue;
        keep_score(quiz, i, answer);
        pane_clear(&pane, 80);
        fill_verdict(quiz, &pane, i, answer);
        print_pane(&pane);
        printf("%d of %d right.\n\n", quiz->right, quiz->asked);
        print_rows(quiz, &term, &printed, q->event + 1);
    }
    if (answer != QUIT) {
        print_rows(quiz, &term, &printed, quiz->view.log->event_count);
        putchar('\n');
    }
    free(printed.rows);
}

static void print_score(const struct quiz *quiz) {
    char line[PHRASE + 40];
    score_text(quiz, line, sizeof line);
    puts(line);
    for (int i = 0; i < quiz->missed_count; i++) {
        missed_text(quiz, i, line, sizeof line);
        puts(line);
    }
    fflush(stdout);
}

/* ---- all of it ----------------------------------------------------------------------------------- */

static void make_questions(struct quiz *quiz, uint64_t seed) {
    long steps[MAX_QUESTIONS];
    uint64_t random =
        seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du; /* near seeds far apart */
    if (random == 0)
        random = 1;
    int count = choices_select(&quiz->view, &random, steps);
    for (int i = 0; i < count; i++)
        if (choices_make(&quiz->view, &random, steps[i], &quiz->questions[quiz->count]) ==
            0)
            quiz->count++;
}

const char *quiz_run(const struct log *log, const struct scene *scene,
                     const struct view_options *options, uint64_t seed, int on_screen) {
    struct view_options plain = *options;
    const char *trouble = NULL;
    struct quiz *quiz = calloc(1, sizeof *quiz);
    if (quiz == NULL)
        return "out of memory";
    plain.plain = !on_screen;
    view_init(&quiz->view, log, scene, &plain);
    make_questions(quiz, seed);
    if (quiz->count == 0)
        trouble = "nothing in this recording can be asked for";
    else if (on_screen && (trouble = screen_open()) == NULL) {
        ask_on_screen(quiz);
        screen_close();
    } else if (!on_screen)
        ask_in_lines(quiz, seed);
    if (trouble == NULL)
        print_score(quiz); /* after a screen too: something to keep */
    view_free(&quiz->view);
    free(quiz);
    return trouble;
}
