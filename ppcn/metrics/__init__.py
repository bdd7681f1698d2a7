"""Image quality metrics, one per file, in float64."""

from ppcn.metrics.ms_ssim import pirm_ms_ssim
from ppcn.metrics.psnr import psnr
from ppcn.metrics.ssim import ssim

__all__ = ["pirm_ms_ssim", "psnr", "ssim"]
