/* peel.h - one frame, layer by layer: every header field with its value and its place.
 *
 * In: a frame of the log, its bytes trusted in nothing. Out: each header in the RFC's box
 * form (boxes.h), the data, the bytes of the headers summed, checksums verified. Portable
 * C. Sources: IEEE 802.3, RFC 826 (ARP), 791 (IPv4), 8200 (IPv6), 9293 section 3.1 (TCP),
 * 7323 (window scale, timestamps), 2018 (SACK), 768 (UDP), 792 (ICMP), 1071 (checksums).
 */
#ifndef PEEL_H
#define PEEL_H

#include "log.h"
#include <stdio.h>

/* The frame as text. */
void peel_print(FILE *out, const struct log *log, const struct logged_frame *frame);

/* Its uppermost header, TCP's or UDP's, say, as a picture. What is another in each playing
 * of a scene (ports, first sequence numbers, checksums) is not shown in it, but told. */
void peel_svg(FILE *out, const struct logged_frame *frame);

/* The frame with this number, from 1; NULL when there is none. */
const struct logged_frame *peel_find(const struct log *log, long number);

#endif
