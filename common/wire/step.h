/* step.h - forward and back through a recording, event by event, by keys on a terminal.
 *
 * In: the log, the scene's texts, keys. Out: pictures on the screen: the ladder up to the current event,
 * which stands out, and its explanation below. What is yet to come is not shown: a teacher can ask.
 * Portable C.
 */
#ifndef STEP_H
#define STEP_H

#include "view.h"

/* Until q or the end of input. Returns NULL, or why it cannot be done here, in words. */
const char *step_run(const struct log *log, const struct scene *scene,
                     const struct view_options *options);

#endif
