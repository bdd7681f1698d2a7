"""Scores of the PIRM 2018 challenge on perceptual enhancement on smartphones."""

from typing import Literal

Track = Literal["A", "B"]
BASELINES = {"A": (26.5, 0.94), "B": (21.0, 0.9)}
"""PSNR in dB and MS-SSIM that count as 0: track A is super-resolution, B enhancement."""
WEIGHTS = {
    "A": {"A": (4, 100, 1), "B": (1, 400, 1), "C": (2, 200, 1.5)},
    "B": {"A": (4, 100, 2), "B": (1, 400, 2), "C": (2, 200, 2.9)},
}
"""By track and score: weights of PSNR, MS-SSIM and speed."""


def pirm_scores(track: Track, psnr: float, ms_ssim: float, speedup: float) -> dict[str, float]:
    """Scores A, B and C: a (PSNR - PSNR_0) + b (MS-SSIM - MS-SSIM_0) + c min(t_SRCNN / t, 4).

    Args:
        track: "A" or "B".
        psnr: in dB.
        ms_ssim: as `pirm_ms_ssim`.
        speedup: the SRCNN baseline's mean time on 1280x720 photos by the method's, same run.
    """
    base_psnr, base_ms_ssim = BASELINES[track]
    return {
        name: a * (psnr - base_psnr) + b * (ms_ssim - base_ms_ssim) + c * min(speedup, 4.0)
        for name, (a, b, c) in WEIGHTS[track].items()
    }
