"""What one client may ask of lanpost: messages a minute, connections; mail that
goes in a circle; a device that sends its message again."""

import email.utils
import select
import signal
import smtplib

from e2e_devices import DEVICES, Refused
from e2e_providers import PracticeProvider
from e2e_tools import wait_until
from lanpost_e2e import Lanpost, TestCase, main

ERP, SCANNER = "127.1.1.10", "127.1.1.20"
SAYS = r"450.4\.7\.1 %d messages? a minute from %s " \
       r"\(messages_per_minute_per_client\); try again in (\d+) seconds?"


def message(token, date=True, identity=True):
    fields = [f"Subject: {token}", "From: a@lan.test", "To: b@example.test"]
    if date:
        fields.append(f"Date: {email.utils.formatdate()}")
    if identity:
        fields.append(f"Message-ID: <{token}@alarm.lan.test>")
    return ("\r\n".join(fields) + "\r\n\r\nThe door is open.\r\n").encode()


class Scene(TestCase):
    def scene(self, script="", **listener):
        self.provider = self.start(PracticeProvider(self.ca, script))
        self.lanpost = self.start(Lanpost(account=self.provider.account(),
                                          listener=listener))
        return self.lanpost

    def subjects(self):
        return [one.get("Subject")[0] for one in self.provider.arrived()]

    def hello(self, source=None):
        client = self.lanpost.raw(source)
        self.addCleanup(client.close)
        self.assertEqual(client.ask("EHLO alarm.lan")[:3], "250")
        return client

    def begin(self, source=None, to="b@example.test"):
        """A client behind 354."""
        client = self.hello(source)
        for line in ("MAIL FROM:<a@lan.test>", f"RCPT TO:<{to}>", "DATA"):
            self.assertRegex(client.ask(line), "^[23]", line)
        return client

    def say(self, data, source=None, to="b@example.test", quits=True):
        """A device with manners; returns the reply to the data."""
        client = self.begin(source, to)
        client.send(data + b".\r\n")
        reply = client.reply()
        if quits:
            client.ask("QUIT")
        client.close()
        return reply

    def say_and_leave(self, data, source=None, to="b@example.test"):
        """One that does not wait for the answer; returns its id."""
        mark = self.lanpost.mark()
        client = self.begin(source, to)
        client.send(data + b".\r\n")
        client.close()
        return self.lanpost.wait_event("accepted", since=mark)["id"]


class MessagesAMinute(Scene):
    def mail(self, client):
        return client.ask("MAIL FROM:<a@lan.test>")

    def test_one_is_stopped_the_other_is_not(self):
        lanpost = self.scene(messages_per_minute_per_client=3)
        for n in range(3):
            self.assertEqual(self.say(message(f"erp{n}"), ERP)[:3], "250")
        client = self.hello(ERP)
        for _ in range(10):
            said = self.mail(client)
            self.assertRegex(said, SAYS % (3, ERP))
        self.assertEqual(client.ask("NOOP")[:3], "250")
        self.assertEqual(self.say(message("scan"), SCANNER)[:3], "250")
        self.provider.wait_arrived(4)
        # One line for the first, and one for the others.
        rejected = lanpost.wait_event("rejected")
        self.assertEqual(rejected["client"], ERP)
        self.assertEqual(rejected["reason"], "too-many-messages-per-client")
        self.assertEqual(rejected["from"], "a@lan.test")
        self.assertIn("messages_per_minute_per_client", rejected["fix"])
        self.assertEqual(len(lanpost.events("rejected")), 1)
        lanpost.stop()
        more = lanpost.events("rejected")[1]
        self.assertEqual((more["client"], more["more"]), (ERP, "9"))
        self.assertIn("and 9 more", more["text"])

    def test_real_clients_are_told(self):
        lanpost = self.scene(messages_per_minute_per_client=1)
        self.assertEqual(self.say(message("first"))[:3], "250")
        for name in ("swaks", "python", "curl"):
            with self.subTest(device=name):
                with self.assertRaises(Refused) as refused:
                    DEVICES[name](lanpost.address, message("more"),
                                  "a@lan.test", ["b@example.test"])
                self.assertIn("450", str(refused.exception))

    def test_what_is_not_accepted_costs_nothing(self):
        lanpost = self.scene(messages_per_minute_per_client=2)
        client = self.hello()
        for _ in range(5):
            self.assertEqual(self.mail(client)[:3], "250")
            self.assertEqual(client.ask("RSET")[:3], "250")
        for _ in range(5):
            self.begin().close()     # hung up in the data
        wait_until(lambda: len(lanpost.events("rejected", command="DATA")) == 5,
                   "the unfinished ones")
        for n in range(5):           # refused at the end of the data
            self.assertEqual(self.say(b"X-Nul: \0\r\n\r\n")[:3], "554")
        self.assertEqual(self.say(message("one"))[:3], "250")
        self.assertEqual(self.say(message("two"))[:3], "250")
        self.assertRegex(self.mail(client), SAYS % (2, r"127\.\d+\.\d+\.\d+"))

    def test_parallel_sessions(self):
        """What all of them have begun counts, so that none is one too many."""
        self.scene(messages_per_minute_per_client=3)
        clients = [self.hello(ERP) for _ in range(6)]
        self.assertEqual([self.mail(client)[:3] for client in clients],
                         ["250"] * 3 + ["450"] * 3)
        clients[0].ask("QUIT")
        wait_until(lambda: self.mail(clients[3])[:3] == "250", "its place")
        self.assertEqual(self.mail(clients[4])[:3], "450")

    def test_a_reload_lifts_it(self):
        lanpost = self.scene(messages_per_minute_per_client=1)
        self.assertEqual(self.say(message("one"))[:3], "250")
        client = self.hello()
        self.assertEqual(self.mail(client)[:3], "450")
        lanpost.listener["messages_per_minute_per_client"] = 0
        lanpost.write_config()
        lanpost.signal(signal.SIGHUP)
        lanpost.wait_event("reloaded")
        self.assertEqual(self.mail(client)[:3], "250")

    def test_values(self):
        lanpost = Lanpost(account={
            "host": "127.0.0.1", "tls": "none", "sender_policy": "pass"})
        self.addCleanup(lanpost.clean)
        for value, code in (("0", 0), ("30", 0), ("-1", 78), ("many", 78),
                            ("99999999999999999999", 78)):
            with self.subTest(value=value):
                lanpost.listener["messages_per_minute_per_client"] = value
                lanpost.write_config()
                done = lanpost.command("check", check=code)
                if code:
                    self.assertIn("messages_per_minute_per_client",
                                  done.stderr)
        lanpost.listener["messages_per_minute_per_client"] = 30
        lanpost.write_config()
        told = lanpost.command("check", "--client", "127.0.0.1", check=0)
        self.assertIn("30 messages a minute", told.stdout)


class Connections(Scene):
    def test_a_flood_of_connections(self):
        lanpost = self.scene(max_connections_per_client=1)
        self.addCleanup(lanpost.raw(ERP).close)
        for _ in range(20):
            client = lanpost.raw(ERP)
            self.assertRegex(client.greeting, r"^421 4\.7\.0 1 connection from "
                             + ERP + r" is open \(max_connections_per_client\)")
            client.close()
        other = lanpost.raw(SCANNER)
        self.addCleanup(other.close)
        self.assertEqual(other.greeting[:3], "220")
        self.assertEqual(len(lanpost.events("refused")), 1)
        lanpost.stop()
        more = lanpost.events("refused")[1]
        self.assertEqual((more["client"], more["more"]), (ERP, "19"))


class Loops(TestCase):
    def to(self, other):
        return {"host": other.address[0], "port": other.address[1],
                "tls": "none", "sender_policy": "pass"}

    def test_a_provider_that_is_lanpost_itself(self):
        lanpost = Lanpost()
        lanpost.account = self.to(lanpost)
        self.start(lanpost)
        lanpost.send(message("round"))
        failed = lanpost.wait_event("failed")
        self.assertIn("554 5.4.6 Mail loop", failed["reply"])
        rejected = lanpost.wait_event("rejected")
        self.assertIn("leads back to this listener", rejected["fix"])
        self.assertEqual(len(lanpost.events("accepted")), 2)
        self.assertEqual(len(lanpost.events("failed")), 1)

    def test_two_that_send_to_each_other(self):
        one, two = Lanpost(), Lanpost(relay={"hostname": "other.test"})
        one.account, two.account = self.to(two), self.to(one)
        for lanpost in (one, two):
            self.start(lanpost)
        one.send(message("ping-pong"))
        wait_until(lambda: one.events("failed") or two.events("failed"),
                   "the end of the loop")
        self.assertEqual(len(one.events("accepted")), 2)
        self.assertEqual(len(two.events("accepted")), 2)

    def test_two_of_one_name_in_a_row(self):
        provider = self.start(PracticeProvider(self.ca))
        office = self.start(Lanpost(account=provider.account()))
        sidecar = self.start(Lanpost(account=self.to(office)))
        sidecar.send(message("row"))
        arrived, = provider.wait_arrived(1)
        self.assertEqual(len(arrived.get("Received")), 2)

    def test_too_many_servers(self):
        provider = self.start(PracticeProvider(self.ca))
        lanpost = self.start(Lanpost(account=provider.account()))
        trace = b"Received: from a by b; Sat, 21 Nov 2026 02:40:55 +0000\r\n"
        lanpost.send(trace * 100 + message("hundred"))
        with self.assertRaises(smtplib.SMTPDataError) as refused:
            lanpost.send(trace * 101 + message("more"))
        self.assertEqual(refused.exception.smtp_code, 554)
        self.assertRegex(refused.exception.smtp_error, rb"^5\.4\.6 Mail loop")
        provider.wait_arrived(1)


class Repeats(Scene):
    def assert_once(self, reply, identity, token):
        """It is answered as the first was, and delivered once."""
        self.assertRegex(reply, rf"^250 2\.0\.0 (Queued|Sent) as {identity}\b")
        repaired = self.lanpost.wait_event("repaired", id=identity,
                                           repairs=lambda r: "again" in r)
        self.assertTrue(repaired["client"])
        self.lanpost.wait_event("delivered", id=identity)
        self.say(message("behind"))
        wait_until(lambda: "behind" in self.subjects(), "the next message")
        self.assertEqual(self.subjects(), [token, "behind"])

    def assert_taken(self, count):
        self.provider.wait_arrived(count)
        self.assertEqual(len(self.lanpost.events("accepted")), count)
        self.assertEqual([e for e in self.lanpost.events("repaired")
                          if "again" in e["repairs"]], [])

    def test_a_device_that_does_not_wait(self):
        self.scene()
        scan = message("scan")
        identity = self.say_and_leave(scan)
        for _ in range(3):
            reply = self.say(scan)
        self.assert_once(reply, identity, "scan")

    def test_without_a_date_it_must_be_sure(self):
        """Its answer lies unread in the device's socket as that is closed."""
        self.scene()
        scan = message("scan", date=False)
        client = self.begin()
        client.send(scan + b".\r\n")
        select.select([client.socket], [], [])
        client.close()
        identity = self.lanpost.wait_event("accepted")["id"]
        self.assert_once(self.say(scan), identity, "scan")

    def test_gone_before_the_answer(self):
        self.scene("stage=data-end times=1 do=delay:5000",
                   verdict_wait="60s")
        scan = message("scan", date=False)
        identity = self.say_and_leave(scan)
        self.assert_once(self.say(scan), identity, "scan")

    def test_an_answer_that_came_too_late(self):
        """Two connections, one message, one slow provider."""
        self.scene("stage=data-end times=1 do=delay:5000",
                   verdict_wait="60s")
        scan = message("scan")
        first = self.begin()
        first.send(scan + b".\r\n")
        identity = self.lanpost.wait_event("accepted")["id"]
        second = self.begin()
        second.send(scan + b".\r\n")
        for client in (first, second):
            self.assertEqual(client.reply(), f"250 2.0.0 Sent as {identity}")
        self.lanpost.wait_event("repaired", id=identity)
        self.assertEqual(self.subjects(), ["scan"])

    def test_a_verdict_that_refuses(self):
        """Both are told; then it is no message that was taken."""
        self.scene('stage=rcpt times=1 reply="550 5.1.1 gone" do=delay:5000',
                   verdict_wait="60s")
        scan = message("scan")
        first = self.begin()
        first.send(scan + b".\r\n")
        self.lanpost.wait_event("accepted")
        second = self.begin()
        second.send(scan + b".\r\n")
        self.assertEqual(first.reply()[:3], "550")
        self.assertEqual(second.reply()[:3], "550")
        self.assertEqual(self.say(scan)[:3], "250")
        self.assertEqual(self.subjects(), ["scan"])

    def test_alarms_that_mean_it(self):
        """No Message-ID, or a constant one, or another Date."""
        self.scene()
        alarm = message("alarm", date=False)
        for n in range(3):
            self.say(alarm, quits=n > 1)
        bare = message("bare", date=True, identity=False)
        for _ in range(3):
            self.say_and_leave(bare)
        dated = message("dated")
        self.say_and_leave(dated)
        self.say_and_leave(dated.replace(b"Date: ", b"Date:  "))
        self.assert_taken(8)

    def test_another_client_recipient_or_octet(self):
        self.scene()
        scan = message("scan")
        self.say_and_leave(scan, ERP)
        self.say_and_leave(scan, SCANNER)
        self.say_and_leave(scan, ERP, to="c@example.test")
        self.say_and_leave(scan + b" \r\n", ERP)
        self.assert_taken(4)

    def test_what_failed_may_come_again(self):
        self.scene('stage=rcpt times=1 reply="550 5.1.1 no such user"')
        scan = message("scan")
        self.say_and_leave(scan)
        self.lanpost.wait_event("failed")
        self.say(scan)
        self.provider.wait_arrived(1)
        self.assertEqual(len(self.lanpost.events("accepted")), 2)

    def test_switched_off(self):
        self.scene(drop_repeats="no")
        scan = message("scan")
        self.say_and_leave(scan)
        self.say(scan)
        self.assert_taken(2)

    def test_a_repeat_is_no_message_more(self):
        self.scene(messages_per_minute_per_client=2)
        scan = message("scan")
        identity = self.say_and_leave(scan)
        for _ in range(5):
            reply = self.say(scan)
        self.assert_once(reply, identity, "scan")

    def test_a_restart_forgets(self):
        lanpost = self.scene()
        scan = message("scan")
        self.say_and_leave(scan)
        lanpost.stop()
        lanpost.start()
        self.say(scan)
        self.assert_taken(2)


if __name__ == "__main__":
    main()
