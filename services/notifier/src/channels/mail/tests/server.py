"""An SMTP server for tests (aiosmtpd) on a free port of 127.0.0.1.

Prints its port, then each mail that it takes, parsed by Python's own email package, as lines of JSON. Ends when its
standard input does. Argument: JSON with tls (starttls, tls or none), and certificate, key, user, password.

What it does with an address depends on the part before the @: gone is refused, full and grey are not taken now (grey
the first time only), spam is refused once the mail was seen, busy is not taken then.
"""

import asyncio
import json
import ssl
import sys
from email import policy
from email.parser import BytesParser

from aiosmtpd.smtp import SMTP, AuthResult

settings = json.loads(sys.argv[1])


def say(what):
    print(json.dumps(what), flush=True)


class Handler:
    seen = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "gone":
            return "550 5.1.1 nobody of that name"
        if name == "full":
            return "452 4.2.2 mailbox full"
        if name == "grey" and address not in self.seen:
            self.seen.add(address)
            return "451 4.7.1 greylisted, come again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        names = {address.split("@")[0] for address in envelope.rcpt_tos}
        if "spam" in names:
            return "554 5.7.1 looks like spam"
        if "busy" in names:
            return "450 4.3.0 scanner is busy"
        mail = BytesParser(policy=policy.default).parsebytes(envelope.content)
        parts = list(mail.walk())
        defects = [str(d) for part in parts for d in part.defects]
        defects += [str(d) for part in parts for name in part.keys() for d in part[name].defects]
        say({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": server.transport.get_extra_info("sslcontext") is not None,
            "user": session.auth_data,
            "connection": session.peer[1],
            "headers": {name.lower(): str(value) for name, value in mail.items()},
            "header_count": len(mail.keys()),
            "types": [part.get_content_type() for part in parts],
            "text": mail.get_body(("plain",)).get_content(),
            "html": mail.get_body(("html",)).get_content(),
            "defects": defects,
            "longest_line": max(len(line) for line in envelope.content.split(b"\r\n")),
            "ascii": envelope.content.isascii(),
            "raw": envelope.content.decode("ascii", "replace"),
        })
        return "250 OK"


def login(server, session, envelope, mechanism, data):
    user, password = data.login.decode(), data.password.decode()
    if (user, password) == (settings["user"], settings["password"]):
        return AuthResult(success=True, auth_data=user)
    # As chatty as no server should be.
    return AuthResult(success=False, handled=False, message=f"535 5.7.8 not {user} with {password}")


async def main():
    mode = settings["tls"]
    context = None
    if mode != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(settings["certificate"], settings["key"])
    starttls = mode == "starttls"

    def protocol():
        return SMTP(
            Handler(),
            hostname="mx.test",
            tls_context=context if starttls else None,
            require_starttls=starttls,
            auth_required=settings["user"] != "",
            auth_require_tls=starttls,
            authenticator=login,
        )

    loop = asyncio.get_running_loop()
    implicit = context if mode == "tls" else None
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=implicit)
    say({"port": server.sockets[0].getsockname()[1]})
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
