"""Real SFTP servers for end-to-end tests: `on_both` runs a test on OpenSSH's and on ProFTPD's mod_sftp, each started once."""
import atexit
import os
import select
import shutil
import socket
import subprocess
import threading
import time

from bed import LAB, Skip, test

servers = {}


class Server:
    """A partner's server with folders inbox, outbox and archive. `word` is the adapter's."""
    word = "sftp"

    def __init__(self, kind):
        if os.geteuid() != 0:
            raise Skip("a server with accounts of its own needs root")
        self.kind, self.script = kind, os.path.join(LAB, f"{self.word}-{kind}.sh")
        self.directory = f"/tmp/ferrule-e2e-{self.word}-{kind}-{os.getpid()}"
        done = subprocess.run([self.script, "up", self.directory, "--while", str(os.getpid())], stdout=subprocess.PIPE, check=True)
        self.env = dict(line.split("=", 1) for line in done.stdout.decode().splitlines())
        atexit.register(self.down)

    def down(self):
        subprocess.run([self.script, "down", self.directory], check=False)

    def at(self, *parts):
        return os.path.join(self.env["SFTP_HOME"], "acme", *parts)

    def break_lines(self):
        """Every connection ends; new ones are taken again at once."""
        for verb in ("stop", "start"):
            subprocess.run([self.script, verb, self.directory], check=True, stdout=subprocess.DEVNULL)

    def clean(self):
        for folder in ("inbox", "outbox", "archive"):
            for name in os.listdir(self.at(folder)):
                path = self.at(folder, name)
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)

    def put(self, folder, name, content, ago=0):
        """A file of the partner's, in one piece; `ago` seconds old."""
        path = self.at(folder, name)
        owner = os.stat(self.at(folder))
        aside = os.path.join(self.directory, "aside")
        with open(aside, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chown(aside, owner.st_uid, owner.st_gid)
        stamp = time.time() - ago
        os.utime(aside, (stamp, stamp))
        os.rename(aside, path)

    def names(self, folder):
        """Everything below a folder but folders: paths from there."""
        top = self.at(folder)
        return sorted(os.path.relpath(os.path.join(where, name), top) for where, _, names in os.walk(top) for name in names)

    def read(self, *parts):
        with open(self.at(*parts), "rb") as file:
            return file.read()

    def fingerprints(self):
        done = subprocess.run(["ssh-keygen", "-lf", self.env["SFTP_KNOWN_HOSTS"]], stdout=subprocess.PIPE, check=True)
        return [line.split()[1] for line in done.stdout.decode().splitlines()]

    def describe(self, site, more="", port=None):
        """systems/acme.yaml of a site; another port is that of a line to the server."""
        known = f"known-hosts: {self.env['SFTP_KNOWN_HOSTS']}" if port is None else f"host-key: {self.fingerprints()}"
        with open(os.path.join(self.env["SFTP_KEYS"], "acme")) as file:
            site.secret("acme-key", file.read())
        site.write("systems/acme.yaml", f"system: acme\nowner: edi\nsftp: {{host: {self.env['SFTP_HOST']}, port: {port or self.env['SFTP_PORT']}, user: acme, "
                   f"key: {{secret: acme-key}}, {known}{more}}}\n")


class Forgetful:
    """A line to a server that forgets a connection which carries nothing for so many seconds, as a NAT does: nobody is told, and
    what is sent goes nowhere. `held` has an entry for each connection that came."""

    def __init__(self, port, seconds):
        self.to, self.seconds, self.held = int(port), seconds, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client = self.listener.accept()[0]
            self.held.append(client)
            threading.Thread(target=self.carry, args=(client, socket.create_connection(("127.0.0.1", self.to))), daemon=True).start()

    def carry(self, client, server):
        try:
            while ready := select.select([client, server], [], [], self.seconds)[0]:
                for one in ready:
                    data = one.recv(65536)
                    if not data:
                        client.close()
                        server.close()
                        return
                    (server if one is client else client).sendall(data)
        except OSError:
            client.close()
            server.close()


def server(of, kind):
    if kind not in servers:
        servers[kind] = of(kind)
    servers[kind].clean()
    return servers[kind]


def on_each(of, *kinds):
    """A decorator for tests f(site, server), which runs them on a server of the class `of` for each of the kinds."""
    def on(sentence):
        def register(function):
            for kind in kinds:
                def run(site, kind=kind):
                    function(site, server(of, kind))
                run.__name__ = f"{function.__name__}_{kind}"
                test(f"{sentence} ({kind})")(run)
            return function
        return register
    return on


on_both = on_each(Server, "openssh", "proftpd")
