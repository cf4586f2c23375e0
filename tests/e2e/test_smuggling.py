"""Only CRLF "." CRLF ends a message.  Whatever else looks like an end, the
provider gets one message, and never a bare CR or LF or an end of its own."""

import re

from e2e_providers import PracticeProvider
from lanpost_e2e import Lanpost, TestCase, main

# What stands in the middle of the data, where another server might see an end.
SEQUENCES = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n",
    b"\n.\r", b"\r.\n", b"\n\n.\r\n", b"\r\r\n.\r\n"[1:3] + b".\n",
    b"\r\n.\r\r\n", b"\n\r.\r\n", b"\r\n\r.\r\n", b"\n\r\n.\n",
    b"\r\n..\r\n", b"\r\n. \r\n",
]
SECOND = (b"MAIL FROM:<ceo@example.test>\r\nRCPT TO:<victim@example.test>\r\n"
          b"DATA\r\nFrom: ceo@example.test\r\nSubject: smuggled\r\n\r\nboo")


class Smuggling(TestCase):
    def hand_in(self, lanpost, body, parts):
        """One transaction, its data in the given number of writes."""
        client = lanpost.raw()
        for line in ("EHLO x", "MAIL FROM:<a@lan.test>",
                     "RCPT TO:<b@example.test>", "DATA"):
            reply = client.ask(line)
        self.assertEqual(reply[:3], "354")
        step = -(-len(body) // parts)
        for start in range(0, len(body), step):
            client.send(body[start:start + step])
        client.send(b"\r\n.\r\n")
        reply = client.reply()
        client.close()
        return reply

    def test_one_message_each(self):
        provider = self.start(PracticeProvider(self.ca))
        lanpost = self.start(Lanpost(account=provider.account()))
        accepted = 0
        for number, sequence in enumerate(SEQUENCES):
            for parts in (1, 7):
                with self.subTest(sequence=sequence, parts=parts):
                    body = (b"From: a@lan.test\r\nSubject: first %d\r\n\r\nhello"
                            % number + sequence + SECOND)
                    reply = self.hand_in(lanpost, body, parts)
                    self.assertEqual(reply[:3], "250", reply)
                    accepted += 1
        arrived = provider.wait_arrived(accepted)
        for message in arrived:
            self.assertIn("first", message.get("Subject")[0])
            self.assertEqual(message.recipients, ["b@example.test"])
            self.assertIn(b"smuggled", message.body)
            self.assertIsNone(re.search(rb"\r(?!\n)|(?<!\r)\n", message.raw),
                              "a bare CR or LF reached the provider")
        self.assertEqual(len(lanpost.events("accepted")), accepted)
        self.assertEqual(lanpost.stop(), 0)
        self.assertEqual(len(provider.arrived()), accepted)

    def test_nul_is_refused(self):
        provider = self.start(PracticeProvider(self.ca))
        lanpost = self.start(Lanpost(account=provider.account()))
        reply = self.hand_in(lanpost, b"Subject: x\r\n\r\na\0b", 1)
        self.assertRegex(reply, "^5(5[0-9]|00) 5[.]")
        self.assertEqual(lanpost.events("accepted"), [])


if __name__ == "__main__":
    main()
