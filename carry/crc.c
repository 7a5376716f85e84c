#include "carry/crc.h"

#include <stddef.h>

/* Four bits at a time: the remainders of 0 to 15, bits reflected. */
static const uint16_t crc16_table[16] = {
	/* polynomial 0x1021 */
	0x0000, 0x1081, 0x2102, 0x3183, 0x4204, 0x5285, 0x6306, 0x7387,
	0x8408, 0x9489, 0xa50a, 0xb58b, 0xc60c, 0xd68d, 0xe70e, 0xf78f,
};

static const uint32_t crc32c_table[16] = {
	/* polynomial 0x1edc6f41 */
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
	0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc16_update(uint32_t crc, struct bytes bytes)
{
	crc &= 0xffff;
	for (size_t i = 0; i < bytes.size; i++) {
		crc ^= bytes.data[i];
		crc = crc >> 4 ^ crc16_table[crc & 15];
		crc = crc >> 4 ^ crc16_table[crc & 15];
	}
	return crc;
}

uint16_t crc16_finish(uint32_t crc)
{
	return (uint16_t)(crc ^ 0xffff);
}

uint32_t crc32c_update(uint32_t crc, struct bytes bytes)
{
	for (size_t i = 0; i < bytes.size; i++) {
		crc ^= bytes.data[i];
		crc = crc >> 4 ^ crc32c_table[crc & 15];
		crc = crc >> 4 ^ crc32c_table[crc & 15];
	}
	return crc;
}

uint32_t crc32c_finish(uint32_t crc)
{
	return crc ^ 0xffffffff;
}
