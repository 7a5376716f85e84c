/* A directory for one test, removed with its files at the end. */
#ifndef TESTS_UNIT_COURIER_SCRATCH_H
#define TESTS_UNIT_COURIER_SCRATCH_H

/* Makes it and changes into it; returns a descriptor of it. */
int scratch_open(void);

/* Removes its files and itself. */
void scratch_close(int directory);

#endif
