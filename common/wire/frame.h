/* frame.h - what one frame says.
 *
 * In: the bytes of a frame, trusted in nothing. Out: its layers as numbers, and the name by which
 * the event grammar calls it. No state, no allocation, portable C.
 * Sources: RFC 826 (ARP), 791 (IPv4), 8200 (IPv6), 9293 section 3.1 (TCP), 768 (UDP), 792
 * and 4443 (ICMP); link types: tcpdump.org/linktypes.html.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stddef.h>
#include <stdint.h>

enum { FRAME_MAX = 1514, ETHERNET_HEADER = 14 };

enum link { /* what a frame begins with, by the numbers that captures use */
            LINK_NULL =
                0, /* BSD loopback: the address family, in the byte order of who captured */
            LINK_ETHERNET = 1,
            LINK_RAW = 101,  /* an IP header at once */
            LINK_LOOP = 108, /* as LINK_NULL, in network byte order */
            LINK_SLL = 113,  /* Linux "cooked": tcpdump -i any */
            LINK_IPV4 = 228,
            LINK_IPV6 = 229,
            LINK_SLL2 = 276,
};

enum protocol { P_OTHER, P_ARP, P_TCP, P_UDP, P_ICMP };

enum { /* TCP flags, as they lie in the header */
       TCP_FIN = 1,
       TCP_SYN = 2,
       TCP_RST = 4,
       TCP_PSH = 8,
       TCP_ACK = 16,
       TCP_URG = 32,
};

enum { /* kinds, as the grammar names them; a segment may be of two (DATA and FIN) */
       KIND_SYN = 1,
       KIND_SYNACK = 2,
       KIND_ACK = 4, /* an ACK and nothing else */
       KIND_DATA = 8,
       KIND_FIN = 16,
       KIND_RST = 32,
       KIND_UDP = 64,
       KIND_ICMP = 128,
       KIND_ARP = 256,
       KIND_OTHER = 512,
};

struct frame {
    enum protocol protocol;
    unsigned kinds;                       /* KIND_… bits */
    int version;                          /* 4 or 6; 0: no IP, or not all of its header */
    uint8_t source_ip[16], target_ip[16]; /* IPv4 and ARP: the first 4 */
    uint16_t source_port, target_port;    /* TCP and UDP; 0 else */
    uint32_t seq, ack;                    /* TCP, as on the cable */
    uint16_t window;                      /* TCP, not scaled */
    uint8_t flags;                        /* TCP_… bits */
    uint32_t sack[4][2];                  /* TCP: what arrived behind a hole: from, to */
    int sack_count;
    int window_scale; /* TCP, in a SYN: the shift offered for this side's windows; -1: none */
    uint8_t icmp_type, icmp_code;
    uint16_t arp_operation; /* 1 who-has, 2 is-at */
    size_t network;   /* offset of the IP header; 0 with LINK_RAW, or when there is none */
    size_t transport; /* offset of the TCP, UDP or ICMP header, or 0 */
    size_t payload;   /* offset of the bytes above TCP, UDP or ICMP */
    size_t payload_length; /* how many of them there are on the cable */
    size_t payload_held;   /* how many are here: all, unless a capture cut them */
};

/* Reads an Ethernet frame of `length` bytes into *f. Whatever is cut short or malformed ends as P_OTHER of
 * the layer that could be read. A later fragment of an IPv4 datagram is P_OTHER. Never fails. */
void frame_decode(const uint8_t *bytes, size_t length, struct frame *f);

/* The same for a frame of any link type, of which a capture holds the first `held` bytes of
 * `length`. */
void frame_decode_as(int link, const uint8_t *bytes, size_t held, size_t length,
                     struct frame *f);

/* The grammar's name of a kind set: "SYN", "SYN,ACK", "DATA,FIN", "UDP"... into text of size bytes. */
const char *frame_kind_text(unsigned kinds, char *text, size_t size);

/* The kind bits for a name of the grammar ("SYN", "SYN,ACK", ...); 0 when there is none. */
unsigned frame_kind_by_name(const char *name, size_t length);

/* True when a frame of these kinds is what the grammar's `wanted` names: all wanted bits are there. */
int frame_is(unsigned kinds, unsigned wanted);

/* How far the segment moves the sequence number: payload, +1 for SYN, +1 for FIN. RFC 9293 3.4 */
uint32_t frame_sequence_length(const struct frame *f);

/* The number in the 2 or 4 bytes at p, in the order of the network: RFC 1700. */
uint16_t frame_get16(const uint8_t *p);
uint32_t frame_get32(const uint8_t *p);

#endif
