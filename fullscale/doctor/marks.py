"""What is known about tensors, kept by where their numbers lie, so that views and writing in place are seen."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeAlias, TypeVar

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

Mark = TypeVar("Mark")
Place: TypeAlias = tuple[object, ...]
ELSEWHERE: Place = ("elsewhere",)


def place(tensor: Tensor) -> Place:
    """Where in its storage a tensor's elements lie, and as what they are read."""
    return tensor.storage_offset(), tensor.size(), tensor.stride(), tensor.dtype


class Marks(Generic[Mark]):
    """One mark a tensor; it goes with the tensor's storage.

    A weak reference keeps the address of a storage from being given to another, so that an address identifies it.

    Args:
        blurred: says what is known of elements of which some have these marks; None among them: some have none.
    """

    def __init__(self, blurred: Callable[[Iterable[Mark | None]], Mark | None]) -> None:
        self._storages: dict[int, tuple[StorageWeakRef, dict[Place, Mark | None]]] = {}
        self._blurred = blurred

    def read(self, tensor: Tensor) -> Mark | None:
        """Return what is known of a tensor, None if there is no mark anywhere in its storage."""
        if not self._storages:
            return None
        kept = self._storages.get(tensor.untyped_storage()._cdata)
        if kept is None:
            return None
        marks = kept[1]
        here = place(tensor)
        return marks[here] if here in marks else self._blurred(marks.values())

    def mark(self, tensor: Tensor, mark: Mark) -> None:
        """Note what is known of a tensor that was made, or is a view of one that has marks."""
        reference, marks = self._kept(tensor)
        marks[place(tensor)] = mark
        self._storages[reference.cdata] = reference, marks

    def overwrite(self, tensor: Tensor, mark: Mark | None) -> None:
        """Note that a tensor was written in place: what is known of other elements of its storage blurs."""
        reference, marks = self._kept(tensor)
        now = {} if _whole(tensor) else {ELSEWHERE: self._blurred(marks.values())}
        now[place(tensor)] = mark
        self._storages.pop(reference.cdata, None)
        if any(each is not None for each in now.values()):
            self._storages[reference.cdata] = reference, now

    def _kept(self, tensor: Tensor) -> tuple[StorageWeakRef, dict[Place, Mark | None]]:
        for address in [address for address, (reference, _) in self._storages.items() if reference.expired()]:
            del self._storages[address]
        storage = tensor.untyped_storage()
        return self._storages.get(storage._cdata) or (StorageWeakRef(storage), {})


def _whole(tensor: Tensor) -> bool:
    return tensor.numel() * tensor.element_size() == tensor.untyped_storage().nbytes()
