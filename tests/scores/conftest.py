"""The same tiny ViT as for adapters."""

from tests.adapters.conftest import adapted, images

__all__ = ["adapted", "images"]
