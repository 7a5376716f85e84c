#include "base/error.h"

bool error_known(enum error error)
{
	switch (error) {
#define ERROR_AS_KNOWN(name, number, text) case ERROR_##name:
		ERROR_TABLE(ERROR_AS_KNOWN)
#undef ERROR_AS_KNOWN
		return true;
	}
	return false;
}

const char *error_name(enum error error)
{
	switch (error) {
#define ERROR_AS_NAME(name, number, text) \
	case ERROR_##name: \
		return #name;
		ERROR_TABLE(ERROR_AS_NAME)
#undef ERROR_AS_NAME
	}
	return "UNKNOWN";
}

const char *error_text(enum error error)
{
	switch (error) {
#define ERROR_AS_TEXT(name, number, text) \
	case ERROR_##name: \
		return text;
		ERROR_TABLE(ERROR_AS_TEXT)
#undef ERROR_AS_TEXT
	}
	return "the error has a number that this program does not know";
}
