/* svg.h - the ladder as a picture.
 *
 * In: rows, the log and the scene's texts. Out: one SVG document (SVG 1.1), 800 wide: text
 * is text, no script, nothing from outside, light or dark as the viewer's system is.
 * Portable C.
 *
 * What is honest in it. Time runs down, on one axis for both hosts: what is level happens
 * at the same time, and an arrow runs from the moment a frame is sent to the moment it
 * arrives (or is lost: X), so that all frames with the same passage have the same slant, a
 * slower one a steeper one, and two cross only if they crossed on the cable. The ruler at
 * the left says where the axis is not to scale:
 *   - a line: to scale;
 *   - dots: one instant that is spread out, for its texts and arrows would lie on each
 *     other; an arrow that is under way meanwhile gets as much steeper;
 *   - a grey band: a time in which nothing happens is cut out; an arrow across it is dashed.
 * Texts that do not fit at their moment stand lower, with a thin line to it; explanations are
 * found by their numbers. Times are those of moments.h.
 */
#ifndef SVG_H
#define SVG_H

#include "rows.h"
#include "scene.h"
#include <stdio.h>

/* `labels` stand under the host names. */
void svg_ladder(FILE *out, const struct rows *rows, const struct log *log,
                const struct scene *scene, const char *const labels[HOSTS]);

#endif
