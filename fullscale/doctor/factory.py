"""The model that MODULE:FACTORY names, built as its own code builds it."""

import ast
import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fullscale.contracts import Refusal, refusal, told
from fullscale.files import read_tensors, read_torch

WRAPPERS = ("module.", "_orig_mod.")
"""what DataParallel and torch.compile put before every name of a state dict"""
SPELLING = "must be MODULE:FACTORY, such as torchvision.models:densenet121(drop_rate=0.2)"


@dataclass(frozen=True)
class Factory:
    """What stands after the colon.

    Attributes:
        name: of something in the module, dotted where it lies deeper.
        called: whether arguments were given, be they none.
        args: by position.
        kwargs: by name.
    """

    name: str
    called: bool = False
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


def model(spec: str) -> nn.Module:
    """Build a model, or find it, in a module that is also looked for in the current directory.

    Args:
        spec: "MODULE:FACTORY"; FACTORY is the name of a module of `nn` or of what returns one, or a call of it with
            literal arguments, which are read and never evaluated. The current directory stays on `sys.path`.

    Raises:
        ValueError: if `spec` is not of that form, names nothing, or what it names raises, is no `nn.Module`, or has no
            weights yet.
    """
    place, colon, text = spec.partition(":")
    if not colon or not all(part.isidentifier() for part in place.split(".")):
        raise refusal("model", spec, SPELLING)
    factory = _read(spec, text)
    found = _found(spec, _imported(spec, place), factory.name)
    built = _built(spec, found, factory)
    if not isinstance(built, nn.Module):
        raise refusal("model", spec, f"is no nn.Module, but of type {type(built).__name__}")
    if any(tensor.is_meta for tensor in chain(built.parameters(), built.buffers())):
        raise refusal("model", spec, "has weights on the meta device, which hold no numbers")
    return built


def load_weights(model: nn.Module, path: Path) -> None:
    """Load a state dict into a model, all of it.

    Args:
        model: gets the weights in place.
        path: a .safetensors file, or one that torch.save wrote; there the state dict may stand under "state_dict" or
            "model". "module." and "_orig_mod." before every name, which DataParallel and torch.compile put there, are
            taken off.

    Raises:
        ValueError: if the file cannot be read, holds no state dict, or not this model's.
    """
    state: Any = read_tensors(path) if path.suffix == ".safetensors" else read_torch(path)
    for name in ("state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(name), Mapping):
            state = state[name]
    if not (isinstance(state, Mapping) and state and all(map(_is_entry, state.items()))):
        raise refusal("weights", path, "holds no state dict, which maps names to tensors")
    model = getattr(model, "_orig_mod", model)
    own = model.state_dict()
    state = _unwrapped(state, own)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise refusal("weights", path, _mismatch(own, state) or told(error)) from None


def _read(spec: str, text: str) -> Factory:
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        if not isinstance(tree, ast.Call):
            return Factory(_dotted(tree))
        kwargs = {word.arg: ast.literal_eval(word.value) for word in tree.keywords if word.arg is not None}
        if len(kwargs) < len(tree.keywords):
            raise ValueError
        return Factory(_dotted(tree.func), True, tuple(map(ast.literal_eval, tree.args)), kwargs)  # noqa: FBT003
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise refusal("model", spec, f"{SPELLING}, its arguments literals") from None


def _dotted(tree: ast.expr) -> str:
    if isinstance(tree, ast.Attribute):
        return f"{_dotted(tree.value)}.{tree.attr}"
    if isinstance(tree, ast.Name):
        return tree.id
    raise ValueError


def _imported(spec: str, place: str) -> Any:
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(place)
    except (Exception, SystemExit) as error:  # a script may do anything
        within = isinstance(error, ModuleNotFoundError) and error.name == place  # the file itself was found
        meant = f"; did you mean {place.removesuffix('.py')}?" if within and place.endswith(".py") else ""
        raise refusal("model", spec, f"{place} cannot be imported: {told(error)}{meant}") from error


def _found(spec: str, within: Any, name: str) -> Any:
    for part in name.split("."):
        try:
            within = getattr(within, part)
        except AttributeError:
            near = get_close_matches(part, dir(within), n=3)
            where = getattr(within, "__name__", type(within).__name__)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise refusal("model", spec, f"{where} has no {part}{hint}") from None
    return within


def _built(spec: str, found: Any, factory: Factory) -> Any:
    if isinstance(found, nn.Module):
        if factory.called:
            raise refusal("model", spec, f"{factory.name} is a model already: leave out its parentheses")
        return found
    if not callable(found):
        return found
    try:
        return found(*factory.args, **factory.kwargs)
    except Refusal:  # already says in a line what was wrong
        raise
    except (Exception, SystemExit) as error:
        raise refusal("model", spec, f"{factory.name} raised {told(error)}") from error


def _is_entry(item: tuple[Any, Any]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def _unwrapped(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Take off what stands before every name of a state dict, until one is the model's."""
    for wrapper in WRAPPERS:
        if state.keys().isdisjoint(own) and all(name.startswith(wrapper) for name in state):
            return _unwrapped({name.removeprefix(wrapper): value for name, value in state.items()}, own)
    return state


def _mismatch(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """Count what does not fit, with an example each; empty where names and shapes do."""
    missing = [name for name in own if name not in given]
    strange = [name for name in given if name not in own]
    lazy = [name for name in own if nn.parameter.is_lazy(own[name])]  # these take any shape
    other = [name for name in own if name in given and name not in lazy and own[name].shape != given[name].shape]
    parts = [f"lacks {len(missing)} of the model's tensors, such as {missing[0]}"] if missing else []
    parts += [f"has {len(strange)} that the model lacks, such as {strange[0]}"] if strange else []
    if other:
        shapes = f"{other[0]}, {_shape(given[other[0]])} for {_shape(own[other[0]])}"
        parts.append(f"has {len(other)} of another shape, such as {shapes}")
    return "; ".join(parts)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"
