/* pattern.c - see pattern.h. */
#include "pattern.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char complaint[300];

static const char *skip_space(const char *s) {
    while (*s == ' ' || *s == '\t')
        s++;
    return s;
}

/* One word up to white space, into word (PATTERN_WORD bytes, cut there). Returns what follows. */
static const char *next_word(const char *s, char *word) {
    size_t used = 0;
    s = skip_space(s);
    for (; *s && *s != ' ' && *s != '\t'; s++)
        if (used + 1 < PATTERN_WORD)
            word[used++] = *s;
    word[used] = '\0';
    return skip_space(s);
}

/* A decimal number that is the whole of `s` and at most `most`. */
static int whole_number(const char *s, unsigned long most, unsigned long *value) {
    char *end;
    if (!isdigit((unsigned char)*s))
        return 0;
    *value = strtoul(s, &end, 10);
    return *end == '\0' && *value <= most;
}

size_t parse_time(const char *text, int64_t *ns) {
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    char *end;
    if (!isdigit((unsigned char)*text))
        return 0;
    double value = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t length = strlen(units[i].name);
        if (strncmp(end, units[i].name, length) == 0 &&
            !isalnum((unsigned char)end[length]) && value * units[i].ns < 1e15) {
            *ns = (int64_t)(value * units[i].ns);
            return (size_t)(end - text) + length;
        }
    }
    return 0;
}

static const char *parse_frame(struct pattern *p, const char *s) {
    char word[PATTERN_WORD];
    s = next_word(s, word);
    p->frame_kinds = frame_kind_by_name(word, strlen(word));
    if (p->frame_kinds == 0) {
        snprintf(complaint, sizeof complaint,
                 "'%s' is no kind of segment: SYN, SYN,ACK, ACK, DATA, FIN, RST, UDP, ICMP "
                 "or ARP",
                 word);
        return complaint;
    }
    while (*s) {
        struct {
            const char *name;
            int *has;
            uint32_t *value;
        } fields[] = {{"seq=", &p->has_seq, &p->seq},
                      {"ack=", &p->has_ack, &p->ack},
                      {"len=", &p->has_length, &p->length},
                      {"win=", &p->has_window, &p->window}};
        unsigned long value = 0;
        size_t i, count = sizeof fields / sizeof fields[0];
        s = next_word(s, word);
        if (strncmp(word, "why=", 4) == 0) {
            for (int why = WHY_NONE + 1; why < WHYS; why++)
                if (strcmp(word + 4, why_names[why]) == 0)
                    p->why = (enum why)why;
            if (p->why == WHY_NONE)
                return "why= is RTO, after-RTO, fast, TLP, window-probe or keepalive";
            continue;
        }
        for (i = 0; i < count; i++)
            if (strncmp(word, fields[i].name, 4) == 0)
                break;
        if (i == count || !whole_number(word + 4, UINT32_MAX, &value)) {
            snprintf(complaint, sizeof complaint,
                     "'%s' is not seq=N, ack=N, len=N, win=N or why=WORD", word);
            return complaint;
        }
        *fields[i].has = 1;
        *fields[i].value = (uint32_t)value;
    }
    return NULL;
}

static const char *parse_state(struct pattern *p, const char *s) {
    char word[PATTERN_WORD];
    s = next_word(s, word);
    for (int i = CLOSED; i < STATES; i++)
        if (strcmp(word, state_names[i]) == 0)
            p->state = (enum state)i;
    if (p->state == S_NONE || *s) {
        snprintf(
            complaint, sizeof complaint,
            "'%s' is no TCP state: CLOSED LISTEN SYN_SENT SYN_RCVD ESTABLISHED FIN_WAIT_1 "
            "FIN_WAIT_2 CLOSE_WAIT CLOSING LAST_ACK TIME_WAIT",
            *s ? s : word);
        return complaint;
    }
    return NULL;
}

/* What calls.c can name, and "exit": another name could never come. */
static const char call_names[] =
    " "
    "socket bind listen accept connect send sendmsg sendmmsg recv recvmsg "
    "recvmmsg read readv write writev sendfile shutdown close setsockopt "
    "getsockopt getsockname getpeername poll select epoll_wait exit ";

/* The errors that net.h can name. */
static const char error_names[] =
    " "
    "EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY EBADF "
    "ECONNABORTED ECONNREFUSED ECONNRESET EDESTADDRREQ EFAULT EHOSTUNREACH "
    "EINPROGRESS EINTR EINVAL EISCONN EMFILE EMSGSIZE ENETDOWN ENETUNREACH "
    "ENFILE ENOBUFS ENOMEM ENOPROTOOPT ENOTCONN ENOTSOCK EOPNOTSUPP EPERM "
    "EPIPE EPROTONOSUPPORT EPROTOTYPE ESOCKTNOSUPPORT ETIMEDOUT ";

static int is_one_of(const char *names, const char *word) {
    char between[PATTERN_WORD + 3];
    snprintf(between, sizeof between, " %s ", word);
    return strchr(word, ' ') == NULL && strstr(names, between) != NULL;
}

static int is_result(const char *word) {
    size_t digits = strspn(word + (*word == '-'), "0123456789");
    return strcmp(word, "*") == 0 || strncmp(word, "SIG", 3) == 0 ||
           (digits > 0 && word[digits + (*word == '-')] == '\0') ||
           is_one_of(error_names, word);
}

/* accept | accept(3) | accept = 4 | accept(3) = 4 | accept = * | exit = 0 | prints "text" */
static const char *parse_call(struct pattern *p, const char *s) {
    char word[PATTERN_WORD];
    if (strncmp(s, "prints", 6) == 0 && (s[6] == ' ' || s[6] == '\0')) {
        s = skip_space(s + 6);
        size_t length = strlen(s);
        if (length >= 2 && s[0] == '"' && s[length - 1] == '"')
            s++, length -= 2;
        if (length >= sizeof p->text)
            return "the text after prints is too long";
        p->kind = EV_PRINTS;
        memcpy(p->text, s, length);
        p->text[length] = '\0';
        return NULL;
    }
    size_t length = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (length == 0 || length >= sizeof p->name)
        return "a call's name is expected after ':', as in  client : connect = 0";
    memcpy(p->name, s, length);
    if (!is_one_of(call_names, p->name)) {
        snprintf(complaint, sizeof complaint, "'%s' is no socket call that is watched",
                 p->name);
        return complaint;
    }
    s += length;
    if (*s == '(') {
        char *end;
        long fd = strtol(s + 1, &end, 10);
        if (end == s + 1 || *end != ')' || fd < 0 || fd > 1 << 20)
            return "a descriptor is expected in the brackets, as in  client : connect(3) = "
                   "0";
        p->fd = (int)fd;
        s = end + 1;
    }
    s = skip_space(s);
    if (*s == '=') {
        s = next_word(s + 1, word);
        if (word[0] == '\0')
            return "a result is expected after '=': a number, an error's name, or * for "
                   "any";
        if (!is_result(word)) {
            snprintf(complaint, sizeof complaint,
                     "'%s' is no result: a number, an error's name, or * for any", word);
            return complaint;
        }
        p->kind = strcmp(p->name, "exit") == 0 ? EV_EXIT : EV_RETURN;
        strcpy(p->result, word);
        s = skip_space(s);
    } else if (strcmp(p->name, "exit") == 0) {
        p->kind = EV_EXIT;
        strcpy(p->result, "*");
    }
    if (*s) {
        snprintf(complaint, sizeof complaint,
                 "'%s' follows the call and means nothing there", s);
        return complaint;
    }
    return NULL;
}

/* Takes " #n" off the end of text. Returns 0 when there is a # that is no number. */
static int take_ordinal(struct pattern *p, char *text) {
    char *mark = strrchr(text, '#'), *end;
    if (mark == NULL || mark == text || mark[-1] != ' ' || strchr(mark, '"'))
        return 1;
    long nth = strtol(mark + 1, &end, 10);
    if (end == mark + 1 || nth < 1 || nth > 1000000)
        return 0;
    p->nth = (int)nth;
    memmove(mark - 1, end, strlen(end) + 1); /* `DATA #2 seq=5`: what follows stays */
    return 1;
}

const char *pattern_parse(struct pattern *p, const char *text) {
    char line[300], word[PATTERN_WORD];
    memset(p, 0, sizeof *p);
    p->fd = NO_INDEX;
    if (strlen(text) >= sizeof line)
        return "this event is too long";
    strcpy(line, text);
    for (size_t n = strlen(line); n > 0 && isspace((unsigned char)line[n - 1]); n--)
        line[n - 1] = '\0';
    if (!take_ordinal(p, line))
        return "a number from 1 is expected after '#'";

    const char *s = next_word(line, word);
    for (p->host = 0; p->host < HOSTS; p->host++)
        if (strcmp(word, host_names[p->host]) == 0)
            break;
    if (p->host == HOSTS) {
        snprintf(complaint, sizeof complaint,
                 "an event begins with client or server, not '%s'", word);
        return complaint;
    }
    s = next_word(s, word);
    if (word[0] && word[1] == '\0')
        switch (word[0]) {
        case '>': p->kind = EV_SEND; return parse_frame(p, s);
        case '<': p->kind = EV_ARRIVE; return parse_frame(p, s);
        case 'x': p->kind = EV_LOST; return parse_frame(p, s);
        case '=': p->kind = EV_STATE; return parse_state(p, s);
        case ':': p->kind = EV_CALL; return parse_call(p, s);
        default: break;
        }
    snprintf(
        complaint, sizeof complaint,
        "after the host comes > (sends), < (receives), x (misses), = (state) or : (call), "
        "not '%s'",
        word);
    return complaint;
}

static int fits_numbers(const struct pattern *p, const struct logged_frame *frame) {
    return (!p->has_seq || frame->seq == p->seq) &&
           (!p->has_ack || (frame->f.flags & TCP_ACK && frame->ack == p->ack)) &&
           (!p->has_length || frame->f.payload_length == p->length) &&
           (!p->has_window || frame->window == p->window) &&
           (p->why == WHY_NONE || frame->why == p->why);
}

/* Whether the event is of the pattern's sort, its numbers and ordinal aside. */
static int fits_sort(const struct pattern *p, const struct log *log,
                     const struct event *e) {
    if (p->kind != e->kind || p->host != e->host)
        return 0;
    switch (e->kind) {
    case EV_SEND:
    case EV_ARRIVE:
    case EV_LOST: return frame_is(log->frames[e->frame].f.kinds, p->frame_kinds);
    case EV_STATE: return p->state == e->state && !(e->listener && e->state == CLOSED);
    case EV_CALL:
    case EV_RETURN:
        return strcmp(p->name, e->name) == 0 && (p->fd == NO_INDEX || p->fd == e->fd) &&
               (e->kind == EV_CALL || strcmp(p->result, "*") == 0 ||
                strcmp(p->result, e->result) == 0);
    case EV_PRINTS: return strncmp(e->text, p->text, strlen(p->text)) == 0;
    case EV_EXIT: return strcmp(p->result, "*") == 0 || strcmp(p->result, e->result) == 0;
    }
    return 0;
}

int pattern_fits(struct pattern *p, const struct log *log, const struct event *e) {
    if (!fits_sort(p, log, e))
        return 0;
    p->seen++;
    if (p->nth != 0 && p->nth != p->seen)
        return 0;
    return e->kind > EV_LOST || fits_numbers(p, &log->frames[e->frame]);
}
