"""The flight recorder: what was said in an attempt that failed is kept with
it, in the database; whole where it matters, bounded, and without a secret."""

import base64
import sqlite3

from e2e_devices import scan
from e2e_providers import PracticeProvider
from e2e_tools import wait_until
from lanpost_e2e import Lanpost, TestCase, main
from test_secrets import disguises

DIALOGUE_MAX, LINE_MAX = 16 * 1024, 512


class FlightRecorder(TestCase):
    def pair(self, script="", account=None, relay=None, **options):
        provider = self.start(PracticeProvider(self.ca, script, **options))
        keys = provider.account(timeout="2s", **(account or {}))
        return provider, self.start(Lanpost(account=keys, relay=relay))

    def rows(self, lanpost, sql, *values):
        with sqlite3.connect(f"file:{lanpost.spool}/lanpost.db?mode=ro",
                             uri=True, timeout=30) as db:
            return db.execute(sql, values).fetchall()

    def dialogues(self, lanpost, subject="%"):
        """Of each attempt with mail of that subject: its text, or None."""
        return [text for text, in self.rows(
            lanpost, "SELECT text FROM message JOIN attempt AS a"
            " ON a.message = id LEFT JOIN dialogue AS d"
            " ON d.message = a.message AND d.n = a.n"
            " WHERE subject LIKE ? ORDER BY id, a.n", subject)]

    def wait_dialogue(self, lanpost, subject="%", count=1):
        found = wait_until(
            lambda: (got if len(got := self.dialogues(lanpost, subject))
                     >= count else None), "an attempt in the history",
            why=lanpost.log_text)
        for text in found:
            if text is not None:
                self.check_form(text)
        return found

    def check_form(self, text):
        self.assertLess(len(text.encode()), DIALOGUE_MAX)
        for line in text.removesuffix("\n").split("\n"):
            self.assertRegex(line, r"^[<>*] ")
            self.assertLess(len(line.encode()), LINE_MAX)

    def assert_in_order(self, text, *parts):
        at = 0
        for part in parts:
            self.assertIn(part, text[at:])
            at = text.index(part, at) + len(part)

    def test_a_refused_recipient(self):
        provider, lanpost = self.pair(
            'stage=rcpt match="nobody@*"'
            ' reply="550 5.1.1 no such user\\nread our help page"\n')
        lanpost.send(scan("well"))
        lanpost.wait_event("delivered")
        lanpost.send(scan("refused"), to=["nobody@example.test",
                                          "boss@example.test"])
        lanpost.wait_event("failed")
        self.assertEqual(self.wait_dialogue(lanpost, "Scan well"), [None])
        text, = self.wait_dialogue(lanpost, "Scan refused")
        self.assert_in_order(
            text, "* connecting to localhost port ", "* connected to 127.0.0.1",
            "< 220 ", "> EHLO relay.test", "> STARTTLS", "* TLSv1.",
            "verified", "> EHLO relay.test", "< 250-", "> AUTH ", "(masked)",
            "< 235 ", "> MAIL FROM:<", "> RCPT TO:<nobody@example.test>",
            "> RCPT TO:<boss@example.test>", "< 550-5.1.1 no such user\n",
            "< 550 5.1.1 read our help page\n", "octets of mail data",
            "< 250 ")
        # Only what concerns this message: another went before it.
        self.assertEqual(text.count("> MAIL FROM:"), 1)

    def test_no_smtp_at_all(self):
        provider, lanpost = self.pair(
            r'stage=connect raw="HTTP/1.1 400 Bad Request\r\n"' "\n")
        lanpost.send(scan("http"))
        text = self.wait_dialogue(lanpost)[0]
        self.assert_in_order(text, "* connected to ", "< HTTP/1.1 400",
                             "* over after ", "no SMTP reply")

    def test_what_is_delivered_leaves_none(self):
        provider, lanpost = self.pair()
        for number in range(5):
            lanpost.send(scan(f"well-{number}"))
        lanpost.wait_event("delivered", count=5)
        wait_until(lambda: len(self.dialogues(lanpost)) == 5, "five attempts")
        self.assertEqual(self.dialogues(lanpost), [None] * 5)

    def test_a_refused_login(self):
        provider, lanpost = self.pair(account={"password": "not it at all"})
        lanpost.send(scan("login"))
        lanpost.wait_event("account-paused")
        text = self.wait_dialogue(lanpost)[0]
        self.assert_in_order(text, "> AUTH ", "< 535 ", "* over after ")
        self.assertNotIn("> MAIL", text)

    def test_nobody_there(self):
        provider, lanpost = self.pair()
        provider.stop()
        lanpost.send(scan("nobody"))
        text = self.wait_dialogue(lanpost)[0]
        self.assert_in_order(text, "* connecting to localhost port ",
                             "* over after ", "refused")

    def test_silence_at_each_stage(self):
        """All at the same time: each waits for its time to be over."""
        stages = ("connect", "ehlo", "tls", "auth", "mail", "rcpt", "data",
                  "data-end")
        silent = {stage: self.pair(f"stage={stage} times=1 do=hang\n")[1]
                  for stage in stages}
        for stage, lanpost in silent.items():
            lanpost.send(scan(stage))
        for stage, lanpost in silent.items():
            with self.subTest(stage=stage):
                lanpost.wait_event("delivered")
                first, second = self.wait_dialogue(lanpost, count=2)
                self.assert_in_order(first, "* over after ", "at the ")
                self.assertIsNone(second)

    def test_a_provider_that_babbles(self):
        """100 KB at every stage; beginning and end stay."""
        lines = "\\n".join(["and another thing: " + "blah " * 90] * 220)
        for stage, rule in (
                ("mail", f'reply="550 5.7.1 first\\n{lines}\\nlast"'),
                ("data-end", f'reply="451 4.7.1 first\\n{lines}\\nlast"'),
                ("mail", "do=garbage:100000"),
                ("connect", "do=garbage:100000")):
            with self.subTest(stage=stage, rule=rule[:30]):
                provider, lanpost = self.pair(f"stage={stage} {rule}\n")
                lanpost.send(scan("babble"))
                text = self.wait_dialogue(lanpost)[0]
                self.assertIn("* connecting to localhost", text)
                lanpost.stop()
                provider.stop()

    def test_hostile_words(self):
        """They are kept as they came, and are text all the same."""
        hostile = (r"550 5.7.1 \x1b[2J\x1b]0;owned\x07 \xff\xfe"
                   r" \xe2\x80\xae caf\xc3\xa9 \x7f\x08\r\n")
        provider, lanpost = self.pair(f'stage=mail raw="{hostile}"\n')
        lanpost.send(scan("hostile"))
        text = self.wait_dialogue(lanpost)[0]
        self.assertIn("< 550 5.7.1 ", text)
        self.assertIn("caf\u00e9", text)
        types = self.rows(lanpost, "SELECT DISTINCT typeof(text) FROM dialogue")
        self.assertEqual(types, [("text",)])

    def test_no_secret(self):
        """Echoed at the login, and later, in every form the provider saw."""
        for stage in ("auth", "mail", "rcpt", "data-end"):
            with self.subTest(stage=stage):
                provider = PracticeProvider(self.ca)
                raw = provider.password.encode()
                plain = b"\0" + provider.user.encode() + b"\0" + raw
                echo = " ".join([base64.b64encode(plain).decode(),
                                 base64.b64encode(raw).decode(),
                                 provider.password])
                code = "535 5.7.8" if stage == "auth" else "550 5.7.1"
                provider.script = f'stage={stage} reply="{code} bad: {echo}"\n'
                self.start(provider)
                lanpost = self.start(Lanpost(account=provider.account()))
                lanpost.send(scan("echo"))
                text = self.wait_dialogue(lanpost)[0]
                self.assertIn("bad: (masked)", text)
                lanpost.stop()
                for path in lanpost.folder.rglob("*"):
                    if not path.is_file() or path.name == "password":
                        continue
                    for form in disguises(provider.user, provider.password):
                        self.assertNotIn(form, path.read_bytes(),
                                         f"{form} in {path}")

    def test_purged_with_its_message(self):
        provider, lanpost = self.pair(
            'stage=rcpt reply="550 5.1.1 no such user"\n')
        lanpost.send(scan("old"))
        lanpost.wait_event("failed")
        self.wait_dialogue(lanpost, "Scan old")
        (old,), = self.rows(lanpost, "SELECT id FROM message"
                            " WHERE subject = 'Scan old'")
        lanpost.stop()
        with sqlite3.connect(lanpost.spool / "lanpost.db") as db:
            db.execute("UPDATE message SET received_ms = 1000, notice = 0"
                       " WHERE id = ?", (old,))
        lanpost.start()
        wait_until(lambda: self.rows(
            lanpost, "SELECT (SELECT count(*) FROM message WHERE id = ?1)"
            " + (SELECT count(*) FROM dialogue WHERE message = ?1)",
            old) == [(0,)], "the purge")


if __name__ == "__main__":
    main()
