/* record.h - a playing, written down as a capture that any other program can read too.
 *
 * In: the log and its scene. Out: a pcapng file: one section, one Ethernet interface with
 * times in ns, each frame once at its sending time. What a capture has no place for stands
 * in comments, in the grammar of log.h: a frame's comment has its arrival or fate and all
 * that happened around it; the section's comment has the scene's title, texts and
 * expectations. recording.h reads it back, event by event, into the same log. Portable C.
 * Source: draft-ietf-opsawg-pcapng.
 *
 * The section's comment, first line "wire recording 1": lines of the scene language, and
 *     host client 10.0.0.1            what stands under the host's name
 *     connection 10.0.0.1:40000 10.0.0.2:7777     client's end, server's; in order, from 1
 *     epoch NS, tick NS               see log.h
 *     outcome as-expected             when all came as the scene expects
 * A frame's comment: a first line for readers, then one line for each event:
 *     NUMBER MS EVENT  {FIELD=VALUE ...}
 * The number counts all events from 0; MS is since the log began; in braces is what the
 * grammar does not say: round, note, connection (from 1), call (number of its event), args,
 * as in struct event. A gauge, counted apart, is what that kernel said of itself:
 *     NUMBER MS HOST ~ rto=... rtt=...  {...}
 * Events of a playing in which no frame was sent stand in further comments of the section,
 * each with the first line "wire events".
 */
#ifndef RECORD_H
#define RECORD_H

#include "scene.h"

/* Writes the recording; `labels` stand under the hosts' names. Returns 0, or -1 with errno
 * set. */
int record_write(const char *path, const struct log *log, const struct scene *scene,
                 const char *const labels[HOSTS], int as_expected);

#endif
