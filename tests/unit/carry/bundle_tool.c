/*
 * What test_bundle.py drives: `samples` prints bundles as this program writes them, in hexadecimal, one a
 * line; `read` reads such lines and prints for each the error's name, or what was read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "carry/fragment.h"
#include "tests/unit/hex.h"

static uint8_t created[BUNDLE_SIZE_MAX];
static uint8_t forwarded[BUNDLE_SIZE_MAX];

static void print_hex(struct bytes bytes)
{
	for (size_t i = 0; i < bytes.size; i++)
		printf("%02x", bytes.data[i]);
}

static void print_eid(const struct eid *eid)
{
	uint8_t memory[EID_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof(memory));
	eid_append_text(&buffer, eid);
	printf(" %.*s", (int)buffer.size, (const char *)memory);
}

/* One bundle as created, as forwarded, and in fragments of at most 300 bytes. */
static enum error print_sample(const char *destination, const char *source, uint64_t creation_ms, size_t size)
{
	static uint8_t payload[65536];
	struct bundle bundle;
	struct eid previous;
	struct bundle_fields fields = {
		.creation_ms = creation_ms, .sequence = size, .lifetime_ms = 86400000, .age_ms = size * size};
	struct buffer buffer = buffer_make(created, sizeof(created));
	for (size_t i = 0; i < size; i++)
		payload[i] = (uint8_t)(i * 7 + size);
	if (eid_from_text(bytes_of_text(destination), &fields.destination) != ERROR_OK ||
	    eid_from_text(bytes_of_text(source), &fields.source) != ERROR_OK)
		return ERROR_BAD_ARGUMENT;
	enum error error = bundle_create(&buffer, &fields, bytes_make(payload, size));
	if (error == ERROR_OK)
		error = bundle_read(buffer_bytes(&buffer), &bundle);
	if (error != ERROR_OK)
		return error;
	print_hex(buffer_bytes(&buffer));
	printf("\n");
	previous = eid_node(&fields.destination);
	struct bundle_forwarding forwarding = {&previous, fields.age_ms + 1000, 0, 0};
	size_t offset = 0;
	for (size_t size_max = sizeof(forwarded); size_max >= 300; size_max = size_max == 300 ? 0 : 300) {
		offset = 0;
		do {
			struct buffer part = buffer_make(forwarded, sizeof(forwarded));
			error = fragment_next(&part, &bundle, &forwarding, size_max, &offset);
			if (error != ERROR_OK)
				return error;
			print_hex(buffer_bytes(&part));
			printf("\n");
		} while (offset < size);
	}
	return ERROR_OK;
}

static int print_samples(void)
{
	static const size_t sizes[] = {0, 1, 23, 24, 255, 256, 400, 5000};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (print_sample("ipn:2.4", "ipn:1.0", 849153600000, sizes[i]) != ERROR_OK ||
		    print_sample("ipn:4294967290.1", "ipn:7.4294967290.0", 0, sizes[i]) != ERROR_OK ||
		    print_sample("dtn://embassy.alliance/2", "dtn://hq.federation/", 1, sizes[i]) != ERROR_OK)
			return 1;
	}
	return 0;
}

static void print_bundle(const struct bundle *bundle)
{
	printf("OK %" PRIu64, bundle->flags);
	print_eid(&bundle->destination);
	print_eid(&bundle->source);
	print_eid(&bundle->report_to);
	printf(" %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, bundle->creation_ms,
	       bundle->sequence, bundle->lifetime_ms, bundle->fragment_offset, bundle->total_size);
	for (size_t i = 0; i < bundle->blocks_count; i++) {
		const struct bundle_block *block = &bundle->blocks[i];
		printf(" %" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%d:", block->type, block->number, block->flags,
		       block->crc);
		print_hex(block->data);
	}
}

static int print_read(void)
{
	static char line[2 * BUNDLE_SIZE_MAX + 4];
	static uint8_t memory[BUNDLE_SIZE_MAX + 1];
	struct bundle bundle;
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		enum error error = bundle_read(hex_decode(line, memory, sizeof(memory)), &bundle);
		if (error == ERROR_OK)
			print_bundle(&bundle);
		else
			printf("%s", error_name(error));
		printf("\n");
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "samples") == 0)
		return print_samples();
	if (argc == 2 && strcmp(argv[1], "read") == 0)
		return print_read();
	fprintf(stderr, "usage: bundle_tool samples|read\n");
	return 2;
}
