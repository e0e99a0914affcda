"""What docs say of the catalogues is what these say."""

from docs import catalogues


def test_the_tables_of_scores_and_methods_are_written_from_the_catalogues() -> None:
    text = catalogues.FILE.read_text(encoding="utf-8")
    assert catalogues.written(text) == text, "make catalogues"
    for name in (*catalogues.SCORES, *catalogues.METHODS):
        assert f"| `{name}` |" in text


def test_the_paper_is_named_alike_by_its_method_and_its_score() -> None:
    assert catalogues.SCORES["mimi"].source.startswith(f"{catalogues.METHODS['mimi'].source}, eq. ")
