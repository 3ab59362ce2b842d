/* choices.c - see choices.h. */
#include "choices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_CANDIDATES = 2000, /* so much of a long recording is looked at */
    MOST_OFFERS = 24,
    SOON = 6,       /* steps: what comes so soon after is no wrong answer */
    SOON_MOST = 12, /* and so many when they come without a pause */
    EXPLAINED = 5,  /* worth of an event that the scene explains */
    NEAR = 16,      /* steps: what is elsewhere, and could yet be thought to come */
    NEXT_STATES = 4,
    TRIES = 30
};

/* xorshift64, of George Marsaglia */
unsigned choices_random(uint64_t *random, unsigned limit) {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (unsigned)((*random >> 16) % limit);
}

/* ---- which events are asked for ------------------------------------------------------------------ */

static int has_text(const struct view *view, const struct event *e) {
    return e->note != NO_INDEX && view->scene->expectations[e->note].text != NULL;
}

static int segment_worth(const struct logged_frame *frame) {
    if (frame->f.protocol != P_TCP)
        return 0;
    if (frame->again)
        return 4;
    return frame->f.kinds & (KIND_SYN | KIND_SYNACK | KIND_FIN | KIND_RST) ? 3 : 1;
}

/* Every recording of TCP has the states of the opening: where they are the matter they are explained. */
static int state_worth(const struct event *e) {
    if (e->listener && e->state == CLOSED)
        return 0;
    return e->state >= LISTEN && e->state <= ESTABLISHED ? 2 : 4;
}

/* How much the event teaches: 0 for what nobody could know, or everybody knows. */
static int worth(const struct view *view, long index) {
    const struct event *e = &view->log->events[index];
    int explained = has_text(view, e);
    switch (e->kind) {
    case EV_SEND:
        return explained ? EXPLAINED : segment_worth(&view->log->frames[e->frame]);
    case EV_STATE: return explained ? EXPLAINED : state_worth(e);
    case EV_RETURN:
        return explained                                         ? EXPLAINED
               : view->log->events[e->call].blocked && !e->minor ? 3
                                                                 : 0;
    case EV_CALL:
    case EV_ARRIVE: return explained ? EXPLAINED : 0;
    case EV_LOST: /* chance, or the scene's author, decides these */
    case EV_PRINTS:
    case EV_EXIT: break;
    }
    return 0;
}

struct candidate {
    long step;
    int worth, taken;
    char text[PHRASE];
};

/* What was asked before in the same words is asked again only if there is little else. */
static void lower_repeated(struct candidate *candidates, int count) {
    for (int i = 0; i < count; i++)
        for (int k = 0; k < i; k++)
            if (candidates[i].worth < EXPLAINED &&
                strcmp(candidates[i].text, candidates[k].text) == 0) {
                candidates[i].worth = 0;
                break;
            }
}

static int find_candidates(const struct view *view, struct candidate *candidates) {
    int count = 0;
    for (long i = 0; i < view->count && count < MOST_CANDIDATES; i++) {
        int much = worth(view, view->steps[i]);
        if (much == 0)
            continue;
        candidates[count] = (struct candidate){.step = i, .worth = much};
        explain_phrase(view->log, &view->log->events[view->steps[i]],
                       candidates[count].text, PHRASE);
        count++;
    }
    lower_repeated(candidates, count);
    return count;
}

int choices_select(const struct view *view, uint64_t *random, long steps[MAX_QUESTIONS]) {
    struct candidate *candidates = calloc(MOST_CANDIDATES, sizeof *candidates);
    int count, chosen = 0;
    if (candidates == NULL)
        return 0;
    count = find_candidates(view, candidates);
    for (int much = EXPLAINED; much > 0;
         much--) { /* the best first; among equals, by chance */
        int equal = 0;
        for (int i = 0; i < count; i++)
            equal += candidates[i].worth == much;
        for (int i = 0; i < count && chosen < MAX_QUESTIONS; i++)
            if (candidates[i].worth == much &&
                (equal-- <= MAX_QUESTIONS - chosen ||
                 (int)choices_random(random, (unsigned)equal + 1) <
                     MAX_QUESTIONS - chosen)) {
                candidates[i].taken = 1;
                chosen++;
            }
    }
    chosen = 0;
    for (int i = 0; i < count; i++)
        if (candidates[i].taken)
            steps[chosen++] = candidates[i].step;
    free(candidates);
    return chosen;
}

/* ---- what is offered beside the right one -------------------------------------------------------- */

struct offers {
    const struct view *view;
    const struct event *e; /* the right one */
    long step;
    struct answer choices[MOST_OFFERS];
    int count;
};

/* The same but for "again" at the end: nobody should be asked to tell these apart. */
static int is_same(const char *a, const char *b) {
    static const char again[] = " again";
    size_t la = strlen(a), lb = strlen(b), n = sizeof again - 1;
    if (la > n && strcmp(a + la - n, again) == 0)
        la -= n;
    if (lb > n && strcmp(b + lb - n, again) == 0)
        lb -= n;
    return la == lb && memcmp(a, b, la) == 0;
}

/* True when it is the right one, comes soon after it, or is offered already. */
static int is_out(const struct offers *offers, const char *text) {
    const struct view *view = offers->view;
    char other[PHRASE];
    for (long i = offers->step; i < view->count && i <= offers->step + SOON_MOST; i++) {
        const struct event *e = &view->log->events[view->steps[i]];
        if (i > offers->step + SOON && e->round != offers->e->round)
            break;
        if (is_same(text, explain_phrase(view->log, e, other, sizeof other)))
            return 1;
    }
    for (int i = 0; i < offers->count; i++)
        if (is_same(text, offers->choices[i].text))
            return 1;
    return 0;
}

static void offer(struct offers *offers, const char *text, const char *why_not) {
    if (offers->count == MOST_OFFERS || is_out(offers, text))
        return;
    struct answer *choice = &offers->choices[offers->count++];
    snprintf(choice->text, sizeof choice->text, "%s", text);
    snprintf(choice->why_not, sizeof choice->why_not, "%s", why_not);
}

static void offer_event(struct offers *offers, const struct event *e, const char *why_not) {
    char text[PHRASE];
    offer(offers, explain_phrase(offers->view->log, e, text, sizeof text), why_not);
}

/* RFC 9293 figure 5: where each state leads. S_NONE: no more. */
static const enum state leads_to[STATES][NEXT_STATES] = {
    [S_NONE] = {LISTEN, SYN_SENT, SYN_RCVD},
    [CLOSED] = {LISTEN, SYN_SENT, SYN_RCVD},
    [LISTEN] = {SYN_RCVD, SYN_SENT, CLOSED, ESTABLISHED},
    [SYN_SENT] = {ESTABLISHED, SYN_RCVD, CLOSED, LISTEN},
    [SYN_RCVD] = {ESTABLISHED, FIN_WAIT_1, LISTEN, CLOSED},
    [ESTABLISHED] = {FIN_WAIT_1, CLOSE_WAIT, CLOSED, TIME_WAIT},
    [FIN_WAIT_1] = {FIN_WAIT_2, CLOSING, TIME_WAIT, CLOSED},
    [FIN_WAIT_2] = {TIME_WAIT, CLOSED, CLOSING, LAST_ACK},
    [CLOSE_WAIT] = {LAST_ACK, CLOSED, TIME_WAIT, FIN_WAIT_1},
    [CLOSING] = {TIME_WAIT, CLOSED, LAST_ACK, FIN_WAIT_2},
    [LAST_ACK] = {CLOSED, TIME_WAIT, CLOSING},
    [TIME_WAIT] = {CLOSED, LISTEN},
};

static void offer_states(struct offers *offers, int host, long connection) {
    long index = offers->view->steps[offers->step];
    enum state now = explain_state(offers->view->log, index, host, connection);
    for (int i = 0; i < NEXT_STATES && leads_to[now][i] != S_NONE; i++) {
        char why_not[WHY_NOT];
        struct event e = {.kind = EV_STATE, .host = host, .state = leads_to[now][i]};
        snprintf(why_not, sizeof why_not, "%s: %s.", state_names[e.state],
                 explain_state_meaning(e.state));
        offer_event(offers, &e, why_not);
    }
}

/* A segment of the same connection with something changed. */
static void offer_segment(struct offers *offers, const struct logged_frame *frame,
                          const char *why_not) {
    char text[PHRASE];
    offer(offers, explain_sending(frame, text, sizeof text), why_not);
}

static void offer_kind(struct offers *offers, const struct logged_frame *frame,
                       unsigned kind, int flags, const char *why_not) {
    struct logged_frame other = *frame;
    if (frame->f.kinds == kind)
        return;
    other.f.kinds = kind;
    other.f.flags = (uint8_t)flags;
    other.f.payload_length = 0;
    other.f.sack_count = 0;
    other.narrow = 0;
    other.again = 0;
    if (flags & TCP_ACK && !(frame->f.flags & TCP_ACK))
        return; /* there is nothing yet that it could acknowledge */
    offer_segment(offers, &other, why_not);
}

/* What is sent again has the numbers that it had. */
static void offer_other_bytes(struct offers *offers, const struct logged_frame *frame) {
    struct logged_frame other = *frame;
    other.again = 0;
    other.seq = frame->seq + frame_sequence_length(&frame->f);
    offer_segment(offers, &other, "First what has not been acknowledged must arrive.");
    other.seq = frame->seq + 1;
    offer_segment(offers, &other, "The same bytes go under the same number again.");
}

/* The classic mistakes: one too many, one too few. */
static void offer_numbers(struct offers *offers, const struct logged_frame *frame) {
    char why_not[WHY_NOT];
    struct logged_frame other = *frame;
    if (frame->f.flags & TCP_ACK && !(frame->f.kinds & KIND_RST)) {
        other.ack = frame->ack + 1;
        snprintf(why_not, sizeof why_not,
                 "ack is the next number expected. All before %u has come; %u has not.",
                 frame->ack, frame->ack);
        offer_segment(offers, &other, why_not);
        other.ack = frame->ack - 1;
        snprintf(why_not, sizeof why_not,
                 "ack=%u would say that %u has not come; but it has.", other.ack,
                 other.ack);
        offer_segment(offers, &other, why_not);
        other.ack = frame->ack;
    }
    if (frame->f.kinds & (KIND_SYN | KIND_SYNACK | KIND_RST))
        return; /* any first number would do */
    other.seq = frame->seq + 1;
    snprintf(why_not, sizeof why_not, "seq=%u would leave out number %u.", other.seq,
             frame->seq);
    offer_segment(offers, &other, why_not);
}

/* The same from the other side, with the numbers that it would have. */
static void offer_other_side(struct offers *offers, const struct logged_frame *frame) {
    struct logged_frame other = *frame;
    if (!(frame->f.flags & TCP_ACK) || frame->f.kinds & (KIND_SYNACK | KIND_RST))
        return;
    other.from = !frame->from;
    other.f.sack_count = 0;
    other.again = 0;
    other.seq = frame->ack;
    other.ack = frame->seq;
    offer_segment(offers, &other, "");
}

static void offer_segments(struct offers *offers, const struct logged_frame *frame) {
    struct logged_frame plain = *frame;
    plain.why = WHY_NONE;
    if (frame->again)
        offer_other_bytes(offers, &plain);
    else
        offer_numbers(offers, &plain);
    offer_kind(offers, &plain, KIND_ACK, TCP_ACK,
               "A bare ACK tells only what has arrived.");
    offer_kind(offers, &plain, KIND_FIN, TCP_FIN | TCP_ACK,
               "A FIN goes when the program closes.");
    offer_kind(offers, &plain, KIND_RST, TCP_RST,
               "A RST refuses a connection, or breaks it off.");
    if (frame->f.kinds & (KIND_SYN | KIND_SYNACK | KIND_RST))
        offer_kind(offers, &plain, KIND_SYN, TCP_SYN, "A SYN asks to open a connection.");
    if (frame->f.kinds & (KIND_RST | KIND_ACK))
        offer_kind(offers, &plain, KIND_SYNACK, TCP_SYN | TCP_ACK,
                   "A SYN,ACK agrees to open a connection.");
    offer_other_side(offers, &plain);
}

static void offer_result(struct offers *offers, const char *result, const char *why_not) {
    struct event other = *offers->e;
    snprintf(other.result, sizeof other.result, "%s", result);
    offer_event(offers, &other, why_not);
}

static void offer_results(struct offers *offers) {
    static const char *const errors[3][4] = {{"ECONNABORTED", "EMFILE"},
                                             {"ECONNREFUSED", "ETIMEDOUT", "EHOSTUNREACH"},
                                             {"ECONNRESET", "ETIMEDOUT"}};
    const char *name = offers->e->name;
    int kind = strncmp(name, "accept", 6) == 0 ? 0 : strcmp(name, "connect") == 0 ? 1 : 2;
    if (kind == 0) {
        char same[CALL_RESULT];
        snprintf(same, sizeof same, "%d", offers->e->fd);
        offer_result(
            offers, same,
            "That is the listening socket; a connection gets a descriptor of its own.");
    } else if (kind == 1) {
        offer_result(offers, "0", "0: the connection would be open.");
    } else {
        offer_result(offers, "0", "0: the end of the stream, or nothing done.");
        offer_result(offers, "1", "It is another number of bytes.");
    }
    for (int i = 0; errors[kind][i] != NULL; i++)
        offer_result(offers, errors[kind][i], explain_error(errors[kind][i]));
}

static void offer_calls(struct offers *offers) {
    static const char *const names[] = {"accept", "recv", "send", "close", "shutdown"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct event other = *offers->e;
        snprintf(other.name, sizeof other.name, "%s", names[i]);
        offer_event(offers, &other, "");
    }
}

static void offer_datagrams(struct offers *offers, const struct logged_frame *frame) {
    char text[PHRASE];
    const char *peer = host_names[!frame->from], *host = host_names[frame->from];
    snprintf(text, sizeof text, "the %s sends ICMP port unreachable", peer);
    offer(offers, text, "That is sent when no socket is bound to the port.");
    snprintf(text, sizeof text, "the %s sends UDP len=%zu", peer, frame->f.payload_length);
    offer(offers, text, "");
    snprintf(text, sizeof text, "the %s sends SYN seq=1000", host);
    offer(offers, text, "UDP opens no connection.");
}

static int can_follow(const struct offers *offers, const struct event *e) {
    long index = offers->view->steps[offers->step];
    if (e->kind != EV_STATE)
        return 1;
    enum state now = explain_state(offers->view->log, index, e->host,
                                   e->listener ? NO_INDEX : e->connection);
    for (int i = 0; i < NEXT_STATES; i++)
        if (leads_to[now][i] == e->state)
            return 1;
    return 0;
}

/* An event from elsewhere in the recording, not too far away; nothing when chance finds none. */
static void offer_elsewhere(struct offers *offers, uint64_t *random) {
    const struct view *view = offers->view;
    int before = offers->count;
    for (int i = 0; i < TRIES && offers->count == before; i++) {
        char why_not[WHY_NOT];
        long step = offers->step - NEAR + (long)choices_random(random, 2 * NEAR + 1);
        if (step < 0 || step >= view->count || worth(view, view->steps[step]) == 0)
            continue;
        const struct event *e = &view->log->events[view->steps[step]];
        if (!can_follow(offers, e))
            continue;
        snprintf(why_not, sizeof why_not,
                 step < offers->step ? "That was at %.1f ms."
                                     : "That comes only at %.1f ms.",
                 (double)(e->time - view->zero) / 1e6);
        offer_event(offers, e, why_not);
    }
}

static void offer_all(struct offers *offers) {
    const struct event *e = offers->e;
    const struct log *log = offers->view->log;
    switch (e->kind) {
    case EV_SEND:
    case EV_ARRIVE:
    case EV_LOST:
        if (e->kind == EV_SEND && log->frames[e->frame].f.protocol == P_TCP)
            offer_segments(offers, &log->frames[e->frame]);
        else if (log->frames[e->frame].f.protocol == P_UDP)
            offer_datagrams(offers, &log->frames[e->frame]);
        break;
    case EV_STATE:
        offer_states(offers, e->host, e->listener ? NO_INDEX : e->connection);
        break;
    case EV_RETURN: offer_results(offers); break;
    case EV_CALL: offer_calls(offers); break;
    case EV_PRINTS:
    case EV_EXIT: break;
    }
}

static void swap(struct answer *a, struct answer *b) {
    struct answer between = *a;
    *a = *b;
    *b = between;
}

/* Three of the offers: the first (the classic mistake) if there is one of a kind, others by chance. */
int choices_make(const struct view *view, uint64_t *random, long step,
                 struct question *question) {
    struct offers *offers = calloc(1, sizeof *offers);
    if (offers == NULL)
        return -1;
    offers->view = view;
    offers->step = step;
    offers->e = &view->log->events[view->steps[step]];
    offer_all(offers);
    for (int i = 1; i + 1 < offers->count; i++)
        swap(&offers->choices[i],
             &offers->choices[i +
                              (int)choices_random(random, (unsigned)(offers->count - i))]);
    if (offers->count > CHOICES - 2) /* two of a kind, and one from elsewhere */
        offers->count = choices_random(random, 3) ? CHOICES - 2 : CHOICES - 1;
    for (int i = 0; i < CHOICES && offers->count < CHOICES - 1; i++)
        offer_elsewhere(offers, random);
    for (int i = 0; i < HOSTS && offers->count < CHOICES - 1; i++)
        offer_states(offers, (offers->e->host + i) % HOSTS, NO_INDEX);
    int enough = offers->count >= CHOICES - 1;
    if (enough) {
        question->step = step;
        question->event = view->steps[step];
        explain_phrase(view->log, offers->e, question->choices[0].text, PHRASE);
        question->choices[0].why_not[0] = '\0';
        memcpy(&question->choices[1], offers->choices,
               (CHOICES - 1) * sizeof(struct answer));
        question->right = 0;
        for (int i = CHOICES - 1; i > 0; i--) {
            int k = (int)choices_random(random, (unsigned)i + 1);
            swap(&question->choices[i], &question->choices[k]);
            question->right = question->right == k   ? i
                              : question->right == i ? k
                                                     : question->right;
        }
    }
    free(offers);
    return enough ? 0 : -1;
}
