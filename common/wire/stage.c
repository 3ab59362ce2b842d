/* stage.c - see stage.h. */
#define _GNU_SOURCE
#include "stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* To what this kernel rounds its timers: the coarse clock moves with them. */
static int64_t tick_ns(void) {
    struct timespec grain;
    return clock_getres(CLOCK_MONOTONIC_COARSE, &grain) == 0 ? grain.tv_nsec : 0;
}

int64_t stage_now(const struct stage *s) {
    return clock_ns(CLOCK_MONOTONIC) - s->began;
}

void stage_event(const struct stage *s, struct event *e, enum event_kind kind, int host) {
    memset(e, 0, sizeof *e);
    e->kind = kind;
    e->host = host;
    e->time = stage_now(s);
    e->frame = e->connection = e->call = NO_INDEX;
    e->fd = NO_INDEX;
}

static int apply_settings(struct stage *s) {
    for (long i = 0; i < s->scene->setting_count; i++) {
        const struct setting *setting = &s->scene->settings[i];
        if (host_set(&s->hosts[setting->host], setting->name, setting->value) < 0) {
            fprintf(stderr, "wire: %s:%d: sysctl %s %s: %s\n",
                    s->scene->path ? s->scene->path : "wire", setting->line, setting->name,
                    setting->value, strerror(errno));
            return -1;
        }
    }
    return 0;
}

/* Without a packet socket the times are those at which the wire itself had the frames. */
static void open_stamps(struct stage *s) {
    int wanted = s->scene->table[CLIENT] || s->scene->table[SERVER] || s->options->rto_svg;
    for (int host = 0; wanted && host < HOSTS; host++)
        stamps_open(&s->stamps[host], &s->hosts[host]);
}

int stage_open(struct stage *s, struct scene *scene, const struct play_options *options) {
    struct trouble trouble;
    s->scene = scene;
    s->options = options;
    s->looked = calloc(MAX_ENDPOINTS, sizeof *s->looked);
    for (int host = 0; host < HOSTS; host++) {
        s->stamps[host].socket = -1;
        s->seen[host] = calloc(MAX_ENDPOINTS, sizeof *s->seen[host]);
        memcpy(s->log.isn[host], scene->isn[host], sizeof s->log.isn[host]);
    }
    if (hosts_open(s->hosts, scene->textbook, &trouble) < 0) {
        fprintf(stderr, "wire: %s: %s%s%s\n", trouble.what, strerror(trouble.error),
                trouble.mend[0] ? "; to mend it: " : "", trouble.mend);
        return PLAY_NO_NETWORK;
    }
    if (apply_settings(s) < 0)
        return PLAY_MISTAKE;
    open_stamps(s);
    s->began = clock_ns(CLOCK_MONOTONIC);
    s->log.epoch = clock_ns(CLOCK_REALTIME); /* the same moment as others write it down */
    s->log.tick = tick_ns();
    check_init(&s->check, scene);
    rows_init(&s->rows, options->all);
    term_init(&s->term, stdout, options->columns, options->ascii, options->colour);
    return PLAY_OK;
}

void stage_close(struct stage *s) {
    for (int host = 0; host < HOSTS; host++) {
        stamps_close(&s->stamps[host]);
        free(s->seen[host]);
    }
    hosts_close(s->hosts);
    rows_free(&s->rows);
    log_free(&s->log);
    free(s->cable.waiting);
    free(s->hold.waiting);
    free(s->looked);
}
