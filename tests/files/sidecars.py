#!/usr/bin/python3
"""checksum: sidecars made here are taken by the tools, theirs are taken here, and control totals."""
import hashlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from steps import check, equal, main, test

TEXT = b"a;1\nb;2\nc;3\n"


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'


def fits(bed, text, document=TEXT, name="orders.csv"):
    done = bed.step("checksum", document, file=name, expect=quoted(text))
    equal((done.names, done.codes), ([name], []), f"{text!r} {done.said}")


@test("sidecars made here are checked by the tools that people have")
def _(bed):
    path = bed.write("orders.csv", TEXT)
    for kind, tool in (("sha256", "sha256sum"), ("sha512", "sha512sum"), ("sha1", "sha1sum"), ("md5", "md5sum")):
        for form in ("gnu", "bsd"):
            done = bed.step("checksum", path, make=kind, form=form)
            equal(done.names, ["orders.csv", f"orders.csv.{kind}"], done.said)
            bed.run("sh", "-c", f"cd {done.directory} && {tool} --strict -c orders.csv.{kind}")


@test("sidecars of the tools are taken, in each of their forms")
def _(bed):
    bed.write("orders.csv", TEXT)
    bed.write("other.csv", "other")
    for tool in ("sha256sum", "sha512sum", "sha1sum", "md5sum"):
        for words in ([], ["-b"], ["--tag"]):
            fits(bed, bed.run(tool, *words, "other.csv", "orders.csv").stdout.decode())
    digest = hashlib.sha256(TEXT).hexdigest()
    for text in (digest, digest.upper() + "\r\n", f"{digest}  out/orders.csv\n", f"\ufeff{digest} *C:\\out\\orders.csv\r\n", f"# by us\n\n{digest}  orders.csv\n",
                 f"sha256={digest}\nbytes=12\nlines=3\n", "Records: 3\nSize : 12\nFile: orders.csv\n", f"SHA-256 (orders.csv) = {digest}\n"):
        fits(bed, text)
    fits(bed, "lines=4\nbytes=13\n", TEXT + b"d")
    fits(bed, "lines=0\nbytes=0\n", b"")


@test("what is not so is refused, and what says nothing is no leave to pass")
def _(bed):
    digest = hashlib.sha256(TEXT).hexdigest()
    def refused(code, text, document=TEXT):
        bed.refused(code, "checksum", document, file="orders.csv", expect=quoted(text))
    refused("sidecar.mismatch", digest, TEXT + b"\n")
    refused("sidecar.mismatch", f"{digest}  orders.csv\nbytes=13\n")
    refused("sidecar.mismatch", "lines=2\n")
    refused("sidecar.name", f"{digest}  other.csv\n")
    refused("sidecar.name", "lines=3\nfile=other.csv\n")
    for text in ("", "\n", "hello", digest[:-1], digest + "0", "z" * 64, f"{digest}\n{digest}\n", f"MD5 (orders.csv) = {digest}\n", "bytes=-1", "bytes=99999999999999999999999", "colour=red\n"):
        refused("sidecar.form", text)


main()
