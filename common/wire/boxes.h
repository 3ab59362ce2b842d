/* boxes.h - headers in the form in which RFCs draw them: rows of 32 bits, a box for each
 * field.
 *
 * In: fields, one after the other, with their values in words. Out: text of 73 columns, or
 * an SVG picture. A field that crosses the end of a row goes on in the next. Portable C.
 */
#ifndef BOXES_H
#define BOXES_H

#include <stddef.h>
#include <stdio.h>

enum { MOST_BOXES = 200, MOST_LAYERS = 6, BOX_TEXT = 40, BOX_NOTES = 16, NOTE_TEXT = 160 };

struct box {
    char name[BOX_TEXT], value[BOX_TEXT];
    char plain
        [BOX_TEXT]; /* in a picture, in place of a value that is another each time; or "" */
    int start, bits; /* from the header's first bit; within one row */
};

struct layer {
    char title[80];
    size_t offset, length; /* in the frame, bytes */
    struct box boxes[MOST_BOXES];
    int count;
    char notes[BOX_NOTES][NOTE_TEXT]; /* what is to be said under the boxes */
    int note_count;
};

/* Adds a field of `bits` bits. plain: see struct box; NULL: none. */
void boxes_add(struct layer *layer, const char *name, int bits, const char *value,
               const char *plain);

/* Adds a field of whole bytes with its bytes as its value, row by row: in hexadecimal, or,
 * with a '.' between them, in decimal. */
void boxes_add_bytes(struct layer *layer, const char *name, const unsigned char *bytes,
                     size_t count, char between);

/* Adds a line to be said under the boxes; format as in printf(). */
#if defined(__GNUC__) && !defined(_WIN32)
__attribute__((format(printf, 2, 3)))
#endif
void boxes_note(struct layer *layer, const char *format, ...);

void boxes_print(FILE *out, const struct layer *layer);

/* One picture of these layers, one below the other. */
void boxes_svg(FILE *out, const struct layer *const *layers, int count, const char *title);

#endif
