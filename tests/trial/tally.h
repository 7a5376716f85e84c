/*
 * A campaign's tally: a file whose first line names the program that wrote it, by its own bytes, and then a
 * line for each part that is done. Of another program, however little changed, it is begun anew.
 */
#ifndef TESTS_TRIAL_TALLY_H
#define TESTS_TRIAL_TALLY_H

#include <stdio.h>

/* To be read after its first line, and appended to; NULL and errno: it cannot be kept. */
FILE *tally_file_open(const char *path);
/* What is read next is the line after the first. */
void tally_file_rewind(FILE *file);

#endif
