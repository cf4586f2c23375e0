"""lanpost status: accounts, queue, failures and health, for a person, for a
program and for a container's health check; accounts paused and resumed."""

import json

from e2e_devices import scan
from e2e_providers import USER, PracticeProvider
from lanpost_e2e import Lanpost, TestCase, main

OK, USAGE, UNAVAILABLE = 0, 64, 69


class Status(TestCase):
    def pair(self, script="", running=True, **sections):
        self.provider = PracticeProvider(self.ca, script)
        if running:
            self.start(self.provider)
        else:
            self.addCleanup(self.provider.clean)
        sections = {"relay": {"retry": "1h"}, **sections}
        self.lanpost = self.start(Lanpost(account=self.provider.account(),
                                          **sections))
        self.lanpost.wait_control()

    def status(self):
        return json.loads(
            self.lanpost.command("status", "--json", check=OK).stdout)

    def account(self):
        [account] = self.status()["accounts"]
        return account

    def quiet(self, check):
        done = self.lanpost.command("status", "--quiet", check=check)
        self.assertEqual(done.stdout, "")
        return done.stderr


class Told(Status):
    def test_all_is_well(self):
        self.pair()
        self.lanpost.send(scan("well"))
        id = self.lanpost.wait_event("delivered")["id"]
        self.lanpost.wait_story(id, state="delivered")
        status = self.status()
        self.assertEqual(status["health"], {"state": "ok", "reasons": []})
        self.assertEqual(status["queue"]["queued"], 0)
        self.assertIsNone(status["queue"]["oldest"])
        self.assertEqual(status["failures"], [])
        [account] = status["accounts"]
        self.assertEqual(
            (account["name"], account["state"], account["username"],
             account["delivered"], account["waiting"]),
            ("default", "ok", USER, 1, 0))
        self.assertTrue(account["last_success"].endswith("Z"))
        self.assertEqual(self.lanpost.ask("/readyz"),
                         (200, {"state": "ok", "reasons": []}))
        self.assertEqual(self.quiet(OK), "")
        said = self.lanpost.command("status", check=OK).stdout
        self.assertIn("ok", said.splitlines()[0])
        self.assertIn("default", said)

    def test_a_refused_login(self):
        """One screen says which account, why, since when and what to do."""
        self.pair('stage=auth reply="535 5.7.139 Authentication '
                  'unsuccessful, SmtpClientAuthentication is disabled for '
                  'the Tenant."\n')
        for n in range(3):
            self.lanpost.send(scan(f"waits-{n}"))
        self.lanpost.wait_event("account-paused")
        self.lanpost.wait_event("accepted", count=3)
        status = self.status()
        [account] = status["accounts"]
        self.assertEqual((account["state"], account["waiting"]),
                         ("paused", 3))
        self.assertIn("5.7.139", account["reply"])
        for key in ("reason", "title", "explanation", "fix", "since",
                    "retry_at"):
            self.assertTrue(account[key], key)
        self.assertEqual(status["health"]["state"], "degraded")
        self.assertEqual(status["queue"]["queued"], 3)
        self.assertGreaterEqual(status["queue"]["oldest_ms"], 0)
        rows = self.lanpost.ask("/api/v1/queue")[1]
        self.assertEqual({row["waits_for"] for row in rows},
                         {"account default, which is paused"})
        said = self.lanpost.command("status", check=OK).stdout
        self.assertIn("degraded", said.splitlines()[0])
        for word in ("5.7.139", "paused", "what to do", "account resume"):
            self.assertIn(word, said)
        self.assertLessEqual(len(said.splitlines()), 24, said)
        self.assertLessEqual(max(map(len, said.splitlines())), 80, said)
        self.assertEqual(self.quiet(OK), "")
        self.assertEqual(self.lanpost.ask("/readyz")[0], 200)

    def test_the_last_failures(self):
        self.pair('stage=rcpt match="nobody*" reply="550 5.1.1 no such '
                  'user"\n')
        for n in range(7):
            self.lanpost.send(scan(f"bad-{n}"), to=[f"nobody{n}@x.test"])
        self.lanpost.wait_event("accepted", count=7)
        for event in self.lanpost.events("accepted"):
            self.lanpost.wait_story(event["id"], state="failed")
        failures = self.status()["failures"]
        self.assertEqual([row["to"] for row in failures],
                         [[f"nobody{n}@x.test"] for n in (6, 5, 4, 3, 2)])
        for row in failures:
            self.assertIn("550 5.1.1", row["reply"])
            self.assertTrue(row["explanation"] and row["fix"])
        said = self.lanpost.command("status", check=OK).stdout
        self.assertIn("550 5.1.1", said)
        self.assertIn(failures[0]["id"], said)

    def test_without_a_server(self):
        """What the database knows: the queue, and who was paused."""
        self.pair('stage=auth reply="535 5.7.8 no"\n')
        self.lanpost.send(scan("left-behind"))
        self.lanpost.wait_event("account-paused")
        with_server = self.account()
        self.lanpost.stop()
        status = self.status()
        self.assertEqual(status["health"]["state"], "stopped")
        self.assertEqual(status["queue"]["queued"], 1)
        [account] = status["accounts"]
        for key in ("name", "host", "username", "state", "reason", "reply",
                    "explanation", "fix", "since"):
            self.assertEqual(account[key], with_server[key], key)
        self.assertIn("stopped", self.quiet(UNAVAILABLE))
        said = self.lanpost.command("status", check=OK).stdout
        self.assertIn("no server runs", said)

    def test_nothing_goes_out(self):
        """Old mail, and no account that could send it: failing."""
        self.pair('stage=auth reply="535 5.7.8 no"\n',
                  relay={"alert_queue_age": "1s"})
        self.lanpost.send(scan("old"))
        self.lanpost.wait_event("account-paused")
        self.lanpost.wait_event("warning", reason="queue-old")
        said = self.quiet(UNAVAILABLE)
        self.assertIn("failing", said)
        self.assertEqual(len(said.splitlines()), 1)
        status, health = self.lanpost.ask("/readyz")
        self.assertEqual((status, health["state"]), (503, "failing"))
        self.assertTrue(health["reasons"])

    def test_usage(self):
        self.pair()
        for arguments in (("status", "more"), ("status", "--loud"),
                          ("account",), ("account", "pause"),
                          ("account", "stop", "default"),
                          ("account", "pause", "default", "more")):
            with self.subTest(arguments=arguments):
                self.lanpost.command(*arguments, check=USAGE)


class Accounts(Status):
    def test_pause_and_resume(self):
        """Paused by an operator, also over a restart; mail waits."""
        self.pair()
        said = self.lanpost.command("account", "pause", "default", check=OK)
        self.assertIn("held", said.stdout)
        self.lanpost.send(scan("patient"))
        id = self.lanpost.wait_event("accepted")["id"]
        self.assertEqual(self.account()["state"], "held")
        self.assertEqual(self.account()["waiting"], 1)
        self.lanpost.stop()
        self.assertEqual(self.account()["state"], "held")
        self.lanpost.start()
        self.lanpost.wait_control()
        self.assertEqual(self.account()["state"], "held")
        self.assertEqual(self.provider.arrived(), [])
        self.lanpost.command("account", "resume", "default", check=OK)
        self.lanpost.wait_story(id, state="delivered")
        self.assertEqual(self.account()["state"], "ok")

    def test_resume_after_a_refused_login(self):
        """All that waited goes out once the login is mended and an operator
        says so."""
        self.pair('stage=auth times=1 reply="535 5.7.139 Authentication '
                  'unsuccessful, the user credentials were incorrect."\n')
        for n in range(5):
            self.lanpost.send(scan(f"all-{n}"))
        self.lanpost.wait_event("account-paused")
        self.lanpost.command("account", "resume", "default", check=OK)
        self.lanpost.wait_event("delivered", count=5)
        self.assertEqual(len(self.provider.wait_arrived(5)), 5)

    def test_json(self):
        self.pair()
        said = self.lanpost.command("account", "pause", "default", "--json",
                                    check=OK).stdout
        self.assertEqual(json.loads(said)["state"], "held")

    def test_no_such_account(self):
        self.pair()
        for verb in ("pause", "resume"):
            done = self.lanpost.command("account", verb, "\x1b[2Jx",
                                        check=UNAVAILABLE)
            self.assertIn("no account", done.stderr)
            self.assertNotIn("\x1b", done.stderr)

    def test_without_a_server(self):
        self.pair()
        self.lanpost.stop()
        for verb in ("pause", "resume"):
            done = self.lanpost.command("account", verb, "default",
                                        check=UNAVAILABLE)
            self.assertIn("no lanpost server runs", done.stderr)


if __name__ == "__main__":
    main()
