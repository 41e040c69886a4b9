"""YAML files into pydantic models, with messages that name file, line and key.

Belongs here: safe loading and the translation of validation errors. Not here: what the models are.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError, ValidationInfo, field_validator
from yaml._yaml import CParser
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from rga.errors import InputError, Problem
from rga.microdata.texts import ALL, Held, fault

Model = TypeVar("Model", bound=BaseModel)

MAX_BYTES = 300_000
DEEPEST = 30  # values within values: each takes Python's stack
TOO_DEEP = "nested too deeply"
MOST_PROBLEMS = 50  # that are looked up in the file


class AtKey(ValueError):
    """What a model's own check found wrong, what to do about it, and the keys that lead to it from the model."""

    def __init__(self, what: str, remedy: str, *location: str | int) -> None:
        super().__init__(what)
        self.remedy, self.location = remedy, location


class StrictModel(BaseModel):
    """A model that refuses keys it does not know: a misspelt key is an error, not a silent default.

    Every text in it, keys of mappings included, keeps the rules of ``texts``; a type that is marked `Held` keeps those it names.
    """

    model_config = {"extra": "forbid", "frozen": True}

    @field_validator("*", mode="after")
    @classmethod
    def _texts_keep_the_rules(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields[str(info.field_name)]
        held = next((mark for mark in field.metadata if isinstance(mark, Held)), _held(field.annotation, ALL))
        for place, text, rules in _texts(value, field.annotation, held, ()):
            if found := fault(text, rules):
                raise AtKey(*found, *place)
        return value


Place = tuple[str | int, ...]


def _texts(value: Any, annotation: Any, held: Held, place: Place) -> Iterator[tuple[Place, str, Held]]:
    """Every text in ``value``, of the type ``annotation``, with the keys that lead to it and the rules it is held to."""
    if isinstance(value, str):
        yield place, value, held
        return
    if not isinstance(value, dict | list | tuple):
        return  # a number, a day; a model holds its own
    of = _inner(annotation, len(value), isinstance(value, dict))
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key, of[0], _held(of[0], held), place)
            yield from _texts(item, of[1], _held(of[1], held), (*place, key))
    else:
        for number, (item, kind) in enumerate(zip(value, of, strict=False)):
            yield from _texts(item, kind, _held(kind, held), (*place, number))


def _inner(annotation: Any, length: int, mapping: bool) -> tuple[Any, ...]:
    """Types of what is in a mapping (key and value), a list or a tuple; of unions, that of the member that has some."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        annotation = next((member for member in get_args(annotation) if get_args(member)), Any)
        return _inner(annotation, length, mapping)
    inner = get_args(annotation) or (Any,)
    return inner * 2 if mapping and len(inner) == 1 else inner if mapping else (inner[0],) * length


def _held(annotation: Any, otherwise: Held) -> Held:
    """The rules that a type is marked with, or a member of a union."""
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    marks = (mark for kind in kinds for mark in getattr(kind, "__metadata__", ()) if isinstance(mark, Held))
    return next(marks, otherwise)


class _Loader(Composer, CParser, SafeConstructor, Resolver):
    """Safe, without aliases (their expansion can exhaust memory), without repeated keys, and with `yes`/`no` as text.

    YAML 1.1 reads `no` as false, which would turn an answer code (or Norway) into a boolean. The text is parsed by libyaml, which
    is four times as fast as PyYAML's own parser; what comes of it is put together here.
    """

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        mark: Any = cast(yaml.Event, self.peek_event()).start_mark
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "aliases (*name) are not allowed here", mark)
        if self._depth >= DEEPEST:
            raise yaml.composer.ComposerError(None, None, TOO_DEEP, mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "this cannot be a key", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} appears twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_BOOLEAN = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag != _BOOLEAN or first in "tTfF"  # true and false remain booleans
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_yaml(path: Path, model: type[Model], shown: str | None = None) -> Model:
    """Read ``path`` into ``model``; ``shown`` is how messages name the file.

    Raises InputError with every problem found, each with its line.
    """
    name = shown or path.name
    if not path.is_file():
        raise InputError(Problem("there is no such file", f"create {name}", file=name))
    if path.stat().st_size > MAX_BYTES:
        raise InputError(Problem(f"larger than {MAX_BYTES:,} bytes", "keep specifications short", file=name))
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(Problem(f"not UTF-8 text (byte {error.start})", "save it as UTF-8", file=name)) from None
    parsed = _outcome(text, model, name)
    if isinstance(parsed, list):
        raise InputError(parsed)
    return cast(Model, parsed)


@lru_cache(maxsize=512)  # a build asks many times for the same specification, and the sensor at every look
def _outcome(text: str, model: type[BaseModel], name: str) -> BaseModel | list[Problem]:
    """The model, or what is wrong: a broken file is read but once, too."""
    try:
        return _parsed(text, model, name)
    except InputError as error:
        return error.problems


def _parsed(text: str, model: type[BaseModel], name: str) -> BaseModel:
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        data = loader.construct_document(node) if node else None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        what = getattr(error, "problem", None) or str(error)
        if mark and "character that cannot start" in what:  # a tab, say, which nobody sees
            what = what.replace("character", f"character {text[mark.index : mark.index + 1]!r}")
        remedy = "keep specifications flat" if what == TOO_DEEP else "check the indentation, colons and quotes near it"
        raise InputError(Problem(f"{line}not valid YAML: {what}", remedy, file=name)) from None
    if not isinstance(data, dict):
        raise InputError(Problem("empty, or not a list of `key: value` lines", "see docs/", file=name))
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InputError([_problem(dict(item), node, model, name) for item in error.errors()[:MOST_PROBLEMS]]) from None


def _problem(error: dict[str, Any], node: Any, model: type[BaseModel], name: str) -> Problem:
    cause = error.get("ctx", {}).get("error")
    found = cause if isinstance(cause, AtKey) else None
    keys = (*error["loc"], *(found.location if found else ()))
    location = [part for part in keys if not str(part).endswith("Mapping")]
    key = ".".join(str(part) for part in location)
    line = _line(node, keys) if location else None  # of the page as a whole: no line
    kind, what, remedy = error["type"], error["msg"].removeprefix("Value error, "), ""
    if found:
        remedy = found.remedy
    elif kind == "extra_forbidden":
        known = _known_keys(model, list(location[:-1]))
        near = get_close_matches(str(location[-1]), known, n=1)
        what = f"`{location[-1]}` is not a known key here"
        remedy = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}" if known else "remove it"
    elif kind == "missing":
        what, remedy = f"`{location[-1]}` is missing", f"add `{location[-1]}:`"
    else:
        given = repr(error.get("input"))
        if len(given) < 60 and not isinstance(error.get("input"), dict):
            what = f"{what} (found {given})"
    return Problem(": ".join(part for part in (f"line {line}" if line else "", key, what) if part), remedy, file=name)


def _line(node: Any, location: tuple[int | str, ...]) -> int | None:
    """Line of the deepest part of ``location`` that stands in the file."""
    line = node.start_mark.line + 1 if node is not None else None
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if getattr(k, "value", None) == str(part)), None)
            if found is None:
                continue
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _known_keys(model: type[BaseModel], location: list[Any]) -> list[str]:
    """Keys allowed at ``location``, through lists and through unions told apart by a literal key."""
    models = [model]
    for part in location:
        if len(models) > 1 and not isinstance(part, int):  # in a union, the literal that tells which
            models = [m for m in models if any(part in get_args(field.annotation) for field in m.model_fields.values())]
        elif fields := [m.model_fields[part] for m in models if part in m.model_fields]:
            models = _models_in(fields[0].annotation)
    return sorted({key for m in models for key in m.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
