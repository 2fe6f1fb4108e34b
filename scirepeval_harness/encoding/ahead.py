"""Encoding for many tasks in one go, into the store, where each task then finds its vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scirepeval_harness.data.records import Document
from scirepeval_harness.encoders.base import Advance, OrderEncoder
from scirepeval_harness.encoding.embed import checked, longest_first
from scirepeval_harness.encoding.keys import Keys, key_array, space_key, text_key
from scirepeval_harness.encoding.plan import Ledger
from scirepeval_harness.encoding.rates import Clock, write_rate
from scirepeval_harness.encoding.store import EmbeddingStore, Space
from scirepeval_harness.roles import Role


@dataclass(frozen=True)
class Order:
    """Documents that the store lacks in a role, in the order in which they are encoded."""

    documents: tuple[Document, ...]
    keys: Keys
    role: Role
    space: Space


def orders_of(
    encoder: OrderEncoder,
    wanted: Iterable[tuple[Sequence[Document], Role]],
    store: EmbeddingStore,
) -> tuple[Order, ...]:
    """What is to be encoded for requests that come one after another: what each would encode when
    its turn came, so that batches and vectors are the same to the last bit."""
    ledger, orders = Ledger(), []
    for documents, role in wanted:
        identity = encoder.identity(role)
        space = store.space(identity)
        keys = key_array(text_key(encoder.text(document, role)) for document in documents)
        fresh = ledger.new(space_key(identity), keys)
        missing = longest_first(documents, fresh[~space.sound(keys[fresh])])
        if len(missing):
            chosen = tuple(documents[at] for at in missing)
            orders.append(Order(chosen, keys[missing], role, space))
    return tuple(orders)


def encode_orders(encoder: OrderEncoder, orders: Sequence[Order], advance: Advance) -> int:
    """Encode all orders, each batch written as soon as it is done; the number of texts.

    Raises:
        ModelError: vectors of another shape than asked for, or not finite; what the encoder raises.
        StorageError: the store cannot be written.
    """
    clock, count = Clock(encoder), 0
    try:
        for number, rows, vectors in encoder.encode_orders(
            [(order.documents, order.role) for order in orders]
        ):
            order = orders[number]
            good = checked(encoder, [order.documents[row] for row in rows], vectors)
            order.space.append(order.keys[rows], good)
            clock.tick(len(rows))
            advance(len(rows))
            count += len(rows)
    finally:
        for order in orders:
            order.space.finish()
    if orders and (rate := clock.rate()) is not None:
        write_rate(orders[0].space.folder, rate)
    return count
