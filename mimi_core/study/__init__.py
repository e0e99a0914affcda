"""docs/findings.md: what the study says of the claims about MiMi. Every number in it comes from the study's runs."""

from mimi_core.study.page import write_findings

__all__ = ["write_findings"]
