"""Servers that end-to-end tests start beside a site: a mail server, and rsyslog as syslog receiver. On private ports, with their files in
the test's own directory; they end with the test."""
import json
import os
import shutil
import socket
import subprocess

from bed import LAB, Skip, lines, wait

PYTHON = "/usr/bin/python3"  # Debian's, which has its packages


class MailServer:
    def __init__(self, site, name, *options, port=0):
        if subprocess.run([PYTHON, "-c", "import aiosmtpd"], stderr=subprocess.DEVNULL).returncode:
            raise Skip("python3-aiosmtpd is not installed")
        self.log, port_file = (os.path.join(site.work, f"{name}.{end}") for end in ("jsonl", "port"))
        if os.path.exists(port_file):
            os.unlink(port_file)
        self.process = site.spawn([PYTHON, os.path.join(LAB, "smtp.py"), "--log", self.log, "--port-file", port_file, "--port", str(port), *options])
        wait(lambda: os.path.exists(port_file) or self.process.poll() is not None, 20, "the mail server's port")
        with open(port_file) as file:
            self.port = int(file.read())

    def mails(self):
        return lines(self.log) if os.path.exists(self.log) else []

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)


def certificate(site):
    paths = [os.path.join(site.work, name) for name in ("cert.pem", "key.pem")]
    if not os.path.exists(paths[0]):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]],
                       check=True, stderr=subprocess.DEVNULL)
    return paths


def two_ports():
    """One for TCP that is free for UDP as well, and another."""
    with socket.socket() as a, socket.socket() as b, socket.socket(type=socket.SOCK_DGRAM) as c:
        a.bind(("127.0.0.1", 0))
        b.bind(("127.0.0.1", 0))
        c.bind(("127.0.0.1", a.getsockname()[1]))
        return a.getsockname()[1], b.getsockname()[1]


FIELDS = {"pri": "pri", "time": "timereported:::date-rfc3339", "host": "hostname", "app": "app-name", "msgid": "msgid", "data": "structured-data",
          "text": "msg", "severity": "syslogseverity-text", "facility": "syslogfacility-text", "raw": "rawmsg", "by": "inputname"}


class Rsyslog:
    """UDP and TCP on one port, TLS on another, and a socket as /dev/log is one. What it takes is a JSON object a line."""

    def __init__(self, site, name="rsyslog", ports=None, client_certificate=False):
        program = shutil.which("rsyslogd") or "/usr/sbin/rsyslogd"
        if not os.path.exists(program):
            raise Skip("there is no rsyslogd: apt-get install rsyslog rsyslog-openssl")
        self.site, self.program = site, program
        self.port, self.tls_port = ports or two_ports()
        self.socket = os.path.join(site.work, f"{name}.sock")
        self.log, self.conf, self.pid = (os.path.join(site.work, f"{name}.{end}") for end in ("jsonl", "conf", "pid"))
        self.certificate, self.key = certificate(site)
        parts = [f'property(outname="{k}" name="{v.split(":::")[0]}" format="jsonf"' + (f' dateFormat="rfc3339"' if ":::" in v else "") + ")" for k, v in FIELDS.items()]
        with open(self.conf, "w") as file:
            file.write(f"""
global(workDirectory="{site.work}" maxMessageSize="16k" defaultNetstreamDriver="ossl" net.enableDNS="off" processInternalMessages="on"
  defaultNetstreamDriverCAFile="{self.certificate}" defaultNetstreamDriverCertFile="{self.certificate}" defaultNetstreamDriverKeyFile="{self.key}")
module(load="imudp")
module(load="imuxsock" SysSock.Use="off")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="{'x509/certvalid' if client_certificate else 'anon'}")
module(load="imptcp")
template(name="lines" type="list") {{ constant(value="{{") {' constant(value=",") '.join(parts)} constant(value="}}\\n") }}
ruleset(name="keep") {{ action(type="omfile" file="{self.log}" template="lines" flushOnTXEnd="on") }}
input(type="imudp" address="127.0.0.1" port="{self.port}" ruleset="keep")
input(type="imptcp" address="127.0.0.1" port="{self.port}" ruleset="keep")
input(type="imtcp" address="127.0.0.1" port="{self.tls_port}" ruleset="keep")
input(type="imuxsock" Socket="{self.socket}" ruleset="keep")
""")
        self.start()

    def start(self):
        self.process = self.site.spawn([self.program, "-n", "-f", self.conf, "-i", self.pid])
        wait(lambda: self.listens() or self.process.poll() is not None, 20, "rsyslogd to listen")
        if self.process.poll() is not None:
            raise Skip("rsyslogd does not start here")

    def listens(self):
        for port in (self.port, self.tls_port):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)):
                    return False
        return os.path.exists(self.socket)

    def lines(self, app="ferrule"):
        try:
            with open(self.log, "rb") as file:
                taken = [json.loads(line.decode("utf-8", "replace")) for line in file if line.endswith(b"\n")]
        except FileNotFoundError:
            return []
        return [line for line in taken if line["app"] == app]

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)
