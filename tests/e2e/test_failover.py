"""Several accounts: a second one sends while the first cannot; rules choose;
a reload adds and removes them.  No message is lost, and none comes twice."""

import signal

from e2e_devices import scan
from e2e_providers import USER, PracticeProvider
from lanpost_e2e import Lanpost, TestCase, main

SPARE = "spare@fabrikam.test"
COPIER = "copier@contoso.test"
TO = "boss@example.test"


class Accounts(TestCase):
    def provider(self, script="", user=USER, start=True, **options):
        provider = PracticeProvider(self.ca, script, **options)
        provider.user = provider.options["user"] = user
        return self.start(provider) if start else provider

    def section(self, lanpost, name, provider, **more):
        """[account NAME], its password in a file of its own."""
        keys = provider.account(**more)
        secret = lanpost.folder / f"password-{name}"
        secret.write_text(keys.pop("password") + "\n", "utf-8")
        secret.chmod(0o600)
        keys["password_file"] = secret
        return f"[account {name}]\n" + "".join(
            f"{key} = {value}\n" for key, value in keys.items()) + "\n"

    def lanpost(self, account, sections, **relay):
        """sections: of Lanpost, as text."""
        lanpost = Lanpost(account=account, relay={"retry": "1h", **relay})
        lanpost.more = sections(lanpost)
        return self.start(lanpost)

    def reload(self, lanpost):
        mark = lanpost.mark()
        lanpost.write_config()
        lanpost.signal(signal.SIGHUP)
        lanpost.wait_event("reloaded", since=mark)

    def send(self, lanpost, *tokens, sender="printer@lan.test"):
        for token in tokens:
            lanpost.send(scan(token).replace(b"printer@lan.test",
                                             sender.encode()), sender=sender)

    def subjects(self, *providers):
        return sorted(m.get("Subject")[0].removeprefix("Scan ")
                      for provider in providers for m in provider.arrived())


class Failover(Accounts):
    def trio(self, password=None, more=None, relay=None, **spare):
        """The own provider, the spare one, and lanpost between them."""
        own, other = self.provider(), self.provider(user=SPARE)
        keys = own.account(failover="spare", senders=f"{USER}, {COPIER}",
                           connections=1, **(more or {}))
        keys["password"] = password or keys["password"]
        lanpost = self.lanpost(
            keys, lambda l: self.section(l, "spare", other, **spare),
            **(relay or {}))
        return own, other, lanpost

    def told(self, lanpost, since=0):
        return lanpost.events("warning", since, failover="spare")

    def test_refused_login(self):
        """All goes over at once, under the spare account's sender; mended,
        the own account sends again."""
        own, other, lanpost = self.trio(password="not it")
        self.send(lanpost, *(f"over-{n}" for n in range(5)), sender=COPIER)
        lanpost.wait_event("delivered", count=5, account="spare",
                           sent_as=SPARE)
        self.assertEqual(len(lanpost.events("account-paused")), 1)
        self.assertEqual([e["account"] for e in self.told(lanpost)],
                         ["default"])
        first, = lanpost.events("deferred")
        self.assertEqual(first["account"], "default")
        lanpost.wait_event("delivered", id=first["id"], attempt=2)
        for message in other.arrived():
            self.assertEqual(message.sender, SPARE)
            self.assertEqual(message.address("From"), [SPARE])
        mark = lanpost.mark()
        lanpost.account["password"] = own.password
        self.reload(lanpost)
        lanpost.wait_event("account-resumed", mark)
        self.send(lanpost, "back", sender=COPIER)
        lanpost.wait_event("delivered", mark, account="default")
        self.assertEqual(self.subjects(own), ["back"])
        self.assertEqual(own.arrived()[0].sender, COPIER)
        self.assertEqual(self.subjects(other),
                         sorted(f"over-{n}" for n in range(5)))

    def test_connection_refused_and_back_by_itself(self):
        """No message is the probe: the account logs in by its schedule."""
        own, other, lanpost = self.trio(relay={"retry": "1s"})
        own.stop()
        self.send(lanpost, "over-1", "over-2")
        lanpost.wait_event("delivered", count=2, account="spare")
        failed = lanpost.events("upstream-failed", account="default")
        self.assertTrue(failed)
        self.assertEqual(len(self.told(lanpost)), 1)
        own.start()
        lanpost.wait_event("account-resumed", account="default")
        self.send(lanpost, "back")
        lanpost.wait_event("delivered", account="default")
        self.assertEqual(self.subjects(own), ["back"])
        self.assertEqual(self.subjects(other), ["over-1", "over-2"])

    def test_both_fail(self):
        """Mail waits for its own account, and whichever returns takes it."""
        own, other, lanpost = self.trio(relay={"retry": "1s"})
        own.stop()
        other.stop()
        tokens = [f"both-{n}" for n in range(6)]
        self.send(lanpost, *tokens)
        for account in ("default", "spare"):
            lanpost.wait_event("upstream-failed", account=account)
        mark = lanpost.mark()
        other.start()
        lanpost.wait_event("delivered", mark, count=6, account="spare")
        own.start()
        lanpost.wait_event("account-resumed", mark, account="default")
        self.send(lanpost, "last")
        lanpost.wait_event("delivered", mark, account="default")
        self.assertEqual(self.subjects(other), tokens)
        self.assertEqual(self.subjects(own), ["last"])

    def test_spare_fails_while_it_helps(self):
        """What is in its lane goes back to the own account."""
        own, other, lanpost = self.trio(relay={"retry": "1s"})
        own.stop()
        self.send(lanpost, "first")
        lanpost.wait_event("delivered", account="spare")
        other.stop()
        tokens = [f"later-{n}" for n in range(4)]
        self.send(lanpost, *tokens)
        lanpost.wait_event("upstream-failed", account="spare")
        own.start()
        lanpost.wait_event("delivered", count=4, account="default")
        self.assertEqual(self.subjects(own), tokens)

    def test_chain_and_cycle(self):
        """default, spare, third, and round again: the one that works sends,
        and none is asked twice."""
        own, other = self.provider(), self.provider(user=SPARE)
        third = self.provider(user="third@example.test")
        lanpost = self.lanpost(
            own.account(failover="spare", password="not it"),
            lambda l: self.section(l, "spare", other, failover="third",
                                   password="not it either")
            + self.section(l, "third", third, failover="default"))
        self.send(lanpost, "round")
        lanpost.wait_event("delivered", account="third", attempt=3)
        self.assertEqual([e["account"] for e in
                          lanpost.events("account-paused")],
                         ["default", "spare"])
        self.assertEqual(self.subjects(own, other, third), ["round"])

    def test_all_in_a_cycle_fail(self):
        own, other = self.provider(), self.provider(user=SPARE)
        lanpost = self.lanpost(
            own.account(failover="spare", password="not it"),
            lambda l: self.section(l, "spare", other, failover="default",
                                   password="not it either"))
        self.send(lanpost, "a", "b")
        lanpost.wait_event("account-paused", count=2)
        mark = lanpost.mark()
        lanpost.account["password"] = own.password
        self.reload(lanpost)
        lanpost.wait_event("delivered", mark, count=2, account="default")
        self.assertEqual(self.subjects(own, other), ["a", "b"])
        lanpost.stop()
        for provider in (own, other):
            provider.stop()
            self.assertRegex(provider.log_text(), r"connections=[0-3] ")

    def test_logins_that_come_and_go(self):
        """Each message once, whoever sends it."""
        busy = ('stage=auth after={} times={} reply="454 4.7.0 Temporary '
                'authentication failure"\n')
        own = self.provider(busy.format(2, 2))
        other = self.provider(busy.format(1, 1), user=SPARE)
        lanpost = self.lanpost(
            own.account(failover="spare", messages_per_connection=2),
            lambda l: self.section(l, "spare", other, failover="default",
                                   messages_per_connection=2), retry="1s")
        tokens = sorted(f"flap-{n}" for n in range(30))
        self.send(lanpost, *tokens)
        lanpost.wait_event("delivered", count=30)
        self.assertEqual(self.subjects(own, other), tokens)
        self.assertTrue(own.arrived() and other.arrived())

    def test_spare_that_may_not_send_it_does_not(self):
        """It would refuse for good what the own account can send later."""
        own, other, lanpost = self.trio(password="not it",
                                        sender_policy="reject")
        self.send(lanpost, "not mine", sender=COPIER)
        lanpost.wait_event("account-paused")
        mark = lanpost.mark()
        self.send(lanpost, "mine", sender=SPARE)
        lanpost.wait_event("delivered", mark, account="spare")
        lanpost.account["password"] = own.password
        self.reload(lanpost)
        lanpost.wait_event("delivered", mark, account="default")
        self.assertEqual(self.subjects(own), ["not mine"])
        self.assertEqual(self.subjects(other), ["mine"])
        self.assertEqual(lanpost.events("failed"), [])

    def test_blocked_in_the_middle_of_the_mail(self):
        """An account that is refused at the final dot counts, too."""
        own, other = self.provider(
            'stage=data-end reply="550 5.2.252 Sender throttled due to '
            'continuous send as denied errors"\n'), self.provider(user=SPARE)
        lanpost = self.lanpost(
            own.account(failover="spare"),
            lambda l: self.section(l, "spare", other))
        self.send(lanpost, "blocked")
        lanpost.wait_event("delivered", account="spare", attempt=2)
        self.send(lanpost, "later")
        lanpost.wait_event("delivered", account="spare", attempt=1)
        self.assertEqual(self.subjects(other), ["blocked", "later"])


class Rules(Accounts):
    RULE = "[rule {0}]\nfrom = *@{1}\naccount = {2}\n\n"

    def test_two_accounts_by_rules(self):
        own, other = self.provider(), self.provider(user=SPARE)
        lanpost = self.lanpost(
            own.account(), lambda l: self.section(l, "spare", other)
            + self.RULE.format("branch", "branch.test", "spare"))
        self.send(lanpost, "home")
        self.send(lanpost, "branch", sender="printer@branch.test")
        lanpost.wait_event("delivered", account="default")
        delivered = lanpost.wait_event("delivered", account="spare",
                                       rule="branch")
        self.assertEqual(delivered["sent_as"], SPARE)
        self.assertEqual(self.subjects(own), ["home"])
        self.assertEqual(self.subjects(other), ["branch"])

    def test_reload_adds_an_account(self):
        """In front of the other one, and with a rule."""
        own, other = self.provider(), self.provider(user=SPARE)
        lanpost = self.lanpost({}, lambda l: self.section(l, "home", own))
        home = lanpost.more
        self.send(lanpost, "before")
        lanpost.wait_event("delivered", account="home")
        lanpost.more = (self.section(lanpost, "branch", other) + home +
                        self.RULE.format("home", "lan.test", "home"))
        self.reload(lanpost)
        self.send(lanpost, "branch", sender="printer@branch.test")
        self.send(lanpost, "home")
        lanpost.wait_event("delivered", account="branch")
        lanpost.wait_event("delivered", account="home", rule="home")
        self.assertEqual(self.subjects(own), ["before", "home"])
        self.assertEqual(self.subjects(other), ["branch"])

    def test_reload_removes_an_account(self):
        """Mail that waits for it goes by its rule's account, and that is
        told."""
        own = self.provider()
        third = self.provider(user="third@example.test")
        gone = self.provider('stage=data-end reply="451 4.7.1 later"\n',
                             user=SPARE)
        lanpost = self.lanpost(
            own.account(), lambda l: self.section(l, "gone", gone)
            + self.RULE.format("branch", "branch.test", "gone"), retry="1s")
        self.send(lanpost, "waits", sender="printer@branch.test")
        lanpost.wait_event("deferred", account="gone")
        lanpost.more = (self.section(lanpost, "third", third) +
                        self.RULE.format("branch", "branch.test", "third"))
        self.reload(lanpost)
        delivered = lanpost.wait_event("delivered", account="third")
        told, = lanpost.events("warning", account="gone", instead="third")
        self.assertEqual(told["id"], delivered["id"])
        self.assertEqual(self.subjects(third), ["waits"])

    def test_removed_while_it_sends(self):
        """The attempt under way is finished."""
        own = self.provider()
        slow = self.provider("stage=data-end do=delay:1500\n", user=SPARE)
        lanpost = self.lanpost(
            own.account(), lambda l: self.section(l, "slow", slow)
            + self.RULE.format("branch", "branch.test", "slow"))
        self.send(lanpost, "under way", sender="printer@branch.test")
        lanpost.wait_event("upstream-connected", account="slow")
        lanpost.more = ""
        self.reload(lanpost)
        lanpost.wait_event("delivered")
        self.assertEqual(len(self.subjects(own, slow)), 1)


if __name__ == "__main__":
    main()
