#!/usr/bin/python3
"""scan against a real clamd with a small signature database of our own, a real ICAP server (c-icap) before it, and against stand-ins that
are away, hang or lie."""
import os
import re
import shutil
import signal
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


class Old:
    """A stand-in for a clamd whose signatures are of so many days ago."""

    def __init__(self, bed, days, answer=b"stream: OK\0"):
        made = time.gmtime(time.time() - days * 86400 - 3600)
        self.address = Liar(bed, answer, version=b"ClamAV 1.4.3/27465/" + time.asctime(made).encode() + b"\0").address


@test("signatures that are older than the step says are a warning, and documents pass; a real clamd answers as well")
def _(bed):
    for days, more, warns in ((30, {}, True), (1, {}, False), (10, {"signatures": "20d"}, False), (10, {"signatures": "9d"}, True), (30, {"signatures": "0s"}, False)):
        done = bed.step("scan", b"order", file="a", clamd=Old(bed, days).address, **more)
        equal((done.names, done.code), (["a"], 0), done.said)
        check(("old signatures" in done.said and f"{days} days old" in done.said) == warns, days, more, done.said)
    found = bed.refused("scan.infected", "scan", b"order", clamd=Old(bed, 30, b"stream: Own.Name FOUND\0").address)
    check("old signatures" in found.said, "with what it found:", found.said)
    done = bed.step("scan", b"order", file="a", clamd=clamd(bed))  # whose own database has no date
    check(done.names == ["a"] and re.search(r'does not say how old its signatures are version=\"ClamAV [0-9.]+\"', done.said), done.said)


@test("a version without a date, of another form or none at all keeps nothing from passing")
def _(bed):
    for version in (b"ClamAV 1.0.7\0", b"ClamAV 1.0.7/27465/Sun Foo 24 08:12:00 2024\0", b"/\0", b"", b"UNKNOWN COMMAND\0"):
        done = bed.step("scan", b"order", file="a", clamd=Liar(bed, b"stream: OK\0", version=version).address)
        check(done.names == ["a"] and "old signatures" not in done.said, version, done.said)
    done = bed.step("scan", b"order", file="a", clamd=Liar(bed, b"stream: OK\0", version=b"ClamAV 0.103/26000/Sun Nov 24 08:12:00 2019\0").address)
    check(done.names == ["a"] and "old signatures" in done.said, done.said)
    begun = time.monotonic()
    equal(bed.step("scan", b"order", file="a", clamd=Liar(bed, b"stream: OK\0", version=None).address).names, ["a"], "one that says nothing")
    check(time.monotonic() - begun < 20, "it was waited for")


@test("a scanner that does not find the EICAR test string lets nothing pass where the step asks for a proof")
def _(bed):
    equal(bed.step("scan", b"order", file="a", clamd=clamd(bed), prove="1h").names, ["a"], "one that finds it")
    liar = Liar(bed, b"stream: OK\0")
    done = bed.step("scan", b"order", clamd=liar.address, prove="1h")
    check(done.names == [] and "scan.unproved" in done.said, done.said)
    equal(liar.got, [EICAR], "what it was shown")
    done = bed.step("scan", b"order", clamd=Liar(bed, b"stream: Can't open file ERROR\0").address, prove="1h")
    check(done.names == [] and "scan.unavailable" in done.said, done.said)


class Liar:
    """A stand-in that speaks clamd's protocol as far as it is told to."""

    def __init__(self, bed, answer, read=True, version=b"ClamAV 1.0.7\0"):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.answer, self.read, self.version, self.got = answer, read, version, []
        threading.Thread(target=self.serve, daemon=True).start()
        bed.cleanup.append(self.listener.close)

    def serve(self):
        try:
            while True:
                peer, _ = self.listener.accept()
                if self.read:
                    stream = peer.makefile("rb")
                    command = b""
                    while not command.endswith(b"\0"):
                        command += stream.read(1)
                    if command == b"zVERSION\0":
                        if self.version is None:
                            self.silent = peer, stream
                            continue
                        peer.sendall(self.version)
                        peer.shutdown(socket.SHUT_RDWR)
                        peer.close()
                        continue
                    check(command == b"zINSTREAM\0")
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


def c_icap(bed, socket_path):
    """A real ICAP server, whose service asks a real clamd."""
    program, modules = shutil.which("c-icap"), "/usr/lib/x86_64-linux-gnu/c_icap"
    found = [d for d in (modules, "/usr/lib/aarch64-linux-gnu/c_icap", "/usr/lib/c_icap") if os.path.exists(os.path.join(d, "virus_scan.so"))]
    if not program or not found:
        raise Skip("there is no c-icap with virus_scan: apt-get install c-icap libc-icap-mod-virus-scan")
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    bed.write("clamd_mod.conf", f"Module common clamd_mod.so\nclamd_mod.ClamdSocket {socket_path}\n")
    bed.write("virus_scan.conf", "Service antivirus_module virus_scan.so\nServiceAlias avscan virus_scan?allow204=on&sizelimit=off&mode=simple\n"
              "ServiceAlias always virus_scan?allow204=off&sizelimit=off&mode=simple\nvirus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE\n"
              "virus_scan.SendPercentData 5\nvirus_scan.StartSendPercentDataAfter 64M\nvirus_scan.MaxObjectSize 64M\nvirus_scan.DefaultEngine clamd\n")
    bed.write("c-icap.conf", f"""PidFile {bed.path('c-icap.pid')}
CommandsSocket {bed.path('c-icap.ctl')}
Timeout 30
StartServers 1
MaxServers 1
MinSpareThreads 5
MaxSpareThreads 10
ThreadsPerChild 10
Port 127.0.0.1:{port}
ServerName test
TmpDir {bed.directory}
MaxMemObject 131072
DebugLevel 1
ModulesDir {found[0]}
ServicesDir {found[0]}
TemplateDir /usr/share/c_icap/templates/
TemplateDefaultLanguage en
LoadMagicFile /etc/c-icap/c-icap.magic
ServerLog {bed.path('c-icap.log')}
AccessLog {bed.path('c-icap-access.log')}
Service echo srv_echo.so
Include {bed.path('virus_scan.conf')}
Include {bed.path('clamd_mod.conf')}
""")
    with open(bed.path("c-icap.out"), "wb") as out:
        process = subprocess.Popen([program, "-N", "-D", "-f", bed.path("c-icap.conf")], stdout=out, stderr=out, start_new_session=True)

    def end():
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    bed.cleanup.append(end)
    for _ in range(300):
        with socket.socket() as s:
            if not s.connect_ex(("127.0.0.1", port)):
                return f"icap://127.0.0.1:{port}"
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise Skip("c-icap does not start here")


@test("a real ICAP server (c-icap, with clamd behind it) decides the same, with preview and without, for small and for large")
def _(bed):
    at = c_icap(bed, clamd(bed))
    for service in ("avscan", "always"):
        for size in (0, 1, 500, 1024, 1025, 700000):
            clean = os.urandom(size)
            done = bed.step("scan", clean, file="order.csv", icap=f"{at}/{service}")
            equal((done.names, done.codes), (["order.csv"], []), (service, size, done.said))
            equal(done.read("order.csv"), clean, "content")
        refused = bed.refused("scan.infected", "scan", EICAR, icap=f"{at}/{service}")
        check("Own.Test.Signature" in refused.said, refused.said)
        bed.refused("scan.infected", "scan", os.urandom(400000) + EICAR + os.urandom(10), icap=f"{at}/{service}")
    check("istag=" in bed.step("scan", b"order", file="a", icap=f"{at}/avscan").said, "its ISTag is not in the log")
    done = bed.step("scan", b"order" * 1000, file="a", icap=f"{at}/echo")
    equal((done.names, done.codes), (["a"], []), done.said)
    for service in ("nothing", "info"):
        done = bed.step("scan", b"order", icap=f"{at}/{service}")
        check(done.names == [] and "scan.unavailable" in done.said, service, done.said)
    bed.refused("scan.too-large", "scan", os.urandom(2000), icap=f"{at}/avscan", max_size="1KiB")
    equal(bed.step("scan", b"order", file="b", icap=f"{at}/avscan", prove="1h").names, ["b"], "one that finds EICAR")
    bed.refused("scan.infected", "scan", EICAR, icap=f"{at}/always", prove="1h")
    done = bed.step("scan", b"order", icap=f"{at}/echo", prove="1h")
    check(done.names == [] and "scan.unproved" in done.said, "a service that scans nothing:", done.said)


class IcapLiar:
    """A stand-in that speaks ICAP as far as it is told to: answers OPTIONS, then says `answer` to RESPMOD, at once or when it has read all."""

    def __init__(self, bed, answer, preview=None, options=b"", at_once=False, cut=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"icap://127.0.0.1:{self.listener.getsockname()[1]}/scan"
        self.answer, self.preview, self.options, self.at_once, self.cut, self.got = answer, preview, options, at_once, cut, []
        threading.Thread(target=self.serve, daemon=True).start()
        bed.cleanup.append(self.listener.close)

    @staticmethod
    def head(stream):
        lines = []
        while (line := stream.readline()) not in (b"\r\n", b""):
            lines.append(line)
        return b"".join(lines)

    @staticmethod
    def chunks(stream):
        content, last = b"", b""
        while True:
            last = stream.readline()
            size = int(last.split(b";")[0], 16)
            if size == 0:
                stream.readline()
                return content, b"ieof" in last
            content += stream.read(size)
            stream.readline()

    def serve(self):
        try:
            while True:
                peer, _ = self.listener.accept()
                stream = peer.makefile("rb")
                self.head(stream)
                preview = b"" if self.preview is None else b"Preview: %d\r\n" % self.preview
                peer.sendall(self.options or b"ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\nAllow: 204\r\n" + preview + b"Encapsulated: null-body=0\r\n\r\n")
                if not self.head(stream).startswith(b"RESPMOD "):
                    continue
                self.head(stream), self.head(stream)
                content = b""
                if not self.at_once:
                    content, whole = self.chunks(stream)
                    if self.preview is not None and not whole and b"204" not in self.answer[:20]:
                        peer.sendall(b"ICAP/1.0 100 Continue\r\n\r\n")
                        content += self.chunks(stream)[0]
                self.got.append(content)
                if self.answer is None:
                    time.sleep(30)
                    return
                answer = self.answer.replace(b"BODY", b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)) if content else self.answer.replace(b"BODY", b"0\r\n\r\n")
                for n in range(0, len(answer), self.cut or len(answer) or 1):
                    peer.sendall(answer[n:n + (self.cut or len(answer))])
                peer.shutdown(socket.SHUT_WR)
                peer.recv(1)
                peer.close()
        except (OSError, ValueError, TypeError):
            pass


def adapted(status, body=b"BODY", more=b""):
    http = b"HTTP/1.1 %s\r\nServer: x\r\n\r\n" % status
    return b"ICAP/1.0 200 OK\r\n" + more + b"Encapsulated: res-hdr=0, res-body=%d\r\n\r\n" % len(http) + http + body


@test("headers that name an infection, or another document in its place, are an infection; the same document back is none")
def _(bed):
    document = os.urandom(3000)
    other = b"7\r\nno sale\r\n0\r\n\r\n"
    for preview in (None, 0, 100, 5000):
        for cut in (None, 7):
            same = IcapLiar(bed, adapted(b"200 OK"), preview, cut=cut)
            done = bed.step("scan", document, file="a", icap=same.url)
            equal((done.names, done.codes, same.got[-1:]), (["a"], [], [document]), (preview, cut, done.said))
    nothing = IcapLiar(bed, b"ICAP/1.0 204 No Content\r\nX-Infection-Found: 0\r\nEncapsulated: null-body=0\r\n\r\n", 100)
    done = bed.step("scan", document, file="a", icap=nothing.url)
    equal((done.names, nothing.got), (["a"], [document[:100]]), "204 to the preview: " + done.said)
    for answer in (adapted(b"200 OK", other), adapted(b"403 Forbidden", other), adapted(b"403 Forbidden"), adapted(b"200 OK", b"0\r\n\r\n"),
                   adapted(b"200 OK", more=b"X-Infection-Found: Type=0; Resolution=2; Threat=Own.Name;\r\n"), adapted(b"200 OK", more=b"X-Virus-ID: Own.Name\r\n"),
                   adapted(b"200 OK", more=b"X-Violations-Found: 1\r\n"), b"ICAP/1.0 204 No\r\nx-infection-found: Type=0; Threat=Own.Name;\r\n\r\n",
                   b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, null-body=26\r\n\r\nHTTP/1.1 403 Forbidden\r\n\r\n"):
        refused = bed.refused("scan.infected", "scan", document, icap=IcapLiar(bed, answer).url)
        check("Own.Name" in refused.said or b"Own.Name" not in answer, answer, refused.said)


@test("where an ICAP server is away, hangs, refuses, breaks off or says what is no ICAP, nothing passes and the document waits")
def _(bed):
    document = os.urandom(100000)
    good = adapted(b"200 OK", b"5\r\nhello\r\n0\r\n\r\n")
    answers = [b"", b"ICAP/1.0 500 Error\r\n\r\n", b"ICAP/1.0 404 Nothing\r\n\r\n", b"ICAP/1.0 503 Later\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n", b"ICAP/1.0 204",
               b"ICAP/1.0 206 Part\r\n\r\n", b"ICAP/1.0 100 Continue\r\n\r\n", adapted(b"200 OK", b"zz\r\n"), adapted(b"200 OK", b"ffffffffffffff\r\nx"), b"x" * 100000,
               b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=99999999\r\n\r\n", good[:-6], good[:60]]
    for answer in answers:
        done = bed.step("scan", document, icap=IcapLiar(bed, answer).url, timeout="3s")
        check(done.names == [] and "scan.unavailable" in done.said, answer[:60], done.said)
    for options in (b"ICAP/1.0 404 Nothing\r\n\r\n", b"ICAP/1.0 200 OK\r\nMethods: REQMOD\r\n\r\n", b"no\r\n\r\n"):
        done = bed.step("scan", document, icap=IcapLiar(bed, b"", options=options).url)
        check(done.names == [] and "scan.unavailable" in done.said, options, done.said)
    begun = time.monotonic()
    done = bed.step("scan", document, icap=IcapLiar(bed, None).url, timeout="1s")
    check(done.names == [] and "takes too long" in done.said and time.monotonic() - begun < 15, done.said)
    done = bed.step("scan", document, icap="icap://127.0.0.1:1/scan")
    check(done.names == [] and "scan.unavailable" in done.said, done.said)


@test("what an answer to OPTIONS carries is not taken for the document, and an answer without an end is not read to it")
def _(bed):
    options = b"ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\nEncapsulated: opt-body=0\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    document = os.urandom(3000)
    done = bed.step("scan", document, file="a", icap=IcapLiar(bed, adapted(b"200 OK"), options=options).url)
    equal((done.names, done.codes), (["a"], []), done.said)
    endless = b"fffffff\r\n" + b"x" * 5000
    begun = time.monotonic()
    bed.refused("scan.infected", "scan", document, icap=IcapLiar(bed, adapted(b"200 OK", endless)).url, timeout="60s")
    check(time.monotonic() - begun < 20, "it was waited for")
    done = bed.step("scan", document, icap=IcapLiar(bed, adapted(b"200 OK", b"0\r\n" + b"A: b\r\n" * 5000)).url, timeout="3s")
    check(done.names == [] and "scan.unavailable" in done.said, done.said)


@test("a server that gives back while it is still being sent to is listened to, and neither waits for the other")
def _(bed):
    size = 24 << 20
    liar = IcapLiar(bed, adapted(b"200 OK", b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"x" * size)), at_once=True)
    bed.refused("scan.infected", "scan", os.urandom(size), icap=liar.url, timeout="10s")


main()
