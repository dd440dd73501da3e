"""RabbitMQ and PostgreSQL for the end-to-end tests, from Debian's packages, on private ports."""
import os
import re
import shutil
import subprocess
import tempfile

from bed import LAB, Skip, check


class Servers:
    """RabbitMQ and PostgreSQL of the tests' own. What of site.yaml chooses them is `yaml`; it refers to `secrets`."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="ferrule-e2e-servers-")
        os.chmod(self.root, 0o755)
        self.rabbit, self.postgres = os.path.join(self.root, "rabbitmq"), os.path.join(self.root, "postgresql")
        self.env = {}
        try:
            for script, directory in (("rabbitmq.sh", self.rabbit), ("postgresql.sh", self.postgres)):
                self.run(script, "up", directory)
                for name, value in re.findall(r"(\w+)=('[^']*'|\S*)", self.run(script, "env", directory)):
                    self.env[name] = value.strip("'\"")
        except BaseException:
            self.down()
            raise
        env = self.env
        self.yaml = (f"\nqueue: {{amqp: {{host: {env['AMQP_HOST']}, port: {env['AMQP_PORT']}, user: {env['AMQP_USER']}, password: {{secret: amqp}}}}}}\n"
                     f"store: {{postgresql: {{host: {self.pg('HOST')}, port: {self.pg('PORT')}, user: {self.pg('USER')}, "
                     f"database: {self.pg('DATABASE')}, password: {{secret: postgresql}}}}}}\n")
        self.secrets = {"amqp": env["AMQP_PASSWORD"], "postgresql": self.pg("PASSWORD") or "ferrule-lab"}

    def pg(self, name):
        return self.env.get(f"FERRULE_PG_{name}") or self.env.get(f"PG{name}")

    def choose(self, site):
        """The site runs on these servers from now on."""
        with open(site.at("site.yaml"), "a") as file:
            file.write(self.yaml)
        for name, value in self.secrets.items():
            site.secret(name, value)

    @staticmethod
    def run(script, *arguments):
        # a file, since a broker that a script leaves behind would keep a pipe open
        with tempfile.TemporaryFile() as out:
            code = subprocess.run([os.path.join(LAB, script), *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=180).returncode
            out.seek(0)
            said = out.read().decode("utf-8", "replace")
        if code == 77 or "apt-get install" in said:
            raise Skip(said.strip().splitlines()[-1])
        check(code == 0, script, *arguments, said[-400:])
        return said

    def down(self):
        for script, directory in (("rabbitmq.sh", self.rabbit), ("postgresql.sh", self.postgres)):
            subprocess.run([os.path.join(LAB, script), "down", directory], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.root, ignore_errors=True)
