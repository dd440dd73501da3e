#!/usr/bin/python3
# The server of ftp-pyftpdlib.sh: ftp-pyftpdlib.py DIR USER PASSWORD NAME=PORT...
import os
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

folder, user, password = sys.argv[1:4]
os.umask(0o27)
authorizer = DummyAuthorizer()
authorizer.add_user(user, password, os.path.join(folder, "home", user), perm="elradfmwMT")


def without(commands, *names):
    return {name: what for name, what in commands.items() if name not in names}


def handler(name):
    made = type("Handler" + name, (FTPHandler,), {
        "authorizer": authorizer, "timeout": 600, "use_sendfile": False, "auth_failed_timeout": 0, "banner": "lab " + name})
    if name == "PASV":  # an answer that leads to another machine
        made.masquerade_address = "192.0.2.1"
        made.proto_cmds = without(FTPHandler.proto_cmds, "EPSV")
    if name == "LIST":
        made.proto_cmds = without(FTPHandler.proto_cmds, "MLSD", "MLST")
    return made


loop = IOLoop.instance()
servers = []
for pair in sys.argv[4:]:
    name, port = pair.split("=")
    servers.append(FTPServer(("127.0.0.1", int(port)), handler(name), ioloop=loop))
with open(os.path.join(folder, "pid"), "w") as pid:
    pid.write(f"{os.getpid()}\n")
servers[0].serve_forever(handle_exit=False)
