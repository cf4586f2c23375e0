"""e2e_secure_devices -- devices that speak TLS or log in: each function hands
one message to lanpost and raises Refused with the device's own words.

tls: "off", "starttls" or "implicit", never less than asked for; ca: whom the
device trusts; login: (user, password); mechanism: "PLAIN" or "LOGIN"."""

import smtplib
import ssl
import subprocess
import tempfile

from e2e_devices import Refused, _run
from e2e_tools import DEADLINE, need


def swaks(address, message, sender, to, tls="off", ca=None, login=None,
          mechanism="PLAIN"):
    tls_words = {"off": [], "starttls": ["--tls"],
                 "implicit": ["--tls-on-connect"]}[tls]
    if ca:
        tls_words += ["--tls-verify", "--tls-ca-path", ca]
    login_words = [] if not login else [
        "--auth", mechanism, "--auth-user", login[0], "--auth-password",
        login[1]]
    with tempfile.NamedTemporaryFile(suffix=".eml") as data:
        data.write(message.removesuffix(b"\r\n"))
        data.flush()
        _run([need("swaks"), "--server", "%s:%d" % address, "--ehlo",
              "scanner.lan", "--from", sender, "--to", ",".join(to),
              "--data", f"@{data.name}", *tls_words, *login_words])


def curl(address, message, sender, to, tls="off", ca=None, login=None,
         mechanism="PLAIN"):
    recipients = [word for one in to for word in ("--mail-rcpt", one)]
    words = ["--ssl-reqd"] if tls == "starttls" else []
    if tls != "off":
        words += ["--cacert", ca] if ca else ["--insecure"]
    if login:
        words += ["--user", ":".join(login), "--login-options",
                  f"AUTH={mechanism}"]
    _run([need("curl"), "-sS", "--url", "%s://%s:%d/nas.lan" % (
              "smtps" if tls == "implicit" else "smtp", *address), *words,
          "--mail-from", sender, *recipients, "--upload-file", "-"], message)


def msmtp(address, message, sender, to, tls="off", ca=None, login=None,
          mechanism="PLAIN"):
    words = ["--tls=off" if tls == "off" else "--tls=on",
             "--tls-starttls=" + ("on" if tls == "starttls" else "off")]
    if tls != "off":
        words += [f"--tls-trust-file={ca}"] if ca else ["--tls-certcheck=off"]
    words += ["--auth=off"] if not login else [
        f"--auth={mechanism.lower()}", f"--user={login[0]}",
        f"--passwordeval=printf %s {shell_word(login[1])}"]
    _run([need("msmtp"), f"--host={address[0]}", f"--port={address[1]}",
          "--domain=ups.lan", f"--from={sender}", *words, "--", *to],
         message.replace(b"\r\n", b"\n"))


def shell_word(text):
    return "'" + text.replace("'", "'\\''") + "'"


def trusting(ca):
    context = ssl.create_default_context(cafile=ca)
    if not ca:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def python(address, message, sender, to, tls="off", ca=None, login=None,
           mechanism="PLAIN"):
    options = {"local_hostname": "monitor.lan", "timeout": DEADLINE}
    try:
        with (smtplib.SMTP_SSL(*address, context=trusting(ca), **options)
              if tls == "implicit" else smtplib.SMTP(*address, **options)) as smtp:
            if tls == "starttls":
                smtp.starttls(context=trusting(ca))
            if login:
                smtp.ehlo()
                smtp.user, smtp.password = login
                code, words = smtp.auth(mechanism, getattr(
                    smtp, "auth_" + mechanism.lower()))
                if code != 235:
                    raise Refused(f"{code} {words}")
            smtp.sendmail(sender, list(to), message)
    except (smtplib.SMTPException, OSError) as error:
        raise Refused(str(error)) from error


SECURE_DEVICES = {function.__name__: function for function in
                  (swaks, curl, msmtp, python)}


def s_client(address, *words):
    """OpenSSL's own client shakes hands and leaves; what it wrote."""
    done = subprocess.run(
        [need("openssl"), "s_client", "-connect", "%s:%d" % address, "-brief",
         *words], input=b"Q\n", capture_output=True, timeout=DEADLINE)
    return (done.stdout + done.stderr).decode("utf-8", "replace")
