#!/usr/bin/env python3
"""`ferrule transfer account add --apply`, for real: against OpenSSH's own server, with the system's useradd and sshd_config, in a
mount namespace that has copies of /etc, /srv, /run and /var/log, so that nothing of this machine is changed. Needs root."""
import os
import re
import shutil
import subprocess
import sys

from bed import FERRULE, Site, Skip, check, equal, free_port, main, read, test, wait

MOUNTED = ("/etc", "/srv", "/run", "/var/log")
TRANSFER = """
transfer: acme-in
owner: partners
from: {file: '/srv/sftp/acme/in/*', after: delete, age: 0s, interval: 100ms}
to: {file: 'taken/$($envelope.name)', create: yes}
effect: rename
"""


def enter(root):
    """The rest of this program runs where /etc and the others are copies."""
    for folder in MOUNTED:
        copy = os.path.join(root, "copies", folder.strip("/").replace("/", "-"))
        os.makedirs(copy)
        if folder == "/etc":
            subprocess.run(["cp", "-a", "/etc/.", copy], check=True, stderr=subprocess.DEVNULL)
    script = "".join(f"mount --bind '{root}/copies/{f.strip('/').replace('/', '-')}' {f} && " for f in MOUNTED)
    script += f"exec '{sys.executable}' '{os.path.abspath(__file__)}' inside '{root}'"
    return subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, check=False)


@test("account add --apply makes an account that can drop files, see nothing else and log in to nothing")
def apply(site):
    if os.getuid() != 0 or not os.path.exists("/usr/sbin/sshd") or not shutil.which("useradd"):
        raise Skip("this needs root, OpenSSH's server and useradd")
    before = {path: read(path) for path in ("/etc/passwd", "/etc/group", "/etc/shadow")}
    os.chmod(site.root, 0o755)
    os.makedirs(os.path.join(site.root, "namespace"))
    done = enter(os.path.join(site.root, "namespace"))
    if "mount:" in done.stdout or "unshare:" in done.stdout:
        raise Skip(done.stdout.strip().splitlines()[-1])
    for path, text in before.items():
        check(read(path) == text, path, "of this machine was changed")
    equal(done.returncode, 0, done.stdout[-3000:])
    for line in done.stdout.splitlines():
        print("#", line)


# ---- inside
class Server:
    """OpenSSH's server with the machine's own configuration, on a port of its own."""

    def __init__(self, root):
        self.root, self.port = root, free_port()
        os.makedirs("/run/sshd", exist_ok=True)
        subprocess.run(["ssh-keygen", "-A"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.log = open(os.path.join(root, "sshd.log"), "wb")
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-p", str(self.port), "-o", "ListenAddress=127.0.0.1", "-o", "PidFile=/run/sshd.pid"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait(lambda: os.path.exists("/run/sshd.pid") and self.keyscan(), 10, "sshd")

    def keyscan(self):
        done = subprocess.run(["ssh-keyscan", "-p", str(self.port), "-t", "ed25519", "127.0.0.1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        with open(os.path.join(self.root, "known"), "wb") as file:
            file.write(done.stdout)
        return done.stdout

    def options(self, key):
        return ["-i", os.path.join(self.root, key), "-o", f"UserKnownHostsFile={self.root}/known", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                "-o", "LogLevel=ERROR"]

    def sftp(self, commands, key="acme"):
        done = subprocess.run(["sftp", "-P", str(self.port), *self.options(key), "-b", "-", "acme@127.0.0.1"], input=commands, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
        return done.returncode, done.stdout

    def ssh(self, *words, key="acme"):
        done = subprocess.run(["ssh", "-p", str(self.port), *self.options(key), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=30, check=False)
        return done.returncode, done.stdout


def add(root, *more, partner="acme"):
    done = subprocess.run([FERRULE, "transfer", "account", "add", partner, "--key", f"{root}/acme.pub", "--apply", *more], cwd=root,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


def make(root):
    for name in ("acme", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{root}/{name}"], check=True)
    code, said = add(root)
    check(code == 1 and "ferrule" in said and "mend it and type the command again" in said, "without the user ferrule:", code, said)
    subprocess.run(["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", "ferrule"], check=True)
    code, said = add(root)
    equal(code, 0, said)
    check("transfers/acme-in.yaml" in said, said)
    equal(add(root)[0], 0, "the same once more")


def refuse(root):
    """Nobody's account becomes a partner's, and a mistake of sshd's configuration gets no company."""
    for partner in ("root", "daemon", "ferrule"):
        before = read("/etc/passwd")
        code, said = add(root, partner=partner)
        own = partner == "ferrule"
        check(code == 2 if own else code == 1 and f"{partner} is a user of this machine already" in said, partner, "is taken for a partner:", code, said)
        check(read("/etc/passwd") == before and not os.path.exists(f"/etc/ssh/sshd_config.d/ferrule-{partner}.conf"), partner, "was changed")
        check(not os.path.exists(f"/etc/ssh/ferrule-keys/{partner}"), "a key for", partner)
    with open("/etc/ssh/sshd_config.d/zz.conf", "w") as file:
        file.write("Nonsense yes\n")
    code, said = add(root, partner="brix")
    check(code == 1 and "Nonsense" in said, "sshd's configuration has a mistake:", code, said)
    check(not os.path.exists("/etc/ssh/sshd_config.d/ferrule-brix.conf"), "a file beside the mistake")
    os.unlink("/etc/ssh/sshd_config.d/zz.conf")


def try_account(server, root):
    code, said = server.sftp("pwd\n")
    check(code == 0 and "/in" in said, "it is let in, and stands in in/:", said)
    code, said = server.sftp("ls -1 /\n")
    equal(sorted(line.strip("/ ") for line in said.splitlines() if not line.startswith("sftp>")), ["in", "out"], "all that it sees")
    for what in ("get /etc/passwd", "get ../../../../etc/passwd", f"put {root}/acme.pub /beside", "mkdir /more", "rm /in"):
        code, said = server.sftp(what + "\n")
        check(code != 0, what, "went well:", said)
    with open(f"{root}/document", "w") as file:
        file.write("a document\n")
    equal(server.sftp(f"put {root}/document order-1.edi\n")[0], 0, "it drops a file")
    for words in (["acme@127.0.0.1"], ["acme@127.0.0.1", "id"], ["-t", "acme@127.0.0.1", "/bin/sh"]):
        code, said = server.ssh(*words)
        check(code != 0 and "uid=" not in said and "$" not in said, words, "gave a shell:", said)
    code, said = server.ssh("-N", "-o", "ExitOnForwardFailure=yes", "-o", "PermitLocalCommand=no", "-W", f"127.0.0.1:{server.port}", "acme@127.0.0.1")
    check(code != 0 and "SSH-2.0" not in said, "it got through to another port:", said)
    code, said = server.sftp("pwd\n", key="other")
    check(code != 0 and "Permission denied (publickey)" in said, "another key:", said)
    code, said = server.ssh("-o", "PreferredAuthentications=password", "-o", "PubkeyAuthentication=no", "acme@127.0.0.1", "id")
    check(code != 0 and "Permission denied (publickey)" in said, "a password:", said)


def take(root):
    """The drop folder is a source, of a site that does not run as root."""
    site = Site()
    try:
        os.chmod(site.root, 0o755)
        site.write("transfers/acme-in.yaml", TRANSFER.lstrip("\n"))
        subprocess.run(["chown", "-R", "ferrule:ferrule", site.path], check=True)
        done = subprocess.run(["setpriv", "--reuid=ferrule", "--regid=ferrule", "--clear-groups", FERRULE, "run", site.path, "--until-idle", "--for", "20s"],
                              cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        equal(done.returncode, 0, done.stdout[-1500:])
        equal(site.files("taken"), ["order-1.edi"], "taken")
        equal(os.listdir("/srv/sftp/acme/in"), [], "left in the drop folder")
    finally:
        site.close()


def inside(root):
    check(os.path.samefile("/etc", os.path.join(root, "copies", "etc")), "this is the machine's own /etc")
    make(root)
    with open("/etc/ssh/sshd_config.d/ferrule-acme.conf") as file:
        check("ChrootDirectory /srv/sftp/acme" in file.read(), "what sshd reads")
    check(re.search(r"^acme:[^:]*:\d+:\d+:[^:]*:/:/usr/sbin/nologin$", read("/etc/passwd").decode(), re.M), "the user")
    refuse(root)
    server = Server(root)
    try:
        try_account(server, root)
        equal(add(root)[0], 0, "while the server runs")
        wait(lambda: server.sftp("pwd\n")[0] == 0, 10, "the server, which read it again")
        take(root)
    finally:
        server.process.kill()
        server.process.wait()
    print("applied, tried and taken")


if sys.argv[1:2] == ["inside"]:
    inside(sys.argv[2])
else:
    main()
