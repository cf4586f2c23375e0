"""kill -9 at random moments under load, again and again on the same spool:
what was answered 250 reaches the provider; a message comes twice only when
lanpost died between the provider's 250 and its own commit."""

import collections
import itertools
import random
import smtplib
import threading
import time

from e2e_providers import PracticeProvider
from e2e_tools import wait_until
from lanpost_e2e import Lanpost, TestCase, main

DEVICES = 4


class Device(threading.Thread):
    """Sends one message after the other, and again when cut off; accepted
    are the tokens that were answered 250, unsure those without an answer."""

    def __init__(self, number, lanpost):
        super().__init__(daemon=True)
        self.number, self.lanpost = number, lanpost
        self.tokens = (f"t{number}x{n}" for n in itertools.count())
        self.accepted, self.unsure, self.refused = [], [], []
        self.enough = threading.Event()

    def run(self):
        while not self.enough.is_set():
            try:
                with self.lanpost.smtp() as smtp:
                    while not self.enough.is_set():
                        self.send(smtp, next(self.tokens))
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)      # cut off, or not up again yet

    def send(self, smtp, token):
        # now and then a body that goes to a file of its own
        filler = b"z" * 76 + b"\r\n"
        filler *= 4000 if random.random() < 0.05 else random.randint(1, 60)
        try:
            smtp.sendmail("printer@lan.test", ["boss@example.test"],
                          f"X-Token: {token}\r\n\r\n".encode() + filler)
        except smtplib.SMTPResponseException:
            self.refused.append(token)
        except (OSError, smtplib.SMTPException):
            self.unsure.append(token)
            raise
        else:
            self.accepted.append(token)


class Crash(TestCase):
    def tokens_at(self, provider):
        return [token for _, token, *_ in provider.journal()]

    def rounds(self, lanpost, provider, rounds):
        """Kill and start again; returns how much had arrived just before each
        kill, and once the next life was there."""
        kills = []
        for _ in range(rounds):
            had = len(provider.journal())
            wait_until(lambda: len(provider.journal()) > had, "a delivery")
            time.sleep(random.uniform(0, 0.8))   # the random moment
            before = len(provider.journal())
            lanpost.kill()
            lanpost.start()
            kills.append((before, len(provider.journal())))
        return kills

    def test_nothing_is_lost(self):
        self.story("yes", 12)

    def test_nothing_is_lost_with_eager_pipelining(self):
        self.story("eager", 6)

    def story(self, pipelining, rounds):
        provider = self.start(PracticeProvider(
            self.ca, latency=2, discard=True))
        lanpost = self.start(Lanpost(
            account=provider.account(pipelining=pipelining)))
        devices = [Device(n, lanpost) for n in range(DEVICES)]
        for device in devices:
            device.start()
        kills = self.rounds(lanpost, provider, rounds)
        for device in devices:
            device.enough.set()
        for device in devices:
            device.join()
        accepted = {t for d in devices for t in d.accepted}
        unsure = {t for d in devices for t in d.unsure}
        wait_until(
            lambda: accepted <= set(self.tokens_at(provider)),
            "all that was accepted")
        self.assertEqual(lanpost.stop(), 0)
        self.assertEqual(lanpost.command("queue").stdout.count("boss@"), 0)

        arrived = self.tokens_at(provider)
        places = collections.defaultdict(list)
        for place, token in enumerate(arrived):
            places[token].append(place)
        twice = {t: p for t, p in places.items() if len(p) > 1}
        print(f"\n{rounds} kills: {len(accepted)} messages answered 250, "
              f"0 lost; {len(unsure)} cut off; {len(twice)} came twice",
              flush=True)
        self.assertGreater(len(accepted), rounds)
        self.assertLessEqual(set(arrived), accepted | unsure)
        for token, where in twice.items():
            for first, second in itertools.pairwise(where):
                self.assertTrue(
                    any(first < after and second >= before
                        for before, after in kills),
                    f"{token} came twice within one life of lanpost")


if __name__ == "__main__":
    main()
