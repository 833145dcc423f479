# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real Slurm on the loopback: one controller and several nodes that can be killed, munge beside them."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "scontrol", "munged")


def missing():
    """Why no Slurm can be started here, or None."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return "no Slurm to test with; missing: " + ", ".join(absent)
    return None if os.geteuid() == 0 else "Slurm is started as root only"


def free_ports(count):
    held = []
    for _ in range(count):
        held.append(socket.socket())
        held[-1].bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def descendants(pid):
    """The processes below one, deepest last."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = [int(word) for word in file.read().split()]
    except OSError:
        return []
    return [*children, *(below for child in children for below in descendants(child))]


class Slurm:
    def __init__(self, directory, nodes):
        self.directory = directory
        self.nodes = {}
        self._processes = []
        host = socket.gethostname().split(".")[0]
        control, *ports = free_ports(1 + len(nodes))
        for name in ("state", "run"):
            (directory / name).mkdir(mode=0o755)
        key = directory / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        lines = [
            "ClusterName=test", f"SlurmctldHost={host}(127.0.0.1)", f"SlurmctldPort={control}", "SlurmUser=root",
            "AuthType=auth/munge", f"AuthInfo=socket={directory}/munge.sock", "CredType=cred/munge",
            f"StateSaveLocation={directory}/state", f"SlurmdSpoolDir={directory}/run/spool.%n",
            f"SlurmctldPidFile={directory}/run/slurmctld.pid", f"SlurmdPidFile={directory}/run/slurmd.%n.pid",
            f"SlurmctldLogFile={directory}/slurmctld.log", f"SlurmdLogFile={directory}/slurmd.%n.log",
            "ProctrackType=proctrack/linuxproc", "TaskPlugin=task/none", "MpiDefault=none", "SwitchType=switch/none",
            "JobAcctGatherType=jobacct_gather/none", "AccountingStorageType=accounting_storage/none",
            "SelectType=select/cons_tres", "SelectTypeParameters=CR_CPU", "SlurmdTimeout=6", "MessageTimeout=5",
            "KillWait=2", "ReturnToService=2", "JobRequeue=1", "SchedulerParameters=batch_sched_delay=0,sched_interval=2",
            *(f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1"
              for name, port in zip(nodes, ports)),
            f"PartitionName=main Nodes={','.join(nodes)} Default=YES MaxTime=INFINITE State=UP",
        ]
        (directory / "slurm.conf").write_text("\n".join(lines) + "\n")
        self.env = {**os.environ, "SLURM_CONF": str(directory / "slurm.conf")}
        try:
            self._start("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={directory}/munge.sock",
                        f"--pid-file={directory}/run/munged.pid", f"--log-file={directory}/munged.log",
                        f"--seed-file={directory}/munged.seed")
            self._wait(lambda: (directory / "munge.sock").exists(), "munged")
            self._start("slurmctld", "-D", "-i")
            for name in nodes:
                self.nodes[name] = self._start("slurmd", "-D", "-N", name)
            self._wait(lambda: self.states().count("idle") == len(nodes), "the nodes")
        except BaseException:
            self.stop()
            raise

    def _start(self, *words):
        log = open(self.directory / f"{words[0]}.out", "ab")
        process = subprocess.Popen(words, env=self.env, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                   start_new_session=True)
        log.close()
        self._processes.append(process)
        return process

    def _wait(self, ready, what):
        for _ in range(300):
            if ready():
                return
            time.sleep(0.2)
        raise RuntimeError(f"{what} did not come up: " + (self.directory / "slurmctld.log").read_text()[-2000:])

    def call(self, *words):
        return subprocess.run(words, env=self.env, capture_output=True, text=True, timeout=30)

    def states(self):
        return [line.rstrip("*") for line in self.call("sinfo", "-h", "-N", "-o", "%T").stdout.split()]

    def running(self):
        """The nodes on which jobs run, one entry a job."""
        return self.call("squeue", "-h", "-r", "-t", "running", "-o", "%N").stdout.split()

    def waiting(self):
        """How many jobs are not done yet."""
        return len(self.call("squeue", "-h", "-r", "-o", "%i").stdout.split())

    def kill_node(self, name):
        """As when the power goes: the daemon, its steps and what they run, at once."""
        node = self.nodes.pop(name)
        # A step is started by the daemon and then its own; it is known by the node's name.
        steps = self.call("pgrep", "-f", "^slurmstepd:").stdout.split()
        mine = [int(pid) for pid in steps if f"SLURMD_NODENAME={name}" in self._environment(pid)]
        for pid in [node.pid, *descendants(node.pid), *mine, *(p for step in mine for p in descendants(step))]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        node.wait()

    @staticmethod
    def _environment(pid):
        """The environments of a process and those below it."""
        text = ""
        for each in [int(pid), *descendants(int(pid))]:
            try:
                with open(f"/proc/{each}/environ", "rb") as file:
                    text += file.read().decode("utf-8", "replace").replace("\0", "\n")
            except OSError:
                pass
        return text

    def stop(self):
        self.call("scancel", "--user=root")
        for process in reversed(self._processes):
            below = descendants(process.pid)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pid in below:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
