/* play.c - see play.h.
 *
 *   settle     every program sleeps in a call: what they did is in the log
 *   deliver    the next frame that is due is written to its host (carry.c)
 *   watch      what the host's kernel did with it: states, then frames (watch.c)
 *   digest     each event of the log, as it is added: expectations, rules, onto the cable (carry.c)
 *   show       the rows that are final by now (show.c)
 *
 * and again, until the programs have ended and the cable is empty.
 */
#define _GNU_SOURCE
#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STEPS_AT_ONCE = 64,
    MAX_STARTS = 8,              /* of one host, by rules */
    IDLE_LOOK_NS = 20 * 1000000, /* states may change by a kernel's timer alone */
    SETTLE_LIMIT_NS =
        2000 * 1000000,              /* a program that never sleeps is waited for so long */
    AFTER_HANDS_NS = 1000 * 1000000, /* without an event: nothing more comes */
    SERVER_HEAD_START_NS = 1000 * 1000000, /* for a server that is slow to listen */
};

volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    if (number != SIGCHLD)
        interrupted = 1;
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
    struct trouble trouble = {.what = "/dev/null"};
    const struct command *command = &s->scene->commands[host];
    if (++s->starts[host] > MAX_STARTS) {
        s->failure =
            "a rule starts a program again and again; #1 behind its event means once";
        return -1;
    }
    int inherits = s->options->inherit_input && !s->options->hold && host == CLIENT;
    int input = inherits ? dup(0) : open("/dev/null", O_RDONLY);
    int failed = input < 0 || tasks_start(&s->tasks, host, &s->hosts[host], command->words,
                                          input, &trouble) < 0;
    if (input >= 0)
        close(input);
    if (input < 0)
        trouble.error = errno;
    if (failed) {
        fprintf(stderr, "wire: ");
        if (s->scene->path)
            fprintf(stderr, "%s:%d: ", s->scene->path, command->line);
        fprintf(stderr, "%s: %s\n", trouble.what, strerror(trouble.error));
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

static long watch(struct stage *s) {
    return watch_host(s, CLIENT) + watch_host(s, SERVER);
}

static void settle(struct stage *s) {
    int64_t limit = stage_now(s) + SETTLE_LIMIT_NS;
    tasks_wait_begins(&s->tasks);
    while (!interrupted && !s->failure) {
        int steps = 0;
        while (steps < STEPS_AT_ONCE && tasks_step(&s->tasks))
            steps++;
        if (act(s))
            continue;
        enum rest rest =
            steps == 0 || steps == STEPS_AT_ONCE ? tasks_rest(&s->tasks) : AT_WORK;
        if (rest != AT_WORK || stage_now(s) > limit) {
            if (watch(s) || act(s) || (rest == ASLEEP && tasks_step(&s->tasks)))
                continue;
            break;
        }
        if (steps == 0)
            wait_a_moment();
    }
    tasks_read_output(&s->tasks);
    tasks_mark_blocked(&s->tasks);
    show_events(s);
    s->log.round++;
}

/* ---- the playing --------------------------------------------------------------------------------- */

/* Waits until a frame comes, a program stops, a key is there to be read, or `until`. Returns 1 when
 * something came from the hosts. */
static int wait_until(struct stage *s, int64_t until) {
    struct pollfd fds[HOSTS + 1];
    sigset_t open;
    int64_t left = until - stage_now(s);
    if (left < 0)
        left = 0;
    struct timespec timeout = {left / 1000000000, left % 1000000000};
    for (int host = 0; host < HOSTS; host++)
        fds[host] = (struct pollfd){.fd = s->hosts[host].cable, .events = POLLIN};
    fds[HOSTS] = (struct pollfd){.fd = s->hold.listening ? 0 : -1, .events = POLLIN};
    sigemptyset(&open);
    if (ppoll(fds, HOSTS + 1, &timeout, &open) >= 0)
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
        !cable_is_empty(&s->cable) || s->hold.count > 0 || !kernels_are_quiet(s))
        return 0;
    /* by hand: what is expected may never come */
    int waits = !s->hold.by_hand || stage_now(s) - s->last_event < AFTER_HANDS_NS;
    if (s->scene->expectation_count > 0 && waits)
        return check_complete(&s->check) || tasks_alive(&s->tasks, !leader) == 0;
    return connections_are_closed(s) || tasks_alive(&s->tasks, !leader) == 0;
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Asks for the frame that has waited longest, unless one on the cable comes before it. Returns 1 when a
 * key has said what becomes of it. No key is no answer: the hosts go on meanwhile. */
static int ask(struct stage *s, long next) {
    if (!s->hold.on)
        return 0;
    int is_next = s->hold.count > 0 && (next == NO_INDEX || s->cable.waiting[next].order >
                                                                s->hold.waiting[0].p.order);
    if (is_next)
        show_pause(s);
    enum decision decision = hold_ask(&s->hold, &s->log, stage_now(s), is_next);
    if (decision != WAIT)
        carry_decided(s, decision);
    while (!s->hold.on && s->hold.count > 0)
        carry_decided(s, LET_GO);
    if (is_next || s->hold.terminal) /* a class may look at it as long as it likes */
        s->waited_until = stage_now(s);
    return decision != WAIT || !s->hold.on;
}

static void step(struct stage *s) {
    long next = cable_next(&s->cable);
    int64_t t = stage_now(s), until = t + IDLE_LOOK_NS;
    if (next != NO_INDEX && s->cable.waiting[next].due <= t) {
        struct passage p = cable_take(&s->cable, next);
        s->cause = later(p.order, s->cause);
        carry_deliver(s, &p);
        watch_host(s, p.to);
        settle(s);
        return;
    }
    if (ask(s, next)) {
        settle(s);
        return;
    }
    if (next != NO_INDEX && s->cable.waiting[next].due < until)
        until = s->cable.waiting[next].due;
    int came = wait_until(s, until);
    if (came || next == NO_INDEX || until < s->cable.waiting[next].due)
        s->cause = later(stage_now(s), s->cause); /* by a timer: a cause of its own */
    show_status(s);
    settle(s);
    if (stage_now(s) - later(s->last_event, s->waited_until) > s->scene->timeout)
        s->failure = "nothing has happened";
}

static void run(struct stage *s) {
    int64_t limit = stage_now(s) + SERVER_HEAD_START_NS;
    if (s->scene->commands[SERVER].words[0] && !is_started_by_rule(s->scene, SERVER)) {
        if (start(s, SERVER) < 0)
            return;
        do /* until it listens, or waits for a datagram, or opens a connection itself */
            settle(s);
        while (!s->tasks.waits[SERVER] && s->tasks.programs[SERVER].running &&
               !interrupted && !s->failure && stage_now(s) < limit &&
               (wait_until(s, stage_now(s) + 1000000) || 1));
    }
    s->cause = stage_now(s);
    if (s->scene->commands[CLIENT].words[0] && !is_started_by_rule(s->scene, CLIENT))
        start(s, CLIENT);
    settle(s);
    while (!interrupted && !s->failure && !s->hold.ended && !is_over(s))
        step(s);
}

/* ---- all of it ------------------------------------------------------------------------------------ */

/* What the log and the programs tell while they go on. */
static int64_t now(void *ear) {
    return stage_now(ear);
}

static void digest(void *ear, long index) {
    carry_event(ear, index);
}

static void call_ended(void *ear, int host) {
    watch_host(ear, host);
}

int play(struct scene *scene, const struct play_options *options) {
    struct stage *s = show_can_record(options) < 0 ? NULL : calloc(1, sizeof *s);
    if (s == NULL)
        return PLAY_FAILED;
    catch_signals();
    int result = stage_open(s, scene, options);
    if (result == PLAY_OK) {
        s->log.heard = digest;
        s->log.ear = s;
        s->tasks.log = &s->log;
        s->tasks.now = now;
        s->tasks.call_ended = call_ended;
        s->tasks.ear = s;
        hold_open(&s->hold, options);
        show_heading(s);
        run(s);
        hold_close(&s->hold);
        result = show_end(s);
        tasks_end(&s->tasks);
    }
    stage_close(s);
    free(s);
    return result;
}
