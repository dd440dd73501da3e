#!/usr/bin/python3
"""OpenPGP in flows of a running site: a file comes encrypted and signed, goes out encrypted and signed, exactly once however often the
site is killed on the way; what cannot be done now waits; no agent is left."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), HERE]
from bed import FERRULE, Skip, check, equal, has_faults, main, read, test  # noqa: E402

# the first unit of a transform process decrypts, its second encrypts
POINTS = ["transform.done:1", "openpgp.encrypted:1", "transform.synced:2", "transform.committed:2", "deliver.intended:1"]


def gpg(home, *words, stdin=None):
    return subprocess.run(["gpg", "--homedir", home, "--batch", "--yes", "--pinentry-mode", "loopback", "--trust-model", "always", *words],
                          input=stdin, check=True, capture_output=True).stdout


def make(home, user, passphrase=""):
    os.makedirs(home, mode=0o700, exist_ok=True)
    gpg(home, "--passphrase", passphrase, "--quick-generate-key", user, "future-default", "default", "2y")
    return next(line.split(":")[9] for line in gpg(home, "--with-colons", "--list-keys", user).decode().splitlines() if line.startswith("fpr:"))


def prepare(site):
    """Ours, under a passphrase, and the partner's; flows that take what it sends and send it back."""
    ours_home, home = os.path.join(site.root, "a"), os.path.join(site.root, "b")
    ours, theirs = make(ours_home, "ours", "secret words"), make(home, "theirs")
    secret = gpg(ours_home, "--armor", "--passphrase", "secret words", "--export-secret-keys")
    gpg(home, "--import", stdin=gpg(ours_home, "--export"))
    site.secret("openpgp", "secret words\n")
    for key in (secret, gpg(home, "--export")):
        subprocess.run([FERRULE, "key", "import", "-", "--site", site.path], input=key, check=True, capture_output=True)
    subprocess.run(["gpgconf", "--homedir", ours_home, "--kill", "all"], check=True)
    site.flow(f"""
flow: receive
owner: transfers
from: {{file: 'drop/in/*', after: archive}}
steps:
  - decrypt: {{signed-by: {theirs}, passphrase: {{secret: openpgp}}}}
publish: file.received.v1
""")
    site.flow(f"""
flow: send
owner: transfers
subscribe: file.received.v1
steps:
  - encrypt: {{to: {theirs}, sign: {ours}, passphrase: {{secret: openpgp}}}}
to: {{file: 'drop/out/$($envelope.name)', exists: refuse, create: true}}
effect: rename
""")
    def message(content):
        return gpg(home, "--sign", "--encrypt", "--recipient", ours, "--output", "-", stdin=content)
    def content(name):
        return gpg(home, "--decrypt", site.at("drop/out", name))
    def agents():
        return [line for line in subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout.splitlines()
                if "gpg-agent" in line and os.path.realpath(site.at("keys")) in line]
    return message, content, agents, lambda: subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"])


def delivered(site):
    try:
        return sorted(n for n in os.listdir(site.at("drop/out")) if not n.startswith("."))
    except FileNotFoundError:
        return []


@test("a file comes encrypted and signed and goes out encrypted and signed, under its name")
def both(site):
    message, content, agents, end = prepare(site)
    try:
        site.drop("drop/in/a.csv.pgp", message(b"a;1\n"))
        site.drop("drop/in/large.csv.pgp", message(os.urandom(1) * 900000))
        site.drop("drop/in/bad.csv.pgp", message(b"x" * 100)[:-20])
        site.do("run", "--until-idle", "--for", "60s")
        equal(delivered(site), ["a.csv.pgp", "large.csv.pgp"], "delivered")
        equal(content("a.csv.pgp"), b"a;1\n", "content")
        equal(len(content("large.csv.pgp")), 900000, "large content")
        check("openpgp." in site.do("dead", "list"), site.do("dead", "list"))
        equal(agents(), [], "no agent is left")
    finally:
        end()


@test("killed at any point of the way it is delivered once, and never a conflict with itself")
def killed(site):
    if not has_faults():
        raise Skip("this build has no fault points")
    site.write("site.yaml", "name: e2e\nlimits: {disk-reserve: 1MiB}\nprocesses: {transform: 1}\n")
    message, content, agents, end = prepare(site)
    try:
        for number, point in enumerate(POINTS):
            marks = os.path.join(site.work, f"marks{number}")
            os.makedirs(marks)
            name = f"f{number}.csv"
            site.drop(f"drop/in/{name}.pgp", message(point.encode() + os.urandom(100000)))
            subprocess.run([FERRULE, "run", site.path, "--until-idle", "--for", "50s"], check=True, stdout=site.log, stderr=site.log,
                           env=dict(os.environ, FERRULE_FAULTS=f"{point}=kill", FERRULE_FAULT_MARKS=marks))
            check(os.path.exists(os.path.join(marks, point.split(":")[0] + ".struck")), point, os.listdir(marks))
            equal(delivered(site), sorted(f"f{n}.csv.pgp" for n in range(number + 1)), point)
            check(content(name + ".pgp").startswith(point.encode()), point)
        equal(site.dead(), [], "nothing is dead")
        equal(site.doubts(), [], "nothing is in doubt")
        equal(agents(), [], "no agent is left")
    finally:
        end()


@test("without the keyring a file waits, and goes on when it is there")
def waits(site):
    message, content, agents, end = prepare(site)
    try:
        os.rename(site.at("keys"), site.at("kept"))
        site.drop("drop/in/a.csv.pgp", message(b"a;1\n"))
        site.do("run", "--for", "4s")
        equal((delivered(site), site.dead()), ([], []), "it is neither done nor dead")
        os.rename(site.at("kept"), site.at("keys"))
        site.do("run", "--until-idle", "--for", "50s")
        equal(delivered(site), ["a.csv.pgp"], "delivered")
        equal(agents(), [], "no agent is left")
    finally:
        end()


main()
