"""Who may submit: allow, deny, the caps on connections; refused clients are
told why, and the log says so with the fix."""

import signal
import socket

from e2e_providers import PracticeProvider
from e2e_tools import DEADLINE, free_port, has_ipv6, loopback, wait_until
from lanpost_e2e import Lanpost, TestCase, main

FRIEND, STRANGER, GUEST = "127.1.1.10", "127.1.2.20", "127.1.1.66"


class Access(TestCase):
    def lanpost(self, **listener):
        provider = self.start(PracticeProvider(self.ca))
        return self.start(Lanpost(account=provider.account(),
                                  listener=listener))

    def greeting(self, lanpost, source):
        client = lanpost.raw(source)
        self.addCleanup(client.close)
        return client.greeting

    def test_allow_and_deny(self):
        lanpost = self.lanpost(allow="127.1.1.0/24", deny=f"{GUEST}/32")
        for source, code in ((FRIEND, "220"), (STRANGER, "5"), (GUEST, "5")):
            with self.subTest(source=source):
                greeting = self.greeting(lanpost, source)
                self.assertTrue(greeting.startswith(code), greeting)
        for source in (STRANGER, GUEST):
            refused = lanpost.wait_event("refused", client=source)
            self.assertTrue(refused["reason"], refused.line)
            self.assertTrue(refused["fix"], refused.line)
        self.assertEqual(lanpost.events("refused", client=FRIEND), [])

    def test_private_is_the_default(self):
        lanpost = self.lanpost()
        self.assertEqual(self.greeting(lanpost, FRIEND)[:3], "220")

    def test_greeting_is_one_line(self):
        lanpost = self.lanpost()
        self.assertRegex(self.greeting(lanpost, FRIEND),
                         r"^220 relay\.test ESMTP[^\n]*$")

    def test_caps_on_connections(self):
        lanpost = self.lanpost(max_connections=3, max_connections_per_client=2)
        for source, code in (
                (FRIEND, "220"), (FRIEND, "220"),
                (FRIEND, "421"),     # a third of one client
                (STRANGER, "220"),
                (GUEST, "421")):     # a fourth in all
            with self.subTest(source=source, code=code):
                self.assertEqual(self.greeting(lanpost, source)[:3], code)
        lanpost.wait_event("refused", client=FRIEND)
        lanpost.wait_event("refused", client=GUEST)

    def test_room_again_when_one_leaves(self):
        lanpost = self.lanpost(max_connections=1)
        first = lanpost.raw(FRIEND)
        self.assertEqual(self.greeting(lanpost, FRIEND)[:3], "421")
        self.assertEqual(first.ask("QUIT")[:3], "221")
        first.close()
        wait_until(lambda: self.greeting(lanpost, FRIEND)[:3] == "220",
                           "a free place")

    def test_a_listener_that_goes_at_a_reload(self):
        """Its rules are gone: nobody comes in by those of another."""
        provider = self.start(PracticeProvider(self.ca))
        lanpost = Lanpost(account=provider.account())
        door = (lanpost.address[0], free_port(lanpost.address[0]))
        lanpost.more = ("[listener guests]\naddress = %s:%d\n" % door)
        self.start(lanpost)

        def greeting():
            with socket.create_connection(door, DEADLINE) as client:
                return client.recv(200)[:3]

        self.assertEqual(greeting(), b"220")
        mark, lanpost.more = lanpost.mark(), ""
        lanpost.write_config()
        lanpost.signal(signal.SIGHUP)
        lanpost.wait_event("reloaded", since=mark)
        self.assertEqual(greeting(), b"421")
        lanpost.wait_event("refused", listener="guests",
                           reason="listener-removed")
        self.assertEqual(self.greeting(lanpost, FRIEND)[:3], "220")

    def test_several_addresses(self):
        provider = self.start(PracticeProvider(self.ca))
        lanpost = Lanpost(account=provider.account())
        host, port = lanpost.address
        hosts = [host, loopback(2)]
        if has_ipv6():
            hosts.append("::1")
        else:
            print("this machine has no ::1: only IPv4 is tried", flush=True)
        lanpost.listener["address"] = ", ".join(
            f"[{h}]:{port}" if ":" in h else f"{h}:{port}" for h in hosts)
        self.start(lanpost)
        for address in hosts:
            with self.subTest(address=address):
                lanpost.address = (address, port)
                self.assertEqual(lanpost.raw().greeting[:3], "220")


if __name__ == "__main__":
    main()
