"""Devices and rules: `check` shows them, names what is wrong with them, and
warns of what a provider will say; the server says it in its log."""

import json
import signal

from e2e_providers import PracticeProvider
from lanpost_e2e import Lanpost, TestCase, main

OK, CONFIG = 0, 78

OFFICE = """
[account]
provider = office365
username = scanner@contoso.example
password_file = password
"""

RULES = """
[device copier]
address = 127.0.0.0/8
charset = windows-1250

[rule copier]
client = Copier
send_as = "Contoso, copier" <copier@contoso.example>
reply_to = none

[rule late]
client = copier
to = *@elsewhere.example
reject = Never
"""

SHADOWED = ("rule late: it never matches, because rule copier before it "
            "matches all that it would; put it before that one")

# What stands behind OFFICE, which has 5 lines; what the error must say.
BROKEN = {
    "no such device": ("[rule x]\nclient = copyer\n[device copier]\n"
                       "address = 10.0.0.1\n",
                       [":7: client:", "copyer", "\"copier\""]),
    "no such account": ("[rule x]\naccount = office\n",
                        [":7: account:", "[account office]"]),
    "no such failover": ("failover = spare\n",
                         [":6: failover:", "[account spare]"]),
    "itself": ("failover = default\n", [":6: failover:", "itself"]),
    "both": ("[rule x]\nto = *\nsend_as = a@b.example\non_behalf = yes\n",
             [":9:", "on_behalf", "send_as"]),
    "nothing": ("[rule x]\n", [":6:", "rule x"]),
    "a name without quotes": ("[rule x]\nsend_as = A, B <a@b.example>\n",
                              [":7: send_as:", "\"Scanner, 2nd floor\""]),
    "no charset": ("[device d]\naddress = 10.0.0.1\ncharset = klingon\n",
                   [":8: charset:", "klingon", "windows-1252"]),
    "half a pair": ("[listener]\ntls = starttls\ntls_cert = password\n",
                    [":8:", "tls_key"]),
}


class Check(TestCase):
    def server(self, text):
        server = Lanpost()
        self.addCleanup(server.clean)
        secret = server.folder / "password"
        secret.write_text("SecretFourTwo\n")
        secret.chmod(0o600)
        server.config.write_text(text)
        return server

    def test_errors_that_teach(self):
        for what, (text, words) in BROKEN.items():
            with self.subTest(what=what):
                server = self.server(OFFICE + text)
                for command in ("check", "serve"):
                    done = server.command(command, check=CONFIG)
                    for word in words:
                        self.assertIn(word, done.stderr)

    def test_sections_are_shown(self):
        said = self.server(OFFICE + RULES).command("check", check=OK).stdout
        for line in ("[device copier]", "[rule copier]", "[rule late]",
                     "reject = Never "):
            self.assertIn(line, said)
        self.assertRegex(said, r"charset = windows-1250 +; line 9\n")
        self.assertRegex(said, r"client = copier +; line 12\n")
        self.assertNotIn("SecretFourTwo", said)

    def test_sections_as_json(self):
        done = self.server(OFFICE + RULES).command("check", "--json", check=OK)
        said = json.loads(done.stdout)
        self.assertEqual([d["name"] for d in said["devices"]], ["copier"])
        self.assertEqual([r["name"] for r in said["rules"]],
                         ["copier", "late"])
        self.assertEqual(said["devices"][0]["address"], ["127.0.0.0/8"])
        self.assertEqual(said["rules"][0]["client"], ["copier"])
        self.assertEqual(said["rules"][0]["send_as"],
                         '"Contoso, copier" <copier@contoso.example>')
        self.assertEqual(said["rules"][1]["reject"], "Never")
        self.assertIn(SHADOWED, said["warnings"])

    def test_the_provider_is_foreseen(self):
        server = self.server(OFFICE + RULES)
        said = server.command("check", check=OK).stdout
        self.assertIn("Add-RecipientPermission copier@contoso.example "
                      "-AccessRights SendAs -Trustee scanner@contoso.example",
                      said)
        server.config.write_text(
            OFFICE + "senders = scanner@contoso.example, "
            "copier@contoso.example\n" + RULES)
        said = server.command("check", check=OK).stdout
        self.assertNotIn("Add-RecipientPermission", said)

    def test_rules_from_the_environment(self):
        server = self.server(OFFICE)
        server.environment |= {
            "LANPOST_DEVICE_COPIER__ADDRESS": "10.0.0.9",
            "LANPOST_RULE_COPIER__CLIENT": "copier",
            "LANPOST_RULE_COPIER__SEND_AS": "scanner@contoso.example"}
        said = server.command("check", check=OK).stdout
        self.assertRegex(said, r"client = copier +; LANPOST_RULE_COPIER__CLI")
        server.environment["LANPOST_RULE_COPIER__REJECT"] = "no\nSubject: x"
        done = server.command("check", check=CONFIG)
        self.assertIn("LANPOST_RULE_COPIER__REJECT", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)

    def test_the_log_says_it_too(self):
        provider = self.start(PracticeProvider(self.ca))
        lanpost = Lanpost(account=provider.account(), more=RULES)
        self.start(lanpost)
        lanpost.wait_event("warning", text=SHADOWED)
        lanpost.more = RULES.replace("rule late", "rule later")
        lanpost.write_config()
        lanpost.process.send_signal(signal.SIGHUP)
        lanpost.wait_event("warning",
                           text=SHADOWED.replace("rule late:", "rule later:"))


if __name__ == "__main__":
    main()
