/* recording.c - see recording.h. */
#include "recording.h"
#include "infer.h"
#include "played.h"

#include <errno.h>
#include <string.h>

/* ---- any other capture --------------------------------------------------------------- */

static void list_talks(struct recording *r, struct capture *c) {
    struct packet p;
    struct frame f;
    int got;
    while ((got = capture_next(c, &p)) == 1) {
        frame_decode_as(p.link, p.bytes, p.held, p.length, &f);
        talks_add(&r->talks, &p, &f);
    }
    if (got < 0)
        snprintf(r->warning, sizeof r->warning, "behind packet %ld: %s", c->number,
                 c->error);
    else if (c->cut)
        snprintf(r->warning, sizeof r->warning,
                 "the file ends in the middle of a packet, behind packet %ld", c->number);
}

/* The one conversation that is wanted, into r->talk. Returns 0, or -1 with r->error set. */
static int choose(struct recording *r, const struct choice *choice) {
    long found = 0;
    if (r->talks.packets == 0 && r->warning[0]) {
        snprintf(r->error, sizeof r->error, "%s", r->warning);
        return -1;
    }
    if (r->talks.count == 0) {
        snprintf(r->error, sizeof r->error,
                 r->talks.packets == 0 ? "there is no packet in this capture"
                                       : "there is no TCP, UDP or ICMP in this capture");
        return -1;
    }
    for (long i = 0; i < r->talks.count; i++) {
        const struct talk *t = &r->talks.talks[i];
        if ((choice->number && choice->number != i + 1) || !talk_is_on(t, choice->port))
            continue;
        r->talk = i;
        found++;
    }
    if (found == 0) {
        snprintf(r->error, sizeof r->error,
                 choice->number ? "there are only %ld conversations in this capture"
                                : "no conversation in this capture is on that port",
                 r->talks.count);
        return -1;
    }
    if (found > 1)
        r->talk = NO_INDEX;
    return 0;
}

static void name_talk(struct recording *r) {
    const struct talk *t = &r->talks.talks[r->talk];
    static const char *const protocols[] = {"", "", "TCP", "UDP", "ICMP"};
    char line[MAX_LINE], end[HOSTS][TALK_ADDRESS + 16], address[TALK_ADDRESS];
    for (int host = 0; host < HOSTS; host++) {
        talk_address(t, host, address, sizeof address);
        if (t->protocol == P_ICMP)
            snprintf(end[host], sizeof end[host], "%s", address);
        else
            snprintf(end[host], sizeof end[host], t->version == 6 ? "[%s]:%u" : "%s:%u",
                     address, t->port[host]);
        if (t->protocol != P_ICMP)
            snprintf(r->labels[host], LABEL, "port %u", t->port[host]);
    }
    snprintf(line, sizeof line, "title %s: %s and %s", protocols[t->protocol], end[CLIENT],
             end[SERVER]);
    scene_line(&r->scene, line, 0);
    scene_line(&r->scene,
               t->protocol == P_TCP
                   ? "    A capture, made at one place: each segment is drawn as if it "
                     "arrived at once. States with a ? are inferred from the segments."
                   : "    A capture, made at one place: each frame is drawn as if it "
                     "arrived at once.",
               0);
}

static void read_talk(struct recording *r, struct capture *c) {
    struct infer infer;
    struct packet p;
    struct frame f;
    const struct talk *talk = &r->talks.talks[r->talk];
    infer_init(&infer, &r->log);
    name_talk(r);
    r->log.epoch = talk->first;
    while (capture_next(c, &p) == 1) {
        int from;
        frame_decode_as(p.link, p.bytes, p.held, p.length, &f);
        if (talks_find(&r->talks, &f, &from) != r->talk)
            continue;
        if (r->log.frame_count == MOST_DRAWN) {
            r->left_out = talk->frames - MOST_DRAWN;
            return;
        }
        long index = log_add_captured(&r->log, from, p.time - talk->first, p.link, p.bytes,
                                      p.held, p.length);
        r->log.frames[index].number = p.number;
        infer_frame(&infer, index);
    }
}

/* ---- both ---------------------------------------------------------------------------- */

/* The file from its beginning. */
static int again(struct recording *r, struct capture *c, FILE *file) {
    capture_close(c);
    rewind(file);
    if (capture_open(c, file) == 0)
        return 0;
    snprintf(r->error, sizeof r->error, "%s", c->error);
    return -1;
}

int recording_read_file(struct recording *r, FILE *file, const struct choice *choice,
                        int raw) {
    struct capture c;
    int result = -1;
    memset(r, 0, sizeof *r);
    r->talk = NO_INDEX;
    scene_init(&r->scene);
    talks_init(&r->talks);
    r->log.raw = raw;
    if (capture_open(&c, file) < 0) {
        snprintf(r->error, sizeof r->error, "%s", c.error);
        capture_close(&c);
        return -1;
    }
    if (is_played(&c)) {
        r->played = read_played(r, &c);
        if (r->played) {
            capture_close(&c);
            return 0;
        }
        snprintf(r->warning, sizeof r->warning,
                 "this recording was changed after it was made: drawn as any capture");
        if (again(r, &c, file) < 0)
            return -1;
    }
    r->log.raw = raw;
    r->log.capture = 1;
    list_talks(r, &c);
    if (choose(r, choice) == 0 && again(r, &c, file) == 0) {
        if (r->talk != NO_INDEX)
            read_talk(r, &c);
        result = 0;
    }
    capture_close(&c);
    return result;
}

int recording_read(struct recording *r, const char *path, const struct choice *choice,
                   int raw) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        memset(r, 0, sizeof *r);
        scene_init(&r->scene);
        snprintf(r->error, sizeof r->error, "%s", strerror(errno));
        return -1;
    }
    setvbuf(file, NULL, _IOFBF, 1 << 18);
    int result = recording_read_file(r, file, choice, raw);
    fclose(file);
    return result;
}

const char *const *recording_labels(const struct recording *r, const char *labels[HOSTS]) {
    for (int host = 0; host < HOSTS; host++)
        labels[host] = r->labels[host];
    return labels;
}

void recording_free(struct recording *r) {
    log_free(&r->log);
    scene_free(&r->scene);
    talks_free(&r->talks);
}
