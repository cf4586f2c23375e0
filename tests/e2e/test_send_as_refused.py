"""A provider refuses the sender (Send As): the message goes out once more as
the account itself, and the refused sender is not tried again."""

import signal
import sqlite3

from e2e_devices import scan
from e2e_providers import USER, PracticeProvider
from lanpost_e2e import Lanpost, TestCase, main

COPIER = "copier@contoso.test"
TO = "boss@example.test"

DENIED = "550 5.7.60 SMTP; Client does not have permissions to send as " \
    "this sender"

# In the words of the real ones: at which stage, what they say, which entry of
# the catalogue that is.
WORDS = (
    ("data-end", DENIED, "m365-send-as-denied-5760"),
    ("data-end", "550 5.7.1 Client does not have permissions to send as this "
     "sender", "m365-send-as-denied-571"),
    ("data-end", f"554 5.2.252 SendAsDenied; {USER} not allowed to send as "
     f"{COPIER}; STOREDRV.Submission.Exception:SendAsDeniedException",
     "m365-send-as-denied-storedrv"),
    ("mail", "550 5.7.0 From address is not one of your addresses.",
     "icloud-from-not-owned"),
    ("mail", "550 Request failed; Mailbox unavailable",
     "yahoo-mailfrom-mismatch"),
    ("mail", "553 5.7.1 Sender address rejected: not owned by auth user.",
     "yandex-from-not-owned"),
    ("rcpt", f"553 5.7.1 <{COPIER}>: Sender address rejected: not owned by "
     f"user {USER}", "sender-not-owned-generic"),
    ("mail", "550 Sender address is not allowed.", "gmx-sender-not-allowed"),
    ("data-end", "551 5.7.1 Not authorised to send from this header address",
     "fastmail-from-not-authorised"),
    ("data-end", "554 Message rejected: Email address is not verified. The "
     f"following identities failed the check in region US-EAST-1: {COPIER}",
     "ses-unverified-identity"),
    ("mail", "550 5.7.1 Unconfigured Sending Domain <contoso.test>",
     "sparkpost-unconfigured-domain"),
    # words that nobody has heard before
    ("mail", "550 5.7.1 Certainly not", "sender-refused"),
    ("data-end", "550 5.7.60 Certainly not", "send-as-refused"),
)


def refuse(reply, stage="data-end", more=""):
    """A script; at RCPT each recipient is told, as the sender is not seen."""
    who = "*" if stage == "rcpt" else COPIER
    return f'stage={stage} match="{who}" {more} reply="{reply}"\n'


class SendAsRefused(TestCase):
    def pair(self, script, account=None, **options):
        provider = self.start(PracticeProvider(self.ca, script, **options))
        keys = provider.account(**{"senders": f"{USER}, {COPIER}",
                                   "connections": 1, **(account or {})})
        return provider, self.start(Lanpost(account=keys,
                                            relay={"retry": "1h"}))

    def send(self, lanpost, token, to=(TO,)):
        lanpost.send(scan(token).replace(b"printer@lan.test",
                                         COPIER.encode()),
                     sender=COPIER, to=to)

    def refusals(self, lanpost, since=0):
        return lanpost.events("deferred", since)

    def attempts(self, lanpost):
        with sqlite3.connect(lanpost.spool / "lanpost.db") as db:
            return db.execute("SELECT account, reply FROM attempt "
                              "ORDER BY message, n").fetchall()

    def reload(self, lanpost):
        mark = lanpost.mark()
        lanpost.write_config()
        lanpost.signal(signal.SIGHUP)
        lanpost.wait_event("reloaded", since=mark)

    def test_goes_out_as_the_account(self):
        for stage, words, reason in WORDS:
            with self.subTest(words=words):
                times = "times=1" if stage == "rcpt" else ""
                provider, lanpost = self.pair(refuse(words, stage, times))
                self.send(lanpost, "mended")
                lanpost.wait_event("delivered", attempt=2, sent_as=USER)
                message, = provider.arrived()
                self.assertEqual(message.sender, USER)
                self.assertEqual(message.address("From"), [USER])
                self.assertEqual(message.address("Reply-To"), [COPIER])
                refusal, = self.refusals(lanpost)
                self.assertEqual(refusal["reason"], reason)
                self.assertEqual(lanpost.events("failed"), [])
                lanpost.stop()
                self.assertEqual([r for _, r in self.attempts(lanpost)][0],
                                 words)

    def test_says_so(self):
        _, lanpost = self.pair(refuse(DENIED))
        self.send(lanpost, "told")
        lanpost.wait_event("delivered")
        told, = lanpost.events("warning", reason="sender-refused")
        self.assertEqual((told.level, told["account"], told["from"],
                          told["sent_as"], told["reply"]),
                         ("warn", "default", COPIER, USER, DENIED))
        self.assertIn(f"Add-RecipientPermission {COPIER}", told["fix"])
        self.assertIn("senders", told["fix"])

    def test_what_is_to_be_pasted_is_harmless(self):
        """A device thinks of the address, an administrator pastes it."""
        for sender, word in (('"$(calc);b"@x.test', """'"$(calc);b"@x.test'"""),
                             ("o'neil@x.test", "'o''neil@x.test'"),
                             ("-confirm@x.test", "'-confirm@x.test'")):
            with self.subTest(sender=sender):
                script = (f'stage=mail match="{USER}" reply=ok\n'
                          f'stage=mail reply="{DENIED}"\n')
                _, lanpost = self.pair(script, {"sender_policy": "pass"})
                lanpost.send(scan("x").replace(b"printer@lan.test",
                                               sender.encode()), sender=sender)
                lanpost.wait_event("delivered")
                told, = lanpost.events("warning", reason="sender-refused")
                self.assertIn(f"Add-RecipientPermission {word} -AccessRights",
                              told["fix"])
                lanpost.stop()

    def test_many_messages_one_refusal(self):
        """Those that wait behind it, prepared already, too."""
        provider, lanpost = self.pair(refuse(DENIED), latency=10)
        for number in range(20):
            self.send(lanpost, f"many-{number}")
        lanpost.wait_event("delivered", count=20)
        self.assertEqual(len(self.refusals(lanpost)), 1)
        self.assertEqual(sorted(m.get("Subject")[0] for m in
                                provider.arrived()),
                         sorted(f"Scan many-{n}" for n in range(20)))
        self.assertEqual({m.sender for m in provider.arrived()}, {USER})

    def test_with_more_connections_as_many_as_in_flight(self):
        provider, lanpost = self.pair(
            refuse(DENIED), latency=10,
            account={"connections": 3, "pipelining": "eager"})
        for number in range(20):
            self.send(lanpost, f"flight-{number}")
        lanpost.wait_event("delivered", count=20)
        self.assertLessEqual(len(self.refusals(lanpost)), 6)
        self.assertEqual(len(provider.arrived()), 20)

    def test_remembered_over_restart_and_crash(self):
        provider, lanpost = self.pair(refuse(DENIED))
        self.send(lanpost, "first")
        lanpost.wait_event("delivered")
        for number, end in enumerate((lanpost.stop, lanpost.kill)):
            end()
            lanpost.start()
            self.send(lanpost, f"again-{number}")
            lanpost.wait_event("delivered", count=number + 1, attempt=1)
        self.assertEqual(len(self.refusals(lanpost)), 1)
        self.assertEqual({m.sender for m in provider.arrived()}, {USER})

    def test_tried_again_under_another_configuration(self):
        provider, lanpost = self.pair(refuse(DENIED))
        self.send(lanpost, "first")
        lanpost.wait_event("delivered")
        provider.behave("")  # Send As has been granted
        self.reload(lanpost)
        self.send(lanpost, "no change")
        lanpost.wait_event("delivered", count=2)
        self.assertEqual(provider.arrived()[1].sender, USER)
        lanpost.account["senders"] += ", other@contoso.test"
        self.reload(lanpost)
        self.send(lanpost, "changed")
        lanpost.wait_event("delivered", count=3)
        self.assertEqual(provider.arrived()[2].sender, COPIER)
        self.assertEqual(provider.arrived()[2].address("From"), [COPIER])
        lanpost.stop()
        with sqlite3.connect(lanpost.spool / "lanpost.db") as db:
            self.assertEqual(db.execute(
                "SELECT count(*) FROM refused_sender").fetchone(), (0,))

    def test_changed_while_it_was_stopped(self):
        provider, lanpost = self.pair(refuse(DENIED))
        self.send(lanpost, "first")
        lanpost.wait_event("delivered")
        lanpost.stop()
        provider.behave("")
        lanpost.account["senders"] = f"{COPIER}"
        lanpost.start()
        self.send(lanpost, "changed")
        lanpost.wait_event("delivered", count=2)
        self.assertEqual(provider.arrived()[1].sender, COPIER)

    def test_recipients_keep_their_own_fate(self):
        provider, lanpost = self.pair(
            'stage=rcpt match="gone@*" reply="550 5.1.1 no such user"\n'
            + refuse(DENIED))
        self.send(lanpost, "fates", to=[TO, "gone@example.test",
                                        "chief@example.test"])
        lanpost.wait_event("delivered")
        failed, = lanpost.events("failed")
        self.assertEqual(failed["to"], "gone@example.test")
        message, = provider.arrived()
        self.assertEqual(sorted(message.recipients),
                         sorted([TO, "chief@example.test"]))

    def test_the_account_itself_refused_pauses_it(self):
        """Once more as itself, and no more; nothing is lost."""
        provider, lanpost = self.pair(
            f'stage=data-end match="*" reply="{DENIED}"\n')
        self.send(lanpost, "hopeless")
        paused = lanpost.wait_event("account-paused")
        self.assertIn(USER, paused["fix"])
        lanpost.wait_event("deferred", attempt=2)
        self.assertEqual(lanpost.events("failed"), [])
        self.assertIn("hopeless", lanpost.command("queue", "--json").stdout)
        self.assertEqual(provider.arrived(), [])

    def test_an_account_without_an_address_fails_the_message(self):
        """There is nothing to send it as, and others may be well."""
        _, lanpost = self.pair(refuse(DENIED), {
            "username": "AKIAEXAMPLE", "senders": "*@contoso.test",
            "sender_policy": "pass"},
            user="AKIAEXAMPLE")
        self.send(lanpost, "nobody")
        lanpost.wait_event("failed", attempt=1)
        self.assertEqual(lanpost.events("account-paused"), [])

    def test_a_recipient_that_is_not_verified_is_no_sender(self):
        _, lanpost = self.pair(
            f'stage=data-end match="{COPIER}" reply="554 Message rejected: '
            "Email address is not verified. The following identities failed "
            f'the check in region US-EAST-1: {TO}"\n')
        self.send(lanpost, "sandbox")
        lanpost.wait_event("failed", attempt=1)
        self.assertEqual(lanpost.events("warning", reason="sender-refused"),
                         [])

    def test_a_block_pauses_the_account(self):
        """5.2.252: nothing is lost, and nothing more is tried."""
        provider, lanpost = self.pair(
            'stage=data-end match="*" reply="550 5.2.252 Sender throttled due '
            'to continuous send as denied errors"\n')
        for number in range(3):
            self.send(lanpost, f"blocked-{number}")
        paused = lanpost.wait_event("account-paused")
        self.assertIn("5.2.252", paused["reply"])
        lanpost.wait_event("deferred", count=3)
        self.assertEqual(lanpost.events("failed"), [])
        self.assertEqual(provider.arrived(), [])


if __name__ == "__main__":
    main()
