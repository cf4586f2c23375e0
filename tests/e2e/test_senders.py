"""Who sends as whom, as an administrator would write it down: rules, devices
and several accounts.  Each provider takes its own senders only, in the words
of the real ones, so a wrong decision is a message that does not arrive."""

import email.header
import email.utils
import re
import smtplib

from e2e_providers import PracticeProvider
from e2e_tools import PASSWORD, free_port, loopback, wait_until
from lanpost_e2e import Lanpost, TestCase, main

OFFICE, GMAIL, SES = ("scanner@contoso.test", "shop@gmail.test",
                      "AKIAEXAMPLE")
COPIER, CAMERA, APP, OTHER = 10, 11, 12, 40


def only(*senders, refusal):
    """A script: these in MAIL FROM, and nobody else."""
    return "".join(f'stage=mail match="{one}" reply=ok\n' for one in senders
                   ) + f'stage=mail reply="{refusal}"\n'


class Site(TestCase):
    """Three providers, an own server in front of them."""

    SCRIPTS = {
        OFFICE: only("scanner@contoso.test", "invoices@contoso.test",
                     "boss@contoso.test", "*@branch.contoso.test",
                     refusal="550 5.7.60 SMTP; Client does not have "
                     "permissions to send as this sender"),
        GMAIL: only("shop@gmail.test", refusal="553 5.7.1 not yours"),
        SES: only("*@ses.test", refusal="554 Message rejected: Email address "
                  "is not verified."),
    }
    SENDERS = {OFFICE: "scanner@contoso.test, invoices@contoso.test, "
               "*@branch.contoso.test", GMAIL: None, SES: "noreply@ses.test, *@ses.test"}
    NAMES = {OFFICE: "office", GMAIL: "gmail", SES: "ses"}

    def site(self, more, relay=None, accounts=(OFFICE, GMAIL, SES)):
        """Start it all; more: the sections behind the accounts."""
        self.providers = {}
        text = ""
        for user in accounts:
            provider = PracticeProvider(self.ca, self.SCRIPTS[user], user=user)
            provider.user = user
            self.start(provider)
            self.providers[self.NAMES[user]] = provider
            text += self.section(provider, self.NAMES[user],
                                 self.SENDERS[user])
        self.app = (loopback(2), free_port(loopback(2)))
        text += "\n[listener app]\naddress = %s:%d\n" % self.app
        self.lanpost = Lanpost(relay=relay, listener={},
                               more=text + self.placed(more))
        (self.lanpost.folder / "password").write_text(PASSWORD + "\n", "utf-8")
        (self.lanpost.folder / "password").chmod(0o600)
        self.lanpost.more = self.lanpost.more.replace(
            "PASSWORD", str(self.lanpost.folder / "password"))
        return self.lanpost

    @staticmethod
    def section(provider, name, senders):
        keys = provider.account(senders=senders, password=None,
                                password_file="PASSWORD")
        return f"\n[account {name}]\n" + "".join(
            f"{key} = {value}\n" for key, value in keys.items())

    @staticmethod
    def placed(text):
        """{copier} and the like stand for addresses of this run."""
        for name, number in (("copier", COPIER), ("camera", CAMERA),
                             ("app", APP), ("other", OTHER)):
            text = text.replace("{%s}" % name, loopback(number))
        return text.replace("{floor}", loopback(0) + "/24")

    def hand_in(self, message, sender="printer@lan.test",
                to=("boss@example.test",), client=OTHER, address=None):
        """[replies to RCPT], and the reply to the dot or the last refusal."""
        smtp = self.lanpost.smtp(source=loopback(client)) if address is None \
            else self.connected(address, client)
        try:
            smtp.ehlo()
            code, text = smtp.docmd(f"MAIL FROM:<{sender}>")
            if code != 250:
                return [], f"{code} {text.decode()}"
            replies = []
            for one in to:
                code, text = smtp.docmd(f"RCPT TO:<{one}>")
                replies.append(f"{code} {text.decode()}")
            if not any(reply.startswith("250") for reply in replies):
                return replies, replies[-1]
            code, text = smtp.docmd("DATA")
            smtp.send(message.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
            code, text = smtp.getreply()
            return replies, f"{code} {text.decode()}"
        finally:
            smtp.close()

    @staticmethod
    def connected(address, client):
        return smtplib.SMTP(*address, local_hostname="device.lan",
                            source_address=(loopback(client), 0))

    def accepted(self, message, **how):
        """Hand it in; the id once it was taken."""
        _, reply = self.hand_in(message, **how)
        match = re.match(r"250 2\.0\.0 Queued as (\w+)", reply)
        self.assertTrue(match, reply)
        return match[1]

    def at(self, account, count=1):
        """The messages at an account's provider, once there are so many, and
        no provider has refused anything."""
        got = self.providers[account].wait_arrived(count)
        self.assertEqual(len(got), count)
        return got

    def person(self, arrived, field="From"):
        """[(display name, address)] of a field that stands there once."""
        values = arrived.get(field)
        self.assertLessEqual(len(values), 1, arrived.raw)
        if not values:
            return []
        return [(str(email.header.make_header(email.header.decode_header(name))),
                 address)
                for name, address in email.utils.getaddresses(values)]


def mail(sender, subject="hello", more=""):
    return (f"From: {sender}\r\nTo: Boss <boss@example.test>\r\n"
            f"Subject: {subject}\r\nDate: {email.utils.formatdate()}\r\n"
            f"Message-ID: <{abs(hash((sender, subject, more)))}@lan.test>\r\n"
            f"{more}\r\ntext\r\n").encode("utf-8")


RULES = """
[device copier]
address = {copier}
[device camera]
address = {camera}
[device floor]
address = {floor}

[rule no-cameras]
client = camera
to = *@competitor.test
reject = Cameras do not write to competitors; ask the porter

[rule cameras]
client = camera
account = gmail
send_as = "Gate, camera" <shop@gmail.test>
reply_to = none

[rule invoices]
from = billing@*
account = office
send_as = invoices@contoso.test
bcc = archive@contoso.test

[rule shop]
header_from = *@shop.test
account = ses
send_as = "Shop" <noreply@ses.test>
reply_to = support@shop.test

[rule boss]
client = copier
header_from = boss@contoso.test
account = office
on_behalf = yes

[rule helpdesk]
to = *@tickets.lan, help@example.test
to_rewrite = *@tickets.lan -> helpdesk@contoso.test, help@example.test -> helpdesk@contoso.test

[rule applications]
listener = app
account = ses
send_as = app@ses.test

[rule branch]
client = {app}, floor
from = *@branch.contoso.test
account = office

[rule short]
client = floor
add_domain = example.test
"""


class Rules(Site):
    def test_rules(self):
        """Each by its own sign, the first that matches."""
        self.site(RULES)
        self.start(self.lanpost)
        with self.subTest("client, send_as with a name, reply_to none"):
            self.accepted(mail("IPCam <cam@cam.lan>"), client=CAMERA,
                          sender="cam@cam.lan")
            (got,) = self.at("gmail")
            self.assertEqual(got.sender, "shop@gmail.test")
            self.assertEqual(self.person(got),
                             [("Gate, camera", "shop@gmail.test")])
            self.assertEqual(got.get("Reply-To"), [])
            self.assertEqual(got.recipients, ["boss@example.test"])
        with self.subTest("from, bcc"):
            identity = self.accepted(mail("Billing <billing@erp.lan.test>"),
                                     sender="billing@erp.lan.test")
            got = self.at_office(identity)
            self.assertEqual({m.sender for m in got}, {"invoices@contoso.test"})
            self.assertEqual(sorted(r for m in got for r in m.recipients),
                             ["archive@contoso.test", "boss@example.test"])
            for message in got:
                self.assertEqual(self.person(message),
                                 [("Billing", "invoices@contoso.test")])
                self.assertEqual(self.person(message, "Reply-To")[0][1],
                                 "billing@erp.lan.test")
                self.assertEqual(message.get("Bcc"), [])
                self.assertNotIn(b"archive@contoso.test", message.raw)
        with self.subTest("header_from, reply_to an address"):
            self.accepted(mail("Order desk <orders@shop.test>"),
                          sender="www-data@web.lan.test")
            (got,) = self.at("ses")
            self.assertEqual(got.sender, "noreply@ses.test")
            self.assertEqual(self.person(got), [("Shop", "noreply@ses.test")])
            self.assertEqual(self.person(got, "Reply-To")[0][1],
                             "support@shop.test")
        with self.subTest("on_behalf: From stays, Sender is the account"):
            identity = self.accepted(mail("The Boss <boss@contoso.test>"),
                                     sender="boss@contoso.test", client=COPIER)
            (got,) = self.at_office(identity)
            self.assertEqual(self.person(got),
                             [("The Boss", "boss@contoso.test")])
            self.assertEqual(self.person(got, "Sender")[0][1], OFFICE)
            self.assertEqual(got.sender, OFFICE)
        with self.subTest("listener"):
            self.accepted(mail("x <x@app.lan>"), address=self.app, client=APP)
            got = self.at("ses", 2)[-1]
            self.assertEqual(got.sender, "app@ses.test")
            self.assertEqual(self.person(got), [("x", "app@ses.test")])
        with self.subTest("a sender that a pattern of `senders` covers"):
            identity = self.accepted(mail("nas7@branch.contoso.test"),
                                     sender="nas7@branch.contoso.test")
            (got,) = self.at_office(identity)
            self.assertEqual(got.sender, "nas7@branch.contoso.test")
            self.assertEqual(self.person(got),
                             [("", "nas7@branch.contoso.test")])
            self.assertEqual(got.get("Reply-To"), [])
        self.said_nowhere_else()

    def at_office(self, identity):
        """The messages of one id at the office account."""
        self.lanpost.wait_event("delivered", id=identity)
        done = wait_until(lambda: [
            m for m in self.providers["office"].arrived()
            if f"id {identity};" in m.get("Received")[0]], identity,
            why=self.lanpost.log_text)
        return done

    def said_nowhere_else(self):
        self.assertEqual(self.lanpost.events("failed"), [])
        self.assertEqual(self.lanpost.events("deferred"), [])
        self.assertEqual(self.lanpost.events("account-paused"), [])

    def test_the_log_and_check_name_the_rule(self):
        self.site(RULES)
        self.start(self.lanpost)
        for rule, client, sender, listener in (
                ("cameras", CAMERA, "cam@cam.lan", None),
                ("invoices", OTHER, "billing@erp.lan.test", None),
                ("branch", OTHER, "nas7@branch.contoso.test", None),
                ("short", OTHER, "nas@lan.test", None)):
            with self.subTest(rule):
                done = self.lanpost.command("check", "--client",
                                            loopback(client), "--from", sender)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stdout, rf"\b{rule}\b")
                identity = self.accepted(mail(sender, rule), sender=sender,
                                         client=client)
                event = self.lanpost.wait_event("accepted", id=identity)
                self.assertEqual(event.get("rule"), rule, event.line)
                event = self.lanpost.wait_event("delivered", id=identity)
                self.assertEqual(event.get("rule"), rule, event.line)
        event = self.lanpost.events("accepted", rule="cameras")[0]
        self.assertEqual(event["device"], "camera")
        self.assertEqual(event["account"], "gmail")

    def test_reject(self):
        """550 5.7.1 with the administrator's words, and only for whom."""
        self.site(RULES)
        self.start(self.lanpost)
        replies, _ = self.hand_in(mail("c@cam.lan"), client=CAMERA, to=(
            "x@competitor.test", "boss@example.test"))
        self.assertRegex(replies[0], r"^550 5\.7\.1 .*Cameras do not write to "
                         "competitors; ask the porter")
        self.assertEqual(replies[1][:3], "250")
        (got,) = self.at("gmail")
        self.assertEqual(got.recipients, ["boss@example.test"])
        replies, _ = self.hand_in(mail("c@lan.test"), client=COPIER,
                                  to=("x@competitor.test",))
        self.assertEqual(replies[0][:3], "250")

    def test_to_rewrite_and_add_domain(self):
        self.site(RULES)
        self.start(self.lanpost)
        replies, reply = self.hand_in(mail("x@lan.test", "help"), to=(
            "printer-3@tickets.lan",))
        self.assertEqual(reply[:3], "250", (replies, reply))
        (got,) = self.at("office")
        self.assertEqual(got.recipients, ["helpdesk@contoso.test"])
        replies, reply = self.hand_in(mail("scanner", "short"),
                                      sender="scanner", to=("anna", "bert"))
        self.assertEqual([r[:3] for r in replies], ["250", "250"])
        self.assertEqual(reply[:3], "250", reply)
        got = self.at("office", 2)[-1]
        self.assertEqual(sorted(got.recipients),
                         ["anna@example.test", "bert@example.test"])

    def test_recipients_with_different_rules(self):
        """One message, several ways: each recipient once, by its account."""
        self.site("""
[rule a]
to = *@a.test
account = gmail
[rule b]
to = *@b.test
account = ses
send_as = "B" <b@ses.test>
[rule c]
to = *@c.test
reject = not to c
""")
        self.start(self.lanpost)
        replies, reply = self.hand_in(mail("Scan <scan@lan.test>"), to=(
            "1@a.test", "1@b.test", "1@c.test", "2@a.test", "1@d.test"))
        self.assertEqual([r[:3] for r in replies],
                         ["250", "250", "550", "250", "250"])
        self.assertEqual(reply[:3], "250", reply)
        (a,), (b,), (d,) = self.at("gmail"), self.at("ses"), self.at("office")
        self.assertEqual((a.sender, sorted(a.recipients)),
                         (GMAIL, ["1@a.test", "2@a.test"]))
        self.assertEqual((b.sender, b.recipients), ("b@ses.test", ["1@b.test"]))
        self.assertEqual((d.sender, d.recipients), (OFFICE, ["1@d.test"]))
        self.assertEqual(self.person(a), [("Scan", GMAIL)])
        self.assertEqual(self.person(b), [("B", "b@ses.test")])
        self.assertEqual(self.person(d), [("Scan", OFFICE)])
        ids = {m.get("Message-ID")[0] for m in (a, b, d)}
        self.assertEqual(len(ids), 1, "one message has several names")

    def test_a_rule_for_the_null_reverse_path(self):
        self.site("[rule bounces]\nfrom = <>\naccount = gmail\n"
                  "[rule rest]\naccount = office\n")
        self.start(self.lanpost)
        self.accepted(mail("x <x@lan.test>"), sender="")
        self.accepted(mail("x <x@lan.test>"), sender="x@lan.test")
        self.assertEqual(self.at("gmail")[0].sender, GMAIL)
        self.assertEqual(self.at("office")[0].sender, OFFICE)


class Recipes(Site):
    """The three that everybody needs, as the README has them."""

    def test_microsoft_365(self):
        """All devices as the one mailbox; answers reach the old sender."""
        self.site("", accounts=(OFFICE,))
        self.start(self.lanpost)
        self.accepted(mail("Copier <copier@printers.example.test>",
                           more="Return-Path: <copier@printers.test>\r\n"
                           "Sender: Copier <copier@printers.test>\r\n"
                           "Disposition-Notification-To: copier@printers."
                           "example.test\r\nDKIM-Signature: v=1; a=rsa-sha256; d=x.test; "
                           "s=a; h=from:to; bh=AA==; b=AA==\r\n"
                           "ARC-Seal: i=1; a=rsa-sha256; b=AA==\r\n"
                           "Bcc: secret@example.test\r\n"),
                      sender="copier@printers.test")
        (got,) = self.at("office")
        self.assertEqual(got.sender, OFFICE)
        self.assertEqual(self.person(got), [("Copier", OFFICE)])
        self.assertEqual(self.person(got, "Reply-To")[0][1],
                         "copier@printers.example.test")
        for name in ("Return-Path", "DKIM-Signature", "ARC-Seal", "Bcc"):
            self.assertEqual(got.get(name), [], name)
        for _, address in self.person(got, "Sender"):
            self.assertEqual(address, OFFICE)
        self.assertEqual(self.person(got, "Disposition-Notification-To"),
                         [("", "copier@printers.example.test")],
                         "a receipt goes where an answer goes")

    def test_senders_that_the_provider_allows_stay(self):
        self.site("", accounts=(OFFICE,))
        self.start(self.lanpost)
        for address in ("Invoices@Contoso.Test", "x@branch.contoso.test"):
            identity = self.accepted(
                mail(f"Kept <{address}>",
                     more="DKIM-Signature: v=1; b=AA==\r\n"), sender=address)
            self.lanpost.wait_event("delivered", id=identity)
        for got in self.at("office", 2):
            self.assertIn("Kept <", got.get("From")[0])
            self.assertEqual(got.get("Reply-To"), [])
            self.assertEqual(got.get("DKIM-Signature"), ["v=1; b=AA=="],
                             "nothing was changed, so the signature stays")

    def test_patterns_are_not_prefixes(self):
        """`*@branch.contoso.test` covers that domain and nothing like it."""
        self.site("", accounts=(OFFICE,))
        self.start(self.lanpost)
        for address in ("x@branch.contoso.test.evil.test",
                        "x@evil-branch.contoso.test.", "x@xbranch.contoso.test",
                        "invoices@contoso.test@evil.test",
                        "xinvoices@contoso.test"):
            with self.subTest(address):
                _, reply = self.hand_in(mail(f"<{address}>"),
                                        sender="p@lan.test")
                self.assertEqual(reply[:3], "250", reply)
        for got in self.at("office", 5):
            self.assertEqual(got.sender, OFFICE)
            self.assertEqual([a for _, a in self.person(got)], [OFFICE])

    def test_ses(self):
        """A user name that is no address: the rule says as whom."""
        self.site('[rule all]\nsend_as = "Plant" <plant@ses.test>\n',
                  accounts=(SES,))
        self.start(self.lanpost)
        self.accepted(mail("root@plc.lan"), sender="root")
        (got,) = self.at("ses")
        self.assertEqual(got.sender, "plant@ses.test")
        self.assertEqual(self.person(got), [("Plant", "plant@ses.test")])

    def test_policies(self):
        for policy, reply, sender in (("rewrite", "250", OFFICE),
                                      ("pass", "250", "x@foreign.test"),
                                      ("reject", "550", None)):
            with self.subTest(policy):
                provider = PracticeProvider(self.ca)
                self.start(provider)
                lanpost = self.lanpost = self.start(Lanpost(
                    account=provider.account(sender_policy=policy)))
                _, got = self.hand_in(mail("X <x@foreign.test>"),
                                      sender="x@foreign.test", client=1)
                self.assertEqual(got[:3], reply, got)
                if sender is None:
                    self.assertIn("5.7.1", got)
                    self.assertEqual(lanpost.events("accepted"), [])
                    continue
                (arrived,) = provider.wait_arrived()
                self.assertEqual(arrived.sender, sender)
                self.assertEqual([a for _, a in self.person(arrived)], [sender])


# What a hostile device puts into a name, and the name that is to come out.
NAMES = [
    (b'"a\\" <evil@x.test>, \\"b"', 'a" <evil@x.test>, "b'),
    (b'=?utf-8?Q?a=0D=0ABcc:_victim@example.test?=', None),
    (b'=?utf-8?B?YQ0KQmNjOiB2aWN0aW1AZXhhbXBsZS50ZXN0?=', None),
    (b'=?utf-8?Q?=22=2C_=3Cevil=40x.test=3E?=', '", <evil@x.test>'),
    (b'=?utf-8?Q?a=00b?=', None),
    (b'"boss@bank.test"', "boss@bank.test"),
    (b'boss@bank.test', "boss@bank.test"),
    (b'=?utf-8?Q?boss=40bank.test?=', "boss@bank.test"),
    (b'"Doe, John (2nd floor)"', "Doe, John (2nd floor)"),
    (b'M\xfcller & S\xf6hne', "Müller & Söhne"),
    ("Küche".encode(), "Küche"),
    (b'"back\\\\slash"', "back\\slash"),
    (b'=?utf-8?Q?' + b"=C3=A4" * 150 + b'?=', "ä" * 150),
    (b'=?utf-8?Q?=E2=80=AEevil?=', None),
    (b'=?us-ascii?Q?=3D=3Futf-8=3FQ=3F=0D=0AX=3A_y=3F=3D?=', None),
    (b'"\r\n Bcc: victim@example.test"', None),
    (b'a\r\n =?utf-8?Q?=0ABcc:_x?=\r\n b', None),
]


class Injection(Site):
    KNOWN = {"received", "from", "to", "subject", "date", "message-id",
             "reply-to", "x-original-from", "mime-version", "content-type",
             "content-transfer-encoding"}

    def fields(self, arrived):
        return {name.decode().lower() for name, _ in arrived.fields}

    def test_display_names(self):
        """A name can be anything; it stays a name."""
        provider = self.start(PracticeProvider(self.ca))
        self.lanpost = self.start(Lanpost(account=provider.account()))
        for number, (name, _) in enumerate(NAMES):
            self.accepted(mail("?", f"n{number}").replace(
                b"From: ?", b"From: " + name + b" <x@lan.example>"), client=1)
        arrived = {m.get("Subject")[0]: m
                   for m in provider.wait_arrived(len(NAMES))}
        for number, (name, wanted) in enumerate(NAMES):
            with self.subTest(name):
                got = arrived[f"n{number}"]
                self.assertLessEqual(self.fields(got), self.KNOWN)
                self.assertEqual(got.recipients, ["boss@example.test"])
                ((shown, address),) = self.person(got)
                self.assertEqual(address, OFFICE)
                self.assertNotRegex(shown, "[\0-\x1f\x7f]")
                if wanted is not None:
                    self.assertEqual(shown, wanted)
                raw = got.get("From")[0]
                self.assertTrue(raw.isascii() and raw.isprintable(), raw)
                for _, reply_to in self.person(got, "Reply-To"):
                    self.assertEqual(reply_to, "x@lan.example")

    def test_from_fields(self):
        """From that is not one mailbox: one goes out, and it is the account."""
        provider = self.start(PracticeProvider(self.ca))
        self.lanpost = self.start(Lanpost(account=provider.account()))
        many = ", ".join(f"a{n}@x.test" for n in range(500))
        fields = [
            "", " ", "<>", "@", "a@", "@b", "<a@b", "a@b>", "a b c", "()",
            "a@x.test, b@x.test", "Group: a@x.test, b@x.test;", "Empty:;",
            many, many.replace(", ", ",\r\n "), "<@r.test,@s.test:a@x.test>",
            "<<a@x.test>>", "a@[192.0.2.1]", '"a@b"@x.test', "a(c(d(e)))@x.test",
            "(" * 30 + ")" * 30 + " a@x.test", "=?utf-8?Q?a=40x.test?=",
            "a@x.test\r\n\t", "\r\n a@x.test", "a@x.test;b@x.test",
            "undisclosed-recipients:;", "a@x.test (", '"unclosed <a@x.test>',
            "a@x.test\x01", "a@x.test\x7f<b@y.test>", "\xff\xfe <a@x.test>",
        ]
        for number, value in enumerate(fields):
            self.accepted(
                b"From: " + value.encode("latin-1") + b"\r\nSubject: f%d\r\n"
                b"Bcc: hidden@example.test\r\nTo: b@example.test\r\n\r\nx"
                % number, client=1)
        arrived = {m.get("Subject")[0]: m
                   for m in provider.wait_arrived(len(fields))}
        for number, value in enumerate(fields):
            with self.subTest(value[:60]):
                got = arrived[f"f{number}"]
                self.assertLessEqual(self.fields(got), self.KNOWN)
                self.assertEqual([a for _, a in self.person(got)], [OFFICE])
                self.assertEqual(got.sender, OFFICE)
                self.assertNotIn(b"hidden@example.test", got.raw)
                head = got.raw.partition(b"\r\n\r\n")[0]
                self.assertNotRegex(head, rb"[^\t\r\n -~]")
                for original in got.get("X-Original-From"):
                    self.assertLessEqual(len(original), 998)

    def test_parts_are_within_the_spool(self):
        """One message for each rule, and a body for each: counted before."""
        provider = self.start(PracticeProvider(self.ca))
        self.lanpost = self.start(Lanpost(
            account=provider.account(), relay={"max_spool_size": "1M"},
            more="".join(f"[rule r{n}]\nto = r{n}@*\n" for n in range(50))))
        message = mail("x@lan.test") + b"x" * 70 + (b"\r\n" + b"y" * 70) * 700
        everybody = tuple(f"r{n}@example.test" for n in range(50))
        _, reply = self.hand_in(message, to=everybody, client=1)
        self.assertIn("452 4.3.1 The spool is full", reply)
        self.accepted(message, to=everybody[:3], client=1)
        self.assertEqual(len(provider.wait_arrived(3)), 3)

    def test_nobody_slips_in_beside_a_sender(self):
        """Each address in From is asked about, not the first alone."""
        for policy in ("rewrite", "reject", "pass"):
            provider = self.start(PracticeProvider(self.ca))
            self.lanpost = self.start(Lanpost(account=provider.account(
                senders="ceo@x.test", sender_policy=policy)))
            for value in ("ceo@x.test, boss@bank.test",
                          "Team: ceo@x.test, boss@bank.test;"):
                self.accepted(mail(value, "both"), sender="ceo@x.test", client=1)
            for got in provider.wait_arrived(2):
                with self.subTest(policy=policy):
                    shown = [a for _, a in self.person(got)]
                    self.assertEqual(got.sender, "ceo@x.test")
                    self.assertEqual("boss@bank.test" in shown,
                                     policy == "pass")
                    self.assertIn("ceo@x.test", shown)

    def test_envelope(self):
        """Control characters in an envelope field: 501, never passed on."""
        self.site("", accounts=(OFFICE,))
        self.start(self.lanpost)
        client = self.lanpost.raw()
        client.ask("EHLO x")
        for bad in (b"a\0b@x.test", b"a\x01b@x.test", b"a\x7f@x.test",
                    b"a\rb@x.test", b'"a\x0b"@x.test', b"a@x\x1b[1m.test"):
            for verb in (b"MAIL FROM:", b"RCPT TO:"):
                if verb == b"RCPT TO:":
                    client.ask("MAIL FROM:<p@lan.test>")
                with self.subTest(verb + bad):
                    client.send(verb + b"<" + bad + b">\r\n")
                    self.assertRegex(client.reply(), r"^50[01] 5\.")
                    self.assertEqual(client.ask("RSET")[:3], "250")
        client.close()
        self.assertEqual(self.lanpost.events("accepted"), [])


class Recipients(Site):
    def test_lists_and_single_labels(self):
        self.site("", accounts=(OFFICE,))
        self.start(self.lanpost)
        client = self.lanpost.raw()
        client.ask("EHLO x")
        client.ask("MAIL FROM:<p@lan.test>")
        with self.subTest("a list"):
            self.assertRegex(client.ask(
                "RCPT TO:<a@example.test;b@example.test; c@example.test>"),
                "^250")
            self.assertRegex(client.ask(
                'RCPT TO:<"x;y,z"@example.test>'), "^250")
        for single in ("anna@nas", "anna@localhost", "anna"):
            with self.subTest(single):
                reply = client.ask(f"RCPT TO:<{single}>")
                self.assertRegex(reply, r"^550 5\.1\.[36] .*domain")
        with self.subTest("the worst answer for a list; the good ones stay"):
            self.assertRegex(client.ask("RCPT TO:<d@example.test,e@nas>"),
                             "^550 5[.]1[.]6 ")
        with self.subTest("source routes and quoted local parts"):
            self.assertRegex(client.ask(
                "RCPT TO:<@r.test,@s.test:route@example.test>"), "^250")
            self.assertRegex(client.ask(
                'RCPT TO:<"a@b"@example.test>'), "^250")
        client.ask("DATA")
        client.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        self.assertEqual(client.reply()[:3], "250")
        client.close()
        (got,) = self.at("office")
        self.assertEqual(got.recipients, [
            "a@example.test", "b@example.test", "c@example.test",
            '"x;y,z"@example.test', "d@example.test", "route@example.test",
            '"a@b"@example.test'])
        event = self.lanpost.wait_event("repaired")
        self.assertIn("several recipients in one command", event["repairs"])

    def test_semicolons_in_the_header(self):
        """To with semicolons is mended, since the provider reads it."""
        self.site("", accounts=(OFFICE,))
        self.start(self.lanpost)
        self.accepted(mail("p@lan.test").replace(
            b"To: Boss <boss@example.test>",
            b"To: a@example.test; Bee <b@example.test>;c@example.test"))
        (got,) = self.at("office")
        self.assertEqual(
            [address for _, address in self.person(got, "To")],
            ["a@example.test", "b@example.test", "c@example.test"])


class Check(Site):
    def test_shadowed_rules(self):
        """`check` names a rule that never matches."""
        self.site("[rule all]\naccount = office\n"
                  "[rule late]\nclient = {copier}\naccount = gmail\n")
        self.lanpost.write_config()
        done = self.lanpost.command("check")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout + done.stderr,
                         r"(?i)\blate\b.*never|never.*\blate\b")

    def test_mistakes(self):
        self.site("", accounts=(OFFICE,))
        sound = self.lanpost.more + "\n"
        for text, words in (
                ("[rule x]\naccount = nobody\n", "nobody"),
                ("[rule x]\nclient = nobody\n", "nobody"),
                ("[rule x]\nlistener = nobody\n", "nobody"),
                ("[rule x]\nsend_as = nobody\n", "send_as"),
                ("[rule x]\nsend_as = \"N\" <a@b.test\n", "send_as"),
                ("[rule x]\non_behalf = maybe\n", "on_behalf"),
                ("[rule x]\nto_rewrite = a@b.test\n", "to_rewrite"),
                ("[rule x]\nreplyto = none\n", "reply_to"),
                ("[rule x]\nreject =\n", "reject"),
                ("[rule x]\nadd_domain = a b\n", "add_domain"),
                ("[rule x]\nbcc = nobody\n", "bcc"),
                ("[device d]\naddress = 300.1.1.1\n", "300.1.1.1"),
                ("[device d]\n", "address"),
                ("[device d]\naddress = 192.0.2.1\ncharset = klingon\n",
                 "klingon"),
                ("[device d]\naddress = 192.0.2.1\nauth = users\n", "auth"),
                ("[rule x]\naccount = office\n[rule x]\naccount = ses\n", "x"),
                ("[account spare]\nhost = h.test\nsenders = a@h.test\n"
                 "failover = nobody\n",
                 "nobody")):
            with self.subTest(text):
                self.lanpost.more = sound + text
                self.lanpost.write_config()
                done = self.lanpost.command("check")
                self.assertEqual(done.returncode, 78,
                                 done.stdout + done.stderr)
                self.assertIn(words, done.stderr + done.stdout)
                self.assertRegex(done.stderr + done.stdout, r"conf:\d+")

    def test_nothing_matches(self):
        self.site("[rule one]\nfrom = a@x.test\naccount = gmail\n")
        self.lanpost.write_config()
        done = self.lanpost.command("check", "--client", loopback(OTHER),
                                    "--from", "b@x.test")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("office", done.stdout)
        self.assertNotRegex(done.stdout, r"rule.*\bone\b.*match")


if __name__ == "__main__":
    main()
