/* capture.c - see capture.h. Every length of the file is compared with what is there before
 * it is used. */
#include "capture.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_BLOCK = 16 * 1024 * 1024, /* as other programs have it */
    MAX_INTERFACES = 100000,
    SECTION_HEADER = 0x0a0d0d0a,
    INTERFACE = 1,
    OLD_PACKET = 2,
    SIMPLE_PACKET = 3,
    PACKET = 6,
    OPTION_COMMENT = 1,
    OPTION_TIME_UNIT = 9,
    OPTION_TIME_OFFSET = 14,
};

static int wrong(struct capture *c, const char *what) {
    snprintf(c->error, sizeof c->error, "%s", what);
    return -1;
}

static uint16_t get16(const struct capture *c, const uint8_t *p) {
    return (uint16_t)(c->big ? p[0] << 8 | p[1] : p[1] << 8 | p[0]);
}

static uint32_t get32(const struct capture *c, const uint8_t *p) {
    return c->big
               ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
               : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* Seconds and ns as one number; the year 2096 and what lies behind it are one time. */
static int64_t ns_of(uint64_t seconds, uint64_t ns) {
    static const uint64_t latest = 4000000000u;
    return (int64_t)((seconds < latest ? seconds : latest) * 1000000000u + ns);
}

/* Reads exactly `size` bytes. Returns 1, 0 when the file ends before the first, -1 when it
 * ends later. */
static int take(struct capture *c, void *to, size_t size) {
    size_t n = fread(to, 1, size, c->file);
    if (n == size)
        return 1;
    c->cut |= n > 0;
    return n > 0 ? -1 : 0;
}

/* Makes room for at least `size` bytes, in steps that grow. */
static void *grown(void *bytes, size_t *room, size_t size) {
    if (size <= *room)
        return bytes;
    *room = size < 4096 ? 4096 : size + size / 2;
    bytes = realloc(bytes, *room);
    if (bytes == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return bytes;
}

static struct interface *new_interface(struct capture *c) {
    c->interfaces = log_room(c->interfaces, c->interface_count, &c->interface_room,
                             sizeof *c->interfaces);
    return &c->interfaces[c->interface_count++];
}

/* ---- pcap ---------------------------------------------------------------------------- */

enum { PCAP_HEADER = 24, PCAP_RECORD = 16 };

static int open_pcap(struct capture *c, const uint8_t head[4]) {
    uint8_t rest[PCAP_HEADER - 4];
    c->big = head[0] == 0xa1;
    if (take(c, rest, sizeof rest) != 1)
        return wrong(c, "this capture ends within its header");
    *new_interface(c) =
        (struct interface){.link = (int)(get32(c, rest + 16) & 0xffff),
                           .units = get32(c, head) == 0xa1b23c4d ? 1000000000 : 1000000};
    return 0;
}

static int next_pcap(struct capture *c, struct packet *p) {
    uint8_t head[PCAP_RECORD];
    if (take(c, head, sizeof head) != 1)
        return 0;
    uint64_t part = get32(c, head + 4);
    size_t held = get32(c, head + 8), length = get32(c, head + 12);
    if (held > MAX_BLOCK)
        return wrong(c, "a packet in this capture claims to be longer than 16 MB");
    c->block = grown(c->block, &c->block_room, held + 1);
    if (take(c, c->block, held) != 1 && held > 0) {
        c->cut = 1;
        return 0;
    }
    p->time = ns_of(get32(c, head), c->interfaces[0].units == 1000000 ? part * 1000 : part);
    p->link = c->interfaces[0].link;
    p->bytes = c->block;
    p->held = held;
    p->length = length > held ? length : held;
    p->comment = "";
    p->number = ++c->number;
    return 1;
}

/* ---- pcapng: blocks of type, length, body, length again ------------------------------ */

static void add_comment(struct comment *c, const uint8_t *bytes, size_t size) {
    c->text = grown(c->text, &c->room, c->used + size + 2);
    if (c->used > 0)
        c->text[c->used++] = '\n';
    memcpy(c->text + c->used, bytes, size);
    c->used += size;
    c->text[c->used] = '\0';
}

/* Calls `each` for the options in `size` bytes at p, until they end or make no sense. */
static void walk_options(struct capture *c, const uint8_t *p, size_t size, void *to,
                         void (*each)(struct capture *, void *, unsigned, const uint8_t *,
                                      size_t)) {
    while (size >= 4) {
        unsigned code = get16(c, p);
        size_t length = get16(c, p + 2), padded = (length + 3) & ~(size_t)3;
        if (code == 0 || length > size - 4)
            return;
        each(c, to, code, p + 4, length);
        if (padded > size - 4)
            return;
        p += 4 + padded;
        size -= 4 + padded;
    }
}

static void section_option(struct capture *c, void *to, unsigned code, const uint8_t *bytes,
                           size_t length) {
    (void)to;
    if (code == OPTION_COMMENT && c->sections == 1)
        add_comment(&c->section, bytes, length);
}

static void packet_option(struct capture *c, void *to, unsigned code, const uint8_t *bytes,
                          size_t length) {
    (void)to;
    if (code == OPTION_COMMENT)
        add_comment(&c->comment, bytes, length);
}

static void interface_option(struct capture *c, void *to, unsigned code,
                             const uint8_t *bytes, size_t length) {
    struct interface *i = to;
    if (code == OPTION_TIME_UNIT && length == 1) {
        unsigned power = bytes[0] & 0x7f, base = bytes[0] & 0x80 ? 2 : 10;
        i->units = 1;
        for (; power > 0 && i->units <= UINT64_MAX / base; power--)
            i->units *= base;
        if (power > 0)
            i->units = 0; /* finer than 64 bits can say: no times */
    } else if (code == OPTION_TIME_OFFSET && length == 8) {
        uint64_t low = get32(c, bytes + (c->big ? 4 : 0)),
                 high = get32(c, bytes + (c->big ? 0 : 4));
        i->offset = high == 0 && low < 4000000000u ? (int64_t)low : 0;
    }
}

static int64_t time_of(const struct interface *i, uint64_t stamp) {
    if (i->units == 0)
        return 0;
    uint64_t seconds = stamp / i->units, rest = stamp % i->units;
    uint64_t ns = i->units <= 1000000000u
                      ? rest * 1000000000u / i->units
                      : (uint64_t)((double)rest * 1e9 / (double)i->units);
    return ns_of(seconds + (uint64_t)i->offset, ns < 1000000000u ? ns : 999999999u);
}

/* A new section has its own byte order and interfaces. `head`: its first 12 bytes. */
static int begin_section(struct capture *c, const uint8_t head[12]) {
    static const uint8_t big[4] = {0x1a, 0x2b, 0x3c, 0x4d},
                         little[4] = {0x4d, 0x3c, 0x2b, 0x1a};
    if (memcmp(head + 8, big, 4) != 0 && memcmp(head + 8, little, 4) != 0)
        return wrong(c, "a section of this capture does not tell its byte order");
    c->big = head[8] == big[0];
    c->interface_count = 0;
    c->sections++;
    return 0;
}

/* Reads the block that begins with these 8 bytes into c->block, 8 bytes and all. Returns 1
 * and its length, 0 when the file is cut, -1 when it makes no sense. */
static int read_block(struct capture *c, const uint8_t head[8], size_t *length) {
    uint8_t section[12];
    size_t have = 8;
    memcpy(section, head, 8);
    if (get32(c, head) == SECTION_HEADER) { /* its type reads the same in both orders */
        if (take(c, section + 8, 4) != 1) {
            c->cut = 1;
            return 0;
        }
        if (begin_section(c, section) < 0)
            return -1;
        have = 12;
    }
    *length = get32(c, section + 4);
    if (*length < have + 4 || *length > MAX_BLOCK)
        return wrong(c, "a block in this capture has a length that cannot be");
    *length = (*length + 3) & ~(size_t)3;
    c->block = grown(c->block, &c->block_room, *length);
    memcpy(c->block, section, have);
    if (take(c, c->block + have, *length - have) != 1) {
        c->cut = 1;
        return 0;
    }
    return 1;
}

static void read_section(struct capture *c, size_t length) {
    if (length > 24 + 4)
        walk_options(c, c->block + 24, length - 24 - 4, NULL, section_option);
}

static int read_interface(struct capture *c, size_t length) {
    if (length < 20 || c->interface_count == MAX_INTERFACES)
        return wrong(c, length < 20 ? "an interface in this capture says too little"
                                    : "this capture has more interfaces than can be");
    struct interface *i = new_interface(c);
    *i = (struct interface){.link = get16(c, c->block + 8), .units = 1000000};
    walk_options(c, c->block + 16, length - 16 - 4, i, interface_option);
    return 0;
}

/* A packet block: `at` is where its bytes begin, `end` where the block's body ends. */
static int read_packet(struct capture *c, struct packet *p, size_t at, size_t end,
                       unsigned long interface, uint64_t stamp, size_t held,
                       size_t length) {
    if (interface >= (unsigned long)c->interface_count)
        return wrong(c,
                     "a packet in this capture came by an interface that it does not have");
    if (held > end - at)
        return wrong(c, "a packet in this capture is longer than its block");
    size_t options = at + ((held + 3) & ~(size_t)3);
    c->comment.used = 0;
    if (options < end)
        walk_options(c, c->block + options, end - options, NULL, packet_option);
    p->time = time_of(&c->interfaces[interface], stamp);
    p->link = c->interfaces[interface].link;
    p->bytes = c->block + at;
    p->held = held;
    p->length = length > held ? length : held;
    p->comment = c->comment.used ? c->comment.text : "";
    p->number = ++c->number;
    return 1;
}

/* Returns 1 when the block is a packet, 0 when it is something else, -1 when it is
 * wrong. */
static int read_body(struct capture *c, struct packet *p, size_t length) {
    const uint8_t *b = c->block;
    size_t end = length - 4, whole;
    switch (get32(c, b)) {
    case SECTION_HEADER: read_section(c, length); return 0;
    case INTERFACE: return read_interface(c, length);
    case PACKET:
    case OLD_PACKET:
        if (length < 32)
            return wrong(c, "a packet block in this capture is too short");
        return read_packet(c, p, 28, end,
                           get32(c, b) == PACKET ? get32(c, b + 8) : get16(c, b + 8),
                           (uint64_t)get32(c, b + 12) << 32 | get32(c, b + 16),
                           get32(c, b + 20), get32(c, b + 24));
    case SIMPLE_PACKET: /* no time; cut at the interface's limit, the block's too */
        if (length < 16)
            return wrong(c, "a packet block in this capture is too short");
        whole = get32(c, b + 8);
        return read_packet(c, p, 12, end, 0, 0, whole < end - 12 ? whole : end - 12, whole);
    default: return 0; /* names, statistics, secrets: not what a ladder is about */
    }
}

/* The next block. Returns 1 and *got = 1 when it is a packet, 0 at the end, -1 when it is
 * wrong. */
static int next_block(struct capture *c, struct packet *p, int *got) {
    uint8_t head[8];
    size_t length;
    *got = 0;
    if (take(c, head, sizeof head) != 1)
        return 0;
    int result = read_block(c, head, &length);
    if (result == 1 && (*got = read_body(c, p, length)) < 0)
        result = -1;
    return result;
}

/* ---- both ---------------------------------------------------------------------------- */

int capture_open(struct capture *c, FILE *file) {
    static const uint8_t section[4] = {0x0a, 0x0d, 0x0d, 0x0a};
    static const uint8_t pcap[4][4] = {{0xa1, 0xb2, 0xc3, 0xd4},
                                       {0xd4, 0xc3, 0xb2, 0xa1},
                                       {0xa1, 0xb2, 0x3c, 0x4d},
                                       {0x4d, 0x3c, 0xb2, 0xa1}};
    uint8_t head[8] = {0};
    memset(c, 0, sizeof *c);
    c->file = file;
    if (take(c, head, 4) != 1)
        return wrong(c, "this is no capture: it is shorter than a capture's first word");
    for (int i = 0; i < 4; i++)
        if (memcmp(head, pcap[i], 4) == 0)
            return open_pcap(c, head);
    if (head[0] == 0x1f && head[1] == 0x8b)
        return wrong(c, "this is packed by gzip: unpack it first, with gunzip");
    if (memcmp(head, section, 4) != 0)
        return wrong(c, "this is neither a pcap nor a pcapng file");
    c->ng = 1;
    size_t length;
    if (take(c, head + 4, 4) != 1)
        return wrong(c, "this capture ends within its header");
    int result = read_block(c, head, &length);
    if (result == 1)
        read_section(c, length);
    return result == 1  ? 0
           : result < 0 ? -1
                        : wrong(c, "this capture ends within its header");
}

int capture_next(struct capture *c, struct packet *packet) {
    int result, got;
    if (!c->ng)
        return next_pcap(c, packet);
    do
        result = next_block(c, packet, &got);
    while (result == 1 && !got);
    return result;
}

void capture_close(struct capture *c) {
    free(c->interfaces);
    free(c->block);
    free(c->comment.text);
    free(c->section.text);
    memset(c, 0, sizeof *c);
}
