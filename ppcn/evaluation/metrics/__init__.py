"""Image quality metrics, one per file, in float64; NIQE lies where trainings reach it, too."""

from ppcn.evaluation.metrics.color_difference import ciede2000
from ppcn.evaluation.metrics.ms_ssim import ms_ssim, pirm_ms_ssim
from ppcn.evaluation.metrics.pirm import pirm_scores
from ppcn.evaluation.metrics.psnr import psnr
from ppcn.evaluation.metrics.ssim import ssim
from ppcn.photos.niqe import niqe

__all__ = ["ciede2000", "ms_ssim", "niqe", "pirm_ms_ssim", "pirm_scores", "psnr", "ssim"]
