#!/usr/bin/env python3
"""Runs real clients, unmodified, against the mounted stack over the simulator, on this machine's loopback addresses.

usage: run.py --service FILE --simulator FILE --rust FILE --python FILE --node FILE --modules DIR [--jobs N] [--show] [NAME...]

NAME chooses drivers, such as `openai-python`, or cases, such as `rescued`. --show prints each result. `scripts/clients` installs
the clients and calls this. A case is a row of cases.py; what a client raises is a row of classes.py.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import cases
import classes

HERE = pathlib.Path(__file__).parent
#: What would change what a client or the service calls.
SETTINGS = ("OPENROUTER_", "OPENAI_", "ANTHROPIC_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
START = 30  # seconds in which a server must listen
ANSWER = 60  # seconds in which a driver must answer


class Server:
    """A process that prints the address it listens on."""

    def __init__(self, command, mark, environment, directory):
        self.log = tempfile.NamedTemporaryFile(dir=directory, delete=False)
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT
        )
        self.base = self.wait(mark)

    def wait(self, mark):
        until = time.monotonic() + START
        while time.monotonic() < until:
            text = self.text()
            if mark in text and "\n" in text.split(mark, 1)[1]:
                host = text.split(mark, 1)[1].split()[0].removeprefix("http://").split("/")[0]
                return "http://" + host
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise RuntimeError(f"a server did not start: {self.text()[-2000:]}")

    def text(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


class Pair:
    """A simulator, and the service over it."""

    def __init__(self, options, directory, settings=()):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
        self.simulator = Server([options.simulator, "--port", "0"], "listening at ", environment, directory)
        environment |= {
            "OPENROUTER_API_KEY": "sk-or-v1-simulated",
            "OPENROUTER_BASE_URL": self.simulator.base + "/api/v1",
            "LISTEN": "127.0.0.1:0",
            "RUST_LOG": "warn",
            **dict(settings),
        }
        try:
            self.service = Server([options.service], "listening on ", environment, directory)
        except BaseException:
            self.simulator.stop()
            raise

    def play(self, plans):
        body = json.dumps({"models": plans}).encode()
        with urllib.request.urlopen(self.simulator.base + "/__sim/script", data=body, timeout=10):
            pass

    def stop(self):
        self.service.stop()
        self.simulator.stop()


class Pairs:
    """Pairs that are started ahead: a case that fails upstream has one to itself, since its circuits and pauses last."""

    def __init__(self, options, directory, ahead):
        self.ready = queue.Queue(ahead)
        self.options, self.directory, self.ended = options, directory, False
        self.by_settings, self.lock = {}, threading.Lock()
        self.thread = threading.Thread(target=self.fill, daemon=True)
        self.thread.start()

    def fill(self):
        while not self.ended:
            try:
                pair = Pair(self.options, self.directory)
            except Exception as error:  # raised when it is taken
                pair = error
            while not self.ended:
                with contextlib.suppress(queue.Full):
                    self.ready.put(pair, timeout=0.2)
                    pair = None
                    break
            if isinstance(pair, Pair):
                pair.stop()

    def take(self):
        pair = self.ready.get(timeout=2 * START)
        if isinstance(pair, Exception):
            raise pair
        return pair

    def with_settings(self, settings):
        """The one pair whose service has these settings: for cases that leave nothing behind."""
        with self.lock:
            if settings not in self.by_settings:
                self.by_settings[settings] = Pair(self.options, self.directory, settings)
            return self.by_settings[settings]

    def stop(self):
        self.ended = True
        self.thread.join()
        for pair in self.by_settings.values():
            pair.stop()
        while not self.ready.empty():
            pair = self.ready.get()
            if isinstance(pair, Pair):
                pair.stop()


class Driver:
    """A process that makes one call for each line."""

    def __init__(self, command, environment, directory):
        self.errors = tempfile.NamedTemporaryFile(dir=directory, delete=False)
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True
        )

    def ask(self, ask):
        timer, line = threading.Timer(ANSWER, self.process.kill), ""
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(json.dumps(ask) + "\n")
                self.process.stdin.flush()
                line = self.process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise RuntimeError("the driver ended: " + pathlib.Path(self.errors.name).read_text()[-2000:])
        return json.loads(line)

    def stop(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


def command_of(name, options, directory):
    client, language = name.rsplit("-", 1)
    if language == "rust":
        return [options.rust, client]
    if language == "python":
        return [options.python, HERE / "python" / f"{client}_driver.py"]
    return [options.node, pathlib.Path(directory) / "node" / f"{client}.mjs"]


def lay_out(options, directory):
    """Node looks for modules beside a script: the drivers stand beside a link to them."""
    shutil.copytree(HERE / "node", pathlib.Path(directory) / "node", ignore=shutil.ignore_patterns("node_modules"))
    (pathlib.Path(directory) / "node" / "node_modules").symlink_to(options.modules)


def run_driver(name, apis, wanted, options, pairs, directory):
    """All cases of one driver: a list of (case, what is wrong, what came)."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
    driver = Driver(command_of(name, options, directory), environment, directory)
    shared, results = None, []
    try:
        for api in apis:
            for case in cases.of(api):
                if not case.runs_for(name, api) or not wanted(case.name):
                    continue
                if case.fails_upstream:
                    pair = pairs.take()
                elif case.settings:
                    pair = pairs.with_settings(case.settings)
                else:
                    pair = shared = shared or pairs.take()
                try:
                    pair.play(case.plans)
                    got = driver.ask(case.ask_of(api, pair.service.base))
                finally:
                    if case.fails_upstream:
                        pair.stop()
                results.append((f"{name} {api} {case.name}", case.check(api, got, classes.of(name, api)), case, got))
    except Exception as error:
        results.append((f"{name}", [f"{type(error).__name__}: {error}"], None, None))
    finally:
        if shared:
            shared.stop()
        driver.stop()
    return results


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    for option in ("service", "simulator", "rust", "python", "node", "modules"):
        parser.add_argument("--" + option, required=True)
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    drivers = [name for name in options.names if name in classes.DRIVERS] or list(classes.DRIVERS)
    chosen = [name for name in options.names if name not in classes.DRIVERS]
    begin, passed, broken = time.monotonic(), 0, []
    with tempfile.TemporaryDirectory() as directory:
        lay_out(options, directory)
        pairs = Pairs(options, directory, options.jobs)
        try:
            with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
                jobs = [
                    pool.submit(
                        run_driver, name, classes.DRIVERS[name], lambda case: not chosen or case in chosen, options, pairs, directory
                    )
                    for name in drivers
                ]
                for job in concurrent.futures.as_completed(jobs):
                    for where, wrong, case, got in job.result():
                        if wrong:
                            broken.append(where)
                            print(f"FAILED {where}: {'; '.join(wrong)}\n    plans {case and case.plans}\n    got {json.dumps(got)}")
                        else:
                            passed += 1
                            if options.show:
                                print(f"ok {where}: {json.dumps(got)}")
        finally:
            pairs.stop()
    for where in broken:
        print(f"FAILED {where}")
    print(f"clients: {len(drivers)} drivers, {time.monotonic() - begin:.0f} s")
    print(f"{passed} passed, {len(broken)} failed")
    return 1 if broken or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
