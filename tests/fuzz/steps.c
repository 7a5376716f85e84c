#include "tests/fuzz/steps.h"

struct steps steps_make(struct bytes input)
{
	return (struct steps){.reader = cbor_reader_make(input)};
}

bool steps_next(struct steps *steps, uint64_t kinds, struct step *step)
{
	struct bytes item = cbor_read_item(&steps->reader);

	if (cbor_reader_error(&steps->reader) != ERROR_OK || steps->count++ == STEPS_MAX)
		return false;
	step->arguments = cbor_reader_make(item);
	(void)cbor_read_array(&step->arguments, SIZE_MAX);
	step->kind = cbor_read_uint(&step->arguments) % kinds;
	return cbor_reader_error(&step->arguments) == ERROR_OK;
}

uint64_t step_number(struct step *step)
{
	if (cbor_peek(&step->arguments) == CBOR_UINT)
		return cbor_read_uint(&step->arguments);
	(void)cbor_read_item(&step->arguments);
	return 0;
}

struct bytes step_bytes(struct step *step)
{
	if (cbor_peek(&step->arguments) == CBOR_BYTES)
		return cbor_read_bytes(&step->arguments, SIZE_MAX);
	(void)cbor_read_item(&step->arguments);
	return bytes_make(NULL, 0);
}
