"""Audio files, resampling and the short-time Fourier transform."""
