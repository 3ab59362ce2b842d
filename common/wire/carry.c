/* carry.c - see stage.h.
 *
 * In: each event of the log, as it is added; frames that are due. Out: expectations and rules are asked
 * about the event, a frame that is sent goes onto the cable with its fate, one that is due to its host.
 */
#define _GNU_SOURCE
#include "stage.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static long log_frame_event(struct stage *s, enum event_kind kind, int host,
                            const struct passage *p) {
    struct event e;
    stage_event(s, &e, kind, host);
    e.frame = p->frame;
    e.copy = p->copy;
    e.damaged = p->damaged;
    return log_add(&s->log, &e);
}

/* ---- deliver ------------------------------------------------------------------------------------- */

/* Turns one bit of the last byte above TCP or UDP: the checksum no longer fits. */
static size_t damaged_copy(const struct logged_frame *frame, uint8_t copy[FRAME_MAX]) {
    size_t length = frame->length < FRAME_MAX ? frame->length : FRAME_MAX;
    memcpy(copy, frame->bytes, length);
    size_t end = frame->f.payload + frame->f.payload_length;
    if (end > 0 && end <= length)
        copy[end - 1] ^= 1;
    return length;
}

/* A write to a TAP device is processed by the host's kernel before it returns: what it leads to can be
 * read at once. */
void carry_deliver(struct stage *s, const struct passage *p) {
    const struct logged_frame *frame = &s->log.frames[p->frame];
    uint8_t copy[FRAME_MAX];
    ssize_t n;
    if (s->cable.unplugged[p->to] || s->cable.unplugged[!p->to]) {
        log_frame_event(s, EV_LOST, p->to, p);
        return;
    }
    long index = log_frame_event(s, EV_ARRIVE, p->to, p);
    frame = &s->log.frames[p->frame];
    size_t length = p->damaged ? damaged_copy(frame, copy) : frame->length;
    do
        n = write(s->hosts[p->to].cable, p->damaged ? copy : frame->bytes, length);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)length)
        s->failure = "a frame could not be written to a host";
    int64_t stamp =
        stamp_take(&s->stamps[p->to], 0, p->damaged ? copy : frame->bytes, length);
    if (stamp)
        s->log.events[index].reached = stamp - s->began;
}

/* ---- what an event leads to --------------------------------------------------------------------- */

/* What the rules want for a frame that is sent just now. */
struct fate {
    int drop, corrupt, duplicate;
    int64_t delay, duplicate_after;
    long held;
};

static void apply_rule(struct stage *s, long index, struct fate *fate) {
    const struct rule *rule = &s->scene->rules[index];
    switch (rule->action) {
    case DROP: fate->drop = 1; break;
    case DELAY: fate->delay = rule->after; break;
    case DUPLICATE:
        fate->duplicate = 1;
        fate->duplicate_after = rule->after;
        break;
    case CORRUPT: fate->corrupt = 1; break;
    case HOLD: fate->held = index; break;
    case KILL: s->kill_next[rule->host] = 1; break;
    case START: s->start_next[rule->host] = 1; break;
    case UNPLUG: s->cable.unplugged[rule->host] = 1; break;
    case PLUG: s->cable.unplugged[rule->host] = 0; break;
    }
}

static const char too_many[] = "too many frames are in flight";

static void put_on_cable(struct stage *s, struct passage *p) {
    if (cable_put(&s->cable, p) < 0)
        s->failure = too_many;
}

/* What the rules do with the frame, or NULL: then it goes its way, or is asked about. */
static const char *ruled(const struct fate *fate) {
    return fate->drop               ? "drops"
           : fate->held != NO_INDEX ? "holds"
           : fate->delay            ? "delays"
           : fate->duplicate        ? "doubles"
           : fate->corrupt          ? "damages"
                                    : NULL;
}

static void launch(struct stage *s, const struct event *e, const struct fate *fate) {
    struct logged_frame *frame = &s->log.frames[e->frame];
    int64_t delay = s->scene->latency + fate->delay;
    struct passage p = {.frame = e->frame,
                        .to = !e->host,
                        .due = frame->sent + delay,
                        .order = s->cause + delay,
                        .damaged = fate->corrupt,
                        .held = fate->held};
    frame->held = fate->held != NO_INDEX;
    if (s->hold.on && ruled(fate))
        hold_leave(&s->hold, &s->log, e->frame, ruled(fate));
    if (fate->drop || s->cable.unplugged[e->host]) {
        log_frame_event(s, EV_LOST, p.to, &p);
        return;
    }
    if (frame->f.protocol == P_ARP &&
        !(s->hold.on && s->options->all)) { /* not what a scene is about: at once */
        carry_deliver(s, &p);
        s->arp_delivered = 1;
        return;
    }
    if (s->hold.on && !ruled(fate)) {
        if (hold_is_again(&s->hold, &s->log, e->frame)) {
            log_frame_event(s, EV_LOST, p.to, &p);
        } else {
            frame->held = 1;
            if (hold_frame(&s->hold, &p) < 0)
                s->failure = too_many;
        }
        return;
    }
    put_on_cable(s, &p);
    if (fate->duplicate) {
        p.copy = 1;
        p.due += fate->duplicate_after;
        p.order += fate->duplicate_after;
        put_on_cable(s, &p);
    }
}

void carry_decided(struct stage *s, enum decision decision) {
    struct passage p = hold_take(&s->hold);
    int64_t t = stage_now(s);
    switch (decision) {
    case WAIT: return;
    case LOSE: log_frame_event(s, EV_LOST, p.to, &p); return;
    case LATE:
        p.due = t + LATE_NS;
        p.order = (p.order > s->cause ? p.order : s->cause) + LATE_NS;
        break;
    case DOUBLE:
        put_on_cable(s, &p);
        p.copy = 1;
        break;
    case LET_GO: break;
    }
    put_on_cable(s, &p);
}

void carry_event(struct stage *s, long index) {
    struct fate fate = {.held = NO_INDEX};
    struct event e = s->log.events[index];
    s->last_event = e.time;
    check_event(&s->check, &s->log, index);
    for (long i = 0; i < s->scene->rule_count; i++) {
        struct rule *rule = &s->scene->rules[i];
        if (pattern_fits(&rule->when, &s->log, &e)) {
            rule->used = 1;
            apply_rule(s, i, &fate);
        }
        if (rule->action == HOLD && pattern_fits(&rule->until, &s->log, &e))
            cable_release(&s->cable, i, e.time, s->cause);
    }
    if (e.kind == EV_SEND)
        launch(s, &e, &fate);
}
