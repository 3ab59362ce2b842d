/* capture.h - the packets of a capture file, one after the other.
 *
 * In: a pcap or pcapng file of anybody, in either byte order, trusted in nothing. Out: its
 * packets, each with time, link type, bytes and comment. Holds one packet at a time.
 * Portable C.
 * Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct packet {
    long number;          /* in the file, from 1 */
    int64_t time;         /* ns since 1970, UTC; 0 when the file does not tell */
    int link;             /* enum link of frame.h, or another number */
    const uint8_t *bytes; /* valid until the next call */
    size_t held, length;  /* bytes that are here, and bytes that were on the cable */
    const char
        *comment; /* all its comments, a line end between them; "" when it has none */
};

struct interface { /* pcapng: what an Interface Description Block says */
    int link;
    uint64_t units; /* of time in a second */
    int64_t offset; /* seconds to add */
};

struct comment { /* the comments of one block, each on lines of its own */
    char *text;  /* "" or NULL when there are none */
    size_t used, room;
};

struct capture {
    FILE *file;
    int ng, big; /* pcapng; big-endian */
    struct interface *interfaces;
    long interface_count, interface_room;
    uint8_t *block;
    size_t block_room;
    struct comment comment, section; /* of the packet; of the first section */
    int sections;
    long number;
    int cut;         /* the file ends in the middle of a packet */
    char error[120]; /* what is wrong with it */
};

/* Reads the beginning; the first section's comment is there then. `file` is open for
 * reading in binary, and stays the caller's. Returns 0, or -1 with capture->error set. */
int capture_open(struct capture *capture, FILE *file);

/* Reads the next packet. Returns 1; 0 at the end, or where the file is cut; -1 with
 * capture->error set. */
int capture_next(struct capture *capture, struct packet *packet);

void capture_close(struct capture *capture);

#endif
