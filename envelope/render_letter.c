#include "envelope/render_parts.h"

#include "envelope/cose.h"

static void render_founding(struct render_line *line, const struct founding_letter *founding)
{
	uint8_t id[PARTY_ID_SIZE];

	party_id_from_key(founding->authority_key, id);
	render_sentence_foreign(line, "The party is named: ", founding->name);
	render_sentence_hex(line, "Its authority signs with the key: ", founding->authority_key);
	render_sentence_hex(line, "So its party id is: ", id);
	render_sentence_hex(line, "The SHA-256 of its next authority key will be: ", founding->successor);
}

static void render_post_letter(struct render_line *line, const struct post_letter *post)
{
	render_numbered(line);
	render_words(line, "The post in slot ");
	render_number(line, post->slot);
	render_words(line, " (");
	render_words(line, post_kind_name(post->kind));
	render_words(line, ") is named: ");
	render_foreign(line, post->name);
	render_end(line);
	render_sentence_hex(line, "It signs statements with the key: ", post->statement_key);
	render_sentence_foreign(line, "Its courier is the node: ", post->node);
	render_sentence_hex(line, "The SHA-256 of its courier's TLS key is: ", post->courier_pin);
}

/* In the largest unit that makes it a whole number. */
static void render_duration(struct render_line *line, uint64_t seconds)
{
	static const struct {
		uint64_t seconds;
		const char *words;
	} units[] = {{86400, " d"}, {3600, " h"}, {60, " min"}, {1, " s"}};
	size_t i = 0;

	while (seconds % units[i].seconds != 0)
		i++;
	render_number(line, seconds / units[i].seconds);
	render_words(line, units[i].words);
}

static void render_sentence_duration(struct render_line *line, const char *words, uint64_t seconds)
{
	render_numbered(line);
	render_words(line, words);
	render_duration(line, seconds);
	render_words(line, ".");
	render_end(line);
}

static void render_handling(struct render_line *line, uint64_t precedence, uint64_t seconds)
{
	render_numbered(line);
	render_words(line, precedence_name(precedence));
	render_words(line, " is overdue without a receipt after ");
	render_duration(line, seconds);
	render_words(line, ".");
	render_end(line);
}

static void render_terms(struct render_line *line, struct bytes encoded)
{
	struct terms terms;

	if (terms_decode(encoded, &terms) != ERROR_OK) {
		render_sentence(line, "ITS TERMS CANNOT BE READ: do not sign.");
		return;
	}
	render_sentence_foreign(line, "The title of the channel is: ", terms.title);
	render_sentence_number(line, "Suite of algorithms: ", terms.suite, "");
	render_sentence_number(line, "A text has at most ", terms.text_size_max, " bytes.");
	render_sentence_number(line, "At IMMEDIATE and FLASH it has at most ", terms.urgent_words_max,
			       " words.");
	render_sentence_duration(line, "Heads are exchanged every ", terms.heads_interval_s);
	render_sentence_duration(line, "A copy may be under way for ", terms.delay_window_s);
	for (size_t i = 0; i < PRECEDENCE_COUNT; i++)
		render_handling(line, PRECEDENCE_ROUTINE + i, terms.handling_s[i]);
}

/* One letter of the author's card, which an opening holds whole. */
static void render_card_letter(struct render_line *line, struct bytes cose, size_t number)
{
	struct cose_signed object;
	struct content content;

	render_sentence_number(line, "Letter ", number, " of our card, which we send with this, says:");
	if (cose_signed_decode(cose, &object) == ERROR_OK &&
	    content_decode(object.payload, &content) == ERROR_OK && content.kind == CONTENT_LETTER) {
		if (content.of.letter.kind == LETTER_FOUNDING) {
			render_founding(line, &content.of.letter.of.founding);
			return;
		}
		if (content.of.letter.kind == LETTER_POST) {
			render_post_letter(line, &content.of.letter.of.post);
			return;
		}
	}
	render_sentence(line, "THIS LETTER CANNOT BE READ: do not sign.");
}

static void render_opening_post(struct render_line *line, const struct opening_post *post)
{
	render_numbered(line);
	render_words(line, "Our post in slot ");
	render_number(line, post->slot);
	render_words(line, " signs the heads of its log with the key: ");
	render_hex(line, post->log_key);
	render_end(line);
	render_sentence_hex(line, "It cosigns the heads of others with the key: ", post->cosigner_key);
}

/* The name of a party by its id, wherever the caller's roster has it. */
static struct bytes party_name(const struct render_names *names, const uint8_t id[PARTY_ID_SIZE])
{
	size_t index;

	if (names->roster != NULL && names->parties != NULL && roster_find(names->roster, id, &index))
		return names->parties[index];
	return bytes_make(NULL, 0);
}

static void render_opening(struct render_line *line, const struct render_names *names,
			   const struct opening_letter *opening)
{
	uint8_t channel[CHANNEL_ID_SIZE];

	channel_id_make(&opening->parties, opening->terms, opening->nonce, channel);
	render_sentence_hex(line, "We open the channel whose id is: ", channel);
	for (size_t i = 0; i < opening->parties.count; i++) {
		render_numbered(line);
		render_words(line, "Party ");
		render_number(line, i);
		render_words(line, " on it is: ");
		render_named(line, opening->parties.ids[i], party_name(names, opening->parties.ids[i]));
		render_end(line);
	}
	render_terms(line, opening->terms);
	render_numbered(line);
	render_words(line, "The nonce that makes the channel unique is: ");
	render_hex_whole(line, opening->nonce, sizeof(opening->nonce));
	render_end(line);
	for (size_t i = 0; i < opening->card_count; i++)
		render_card_letter(line, opening->card[i], i);
	for (size_t i = 0; i < opening->posts_count; i++)
		render_opening_post(line, &opening->posts[i]);
}

static void render_credence(struct render_line *line, const struct credence_letter *credence)
{
	render_numbered(line);
	render_words(line, "We name as our officer ");
	render_number(line, credence->officer);
	render_words(line, ": ");
	render_foreign(line, credence->name);
	render_end(line);
	if (credence->title.size != 0)
		render_sentence_foreign(line, "Title: ", credence->title);
	render_sentence_hex(line, "The officer signs with the key: ", credence->key);
	render_numbered(line);
	render_words(line, "The officer may use precedences up to ");
	render_words(line, precedence_name(credence->highest_precedence != 0 ? credence->highest_precedence
									     : PRECEDENCE_FLASH));
	render_words(line, ".");
	render_end(line);
}

static const struct render_officer *find_officer(const struct render_names *names, uint64_t number)
{
	for (size_t i = 0; i < names->other_officers_count; i++)
		if (names->other_officers[i].number == number)
			return &names->other_officers[i];
	return NULL;
}

static void render_accepted(struct render_line *line, const struct render_names *names, uint64_t number)
{
	const struct render_officer *officer = find_officer(names, number);

	render_numbered(line);
	render_words(line, "We accept their officer ");
	render_number(line, number);
	if (officer == NULL || officer->key == NULL) {
		render_words(line, ", of whom nothing is known here.");
		render_end(line);
		return;
	}
	render_words(line, " with the key ");
	render_hex(line, officer->key);
	render_words(line, ": ");
	render_foreign(line, officer->name);
	if (officer->title.size != 0) {
		render_words(line, ", ");
		render_foreign(line, officer->title);
	}
	render_end(line);
}

static void render_agrement(struct render_line *line, const struct render_names *names,
			    const struct agrement_letter *agrement)
{
	render_numbered(line);
	render_words(line, "We accept officers of the party: ");
	render_party(line, names, agrement->party);
	render_end(line);
	for (size_t i = 0; i < agrement->officers_count; i++)
		render_accepted(line, names, agrement->officers[i]);
}

void render_letter(struct render_line *line, const struct render_names *names, const struct letter *letter)
{
	switch (letter->kind) {
	case LETTER_FOUNDING:
		render_founding(line, &letter->of.founding);
		break;
	case LETTER_POST:
		render_post_letter(line, &letter->of.post);
		break;
	case LETTER_OPENING:
		render_opening(line, names, &letter->of.opening);
		break;
	case LETTER_CREDENCE:
		render_credence(line, &letter->of.credence);
		break;
	case LETTER_AGREMENT:
		render_agrement(line, names, &letter->of.agrement);
		break;
	default:
		break; /* content_decode gave no other kind */
	}
	if (letter->reason.size != 0)
		render_quoted_text(line, "REASON", letter->reason);
	if (letter->condition.size != 0)
		render_quoted_text(line, "CONDITION", letter->condition);
}
