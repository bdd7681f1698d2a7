"""The numbers of the papers' own tables, to be shown beside measured ones.

Rows are named as in `tables` of params.yaml. PSNR in dB, times in ms at 1280x720 on the papers'
machines, which differ from each other.
"""

Numbers = dict[str, dict[str, float]]

PPCN_TABLE_3: Numbers = {
    "ppcn_teacher": {"psnr": 22.96, "ms_ssim": 0.9299, "cpu_ms": 1182},
    "ppcn_student": {"psnr": 22.54, "ms_ssim": 0.9244, "cpu_ms": 392},
    "student_without_distillation": {"psnr": 22.34, "ms_ssim": 0.9229, "cpu_ms": 445},
    "student_l1_vgg": {"psnr": 22.37, "ms_ssim": 0.9231, "cpu_ms": 478},
    "srcnn": {"psnr": 21.32, "ms_ssim": 0.9030, "cpu_ms": 1832},
    "dped_resnet_12_64": {"psnr": 22.17, "ms_ssim": 0.9204, "cpu_ms": 10701},
    "resnet_8_32": {"psnr": 22.38, "ms_ssim": 0.9156, "cpu_ms": 3226},
}
"""Enhancement, 400 iPhone/Canon patches, protocol pirm2018."""

BOE_TABLES_2_TO_5: Numbers = {
    "srcnn": {"psnr": 19.27, "ssim": 0.8992, "niqe": 6.55, "cpu_ms": 2044},
    "johnson": {"psnr": 20.32, "ssim": 0.9161},
    "dped_resnet_12_64": {"psnr": 20.08, "ssim": 0.9201, "niqe": 6.82, "cpu_ms": 16072},
    "resnet_8_32": {"psnr": 22.57, "ssim": 0.9163, "niqe": 7.61, "cpu_ms": 3928},
    "mux_normal": {"psnr": 22.98, "ssim": 0.9235, "niqe": 6.00, "cpu_ms": 1148},
    "mux_high_performance": {"psnr": 22.73, "ssim": 0.9206, "niqe": 5.90, "cpu_ms": 806},
    "mux_normal_without_contextual": {"psnr": 22.44, "ssim": 0.9114, "niqe": 6.43},
    "mux_normal_without_adversarial": {"psnr": 22.64, "ssim": 0.9173, "niqe": 5.64},
    "mux_normal_without_l1": {"psnr": 21.79, "ssim": 0.9121, "niqe": 5.08},
    "mux_normal_without_color": {"psnr": 22.17, "ssim": 0.9166, "niqe": 6.07},
    "mux_normal_without_perceptual": {"psnr": 22.72, "ssim": 0.9158, "niqe": 5.32},
    "mux_normal_without_tv": {"psnr": 22.53, "ssim": 0.9171, "niqe": 6.13},
    "mux_normal_without_noise": {"psnr": 22.84, "ssim": 0.9207, "niqe": 6.87},
}
"""Enhancement, DPED's iPhone test images; the paper does not say how it measured."""

PPCN_TABLE_1: dict[str, Numbers] = {
    "bicubic": {
        "Set5": {"psnr": 28.42, "ssim": 0.8104},
        "Set14": {"psnr": 26.00, "ssim": 0.7027},
        "B100": {"psnr": 25.96, "ssim": 0.6675},
        "Urban100": {"psnr": 23.14, "ssim": 0.6577},
        "Manga109": {"psnr": 24.89, "ssim": 0.7866},
    },
    "srcnn": {
        "Set5": {"psnr": 30.48, "ssim": 0.8628},
        "Set14": {"psnr": 27.50, "ssim": 0.7513},
        "B100": {"psnr": 26.90, "ssim": 0.7101},
        "Urban100": {"psnr": 24.52, "ssim": 0.7221},
        "Manga109": {"psnr": 27.58, "ssim": 0.8555},
    },
    "fsrcnn": {
        "Set5": {"psnr": 30.72, "ssim": 0.8660},
        "Set14": {"psnr": 27.61, "ssim": 0.7550},
        "B100": {"psnr": 26.98, "ssim": 0.7150},
        "Urban100": {"psnr": 24.62, "ssim": 0.7280},
        "Manga109": {"psnr": 27.90, "ssim": 0.8610},
    },
    "vdsr": {
        "Set5": {"psnr": 31.35, "ssim": 0.8838},
        "Set14": {"psnr": 28.01, "ssim": 0.7674},
        "B100": {"psnr": 27.29, "ssim": 0.7251},
        "Urban100": {"psnr": 25.18, "ssim": 0.7524},
        "Manga109": {"psnr": 28.83, "ssim": 0.8870},
    },
    "ppcn_sr": {
        "Set5": {"psnr": 31.37, "ssim": 0.8835},
        "Set14": {"psnr": 28.11, "ssim": 0.7698},
        "B100": {"psnr": 27.24, "ssim": 0.7246},
        "Urban100": {"psnr": 25.18, "ssim": 0.7542},
        "Manga109": {"psnr": 28.93, "ssim": 0.8847},
    },
}
"""Super-resolution x4 on the standard test sets, protocol sr_y_shave4."""
