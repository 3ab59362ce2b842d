/* choices.h - the questions of a quiz: which events are asked for, and what is offered beside them.
 *
 * In: a log, the steps of its ladder, and a seed. Out: up to MAX_QUESTIONS events that teach
 * something, each with three others that could follow but do not: another state that the state
 * diagram allows, other numbers or another kind of segment, another result, the other host, or an
 * event from elsewhere in the recording. None of them comes true soon after. Portable C; no I/O.
 * Sources: RFC 9293 figure 5 for states.
 */
#ifndef CHOICES_H
#define CHOICES_H

#include "explain.h"
#include "view.h"

#include <stdint.h>

enum { CHOICES = 4, MAX_QUESTIONS = 15, WHY_NOT = 200 };

struct answer {
    char text[PHRASE];
    char why_not
        [WHY_NOT]; /* of a wrong one: what it would mean, or when it comes; may be empty */
};

struct question {
    long step;  /* index into view->steps */
    long event; /* index into log->events */
    struct answer choices[CHOICES];
    int right;
};

/* Which steps to ask for, in their order, into steps[MAX_QUESTIONS]. Returns how many. */
int choices_select(const struct view *view, uint64_t *random, long steps[MAX_QUESTIONS]);

/* Makes the question for a step. Returns 0, or -1 when there are not enough choices. */
int choices_make(const struct view *view, uint64_t *random, long step,
                 struct question *question);

/* A number from 0 to below `limit`, from *random, which must not be 0. The same on every system. */
unsigned choices_random(uint64_t *random, unsigned limit);

#endif
