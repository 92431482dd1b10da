"""Networks as modules of torch: training, and CUDA."""
