"""An account that cannot work rests: one attempt, one line, one probe an
interval, and all its mail when it works again; over restarts and reloads."""

import json
import os
import re
import signal

from e2e_devices import scan
from e2e_providers import PracticeProvider
from e2e_tools import wait_until
from lanpost_e2e import Lanpost, TestCase, main

MINUTES = 60 * 1000
QUOTA = "454 Throttling failure: Daily message quota exceeded."


class Pausing(TestCase):
    """A provider, a lanpost, and counting what passes between them."""

    def pair(self, script="", relay=None, password=None, **account):
        provider = self.start(PracticeProvider(self.ca, script))
        keys = provider.account(**account)
        keys["password"] = password or keys["password"]
        return provider, self.start(Lanpost(
            account=keys, relay={"retry": "1h", **(relay or {})}))

    def count(self, provider, what):
        """connections=, logins=, transactions=: as the provider has them."""
        before = len(re.findall("connections=", provider.log_text()))
        provider.signal(signal.SIGUSR1)
        lines = wait_until(
            lambda: (found if len(found := re.findall(
                "connections=.*", provider.log_text())) > before else None),
            "the provider's numbers", why=provider.log_text)
        return int(re.search(rf"\b{what}=(\d+)", lines[-1])[1])

    def send(self, lanpost, count):
        tokens = [f"paused-{n}" for n in range(count)]
        for token in tokens:
            lanpost.send(scan(token))
        return tokens

    def check_arrived(self, provider, tokens):
        """All of them, and each once."""
        provider.wait_arrived(len(tokens))
        self.assertEqual(
            sorted(m.get("Subject")[0].removeprefix("Scan ")
                   for m in provider.arrived()), sorted(tokens))

    def secret(self, lanpost):
        return lanpost.folder / "password"

    def replace(self, path, text):
        """As an editor does it: another file under the same name."""
        new = path.with_suffix(".new")
        new.write_text(text + "\n", "utf-8")
        new.chmod(0o600)
        os.replace(new, path)

    def reload(self, lanpost):
        mark = lanpost.mark()
        lanpost.write_config()
        lanpost.signal(signal.SIGHUP)
        lanpost.wait_event("reloaded", since=mark)

    def state(self, lanpost, account="default"):
        said = json.loads(lanpost.command("status", "--json").stdout)
        return next(a for a in said["accounts"] if a["name"] == account)


class RefusedLogin(Pausing):
    def refused(self, count=20, **relay):
        provider, lanpost = self.pair(password="not it", relay=relay)
        tokens = self.send(lanpost, count)
        lanpost.wait_event("account-paused")
        lanpost.wait_event("deferred", count=count)
        return provider, lanpost, tokens

    def check_refused_once(self, provider):
        """Whatever else is connected logs in."""
        wait_until(lambda: self.count(provider, "connections") -
                   self.count(provider, "logins") == 1, "one refused login",
                   why=provider.log_text)

    def test_twenty_messages_are_one_login(self):
        provider, lanpost, tokens = self.refused()
        paused, = lanpost.events("account-paused")
        for key in ("account", "host", "reply", "reason", "explanation",
                    "fix"):
            self.assertTrue(paused.get(key), f"no {key}: {paused.line}")
        self.assertEqual(int(paused["retry_in_ms"]), 30 * MINUTES)
        self.assertGreater(int(paused["expires_in_ms"]), 4 * 24 * 60 * MINUTES)
        self.assertEqual(len(lanpost.events("deferred")), len(tokens))
        self.assertEqual(self.count(provider, "connections"), 1)

    def test_a_restart_does_not_try_again(self):
        provider, lanpost, tokens = self.refused(3)
        first, = lanpost.events("account-paused")
        for _ in range(3):
            lanpost.stop()
            mark = lanpost.mark()
            lanpost.start()
            again = lanpost.wait_event("account-paused", since=mark)
            self.assertEqual(again["reason"], first["reason"])
            self.assertEqual(again["reply"], first["reply"])
            self.assertTrue(again["fix"])
            self.assertLessEqual(int(again["retry_in_ms"]), 30 * MINUTES)
            self.assertGreater(int(again["retry_in_ms"]), 20 * MINUTES)
            lanpost.wait_event("deferred", since=mark, count=2)
        self.assertEqual(self.count(provider, "connections"), 1)
        lanpost.stop()
        lanpost.account["password"] = provider.password
        lanpost.start()
        self.check_arrived(provider, tokens)
        self.check_refused_once(provider)
        # What is over is forgotten.
        mark = lanpost.mark()
        lanpost.wait_event("account-resumed")
        lanpost.stop()
        lanpost.start()
        self.assertEqual(lanpost.events("account-paused", since=mark), [])

    def test_killed_again_and_again(self):
        """A server that crashes must not be what locks the account."""
        provider, lanpost, _ = self.refused(2)
        for _ in range(4):
            lanpost.signal(signal.SIGKILL)
            lanpost.wait()
            mark = lanpost.mark()
            lanpost.start()
            lanpost.wait_event("account-paused", since=mark)
        self.assertEqual(self.count(provider, "connections"), 1)

    def test_a_changed_password_file_resumes(self):
        for write in (lambda p, t: p.write_text(t + "\n", "utf-8"),
                      self.replace):
            with self.subTest(write=write):
                provider, lanpost, tokens = self.refused()
                write(self.secret(lanpost), provider.password)
                self.check_arrived(provider, tokens)
                resumed = lanpost.wait_event("account-resumed")
                self.assertTrue(int(resumed["lasted_ms"]) > 0)
                self.check_refused_once(provider)

    def test_another_wrong_password_is_one_more_login(self):
        provider, lanpost, _ = self.refused(3)
        self.replace(self.secret(lanpost), "nor this")
        lanpost.wait_event("account-paused", count=2)
        self.assertEqual(self.count(provider, "connections"), 2)
        self.assertEqual(len(lanpost.events("account-resumed")), 0)

    def test_an_unrelated_reload_does_not_try(self):
        provider, lanpost, tokens = self.refused(3)
        lanpost.relay["max_message_size"] = "5M"
        self.reload(lanpost)
        lanpost.more = "[rule x]\nfrom = nobody@lan.test\n"
        self.reload(lanpost)
        lanpost.command("account", "resume", "default", check=0)
        lanpost.wait_event("account-paused", count=2)
        self.assertEqual(self.count(provider, "connections"), 2)

    def test_a_reload_with_another_login_tries(self):
        provider, lanpost, tokens = self.refused(3)
        lanpost.account["password"] = provider.password
        self.reload(lanpost)
        self.check_arrived(provider, tokens)
        self.check_refused_once(provider)

    def test_all_arrive_after_account_resume(self):
        """The password was right; the provider's switch was off."""
        provider, lanpost = self.pair(
            'stage=auth times=2 reply="535 5.7.139 Authentication '
            'unsuccessful, SmtpClientAuthentication is disabled for the '
            'Tenant."\n')
        tokens = self.send(lanpost, 20)
        lanpost.wait_event("account-paused")
        lanpost.command("account", "resume", "default", check=0)
        lanpost.wait_event("account-paused", count=2)
        self.assertEqual(self.count(provider, "connections"), 2)
        lanpost.command("account", "resume", "default", check=0)
        self.check_arrived(provider, tokens)
        self.assertEqual(len(lanpost.events("account-resumed")), 1)

    def test_mail_that_is_about_to_expire_is_announced(self):
        provider, lanpost, _ = self.refused(2, expire="8s")
        warning = lanpost.wait_event("warning", account="default",
                                     expiring="2")
        self.assertEqual(warning["waiting"], "2")
        self.assertLess(int(warning["expires_in_ms"]), 4000)
        lanpost.wait_event("expired", count=2)
        self.assertEqual(len(lanpost.events("warning", expiring=bool)), 1)


class Held(Pausing):
    def test_held_and_resumed(self):
        provider, lanpost = self.pair()
        lanpost.command("account", "pause", "default", check=0)
        paused = lanpost.wait_event("account-paused")
        self.assertEqual(paused["reason"], "paused-by-operator")
        self.assertNotIn("retry_in_ms", paused)
        tokens = self.send(lanpost, 3)
        lanpost.wait_event("deferred", count=3)
        state = self.state(lanpost)
        self.assertEqual((state["state"], state["waiting"]), ("held", 3))
        self.reload(lanpost)
        lanpost.stop()
        mark = lanpost.mark()
        lanpost.account["connections"] = 3
        lanpost.start()
        lanpost.wait_event("account-paused", since=mark)
        lanpost.wait_event("deferred", since=mark, count=3)
        self.assertEqual(self.state(lanpost)["state"], "held")
        self.assertEqual(self.count(provider, "connections"), 0)
        lanpost.command("account", "resume", "default", check=0)
        self.check_arrived(provider, tokens)
        self.assertEqual(self.state(lanpost)["state"], "ok")

    def test_what_is_under_way_ends_in_order(self):
        provider, lanpost = self.pair("stage=data-end times=1 do=delay:1500\n")
        lanpost.send(scan("under-way"))
        lanpost.wait_event("upstream-connected")
        wait_until(lambda: self.count(provider, "transactions") == 1,
                   "the message to be under way")
        lanpost.command("account", "pause", "default", check=0)
        lanpost.send(scan("later"))
        lanpost.wait_event("delivered")
        lanpost.wait_event("deferred")
        self.check_arrived(provider, ["under-way"])
        lanpost.command("account", "resume", "default", check=0)
        self.check_arrived(provider, ["under-way", "later"])

    def test_another_password_does_not_end_it(self):
        provider, lanpost = self.pair(password="not it")
        lanpost.command("account", "pause", "default", check=0)
        self.replace(self.secret(lanpost), provider.password)
        self.send(lanpost, 1)
        lanpost.wait_event("deferred")
        lanpost.account["password"] = provider.password
        self.reload(lanpost)
        self.assertEqual(self.state(lanpost)["state"], "held")
        self.assertEqual(self.count(provider, "connections"), 0)

    def test_its_failover_sends(self):
        spare = self.start(PracticeProvider(self.ca))
        provider = self.start(PracticeProvider(self.ca))
        lanpost = Lanpost(account=provider.account(failover="spare"))
        keys = spare.account(password_file=lanpost.folder / "spare-password")
        self.replace(keys["password_file"], keys.pop("password"))
        lanpost.more = "[account spare]\n" + "".join(
            f"{key} = {value}\n" for key, value in keys.items())
        self.start(lanpost)
        lanpost.command("account", "pause", "default", check=0)
        tokens = self.send(lanpost, 2)
        self.check_arrived(spare, tokens)
        lanpost.command("account", "resume", "default", check=0)
        lanpost.send(scan("back"))
        self.check_arrived(provider, ["back"])


class Rest(Pausing):
    def test_a_used_up_quota_keeps_the_mail(self):
        provider, lanpost = self.pair(
            f'stage=data-end times=1 reply="{QUOTA}"\n', connections=1)
        tokens = self.send(lanpost, 10)
        throttled = lanpost.wait_event("throttled")
        self.assertIn("quota", throttled["reply"])
        self.assertGreater(int(throttled["retry_in_ms"]), 10 * MINUTES)
        lanpost.wait_event("deferred", count=10)
        self.assertEqual(lanpost.events("failed"), [])
        self.assertEqual(self.count(provider, "transactions"), 1)
        self.assertEqual(self.state(lanpost)["state"], "resting")
        lanpost.stop()
        mark = lanpost.mark()
        lanpost.start()
        again = lanpost.wait_event("throttled", since=mark)
        self.assertGreater(int(again["retry_in_ms"]), 5 * MINUTES)
        self.assertEqual(self.count(provider, "transactions"), 1)
        lanpost.command("account", "resume", "default", check=0)
        self.check_arrived(provider, tokens)

    ENTRY = """[test-rest]
code = 454
pattern = come back when it is quiet
title = Too fast
explanation = The provider wants a pause.
fix = Wait.
disposition = throttle
wait = 1s
"""

    def test_one_message_is_the_probe(self):
        provider = self.start(PracticeProvider(
            self.ca, 'stage=data-end times=3 reply="454 4.7.0 come back when '
            'it is quiet"\n'))
        lanpost = Lanpost(account=provider.account(connections=1),
                          relay={"retry": "1h"})
        (lanpost.folder / "catalogue.d").mkdir()
        (lanpost.folder / "catalogue.d/test.ini").write_text(self.ENTRY)
        self.start(lanpost)
        tokens = self.send(lanpost, 5)
        self.check_arrived(provider, tokens)
        waits = [int(e["retry_in_ms"]) for e in lanpost.events("throttled")]
        self.assertEqual(waits, [1000, 2000, 4000])
        self.assertEqual(self.count(provider, "transactions"), 8)
        self.assertEqual(len(lanpost.events("account-resumed")), 1)


class Unreachable(Pausing):
    def test_one_connection_an_interval(self):
        provider, lanpost = self.pair(
            'stage=connect times=3 reply="421 4.3.2 not now"\n',
            relay={"retry": "1s"}, connections=5)
        tokens = self.send(lanpost, 20)
        self.check_arrived(provider, tokens)
        failed = lanpost.events("upstream-failed")
        self.assertEqual(len(failed), 3)
        self.assertEqual(len(lanpost.events("account-resumed")), 1)
        # No storm: a second connection only behind the first success.
        names = [event.name for event in lanpost.events()]
        before = names[:names.index("delivered")]
        self.assertEqual(before.count("upstream-connected"), 1)

    def test_a_reload_tries_at_once(self):
        provider, lanpost = self.pair()
        provider.stop()
        tokens = self.send(lanpost, 3)
        lanpost.wait_event("upstream-failed")
        provider.start()
        self.reload(lanpost)
        self.check_arrived(provider, tokens)

    def test_it_comes_back_without_mail(self):
        """Nothing waits, and the account is found to work all the same."""
        provider, lanpost = self.pair(relay={"retry": "1s", "expire": "2s"})
        provider.stop()
        lanpost.send(scan("lost"))
        lanpost.wait_event("upstream-failed")
        lanpost.wait_event("expired")
        provider.start()
        lanpost.wait_event("account-resumed")


if __name__ == "__main__":
    main()
