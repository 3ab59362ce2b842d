/* main.c - the command line of the wire. */
#define _GNU_SOURCE
#include "doctor.h"
#include "play.h"

#include <fcntl.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char usage[] =
    "usage: wire [OPTION]... FILE.scene\n"
    "       wire [OPTION]... -- SERVER ARG... -- CLIENT ARG...\n"
    "       wire --doctor\n"
    "\n"
    "Plays two programs on two private hosts (client 10.0.0.1, server 10.0.0.2) and shows "
    "every\n"
    "segment between them, both kernels' TCP states and every socket call, in one ladder.\n"
    "\n"
    "  --on 'EVENT: ACTION'   as in a scene: --on 'client > SYN #1: drop'; also delay T,\n"
    "                         duplicate after T, corrupt, hold until EVENT, kill HOST ...\n"
    "  --drop EVENT           the same as --on 'EVENT: drop'\n"
    "  --latency T            each way; 10ms unless given\n"
    "  --stack NAME           textbook: no timestamps, SACK, scaling ...; modern: the "
    "kernel's own\n"
    "  --table 'rto HOST'     below: each round trip that HOST measures, and its timeout\n"
    "  --hold                 each frame waits for a key: space deliver, x drop, 2 twice,\n"
    "                         l 3 s late, g go on without asking, q end. Both kernels go "
    "on\n"
    "                         meanwhile; what they send again of it is counted, and lost.\n"
    "                         What the scene expects is not judged then.\n"
    "  --record F             write it all down as a capture, which ladder draws again\n"
    "  --svg F                draw the ladder as a picture\n"
    "  --rto-svg F, --sequence-svg F   pictures: round trips and timeout; sequence "
    "numbers\n"
    "  --timeout T            longest time without an event; 10s unless given\n"
    "  --all                  show ARP, program output and minor calls too\n"
    "  --events               print the log of events, in words, in place of the ladder\n"
    "  --quiet                print only what fails\n"
    "  --width N, --ascii     columns; lines without UTF-8\n"
    "  --doctor               what this machine can do, what is missing, and what mends "
    "it\n"
    "\n"
    "Ends with 0 when all came as the scene expects, 1 when not, 2 for a mistake in the "
    "scene or\n"
    "the command line, 3 where no private network can be made.\n";

static int mistake(const char *what, const char *word) {
    fprintf(stderr, "wire: %s%s%s; see wire --help\n", what, word ? " " : "",
            word ? word : "");
    return PLAY_MISTAKE;
}

/* Among busy programs, be the one that runs at once: kernel timers do not wait for us. Root may
 * raise its priority; anybody may ask for short slices, which come sooner (Linux 6.12). */
static void hurry(void) {
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {.size = sizeof attributes, .runtime = 100000};
    setpriority(PRIO_PROCESS, 0, -20);
    attributes.nice = getpriority(PRIO_PROCESS, 0);
    syscall(SYS_sched_setattr, 0, &attributes, 0);
}

static int terminal_columns(void) {
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    if (ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return columns && atoi(columns) > 0 ? atoi(columns) : 80;
}

/* The build folder: where this program is. */
static void build_folder(char *path, size_t size) {
    ssize_t n = readlink("/proc/self/exe", path, size - 1);
    path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
}

/* A scene says `server`, and means the program of its lesson; or `02-tcp-echo/server`, and means
 * that of another. Whatever is not in the build folder is a command like any other. */
static void find_lesson_program(struct scene *scene, int host) {
    char folder[PATH_MAX], path[PATH_MAX * 2];
    char *name = scene->commands[host].words[0];
    if (name == NULL || name[0] == '/' || name[0] == '.')
        return;
    build_folder(folder, sizeof folder);
    if (strchr(name, '/'))
        snprintf(path, sizeof path, "%s/%s", folder, name);
    else if (scene->lesson)
        snprintf(path, sizeof path, "%s/%s/%s", folder, scene->lesson, name);
    else
        return;
    char *copy = access(path, X_OK) == 0 ? strdup(path) : NULL;
    if (copy) {
        free(name);
        scene->commands[host].words[0] = copy;
    }
}

/* Makes a line of the scene language out of an option. */
static int option_line(struct scene *scene, const char *before, const char *word,
                       const char *after) {
    char line[MAX_LINE];
    if (word == NULL)
        return -1;
    int n = snprintf(line, sizeof line, "%s%s%s", before, word, after);
    if (n < 0 || (size_t)n >= sizeof line) {
        snprintf(scene->error, sizeof scene->error, "this option is too long");
        return -1;
    }
    return scene_line(scene, line, 0);
}

static int take_commands(struct scene *scene, char **words) {
    int host = SERVER, count = 0;
    for (; *words; words++) {
        if (strcmp(*words, "--") == 0 && host == SERVER && count > 0) {
            host = CLIENT;
            count = 0;
            continue;
        }
        if (count == MAX_WORDS)
            return mistake("too many words in a command", NULL);
        scene->commands[host].words[count] = strdup(*words);
        if (scene->commands[host].words[count++] == NULL)
            return mistake("out of memory", NULL);
    }
    if (scene->commands[CLIENT].words[0] == NULL)
        return mistake("expected -- SERVER ARG... -- CLIENT ARG...", NULL);
    return 0;
}

/* Options in front of the scene or the commands. Returns the index of the first other word, or -1. */
static int take_options(int argc, char **argv, struct scene *scene,
                        struct play_options *options) {
    static const struct {
        const char *option, *before, *after;
    } lines[] = {{"--on", "on ", ""},           {"--drop", "on ", ": drop"},
                 {"--latency", "latency ", ""}, {"--stack", "stack ", ""},
                 {"--table", "table ", ""},     {"--timeout", "timeout ", ""}};
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0; i++) {
        size_t k, count = sizeof lines / sizeof lines[0];
        for (k = 0; k < count; k++)
            if (strcmp(argv[i], lines[k].option) == 0)
                break;
        if (k < count) {
            if (argv[i + 1] == NULL) {
                mistake("a value is missing after", argv[i]);
                return -1;
            }
            if (option_line(scene, lines[k].before, argv[i + 1], lines[k].after) < 0) {
                fprintf(stderr, "wire: %s %s: %s\n", argv[i], argv[i + 1], scene->error);
                return -1;
            }
            i++;
        } else if (strcmp(argv[i], "--all") == 0) {
            options->all = 1;
        } else if (strcmp(argv[i], "--ascii") == 0) {
            options->ascii = 1;
        } else if (strcmp(argv[i], "--quiet") == 0) {
            options->quiet = 1;
        } else if (strcmp(argv[i], "--hold") == 0) {
            options->hold = 1;
        } else if (strcmp(argv[i], "--events") == 0) {
            options->events = 1;
        } else if (strcmp(argv[i], "--record") == 0 && argv[i + 1]) {
            options->record = argv[++i];
        } else if (strcmp(argv[i], "--svg") == 0 && argv[i + 1]) {
            options->svg = argv[++i];
        } else if (strcmp(argv[i], "--rto-svg") == 0 && argv[i + 1]) {
            options->rto_svg = argv[++i];
        } else if (strcmp(argv[i], "--sequence-svg") == 0 && argv[i + 1]) {
            options->sequence_svg = argv[++i];
        } else if (strcmp(argv[i], "--width") == 0 && argv[i + 1] &&
                   atoi(argv[i + 1]) > 0) {
            options->columns = atoi(argv[++i]);
        } else {
            mistake("no such option:", argv[i]);
            return -1;
        }
    }
    return i;
}

int main(int argc, char **argv) {
    struct scene scene;
    struct play_options options = {0};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc >= 2 && strcmp(argv[1], "--doctor") == 0)
        return doctor(argc == 3 && strcmp(argv[2], "--brief") == 0);

    if (fcntl(0, F_GETFD) < 0)
        open("/dev/null", O_RDONLY); /* else what is opened next would be taken for input */
    setlocale(LC_CTYPE, "");
    options.ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    options.live = isatty(1);
    options.colour = options.live && getenv("NO_COLOR") == NULL;
    options.columns = terminal_columns();
    scene_init(&scene);
    int at = take_options(argc, argv, &scene, &options);
    int result = PLAY_MISTAKE;
    if (at < 0) {
    } else if (at == argc) {
        result = mistake("a scene or two commands are expected", NULL);
    } else if (strcmp(argv[at], "--") == 0) {
        options.inherit_input = 1;
        result = take_commands(&scene, argv + at + 1);
    } else if (at + 1 < argc) {
        result = mistake("one scene at a time; not expected:", argv[at + 1]);
    } else if (scene_read(&scene, argv[at]) < 0) {
        fprintf(stderr, "wire: %s\n", scene.error);
    } else {
        result = 0;
    }
    if (at >= 0 && result == 0) {
        for (int host = 0; host < HOSTS; host++)
            find_lesson_program(&scene, host);
        hurry();
        result = play(&scene, &options);
    }
    scene_free(&scene);
    return result;
}
