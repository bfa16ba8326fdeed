"""Turns: fair order of runs, and work that nobody waits for."""

import asyncio
import threading

import pytest

from tfdepthviz.serving.server.turns import LARGE_PIXELS, Turns

LARGE = LARGE_PIXELS + 1


class Runs:
    """Runs that last until they are let go, one after another."""

    def __init__(self, cores):
        self.turns, self.begun, self._let_go = Turns(cores), [], {}
        self.tasks = {}

    async def add(self, name, client="a", pixels=1, **more):
        """Adds work, and gives it time to begin."""
        self._let_go[name] = threading.Event()

        def work():
            self.begun.append(name)
            self._let_go[name].wait(10)
            return name

        run = self.turns.run(client, pixels, work, **more)
        self.tasks[name] = asyncio.create_task(run)
        await self.settle()

    async def end(self, name):
        self._let_go[name].set()
        assert await self.tasks[name] == name
        await self.settle()

    async def settle(self):
        for _ in range(20):
            await asyncio.sleep(0.002)

    async def end_all(self):
        for event in self._let_go.values():
            event.set()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        self.turns.close()


def played(scene, cores=2):
    async def play():
        runs = Runs(cores)
        try:
            await scene(runs)
        finally:
            await runs.end_all()

    asyncio.run(play())


def test_small_work_does_not_wait_for_large():
    async def scene(runs):
        for name in ("L1", "L2", "L3"):
            await runs.add(name, pixels=LARGE)
        await runs.add("s")
        assert runs.begun == ["L1", "s"]
        await runs.end("L1")
        assert runs.begun == ["L1", "s", "L2"]

    played(scene)


def test_one_client_leaves_a_slot():
    async def scene(runs):
        for name in ("a1", "a2", "a3", "a4"):
            await runs.add(name, "a")
        assert runs.begun == ["a1", "a2"]
        await runs.add("b1", "b")
        await runs.add("b2", "b")
        assert runs.begun == ["a1", "a2", "b1"]
        # The client with fewer runs is next, although it came later.
        await runs.end("b1")
        assert runs.begun == ["a1", "a2", "b1", "b2"]
        await runs.end("a1")
        assert runs.begun[4:] == ["a3"]

    played(scene)


def test_cancelled_work_never_begins():
    async def scene(runs):
        waits = []
        await runs.add("L1", pixels=LARGE)
        await runs.add("L2", pixels=LARGE, waiting=waits.append)
        await runs.add("L3", pixels=LARGE)
        assert waits == [True]
        runs.tasks["L2"].cancel()
        await runs.settle()
        assert waits == [True, False]
        await runs.end("L1")
        assert runs.begun == ["L1", "L3"]

    played(scene)


def test_cancelled_run_keeps_its_slot_to_the_end():
    async def scene(runs):
        await runs.add("L1", pixels=LARGE)
        runs.tasks["L1"].cancel()
        await runs.add("L2", pixels=LARGE)
        assert runs.begun == ["L1"] and runs.turns.busy == 1
        runs._let_go["L1"].set()
        await runs.settle()
        assert runs.begun == ["L1", "L2"]

    played(scene)


def test_error_frees_the_slot():
    async def scene(runs):
        def fails():
            raise ValueError("no")

        for _ in range(5):
            with pytest.raises(ValueError, match="no"):
                await runs.turns.run("a", LARGE, fails)
        await runs.settle()
        assert runs.turns.busy == 0

    played(scene, cores=1)
