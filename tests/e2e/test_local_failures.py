"""What fails without a reply is named for what it is: no name, no server, no
answer, a certificate or a version of TLS that will not do, a login that nobody
asks for.  The log, the history, the status and `test` say the same."""

import json
import os
import pathlib
import ssl
import subprocess
import tempfile

from e2e_devices import scan
from e2e_providers import PracticeProvider
from e2e_tools import HERE, free_port, loopback
from lanpost_e2e import Lanpost, TestCase, main
from test_tls import Trap

OK, UNAVAILABLE = 0, 69
YEAR = 365 * 24 * 3600


class OldTrap(Trap):
    """Knows nothing newer than TLS 1.1."""

    def start(self):
        super().start()
        self.context.set_ciphers("DEFAULT:@SECLEVEL=0")
        self.context.minimum_version = ssl.TLSVersion.TLSv1
        self.context.maximum_version = ssl.TLSVersion.TLSv1_1


class LocalFailures(TestCase):
    def practice(self, script="", account=None, **options):
        provider = self.start(PracticeProvider(self.ca, script, **options))
        return provider.account(timeout="2s", **(account or {}))

    def trap(self, pair=None, account=None, kind=Trap, **options):
        trap = self.start(kind(self.ca, pair, **options))
        return trap.account(timeout="2s", **(account or {}))

    def check(self, account, reasons, step, environment=None):
        lanpost = self.start(Lanpost(account=account, relay={"retry": "1h"},
                                     environment=environment))
        lanpost.send(scan("stays"))
        said = lanpost.wait_event("deferred")
        self.assertIn(said["reason"], reasons, said.line)
        reason = said["reason"]
        for key in ("explanation", "fix"):
            self.assertTrue(said.get(key), said.line)
        self.check_history(lanpost, said, reason)
        self.check_status(lanpost, said, reason)
        self.check_test(lanpost, said, reason, step)
        lanpost.stop()

    def check_history(self, lanpost, said, reason):
        lanpost.wait_story(said["id"], attempts=1)
        story = json.loads(lanpost.command(
            "history", "--json", "--id", said["id"], check=OK).stdout)
        self.assertEqual(story["state"], "queued")
        self.assertEqual(story["tries"][0]["reason"], reason, story)
        to, = story["recipients"]
        self.assertEqual((to["reason"], to["explanation"]),
                         (reason, said["explanation"]))

    def check_status(self, lanpost, said, reason):
        account, = json.loads(
            lanpost.command("status", "--json", check=OK).stdout)["accounts"]
        self.assertEqual((account["reason"], account["explanation"],
                          account["fix"]),
                         (reason, said["explanation"], said["fix"]))
        self.assertIn(account["state"], ("unreachable", "paused"))

    def check_test(self, lanpost, said, reason, step):
        *steps, why = json.loads(lanpost.command(
            "test", "boss@example.test", "--json", check=UNAVAILABLE).stdout)
        self.assertEqual((why["reason"], why["explanation"], why["fix"]),
                         (reason, said["explanation"], said["fix"]))
        self.assertEqual((steps[-1]["step"], steps[-1]["ok"]), (step, False))
        self.assertEqual([s["ok"] for s in steps[:-1]],
                         [True] * (len(steps) - 1))

    def test_nobody_there(self):
        login = {"username": "scanner@contoso.test", "password": "x"}
        self.check({"host": "no-such-host.invalid", **login},
                   ("dns-name-not-found", "dns-temporary"), "resolve")
        self.check({"host": "localhost", "port": free_port(loopback()),
                    **login}, ("connect-refused",), "connect")

    def test_silence(self):
        for stage, reason, step in (
                ("connect", "banner-timeout", "greeting"),
                ("ehlo", "reply-timeout", "ehlo"),
                ("starttls", "reply-timeout", "tls"),
                ("tls", "reply-timeout", "tls"),
                ("auth", "reply-timeout", "login")):
            with self.subTest(stage=stage):
                self.check(self.practice(f"stage={stage} do=hang\n"),
                           (reason,), step)

    def test_certificates(self):
        for reason, pair, more in (
                ("tls-cert-expired", self.ca.issue("expired", days=-1), {}),
                ("tls-hostname-mismatch",
                 self.ca.issue("other", "DNS:mail.other.test"), {}),
                ("tls-self-signed",
                 self.ca.issue("own", self_signed=True), {}),
                ("tls-unknown-ca", None, {"tls_ca_file": None})):
            with self.subTest(reason=reason):
                self.check(self.trap(pair, more), (reason,), "tls")

    def test_a_clock_that_is_wrong(self):
        """By a year: the certificates of today begin, or have ended."""
        shim = os.path.join(self.ca_folder, "clock_shim.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", shim,
                        HERE / "clock_shim.c"], check=True)
        options = os.environ.get("ASAN_OPTIONS", "")
        for by, reason in ((-YEAR, "tls-cert-not-yet-valid"),
                           (YEAR, "tls-cert-expired")):
            with self.subTest(by=by):
                clock = pathlib.Path(tempfile.mkstemp(dir=self.ca_folder)[1])
                clock.write_text(str(by))
                clock.chmod(0o644)
                self.check(self.practice(), (reason,), "tls", {
                    "LD_PRELOAD": shim, "CLOCK_SHIM": str(clock),
                    "CLOCK_SHIM_TIME": "1",
                    "ASAN_OPTIONS": "verify_asan_link_order=0:" + options})

    def test_tls_of_another_kind(self):
        self.check(self.trap(kind=OldTrap), ("tls-protocol-version",), "tls")
        self.check(self.trap(account={"tls": "implicit"}),
                   ("tls-wrong-mode",), "tls")
        self.check(self.trap(offer=False), ("starttls-not-offered",), "ehlo")

    def test_a_login_that_nobody_asks_for(self):
        self.check(self.practice(auth=""), ("auth-not-offered",), "login")
        self.check(self.practice(auth="XOAUTH2"),
                   ("auth-no-common-mechanism",), "login")


if __name__ == "__main__":
    main()
