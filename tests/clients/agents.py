"""Coding agents in their non-interactive mode: Codex and Claude Code, against the gateway whose upstream fails."""

import dataclasses
import os
import pathlib
import subprocess
import tempfile

import servers

ANSWER = 90  # seconds in which an agent must end
PROMPT = "Why is the sky blue?"
TEXT = "The gateway has answered."
SAYS = "text=" + TEXT.replace(" ", "%20")
#: Models that can give the long answers, and reason, as the agents request.
FIRST, SECOND = "anthropic/claude-sonnet-4.5", "openai/gpt-5"
SETTINGS = (f'chain = ["{SECOND}"]',)


@dataclasses.dataclass
class Case:
    """What the upstream does, and what it must have seen: the model of each attempt, and the status of its answer."""

    plans: dict
    attempts: list
    #: How often the agent may repeat a stream that failed. Without it a refusal of the gateway would be seen at once.
    repeats: int = 0


CASES = {
    # The tool call makes a second turn, so that the agent reads a tool call, and the gateway its result.
    "rescued": Case({FIRST: "503", SECOND: f"tool,{SAYS}"}, [(FIRST, 503), (SECOND, 200)] * 2),
    # An interrupted answer is none: the agent asks again.
    "cut": Case({FIRST: f"words=60;cut@40,{SAYS}"}, [(FIRST, 200)] * 2, repeats=1),
}


def program(options, package, path):
    """The program of a package of npm: it brings one for each kind of machine."""
    found = sorted(pathlib.Path(options.agents).glob(f"{package}-*/{path}"))
    if len(found) != 1:
        raise RuntimeError(f"no single program of {package}: {found}")
    return found[0]


def codex(options, case, home, base, key):
    (home / "config.toml").write_text(
        f'model = "{FIRST}"\n'
        'model_provider = "gateway"\n'
        # Nothing but the gateway is called.
        "check_for_update_on_startup = false\n"
        "analytics.enabled = false\n"
        "[model_providers.gateway]\n"
        'name = "gateway"\n'
        f'base_url = "{base}/v1"\n'
        'wire_api = "responses"\n'
        'env_key = "GATEWAY_KEY"\n'
        "request_max_retries = 0\n"
        f"stream_max_retries = {case.repeats}\n"
    )
    command = [program(options, "@openai/codex", "vendor/*/bin/codex"), "exec", "--skip-git-repo-check", "--sandbox", "read-only"]
    return [*command, PROMPT], {"CODEX_HOME": str(home), "GATEWAY_KEY": key}


def claude_code(options, case, home, base, key):
    del case, home  # it repeats an interrupted stream as a plain call
    command = [program(options, "@anthropic-ai/claude-code", "claude"), "--tools", "Read", "-p", PROMPT]
    return command, {
        "ANTHROPIC_BASE_URL": base,
        "ANTHROPIC_API_KEY": key,
        "ANTHROPIC_MODEL": FIRST,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "0",
    }


AGENTS = {"codex": codex, "claude-code": claude_code}


def run(agent, wanted, options, directory):
    """All cases of an agent, as those of a driver."""
    results = []
    for name, case in CASES.items():
        if not wanted(name):
            continue
        try:
            wrong, got = run_case(AGENTS[agent], case, options, directory)
        except Exception as error:
            wrong, got = [f"{type(error).__name__}: {error}"], None
        results.append((f"gateway {agent} {name}", wrong, case.plans, got))
    return results


def run_case(agent, case, options, directory):
    folder = pathlib.Path(tempfile.mkdtemp(dir=directory))
    work, home = folder / "work", folder / "home"
    work.mkdir()
    home.mkdir()
    pair = servers.Pair("gateway", options, directory, SETTINGS)
    try:
        pair.play(case.plans)
        command, variables = agent(options, case, home, pair.service.base, pair.key("free"))
        # Nothing of the environment: no settings, no keys, no proxy.
        variables |= {"HOME": str(home), "PATH": os.defpath}
        ran = subprocess.run(
            command, cwd=work, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ANSWER, check=False
        )
        calls = [attempt for attempt in pair.seen("attempts") if attempt["method"] == "POST"]
    finally:
        pair.stop()
    seen = [(call["model"], call["status"]) for call in calls]
    wrong = []
    if ran.returncode or ran.stdout != TEXT + "\n":
        wrong.append(f"wanted the text {TEXT!r}, got exit code {ran.returncode}: {ran.stdout[-500:]!r} {ran.stderr[-1000:]!r}")
    if seen != case.attempts:
        wrong.append(f"wanted the attempts {case.attempts}, got {seen}")
    return wrong, {"text": ran.stdout, "attempts": seen}
