"""A provider refuses, in the words of the real ones: for good, for now, or the
login; the log gives its words, the reason, an explanation and a fix."""

from e2e_devices import scan, signed
from e2e_providers import PracticeProvider
from e2e_tools import HERE, wait_until
from lanpost_e2e import Lanpost, TestCase, main

# From the scripts of the real providers: who it happens to, what is expected.
WORDS = (
    # script, whose address, event, words of the reply, reason
    ("microsoft", {"to": "recipient-not-found@example.test"}, "failed",
     "550 5.1.10", "m365-recipient-not-found"),
    ("gmail", {"to": "no-such-user@example.test"}, "failed", "550 5.1.1",
     "gmail-no-such-user"),
    ("gmail", {"to": "recipient-too-fast@example.test"}, "deferred",
     "450 4.2.1", "gmail-recipient-too-fast"),
    ("microsoft", {"user": "server-busy@contoso.test"}, "deferred",
     "451 4.7.500", "m365-server-busy"),
    ("microsoft", {"user": "message-too-big@contoso.test"}, "failed",
     "552 5.3.4", "m365-message-too-big"),
    ("ses", {"user": "unverified-identity@contoso.test"}, "account-paused",
     "554 Message rejected", "ses-unverified-identity"),
    ("microsoft", {"user": "smtp-auth-disabled-tenant@contoso.test"},
     "account-paused", "535 5.7.139", "m365-smtp-auth-disabled-tenant"),
    ("microsoft", {"user": "auth-unsuccessful@contoso.test"},
     "account-paused", "535 5.7.3", "m365-auth-unsuccessful"),
    ("gmail", {"user": "app-password-required@contoso.test"},
     "account-paused", "534 5.7.9", "gmail-app-password-required"),
)


class Refusals(TestCase):
    def pair(self, script="", account=None, **options):
        provider = self.start(PracticeProvider(self.ca, script, **options))
        keys = provider.account(timeout="2s", **(account or {}))
        return provider, self.start(Lanpost(account=keys))

    def check_words(self, event, words, reason):
        self.assertIn(words, event["reply"], event.line)
        self.assertEqual(event["reason"], reason, event.line)
        for key in ("reason", "explanation", "fix"):
            self.assertTrue(event.get(key), f"no {key}: {event.line}")

    def test_words_of_the_real_ones(self):
        folder = HERE.parent / "provider/scripts"
        for script, who, name, words, reason in WORDS:
            with self.subTest(script=script, who=who):
                text = (folder / f"{script}.script").read_text()
                provider = PracticeProvider(self.ca, text)
                provider.user = who.get("user", provider.user)
                provider.options["user"] = provider.user
                self.start(provider)
                lanpost = self.start(Lanpost(account=provider.account()))
                lanpost.send(scan("words"),
                             to=[who.get("to", "boss@example.test")])
                self.check_words(lanpost.wait_event(name), words, reason)
                waits = name != "failed"
                self.assertEqual(lanpost.events("delivered"), [])
                wait_until(lambda: (("words" in lanpost.command(
                    "queue", "--json").stdout) == waits), "the queue")
                lanpost.stop()

    def test_refused_login_is_not_hammered(self):
        provider, lanpost = self.pair(account={"password": "not it"})
        for number in range(10):
            lanpost.send(scan(f"hammer-{number}"))
        lanpost.wait_event("account-paused")
        for number in range(10, 20):
            lanpost.send(scan(f"hammer-{number}"))
        lanpost.wait_event("accepted", count=20)
        lanpost.stop()
        provider.stop()   # and tells its counts
        self.assertRegex(provider.log_text(), r"connections=[12] logins=0 ")

    def test_stale_connections_cost_no_attempt(self):
        for rule in ('reply="421 4.4.2 idle for too long" do=close',
                     "do=close", "do=reset"):
            with self.subTest(rule=rule):
                provider, lanpost = self.pair(f"stage=idle after=1 {rule}\n")
                for number in range(4):
                    lanpost.send(scan(f"stale-{number}"))
                    lanpost.wait_event("delivered", count=number + 1)
                self.assertEqual(lanpost.events("deferred"), [])
                self.assertEqual({e["attempt"] for e in
                                  lanpost.events("delivered")}, {"1"})
                self.assertEqual(len(provider.arrived()), 4)
                lanpost.stop()

    def test_answer_to_the_final_dot_is_lost(self):
        """The one case in which a message may come twice, and is told."""
        provider, lanpost = self.pair(
            "stage=data-end times=1 keep=yes do=close\n")
        lanpost.send(scan("twice"))
        self.assertEqual(lanpost.wait_event("deferred")["reason"],
                         "eof-after-data")
        lanpost.wait_event("delivered")
        first, second = provider.arrived()
        self.assertEqual(first.raw, second.raw)

    def test_multiline_and_odd_replies(self):
        provider, lanpost = self.pair(
            'stage=connect reply="220 one\\n two\\n three"\n'
            'stage=rcpt match="odd@*" times=1 raw="250\\r\\n"\n'
            'stage=rcpt match="long@*" times=1 reply="550 5.1.1 ' +
            "x" * 400 + '\\n second line"\n')
        lanpost.send(scan("odd"), to=["odd@example.test"])
        lanpost.wait_event("delivered", to="odd@example.test")
        lanpost.send(scan("long"), to=["long@example.test"])
        failed = lanpost.wait_event("failed", to="long@example.test")
        self.assertIn("second line", failed["reply"])
        self.assertEqual(len(provider.arrived()), 1)

    def test_what_the_provider_cannot_take(self):
        """Known from EHLO before a word is said, also on a new connection."""
        for what, options, unfit, words, reason in (
                ("8-bit and signed", {"caps": "PIPELINING SIZE"},
                 signed("unfit"), "5.6.3", "no-8bitmime"),
                ("too large", {"size": 1000}, scan("unfit"), "5.3.4",
                 "message-size-preflight")):
            with self.subTest(what=what):
                provider, lanpost = self.pair(**options)
                lanpost.send(unfit)
                self.check_words(lanpost.wait_event("failed"), words, reason)
                lanpost.send(b"Subject: fits\r\n\r\nshort\r\n")
                lanpost.wait_event("delivered")
                self.assertEqual(len(provider.arrived()), 1)
                lanpost.stop()


if __name__ == "__main__":
    main()
