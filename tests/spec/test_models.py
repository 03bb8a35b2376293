"""TLC explores the models of ``tests/spec`` completely, and finds every planted fault."""

import re
from pathlib import Path

import pytest
from filelock import FileLock

from tests.spec import tlc
from tests.spec.models import EXPLORED, PLANTED, Bounds, Planted

PACKAGE = Path(__file__).parents[2] / "routiq_gql"


@pytest.fixture(scope="session")
def classes(shared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The loaded classes of TLC, written once for all starts."""
    made = shared_folder / "tlc.jsa"
    with FileLock(shared_folder / "tlc.lock"):
        if not made.exists():
            tlc.check(PLANTED[0], tmp_path_factory.mktemp("classes"), workers=1, classes=made)
    return made


@pytest.mark.timeout(tlc.LIMIT_SECONDS)
@pytest.mark.parametrize("bounds", EXPLORED, ids=lambda bounds: f"{bounds.model}: {bounds.name}")
def test_the_model_holds_in_every_state(bounds: Bounds, classes: Path, tmp_path: Path, record_property):
    """Whatever order cancellations, kills, freezes, rollbacks and readers take, no promise about syncs is broken."""
    result = tlc.check(bounds, tmp_path, classes=classes)
    record_property("distinct_states", result.states)
    assert result.is_complete, result.output
    assert result.states >= bounds.states


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted.model}: {' and '.join(planted.switches)}")
def test_a_planted_fault_is_found(planted: Planted, classes: Path, tmp_path: Path):
    """A protection that the product needs can't be removed unnoticed: the model shows what would happen without it."""
    result = tlc.check(planted, tmp_path, workers=1, classes=classes)
    assert result.violated == planted.violated, result.output
    assert result.has_path(planted.path), result.path


def test_a_search_that_was_not_completed_is_noticed():
    """A model that TLC has explored only in part, or that explores nothing, proves nothing."""
    counts = "10 states generated, 7 distinct states found, {} states left on queue."
    ended = "Model checking completed. No error has been found.\n"
    assert tlc.result_of(ended + counts.format(0)).is_complete
    assert not tlc.result_of(ended + counts.format(3)).is_complete
    assert not tlc.result_of(counts.format(0)).is_complete
    assert not tlc.result_of(f"Error: Invariant TypeOK is violated.\n{ended}{counts.format(0)}").is_complete
    with pytest.raises(ValueError, match="Parse Error"):
        tlc.result_of("***Parse Error***")
    assert all(bounds.states > 500 for bounds in EXPLORED)


def test_an_unknown_switch_is_refused():
    """A planted fault whose switch was renamed is not taken for a fault that was found."""
    with pytest.raises(LookupError, match="no constant Fence"):
        tlc.config_of("SyncRow", {"Fence": "FALSE"})


def test_without_java_the_models_are_left_out(monkeypatch: pytest.MonkeyPatch):
    """On a machine without Java a developer reads why the models were not checked; in CI this is a failure."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="java is not installed"):
        tlc.java()


def test_the_page_states_the_bounds_and_the_number_of_states():
    """An engineer who reads how far the models were explored reads the figures that the tests require."""
    page = (PACKAGE.parent / "docs" / "proof.md").read_text()
    assert [one.name for one in EXPLORED if f"| `{one.model}` | {one.name} | {one.states:,} |" not in page] == []
    assert [one.fault for one in PLANTED if f"| {one.fault} |" not in page] == []


@pytest.mark.parametrize("model", ["Mirror", "SyncRow"])
def test_the_functions_that_a_model_names_exist(model: str):
    """A model can't stay behind when the code that it describes is renamed or moved."""
    named = re.findall(r"\b([a-z_]+(?:/[a-z_]+)*\.py) ([\w.]+)", (tlc.FOLDER / f"{model}.tla").read_text())
    missing = [
        f"{file} {name}"
        for file, name in named
        for one in name.rstrip(".").split(".")
        if not re.search(rf"(?:def|class) {one}\b", (PACKAGE / file).read_text())
    ]
    assert missing == []
    assert len(named) >= 10
