/* play.c - see play.h.
 *
 *   settle     every program sleeps in a call: what they did is in the log
 *   deliver    the next frame that is due is written to its host
 *   collect    what the host's kernel did with it: states, then frames
 *   digest     each event of the log, as it is added: expectations, rules, onto the cable
 *
 * and again, until the programs have ended and the cable is empty.
 */
#define _GNU_SOURCE
#include "play.h"
#include "cable.h"
#include "chart.h"
#include "check.h"
#include "host.h"
#include "record.h"
#include "rows.h"
#include "rtt.h"
#include "stamp.h"
#include "states.h"
#include "summary.h"
#include "tasks.h"
#include "svg.h"
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_FRAMES = 1000000,
    STEPS_AT_ONCE = 64,
    MAX_STARTS = 8,              /* of one host, by rules */
    IDLE_LOOK_NS = 20 * 1000000, /* states may change by a kernel's timer alone */
    SETTLE_LIMIT_NS =
        2000 * 1000000, /* a program that never sleeps is waited for so long */
    SERVER_HEAD_START_NS = 1000 * 1000000, /* for a server that is slow to listen */
};

struct seen { /* an endpoint as it was at the last look */
    struct endpoint now;
    long connection;
    int found;
    int timeouts; /* of its gauge's retransmits, how many have been seen as frames */
};

struct stage {
    struct scene *scene;
    const struct play_options *options;
    struct host hosts[HOSTS];
    struct log log;
    struct tasks tasks;
    struct cable cable;
    struct stamps stamps[HOSTS];
    struct check check;
    struct rows rows;
    struct term term;
    struct seen *seen[HOSTS];
    int seen_count[HOSTS];
    struct endpoint *looked; /* room for one reading of states */
    int64_t began;           /* by the monotonic clock */
    int64_t cause; /* order of the event that all is now a consequence of; see cable.h */
    int64_t last_event;
    int64_t
        status_shown; /* time of the last "time passes" line, 0 when none is on the screen */
    long events_printed;
    int arp_delivered;     /* the other host has an answer ready */
    int start_next[HOSTS]; /* actions that rules have asked for */
    int kill_next[HOSTS];
    int starts[HOSTS];   /* how often each program was started */
    const char *failure; /* why the playing ended early */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    if (number != SIGCHLD)
        interrupted = 1;
}

static int64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The same moment as others write it down. */
static int64_t epoch_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* To what this kernel rounds its timers: the coarse clock moves with them. */
static int64_t tick_ns(void) {
    struct timespec grain;
    return clock_getres(CLOCK_MONOTONIC_COARSE, &grain) == 0 ? grain.tv_nsec : 0;
}

static int64_t now(void *ear) {
    return clock_ns() - ((struct stage *)ear)->began;
}

static void event_begin(struct stage *s, struct event *e, enum event_kind kind, int host) {
    memset(e, 0, sizeof *e);
    e->kind = kind;
    e->host = host;
    e->time = now(s);
    e->frame = e->connection = e->call = NO_INDEX;
    e->fd = NO_INDEX;
}

static long log_frame_event(struct stage *s, enum event_kind kind, int host,
                            const struct passage *p) {
    struct event e;
    event_begin(s, &e, kind, host);
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

/* The frame reaches its host. A write to a TAP device is processed by the host's kernel before it
 * returns: what it leads to can be read at once. */
static void deliver(struct stage *s, const struct passage *p) {
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

/* ---- digest: what an event leads to ------------------------------------------------------------- */

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

static void put_on_cable(struct stage *s, struct passage *p) {
    if (cable_put(&s->cable, p) < 0)
        s->failure = "too many frames are in flight";
}

static void launch(struct stage *s, const struct event *e, const struct fate *fate) {
    const struct logged_frame *frame = &s->log.frames[e->frame];
    int64_t delay = s->scene->latency + fate->delay;
    struct passage p = {.frame = e->frame,
                        .to = !e->host,
                        .due = frame->sent + delay,
                        .order = s->cause + delay,
                        .damaged = fate->corrupt,
                        .held = fate->held};
    s->log.frames[e->frame].held = fate->held != NO_INDEX;
    if (fate->drop || s->cable.unplugged[e->host]) {
        log_frame_event(s, EV_LOST, p.to, &p);
        return;
    }
    if (frame->f.protocol == P_ARP) { /* not what a scene is about: at once */
        deliver(s, &p);
        s->arp_delivered = 1;
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

/* Told by the log of each event, in order. May itself lead to more events. */
static void digest(void *ear, long index) {
    struct stage *s = ear;
    struct fate fate = {.held = NO_INDEX};
    struct event e = s->log.events[index];
    s->last_event = e.time;
    check_event(&s->check, &s->log, index);
    for (long i = 0; i < s->scene->rule_count; i++) {
        struct rule *rule = &s->scene->rules[i];
        if (pattern_fits(&rule->when, &s->log, &e))
            apply_rule(s, i, &fate);
        if (rule->action == HOLD && pattern_fits(&rule->until, &s->log, &e))
            cable_release(&s->cable, i, e.time, s->cause);
    }
    if (e.kind == EV_SEND)
        launch(s, &e, &fate);
}

/* ---- collect: what the kernels did --------------------------------------------------------------- */

static int is_between_hosts(const struct endpoint *row) {
    static const uint8_t network[3] = {10, 0, 0};
    return row->state == LISTEN ? row->own_ip[0] != 127
                                : memcmp(row->peer_ip, network, sizeof network) == 0 &&
                                      memcmp(row->own_ip, row->peer_ip, 4) != 0;
}

static int same_endpoint(const struct endpoint *a, const struct endpoint *b) {
    return a->own_port == b->own_port && a->peer_port == b->peer_port &&
           memcmp(a->own_ip, b->own_ip, 4) == 0 && memcmp(a->peer_ip, b->peer_ip, 4) == 0;
}

static void log_state(struct stage *s, int host, const struct seen *seen,
                      enum state state) {
    struct event e;
    event_begin(s, &e, EV_STATE, host);
    e.state = state;
    e.connection = seen->connection;
    e.listener = seen->connection == NO_INDEX;
    log_add(&s->log, &e);
}

/* What the kernel says of this end just now, before the event that may follow from it is logged. */
static void log_gauge(struct stage *s, int host, struct seen *seen) {
    struct gauge gauge = seen->now.gauge;
    if (seen->connection == NO_INDEX)
        return;
    gauge.host = host;
    gauge.connection = seen->connection;
    gauge.events = s->log.event_count;
    gauge.time = now(s);
    if (seen->timeouts > gauge.retransmits)
        seen->timeouts = gauge.retransmits;
    log_add_gauge(&s->log, &gauge);
}

static void endpoint_appeared(struct stage *s, int host, const struct endpoint *row) {
    if (s->seen_count[host] == MAX_ENDPOINTS)
        return;
    struct seen *seen = &s->seen[host][s->seen_count[host]++];
    *seen = (struct seen){.now = *row, .connection = NO_INDEX, .found = 1};
    if (row->state != LISTEN) {
        uint8_t ip[HOSTS][16] = {{0}};
        uint16_t port[HOSTS];
        memcpy(ip[host], row->own_ip, 4);
        memcpy(ip[!host], row->peer_ip, 4);
        port[host] = row->own_port;
        port[!host] = row->peer_port;
        seen->connection = log_connection(&s->log, (const uint8_t(*)[16])ip, port);
    }
    log_gauge(s, host, seen);
    log_state(s, host, seen, row->state);
}

static int listens_on(const struct endpoint *rows, int count, uint16_t port) {
    for (int i = 0; i < count; i++)
        if (rows[i].state == LISTEN && rows[i].own_port == port)
            return 1;
    return 0;
}

/* An endpoint that is gone is CLOSED; but one that was SYN_RCVD by a passive open goes back to
 * LISTEN (RFC 9293 3.10.7.4): to the listening socket, which is still there. */
static void endpoints_vanished(struct stage *s, int host, const struct endpoint *rows,
                               int count) {
    for (int i = 0; i < s->seen_count[host];) {
        struct seen gone = s->seen[host][i];
        if (gone.found) {
            i++;
            continue;
        }
        s->seen[host][i] = s->seen[host][--s->seen_count[host]];
        gone.now.gauge = (struct gauge){0}; /* nobody is left to say anything */
        log_gauge(s, host, &gone);
        log_state(s, host, &gone,
                  gone.now.state == SYN_RCVD && listens_on(rows, count, gone.now.own_port)
                      ? LISTEN
                      : CLOSED);
    }
}

/* By port, so that the order does not hang on the kernel's hash table. */
static int by_port(const void *a, const void *b) {
    const struct endpoint *x = a, *y = b;
    return x->own_port != y->own_port ? x->own_port - y->own_port
                                      : x->peer_port - y->peer_port;
}

static void read_states(struct stage *s, int host) {
    int count = states_read(s->hosts[host].diag, s->looked, MAX_ENDPOINTS);
    if (count < 0) {
        s->failure = "the states of a host could not be read";
        return;
    }
    qsort(s->looked, (size_t)count, sizeof *s->looked, by_port);
    for (int i = 0; i < s->seen_count[host]; i++)
        s->seen[host][i].found = 0;
    for (int k = 0; k < count; k++) {
        const struct endpoint *row = &s->looked[k];
        int i;
        if (!is_between_hosts(row))
            continue;
        for (i = 0; i < s->seen_count[host]; i++)
            if (!s->seen[host][i].found && same_endpoint(&s->seen[host][i].now, row))
                break;
        if (i == s->seen_count[host]) {
            endpoint_appeared(s, host, row);
            continue;
        }
        enum state before = s->seen[host][i].now.state;
        s->seen[host][i].now = *row;
        s->seen[host][i].found = 1;
        log_gauge(s, host, &s->seen[host][i]);
        if (before != row->state)
            log_state(s, host, &s->seen[host][i], row->state);
    }
    endpoints_vanished(s, host, s->looked, count);
}

/* Why the host has sent this: asked of its kernel behind the frame, so that what is said is not older
 * than the frame. A SYN or SYN,ACK is sent again by the timer alone. */
static enum why why_sent(struct stage *s, int host, const struct logged_frame *frame) {
    long connection = frame->connection;
    int again = frame->again, probe = frame->probe;
    if (!again && !probe)
        return WHY_NONE;
    read_states(s, host);
    for (int i = 0; i < s->seen_count[host]; i++) {
        struct seen *seen = &s->seen[host][i];
        const struct gauge *gauge = &seen->now.gauge;
        if (seen->connection != connection)
            continue;
        if (probe)
            return seen->now.timer == TIMER_PROBE ? WHY_WINDOW_PROBE : WHY_KEEPALIVE;
        if (seen->now.state == SYN_SENT || seen->now.state == SYN_RCVD)
            return WHY_RTO;
        if (!gauge->known)
            return WHY_NONE;
        if (gauge->retransmits > seen->timeouts) {
            seen->timeouts++;
            return WHY_RTO;
        }
        return gauge->congestion == 4   ? WHY_AFTER_RTO
               : gauge->congestion == 3 ? WHY_FAST
                                        : WHY_TLP;
    }
    return WHY_NONE;
}

/* Takes every frame that the host has sent. Returns how many. */
static int read_frames(struct stage *s, int host) {
    uint8_t bytes[FRAME_MAX + 4];
    int count = 0;
    ssize_t n;
    while ((n = read(s->hosts[host].cable, bytes, sizeof bytes)) > 0) {
        struct event e;
        if (s->log.frame_count == MAX_FRAMES) {
            s->failure = "a million frames have been sent: that is enough for a ladder";
            return 0;
        }
        event_begin(s, &e, EV_SEND, host);
        e.frame = log_add_frame(&s->log, host, e.time, bytes, (size_t)n);
        int64_t stamp = stamp_take(&s->stamps[host], 1, bytes, (size_t)n);
        if (stamp)
            s->log.frames[e.frame].left = stamp - s->began;
        s->log.frames[e.frame].why = why_sent(s, host, &s->log.frames[e.frame]);
        log_add(&s->log, &e);
        count++;
    }
    return count;
}

/* First the state that a cause led to, then the segments it sent. Returns how many events came.
 * What ARP asks is answered on the way: a datagram that waited for it leaves in the same call. */
static long collect_host(struct stage *s, int host) {
    long before = s->log.event_count;
    do {
        s->arp_delivered = 0;
        read_states(s, host);
        read_frames(s, host);
        if (s->arp_delivered)
            read_frames(s, !host);
    } while (s->arp_delivered && !s->failure && !interrupted);
    return s->log.event_count - before;
}

static long collect(struct stage *s) {
    return collect_host(s, CLIENT) + collect_host(s, SERVER);
}

static void call_ended(void *ear, int host) {
    collect_host(ear, host);
}

/* ---- settle -------------------------------------------------------------------------------------- */

/* Waits for a traced process to stop, 50 us at most. */
static void wait_a_moment(void) {
    sigset_t set;
    struct timespec moment = {0, 50000};
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigtimedwait(&set, NULL, &moment);
}

static int start(struct stage *s, int host) {
    struct trouble trouble;
    if (++s->starts[host] > MAX_STARTS) {
        s->failure =
            "a rule starts a program again and again; #1 behind its event means once";
        return -1;
    }
    int input =
        s->options->inherit_input && host == CLIENT ? dup(0) : open("/dev/null", O_RDONLY);
    int failed =
        input < 0 || tasks_start(&s->tasks, host, &s->hosts[host],
                                 s->scene->commands[host].words, input, &trouble) < 0;
    if (input >= 0)
        close(input);
    if (failed) {
        fprintf(stderr, "wire: %s: %s\n", trouble.what, strerror(trouble.error));
        s->failure = "";
    }
    return failed ? -1 : 0;
}

/* Does what rules have asked for. Returns 1 when there was something. */
static int act(struct stage *s) {
    int did = 0;
    for (int host = 0; host < HOSTS; host++) {
        if (s->kill_next[host]) {
            s->kill_next[host] = 0;
            tasks_kill(&s->tasks, host);
            did = 1;
        }
        if (s->start_next[host] && !s->tasks.programs[host].running) {
            s->start_next[host] = 0;
            start(s, host);
            did = 1;
        }
    }
    return did;
}

static void show(struct stage *s);

static void settle(struct stage *s) {
    int64_t limit = now(s) + SETTLE_LIMIT_NS;
    tasks_wait_begins(&s->tasks);
    while (!interrupted && !s->failure) {
        int steps = 0;
        while (steps < STEPS_AT_ONCE && tasks_step(&s->tasks))
            steps++;
        if (act(s))
            continue;
        enum rest rest =
            steps == 0 || steps == STEPS_AT_ONCE ? tasks_rest(&s->tasks) : AT_WORK;
        if (rest != AT_WORK || now(s) > limit) {
            if (collect(s) || act(s) || (rest == ASLEEP && tasks_step(&s->tasks)))
                continue;
            break;
        }
        if (steps == 0)
            wait_a_moment();
    }
    tasks_read_output(&s->tasks);
    tasks_mark_blocked(&s->tasks);
    show(s);
    s->log.round++;
}

/* ---- show ---------------------------------------------------------------------------------------- */

static void clear_status(struct stage *s) {
    if (s->status_shown)
        fputs("\r\033[K", stdout);
    s->status_shown = 0;
}

static void show_events(struct stage *s) {
    char text[EVENT_TEXT];
    for (; s->events_printed < s->log.event_count; s->events_printed++) {
        const struct event *e = &s->log.events[s->events_printed];
        printf("%10.4f  %s\n", (double)e->time / 1e6,
               log_event_text(&s->log, e, text, sizeof text));
    }
    fflush(stdout);
}

static void show(struct stage *s) {
    if (s->options->events) {
        show_events(s);
    } else if (!s->options->quiet) {
        rows_feed(&s->rows, &s->log);
        long end = rows_final(&s->rows, !cable_is_empty(&s->cable));
        if (end > s->term.drawn)
            clear_status(s);
        term_rows(&s->term, &s->rows, &s->log, s->scene, end);
    }
}

/* On a terminal, while nothing happens: that time passes, and what for. */
static void show_status(struct stage *s) {
    int64_t t = now(s);
    char where[HOSTS][80];
    if (!s->options->live || s->options->quiet || s->options->events ||
        t - s->last_event < 1000000000 || t - s->status_shown < 200000000)
        return;
    for (int host = 0; host < HOSTS; host++)
        tasks_where(&s->tasks, host, where[host], sizeof where[host]);
    printf("\r%7.1f  ... %s, %s\033[K",
           (double)(t - (s->term.zero > 0 ? s->term.zero : 0)) / 1e6, where[CLIENT],
           where[SERVER]);
    fflush(stdout);
    s->status_shown = t;
}

/* ---- the playing --------------------------------------------------------------------------------- */

/* Waits until a frame comes, a program stops, or `until`. Returns 1 when something came. */
static int wait_until(struct stage *s, int64_t until) {
    struct pollfd fds[HOSTS];
    sigset_t open;
    int64_t left = until - now(s);
    if (left < 0)
        left = 0;
    struct timespec timeout = {left / 1000000000, left % 1000000000};
    for (int host = 0; host < HOSTS; host++)
        fds[host] = (struct pollfd){.fd = s->hosts[host].cable, .events = POLLIN};
    sigemptyset(&open);
    if (ppoll(fds, HOSTS, &timeout, &open) >= 0)
        return fds[CLIENT].revents || fds[SERVER].revents;
    /* A signal; perhaps only the SIGCHLD of a stop that has been dealt with long ago. */
    siginfo_t child = {0};
    return waitid(P_ALL, 0, &child, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) == 0 &&
           child.si_pid != 0;
}

static int is_started_by_rule(const struct scene *scene, int host) {
    for (long i = 0; i < scene->rule_count; i++)
        if (scene->rules[i].action == START && scene->rules[i].host == host)
            return 1;
    return 0;
}

/* True when no kernel is going to send anything by itself: no timer runs that resends or probes. */
static int kernels_are_quiet(const struct stage *s) {
    for (int host = 0; host < HOSTS; host++)
        for (int i = 0; i < s->seen_count[host]; i++) {
            const struct endpoint *e = &s->seen[host][i].now;
            if (e->timer == TIMER_RETRANSMIT || e->timer == TIMER_PROBE ||
                e->state == SYN_RCVD || e->state == SYN_SENT)
                return 0;
        }
    return 1;
}

static int connections_are_closed(const struct stage *s) {
    for (int host = 0; host < HOSTS; host++)
        for (int i = 0; i < s->seen_count[host]; i++)
            if (s->seen[host][i].now.state != LISTEN &&
                s->seen[host][i].now.state != TIME_WAIT)
                return 0;
    return 1;
}

/* The end: the client (or, without one, the server) has ended, nothing is on the cable or going to
 * be. A server may go on to wait for ever: that is what servers do. */
static int is_over(const struct stage *s) {
    int leader = s->scene->commands[CLIENT].words[0] ? CLIENT : SERVER;
    if (s->tasks.programs[leader].pid == 0 || tasks_alive(&s->tasks, leader) > 0 ||
        !cable_is_empty(&s->cable) || !kernels_are_quiet(s))
        return 0;
    if (s->scene->expectation_count > 0)
        return check_complete(&s->check) || tasks_alive(&s->tasks, !leader) == 0;
    return connections_are_closed(s) || tasks_alive(&s->tasks, !leader) == 0;
}

static void step(struct stage *s) {
    long next = cable_next(&s->cable);
    int64_t t = now(s), until = t + IDLE_LOOK_NS;
    if (next != NO_INDEX && s->cable.waiting[next].due <= t) {
        struct passage p = cable_take(&s->cable, next);
        if (p.order > s->cause)
            s->cause = p.order;
        deliver(s, &p);
        collect_host(s, p.to);
        settle(s);
        return;
    }
    if (next != NO_INDEX && s->cable.waiting[next].due < until)
        until = s->cable.waiting[next].due;
    int came = wait_until(s, until);
    if (came || next == NO_INDEX || until < s->cable.waiting[next].due)
        s->cause =
            now(s) > s->cause ? now(s) : s->cause; /* by a timer: a cause of its own */
    show_status(s);
    settle(s);
    if (now(s) - s->last_event > s->scene->timeout)
        s->failure = "nothing has happened";
}

static void run(struct stage *s) {
    int64_t limit = now(s) + SERVER_HEAD_START_NS;
    if (s->scene->commands[SERVER].words[0] && !is_started_by_rule(s->scene, SERVER)) {
        if (start(s, SERVER) < 0)
            return;
        do /* until it listens, or waits for a datagram, or opens a connection itself */
            settle(s);
        while (!s->tasks.waits[SERVER] && s->tasks.programs[SERVER].running &&
               !interrupted && !s->failure && now(s) < limit &&
               (wait_until(s, now(s) + 1000000) || 1));
    }
    s->cause = now(s);
    if (s->scene->commands[CLIENT].words[0] && !is_started_by_rule(s->scene, CLIENT))
        start(s, CLIENT);
    settle(s);
    while (!interrupted && !s->failure && !is_over(s))
        step(s);
}

/* ---- before and after ---------------------------------------------------------------------------- */

static int apply_settings(struct stage *s) {
    for (long i = 0; i < s->scene->setting_count; i++) {
        const struct setting *setting = &s->scene->settings[i];
        if (host_set(&s->hosts[setting->host], setting->name, setting->value) < 0) {
            fprintf(stderr, "%s:%d: sysctl %s %s: %s\n",
                    s->scene->path ? s->scene->path : "wire", setting->line, setting->name,
                    setting->value, strerror(errno));
            return -1;
        }
    }
    return 0;
}

/* Without a packet socket the times are those at which the wire itself had the frames. */
static void open_stamps(struct stage *s) {
    int wanted = s->scene->table[CLIENT] || s->scene->table[SERVER] || s->options->rto_svg;
    for (int host = 0; host < HOSTS; host++) {
        s->stamps[host].socket = -1;
        if (wanted)
            stamps_open(&s->stamps[host], &s->hosts[host]);
    }
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t set;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGCHLD, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD); /* open only in ppoll() and sigtimedwait(): none is missed */
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void heading(struct stage *s) {
    if (!s->options->quiet && !s->options->events)
        term_heading(&s->term, s->scene, host_addresses);
}

/* A program that ended badly, though no rule killed it and no expectation speaks of its end. */
static int report_ends(const struct stage *s) {
    int bad = 0;
    for (int host = 0; host < HOSTS; host++) {
        const struct program *program = &s->tasks.programs[host];
        if (!program->pid || program->running || program->killed || !program->exit_status)
            continue;
        int told = 0;
        for (long i = 0; i < s->scene->expectation_count; i++)
            told |= s->scene->expectations[i].what.kind == EV_EXIT &&
                    s->scene->expectations[i].what.host == host;
        if (told)
            continue;
        char text[EVENT_TEXT];
        long prints[3] = {NO_INDEX, NO_INDEX, NO_INDEX};
        for (long i = 0; i < s->log.event_count; i++) {
            const struct event *e = &s->log.events[i];
            if (e->host != host)
                continue;
            if (e->kind == EV_PRINTS) {
                memmove(prints, prints + 1, 2 * sizeof prints[0]);
                prints[2] = i;
            }
            if (e->kind == EV_EXIT)
                fprintf(stderr, "wire: %s\n",
                        log_event_text(&s->log, e, text, sizeof text));
        }
        for (int i = 0; i < 3; i++)
            if (prints[i] != NO_INDEX)
                fprintf(stderr, "      it printed: %s\n", s->log.events[prints[i]].text);
        bad |= WIFSIGNALED(program->exit_status) || s->scene->expectation_count > 0;
    }
    return bad;
}

static void report_failure(const struct stage *s) {
    char where[HOSTS][80];
    if (s->failure[0] == '\0')
        return;
    for (int host = 0; host < HOSTS; host++)
        tasks_where(&s->tasks, host, where[host], sizeof where[host]);
    if (strcmp(s->failure, "nothing has happened") == 0)
        fprintf(stderr, "wire: nothing has happened for %.1f s: %s; %s\n",
                (double)s->scene->timeout / 1e9, where[CLIENT], where[SERVER]);
    else
        fprintf(stderr, "wire: %s\n", s->failure);
}

static int as_expected(const struct stage *s) {
    return s->scene->expectation_count > 0 && check_complete(&s->check) &&
           s->check.broken == NO_INDEX;
}

static int cannot_write(const char *path) {
    fprintf(stderr, "wire: %s: %s\n", path, strerror(errno));
    return -1;
}

/* Asked before the playing, which may take minutes. */
static int can_record(const struct play_options *options) {
    FILE *file = options->record ? fopen(options->record, "wb") : NULL;
    if (options->record && (file == NULL || fclose(file) != 0))
        return cannot_write(options->record);
    return 0;
}

static int record(const struct stage *s) {
    const char *path = s->options->record;
    if (path && record_write(path, &s->log, s->scene, host_addresses, as_expected(s)) < 0)
        return cannot_write(path);
    return 0;
}

/* Of the client, unless the scene's table is of the server. Returns 0, or -1 when it was told why not. */
static int draw(struct stage *s, const char *path,
                void (*chart)(FILE *, const struct log *, int, const char *)) {
    int host = s->scene->table[SERVER] && !s->scene->table[CLIENT] ? SERVER : CLIENT;
    if (path == NULL)
        return 0;
    FILE *out = fopen(path, "w");
    int bad = out == NULL;
    if (out) {
        chart(out, &s->log, host, s->scene->title ? s->scene->title : "One connection");
        bad = ferror(out) != 0;
        bad |= fclose(out) != 0;
    }
    if (bad)
        return cannot_write(path);
    return 0;
}

static int draw_ladder(struct stage *s) {
    const char *path = s->options->svg;
    if (path == NULL)
        return 0;
    FILE *out = fopen(path, "w");
    rows_feed(&s->rows, &s->log);
    if (out)
        svg_ladder(out, &s->rows, &s->log, s->scene, host_addresses);
    if (out == NULL || ferror(out) | fclose(out)) {
        fprintf(stderr, "wire: %s: %s\n", path, strerror(errno));
        return -1;
    }
    return 0;
}

static int conclude(struct stage *s) {
    int failed = 0;
    clear_status(s);
    if (s->options->events)
        show_events(s);
    else if (!s->options->quiet) {
        rows_feed(&s->rows, &s->log);
        term_rows(&s->term, &s->rows, &s->log, s->scene, s->rows.count);
        term_finish(&s->term);
        summary_print(stdout, &s->log);
        if (as_expected(s))
            summary_outcome(stdout, s->check.met);
        for (int host = 0; host < HOSTS; host++)
            if (s->scene->table[host])
                rtt_print(stdout, &s->log, host, s->term.zero);
    }
    fflush(stdout);
    failed |= record(s) < 0;
    if (interrupted) {
        fprintf(stderr, "wire: interrupted\n");
        return PLAY_FAILED;
    }
    if (s->failure) {
        report_failure(s);
        failed = 1;
    }
    failed |= draw_ladder(s) < 0;
    failed |= draw(s, s->options->rto_svg, chart_rto) < 0;
    failed |= draw(s, s->options->sequence_svg, chart_sequence) < 0;
    failed |= report_ends(s);
    failed |= check_report(&s->check, &s->log, stderr);
    return failed ? PLAY_FAILED : PLAY_OK;
}

int play(struct scene *scene, const struct play_options *options) {
    struct stage *s = calloc(1, sizeof *s);
    struct trouble trouble;
    int result = PLAY_FAILED;
    if (s == NULL || can_record(options) < 0) {
        free(s);
        return PLAY_FAILED;
    }
    s->scene = scene;
    s->options = options;
    s->looked = calloc(MAX_ENDPOINTS, sizeof *s->looked);
    for (int host = 0; host < HOSTS; host++) {
        s->seen[host] = calloc(MAX_ENDPOINTS, sizeof *s->seen[host]);
        memcpy(s->log.isn[host], scene->isn[host], sizeof s->log.isn[host]);
    }
    catch_signals();
    if (hosts_open(s->hosts, scene->textbook, &trouble) < 0) {
        fprintf(stderr, "wire: %s: %s%s%s\n", trouble.what, strerror(trouble.error),
                trouble.mend[0] ? "; to mend it: " : "", trouble.mend);
        result = PLAY_NO_NETWORK;
    } else if (apply_settings(s) < 0) {
        result = PLAY_MISTAKE;
    } else {
        open_stamps(s);
        s->began = clock_ns();
        s->log.epoch = epoch_ns();
        s->log.tick = tick_ns();
        s->log.heard = digest;
        s->log.ear = s;
        s->tasks.log = &s->log;
        s->tasks.now = now;
        s->tasks.call_ended = call_ended;
        s->tasks.ear = s;
        check_init(&s->check, scene);
        rows_init(&s->rows, options->all);
        term_init(&s->term, stdout, options->columns, options->ascii, options->colour);
        heading(s);
        run(s);
        result = conclude(s);
        tasks_end(&s->tasks);
        for (int host = 0; host < HOSTS; host++)
            stamps_close(&s->stamps[host]);
    }
    hosts_close(s->hosts);
    rows_free(&s->rows);
    log_free(&s->log);
    free(s->cable.waiting);
    for (int host = 0; host < HOSTS; host++)
        free(s->seen[host]);
    free(s->looked);
    free(s);
    return result;
}
