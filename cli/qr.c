#include "cli/qr.h"

#include <stdbool.h>
#include <unistd.h>

#include <qrencode.h>

#define QUIET 4 /* modules around the code: the standard asks for so many */

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
	bool is_terminal = isatty(fileno(stream)) == 1;
	for (int y = -QUIET; y < code->width + QUIET; y += 2) {
		fputs(is_terminal ? "\033[30;47m" : "", stream);
		for (int x = -QUIET; x < code->width + QUIET; x++) {
			static const char *const halves[] = {" ", "\u2580", "\u2584", "\u2588"};
			fputs(halves[(is_dark(code, x, y) ? 1 : 0) + (is_dark(code, x, y + 1) ? 2 : 0)],
			      stream);
		}
		fputs(is_terminal ? "\033[0m\n" : "\n", stream);
	}
	QRcode_free(code);
}
