#!/usr/bin/env python3
"""Keys that change past ferrule's own commands are in the audit trail: the ring, certificates that settings name, known_hosts."""
import json
import os
import subprocess

from bed import Skip, check, equal, main, test, wait

FLOW = """
flow: seal
owner: tests
from: {file: 'in/*.txt', after: delete, age: 0s, interval: 50ms}
to: {sftp: 'inbox/$($envelope.name)', system: acme}
effect: rename
"""
ACME = "system: acme\nowner: tests\nsftp: {host: 127.0.0.1, port: 9, user: x, password: {secret: acme}, known-hosts: pinned}\n"
SITE = """name: e2e
limits: {disk-reserve: 1MiB}
processes: {transform: 1}
expiry: {owner: operations, certificates: [partner.pem]}
"""


def gpg(site, *words):
    done = subprocess.run(["gpg", "--homedir", site.at("keys"), "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", "", *words],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    return done.stdout.decode()


def prepare(site):
    if subprocess.run(["gpg", "--version"], stdout=subprocess.DEVNULL, check=False).returncode:
        raise Skip("there is no gpg")
    os.makedirs(site.at("keys"), mode=0o700)
    site.write("keys/gpg-agent.conf", "default-cache-ttl 0\n", 0o600)
    gpg(site, "--quick-generate-key", "Acme <edi@acme.example>", "future-default", "default", "1y")
    site.write("site.yaml", SITE)
    site.write("systems/acme.yaml", ACME)
    site.write("secrets/acme", "x", 0o600)
    os.chmod(site.at("secrets"), 0o700)
    site.write("partner.pem", "one")
    site.write("pinned", "acme.example ssh-ed25519 AAAA\n")
    site.flow(FLOW)
    return next(line.split(":")[9] for line in gpg(site, "--with-colons", "--list-keys").splitlines() if line.startswith("fpr:"))


def trail(site):
    return [record["facts"] for record in map(json.loads, site.do("audit", "show", "--what", "key", "--json", "--site", site.path).splitlines())]


def look(site):
    """A start looks at once."""
    before = len(trail(site)) if os.path.exists(site.at("data")) else 0
    site.start()
    wait(lambda: len(trail(site)) > before, 20, "records of keys")
    site.idle()
    site.stop()
    return trail(site)[before:]


@test("keys that are found, changed and gone are recorded once each, by fingerprint or digest")
def changed(site):
    fingerprint = prepare(site)
    found = look(site)
    equal(sorted((f["change"], f["kind"]) for f in found), [("found", "certificate"), ("found", "known-hosts"), ("found", "openpgp")], "the first look")
    ring = next(f for f in found if f["kind"] == "openpgp")
    equal((ring["id"], ring["name"], ring["now"][:6]), (fingerprint, "Acme <edi@acme.example>", "until "), "the key of the ring")
    pinned = next(f for f in found if f["kind"] == "known-hosts")
    equal((pinned["id"], pinned["now"][:7]), (site.at("pinned"), "sha256:"), "the host keys")
    site.start()
    site.idle()
    site.stop()
    equal(len(trail(site)), 3, "a second look at the same")
    gpg(site, "--quick-set-expire", fingerprint, "2y")
    site.write("partner.pem", "two")
    with open(site.at("pinned"), "a", encoding="ascii") as file:
        file.write("acme.example ssh-ed25519 BBBB\n")
    more = look(site)
    equal(sorted((f["change"], f["kind"]) for f in more), [("changed", "certificate"), ("changed", "known-hosts"), ("changed", "openpgp")], "what changed")
    for fact in more:
        was = next(f for f in found if f["kind"] == fact["kind"])
        equal((fact["id"], fact["before"]), (was["id"], was["now"]), "before")
        check(fact["now"] != fact["before"], fact)
    os.unlink(site.at("partner.pem"))
    gpg(site, "--delete-secret-and-public-key", fingerprint)
    gone = look(site)
    equal(sorted((f["change"], f["kind"], "now" in f) for f in gone), [("gone", "certificate", False), ("gone", "openpgp", False)], "what is gone")
    check("gone" in site.do("audit", "show", "--what", "key", "--site", site.path), "audit show")
    equal(site.type("audit", "verify", "--site", site.path)[0], 0, "the chain")
    check(not [f for f in trail(site) if f["id"].startswith(site.at("secrets"))], "secrets are not looked at")


if __name__ == "__main__":
    main()
