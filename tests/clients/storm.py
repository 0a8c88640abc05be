"""Many calls at once by three clients over three APIs, on one client key of the gateway whose budget is far too small for them."""

import concurrent.futures
import decimal
import time

import servers

#: The drivers; each calls an API of its own: chat, messages, responses.
DRIVERS = ("openai-python", "anthropic-node", "openai-node")
COUNT = 67  # calls of each, 201 in all
BUDGET = decimal.Decimal("0.05")
MODEL = "demo/model"
#: An answer costs some $0.0009, so about a quarter of the calls can be paid.
PLANS = {MODEL: "words=300"}
MOST = 400  # tokens of an answer
SETTLED = 20  # seconds in which all is settled


def run(options, directory, start_driver):
    """What is wrong, and what came."""
    pair = servers.Pair("gateway", options, directory)
    drivers = {}
    try:
        pair.play(PLANS)
        drivers = {name: start_driver(name) for name in DRIVERS}
        key = pair.key("storm")
        ask = {"api": "storm", "base": pair.service.base, "key": key, "model": MODEL}
        ask |= {"prompt": "Why is the sky blue?", "count": COUNT, "most": MOST}
        for driver in drivers.values():
            driver.ask({"api": "ready"})  # it has loaded its client: all begin together
        with concurrent.futures.ThreadPoolExecutor(len(drivers)) as pool:
            got = dict(zip(drivers, pool.map(lambda driver: driver.ask(ask), drivers.values()), strict=True))
        return check(pair, key, got)
    finally:
        for driver in drivers.values():
            driver.stop()
        pair.stop()


def check(pair, key, got):
    wrong, counts = [], {}
    for name, answer in got.items():
        if answer["error"]:
            wrong.append(f"{name}: {answer['error']}")
            continue
        counts[name] = answer["counts"]
        others = {end: count for end, count in answer["counts"].items() if end not in ("ok", "402")}
        if others:
            wrong.append(f"{name}: neither an answer nor a refusal of the budget: {others}")
        if sum(answer["counts"].values()) != COUNT:
            wrong.append(f"{name}: not {COUNT} calls")
    for end in ("ok", "402"):
        if not any(end in ends for ends in counts.values()):
            wrong.append(f"no call ended by {end}")
    until = time.monotonic() + SETTLED
    while True:
        budget = servers.get(pair.service.base + "/v1/key", key)["data"]["budgets"][0]
        bill = decimal.Decimal(pair.seen("bill")["billed_pico_usd"]) / 10**12
        spent, reserved = decimal.Decimal(budget["spent"]), decimal.Decimal(budget["reserved"])
        if (reserved == 0 and spent == bill) or time.monotonic() > until:
            break
        time.sleep(0.1)
    if bill > BUDGET or bill == 0:
        wrong.append(f"the simulator's bill is ${bill}, of a budget of ${BUDGET}")
    if reserved != 0:
        wrong.append(f"${reserved} is still reserved")
    if spent != bill:
        wrong.append(f"${spent} counts as spent, and the bill is ${bill}")
    return wrong, {"counts": counts, "bill": str(bill), "spent": str(spent), "reserved": str(reserved)}
