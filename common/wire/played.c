/* played.c - see played.h. A line of a comment is read from left to right; whatever does not
 * fit makes the file a capture like any other. */
#include "played.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_LINE = 2000,
    MOST_NUMBER = 1000000000,
    MOST_CONNECTIONS = 5000,
    MOST_EXPECTATIONS = 5000
};

static const char head[] = "wire recording 1";

struct numbered { /* an event, and its place in the log */
    long number;
    struct event e;
};

struct reading {
    struct recording *r;
    struct numbered *events;
    long event_count, event_room;
    struct gauge *gauges; /* .time, ...; the place of each is in gauge_numbers */
    long gauge_count, gauge_room;
    long *gauge_numbers, gauge_number_room;
    long frame; /* of the packet that is read, or NO_INDEX */
    int from;   /* who has sent it, or -1 */
};

/* ---- pieces of a line ---------------------------------------------------------------- */

/* A decimal number from *s on, at most `most`; moves *s behind it. Returns 0 when there is
 * none. */
static int take_number(const char **s, int64_t most, int64_t *number) {
    int64_t n = 0;
    if (!isdigit((unsigned char)**s))
        return 0;
    for (; isdigit((unsigned char)**s); ++*s) {
        int digit = **s - '0';
        if (n > (most - digit) / 10)
            return 0;
        n = n * 10 + digit;
    }
    *number = n;
    return 1;
}

static int take_word(const char **s, const char *word) {
    size_t length = strlen(word);
    if (strncmp(*s, word, length) != 0)
        return 0;
    *s += length;
    return 1;
}

/* "10.199000", ms, as ns. Times up to eleven days are times. */
static int take_ms(const char **s, int64_t *ns) {
    int64_t ms, part;
    const char *point;
    if (!take_number(s, 1000000000, &ms) || !take_word(s, "."))
        return 0;
    point = *s;
    if (!take_number(s, 999999, &part) || *s - point != 6)
        return 0;
    *ns = ms * 1000000 + part;
    return 1;
}

static int take_host(const char **s, int *host) {
    for (*host = 0; *host < HOSTS; ++*host)
        if (take_word(s, host_names[*host]))
            return 1;
    return 0;
}

/* "..." with \xNN in it, into text. */
static int take_quoted(const char **s, char text[MOST_LINE]) {
    size_t used = 0;
    if (!take_word(s, "\""))
        return 0;
    for (; **s && **s != '"'; ++*s) {
        char c = **s;
        if (c == '\\') {
            char digits[3] = {0};
            if ((*s)[1] != 'x' || !isxdigit((unsigned char)(*s)[2]) ||
                !isxdigit((unsigned char)(*s)[3]))
                return 0;
            memcpy(digits, *s + 2, 2);
            c = (char)(unsigned char)strtoul(digits, NULL, 16);
            *s += 3;
        }
        if (c == '\0' || used + 1 >= MOST_LINE)
            return 0;
        text[used++] = c;
    }
    text[used] = '\0';
    return take_word(s, "\"");
}

/* ---- one event ----------------------------------------------------------------------- */

static int take_kind(struct reading *g, const char **s, struct event *e, char mark) {
    static const char words[] = "><x";
    e->kind = (enum event_kind)(strchr(words, mark) - words);
    e->frame = g->frame;
    if (g->frame == NO_INDEX)
        return 0;
    if (e->kind == EV_SEND) {
        if (g->from >= 0)
            return 0; /* a frame is sent once */
        g->from = e->host;
    }
    const char *end = strstr(*s, "  {"), *copy = strstr(*s, " copy"),
               *damaged = strstr(*s, " damaged"), *why = strstr(*s, " why=");
    if (end == NULL)
        return 0;
    e->copy = copy && copy < end;
    e->damaged = damaged && damaged < end;
    if (e->kind == EV_SEND && why && why < end)
        for (int i = WHY_NONE + 1; i < WHYS; i++) {
            const char *name = why + strlen(" why=");
            if (take_word(&name, why_names[i]) && *name == ' ')
                g->r->log.frames[g->frame].why = (enum why)i;
        }
    *s = end;
    return 1;
}

static int take_state(const char **s, struct event *e) {
    e->kind = EV_STATE;
    size_t length = strspn(*s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_12");
    for (int i = CLOSED; i < STATES; i++)
        if (strlen(state_names[i]) == length && strncmp(*s, state_names[i], length) == 0)
            e->state = (enum state)i;
    *s += length;
    take_word(s, " listener");
    return e->state != S_NONE;
}

static int take_result(const char **s, struct event *e) {
    const char *end = strstr(*s, "  {");
    if (end == NULL || end - *s >= CALL_RESULT)
        return 0;
    memcpy(e->result, *s, (size_t)(end - *s));
    *s = end;
    return 1;
}

/* What follows "client : ". */
static int take_call(const char **s, struct event *e, char text[MOST_LINE]) {
    int64_t fd;
    if (take_word(s, "prints ")) {
        e->kind = EV_PRINTS;
        if (!take_quoted(s, text))
            return 0;
        e->text = text;
        return 1;
    }
    if (take_word(s, "exit = ")) {
        e->kind = EV_EXIT;
        return take_result(s, e);
    }
    size_t length = strspn(*s, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (length == 0 || length >= sizeof e->name)
        return 0;
    memcpy(e->name, *s, length);
    *s += length;
    e->kind = EV_CALL;
    if (take_word(s, "(")) {
        int minus = take_word(s, "-"); /* a program may call with any number */
        if (!take_number(s, INT32_MAX, &fd) || !take_word(s, ")"))
            return 0;
        e->fd = minus ? -(int)fd : (int)fd;
    }
    if (take_word(s, " = ")) {
        e->kind = EV_RETURN;
        return take_result(s, e);
    }
    return 1;
}

struct fields { /* in braces; -1: not there */
    int64_t round, note, connection, left, reached, call, events, known, congestion,
        retransmits;
    int minor, blocked, held, has_args;
};

static int take_fields(const char **s, struct fields *f, char args[MOST_LINE]) {
    struct {
        const char *name;
        int64_t *value;
    } numbers[] = {{"round=", &f->round},           {"note=", &f->note},
                   {"connection=", &f->connection}, {"left=", &f->left},
                   {"reached=", &f->reached},       {"call=", &f->call},
                   {"events=", &f->events},         {"known=", &f->known},
                   {"congestion=", &f->congestion}, {"retransmits=", &f->retransmits}};
    size_t count = sizeof numbers / sizeof numbers[0], i;
    for (i = 0; i < count; i++)
        *numbers[i].value = -1;
    f->minor = f->blocked = f->held = f->has_args = 0;
    if (!take_word(s, "  {"))
        return 0;
    while (!take_word(s, "}")) {
        for (i = 0; i < count; i++)
            if (take_word(s, numbers[i].name))
                break;
        if (i < count) {
            if (!take_number(s, 1000000000000000, numbers[i].value))
                return 0;
        } else if (take_word(s, "minor")) {
            f->minor = 1;
        } else if (take_word(s, "blocked")) {
            f->blocked = 1;
        } else if (take_word(s, "held")) {
            f->held = 1;
        } else if (take_word(s, "args=")) {
            f->has_args = 1;
            if (!take_quoted(s, args))
                return 0;
        } else {
            return 0;
        }
        take_word(s, " ");
    }
    return **s == '\0';
}

/* Puts the fields into the event; those that point at something must point at something
 * that is there. */
static int use_fields(struct reading *g, struct numbered *n, const struct fields *f) {
    struct recording *r = g->r;
    struct event *e = &n->e;
    if (f->round < 0 || f->round > MOST_NUMBER || f->note >= r->scene.expectation_count ||
        f->connection > r->log.connection_count || f->connection == 0)
        return 0;
    e->round = (long)f->round;
    e->note = f->note < 0 ? NO_INDEX : (long)f->note;
    e->minor = f->minor;
    e->blocked = f->blocked;
    if (e->kind == EV_STATE) {
        e->connection = f->connection < 0 ? NO_INDEX : (long)f->connection - 1;
        e->listener = e->connection == NO_INDEX;
    }
    if (e->kind == EV_ARRIVE && f->reached > 0)
        e->reached = f->reached;
    if (e->kind == EV_SEND && f->left > 0)
        r->log.frames[g->frame].left = f->left;
    if (e->kind == EV_SEND)
        r->log.frames[g->frame].held = f->held;
    if (e->kind == EV_RETURN) {
        if (f->call < 0 || f->call >= n->number)
            return 0;
        e->call = (long)f->call;
    }
    return 1;
}

/* "client ~ rto=204000 ...": what follows the ~. */
static int read_gauge(struct reading *g, const char *s, long number, int64_t time,
                      int host) {
    struct gauge gauge = {.time = time, .host = host};
    struct fields f;
    char args[MOST_LINE];
    struct {
        const char *name;
        uint32_t *value;
    } values[] = {{" rto=", &gauge.rto},
                  {" rtt=", &gauge.rtt},
                  {" rttvar=", &gauge.rttvar},
                  {" cwnd=", &gauge.cwnd},
                  {" unacked=", &gauge.unacked}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        int64_t value;
        if (!take_word(&s, values[i].name) || !take_number(&s, UINT32_MAX, &value))
            return 0;
        *values[i].value = (uint32_t)value;
    }
    if (!take_fields(&s, &f, args) || f.connection < 1 ||
        f.connection > g->r->log.connection_count || f.events < 0 ||
        f.events > MOST_NUMBER || f.known < 0 || f.known > 1 || f.congestion < 0 ||
        f.congestion > 100 || f.retransmits < 0 || f.retransmits > 1000000)
        return 0;
    gauge.connection = (long)f.connection - 1;
    gauge.events = (long)f.events;
    gauge.known = (int)f.known;
    gauge.congestion = (int)f.congestion;
    gauge.retransmits = (int)f.retransmits;
    g->gauges = log_room(g->gauges, g->gauge_count, &g->gauge_room, sizeof *g->gauges);
    g->gauge_numbers = log_room(g->gauge_numbers, g->gauge_count, &g->gauge_number_room,
                                sizeof *g->gauge_numbers);
    g->gauge_numbers[g->gauge_count] = number;
    g->gauges[g->gauge_count++] = gauge;
    return 1;
}

/* NUMBER MS HOST OP ...  {...} */
static int read_event(struct reading *g, const char *s) {
    struct numbered n = {.e = {.frame = NO_INDEX,
                               .connection = NO_INDEX,
                               .call = NO_INDEX,
                               .fd = NO_INDEX,
                               .note = NO_INDEX}};
    struct fields f;
    char text[MOST_LINE], args[MOST_LINE];
    int64_t number;
    if (!take_number(&s, MOST_NUMBER, &number) || !take_word(&s, " ") ||
        !take_ms(&s, &n.e.time) || !take_word(&s, " ") || !take_host(&s, &n.e.host) ||
        *s++ != ' ' || *s == '\0')
        return 0;
    n.number = (long)number;
    char mark = *s++;
    if (mark == '~')
        return read_gauge(g, s, n.number, n.e.time, n.e.host);
    if (*s++ != ' ')
        return 0;
    int well = mark == '>' || mark == '<' || mark == 'x' ? take_kind(g, &s, &n.e, mark)
               : mark == '='                             ? take_state(&s, &n.e)
               : mark == ':'                             ? take_call(&s, &n.e, text)
                                                         : 0;
    if (!well || !take_fields(&s, &f, args) || !use_fields(g, &n, &f))
        return 0;
    n.e.text = log_copy(n.e.text);
    n.e.args = log_copy(f.has_args ? args : NULL);
    g->events = log_room(g->events, g->event_count, &g->event_room, sizeof *g->events);
    g->events[g->event_count++] = n;
    return 1;
}

/* ---- comments: line by line ---------------------------------------------------------- */

/* Calls `each` for every line of the text, until one returns 0; that line is the fault. */
static int each_line(struct reading *g, const char *text,
                     int (*each)(struct reading *, const char *)) {
    char line[MOST_LINE];
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (length >= sizeof line)
            return 0;
        memcpy(line, text, length);
        line[length] = '\0';
        if (!each(g, line))
            return 0;
        text += length + (text[length] == '\n');
    }
    return 1;
}

/* "10.0.0.1:7777" */
static int take_address(const char **s, uint8_t ip[16], uint16_t *port) {
    int64_t n;
    memset(ip, 0, 16);
    for (int i = 0; i < 4; i++) {
        if (!take_number(s, 255, &n) || !take_word(s, i < 3 ? "." : ":"))
            return 0;
        ip[i] = (uint8_t)n;
    }
    if (!take_number(s, 65535, &n))
        return 0;
    *port = (uint16_t)n;
    return 1;
}

static int read_connection(struct reading *g, const char *s) {
    uint8_t ip[HOSTS][16];
    uint16_t port[HOSTS];
    long count = g->r->log.connection_count;
    return count < MOST_CONNECTIONS && take_address(&s, ip[CLIENT], &port[CLIENT]) &&
           take_word(&s, " ") && take_address(&s, ip[SERVER], &port[SERVER]) &&
           *s == '\0' &&
           log_connection(&g->r->log, (const uint8_t(*)[16])ip, port) == count;
}

/* A line of the section's comment. Of the scene language only what says and shows. */
static int read_head(struct reading *g, const char *line) {
    static const char *const spoken[] = {"title ",  "figure ", "isn ", "table ",
                                         "expect ", "never ",  "    "};
    struct recording *r = g->r;
    const char *s = line;
    int host;
    if (strcmp(line, head) == 0)
        return 1;
    if (isdigit((unsigned char)line[0]))
        return read_event(g, line);
    if (strcmp(line, "wire events") == 0)
        return 1;
    if (take_word(&s, "host ") && take_host(&s, &host) && take_word(&s, " ")) {
        snprintf(r->labels[host], LABEL, "%s", s);
        return 1;
    }
    if (take_word(&s, "connection "))
        return read_connection(g, s);
    if (take_word(&s, "epoch "))
        return take_number(&s, 4000000000000000000, &r->log.epoch);
    if (take_word(&s, "tick "))
        return take_number(&s, 1000000000, &r->log.tick);
    if (strcmp(line, "outcome as-expected") == 0) {
        r->as_expected = 1;
        return 1;
    }
    for (size_t i = 0; i < sizeof spoken / sizeof spoken[0]; i++)
        if (take_word(&s, spoken[i]))
            return r->scene.expectation_count < MOST_EXPECTATIONS &&
                   scene_line(&r->scene, line, 0) == 0;
    return 0;
}

static int read_packet_line(struct reading *g, const char *line) {
    return isdigit((unsigned char)line[0]) ? read_event(g, line) : 1;
}

/* ---- what the wire has played -------------------------------------------------------- */

/* All events, each once, in their order, into the log. An expectation is met once at most, and
 * all are in their order. Every number must be there: places are found without sorting. */
static int fill_events(struct reading *g) {
    struct log *log = &g->r->log;
    long *places = calloc((size_t)g->event_count + 1, sizeof *places), note = NO_INDEX;
    int well = places != NULL;
    for (long i = 0; well && i < g->event_count; i++) {
        long number = g->events[i].number;
        well = number < g->event_count && places[number] == 0;
        if (well)
            places[number] = i + 1;
    }
    for (long i = 0; well && i < g->event_count; i++) {
        const struct event *e = &g->events[places[i] - 1].e;
        well = (e->kind != EV_RETURN || log->events[e->call].kind == EV_CALL) &&
               (e->note == NO_INDEX || e->note > note);
        if (!well)
            break;
        long index = log_add(log, e);
        log->events[index].note = e->note;
        log->events[index].round = e->round;
        note = e->note == NO_INDEX ? note : e->note;
    }
    free(places);
    return well;
}

/* The same for what the kernels said. */
static int fill_gauges(struct reading *g) {
    struct log *log = &g->r->log;
    char *there = calloc((size_t)g->gauge_count + 1, 1);
    log->gauges = calloc((size_t)g->gauge_count + 1, sizeof *log->gauges);
    int well = log->gauges && there;
    for (long i = 0; well && i < g->gauge_count; i++) {
        long number = g->gauge_numbers[i];
        well = number < g->gauge_count && !there[number];
        if (well) {
            there[number] = 1;
            log->gauges[number] = g->gauges[i];
        }
    }
    free(there);
    log->gauge_count = log->gauge_room = well ? g->gauge_count : 0;
    return well;
}

static int read_all(struct reading *g, struct capture *c) {
    struct recording *r = g->r;
    struct packet p;
    int got;
    if (!each_line(g, c->section.text, read_head))
        return 0;
    memcpy(r->log.isn, r->scene.isn, sizeof r->log.isn);
    while ((got = capture_next(c, &p)) == 1) {
        int from = strncmp(p.comment, "server >", 8) == 0 ? SERVER : CLIENT;
        int64_t sent = p.time - r->log.epoch;
        if (p.link != LINK_ETHERNET || p.held != p.length || sent < 0 ||
            sent > 1000000000000000)
            return 0;
        long connections = r->log.connection_count;
        g->frame = log_add_frame(&r->log, from, sent, p.bytes, p.held);
        g->from = -1;
        if (!each_line(g, p.comment, read_packet_line) || g->from != from ||
            r->log.connection_count != connections) /* the section has told them all */
            return 0;
    }
    return got == 0 && !c->cut && fill_events(g) && fill_gauges(g);
}

/* Puts r back to what it was before anything was read into it. */
static void start_over(struct recording *r) {
    log_free(&r->log);
    scene_free(&r->scene);
    scene_init(&r->scene);
    memset(r->labels, 0, sizeof r->labels);
    r->as_expected = 0;
}

static void free_reading(struct reading *g) {
    for (long i = 0; i < g->event_count; i++) {
        free(g->events[i].e.text);
        free(g->events[i].e.args);
    }
    free(g->events);
    free(g->gauges);
    free(g->gauge_numbers);
}

int is_played(const struct capture *c) {
    return c->section.used && strncmp(c->section.text, head, sizeof head - 1) == 0;
}

int read_played(struct recording *r, struct capture *c) {
    struct reading g = {.r = r, .frame = NO_INDEX, .from = -1};
    int well = read_all(&g, c);
    free_reading(&g);
    if (!well)
        start_over(r);
    return well;
}
