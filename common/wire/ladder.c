/* ladder.c - the command line of the ladder: draws a recording, or a conversation of any
 * capture. */
#include "peel.h"
#include "quiz.h"
#include "recording.h"
#include "rows.h"
#include "screen.h"
#include "step.h"
#include "summary.h"
#include "svg.h"
#include "term.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef _WIN32
#include <windows.h>
#include <fcntl.h>
#include <io.h>
#else
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>
#endif

enum { OK = 0, FAILED = 1, MISTAKE = 2, MOST_LISTED = 50 };

static const char usage[] =
    "usage: ladder [OPTION]... FILE\n"
    "\n"
    "Draws what `wire --record FILE` wrote down, as it was when it was played; or one\n"
    "conversation of any capture (pcap, pcapng) by tcpdump or Wireshark, with the states\n"
    "that its segments let one infer. Needs no privileges.\n"
    "\n"
    "  --follow PORT     of a capture: the conversation on this port\n"
    "  --number N        of a capture: the conversation with this number in the list\n"
    "                    that is shown when there are several\n"
    "  --raw             sequence numbers as they are on the cable\n"
    "  --all             show ARP, program output and minor calls too; list all\n"
    "  --events          print the log of events, in words, in place of the ladder\n"
    "  --step            forward and back through it by keys (? shows them)\n"
    "  --quiz            hides the next event and asks which it is; answers also from a "
    "pipe\n"
    "  --seed N          of a quiz: the same questions and choices as with N before\n"
    "  --svg F           draw it as a picture, into the file F\n"
    "  --peel N          frame N, layer by layer; --peel list lists their numbers;\n"
    "                    with --svg, a picture of its uppermost header\n"
    "  --width N, --ascii     columns; lines without UTF-8\n"
    "\n"
    "Ends with 0 when it has drawn, with 1 when the file cannot be read, with 2 for a\n"
    "mistake in the command line.\n";

struct options {
    int all, ascii, colour, columns, events, raw, step, quiz;
    long seed; /* 0: none was given */
    struct choice choice;
    const char *svg;
    long peel; /* number of a frame, 0: none, NO_INDEX: list them */
    const char *file;
};

static int mistake(const char *what, const char *word) {
    fprintf(stderr, "ladder: %s%s%s; see ladder --help\n", what, word ? " " : "",
            word ? word : "");
    return MISTAKE;
}

/* ---- what the terminal can do -------------------------------------------------------- */

static void look_at_terminal(struct options *o) {
    const char *columns = getenv("COLUMNS");
    int terminal;
    o->columns = columns && atoi(columns) > 0 ? atoi(columns) : 80;
#ifdef _WIN32
    CONSOLE_SCREEN_BUFFER_INFO info;
    HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
    DWORD mode;
    _setmode(_fileno(stdout), _O_BINARY); /* lines end as everywhere */
    terminal = GetConsoleMode(out, &mode) != 0;
    if (terminal) {
        SetConsoleOutputCP(CP_UTF8);
        SetConsoleMode(out, mode | 4 /* ENABLE_VIRTUAL_TERMINAL_PROCESSING: colours */);
        if (GetConsoleScreenBufferInfo(out, &info))
            o->columns = info.srWindow.Right - info.srWindow.Left + 1;
    }
#else
    struct winsize size;
    setlocale(LC_CTYPE, "");
    o->ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    terminal = isatty(1);
    if (ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        o->columns = size.ws_col;
#endif
    o->colour = terminal && getenv("NO_COLOR") == NULL;
}

/* ---- the command line ---------------------------------------------------------------- */

/* A number from 1 to `most`, the whole of the word. */
static int read_number(const char *word, long most, long *number) {
    char *end;
    *number = word ? strtol(word, &end, 10) : 0;
    return word && *end == '\0' && *number >= 1 && *number <= most ? 0 : -1;
}

static int take_options(int argc, char **argv, struct options *o) {
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        long columns;
        if (word[0] != '-' || word[1] == '\0') {
            if (o->file)
                return mistake("one file at a time; not expected:", word);
            o->file = word;
        } else if (strcmp(word, "--all") == 0) {
            o->all = 1;
        } else if (strcmp(word, "--ascii") == 0) {
            o->ascii = 1;
        } else if (strcmp(word, "--events") == 0) {
            o->events = 1;
        } else if (strcmp(word, "--raw") == 0) {
            o->raw = 1;
        } else if (strcmp(word, "--step") == 0) {
            o->step = 1;
        } else if (strcmp(word, "--quiz") == 0) {
            o->quiz = 1;
        } else if (strcmp(word, "--seed") == 0) {
            if (read_number(argv[++i], 1000000000, &o->seed) < 0)
                return mistake("--seed needs a number, 1 to 1000000000", NULL);
        } else if (strcmp(word, "--width") == 0) {
            if (read_number(argv[++i], 100000, &columns) < 0)
                return mistake("--width needs a number of columns", NULL);
            o->columns = (int)columns;
        } else if (strcmp(word, "--svg") == 0) {
            if ((o->svg = argv[++i]) == NULL)
                return mistake("--svg needs a file to draw into", NULL);
        } else if (strcmp(word, "--peel") == 0) {
            if (argv[++i] && strcmp(argv[i], "list") == 0)
                o->peel = NO_INDEX;
            else if (read_number(argv[i], 1000000000, &o->peel) < 0)
                return mistake("--peel needs the number of a frame, or list", NULL);
        } else if (strcmp(word, "--follow") == 0) {
            if (read_number(argv[++i], 65535, &o->choice.port) < 0)
                return mistake("--follow needs a port, 1 to 65535", NULL);
        } else if (strcmp(word, "--number") == 0) {
            if (read_number(argv[++i], 1000000000, &o->choice.number) < 0)
                return mistake("--number needs a number of the list", NULL);
        } else {
            return mistake("no such option:", word);
        }
    }
    if (o->step && o->quiz)
        return mistake("one at a time: --step or --quiz", NULL);
    return o->file ? OK : mistake("a recording or a capture is expected", NULL);
}

/* ---- what is shown ------------------------------------------------------------------- */

static long count_from(const struct recording *r, const struct options *o, long frames) {
    long count = 0;
    for (long i = 0; i < r->talks.count; i++)
        count += talk_is_on(&r->talks.talks[i], o->choice.port) &&
                 r->talks.talks[i].frames >= frames;
    return count;
}

/* The size from which on there are no more than MOST_LISTED conversations. */
static long size_listed(const struct recording *r, const struct options *o) {
    long low = 0, high = r->talks.packets; /* too many have `low`; few enough have `high` */
    while (high - low > 1) {
        long middle = low + (high - low) / 2;
        if (count_from(r, o, middle) > MOST_LISTED)
            low = middle;
        else
            high = middle;
    }
    return high;
}

static void list_talk(const struct talk *t, long number, int64_t zero) {
    static const char *const protocols[] = {"", "", "TCP", "UDP", "ICMP"};
    char ip[TALK_ADDRESS], end[HOSTS][TALK_ADDRESS + 8];
    for (int host = 0; host < HOSTS; host++) {
        talk_address(t, host, ip, sizeof ip);
        snprintf(end[host], sizeof end[host],
                 t->protocol == P_ICMP ? "%s"
                 : t->version == 6     ? "[%s]:%u"
                                       : "%s:%u",
                 ip, t->port[host]);
    }
    printf("%6ld %11.3f %9.3f %8ld %11llu  %-4s %s -> %s\n", number,
           (double)(t->first - zero) / 1e9, (double)(t->last - t->first) / 1e9, t->frames,
           (unsigned long long)t->bytes, protocols[t->protocol], end[CLIENT], end[SERVER]);
}

/* All with --all; else the largest, and of the next size as many as there is room for. */
static void list(const struct recording *r, const struct options *o) {
    long size = o->all ? 1 : size_listed(r, o);
    long room = o->all ? 0 : MOST_LISTED - count_from(r, o, size);
    long left = count_from(r, o, 1);
    printf("%ld packets, %ld conversations; ladder --number N %s draws one\n\n",
           r->talks.packets, r->talks.count, o->file);
    printf("     N     start s   lasts s   frames       bytes       client -> server\n");
    for (long i = 0; i < r->talks.count; i++) {
        const struct talk *t = &r->talks.talks[i];
        if (!talk_is_on(t, o->choice.port) ||
            (t->frames < size && (t->frames < size - 1 || room-- <= 0)))
            continue;
        list_talk(t, i + 1, r->talks.talks[0].first);
        left--;
    }
    if (left > 0)
        printf("and %ld more, none of them larger: --all lists them too\n", left);
    if (r->talks.others)
        printf("%ld packets belong to none of them\n", r->talks.others);
}

static void print_events(const struct log *log) {
    char text[EVENT_TEXT];
    for (long i = 0; i < log->event_count; i++)
        printf("%10.4f  %s\n", (double)log->events[i].time / 1e6,
               log_event_text(log, &log->events[i], text, sizeof text));
}

static long count_met(const struct log *log) {
    long met = 0;
    for (long i = 0; i < log->event_count; i++)
        met += log->events[i].note != NO_INDEX;
    return met;
}

/* The same lines in the same order as when it was played (show.c). */
static void draw(const struct recording *r, const struct options *o) {
    struct rows rows;
    struct term term;
    const char *labels[HOSTS];
    rows_init(&rows, o->all);
    rows_feed(&rows, &r->log);
    term_init(&term, stdout, o->columns, o->ascii, o->colour);
    term_heading(&term, &r->scene, recording_labels(r, labels));
    term_rows(&term, &rows, &r->log, &r->scene, rows.count);
    term_finish(&term);
    summary_print(stdout, &r->log, &r->scene, r->as_expected, count_met(&r->log),
                  term.zero);
    rows_free(&rows);
}

static void list_frames(const struct log *log) {
    char text[EVENT_TEXT];
    for (long i = 0; i < log->frame_count; i++)
        printf("%6ld  %s > %s\n", log->frames[i].number, host_names[log->frames[i].from],
               log_frame_text(&log->frames[i], text, sizeof text));
}

/* Of the whole, or of the frame that is peeled. */
static int draw_svg(const struct recording *r, const struct options *o,
                    const struct logged_frame *frame) {
    const char *labels[HOSTS];
    FILE *out = fopen(o->svg, "wb");
    if (out && frame) {
        peel_svg(out, frame);
    } else if (out) {
        struct rows rows;
        rows_init(&rows, o->all);
        rows_feed(&rows, &r->log);
        svg_ladder(out, &rows, &r->log, &r->scene, recording_labels(r, labels));
        rows_free(&rows);
    }
    if (out == NULL || ferror(out) | fclose(out)) {
        fprintf(stderr, "ladder: %s: %s\n", o->svg, strerror(errno));
        return FAILED;
    }
    return OK;
}

/* With keys or answers. Returns FAILED when it cannot be done here. */
static int play_with(const struct recording *r, const struct options *o) {
    struct view_options view = {.all = o->all, .ascii = o->ascii, .colour = o->colour};
    uint64_t seed = o->seed ? (uint64_t)o->seed : (uint64_t)time(NULL) % 10000 + 1;
    const char *trouble =
        o->step ? step_run(&r->log, &r->scene, &view)
                : quiz_run(&r->log, &r->scene, &view, seed, screen_is_there());
    if (trouble)
        fprintf(stderr, "ladder: --%s: %s\n", o->step ? "step" : "quiz", trouble);
    return trouble ? FAILED : OK;
}

/* What was asked for, of the conversation that was read. */
static int show(const struct recording *r, const struct options *o) {
    const struct logged_frame *frame = o->peel > 0 ? peel_find(&r->log, o->peel) : NULL;
    if (o->peel > 0 && frame == NULL) {
        fprintf(stderr, "ladder: %s: no frame %ld is drawn here; --peel list lists them\n",
                o->file, o->peel);
        return FAILED;
    }
    if (o->step || o->quiz)
        return play_with(r, o);
    if (o->svg)
        return draw_svg(r, o, frame);
    if (frame)
        peel_print(stdout, &r->log, frame);
    else if (o->peel)
        list_frames(&r->log);
    else if (o->events)
        print_events(&r->log);
    else
        draw(r, o);
    return OK;
}

int main(int argc, char **argv) {
    struct options options = {0};
    struct recording r;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return OK;
    }
    look_at_terminal(&options);
    int result = take_options(argc, argv, &options);
    if (result != OK)
        return result;
    if (recording_read(&r, options.file, &options.choice, options.raw) < 0) {
        fprintf(stderr, "ladder: %s: %s\n", options.file, r.error);
        result = FAILED;
    } else {
        if (r.warning[0])
            fprintf(stderr, "ladder: %s: %s\n", options.file, r.warning);
        if (r.played || r.talk != NO_INDEX) {
            result = show(&r, &options);
        } else {
            list(&r, &options);
            if (options.svg || options.step || options.quiz || options.peel ||
                options.events)
                result = mistake("which conversation? Choose one by --number N", NULL);
        }
        if (r.left_out)
            fprintf(stderr, "ladder: only its first %d frames are drawn; %ld more follow\n",
                    MOST_DRAWN, r.left_out);
    }
    recording_free(&r);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "ladder: the output could not be written\n");
        result = FAILED;
    }
    return result;
}
