"""A Slurm of two nodes on the loopback interface, of processes of a test's own, for what is submitted to one.

Both nodes are this machine: one controller and two ``slurmd -N``, under a configuration and a key made for the test.
Each has a GPU, as far as Slurm knows.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "srun")
missing = [name for name in PROGRAMS if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")]

CONFIGURATION = """
ClusterName=matopt
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
# A job that is queued again waits until its credentials have expired: seconds here, two minutes by default.
AuthInfo=socket={folder}/munge,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
GresTypes=gpu
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=20
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={first} CPUs=2 RealMemory=4000 Gres=gpu:1 State=UNKNOWN
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs=2 RealMemory=4000 Gres=gpu:1 State=UNKNOWN
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=main Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=120
PartitionName=urgent Nodes=node1,node2 MaxTime=INFINITE State=UP PriorityTier=2
"""


class Slurm:
    """The daemons; a context manager.

    Args:
        folder: for its files; of a short name, as a socket lies in it.

    Attributes:
        environment: of the commands that speak with it.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.daemons = ExitStack()
        self.nodes = {}
        with ExitStack() as probes:
            ports = []
            for _ in range(3):
                probe = probes.enter_context(socket.socket())
                probe.bind(("127.0.0.1", 0))
                ports.append(probe.getsockname()[1])
        text = CONFIGURATION.format(
            host=socket.gethostname().split(".")[0],
            user=pwd.getpwuid(os.getuid()).pw_name,
            folder=folder,
            controller=ports[0],
            first=ports[1],
            second=ports[2],
        )
        (folder / "slurm.conf").write_text(text)
        (folder / "gres.conf").write_text("NodeName=node[1-2] Name=gpu File=/dev/null\n")  # by name only
        for name in ("state", "node1", "node2"):
            (folder / name).mkdir()
        (folder / "key").write_bytes(secrets.token_bytes(128))
        (folder / "key").chmod(0o600)
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        self.environment["PATH"] += ":/usr/sbin"

    def __enter__(self):
        files = {"key-file": "key", "socket": "munge", "pid-file": "munged.pid", "seed-file": "seed"}
        try:
            self._start("munged", "--foreground", "--force", *(f"--{k}={self.folder / v}" for k, v in files.items()))
            self._start("slurmctld", "-D")
            for node in ("node1", "node2"):
                self.boot(node)
            self.wait_for(lambda: self.command("sinfo", "-h", "-t", "idle", "-o", "%D").strip() == "2", 60)
        except BaseException:
            self.daemons.close()
            raise
        return self

    def __exit__(self, *error):
        try:
            self.command("scancel", "--user", pwd.getpwuid(os.getuid()).pw_name)
            self.wait_for(lambda: not self.command("squeue", "-h"), 60)
        finally:
            self.daemons.close()

    def boot(self, node):
        """Start a node."""
        self.nodes[node] = self._start("slurmd", "-D", "-N", node)

    def lose(self, node):
        """End all that runs on a node at once, as a power cut does."""
        self.nodes[node].kill()
        ours = {f"SLURM_CONF={self.folder / 'slurm.conf'}", f"SLURMD_NODENAME={node}"}
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # those that end meanwhile
                if ours <= set((process / "environ").read_text(errors="replace").split("\0")):
                    os.kill(int(process.name), signal.SIGKILL)

    def _start(self, program, *arguments):
        with (self.folder / "daemons.out").open("a") as out:
            process = subprocess.Popen(
                [program, *arguments], env=self.environment, stdout=out, stderr=out, start_new_session=True
            )
        self.daemons.callback(_end, process)
        return process

    def command(self, *command, **options):
        """Run one of Slurm's commands; returns what it prints."""
        return subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, text=True, **options).stdout

    def job(self, number):
        """What Slurm knows of a job: its ``JobState``, its ``Restarts``."""
        return dict(word.partition("=")[::2] for word in self.command("scontrol", "show", "job", number).split())

    def wait_for(self, condition, seconds):
        """Wait until something holds."""
        patience = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < patience
            time.sleep(0.5)


def _end(process):
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
