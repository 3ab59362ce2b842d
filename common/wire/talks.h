/* talks.h - the conversations of a capture.
 *
 * In: packets, each once, in the file's order. Out: who talks with whom, and how much: one
 * entry for each pair of addresses and ports (of addresses alone for ICMP), in the order of
 * their first packets. Portable C.
 */
#ifndef TALKS_H
#define TALKS_H

#include "capture.h"
#include "log.h"

struct talk {
    enum protocol protocol; /* TCP, UDP or ICMP */
    int version;            /* of IP: 4 or 6 */
    uint8_t ip[HOSTS][16];
    uint16_t port[HOSTS]; /* 0 for ICMP */
    long frames;
    uint64_t bytes;      /* on the cable, headers and all */
    int64_t first, last; /* time of its first and last packet */
    int opened;          /* a SYN told who is the client */
};

struct talks {
    struct talk *talks;
    long count, room;
    long *slots; /* hash table: index + 1, 0 for a free one */
    long slot_count;
    uint64_t seed;
    long packets, others; /* all, and those that belong to no conversation */
};

void talks_init(struct talks *talks);

/* Counts the packet, of which `f` is what it says. */
void talks_add(struct talks *talks, const struct packet *packet, const struct frame *f);

/* The conversation of this frame, or NO_INDEX; *from: which of its hosts has sent the
 * frame. */
long talks_find(const struct talks *talks, const struct frame *f, int *from);

/* "10.0.0.1", "2001:db8::1", into text of size bytes (TALK_ADDRESS is enough). */
enum { TALK_ADDRESS = 48 };
const char *talk_address(const struct talk *talk, int host, char *text, size_t size);

void talks_free(struct talks *talks);

/* Whether one of its two ports is this one; 0: any is. */
int talk_is_on(const struct talk *t, long port);

#endif
