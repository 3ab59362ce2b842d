/* Any bytes as a frame of any link type, of which the capture may hold only a part; then as
 * one of a log. */
#include "../../common/wire/log.h"

#include <stdlib.h>
#include <string.h>

static const int links[] = {LINK_ETHERNET, LINK_NULL, LINK_RAW,  LINK_LOOP,
                            LINK_SLL,      LINK_SLL2, LINK_IPV6, 77};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct log log = {0};
    struct frame f;
    char text[EVENT_TEXT];
    volatile uint8_t sum = 0;
    if (size < 3)
        return 0;
    int link = links[bytes[0] % 8];
    size_t held = size - 3, whole = held + (size_t)(bytes[1] << 8 | bytes[2]);
    uint8_t *copy =
        malloc(held + 1); /* of its exact size, so that a read behind it is seen */
    if (copy == NULL)
        return 0;
    memcpy(copy, bytes + 3, held);
    frame_decode_as(link, copy, held, whole, &f);
    for (size_t i = 0; i < f.payload_held; i++)
        sum ^= copy[f.payload + i];
    if (f.payload_held > f.payload_length || f.payload + f.payload_length > whole)
        abort();
    for (int i = 0; i < 3; i++) {
        log.capture = i == 1;
        long index = log_add_captured(&log, i & 1, i, link, copy, held, whole);
        log_frame_text(&log.frames[index], text, sizeof text);
    }
    log_free(&log);
    text[0] = (char)sum;
    free(copy);
    return 0;
}
