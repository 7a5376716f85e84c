/*
 * QR codes on a terminal.
 */
#ifndef CLI_QR_H
#define CLI_QR_H

#include <stdio.h>

#include "base/bytes.h"

/*
 * Prints `bytes` as a QR code of half-block characters with a quiet zone, black on white whatever the
 * terminal's colours. Prints nothing if it does not fit one.
 */
void qr_print(struct bytes bytes, FILE *stream);

#endif
