#include "proto/smtp_path_private.h"

#include <string.h>
#include "proto/smtp_syntax.h"

const char *smtp_path_repair_text(enum smtp_path_repair repair)
{
	static const char *const texts[] = {
#define X(name, text) [SMTP_PATH_REPAIR_BIT_##name] = text,
		SMTP_PATH_REPAIR_MAP(X)
#undef X
	};

	return repair < SMTP_PATH_REPAIRS ? texts[repair] : "";
}

/* RFC 5321 4.1.2:  A-d-l = At-domain *( "," At-domain )
 *                  At-domain = "@" Domain */
static bool is_route(struct text route)
{
	struct text hop;

	if (route.len == 0 || route.data[route.len - 1] == ',')
		return false;
	while (text_token(&route, ',', &hop))
		if (hop.len == 0 || hop.data[0] != '@' ||
		    !smtp_is_domain(text_skip(hop, 1)))
			return false;
	return true;
}

static const char *drop_route(struct smtp_path *path)
{
	struct text *address = &path->address, route = *address;
	const char *colon;

	if (address->len == 0 || address->data[0] != '@')
		return NULL;
	colon = memchr(address->data, ':', address->len);
	if (colon == NULL)
		return "The address has nothing before the @ sign";
	route.len = (size_t)(colon - address->data);
	if (!is_route(route))
		return "The source route before the address is malformed";
	*address = text_trim(text_skip(*address, route.len + 1));
	path->repairs |= SMTP_PATH_REPAIR(ROUTE);
	if (address->len == 0)
		return "There is no address after the source route";
	return NULL;
}

/* RFC 5321 4.1.2:  Local-part = Dot-string / Quoted-string */
static const char *check_local(struct smtp_path *path)
{
	struct text local = smtp_path_local(path);

	if (local.len == 0)
		return "The address has nothing before the @ sign";
	if (local.len > SMTP_LOCAL_MAX)
		return "The local part of the address is longer than 64 octets";
	if (smtp_is_dot_string(local) || smtp_is_quoted_string(local))
		return NULL;
	if (!smtp_is_loose_dot_string(local))
		return "The local part of the address is malformed";
	path->repairs |= SMTP_PATH_REPAIR(LOCAL_DOT);
	return NULL;
}

static const char *check_domain(struct smtp_path *path)
{
	struct text domain = smtp_path_domain(path);

	if (path->at == path->address.len)
		return NULL;
	if (domain.len == 0)
		return "The address has nothing behind the @ sign";
	if (domain.len > SMTP_DOMAIN_MAX)
		return "The domain of the address is longer than 255 octets";
	if (!smtp_is_domain(domain) && !smtp_is_address_literal(domain))
		return "The domain of the address is malformed";
	return NULL;
}

static void drop_final_dot(struct smtp_path *path)
{
	struct text domain = smtp_path_domain(path);

	if (domain.len < 2 || domain.data[domain.len - 1] != '.')
		return;
	path->address.len--;
	path->repairs |= SMTP_PATH_REPAIR(DOT);
}

static const char *check_bytes(struct text address)
{
	if (smtp_has_control(address))
		return "The address holds a control character";
	if (smtp_has_8bit(address))
		return "The address holds characters beyond ASCII, and "
		       "SMTPUTF8 is not offered";
	return NULL;
}

/* RFC 5321 has no address without a domain, so a quoted string alone is an
 * address in quotes. */
static void unquote_alone(struct smtp_path *path)
{
	struct text inside = path_unquote(path->address);

	if (path->at < path->address.len || inside.len == path->address.len)
		return;
	path->address = inside;
	path->at = path_find(inside, "@");
	path->repairs |= SMTP_PATH_REPAIR(WORDS);
}

/* address is set; find the parts and check them. */
static const char *check_mailbox(struct smtp_path *path)
{
	const char *error = check_bytes(path->address);

	if (error != NULL)
		return error;
	path->at = path_find(path->address, "@");
	if (path->at == SIZE_MAX)
		return "A quoted string in the address does not end";
	unquote_alone(path);
	drop_final_dot(path);
	error = check_local(path);
	if (error == NULL)
		error = check_domain(path);
	if (error == NULL && path->address.len + 2 > SMTP_PATH_MAX)
		error = "The address is longer than 254 octets";
	return error;
}

static struct text trim_and_note(struct text text, unsigned *repairs)
{
	struct text trimmed = text_trim(text);

	if (trimmed.len < text.len)
		*repairs |= SMTP_PATH_REPAIR(SPACE);
	return trimmed;
}

/* RFC 5321 4.1.2:  Path = "<" [ A-d-l ":" ] Mailbox ">" */
static const char *split_bracketed(struct text arg, struct smtp_path *path,
				   struct text *rest_r)
{
	size_t end;

	arg = text_skip(arg, 1);
	end = path_find(arg, ">");
	if (end == SIZE_MAX)
		return "A quoted string in the address does not end";
	if (end == arg.len)
		return "The address has no closing angle bracket";
	*rest_r = text_skip(arg, end + 1);
	if (rest_r->len > 0 && rest_r->data[0] != ' ' &&
	    rest_r->data[0] != '\t')
		return "A space belongs between the address and what follows";
	path->address = trim_and_note(text_make(arg.data, end), &path->repairs);
	return NULL;
}

static const char *split_bare(struct text arg, struct smtp_path *path,
			      struct text *rest_r)
{
	size_t end = path_find(arg, " \t");

	if (end == SIZE_MAX)
		return "A quoted string in the address does not end";
	if (end == 0)
		return "There is no address";
	path->address = text_make(arg.data, end);
	path->repairs |= SMTP_PATH_REPAIR(BRACKETS);
	*rest_r = text_skip(arg, end);
	return NULL;
}

static const char *read_as_written(struct text arg, struct smtp_path *path,
				   struct text *rest_r)
{
	bool bracketed = arg.len > 0 && arg.data[0] == '<';
	const char *error;

	if (!bracketed && path_is_phrase(arg))
		return "It is not clear which of the words is the address";
	error = bracketed ? split_bracketed(arg, path, rest_r)
			  : split_bare(arg, path, rest_r);
	if (error == NULL)
		error = drop_route(path);
	if (error == NULL && path->address.len > 0)
		error = check_mailbox(path);
	return error;
}

static bool read_among_words(struct text arg, struct smtp_path *path,
			     struct text *rest_r)
{
	unsigned repairs = path->repairs & SMTP_PATH_REPAIR(SPACE);
	struct text address, rest;

	if (!path_among_words(arg, &address, &rest))
		return false;
	*path = (struct smtp_path){
		.address = address,
		.repairs = repairs | SMTP_PATH_REPAIR(WORDS),
	};
	*rest_r = rest;
	return drop_route(path) == NULL && check_mailbox(path) == NULL;
}

bool smtp_path_parse(struct text arg, struct smtp_path *path_r,
		     struct text *rest_r, const char **error_r)
{
	const char *error;
	size_t rest_len;

	*path_r = (struct smtp_path){ .address = text_of("") };
	*rest_r = text_of("");
	if (arg.len > 0 && path_is_blank(arg.data[0]))
		path_r->repairs |= SMTP_PATH_REPAIR(SPACE);
	arg = text_trim(arg);
	error = read_as_written(arg, path_r, rest_r);
	if (error != NULL && read_among_words(arg, path_r, rest_r))
		error = NULL;
	*rest_r = text_trim(*rest_r);
	rest_len = rest_r->len;
	if (error == NULL && !path_skip_comments(rest_r))
		error = "A comment behind the address does not end";
	if (rest_r->len < rest_len)
		path_r->repairs |= SMTP_PATH_REPAIR(WORDS);
	*error_r = error;
	return error == NULL;
}

bool smtp_address_parse(struct text address, struct smtp_path *path_r)
{
	*path_r = (struct smtp_path){ .address = address };
	return check_mailbox(path_r) == NULL && path_r->repairs == 0 &&
	       path_r->at < path_r->address.len;
}

struct text smtp_path_local(const struct smtp_path *path)
{
	return text_make(path->address.data, path->at);
}

struct text smtp_path_domain(const struct smtp_path *path)
{
	return text_skip(path->address, path->at + 1);
}

bool smtp_path_is_null(const struct smtp_path *path)
{
	return path->address.len == 0;
}

bool smtp_path_is_postmaster(const struct smtp_path *path)
{
	return text_is(path->address, "postmaster");
}

bool smtp_path_equal(const struct smtp_path *a, const struct smtp_path *b)
{
	return text_equal(smtp_path_local(a), smtp_path_local(b)) &&
	       text_equal_nocase(smtp_path_domain(a), smtp_path_domain(b));
}
