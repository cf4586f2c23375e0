"""`test` tells each step as it comes, and where one fails what that means and
what to do; `check --connect` as far as the login."""

import json

from e2e_providers import PracticeProvider
from e2e_tools import free_port, loopback
from lanpost_e2e import Lanpost, TestCase, main

OK, UNAVAILABLE = 0, 69
TO, USER = "boss@example.test", "scanner@contoso.test"
STEPS = ["resolve", "connect", "tls", "login", "sender", "recipient", "data"]


class Narration(TestCase):
    def pair(self, script="", **account):
        provider = self.start(PracticeProvider(self.ca, script))
        return provider, self.alone({**provider.account(), **account})

    def alone(self, account):
        lanpost = Lanpost(account=account)
        self.addCleanup(lanpost.clean)
        lanpost.write_config()
        return lanpost

    def tell(self, lanpost, *arguments, code=UNAVAILABLE):
        """(steps in order, what it means or None)"""
        told = json.loads(lanpost.command("test", TO, "--json", *arguments,
                                          check=code).stdout)
        whys = [why for why in told if "step" not in why]
        self.assertLessEqual(len(whys), 1, told)
        for why in whys:
            for key in ("reason", "title", "explanation", "fix"):
                self.assertTrue(why[key], why)
        return ([step for step in told if "step" in step],
                whys[0] if whys else None)

    def check_steps(self, steps, last, ok=False):
        """All before the last one went well."""
        wanted = STEPS[:STEPS.index(last) + 1]
        self.assertEqual([s["step"] for s in steps], wanted, steps)
        self.assertEqual([s["ok"] for s in steps],
                         [True] * (len(wanted) - 1) + [ok], steps)

    def test_all_is_well(self):
        provider, lanpost = self.pair()
        steps, why = self.tell(lanpost, code=OK)
        self.check_steps(steps, "data", ok=True)
        self.assertIsNone(why)
        told = {s["step"]: s["detail"] for s in steps}
        self.assertRegex(told["tls"], r"^TLSv1\.[23], \S+; certificate of .+, "
                         r"\d+ days left$")
        self.assertEqual(told["sender"], USER)
        self.assertTrue(told["data"].startswith("250 "))
        text = lanpost.command("test", TO, check=OK).stdout
        for step in STEPS:
            self.assertIn(f"\u2713 {step}", text)
        self.assertEqual(len(provider.wait_arrived(2)), 2)

    def test_a_sender_goes_as_mail_from_devices_would(self):
        provider, lanpost = self.pair()
        steps, _ = self.tell(lanpost, "--from", "old@lan.test", code=OK)
        sender = steps[STEPS.index("sender")]["detail"]
        self.assertIn(f"{USER}, in place of old@lan.test", sender)
        message, = provider.wait_arrived(1)
        self.assertEqual(message.sender, USER)

    def test_a_sender_that_is_rejected_here(self):
        _, lanpost = self.pair(sender_policy="reject")
        steps, why = self.tell(lanpost, "--from", "old@lan.test")
        self.assertEqual([s["step"] for s in steps], ["sender"])
        self.assertEqual(why["reason"], "sender-not-allowed")
        self.assertIn("old@lan.test", why["fix"])

    def test_where_it_ends(self):
        said = 'reply="550 5.7.1 Certainly not"'
        for stage, last, reason in (
                (f"stage=connect {said}", "greeting", "provider-refuses"),
                (f"stage=auth {said}", "login", "login-refused"),
                (f"stage=mail {said}", "sender", "sender-refused"),
                ("stage=mail do=close", "sender", "connection-lost"),
                (f"stage=rcpt {said}", "recipient", "recipient-refused"),
                ("stage=rcpt do=close", "recipient", "connection-lost"),
                (f"stage=data {said}", "data", "message-refused"),
                (f"stage=data-end {said}", "data", "message-refused"),
                ("stage=data-end do=close", "data", "eof-after-data")):
            with self.subTest(stage=stage):
                _, lanpost = self.pair(stage + "\n")
                steps, why = self.tell(lanpost)
                self.assertEqual(why["reason"], reason)
                if last == "greeting":
                    self.assertEqual([s["step"] for s in steps],
                                     ["resolve", "connect", "greeting"])
                    continue
                self.check_steps(steps, last)

    def test_no_connection(self):
        account = {"host": "localhost", "port": free_port(loopback()),
                   "username": USER, "password": "x"}
        steps, why = self.tell(self.alone(account))
        self.check_steps(steps, "connect")
        self.assertEqual(why["reason"], "connect-refused")
        account["host"] = "no-such-host.invalid"
        steps, why = self.tell(self.alone(account))
        self.check_steps(steps, "resolve")
        self.assertIn(why["reason"], ("dns-name-not-found", "dns-temporary"))

    def test_words_are_for_this_account(self):
        _, lanpost = self.pair(
            'stage=auth reply="535 5.7.139 Authentication unsuccessful, '
            'SmtpClientAuthentication is disabled for the Tenant."\n')
        _, why = self.tell(lanpost)
        self.assertIn(f"Set-CASMailbox -Identity {USER}", why["fix"])
        text = lanpost.command("test", TO, check=UNAVAILABLE).stdout
        self.assertIn("\u2717 login", text)
        self.assertIn(why["title"], text)
        for line in text.partition("535")[2].splitlines()[1:]:
            self.assertLessEqual(len(line), 80, line)
        told = json.loads(lanpost.command("check", "--connect", "--json",
                                          check=UNAVAILABLE).stdout)
        self.assertEqual(told["connect"][-1]["reason"],
                         "m365-smtp-auth-disabled-tenant")

    def test_hostile_replies_are_harmless(self):
        _, lanpost = self.pair('stage=mail raw="550 5.7.1 \\x1b[2J\\x07 ' +
                               "x" * 400 + '\\r\\n"\n')
        text = lanpost.command("test", TO, check=UNAVAILABLE).stdout
        self.assertNotIn("\x1b", text)
        self.assertNotIn("\x07", text)


if __name__ == "__main__":
    main()
