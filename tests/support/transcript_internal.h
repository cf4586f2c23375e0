/*
 * transcript_internal -- a transcript in memory, and how one play of it goes.
 */
#ifndef TESTS_SUPPORT_TRANSCRIPT_INTERNAL_H
#define TESTS_SUPPORT_TRANSCRIPT_INTERNAL_H

#include "tests/support/transcript.h"

struct transcript_step {
	char kind;      /* C S D E ! ? */
	unsigned line;
	char *word;     /* of '!': the first word, else NULL */
	char *text;     /* as written; of '!', what follows the word */
	struct buf bytes; /* of C, S and D, without escapes */
};

struct transcript {
	char *path;
	bool is_client, one_piece;
	struct transcript_step *steps;
	size_t n_steps, n_settings; /* the settings are the first steps */
};

/* One way to play: the input is cut before byte cut, or everywhere. */
struct transcript_way {
	size_t cut;
	bool everywhere, late;
};

#define TRANSCRIPT_WHOLE SIZE_MAX

/* What the two engines' players do; a turn is what lies between. */
struct transcript_player {
	void *(*begin)(const struct transcript *transcript,
	               const struct transcript_way *way);
	void (*feed)(void *play, struct text piece);
	/* '!' and, for a client, 'D' */
	void (*act)(void *play, const struct transcript_step *step);
	/* Nothing more is put in; the turn's record is complete. */
	struct record *(*settle)(void *play);
	void (*ask)(void *play, const char *question, struct buf *answer);
	const char *(*broken)(void *play);
	struct text (*trace)(void *play);
	void (*end)(void *play);
};

extern const struct transcript_player transcript_server_player;
extern const struct transcript_player transcript_client_player;

/* Ends the test. */
void transcript_fail(const struct transcript *transcript, unsigned line,
                     const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));

/* The words of a line, at most max of them; returns their number. */
size_t transcript_words(const char *text, char **words_r, size_t max);
void transcript_words_free(char **words, size_t n);
/* "SIZE PIPELINING" as bits. */
unsigned transcript_caps(const char *words);
void transcript_unescape(struct buf *out, struct text text);
/* What the peer has said before the first step: empty without past_ehlo. */
void transcript_prologue(const struct transcript *transcript, struct buf *out);

#endif
