"""e2e_corpus -- a message of corpus/, and what three readers make of it.

A file of corpus/ has keys, one a line, then the message as the device wrote
it, each line with CRLF; texts as in e2e_quirks.py:

    title: HP scanner, PDF
    sender: a@b            the reverse-path; printer@lan.test by default
    name: text             the display name that is to come out; `any`: one
                           on which the readers agree
    reply_to: a@b          or none; by default the address in From
    subject: text          decoded
    date: same | new | any `same`: that of the message
    message_id: same | new
    to: a@b c@d            addresses in To that come out; * as it was
    text: text             the first plain text, white space folded
    attachment: name | text     decoded; may be repeated; - has no name
    none: Name             no such field; may be repeated
    differs: reader key    a reader that is known to see it otherwise
    why: ...               and why that is so
    message:
"""

import email
import email.header
import email.policy
import email.utils
import hashlib
import json
import subprocess
import time

from e2e_quirks import octets
from e2e_tools import DEADLINE, HERE, need

FOLDER = HERE / "corpus"
NOW = int(time.time())


class Case:
    def __init__(self, path):
        self.id = path.stem
        self.keys = {"sender": "printer@lan.test", "date": "same",
                     "message_id": "same", "to": "*", "title": ""}
        self.attachments, self.none, self.differs = [], [], set()
        head, _, body = path.read_text("utf-8").partition("\nmessage:\n")
        for line in head.split("\n"):
            key, _, value = line.partition(":")
            self.learn(key.strip(), value.strip())
        self.message = b"".join(
            octets(self.placed(line)) + b"\r\n"
            for line in body.removesuffix("\n").split("\n") if body.strip())

    def placed(self, line):
        """{date} is now, {date:} the same with a colon in its zone, {id} the
        name of the case."""
        date = email.utils.formatdate(NOW).replace("-0000", "+0000")
        return (line.replace("{date}", date).replace("{id}", self.id)
                .replace("{date:}", date.replace("+0000", "+00:00")))

    def learn(self, key, value):
        if key == "attachment":
            name, _, content = value.partition(" | ")
            self.attachments.append(
                ["" if name == "-" else name, hashlib.sha256(octets(content)).hexdigest()])
        elif key == "none":
            self.none.append(value)
        elif key == "differs":
            self.differs.add(tuple(value.split()))
        elif key in ("title", "sender", "name", "reply_to", "subject", "date",
                     "message_id", "to", "text", "why"):
            self.keys[key] = octets(value).decode()
        else:
            raise ValueError(f"{self.id}: unknown key {key}")

    def __getattr__(self, key):
        return self.__dict__["keys"].get(key)


def folded(text):
    return " ".join((text or "").split())


def by_policy(raw):
    """Python's email of today."""
    message = email.message_from_bytes(raw, policy=email.policy.default)

    def people(name):
        field = message[name]
        return [] if field is None else [
            [a.display_name, a.addr_spec.replace("<>", "")]
            for a in field.addresses]
    body = message.get_body(("plain",))
    date = message["Date"].datetime
    return {
        "count": count(message),
        "from": people("From"), "reply_to": people("Reply-To"),
        "to": people("To"), "subject": str(message["Subject"] or ""),
        "date": date.timestamp() if date else None,
        "message_id": str(message["Message-ID"]).strip(),
        "text": body.get_content() if body else "",
        "attachments": [[part.get_filename() or "", digest(part)]
                        for part in attached(message)],
        "defects": [str(d) for part in message.walk() for d in part.defects],
    }


def by_compat32(raw):
    """Python's email as most programs still use it."""
    message = email.message_from_bytes(raw)

    def text(value):
        return str(email.header.make_header(email.header.decode_header(value)))

    def people(name):
        return [[text(shown), address] for shown, address in
                email.utils.getaddresses(message.get_all(name, []))
                if shown or address]
    body = next((part for part in message.walk()
                 if part.get_content_type() == "text/plain"
                 and not is_attached(part)), None)
    return {
        "count": count(message),
        "from": people("From"), "reply_to": people("Reply-To"),
        "to": people("To"),
        "subject": text(message.get("Subject", "")),
        "date": email.utils.parsedate_to_datetime(
            message["Date"]).timestamp(),
        "message_id": message["Message-ID"].strip(),
        "text": decoded(body),
        "attachments": [[filename(part, text), digest(part)]
                        for part in attached(message)],
    }


def filename(part, text):
    name = part.get_filename()
    return text(name) if name else ""


def decoded(part):
    if part is None:
        return ""
    charset = part.get_content_charset("us-ascii")
    try:
        return part.get_payload(decode=True).decode(charset, "replace")
    except LookupError:
        return ""


def count(message):
    names = [name.lower() for name in message.keys()]
    return {name: names.count(name) for name in names}


def is_attached(part):
    return (part.get_content_disposition() == "attachment"
            or part.get_filename() is not None)


def attached(message):
    """Leaves that are no text to be read, and whole messages."""
    found, stack = [], [message]
    while stack:
        part = stack.pop(0)
        kind = part.get_content_type()
        if kind == "message/rfc822":
            found.append(part)
        elif part.is_multipart():
            stack[:0] = part.get_payload()
        elif (is_attached(part) or not kind.startswith("text/")
              or kind not in ("text/plain", "text/html")):
            found.append(part)
    return found


def digest(part):
    if part.is_multipart():
        content = b"".join(bytes(one) for one in part.get_payload())
    else:
        content = part.get_payload(decode=True) or b""
    return hashlib.sha256(content).hexdigest()


def by_nodemailer(paths):
    """All at once; in the order of the paths."""
    folder = HERE / "nodemailer"
    if not (folder / "node_modules/mailparser").exists():
        raise AssertionError("Nodemailer's parser is missing: run npm ci in "
                             "tests/e2e/nodemailer (tests/run does it)")
    done = subprocess.run([need("node"), folder / "parse.js",
                           *map(str, paths)], capture_output=True,
                          timeout=DEADLINE, check=False)
    if done.returncode:
        raise AssertionError(done.stderr.decode("utf-8", "replace"))
    return json.loads(done.stdout)
