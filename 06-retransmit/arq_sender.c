/* arq_sender.c - a file sent whole over UDP, whatever the network does: an ARQ protocol.
 *
 * Usage:     arq_sender [--window N] [--tries N] [--verbose] HOST PORT FILE
 *            ARQ is "automatic repeat request": numbers, acknowledgments, a timer.
 *            Window 1, the default, is stop-and-wait: each segment waits for the ACK of the
 *            one before. With --window N up to N are under way, and only what is missing is
 *            sent again: selective repeat.
 * Compile:   cc -o arq_sender arq_sender.c      (Windows: add -lws2_32)
 * Try it:    ./arq_receiver                                     in one terminal
 *            ./lossy_relay --loss 30 --delay 2                  in another, and in a third:
 *            ./arq_sender --verbose 127.0.0.1 7001 arq_sender.c
 *            ./arq_sender --window 256 127.0.0.1 7001 BIG_FILE  window 1 against window 256
 * Look for:  "again": the segment was lost, or its ACK. The sender cannot tell which.
 *            The RTO follows the round trips, and doubles when no ACK comes.
 * See also:  arq_receiver.c, lossy_relay.c; in TCP: lost-data.scene, karn.scene, sack.scene
 *
 *  The protocol. One datagram is one segment: 20 bytes and the payload, most significant
 *  byte first.
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |                Checksum: CRC-32 of all that follows           |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |      Connection: a number drawn by the sender, once a file    |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |                        Sequence number                        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |                     Acknowledgment number                     |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |     Type      |       0       |       Length of payload       |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 *  Type 1 START  sequence number 0; payload: the file's length, 8 bytes
 *       2 DATA   1, 2, 3 ... (TCP numbers the bytes, this the segments)
 *       3 FIN    one more than the last DATA; payload: the hash of the file, 8 bytes
 *       4 ACK    acknowledgment number: the one expected next, all before it are here.
 *                Sequence number: the segment that this answers. Payload: a bit for each
 *                number from the expected one on, 1 = is here already (0x01 comes first)
 *       5 RESET  the transfer cannot go on. Sequence number: why (1 busy, 2 unknown
 *                transfer, 3 the file is not whole or cannot be written, 4 given up)
 */
#include "../common/net.h"
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

enum { START = 1, DATA, FIN, ACK, RESET };
enum { BUSY = 1, UNKNOWN, NOT_WHOLE, GIVEN_UP };
enum {
    HEADER = 20,
    DATA_MAX = 1180,   /* 1,200 bytes with the header: below the MTU of nearly every path */
    WINDOW_MAX = 1024, /* so many the receiver can hold after the one that it waits for */
    TRIES = 50,        /* one segment is sent so often before we give up */
    BACKOFF_MAX = 8,   /* the RTO is doubled so far. DELIBERATE: see take_sample() */
    AT_ONCE = 1024,    /* answers taken before we look at the clock again */
    OVERTAKEN = 3,     /* ACKs for later segments that make an earlier one count as lost */
    /* To compare, a tenth of the file goes by window 1 first, or so much in 2 s: */
    TRIAL_PART = 10,
    TRIAL_S = 2,
    TRIAL_SEGMENTS = 10 /* fewer would be no comparison */
};
#define RTO_FIRST 0.050 /* seconds, before there is a sample; RFC 6298 has 1 s */
#define RTO_LEAST 0.010 /* RFC 6298 has 1 s here too, Linux 200 ms */
#define RTO_MOST  1.000 /* with the doubling; at least 60 s in RFC 6298 */
#define GRAIN     0.001 /* of poll(), our clock */

/* Said at the end, as the figures are. */
#define BECAUSE                                                                            \
    "Window 1 sends one segment and then waits: a round trip, or the RTO if it is lost.\n" \
    "With a window others are under way meanwhile: TCP does not wait for each ACK either."
#define NO_DELAY                                                                           \
    "This path has hardly a delay, so little is gained by not waiting for each ACK.\n"     \
    "Put lossy_relay --delay 5 in between: then much is."

enum outcome { WHOLE, REFUSED, FAILED };

struct segment { /* one that has no ACK yet: kept, as it may have to go again */
    unsigned char bytes[HEADER + DATA_MAX];
    size_t length;
    double sent_at;           /* the last time */
    unsigned long long order; /* which of all sendings that was */
    int sent, overtaken, acked;
};

struct transfer {
    socket_t s;
    const char *peer;
    FILE *file;
    uint64_t length, hash; /* of the file; the hash of what has been read so far */
    uint32_t connection;
    uint32_t base, next, last; /* oldest without ACK; next to send; number of the FIN */
    uint32_t window, trial;    /* up to and with segment `trial` the window is 1 */
    int tries, verbose, waiting;
    double srtt, rttvar, rto; /* seconds; srtt is 0 until there is a sample */
    int backoff;              /* 1, 2, 4, 8: the RTO is multiplied by it */
    double started, trial_over, shown;
    unsigned long long sendings, timeouts, overtakings, damaged;
    struct segment segments[WINDOW_MAX]; /* segment n is in [n % WINDOW_MAX] */
};

/* Ctrl-C sets this. */
static volatile sig_atomic_t stop;
static void on_interrupt(int signal_number) {
    (void)signal_number;
    stop = 1;
}

static void put32(unsigned char *at, uint32_t value) {
    for (int i = 3; i >= 0; i--, value >>= 8)
        at[i] = (unsigned char)(value & 0xff);
}

static uint32_t get32(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The CRC-32 of Ethernet. UDP has a checksum of its own, but that ends with UDP: what a
 * relay, a disk or a program in between does to the bytes, only the two ends can find. */
static uint32_t crc32(const unsigned char *bytes, size_t count) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320 & (0 - (crc & 1)));
    }
    return ~crc;
}

/* FNV-1a: a hash that finds accidents. (Against ill will: SHA-256 and a key.) */
static uint64_t hash_more(uint64_t hash, const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3;
    return hash;
}

static const char *type_name(uint32_t type) {
    static const char *const names[] = {"?", "START", "DATA", "FIN", "ACK", "RESET"};
    return names[type <= RESET ? type : 0];
}

static struct segment *segment(struct transfer *t, uint32_t number) {
    return &t->segments[number % WINDOW_MAX];
}

/* Writes header and checksum round a payload that is in its place already. */
static void seal(struct segment *g, const struct transfer *t, uint32_t type,
                 uint32_t number, size_t payload) {
    put32(g->bytes + 4, t->connection);
    put32(g->bytes + 8, number);
    put32(g->bytes + 12, 0); /* nothing to acknowledge: data goes one way only */
    put32(g->bytes + 16, type << 24 | (uint32_t)payload);
    g->length = HEADER + payload;
    put32(g->bytes, crc32(g->bytes + 4, g->length - 4));
}

/* Makes segment `number`: START, the file in pieces, FIN. Returns 0 or -1. */
static int make_segment(struct transfer *t, uint32_t number) {
    struct segment *g = segment(t, number);
    uint64_t before = number == 0 ? 0 : (uint64_t)(number - 1) * DATA_MAX;
    size_t payload = 8;
    g->sent = g->overtaken = g->acked = 0;
    if (number == 0 || number == t->last) {
        uint64_t value = number == 0 ? t->length : t->hash;
        put32(g->bytes + HEADER, (uint32_t)(value >> 32));
        put32(g->bytes + HEADER + 4, (uint32_t)value);
    } else {
        payload = t->length - before < DATA_MAX ? (size_t)(t->length - before) : DATA_MAX;
        if (fread(g->bytes + HEADER, 1, payload, t->file) != payload) {
            fprintf(stderr, "arq_sender: the file has become shorter, or cannot be read\n");
            return -1;
        }
        t->hash = hash_more(t->hash, g->bytes + HEADER, payload);
    }
    seal(g, t, number == 0 ? START : number == t->last ? FIN : DATA, number, payload);
    return 0;
}

/* Sends segment `number`, for the first time or again, and starts its timer. */
static enum outcome transmit(struct transfer *t, uint32_t number, double now) {
    struct segment *g = segment(t, number);
    g->sent++;
    g->sent_at = now;
    g->order = t->sendings++;
    g->overtaken = 0;
    if (send(t->s, (const char *)g->bytes, (io_len)g->length, 0) >= 0)
        return WHOLE;
    int err = net_error();
    if (err == NET_E(INTR) || net_would_block(err) || err == NET_E(NOBUFS))
        return WHOLE; /* no room for it just now: lost, as on the way, and the timer runs */
    net_perror(err, "arq_sender: send to %s", t->peer);
    return err == NET_E(CONNREFUSED) || err == NET_E(CONNRESET) ? REFUSED : FAILED;
}

/* Jacobson: the mean of the round trips, and how far they stray from it (RFC 6298, section
 * 2). A timer of twice the mean would be too long where they are steady, too short where
 * not. Whenever the timer runs out the RTO is doubled, until there is a new sample.
 * DELIBERATE: eightfold at most, and the window stays as it is: our losses are dice. On a
 * real network a loss mostly means a full queue, and TCP gives it time to drain: it doubles
 * on, to a minute and more, and makes its window small (congestion control). */
static void take_sample(struct transfer *t, double rtt) {
    if (t->srtt == 0) {
        t->srtt = rtt;
        t->rttvar = rtt / 2;
    } else {
        double off = rtt > t->srtt ? rtt - t->srtt : t->srtt - rtt;
        t->rttvar += (off - t->rttvar) / 4;
        t->srtt += (rtt - t->srtt) / 8;
    }
    t->rto = t->srtt + (4 * t->rttvar > GRAIN ? 4 * t->rttvar : GRAIN);
    if (t->rto < RTO_LEAST)
        t->rto = RTO_LEAST;
    t->backoff = 1;
}

/* How long we wait now for the ACK of a segment. */
static double current_rto(const struct transfer *t) {
    double doubled = t->rto * t->backoff;
    return doubled < RTO_MOST ? doubled : RTO_MOST;
}

/* Segment `number` has arrived. It was sent after some that have not: they may be lost, or
 * only late. After three such ACKs we take them for lost, without waiting for the timer:
 * TCP's fast retransmit. A segment sent twice proves nothing here: which of the two has
 * arrived? */
static void take_arrival(struct transfer *t, uint32_t number) {
    struct segment *g = segment(t, number);
    if (g->acked)
        return;
    g->acked = 1;
    for (uint32_t n = t->base; g->sent == 1 && n != t->next; n++)
        if (!segment(t, n)->acked && segment(t, n)->order < g->order)
            segment(t, n)->overtaken++;
}

static void take_ack(struct transfer *t, const unsigned char *bytes, size_t payload) {
    uint32_t number = get32(bytes + 8), expected = get32(bytes + 12);
    double now = net_seconds();
    if (expected < t->base || expected > t->next || number >= t->next)
        return; /* older than one we have had, or not possible */
    if (t->verbose)
        printf("< ACK %u for %u", (unsigned)expected, (unsigned)number);
    /* Karn: the ACK of a segment that was sent twice may answer either sending. Taken for
     * the second it may look far too quick, taken for the first far too slow: it is no
     * sample. The doubled RTO stays until there is one. */
    if (number >= t->base && !segment(t, number)->acked) {
        struct segment *g = segment(t, number);
        if (g->sent == 1)
            take_sample(t, now - g->sent_at);
        if (t->verbose && g->sent == 1)
            printf(": RTT %.3f ms, SRTT %.3f, RTTVAR %.3f, RTO %.3f",
                   (now - g->sent_at) * 1e3, t->srtt * 1e3, t->rttvar * 1e3, t->rto * 1e3);
        else if (t->verbose)
            printf(": sent %d times, so it is no sample (Karn)", g->sent);
    }
    if (t->verbose)
        printf("\n");

    /* All before `expected` is there: an ACK that was lost is made good by the next. */
    for (uint32_t n = t->base; n < expected; n++)
        take_arrival(t, n);
    for (size_t bit = 0; bit < payload * 8 && expected + bit < t->next; bit++)
        if (bytes[HEADER + bit / 8] >> bit % 8 & 1)
            take_arrival(t, expected + (uint32_t)bit);
    if (t->base == 0 && expected > 0)
        t->started = now; /* START has been answered */
    while (t->base != t->next && segment(t, t->base)->acked)
        t->base++; /* the window moves on */
    if (t->trial_over == 0 && t->base > 0 &&
        (t->base > t->trial || (t->base > TRIAL_SEGMENTS && now - t->started > TRIAL_S))) {
        t->trial = t->base - 1;
        t->trial_over = now;
    }
}

static uint64_t bytes_before(const struct transfer *t, uint32_t number) {
    uint64_t bytes = number == 0 ? 0 : (uint64_t)(number - 1) * DATA_MAX;
    return bytes < t->length ? bytes : t->length;
}

/* A bar that is drawn over itself on a terminal; else a line every two seconds. */
static void show_progress(struct transfer *t, int over) {
    static const char bar[] = "########################################";
    int terminal = isatty(2) && !t->verbose;
    double now = net_seconds(), done = (double)bytes_before(t, t->base);
    double part = t->length == 0 ? 1 : done / (double)t->length;
    if (t->shown == 0)
        t->shown = now;
    if (now - t->shown < (terminal ? 0.1 : 2) && !(over && terminal))
        return;
    t->shown = now;
    if (terminal)
        fprintf(stderr, "\r[%-40.*s] ", (int)(part * 40), bar);
    fprintf(stderr, "%3.0f %% of %.1f MB, RTO %.0f ms%s", part * 100,
            (double)t->length / 1e6, current_rto(t) * 1e3,
            terminal && !over ? "   " : "\n");
}

/* Takes what has come from the receiver. WHOLE: nothing wrong so far. */
static enum outcome take_replies(struct transfer *t) {
    for (int n = 0; n < AT_ONCE; n++) {
        unsigned char bytes[HEADER + DATA_MAX];
        ssize_t count = recv(t->s, (char *)bytes, sizeof bytes, 0);
        if (count < 0) {
            int err = net_error();
            if (net_would_block(err) || err == NET_E(INTR))
                return WHOLE;
            if (err == NET_E(MSGSIZE)) /* Windows: longer than our buffer. Not ours. */
                continue;
            net_perror(err, "arq_sender: %s", t->peer); /* nobody is at that port */
            return err == NET_E(CONNREFUSED) || err == NET_E(CONNRESET) ? REFUSED : FAILED;
        }
        /* Bounds first, then the checksum, then whether it is meant for this transfer. */
        if (count < HEADER || get32(bytes) != crc32(bytes + 4, (size_t)count - 4)) {
            t->damaged++;
            continue;
        }
        uint32_t type = bytes[16], number = get32(bytes + 8);
        size_t payload = get32(bytes + 16) & 0xffff;
        if (get32(bytes + 4) != t->connection || payload != (size_t)count - HEADER)
            continue;
        if (type == ACK) {
            take_ack(t, bytes, payload);
        } else if (type == RESET && number == BUSY) {
            if (!t->waiting++)
                printf("the receiver is busy with another transfer: trying on\n");
        } else if (type == RESET) {
            show_progress(t, 1);
            fprintf(stderr, "arq_sender: the receiver has ended it: %s\n",
                    number == UNKNOWN     ? "it knows no such transfer (started anew?)"
                    : number == NOT_WHOLE ? "the file is not whole, or cannot be written"
                                          : "given up");
            return FAILED;
        }
    }
    return WHOLE;
}

/* Sends again what is overdue or overtaken; *wait: the seconds that may now pass. */
static enum outcome send_again(struct transfer *t, double *wait) {
    double now = net_seconds(), limit = current_rto(t);
    for (uint32_t n = t->base; n != t->next; n++) {
        struct segment *g = segment(t, n);
        int late = now - g->sent_at >= limit;
        if (g->acked || (!late && g->overtaken < OVERTAKEN))
            continue;
        if (g->sent >= t->tries) {
            show_progress(t, 1);
            fprintf(stderr, "arq_sender: %s: no answer to segment %u (%s), sent %d times\n",
                    t->peer, (unsigned)n, type_name(g->bytes[16]), g->sent);
            /* Two armies that must attack together cannot agree by messengers who may be
             * caught: the last messenger's arrival is never known to the one who sent him.
             * Nor can two ends agree that both know it is over. We can only stop, and say
             * what we know. */
            if (n == t->last && n == t->base)
                fprintf(stderr, "arq_sender: it has all the data; whether it has found the "
                                "file whole is not known\n");
            return FAILED;
        }
        if (t->verbose && late)
            printf("> %u %s again: no ACK within %.0f ms\n", (unsigned)n,
                   type_name(g->bytes[16]), limit * 1e3);
        else if (t->verbose)
            printf("> %u %s again: overtaken by %d later ones\n", (unsigned)n,
                   type_name(g->bytes[16]), g->overtaken);
        if (late)
            t->timeouts++;
        else
            t->overtakings++;
        /* One doubling a round, by the oldest: the network is worse than we thought. */
        if (late && n == t->base && t->backoff < BACKOFF_MAX)
            t->backoff *= 2;
        enum outcome outcome = transmit(t, n, now);
        if (outcome != WHOLE)
            return outcome;
    }
    *wait = current_rto(t);
    for (uint32_t n = t->base; n != t->next; n++) {
        double left = segment(t, n)->sent_at + current_rto(t) - now;
        if (!segment(t, n)->acked && left < *wait)
            *wait = left;
    }
    return WHOLE;
}

static enum outcome transfer(struct transfer *t) {
    while (t->base <= t->last) {
        /* Stop-and-wait is a window of 1. START always goes alone. */
        uint32_t window = t->base == 0 || t->base <= t->trial ? 1 : t->window;
        enum outcome outcome = WHOLE;
        while (outcome == WHOLE && t->next <= t->last && t->next - t->base < window) {
            if (make_segment(t, t->next) < 0)
                return FAILED;
            if (t->verbose)
                printf("> %u %s\n", (unsigned)t->next,
                       type_name(segment(t, t->next)->bytes[16]));
            outcome = transmit(t, t->next++, net_seconds());
        }
        double wait = 0;
        if (outcome == WHOLE)
            outcome = send_again(t, &wait);
        if (outcome != WHOLE)
            return outcome;
        struct pollfd reply = {.fd = t->s, .events = POLLIN};
        int ready = poll(&reply, 1, wait > 0 ? (int)(wait * 1000) + 1 : 0);
        if (ready < 0 && net_error() != NET_E(INTR)) {
            net_perror(net_error(), "arq_sender: poll");
            return FAILED;
        }
        if (stop) {
            show_progress(t, 1);
            fprintf(stderr, "arq_sender: interrupted\n");
            return FAILED;
        }
        if (ready > 0)
            outcome = take_replies(t);
        if (outcome != WHOLE)
            return outcome;
        show_progress(t, t->base > t->last);
    }
    return WHOLE;
}

static void report(const struct transfer *t) {
    double now = net_seconds();
    printf("whole: the receiver has all %llu bytes, with hash %016llx\n",
           (unsigned long long)t->length, (unsigned long long)t->hash);
    printf("%llu segments sent for %u: %llu again after a timeout, %llu because overtaken; "
           "%llu damaged answers\n",
           t->sendings, (unsigned)t->last + 1, t->timeouts, t->overtakings, t->damaged);
    printf("round trip %.2f ms, variation %.2f ms, RTO %.2f ms\n", t->srtt * 1e3,
           t->rttvar * 1e3, t->rto * 1e3);
    if (t->window == 1) {
        printf("window 1: %.0f KB/s. Compare --window 64.\n",
               (double)t->length / 1e3 / (now - t->started));
    } else if (t->trial < TRIAL_SEGMENTS) {
        printf("To compare window 1 with window %u takes a file of %d bytes at least.\n",
               (unsigned)t->window, TRIAL_SEGMENTS * TRIAL_PART * DATA_MAX);
    } else {
        double trial_bytes = (double)bytes_before(t, t->trial + 1);
        double rest_bytes = (double)t->length - trial_bytes;
        double slow = trial_bytes / 1e3 / (t->trial_over - t->started);
        double fast = rest_bytes / 1e3 / (now - t->trial_over);
        printf("window %4d: %8.0f KB/s (the first %.0f bytes of the file)\n", 1, slow,
               trial_bytes);
        printf("window %4u: %8.0f KB/s (the other %.0f bytes): %.1f times as fast\n",
               (unsigned)t->window, fast, rest_bytes, fast / slow);
        printf("%s\n", fast > 2 * slow ? BECAUSE : NO_DELAY);
    }
}

static void prepare(struct transfer *t, FILE *file, long length) {
    t->file = file;
    rewind(file);
    t->length = (uint64_t)length;
    t->hash = 0xcbf29ce484222325; /* where FNV-1a begins */
    t->last = (uint32_t)((t->length + DATA_MAX - 1) / DATA_MAX) + 1;
    t->trial = t->window == 1 ? t->last : (t->last - 1) / TRIAL_PART;
    t->rto = RTO_FIRST;
    t->backoff = 1;
    /* Drawn anew for each transfer, so that a segment of a former one, late on its way or
     * from a sender still running, is never taken for one of ours. */
    double moment = net_seconds();
    time_t today = time(NULL);
    uint64_t draw = hash_more(t->hash, (const void *)&moment, sizeof moment);
    t->connection = (uint32_t)hash_more(draw, (const void *)&today, sizeof today);
}

/* A whole number from 1 to `most`, or 0. */
static int number(const char *text, long most) {
    char *end;
    long value = strtol(text, &end, 10);
    return *text == '\0' || *end != '\0' || value < 1 || value > most ? 0 : (int)value;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf(
            "usage: arq_sender [--window N] [--tries N] [--verbose] HOST PORT FILE\n"
            "Sends FILE to arq_receiver at HOST PORT. --window N: up to N segments under "
            "way (1;\nat most %d), a part by window 1 first, to compare. --tries N: how "
            "often one segment\nis sent before giving up (%d). --verbose: each segment and "
            "each ACK.\n",
            WINDOW_MAX, TRIES);
        return 0;
    }
    int window = 1, tries = TRIES, verbose = 0, i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        int bad = 0;
        if (strcmp(argv[i], "--verbose") == 0)
            verbose = 1;
        else if (strcmp(argv[i], "--window") == 0 && i + 1 < argc)
            bad = (window = number(argv[++i], WINDOW_MAX)) == 0;
        else if (strcmp(argv[i], "--tries") == 0 && i + 1 < argc)
            bad = (tries = number(argv[++i], 1000000)) == 0;
        else
            bad = 1;
        if (bad) {
            fprintf(stderr, "arq_sender: %s: see arq_sender --help\n", argv[i]);
            return 2;
        }
    }
    if (argc - i != 3) {
        fprintf(stderr, "arq_sender: expected HOST PORT FILE; see arq_sender --help\n");
        return 2;
    }
    const char *host = argv[i], *port = argv[i + 1], *path = argv[i + 2];

    FILE *file = fopen(path, "rb");
    long length = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0)
        length = ftell(file); /* a pipe has no length to announce, a folder an absurd one */
    if (length < 0 || length > 0x7fffffff) {
        fprintf(stderr, "arq_sender: %s: %s\n", path,
                file == NULL ? strerror(errno) : "not a file of at most 2 GB");
        return 1;
    }

    if (!net_is_port("arq_sender", port))
        return 2;
    int err = net_start();
    if (err != 0) {
        net_perror(err, "arq_sender: start");
        return 1;
    }
#ifndef _WIN32 /* Windows has no sigaction(), and Ctrl-C ends the program there */
    struct sigaction interrupt = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGTERM, &interrupt, NULL);
#else
    (void)on_interrupt;
#endif
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *list;
    int failed = getaddrinfo(host, port, &hints, &list);
    if (failed != 0) {
        fprintf(stderr, "arq_sender: %s port %s: %s\n", host, port, gai_strerror(failed));
        return 1;
    }

    /* Each address of the name, until one does not refuse. */
    enum outcome outcome = REFUSED;
    for (struct addrinfo *a = list; a != NULL && outcome == REFUSED; a = a->ai_next) {
        static struct transfer t; /* more than a megabyte: too much for some stacks */
        char peer[NET_ADDRESS_MAX];
        memset(&t, 0, sizeof t);
        t.peer = net_address(a->ai_addr, (socklen_t)a->ai_addrlen, peer);
        t.window = (uint32_t)window;
        t.tries = tries;
        t.verbose = verbose;
        prepare(&t, file, length);
        t.s = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (t.s == NO_SOCKET) {
            net_perror(net_error(), "arq_sender: socket");
            continue;
        }
        /* connect() sends nothing: now only this peer's datagrams and refusals come in. */
        if (connect(t.s, a->ai_addr, (socklen_t)a->ai_addrlen) < 0 ||
            net_nonblocking(t.s, 1) < 0) {
            net_perror(net_error(), "arq_sender: connect %s", peer);
        } else {
            printf("%s: %lld bytes in %u segments to %s, connection %08x\n", path,
                   (long long)length, (unsigned)t.last - 1, peer, (unsigned)t.connection);
            outcome = transfer(&t);
            if (outcome == WHOLE)
                report(&t);
            else if (outcome == FAILED) { /* tell the receiver, so that it need not wait */
                seal(&t.segments[0], &t, RESET, GIVEN_UP, 0);
                send(t.s, (const char *)t.segments[0].bytes, HEADER, 0);
            }
        }
        net_close(t.s);
    }
    freeaddrinfo(list);
    fclose(file);
    net_stop();
    return outcome == WHOLE ? 0 : 1;
}
