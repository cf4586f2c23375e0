"""Never faster than the provider allows, and fair to every device: the practice
provider counts, and refuses in Microsoft's words what is over its limits."""

import json
import re
import signal

from e2e_devices import scan
from e2e_providers import PracticeProvider
from e2e_tools import wait_until
from lanpost_e2e import Lanpost, TestCase, main


class Pace(TestCase):
    def pair(self, limits="", account=None, listener=None, **options):
        if limits:
            options["limits"] = limits
        provider = self.start(PracticeProvider(self.ca, **options))
        keys = provider.account(timeout="5s", **(account or {}))
        return provider, self.start(Lanpost(account=keys, listener=listener))

    def refused(self, provider):
        provider.stop()   # and tells its counts
        return int(re.search(r"refused=(\d+)", provider.log_text())[1])

    def fill(self, lanpost, names, source=None, sender="printer@lan.test"):
        with lanpost.smtp(source) as smtp:
            for name in names:
                smtp.sendmail(sender, ["boss@example.test"], scan(name))

    def status(self, lanpost):
        done = lanpost.command("status", "--json", check=0)
        return json.loads(done.stdout)["accounts"][0]

    def test_a_thousand_messages_without_a_refusal(self):
        """Microsoft's limits, twenty times as fast: so it takes a minute."""
        provider, lanpost = self.pair(
            "minute=600 day=10000 connections=3 recipients=500",
            {"messages_per_minute": 600, "recipients_per_day": 10000,
             "recipients_per_message": 500, "connections": 3})
        self.fill(lanpost, [f"n{n}" for n in range(1000)])
        told = lanpost.wait_event("throttled")
        self.assertEqual(told["reason"], "messages_per_minute")
        self.assertGreater(int(told["retry_in_ms"]), 0)
        account = self.status(lanpost)
        budget = account["budgets"]["messages_per_minute"]
        self.assertEqual((budget["limit"], budget["left"]), (600, 0))
        self.assertEqual(account["held_up_by"], "messages_per_minute")
        self.assertGreater(account["waiting"], 0)
        said = lanpost.command("status", check=0).stdout
        self.assertRegex(said, r"\nLeft of the limits\n  default +\d+ of 600 "
                         "messages a minute")
        self.assertRegex(said, r"; mail\s+goes\s+on\s+in\s+\d")
        rows = json.loads(lanpost.command("queue", "--json", check=0).stdout)
        self.assertIn("room in messages_per_minute of account default",
                      {row["waits_for"] for row in rows})
        for count in (600, 601, 1000):   # a minute lies between the first two
            lanpost.wait_event("delivered", count=count)
        self.assertEqual(len(provider.arrived()), 1000)
        self.assertEqual(len(lanpost.events("throttled")), 1)
        self.assertEqual(lanpost.events("deferred"), [])
        self.assertEqual({e["attempt"] for e in lanpost.events("delivered")},
                         {"1"})
        self.assertEqual(self.refused(provider), 0)

    def test_many_recipients_go_in_parts(self):
        provider, lanpost = self.pair(
            "recipients=4", {"recipients_per_message": 4})
        to = [f"r{n}@example.test" for n in range(10)]
        lanpost.send(scan("parts"), to=to)
        lanpost.wait_event("delivered", count=3)
        arrived = provider.arrived()
        self.assertEqual([len(m.recipients) for m in arrived], [4, 4, 2])
        self.assertEqual([r for m in arrived for r in m.recipients], to)
        self.assertEqual(len({m.raw for m in arrived}), 1)
        self.assertEqual({e["attempt"] for e in lanpost.events("delivered")},
                         {"1"})
        self.assertEqual(self.refused(provider), 0)

    def test_parts_wait_for_the_day(self):
        """What fits goes; the rest waits, and costs no attempt."""
        provider, lanpost = self.pair(
            "recipients=4 day=6",
            {"recipients_per_message": 4, "recipients_per_day": 6})
        to = [f"r{n}@example.test" for n in range(10)]
        lanpost.send(scan("parts"), to=to)
        told = lanpost.wait_event("throttled", reason="recipients_per_day")
        self.assertGreater(int(told["retry_in_ms"]), 0)
        accepted, = lanpost.events("accepted")
        story = lanpost.wait_story(accepted["id"], state="queued")
        came = [r for m in provider.arrived() for r in m.recipients]
        self.assertEqual(came, to[:6])
        self.assertEqual(story["to"], to[6:])
        self.assertEqual(lanpost.events("deferred"), [])
        self.assertEqual(self.refused(provider), 0)

    def test_a_page_passes_a_message_to_many(self):
        """What does not fit into the day goes as far as it fits, and closes
        it to nobody before."""
        provider, lanpost = self.pair(
            account={"recipients_per_day": 20, "connections": 1}, latency=20)
        with lanpost.smtp("127.0.0.2") as smtp:
            for name in range(3):
                smtp.sendmail("erp@lan.test",
                              [f"r{n}@example.test" for n in range(8)],
                              scan(f"many-{name}"))
        self.fill(lanpost, ["page"], "127.0.0.3", "scanner@lan.test")
        lanpost.wait_event("delivered", client="127.0.0.3")
        lanpost.wait_event("throttled", reason="recipients_per_day")
        self.assertEqual(sum(len(m.recipients) for m in provider.arrived()),
                         20)

    def test_parts_with_different_fates(self):
        script = ('stage=rcpt match="later@*" times=1 reply="450 4.2.0 later"\n'
                  'stage=rcpt match="never@*" reply="550 5.1.1 no such user"\n')
        provider = self.start(PracticeProvider(self.ca, script,
                                               limits="recipients=2"))
        lanpost = self.start(Lanpost(account=provider.account(
            recipients_per_message=2)))
        to = ["later@example.test", "a@example.test", "never@example.test",
              "b@example.test", "c@example.test"]
        lanpost.send(scan("fates"), to=to)
        lanpost.wait_event("failed", to="never@example.test")
        lanpost.wait_event("deferred", to="later@example.test")
        lanpost.wait_event("delivered", to="later@example.test")
        came = sorted(r for m in provider.arrived() for r in m.recipients)
        self.assertEqual(came, sorted(set(to) - {"never@example.test"}))
        self.assertEqual(self.refused(provider), 0)

    def test_those_that_stay_behind_keep_nobody_back(self):
        script = ('stage=rcpt match="stuck*" reply="450 4.2.0 full"\n'
                  'stage=rcpt match="later*" times=3 reply="450 4.2.0 later"\n')
        provider = self.start(PracticeProvider(self.ca, script,
                                               limits="recipients=2"))
        lanpost = self.start(Lanpost(
            account=provider.account(recipients_per_message=2),
            relay={"retry": "1s"}))
        to = ["stuck1@example.test", "stuck2@example.test",
              "later1@example.test", "later2@example.test",
              "later3@example.test"]
        lanpost.send(scan("behind"), to=to)
        for address in to[2:]:
            lanpost.wait_event("delivered",
                               to=lambda v, a=address: a in v.split(","))
        self.assertEqual(self.refused(provider), 0)

    def test_the_day_survives_a_crash(self):
        provider, lanpost = self.pair(
            "day=20", {"recipients_per_day": 20}, latency=20)
        self.fill(lanpost, [f"d{n}" for n in range(40)])
        for kills in range(3):
            lanpost.wait_event("delivered", count=3 * (kills + 1))
            lanpost.process.send_signal(signal.SIGKILL)
            lanpost.process.wait()
            lanpost.start()
        lanpost.wait_event("throttled", reason="recipients_per_day")
        queued = wait_until(
            lambda: json.loads(lanpost.command("queue", "--json",
                                               check=0).stdout), "the queue")
        came = len(provider.arrived())
        self.assertLessEqual(came, 20)
        self.assertGreater(came, 9)
        self.assertGreaterEqual(len(queued), 20)
        self.assertEqual(lanpost.events("failed"), [])
        self.assertEqual(self.refused(provider), 0)

    def test_one_page_passes_a_flood(self):
        provider, lanpost = self.pair(latency=20)
        self.fill(lanpost, [f"flood-{n}" for n in range(300)], "127.0.0.2",
                  "erp@lan.test")
        before = len(lanpost.events("delivered"))
        self.fill(lanpost, ["page"], "127.0.0.3", "scanner@lan.test")
        lanpost.wait_event("delivered", client="127.0.0.3")
        order = [e["client"] for e in lanpost.events("delivered")]
        passed = order.index("127.0.0.3") - before
        self.assertLess(passed, 30, "so many went before the page")
        self.assertLess(before, 270)
        lanpost.wait_event("delivered", count=301)

    def test_a_device_that_waits_is_told(self):
        provider, lanpost = self.pair(
            account={"messages_per_minute": 1},
            listener={"verdict_wait": "60s"})
        self.fill(lanpost, ["first"])
        with lanpost.smtp() as smtp:
            smtp.ehlo()
            smtp.mail("printer@lan.test")
            smtp.rcpt("boss@example.test")
            code, text = smtp.data(scan("second"))
        self.assertEqual(code, 250)
        self.assertIn(b"limit is reached (paced)", text)
        self.assertIn("goes on", lanpost.command("explain", "paced",
                                                 check=0).stdout)

    def test_a_provider_that_throttles_is_spared(self):
        script = ('stage=data-end times=1 reply="432 4.3.2 Concurrent '
                  'connections limit exceeded. Visit '
                  'https://aka.ms/concurrent_sending"\n')
        provider = self.start(PracticeProvider(self.ca, script))
        lanpost = self.start(Lanpost(account=provider.account(
            messages_per_minute=30)))
        self.fill(lanpost, ["one", "two"])
        told = lanpost.wait_event("throttled")
        self.assertTrue(told["explanation"])
        wait_until(lambda: self.status(lanpost)["budgets"]
                   ["messages_per_minute"]["slowed"], "half the pace")
        self.assertLess(self.status(lanpost)["budgets"]
                        ["messages_per_minute"]["limit"], 30)
        lanpost.command("account", "resume", "default", check=0)
        lanpost.wait_event("delivered", count=2)
        self.assertEqual(len(provider.arrived()), 2)

    def test_an_announced_wait_is_kept(self):
        script = ('stage=data-end reply="432 4.3.2 Concurrent connections '
                  'limit exceeded. Retry-After: 4000"\n')
        provider = self.start(PracticeProvider(self.ca, script))
        lanpost = self.start(Lanpost(account=provider.account()))
        self.fill(lanpost, ["one"])
        told = lanpost.wait_event("throttled")
        self.assertIn(int(told["retry_in_ms"]), range(3990000, 4000001))

    def test_too_large_for_the_account(self):
        """Said at MAIL where the size is declared, else while it comes."""
        provider, lanpost = self.pair(account={"max_message_size": "64K"})
        with lanpost.smtp() as smtp:
            smtp.ehlo()
            self.assertEqual(smtp.esmtp_features["size"], str(35 << 20))
            code, text = smtp.mail("printer@lan.test", ["SIZE=100000"])
            self.check_too_large(code, text)
            smtp.mail("printer@lan.test")
            smtp.rcpt("boss@example.test")
            self.check_too_large(*smtp.data(b"Subject: x\r\n\r\n" +
                                            b"x" * 70 * 1000))
            smtp.sendmail("printer@lan.test", ["boss@example.test"],
                          scan("small"))
        lanpost.wait_event("delivered")
        self.assertEqual(len(provider.arrived()), 1)
        self.assertEqual(len(lanpost.events("accepted")), 1)

    def check_too_large(self, code, text):
        self.assertEqual((code, text[:6]), (552, b"5.3.4 "), text)
        self.assertIn(b"account default", text)
        self.assertIn(b"65536 octets", text)

    def test_patience(self):
        """After throttle_patience mail goes, whatever the limit says."""
        provider, lanpost = self.pair(
            account={"messages_per_day": 2, "throttle_patience": "3s"})
        self.fill(lanpost, ["one", "two", "three"])
        lanpost.wait_event("throttled", reason="messages_per_day")
        lanpost.wait_event("delivered", count=3)


if __name__ == "__main__":
    main()
