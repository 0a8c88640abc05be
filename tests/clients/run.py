#!/usr/bin/env python3
"""Runs real clients, unmodified, against the mounted stack and the gateway over the simulator, on this machine's loopback addresses.

usage: run.py --service FILE --gateway FILE --simulator FILE --rust FILE --python FILE --node FILE --modules DIR --agents DIR [--jobs N] [--show] [NAME...]

NAME chooses targets (`service`, `gateway`), drivers, such as `openai-python`, agents (`codex`, `claude-code`), or cases, such as `rescued` or
`storm`. --show prints each result. `scripts/clients` installs the clients and calls this. A case is a row of cases.py; what a client raises is
a row of classes.py.
"""

import argparse
import concurrent.futures
import contextlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import agents
import cases
import classes
import servers
import storm

HERE = pathlib.Path(__file__).parent
ANSWER = 60  # seconds in which a driver must answer


class Driver:
    """A process that makes one call for each line."""

    def __init__(self, command, directory):
        self.errors = tempfile.NamedTemporaryFile(dir=directory, delete=False)
        self.process = subprocess.Popen(
            command, env=servers.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True
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
    """All cases of one driver: a list of (case, what is wrong, its plans, what came)."""
    rows = [
        (target, api, case)
        for target in pairs
        for api in apis
        for case in cases.of(target, api)
        if case.runs_for(name, api) and wanted(case.name)
    ]
    results, shared, driver = [], {}, None
    try:
        for target, api, case in rows:
            driver = driver or Driver(command_of(name, options, directory), directory)
            settings = case.pair_settings(target)
            if settings:
                pair = pairs[target].with_settings(settings)
            elif case.fails_upstream:
                pair = pairs[target].take()
            else:
                pair = shared[target] = shared.get(target) or pairs[target].take()
            try:
                got = ask(driver, case, target, api, pair)
            finally:
                if case.fails_upstream and not settings:
                    pair.stop()
            results.append((f"{target} {name} {api} {case.name}", case.check(target, api, got, classes.of(name, api)), case.plans, got))
    except Exception as error:
        results.append((name, [f"{type(error).__name__}: {error}"], None, None))
    finally:
        for pair in shared.values():
            pair.stop()
        if driver:
            driver.stop()
    return results


def ask(driver, case, target, api, pair):
    pair.play(case.plans)
    key = pair.key(case.key) if target == cases.GATEWAY else "unused"
    line = case.ask_of(api, pair.service.base, key)
    if case.used:
        driver.ask(line)
    return driver.ask(line)


def run_storm(options, directory):
    try:
        wrong, got = storm.run(options, directory, lambda name: Driver(command_of(name, options, directory), directory))
    except Exception as error:
        wrong, got = [f"{type(error).__name__}: {error}"], None
    return [("gateway storm", wrong, storm.PLANS, got)]


def jobs_of(options, directory, pairs):
    """What is to run: functions that give results."""
    known = {*classes.DRIVERS, *agents.AGENTS, *pairs}
    chosen = [name for name in options.names if name not in known]
    named = [name for name in options.names if name in known and name not in pairs]

    def wanted(case):
        return not chosen or case in chosen

    for name, apis in classes.DRIVERS.items():
        if not named or name in named:
            yield lambda name=name, apis=apis: run_driver(name, apis, wanted, options, pairs, directory)
    if cases.GATEWAY in pairs:
        for name in agents.AGENTS:
            if name in named or not named:
                yield lambda name=name: agents.run(name, wanted, options, directory)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    for option in ("service", "gateway", "simulator", "rust", "python", "node", "modules", "agents"):
        parser.add_argument("--" + option, required=True)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    begin, passed, broken = time.monotonic(), 0, []

    def report(results):
        nonlocal passed
        for where, wrong, plans, got in results:
            if wrong:
                broken.append(where)
                print(f"FAILED {where}: {'; '.join(wrong)}\n    plans {plans}\n    got {json.dumps(got)}")
            else:
                passed += 1
                if options.show:
                    print(f"ok {where}: {json.dumps(got)}")

    targets = [name for name in (cases.SERVICE, cases.GATEWAY) if name in options.names] or [cases.SERVICE, cases.GATEWAY]
    with tempfile.TemporaryDirectory() as directory:
        lay_out(options, directory)
        options.certificates = servers.trust_little(directory)
        pairs = {target: servers.Pairs(target, options, directory, options.jobs) for target in targets}
        try:
            with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
                jobs = [pool.submit(job) for job in jobs_of(options, directory, pairs)]
                for job in concurrent.futures.as_completed(jobs):
                    report(job.result())
        finally:
            for each in pairs.values():
                each.stop()
        # By itself: all of its calls come at once.
        if cases.GATEWAY in targets and (not set(options.names) - set(targets) or "storm" in options.names):
            report(run_storm(options, directory))
    for where in broken:
        print(f"FAILED {where}")
    print(f"clients: {len(classes.DRIVERS)} drivers, {len(agents.AGENTS)} agents, {time.monotonic() - begin:.0f} s")
    print(f"{passed} passed, {len(broken)} failed")
    return 1 if broken or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
