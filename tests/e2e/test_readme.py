"""The configurations that the README shows are ones that lanpost takes, and
do what the text beside them says."""

import os
import pathlib
import re
import subprocess
import tempfile

from e2e_tools import built
from lanpost_e2e import TestCase, main

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
ACCOUNT = ("[account]\nprovider = office365\nusername = scanner@contoso.com\n"
           "password_file = /etc/lanpost/password\n")

# The beginning of a recipe's heading or bold words; a client; what check says.
SAID = {
    "A device as a shared mailbox": ("192.168.1.20",
                                     "goes out as <sales@contoso.com>"),
    "Internal mail through": ("192.168.1.20", "internal"),
    "Another address of yours": ("192.168.1.20",
                                 "goes out as <you@gmail.com>"),
    "Answers to the right desk": ("192.168.1.20", "office@example.com"),
    "Amazon SES": ("192.168.1.20", "goes out as <scans@example.com>"),
    "A second account": ("192.168.1.20", "backup"),
    "Devices as they are": ("192.168.1.21", "old-mfp"),
    "Use it": ("192.168.1.20", "goes out as <scanner@contoso.com>"),
}


def recipes():
    """(title, configuration) for each indented block that has a section."""
    title, block = "", []
    for line in README.read_text().splitlines() + ["", "#"]:
        if line.startswith("    ") or (block and not line):
            block.append(line[4:])
            continue
        text = "\n".join(block)
        if re.search(r"^\[[a-z]+( [\w-]+)?\]$", text, re.M):
            yield title, text
        block = []
        named = re.match(r"#+ (.*)|\*\*(.*?)[.*]", line)
        if named:
            title = named[1] or named[2]


def without_shell(text):
    """The lines above the first section are for another program."""
    return text[re.search(r"^(#.*\n)?\[", text, re.M).start():]


class Readme(TestCase):
    def check(self, folder, text, client):
        secret = os.path.join(folder, "password")
        with open(os.open(secret, os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
            out.write("secret\n")
        text = re.sub(r"/etc/lanpost/password[\w-]*", secret, text)
        path = os.path.join(folder, "lanpost.conf")
        ours = (f"[relay]\nhostname = relay.contoso.com\n"
                f"spool = {folder}/spool\n")
        pathlib.Path(path).write_text(
            text.replace("[relay]\n", ours, 1) if "[relay]" in text
            else ours + text)
        return subprocess.run(
            [built("lanpost"), "-c", path, "check", "--client", client,
             "--from", "printer@office.lan"],
            text=True, capture_output=True, timeout=60)

    def test_recipes(self):
        seen = set()
        for title, text in recipes():
            known = next((k for k in SAID if title.startswith(k)), None)
            client, words = SAID.get(known, ("192.168.1.20", ""))
            text = without_shell(text)
            if "[account" not in text:
                text = ACCOUNT + text
            with self.subTest(recipe=title), \
                    tempfile.TemporaryDirectory() as folder:
                done = self.check(folder, text, client)
                self.assertEqual(done.returncode, 0, done.stderr + text)
                self.assertIn(words, done.stdout)
                seen.add(known)
        self.assertEqual(seen - {None}, set(SAID))

    def test_an_entry_of_your_own(self):
        """It is taken, and explains what the README says it does."""
        text = README.read_text()
        entry = re.search(r"(^    \[branch-gateway-closed\]\n(    .*\n)+)",
                          text, re.M)[1]
        command = re.search(r"`lanpost (explain) '(550 outside .*?)'`", text)
        with tempfile.TemporaryDirectory() as folder:
            own = pathlib.Path(folder, "catalogue.d", "own.ini")
            own.parent.mkdir()
            own.write_text(re.sub(r"^    ", "", entry, flags=re.M))
            done = subprocess.run(
                [built("lanpost"), "-c", f"{folder}/lanpost.conf",
                 *command.groups()],
                text=True, capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("The gateway takes mail in office hours only",
                          done.stdout)


if __name__ == "__main__":
    main()
