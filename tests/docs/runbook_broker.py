#!/usr/bin/env python3
"""docs/runbooks/broker-minority.md on a broker of one node, which is at once the majority and, when it is stopped, less than that: what the site
says, that nothing is lost, and that it goes on by itself. What needs three nodes (forget_cluster_node, shrink, grow) is not typed here."""
import glob
import os
import subprocess

import runbook
from bed import check, equal, free_port, main, request, test, wait
from servers import Servers

FLOW = """
flow: orders
owner: sales
from: {file: 'in/*.json', after: archive, age: 0s, interval: 50ms}
steps:
  - decode: json
to: {file: 'out/$(.n).json', create: yes, exists: refuse}
effect: rename
"""


def nodes_environment(directory):
    """What rabbitmqctl must know of a broker that is not this machine's."""
    shown = subprocess.run(["bash", "-c", f'. "{directory}/ports"; echo $port $epmd_port'], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    sbin = sorted(glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"))[-1]
    return {"PATH": f"{runbook.BUILD}:{sbin}:{os.environ['PATH']}", "HOME": directory, "ERL_EPMD_PORT": shown[1], "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"ferrule{shown[0]}@localhost", "RABBITMQ_CONF_ENV_FILE": f"{directory}/rabbitmq-env.conf", "LC_ALL": "C.UTF-8"}


def ready(port):
    try:
        return request(port, "GET", "/readyz", timeout=5)[0]
    except OSError:
        return 0


@test("the page for a broker without its majority: nothing is accepted, nothing is lost, and it goes on by itself")
def broker(site):
    servers = Servers()
    try:
        port = free_port()
        site.write("site.yaml", f"name: e2e\nlisten: {{http: {{address: 127.0.0.1, port: {port}}}}}\nlimits: {{disk-reserve: 1MiB}}\nprocesses: {{transform: 1}}\n")
        servers.choose(site)
        site.flow(FLOW)
        site.start()
        site.drop("in/1.json", {"n": 1})
        site.wait_files("out", 1, 30)
        page = runbook.Page(site, "broker-minority", {"FLOW": "orders"}, nodes_environment(servers.rabbit))
        check("ferrule" in page.type("rabbitmqctl cluster_status"), "the nodes")
        page.type("rabbitmq-diagnostics check_if_node_is_quorum_critical")
        check("leader" in page.type("rabbitmq-queues quorum_status"), "the queue")

        Servers.run("rabbitmq.sh", "ctl", servers.rabbit, "set_vm_memory_high_watermark", "0.00001")
        site.drop("in/2.json", {"n": 2})
        wait(lambda: "blocked" in site.type("status", "--problems")[1], 20, "the broker to be blocked")
        check("larms" in page.type("rabbitmqctl status"), "the alarms")
        Servers.run("rabbitmq.sh", "ctl", servers.rabbit, "set_vm_memory_high_watermark", "0.6")
        site.wait_files("out", 2, 30)

        Servers.run("rabbitmq.sh", "stop", servers.rabbit)
        wait(lambda: "the broker is not connected" in page.site.type("status", "--problems")[1], 20, "it to be told")
        page.type("ferrule status --problems", code=1)
        site.drop("in/3.json", {"n": 3})
        equal(ready(port), 503, "while the broker is away")
        Servers.run("rabbitmq.sh", "start", servers.rabbit)
        site.wait_files("out", 3, 60)
        page.type("ferrule replay FLOW")
        site.idle()
        equal(site.files("out"), ["1.json", "2.json", "3.json"], "deliveries")
        page.type("ferrule status --problems")
        wait(lambda: ready(port) == 200, 10, "/readyz")
        page.over(["rabbitmqctl forget_cluster_node", "rabbitmq-queues shrink"])
        site.stop()
    finally:
        servers.down()


main()
