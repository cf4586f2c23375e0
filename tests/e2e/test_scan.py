"""Large messages: a 25 MB scan arrives octet for octet; a larger one than is
allowed is refused before, or while, it is read."""

import hashlib

from e2e_devices import scan
from e2e_providers import (USER, OpenSmtpdProvider, PostfixProvider,
                           PracticeProvider)
from e2e_tools import as_root
from lanpost_e2e import Lanpost, TestCase, main

MIB = 1 << 20


def digest(octets):
    return len(octets), hashlib.sha256(octets).hexdigest()


class Scan(TestCase):
    def story(self, provider):
        provider = self.start(provider)
        lanpost = self.start(Lanpost(account=provider.account()))
        sent = scan("twenty-five-megabytes", size=25 * MIB)
        lanpost.send(sent)
        arrived = provider.wait_copies(0, ["boss@example.test"])[0]
        self.assertEqual(digest(arrived.body),
                         digest(sent.partition(b"\r\n\r\n")[2]))
        self.assertEqual(arrived.sender, USER)
        lanpost.wait_event("delivered")
        self.assertEqual(lanpost.stop(), 0)
        bodies = lanpost.spool / "bodies"
        self.assertEqual([p.name for p in bodies.iterdir()], [])

    def test_postfix(self):
        self.story(PostfixProvider(self.ca))

    def test_opensmtpd(self):
        self.story(OpenSmtpdProvider(self.ca))

    def test_practice_provider(self):
        self.story(PracticeProvider(self.ca))

    def test_sizes_around_the_limits(self):
        """256 KiB is where a body moves from the database to a file."""
        provider = self.start(PracticeProvider(self.ca))
        lanpost = self.start(Lanpost(account=provider.account()))
        base = len(scan("x", size=0))
        for n, size in enumerate((1, 250_000, 258_000, 262_144 - base,
                                  262_144, 262_145, MIB)):
            with self.subTest(size=size):
                sent = b"Subject: s%d\r\n\r\n" % n + b"a" * 70 + b"\r\n"
                line = b"b" * 76 + b"\r\n"
                sent += line * (size // len(line)) + b"c" * (size % 70) + b"\r\n"
                lanpost.send(sent)
                arrived = provider.wait_arrived(n + 1)[n]
                self.assertEqual(digest(arrived.body), digest(
                    sent.partition(b"\r\n\r\n")[2]))

    def test_too_large(self):
        provider = self.start(PracticeProvider(self.ca))
        lanpost = self.start(Lanpost(account=provider.account(),
                                     relay={"max_message_size": "1M"}))
        client = lanpost.raw()
        self.assertIn(f"SIZE {MIB}", client.ask("EHLO x"))
        reply = client.ask(f"MAIL FROM:<a@lan.test> SIZE={MIB + 1}")
        self.assertEqual(reply[:9], "552 5.3.4")
        for line in ("MAIL FROM:<a@lan.test>", "RCPT TO:<b@example.test>"):
            self.assertEqual(client.ask(line)[:3], "250")
        self.assertEqual(client.ask("DATA")[:3], "354")
        client.send((b"y" * 76 + b"\r\n") * (MIB // 60) + b".\r\n")
        self.assertEqual(client.reply()[:9], "552 5.3.4")
        self.assertEqual(client.ask("RSET")[:3], "250")
        self.assertEqual(lanpost.events("accepted"), [])
        self.assertTrue(lanpost.events("rejected"))


if __name__ == "__main__":
    as_root()
    main()
