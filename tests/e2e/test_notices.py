"""What cannot be delivered is told: whom, in which words, how often, and once.
Notices are read as a mail program reads them, by Python's email."""

import email
import email.policy
import random
import signal
import time

from e2e_devices import scan
from e2e_providers import USER, PracticeProvider
from e2e_tools import wait_until
from lanpost_e2e import Lanpost, TestCase, main

BOSS = "boss@example.test"
ADMIN = "admin@example.test"
GONE = "gone@example.test"
SCANNER = "printer@lan.test"
SPARE = "spare@fabrikam.test"

UNKNOWN = ('stage=rcpt match="gone*" reply="550 5.1.1 The email account that '
           'you tried to reach does not exist"\n')


class Notice:
    """One that has arrived, and its parts."""

    def __init__(self, arrived):
        self.sender, self.recipients = arrived.sender, arrived.recipients
        self.raw = arrived.raw
        self.mail = email.message_from_bytes(arrived.raw,
                                             policy=email.policy.default)
        self.text = self.mail.get_body(
            ("plain",)).get_content().replace("\r\n", "\n")

    def __getitem__(self, name):
        return self.mail[name]

    def blocks(self):
        """Of the delivery status: the message's fields, then each
        recipient's."""
        status = list(self.mail.iter_parts())[1]
        return status.get_payload()

    def original(self):
        return list(self.mail.iter_parts())[2].get_content()


class Notices(TestCase):
    def pair(self, script=UNKNOWN, account=None, **relay):
        provider = self.start(PracticeProvider(self.ca, script))
        lanpost = self.start(Lanpost(
            account=provider.account(**(account or {})),
            relay={"postmaster": ADMIN, **relay}))
        return provider, lanpost

    def notices(self, provider):
        return [Notice(m) for m in provider.arrived()
                if m.get("Auto-Submitted")]

    def wait_notices(self, provider, count=1):
        return wait_until(
            lambda: (got if len(got := self.notices(provider)) >= count
                     else None), f"{count} notices", why=provider.log_text)


class Words(Notices):
    def test_a_recipient_is_unknown(self):
        provider, lanpost = self.pair()
        lanpost.send(scan("unknown"), to=[BOSS, GONE])
        sent = lanpost.wait_event("notice-sent")
        failed = lanpost.wait_event("failed")
        notice, = self.wait_notices(provider)
        self.assertEqual((sent["of"], sent["to"]), (failed["id"], ADMIN))
        self.assertEqual(notice.recipients, [ADMIN])
        self.assertEqual(notice["From"].addresses[0].addr_spec, USER)
        self.assertEqual(notice["From"].addresses[0].display_name, "lanpost")
        self.assertEqual(notice["To"], ADMIN)
        self.assertEqual(notice["Subject"],
                         f"Not delivered: Scan unknown (to {GONE})")
        self.assertEqual(notice["Auto-Submitted"], "auto-replied")
        self.assertEqual(notice.mail.get_content_type(), "multipart/report")
        self.assertEqual(
            notice.mail.get_param("report-type"), "delivery-status")
        self.assertEqual(
            [part.get_content_type() for part in notice.mail.iter_parts()],
            ["text/plain", "message/delivery-status", "text/rfc822-headers"])
        message, recipient = notice.blocks()
        self.assertEqual(message["Reporting-MTA"], "dns; relay.test")
        self.assertTrue(message["Arrival-Date"])
        self.assertEqual(recipient["Final-Recipient"], f"rfc822; {GONE}")
        self.assertEqual(recipient["Action"], "failed")
        self.assertEqual(recipient["Status"], "5.1.1")
        self.assertEqual(recipient["Remote-MTA"], "dns; localhost")
        self.assertIn("smtp; 550 5.1.1 The email account",
                      " ".join(recipient["Diagnostic-Code"].split()))
        self.assertTrue(recipient["Last-Attempt-Date"])
        self.assertIn("Subject: Scan unknown", notice.original())
        for words in ("Scan unknown", SCANNER, "127.0.0.1", GONE,
                      "It was delivered to:\n\n    " + BOSS,
                      "What to do: ", failed["explanation"][:40],
                      "550 5.1.1 The email account",
                      f"lanpost queue release {failed['id']}",
                      f"lanpost history --id {failed['id']}"):
            self.assertIn(words, notice.text)
        self.assertNotIn(b"JVBER", notice.raw)   # nothing of the scan itself

    def test_time_is_over(self):
        provider, lanpost = self.pair(
            'stage=data-end match="*boss*" reply="451 4.7.1 Please try again '
            'later"\n', expire="2s")
        lanpost.send(scan("late"))
        lanpost.wait_event("expired")
        notice, = self.wait_notices(provider)
        recipient = notice.blocks()[1]
        self.assertEqual(recipient["Status"], "4.4.7")
        self.assertIn("451 4.7.1 Please", recipient["Diagnostic-Code"])
        self.assertIn("It was tried again and again for 2 seconds",
                      notice.text)

    def test_hostile_words(self):
        provider, lanpost = self.pair(
            'stage=rcpt match="gone*" reply="550 5.1.1 ' + "x" * 400 +
            r'\n--lanpost\nBcc: everybody@example.test\n"' + "\n")
        lanpost.send(scan("evil").replace(
            b"Subject: Scan evil",
            b"Subject: \x1b[31m evil \xe2\x80\xaeknalb\r\n\t" + b"y" * 900),
            to=[GONE])
        notice, = self.wait_notices(provider)
        self.assertEqual(notice.mail.defects, [])
        self.assertEqual(len(list(notice.mail.iter_parts())), 3)
        self.assertIsNone(notice["Bcc"])
        self.assertNotIn("\x1b", notice.text + notice["Subject"])
        self.assertNotIn("\u202e", notice.text + notice["Subject"])
        self.assertTrue(notice["Subject"].startswith("Not delivered: "))
        for line in notice.raw.split(b"\r\n"):
            self.assertLessEqual(len(line), 998)
        notice.raw.decode("ascii")

    def test_null_sender_where_it_may(self):
        provider, lanpost = self.pair(account={"sender_policy": "pass"})
        lanpost.send(scan("null"), to=[GONE])
        notice, = self.wait_notices(provider)
        self.assertEqual(notice.sender, "")

    def test_strict_account(self):
        """The account refuses foreign senders; a notice goes as itself."""
        provider, lanpost = self.pair(account={
            "sender_policy": "reject", "senders": f"{USER}, *@lan.test"})
        lanpost.send(scan("strict"), to=[GONE])
        notice, = self.wait_notices(provider)
        self.assertEqual(notice.sender, USER)


class Audience(Notices):
    def told(self, **relay):
        provider, lanpost = self.pair(**relay)
        mark = lanpost.mark()
        lanpost.send(scan("told"), to=[GONE])
        lanpost.wait_event("failed", mark)
        lanpost.send(scan("behind"))
        lanpost.wait_event("delivered", mark, to=BOSS)
        return provider, lanpost

    def test_by_notify(self):
        for notify, to in (("postmaster", [ADMIN]), ("sender", [SCANNER]),
                           ("both", [ADMIN, SCANNER])):
            with self.subTest(notify=notify):
                provider, lanpost = self.told(notify=notify)
                notice, = self.wait_notices(provider)
                self.assertEqual(notice.recipients, to)
                lanpost.stop()

    def test_nobody(self):
        for relay in ({"notify": "off"}, {"postmaster": ""}):
            with self.subTest(relay=relay):
                relay = {key: value for key, value in relay.items() if value}
                provider = self.start(PracticeProvider(self.ca, UNKNOWN))
                lanpost = self.start(Lanpost(account=provider.account(),
                                             relay=relay))
                lanpost.send(scan("told"), to=[GONE])
                lanpost.wait_event("failed")
                lanpost.stop()
                self.assertEqual(self.notices(provider), [])
                self.assertEqual(lanpost.events("notice-sent"), [])
                warned = lanpost.events(
                    "warning", text=lambda t: "postmaster" in t)
                self.assertEqual(len(warned), 0 if relay else 1)

    def test_null_sender_is_not_told(self):
        provider, lanpost = self.pair(notify="sender")
        lanpost.send(scan("bounce"), sender="", to=[GONE])
        lanpost.wait_event("failed")
        lanpost.send(scan("other"), to=[GONE])
        self.wait_notices(provider)
        self.assertEqual(len(lanpost.events("notice-sent")), 1)

    def test_never_about_a_notice(self):
        """The postmaster's mailbox is gone as well: the log says so, once."""
        provider, lanpost = self.pair(
            UNKNOWN + 'stage=rcpt match="admin*" reply="550 5.1.1 no"\n',
            notify="both")
        lanpost.send(scan("loop"), sender="gone.too@lan.test", to=[GONE])
        lanpost.wait_event("failed", count=2)
        sent = lanpost.wait_event("notice-sent")
        lanpost.wait_event("failed", id=sent["id"], to=lambda t: ADMIN in t)
        lanpost.send(scan("behind"))
        lanpost.wait_event("delivered", to=BOSS)
        lanpost.stop()
        self.assertEqual(len(lanpost.events("notice-sent")), 1)

    def test_reload_changes_who_is_told(self):
        provider, lanpost = self.told()
        self.wait_notices(provider)
        mark = lanpost.mark()
        lanpost.relay["postmaster"] = "other@example.test"
        lanpost.write_config()
        lanpost.signal(signal.SIGHUP)
        lanpost.wait_event("reloaded", mark)
        lanpost.send(scan("again"), to=[GONE])
        sent = lanpost.wait_event("notice-sent", mark)
        self.assertEqual(sent["to"], "other@example.test")

    def test_a_device_that_was_told_is_enough(self):
        provider = self.start(PracticeProvider(self.ca, UNKNOWN))
        lanpost = self.start(Lanpost(
            account=provider.account(), relay={"postmaster": ADMIN},
            listener={"verdict_wait": "30s"}))
        with self.assertRaises(Exception):
            lanpost.send(scan("refused"), to=[GONE])
        lanpost.send(scan("behind"))
        lanpost.wait_event("delivered", to=BOSS)
        lanpost.stop()
        self.assertEqual(lanpost.events("notice-sent"), [])


class HowMany(Notices):
    def test_a_flood(self):
        """Twenty notices; the rest is gathered for a digest."""
        provider, lanpost = self.pair()
        with lanpost.smtp() as smtp:
            for number in range(220):
                smtp.sendmail(SCANNER, [GONE], scan(f"flood-{number}"))
        lanpost.wait_event("failed", count=220)
        lanpost.wait_event("notice-sent", count=20)
        self.wait_notices(provider, 20)
        lanpost.stop()
        # an hour's limit is not forgotten at a start
        lanpost.start()
        lanpost.send(scan("after"), to=[GONE])
        lanpost.wait_event("failed", count=221)
        lanpost.send(scan("behind"))
        lanpost.wait_event("delivered", to=BOSS)
        lanpost.stop()
        self.assertEqual(len(lanpost.events("notice-sent")), 20)


class Crash(Notices):
    def test_killed_at_any_moment(self):
        """Each failure is told by one notice, whatever died in between."""
        provider, lanpost = self.pair()
        ids = set()
        for number in range(16):
            try:
                lanpost.send(scan(f"crash-{number}"), to=[GONE])
            except OSError:
                pass
            time.sleep(random.random() * 0.03)
            ids |= {e["id"] for e in lanpost.events("accepted")}
            lanpost.kill()
            lanpost.start()
        ids |= {e["id"] for e in lanpost.events("accepted")}

        def told():
            by = {}
            for notice in self.notices(provider):
                about = notice.blocks()[0]["X-Lanpost-ID"]
                by.setdefault(about, set()).add(notice["Message-ID"])
            return by if set(by) >= ids else None
        by = wait_until(told, "a notice for each", why=lanpost.log_text)
        self.assertEqual({about: len(of) for about, of in by.items()},
                         {about: 1 for about in by})
        self.assertGreaterEqual(len(by), 16)


class Accounts(Notices):
    def trio(self, script="", account=None, **relay):
        """The login of the own account is wrong; the spare one works."""
        own = self.start(PracticeProvider(self.ca))
        other = PracticeProvider(self.ca, script)
        other.user = other.options["user"] = SPARE
        self.start(other)
        lanpost = Lanpost(
            account=own.account(password="not it", **(account or {})),
            relay={"postmaster": ADMIN, **relay})
        keys = other.account()
        secret = lanpost.folder / "password-spare"
        secret.write_text(keys.pop("password") + "\n", "utf-8")
        secret.chmod(0o600)
        lanpost.more = "[account spare]\n" + "".join(
            f"{key} = {value}\n" for key, value in keys.items()) + \
            f"password_file = {secret}\n"
        return own, other, self.start(lanpost)

    def test_a_paused_account(self):
        """Told at once by an account that works, failover or not; who waits
        is not."""
        own, other, lanpost = self.trio()
        lanpost.send(scan("waits"))
        paused = lanpost.wait_event("account-paused", account="default")
        notice, = self.wait_notices(other)
        self.assertEqual((notice.sender, notice.recipients), (SPARE, [ADMIN]))
        self.assertTrue(notice["Subject"].startswith(
            "Account default is paused: "))
        self.assertEqual(notice["Auto-Submitted"], "auto-generated")
        self.assertEqual(notice.mail.get_content_type(), "text/plain")
        for words in (paused["explanation"][:40], "What to do: ",
                      paused["reply"][:20], "1 message waits for it.",
                      "lanpost account resume default"):
            self.assertIn(words, notice.text)
        lanpost.send(scan("waits, too"))
        lanpost.wait_event("accepted", count=2)
        lanpost.stop()
        self.assertEqual(len(lanpost.events("notice-sent")), 1)
        self.assertEqual(own.arrived() + other.arrived()[1:], [])

    def test_failover_carries_it(self):
        """What expired because the login is refused is told by the other
        account, as that one."""
        # which takes nothing but what is its own
        own, other, lanpost = self.trio(
            'stage=data match="*boss*" reply="451 4.3.0 later"\n',
            {"failover": "spare"}, expire="3s")
        lanpost.send(scan("paused"))
        lanpost.wait_event("account-paused")
        expired = lanpost.wait_event("expired")
        wait_until(lambda: [n for n in self.notices(other)
                            if "Scan paused" in n["Subject"]],
                   "the notice", why=lanpost.log_text)
        notice, = [n for n in self.notices(other)
                   if "Scan paused" in n["Subject"]]
        self.assertEqual(notice.sender, SPARE)
        self.assertEqual(notice["From"].addresses[0].addr_spec, SPARE)
        self.assertIn(expired["id"], notice.text)
        self.assertEqual(self.notices(own), [])


if __name__ == "__main__":
    main()
