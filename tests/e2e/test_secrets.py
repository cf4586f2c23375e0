"""The password leaves lanpost in one direction only: not into a log at any
level or format, not into the spool, not onto a screen, in no encoding."""

import base64

from e2e_devices import scan
from e2e_providers import PracticeProvider
from lanpost_e2e import Lanpost, TestCase, main


def disguises(user, password):
    """The forms a password takes on the way, as octets to look for."""
    raw = password.encode()
    plain = b"\0" + user.encode() + b"\0" + raw
    forms = {raw, raw.hex().encode(), base64.b64encode(raw),
             base64.b64encode(plain)}
    for shift in range(3):   # base64 of any text that contains it
        inner = base64.b64encode(b"x" * shift + raw)
        forms.add(inner[4 if shift else 0:][:len(raw) * 4 // 3 - 4])
    return {form for form in forms if len(form) >= 6}


class Secrets(TestCase):
    def look(self, lanpost, provider, texts):
        secret_file = lanpost.folder / "password"
        texts = dict(texts)
        for path in lanpost.folder.rglob("*"):
            if path.is_file() and path != secret_file:
                texts[path] = path.read_bytes()
        self.assertIn(lanpost.folder / "log", texts)
        for where, text in texts.items():
            for form in disguises(provider.user, lanpost.secret):
                self.assertNotIn(form, text, f"{form} in {where}")

    def story(self, auth, format, wrong):
        provider = self.start(PracticeProvider(self.ca))
        lanpost = Lanpost(account=provider.account(auth=auth),
                          relay={"log_level": "debug", "log_format": format})
        if wrong:
            lanpost.account["password"] = "Wrong-" + provider.password[::-1]
        lanpost.secret = lanpost.account["password"]
        self.start(lanpost)
        lanpost.send(scan("secret"))
        lanpost.wait_event("account-paused" if wrong else "delivered")
        shown = {}
        for command in (("check",), ("queue", "list"),
                        ("test", "boss@example.test")):
            done = lanpost.command(*command)
            shown[command] = (done.stdout + done.stderr).encode()
        self.look(lanpost, provider, shown)
        lanpost.stop()
        self.look(lanpost, provider, shown)

    def test_nowhere(self):
        for auth in ("plain", "login"):
            for format in ("text", "json"):
                for wrong in (False, True):
                    with self.subTest(auth=auth, format=format, wrong=wrong):
                        self.story(auth, format, wrong)

    def test_echoed_by_the_provider(self):
        """One that repeats what it refuses, in every form it has seen."""
        provider = self.start(PracticeProvider(self.ca))
        lanpost = Lanpost(account=provider.account(auth="plain"),
                          relay={"log_level": "debug"})
        lanpost.secret = lanpost.account["password"]
        raw = lanpost.secret.encode()
        plain = b"\0" + provider.user.encode() + b"\0" + raw
        echo = " ".join([base64.b64encode(plain).decode(),
                         base64.b64encode(raw).decode(), lanpost.secret])
        provider.behave(f'stage=auth reply="535 5.7.8 bad: {echo}"\n')
        self.start(lanpost)
        lanpost.send(scan("echo"))
        paused = lanpost.wait_event("account-paused")
        self.assertIn("535 5.7.8 bad: (masked)", paused["reply"])
        done = lanpost.command("test", "boss@example.test")
        self.assertIn("(masked)", done.stdout)
        lanpost.stop()
        self.look(lanpost, provider,
                  {"test": (done.stdout + done.stderr).encode()})


if __name__ == "__main__":
    main()
