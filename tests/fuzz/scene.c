/* Any bytes as the lines of a scene. */
#include "../../common/wire/scene.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct scene scene;
    char line[MAX_LINE + 100];
    int bad = 0;
    scene_init(&scene);
    for (int number = 1; size > 0 && !bad; number++) {
        const uint8_t *end = memchr(bytes, '\n', size);
        size_t length = end ? (size_t)(end - bytes) : size;
        if (length >= sizeof line)
            break;
        memcpy(line, bytes, length);
        line[length] = '\0';
        bad = scene_line(&scene, line, number) < 0;
        bytes += length;
        size -= length;
        if (size > 0)
            bytes++, size--;
    }
    if (!bad)
        scene_complete(&scene);
    scene_free(&scene);
    return 0;
}
