/* check.c - see check.h. Expectations are met in their order; other events may come in between. */
#include "check.h"

static void skip_nevers(struct check *check) {
    while (check->next < check->scene->expectation_count &&
           check->scene->expectations[check->next].never)
        check->next++;
}

void check_init(struct check *check, struct scene *scene) {
    *check = (struct check){.scene = scene, .broken = NO_INDEX, .broken_event = NO_INDEX};
    skip_nevers(check);
}

void check_event(struct check *check, struct log *log, long index) {
    struct event *e = &log->events[index];
    for (long i = 0; i < check->scene->expectation_count; i++) {
        struct expectation *x = &check->scene->expectations[i];
        if (!pattern_fits(&x->what, log,
                          e)) /* asked of each one: that is how #n is counted */
            continue;
        if (x->never && check->broken == NO_INDEX) {
            check->broken = i;
            check->broken_event = index;
        } else if (i == check->next && e->note == NO_INDEX) {
            e->note = i;
            check->next++;
            check->met++;
            check->after = index + 1;
            skip_nevers(check);
        }
    }
}

int check_complete(const struct check *check) {
    return check->next == check->scene->expectation_count;
}

static void where(const struct check *check, long index, FILE *out) {
    if (check->scene->path)
        fprintf(out, "%s:%d: ", check->scene->path, check->scene->expectations[index].line);
}

int check_report(const struct check *check, const struct log *log, FILE *out) {
    enum { MOST = 12 };
    char text[EVENT_TEXT];
    if (check->broken != NO_INDEX) {
        where(check, check->broken, out);
        fprintf(out, "this came, and should never:  %s\n",
                log_event_text(log, &log->events[check->broken_event], text, sizeof text));
    }
    if (!check_complete(check)) {
        where(check, check->next, out);
        fprintf(out, "expected, and did not come:  %s\n",
                check->scene->expectations[check->next].source);
        if (check->after > 0)
            fprintf(out, "  after   %s\n",
                    log_event_text(log, &log->events[check->after - 1], text, sizeof text));
        long count = 0;
        for (long i = check->after; i < log->event_count; i++)
            if (!log->events[i].minor && count++ < MOST)
                fprintf(out, "  came    %s\n",
                        log_event_text(log, &log->events[i], text, sizeof text));
        if (count > MOST)
            fprintf(out, "  and %ld more\n", count - MOST);
        if (count == 0)
            fprintf(out, "  nothing came\n");
    }
    return check->broken != NO_INDEX || !check_complete(check);
}
