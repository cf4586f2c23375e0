"""The clock jumps by a year, while lanpost runs or while it does not: nothing
expires for it, nothing waits for the old time to come again."""

import os
import pathlib
import subprocess
import tempfile

from e2e_devices import scan
from e2e_providers import PracticeProvider
from e2e_tools import HERE, wait_until
from lanpost_e2e import Lanpost, TestCase, main

YEAR = 365 * 24 * 3600


class Clocks(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shim = os.path.join(cls.ca_folder, "clock_shim.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", cls.shim,
                        HERE / "clock_shim.c"], check=True)

    def pair(self, script):
        provider = self.start(PracticeProvider(self.ca, script))
        self.clock = pathlib.Path(tempfile.mkstemp(dir=self.ca_folder)[1])
        self.clock.chmod(0o644)
        options = os.environ.get("ASAN_OPTIONS", "")
        lanpost = Lanpost(
            account=provider.account(), relay={"retry": "3s, 2h"},
            environment={"LD_PRELOAD": self.shim,
                         "CLOCK_SHIM": str(self.clock),
                         "ASAN_OPTIONS": "verify_asan_link_order=0:" + options})
        return provider, self.start(lanpost)

    def set_clock(self, seconds):
        self.clock.write_text(str(seconds))

    def check_nothing_is_over(self, lanpost):
        self.assertEqual(lanpost.events("expired"), [])
        self.assertEqual(lanpost.events("failed"), [])

    def test_jumps_while_it_runs(self):
        for by in (YEAR, -YEAR):
            with self.subTest(by=by):
                provider, lanpost = self.pair(
                    'stage=rcpt times=1 reply="450 4.2.0 later"\n'
                    'stage=rcpt match="never@*" reply="450 4.2.0 later"\n')
                lanpost.send(scan("first"))
                lanpost.wait_event("deferred")
                self.set_clock(by)
                jump = lanpost.wait_event("warning", jump_ms=lambda v: v)
                self.assertAlmostEqual(int(jump["jump_ms"]) / 1000, by,
                                       delta=600)
                lanpost.wait_event("delivered")
                lanpost.send(scan("second"))
                lanpost.wait_event("delivered", count=2)
                lanpost.send(scan("third"), to=["never@example.test"])
                lanpost.wait_event("deferred", to="never@example.test",
                                   count=2)
                self.check_nothing_is_over(lanpost)
                self.assertEqual(len(lanpost.events(
                    "warning", jump_ms=lambda v: v)), 1)
                lanpost.stop()

    def test_jumps_while_it_does_not(self):
        for by in (YEAR, -YEAR):
            with self.subTest(by=by):
                provider, lanpost = self.pair(
                    'stage=rcpt times=2 reply="450 4.2.0 later"\n')
                lanpost.send(scan("kept"))
                lanpost.wait_event("deferred", count=2)
                wait_until(lambda: "attempts\": 2" in lanpost.command(
                    "queue", "--json").stdout, "the second attempt on disk")
                lanpost.stop()
                self.set_clock(by)
                lanpost.start()
                if by > 0:   # its two hours are over
                    lanpost.wait_event("warning", messages="1")
                    lanpost.wait_event("delivered")
                else:        # they are not
                    lanpost.wait_event("warning", jump_ms=lambda v: v)
                    self.assertIn('"queued"', lanpost.command(
                        "queue", "--json", check=0).stdout)
                self.check_nothing_is_over(lanpost)
                lanpost.stop()


if __name__ == "__main__":
    main()
