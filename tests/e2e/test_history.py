"""What became of each message: found by each filter, told as a whole story,
with a server and, from the database, without one."""

import json

from e2e_devices import scan
from e2e_providers import USER, PracticeProvider
from lanpost_e2e import Lanpost, TestCase, main

OK, USAGE, UNAVAILABLE = 0, 64, 69

SCRIPT = """
stage=rcpt match="nobody@*" reply="550 5.1.1 no such user"
stage=rcpt match="later@*" reply="451 4.2.0 come back later"
stage=rcpt match="evil@*" raw="550 5.1.1 \\x1b[2Jno\\x07 \\xe2\\x80\\xaesuch user\\r\\n"
"""


class History(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = PracticeProvider(cls.ca, SCRIPT)
        cls.provider.start()
        cls.addClassCleanup(cls._end, cls.provider)
        cls.lanpost = Lanpost(
            account=cls.provider.account(), relay={"retry": "1h"},
            more="[device copier]\naddress = 127.1.1.5\n"
                 "[rule copies]\nclient = copier\n")
        cls.lanpost.start()
        cls.addClassCleanup(cls._end, cls.lanpost)
        cls.lanpost.wait_control()
        cls.ids = {}
        cls.post("boss", "delivered", ["boss@example.test"])
        cls.post("copied", "delivered", ["boss@example.test"], "127.1.1.5")
        cls.post("bad", "failed", ["nobody@example.test"])
        cls.post("wait", "deferred", ["later@example.test"])
        cls.post("mixed", "deferred", ["boss@example.test",
                                       "nobody@example.test",
                                       "later@example.test"])
        cls.post("evil", "failed", ["evil@example.test"])

    @classmethod
    def post(cls, token, outcome, to, source=None):
        with cls.lanpost.smtp(source) as smtp:
            smtp.sendmail("p%d@lan.test" % len(cls.ids), to, scan(token))
        accepted = cls.lanpost.wait_event("accepted", subject=f"Scan {token}")
        cls.ids[token] = accepted["id"]
        cls.lanpost.wait_event(outcome, id=accepted["id"])
        cls.lanpost.wait_story(accepted["id"], attempts=1)

    def history(self, *arguments, check=OK):
        return self.lanpost.command("history", *arguments, check=check)

    def found(self, *arguments):
        rows = json.loads(self.history("--json", *arguments).stdout)
        names = {id: token for token, id in self.ids.items()}
        return [names[row["id"]] for row in rows]

    def story(self, token):
        return json.loads(
            self.history("--json", "--id", self.ids[token]).stdout)


class Search(History):
    def test_each_filter(self):
        everything = ["evil", "mixed", "wait", "bad", "copied", "boss"]
        for arguments, tokens in (
                ((), everything),
                (("--since", "1h"), everything),
                (("--limit", "2"), ["evil", "mixed"]),
                (("--status", "delivered"), ["copied", "boss"]),
                (("--status", "failed"), ["evil", "bad"]),
                (("--status", "queued"), ["mixed", "wait"]),
                (("--status", "held"), []),
                (("--from", "p0@"), ["boss"]),
                (("--from", "P0@LAN*test"), ["boss"]),
                (("--to", "nobody"), ["mixed", "bad"]),
                (("--to", "nobody", "--status", "failed"), ["bad"]),
                (("--client", "copier"), ["copied"]),
                (("--client", "127.1.1.5"), ["copied"]),
                (("--from", "%"), []),
                (("--from", "' OR 1=1 --"), []),
                (("--to", "a&to=nobody"), [])):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.found(*arguments), tokens)

    def test_a_table(self):
        said = self.history().stdout
        for token, id in self.ids.items():
            self.assertIn(id, said)
        self.assertIn("copier", said)
        self.assertNotIn("\x1b", said)

    def test_wrong_arguments(self):
        for arguments, code, word in (
                (("--since", "yore"), USAGE, "yore"),
                (("--status", "lost"), USAGE, "delivered"),
                (("--limit", "many"), USAGE, "many"),
                (("--limit",), USAGE, "--limit"),
                (("--form", "x"), USAGE, "--form"),
                (("something",), USAGE, "something"),
                (("--id", "zzz"), UNAVAILABLE, "zzz"),
                (("--id", "1m7y1t68wxm5b"), UNAVAILABLE, "1m7y1t68wxm5b"),
                (("--id", "1m7y1t68wxm5b", "--json"), UNAVAILABLE,
                 "1m7y1t68wxm5b")):
            with self.subTest(arguments=arguments):
                done = self.history(*arguments, check=code)
                self.assertIn(word, done.stderr)
                self.assertEqual(done.stdout, "")


class Story(History):
    def test_delivered(self):
        story = self.story("boss")
        self.assertEqual(story["state"], "delivered")
        self.assertEqual(story["to"], ["boss@example.test"])
        self.assertEqual(story["attempts"], 1)
        self.assertIsNone(story["explanation"])
        self.assertNotIn("waits_for", story)
        [to] = story["recipients"]
        self.assertEqual((to["state"], to["reply"][:3]), ("delivered", "250"))
        self.assertGreaterEqual(to["delay_ms"], 0)
        [attempt] = story["tries"]
        self.assertEqual(attempt["account"], "default")
        self.assertEqual(attempt["sent_as"], USER)
        self.assertIn("localhost", attempt["host"])
        self.assertIsNone(attempt["dialogue"])

    def test_by_whom_and_which_rule(self):
        story = self.story("copied")
        self.assertEqual((story["device"], story["rule"], story["client"]),
                         ("copier", "copies", "127.1.1.5"))
        said = self.history("--id", self.ids["copied"]).stdout
        for word in ("copier", "127.1.1.5", "rule copies", "account default",
                     USER, "device.lan"):
            self.assertIn(word, said)

    def test_failed(self):
        story = self.story("bad")
        self.assertEqual(story["state"], "failed")
        self.assertTrue(story["explanation"])
        self.assertTrue(story["fix"])
        [attempt] = story["tries"]
        self.assertIn("550 5.1.1 no such user", attempt["reply"])
        dialogue = attempt["dialogue"]
        for line in ("EHLO relay.test", "RCPT TO:<nobody@example.test>",
                     "550 5.1.1 no such user"):
            self.assertIn(line, dialogue)
        self.assertNotIn(self.provider.password, dialogue)
        said = self.history("--id", self.ids["bad"]).stdout
        self.assertIn("550 5.1.1 no such user", said)
        self.assertIn("RCPT TO:<nobody@example.test>", said)
        self.assertIn(story["explanation"].split()[0], said)

    def test_deferred(self):
        story = self.story("wait")
        self.assertEqual(story["state"], "queued")
        self.assertEqual(story["waits_for"], "its next attempt")
        self.assertGreater(story["next_attempt"], story["time"])
        self.assertGreater(story["expires"], story["next_attempt"])
        said = self.history("--id", self.ids["wait"]).stdout
        self.assertIn("its next attempt", said)

    def test_each_recipient_has_its_own(self):
        story = self.story("mixed")
        self.assertEqual(
            [(to["address"].split("@")[0], to["state"])
             for to in story["recipients"]],
            [("boss", "delivered"), ("nobody", "failed"),
             ("later", "queued")])
        self.assertEqual(story["to"], ["later@example.test"])
        self.assertTrue(story["recipients"][1]["explanation"])
        self.assertIsNone(story["recipients"][0]["explanation"])
        self.assertIsNone(story["recipients"][2]["delay_ms"])

    def test_hostile_words(self):
        for arguments in (("history",), ("status",),
                          ("history", "--id", self.ids["evil"]),
                          ("history", "--id", self.ids["evil"], "--json"),
                          ("queue", "show", self.ids["evil"]),
                          ("status", "--json")):
            with self.subTest(arguments=arguments):
                said = self.lanpost.command(*arguments, check=OK).stdout
                for octet in ("\x1b", "\x07", "\u202e"):
                    self.assertNotIn(octet, said)

    def test_queue_show_tells_the_same(self):
        for more in ((), ("--json",)):
            self.assertEqual(
                self.lanpost.command("queue", "show", self.ids["bad"],
                                     *more).stdout,
                self.history("--id", self.ids["bad"], *more).stdout)


class WithoutServer(History):
    def test_the_database_knows_as_much(self):
        with_server = {token: self.story(token) for token in self.ids}
        rows = self.found()
        self.lanpost.stop()
        self.addCleanup(self.lanpost.wait_control)
        self.addCleanup(self.lanpost.start)
        self.assertEqual(self.found(), rows)
        for token, story in with_server.items():
            self.assertEqual(self.story(token), story)
        done = self.history("--id", "1m7y1t68wxm5b", check=UNAVAILABLE)
        self.assertIn("no message", done.stderr)


if __name__ == "__main__":
    main()
