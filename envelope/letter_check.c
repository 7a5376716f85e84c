#include "envelope/letter.h"

#include "base/place.h"
#include "base/text.h"
#include "envelope/ed25519.h"
#include "envelope/terms.h"

static const char *const kind_names[] = {"FOUNDING", "POST", "OPENING", "CREDENCE", "AGRÉMENT"};
static const char *const post_kind_names[] = {
	"mission", "embassy", "liaison mission", "information bureau", "capital", "headquarters"};

bool letter_kind_is_known(uint64_t kind)
{
	return kind >= LETTER_FOUNDING && kind <= LETTER_AGREMENT;
}

const char *letter_kind_name(uint64_t kind)
{
	return letter_kind_is_known(kind) ? kind_names[kind - LETTER_FOUNDING] : "?";
}

const char *post_kind_name(uint64_t kind)
{
	return kind >= POST_MISSION && kind <= POST_HEADQUARTERS ? post_kind_names[kind - POST_MISSION] : "?";
}

/* A name is one plain line of 1 to NAME_SIZE_MAX bytes in which something is to be seen. */
static enum error check_name(struct bytes name)
{
	if (name.size == 0 || name.size > NAME_SIZE_MAX)
		return ERROR_REFUSED_FORM;
	return text_is_plain_line(name) && text_blank_size(name) < name.size ? ERROR_OK : ERROR_REFUSED_TEXT;
}

static enum error check_title(struct bytes title)
{
	return title.size == 0 ? ERROR_OK : check_name(title);
}

static enum error check_paragraph(struct bytes text)
{
	if (text.size > REASON_SIZE_MAX)
		return ERROR_REFUSED_FORM;
	return text_is_plain(text) ? ERROR_OK : ERROR_REFUSED_TEXT;
}

static enum error check_key(const uint8_t key[PUBLIC_KEY_SIZE])
{
	return ed25519_key_valid(key) ? ERROR_OK : ERROR_BAD_KEY;
}

static enum error check_founding(const struct founding_letter *founding)
{
	enum error error = check_name(founding->name);

	return error == ERROR_OK ? check_key(founding->authority_key) : error;
}

static enum error check_post(const struct post_letter *post)
{
	enum error error = check_name(post->name);

	if (error != ERROR_OK)
		return error;
	if (!place_is_node(post->node))
		return ERROR_REFUSED_FORM;
	return check_key(post->statement_key);
}

static enum error check_opening(const struct opening_letter *opening)
{
	struct terms terms;

	if (terms_decode(opening->terms, &terms) != ERROR_OK)
		return ERROR_REFUSED_TERMS;
	for (size_t i = 0; i < opening->posts_count; i++) {
		enum error error = check_key(opening->posts[i].log_key);

		if (error == ERROR_OK)
			error = check_key(opening->posts[i].cosigner_key);
		if (error != ERROR_OK)
			return error;
	}
	return ERROR_OK;
}

static enum error check_credence(const struct credence_letter *credence)
{
	enum error error = check_name(credence->name);

	if (error == ERROR_OK)
		error = check_title(credence->title);
	return error == ERROR_OK ? check_key(credence->key) : error;
}

static enum error check_parameters(const struct letter *letter)
{
	switch (letter->kind) {
	case LETTER_FOUNDING:
		return check_founding(&letter->of.founding);
	case LETTER_POST:
		return check_post(&letter->of.post);
	case LETTER_OPENING:
		return check_opening(&letter->of.opening);
	case LETTER_CREDENCE:
		return check_credence(&letter->of.credence);
	default:
		return ERROR_OK; /* an agrément holds numbers only */
	}
}

/* Which letters stand in a card chain, and where in a chain the first kinds stand. */
static bool place_fits(const struct letter *letter, bool on_channel)
{
	bool is_card_letter = letter->kind == LETTER_FOUNDING || letter->kind == LETTER_POST;

	if (on_channel == is_card_letter)
		return false;
	/*
	 * A founding begins its chain and nothing else does. On a channel the authority's chain begins with
	 * the opening.
	 */
	if (letter->kind == LETTER_FOUNDING || letter->kind == LETTER_OPENING)
		return letter->number == 0;
	return letter->number > 0 || letter->has_entitled_by;
}

enum error letter_check(const struct letter *letter, uint64_t signer, bool on_channel)
{
	enum error error;

	if (!letter_kind_is_known(letter->kind))
		return ERROR_REFUSED_KIND;
	if (!place_fits(letter, on_channel))
		return ERROR_REFUSED_FORM;
	if (letter->has_entitled_by != (signer != 0))
		return ERROR_REFUSED_AUTHORITY;
	error = check_paragraph(letter->reason);
	if (error == ERROR_OK)
		error = check_paragraph(letter->condition);
	return error == ERROR_OK ? check_parameters(letter) : error;
}
