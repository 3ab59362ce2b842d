/* scene.c - see scene.h. One line, one directive; indented lines explain the one above. */
#include "scene.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINES = 5000, MAX_TEXT = 4000 };

static int wrong(struct scene *scene, int number, const char *what) {
    if (scene->path)
        snprintf(scene->error, sizeof scene->error, "%s:%d: %s", scene->path, number, what);
    else
        snprintf(scene->error, sizeof scene->error, "%s", what);
    return -1;
}

static char *copy(const char *text, size_t length) {
    char *new = malloc(length + 1);
    if (new == NULL) {
        fprintf(stderr, "wire: out of memory\n");
        exit(1);
    }
    memcpy(new, text, length);
    new[length] = '\0';
    return new;
}

void scene_init(struct scene *scene) {
    memset(scene, 0, sizeof *scene);
    scene->latency = 10 * 1000000;
    scene->timeout = 10 * 1000000000LL;
    scene->textbook = 1;
}

/* ---- the directives: each takes the rest of its line ------------------------------------------ */

/* Cuts a command into words at white space; '…' and "…" keep theirs. */
static const char *split(struct command *command, const char *s) {
    int count = 0;
    while (*(s += strspn(s, " \t"))) {
        char word[MAX_LINE], quote = 0;
        size_t used = 0;
        for (; *s && (quote || (*s != ' ' && *s != '\t')); s++) {
            if (quote ? *s == quote : *s == '\'' || *s == '"')
                quote = quote ? 0 : *s;
            else
                word[used++] = *s; /* a line is shorter than MAX_LINE */
        }
        if (quote)
            return "a quotation mark is not closed";
        if (count == MAX_WORDS)
            return "the command has too many words";
        command->words[count++] = copy(word, used);
    }
    return count ? NULL : "a program is expected";
}

static const char *read_command(struct scene *scene, int host, const char *s, int number) {
    struct command *command = &scene->commands[host];
    if (command->words[0])
        return "this host has a program already";
    command->line = number;
    return split(command, s);
}

static const char *read_time(int64_t *ns, const char *s) {
    size_t length = parse_time(s, ns);
    return length == 0 || s[length] ? "a time is expected, as 10ms, 3s or 500us" : NULL;
}

static int host_by_name(const char *s, size_t length) {
    for (int host = 0; host < HOSTS; host++)
        if (strlen(host_names[host]) == length && strncmp(s, host_names[host], length) == 0)
            return host;
    return -1;
}

/* isn client 1000 server 2000; more numbers are for later SYNs between the same ports. */
static const char *read_isn(struct scene *scene, const char *s) {
    static const char expected[] = "expected: isn client NUMBER... server NUMBER...";
    for (int host = 0; host < HOSTS; host++) {
        int count = 0;
        size_t word = strcspn(s, " \t");
        if (host_by_name(s, word) != host)
            return expected;
        for (s += word + strspn(s + word, " \t"); isdigit((unsigned char)*s);) {
            char *end;
            unsigned long number = strtoul(s, &end, 10);
            if (count == FLOWS || number > UINT32_MAX ||
                (*end && !isspace((unsigned char)*end)))
                return expected;
            for (int i = count++; i < FLOWS; i++)
                scene->isn[host][i] = (uint32_t)number;
            s = end + strspn(end, " \t");
        }
        if (count == 0)
            return expected;
    }
    return *s ? expected : NULL;
}

static const char *read_sysctl(struct scene *scene, const char *s, int number) {
    static const char expected[] = "expected: sysctl client|server|both NAME VALUE, the "
                                   "name as net.ipv4.tcp_syn_retries";
    size_t who = strcspn(s, " \t"), name_at = who + strspn(s + who, " \t");
    size_t name = strspn(s + name_at, "abcdefghijklmnopqrstuvwxyz0123456789_.-");
    size_t value_at = name_at + name + strspn(s + name_at + name, " \t");
    int both = who == 4 && strncmp(s, "both", 4) == 0, host = host_by_name(s, who);
    if ((host < 0 && !both) || name == 0 || s[value_at] == '\0' ||
        value_at == name_at + name || strncmp(s + name_at, "net.", 4) != 0 ||
        strstr(s + name_at, ".."))
        return expected;
    for (int h = 0; h < HOSTS; h++)
        if (both || h == host) {
            scene->settings = log_room(scene->settings, scene->setting_count,
                                       &scene->setting_room, sizeof *scene->settings);
            scene->settings[scene->setting_count++] =
                (struct setting){.host = h,
                                 .name = copy(s + name_at, name),
                                 .value = copy(s + value_at, strlen(s + value_at)),
                                 .line = number};
        }
    return NULL;
}

static const char *read_table(struct scene *scene, const char *s) {
    int host = strncmp(s, "rto ", 4) == 0 ? host_by_name(s + 4, strlen(s + 4)) : -1;
    if (host < 0)
        return "expected: table rto client, or table rto server";
    scene->table[host] = 1;
    return NULL;
}

static const char *read_action(struct rule *rule, const char *s) {
    static const struct {
        const char *name;
        enum action action;
        char takes; /* t: a time, e: an event, h: a host */
    } actions[] = {{"drop", DROP, 0},
                   {"delay", DELAY, 't'},
                   {"duplicate after", DUPLICATE, 't'},
                   {"duplicate", DUPLICATE, 0},
                   {"corrupt", CORRUPT, 0},
                   {"hold until", HOLD, 'e'},
                   {"kill", KILL, 'h'},
                   {"unplug", UNPLUG, 'h'},
                   {"plug", PLUG, 'h'},
                   {"start", START, 'h'}};
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        size_t length = strlen(actions[i].name);
        if (strncmp(s, actions[i].name, length) != 0 || (s[length] && s[length] != ' '))
            continue;
        const char *rest = s + length + strspn(s + length, " \t");
        rule->action = actions[i].action;
        if (rule->action < KILL && rule->when.kind != EV_SEND)
            return "only a segment that is sent (HOST > KIND) can be dropped, delayed, "
                   "duplicated, corrupted or held";
        switch (actions[i].takes) {
        case 't': return read_time(&rule->after, rest);
        case 'e': return pattern_parse(&rule->until, rest);
        case 'h':
            rule->host = host_by_name(rest, strlen(rest));
            return rule->host < 0 ? "client or server is expected" : NULL;
        default: return *rest ? "nothing more is expected behind this action" : NULL;
        }
    }
    return "an action is expected: drop, delay T, duplicate after T, corrupt, hold until "
           "EVENT, "
           "kill HOST, unplug HOST, plug HOST or start HOST";
}

/* The colon between event and action stands right behind a word and before a space; the one in
 * `client : connect` has a space on both sides. What is in quotation marks does not count. */
static const char *find_action(const char *s) {
    int quoted = 0;
    for (size_t i = 0; s[i]; i++) {
        if (s[i] == '"')
            quoted = !quoted;
        if (!quoted && s[i] == ':' && i > 0 && s[i - 1] != ' ' && s[i + 1] == ' ')
            return s + i;
    }
    return NULL;
}

static const char *read_rule(struct scene *scene, const char *s, int number) {
    struct rule rule = {.line = number};
    char event[MAX_LINE];
    const char *colon = find_action(s);
    if (colon == NULL)
        return "expected: on EVENT: ACTION";
    snprintf(event, sizeof event, "%.*s", (int)(colon - s), s);
    const char *bad = pattern_parse(&rule.when, event);
    if (bad == NULL)
        bad = read_action(&rule, colon + 1 + strspn(colon + 1, " \t"));
    if (bad)
        return bad;
    rule.source = copy(s, strlen(s));
    scene->rules =
        log_room(scene->rules, scene->rule_count, &scene->rule_room, sizeof *scene->rules);
    scene->rules[scene->rule_count++] = rule;
    return NULL;
}

static const char *read_expectation(struct scene *scene, int never, const char *s,
                                    int number) {
    struct expectation e = {.never = never, .line = number};
    const char *bad = pattern_parse(&e.what, s);
    if (bad)
        return bad;
    e.source = copy(s, strlen(s));
    scene->expectations = log_room(scene->expectations, scene->expectation_count,
                                   &scene->expectation_room, sizeof *scene->expectations);
    scene->expectations[scene->expectation_count++] = e;
    return NULL;
}

static const char *read_text(char **where, const char *s) {
    if (*where)
        return "this is said twice";
    if (*s == '\0')
        return "a text is expected";
    *where = copy(s, strlen(s));
    return NULL;
}

static const char *read_directive(struct scene *scene, const char *name, const char *s,
                                  int number) {
    if (strcmp(name, "title") == 0)
        return read_text(&scene->title, s);
    if (strcmp(name, "figure") == 0)
        return read_text(&scene->figure, s);
    if (strcmp(name, "isn") == 0)
        return read_isn(scene, s);
    if (strcmp(name, "latency") == 0)
        return read_time(&scene->latency, s);
    if (strcmp(name, "timeout") == 0)
        return read_time(&scene->timeout, s);
    if (strcmp(name, "stack") == 0) {
        scene->textbook = strcmp(s, "textbook") == 0;
        return scene->textbook || strcmp(s, "modern") == 0
                   ? NULL
                   : "a stack is textbook or modern";
    }
    if (strcmp(name, "table") == 0)
        return read_table(scene, s);
    if (strcmp(name, "sysctl") == 0)
        return read_sysctl(scene, s, number);
    if (strcmp(name, "server") == 0)
        return read_command(scene, SERVER, s, number);
    if (strcmp(name, "client") == 0)
        return read_command(scene, CLIENT, s, number);
    if (strcmp(name, "on") == 0)
        return read_rule(scene, s, number);
    if (strcmp(name, "expect") == 0)
        return read_expectation(scene, 0, s, number);
    if (strcmp(name, "never") == 0)
        return read_expectation(scene, 1, s, number);
    return "a line begins with title, figure, isn, latency, timeout, stack, table, sysctl, "
           "server, client, "
           "on, expect or never";
}

/* ---- lines ------------------------------------------------------------------------------------ */

/* A comment begins with # at a line's start or behind a space; `DATA #2` is none. */
static size_t comment_at(const char *line) {
    size_t i;
    for (i = 0; line[i]; i++)
        if (line[i] == '#' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t') &&
            !isdigit((unsigned char)line[i + 1]))
            break;
    return i;
}

/* An indented line goes on with the text of the expectation, or the title, above it. */
static int add_text(struct scene *scene, const char *s, int number) {
    char **text = NULL;
    if (scene->expectation_count > 0)
        text = &scene->expectations[scene->expectation_count - 1].text;
    else if (scene->title && !scene->figure && scene->commands[SERVER].words[0] == NULL)
        text = &scene->intro;
    if (text == NULL)
        return wrong(scene, number, "an indented text belongs under a title or an expect");
    size_t had = *text ? strlen(*text) : 0, more = strlen(s);
    if (had + more > MAX_TEXT)
        return wrong(scene, number, "this explanation is too long");
    char *joined = malloc(had + more + 2);
    if (joined == NULL)
        return wrong(scene, number, "out of memory");
    snprintf(joined, had + more + 2, "%s%s%s", *text ? *text : "", *text ? " " : "", s);
    free(*text);
    *text = joined;
    return 0;
}

int scene_line(struct scene *scene, const char *line, int number) {
    char text[MAX_LINE], name[20];
    size_t length = strlen(line);
    if (length >= sizeof text)
        return wrong(scene, number, "this line is too long");
    for (size_t i = 0; i < length; i++)
        if (iscntrl((unsigned char)line[i]) && line[i] != '\t' && line[i] != '\r')
            return wrong(scene, number, "a character here is no text");
    strcpy(text, line);
    text[comment_at(text)] = '\0';
    for (length = strlen(text); length > 0 && isspace((unsigned char)text[length - 1]);
         length--)
        text[length - 1] = '\0';
    size_t start = strspn(text, " \t");
    if (text[start] == '\0')
        return 0;
    if (start > 0)
        return add_text(scene, text + start, number);
    size_t word = strcspn(text, " \t");
    if (word >= sizeof name)
        word = sizeof name - 1;
    memcpy(name, text, word);
    name[word] = '\0';
    const char *bad =
        read_directive(scene, name, text + word + strspn(text + word, " \t"), number);
    return bad ? wrong(scene, number, bad) : 0;
}

int scene_complete(struct scene *scene) {
    int starts[HOSTS] = {0, 0};
    for (long i = 0; i < scene->rule_count; i++)
        if (scene->rules[i].action == START) {
            starts[scene->rules[i].host] = 1;
            if (scene->commands[scene->rules[i].host].words[0] == NULL)
                return wrong(scene, scene->rules[i].line,
                             "this host has no program to start");
        }
    if (scene->commands[CLIENT].words[0] == NULL &&
        scene->commands[SERVER].words[0] == NULL)
        return wrong(scene, 1, "a scene needs a program: client COMMAND or server COMMAND");
    if ((starts[CLIENT] || !scene->commands[CLIENT].words[0]) &&
        (starts[SERVER] || !scene->commands[SERVER].words[0]))
        return wrong(scene, 1,
                     "every program waits for a rule to start it: none ever starts");
    return 0;
}

static void folder_name(struct scene *scene, const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return;
    const char *begin = slash;
    while (begin > path && begin[-1] != '/')
        begin--;
    scene->lesson = copy(begin, (size_t)(slash - begin));
}

int scene_read(struct scene *scene, const char *path) {
    char line[MAX_LINE + 2];
    scene->path = copy(path, strlen(path));
    folder_name(scene, path);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        snprintf(scene->error, sizeof scene->error, "%s: %s", path, strerror(errno));
        return -1;
    }
    int bad = 0;
    for (int number = 1; !bad && fgets(line, sizeof line, file); number++) {
        size_t length = strlen(line);
        if (length > 0 && line[length - 1] == '\n')
            line[length - 1] = '\0';
        else if (!feof(file))
            bad = wrong(scene, number, "this line is too long, or has a zero byte in it");
        if (number > MAX_LINES)
            bad = wrong(scene, number, "this scene has too many lines");
        if (!bad)
            bad = scene_line(scene, line, number);
    }
    if (!bad && ferror(file))
        bad = wrong(scene, 1, "the file cannot be read");
    fclose(file);
    return bad ? -1 : scene_complete(scene);
}

void scene_free(struct scene *scene) {
    for (int host = 0; host < HOSTS; host++)
        for (int i = 0; scene->commands[host].words[i]; i++)
            free(scene->commands[host].words[i]);
    for (long i = 0; i < scene->setting_count; i++) {
        free(scene->settings[i].name);
        free(scene->settings[i].value);
    }
    for (long i = 0; i < scene->expectation_count; i++) {
        free(scene->expectations[i].source);
        free(scene->expectations[i].text);
    }
    for (long i = 0; i < scene->rule_count; i++)
        free(scene->rules[i].source);
    free(scene->settings);
    free(scene->rules);
    free(scene->expectations);
    free(scene->path);
    free(scene->lesson);
    free(scene->title);
    free(scene->intro);
    free(scene->figure);
}
