/* svgtext.h - text in a picture: as XML wants it, and how much room it takes.
 *
 * In: text. Out: <text> elements of SVG 1.1 (section 10). Widths are guesses, for the
 * viewer's font is not known: that of the widest of the usual ones (DejaVu Sans, Verdana)
 * at 12 px. Portable C.
 */
#ifndef SVGTEXT_H
#define SVGTEXT_H

#include <stddef.h>
#include <stdio.h>

enum { SVG_LINE = 14 }; /* px from one line of a paragraph to the next */

/* Text as it must stand in XML. What is not printable ASCII becomes '?'. */
void svg_text(FILE *out, const char *text);

/* px. */
double svg_width(const char *text);

/* How many characters of `text` the first of its lines has, when none is wider than `width` px.
 * Lines are broken at blanks (a "=" stays with what follows it), a word that is too long after a
 * '/' or where it must be. 0 only for no text. */
size_t svg_first_line(const char *text, double width);

/* Writes `text` in lines that are not wider than `width` px, the first `less` px narrower, from y
 * on; `anchor` is "start", "middle" or "end". out may be NULL. Returns how many lines. */
int svg_paragraph(FILE *out, const char *classes, const char *anchor, double x, double y,
                  double width, double less, const char *text);

#endif
