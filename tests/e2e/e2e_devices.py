"""e2e_devices -- what stands on a LAN and sends mail: each function hands one
message, given as octets with CRLF, to an SMTP server without a login, and
raises Refused with the device's own words when it does not get through."""

import email.utils
import smtplib
import subprocess
import tempfile

from e2e_tools import DEADLINE, HERE, need


class Refused(AssertionError):
    pass


def _run(command, message=None):
    done = subprocess.run([str(c) for c in command], input=message or b"",
                          capture_output=True, timeout=DEADLINE)
    if done.returncode != 0:
        raise Refused((done.stdout + done.stderr).decode("utf-8", "replace"))


def swaks(address, message, sender, to):
    """Ends the data with a line end of its own."""
    with tempfile.NamedTemporaryFile(suffix=".eml") as data:
        data.write(message.removesuffix(b"\r\n"))
        data.flush()
        _run([need("swaks"), "--server", "%s:%d" % address, "--ehlo",
              "scanner.lan", "--from", sender, "--to", ",".join(to),
              "--data", f"@{data.name}"])


def curl(address, message, sender, to):
    recipients = [word for one in to for word in ("--mail-rcpt", one)]
    _run([need("curl"), "-sS", "--url", "smtp://%s:%d/nas.lan" % address,
          "--mail-from", sender, *recipients, "--upload-file", "-"], message)


def msmtp(address, message, sender, to):
    """Reads lines as a Unix program does, and puts CRLF itself."""
    _run([need("msmtp"), f"--host={address[0]}", f"--port={address[1]}",
          "--domain=ups.lan", "--tls=off", "--auth=off", f"--from={sender}",
          "--", *to], message.replace(b"\r\n", b"\n"))


def python(address, message, sender, to):
    try:
        with smtplib.SMTP(*address, local_hostname="monitor.lan",
                          timeout=DEADLINE) as smtp:
            smtp.sendmail(sender, list(to), message)
    except smtplib.SMTPException as error:
        raise Refused(str(error)) from error


def nodemailer(address, message, sender, to):
    folder = HERE / "nodemailer"
    if not (folder / "node_modules/nodemailer").exists():
        raise AssertionError("Nodemailer is missing: run npm ci in "
                             "tests/e2e/nodemailer (tests/run does it)")
    _run([need("node"), folder / "send.js", *address, sender, *to], message)


DEVICES = {function.__name__: function for function in
           (swaks, curl, msmtp, python, nodemailer)}


# One of another day would be replaced.
TODAY = email.utils.formatdate(localtime=True).encode()


def scan(token, extra=b"", size=0):
    """A scanner's message with what is easily damaged on the way: dots at the
    start of lines, folded and odd fields, 8-bit text, long lines, blank lines
    at the end.  size: octets of base64 attachment besides."""
    head = (b"From: \"Copier, 2nd floor\" <printer@lan.test>\r\n"
            b"To: Boss <boss@example.test>,\r\n\t\"Archive\" <archive@example.test>\r\n"
            b"Subject: Scan " + token.encode() + b"\r\n"
            b"Date: " + TODAY + b"\r\n"
            b"Message-ID: <" + token.encode() + b"@copier.lan.test>\r\n"
            b"MIME-Version: 1.0\r\n"
            b"x-LOWER-upper:no space after the colon\r\n"
            b"X-Folded: one\r\n  two\r\n\tthree \r\n"
            b"X-Long: " + b"k" * 900 + b"\r\n" + extra)
    text = ("Grüße vom Kopierer\r\n"
            ".a dot\r\n..two dots\r\n.\tdot and tab\r\n"
            "From the beginning of a line\r\n"
            "trailing spaces   \r\n"
            "\r\n\r\n" + "x" * 998 + "\r\nend\r\n\r\n").encode()
    if not size:
        return head + (b"Content-Type: text/plain; charset=utf-8\r\n"
                       b"Content-Transfer-Encoding: 8bit\r\n\r\n") + text
    line = bytes(range(65, 91)) * 3 + b"\r\n"
    lines = [bytes([65 + i % 26]) + line[1:] for i in range(26)]
    block = b"".join(lines)
    return (head + b"Content-Type: application/octet-stream\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n"
            + block * (size // len(block)))


def signed(token):
    """S/MIME: whatever the signature covers has to arrive octet for octet."""
    return (b"Subject: Scan " + token.encode() + b"\r\n"
            b"MIME-Version: 1.0\r\n"
            b"Content-Type: multipart/signed; micalg=sha-256;\r\n"
            b"\tprotocol=\"application/pkcs7-signature\"; boundary=\"=_s\"\r\n"
            b"\r\n--=_s\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n"
            + "Grüße \r\n".encode() + b"y" * 2000 +
            b"\r\n--=_s\r\n"
            b"Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n"
            + b"QUJD" * 500 + b"\r\n--=_s--\r\n")
