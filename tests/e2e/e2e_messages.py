"""e2e_messages -- what every provider expects of a message."""

import datetime
import email.utils
import re


def well_formed(message):
    """What is wrong with a message that any provider would take."""
    head = message.raw.partition(b"\r\n\r\n")[0]
    wrong = []
    if re.search(rb"\r(?!\n)|(?<!\r)\n", message.raw):
        wrong.append("a bare CR or LF")
    if b"\0" in message.raw:
        wrong.append("a NUL")
    if max(map(len, message.raw.split(b"\r\n"))) > 998:
        wrong.append("a line over 998 octets")
    if re.search(rb"[^\t\r\n -~]", head):
        wrong.append("octets in the header that are not printable ASCII")
    if re.search(rb"\r\n[ \t]+(\r\n|\Z)", head):
        wrong.append("a line of white space in the header")
    names = [name.lower() for name, _ in message.fields]
    for name in (b"from", b"date", b"message-id"):
        if names.count(name) != 1:
            wrong.append(f"{names.count(name)} {name.decode()} fields")
    for name in (b"to", b"cc", b"subject", b"reply-to", b"sender",
                 b"mime-version", b"content-type",
                 b"content-transfer-encoding"):
        if names.count(name) > 1:
            wrong.append(f"{names.count(name)} {name.decode()} fields")
    for name in (b"bcc", b"return-path"):
        if name in names:
            wrong.append(f"{name.decode()} is still there")
    if not any(name in names for name in (b"to", b"cc")):
        wrong.append("neither To nor Cc")
    if names[0] != b"received":
        wrong.append("Received is not the first field")
    for name in names:
        if not re.fullmatch(rb"[!-9;-~]+", name):
            wrong.append(f"a field named {name!r}")
    wrong += addresses_and_dates(message)
    return wrong


def addresses_and_dates(message):
    wrong = []
    sender = email.utils.getaddresses(message.get("From"))
    if len(sender) != 1 or not re.fullmatch(r"[^@\s]+@[\w.-]+\w", sender[0][1]):
        wrong.append(f"From {message.get('From')}")
    date = message.get("Date")
    try:
        when = email.utils.parsedate_to_datetime(date[0])
        if when.tzinfo is None:     # -0000
            when = when.replace(tzinfo=datetime.timezone.utc)
        now = datetime.datetime.now(datetime.timezone.utc)
        if abs(now - when) > datetime.timedelta(days=2):
            wrong.append(f"Date {date}")
    except (ValueError, TypeError, IndexError):
        wrong.append(f"Date {date}")
    for identity in message.get("Message-ID"):
        if not re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", identity):
            wrong.append(f"Message-ID {identity}")
    return wrong
