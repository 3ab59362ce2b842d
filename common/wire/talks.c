/* talks.c - see talks.h. A hash table of the pairs: a million packets are sorted in a
 * moment. */
#include "talks.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Spreads all bits of x over the result (the finalizer of splitmix64, public domain). */
static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t hash_end(uint64_t seed, const uint8_t ip[16], unsigned port) {
    uint64_t halves[2];
    memcpy(halves, ip, sizeof halves);
    return mix(mix(mix(seed ^ halves[0]) ^ halves[1]) ^ port);
}

/* The same for both directions. The seed keeps a hostile capture from choosing colliding
 * pairs. */
static uint64_t hash(const struct talks *t, const struct frame *f) {
    return hash_end(t->seed, f->source_ip, f->source_port) +
           hash_end(t->seed, f->target_ip, f->target_port) + (uint64_t)f->protocol;
}

/* Whether the frame belongs to the talk; *from: which host has sent it. */
static int belongs(const struct talk *talk, const struct frame *f, int *from) {
    if (talk->protocol != f->protocol || talk->version != f->version)
        return 0;
    for (*from = 0; *from < HOSTS; ++*from)
        if (talk->port[*from] == f->source_port && talk->port[!*from] == f->target_port &&
            memcmp(talk->ip[*from], f->source_ip, 16) == 0 &&
            memcmp(talk->ip[!*from], f->target_ip, 16) == 0)
            return 1;
    return 0;
}

void talks_init(struct talks *t) {
    memset(t, 0, sizeof *t);
    t->seed = mix((uint64_t)time(NULL) ^ (uint64_t)(uintptr_t)t);
}

/* The slot where the frame's talk is, or where it would be. */
static long find_slot(const struct talks *t, const struct frame *f, int *from) {
    long mask = t->slot_count - 1, slot = (long)(hash(t, f) & (uint64_t)mask);
    while (t->slots[slot] && !belongs(&t->talks[t->slots[slot] - 1], f, from))
        slot = (slot + 1) & mask;
    return slot;
}

static void as_frame(const struct talk *talk, struct frame *f) {
    f->protocol = talk->protocol;
    f->version = talk->version;
    memcpy(f->source_ip, talk->ip[CLIENT], 16);
    memcpy(f->target_ip, talk->ip[SERVER], 16);
    f->source_port = talk->port[CLIENT];
    f->target_port = talk->port[SERVER];
}

/* At most half of the slots are taken. */
static void grow(struct talks *t) {
    int from;
    if (t->slots && t->count * 2 < t->slot_count)
        return;
    t->slot_count = t->slot_count ? t->slot_count * 2 : 1024;
    free(t->slots);
    t->slots = calloc((size_t)t->slot_count, sizeof *t->slots);
    if (t->slots == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    for (long i = 0; i < t->count; i++) {
        struct frame f = {0};
        as_frame(&t->talks[i], &f);
        t->slots[find_slot(t, &f, &from)] = i + 1;
    }
}

/* Who sends the first SYN is the client; without one, who sends first, from the higher
 * port. */
static void set_client(struct talk *talk, const struct frame *f, int from) {
    int client = from;
    if (talk->opened)
        return;
    if (f->protocol == P_TCP && f->flags & TCP_SYN) {
        client = f->flags & TCP_ACK ? !from : from;
        talk->opened = 1;
    } else if (f->protocol != P_TCP || talk->frames > 0) {
        return;
    } else if (f->source_port < f->target_port) {
        client = !from;
    }
    if (client == SERVER) {
        struct talk was = *talk;
        for (int host = 0; host < HOSTS; host++) {
            memcpy(talk->ip[host], was.ip[!host], 16);
            talk->port[host] = was.port[!host];
        }
    }
}

long talks_find(const struct talks *t, const struct frame *f, int *from) {
    if (t->slots == NULL || f->protocol < P_TCP)
        return NO_INDEX;
    return t->slots[find_slot(t, f, from)] - 1;
}

void talks_add(struct talks *t, const struct packet *packet, const struct frame *f) {
    int from = CLIENT;
    t->packets++;
    if (f->protocol < P_TCP) {
        t->others++;
        return;
    }
    grow(t);
    long slot = find_slot(t, f, &from);
    if (t->slots[slot] == 0) {
        t->talks = log_room(t->talks, t->count, &t->room, sizeof *t->talks);
        struct talk *new = &t->talks[t->count++];
        memset(new, 0, sizeof *new);
        new->protocol = f->protocol;
        new->version = f->version;
        memcpy(new->ip[CLIENT], f->source_ip, 16);
        memcpy(new->ip[SERVER], f->target_ip, 16);
        new->port[CLIENT] = f->source_port;
        new->port[SERVER] = f->target_port;
        new->first = packet->time;
        t->slots[slot] = t->count;
        from = CLIENT;
    }
    struct talk *talk = &t->talks[t->slots[slot] - 1];
    set_client(talk, f, from);
    talk->frames++;
    talk->bytes += packet->length;
    talk->last = packet->time;
}

/* RFC 5952: hexadecimal, the longest run of zero groups as "::". */
static void ipv6_text(const uint8_t ip[16], char *text, size_t size) {
    int best = -1, most = 1;
    size_t used = 0;
    for (int i = 0; i < 8; i++) {
        int run = 0;
        while (i + run < 8 && ip[2 * (i + run)] == 0 && ip[2 * (i + run) + 1] == 0)
            run++;
        if (run > most) {
            best = i;
            most = run;
        }
    }
    text[0] = '\0';
    for (int i = 0; i < 8 && used < size; i++) {
        if (i == best) {
            used += (size_t)snprintf(text + used, size - used, "::");
            i += most - 1;
            continue;
        }
        used += (size_t)snprintf(text + used, size - used, "%s%x",
                                 i > 0 && i != best + most ? ":" : "",
                                 (unsigned)(ip[2 * i] << 8 | ip[2 * i + 1]));
    }
}

const char *talk_address(const struct talk *talk, int host, char *text, size_t size) {
    const uint8_t *ip = talk->ip[host];
    if (talk->version == 6)
        ipv6_text(ip, text, size);
    else
        snprintf(text, size, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
    return text;
}

void talks_free(struct talks *t) {
    free(t->talks);
    free(t->slots);
    memset(t, 0, sizeof *t);
}

int talk_is_on(const struct talk *t, long port) {
    return !port || t->port[CLIENT] == port || t->port[SERVER] == port;
}
