#!/usr/bin/python3
"""gzip, gunzip, zip and unzip, against gzip, zip and unzip and against archives that mean harm."""
import gzip
import io
import os
import resource
import struct
import subprocess
import sys
import zipfile
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from steps import BUILD, FERRULE, check, equal, main, test

TEXT = "".join(f"line {n} of an order of 9.50 €\n" for n in range(5000)).encode()


def zipped(*members, **options):
    """(name or ZipInfo, bytes) …"""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def info(name, mode=None, system=3):
    member = zipfile.ZipInfo("x", (2026, 3, 2, 10, 0, 0))
    member.filename, member.create_system = name, system
    if mode is not None:
        member.external_attr = mode << 16
    return member


@test("gunzip unpacks what gzip packed, and calls it by its own name")
def _(bed):
    bed.write("orders.csv", TEXT)
    bed.run("gzip", "orders.csv")
    done = bed.step("gunzip", bed.path("orders.csv.gz"))
    equal(done.names, ["orders.csv"], done.said)
    equal(done.read("orders.csv"), TEXT, "content")


@test("gzip unpacks what gzip packed, the same bytes each time")
def _(bed):
    bed.write("orders.csv", TEXT)
    first, again = bed.step("gzip", bed.path("orders.csv")), bed.step("gzip", bed.path("orders.csv"), level=6)
    equal(first.names, ["orders.csv.gz"], first.said)
    equal(first.read("orders.csv.gz"), again.read("orders.csv.gz"), "twice")
    equal(bed.run("gzip", "-dc", os.path.join(first.directory, "orders.csv.gz")).stdout, TEXT, "content")
    bed.run("gzip", "-t", os.path.join(first.directory, "orders.csv.gz"))


@test("gunzip takes several members in one file, and zeros behind them")
def _(bed):
    done = bed.step("gunzip", gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two") + bytes(700), file="a.gz")
    equal(done.read("a"), b"one two", done.said)


@test("gunzip gives nothing of a file that is damaged, cut off, none or empty")
def _(bed):
    good = gzip.compress(TEXT)
    bed.refused("gzip.form", "gunzip", b"ISA*00*")
    bed.refused("gzip.form", "gunzip", b"")
    bed.refused("gzip.truncated", "gunzip", good[:-1])
    bed.refused("gzip.truncated", "gunzip", good[:200])
    bed.refused("gzip.damaged", "gunzip", good[:-8] + b"\0\0\0\0" + good[-4:])
    bed.refused("gzip.damaged", "gunzip", good[:-4] + b"\0\0\0\0")
    bed.refused("gzip.damaged", "gunzip", good + b"rest")
    for at in range(30, len(good) - 8, max(1, len(good) // 40)):
        done = bed.step("gunzip", good[:at] + bytes([good[at] ^ 0xff]) + good[at + 1:])
        check(done.codes and done.names == [], f"a changed byte at {at} is seen: {done.said}")


@test("gunzip stops at bombs and at the size that the step sets")
def _(bed):
    bomb = gzip.compress(bytes(64 << 20))
    bed.refused("gzip.bomb", "gunzip", bomb)
    bed.refused("gzip.too-large", "gunzip", bomb, size="1MiB")
    done = bed.step("gunzip", bomb, file="zeros.gz", ratio=0)
    equal(os.path.getsize(os.path.join(done.directory, "zeros")), 64 << 20, "a ratio of 0 lets it through")


@test("unzip gives a document for each file, with its name, from zip's own archives")
def _(bed):
    os.makedirs(bed.path("day/sub"))
    bed.write("day/a.csv", "a;b\n")
    bed.write("day/sub/b with space.xml", "<b/>")
    bed.write("day/empty.txt", "")
    bed.run("zip", "-qr", "day.zip", "day")
    done = bed.step("unzip", bed.path("day.zip"))
    equal(done.names, ["a.csv", "b with space.xml", "empty.txt"], done.said)
    equal([done.read(n) for n in done.names], [b"a;b\n", b"<b/>", b""], "contents")
    only = bed.step("unzip", bed.path("day.zip"), only="*.csv")
    equal(only.names, ["a.csv"], only.said)
    equal(only.codes, ["dropped", "dropped"], "the others are told of")


@test("zip packs what unzip and Python unpack, the same bytes each time")
def _(bed):
    bed.write("Größe.csv", TEXT)
    first, again = bed.step("zip", bed.path("Größe.csv")), bed.step("zip", bed.path("Größe.csv"))
    for _ in range(3):  # by hand the time is that of the clock, and stands in the archive in steps of two seconds
        if first.read(first.names[0]) != again.read(again.names[0]):
            first, again = bed.step("zip", bed.path("Größe.csv")), bed.step("zip", bed.path("Größe.csv"))
    equal(first.names, ["Größe.csv.zip"], first.said)
    path = os.path.join(first.directory, first.names[0])
    equal(zlib.crc32(first.read(first.names[0])), zlib.crc32(again.read(first.names[0])), "twice")
    with zipfile.ZipFile(path) as archive:
        equal(archive.namelist(), ["Größe.csv"], "names")
        equal(archive.read("Größe.csv"), TEXT, "content")
    bed.run("unzip", "-tq", path)
    named = bed.step("zip", bed.path("Größe.csv"), **{"name": "out/$($envelope.name).txt"})
    with zipfile.ZipFile(os.path.join(named.directory, named.names[0])) as archive:
        equal(archive.namelist(), ["out/Größe.csv.txt"], "the name that the step gives")
    back = bed.step("unzip", path)
    equal((back.names, back.read(back.names[0])), (["Größe.csv"], TEXT), "and back")


@test("names are read as UTF-8 or as code page 437")
def _(bed):
    archive = zipped(("Auftr\u00e4ge.txt", b"1"))  # flagged as UTF-8
    equal(bed.step("unzip", archive).names, ["Aufträge.txt"], "flagged")
    raw = zipped(("Auftr__ge.txt", b"1"))
    equal(bed.step("unzip", raw.replace(b"Auftr__ge", "Aufträge".encode())).names, ["Aufträge.txt"], "UTF-8 that does not say so")
    old = zipped(("Auftr_ge.txt", b"1"))
    equal(bed.step("unzip", old.replace(b"Auftr_ge", b"Auftr\x84ge")).names, ["Aufträge.txt"], "code page 437")
    dos = zipped((info("dir_x.txt", system=0), b"1")).replace(b"dir_x.txt", b"dir\\x.txt")
    equal(bed.step("unzip", dos).names, ["x.txt"], "a backslash is a slash")


@test("a member that leads out of the archive refuses all of it")
def _(bed):
    for bad in ("../x", "a/../../x", "/etc/passwd", "C:/x", "..\\x", "a\\..\\..\\x", "x\ny", "a/..", "\\\\host\\x"):
        archive = zipped((info("good.txt"), b"1"), (info(bad), b"2"))
        done = bed.refused("zip.path", "unzip", archive)
        check("nothing was unpacked" in done.said, done.said)


@test("links, devices and members that are there twice refuse all of it")
def _(bed):
    bed.refused("zip.link", "unzip", zipped(("a", b"1"), (info("l", 0o120777), b"/etc/passwd")))
    bed.refused("zip.kind", "unzip", zipped(("a", b"1"), (info("d", 0o020666), b"")))
    bed.refused("zip.kind", "unzip", zipped(("a", b"1"), (info("p", 0o060666), b"")))
    bed.refused("zip.twice", "unzip", zipped((info("a"), b"1"), (info("a"), b"2")))
    bed.write("real", "1")
    os.symlink("/etc/passwd", bed.path("link"))
    bed.run("zip", "-qy", "links.zip", "real", "link")
    bed.refused("zip.link", "unzip", bed.path("links.zip"))


@test("encrypted archives are refused by that name")
def _(bed):
    bed.write("a.txt", TEXT)
    bed.run("zip", "-q", "-P", "secret", "locked.zip", "a.txt")
    done = bed.refused("zip.encrypted", "unzip", bed.path("locked.zip"))
    check("a.txt" in done.said, done.said)


@test("bombs are refused by their directory, and by what comes out where that lies")
def _(bed):
    bomb = zipped(("zeros", bytes(64 << 20)))
    bed.refused("zip.bomb", "unzip", bomb)
    bed.refused("zip.too-large", "unzip", bomb, size="1MiB")
    bed.refused("zip.members", "unzip", zipped(*[(f"f{n}", b"") for n in range(50)]), members=49)
    lie = bomb
    size = struct.pack("<I", 64 << 20)
    check(lie.count(size) >= 2, "the size stands in the directory and before the member")
    done = bed.step("unzip", lie.replace(size, struct.pack("<I", 10)))
    check(done.codes and done.codes[0] in ("zip.bomb", "zip.damaged", "zip.too-large") and done.names == [], done.said)


@test("a damaged member is refused alone, a damaged directory all")
def _(bed):
    noise = os.urandom(5000)
    archive = bytearray(zipped(("a", b"one"), ("b", noise), ("c", b"three")))
    archive[archive.index(noise[2000:2020])] ^= 0xff
    done = bed.step("unzip", bytes(archive))
    equal((done.names, done.codes), (["a", "c"], ["zip.damaged"]), done.said)
    check("member 2 (b)" in done.told[0]["position"], done.said)
    bed.refused("zip.form", "unzip", b"PK\3\4 and no more")
    bed.refused("zip.form", "unzip", b"")
    bed.refused("zip.form", "unzip", TEXT)
    bed.refused("zip.form", "unzip", zipped(("a", b"1"))[:-30])
    bed.refused("zip.empty", "unzip", zipped())


@test("ZIP64 is read")
def _(bed):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(zipfile.ZipInfo("large.txt"), "w", force_zip64=True) as member:
            member.write(TEXT)
    done = bed.step("unzip", made.getvalue())
    equal((done.names, done.read("large.txt")), (["large.txt"], TEXT), done.said)
    many = bed.step("unzip", zipped(*[(f"f{n}", b"x") for n in range(66000)]), members=70000, to=False)
    equal(len(many.out), 66000, many.said)


def peak(bed, *command):
    """The most memory that it had resident, in MiB, whatever it says."""
    with open(bed.path("sink"), "wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.PIPE, cwd=bed.directory)
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    check(status == 0, said.decode(errors="replace"))
    return used.ru_maxrss / 1024


@test("memory is the same for 1 MiB and for 300 MiB")
def _(bed):
    small, large = bed.write("small", os.urandom(1 << 20)), bed.path("large")
    with open(large, "wb") as file:
        block = os.urandom(1 << 20)
        for _ in range(300):
            file.write(block)
    for step in ("gzip", "zip"):
        keys = ["--set", "level=1"]
        before, after = (peak(bed, FERRULE, "step", step, path, *keys) for path in (small, large))
        check(after < before + 8, f"{step}: {before:.0f} MiB, then {after:.0f} MiB")
        os.rename(bed.path("sink"), bed.path("packed"))
        undone = peak(bed, FERRULE, "step", {"gzip": "gunzip", "zip": "unzip"}[step], "packed")
        check(undone < before + 8, f"un{step}: {before:.0f} MiB, then {undone:.0f} MiB")
        equal(os.path.getsize(bed.path("sink")), 300 << 20, step)


main()
