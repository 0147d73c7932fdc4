"""One question of each caller at a time."""

from __future__ import annotations

import asyncio

from daybook.guardrails.caller_turns import CallerTurns


async def test_each_caller_has_one_turn_at_a_time_and_nothing_is_kept_of_who_is_done():
    """In the order of asking; one that leaves while it waits, or fails in its turn, keeps nobody from the next."""
    turns, log, gates = CallerTurns(), [], {}

    async def ask(caller, name):
        async with turns.take(caller):
            log.append(name)
            gates[name] = asyncio.get_running_loop().create_future()
            await gates[name]

    async def settle():
        for _ in range(5):
            await asyncio.sleep(0)

    names = [("a", "a1"), ("a", "a2"), ("a", "a3"), (None, "n1"), ("b", "b1"), (None, "n2")]
    tasks = {name: asyncio.ensure_future(ask(caller, name)) for caller, name in names}
    await settle()
    assert log == ["a1", "n1", "b1"]
    assert [turns.length(caller) for caller in ("a", None, "b", "c")] == [3, 2, 1, 0]
    tasks["a2"].cancel()
    gates["a1"].set_exception(ValueError("fault"))
    gates["b1"].set_result(None)
    await settle()
    assert log == ["a1", "n1", "b1", "a3"]
    assert [turns.length(caller) for caller in ("a", None, "b")] == [1, 2, 0]
    gates["a3"].set_result(None)
    gates["n1"].set_result(None)
    await settle()
    gates["n2"].set_result(None)
    outcomes = await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [
        ValueError,
        asyncio.CancelledError,
        type(None),
        type(None),
        type(None),
        type(None),
    ]
    assert [turns.length(caller) for caller in ("a", None, "b")] == [0, 0, 0]
