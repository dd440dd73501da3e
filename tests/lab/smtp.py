#!/usr/bin/python3
"""A mail server for tests (aiosmtpd), which keeps what it takes as one JSON object a line, and does wrong where it is told to.

Refuses recipients by their names: nobody@ for good, grey@ once. What happens to a mail is said by a word in its subject: `busy` 451, `refused` 554,
`cut` taken and the connection closed without a reply, `mute` taken and never replied to. --silent says nothing at all; --early closes every
connection where the mail would begin.
"""
import argparse
import asyncio
import email
import email.policy
import json
import os
import signal
import ssl

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Handler:
    def __init__(self, log):
        self.log, self.grey = log, set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 there is nobody of that name"
        if address.startswith("grey@") and address not in self.grey:
            self.grey.add(address)
            return "450 4.7.1 come again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def keep(self, session, envelope, mail):
        parts = [{"type": part.get_content_type(), "name": part.get_filename(), "text": part.get_payload(decode=True).decode("latin-1")}
                 for part in mail.walk() if not part.is_multipart()]
        with open(self.log, "a") as file:
            file.write(json.dumps({
                "from": envelope.mail_from, "to": envelope.rcpt_tos, "size": len(envelope.content), "tls": session.ssl is not None,
                "user": (session.auth_data.login.decode() if session.authenticated else None), "helo": session.host_name,
                "headers": {k: str(v) for k, v in mail.items()}, "parts": parts,
                "longest": max(len(line) for line in envelope.content.split(b"\r\n"))}) + "\n")

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        subject = str(mail["subject"])
        if "busy" in subject:
            return "451 4.3.0 not now"
        if "refused" in subject:
            return "554 5.7.1 not this one"
        self.keep(session, envelope, mail)
        if "cut" in subject:
            server.transport.abort()
            await asyncio.sleep(0)
        if "mute" in subject:
            await asyncio.sleep(3600)
        return "250 2.0.0 queued as 4711"


async def silent(reader, writer):
    await asyncio.sleep(3600)


async def early(reader, writer):
    """Takes commands, and leaves where the mail would begin."""
    writer.write(b"220 here\r\n")
    while True:
        line = (await reader.readline()).upper()
        if not line:
            break
        if line.startswith(b"DATA"):
            writer.transport.abort()
            break
        writer.write(b"250 OK\r\n")


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", required=True)
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--implicit", action="store_true")
    parser.add_argument("--auth", help="USER:PASSWORD that must log in")
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--early", action="store_true")
    given = parser.parse_args()
    loop = asyncio.get_running_loop()
    handler, tls = Handler(given.log), None
    if given.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(given.certificate, given.key)

    def authenticate(server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and f"{data.login.decode()}:{data.password.decode()}" == given.auth
        return AuthResult(success=good, handled=False, auth_data=data)

    def made():
        return SMTP(handler, hostname="lab.example.org", tls_context=None if given.implicit else tls, require_starttls=bool(tls and not given.implicit),
                    authenticator=authenticate if given.auth else None, auth_required=bool(given.auth), auth_require_tls=not given.implicit)

    if given.silent or given.early:
        server = await asyncio.start_server(silent if given.silent else early, "127.0.0.1", given.port)
    else:
        server = await loop.create_server(made, "127.0.0.1", given.port, ssl=tls if given.implicit else None)
    with open(given.port_file + ".new", "w") as file:
        file.write(str(server.sockets[0].getsockname()[1]))
    os.rename(given.port_file + ".new", given.port_file)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    os._exit(0)  # whoever is kept waiting


asyncio.run(main())
