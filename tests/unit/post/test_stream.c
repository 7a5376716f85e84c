#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "post/stream.h"

static void open_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

static void what_is_appended_comes_out_in_order(void **state)
{
	struct stream stream = stream_make(100000);
	uint8_t next_in = 0, next_out = 0;

	for (unsigned round = 0; round < 2000; round++) {
		for (unsigned i = 0; i < round % 7 + 1; i++, next_in++)
			assert_int_equal(stream_append(&stream, bytes_make(&next_in, 1)), ERROR_OK);
		for (unsigned i = 0; i < round % 5 + 1 && stream_bytes(&stream).size != 0; i++, next_out++) {
			assert_int_equal(stream_bytes(&stream).data[0], next_out);
			stream_consume(&stream, 1);
		}
	}
	assert_true(stream_bytes(&stream).size > 0);
	stream_free(&stream);
}

static void more_than_the_bound_is_refused_whole(void **state)
{
	struct stream stream = stream_make(10);

	assert_int_equal(stream_append(&stream, bytes_of_text("12345678")), ERROR_OK);
	assert_int_equal(stream_append(&stream, bytes_of_text("abc")), ERROR_FULL);
	assert_int_equal(stream_bytes(&stream).size, 8);
	assert_int_equal(stream_room(&stream), 2);
	stream_consume(&stream, 1);
	assert_int_equal(stream_append(&stream, bytes_of_text("abc")), ERROR_OK);
	assert_memory_equal(stream_bytes(&stream).data, "2345678abc", 10);
	stream_free(&stream);
}

static void an_empty_queue_holds_no_memory(void **state)
{
	struct stream stream = stream_make(1 << 20);
	static const uint8_t large[500000];

	assert_int_equal(stream_append(&stream, bytes_make(large, sizeof large)), ERROR_OK);
	stream_consume(&stream, sizeof large);
	assert_null(stream.data);
	assert_int_equal(stream_append(&stream, bytes_make(NULL, 0)), ERROR_OK);
	assert_null(stream.data);
}

static void a_socket_is_read_up_to_the_room(void **state)
{
	struct stream stream = stream_make(6);
	int fds[2];

	open_pair(fds);
	assert_int_equal(stream_read(&stream, fds[0], 100), ERROR_OK);
	assert_int_equal(stream_bytes(&stream).size, 0);
	assert_int_equal(write(fds[1], "1234567890", 10), 10);
	assert_int_equal(stream_read(&stream, fds[0], 4), ERROR_OK);
	assert_int_equal(stream_bytes(&stream).size, 4);
	assert_int_equal(stream_read(&stream, fds[0], 100), ERROR_OK);
	assert_memory_equal(stream_bytes(&stream).data, "123456", 6);
	assert_int_equal(stream_read(&stream, fds[0], 100), ERROR_FULL);
	stream_consume(&stream, 6);
	close(fds[1]);
	assert_int_equal(stream_read(&stream, fds[0], 100), ERROR_OK);
	assert_memory_equal(stream_bytes(&stream).data, "7890", 4);
	stream_consume(&stream, 4);
	assert_int_equal(stream_read(&stream, fds[0], 100), ERROR_CLOSED);
	assert_null(stream.data);
	close(fds[0]);
}

static void a_slow_reader_gets_all_in_the_end(void **state)
{
	struct stream stream = stream_make(4 << 20);
	static uint8_t sent[3000000], got[3000000];
	size_t total = 0;
	int fds[2];

	open_pair(fds);
	for (size_t i = 0; i < sizeof sent; i++)
		sent[i] = (uint8_t)(i * 7 + i / 1000);
	assert_int_equal(stream_append(&stream, bytes_make(sent, sizeof sent)), ERROR_OK);
	while (total < sizeof got) {
		assert_int_equal(stream_write(&stream, fds[0]), ERROR_OK);
		ssize_t size = read(fds[1], got + total, 10007);
		assert_true(size > 0);
		total += (size_t)size;
	}
	assert_memory_equal(sent, got, sizeof sent);
	assert_int_equal(stream_bytes(&stream).size, 0);
	close(fds[1]);
	assert_int_equal(stream_append(&stream, bytes_of_text("x")), ERROR_OK);
	assert_int_equal(stream_write(&stream, fds[0]), ERROR_CLOSED);
	stream_free(&stream);
	close(fds[0]);
}

/* ---- what is left in memory that is given back ---- */

static const char secret[] = "a packet of keys";

static size_t freed;
static size_t left; /* blocks that were freed with the secret in them */

void __real_free(void *memory);
void __wrap_free(void *memory);

/* The linker puts it in the place of free() (meson.build). */
void __wrap_free(void *memory)
{
	if (memory != NULL) {
		freed++;
		left += memmem(memory, malloc_usable_size(memory), secret, strlen(secret)) != NULL;
	}
	__real_free(memory);
}

static struct stream stream_with_secrets(size_t count)
{
	struct stream stream = stream_make(1 << 20);

	freed = 0;
	left = 0;
	for (size_t i = 0; i < count; i++)
		assert_int_equal(stream_append(&stream, bytes_of_text(secret)), ERROR_OK);
	return stream;
}

static void what_was_written_is_wiped_when_the_queue_is_empty(void **state)
{
	struct stream stream = stream_with_secrets(3);

	stream_consume(&stream, 2 * strlen(secret));
	stream_consume(&stream, strlen(secret));
	assert_int_equal(freed, 1);
	assert_int_equal(left, 0);
	stream = stream_with_secrets(3);
	stream_free(&stream);
	assert_int_equal(freed, 1);
	assert_int_equal(left, 0);
}

static void what_was_written_is_wiped_when_the_queue_grows(void **state)
{
	static const uint8_t more[5000];
	struct stream stream = stream_with_secrets(20);

	assert_int_equal(stream_append(&stream, bytes_make(more, sizeof more)), ERROR_OK);
	assert_int_equal(freed, 1);
	assert_int_equal(left, 0);
	stream_free(&stream);
	assert_int_equal(left, 0);
}

static void what_was_written_is_wiped_when_the_queue_has_moved(void **state)
{
	static const uint8_t more[700];
	struct stream stream = stream_with_secrets(60); /* nearly all of the first block */

	stream_consume(&stream, 50 * strlen(secret));
	assert_int_equal(stream_append(&stream, bytes_make(more, sizeof more)), ERROR_OK);
	assert_int_equal(freed, 0);
	stream_consume(&stream, 10 * strlen(secret) + sizeof more);
	assert_int_equal(freed, 1);
	assert_int_equal(left, 0);
}

static void what_was_read_is_wiped(void **state)
{
	struct stream stream = stream_with_secrets(0);
	int fds[2];

	open_pair(fds);
	assert_int_equal(write(fds[1], secret, strlen(secret)), (ssize_t)strlen(secret));
	assert_int_equal(stream_read(&stream, fds[0], 100), ERROR_OK);
	stream_consume(&stream, strlen(secret));
	assert_int_equal(freed, 1);
	assert_int_equal(left, 0);
	close(fds[0]);
	close(fds[1]);
}

static int ignore_broken_pipes(void **state)
{
	return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_appended_comes_out_in_order),
		cmocka_unit_test(more_than_the_bound_is_refused_whole),
		cmocka_unit_test(an_empty_queue_holds_no_memory),
		cmocka_unit_test(a_socket_is_read_up_to_the_room),
		cmocka_unit_test(a_slow_reader_gets_all_in_the_end),
		cmocka_unit_test(what_was_written_is_wiped_when_the_queue_is_empty),
		cmocka_unit_test(what_was_written_is_wiped_when_the_queue_grows),
		cmocka_unit_test(what_was_written_is_wiped_when_the_queue_has_moved),
		cmocka_unit_test(what_was_read_is_wiped),
	};

	return cmocka_run_group_tests(tests, ignore_broken_pipes, NULL);
}
