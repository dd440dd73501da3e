#!/usr/bin/env python3
"""docs/sftp.md as a new user types it, against an OpenSSH server of its own: every step, and then every mistake of its tables, each
of which must be told in the words that the tables show. Prints TAP."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
import blocks  # noqa: E402
from bed import BUILD, FERRULE, LAB, Skip, check, main, test  # noqa: E402

GUIDE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "docs", "sftp.md")
HOST = "sftp.acme.example"


class Reader:
    """Somebody who follows the guide; the partner's server has another address than the guide's."""

    def __init__(self, root):
        self.root, self.at = root, root
        self.server = os.path.join(root, "server")
        os.chmod(root, 0o755)
        said = self.lab("up", self.server)
        self.env = dict(re.findall(r"^(\w+)=(.*)$", said, re.M))
        self.home = os.path.join(self.env["SFTP_HOME"], "ours")

    def lab(self, *words):
        with open(self.root + "/lab.out", "w+") as out:
            code = subprocess.run([os.path.join(LAB, "sftp-openssh.sh"), *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=60,
                                  check=False, env={**os.environ, "LAB_PARTNERS": "ours"}).returncode
            out.seek(0)
            said = out.read()
        if code:
            raise Skip(said.strip().splitlines()[-1])
        return said

    def fingerprint(self):
        done = subprocess.run(["ssh-keygen", "-lf", f"{self.server}/host/ed25519.pub"], stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.split()[1]

    def address(self, text):
        text = text.replace(f"host: {HOST}, port: 22", f"host: 127.0.0.1, port: {self.env['SFTP_PORT']}")
        return re.sub(r"--fingerprint SHA256:\S+", "--fingerprint " + self.fingerprint(), text)

    def type(self, command):
        script = self.address(command) + f'\ncode=$?\npwd > "{self.root}/pwd"\nexit $code'
        done = subprocess.run(["bash", "-c", script], cwd=self.at, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=60, check=False, env={**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}"})
        with open(f"{self.root}/pwd") as file:
            self.at = file.read().strip()
        said = re.sub(r"\[127\.0\.0\.1\]:\d+", HOST, done.stdout)
        return done.returncode, said.splitlines()

    def read(self, name):
        with open(os.path.join(self.at, name)) as file:
            return file.read()

    def write(self, name, text):
        path = os.path.join(self.at, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(self.address(text))
        os.chmod(path, 0o600 if name.startswith("secrets/") else 0o644)

    def drop(self, name):
        with open(os.path.join(self.home, "outbox", name), "w") as file:
            file.write(name + "\n")
        os.chmod(os.path.join(self.home, "outbox", name), 0o644)

    def run(self):
        """What a short run says."""
        return "\n".join(self.type("ferrule run --for 2s --log warn")[1])


def follow(reader, block):
    """One block of the guide: a file, or commands with what they say."""
    named = re.match(r"# (\S+\.yaml)$", block.lines[0])
    if named:
        reader.write(named.group(1), block.text())
        return
    for command in blocks.commands(block):
        if "--until-idle" in command.typed:  # the partner has put our key in place, and a file
            with open(os.path.join(reader.server, "root", "auth", "ours"), "w") as file:
                file.write(reader.read("acme-key.pub"))
            reader.drop("order-1.edi")
        code, said = reader.type(command.typed)
        check(code == command.code and blocks.fits(command.wanted, said), f"line {command.line}: `{command.typed}` ended with {code} and said:\n" + "\n".join(said))


def steps():
    with open(GUIDE) as file:
        text = file.read()
    start = text[:text.index("## A partner's SFTP server in fifteen minutes")].count("\n")
    end = text[:text.index("### Mistakes that everybody makes")].count("\n")
    return [b for b in blocks.read(GUIDE) if start < b.line < end and b.kind == "text"]


def rows():
    """What the table says is said: patterns."""
    with open(GUIDE) as file:
        table = file.read().split("### Mistakes that everybody makes")[1].split("\n### ")[0]
    return [row.strip() for row in re.findall(r"^\| (`[a-z. -]+`[^|]*)\|", table, re.M)]


def fits(row, said):
    code, words = re.match(r"`([a-z. -]+)`: (.*)$", row).groups()
    pattern = "[^\n]*?".join(re.escape(part) for part in re.split(" ?… ?", words))
    pattern = pattern.replace(r"within\ 30\ s", r"within\ \d+\ s")  # the test does not wait for so long
    if code == "ferrule check":
        return re.search("error: " + pattern, said)
    return re.search(r"code=" + re.escape(code) + r" error=\"[^\n]*?" + pattern, said)


class Mistakes:
    """Each makes one mistake in a site that works, and gives what was said; what it changed is mended behind it."""

    def __init__(self, reader):
        self.reader = reader

    def edit(self, name, a, b):
        text = self.reader.read(name)
        check(a in text, a, "is not in", name)
        self.reader.write(name, text.replace(a, b))

    def unknown_host(self):
        os.unlink(os.path.join(self.reader.at, "known_hosts"))
        return self.reader.run()

    def other_key_of_host(self):
        self.reader.lab("rekey", self.reader.server)
        return self.reader.run()

    def key_not_in_place(self):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.reader.root}/another"], check=True)
        shutil.copy(f"{self.reader.root}/another", os.path.join(self.reader.at, "secrets/acme-key"))
        return self.reader.run()

    def public_half(self):
        self.reader.write("secrets/acme-key", self.reader.read("acme-key.pub"))
        return self.reader.run()

    def password(self):
        self.reader.write("secrets/acme-password", "wrong\n")
        self.edit("systems/acme.yaml", "key: {secret: acme-key}", "password: {secret: acme-password}")
        return self.reader.run()

    def port(self):
        self.edit("systems/acme.yaml", f"port: {self.reader.env['SFTP_PORT']}", "port: 1")
        return self.reader.run()

    def folder(self):
        self.edit("transfers/acme-in.yaml", "outbox/", "Outbox/")
        return self.reader.run()

    def folder_out(self):
        self.edit("flows/acme-out.yaml", "inbox/", "Inbox/")
        self.reader.write("replies/a.edi", "a")
        told, path = self.reader.run() + self.reader.run(), os.path.join(self.reader.home, "Inbox")
        os.mkdir(path)  # the message that waits for it must not stand in the way of the next mistake
        os.chown(path, os.stat(self.reader.home + "/inbox").st_uid, -1)
        self.reader.type("ferrule run --until-idle --for 20s")
        return told

    def permission(self, folder, mode, name=None):
        path = os.path.join(self.reader.home, folder)
        try:
            if name:
                self.reader.drop(name)
            os.chmod(path, mode)
            return self.reader.run() + self.reader.run()
        finally:
            os.chmod(path, 0o755)

    def list_permission(self):
        return self.permission("outbox", 0o000)

    def remove_permission(self):
        return self.permission("outbox", 0o555, "order-2.edi")

    def write_permission(self):
        self.reader.write("replies/b.edi", "b")
        return self.permission("inbox", 0o555)

    def silence(self):
        """The server's listener stands still: the machine takes the connection, and nobody says a word."""
        self.edit("systems/acme.yaml", "user: ours", "timeout: 1s, user: ours")
        listener = int(self.reader.read(self.reader.server + "/sshd.pid"))
        os.kill(listener, signal.SIGSTOP)
        try:
            return self.reader.run()
        finally:
            os.kill(listener, signal.SIGCONT)

    def full(self):
        """The inbox is a disk of its own, which only the server sees."""
        listener, inbox = self.reader.read(self.reader.server + "/sshd.pid").strip(), "/srv/chroot/ours/inbox"
        owner = os.stat(self.reader.home + "/inbox")
        enter = ["nsenter", "--mount", "--target", listener]
        subprocess.run([*enter, "mount", "-t", "tmpfs", "-o", f"size=64k,uid={owner.st_uid},gid={owner.st_gid}", "none", inbox], check=True)
        try:
            self.reader.write("replies/c.edi", "c" * 300000)
            told = self.reader.run() + self.reader.run()
        finally:
            subprocess.run([*enter, "umount", "-l", inbox], check=True)
        check("c.edi" in self.goes_on(), "it does not go on by itself")
        return told

    def goes_on(self):
        """What is in the inbox when all has been delivered that waited."""
        self.reader.type("ferrule run --until-idle --for 20s")
        return os.listdir(self.reader.home + "/inbox")

    def exists(self):
        with open(self.reader.home + "/inbox/order-9.edi", "w") as file:
            file.write("theirs\n")
        self.reader.write("replies/order-9.edi", "ours\n")
        told = self.reader.run() + self.reader.run()
        check("file.exists" in "\n".join(self.reader.type("ferrule dead list")[1]), "no dead letter")
        return told

    def rsa_passphrase(self):
        key = f"{self.reader.root}/rsa"
        subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "open sesame", "-f", key], check=True)
        with open(f"{self.reader.server}/root/auth/ours") as allowed, open(key + ".pub") as public:
            before, more = allowed.read(), public.read()
        self.reader.write(f"{self.reader.server}/root/auth/ours", before + more)
        self.reader.write("secrets/acme-key", self.reader.read(key))
        self.reader.write("secrets/acme-passphrase", "open sesame\n")
        self.edit("systems/acme.yaml", "key: {secret: acme-key}", "key: {secret: acme-key}, passphrase: {secret: acme-passphrase}")
        told = self.reader.run()
        done = self.reader.type("ssh-keygen -p -m PEM -f secrets/acme-key -P 'open sesame' -N 'open sesame'")  # the advice
        check(done[0] == 0, done)
        check("sftp.auth" not in self.reader.run(), "the advice does not help")
        self.reader.write(f"{self.reader.server}/root/auth/ours", before)
        return told

    def zone(self):
        self.edit("transfers/acme-in.yaml", "effect: rename\n", "effect: rename\nschedule: '30 7 * * mon-fri'\nzone: Europe/Berln\n")
        return "\n".join(self.reader.type("ferrule check")[1])


@test("the guide of SFTP leads a new user to a file, and each of its mistakes is told as it says")
def onboarding(site):
    del site
    root = tempfile.mkdtemp(prefix="ferrule-onboarding-")
    reader = None
    try:
        check(os.path.exists(FERRULE), "no program in", BUILD)
        reader = Reader(root)
        for block in steps():
            follow(reader, block)
        mistakes, said = Mistakes(reader), ""
        for name in [n for n in vars(Mistakes) if not n.startswith("_") and n not in ("edit", "permission", "goes_on")]:
            shutil.copytree(reader.at, root + "/good", symlinks=True, ignore=shutil.ignore_patterns("data", "received", "replies", "archive"))
            told = getattr(mistakes, name)()
            check(any(fits(row, told) for row in rows()), f"{name}: the guide has no row for\n{told}")
            said += told + "\n"
            shutil.copytree(root + "/good", reader.at, dirs_exist_ok=True)
            shutil.rmtree(root + "/good")
            if name == "other_key_of_host":
                reader.type("rm known_hosts; ferrule transfer trust acme --fingerprint SHA256:x")
        missing = [row for row in rows() if not fits(row, said)]
        check(len(rows()) >= 16 and not missing, "nobody says:", missing)
    finally:
        if reader:
            reader.lab("down", reader.server)
        shutil.rmtree(root, ignore_errors=True)


main()
