/* explain.h - one event in plain English: what happens, and why.
 *
 * In: the log and one event of it. Out: a phrase ("the client sends SYN seq=1000") and a sentence or
 * two that follow from the event's own facts, for events under which no scene has written anything.
 * Says nothing that the log does not show. Portable C; no I/O.
 * Sources: RFC 9293 sections 3.3.2, 3.5, 3.6 and 3.10; the manual page of each call.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include "log.h"

enum { PHRASE = 160, EXPLANATION = 400 };

/* "the server goes to SYN_RCVD", into text of size bytes. Returns text. */
const char *explain_phrase(const struct log *log, const struct event *e, char *text,
                           size_t size);

/* "the client sends DATA seq=1300 len=100 again", into text of size bytes. Returns text. */
const char *explain_sending(const struct logged_frame *frame, char *text, size_t size);

/* Why, or what it means, from the facts of event `index`. Returns text; it may be empty. */
const char *explain_event(const struct log *log, long index, char *text, size_t size);

/* The state of this host's end just before event `index`: of the connection, or of any if
 * NO_INDEX (a listener's only if there is no other). S_NONE at first. */
enum state explain_state(const struct log *log, long index, int host, long connection);

/* "has sent its FIN and waits for the ACK of it": a state in words. */
const char *explain_state_meaning(enum state state);

/* What an error of a socket call means, by its name: ECONNREFUSED; empty for one that is not known. */
const char *explain_error(const char *name);

#endif
