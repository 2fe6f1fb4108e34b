"""Newton directions: (I + s X_J^T X_J) d = -gradient, J the rows where the multiplier is free.

Three ways, by size. Few free rows: the matrix-inversion lemma turns it into a system over the free
rows, solved in float64, many problems in one batched Cholesky. Many free rows: conjugate gradients,
preconditioned by the Hessian's diagonal in the principal axes. Where those take long, by a Cholesky
factor of the problem's own Hessian, kept and reused for as long as it serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scirepeval_harness.probes.problem import Point, Problems, State
from scirepeval_harness.probes.spaces import PrincipalAxes, Space

if TYPE_CHECKING:
    from torch import Tensor

BATCH_NUMBERS = 3e7
"""Numbers (float64) in one batch of free-row systems: 240 MB."""
PATIENCE = 14
"""Conjugate-gradient iterations after which a factor is worth its cost."""
MAX_ITERATIONS = 60
FORCING = 0.03


class Directions:
    """Finds directions; keeps the factors of a set of problems, by column."""

    def __init__(self) -> None:
        self._scatter: dict[int, Tensor] = {}
        self._factor: dict[int, tuple[float, Tensor]] = {}

    def find(
        self,
        space: Space,
        problems: Problems,
        state: State,
        point: Point,
        active: Tensor,
        columns: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Directions (groups, size, problems) and their decision values (groups, rows, problems).

        Args:
            active: problems (groups, problems) that need one; the others get something harmless.
            columns: the name of each problem column, under which factors are kept.
        """
        import torch

        counts = point.free.sum(1)
        direct = active
        if isinstance(space, PrincipalAxes):
            direct = active & (counts <= 0.75 * space.size)
        solution = torch.zeros_like(point.residual)
        if bool(direct.any()):
            _solve_free_rows(space, state, point, direct, counts, solution)
        step = space.adjoint(solution)
        direction = step - point.gradient
        forward = space.forward(step) - point.forward_gradient
        rest = active & ~direct
        if isinstance(space, PrincipalAxes) and bool(rest.any()):
            chosen = rest[0].nonzero()[:, 0]
            found, image = self._iterate(space, state, point, chosen, columns)
            direction[0][:, chosen] = found
            forward[0][:, chosen] = image
        return direction, forward

    def _iterate(
        self, space: PrincipalAxes, state: State, point: Point, chosen: Tensor, columns: Tensor
    ) -> tuple[Tensor, Tensor]:
        import torch

        rows = space.rotated
        free = point.free[0][:, chosen].to(rows.dtype)
        penalty = state.penalty[0, chosen]
        weight = free * penalty
        names = [int(name) for name in columns[chosen].tolist()]
        residual = -point.gradient[0][:, chosen]
        precondition = _Preconditioner(self, space, free, penalty, names)
        solution, image = torch.zeros_like(residual), torch.zeros_like(free)
        scaled = precondition(residual)
        search = scaled
        norm = (residual * scaled).sum(0)
        goal = FORCING**2 * norm
        open_ = norm > 0
        since = 0
        for _ in range(MAX_ITERATIONS):
            forward = rows @ search
            product = search + rows.T @ (weight * forward)
            length = torch.where(open_, norm / (search * product).sum(0).clamp(min=1e-37), 0.0)
            solution = solution + length * search
            image = image + length * forward
            residual = residual - length * product
            scaled = precondition(residual)
            fresh = (residual * scaled).sum(0)
            open_ = open_ & (fresh > goal)
            since += 1
            if not bool(open_.any()):
                break
            if since == PATIENCE and precondition.improve(open_):
                # Another preconditioner starts another sequence of conjugate directions.
                scaled = precondition(residual)
                fresh = (residual * scaled).sum(0)
                goal = torch.where(open_, goal.minimum(fresh), goal)
                search, norm, since = scaled, fresh, 0
                continue
            search = scaled + torch.where(open_, fresh / norm.clamp(min=1e-37), 0.0) * search
            norm = fresh
        return solution, rows @ solution

    def factor(
        self, name: int, space: PrincipalAxes, free: Tensor, penalty: float, *, renew: bool
    ) -> Tensor | None:
        """Inverse of the Cholesky factor of a problem's Hessian, or None if there is none yet."""
        import torch

        if renew:
            rows = space.rotated[free > 0]
            self._scatter[name] = rows.T @ rows
            self._factor.pop(name, None)
        scatter = self._scatter.get(name)
        if scatter is None:
            return None
        known = self._factor.get(name)
        if known is None or known[0] != penalty:
            scale = (1.0 + penalty * scatter.diagonal()).rsqrt()
            hessian = penalty * scale[:, None] * scatter * scale
            hessian.diagonal().add_(scale.square() + 1e-6)
            lower, failed = torch.linalg.cholesky_ex(hessian)
            if int(failed):
                hessian.diagonal().add_(1e-3)
                lower = torch.linalg.cholesky(hessian)
            identity = torch.eye(len(lower), dtype=lower.dtype, device=lower.device)
            inverse = torch.linalg.solve_triangular(lower, identity, upper=False) * scale
            known = (penalty, inverse)
            self._factor[name] = known
        return known[1]


class _Preconditioner:
    """Diagonal for all problems, replaced by a factor where one is kept."""

    def __init__(
        self,
        owner: Directions,
        space: PrincipalAxes,
        free: Tensor,
        penalty: Tensor,
        names: list[int],
    ) -> None:
        self.owner, self.space, self.free = owner, space, free
        self.penalty, self.names = penalty.tolist(), names
        self.diagonal = 1.0 + penalty * (space.rotated.square().T @ free)
        self.inverse = {
            k: found
            for k, name in enumerate(names)
            if (found := owner.factor(name, space, free[:, k], self.penalty[k], renew=False))
            is not None
        }

    def __call__(self, residual: Tensor) -> Tensor:
        out = residual / self.diagonal
        for k, inverse in self.inverse.items():
            out[:, k] = inverse.T @ (inverse @ residual[:, k])
        return out

    def improve(self, slow: Tensor) -> bool:
        """Factors the Hessians of the slow problems at their present free rows."""
        for k in slow.nonzero()[:, 0].tolist():
            found = self.owner.factor(
                self.names[k], self.space, self.free[:, k], self.penalty[k], renew=True
            )
            assert found is not None
            self.inverse[k] = found
        return True


def _solve_free_rows(
    space: Space, state: State, point: Point, direct: Tensor, counts: Tensor, out: Tensor
) -> None:
    """Writes u with (I / s + X_J X_J^T) u = X_J gradient into ``out`` (groups, rows, problems)."""
    import torch

    groups, problems = direct.nonzero(as_tuple=True)
    sizes = counts[groups, problems]
    order = sizes.argsort()
    groups, problems, sizes = groups[order], problems[order], sizes[order]
    listed = sizes.tolist()
    begin = 0
    while begin < len(listed):
        end = begin + 1
        room = max(listed[begin] * 1.15, listed[begin] + 8)
        while (
            end < len(listed)
            and listed[end] <= room
            and (end + 1 - begin) * listed[end] ** 2 <= BATCH_NUMBERS
        ):
            end += 1
        width = listed[end - 1]
        if width:
            g, p, size = groups[begin:end], problems[begin:end], sizes[begin:end]
            free = point.free[g, :, p]
            which, row = free.nonzero(as_tuple=True)
            offsets = torch.cumsum(size, 0) - size
            slot = torch.arange(len(row), device=row.device) - offsets[which]
            rows = row.new_zeros((end - begin, width))
            rows[which, slot] = row
            filled = torch.arange(width, device=row.device) < size[:, None]
            system = space.gram(g, rows)
            if bool((size < width).any()):
                system = system * (filled[:, :, None] & filled[:, None, :])
            ridge = 1.0 / state.penalty[g, p].double()
            ridge = torch.where(filled, ridge[:, None], torch.ones_like(ridge)[:, None])
            system.diagonal(dim1=-2, dim2=-1).add_(ridge)
            right = point.forward_gradient[g[:, None], rows, p[:, None]].double() * filled
            found = _cholesky_solve(system, right)
            out[g[which], row, p[which]] = found[which, slot].to(out.dtype)
        begin = end


def _cholesky_solve(system: Tensor, right: Tensor) -> Tensor:
    import torch

    lower, failed = torch.linalg.cholesky_ex(system)
    if bool((failed > 0).any()):
        # Repeated rows make the system singular to rounding; the line search absorbs the change.
        diagonal = system.diagonal(dim1=-2, dim2=-1)
        diagonal.add_(1e-9 * diagonal.amax(-1, keepdim=True))
        lower = torch.linalg.cholesky(system)
    return torch.cholesky_solve(right.unsqueeze(-1), lower).squeeze(-1)
