#include "proto/dsn.h"

#include <string.h>

#include "proto/field_text.h"
#include "proto/mailbox.h"
#include "proto/plain.h"
#include "proto/quoted_printable.h"
#include "proto/rfc5322.h"
#include "proto/smtp_syntax.h"

enum {
	LINE_MAX_OCTETS = 998, /* RFC 5322 2.1.1, without CRLF */
	ADDRESS_MAX = 320,
	SUBJECT_MAX = 400,
	TO_MAX = 8 * 1024,
	TEXT_MAX = 1024 * 1024,
	STATUS_MAX = DSN_RECIPIENTS_MAX * 16 * 1024,
	HEADER_ROOM = 32 * 1024, /* all fields of ours fit into it */
};

/* ---- what an answer means ---- */

struct smtp_status dsn_status(const char *reply, bool expired)
{
	struct text text = text_of(reply);
	struct smtp_status status;
	unsigned class = 5;

	if (expired)
		return (struct smtp_status){ 4, 4, 7 };
	if (text.len > 0 && (text.data[0] == '4' || text.data[0] == '5'))
		class = (unsigned)(text.data[0] - '0');
	if (text.len > 4 && smtp_status_parse(text_skip(text, 4), &status) > 0 &&
	    status.class == class)
		return status;
	return (struct smtp_status){ class, 0, 0 };
}

/* ---- fields ---- */

static void put_ascii(struct buf *out, const char *string, size_t max)
{
	struct buf line = BUF_INIT(max + 4);
	struct text text;
	size_t i;

	plain_line(&line, text_of(string), max);
	text = buf_text(&line);
	for (i = 0; i < text.len; i++)
		buf_putc(out, text.data[i] & 0x80 ? '?' : text.data[i]);
	buf_free(&line);
}

static void fold(struct buf *out, const char *name, struct buf *value)
{
	field_fold(out, text_of(name), buf_text(value));
	buf_free(value);
}

/* "Name: type; value", where all of value must be ASCII. */
static void put_typed(struct buf *out, const char *name, const char *type,
		      const char *string)
{
	struct buf value = BUF_INIT(ADDRESS_MAX + 64);

	if (string == NULL)
		return;
	buf_puts(&value, type);
	put_ascii(&value, string, ADDRESS_MAX);
	fold(out, name, &value);
}

static void put_words(struct buf *out, const char *name, const char *type,
		      const char *string, size_t max)
{
	struct buf line = BUF_INIT(max + 64), value = BUF_INIT(8 * max + 64);

	buf_puts(&line, type);
	plain_line(&line, text_of(string), max);
	field_encode(&value, buf_text(&line));
	buf_free(&line);
	fold(out, name, &value);
}

static void put_date(struct buf *out, const char *name, int64_t seconds,
		     int offset_minutes)
{
	char date[40];

	rfc5322_date(date, seconds, offset_minutes);
	buf_printf(out, "%s: %s\r\n", name, date);
}

/* ---- the header ---- */

static void put_from(struct buf *out, const struct dsn_letter *letter)
{
	struct buf value = BUF_INIT(4096), address = BUF_INIT(ADDRESS_MAX + 4);

	put_ascii(&address, letter->from, ADDRESS_MAX);
	mailbox_print(&value, text_of(letter->from_name), buf_text(&address));
	buf_free(&address);
	fold(out, "From", &value);
}

static void put_to(struct buf *out, const struct dsn_letter *letter)
{
	struct buf value = BUF_INIT(TO_MAX);
	size_t i;

	for (i = 0; i < letter->n_to; i++) {
		if (i > 0)
			buf_puts(&value, ", ");
		put_ascii(&value, letter->to[i], ADDRESS_MAX);
	}
	fold(out, "To", &value);
}

/* RFC 5322 3.6.4, as far as it matters here. */
static bool is_message_id(struct text id)
{
	size_t i;

	if (id.len < 5 || id.len > FIELD_WORD_MAX || id.data[0] != '<' ||
	    id.data[id.len - 1] != '>')
		return false;
	for (i = 1; i + 1 < id.len; i++) {
		if (id.data[i] <= ' ' || id.data[i] >= 127 ||
		    id.data[i] == '<' || id.data[i] == '>')
			return false;
	}
	return true;
}

static void put_about(struct buf *out, const char *about)
{
	if (!is_message_id(text_of(about)))
		return;
	field_fold(out, text_of("In-Reply-To"), text_of(about));
	field_fold(out, text_of("References"), text_of(about));
}

static void put_header(struct buf *out, const struct dsn_letter *letter)
{
	put_date(out, "Date", letter->seconds, letter->offset_minutes);
	put_from(out, letter);
	put_to(out, letter);
	put_words(out, "Subject", "", letter->subject, SUBJECT_MAX);
	buf_printf(out, "Message-ID: <%s@%s>\r\n", letter->id,
		   letter->hostname);
	put_about(out, letter->about);
	buf_printf(out, "Auto-Submitted: %s\r\nMIME-Version: 1.0\r\n",
		   letter->auto_submitted);
}

/* ---- text ---- */

static bool is_sendable(struct text line)
{
	size_t i;

	if (line.len > LINE_MAX_OCTETS)
		return false;
	for (i = 0; i < line.len; i++) {
		if (line.data[i] < ' ' && line.data[i] != '\t')
			return false;
		if (line.data[i] == 127)
			return false;
	}
	return true;
}

/* Does it go as it is, each line ending in CRLF? */
static bool is_plain(struct text text)
{
	while (text.len > 0) {
		const char *end = memchr(text.data, '\n', text.len);
		size_t len = end == NULL ? 0 : (size_t)(end - text.data);

		if (len == 0 || text.data[len - 1] != '\r' ||
		    !is_sendable(text_make(text.data, len - 1)))
			return false;
		text = text_skip(text, len + 1);
	}
	return true;
}

static bool put_coded(struct buf *out, struct text text)
{
	struct quoted_printable qp;

	quoted_printable_init(&qp, false);
	return quoted_printable_add(&qp, text, out) &&
	       quoted_printable_finish(&qp, out);
}

/* The fields and lines of a body or part that is text. */
static bool put_text(struct buf *out, const char *type, struct text text)
{
	bool plain = is_plain(text);

	buf_printf(out,
		   "Content-Type: %s; charset=utf-8\r\n"
		   "Content-Transfer-Encoding: %s\r\n\r\n",
		   type, plain ? "7bit" : "quoted-printable");
	return plain ? buf_text_append(out, text) : put_coded(out, text);
}

static void with_crlf(struct buf *out, const char *lines)
{
	struct text rest = text_of(lines), line;

	while (text_token(&rest, '\n', &line)) {
		buf_text_append(out, line);
		buf_puts(out, "\r\n");
	}
}

/* ---- the parts of a report ---- */

static void put_diagnostic(struct buf *out, const char *reply)
{
	struct text text = text_of(reply);
	uint64_t code;

	if (reply == NULL)
		return;
	text.len = text.len < 3 ? 0 : 3;
	put_words(out, "Diagnostic-Code",
		  text_to_u64(text, &code) ? "smtp; " : "x-lanpost; ", reply,
		  DSN_REPLY_MAX);
}

static void put_recipient(struct buf *out, const struct dsn_letter *letter,
			  const struct dsn_recipient *recipient)
{
	char status[16];

	buf_puts(out, "\r\n");
	put_typed(out, "Original-Recipient", "rfc822; ", recipient->original);
	put_typed(out, "Final-Recipient", "rfc822; ", recipient->address);
	buf_printf(out, "Action: failed\r\nStatus: %s\r\n",
		   smtp_status_string(&recipient->status, status));
	put_typed(out, "Remote-MTA", "dns; ", recipient->host);
	put_diagnostic(out, recipient->reply);
	if (recipient->attempt_seconds != 0)
		put_date(out, "Last-Attempt-Date", recipient->attempt_seconds,
			 letter->offset_minutes);
}

static void put_status(struct buf *out, const struct dsn_letter *letter,
		       const struct dsn_report *report)
{
	size_t i;

	put_typed(out, "Reporting-MTA", "dns; ", letter->hostname);
	put_typed(out, "X-Lanpost-ID", "", report->id);
	put_date(out, "Arrival-Date", report->arrival_seconds,
		 letter->offset_minutes);
	for (i = 0; i < report->n_recipients && i < DSN_RECIPIENTS_MAX; i++)
		put_recipient(out, letter, &report->recipients[i]);
}

/* Whole fields, as many as there is room for, without the empty line. */
static struct text bounded_header(struct text header)
{
	struct text whole = text_make(header.data, 0);
	struct text rest = header;

	if (header.len >= 2 &&
	    memcmp(header.data + header.len - 2, "\r\n", 2) == 0 &&
	    (header.len == 2 ||
	     (header.len >= 4 && header.data[header.len - 3] == '\n')))
		header.len -= 2;
	for (rest = header; rest.len > 0;) {
		const char *end = memchr(rest.data, '\n', rest.len);
		size_t len = end == NULL ? rest.len
					 : (size_t)(end - rest.data) + 1;
		size_t so_far = (size_t)(rest.data - header.data) + len;

		if (so_far > DSN_HEADER_MAX)
			break;
		rest = text_skip(rest, len);
		if (rest.len == 0 ||
		    (rest.data[0] != ' ' && rest.data[0] != '\t'))
			whole.len = so_far;
	}
	return whole;
}

struct parts {
	struct buf text, status, header; /* with their MIME fields */
};

static bool fill_parts(struct parts *parts, const struct dsn_letter *letter,
		       const struct dsn_report *report)
{
	struct buf lines = BUF_INIT(TEXT_MAX);
	struct text header = bounded_header(report->header);
	bool ok;

	buf_puts(&parts->text, "Content-Description: Notification\r\n");
	with_crlf(&lines, letter->text);
	ok = put_text(&parts->text, "text/plain", buf_text(&lines));
	buf_free(&lines);
	buf_puts(&parts->status, "Content-Description: Delivery report\r\n"
				 "Content-Type: message/delivery-status\r\n"
				 "\r\n");
	put_status(&parts->status, letter, report);
	buf_puts(&parts->header,
		 "Content-Description: Header of the message\r\n");
	return put_text(&parts->header, "text/rfc822-headers", header) && ok;
}

static void free_parts(struct parts *parts)
{
	buf_free(&parts->text);
	buf_free(&parts->status);
	buf_free(&parts->header);
}

static bool holds(struct buf *part, const char *words)
{
	return text_find_nocase(buf_text(part), text_of(words)) >= 0;
}

/* RFC 2046 5.1.1:  a boundary must not appear inside any of the parts. */
static void choose_boundary(struct buf *boundary, struct parts *parts,
			    const char *id)
{
	unsigned n = 0;

	do {
		buf_clear(boundary);
		buf_printf(boundary, "lanpost-%s-%u", id, n++);
	} while (holds(&parts->text, buf_string(boundary)) ||
		 holds(&parts->status, buf_string(boundary)) ||
		 holds(&parts->header, buf_string(boundary)));
}

static bool put_part(struct buf *out, const char *boundary, struct buf *part)
{
	return buf_printf(out, "--%s\r\n", boundary) &&
	       buf_text_append(out, buf_text(part)) && buf_puts(out, "\r\n");
}

static bool put_parts(struct buf *out, struct parts *parts, const char *boundary,
		      bool has_header)
{
	return buf_printf(out,
			  "Content-Type: multipart/report; "
			  "report-type=delivery-status;\r\n"
			  "\tboundary=\"%s\"\r\n\r\n",
			  boundary) &&
	       put_part(out, boundary, &parts->text) &&
	       put_part(out, boundary, &parts->status) &&
	       (!has_header || put_part(out, boundary, &parts->header)) &&
	       buf_printf(out, "--%s--\r\n", boundary);
}

static bool put_report(struct buf *out, const struct dsn_letter *letter,
		       const struct dsn_report *report)
{
	struct parts parts = { BUF_INIT(4 * TEXT_MAX), BUF_INIT(STATUS_MAX),
			       BUF_INIT(8 * DSN_HEADER_MAX) };
	struct buf boundary = BUF_INIT(128);
	bool ok = fill_parts(&parts, letter, report);

	choose_boundary(&boundary, &parts, letter->id);
	ok = ok && put_parts(out, &parts, buf_string(&boundary),
			     report->header.len > 0);
	buf_free(&boundary);
	free_parts(&parts);
	return ok;
}

static bool put_letter(struct buf *out, const struct dsn_letter *letter)
{
	struct buf lines = BUF_INIT(TEXT_MAX);
	bool ok;

	with_crlf(&lines, letter->text);
	ok = put_text(out, "text/plain", buf_text(&lines));
	buf_free(&lines);
	return ok;
}

bool dsn_print(struct buf *out, const struct dsn_letter *letter,
	       const struct dsn_report *report)
{
	if (buf_room(out, HEADER_ROOM) == NULL)
		return false;
	put_header(out, letter);
	return report == NULL ? put_letter(out, letter)
			      : put_report(out, letter, report);
}
