/* summary.c - see summary.h. */
#include "summary.h"
#include "rtt.h"

enum { IPV4_HEADER = 20 }; /* the wire's hosts send none with options */

static void print_marks(FILE *out, const struct log *log) {
    static const char *const words[MARKS] = {"",
                                             "retransmissions",
                                             "out of order",
                                             "holes",
                                             "ACKs of the unseen",
                                             "duplicate ACKs",
                                             "zero windows"};
    unsigned long long data = 0, marked[MARKS] = {0};
    int column = 0;
    for (long i = 0; i < log->frame_count; i++) {
        data += log->frames[i].f.payload_length;
        marked[log->frames[i].mark]++;
    }
    fprintf(out, "\n%ld frames, %llu bytes of data.\n", log->frame_count, data);
    for (int mark = MARK_NONE + 1; mark < MARKS; mark++)
        if (marked[mark]) {
            const char *before = column == 0 ? "" : column > 60 ? ",\n" : ", ";
            column = fprintf(out, "%s%s %llu", before, words[mark], marked[mark]) +
                     (column > 60 ? 0 : column);
        }
    if (column > 0)
        fprintf(out, "\n");
}

static void print_sums(FILE *out, const struct log *log) {
    static const char *const layers[] = {"", "", "TCP", "UDP",
                                         "ICMP"}; /* by enum protocol */
    unsigned long long frames = 0, lost = 0, data = 0, by_layer[5] = {0};
    if (log->capture) {
        print_marks(out, log);
        return;
    }
    for (long i = 0; i < log->event_count; i++) {
        const struct event *e = &log->events[i];
        if (e->kind > EV_LOST || log->frames[e->frame].f.protocol < P_TCP)
            continue;
        const struct logged_frame *frame = &log->frames[e->frame];
        lost += e->kind == EV_LOST;
        if (e->kind != EV_SEND)
            continue;
        frames++;
        size_t own = frame->f.payload - ETHERNET_HEADER - IPV4_HEADER;
        if (frame->f.protocol == P_ICMP) /* it quotes a packet: that is nobody's data */
            own += frame->f.payload_length;
        else
            data += frame->f.payload_length;
        by_layer[frame->f.protocol] += own;
    }
    fprintf(out, "\n%llu frames, %llu lost. Bytes: data %llu, Ethernet %llu, IP %llu",
            frames, lost, data, frames * ETHERNET_HEADER, frames * IPV4_HEADER);
    for (int layer = P_TCP; layer <= P_ICMP; layer++)
        if (by_layer[layer])
            fprintf(out, ", %s %llu", layers[layer], by_layer[layer]);
    fprintf(out, ".\n");
}

void summary_print(FILE *out, const struct log *log, const struct scene *scene,
                   int as_expected, long met, int64_t zero) {
    print_sums(out, log);
    if (as_expected)
        fprintf(out, "All came as the scene expects (%ld events).\n", met);
    for (int host = 0; host < HOSTS; host++)
        if (scene->table[host])
            rtt_print(out, log, host, zero);
}
