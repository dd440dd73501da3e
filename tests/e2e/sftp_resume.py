#!/usr/bin/python3
"""A large file that was under way when the process was killed goes on where it ended, both ways, and is the same file."""
import hashlib
import os
import signal

from bed import check, equal, main, wait
from sftp_lab import on_both

SIZE = 64 << 20
RETRY = "retry: {for: 1h, from: 100ms, to: 500ms}\n"


def body():
    return os.urandom(SIZE)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read()).hexdigest()


def kill_when(site, role, there):
    """SIGKILL to the role once so much is there; how much that was."""
    wait(lambda: (SIZE // 8 < there() < SIZE) and site.processes()[role], 30, f"{role} to be in the middle of it")
    for pid in site.processes()[role]:
        os.kill(pid, signal.SIGKILL)
    return there()


def said_at(site, text):
    line = wait(lambda: site.said(text), 30, text)
    return int(line.rsplit("at=", 1)[1].split()[0])


@on_both("a file that is delivered goes on where the killed process ended")
def delivered(site, server):
    content = body()
    wanted = hashlib.sha256(content).hexdigest()
    server.describe(site)
    site.write("transfers/send.yaml", f"""transfer: send
owner: edi
from: {{file: 'drop/*.dat', age: 0s, interval: 100ms}}
bandwidth: 24MB/s
to: {{sftp: 'inbox/$($envelope.name)', system: acme}}
effect: rename
{RETRY}""")
    site.start()
    site.drop("drop/large.dat", content)

    def there():
        return sum(os.path.getsize(server.at("inbox", name)) for name in os.listdir(server.at("inbox")) if name.endswith(".tmp"))
    kept = kill_when(site, "deliver:send", there)
    at = said_at(site, "writing goes on after a break")
    check(at >= kept - (1 << 20), f"it goes on at {at}, {kept} were there")
    wait(lambda: server.names("inbox") == ["large.dat"], 60, "the file")
    equal(digest(server.at("inbox", "large.dat")), wanted, "its digest")


@on_both("a file that is fetched goes on where the killed process ended")
def fetched(site, server):
    content = body()
    wanted = hashlib.sha256(content).hexdigest()
    server.describe(site)
    site.write("transfers/fetch.yaml", f"""transfer: fetch
owner: edi
from: {{sftp: 'outbox/*.dat', system: acme, age: 0s, interval: 200ms}}
bandwidth: 24MB/s
to: {{file: 'got/$($envelope.name)', create: yes}}
effect: rename
{RETRY}""")
    server.put("outbox", "large.dat", content, ago=100)
    site.start()

    def there():
        tmp = site.at("data/vault/tmp")
        return sum(os.path.getsize(os.path.join(tmp, name)) for name in os.listdir(tmp) if name.startswith("part-")) if os.path.isdir(tmp) else 0
    kept = kill_when(site, "poll:fetch", there)
    equal(said_at(site, "reading goes on where an earlier process ended") >= kept, True, f"it goes on behind {kept}")
    site.wait_files("got", 1, 60)
    equal(digest(site.at("got/large.dat")), wanted, "its digest")
    wait(lambda: [name for name in server.names("outbox") if name.startswith("archive/")], 20, "the archive")
    equal([name for name in os.listdir(site.at("data/vault/tmp")) if name.startswith("part-")], [], "parts that are left")


main()
