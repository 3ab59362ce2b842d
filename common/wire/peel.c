/* peel.c - see peel.h. Each header has its function: from bytes to boxes. */
#include "peel.h"
#include "boxes.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_DATA = 512, BYTES_A_LINE = 16 };

struct peeled {
    const struct logged_frame *frame;
    struct layer layers[MOST_LAYERS];
    int count;
};

static struct layer *new_layer(struct peeled *all, const char *title, size_t offset,
                               size_t length) {
    struct layer *layer =
        &all->layers[all->count < MOST_LAYERS - 1 ? all->count++ : all->count];
    memset(layer, 0, sizeof *layer);
    snprintf(layer->title, sizeof layer->title, "%s", title);
    layer->offset = offset;
    layer->length = length;
    return layer;
}

static void add_number(struct layer *layer, const char *name, int bits,
                       unsigned long value) {
    char text[BOX_TEXT];
    snprintf(text, sizeof text, "%lu", value);
    boxes_add(layer, name, bits, text, NULL);
}

/* ---- checksums: RFC 1071 ------------------------------------------------------------- */

static uint32_t sum(const uint8_t *p, size_t length, uint32_t start) {
    for (; length > 1; p += 2, length -= 2)
        start += frame_get16(p);
    if (length)
        start += (uint32_t)p[0] << 8;
    while (start >> 16)
        start = (start & 0xffff) + (start >> 16);
    return start;
}

/* Of TCP, UDP and ICMP for IPv6: addresses, protocol and length count too, as if they were
 * in front. */
static uint32_t pseudo_header(const struct frame *f, unsigned protocol, size_t length) {
    size_t size = f->version == 6 ? 16 : 4;
    uint32_t start = sum(f->source_ip, size, protocol);
    start = sum(f->target_ip, size, start);
    return start + (uint32_t)(length >> 16) + (uint32_t)(length & 0xffff);
}

/* A sum over all, checksum included, is 0xffff when nothing was changed. The note says so.
 */
static void add_checksum(struct layer *layer, const char *name, unsigned value, int whole,
                         uint32_t total, const char *over) {
    char text[BOX_TEXT];
    const char *verdict = !whole ? "not verified" : total == 0xffff ? "right" : "WRONG";
    snprintf(text, sizeof text, "0x%04x, %s", value, verdict);
    boxes_add(layer, name, 16, text, verdict);
    if (!whole)
        boxes_note(layer, "Checksum: not verified, for not all it covers was captured.");
    else
        boxes_note(layer, "Checksum: %s. It covers %s.", verdict, over);
    if (whole && total != 0xffff)
        boxes_note(layer, "Damaged, or captured before the network card filled it in.");
}

/* ---- Ethernet, ARP ------------------------------------------------------------------- */

static void peel_ethernet(struct peeled *all) {
    const uint8_t *p = all->frame->bytes;
    unsigned type = frame_get16(p + 12);
    char text[BOX_TEXT];
    struct layer *layer = new_layer(all, "Ethernet", 0, ETHERNET_HEADER);
    boxes_add_bytes(layer, "Destination MAC", p, 6, ':');
    boxes_add_bytes(layer, "Source MAC", p + 6, 6, ':');
    snprintf(text, sizeof text, "0x%04x %s", type,
             type == 0x0800   ? "IPv4"
             : type == 0x0806 ? "ARP"
             : type == 0x86dd ? "IPv6"
                              : "");
    boxes_add(layer, "EtherType", 16, text, NULL);
    if (p[0] == 255 && p[1] == 255 && p[2] == 255)
        boxes_note(layer, "To ff:ff:ff:ff:ff:ff, that is to every host on the cable.");
}

static void peel_arp(struct peeled *all) {
    const uint8_t *p = all->frame->bytes + ETHERNET_HEADER;
    char text[BOX_TEXT];
    struct layer *layer = new_layer(all, "ARP", ETHERNET_HEADER, 28);
    add_number(layer, "Hardware Type (1: Ethernet)", 16, frame_get16(p));
    snprintf(text, sizeof text, "0x%04x IPv4", frame_get16(p + 2));
    boxes_add(layer, "Protocol Type", 16, text, NULL);
    add_number(layer, "MAC Length", 8, p[4]);
    add_number(layer, "IP Length", 8, p[5]);
    snprintf(text, sizeof text, "%u %s", frame_get16(p + 6),
             frame_get16(p + 6) == 1   ? "request: who has?"
             : frame_get16(p + 6) == 2 ? "reply: is at"
                                       : "");
    boxes_add(layer, "Operation", 16, text, NULL);
    boxes_add_bytes(layer, "Sender MAC", p + 8, 6, ':');
    boxes_add_bytes(layer, "Sender IP", p + 14, 4, '.');
    boxes_add_bytes(layer, "Target MAC", p + 18, 6, ':');
    boxes_add_bytes(layer, "Target IP", p + 24, 4, '.');
}

/* ---- IP ------------------------------------------------------------------------------ */

static const char *protocol_name(unsigned protocol) {
    return protocol == 6    ? "TCP"
           : protocol == 17 ? "UDP"
           : protocol == 1  ? "ICMP"
           : protocol == 58 ? "ICMPv6"
                            : "";
}

static void peel_ipv4(struct peeled *all) {
    size_t at = all->frame->f.network;
    const uint8_t *p = all->frame->bytes + at;
    size_t header = (size_t)(p[0] & 15) * 4;
    char text[BOX_TEXT];
    struct layer *layer = new_layer(all, "IPv4", at, header);
    add_number(layer, "Version", 4, p[0] >> 4);
    add_number(layer, "IHL", 4, p[0] & 15);
    add_number(layer, "DSCP", 6, p[1] >> 2);
    add_number(layer, "ECN", 2, p[1] & 3);
    add_number(layer, "Total Length", 16, frame_get16(p + 2));
    snprintf(text, sizeof text, "%u", frame_get16(p + 4));
    boxes_add(layer, "Identification", 16, text, "any");
    boxes_add(layer, "Flags", 3, p[6] & 0x40 ? "DF" : p[6] & 0x20 ? "MF" : "0", NULL);
    add_number(layer, "Fragment Offset", 13, frame_get16(p + 6) & 0x1fff);
    add_number(layer, "Time to Live", 8, p[8]);
    snprintf(text, sizeof text, "%u %s", p[9], protocol_name(p[9]));
    boxes_add(layer, "Protocol", 8, text, NULL);
    add_checksum(layer, "Header Checksum", frame_get16(p + 10), 1, sum(p, header, 0),
                 "this header alone");
    boxes_add_bytes(layer, "Source Address", p + 12, 4, '.');
    boxes_add_bytes(layer, "Destination Address", p + 16, 4, '.');
    boxes_add_bytes(layer, "Options", p + 20, header - 20, ' ');
    boxes_note(layer, "IHL counts words of 4 bytes. Total Length: header and data.");
}

static void peel_ipv6(struct peeled *all) {
    size_t at = all->frame->f.network, header = all->frame->f.transport;
    const uint8_t *p = all->frame->bytes + at;
    char text[BOX_TEXT];
    struct layer *layer = new_layer(all, "IPv6", at, header > at ? header - at : 40);
    add_number(layer, "Version", 4, p[0] >> 4);
    add_number(layer, "Traffic Class", 8, (frame_get16(p) >> 4) & 255);
    snprintf(text, sizeof text, "0x%05lx", (unsigned long)(frame_get32(p) & 0xfffff));
    boxes_add(layer, "Flow Label", 20, text, "any");
    add_number(layer, "Payload Length", 16, frame_get16(p + 4));
    snprintf(text, sizeof text, "%u %s", p[6], protocol_name(p[6]));
    boxes_add(layer, "Next Header", 8, text, NULL);
    add_number(layer, "Hop Limit", 8, p[7]);
    boxes_add_bytes(layer, "Source Address", p + 8, 16, ':');
    boxes_add_bytes(layer, "Destination Address", p + 24, 16, ':');
    boxes_note(layer, "IPv6 has no checksum of its own.");
    if (layer->length > 40)
        boxes_note(layer, "%zu bytes of extension headers follow.", layer->length - 40);
}

/* ---- TCP ----------------------------------------------------------------------------- */

static void add_port(struct layer *layer, const char *name, unsigned port) {
    char text[BOX_TEXT];
    snprintf(text, sizeof text, "%u", port);
    boxes_add(layer, name, 16, text, port >= 32768 ? "any free one" : NULL);
}

static void add_sequence(struct layer *layer, const char *name, uint32_t value,
                         uint32_t shown, int counts) {
    char text[BOX_TEXT], plain[BOX_TEXT];
    snprintf(text, sizeof text, "%lu", (unsigned long)value);
    snprintf(plain, sizeof plain, "%lu", (unsigned long)shown);
    boxes_add(layer, name, 32, text, counts ? plain : NULL);
}

/* One option after the other, from RFC 9293 section 3.1 and 3.2, 7323 and 2018. */
static void add_option(struct layer *layer, const uint8_t *p, size_t size) {
    char text[BOX_TEXT];
    snprintf(text, sizeof text, "%u", p[0]);
    boxes_add(layer, p[0] == 0 ? "End" : p[0] == 1 ? "No-Op" : "Kind", 8, text, NULL);
    if (p[0] < 2)
        return;
    add_number(layer, "Length", 8, (unsigned long)size);
    switch (p[0] * 100 + (int)size) {
    case 204:
        add_number(layer, "MSS", 16, frame_get16(p + 2));
        boxes_note(layer,
                   "Option 2, maximum segment size: send me at most %u bytes of data.",
                   frame_get16(p + 2));
        break;
    case 303:
        add_number(layer, "Shift", 8, p[2]);
        boxes_note(layer, "Option 3, window scale: my windows count %lu bytes each.",
                   1ul << (p[2] < 14 ? p[2] : 14));
        break;
    case 402:
        boxes_note(layer, "Option 4, SACK permitted: tell me what came behind a hole.");
        break;
    case 810:
        snprintf(text, sizeof text, "%lu", (unsigned long)frame_get32(p + 2));
        boxes_add(layer, "TSval", 32, text, "any");
        snprintf(text, sizeof text, "%lu", (unsigned long)frame_get32(p + 6));
        boxes_add(layer, "TSecr", 32, text, frame_get32(p + 6) ? "any" : NULL);
        boxes_note(layer, "Option 8, timestamps: my clock, and the last of yours.");
        break;
    default:
        if (p[0] == 5)
            for (size_t at = 2; at + 8 <= size; at += 8) {
                snprintf(text, sizeof text, "%lu", (unsigned long)frame_get32(p + at));
                boxes_add(layer, "SACK: left edge", 32, text, "any");
                snprintf(text, sizeof text, "%lu", (unsigned long)frame_get32(p + at + 4));
                boxes_add(layer, "right edge", 32, text, "any");
            }
        else
            boxes_add_bytes(layer, "Value", p + 2, size - 2, ' ');
    }
}

static void add_options(struct layer *layer, const uint8_t *p, size_t length) {
    while (length > 0) {
        size_t size = p[0] < 2 ? 1 : length > 1 ? p[1] : 0;
        if (size == 0 || size > length || (p[0] >= 2 && size < 2)) {
            boxes_add_bytes(layer, "malformed", p, length, ' ');
            return;
        }
        add_option(layer, p, size);
        if (p[0] == 0) { /* what follows the end is padding */
            boxes_add_bytes(layer, "Padding", p + 1, length - 1, ' ');
            return;
        }
        p += size;
        length -= size;
    }
}

/* The pieces as the ladder shows them. */
static void note_sack(struct layer *layer, const struct logged_frame *frame) {
    for (int i = 0; i < frame->f.sack_count; i++)
        boxes_note(layer,
                   "Option 5, SACK: %lu to %lu are here, behind a hole (ladder's numbers).",
                   (unsigned long)frame->sack[i][0], (unsigned long)frame->sack[i][1] - 1);
}

static void peel_tcp(struct peeled *all) {
    static const char *const flags[] = {"CWR", "ECE", "URG", "ACK",
                                        "PSH", "RST", "SYN", "FIN"};
    const struct frame *f = &all->frame->f;
    size_t at = f->transport, header = f->payload - at, length = header + f->payload_length;
    const uint8_t *p = all->frame->bytes + at;
    struct layer *layer = new_layer(all, "TCP", at, header);
    int whole = at + length <= all->frame->length;
    add_port(layer, "Source Port", f->source_port);
    add_port(layer, "Destination Port", f->target_port);
    add_sequence(layer, "Sequence Number", f->seq, all->frame->seq, 1);
    add_sequence(layer, "Acknowledgment Number", f->ack, all->frame->ack,
                 (f->flags & TCP_ACK) != 0);
    add_number(layer, "Offset", 4, p[12] >> 4);
    add_number(layer, "Rsrvd", 4, p[12] & 15);
    for (int i = 0; i < 8; i++)
        boxes_add(layer, flags[i], 1, p[13] & (128 >> i) ? "1" : "0", NULL);
    add_number(layer, "Window", 16, f->window);
    add_checksum(layer, "Checksum", frame_get16(p + 16), whole,
                 whole ? sum(p, length, pseudo_header(f, 6, length)) : 0,
                 "header, data, addresses, protocol, length");
    add_number(layer, "Urgent Pointer", 16, frame_get16(p + 18));
    add_options(layer, p + 20, header - 20);
    note_sack(layer, all->frame);
    boxes_note(layer, "Offset counts words of 4 bytes: %zu bytes, %zu of them options.",
               header, header - 20);
    if (all->frame->seq != f->seq)
        boxes_note(layer,
                   f->flags & TCP_ACK ? "On the ladder: seq=%lu ack=%lu."
                                      : "On the ladder: seq=%lu.",
                   (unsigned long)all->frame->seq, (unsigned long)all->frame->ack);
}

/* ---- UDP, ICMP ----------------------------------------------------------------------- */

static void peel_udp(struct peeled *all) {
    const struct frame *f = &all->frame->f;
    size_t at = f->transport;
    const uint8_t *p = all->frame->bytes + at;
    size_t length = frame_get16(p + 4);
    struct layer *layer = new_layer(all, "UDP", at, 8);
    int whole = length >= 8 && at + length <= all->frame->length;
    add_port(layer, "Source Port", f->source_port);
    add_port(layer, "Destination Port", f->target_port);
    add_number(layer, "Length", 16, (unsigned long)length);
    if (frame_get16(p + 6) == 0) {
        boxes_add(layer, "Checksum", 16, "0: none", NULL);
        boxes_note(layer, "Checksum: the sender has made none.");
    } else {
        add_checksum(layer, "Checksum", frame_get16(p + 6), whole,
                     whole ? sum(p, length, pseudo_header(f, 17, length)) : 0,
                     "header, data, addresses, protocol, length");
    }
}

static void peel_icmp(struct peeled *all) {
    const struct frame *f = &all->frame->f;
    size_t at = f->transport, length = 8 + f->payload_length;
    const uint8_t *p = all->frame->bytes + at;
    struct layer *layer = new_layer(all, f->version == 6 ? "ICMPv6" : "ICMP", at, 8);
    int whole = at + length <= all->frame->length;
    uint32_t start = f->version == 6 ? pseudo_header(f, 58, length) : 0;
    add_number(layer, "Type", 8, p[0]);
    add_number(layer, "Code", 8, p[1]);
    add_checksum(layer, "Checksum", frame_get16(p + 2), whole,
                 whole ? sum(p, length, start) : 0,
                 f->version == 6 ? "header, data and addresses" : "header and data");
    boxes_add_bytes(layer, "Rest of Header", p + 4, 4, ' ');
    if (f->version == 4 && p[0] == 3)
        boxes_note(layer, "Destination unreachable%s; the datagram that caused it follows.",
                   p[1] == 3   ? ": nobody has this port"
                   : p[1] == 1 ? ": no such host"
                               : "");
    else if (f->version == 4 && (p[0] == 8 || p[0] == 0))
        boxes_note(layer, "Echo %s: what ping sends.", p[0] ? "request" : "reply");
}

/* ---- all of a frame ------------------------------------------------------------------ */

/* frame_decode() has seen that the headers it names are there; whether all their bytes were
 * captured is asked here. */
static void peel(struct peeled *all, const struct logged_frame *frame) {
    const struct frame *f = &frame->f;
    all->frame = frame;
    all->count = 0;
    if (frame->link == LINK_ETHERNET && frame->length >= ETHERNET_HEADER)
        peel_ethernet(all);
    else if (f->network > 0 && f->network <= frame->length)
        boxes_add_bytes(new_layer(all, "Link header", 0, f->network), "Bytes", frame->bytes,
                        f->network < 32 ? f->network : 32, ' ');
    if (f->protocol == P_ARP && frame->length >= ETHERNET_HEADER + 28)
        peel_arp(all);
    if (f->version == 4 && f->network + 20 <= frame->length &&
        (frame->bytes[f->network] & 15) >= 5 &&
        f->network + (size_t)(frame->bytes[f->network] & 15) * 4 <= frame->length)
        peel_ipv4(all);
    else if (f->version == 6 && f->network + 40 <= frame->length)
        peel_ipv6(all);
    if (f->transport == 0 || f->payload > frame->length || f->payload < f->transport + 8)
        return;
    if (f->protocol == P_TCP && f->payload >= f->transport + 20)
        peel_tcp(all);
    else if (f->protocol == P_UDP)
        peel_udp(all);
    else if (f->protocol == P_ICMP)
        peel_icmp(all);
}

static void print_data(FILE *out, const uint8_t *bytes, size_t offset, size_t length) {
    size_t shown = length < MOST_DATA ? length : MOST_DATA;
    for (size_t at = 0; at < shown; at += BYTES_A_LINE) {
        fprintf(out, "%7zu  ", offset + at);
        for (size_t i = at; i < at + BYTES_A_LINE; i++)
            if (i < shown)
                fprintf(out, "%02x ", bytes[i]);
            else
                fputs("   ", out);
        fputc(' ', out);
        for (size_t i = at; i < at + BYTES_A_LINE && i < shown; i++)
            fputc(bytes[i] >= 32 && bytes[i] < 127 ? bytes[i] : '.', out);
        fputc('\n', out);
    }
    if (shown < length)
        fprintf(out, "%9sand %zu bytes more\n", "", length - shown);
}

static void print_sum(FILE *out, const struct peeled *all, size_t data) {
    size_t total = 0;
    fprintf(out, "Headers:");
    for (int i = 0; i < all->count; i++) {
        fprintf(out, "%s %s %zu", i ? " +" : "", all->layers[i].title,
                all->layers[i].length);
        total += all->layers[i].length;
    }
    fprintf(out, " = %zu bytes. Data: %zu.\n", total, data);
    if (all->frame->f.protocol == P_TCP)
        fprintf(
            out,
            "A TCP header takes 20 bytes and its options; a UDP header always takes 8.\n");
    else if (all->frame->f.protocol == P_UDP)
        fprintf(
            out,
            "A UDP header always takes 8 bytes; a TCP header takes 20 and its options.\n");
}

void peel_print(FILE *out, const struct log *log, const struct logged_frame *frame) {
    struct peeled *all = malloc(sizeof *all);
    char text[EVENT_TEXT];
    if (all == NULL)
        return;
    peel(all, frame);
    fprintf(out, "Frame %ld, after %.1f ms: %s > %s\n%zu bytes on the cable%s\n\n",
            frame->number,
            (double)(frame->sent - (log->event_count ? log->events[0].time : 0)) / 1e6,
            host_names[frame->from], log_frame_text(frame, text, sizeof text),
            frame->length,
            frame->f.payload_held < frame->f.payload_length ? ", as far as it was captured"
                                                            : "");
    for (int i = 0; i < all->count; i++)
        boxes_print(out, &all->layers[i]);
    size_t end = frame->f.payload_length && frame->f.payload_held
                     ? frame->f.payload + frame->f.payload_held
                 : all->count ? all->layers[all->count - 1].offset +
                                    all->layers[all->count - 1].length
                              : 0;
    if (frame->f.payload_held > 0 && end <= frame->length) {
        fprintf(out, "Data: %zu bytes\n", frame->f.payload_length);
        print_data(out, frame->bytes + frame->f.payload, frame->f.payload,
                   frame->f.payload_held);
        fputc('\n', out);
    }
    if (end < frame->length) {
        fprintf(out, "%zu bytes more, of no layer shown\n", frame->length - end);
        print_data(out, frame->bytes + end, end, frame->length - end);
        fputc('\n', out);
    }
    print_sum(out, all, frame->f.payload_length);
    free(all);
}

void peel_svg(FILE *out, const struct logged_frame *frame) {
    struct peeled *all = malloc(sizeof *all);
    char text[EVENT_TEXT], title[EVENT_TEXT + 40];
    if (all == NULL)
        return;
    peel(all, frame);
    const struct layer *top = &all->layers[all->count - 1];
    snprintf(title, sizeof title, "The %s header of: %s > %s", all->count ? top->title : "",
             host_names[frame->from], log_frame_text(frame, text, sizeof text));
    boxes_svg(out, &top, all->count > 0, title);
    free(all);
}

const struct logged_frame *peel_find(const struct log *log, long number) {
    for (long i = 0; i < log->frame_count; i++)
        if (log->frames[i].number == number)
            return &log->frames[i];
    return NULL;
}
