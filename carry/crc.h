/*
 * The two checksums of RFC 9171, section 4.2.1. Both run over several pieces: start with the constant, update
 * for each piece, finish. The check values over the nine bytes "123456789" are 0x906e and 0xe3069283.
 */
#ifndef CARRY_CRC_H
#define CARRY_CRC_H

#include <stdint.h>

#include "base/bytes.h"

#define CRC_START 0xffffffffu

/* CRC-16/X.25 (ISO/IEC 3309): the lower 16 bits count. */
uint32_t crc16_update(uint32_t crc, struct bytes bytes);
uint16_t crc16_finish(uint32_t crc);

/* CRC-32C (Castagnoli, RFC 4960, appendix B). */
uint32_t crc32c_update(uint32_t crc, struct bytes bytes);
uint32_t crc32c_finish(uint32_t crc);

#endif
