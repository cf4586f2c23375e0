/* Writes what the peers of transcripts say as seeds for fuzz_smtp_server and
 * fuzz_smtp_client:  fuzz_seeds FOLDER TRANSCRIPT... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/xalloc.h"
#include "tests/fuzz/fuzz_smtp.h"
#include "tests/support/transcript.h"

static bool has_word(const struct transcript *transcript, const char *setting,
		     const char *word)
{
	const char *text = transcript_setting(transcript, setting);

	return text != NULL && strstr(text, word) != NULL;
}

static unsigned char server_flags(const struct transcript *transcript)
{
	unsigned char flags = 0;

	if (has_word(transcript, "caps", "AUTH"))
		flags |= FUZZ_SERVER_AUTH;
	if (has_word(transcript, "caps", "STARTTLS"))
		flags |= FUZZ_SERVER_STARTTLS;
	if (has_word(transcript, "max_size", "") ||
	    has_word(transcript, "max_recipients", "") ||
	    has_word(transcript, "max_bad", ""))
		flags |= FUZZ_SERVER_TIGHT;
	if (has_word(transcript, "strict", ""))
		flags |= FUZZ_SERVER_STRICT;
	if (has_word(transcript, "any_login", "") ||
	    has_word(transcript, "single_line_ehlo", "") ||
	    has_word(transcript, "lf_end_of_data", ""))
		flags |= FUZZ_SERVER_KIND;
	if (has_word(transcript, "tls_required", "") ||
	    has_word(transcript, "login_required", ""))
		flags |= FUZZ_SERVER_REQUIRES;
	return flags;
}

static unsigned char client_flags(const struct transcript *transcript)
{
	unsigned char flags = 0;

	if (has_word(transcript, "tls", "starttls"))
		flags |= FUZZ_CLIENT_STARTTLS;
	if (has_word(transcript, "login", ""))
		flags |= FUZZ_CLIENT_LOGIN;
	if (!has_word(transcript, "pipelining", "no"))
		flags |= FUZZ_CLIENT_PIPELINING;
	if (has_word(transcript, "eager", ""))
		flags |= FUZZ_CLIENT_EAGER;
	return flags;
}

static void put(const char *path, struct text bytes)
{
	FILE *file = fopen(path, "w");

	if (file == NULL ||
	    fwrite(bytes.data, 1, bytes.len, file) != bytes.len ||
	    fclose(file) != 0) {
		perror(path);
		exit(EXIT_FAILURE);
	}
}

static void convert(const char *folder, const char *path)
{
	struct transcript *transcript = transcript_read(path);
	struct buf seed = BUF_INIT(SIZE_MAX);
	const char *slash = strrchr(path, '/');
	char *out =
		xasprintf("%s/%s", folder, slash == NULL ? path : slash + 1);

	buf_putc(&seed, '\0'); /* the step of fuzz_step() */
	buf_putc(&seed, (char)(transcript_is_of_client(transcript)
				       ? client_flags(transcript)
				       : server_flags(transcript)));
	buf_putc(&seed, '\0'); /* all answers are yes */
	transcript_input(transcript, &seed);
	put(out, buf_text(&seed));
	free(out);
	buf_free(&seed);
	transcript_free(&transcript);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: fuzz_seeds FOLDER TRANSCRIPT...\n");
		return EXIT_FAILURE;
	}
	mkdir(argv[1], 0777);
	for (int i = 2; i < argc; i++)
		convert(argv[1], argv[i]);
	return EXIT_SUCCESS;
}
