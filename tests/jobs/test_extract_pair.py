from pathlib import Path

import pytest

from ppcn.dataset.splits import TEST, TRAIN
from ppcn.dataset.window_gates import Outcome
from ppcn.errors import UserError
from ppcn.files.artifacts import create_hdf5
from ppcn.jobs.extract_pair import PatchMerger
from ppcn.params import Params


@pytest.mark.parametrize(
    ("counts", "mend"),
    [
        ({"low_correlation": 9, "flat": 2}, "'low_correlation': 9}\\); lower patches.min_ncc, or"),
        ({"shift_at_limit": 1}, "raise patches.max_shift, or"),
        ({}, r"rejected: none\); lower patches.size \(100 px\), or"),
    ],
)
def test_a_split_without_windows_is_refused_with_what_to_change(
    tmp_path: Path, params: Params, counts: dict[str, int], mend: str
) -> None:
    with create_hdf5(tmp_path / "p.h5", {}) as file:
        merger = PatchMerger(file, {"a": TRAIN, "b": TEST}, params.patches, tmp_path)
    none = {outcome.value: 0 for outcome in Outcome}
    merger.rows = [
        {"stem": "a", "split": "train", **none, "kept": 3},
        {"stem": "b", "split": "test", **none, **counts},
    ]
    message = rf"no window of the test photos was kept \(b; .*{mend} have patches\.split\.test"
    with pytest.raises(UserError, match=message):
        merger.check_splits()
