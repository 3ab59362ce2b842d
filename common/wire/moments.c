/* moments.c - see moments.h. */
#include "moments.h"

#include <stdlib.h>
#include <string.h>

/* ---- from rows to moments ------------------------------------------------------------ */

/* A recording may claim any times: so that none overflows when two are added. */
static int64_t sane(int64_t ns) {
    const int64_t most = (int64_t)1 << 58; /* 9 years */
    return ns > most ? most : ns < -most ? -most : ns;
}

static struct moment *add(struct moments *m, const struct row *row, int host,
                          int64_t real) {
    m->list = log_room(m->list, m->count, &m->room, sizeof *m->list);
    struct moment *new = &m->list[m->count++];
    memset(new, 0, sizeof *new);
    new->row = row;
    new->host = host;
    /* A row has the time of its first event; what it says of the frame came a little later.
     */
    new->real = sane(real);
    if (m->count > 1 && new->real < new[-1].real)
        new->real = new[-1].real;
    return new;
}

/* When each frame arrived first, by index; NO_INDEX: it did not. */
static int64_t *arrivals(const struct log *log) {
    int64_t *times = NULL;
    long room = 0;
    for (long i = 0; i < log->frame_count; i++) {
        times = log_room(times, i, &room, sizeof *times);
        times[i] = NO_INDEX;
    }
    for (long i = log->event_count - 1; i >= 0; i--)
        if (log->events[i].kind == EV_ARRIVE && !log->events[i].copy)
            times[log->events[i].frame] = sane(log->events[i].time);
    return times;
}

static void add_row(struct moments *m, const struct row *row, const struct log *log,
                    const int64_t *arrived) {
    int sends = row->crossing == STRAIGHT || row->crossing == DEPARTS ||
                row->crossing == LOST_AT_ONCE;
    if (sends) {
        struct moment *at = add(m, row, row->from, log->frames[row->frame].sent);
        at->departs = 1;
        at->lost = row->crossing == LOST_AT_ONCE;
        m->sent[row->frame] = m->count - 1;
    } else if (row->crossing == NOTHING)
        add(m, row, row->mine, row->time);

    int other = row->crossing == NOTHING ? !row->mine : !row->from;
    int ends = row->crossing == STRAIGHT || row->crossing == ARRIVES;
    if (!ends && row->crossing != LOST_LATER && row->lanes[other].kind == LANE_EMPTY)
        return;
    struct moment *at =
        add(m, row, other, row->crossing == STRAIGHT ? arrived[row->frame] : row->time);
    at->arrives = ends;
    at->lost = row->crossing == LOST_LATER;
}

/* ---- rounding ------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The largest of 1, 2, 5 times a power of ten that is not above ns. */
static int64_t nice(int64_t ns) {
    int64_t power = 1;
    while (power <= ns / 10)
        power *= 10;
    return ns >= 5 * power ? 5 * power : ns >= 2 * power ? 2 * power : power;
}

static int64_t to_grain(int64_t ns, int64_t grain) {
    return (ns + grain / 2) / grain * grain;
}

/* Kernels' timers are late and never early, by an eighth at most, and by a tick of up to 10 ms:
 * so down, but for what is nearly there. */
int64_t round_wait(int64_t ns) {
    const int64_t tick = 10 * 1000000;
    int64_t power = 1;
    while (power <= ns / 100)
        power *= 10;
    if (ns >= 2 * tick && power < tick)
        power = tick;
    return (ns + power / 4) / power * power;
}

/* What programs and kernels need for themselves. */
static int64_t at_once(const struct moments *m) {
    return m->passage * 3 / 4;
}

/* A quarter of all frames take no longer than this: a busy machine is late, and never early.
 * Where none arrives, but both ends were watched, 10 ms: a scene's latency unless it says
 * another. */
static int64_t usual_passage(const struct log *log, const int64_t *arrived) {
    int64_t *passages = NULL;
    long count = 0, room = 0;
    for (long i = 0; i < log->frame_count; i++)
        if (arrived[i] >= 0 && log->frames[i].f.protocol >= P_TCP) {
            passages = log_room(passages, count, &room, sizeof *passages);
            passages[count++] = arrived[i] - sane(log->frames[i].sent);
        }
    if (count == 0)
        return log->capture ? 0 : 10 * 1000000;
    qsort(passages, (size_t)count, sizeof *passages, by_size);
    int64_t usual = passages[count / 4];
    free(passages);
    return usual < 1000 ? 0 : usual;
}

/* What the moment is measured from: for an arrival the frame's sending; for what is sent
 * again without a cause at this host, its last sending; else what this host did last. */
static long cause(const struct moments *m, const struct log *log, long index, long last) {
    const struct moment *at = &m->list[index];
    if (at->row->frame == NO_INDEX)
        return last;
    const struct logged_frame *frame = &log->frames[at->row->frame];
    if (!at->departs)
        return m->sent[at->row->frame] != NO_INDEX ? m->sent[at->row->frame] : last;
    if (frame->again && frame->before != NO_INDEX && m->sent[frame->before] != NO_INDEX &&
        last != NO_INDEX && at->real - m->list[last].real > at_once(m))
        return m->sent[frame->before];
    return last;
}

static int64_t rounded(const struct moments *m, const struct log *log, long index,
                       long last) {
    const struct moment *at = &m->list[index];
    long from = cause(m, log, index, last);
    if (index == 0)
        return 0;
    if (from == NO_INDEX) /* its program has only just been started */
        return m->list[index - 1].time;
    int64_t took = at->real - m->list[from].real;
    if (!at->departs && at->row->frame != NO_INDEX && from == m->sent[at->row->frame])
        took = took > m->passage * 4 / 5 && took < m->passage * 5 / 4 ? m->passage
               : took < m->grain                                      ? 0
               : took < at_once(m)                                    ? m->passage / 2
                                                                      : round_wait(took);
    else
        took = took < at_once(m) ? 0 : round_wait(took);
    return m->list[from].time + took;
}

static void round_times(struct moments *m, const struct log *log) {
    long last[HOSTS] = {NO_INDEX, NO_INDEX};
    m->grain = m->passage ? nice(m->passage / 10) : 1;
    m->passage = to_grain(m->passage, m->grain);
    for (long i = 0; i < m->count; i++) {
        struct moment *at = &m->list[i];
        at->time = m->passage ? to_grain(rounded(m, log, i, last[at->host]), m->grain)
                              : at->real - m->list[0].real;
        if (i > 0 && at->time < at[-1].time)
            at->time = at[-1].time;
        last[at->host] = i;
    }
}

void moments_make(struct moments *m, const struct rows *rows, const struct log *log) {
    int64_t *arrived = arrivals(log);
    long room = 0;
    memset(m, 0, sizeof *m);
    for (long i = 0; i < log->frame_count; i++) {
        m->sent = log_room(m->sent, i, &room, sizeof *m->sent);
        m->sent[i] = NO_INDEX;
    }
    for (long i = 0; i < rows->count; i++)
        add_row(m, &rows->rows[i], log, arrived);
    m->passage = usual_passage(log, arrived);
    round_times(m, log);
    free(arrived);
}

void moments_free(struct moments *m) {
    free(m->list);
    free(m->sent);
    memset(m, 0, sizeof *m);
}
