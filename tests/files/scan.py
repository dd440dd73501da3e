#!/usr/bin/python3
"""scan against a real clamd with a small signature database of our own, and against one that is away, hangs or lies."""
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from steps import Skip, check, equal, main, test

# in two halves, so that no scanner takes this file for what it tests
EICAR = ("X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*").encode()


def clamd(bed):
    """A real one, with one signature."""
    if not shutil.which("clamd") and not os.path.exists("/usr/sbin/clamd"):
        raise Skip("there is no clamd: apt-get install clamav-daemon")
    os.makedirs(bed.path("database"))
    bed.write("database/own.ndb", "Own.Test.Signature:0:*:" + EICAR.hex() + "\n")
    bed.write("clamd.conf", f"DatabaseDirectory {bed.path('database')}\nLocalSocket {bed.path('clamd.ctl')}\nForeground yes\nLogFile {bed.path('clamd.log')}\n"
              f"TemporaryDirectory {bed.directory}\nStreamMaxLength 2M\nSelfCheck 0\nPidFile {bed.path('pid')}\n")
    process = subprocess.Popen([shutil.which("clamd") or "/usr/sbin/clamd", "--config-file", bed.path("clamd.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    def end():
        process.kill()
        process.wait()
    bed.cleanup.append(end)
    for _ in range(600):
        if os.path.exists(bed.path("clamd.ctl")):
            return bed.path("clamd.ctl")
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise Skip("clamd does not start here")


@test("clamd's word decides: what is clean passes as it is, what is infected is refused by its name")
def _(bed):
    at = clamd(bed)
    clean = os.urandom(700000)
    done = bed.step("scan", clean, file="order.csv", clamd=at)
    equal((done.names, done.codes), (["order.csv"], []), done.said)
    equal(done.read("order.csv"), clean, "content")
    equal(bed.step("scan", b"", file="empty", clamd=at).codes, [], "empty")
    refused = bed.refused("scan.infected", "scan", EICAR, clamd=at)
    check("Own.Test.Signature" in refused.said, refused.said)
    bed.refused("scan.infected", "scan", os.urandom(400000) + EICAR + os.urandom(10), clamd=at)
    bed.refused("scan.too-large", "scan", os.urandom(3 << 20), clamd=at)


class Liar:
    """A stand-in that speaks clamd's protocol as far as it is told to."""

    def __init__(self, bed, answer, read=True):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.answer, self.read, self.got = answer, read, []
        threading.Thread(target=self.serve, daemon=True).start()
        bed.cleanup.append(self.listener.close)

    def serve(self):
        try:
            while True:
                peer, _ = self.listener.accept()
                if self.read:
                    stream = peer.makefile("rb")
                    check(stream.read(10) == b"zINSTREAM\0")
                    content = b""
                    while size := int.from_bytes(stream.read(4), "big"):
                        content += stream.read(size)
                    self.got.append(content)
                if self.answer is None:
                    time.sleep(30)
                peer.sendall(self.answer)
                peer.shutdown(socket.SHUT_RDWR)
                peer.close()
        except (OSError, TypeError):
            pass


@test("where clamd is away, hangs, or says what is no answer, nothing passes and the document waits")
def _(bed):
    for address in ("/nowhere/clamd.ctl", "127.0.0.1:1"):
        done = bed.step("scan", b"order", clamd=address)
        check(done.names == [] and done.code != 0 and "scan.unavailable" in done.said, done.said)
    for answer in (b"", b"stream: OK or so\0", b"UNKNOWN COMMAND\0", b"stream: Can't open file ERROR\0", b"stream: ok\0"):
        done = bed.step("scan", b"order", clamd=Liar(bed, answer).address)
        check(done.names == [] and "scan.unavailable" in done.said, answer, done.said)
    begun = time.monotonic()
    done = bed.step("scan", b"order", clamd=Liar(bed, None).address, timeout="1s")
    check(done.names == [] and "takes too long" in done.said and time.monotonic() - begun < 15, done.said)


@test("the bytes that are scanned are the document's, over TCP as well")
def _(bed):
    liar, document = Liar(bed, b"stream: OK\0"), os.urandom(600000)
    done = bed.step("scan", document, file="a", clamd=liar.address)
    equal((done.names, liar.got), (["a"], [document]), done.said)


main()
