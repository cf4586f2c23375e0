#include "proto/sasl_mask.h"

#include "proto/base64.h"

enum { DISGUISES = 3, SECRET_MIN = 3 };

/* Padding may be missing in an echo, so it is no part of a disguise. */
static void encode_unpadded(struct buf *out, struct text in)
{
	base64_encode(out, in);
	while (out->end > out->start && out->data[out->end - 1] == '=')
		out->end--;
}

/* The secret as it is, as LOGIN sends it, and as PLAIN does. */
static void disguise(const struct sasl_credentials *who,
                     struct buf disguises[DISGUISES])
{
	struct buf plain = BUF_INIT(16 * 1024);

	for (int i = 0; i < DISGUISES; i++)
		buf_init(&disguises[i], 32 * 1024);
	buf_puts(&disguises[0], who->secret);
	encode_unpadded(&disguises[1], buf_text(&disguises[0]));
	buf_putc(&plain, '\0');
	buf_puts(&plain, who->username);
	buf_putc(&plain, '\0');
	buf_puts(&plain, who->secret);
	encode_unpadded(&disguises[2], buf_text(&plain));
	buf_wipe(&plain);
}

/* How many octets of a secret stand at the beginning of said. */
static size_t secret_at(const struct buf disguises[DISGUISES],
                        struct text said)
{
	for (int i = DISGUISES - 1; i >= 0; i--) {
		struct text secret = buf_text(&disguises[i]);
		size_t len = secret.len;

		if (len < SECRET_MIN || said.len < len ||
		    ((said.data[0] ^ secret.data[0]) & ~0x20) != 0 ||
		    !text_equal_nocase(text_make(said.data, len), secret))
			continue;
		while (i > 0 && len < said.len && said.data[len] == '=')
			len++;
		return len;
	}
	return 0;
}

void sasl_mask_secrets(const struct sasl_credentials *who, struct buf *out,
                       struct text said)
{
	struct buf disguises[DISGUISES];
	size_t len;

	disguise(who, disguises);
	while (said.len > 0) {
		len = secret_at(disguises, said);
		if (len > 0)
			buf_puts(out, "(masked)");
		else
			buf_putc(out, said.data[0]);
		said = text_skip(said, len > 0 ? len : 1);
	}
	for (int i = 0; i < DISGUISES; i++)
		buf_wipe(&disguises[i]);
}
