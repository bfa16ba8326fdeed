"""Bad input of every kind to every command ends as docs/errors.md says."""

import pathlib

import bad_inputs
import pytest
from bad_input_cases import CASES

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/errors.md"


@pytest.fixture(scope="module")
def observations():
    return bad_inputs.observe()


@pytest.mark.parametrize("command", CASES)
def test_each_mistake(command, observations):
    observed = [one for one in observations if one["command"] == command]
    assert len(observed) >= 5
    for one in observed:
        case = one["case"]
        context = (command, case.wrong, case.arguments, one["out"][-500:], one["err"][-2000:])
        errors = [line for line in one["err"].splitlines() if line.startswith("error: ")]
        assert one["code"] == case.code, context
        assert len(errors) == bool(case.code) and "Traceback" not in one["err"], context
        assert not case.code or one["err"].endswith(f"{errors[0]}\n"), context
        assert case.says in bad_inputs.message(one), context
        assert one["half-written"] == [] and one["lost or changed"] == [], (context, one)


def test_every_command_has_cases():
    files = (PAGE.parents[1] / "trainers").glob("*.py")
    mains = {path.stem for path in files if '__name__ == "__main__"' in path.read_text("utf-8")}
    assert set(CASES) == mains - {"__main__"} and len(CASES) == 20


def test_page_of_errors(observations):
    page = PAGE.read_text("utf-8")
    assert page.startswith(bad_inputs.INTRODUCTION)
    lines = page.removeprefix(bad_inputs.INTRODUCTION).splitlines()
    for command, rows in bad_inputs.sections(observations).items():
        for row in rows:
            assert row in lines, (
                f"{command}: {row}\nis not in docs/errors.md; "
                "python tests/helpers/bad_inputs.py docs/errors.md writes it"
            )
    count = sum(map(len, CASES.values()))
    assert sum(line.startswith("| ") for line in lines) == count + len(CASES)
