"""The servers of the cases: a simulator, and over it the example axum_service or the gateway with client keys."""

import contextlib
import hashlib
import json
import os
import pathlib
import queue
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.request

#: What would change what a client or a server calls.
SETTINGS = ("OPENROUTER_", "OPENAI_", "ANTHROPIC_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
START = 30  # seconds in which a server must listen

#: The client keys of the gateway: a name, and what the key may do.
KEYS = {
    "free": "",
    "poor": 'budget = [{ usd = "0.00000001", per = "ever" }]',
    "narrow": 'models = ["anthropic/*"]',
    "slow": 'requests = { amount = 1, per = "1h", burst = 1 }',
    "storm": 'budget = [{ usd = "0.05", per = "ever" }]',
    "expired": 'expires = "2026-01-01"',
}
#: A key that is in the gateway's database, and revoked there.
REVOKED = "revoked"


def environment():
    return {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}


def trust_little(directory):
    """Variables of the servers: of the certificates of this machine they read one. They call no TLS, and reading all takes most of their start."""
    all_of_them = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not all_of_them:
        return {}
    folder = pathlib.Path(directory) / "certificates"
    folder.mkdir(exist_ok=True)
    file = folder.with_suffix(".pem")
    file.write_text(ssl.DER_cert_to_PEM_cert(all_of_them[0]))
    return {"SSL_CERT_FILE": str(file), "SSL_CERT_DIR": str(folder)}


def secret_of(name):
    """The client key of a name of `KEYS`; of another name one that no gateway knows; of no name none."""
    return name and f"sk-gw-{name}-key-of-the-client-suites"


class Server:
    """A process that prints the address it listens on."""

    def __init__(self, command, mark, variables, directory):
        self.log = tempfile.NamedTemporaryFile(dir=directory, delete=False)
        self.process = subprocess.Popen(
            command, env=variables, cwd=directory, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT
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
        self.stop()
        raise RuntimeError(f"a server did not start: {self.text()[-2000:]}")

    def text(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


def get(url, key=None, data=None):
    """The JSON at a URL."""
    request = urllib.request.Request(url, data=data and json.dumps(data).encode())
    request.add_header("content-type", "application/json")
    if key:
        request.add_header("authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


class Pair:
    """A simulator, and a target over it. `settings` are variables of the service, or lines in the settings of the gateway."""

    def __init__(self, target, options, directory, settings=()):
        self.options, self.directory = options, directory
        self.revoked = None
        self.environment = environment() | options.certificates
        self.simulator = Server([options.simulator, "--port", "0"], "listening at ", self.environment, directory)
        try:
            self.service = self.start_gateway(settings) if target == "gateway" else self.start_service(settings)
        except BaseException:
            self.simulator.stop()
            raise

    def start_service(self, settings):
        variables = self.environment | {
            "OPENROUTER_API_KEY": "sk-or-v1-simulated",
            "OPENROUTER_BASE_URL": self.simulator.base + "/api/v1",
            "LISTEN": "127.0.0.1:0",
            "RUST_LOG": "warn",
            **dict(settings),
        }
        return Server([self.options.service], "listening on ", variables, self.directory)

    def start_gateway(self, settings):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.directory))
        (folder / "upstream-key").write_text("sk-or-v1-simulated")
        lines = ['listen = "127.0.0.1:0"', 'log.filter = "warn"', *settings]
        for name, line in [("chain", 'chain = ["openai/gpt-4o-mini"]'), ("storage", 'storage = "off"')]:
            if not any(own.startswith(name) for own in settings):
                lines.append(line)
        lines += ["[[upstream]]", 'name = "openrouter"', f'base_url = "{self.simulator.base}/api/v1"']
        lines.append(f'key = "file:{folder}/upstream-key"')
        for name, rules in KEYS.items():
            digest = hashlib.sha256(secret_of(name).encode()).hexdigest()
            lines += ["[[key]]", f'name = "{name}"', f'hash = "sha256:{digest}"', rules]
        (folder / "gateway.toml").write_text("\n".join(lines) + "\n")
        if any(line.startswith("storage") for line in settings):
            self.revoked = self.revoke(folder)
        command = [self.options.gateway, "serve", "--config", folder / "gateway.toml"]
        return Server(command, " at http://", self.environment, folder)

    def revoke(self, folder):
        """A client key that was made and revoked."""
        outputs = []
        for verb in ("new", "revoke"):
            command = [self.options.gateway, "keys", verb, REVOKED, "--config", folder / "gateway.toml"]
            ran = subprocess.run(command, cwd=folder, env=self.environment, capture_output=True, text=True, timeout=START, check=False)
            if ran.returncode:
                raise RuntimeError(f"keys {verb}: {ran.stdout} {ran.stderr}")
            outputs.append(ran.stdout)
        return outputs[0].split()[-1]

    def key(self, name):
        return self.revoked if name == REVOKED else secret_of(name)

    def play(self, plans):
        get(self.simulator.base + "/__sim/script", data={"models": plans})

    def seen(self, view):
        return get(f"{self.simulator.base}/__sim/{view}")

    def stop(self):
        self.service.stop()
        self.simulator.stop()


class Pairs:
    """Pairs that are started ahead: a case that fails upstream has one to itself, since its circuits and pauses last."""

    def __init__(self, target, options, directory, ahead):
        self.ready = queue.Queue(ahead)
        self.target, self.options, self.directory, self.ended = target, options, directory, False
        self.by_settings, self.lock = {}, threading.Lock()
        self.thread = threading.Thread(target=self.fill, daemon=True)
        self.thread.start()

    def fill(self):
        while not self.ended:
            try:
                pair = Pair(self.target, self.options, self.directory)
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
        """The one pair whose target has these settings: for cases that leave nothing behind."""
        with self.lock:
            if settings not in self.by_settings:
                self.by_settings[settings] = Pair(self.target, self.options, self.directory, settings)
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
