"""A provider misbehaves, at every stage, in every way: the message is kept,
tried again, and delivered once when the trouble is over."""

from e2e_devices import scan
from e2e_providers import PracticeProvider
from e2e_tools import wait_until
from lanpost_e2e import Lanpost, TestCase, main

STAGES = ("connect", "ehlo", "starttls", "tls", "auth", "mail", "rcpt", "data",
          "body", "data-end")
# name: what the rule does, what the log's reply or words must hold
DEEDS = {
    "refuses for now": ('reply="451 4.3.2 out of order"', "out of order"),
    "says 421 and closes": ('reply="421 4.3.2 going down" do=close',
                            "going down"),
    "closes": ("do=close", ""),
    "resets": ("do=reset", ""),
    "babbles": ("do=garbage", ""),
    "hangs": ("do=hang", ""),
}


class Misbehaviour(TestCase):
    def pair(self, script="", account=None, **options):
        provider = self.start(PracticeProvider(self.ca, script, **options))
        keys = provider.account(timeout="2s", **(account or {}))
        return provider, self.start(Lanpost(account=keys))

    def check_stage(self, stage):
        provider, lanpost = self.pair()
        for number, (name, (rule, words)) in enumerate(DEEDS.items()):
            if stage == "tls" and "reply=" in rule:
                continue
            with self.subTest(stage=stage, provider=name):
                after = "after=500 " if stage == "body" else ""
                provider.behave(f"stage={stage} times=1 {after}{rule}\n")
                lanpost.send(scan(f"{stage}-{number}"))
                accepted = lanpost.wait_event("accepted",
                                              subject=f"Scan {stage}-{number}")
                deferred = lanpost.wait_event("deferred", id=accepted["id"])
                self.assertIn(words, deferred["reply"], deferred.line)
                for key in ("reason", "explanation", "fix"):
                    self.assertTrue(deferred.get(key), deferred.line)
                delivered = lanpost.wait_event("delivered", id=accepted["id"])
                self.assertEqual(delivered["to"], "boss@example.test")
        # nothing lost, nothing doubled
        subjects = [m.get("Subject")[0] for m in provider.arrived()]
        self.assertEqual(len(subjects), len(set(subjects)), subjects)
        # told in the log first, then on disk
        wait_until(lambda: "boss@" not in lanpost.command("queue").stdout,
                   "an empty queue", why=lanpost.log_text)
        self.assertEqual(lanpost.events("failed"), [])

    def test_slow_replies_are_no_fault(self):
        provider, lanpost = self.pair("".join(
            f"stage={stage} do=trickle:5\n" for stage in STAGES
            if stage not in ("tls", "body")))
        lanpost.send(scan("trickle"))
        lanpost.wait_event("delivered")
        self.assertEqual(len(provider.wait_arrived(1)), 1)
        self.assertEqual(lanpost.events("deferred"), [])


def _stage_test(stage):
    return lambda self: self.check_stage(stage)


for _stage in STAGES:
    setattr(Misbehaviour, f"test_at_{_stage.replace('-', '_')}",
            _stage_test(_stage))

if __name__ == "__main__":
    main()
