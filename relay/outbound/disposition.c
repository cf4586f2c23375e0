#include "relay/outbound/disposition.h"

#include <string.h>

/* ---- replies ---- */

/* Read from the top; the first row that fits decides.  code: a whole code, or
 * a class of one digit; status: a prefix, "" fits any. */
static const struct reply_row {
	unsigned stages;     /* bits of enum smtp_stage */
	int code;
	const char *status;
	struct disposition disposition;
} replies[] = {
#define AT(stage) (1u << SMTP_STAGE_##stage)
#define BEFORE_MAIL (AT(GREETING) | AT(EHLO) | AT(STARTTLS) | AT(TLS))
#define ENVELOPE (AT(MAIL) | AT(RCPT) | AT(DATA) | AT(DATA_END) | AT(BODY))
	{ ENVELOPE, 2, "", { DISPOSITION_DONE, NULL, NULL, NULL } },
	{ AT(AUTH), 4, "",
	  { DISPOSITION_WAIT, "login-deferred",
	    "The provider cannot check the login now.",
	    "Nothing to do: it is tried again by itself." } },
	{ AT(AUTH), 534, "",
	  { DISPOSITION_PAUSE, "login-refused",
	    "The provider wants another way of logging in than this password.",
	    "Make an app password for the account, put it into the "
	    "configuration and reload lanpost." } },
	{ AT(AUTH), 5, "",
	  { DISPOSITION_PAUSE, "login-refused",
	    "The provider refused the user name or the password.",
	    "Check username and password of the account, and that the "
	    "provider allows SMTP login for it; then reload lanpost." } },
	{ BEFORE_MAIL, 4, "",
	  { DISPOSITION_WAIT, "provider-busy",
	    "The provider does not take connections now.",
	    "Nothing to do unless it lasts: it is tried again by itself." } },
	{ BEFORE_MAIL, 5, "",
	  { DISPOSITION_WAIT, "provider-refuses",
	    "The provider refused the connection before any message.",
	    "Read its reply; check host and port of the account, hostname in "
	    "[relay], and whether your address is blocked." } },
	{ ENVELOPE, 530, "",
	  { DISPOSITION_PAUSE, "login-required",
	    "The provider wants a login before it takes mail.",
	    "Set username and password_file of the account; then reload "
	    "lanpost." } },
	{ AT(DATA_END), 550, "5.2.25",
	  { DISPOSITION_PAUSE, "account-blocked",
	    "The provider takes nothing from this account for a while, because "
	    "it had to refuse too many of its messages.",
	    "Mend what was refused before (see its reply and the earlier "
	    "failures); the block ends by itself, and lanpost tries again." } },
	{ ENVELOPE, 552, "5.3.4",
	  { DISPOSITION_FAIL, "too-big",
	    "The message is larger than the provider takes.",
	    "Lower the resolution or split the scan; max_message_size of the "
	    "account refuses such mail at the device already." } },
	/* RFC 5321 4.5.3.1.10: too many recipients, said with 552. */
	{ AT(RCPT), 552, "",
	  { DISPOSITION_RETRY, "too-many-recipients",
	    "The provider takes no more recipients in one message.",
	    "Nothing to do: the rest is tried again by itself." } },
	{ ENVELOPE, 554, "5.6.3",
	  { DISPOSITION_FAIL, "no-8bitmime",
	    "The provider takes only 7-bit mail, and the message holds 8-bit "
	    "text that may not be changed, because it is signed.",
	    "Let the device send quoted-printable or base64." } },
	{ AT(RCPT), 5, "",
	  { DISPOSITION_FAIL, "recipient-refused",
	    "The provider refused this recipient for good.",
	    "Check the address in the device's address book." } },
	{ AT(MAIL), 5, "",
	  { DISPOSITION_FAIL, "sender-refused",
	    "The provider refused the sender of the message.",
	    "Let the account send as itself (sender_policy = rewrite), or "
	    "allow the sender at the provider." } },
	{ ENVELOPE, 5, "",
	  { DISPOSITION_FAIL, "message-refused",
	    "The provider refused the message for good.",
	    "Read its reply: it says what it does not like." } },
	{ AT(RCPT), 4, "",
	  { DISPOSITION_RETRY, "recipient-deferred",
	    "The provider does not take mail for this recipient now.",
	    "Nothing to do: it is tried again by itself." } },
	{ ENVELOPE, 4, "",
	  { DISPOSITION_RETRY, "message-deferred",
	    "The provider does not take the message now.",
	    "Nothing to do unless it lasts: it is tried again by itself." } },
};

/* ---- senders ---- */

static const struct disposition sender_refused = {
	DISPOSITION_REWRITE, "sender-refused",
	"The provider does not let this account send as the sender of the "
	"message.",
	"Allow the sender at the provider (Send As), then change `senders` of "
	"the account; until then it sends as itself."
};

/* How providers say it; words in the text, "" fits any. */
static const struct sender_row {
	unsigned stages;
	int code;
	const char *status, *words;
} refused_senders[] = {
	/* Microsoft 365 and Exchange */
	{ ENVELOPE, 550, "5.7.60", "" },
	{ ENVELOPE, 550, "5.7.1", "permissions to send as this sender" },
	{ ENVELOPE, 554, "5.2.", "SendAsDenied" },
	{ AT(DATA_END), 550, "5.7.750", "" },
	{ AT(DATA_END), 550, "5.7.512", "" },
	{ AT(DATA_END), 550, "5.1.20", "Multiple From addresses" },
	/* iCloud, Yahoo, Yandex, GMX and its like, Zoho, Fastmail */
	{ ENVELOPE, 550, "5.7.0", "not one of your addresses" },
	{ AT(MAIL), 550, "", "Request failed; Mailbox unavailable" },
	{ AT(MAIL) | AT(RCPT), 553, "5.7.1", "not owned by" },
	{ ENVELOPE, 550, "", "Sender address is not allowed" },
	{ ENVELOPE, 553, "", "Relaying disallowed as" },
	{ ENVELOPE, 551, "5.7.1", "Not authorised to send from" },
	/* those that want a verified address or domain */
	{ ENVELOPE, 554, "", "Email address is not verified" },
	{ AT(MAIL), 553, "", "Invalid email address" },
	{ ENVELOPE, 550, "", "does not match a verified Sender Identity" },
	{ AT(DATA_END), 550, "", "cannot parse from address" },
	{ ENVELOPE, 550, "", "Sender Signature" },
	{ ENVELOPE, 550, "5.7.1", "Unconfigured Sending Domain" },
	{ ENVELOPE, 550, "", "sender domain not verified" },
	{ AT(MAIL) | AT(DATA_END), 550, "", "Sender not allowed" },
	{ AT(MAIL), 550, "", "Sender address rejected" },
	{ AT(DATA_END), 550, "", "domain is not verified" },
	/* any */
	{ ENVELOPE, 550, "5.1.8", "Sender address rejected" },
	{ AT(MAIL), 501, "5.1.7", "" },
	{ ENVELOPE, 550, "5.7", "not allowed to send as" },
	{ ENVELOPE, 553, "5.7", "not allowed to send as" },
};

static const struct disposition unheard_of = {
	DISPOSITION_RETRY, "protocol-error",
	"The provider answered with something that is no SMTP reply.",
	"Check host and port of the account: is that a mail server?"
};

static bool has_status(const struct smtp_reply *reply, const char *prefix)
{
	char status[16];

	smtp_status_string(&reply->status, status);
	return strncmp(status, prefix, strlen(prefix)) == 0;
}

static bool fits(const struct reply_row *row, enum smtp_stage stage,
                 const struct smtp_reply *reply)
{
	if (!(row->stages & 1u << stage))
		return false;
	if (row->code != (row->code < 10 ? reply->code / 100 : reply->code))
		return false;
	return has_status(reply, row->status);
}

static bool is_of_sender(enum smtp_stage stage, const struct smtp_reply *reply)
{
	const struct sender_row *row;
	size_t i;

	for (i = 0; i < sizeof refused_senders / sizeof *refused_senders; i++) {
		row = &refused_senders[i];
		if (row->stages & 1u << stage && row->code == reply->code &&
		    has_status(reply, row->status) &&
		    text_find_nocase(reply->text, text_of(row->words)) >= 0)
			return true;
	}
	return false;
}

struct disposition disposition_of_reply(enum smtp_stage stage,
                                        enum smtp_problem problem,
                                        const struct smtp_reply *reply)
{
	if (reply->code >= 500 && problem != SMTP_PROBLEM_ADDRESS &&
	    is_of_sender(stage, reply))
		return sender_refused;
	return disposition_of_refusal(stage, problem, reply);
}

bool disposition_is_of_account(const struct disposition *disposition)
{
	return disposition->action == DISPOSITION_PAUSE ||
	       disposition->action == DISPOSITION_WAIT;
}

struct disposition disposition_of_refusal(enum smtp_stage stage,
                                          enum smtp_problem problem,
                                          const struct smtp_reply *reply)
{
	size_t i;

	if (problem == SMTP_PROBLEM_ADDRESS)
		return (struct disposition){ DISPOSITION_FAIL, "bad-address",
			"An address of the message cannot be said in SMTP.",
			"Correct the address in the device." };
	for (i = 0; i < sizeof replies / sizeof *replies; i++) {
		if (fits(&replies[i], stage, reply))
			return replies[i].disposition;
	}
	return unheard_of;
}

/* ---- problems of a session ---- */

static const struct disposition problems[] = {
	[SMTP_PROBLEM_SYNTAX] = { DISPOSITION_WAIT, "protocol-error",
		"What answered is no mail server.",
		"Check host, port and tls of the account: port 465 wants tls = "
		"implicit, port 587 tls = starttls." },
	[SMTP_PROBLEM_UNEXPECTED] = { DISPOSITION_RETRY, "protocol-error",
		"The provider sent a reply that nothing had asked for.",
		"If it lasts, set pipelining = no for the account." },
	[SMTP_PROBLEM_NO_STARTTLS] = { DISPOSITION_WAIT, "no-starttls",
		"The server does not offer STARTTLS, so neither login nor mail "
		"was sent: it would travel in the clear.",
		"Check host and port of the account; a firewall or virus "
		"scanner in between may hide STARTTLS." },
	[SMTP_PROBLEM_INJECTION] = { DISPOSITION_WAIT, "starttls-injection",
		"Somebody between lanpost and the provider put words into the "
		"conversation before TLS began; nothing was sent.",
		"Look for a proxy or an attacker on the way to the provider." },
	[SMTP_PROBLEM_NO_AUTH] = { DISPOSITION_PAUSE, "no-login-offered",
		"The server offers no login though the account has a user name.",
		"Check host and port of the account: port 25 of many providers "
		"offers none, port 587 does." },
	[SMTP_PROBLEM_NO_MECHANISM] = { DISPOSITION_PAUSE, "no-login-mechanism",
		"The server offers no way of logging in that this account may "
		"use.",
		"Set auth of the account to what the server offers; an "
		"OAuth2-only server needs OAuth2." },
};

/* ---- the network ---- */

static const struct {
	enum stream_end end;
	const char *words;   /* in what the system said; NULL fits any */
	struct disposition disposition;
} network[] = {
	{ STREAM_END_DNS, NULL,
	  { DISPOSITION_WAIT, "dns-failed",
	    "The name of the provider's server could not be resolved.",
	    "Check host of the account and this machine's DNS." } },
	{ STREAM_END_CONNECT, "refused",
	  { DISPOSITION_WAIT, "connection-refused",
	    "The provider's address refuses connections on this port.",
	    "Check host and port of the account; a firewall may block "
	    "outgoing mail." } },
	{ STREAM_END_CONNECT, NULL,
	  { DISPOSITION_WAIT, "connection-failed",
	    "No connection to the provider could be made.",
	    "Check this machine's network, and that its firewall lets the "
	    "port out." } },
	{ STREAM_END_TLS, "expired",
	  { DISPOSITION_WAIT, "certificate-expired",
	    "The server's certificate has expired, so nothing was sent.",
	    "Check this machine's clock; else the provider must renew it." } },
	{ STREAM_END_TLS, "not yet valid",
	  { DISPOSITION_WAIT, "certificate-not-yet-valid",
	    "The server's certificate is not valid yet, so nothing was sent.",
	    "Check this machine's clock." } },
	{ STREAM_END_TLS, "hostname mismatch",
	  { DISPOSITION_WAIT, "certificate-name",
	    "The server's certificate is for another name, so nothing was "
	    "sent.",
	    "Set host of the account to the name in the certificate." } },
	{ STREAM_END_TLS, "wrong name",
	  { DISPOSITION_WAIT, "certificate-name",
	    "The server's certificate is for another name, so nothing was "
	    "sent.",
	    "Set host of the account to the name in the certificate." } },
	{ STREAM_END_TLS, "certificate",
	  { DISPOSITION_WAIT, "certificate-untrusted",
	    "The server's certificate is not signed by anyone this machine "
	    "trusts, so nothing was sent.",
	    "Install ca-certificates; for a server of your own set "
	    "tls_ca_file or tls_fingerprint of the account." } },
	{ STREAM_END_TLS, NULL,
	  { DISPOSITION_WAIT, "tls-failed",
	    "The TLS handshake with the provider failed.",
	    "Check host, port and tls of the account: port 465 wants tls = "
	    "implicit, port 587 tls = starttls." } },
	{ STREAM_END_EOF, NULL,
	  { DISPOSITION_RETRY, "connection-lost",
	    "The provider closed the connection in the middle.",
	    "Nothing to do unless it lasts: it is tried again by itself." } },
	{ STREAM_END_RESET, NULL,
	  { DISPOSITION_RETRY, "connection-lost",
	    "The connection to the provider broke.",
	    "Nothing to do unless it lasts: it is tried again by itself." } },
};

static struct disposition of_stream(const struct upstream_failure *failure)
{
	struct text words = text_of(failure->words);
	size_t i;

	for (i = 0; i < sizeof network / sizeof *network; i++) {
		if (network[i].end == failure->end &&
		    (network[i].words == NULL ||
		     text_find_nocase(words, text_of(network[i].words)) >= 0))
			return network[i].disposition;
	}
	return unheard_of;
}

static struct disposition of_timeout(const struct upstream_failure *failure)
{
	if (failure->stage == SMTP_STAGE_DATA_END)
		return (struct disposition){ DISPOSITION_RETRY,
			"outcome-unknown",
			"The provider did not say whether it took the message; "
			"it is sent again and may arrive twice.",
			"Nothing to do unless it lasts." };
	return (struct disposition){ DISPOSITION_RETRY, "timed-out",
		"The provider did not answer in time.",
		"Nothing to do unless it lasts; a firewall or virus scanner in "
		"between can be the cause." };
}

static struct disposition of_kind(const struct upstream_failure *failure)
{
	switch (failure->kind) {
	case UPSTREAM_STREAM:
		return of_stream(failure);
	case UPSTREAM_TIMEOUT:
		return of_timeout(failure);
	case UPSTREAM_SMTP:
		break;
	}
	if (failure->problem == SMTP_PROBLEM_REFUSED)
		return disposition_of_reply(failure->stage, failure->problem,
		                            &failure->reply);
	if (failure->problem < sizeof problems / sizeof *problems &&
	    problems[failure->problem].reason != NULL)
		return problems[failure->problem];
	return unheard_of;
}

/* What ends a session before the login is the account's trouble, not that of
 * the message that happened to wait for it. */
struct disposition disposition_of_failure(const struct upstream_failure *failure)
{
	struct disposition disposition = of_kind(failure);

	if (!failure->logged_in && disposition.action == DISPOSITION_RETRY)
		disposition.action = DISPOSITION_WAIT;
	return disposition;
}

/* ---- ours ---- */

struct disposition disposition_of_expiry(void)
{
	return (struct disposition){ DISPOSITION_FAIL, "expired",
		"The message could not be delivered within the time that "
		"`expire` gives it.",
		"See the reasons it was deferred for." };
}

struct disposition disposition_of_damage(void)
{
	return (struct disposition){ DISPOSITION_FAIL, "body-damaged",
		"The stored message is missing or damaged on disk; it was not "
		"sent.",
		"Check the disk; let the device send the message again." };
}

struct disposition disposition_of_unreadable(void)
{
	return (struct disposition){ DISPOSITION_RETRY, "spool-unreadable",
		"The stored message could not be read from disk now.",
		"Check the disk and the rights on the spool folder." };
}

struct disposition disposition_of_sender(void)
{
	return (struct disposition){ DISPOSITION_FAIL, "sender-refused",
		"The account may not send as the sender of this message.",
		"Set `senders` of the account, or sender_policy = rewrite." };
}
