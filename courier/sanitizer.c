/*
 * Only in builds with the address sanitizer: its search for leaks at exit traces the process from another,
 * which the sandbox forbids.
 */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
