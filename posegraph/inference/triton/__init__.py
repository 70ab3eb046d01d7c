"""Triton kernels that run folded networks on CUDA devices."""
