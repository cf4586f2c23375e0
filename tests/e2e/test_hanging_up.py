"""Devices that stop in the middle, or listen on with half a connection: what
was complete is kept and answered, what was not is told in the log."""

import socket

from e2e_providers import PracticeProvider
from lanpost_e2e import Lanpost, TestCase, main

DEVICE = "[device copier]\naddress = 127.0.0.1\n"


class HangingUp(TestCase):
    def lanpost(self, **listener):
        provider = self.start(PracticeProvider(self.ca))
        return self.start(Lanpost(account=provider.account(),
                                  listener=listener, more=DEVICE))

    def in_data(self, lanpost, data):
        client = lanpost.raw()
        for line in ("EHLO copier", "MAIL FROM:<copier@lan.test>",
                     "RCPT TO:<boss@example.test>", "DATA"):
            self.assertRegex(client.ask(line), "^[23]")
        client.send(data)
        return client

    def test_half_a_connection(self):
        lanpost = self.lanpost()
        for _ in range(10):
            client = self.in_data(lanpost, b"Subject: x\r\n\r\nx\r\n.\r\n")
            client.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(client.reply()[:3], "250")
            self.assertEqual(client.reply(), "")
            client.close()
        lanpost.wait_event("delivered", count=10)

    def test_data_without_an_end(self):
        lanpost = self.lanpost()
        for data, tail, octets, fix in (
                (b"Subject: x\n\nhello\n.\n", b"t: x\n\nhello\n.\n"[-16:], None,
                 "lf_end_of_data = yes in a [device] section"),
                (b"Subject: x\r\n\r\nhello\r\n", b"x\r\n\r\nhello\r\n"[-16:],
                 21, None),
                (b"ab", b"ab", 2, None)):
            with self.subTest(data=data):
                mark = lanpost.mark()
                client = self.in_data(lanpost, data)
                client.close()
                rejected = lanpost.wait_event("rejected", since=mark,
                                              command="DATA")
                self.assertEqual(rejected["device"], "copier")
                self.assertTrue(rejected["tail"].endswith(tail.hex()),
                                rejected.line)
                self.assertLessEqual(len(rejected["tail"]), 32)
                if octets:
                    self.assertEqual(rejected["octets"], str(octets))
                self.assertIn(fix or "", rejected.get("fix", ""))
                self.assertEqual("fix" in rejected, fix is not None)
        self.assertEqual(lanpost.events("accepted"), [])

    def test_data_without_an_end_times_out(self):
        lanpost = self.lanpost(timeout="1s")
        client = self.in_data(lanpost, b"Subject: x\n\nhello\n.\n")
        self.assertEqual(client.reply()[:9], "421 4.4.2")
        rejected = lanpost.wait_event("rejected", command="DATA")
        self.assertTrue(rejected["tail"].endswith(b"hello\n.\n".hex()))
        self.assertIn("lf_end_of_data", rejected["fix"])


if __name__ == "__main__":
    main()
