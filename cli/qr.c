#include "cli/qr.h"

#include <stdbool.h>

#include <qrencode.h>

#define QUIET 2 /* modules around the code */

static bool is_dark(const QRcode *code, int x, int y)
{
	if (x < 0 || y < 0 || x >= code->width || y >= code->width)
		return false;
	return code->data[y * code->width + x] & 1;
}

void qr_print(struct bytes bytes, FILE *stream)
{
	QRcode *code = QRcode_encodeData((int)bytes.size, bytes.data, 0, QR_ECLEVEL_M);
	if (code == NULL)
		return;
	for (int y = -QUIET; y < code->width + QUIET; y += 2) {
		fputs("\033[30;47m", stream);
		for (int x = -QUIET; x < code->width + QUIET; x++) {
			static const char *const halves[] = {" ", "\u2580", "\u2584", "\u2588"};
			fputs(halves[(is_dark(code, x, y) ? 1 : 0) + (is_dark(code, x, y + 1) ? 2 : 0)],
			      stream);
		}
		fputs("\033[0m\n", stream);
	}
	QRcode_free(code);
}
