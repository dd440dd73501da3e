#!/usr/bin/python3
# The server of ftp-pyftpdlib.sh: ftp-pyftpdlib.py DIR USER PASSWORD NAME=PORT...
import os
import sys

from OpenSSL import SSL
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_DTPHandler, TLS_FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

folder, user, password = sys.argv[1:4]
os.umask(0o27)
authorizer = DummyAuthorizer()
authorizer.add_user(user, password, os.path.join(folder, "home", user), perm="elradfmwMT")


def without(commands, *names):
    return {name: what for name, what in commands.items() if name not in names}


class Data(TLS_DTPHandler):
    """Waits for the command, which pyftpdlib 1.5.7 does not: whoever shakes hands before that, as libcurl does, is cut off."""

    def readable(self):
        if self._ssl_accepting:
            return True
        return (self.receive or self._initialized) and super().readable()


class Implicit(TLS_FTPHandler):
    """TLS from the first byte."""

    def handle(self):
        self.secure_connection(self.ssl_context)

    def handle_ssl_established(self):
        super().handle()


def tls(name):
    def file(kind):
        return os.path.join(folder, "tls", kind)

    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_chain_file(file({"EXPIRED": "expired.pem", "OTHER": "other.pem"}.get(name, "server.pem")))
    context.use_privatekey_file(file("server.key"))
    if name == "OLD":
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
    if name == "NEW":
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
    if name == "ASKING":
        context.load_verify_locations(file("ca.pem"))
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *arguments: arguments[-1])
    return context


def handler(name):
    base = FTPHandler if name == "PLAIN" else Implicit if name == "IMPLICIT" else TLS_FTPHandler
    made = type("Handler" + name, (base,), {
        "authorizer": authorizer, "timeout": 600, "use_sendfile": False, "auth_failed_timeout": 0, "banner": "lab " + name})
    if base is not FTPHandler:
        made.ssl_context = tls(name)
        made.dtp_handler = Data
    if name == "PASV":  # an answer that leads to another machine
        made.masquerade_address = "192.0.2.1"
        made.proto_cmds = without(made.proto_cmds, "EPSV")
    if name == "LIST":
        made.proto_cmds = without(made.proto_cmds, "MLSD", "MLST")
    if name == "WHOLE":
        made.proto_cmds = without(made.proto_cmds, "REST")
    return made


loop = IOLoop.instance()
servers = []
for pair in sys.argv[4:]:
    name, port = pair.split("=")
    servers.append(FTPServer(("127.0.0.1", int(port)), handler(name), ioloop=loop))
with open(os.path.join(folder, "pid"), "w") as pid:
    pid.write(f"{os.getpid()}\n")
servers[0].serve_forever(handle_exit=False)
