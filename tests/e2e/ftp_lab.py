"""Real FTP servers for end-to-end tests: `on_both` runs a test by FTPS on ProFTPD and on pyftpdlib, each started once."""
import os

from sftp_lab import Server, on_each


class FtpServer(Server):
    word = "ftp"

    def at(self, *parts):
        return os.path.join(self.env["FTP_HOME"], *parts)

    def describe(self, site, more="", port="PORT"):
        """systems/acme.yaml of a site; `port` is a way of things as the script names it."""
        site.secret("acme-ftp", self.env["FTP_PASSWORD"])
        site.write("systems/acme.yaml", f"system: acme\nowner: edi\nftp: {{host: 127.0.0.1, port: {self.env['FTP_' + port]}, user: acme, "
                   f"password: {{secret: acme-ftp}}, ca: {self.env['FTP_CA']}, timeout: 3s{more}}}\n")


on_both = on_each(FtpServer, "proftpd", "pyftpdlib")
