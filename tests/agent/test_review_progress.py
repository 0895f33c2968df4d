"""What went wrong in a review of what programs say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotlaunch.agent.progress import Progress


@pytest.mark.parametrize("step", ["1e300", "1" + "0" * 400, "-1e30", "Infinity", "NaN"])
def test_a_step_beyond_all_reason_is_as_if_not_said(tmp_path: Path, step: str) -> None:
    file = tmp_path / "progress.json"
    file.write_text(f'{{"step": {step}, "total": 60}}')
    progress = Progress(file)
    progress.read()
    assert progress.step is None
    assert progress.latest == {"total": 60}
