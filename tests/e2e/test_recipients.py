"""Each recipient has its own fate: three of them, every mix of accepted,
refused for now and refused for good, pipelined and not."""

import itertools

from e2e_devices import scan
from e2e_providers import PracticeProvider
from lanpost_e2e import Lanpost, TestCase, main

FATES = {
    "2": ("", "delivered"),
    "4": ("450 4.2.1 busy now", "deferred"),
    "5": ("550 5.1.1 no such user", "failed"),
}


class Recipients(TestCase):
    def story(self, pipelining, caps):
        script = "".join(
            f'stage=rcpt match="{fate}*" reply="{reply}"\n'
            for fate, (reply, _) in FATES.items() if reply)
        provider = self.start(PracticeProvider(self.ca, script, caps=caps))
        lanpost = self.start(Lanpost(
            account=provider.account(pipelining=pipelining),
            relay={"retry": "1h"}))
        mixes = list(itertools.product(FATES, repeat=3))
        for mix in mixes:
            with self.subTest(mix="".join(mix)):
                name = "".join(mix)
                to = [f"{fate}.{place}.{name}@example.test"
                      for place, fate in enumerate(mix)]
                lanpost.send(scan(f"mix-{name}"), to=to)
                accepted = lanpost.wait_event("accepted",
                                              subject=f"Scan mix-{name}")
                for fate in sorted(set(mix)):
                    mine = [one for one in to if one.startswith(fate)]
                    event = lanpost.wait_event(FATES[fate][1],
                                               id=accepted["id"])
                    self.assertEqual(event["to"].split(","), mine, event.line)
                    self.assertIn(FATES[fate][0], event["reply"])
        expected = sorted(
            [f"2.{place}.{''.join(mix)}@example.test"
             for place, fate in enumerate(mix) if fate == "2"]
            for mix in mixes if "2" in mix)
        self.assertEqual(sorted(m.recipients for m in provider.arrived()),
                         expected)
        lanpost.stop()

    def test_matrix(self):
        for pipelining, caps in (
                ("yes", "PIPELINING 8BITMIME SIZE ENHANCEDSTATUSCODES"),
                ("no", "PIPELINING 8BITMIME SIZE"),
                ("yes", "8BITMIME"),
                ("eager", "PIPELINING 8BITMIME SIZE ENHANCEDSTATUSCODES")):
            with self.subTest(pipelining=pipelining, caps=caps):
                self.story(pipelining, caps)

    def test_the_log_names_who_was_refused(self):
        """At RCPT the one recipient, behind the data all of them."""
        provider = self.start(PracticeProvider(self.ca))
        lanpost = self.start(Lanpost(account=provider.account()))
        client = lanpost.raw()
        client.ask("EHLO x")
        client.ask("MAIL FROM:<p@lan.test>")
        client.ask("RCPT TO:<good@example.test>")
        self.assertEqual(client.ask("RCPT TO:<bad@nas>")[:9], "550 5.1.6")
        rejected = lanpost.wait_event("rejected", command="RCPT")
        self.assertEqual(rejected["from"], "p@lan.test")
        self.assertEqual(rejected["to"], "bad@nas")
        client.ask("RCPT TO:<other@example.test>")
        client.ask("DATA")
        client.send(b"Subject: x\r\n\r\na\0b\r\n.\r\n")
        self.assertEqual(client.reply()[:9], "554 5.6.0")
        rejected = lanpost.wait_event("rejected", command="DATA")
        self.assertEqual(rejected["to"], "good@example.test,other@example.test")
        self.assertEqual(client.ask("DATA")[:3], "503")
        again = lanpost.wait_event("rejected", command="DATA", count=2)
        self.assertNotIn("to", again)
        client.close()

    def test_only_the_deferred_are_tried_again(self):
        provider = self.start(PracticeProvider(
            self.ca, 'stage=rcpt match="5*" reply="550 5.1.1 no such user"\n'
            'stage=rcpt match="4*" times=2 reply="450 4.2.1 busy now"\n'))
        lanpost = self.start(Lanpost(account=provider.account()))
        to = ["2a@example.test", "4a@example.test", "5a@example.test",
              "4b@example.test", "2b@example.test"]
        lanpost.send(scan("again"), to=to)
        lanpost.wait_event("delivered", to="2a@example.test,2b@example.test")
        lanpost.wait_event("failed", to="5a@example.test")
        lanpost.wait_event("deferred", to="4a@example.test,4b@example.test")
        lanpost.wait_event("delivered", to="4a@example.test,4b@example.test",
                           attempt=2)
        self.assertEqual([m.recipients for m in provider.arrived()],
                         [["2a@example.test", "2b@example.test"],
                          ["4a@example.test", "4b@example.test"]])
        first, second = provider.arrived()
        self.assertEqual(first.raw, second.raw, "a retry has other octets")


if __name__ == "__main__":
    main()
