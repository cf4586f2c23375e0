#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "relay/config/provider.h"
#include "relay/outbound/disposition.h"
#include "relay/report/catalogue.h"
#include "tests/support/bytes.h"
#include "tests/support/tempdir.h"

/* An account without a preset: words are recognised whoever says them. */
static struct config config;
static struct account_config account = { .host = (char *)"smtp.example.com",
	                                 .port = 465 };

static int load(void **state)
{
	char *error = NULL;

	(void)state;
	config.providers = providers_load(NULL, &error);
	config.catalogue = catalogue_load(NULL, NULL, &error);
	return config.catalogue == NULL;
}

static int unload(void **state)
{
	(void)state;
	catalogue_unref(&config.catalogue);
	providers_free(&config.providers);
	return 0;
}

/* Short names. */
enum {
	GREETING = SMTP_STAGE_GREETING,
	EHLO = SMTP_STAGE_EHLO,
	STARTTLS = SMTP_STAGE_STARTTLS,
	AUTH = SMTP_STAGE_AUTH,
	MAIL = SMTP_STAGE_MAIL,
	RCPT = SMTP_STAGE_RCPT,
	DATA = SMTP_STAGE_DATA,
	DATA_END = SMTP_STAGE_DATA_END,

	DONE = DISPOSITION_DONE,
	RETRY = DISPOSITION_RETRY,
	FAIL = DISPOSITION_FAIL,
	REWRITE = DISPOSITION_REWRITE,
	PAUSE = DISPOSITION_PAUSE,
	WAIT = DISPOSITION_WAIT,
	REST = DISPOSITION_REST,
};

/* What providers are known to say. */
static const struct {
	int stage, code;
	const char *status, *text;
	int action;
} replies[] = {
	/* Whoever may not log in keeps his mail. */
	{ AUTH, 535, "5.7.3", "Authentication unsuccessful", PAUSE },
	{ AUTH, 535, "5.7.139", "the user credentials were incorrect", PAUSE },
	{ AUTH, 535, "5.7.139",
	  "SmtpClientAuthentication is disabled for the Mailbox", PAUSE },
	{ AUTH, 535, "5.7.139",
	  "SmtpClientAuthentication is disabled for the Tenant", PAUSE },
	{ AUTH, 535, "5.7.139", "basic authentication is disabled", PAUSE },
	{ AUTH, 550, "5.7.30",
	  "Basic authentication is not supported for Client Submission", PAUSE },
	{ AUTH, 535, "5.7.139",
	  "the request did not meet the criteria to be authenticated", PAUSE },
	{ AUTH, 535, "5.7.139",
	  "user is locked by your organization's security defaults policy", PAUSE },
	{ AUTH, 535, "5.7.139", "account locked", PAUSE },
	{ AUTH, 535, "5.7.139",
	  "federated STS service was unreachable", WAIT },
	{ AUTH, 535, "5.7.139",
	  "the federated STS URL does not support HTTPS", PAUSE },
	{ MAIL, 530, "5.7.57", "Client not authenticated to send mail", PAUSE },
	{ MAIL, 530, "5.7.57",
	  "Client was not authenticated to send anonymous mail during MAIL", PAUSE },
	{ AUTH, 504, "5.7.4", "Unrecognized authentication type", PAUSE },
	{ AUTH, 451, "4.7.0",
	  "Temporary server error. Please try again later. PRX", WAIT },
	{ AUTH, 550, "5.2.1", "Mailbox cannot be accessed", PAUSE },
	{ AUTH, 535, "5.7.8", "Username and Password not accepted", PAUSE },
	{ AUTH, 534, "5.7.9", "Application-specific password required", PAUSE },
	{ AUTH, 534, "5.7.14", "Please log in via your web browser", PAUSE },
	{ AUTH, 454, "4.7.0", "Too many login attempts", REST },
	{ AUTH, 454, "4.7.0",
	  "Cannot authenticate due to temporary system problem", WAIT },
	{ MAIL, 530, "5.7.0", "Must issue a STARTTLS command first", PAUSE },
	{ MAIL, 530, "5.5.1", "Authentication Required", PAUSE },
	{ AUTH, 504, "5.7.4", "Unrecognized Authentication Type", PAUSE },
	{ AUTH, 535, NULL, "Authentication Credentials Invalid", PAUSE },
	{ AUTH, 535, NULL, "Account not subscribed to SES", PAUSE },
	{ MAIL, 530, NULL, "Authentication required", PAUSE },
	{ AUTH, 454, NULL, "Temporary authentication failure", WAIT },
	{ AUTH, 535, NULL,
	  "Authentication failed: Bad username / password", PAUSE },
	{ AUTH, 451, NULL, "Maximum credits exceeded", REST },
	{ AUTH, 535, "5.7.0", "Authentication failed", PAUSE },
	{ AUTH, 535, "5.7.8", "Invalid", PAUSE },
	{ AUTH, 535, "5.7.8", "No authentication type succeeded", PAUSE },
	{ AUTH, 525, "5.7.1", "Unauthorized IP address", PAUSE },
	{ AUTH, 535, "5.7.8", "Authentication failed", PAUSE },
	{ AUTH, 535, NULL, "Incorrect authentication data", PAUSE },
	{ AUTH, 535, NULL, "Authentication Failed", PAUSE },
	{ AUTH, 554, "5.1.8", "Sender Address Blocked", PAUSE },
	{ AUTH, 535, "5.7.3", "Authentication unsuccessful", PAUSE },
	{ AUTH, 535, "5.7.0", "authentication failed", PAUSE },
	{ AUTH, 535, "5.7.8", "authentication failed", PAUSE },
	{ AUTH, 535, "5.7.0", "Too many bad auth attempts", PAUSE },
	{ AUTH, 535, "5.7.0", "(#AUTH005)", PAUSE },
	{ AUTH, 535, "5.7.8",
	  "This user does not have access rights to this service", PAUSE },
	{ AUTH, 535, NULL, "authentication failed", PAUSE },
	{ AUTH, 535, "5.7.8", "authentication failed", PAUSE },
	{ AUTH, 525, "5.7.13", "Account disabled", PAUSE },
	{ AUTH, 534, "5.7.9", "Authentication mechanism is too weak", PAUSE },
	{ AUTH, 538, "5.7.11",
	  "Encryption required for requested authentication mechanism", PAUSE },
	{ AUTH, 454, "4.7.0", "Temporary authentication failure", WAIT },
	{ AUTH, 501, "5.5.2", "cannot decode response", PAUSE },
	{ AUTH, 503, "5.5.1", "Bad sequence of commands", PAUSE },
	{ AUTH, 535, "5.7.3", "Authentication unsuccessful", PAUSE },
	/* Nor does a provider that sends us away lose any. */
	{ EHLO, 421, "4.7.66", "TLS 1.0 and 1.1 are not supported", WAIT },
	{ EHLO, 421, "4.7.0", "Try again later, closing connection", REST },
	{ EHLO, 501, "5.5.4", "HELO/EHLO argument is invalid", WAIT },
	{ GREETING, 421, NULL, "Too many concurrent SMTP connections", REST },
	{ STARTTLS, 454, "4.7.0",
	  "TLS not available due to temporary reason", WAIT },
	{ STARTTLS, 454, "4.5.0",
	  "no commands allowed to pipeline after STARTTLS", WAIT },
	{ GREETING, 421, "4.4.5", "Too many concurrent connections", REST },
	{ GREETING, 554, NULL, "No SMTP service here", REST },
	/* For now. */
	{ DATA_END, 432, "4.3.2",
	  "Concurrent connections limit exceeded", REST },
	{ DATA_END, 432, "4.3.2", "sender thread limit exceeded", REST },
	{ RCPT, 432, "4.3.2", "recipient thread limit exceeded", RETRY },
	{ RCPT, 452, "4.5.3", "Too many recipients", RETRY },
	{ MAIL, 451, "4.7.500", "Server busy. Please try again later", REST },
	{ MAIL, 452, "4.3.1", "Insufficient system resources", RETRY },
	{ RCPT, 450, "4.2.1",
	  "Peak SMTP relay limit exceeded for customer", REST },
	{ RCPT, 450, "4.2.1", "is receiving mail too quickly", RETRY },
	{ RCPT, 452, "4.5.3", "Your message has too many recipients", RETRY },
	{ RCPT, 452, "4.5.3",
	  "Domain policy size per transaction exceeded", RETRY },
	{ MAIL, 421, "4.7.28", "unusual rate of", REST },
	{ DATA_END, 421, "4.7.28",
	  "quota for sending messages with the same Message-ID", RETRY },
	{ DATA, 451, "4.4.2", "Timeout - closing connection", RETRY },
	{ RCPT, 452, "4.2.2", "inbox is out of storage space", RETRY },
	{ DATA_END, 454, NULL,
	  "Throttling failure: Maximum sending rate exceeded", REST },
	{ DATA_END, 454, NULL,
	  "Throttling failure: Daily message quota exceeded", REST },
	{ DATA, 451, NULL, "Timeout waiting for data from client", RETRY },
	{ DATA_END, 421, NULL, "is not allowed to send", PAUSE },
	{ MAIL, 421, NULL, "Max message per connection reached", RETRY },
	{ RCPT, 452, "4.2.2", "over quota", RETRY },
	{ RCPT, 450, "4.7.1", "Greylisted", RETRY },
	{ RCPT, 452, "4.5.3", "Too many recipients", RETRY },
	{ MAIL, 421, "4.3.2",
	  "Service not available, closing transmission channel", RETRY },
	{ MAIL, 421, "4.4.2",
	  "Message submission rate for this client has exceeded the", RETRY },
	/* For good. */
	{ DATA_END, 550, "5.7.60",
	  "Client does not have permissions to send as this sender", REWRITE },
	{ DATA_END, 550, "5.7.1",
	  "Client does not have permissions to send as this sender", REWRITE },
	{ DATA_END, 554, "5.2.0", "SendAsDenied", REWRITE },
	{ RCPT, 554, "5.2.2",
	  "STOREDRV.Deliver.Exception:QuotaExceededException", FAIL },
	{ DATA_END, 550, "5.7.750",
	  "Client blocked from sending from unregistered domain", REWRITE },
	{ DATA_END, 550, "5.7.703",
	  "blocked by your organization's tenant recipient block policy", FAIL },
	{ DATA_END, 550, "5.7.512",
	  "message must be RFC 5322 section 3.6.2 compliant", REWRITE },
	{ DATA_END, 550, "5.1.20",
	  "Multiple From addresses are not allowed without Sender address", REWRITE },
	{ DATA_END, 550, "5.6.11", "Invalid characters", FAIL },
	{ RCPT, 550, "5.1.6",
	  "Recipient addresses in single label domains not accepted", FAIL },
	{ MAIL, 552, "5.3.4",
	  "Message size exceeds fixed maximum message size", FAIL },
	{ RCPT, 550, "5.7.133", "Sender not authenticated for group", FAIL },
	{ RCPT, 550, "5.1.10",
	  "Recipient address rejected: Access denied", FAIL },
	{ DATA_END, 550, "5.7.1", "Delivery not authorized", FAIL },
	{ DATA_END, 550, "5.7.509", "does not pass DMARC verification", FAIL },
	{ DATA_END, 552, "5.2.3",
	  "exceeded Google's message size limits", FAIL },
	{ DATA_END, 552, "5.7.0",
	  "blocked because its content presents a potential security issue", FAIL },
	{ DATA_END, 550, "5.7.1", "likely unsolicited mail", FAIL },
	{ DATA_END, 550, "5.7.1", "very low reputation of the sending", FAIL },
	{ DATA_END, 550, "5.7.26",
	  "senders to authenticate with either SPF or DKIM", FAIL },
	{ DATA_END, 550, "5.7.1",
	  "has a policy that prohibited the mail that you sent", FAIL },
	{ DATA_END, 550, "5.7.1", "is not RFC 5322 compliant", FAIL },
	{ RCPT, 550, "5.1.1",
	  "The email account that you tried to reach does not exist", FAIL },
	{ RCPT, 553, "5.1.2",
	  "We weren't able to find the recipient domain", FAIL },
	{ DATA_END, 554, NULL,
	  "Message rejected: Email address is not verified", REWRITE },
	{ DATA_END, 552, NULL, "Message is too long.", FAIL },
	{ MAIL, 553, NULL, "Invalid email address", REWRITE },
	{ DATA_END, 550, NULL,
	  "The from address does not match a verified Sender Identity", REWRITE },
	{ DATA_END, 550, NULL, "cannot parse to address", FAIL },
	{ DATA_END, 550, NULL, "Sender Signature", REWRITE },
	{ RCPT, 550, NULL, "marked as inactive", FAIL },
	{ MAIL, 550, "5.7.1", "Unconfigured Sending Domain", REWRITE },
	{ DATA_END, 550, "5.6.0", "JSON parsing error in X-MSYS-API", FAIL },
	{ DATA_END, 550, NULL, "From header sender domain not verified", REWRITE },
	{ MAIL, 550, NULL, "Sender not allowed", REWRITE },
	{ DATA_END, 550, NULL, "domain is not verified", REWRITE },
	{ MAIL, 553, NULL, "Relaying disallowed as", REWRITE },
	{ DATA_END, 551, "5.7.1",
	  "Not authorised to send from this header address", REWRITE },
	{ MAIL, 550, "5.7.0",
	  "From address is not one of your addresses", REWRITE },
	{ MAIL, 550, NULL, "Request failed; Mailbox unavailable", REWRITE },
	{ MAIL, 553, "5.7.1",
	  "Sender address rejected: not owned by auth user", REWRITE },
	{ MAIL, 550, NULL, "Sender address is not allowed", REWRITE },
	{ DATA_END, 554, NULL, "Reject due to policy restrictions", FAIL },
	{ RCPT, 553, "5.7.1",
	  "Sender address rejected: not owned by user", REWRITE },
	{ MAIL, 550, "5.1.8",
	  "Sender address rejected: Domain not found", REWRITE },
	{ MAIL, 501, "5.1.7", "Invalid address", REWRITE },
	{ RCPT, 550, "5.1.1", "User unknown", FAIL },
	{ RCPT, 556, "5.1.10", "Recipient address has a null MX", FAIL },
	{ DATA_END, 552, "5.7.1", "virus", FAIL },
	{ DATA_END, 554, "5.7.1", "spam", FAIL },
	{ DATA_END, 500, "5.5.2", "line too long", FAIL },
	/* The account's trouble, said to the message with a 5xx. */
	{ DATA_END, 550, "5.2.252",
	  "Sender throttled due to continuous send as denied errors", PAUSE },
	{ DATA_END, 550, "5.2.251",
	  "Sender throttled due to continuous mailbox full errors", PAUSE },
	{ DATA_END, 550, "5.2.253",
	  "Sender throttled due to continuous invalid license errors", PAUSE },
	{ DATA_END, 550, "5.2.254",
	  "Sender throttled due to continuous too many recipients errors", PAUSE },
	{ DATA_END, 550, "5.2.255",
	  "Sender throttled due to continuous invalid recipients errors", PAUSE },
	{ DATA_END, 554, "5.2.2",
	  "mailbox full; STOREDRV.Submission.Exception:QuotaExceededException",
	  PAUSE },
	{ DATA_END, 554, "5.2.0", "SubmissionQuotaExceeded", REST },
	{ DATA_END, 550, "5.1.90",
	  "reached your daily limit for message recipients", REST },
	{ DATA_END, 550, "5.7.233",
	  "tenant external recipient rate limit", REST },
	{ DATA_END, 550, "5.7.232",
	  "your trial tenant has exceeded its daily limit", REST },
	{ DATA_END, 554, "5.2.0", "OutboundSpamException", PAUSE },
	{ DATA_END, 550, "5.1.8", "bad outbound sender", PAUSE },
	{ DATA_END, 550, "5.7.501", "Access denied, banned sender", PAUSE },
	{ DATA_END, 550, "5.7.501", "Access denied, spam abuse detected", PAUSE },
	{ DATA_END, 550, "5.7.705", "tenant has exceeded threshold", PAUSE },
	{ DATA_END, 550, "5.7.708", "traffic not accepted from this IP", PAUSE },
	{ RCPT, 550, "5.5.3", "too many recipients", RETRY },
	{ RCPT, 554, "5.2.121",
	  "exceeded the limit for the number of messages they can send to this "
	  "recipient per hour", RETRY },
	{ RCPT, 550, "5.7.64", "TenantAttribution; Relay Access Denied", PAUSE },
	{ RCPT, 550, "5.7.68",
	  "TenantInboundAttribution; Direct Send not allowed", PAUSE },
	{ MAIL, 550, "5.4.5", "Daily user sending limit exceeded", REST },
	{ MAIL, 550, "5.4.5", "Daily SMTP relay limit exceeded for", REST },
	{ MAIL, 550, "5.7.0", "Mail relay denied", PAUSE },
	{ MAIL, 550, "5.7.0", "Mail Sending denied", PAUSE },
	{ RCPT, 550, "5.5.3", "Too many recipients for this sender", RETRY },
	{ DATA_END, 554, NULL,
	  "is not authorized to perform ses:SendRawEmail", PAUSE },
	{ MAIL, 550, NULL, "Unauthenticated senders not allowed", PAUSE },
	{ RCPT, 554, NULL,
	  "Sandbox subdomains are for test purposes only", PAUSE },
	{ DATA_END, 550, NULL, "Not allowed to send", PAUSE },
	{ RCPT, 550, "5.7.1", "relaying denied", PAUSE },
	{ RCPT, 550, NULL, "Relay access denied - please authenticate", PAUSE },
	{ DATA_END, 554, "5.7.1",
	  "Message rejected under suspicion of SPAM", REST },
	{ RCPT, 554, "5.7.1", "Relay access denied", PAUSE },
	/* Whatever else. */
	{ DATA_END, 250, "2.0.0", "Ok: queued as 12345", DONE },
	{ DATA_END, 250, NULL, "", DONE },
	{ RCPT, 250, "2.1.5", "Ok", DONE },
	{ RCPT, 251, NULL, "User not local; will forward", DONE },
	{ MAIL, 421, "4.7.0", "closing", RETRY },
	{ DATA, 451, NULL, "", RETRY },
	{ DATA_END, 450, "4.2.0", "later", RETRY },
	{ RCPT, 599, NULL, "", FAIL },
	{ DATA, 554, "5.5.1", "no valid recipients", FAIL },
	{ AUTH, 500, NULL, "", PAUSE },
	{ AUTH, 599, NULL, "", PAUSE },
	{ AUTH, 421, NULL, "", WAIT },
	/* RFC 5321 4.5.3.1.10: 552 to RCPT may mean too many recipients ... */
	{ RCPT, 552, NULL, "Too many recipients", RETRY },
	/* ... but no wait makes a message smaller. */
	{ RCPT, 552, "5.3.4", "Message size exceeds fixed limit", FAIL },
	{ MAIL, 552, "5.3.4", "Message size exceeds fixed limit", FAIL },
};

static bool is_id(const char *reason)
{
	return reason != NULL && strlen(reason) > 2 &&
	       strspn(reason, "abcdefghijklmnopqrstuvwxyz0123456789-") ==
	               strlen(reason);
}

static bool is_sentence(const char *words)
{
	return words != NULL && strlen(words) > 10 &&
	       strpbrk(words, "\r\n\t") == NULL &&
	       words[strlen(words) - 1] == '.';
}

static bool has_words(const struct disposition *disposition)
{
	if (disposition->action == DISPOSITION_DONE)
		return true;
	return is_id(disposition->reason) && disposition->title != NULL &&
	       is_sentence(disposition->explanation) &&
	       disposition->fix != NULL && strlen(disposition->fix) > 10 &&
	       strpbrk(disposition->fix, "\r\n\t") == NULL;
}

/* As the engine tells it: in a transaction, or as the end of the session. */
static struct disposition judge(int stage, const struct smtp_reply *reply)
{
	struct upstream_failure failure = {
		.kind = UPSTREAM_SMTP,
		.stage = (enum smtp_stage)stage,
		.problem = SMTP_PROBLEM_REFUSED,
		.reply = *reply,
	};

	if (stage >= MAIL && stage <= DATA_END)
		return disposition_of_reply(&config, &account,
		                            (enum smtp_stage)stage,
		                            SMTP_PROBLEM_NONE, reply);
	return disposition_of_failure(&config, &account, &failure);
}

static void test_what_providers_say(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(replies); i++) {
		struct smtp_reply reply = smtp_reply_make(
			replies[i].code, replies[i].status, replies[i].text);
		struct disposition disposition =
			judge(replies[i].stage, &reply);

		if ((int)disposition.action != replies[i].action ||
		    !has_words(&disposition)) {
			print_error("%d %s at %d: action %d, reason %s\n",
			            replies[i].code, replies[i].text,
			            replies[i].stage, disposition.action,
			            disposition.reason);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* The class that each reply must be in, whatever it says. */
static bool is_sound(int stage, int code, enum disposition_action action)
{
	bool positive = code / 100 == 2, transient = code / 100 == 4;

	if (stage < MAIL) /* never a message's fault, and never "done" */
		return action == DISPOSITION_WAIT ||
		       action == DISPOSITION_PAUSE ||
		       (transient && action == DISPOSITION_REST);
	if (positive)
		return action == DISPOSITION_DONE;
	if (transient || code / 100 == 3)
		return action == DISPOSITION_RETRY;
	if (stage == MAIL) /* who is refused may be the device's sender */
		return action == DISPOSITION_REWRITE ||
		       action == DISPOSITION_FAIL ||
		       action == DISPOSITION_PAUSE;
	return action == DISPOSITION_FAIL || action == DISPOSITION_PAUSE ||
	       action == DISPOSITION_RETRY || action == DISPOSITION_REWRITE;
}

static void test_every_code_at_every_stage(void **state)
{
	static const int stages[] = { GREETING, EHLO, STARTTLS, AUTH,
		                      MAIL,     RCPT, DATA,     DATA_END };
	static const char *const statuses[] = { NULL, "x.0.0", "x.7.1",
		                                "x.3.4", "x.5.3" };

	(void)state;
	for (size_t i = 0; i < COUNT(stages) * COUNT(statuses); i++) {
		for (int code = 200; code < 600; code++) {
			int stage = stages[i % COUNT(stages)];
			const char *status = statuses[i / COUNT(stages)];
			char word[8] = "";
			struct disposition disposition;
			struct smtp_reply reply;

			if (stage < MAIL && code < 400)
				continue;
			if (status != NULL)
				strcpy(word, status);
			word[0] = (char)('0' + code / 100);
			reply = smtp_reply_make(code, status ? word : NULL,
			                        "whatever");
			disposition = judge(stage, &reply);
			if (!is_sound(stage, code, disposition.action) ||
			    !has_words(&disposition))
				fail_msg("%d %s at stage %d: action %d", code,
				         word, stage, disposition.action);
		}
	}
}

/* No reply at all: the network's doing. */
static const struct {
	enum stream_end end;
	const char *words;
} ends[] = {
	{ STREAM_END_EOF, "the peer closed the connection" },
	{ STREAM_END_RESET, "connection reset by peer" },
	{ STREAM_END_RESET, NULL },
	{ STREAM_END_DNS, "unknown node or service" },
	{ STREAM_END_DNS, "temporary failure" },
	{ STREAM_END_CONNECT, "192.0.2.1:587: connection refused" },
	{ STREAM_END_CONNECT, "192.0.2.1:587: connection timed out" },
	{ STREAM_END_CONNECT, "network is unreachable" },
	{ STREAM_END_CONNECT, "" },
	{ STREAM_END_TLS, "certificate has expired" },
	{ STREAM_END_TLS, "certificate is not yet valid" },
	{ STREAM_END_TLS, "hostname mismatch" },
	{ STREAM_END_TLS, "unable to get local issuer certificate" },
	{ STREAM_END_TLS, "self-signed certificate" },
	{ STREAM_END_TLS, "self-signed certificate in certificate chain" },
	{ STREAM_END_TLS, "unable to verify the first certificate" },
	{ STREAM_END_TLS, "wrong version number" },
	{ STREAM_END_TLS, "tlsv1 alert protocol version" },
	{ STREAM_END_TLS, "unexpected eof while reading" },
	{ STREAM_END_TLS, NULL },
};

static void assert_failure(const struct upstream_failure *failure,
                           enum disposition_action action)
{
	struct disposition disposition = disposition_of_failure(&config, &account, failure);

	if (disposition.action != action || !has_words(&disposition))
		fail_msg("kind %d, stage %d, end %d, problem %d: action %d, "
		         "reason %s",
		         failure->kind, failure->stage, failure->end,
		         failure->problem, disposition.action,
		         disposition.reason);
}

/* Before the login it is the account's trouble, behind it the message's. */
static void test_what_the_network_does(void **state)
{
	static const int before[] = { GREETING, EHLO, STARTTLS, SMTP_STAGE_TLS,
		                      AUTH };
	static const int behind[] = { MAIL, RCPT, DATA, SMTP_STAGE_BODY,
		                      DATA_END };

	(void)state;
	for (size_t i = 0; i < COUNT(ends) * 5; i++) {
		struct upstream_failure failure = {
			.kind = UPSTREAM_STREAM,
			.stage = (enum smtp_stage)before[i % 5],
			.end = ends[i / 5].end,
			.words = ends[i / 5].words,
		};

		assert_failure(&failure, DISPOSITION_WAIT);
		if (failure.end > STREAM_END_RESET)
			continue;
		failure.stage = (enum smtp_stage)behind[i % 5];
		failure.logged_in = true;
		assert_failure(&failure, DISPOSITION_RETRY);
	}
	for (size_t i = 0; i < 5; i++) {
		struct upstream_failure failure = {
			.kind = UPSTREAM_TIMEOUT,
			.stage = (enum smtp_stage)before[i],
		};

		assert_failure(&failure, DISPOSITION_WAIT);
		failure.stage = (enum smtp_stage)behind[i];
		failure.logged_in = true;
		assert_failure(&failure, DISPOSITION_RETRY);
	}
}

/* Explanations that send the administrator to the right place. */
static const struct {
	enum stream_end end;
	const char *words, *told;
} hints[] = {
	{ STREAM_END_DNS, "unknown node or service", "dns" },
	{ STREAM_END_CONNECT, "connection refused", "firewall" },
	{ STREAM_END_TLS, "certificate has expired", "clock" },
	{ STREAM_END_TLS, "certificate is not yet valid", "clock" },
	{ STREAM_END_TLS, "hostname mismatch", "host" },
	{ STREAM_END_TLS, "unable to get local issuer certificate",
	  "tls_ca_file" },
	{ STREAM_END_TLS, "self-signed certificate", "tls_fingerprint" },
	{ STREAM_END_TLS, "wrong version number", "implicit" },
};

static void test_fixes_point_at_the_cause(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hints); i++) {
		struct upstream_failure failure = {
			.kind = UPSTREAM_STREAM,
			.stage = SMTP_STAGE_TLS,
			.end = hints[i].end,
			.words = hints[i].words,
		};
		struct disposition disposition =
			disposition_of_failure(&config, &account, &failure);

		if (text_find_nocase(text_of(disposition.fix),
		                     text_of(hints[i].told)) < 0)
			fail_msg("%s: %s", hints[i].words, disposition.fix);
	}
}

/* Whether it arrived nobody knows: that is said. */
static void test_silence_after_the_data_may_mean_two_copies(void **state)
{
	struct upstream_failure failure = { .kind = UPSTREAM_TIMEOUT,
		                            .stage = SMTP_STAGE_DATA_END,
		                            .logged_in = true };
	struct disposition unknown = disposition_of_failure(&config, &account, &failure);

	(void)state;
	assert_int_equal(unknown.action, DISPOSITION_RETRY);
	assert_true(text_find_nocase(text_of(unknown.explanation),
	                             TEXT("twice")) >= 0);
	failure.stage = SMTP_STAGE_MAIL;
	assert_string_not_equal(disposition_of_failure(&config, &account, &failure).reason,
	                        unknown.reason);
}

static const char *const problem_names[] = {
#define X(name, text) #name,
	SMTP_PROBLEM_MAP(X)
#undef X
};

/* No problem is no trouble, and none may be taken for success. */
static void test_every_problem_of_a_session(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(problem_names) * 2; i++) {
		struct upstream_failure failure = {
			.kind = UPSTREAM_SMTP,
			.stage = i % 2 == 0 ? SMTP_STAGE_EHLO : SMTP_STAGE_MAIL,
			.logged_in = i % 2 == 1,
			.problem = (enum smtp_problem)(i / 2),
		};
		struct disposition disposition =
			disposition_of_failure(&config, &account, &failure);

		if (disposition.action == DISPOSITION_DONE ||
		    !has_words(&disposition))
			fail_msg("%s: action %d", problem_names[i / 2],
			         disposition.action);
		/* Without login no message is given up. */
		if (i % 2 == 0)
			assert_int_not_equal(disposition.action,
			                     DISPOSITION_FAIL);
	}
}

static void test_every_problem_of_a_transaction(void **state)
{
	static const struct {
		enum smtp_problem problem;
		int code;
		const char *status;
	} ours[] = {
		{ SMTP_PROBLEM_ADDRESS, 0, NULL },
		{ SMTP_PROBLEM_ADDRESS, 553, "5.1.3" },
		{ SMTP_PROBLEM_TOO_BIG, 552, "5.3.4" },
		{ SMTP_PROBLEM_NO_8BITMIME, 554, "5.6.3" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(ours); i++) {
		struct smtp_reply reply =
			smtp_reply_make(ours[i].code, ours[i].status, "");
		struct disposition disposition = disposition_of_reply(
			&config, &account, SMTP_STAGE_MAIL, ours[i].problem, &reply);

		assert_int_equal(disposition.action, DISPOSITION_FAIL);
		assert_true(has_words(&disposition));
	}
}

/* RCPT ended the transaction, all were refused: DONE comes without a reply. */
static void test_no_reply_is_no_success(void **state)
{
	struct smtp_reply none = { 0 };

	(void)state;
	for (int stage = MAIL; stage <= DATA_END; stage++) {
		struct disposition disposition = disposition_of_reply(
			&config, &account, (enum smtp_stage)stage,
			SMTP_PROBLEM_NONE, &none);

		assert_int_equal(disposition.action, DISPOSITION_RETRY);
		assert_true(has_words(&disposition));
	}
}

/* --- whatever the catalogue says ------------------------------------------ */

/* Entries that would lose mail, were they believed. */
static const char greedy[] =
	"[any-code]\npattern = krzzt anywhere\ntitle = T\n"
	"explanation = It is krzzt.\nfix = Turn it off and on.\n"
	"disposition = reject-message\n"
	"[this-code]\ncode = 451\npattern = krzzt forever\ntitle = T\n"
	"explanation = It is krzzt.\nfix = Turn it off and on.\n"
	"disposition = reject-message\n"
	"[rewrites]\npattern = krzzt sender\ntitle = T\n"
	"explanation = It is krzzt.\nfix = Turn it off and on.\n"
	"disposition = rewrite-sender-and-retry\n"
	"[rests]\npattern = krzzt quickly\ntitle = T\n"
	"explanation = It is krzzt.\nfix = Turn it off and on.\n"
	"disposition = throttle\n"
	"[wrong-setting]\npattern = krzzt setting\ntitle = T\n"
	"explanation = It is krzzt.\nfix = Turn it off and on.\n"
	"disposition = config-error\n"
	"[no-failure]\npattern = krzzt gladly\ntitle = T\n"
	"explanation = It is krzzt.\nfix = Turn it off and on.\n"
	"disposition = none\n";

static void test_no_entry_loses_mail(void **state)
{
	static const struct {
		int stage, code;
		const char *text;
		int action;
	} rows[] = {
		{ DATA_END, 550, "krzzt anywhere", FAIL },
		{ DATA_END, 451, "krzzt anywhere", RETRY },
		{ RCPT, 450, "krzzt anywhere", RETRY },
		{ DATA_END, 451, "krzzt forever", FAIL },
		{ DATA_END, 452, "krzzt forever", RETRY },
		{ MAIL, 450, "krzzt sender", RETRY },
		{ MAIL, 550, "krzzt sender", REWRITE },
		{ DATA_END, 550, "krzzt gladly", RETRY },
		{ DATA_END, 550, "krzzt quickly", REST },
		{ DATA_END, 550, "krzzt setting", PAUSE },
		/* Before the login it is the account's trouble. */
		{ AUTH, 535, "krzzt anywhere", PAUSE },
		{ AUTH, 451, "krzzt forever", WAIT },
		{ AUTH, 535, "krzzt sender", PAUSE },
		{ AUTH, 535, "krzzt gladly", WAIT },
		{ AUTH, 535, "krzzt setting", PAUSE },
		{ AUTH, 454, "krzzt quickly", REST },
		{ GREETING, 554, "krzzt anywhere", WAIT },
		{ GREETING, 554, "krzzt setting", WAIT },
		{ EHLO, 550, "krzzt sender", WAIT },
		{ EHLO, 421, "krzzt quickly", REST },
	};
	char *error = NULL;
	struct catalogue *ours = config.catalogue;

	(void)state;
	tempdir_make();
	tempdir_write("greedy.ini", greedy);
	config.catalogue = catalogue_load(tempdir_path(""), NULL, &error);
	assert_non_null(config.catalogue);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct smtp_reply reply = smtp_reply_make(rows[i].code, NULL,
		                                          rows[i].text);
		struct disposition disposition = judge(rows[i].stage, &reply);

		if ((int)disposition.action != rows[i].action)
			fail_msg("%d %s at %d: action %d, reason %s",
			         rows[i].code, rows[i].text, rows[i].stage,
			         disposition.action, disposition.reason);
		if (disposition.action == DISPOSITION_REST)
			assert_true(disposition.wait_ms > 0);
	}
	catalogue_unref(&config.catalogue);
	config.catalogue = ours;
	tempdir_remove();
}

static void test_a_sender_that_cannot_be_replaced(void **state)
{
	struct smtp_reply reply = smtp_reply_make(
		550, "5.7.60",
		"SMTP; Client does not have permissions to send as this sender");
	struct disposition own, other;

	(void)state;
	own = disposition_of_refusal(&config, &account, SMTP_STAGE_DATA_END,
	                             &reply, true);
	other = disposition_of_refusal(&config, &account, SMTP_STAGE_DATA_END,
	                               &reply, false);
	assert_int_equal(own.action, DISPOSITION_PAUSE);
	assert_int_equal(other.action, DISPOSITION_FAIL);
	assert_string_equal(own.reason, "m365-send-as-denied-5760");
	assert_string_equal(other.reason, own.reason);
}

/* --- which entry ---------------------------------------------------------- */

static void test_the_host_tells_the_provider(void **state)
{
	struct account_config acs = {
		.host = (char *)"smtp.azurecomm.net" }, other = {
		.host = (char *)"smtp.office365.com" }, ses = {
		.host = (char *)"email-smtp.eu-central-1.amazonaws.com" };
	struct smtp_reply reply = smtp_reply_make(
		535, "5.7.3", "Authentication unsuccessful");
	struct upstream_failure failure = { .kind = UPSTREAM_SMTP,
		.stage = SMTP_STAGE_AUTH, .problem = SMTP_PROBLEM_REFUSED,
		.reply = reply };

	(void)state;
	assert_string_equal(
		disposition_of_failure(&config, &acs, &failure).reason,
		"acs-auth-failed");
	assert_string_equal(
		disposition_of_failure(&config, &other, &failure).reason,
		"m365-auth-unsuccessful");
	failure.reply = smtp_reply_make(
		535, NULL, "Authentication Credentials Invalid");
	assert_string_equal(
		disposition_of_failure(&config, &ses, &failure).reason,
		"ses-bad-credentials");
}

static void test_an_announced_wait_is_kept(void **state)
{
	static const struct {
		int code;
		const char *text;
		int action;
		int64_t wait_ms;
	} rows[] = {
		{ 451, "Greylisted, try again in 300 seconds", RETRY, 300000 },
		{ 550, "User a@b.c has exceeded its 24-hour sending limit. "
		       "Relay quota will reset in 2.5 hours.", REST, 9000000 },
		{ 432, "Concurrent connections limit exceeded. Retry-After: 77",
		  REST, 77000 },
		{ 550, "no such user, try again in 5 minutes", FAIL, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		struct smtp_reply reply = smtp_reply_make(rows[i].code, NULL,
		                                          rows[i].text);
		struct disposition told = judge(DATA_END, &reply);

		if ((int)told.action != rows[i].action ||
		    told.wait_ms != rows[i].wait_ms)
			fail_msg("%s: action %d, %lld ms", rows[i].text,
			         told.action, (long long)told.wait_ms);
	}
}

static void test_what_is_silent_is_named(void **state)
{
	static const struct {
		int kind, end, stage;
		uint16_t port;
		const char *words, *reason;
	} rows[] = {
		{ UPSTREAM_STREAM, STREAM_END_CONNECT, GREETING, 25,
		  "192.0.2.1:25: no answer within 30.0 s", "port-25-blocked" },
		{ UPSTREAM_STREAM, STREAM_END_CONNECT, GREETING, 587,
		  "192.0.2.1:587: connection timed out", "port-587-blocked" },
		{ UPSTREAM_STREAM, STREAM_END_CONNECT, GREETING, 465,
		  "192.0.2.1:465: connection timed out", "connect-timeout" },
		{ UPSTREAM_STREAM, STREAM_END_CONNECT, GREETING, 25,
		  "192.0.2.1:25: connection refused", "connect-refused" },
		{ UPSTREAM_STREAM, STREAM_END_DNS, GREETING, 587,
		  "there is no such host name", "dns-name-not-found" },
		{ UPSTREAM_STREAM, STREAM_END_DNS, GREETING, 587, "krzzt",
		  "dns-failed" },
		{ UPSTREAM_STREAM, STREAM_END_TLS, SMTP_STAGE_TLS, 587, "krzzt",
		  "tls-failed" },
		{ UPSTREAM_STREAM, STREAM_END_EOF, MAIL, 587,
		  "the peer closed the connection", "connection-lost" },
		{ UPSTREAM_STREAM, STREAM_END_EOF, DATA_END, 587,
		  "the peer closed the connection", "eof-after-data" },
		{ UPSTREAM_TIMEOUT, STREAM_END_EOF, GREETING, 587,
		  "no reply in time", "banner-timeout" },
		{ UPSTREAM_TIMEOUT, STREAM_END_EOF, RCPT, 587,
		  "no reply in time", "reply-timeout" },
		{ UPSTREAM_TIMEOUT, STREAM_END_EOF, DATA_END, 587,
		  "no reply in time", "eof-after-data" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct account_config at = account;
		struct upstream_failure failure = {
			.stage = (enum smtp_stage)rows[i].stage,
			.end = (enum stream_end)rows[i].end,
			.words = rows[i].words,
			.logged_in = rows[i].stage >= MAIL,
		};

		failure.kind = rows[i].kind;
		at.port = rows[i].port;
		assert_string_equal(
			disposition_of_failure(&config, &at, &failure).reason,
			rows[i].reason);
	}
}

static void test_a_copy_outlives_its_catalogue(void **state)
{
	char *error = NULL;
	struct config other = { .catalogue = catalogue_load(NULL, NULL, &error) };
	struct disposition kept = { 0 }, of = disposition_of_sender(&other);
	struct disposition done = { .action = DISPOSITION_DONE };

	(void)state;
	disposition_keep(&kept, &of, "a@b.example", "c@d.example");
	catalogue_unref(&other.catalogue);
	assert_string_equal(kept.reason, "sender-not-allowed");
	assert_non_null(strstr(kept.fix, "c@d.example"));
	disposition_keep(&kept, &done, NULL, NULL);
	assert_null(kept.fix);
	disposition_forget(&kept);
}

static void test_verdicts_that_no_reply_brings(void **state)
{
	const struct {
		struct disposition disposition;
		enum disposition_action action;
	} verdicts[] = {
		{ disposition_of_expiry(&config), DISPOSITION_FAIL },
		{ disposition_of_damage(&config), DISPOSITION_FAIL },
		{ disposition_of_unreadable(&config), DISPOSITION_RETRY },
		{ disposition_of_sender(&config), DISPOSITION_FAIL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(verdicts); i++) {
		assert_int_equal(verdicts[i].disposition.action,
		                 verdicts[i].action);
		assert_true(has_words(&verdicts[i].disposition));
	}
	/* store.h's recovery uses this very id. */
	assert_string_equal(disposition_of_damage(&config).reason, "body-damaged");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_providers_say),
		cmocka_unit_test(test_every_code_at_every_stage),
		cmocka_unit_test(test_what_the_network_does),
		cmocka_unit_test(test_fixes_point_at_the_cause),
		cmocka_unit_test(
			test_silence_after_the_data_may_mean_two_copies),
		cmocka_unit_test(test_every_problem_of_a_session),
		cmocka_unit_test(test_every_problem_of_a_transaction),
		cmocka_unit_test(test_no_reply_is_no_success),
		cmocka_unit_test(test_no_entry_loses_mail),
		cmocka_unit_test(test_a_sender_that_cannot_be_replaced),
		cmocka_unit_test(test_the_host_tells_the_provider),
		cmocka_unit_test(test_an_announced_wait_is_kept),
		cmocka_unit_test(test_what_is_silent_is_named),
		cmocka_unit_test(test_a_copy_outlives_its_catalogue),
		cmocka_unit_test(test_verdicts_that_no_reply_brings),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
