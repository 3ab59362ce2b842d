/* cable.c - see cable.h. */
#include "cable.h"

int cable_put(struct cable *cable, const struct passage *p) {
    if (cable->count == MAX_IN_FLIGHT)
        return -1;
    cable->waiting =
        log_room(cable->waiting, cable->count, &cable->room, sizeof *cable->waiting);
    cable->waiting[cable->count] = *p;
    cable->waiting[cable->count++].serial = cable->serial++;
    return 0;
}

long cable_next(const struct cable *cable) {
    long best = NO_INDEX;
    for (long i = 0; i < cable->count; i++) {
        const struct passage *p = &cable->waiting[i],
                             *b = &cable->waiting[best < 0 ? i : best];
        if (p->held == NO_INDEX && (best < 0 || p->order < b->order ||
                                    (p->order == b->order && p->serial < b->serial)))
            best = i;
    }
    return best;
}

struct passage cable_take(struct cable *cable, long index) {
    struct passage p = cable->waiting[index];
    cable->waiting[index] = cable->waiting[--cable->count];
    return p;
}

void cable_release(struct cable *cable, long rule, int64_t now, int64_t order) {
    for (long i = 0; i < cable->count; i++)
        if (cable->waiting[i].held == rule) {
            cable->waiting[i].held = NO_INDEX;
            cable->waiting[i].due = now;
            cable->waiting[i].order = order;
        }
}

int cable_is_empty(const struct cable *cable) {
    return cable_next(cable) == NO_INDEX;
}
