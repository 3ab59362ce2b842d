/* svgtext.c - see svgtext.h. */
#include "svgtext.h"

#include <string.h>

void svg_text(FILE *out, const char *text) {
    for (; *text; text++)
        switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(*text < 32 || *text > 126 ? '?' : *text, out);
        }
}

static double width_of(const char *text, size_t length) {
    double width = 0;
    for (size_t i = 0; i < length; i++)
        width += strchr("ijl.,:;'|! ", text[i])     ? 3.9
                 : strchr("frt-()[]\"", text[i])    ? 5
                 : strchr("mwMW@%=+<>", text[i])    ? 10.2
                 : text[i] >= 'A' && text[i] <= 'Z' ? 8.6
                 : text[i] >= '0' && text[i] <= '9' ? 7.7
                                                    : 7.3;
    return width;
}

double svg_width(const char *text) {
    return width_of(text, strlen(text));
}

/* Of a word that is too long for a line: as much of it as fits, up to a '/' if it has one. */
static size_t part_of_word(const char *word, size_t length, double width) {
    size_t fits = 1;
    while (fits < length && width_of(word, fits + 1) <= width)
        fits++;
    for (size_t at = fits; at > 1; at--)
        if (word[at - 1] == '/')
            return at;
    return fits;
}

size_t svg_first_line(const char *text, double width) {
    size_t fits = 0;
    while (text[fits]) {
        size_t begin = fits + strspn(text + fits, " "), end = begin;
        end += strcspn(text + end, " ");
        if (end - begin == 1 && text[begin] == '=' && text[end] == ' ')
            end += 1 + strcspn(text + end + 1, " ");
        if (width_of(text, end) > width)
            return fits ? fits : begin + part_of_word(text + begin, end - begin, width);
        fits = end;
    }
    return fits;
}

int svg_paragraph(FILE *out, const char *classes, const char *anchor, double x, double y,
                  double width, double less, const char *text) {
    int lines = 0;
    while (*(text += strspn(text, " "))) {
        size_t length = svg_first_line(text, lines ? width : width - less);
        char line[256];
        snprintf(line, sizeof line, "%.*s", (int)(length < 255 ? length : 255), text);
        if (out) {
            fprintf(out, "<text class=\"%s\" x=\"%.0f\" y=\"%.1f\" text-anchor=\"%s\">",
                    classes, x, y + SVG_LINE * lines, anchor);
            svg_text(out, line);
            fprintf(out, "</text>\n");
        }
        text += length;
        lines++;
    }
    return lines;
}
