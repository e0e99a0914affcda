"""The copy in which recipes are carried out is what runs there, and tells what was changed in it."""

from pathlib import Path

from .conftest import House


def test_a_copy_runs_by_itself_and_knows_what_is_new(house: House) -> None:
    assert house.changed() == set()
    house.add("mimi_core/hello.py", "WORD = 'hello'")
    where, word = house.python("from mimi_core import hello; print(hello.__file__); print(hello.WORD)").split()
    assert (Path(where).parent, word) == (house.folder / "mimi_core", "hello")
    with (house.folder / "app.py").open("a", encoding="utf-8") as file:
        file.write("\n")
    assert house.changed() == {"mimi_core/hello.py", "app.py"}
