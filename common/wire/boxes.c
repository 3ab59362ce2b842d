/* boxes.c - see boxes.h. */
#include "boxes.h"
#include "svgtext.h"

#include <stdarg.h>
#include <string.h>

enum { ROW = 32, INDENT = 8 };

static struct box *new_box(struct layer *layer, const char *name, int bits) {
    int start = 0;
    if (layer->count > 0)
        start = layer->boxes[layer->count - 1].start + layer->boxes[layer->count - 1].bits;
    if (layer->count == MOST_BOXES)
        return NULL;
    struct box *box = &layer->boxes[layer->count++];
    memset(box, 0, sizeof *box);
    snprintf(box->name, sizeof box->name, "%s", name);
    box->start = start;
    box->bits = bits;
    return box;
}

static int room_in_row(const struct layer *layer) {
    if (layer->count == 0)
        return ROW;
    const struct box *last = &layer->boxes[layer->count - 1];
    return ROW - (last->start + last->bits) % ROW;
}

void boxes_add(struct layer *layer, const char *name, int bits, const char *value,
               const char *plain) {
    while (bits > 0) {
        int here = bits < room_in_row(layer) ? bits : room_in_row(layer);
        struct box *box = new_box(layer, name, here);
        if (box == NULL)
            return;
        snprintf(box->value, sizeof box->value, "%s", value);
        snprintf(box->plain, sizeof box->plain, "%s", plain ? plain : "");
        name = "(continued)";
        value = "";
        plain = NULL;
        bits -= here;
    }
}

void boxes_add_bytes(struct layer *layer, const char *name, const unsigned char *bytes,
                     size_t count, char between) {
    while (count > 0) {
        size_t here = (size_t)room_in_row(layer) / 8, used = 0;
        if (here > count)
            here = count;
        struct box *box = new_box(layer, name, (int)here * 8);
        if (box == NULL)
            return;
        for (size_t i = 0; i < here; i++) {
            if (i > 0)
                box->value[used++] = between;
            used += (size_t)snprintf(box->value + used, sizeof box->value - used,
                                     between == '.' ? "%u" : "%02x", bytes[i]);
        }
        name = "(continued)";
        bytes += here;
        count -= here;
    }
}

void boxes_note(struct layer *layer, const char *format, ...) {
    va_list values;
    if (layer->note_count == BOX_NOTES)
        return;
    va_start(values, format);
    vsnprintf(layer->notes[layer->note_count++], NOTE_TEXT, format, values);
    va_end(values);
}

/* ---- as text: a bit is two columns wide ---------------------------------------------- */

static int columns_of(const struct box *box) {
    return 2 * box->bits - 1;
}

/* A name that is wider than its box stands upright, letter below letter. */
static int name_lines(const struct box *box) {
    int length = (int)strlen(box->name);
    return length <= columns_of(box) ? 1 : length;
}

static void put_centred(FILE *out, int columns, const char *text) {
    int length = (int)strlen(text) < columns ? (int)strlen(text) : columns;
    int before = (columns - length) / 2;
    fprintf(out, "%*s%.*s%*s|", before, "", length, text, columns - length - before, "");
}

static void put_name(FILE *out, const struct box *box, int line) {
    char letter[2] = {0};
    if (name_lines(box) > 1 && line < (int)strlen(box->name))
        letter[0] = box->name[line];
    put_centred(out, columns_of(box),
                name_lines(box) > 1 ? letter
                : line == 0         ? box->name
                                    : "");
}

/* +-+-+ for `bits` bits. */
static void put_border(FILE *out, int bits) {
    fprintf(out, "%*s", INDENT, "");
    for (int i = 0; i < bits; i++)
        fputs("+-", out);
    fputs("+\n", out);
}

/* The boxes from `first` on that stand in one row. Returns the index behind them. */
static int print_row(FILE *out, const struct layer *layer, int first, int *bits) {
    int end = first, lines = 1, row = layer->boxes[first].start / ROW;
    char range[24];
    *bits = 0;
    for (; end < layer->count && layer->boxes[end].start / ROW == row; end++) {
        *bits += layer->boxes[end].bits;
        if (name_lines(&layer->boxes[end]) > lines)
            lines = name_lines(&layer->boxes[end]);
    }
    size_t from = layer->offset + (size_t)row * 4;
    snprintf(range, sizeof range, "%zu-%zu", from, from + (size_t)*bits / 8 - 1);
    for (int line = 0; line <= lines; line++) {
        fprintf(out, "%*s |", INDENT - 1, line == 0 ? range : "");
        for (int i = first; i < end; i++)
            if (line < lines)
                put_name(out, &layer->boxes[i], line);
            else
                put_centred(out, columns_of(&layer->boxes[i]), layer->boxes[i].value);
        fputc('\n', out);
    }
    return end;
}

void boxes_print(FILE *out, const struct layer *layer) {
    fprintf(out, "%s: %zu bytes\n", layer->title, layer->length);
    if (layer->count > 0) {
        fprintf(out,
                "%*s 0                   1                   2                   3\n"
                "%*s 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1\n",
                INDENT, "  bytes", INDENT, "");
        const struct box *last = &layer->boxes[layer->count - 1];
        int bits = last->start + last->bits;
        put_border(out, bits < ROW ? bits : ROW);
        for (int i = 0; i < layer->count;) {
            i = print_row(out, layer, i, &bits);
            put_border(out, bits);
        }
    }
    for (int i = 0; i < layer->note_count; i++)
        fprintf(out, "%*s%s\n", INDENT, "", layer->notes[i]);
    fputc('\n', out);
}

/* ---- as a picture -------------------------------------------------------------------- */

enum { WIDTH = 800, LEFT = 76, BIT = 22, HEIGHT = 38, TITLE = 34, LINE = 16 };

static const char style[] =
    "<style>\n"
    "text{font:12px system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;"
    "fill:#1b1f24}\n"
    ".title{font-size:16px;font-weight:600}.layer{font-size:14px;font-weight:600}\n"
    ".paper{fill:#fff}.dim{fill:#5b6570;font-size:11px}.tiny{fill:#5b6570;font-size:9px}\n"
    ".value{font-weight:600}.note{fill:#1f5f73}rect.box{stroke:#7b8794;fill:#f4f8fb}\n"
    "@media(prefers-color-scheme:dark){\n"
    "text{fill:#e6e9ed}.paper{fill:#14171b}.dim,.tiny{fill:#98a2ad}.note{fill:#8fd0e4}\n"
    "rect.box{stroke:#7b8794;fill:#1d242b}}\n"
    "</style>\n";

static void put_text(FILE *out, const char *class, double x, double y, const char *anchor,
                     const char *text) {
    fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class, x,
            y, anchor);
    svg_text(out, text);
    fprintf(out, "</text>\n");
}

static int rows_of(const struct layer *layer) {
    return layer->count ? layer->boxes[layer->count - 1].start / ROW + 1 : 0;
}

static int height_of(const struct layer *layer) {
    return TITLE + 14 + rows_of(layer) * HEIGHT + layer->note_count * LINE + 14;
}

static void draw_layer(FILE *out, const struct layer *layer, int y) {
    char text[100];
    snprintf(text, sizeof text, "%s: %zu bytes", layer->title, layer->length);
    put_text(out, "layer", LEFT, y + 16, "start", text);
    y += TITLE + 10;
    if (layer->count)
        put_text(out, "dim", LEFT - 8, y - 5, "end", "bytes");
    for (int bit = 0; bit < ROW && layer->count; bit++) {
        snprintf(text, sizeof text, "%d", bit);
        put_text(out, "tiny", LEFT + (bit + 0.5) * BIT, y - 5, "middle", text);
    }
    for (int i = 0; i < layer->count; i++) {
        const struct box *box = &layer->boxes[i];
        int x = LEFT + box->start % ROW * BIT, top = y + box->start / ROW * HEIGHT;
        double middle = x + box->bits * BIT / 2.0;
        size_t from = layer->offset + (size_t)box->start / 32 * 4;
        fprintf(out, "<rect class=\"box\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n",
                x, top, box->bits * BIT, HEIGHT);
        put_text(out, box->bits < 3 ? "tiny" : "dim", middle, top + 14, "middle",
                 box->name);
        put_text(out, "value", middle, top + 30, "middle",
                 box->plain[0] ? box->plain : box->value);
        if (box->start % ROW == 0) {
            size_t end = layer->offset + layer->length;
            snprintf(text, sizeof text, "%zu-%zu", from,
                     (from + 4 < end ? from + 4 : end) - 1);
            put_text(out, "dim", LEFT - 8, top + 23, "end", text);
        }
    }
    y += rows_of(layer) * HEIGHT + LINE;
    for (int i = 0; i < layer->note_count; i++)
        put_text(out, "note", LEFT, y + i * LINE, "start", layer->notes[i]);
}

void boxes_svg(FILE *out, const struct layer *const *layers, int count, const char *title) {
    int height = 44, y = 44;
    for (int i = 0; i < count; i++)
        height += height_of(layers[i]);
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\" role=\"img\">\n<title>",
            WIDTH, height, WIDTH, height);
    svg_text(out, title);
    fprintf(out, "</title>\n%s<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", style,
            WIDTH, height);
    put_text(out, "title", 12, 26, "start", title);
    for (int i = 0; i < count; i++) {
        draw_layer(out, layers[i], y);
        y += height_of(layers[i]);
    }
    fprintf(out, "</svg>\n");
}
