/* quiz.h - predict, then see: the next event of a recording is hidden, and asked for.
 *
 * In: the log, the scene's texts, answers: by keys on a terminal, or a line each from a pipe. Out: the
 * ladder so far, four choices (choices.h), which one is right and why, and a score. The choices and
 * their order follow from the seed alone, so that a class can be given the same quiz. Portable C.
 */
#ifndef QUIZ_H
#define QUIZ_H

#include "view.h"

#include <stdint.h>

/* Asks until the recording, or the input, ends. on_screen: the terminal is taken (screen.h); else plain lines
 * on standard output. Returns NULL, or why it cannot be done, in words. */
const char *quiz_run(const struct log *log, const struct scene *scene,
                     const struct view_options *options, uint64_t seed, int on_screen);

#endif
