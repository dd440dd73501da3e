#!/usr/bin/env python3
"""The schemas of `ferrule schema` in an editor: the real YAML language server (npm install -g yaml-language-server; the variable
FERRULE_YAML_LANGUAGE_SERVER names another) is asked for completion, hover and mistakes in a new site, as an editor asks. Skipped without it."""
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from bed import FERRULE, Skip, check, equal, main, test  # noqa: E402


class Editor:
    """Speaks the Language Server Protocol 3.17 over the server's standard input and output."""

    def __init__(self, root):
        command = os.environ.get("FERRULE_YAML_LANGUAGE_SERVER") or shutil.which("yaml-language-server")
        if not command:
            raise Skip("yaml-language-server is not installed")
        self.process = subprocess.Popen([*command.split(), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.number = self.opened = 0
        self.told = {}  # address → its diagnostics
        self.root = root
        self.ask("initialize", {"processId": os.getpid(), "rootUri": "file://" + root, "capabilities": {
            "textDocument": {"hover": {"contentFormat": ["markdown"]}, "completion": {"completionItem": {"snippetSupport": False}}}}})
        self.tell("initialized", {})

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def tell(self, method, params):
        self.send({"method": method, "params": params})

    def read(self):
        length = 0
        while True:
            line = self.process.stdout.readline()
            check(line, "the server ended")
            if line == b"\r\n":
                break
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message = json.loads(self.process.stdout.read(length))
        if "method" in message and "id" in message:  # it asks us: for settings
            asked = message["params"].get("items", []) if isinstance(message.get("params"), dict) else []
            self.send({"id": message["id"], "result": [{"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}
                                                       if item.get("section") == "yaml" else None for item in asked]})
        elif message.get("method") == "textDocument/publishDiagnostics":
            self.told[message["params"]["uri"]] = message["params"]["diagnostics"]
        return message

    def ask(self, method, params):
        self.number += 1
        self.send({"id": self.number, "method": method, "params": params})
        while True:
            message = self.read()
            if message.get("id") == self.number and "method" not in message:
                check("error" not in message, message.get("error"))
                return message["result"]

    def open(self, path, text):
        self.opened += 1  # each text is a file of its own: the server keeps what it knew of a name
        self.uri = "file://" + os.path.join(self.root, os.path.dirname(path), f"{self.opened}-{os.path.basename(path)}")
        self.tell("textDocument/didOpen", {"textDocument": {"uri": self.uri, "languageId": "yaml", "version": 1, "text": text}})

    def mistakes(self, path, text=None):
        """(line, message) of everything that the server has against the file."""
        if text is None:
            with open(os.path.join(self.root, path), encoding="utf-8") as file:
                text = file.read()
        self.open(path, text)
        while self.uri not in self.told:
            self.read()
        found = [(d["range"]["start"]["line"] + 1, d["message"]) for d in self.told[self.uri]]
        self.tell("textDocument/didClose", {"textDocument": {"uri": self.uri}})
        return found

    def at(self, method, path, text):
        """The answer at the place of ‸ in the text."""
        before, after = text.split("‸")
        self.open(path, before + after)
        place = {"line": before.count("\n"), "character": len(before.rsplit("\n", 1)[-1])}
        answer = self.ask(method, {"textDocument": {"uri": self.uri}, "position": place})
        self.tell("textDocument/didClose", {"textDocument": {"uri": self.uri}})
        return answer

    def completions(self, path, text):
        answer = self.at("textDocument/completion", path, text)
        return {item["label"] for item in (answer["items"] if isinstance(answer, dict) else answer)}

    def hover(self, path, text):
        answer = self.at("textDocument/hover", path, text)
        return answer["contents"]["value"] if answer else ""

    def close(self):
        self.process.kill()
        self.process.wait()


FLOW = "# yaml-language-server: $schema=../.ferrule/flow.schema.json\n"


def editor_of(site, template="order-to-cash"):
    path = os.path.join(site.root, template)
    code, out, err = site.type("init", path, "--template", template)
    equal(code, 0, out + err)
    editor = Editor(path)
    site.spawned.append(editor.process)
    return editor


@test("the files of a new site are without a mistake to the editor")
def valid(site):
    count = 0
    for template in ("order-to-cash", "edi-to-erp", "file-to-http", "empty"):
        editor = editor_of(site, template)
        for folder in ("", "flows", "systems", "environments", "tests"):
            for name in sorted(os.listdir(os.path.join(editor.root, folder))) if os.path.isdir(os.path.join(editor.root, folder)) else []:
                if name.endswith(".yaml"):
                    equal(editor.mistakes(os.path.join(folder, name)), [], os.path.join(template, folder, name))
                    count += 1
        editor.close()
    check(count >= 20, count)


@test("mistakes are shown at their lines while one types")
def broken(site):
    editor = editor_of(site)
    for text, line, said in [
        ("flow: a\nownr: me\nsubscribe: x.v1\npublish: y.v1\n", 3, "ownr"),
        ("flow: a\nsubscribe: x.v1\npublish: y.v1\n", 2, "owner"),
        ("flow: a\nowner: me\nsubscribe: x.v1\nsteps:\n  - decode: x13\npublish: y.v1\n", 6, "x12"),
        ("flow: a\nowner: me\nsubscribe: x.v1\nto: {file: 'out/x', exists: rplace}\neffect: rename\n", 5, "replace"),
        ("flow: a\nowner: me\nsubscribe: x.v1\nto: {file: 'out/x'}\neffect: rename\nretry: {for: 5 days}\n", 7, "duration"),
        ("flow: a\nowner: me\nsubscribe: x.v1\nto: {file: 'out/x'}\n", 2, "effect"),
    ]:
        found = editor.mistakes("flows/new.yaml", FLOW + text)
        check(any(at == line and said in message for at, message in found), f"{text!r} gives {found}")
    found = editor.mistakes("site.yaml", "# yaml-language-server: $schema=.ferrule/site.schema.json\nname: a\nretention: {queue: 3d, orignals: 5d}\n")
    check(any(at == 3 and "orignals" in message for at, message in found), found)


@test("keys and words are completed where they may stand")
def completion(site):
    editor = editor_of(site)
    head = FLOW + "flow: a\nowner: me\n"
    for text, wanted, unwanted in [
        (head + "‸\n", {"from", "subscribe", "steps", "publish", "on-reject"}, {"decode", "file"}),
        (head + "subscribe: x.v1\nsteps:\n  - ‸\npublish: y.v1\n", {"decode", "map", "validate", "route"}, {"owner"}),
        (head + "from:\n  ‸\npublish: y.v1\n", {"file", "webhook"}, {"operation"}),
        (head + "from:\n  file: in/*\n  after: ‸\npublish: y.v1\n", {"archive", "move", "delete"}, {"refuse"}),
        (head + "subscribe: x.v1\nto:\n  file: out/x\n  ‸\neffect: rename\n", {"exists", "create", "mode"}, {"after"}),
        (head + "subscribe: x.v1\nto: {operation: a.b}\neffect: ‸\n", {"rename", "none"}, set()),
    ]:
        got = editor.completions("flows/new.yaml", text)
        check(wanted <= got and not unwanted & got, f"{text[len(head):]!r} gives {sorted(got)}")


@test("over a key it stands what it means, its form and its default")
def hover(site):
    editor = editor_of(site)
    head = FLOW + "flow: a\nowner: me\n"
    for text, wanted in [
        (head + "from:\n  file: in/*\n  af‸ter: archive\npublish: y.v1\n", ["What becomes of a file", "archive"]),
        (head + "subscribe: x.v1\nretry:\n  f‸or: 5d\nto: {file: 'out/x'}\neffect: rename\n", ["how long to keep trying", "Default: 5d", "duration"]),
        (head + "subscribe: x.v1\nsteps:\n  - val‸idate: order/v1\npublish: y.v1\n", ["contract"]),
    ]:
        got = editor.hover("flows/new.yaml", text)
        check(all(word.lower() in got.lower() for word in wanted), f"{text[len(head):]!r} gives {got!r}")


if __name__ == "__main__":
    main()
