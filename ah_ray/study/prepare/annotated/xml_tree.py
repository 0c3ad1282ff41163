"""XML with the lines of its elements, and without what makes XML dangerous.

A document type could define entities, which expand to gigabytes or name other files: no file of
ELAN has one, so any is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from ah_ray.errors import ConfigError

_DEEPEST = 100


@dataclass(slots=True)
class Element:
    """An element, its attributes, its own text, and what is in it."""

    name: str
    fields: dict[str, str]
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def find_all(self, *path: str) -> Iterator[Element]:
        """Yield the elements at a path of names below this one, in their order."""
        for child in self.children:
            if child.name == path[0]:
                if len(path) == 1:
                    yield child
                else:
                    yield from child.find_all(*path[1:])

    def find_text(self, *path: str) -> str:
        """Return the text of the first element at a path; empty if there is none."""
        return next((one.text for one in self.find_all(*path)), "")


def parse_xml(data: bytes) -> Element:
    """Return the root element. Raise ConfigError with problem and remedy if it is no plain XML."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    roots: list[Element] = []
    open_elements: list[Element] = []

    def refuse(*_: object) -> None:
        raise ConfigError(
            "it has a document type, which could name other files; save it again with ELAN"
        )

    def start(name: str, fields: dict[str, str]) -> None:
        if len(open_elements) >= _DEEPEST:
            raise ConfigError("its elements are nested too deeply; save it again with ELAN")
        element = Element(name, fields, parser.CurrentLineNumber)
        (open_elements[-1].children if open_elements else roots).append(element)
        open_elements.append(element)

    def add_text(text: str) -> None:
        if open_elements:
            open_elements[-1].text += text

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: open_elements.pop()
    parser.CharacterDataHandler = add_text
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise ConfigError(f"it is not XML: {error}; save it again with ELAN") from None
    return roots[0]
