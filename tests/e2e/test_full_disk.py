"""A full disk is answered 452, harms nothing that was accepted, and is over
when there is room again."""

import os
import shutil
import smtplib
import subprocess
import tempfile

from e2e_devices import scan
from e2e_providers import PracticeProvider
from e2e_tools import as_root, need, wait_until
from lanpost_e2e import Lanpost, TestCase, main

MIB = 1 << 20


class FullDisk(TestCase):
    def small_disk(self, megabytes):
        """A file system with that much room, and what gives it more: a tmpfs
        of our own, or in a container, which may not mount one, what we leave
        of its /dev/shm."""
        folder = tempfile.mkdtemp(prefix="lpdisk")
        self.addCleanup(shutil.rmtree, folder, True)
        mount = [need("mount"), "-t", "tmpfs", "lanpost-e2e", folder, "-o"]
        done = subprocess.run([*mount, f"mode=0700,size={megabytes}m"],
                              capture_output=True, text=True)
        if done.returncode == 0:
            self.addCleanup(subprocess.run, [need("umount"), "-l", folder])
            return folder, lambda: subprocess.run(
                [*mount, "remount,size=64m"], check=True)
        disk = os.statvfs("/dev/shm")
        if disk.f_blocks * disk.f_frsize > MIB * 512:
            self.fail("neither a small tmpfs can be mounted here "
                      f"({done.stderr.strip()}) nor is /dev/shm a small one")
        filler = tempfile.NamedTemporaryFile(dir="/dev/shm")
        self.addCleanup(filler.close)
        os.posix_fallocate(filler.fileno(), 0,
                           disk.f_bavail * disk.f_frsize - megabytes * MIB)
        folder = tempfile.mkdtemp(prefix="lpdisk", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, folder, True)
        return folder, lambda: filler.truncate(0)

    def fill(self, lanpost, size, limit=200):
        """Send until refused; returns what was accepted and the refusal."""
        accepted = []
        for n in range(limit):
            token = f"fill-{n}"
            try:
                lanpost.send(scan(token, size=size))
            except smtplib.SMTPResponseException as error:
                return accepted, error.smtp_code, error.smtp_error.decode()
            accepted.append(token)
        self.fail(f"never full after {limit} messages")

    def story(self, size, make_room=None, **relay):
        """Fill up while the provider is away; room returns when it is back
        and the queue has drained, or when somebody makes it."""
        provider = PracticeProvider(self.ca)
        self.addCleanup(provider.clean)
        lanpost = self.start(Lanpost(account=provider.account(), relay=relay))
        accepted, code, words = self.fill(lanpost, size)
        self.assertEqual((code, words[:6]), (452, "4.3.1 "), words)
        self.assertTrue(accepted)
        lanpost.wait_event("rejected", reply=lambda r: r[:9] == "452 4.3.1")
        self.start(provider)
        if make_room:
            make_room()
        lanpost.wait_event("delivered", count=len(accepted))
        wait_until(lambda: not self.refused(lanpost), "room again",
                   why=lanpost.log_text)
        arrived = provider.wait_arrived(len(accepted) + 1)
        self.assertEqual(
            sorted(m.get("Subject")[0] for m in arrived),
            sorted([f"Scan {t}" for t in accepted] + ["Scan room-again"]))
        self.assertEqual(lanpost.stop(), 0)

    def refused(self, lanpost):
        try:
            lanpost.send(scan("room-again"))
        except smtplib.SMTPResponseException:
            return True
        return False

    def full(self, size, megabytes):
        folder, make_room = self.small_disk(megabytes)
        self.story(size, make_room, spool=f"{folder}/spool", min_free_disk="0")

    def test_no_space_for_the_database(self):
        self.full(20_000, 2)

    def test_no_space_for_body_files(self):
        self.full(600_000, 4)

    def test_min_free_disk(self):
        """Refused before a message is read, and named in the reply."""
        folder, make_room = self.small_disk(12)
        provider = self.start(PracticeProvider(self.ca))
        lanpost = self.start(Lanpost(account=provider.account(), relay={
            "spool": f"{folder}/spool", "min_free_disk": "20M"}))
        client = lanpost.raw()
        client.ask("EHLO x")
        reply = client.ask("MAIL FROM:<a@lan.test>")
        self.assertRegex(reply, "^452 4.3.1 .*min_free_disk")
        lanpost.wait_event("disk-low", explanation=bool, fix=bool)
        make_room()
        wait_until(lambda: not self.refused(lanpost), "room again")
        self.assertEqual(len(provider.wait_arrived(1)), 1)

    def test_burst_against_min_free_disk(self):
        """More than the reserve arrives before the disk is looked at again:
        still room to tell what was delivered."""
        folder, _ = self.small_disk(12)
        self.story(300_000, spool=f"{folder}/spool", min_free_disk="3M")

    def test_max_spool_size(self):
        self.story(100_000, max_spool_size="1M")


if __name__ == "__main__":
    as_root()
    main()
