/* frame.c - see frame.h. Bytes in, numbers out. */
#include "frame.h"

#include <stdio.h>
#include <string.h>

static uint16_t get16(const uint8_t *p) {
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p) {
    return (uint32_t)get16(p) << 16 | get16(p + 2);
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
                f->sack[f->sack_count][0] = get32(p + at);
                f->sack[f->sack_count++][1] = get32(p + at + 4);
            }
        p += size;
        length -= size;
    }
}

static void decode_tcp(const uint8_t *bytes, size_t offset, size_t end, struct frame *f) {
    const uint8_t *p = bytes + offset;
    if (end - offset < 20)
        return;
    size_t header = (size_t)(p[12] >> 4) * 4;
    if (header < 20 || header > end - offset)
        return;
    f->protocol = P_TCP;
    f->source_port = get16(p);
    f->target_port = get16(p + 2);
    f->seq = get32(p + 4);
    f->ack = get32(p + 8);
    f->flags = p[13];
    f->window = get16(p + 14);
    f->payload = offset + header;
    f->payload_length = end - f->payload;
    f->kinds = tcp_kinds(f);
    f->window_scale = -1;
    decode_options(p + 20, header - 20, f);
}

static void decode_udp(const uint8_t *bytes, size_t offset, size_t end, struct frame *f) {
    const uint8_t *p = bytes + offset;
    if (end - offset < 8)
        return;
    size_t length = get16(p + 4);
    if (length < 8)
        return;
    if (length >
        end - offset) /* the first fragment of a large datagram says the whole length */
        length = end - offset;
    f->protocol = P_UDP;
    f->kinds = KIND_UDP;
    f->source_port = get16(p);
    f->target_port = get16(p + 2);
    f->payload = offset + 8;
    f->payload_length = length - 8;
}

static void decode_icmp(const uint8_t *bytes, size_t offset, size_t end, struct frame *f) {
    if (end - offset < 8)
        return;
    f->protocol = P_ICMP;
    f->kinds = KIND_ICMP;
    f->icmp_type = bytes[offset];
    f->icmp_code = bytes[offset + 1];
    f->payload = offset + 8;
    f->payload_length = end - offset - 8;
}

static void decode_ipv4(const uint8_t *bytes, size_t length, struct frame *f) {
    size_t offset = ETHERNET_HEADER;
    const uint8_t *p = bytes + offset;
    if (length - offset < 20 || p[0] >> 4 != 4)
        return;
    size_t header = (size_t)(p[0] & 15) * 4, total = get16(p + 2);
    if (header < 20 || total < header || total > length - offset)
        return;
    memcpy(f->source_ip, p + 12, 4);
    memcpy(f->target_ip, p + 16, 4);
    if ((get16(p + 6) & 0x1fff) != 0) /* a later fragment: no ports in it */
        return;
    size_t end = offset + total; /* short frames are padded behind the datagram */
    switch (p[9]) {
    case 1: decode_icmp(bytes, offset + header, end, f); break;
    case 6: decode_tcp(bytes, offset + header, end, f); break;
    case 17: decode_udp(bytes, offset + header, end, f); break;
    default: break;
    }
}

static void decode_arp(const uint8_t *bytes, size_t length, struct frame *f) {
    const uint8_t *p = bytes + ETHERNET_HEADER;
    if (length - ETHERNET_HEADER < 28 || get16(p + 2) != 0x0800 || p[4] != 6 || p[5] != 4)
        return;
    f->protocol = P_ARP;
    f->kinds = KIND_ARP;
    f->arp_operation = get16(p + 6);
    memcpy(f->source_ip, p + 14, 4);
    memcpy(f->target_ip, p + 24, 4);
}

void frame_decode(const uint8_t *bytes, size_t length, struct frame *f) {
    memset(f, 0, sizeof *f);
    f->protocol = P_OTHER;
    f->kinds = KIND_OTHER;
    if (length < ETHERNET_HEADER)
        return;
    switch (get16(bytes + 12)) {
    case 0x0800: decode_ipv4(bytes, length, f); break;
    case 0x0806: decode_arp(bytes, length, f); break;
    default: break;
    }
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
