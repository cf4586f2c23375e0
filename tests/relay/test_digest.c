#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "relay/net/digest.h"

static void assert_digest(struct digest *digest, const char *hex)
{
	unsigned char out[DIGEST_SIZE];
	char text[2 * DIGEST_SIZE + 1];

	digest_end(&digest, out);
	assert_null(digest);
	for (unsigned i = 0; i < DIGEST_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", out[i]);
	assert_string_equal(text, hex);
}

/* FIPS 180-2, appendix B */
static void test_sha256(void **state)
{
	static const char words[] =
		"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	struct digest *digest = digest_new();

	(void)state;
	digest_add(digest, "abc", 3);
	assert_digest(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9c"
	                      "b410ff61f20015ad");
	for (size_t cut = 0; cut <= strlen(words); cut++) {
		digest = digest_new();
		digest_add(digest, words, cut);
		digest_add(digest, words + cut, strlen(words) - cut);
		assert_digest(digest,
		              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167"
		              "f6ecedd419db06c1");
	}
}

static void test_given_up(void **state)
{
	struct digest *digest = digest_new();

	(void)state;
	digest_add(digest, "abc", 3);
	digest_free(&digest);
	assert_null(digest);
	digest_free(&digest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
