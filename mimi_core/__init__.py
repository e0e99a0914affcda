"""MiMi: fine-tune Vision Transformers with small adapters and prune them neuron by neuron (arXiv 2311.03873)."""

__version__ = "0.2.0"
