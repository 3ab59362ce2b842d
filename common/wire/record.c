/* record.c - see record.h. First each event is given to a frame, then block after block is
 * written. */
#include "record.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SECTION_HEADER = 0x0a0d0d0a,
    INTERFACE = 1,
    PACKET = 6,
    OPTION_COMMENT = 1,
    OPTION_TIME_UNIT = 9,          /* of an interface: 9 for 10^-9 s */
    OPTION_PROGRAM = 4,            /* of a section: what wrote it */
    COMMENT_MOST = 60000,          /* an option's length has 16 bits */
    BLOCK_MOST = 16 * 1024 * 1024, /* other programs read no longer block */
    TEXT_WIDTH = 90,               /* explanations are broken near this column */
};

struct buffer {
    char *bytes;
    size_t used;
    long room;
};

/* One line of a comment, and the frame that it belongs to. */
struct line {
    long frame;
    long index; /* of the event or gauge */
    int is_gauge;
};

struct record {
    const struct log *log;
    const struct scene *scene;
    FILE *out;
    struct line *lines; /* of all events and gauges, in the log's order; later by frame */
    long line_count;
    struct buffer block, text;
    int too_long; /* a block that no reader would take */
};

/* ---- bytes and text ------------------------------------------------------------------ */

static void put_bytes(struct buffer *b, const void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        b->bytes = log_room(b->bytes, (long)b->used, &b->room, 1);
        b->bytes[b->used++] = ((const char *)bytes)[i];
    }
}

static void put16(struct buffer *b, unsigned n) {
    put_bytes(b, (uint8_t[]){(uint8_t)n, (uint8_t)(n >> 8)}, 2);
}

static void put32(struct buffer *b, uint32_t n) {
    put16(b, n & 0xffff);
    put16(b, n >> 16);
}

static void put_padding(struct buffer *b) {
    while (b->used % 4)
        put_bytes(b, "", 1);
}

static void say(struct buffer *b, const char *format, ...) {
    char text[MAX_LINE + 100];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_bytes(b, text, strlen(text));
}

/* In quotation marks; what is no plain letter as \xNN. */
static void say_quoted(struct buffer *b, const char *text) {
    say(b, "\"");
    for (; *text; text++)
        if ((unsigned char)*text < 32 || (unsigned char)*text > 126 || *text == '"' ||
            *text == '\\')
            say(b, "\\x%02x", (unsigned char)*text);
        else
            put_bytes(b, text, 1);
    say(b, "\"");
}

/* ns as ms with all their digits. */
static void say_ms(struct buffer *b, int64_t ns) {
    say(b, "%lld.%06lld", (long long)(ns / 1000000), (long long)(ns % 1000000));
}

/* ---- blocks and options -------------------------------------------------------------- */

static void begin_block(struct record *r, uint32_t type) {
    r->block.used = 0;
    put32(&r->block, type);
    put32(&r->block, 0); /* its length, set at its end */
}

static void end_block(struct record *r) {
    struct buffer *b = &r->block;
    uint32_t length = (uint32_t)b->used + 4;
    put32(b, length);
    for (int i = 0; i < 4; i++)
        b->bytes[4 + i] = (char)(uint8_t)(length >> 8 * i);
    r->too_long |= b->used > BLOCK_MOST;
    fwrite(b->bytes, 1, b->used, r->out);
}

static void put_option(struct record *r, unsigned code, const char *bytes, size_t size) {
    put16(&r->block, code);
    put16(&r->block, (unsigned)size);
    put_bytes(&r->block, bytes, size);
    put_padding(&r->block);
}

/* The text as comments: one, or, where it is too long, more, cut at line ends, each after
 * the first with `head` as its first line. */
static void put_comment(struct record *r, const struct buffer *text, const char *head) {
    const char *at = text->bytes;
    size_t left = text->used;
    while (left > 0) {
        size_t size = left;
        if (size > COMMENT_MOST) {
            for (size = COMMENT_MOST; size > 1 && at[size - 1] != '\n'; size--)
                ;
        }
        struct buffer part = {0};
        if (at != text->bytes)
            say(&part, "%s", head);
        put_bytes(&part, at, at[size - 1] == '\n' ? size - 1 : size);
        put_option(r, OPTION_COMMENT, part.bytes, part.used);
        free(part.bytes);
        at += size;
        left -= size;
    }
}

/* ---- lines --------------------------------------------------------------------------- */

static const struct logged_frame *frame_of(const struct log *log, const struct event *e) {
    return e->kind <= EV_LOST ? &log->frames[e->frame] : NULL;
}

/* What the grammar does not say of an event. */
static void say_fields(struct buffer *b, const struct log *log, const struct event *e) {
    const struct logged_frame *frame = frame_of(log, e);
    say(b, "  {round=%ld", e->round);
    if (e->note != NO_INDEX)
        say(b, " note=%ld", e->note);
    if (e->kind == EV_STATE && e->connection != NO_INDEX)
        say(b, " connection=%ld", e->connection + 1);
    if (e->kind == EV_SEND && frame->left != frame->sent)
        say(b, " left=%lld", (long long)frame->left);
    if (e->kind == EV_SEND && frame->held)
        say(b, " held");
    if (e->kind == EV_ARRIVE && e->reached)
        say(b, " reached=%lld", (long long)e->reached);
    if (e->kind == EV_RETURN)
        say(b, " call=%ld", e->call);
    if (e->args) {
        say(b, " args=");
        say_quoted(b, e->args);
    }
    say(b, "%s%s}\n", e->minor ? " minor" : "", e->blocked ? " blocked" : "");
}

static void say_event(struct buffer *b, const struct log *log, long index) {
    const struct event *e = &log->events[index];
    char text[EVENT_TEXT];
    say(b, "%ld ", index);
    say_ms(b, e->time);
    switch (e->kind) {
    case EV_CALL:
    case EV_RETURN:
        say(b, " %s : %s", host_names[e->host], e->name);
        if (e->fd != NO_INDEX)
            say(b, "(%d)", e->fd);
        if (e->kind == EV_RETURN)
            say(b, " = %s", e->result);
        break;
    case EV_PRINTS:
        say(b, " %s : prints ", host_names[e->host]);
        say_quoted(b, e->text);
        break;
    default: say(b, " %s", log_event_text(log, e, text, sizeof text)); break;
    }
    say_fields(b, log, e);
}

static void say_gauge(struct buffer *b, long index, const struct gauge *g) {
    say(b, "%ld ", index);
    say_ms(b, g->time);
    say(b,
        " %s ~ rto=%u rtt=%u rttvar=%u cwnd=%u unacked=%u  {connection=%ld events=%ld "
        "known=%d congestion=%d retransmits=%d}\n",
        host_names[g->host], g->rto, g->rtt, g->rttvar, g->cwnd, g->unacked,
        g->connection + 1, g->events, g->known, g->congestion, g->retransmits);
}

static void say_line(struct record *r, const struct line *line) {
    if (line->is_gauge)
        say_gauge(&r->text, line->index, &r->log->gauges[line->index]);
    else
        say_event(&r->text, r->log, line->index);
}

/* ---- which frame an event belongs to ------------------------------------------------- */

/* The call that makes a host send, and the states in between, belong to the frame that is
 * sent; all else to the frame that was sent, arrived or was lost just before; what comes
 * before any, to the first. */
static void give_to_frames(struct record *r) {
    const struct log *log = r->log;
    long now = 0, gauge = 0;
    r->lines = malloc((size_t)(log->event_count + log->gauge_count + 1) * sizeof *r->lines);
    if (r->lines == NULL)
        return;
    for (long i = 0; i <= log->event_count; i++) {
        for (; gauge < log->gauge_count && log->gauges[gauge].events <= i; gauge++)
            r->lines[r->line_count++] = (struct line){now, gauge, 1};
        if (i == log->event_count)
            break;
        const struct event *e = &log->events[i];
        if (e->kind <= EV_LOST)
            now = e->frame;
        if (e->kind == EV_SEND)
            for (long k = r->line_count - 1; k >= 0;
                 k--) { /* back to the call, if it is near */
                const struct line *line = &r->lines[k];
                if (line->is_gauge)
                    continue;
                const struct event *before = &log->events[line->index];
                if (before->host != e->host || before->round != e->round ||
                    before->kind < EV_STATE || before->kind > EV_CALL)
                    break;
                if (before->kind == EV_CALL) {
                    for (; k < r->line_count; k++)
                        r->lines[k].frame = now;
                    break;
                }
            }
        r->lines[r->line_count++] = (struct line){now, i, 0};
    }
}

static int by_frame(const void *a, const void *b) {
    const struct line *x = a, *y = b;
    if (x->frame != y->frame)
        return x->frame < y->frame ? -1 : 1;
    if (x->is_gauge == y->is_gauge)
        return x->index < y->index ? -1 : x->index > y->index;
    return x->is_gauge - y->is_gauge; /* gauges behind events: each keeps its own order */
}

/* ---- the blocks ---------------------------------------------------------------------- */

/* Breaks a long text into indented lines, at single spaces, so that scene.c joins the same
 * again. */
static void say_text(struct buffer *b, const char *text) {
    while (text && *text) {
        size_t end = strlen(text);
        for (size_t i = TEXT_WIDTH; i < end; i++)
            if (text[i] == ' ' && text[i - 1] != ' ' && text[i + 1] != ' ') {
                end = i;
                break;
            }
        say(b, "    %.*s\n", (int)end, text);
        text += end + (text[end] == ' ');
    }
}

static void say_address(struct buffer *b, const struct connection *c, int host) {
    const uint8_t *ip = c->ip[host];
    say(b, " %u.%u.%u.%u:%u", ip[0], ip[1], ip[2], ip[3], c->port[host]);
}

static void say_scene(struct record *r, const char *const labels[HOSTS], int as_expected) {
    const struct scene *scene = r->scene;
    struct buffer *b = &r->text;
    say(b, "wire recording 1\n");
    if (scene->title)
        say(b, "title %s\n", scene->title);
    say_text(b, scene->intro);
    if (scene->figure)
        say(b, "figure %s\n", scene->figure);
    say(b, "isn");
    for (int host = 0; host < HOSTS; host++) {
        say(b, " %s", host_names[host]);
        int count = FLOWS; /* the last one stands for all that follow */
        while (count > 1 && r->log->isn[host][count - 1] == r->log->isn[host][count - 2])
            count--;
        for (int i = 0; i < count; i++)
            say(b, " %u", r->log->isn[host][i]);
    }
    say(b, "\n");
    for (int host = 0; host < HOSTS; host++) {
        say(b, "host %s %s\n", host_names[host], labels[host]);
        if (scene->table[host])
            say(b, "table rto %s\n", host_names[host]);
    }
    for (long i = 0; i < r->log->connection_count; i++) {
        say(b, "connection");
        say_address(b, &r->log->connections[i], CLIENT);
        say_address(b, &r->log->connections[i], SERVER);
        say(b, "\n");
    }
    say(b, "epoch %lld\n", (long long)r->log->epoch);
    say(b, "tick %lld\n", (long long)r->log->tick);
    if (as_expected)
        say(b, "outcome as-expected\n");
    for (long i = 0; i < scene->expectation_count; i++) {
        const struct expectation *e = &scene->expectations[i];
        say(b, "%s %s\n", e->never ? "never" : "expect", e->source);
        say_text(b, e->text);
    }
}

static void put_section(struct record *r, const char *const labels[HOSTS],
                        int as_expected) {
    static const char program[] = "wire";
    begin_block(r, SECTION_HEADER);
    put32(&r->block, 0x1a2b3c4d); /* tells the byte order */
    put16(&r->block, 1);          /* version 1.0 */
    put16(&r->block, 0);
    put32(&r->block, UINT32_MAX); /* the section's length is not told */
    put32(&r->block, UINT32_MAX);
    r->text.used = 0;
    say_scene(r, labels, as_expected);
    put_comment(r, &r->text, "wire recording 1\n");
    if (r->log->frame_count == 0 && r->line_count > 0) {
        r->text.used = 0;
        say(&r->text, "wire events\n");
        for (long i = 0; i < r->line_count; i++)
            say_line(r, &r->lines[i]);
        put_comment(r, &r->text, "wire events\n");
    }
    put_option(r, OPTION_PROGRAM, program, sizeof program - 1);
    put32(&r->block, 0); /* end of options */
    end_block(r);
}

static void put_interface(struct record *r) {
    begin_block(r, INTERFACE);
    put16(&r->block, LINK_ETHERNET);
    put16(&r->block, 0);
    put32(&r->block, 0); /* no limit to a packet's length */
    put_option(r, OPTION_TIME_UNIT, "\t", 1);
    put32(&r->block, 0);
    end_block(r);
}

/* "client > SYN seq=1000: at the server after 10.199 ms", for those who read it
 * elsewhere. */
static void say_fate(struct record *r, long frame, const struct line *lines, long count) {
    const struct logged_frame *f = &r->log->frames[frame];
    char text[EVENT_TEXT];
    int told = 0;
    say(&r->text, "%s > %s", host_names[f->from], log_frame_text(f, text, sizeof text));
    for (long i = 0; i < count; i++) {
        const struct event *e = &r->log->events[lines[i].index];
        if (lines[i].is_gauge || (e->kind != EV_ARRIVE && e->kind != EV_LOST))
            continue;
        say(&r->text, "%s %s %s %.3f ms", told++ ? ", and" : ":",
            e->kind == EV_LOST ? "lost on its way to the"
            : e->damaged       ? "damaged, at the"
            : e->copy          ? "a copy of it at the"
                               : "at the",
            host_names[e->host], (double)(e->time - f->sent) / 1e6);
        say(&r->text, " after it was sent");
    }
    say(&r->text, "%s\n", told ? "" : ": still on its way at the end");
}

static void put_packet(struct record *r, long frame, const struct line *lines, long count) {
    const struct logged_frame *f = &r->log->frames[frame];
    uint64_t time = (uint64_t)(r->log->epoch + f->sent);
    begin_block(r, PACKET);
    put32(&r->block, 0);
    put32(&r->block, (uint32_t)(time >> 32));
    put32(&r->block, (uint32_t)time);
    put32(&r->block, (uint32_t)f->length);
    put32(&r->block, (uint32_t)f->length);
    put_bytes(&r->block, f->bytes, f->length);
    put_padding(&r->block);
    r->text.used = 0;
    say_fate(r, frame, lines, count);
    for (long i = 0; i < count; i++)
        say_line(r, &lines[i]);
    put_comment(r, &r->text, "");
    put32(&r->block, 0);
    end_block(r);
}

static void put_packets(struct record *r) {
    long at = 0;
    if (r->log->frame_count == 0)
        return;
    qsort(r->lines, (size_t)r->line_count, sizeof *r->lines, by_frame);
    for (long frame = 0; frame < r->log->frame_count; frame++) {
        long begin = at;
        while (at < r->line_count && r->lines[at].frame == frame)
            at++;
        put_packet(r, frame, r->lines + begin, at - begin);
    }
}

int record_write(const char *path, const struct log *log, const struct scene *scene,
                 const char *const labels[HOSTS], int as_expected) {
    struct record r = {.log = log, .scene = scene};
    r.out = fopen(path, "wb");
    if (r.out == NULL)
        return -1;
    give_to_frames(&r);
    int failed = r.lines == NULL;
    if (!failed) {
        put_section(&r, labels, as_expected);
        put_interface(&r);
        put_packets(&r);
    }
    failed |= ferror(r.out) != 0;
    failed |= fclose(r.out) != 0;
    if (r.too_long) {
        errno = EFBIG;
        failed = 1;
    }
    free(r.lines);
    free(r.block.bytes);
    free(r.text.bytes);
    return failed ? -1 : 0;
}
