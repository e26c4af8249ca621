"""The real networks, in PyTorch: what trains and measures them."""
