#!/usr/bin/python3
"""encrypt, decrypt, sign, verify and `ferrule key`, each form both ways against GnuPG."""
import datetime
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from steps import FERRULE, Failure, check, equal, main, test

TEXT = "".join(f"line {n} of an order of 9.50 €\n" for n in range(3000)).encode()
PASSPHRASE = "an old passphrase"


class Ring:
    """A GnuPG of somebody's own."""

    def __init__(self, bed, name):
        self.bed, self.home = bed, bed.path(name)
        os.makedirs(self.home, mode=0o700, exist_ok=True)
        bed.cleanup.append(lambda: subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], capture_output=True))

    def gpg(self, *words, stdin=None, ok=True):
        return self.bed.run("gpg", "--homedir", self.home, "--batch", "--yes", "--pinentry-mode", "loopback", "--trust-model", "always",
                            *words, stdin=stdin, ok=ok)

    def make(self, user, passphrase="", expires="2y", kind="future-default", faked=None):
        old = ["--faked-system-time", faked] if faked else []
        self.gpg("--passphrase", passphrase, *old, "--quick-generate-key", user, kind, "default", expires)
        return self.fingerprint(user)

    def fingerprint(self, user):
        for line in self.gpg("--with-colons", "--list-keys", user).stdout.decode().splitlines():
            if line.startswith("fpr:"):
                return line.split(":")[9]
        raise Failure(f"no key of {user}")

    def export(self, user, secret=False):
        words = ["--export-secret-keys", "--passphrase", PASSPHRASE] if secret else ["--export"]
        return self.gpg("--armor", *words, user).stdout


def started(bed):
    """Ours with a key pair under a passphrase and the partner's public key; the partner with the reverse."""
    partner, maker = Ring(bed, "partner"), Ring(bed, "maker")
    ours = maker.make("ours <edi@example.com>", PASSPHRASE)
    theirs = partner.make("theirs <edi@partner.example>")
    bed.write("site.yaml", "name: pgp\n")
    take(bed, maker.export("ours", secret=True), ours)
    take(bed, partner.export("theirs"), theirs)
    partner.gpg("--import", stdin=maker.export("ours"))
    os.makedirs(bed.path("secrets"), mode=0o700)
    bed.write("secrets/openpgp", PASSPHRASE + "\n")
    bed.partner, bed.maker, bed.ours, bed.theirs = partner, maker, ours, theirs
    bed.cleanup.append(lambda: no_agent(bed))
    return bed


SECRET = {"passphrase": "{secret: openpgp}"}


def take(bed, key, fingerprint):
    done = bed.run(FERRULE, "key", "import", bed.write("a.key", key))
    check(fingerprint in done.stdout.decode(), done.stdout)


def agents(bed):
    """Of our own keyring: those of the others are the test's."""
    return [line for line in bed.run("ps", "-eo", "pid,args").stdout.decode().splitlines()
            if "gpg-agent" in line and os.path.realpath(bed.path("keys")) in line]


def no_agent(bed):
    left = agents(bed)
    if left:
        subprocess.run(["gpgconf", "--homedir", bed.path("keys"), "--kill", "gpg-agent"], capture_output=True)
        raise Failure(f"an agent is left: {left}")


def opened(bed, result, *words):
    """What the partner's GnuPG makes of it, and what it says."""
    done = bed.partner.gpg("--status-fd", "2", *words, os.path.join(result.directory, result.names[-1]), ok=False)
    return done.stdout, done.stderr.decode()


@test("what is encrypted here GnuPG decrypts: bytes, armor, signed, packed or not")
def _(bed):
    started(bed)
    path = bed.write("order.csv", TEXT)
    for keys, name in (({}, "order.csv.pgp"), ({"armor": "yes"}, "order.csv.asc"), ({"compress": "no"}, "order.csv.pgp"),
                       ({"sign": bed.ours, **SECRET}, "order.csv.pgp"), ({"sign": bed.ours, "armor": "yes", **SECRET}, "order.csv.asc")):
        done = step_to(bed, path, bed.theirs, **keys)
        equal(done.names, [name], done.said)
        check((b"BEGIN PGP MESSAGE" in done.read(name)) == ("armor" in keys), keys)
        got, said = opened(bed, done, "--decrypt")
        equal(got, TEXT, f"{keys}: {said}")
        equal(f"VALIDSIG" in said and bed.ours in said, "sign" in keys, said)
    equal(agents(bed), [], "no agent is left")


@test("what GnuPG encrypts is decrypted here: bytes, armor, signed, in its older packings")
def _(bed):
    started(bed)
    for words in ([], ["--armor"], ["--sign"], ["--sign", "--armor"], ["--compress-algo", "bzip2"], ["--compress-algo", "none"],
                  ["--cipher-algo", "AES"], ["--recipient", bed.theirs], ["--throw-keyids"]):
        message = bed.partner.gpg("--encrypt", "--recipient", bed.ours, "--output", "-", *words, stdin=TEXT).stdout
        done = bed.step("decrypt", message, file="order.csv.pgp", **SECRET)
        equal((done.names, done.codes), (["order.csv"], []), f"{words} {done.said}")
        equal(done.read("order.csv"), TEXT, f"{words}")
        if "--sign" in words:
            done = bed.step("decrypt", message, file="order.csv.pgp", signed_by=bed.theirs, **SECRET)
            equal((done.names, done.codes), (["order.csv"], []), f"{words} {done.said}")
    check(not [n for n in os.listdir(bed.directory) if n.startswith(".gnupg")], "the user's own keyring is left alone")
    equal(agents(bed), [], "no agent is left")


@test("a demanded signature must be there, good, and of somebody who is named")
def _(bed):
    started(bed)
    other = bed.partner.make("other <o@partner.example>")
    stranger = bed.partner.make("stranger <s@partner.example>")
    take(bed, bed.partner.export("other"), other)
    def message(*words):
        return bed.partner.gpg("--encrypt", "--recipient", bed.ours, "--output", "-", *words, stdin=TEXT).stdout
    bed.refused("openpgp.unsigned", "decrypt", message(), signed_by=bed.theirs, **SECRET)
    bed.refused("openpgp.signer-other", "decrypt", message("--sign", "-u", other), signed_by=bed.theirs, **SECRET)
    bed.refused("openpgp.signer-unknown", "decrypt", message("--sign", "-u", stranger), signed_by=bed.theirs, **SECRET)
    both = message("--sign", "-u", other, "-u", bed.theirs)
    equal(bed.step("decrypt", both, signed_by=bed.theirs, **SECRET).codes, [], "one of two is enough")
    equal(bed.step("decrypt", message("--sign", "-u", other), signed_by=f"[{bed.theirs}, {other}]", **SECRET).codes, [], "a list")
    equal(bed.step("decrypt", message("--sign", "-u", stranger), **SECRET).codes, [], "nobody asks who")


@test("what was changed on its way, is for others, or has no proof of being whole gives nothing")
def _(bed):
    started(bed)
    message = bytearray(bed.partner.gpg("--encrypt", "--recipient", bed.ours, "--output", "-", "--compress-algo", "none", stdin=TEXT).stdout)
    changed = bytearray(message)
    changed[len(changed) // 2] ^= 1
    bed.refused("openpgp.damaged", "decrypt", bytes(changed), **SECRET)
    done = bed.step("decrypt", bytes(message[:-300]), **SECRET)
    check(done.codes and done.names == [], f"cut off: {done.said}")
    bed.refused("openpgp.form", "decrypt", b"ISA*00*          *", **SECRET)
    bed.refused("openpgp.form", "decrypt", b"", **SECRET)
    others = bed.partner.gpg("--encrypt", "--recipient", bed.theirs, "--output", "-", stdin=TEXT).stdout
    bed.refused("openpgp.other-recipient", "decrypt", others, **SECRET)
    equal(agents(bed), [], "no agent is left")


def without_proof(bed, content):
    """A message in a packet of the old kind (tag 9), as programs of the nineties wrote it: GnuPG makes none any more."""
    message = bed.partner.gpg("--encrypt", "--recipient", bed.theirs, "--recipient", bed.ours, "--output", "-", stdin=content).stdout
    said = bed.partner.gpg("--show-session-key", "--decrypt", bed.write("whole.pgp", message)).stderr.decode()
    algorithm, key = said.split("session key: '")[1].split("'")[0].split(":")
    check(algorithm == "9", "AES-256")
    def cfb(iv, data):
        return bed.run("openssl", "enc", "-aes-256-cfb", "-K", key, "-iv", iv.hex(), stdin=data).stdout
    at = 0
    while True:  # over the packets with the session key
        tag, first = message[at], message[at + 1]
        if (tag & 0x3f if tag & 0x40 else tag >> 2 & 0xf) == 18:
            break
        at += 2 + first if tag & 0x40 or not tag & 3 else 3 + int.from_bytes(message[at + 1:at + 3], "big")
    literal = b"b" + bytes(5) + content
    literal = b"\xcb\xff" + len(literal).to_bytes(4, "big") + literal
    noise = os.urandom(16)
    head = cfb(bytes(16), noise + noise[-2:])
    body = head + cfb(head[2:18], literal)
    return message[:at] + b"\xc9\xff" + len(body).to_bytes(4, "big") + body


@test("a message without a proof that it is whole is refused")
def _(bed):
    started(bed)
    message = without_proof(bed, TEXT)
    said = bed.partner.gpg("--ignore-mdc-error", "--decrypt", bed.write("bare.pgp", message), ok=False)
    equal(said.stdout, TEXT, "GnuPG reads it when it is told to ignore that")
    bed.refused("openpgp.unprotected", "decrypt", message, **SECRET)


@test("a passphrase that is wrong or not named is told of, and stands on no command line")
def _(bed):
    started(bed)
    message = bed.partner.gpg("--encrypt", "--recipient", bed.ours, "--output", "-", stdin=TEXT).stdout
    bed.refused("openpgp.passphrase", "decrypt", message)
    bed.write("secrets/wrong", "not it")
    bed.refused("openpgp.passphrase", "decrypt", message, passphrase="{secret: wrong}")
    done = bed.step("decrypt", message, passphrase="{secret: nowhere}")
    check(done.code != 0 and done.names == [], done.said)
    equal(agents(bed), [], "no agent is left")


@test("what is signed here GnuPG verifies: inline, detached, clear")
def _(bed):
    started(bed)
    path = bed.write("order.csv", TEXT)
    for form, armor, names in (("inline", "no", ["order.csv.pgp"]), ("inline", "yes", ["order.csv.asc"]), ("clear", "no", ["order.csv.asc"]),
                               ("detached", "no", ["order.csv", "order.csv.sig"]), ("detached", "yes", ["order.csv", "order.csv.asc"])):
        done = bed.step("sign", path, by=bed.ours, form=form, armor=armor, **SECRET)
        equal(done.names, names, f"{form} {done.said}")
        if form == "detached":
            equal(done.read("order.csv"), TEXT, "the document is beside it")
            said = bed.partner.gpg("--verify", *(os.path.join(done.directory, n) for n in reversed(names)), ok=False).stderr.decode()
        else:
            got, said = opened(bed, done, "--decrypt")
            equal(got, TEXT, form)
        check("Good signature" in said and bed.ours in said, f"{form}: {said}")


@test("what GnuPG signs is verified here, and what was changed is refused")
def _(bed):
    started(bed)
    other = bed.partner.make("other <o@partner.example>")
    for words in (["--sign"], ["--sign", "--armor"], ["--clear-sign"]):
        signed = bed.partner.gpg(*words, "-u", bed.theirs, "--output", "-", stdin=TEXT).stdout
        done = bed.step("verify", signed, file="order.csv.asc", signed_by=bed.theirs)
        equal((done.names, done.codes), (["order.csv"], []), f"{words} {done.said}")
        equal(done.read("order.csv"), TEXT, f"{words}")
        bed.refused("openpgp.signer-other", "verify", signed, signed_by=bed.ours)
        by_other = bed.partner.gpg(*words, "-u", other, "--output", "-", stdin=TEXT).stdout
        bed.refused("openpgp.signer-unknown", "verify", by_other, signed_by=bed.theirs)
    clear = bed.partner.gpg("--clear-sign", "-u", bed.theirs, "--output", "-", stdin=TEXT).stdout
    bed.refused("openpgp.signature-bad", "verify", clear.replace(b"line 7 of", b"line 8 of"), signed_by=bed.theirs)
    bed.refused("openpgp.form", "verify", TEXT, signed_by=bed.theirs)
    detached = bed.partner.gpg("--detach-sign", "--armor", "-u", bed.theirs, "--output", "-", stdin=TEXT).stdout.decode()
    program = '"' + detached.replace("\n", "\\n") + '"'
    done = bed.step("verify", TEXT, file="order.csv", signed_by=bed.theirs, signature=program)
    equal((done.names, done.codes), (["order.csv"], []), done.said)
    bed.refused("openpgp.signature-bad", "verify", TEXT + b"!", signed_by=bed.theirs, signature=program)
    equal(agents(bed), [], "no agent is left")


@test("keys that are unknown, expired or revoked are neither encrypted to nor believed")
def _(bed):
    started(bed)
    done = step_to(bed, TEXT, "0" * 40)
    equal(done.codes, ["openpgp.key-unknown"], done.said)
    yesterday = (datetime.datetime.now() - datetime.timedelta(days=30)).strftime("%Y%m%dT000000")
    old = bed.partner.make("old <old@partner.example>", expires="7d", faked=yesterday)
    signed = bed.partner.gpg("--faked-system-time", yesterday, "--sign", "-u", old, "--output", "-", stdin=TEXT).stdout
    take(bed, bed.partner.export("old"), old)
    equal(step_to(bed, TEXT, old).codes, ["openpgp.key-expired"], "expired")
    bed.refused("openpgp.signer-expired", "verify", signed, signed_by=old)
    gone = bed.partner.make("gone <gone@partner.example>")
    by_gone = bed.partner.gpg("--sign", "-u", gone, "--output", "-", stdin=TEXT).stdout
    take(bed, bed.partner.export("gone"), gone)
    equal(step_to(bed, TEXT, gone).codes, [], "still good")
    with open(os.path.join(bed.partner.home, "openpgp-revocs.d", gone + ".rev")) as file:
        revoked = file.read()
    bed.partner.gpg("--import", stdin=revoked.replace(":-----BEGIN", "-----BEGIN").encode())
    take(bed, bed.partner.export("gone"), gone)
    equal(step_to(bed, TEXT, gone).codes, ["openpgp.key-revoked"], "revoked")
    bed.refused("openpgp.signer-revoked", "verify", by_gone, signed_by=gone)
    sign_only = bed.partner.make("signs <s@partner.example>", kind="ed25519")
    take(bed, bed.partner.export("signs"), sign_only)
    equal(step_to(bed, TEXT, sign_only).codes, ["openpgp.key-unfit"], "it only signs")
    done = step_to(bed, TEXT, f"[{bed.theirs}, {gone}]")
    equal((done.codes, done.names), (["openpgp.key-revoked"], []), "one of two")


def step_to(bed, document, fingerprint, **keys):
    return bed.step("encrypt", document, file="a.csv", set_to=fingerprint, **keys)


@test("`key list` tells what there is and what expires, and `check` warns of it")
def _(bed):
    started(bed)
    soon = bed.partner.make("soon <soon@partner.example>", expires="20d")
    take(bed, bed.partner.export("soon"), soon)
    listed = bed.run(FERRULE, "key", "list").stdout.decode()
    check(all(word in listed for word in (bed.ours, bed.theirs, "secret", "public", "expires soon")), listed)
    equal(os.stat(bed.path("keys")).st_mode & 0o777, 0o700, "the keyring's mode")
    os.makedirs(bed.path("flows"))
    bed.write("flows/a.yaml", f"""flow: a
owner: o
from: {{file: 'in/*'}}
steps:
  - encrypt: {{to: [{soon}, {"A" * 40}], sign: {bed.ours}, passphrase: {{secret: openpgp}}}}
to: {{file: 'out/$($envelope.name)', exists: refuse}}
effect: rename
""")
    said = bed.run(FERRULE, "check", ".", ok=False).stdout.decode()
    check("expires " in said and "has no key " + "A" * 40 in said, said)
    check(": error:" not in said, said)
    take(bed, bed.partner.export("soon"), soon)
    equal(bed.run(FERRULE, "key", "import", bed.write("no.key", b"nothing"), ok=False).returncode, 1, "no key in it")
    os.chmod(bed.path("keys"), 0o755)
    done = bed.run(FERRULE, "key", "list", ok=False)
    check(done.returncode and b"chmod 700" in done.stderr, done.stderr)
    os.chmod(bed.path("keys"), 0o700)
    equal(agents(bed), [], "no agent is left")


@test("memory is the same for 1 MiB and for 100 MiB")
def _(bed):
    started(bed)
    def peak(*command, into):
        with open(bed.path(into), "wb") as sink:
            process = subprocess.Popen(command, stdout=sink, stderr=subprocess.PIPE, cwd=bed.directory)
            said = process.stderr.read()
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
        check(status == 0, said.decode(errors="replace"))
        return used.ru_maxrss / 1024
    block = os.urandom(1 << 20)
    bed.write("small", block)
    with open(bed.path("large"), "wb") as file:
        for _ in range(100):
            file.write(block)
    words = [FERRULE, "step", "encrypt", "--set", f"to=[{bed.theirs}, {bed.ours}]", "--set", "compress=no"]
    before, after = peak(*words, "small", into="s.pgp"), peak(*words, "large", into="l.pgp")
    check(after < before + 8, f"encrypt: {before:.0f} MiB, then {after:.0f} MiB")
    words = [FERRULE, "step", "decrypt", "--set", "passphrase={secret: openpgp}"]
    before, after = peak(*words, "s.pgp", into="s.out"), peak(*words, "l.pgp", into="l.out")
    check(after < before + 8, f"decrypt: {before:.0f} MiB, then {after:.0f} MiB")
    equal(os.path.getsize(bed.path("l.out")), 100 << 20, "all of it")


@test("an agent that ends or cannot start makes nothing a dead letter: the keyring has the key, and so it waits")
def _(bed):
    started(bed)
    message = bed.partner.gpg("--encrypt", "--recipient", bed.ours, "--output", "-", stdin=TEXT).stdout
    bed.write("keys/gpg.conf", "agent-program /bin/false\n")
    for name, document, keys in (("decrypt", message, {}), ("sign", bed.write("a.csv", TEXT), {"by": bed.ours}),
                                 ("encrypt", bed.write("a.csv", TEXT), {"set_to": bed.theirs, "sign": bed.ours})):
        done = bed.step(name, document, **keys, **SECRET)
        equal(done.codes, ["openpgp.engine"], f"{name}: {done.said}")
    os.unlink(bed.path("keys/gpg.conf"))
    equal(bed.step("decrypt", message, **SECRET).codes, [], "with its agent")


@test("keys that are taken in are in the audit trail, with who did it")
def _(bed):
    started(bed)
    lines = bed.run(FERRULE, "audit", "show", "--what", "key-import", "--json").stdout.decode().splitlines()
    told = [json.loads(line) for line in lines]
    equal([[(key["fingerprint"], key["what"]) for key in record["facts"]["keys"]][-1] for record in told],
          [(bed.ours, "new"), (bed.theirs, "new")], "what the trail says")
    check(all(record["by"] for record in told), f"nobody did it: {told}")


main()
