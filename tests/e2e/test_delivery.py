"""A message from a device reaches the provider, whatever the device is and
whoever the provider is, octet for octet, under a sender the provider takes."""

import signal

from e2e_devices import DEVICES, scan
from e2e_providers import (USER, OpenSmtpdProvider, PostfixProvider,
                           PracticeProvider)
from e2e_tools import as_root
from lanpost_e2e import Lanpost, TestCase, main

SENDER = "printer@lan.test"
TO = ("boss@example.test", "archive@example.test")


class Delivery(TestCase):
    def check_arrived(self, arrived, sent):
        """sent: as the device gave it.  Received is on top, From is the
        account's, Reply-To says who it was; all else is as it was."""
        head, _, body = sent.partition(b"\r\n\r\n")
        self.assertEqual(arrived.body, body)
        self.assertEqual(arrived.sender, USER)
        fields = list(arrived.fields)
        name, received = fields.pop(0)
        self.assertEqual(name, b"Received")
        self.assertIn(b"by relay.test", received)
        self.assertEqual(arrived.get("Reply-To"),
                         [f'"Copier, 2nd floor" <{SENDER}>'])
        self.assertEqual(arrived.get("From"),
                         [f'"Copier, 2nd floor" <{USER}>'])
        rest = [name + b":" + value for name, value in fields
                if name not in (b"From", b"Reply-To")]
        lines = head.replace(b"\r\n ", b"\0 ").replace(b"\r\n\t", b"\0\t")
        self.assertEqual(rest, [line.replace(b"\0", b"\r\n")
                                for line in lines.split(b"\r\n")
                                if not line.startswith(b"From:")])

    def story(self, provider):
        provider = self.start(provider)
        lanpost = self.start(Lanpost(account=provider.account()))
        for name, device in DEVICES.items():
            with self.subTest(device=name):
                before = len(provider.arrived())
                sent = scan(f"{name}-to-{type(provider).__name__}")
                device(lanpost.address, sent, SENDER, TO)
                accepted = lanpost.wait_event(
                    "accepted", subject=lambda s: s.startswith(f"Scan {name}"))
                lanpost.wait_event("delivered", id=accepted["id"])
                new = provider.wait_copies(before, TO)
                for arrived in new:
                    self.check_arrived(arrived, sent)
        self.assertEqual(lanpost.events("failed"), [])
        self.assertEqual(lanpost.events("deferred"), [])
        self.assertEqual(lanpost.stop(), 0)

    def test_postfix_with_dovecot(self):
        self.story(PostfixProvider(self.ca))

    def test_opensmtpd(self):
        self.story(OpenSmtpdProvider(self.ca))

    def test_practice_provider(self):
        self.story(PracticeProvider(self.ca))

    def refusal(self, provider):
        """A login that is wrong pauses the account and keeps the mail; the
        password mended, it leaves."""
        provider = self.start(provider)
        lanpost = Lanpost(account=provider.account(password="not it"))
        self.start(lanpost)
        lanpost.send(scan("kept"))
        paused = lanpost.wait_event("account-paused")
        self.assertRegex(paused["reply"], "^535 ", paused.line)
        self.assertTrue(paused["explanation"] and paused["fix"], paused.line)
        lanpost.account["password"] = provider.password
        lanpost.write_config()
        lanpost.signal(signal.SIGHUP)
        lanpost.wait_event("account-resumed")
        self.assertEqual(len(provider.wait_arrived(1)), 1)
        return lanpost

    def test_refusals_of_postfix(self):
        lanpost = self.refusal(PostfixProvider(self.ca))
        lanpost.send(scan("unknown"), to=["gone@example.test"])
        failed = lanpost.wait_event("failed", to="gone@example.test")
        self.assertIn("550 5.1.1", failed["reply"])

    def test_postfix_needs_the_rewriting(self):
        """With sender_policy = pass it refuses the printer's sender, and gets
        the account itself."""
        provider = self.start(PostfixProvider(self.ca))
        lanpost = self.start(Lanpost(
            account=provider.account(sender_policy="pass")))
        lanpost.send(scan("as-itself"))
        deferred = lanpost.wait_event("deferred")
        self.assertIn("553 5.7.1", deferred["reply"])
        lanpost.wait_event("delivered", attempt=2, sent_as=USER)
        self.assertEqual([m.sender for m in provider.wait_arrived()], [USER])

    def test_refusals_of_opensmtpd(self):
        self.refusal(OpenSmtpdProvider(self.ca))


if __name__ == "__main__":
    as_root()
    main()
