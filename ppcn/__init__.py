"""PPCN: phone photos into camera-quality photos (Hui et al. 2018, Ignatov et al. 2017)."""
