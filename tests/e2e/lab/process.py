"""Starting, watching and ending the processes that a test owns."""

import os
import pathlib
import selectors
import signal
import socket
import subprocess
import time

DEADLINE = 30.0


def run(*command, stdin=None, check=True, env=None, timeout=60, cwd=None):
    """Runs a command to its end and returns it with its output; a failure shows both streams."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run([str(part) for part in command], input=data, capture_output=True, timeout=timeout,
                          env={**os.environ, **(env or {})}, cwd=cwd, check=False)
    done.out = done.stdout.decode(errors="replace")
    done.err = done.stderr.decode(errors="replace")
    if check and done.returncode != 0:
        raise AssertionError(f"{command[0]} exited {done.returncode}\n{done.out}\n{done.err}")
    return done


def wait_until(condition, what, deadline=DEADLINE, interval=0.02):
    """Waits for something that gives no event of its own (a file of a foreign program, say)."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline:.0f} s in vain for {what}")
        time.sleep(interval)


def accepts(address, port):
    try:
        socket.create_connection((address, port), timeout=1).close()
        return True
    except OSError:
        return False


class Daemon:
    """A long-running process with its log in a file; `stop` ends it and its children."""

    def __init__(self, command, log: pathlib.Path, env=None, cwd=None):
        self.command = [str(part) for part in command]
        self.log = log
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=open(log, "ab"), env={**os.environ, **(env or {})}, cwd=cwd)

    def wait_for_line(self, wanted, deadline=DEADLINE):
        """Reads standard output up to a line that equals or starts with `wanted`."""
        end = time.monotonic() + deadline
        selector = selectors.DefaultSelector()
        selector.register(self.process.stdout, selectors.EVENT_READ)
        buffer = b""
        while time.monotonic() < end:
            if not selector.select(0.2):
                if self.process.poll() is not None:
                    break
                continue
            piece = os.read(self.process.stdout.fileno(), 4096)
            if not piece:
                break
            buffer += piece
            if any(line.startswith(wanted) for line in buffer.decode(errors="replace").splitlines()):
                return
        raise AssertionError(f"{self.command[0]} never printed {wanted!r}: {buffer!r}\n{self.tail()}")

    def child(self, name):
        """The process id of a child whose command begins with `mailstead-NAME`."""
        listed = subprocess.run(["ps", "--no-headers", "--ppid", str(self.process.pid), "-o", "pid=,args="], capture_output=True,
                                text=True, check=True).stdout
        for line in listed.splitlines():
            pid, command = line.split(None, 1)
            if pathlib.Path(command.split()[0]).name == f"mailstead-{name}":
                return int(pid)
        raise AssertionError(f"no {name} among {listed!r}")

    def tail(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, deadline=DEADLINE):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(deadline)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self.command[0]} did not end on SIGTERM\n{self.tail()}") from None
        return self.process.returncode
