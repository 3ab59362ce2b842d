/* frame.c - see frame.h. Bytes in, numbers out. */
#include "frame.h"

#include <stdio.h>
#include <string.h>

uint16_t frame_get16(const uint8_t *p) {
    return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t frame_get32(const uint8_t *p) {
    return (uint32_t)frame_get16(p) << 16 | frame_get16(p + 2);
}

static unsigned tcp_kinds(const struct frame *f) {
    unsigned kinds = 0;
    if (f->flags & TCP_SYN)
        kinds |= f->flags & TCP_ACK ? KIND_SYNACK : KIND_SYN;
    if (f->flags & TCP_FIN)
        kinds |= KIND_FIN;
    if (f->flags & TCP_RST)
        kinds |= KIND_RST;
    if (f->payload_length > 0)
        kinds |= KIND_DATA;
    if (kinds == 0)
        kinds = f->flags & TCP_ACK ? KIND_ACK : KIND_OTHER;
    return kinds;
}

/* Among the options from p on: window scale (kind 3, RFC 7323) and SACK (kind 5, RFC 2018). */
static void decode_options(const uint8_t *p, size_t length, struct frame *f) {
    while (length > 0 && p[0] != 0) {
        size_t size = p[0] == 1    ? 1
                      : length > 1 ? p[1]
                                   : 0; /* kind 1 is one byte of padding */
        if (size == 0 || size > length || (p[0] != 1 && size < 2))
            return;
        if (p[0] == 3 && size == 3)
            f->window_scale = p[2] < 14 ? p[2] : 14;
        if (p[0] == 5)
            for (size_t at = 2; at + 8 <= size && f->sack_count < 4; at += 8) {
                f->sack[f->sack_count][0] = frame_get32(p + at);
                f->sack[f->sack_count++][1] = frame_get32(p + at + 4);
            }
        p += size;
        length -= size;
    }
}

/* The bytes of one frame: `held` of them are here, `end` is where the IP datagram ends on
 * the cable. */
struct view {
    const uint8_t *bytes;
    size_t held, end;
};

/* Whether `size` bytes from offset on belong to the datagram and are here. */
static int there(const struct view *v, size_t offset, size_t size) {
    size_t least = v->held < v->end ? v->held : v->end;
    return offset <= least && size <= least - offset;
}

static void set_payload(const struct view *v, struct frame *f, size_t offset,
                        size_t length) {
    f->payload = offset;
    f->payload_length = length;
    f->payload_held = v->held <= offset           ? 0
                      : v->held - offset < length ? v->held - offset
                                                  : length;
}

static void decode_tcp(const struct view *v, size_t offset, struct frame *f) {
    const uint8_t *p = v->bytes + offset;
    if (!there(v, offset, 20))
        return;
    size_t header = (size_t)(p[12] >> 4) * 4;
    if (header < 20 || header > v->end - offset)
        return;
    f->protocol = P_TCP;
    f->transport = offset;
    f->source_port = frame_get16(p);
    f->target_port = frame_get16(p + 2);
    f->seq = frame_get32(p + 4);
    f->ack = frame_get32(p + 8);
    f->flags = p[13];
    f->window = frame_get16(p + 14);
    set_payload(v, f, offset + header, v->end - offset - header);
    f->kinds = tcp_kinds(f);
    f->window_scale = -1;
    decode_options(p + 20, (there(v, offset, header) ? header : v->held - offset) - 20, f);
}

static void decode_udp(const struct view *v, size_t offset, struct frame *f) {
    const uint8_t *p = v->bytes + offset;
    if (!there(v, offset, 8))
        return;
    size_t length = frame_get16(p + 4);
    if (length < 8)
        return;
    if (length >
        v->end - offset) /* the first fragment of a large datagram says its whole length */
        length = v->end - offset;
    f->protocol = P_UDP;
    f->kinds = KIND_UDP;
    f->transport = offset;
    f->source_port = frame_get16(p);
    f->target_port = frame_get16(p + 2);
    set_payload(v, f, offset + 8, length - 8);
}

static void decode_icmp(const struct view *v, size_t offset, struct frame *f) {
    if (!there(v, offset, 8))
        return;
    f->protocol = P_ICMP;
    f->kinds = KIND_ICMP;
    f->transport = offset;
    f->icmp_type = v->bytes[offset];
    f->icmp_code = v->bytes[offset + 1];
    set_payload(v, f, offset + 8, v->end - offset - 8);
}

static void decode_transport(const struct view *v, int protocol, size_t offset,
                             struct frame *f) {
    switch (protocol) {
    case 1: /* ICMP, and ICMP for IPv6 */
    case 58: decode_icmp(v, offset, f); break;
    case 6: decode_tcp(v, offset, f); break;
    case 17: decode_udp(v, offset, f); break;
    default: break;
    }
}

static void decode_ipv4(struct view *v, size_t offset, struct frame *f) {
    const uint8_t *p = v->bytes + offset;
    if (!there(v, offset, 20) || p[0] >> 4 != 4)
        return;
    size_t header = (size_t)(p[0] & 15) * 4, total = frame_get16(p + 2);
    if (total == 0) /* captured before the network card cut it into segments */
        total = v->end - offset;
    if (header < 20 || total < header || total > v->end - offset)
        return;
    f->version = 4;
    f->network = offset;
    memcpy(f->source_ip, p + 12, 4);
    memcpy(f->target_ip, p + 16, 4);
    if ((frame_get16(p + 6) & 0x1fff) != 0) /* a later fragment: no ports in it */
        return;
    v->end = offset + total; /* short frames are padded behind the datagram */
    decode_transport(v, p[9], offset + header, f);
}

/* Between the header and TCP there may be others, each with its own length: RFC 8200 4. */
static void decode_ipv6(struct view *v, size_t offset, struct frame *f) {
    enum {
        HEADER = 40,
        HOP_BY_HOP = 0,
        ROUTING = 43,
        FRAGMENT = 44,
        AUTHENTICATION = 51,
        OPTIONS = 60
    };
    const uint8_t *p = v->bytes + offset;
    if (!there(v, offset, HEADER) || p[0] >> 4 != 6)
        return;
    size_t total = frame_get16(p + 4);
    if (total == 0)
        total = v->end - offset - HEADER;
    if (total > v->end - offset - HEADER)
        return;
    f->version = 6;
    f->network = offset;
    memcpy(f->source_ip, p + 8, 16);
    memcpy(f->target_ip, p + 24, 16);
    int next = p[6];
    offset += HEADER;
    v->end = offset + total;
    while (next == HOP_BY_HOP || next == ROUTING || next == FRAGMENT ||
           next == AUTHENTICATION || next == OPTIONS) {
        if (!there(v, offset, 8))
            return;
        p = v->bytes + offset;
        if (next == FRAGMENT && (frame_get16(p + 2) & 0xfff8) != 0)
            return;
        size_t size = next == FRAGMENT         ? 8
                      : next == AUTHENTICATION ? (size_t)(p[1] + 2) * 4
                                               : (size_t)(p[1] + 1) * 8;
        if (size > v->end - offset)
            return;
        next = p[0];
        offset += size;
    }
    decode_transport(v, next, offset, f);
}

static void decode_arp(const struct view *v, size_t offset, struct frame *f) {
    const uint8_t *p = v->bytes + offset;
    if (!there(v, offset, 28) || frame_get16(p + 2) != 0x0800 || p[4] != 6 || p[5] != 4)
        return;
    f->protocol = P_ARP;
    f->kinds = KIND_ARP;
    f->arp_operation = frame_get16(p + 6);
    memcpy(f->source_ip, p + 14, 4);
    memcpy(f->target_ip, p + 24, 4);
}

static void decode_ethertype(struct view *v, unsigned type, size_t offset,
                             struct frame *f) {
    /* VLAN tags (IEEE 802.1Q, 802.1ad) stand before the type that counts */
    while ((type == 0x8100 || type == 0x88a8) && there(v, offset, 4)) {
        type = frame_get16(v->bytes + offset + 2);
        offset += 4;
    }
    switch (type) {
    case 0x0800: decode_ipv4(v, offset, f); break;
    case 0x0806: decode_arp(v, offset, f); break;
    case 0x86dd: decode_ipv6(v, offset, f); break;
    default: break;
    }
}

static void decode_ip(struct view *v, size_t offset, struct frame *f) {
    if (there(v, offset, 1) && v->bytes[offset] >> 4 == 6)
        decode_ipv6(v, offset, f);
    else
        decode_ipv4(v, offset, f);
}

void frame_decode_as(int link, const uint8_t *bytes, size_t held, size_t length,
                     struct frame *f) {
    struct view v = {bytes, held < length ? held : length, length};
    memset(f, 0, sizeof *f);
    f->protocol = P_OTHER;
    f->kinds = KIND_OTHER;
    switch (link) {
    case LINK_ETHERNET:
        if (there(&v, 0, ETHERNET_HEADER))
            decode_ethertype(&v, frame_get16(bytes + 12), ETHERNET_HEADER, f);
        break;
    case LINK_RAW:
    case 12: /* LINK_RAW on most systems, */
    case 14: /* and on OpenBSD */
    case LINK_IPV4:
    case LINK_IPV6: decode_ip(&v, 0, f); break;
    case LINK_NULL: /* the IP version says what the family would */
    case LINK_LOOP: decode_ip(&v, 4, f); break;
    case LINK_SLL:
        if (there(&v, 0, 16))
            decode_ethertype(&v, frame_get16(bytes + 14), 16, f);
        break;
    case LINK_SLL2:
        if (there(&v, 0, 20))
            decode_ethertype(&v, frame_get16(bytes), 20, f);
        break;
    default: break;
    }
}

void frame_decode(const uint8_t *bytes, size_t length, struct frame *f) {
    frame_decode_as(LINK_ETHERNET, bytes, length, length, f);
}

static const struct {
    unsigned kind;
    const char *name;
} names[] = {
    {KIND_SYN, "SYN"}, {KIND_SYNACK, "SYN,ACK"}, {KIND_DATA, "DATA"}, {KIND_ACK, "ACK"},
    {KIND_FIN, "FIN"}, {KIND_RST, "RST"},        {KIND_UDP, "UDP"},   {KIND_ICMP, "ICMP"},
    {KIND_ARP, "ARP"}, {KIND_OTHER, "OTHER"},
};

const char *frame_kind_text(unsigned kinds, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (kinds & names[i].kind && used < size) {
            int n =
                snprintf(text + used, size - used, "%s%s", used ? "," : "", names[i].name);
            used += n > 0 ? (size_t)n : 0;
        }
    return text;
}

unsigned frame_kind_by_name(const char *name, size_t length) {
    static const struct {
        unsigned kinds;
        const char *name;
    } pairs[] = {{KIND_DATA | KIND_FIN, "DATA,FIN"},
                 {KIND_FIN, "FIN,ACK"},
                 {KIND_RST, "RST,ACK"},
                 {KIND_SYN | KIND_DATA, "SYN,DATA"},
                 {KIND_SYNACK | KIND_DATA, "SYN,ACK,DATA"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i].name) == length && memcmp(names[i].name, name, length) == 0)
            return names[i].kind;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (strlen(pairs[i].name) == length && memcmp(pairs[i].name, name, length) == 0)
            return pairs[i].kinds;
    return 0;
}

int frame_is(unsigned kinds, unsigned wanted) {
    return (kinds & wanted) == wanted;
}

uint32_t frame_sequence_length(const struct frame *f) {
    return (uint32_t)f->payload_length + (f->flags & TCP_SYN ? 1 : 0) +
           (f->flags & TCP_FIN ? 1 : 0);
}
