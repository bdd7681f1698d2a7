"""Image quality metrics, one per file, in float64."""

from ppcn.metrics.ms_ssim import ms_ssim, pirm_ms_ssim
from ppcn.metrics.niqe import niqe
from ppcn.metrics.pirm import pirm_scores
from ppcn.metrics.psnr import psnr
from ppcn.metrics.ssim import ssim

__all__ = ["ms_ssim", "niqe", "pirm_ms_ssim", "pirm_scores", "psnr", "ssim"]
