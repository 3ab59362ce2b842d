/* doctor.h - what this machine can do for the wire, and the command that mends what is missing.
 * Linux only. */
#ifndef DOCTOR_H
#define DOCTOR_H

/* Tries each thing that the wire needs, in a child process, and says on standard output what is there and what
 * is not. brief: says nothing when all is there, else one line. Returns 0 when all is there, else 1. */
int doctor(int brief);

#endif
