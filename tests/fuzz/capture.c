/* Any bytes as a capture file: read, listed, drawn, peeled, told as events. Nothing may crash, hang
 * or grow. */
#define _POSIX_C_SOURCE 200809L
#include "../../common/wire/peel.h"
#include "../../common/wire/recording.h"
#include "../../common/wire/rows.h"
#include "../../common/wire/summary.h"
#include "../../common/wire/svg.h"
#include "../../common/wire/term.h"

static FILE *nowhere;

static void draw(const struct recording *r, int columns, int all) {
    struct rows rows;
    struct term term;
    const char *labels[HOSTS];
    char text[EVENT_TEXT];
    rows_init(&rows, all);
    rows_feed(&rows, &r->log);
    term_init(&term, nowhere, columns, all, !all);
    term_heading(&term, &r->scene, recording_labels(r, labels));
    term_rows(&term, &rows, &r->log, &r->scene, rows.count);
    term_finish(&term);
    summary_print(nowhere, &r->log, &r->scene, r->as_expected, 1, term.zero);
    for (long i = 0; i < r->log.event_count; i++)
        log_event_text(&r->log, &r->log.events[i], text, sizeof text);
    svg_ladder(nowhere, &rows, &r->log, &r->scene, recording_labels(r, labels));
    for (long i = 0; i < r->log.frame_count && i < 20; i++) {
        peel_print(nowhere, &r->log, &r->log.frames[i]);
        peel_svg(nowhere, &r->log.frames[i]);
    }
    rows_free(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct recording r;
    struct choice choice = {0};
    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "w");
    FILE *file = size > 0 ? fmemopen((void *)(uintptr_t)bytes, size, "rb") : NULL;
    if (file == NULL)
        return 0;
    int result = recording_read_file(&r, file, &choice, 0);
    if (result == 0 && !r.played && r.talk == NO_INDEX) { /* several: draw the last */
        choice.number = r.talks.count;
        recording_free(&r);
        rewind(file);
        result = recording_read_file(&r, file, &choice, 1);
    }
    if (result == 0) {
        draw(&r, 80, 1);
        draw(&r, 140, 0);
    }
    recording_free(&r);
    fclose(file);
    return 0;
}
