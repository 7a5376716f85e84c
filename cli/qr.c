#include "cli/qr.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <qrencode.h>

#include "cli/output.h"

#define QUIET 4 /* modules around the code: the standard asks for so many */

static bool is_dark(const QRcode *code, int x, int y)
{
	if (x < 0 || y < 0 || x >= code->width || y >= code->width)
		return false;
	return code->data[y * code->width + x] & 1;
}

/* On a terminal, unless it says otherwise: dark modules may else be shown light, which few readers take. */
static bool has_colours(FILE *stream)
{
	const char *terminal = getenv("TERM"), *none = getenv("NO_COLOR");
	return output_columns(stream) > 0 && terminal != NULL && strcmp(terminal, "dumb") != 0 &&
	       (none == NULL || none[0] == '\0');
}

void qr_print(struct bytes bytes, FILE *stream)
{
	QRcode *code = QRcode_encodeData((int)bytes.size, bytes.data, 0, QR_ECLEVEL_M);
	if (code == NULL)
		return;
	size_t columns = output_columns(stream), wanted = (size_t)code->width + 2 * QUIET;
	if (columns > 0 && columns < wanted) {
		fprintf(stream, "(a QR code stands here where the terminal has %zu columns)\n", wanted);
		QRcode_free(code);
		return;
	}
	bool is_coloured = has_colours(stream);
	for (int y = -QUIET; y < code->width + QUIET; y += 2) {
		fputs(is_coloured ? "\033[30;47m" : "", stream);
		for (int x = -QUIET; x < code->width + QUIET; x++) {
			static const char *const halves[] = {" ", "\u2580", "\u2584", "\u2588"};
			fputs(halves[(is_dark(code, x, y) ? 1 : 0) + (is_dark(code, x, y + 1) ? 2 : 0)],
			      stream);
		}
		fputs(is_coloured ? "\033[0m\n" : "\n", stream);
	}
	QRcode_free(code);
}
