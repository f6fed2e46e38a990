"""Hosts that are namespaces of this machine: each with a network, processes, a name and a home of its own, and sshd."""

import os
import shutil
import subprocess
import time
from pathlib import Path

PROGRAMS = ("ip", "unshare", "nsenter", "sshd", "ssh", "ssh-keygen", "rsync")
missing = [name for name in PROGRAMS if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")]
if os.getuid():
    missing.append("the rights of root")

SSHD = """
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
"""
# What a host has instead of this machine's: processes, Ray's folder, names of hosts, a home, an installation in /srv.
BEGIN = """
set -e
hostname {name}
mount --make-rprivate /
mkdir -p /tmp/ray /run/sshd
mount --bind {home}/ray /tmp/ray
mount --bind {folder}/hosts /etc/hosts
mount --bind {home}/passwd /etc/passwd
mount -t tmpfs tmpfs /srv
mkdir /srv/matopt
ln -s {installation} /srv/matopt/.venv
exec /usr/sbin/sshd -D -e -f {folder}/sshd_config
"""
NETWORK = "10.99.0"


class Hosts:
    """Hosts on one switch; a context manager.

    Args:
        folder: for their files.
        names: of the hosts; the user ``scientist`` of each logs in on all others.
        installation: what lies at ``/srv/matopt/.venv``.
    """

    def __init__(self, folder: Path, names: list[str], installation: Path):
        self.folder, self.names, self.installation = folder, names, installation
        self.addresses = {name: f"{NETWORK}.{i}" for i, name in enumerate(names, 1)}
        self.spaces = {name: f"matopt-{os.getpid()}-{i}" for i, name in enumerate(names)}
        self.switch = f"matopt-{os.getpid()}-switch"
        self.processes = {}

    def __enter__(self):
        lines = [f"{address} {name} {name.split('.')[0]}\n" for name, address in self.addresses.items()]
        (self.folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(lines))
        (self.folder / "sshd_config").write_text(SSHD.format(folder=self.folder))
        for key in ("key", "host_key"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / key)
        try:
            self._lay()
            for name in self.names:
                self._connect(self.spaces[name], self.addresses[name])
                self._begin(name)
            for name in self.names:
                self._wait_for(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        for process in self.processes.values():
            process.kill()  # and with it the first process of the host, which holds all others together
            process.wait()
        for space in (*self.spaces.values(), self.switch):
            subprocess.run(["ip", "netns", "del", space], capture_output=True)

    def command(self, name, *command, **environment):
        """What runs a command on a host, as its user."""
        words = {"HOME": str(self.home(name)), "PATH": os.environ["PATH"], "USER": "scientist", **environment}
        inside = ["nsenter", f"--target={self._first(name)}", "--mount", "--net", "--pid", "--uts"]
        return [*inside, "env", "-i", *(f"{key}={value}" for key, value in words.items()), *map(str, command)]

    def start_ray(self, cpus, **environment):
        """Start Ray on all hosts, with the head on the first; returns its address."""
        head = self.names[0]
        address = f"{self.addresses[head]}:6379"
        for name in self.names:
            role = ["--head", "--port=6379", "--include-dashboard=false"] if name == head else [f"--address={address}"]
            role += [f"--node-ip-address={self.addresses[name]}", f"--num-cpus={cpus}", "--disable-usage-stats"]
            role += [f"--object-store-memory={100 << 20}", "--block"]
            with (self.home(name) / "ray.log").open("w") as log:
                command = self.command(name, "/srv/matopt/.venv/bin/ray", "start", *role, **environment)
                self.processes[f"Ray on {name}"] = subprocess.Popen(command, stdout=log, stderr=log)
            answers = f"until (: </dev/tcp/{address.replace(':', '/')}) 2>/dev/null; do sleep 0.2; done"
            subprocess.run(self.command(head, "bash", "-c", answers), timeout=120, check=True)
        self.wait_for_ray(head, address, len(self.names), **environment)
        return address

    def wait_for_ray(self, name, address, count, **environment):
        """Wait until so many nodes of Ray are there, seen from a host."""
        look = f"import ray, time\nray.init('{address}', log_to_driver=False)\n"
        look += f"while sum(node['Alive'] for node in ray.nodes()) < {count}: time.sleep(1)"
        command = self.command(name, "/srv/matopt/.venv/bin/python", "-c", look, **environment)
        subprocess.run(command, check=True, timeout=240, capture_output=True)

    def cut(self, name):
        """Take a host off the switch."""
        _run("ip", "-n", self.switch, "link", "set", f"port{self.names.index(name)}", "down")

    def home(self, name):
        return self.folder / name.split(".")[0]

    def _lay(self):
        """Make a network of each host, with a device ``eth0`` on the switch."""
        _run("ip", "netns", "add", self.switch)
        _run("ip", "-n", self.switch, "link", "add", "switch", "type", "bridge")
        _run("ip", "-n", self.switch, "link", "set", "switch", "up")
        for i, space in enumerate(self.spaces.values()):
            _run("ip", "netns", "add", space)
            peer = ["peer", "name", "eth0", "netns", space]
            _run("ip", "-n", self.switch, "link", "add", f"port{i}", "type", "veth", *peer)
            _run("ip", "-n", self.switch, "link", "set", f"port{i}", "master", "switch", "up")

    def _connect(self, space, address):
        _run("ip", "-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
        _run("ip", "-n", space, "link", "set", "lo", "up")
        _run("ip", "-n", space, "link", "set", "eth0", "up")
        _run("ip", "-n", space, "route", "add", "default", "dev", "eth0")

    def _begin(self, name):
        home = self.home(name)
        for part in ("ray", ".ssh"):
            (home / part).mkdir(parents=True)
        shutil.copy(self.folder / "key", home / ".ssh" / "id_ed25519")
        (home / "passwd").write_text(f"scientist:x:0:0::{home}:/bin/bash\n" + Path("/etc/passwd").read_text())
        text = BEGIN.format(name=home.name, home=home, folder=self.folder, installation=self.installation)
        spaces = ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
        with (home / "sshd.log").open("w") as log:
            command = ["ip", "netns", "exec", self.spaces[name], *spaces, "sh", "-c", text]
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def _wait_for(self, name):
        patience = time.monotonic() + 30
        while "Server listening" not in (log := (self.home(name) / "sshd.log").read_text()):
            assert time.monotonic() < patience and self.processes[name].poll() is None, log
            time.sleep(0.1)

    def _first(self, name):
        """The first process of a host, by its number on this machine."""
        pid = self.processes[name].pid  # `ip netns exec`, and `unshare` after it, run as this one
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]


def _run(*command):
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
