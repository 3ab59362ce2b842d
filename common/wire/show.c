/* show.c - see stage.h.
 *
 * In: the log and the rows, as they grow. Out: the ladder (or the events in words) while it is played; in
 * the end what is summed up, the recording, the pictures, and on standard error what has failed.
 */
#define _GNU_SOURCE
#include "chart.h"
#include "record.h"
#include "stage.h"
#include "summary.h"
#include "svg.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

/* ---- while it is played --------------------------------------------------------------------------- */

void show_heading(struct stage *s) {
    if (!s->options->quiet && !s->options->events)
        term_heading(&s->term, s->scene, host_addresses);
}

static void clear_status(struct stage *s) {
    if (s->status_shown)
        fputs("\r\033[K", stdout);
    s->status_shown = 0;
    hold_hide(&s->hold);
}

static void print_events(struct stage *s) {
    char text[EVENT_TEXT];
    if (s->events_printed < s->log.event_count)
        clear_status(s);
    for (; s->events_printed < s->log.event_count; s->events_printed++) {
        const struct event *e = &s->log.events[s->events_printed];
        printf("%10.4f  %s\n", (double)e->time / 1e6,
               log_event_text(&s->log, e, text, sizeof text));
    }
    fflush(stdout);
}

/* The last row may yet become another: its frame comes soon, unless it waits for a key or a rule. */
static int last_may_change(const struct stage *s) {
    const struct row *last = s->rows.count ? &s->rows.rows[s->rows.count - 1] : NULL;
    return last && last->crossing == DEPARTS && !s->log.frames[last->frame].held &&
           !cable_is_empty(&s->cable);
}

void show_events(struct stage *s) {
    if (s->options->events) {
        print_events(s);
    } else if (!s->options->quiet) {
        rows_feed(&s->rows, &s->log);
        long end = rows_final(&s->rows, last_may_change(s));
        if (end > s->term.drawn)
            clear_status(s);
        term_rows(&s->term, &s->rows, &s->log, s->scene, end);
    }
}

void show_pause(struct stage *s) {
    if (s->term.note_next < s->term.note_count) {
        clear_status(s);
        term_catch_up(&s->term, &s->rows);
    }
}

void show_status(struct stage *s) {
    int64_t t = stage_now(s);
    char where[HOSTS][80];
    if (!s->options->live || s->options->quiet || s->options->events || s->hold.lines > 0 ||
        t - s->last_event < 1000000000 || t - s->status_shown < 200000000)
        return;
    for (int host = 0; host < HOSTS; host++)
        tasks_where(&s->tasks, host, where[host], sizeof where[host]);
    printf("\r%7.1f  ... %s, %s\033[K",
           (double)(t - (s->term.zero > 0 ? s->term.zero : 0)) / 1e6, where[CLIENT],
           where[SERVER]);
    fflush(stdout);
    s->status_shown = t;
}

/* ---- what failed ---------------------------------------------------------------------------------- */

/* A program that ended badly, though no rule killed it and no expectation speaks of its end. */
static int report_ends(const struct stage *s) {
    int bad = 0;
    for (int host = 0; host < HOSTS; host++) {
        const struct program *program = &s->tasks.programs[host];
        if (!program->pid || program->running || program->killed || !program->exit_status)
            continue;
        int told = 0;
        for (long i = 0; i < s->scene->expectation_count; i++)
            told |= s->scene->expectations[i].what.kind == EV_EXIT &&
                    s->scene->expectations[i].what.host == host;
        if (told)
            continue;
        char text[EVENT_TEXT];
        long prints[3] = {NO_INDEX, NO_INDEX, NO_INDEX};
        for (long i = 0; i < s->log.event_count; i++) {
            const struct event *e = &s->log.events[i];
            if (e->host != host)
                continue;
            if (e->kind == EV_PRINTS) {
                memmove(prints, prints + 1, 2 * sizeof prints[0]);
                prints[2] = i;
            }
            if (e->kind == EV_EXIT)
                fprintf(stderr, "wire: %s\n",
                        log_event_text(&s->log, e, text, sizeof text));
        }
        for (int i = 0; i < 3; i++)
            if (prints[i] != NO_INDEX)
                fprintf(stderr, "      it printed: %s\n", s->log.events[prints[i]].text);
        bad |= WIFSIGNALED(program->exit_status) || s->scene->expectation_count > 0;
    }
    return bad;
}

static void report_failure(const struct stage *s) {
    char where[HOSTS][80];
    if (s->failure[0] == '\0')
        return;
    for (int host = 0; host < HOSTS; host++)
        tasks_where(&s->tasks, host, where[host], sizeof where[host]);
    if (strcmp(s->failure, "nothing has happened") == 0)
        fprintf(stderr, "wire: nothing has happened for %.1f s: %s; %s\n",
                (double)s->scene->timeout / 1e9, where[CLIENT], where[SERVER]);
    else
        fprintf(stderr, "wire: %s\n", s->failure);
}

/* ---- the end -------------------------------------------------------------------------------------- */

static int as_expected(const struct stage *s) {
    return s->scene->expectation_count > 0 && check_complete(&s->check) &&
           s->check.broken == NO_INDEX;
}

static int cannot_write(const char *path) {
    fprintf(stderr, "wire: %s: %s\n", path, strerror(errno));
    return -1;
}

int show_can_record(const struct play_options *options) {
    FILE *file = options->record ? fopen(options->record, "wb") : NULL;
    if (options->record && (file == NULL || fclose(file) != 0))
        return cannot_write(options->record);
    return 0;
}

static int record(const struct stage *s) {
    const char *path = s->options->record;
    if (path && record_write(path, &s->log, s->scene, host_addresses, as_expected(s)) < 0)
        return cannot_write(path);
    return 0;
}

/* Of the client, unless the scene's table is of the server. */
static void put_chart(struct stage *s, FILE *out,
                      void (*chart)(FILE *, const struct log *, int, const char *)) {
    int host = s->scene->table[SERVER] && !s->scene->table[CLIENT] ? SERVER : CLIENT;
    chart(out, &s->log, host, s->scene->title ? s->scene->title : "One connection");
}

static void put_rto(struct stage *s, FILE *out) {
    put_chart(s, out, chart_rto);
}

static void put_sequence(struct stage *s, FILE *out) {
    put_chart(s, out, chart_sequence);
}

static void put_ladder(struct stage *s, FILE *out) {
    rows_feed(&s->rows, &s->log);
    svg_ladder(out, &s->rows, &s->log, s->scene, host_addresses);
}

static int draw(struct stage *s, const char *path, void (*put)(struct stage *, FILE *)) {
    FILE *out = path ? fopen(path, "w") : NULL;
    if (path == NULL)
        return 0;
    if (out == NULL)
        return cannot_write(path);
    put(s, out);
    int bad = ferror(out);
    return fclose(out) != 0 || bad ? cannot_write(path) : 0;
}

/* A rule whose event never came has done nothing: perhaps it is misspelt. */
static void report_rules(const struct stage *s) {
    for (long i = 0; i < s->scene->rule_count; i++) {
        const struct rule *rule = &s->scene->rules[i];
        if (rule->used)
            continue;
        if (rule->line && s->scene->path)
            fprintf(stderr, "%s:%d: ", s->scene->path, rule->line);
        fprintf(stderr, "this never came, so the rule did nothing:  %s\n", rule->source);
    }
}

/* What came of frames that went by hand is told, and nobody's failure. */
static int judge(struct stage *s) {
    int bad = report_ends(s);
    report_rules(s);
    if (!s->hold.ended)
        bad |= check_report(&s->check, &s->log, stderr);
    if (!s->hold.by_hand)
        return bad;
    if (s->scene->expectation_count > 0 && !as_expected(s))
        fprintf(stderr, "wire: %s by hand: what the scene expects is not judged\n",
                s->hold.ended ? "it was ended" : "the frames went");
    return 0;
}

int show_end(struct stage *s) {
    int failed = 0;
    clear_status(s);
    if (s->options->events)
        print_events(s);
    else if (!s->options->quiet) {
        rows_feed(&s->rows, &s->log);
        term_rows(&s->term, &s->rows, &s->log, s->scene, s->rows.count);
        term_finish(&s->term);
        summary_print(stdout, &s->log, s->scene, as_expected(s), s->check.met,
                      s->term.zero);
    }
    fflush(stdout);
    failed |= record(s) < 0;
    if (interrupted) {
        fprintf(stderr, "wire: interrupted\n");
        return PLAY_FAILED;
    }
    if (s->failure) {
        report_failure(s);
        failed = 1;
    }
    failed |= draw(s, s->options->svg, put_ladder) < 0;
    failed |= draw(s, s->options->rto_svg, put_rto) < 0;
    failed |= draw(s, s->options->sequence_svg, put_sequence) < 0;
    failed |= judge(s);
    return failed ? PLAY_FAILED : PLAY_OK;
}
